//! How a person is led to the identity provider and back.

use core::fmt;
use core::future::Future;
use core::time::Duration;
use std::process::{Command, Stdio};

use chancery_authority::IdentityProvider;
use chancery_claim::{ClaimNonce, ProviderConfiguration, configuration_url};
use chancery_client::WebClient;
use tokio::time::timeout;

use super::OsEntropy;
use super::error::MemberError;
use super::oidc::{Client, SignInAttempt, error_code, id_token};
use super::redirect::RedirectListener;
use crate::error::CliError;
use crate::output::{note, printable};

/// Signs a person in at the tenant's identity provider.
///
/// The shipped command passes [`ByBrowser`]; a test or a demonstration may sign in without a screen.
pub trait SignIn {
    /// Follows an authorization request (OpenID Connect Core section 3.1.2.1) to its end, and gives the
    /// whole address to which the provider leads back. `None` says that a person will follow it in a
    /// browser: the command then shows the address and waits at the redirect address itself.
    ///
    /// # Errors
    ///
    /// Why nobody signed in, in words for a person.
    fn authorize(&self, url: &str) -> impl Future<Output = Result<Option<String>, String>>;
}

/// A person with a browser signs in.
#[derive(Clone, Copy, Debug, Default)]
pub struct ByBrowser;

impl SignIn for ByBrowser {
    async fn authorize(&self, _url: &str) -> Result<Option<String>, String> {
        Ok(None)
    }
}

/// How long to wait for a person, and whether to open a browser for them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// Seconds.
    pub(crate) wait_s: u64,
    /// `--open`.
    pub(crate) open: bool,
}

/// An ID token for `nonce` from the tenant's identity provider.
pub(crate) async fn id_token_for<I: SignIn>(
    provider: &IdentityProvider,
    nonce: &ClaimNonce,
    patience: Patience,
    sign_in: &I,
) -> Result<String, CliError> {
    let web = WebClient::new(&provider.tls_roots)?;
    let client = Client {
        issuer: &provider.issuer,
        client_id: &provider.client_id,
        mapping: provider.mapping,
    };
    let configuration = discover(&web, &client).await?;
    let listener = RedirectListener::bind().await?;
    let endpoint = configuration.authorization_endpoint();
    let redirect_uri = listener.redirect_uri();
    let attempt = SignInAttempt::new(&client, endpoint, nonce, &redirect_uri, &mut OsEntropy)?;
    let led = sign_in.authorize(&attempt.url).await;
    let redirect = match led.map_err(|reason| MemberError::SignIn { reason })? {
        Some(redirect) => redirect,
        None => {
            ask_person(&attempt.url, patience.open);
            let waited = timeout(Duration::from_secs(patience.wait_s), listener.wait()).await;
            waited.map_err(|_elapsed| MemberError::WaitedTooLong {
                seconds: patience.wait_s,
            })??
        }
    };
    let code = attempt.code(&redirect, client.issuer)?;
    let step = "the token request";
    let form = attempt.token_request(&client, &code);
    let answer = web
        .post_form(configuration.token_endpoint(), form)
        .await
        .map_err(|error| failed(step, &error))?;
    if answer.status() != 200 {
        let status = || format!("status {}", answer.status());
        let reason = error_code(answer.body()).unwrap_or_else(status);
        return Err(MemberError::Provider { step, reason }.into());
    }
    Ok(id_token(answer.body(), &client, nonce)?)
}

async fn discover(
    web: &WebClient,
    client: &Client<'_>,
) -> Result<ProviderConfiguration, MemberError> {
    let step = "its configuration";
    let url = configuration_url(client.issuer).map_err(|error| failed(step, &error))?;
    let answer = web.get(&url).await.map_err(|error| failed(step, &error))?;
    if answer.status() != 200 {
        return Err(failed(step, &format_args!("status {}", answer.status())));
    }
    ProviderConfiguration::parse(answer.body(), client.issuer).map_err(|error| failed(step, &error))
}

fn failed(step: &'static str, error: &impl fmt::Display) -> MemberError {
    MemberError::Provider {
        step,
        reason: error.to_string(),
    }
}

fn ask_person(url: &str, open: bool) {
    note(&format!(
        "Sign in with your organisation's identity provider at\n\n    {}\n",
        printable(url)
    ));
    if open {
        // The address begins with https:// and is one argument; no shell reads it. If there is no
        // browser, the person has the address all the same.
        let opened = Command::new("xdg-open")
            .arg(url)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        if opened.is_err() {
            note("No browser could be opened.");
        }
    }
}

#[cfg(test)]
mod tests;
