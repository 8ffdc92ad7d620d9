//! Somebody who claims an account by the bytes of `docs/spec/claim.md`, and may send anything.

use base64ct::{Base64, Encoding as _};
use chancery_authority::Genesis;
use chancery_claim::{ClaimContext, ClaimId, ClaimRequest};
use chancery_dsse::Envelope;
use chancery_keyset::{Keyset, KeysetSeed, SEED_LENGTH};
use serde_json::{Value, json};

use crate::client::{Answer, Client};

/// A person with new keys, an account in mind, and a way to say so.
#[derive(Debug)]
pub struct Claimant {
    /// The account.
    pub claim: ClaimId,
    /// Where it is.
    pub context: ClaimContext,
    slug: String,
    account: Keyset,
    device: Keyset,
}

impl Claimant {
    /// Makes keys for an account of a tenant; `client` asks the service as a whole.
    #[must_use]
    pub fn new(client: &mut Client, slug: &str, user_id: &str) -> Self {
        Self {
            claim: ClaimId::parse(user_id).unwrap(),
            context: context(client, slug),
            slug: slug.to_owned(),
            account: keyset(),
            device: keyset(),
        }
    }

    /// The fingerprint of the account's keys, as commands print it.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        self.account.public().fingerprint().to_string()
    }

    /// A new challenge of the service.
    #[must_use]
    pub fn challenge(&self, client: &mut Client) -> Vec<u8> {
        let path = format!("/v1/tenants/{}/claim/challenge", self.slug);
        let answer = post(client, &path, &json!({})).expect(200).json();
        let challenge = answer.get("challenge").and_then(Value::as_str).unwrap();
        Base64::decode_vec(challenge).unwrap()
    }

    fn request(&self, challenge: &[u8]) -> ClaimRequest {
        let mut request = ClaimRequest {
            challenge: challenge.to_vec(),
            claim: self.claim,
            account: self.account.public().clone(),
            device: self.device.public().clone(),
            signature: [0; 64],
        };
        let nonce = request.nonce(&self.context).unwrap();
        request.signature = self.account.signing_key().sign(&nonce.statement());
        request
    }

    /// What an ID token for this claim must carry.
    #[must_use]
    pub fn nonce(&self, challenge: &[u8]) -> String {
        self.nonce_in(challenge, &self.context)
    }

    /// What an ID token would have to carry, if the same claim were made elsewhere.
    #[must_use]
    pub fn nonce_in(&self, challenge: &[u8], context: &ClaimContext) -> String {
        self.request(challenge).nonce(context).unwrap().to_text()
    }

    /// The body of a claim.
    #[must_use]
    pub fn body(&self, challenge: &[u8], id_token: Option<&str>) -> Value {
        let request = self.request(challenge);
        let base64 = |bytes: &[u8]| Base64::encode_string(bytes);
        json!({
            "claim": request.claim.to_string(),
            "challenge": base64(&request.challenge),
            "account": base64(&request.account.encode()),
            "device": base64(&request.device.encode()),
            "device_name": "first device",
            "signature": base64(&request.signature),
            "id_token": id_token,
        })
    }

    /// The path to which a claim is sent.
    #[must_use]
    pub fn path(&self) -> String {
        format!("/v1/tenants/{}/claim", self.slug)
    }

    /// Sends a claim.
    pub fn send(&self, client: &mut Client, body: &Value) -> Answer {
        post(client, &self.path(), body)
    }
}

/// Deployment, tenant and genesis, as the tenant's signed papers say.
#[must_use]
pub fn context(client: &mut Client, slug: &str) -> ClaimContext {
    let shown = client
        .get(&format!("/v1/tenants/{slug}"))
        .expect(200)
        .json();
    let genesis = shown.get("genesis").unwrap().to_string();
    let genesis = Envelope::parse(genesis.as_bytes()).unwrap();
    let genesis = Genesis::verify(&genesis).unwrap();
    ClaimContext {
        deployment: *genesis.genesis().deployment.as_bytes(),
        tenant: *genesis.tenant().as_bytes(),
        genesis: *genesis.hash(),
    }
}

fn post(client: &mut Client, path: &str, body: &Value) -> Answer {
    let kind = [("content-type", "application/json")];
    client.request("POST", path, &kind, body.to_string().as_bytes())
}

fn keyset() -> Keyset {
    let mut seed = [0; SEED_LENGTH];
    let random = rustls::crypto::ring::default_provider().secure_random;
    random.fill(&mut seed).unwrap();
    Keyset::from_seed(KeysetSeed::from_bytes(seed)).unwrap()
}
