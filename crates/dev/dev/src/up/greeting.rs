//! What is said when everything serves.

use std::path::Path;

use chancery_json::Object;

use crate::console::Console;
use crate::login::MEMBERS_FOLDER;
use crate::ready::{Ready, scim_base};

/// What a person can try, once a user was created over SCIM.
fn next_commands(ready: &Ready, ready_file: &Path) -> String {
    let file = ready_file.display();
    let home = ready.data_folder.join(MEMBERS_FOLDER).join("USERNAME");
    let home = home.display();
    format!(
        "\nWhen users and groups are there, try:\n  \
         chancery-dev claim --login-as USERNAME --ready-file {file}\n  \
         chancery-dev group key GROUP --home {home} --ready-file {file}\n  \
         chancery-dev log audit --ready-file {file}"
    )
}

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
        if ready.tenant.is_some() {
            text.push_str(&next_commands(ready, path));
        }
    }
    console.text(&text);
    console.document(&document);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_commands_with_the_files_of_this_service() {
        let text = next_commands(&crate::ready::tests::ready(), Path::new("r.json"));
        for command in [
            "claim --login-as USERNAME --ready-file r.json",
            "group key GROUP --home /d/members/USERNAME --ready-file r.json",
            "log audit --ready-file r.json",
        ] {
            assert!(
                text.contains(&format!("\n  chancery-dev {command}")),
                "{text}"
            );
        }
    }
}
