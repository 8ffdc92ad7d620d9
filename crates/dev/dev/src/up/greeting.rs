//! What is said when everything serves.

use std::path::Path;

use chancery_json::Object;

use crate::console::Console;
use crate::ready::{Ready, scim_base};

/// Says how to use what serves now.
pub(crate) fn greet(console: &Console, ready: &Ready, ready_file: Option<&Path>) {
    let mut document = Object::new()
        .with("event", "ready")
        .with("message", "The service is ready.")
        .with("base", ready.base.as_str())
        .with("ca_file", ready.ca_file.display().to_string())
        .with(
            "deployment_file",
            ready.deployment_file.display().to_string(),
        )
        .with("oidc_issuer", ready.issuer.url.as_str())
        .with("metrics", ready.metrics.as_str());
    let mut text = format!(
        "The service is ready.\n  base        {}\n  trust       {}\n  deployment  {}\n  issuer      {}\n  metrics     {}",
        ready.base,
        ready.ca_file.display(),
        ready.deployment_file.display(),
        ready.issuer.url,
        ready.metrics
    );
    if let Some(tenant) = &ready.tenant {
        let base = scim_base(&ready.base, &tenant.slug);
        let token = tenant.admin_folder.join("scim-token");
        text.push_str(&format!(
            "\n  SCIM        {base}\n  token in    {}",
            token.display()
        ));
        document = document
            .with("scim_base", base)
            .with("token_file", token.display().to_string());
    }
    if let Some(path) = ready_file {
        text.push_str(&format!("\n  ready file  {}", path.display()));
        document = document.with("ready_file", path.display().to_string());
    }
    console.text(&text);
    console.document(&document);
}
