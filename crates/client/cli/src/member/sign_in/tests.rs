use std::sync::Arc;

use super::*;
use crate::files::tests::Folder;
use chancery_authority::IdMapping;
use chancery_claim::{ClaimBinding, ClaimId};
use chancery_client::now_ms;
use chancery_issuer::{CLIENT_ID, Config, Issuer, Spoil, login, start};
use chancery_keyset::Fingerprint;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const PASSWORD: &str = "letmein";

const PATIENCE: Patience = Patience {
    wait_s: 20,
    open: false,
};

async fn issuer(folder: &Folder) -> Issuer {
    let mut config = Config::new(&folder.path("issuer"), Arc::new(|| now_ms() / 1000));
    config.any_user_password = Some(PASSWORD.to_owned());
    start(config).await.unwrap()
}

fn provider(issuer: &Issuer) -> IdentityProvider {
    IdentityProvider {
        issuer: issuer.url().to_owned(),
        client_id: CLIENT_ID.to_owned(),
        mapping: IdMapping::SubToExternalId,
        tls_roots: vec![issuer.ca_der().to_vec()],
    }
}

fn nonce() -> ClaimNonce {
    let binding = ClaimBinding {
        challenge: b"c",
        claim: ClaimId::from_bytes([1; 16]),
        deployment: [1; 32],
        tenant: [2; 16],
        genesis: [3; 32],
        account: Fingerprint::from_bytes([4; 32]),
        device: Fingerprint::from_bytes([5; 32]),
    };
    binding.nonce().unwrap()
}

/// Signs in without a browser, as the demonstration does.
struct Headless<'a>(&'a str, &'a str);

impl SignIn for Headless<'_> {
    async fn authorize(&self, url: &str) -> Result<Option<String>, String> {
        let Self(ca_pem, password) = self;
        let back = login(ca_pem, url, "ada", password).await;
        back.map(Some).map_err(|error| error.to_string())
    }
}

/// Signs in elsewhere, as a browser does, and follows the redirect to this machine.
struct Elsewhere<'a>(&'a str);

impl SignIn for Elsewhere<'_> {
    async fn authorize(&self, url: &str) -> Result<Option<String>, String> {
        let (ca_pem, url) = (self.0.to_owned(), url.to_owned());
        tokio::spawn(async move {
            let back = login(&ca_pem, &url, "ada", PASSWORD).await.unwrap();
            let rest = back.strip_prefix("http://").unwrap();
            let (address, target) = rest.split_once('/').unwrap();
            let mut stream = TcpStream::connect(address).await.unwrap();
            let request = format!("GET /{target} HTTP/1.1\r\nHost: {address}\r\n\r\n");
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
        });
        Ok(None)
    }
}

fn failure(result: Result<String, CliError>) -> MemberError {
    match result.unwrap_err() {
        CliError::Member(error) => *error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn brings_an_id_token_for_the_nonce_with_and_without_a_browser() {
    let folder = Folder::new();
    let issuer = issuer(&folder).await;
    let provider = provider(&issuer);
    let headless = Headless(issuer.ca_pem(), PASSWORD);
    let token = id_token_for(&provider, &nonce(), PATIENCE, &headless).await;
    assert_eq!(token.unwrap().split('.').count(), 3);
    let elsewhere = Elsewhere(issuer.ca_pem());
    let token = id_token_for(&provider, &nonce(), PATIENCE, &elsewhere).await;
    assert_eq!(token.unwrap().split('.').count(), 3);
    issuer.stop().await;
}

#[tokio::test]
async fn waits_a_bounded_time_for_a_person() {
    let folder = Folder::new();
    let issuer = issuer(&folder).await;
    let patience = Patience {
        wait_s: 0,
        open: false,
    };
    let waited = id_token_for(&provider(&issuer), &nonce(), patience, &ByBrowser).await;
    assert!(matches!(
        failure(waited),
        MemberError::WaitedTooLong { seconds: 0 }
    ));
    issuer.stop().await;
}

#[tokio::test]
async fn says_that_a_sign_in_failed() {
    let folder = Folder::new();
    let issuer = issuer(&folder).await;
    let wrong = Headless(issuer.ca_pem(), "wrong");
    let refused = id_token_for(&provider(&issuer), &nonce(), PATIENCE, &wrong).await;
    assert!(matches!(failure(refused), MemberError::SignIn { .. }));
    let other = IdentityProvider {
        client_id: "another".to_owned(),
        ..provider(&issuer)
    };
    let headless = Headless(issuer.ca_pem(), PASSWORD);
    let refused = id_token_for(&other, &nonce(), PATIENCE, &headless).await;
    assert!(refused.is_err());
    issuer.stop().await;
}

#[tokio::test]
async fn refuses_a_token_with_another_nonce_before_it_is_sent_anywhere() {
    let folder = Folder::new();
    let issuer = issuer(&folder).await;
    issuer.spoil(Spoil::Nonce, 1);
    let headless = Headless(issuer.ca_pem(), PASSWORD);
    let refused = id_token_for(&provider(&issuer), &nonce(), PATIENCE, &headless).await;
    assert!(matches!(
        failure(refused),
        MemberError::TokenForeign { what: "nonce" }
    ));
    issuer.stop().await;
}

#[tokio::test]
async fn believes_no_issuer_under_another_root_or_name() {
    let folder = Folder::new();
    let issuer = issuer(&folder).await;
    let headless = Headless(issuer.ca_pem(), PASSWORD);
    let step = |error| match error {
        MemberError::Provider { step, .. } => step,
        other => panic!("{other:?}"),
    };
    let public = IdentityProvider {
        tls_roots: Vec::new(),
        ..provider(&issuer)
    };
    let refused = id_token_for(&public, &nonce(), PATIENCE, &headless).await;
    assert_eq!(step(failure(refused)), "its configuration");
    let slash = IdentityProvider {
        issuer: format!("{}/", issuer.url()),
        ..provider(&issuer)
    };
    let refused = id_token_for(&slash, &nonce(), PATIENCE, &headless).await;
    assert_eq!(step(failure(refused)), "its configuration");
    issuer.stop().await;
}
