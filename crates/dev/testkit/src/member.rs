//! Members of the world's tenant: keys of their own, claims, and acts that their devices sign.

use chancery_authority::{Act as SignedAct, ActName, DeploymentId};
use chancery_claim::{ClaimContext, ClaimId, ClaimProof, ClaimRequest, Jwk};
use chancery_engine::{
    Act, Answer, Authority, ClaimOf, NewClaim, Refusal, Registry, ResourceId, TenantAct,
};
use chancery_keyset::Keyset;
use sha2::{Digest as _, Sha256};

use crate::world::{DEPLOYMENT, EXPORTER, World};

/// The public key of RFC 8037 appendix A.2, which plays the key of the tenant's issuer.
const ISSUER_KEY: &str =
    r#"{"crv":"Ed25519","kty":"OKP","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

/// A person with an account and one device.
#[derive(Debug)]
pub struct Member {
    /// The user.
    pub id: ResourceId,
    /// The account's keyset.
    pub account: Keyset,
    /// The device's keyset.
    pub device: Keyset,
}

impl World {
    /// A person who is about to claim the account of `id`.
    #[must_use]
    pub fn member(&mut self, id: ResourceId) -> Member {
        Member {
            id,
            account: Keyset::generate(&mut self.seeded).expect("keyset"),
            device: Keyset::generate(&mut self.seeded).expect("keyset"),
        }
    }

    /// Has the issuer publish its key, and trusts it by the passing of a day.
    ///
    /// # Errors
    /// The refusal.
    pub fn trust_issuer(&mut self) -> Result<(), Refusal> {
        self.publish_issuer_key()?;
        self.now_ms = self.now_ms.saturating_add(86_400_000);
        Ok(())
    }

    /// Has the issuer publish its key.
    ///
    /// # Errors
    /// The refusal.
    pub fn publish_issuer_key(&mut self) -> Result<Answer, Refusal> {
        let key = issuer_key();
        let published = vec![(*key.thumbprint().as_bytes(), key.canonical().into_bytes())];
        let fresh = self.seeded.key();
        self.by_runtime(TenantAct::IssuerKeys { published, fresh })
    }

    /// A claim by an ID token that the shell would have checked.
    ///
    /// # Errors
    /// The refusal.
    pub fn prepare_claim(&mut self, member: &Member) -> Result<NewClaim, Refusal> {
        self.prepare(
            member,
            ClaimProof::IdToken {
                token: String::from("e30.e30.e30"),
                key: Box::new(issuer_key()),
            },
        )
    }

    /// Prepares the claim of a member with any proof.
    ///
    /// # Errors
    /// The refusal.
    pub fn prepare(&mut self, member: &Member, proof: ClaimProof) -> Result<NewClaim, Refusal> {
        let fresh = self.seeded.key();
        let view = self.view.tenant(&self.tenant).expect("tenant");
        let mut request = ClaimRequest {
            challenge: vec![7; 32],
            claim: ClaimId::from_bytes(*member.id.as_bytes()),
            account: member.account.public().clone(),
            device: member.device.public().clone(),
            signature: [0; 64],
        };
        let context = ClaimContext {
            deployment: DEPLOYMENT,
            tenant: *self.tenant.as_bytes(),
            genesis: *view.registry.genesis_hash(),
        };
        let statement = request.nonce(&context).expect("nonce").statement();
        request.signature = member.account.signing_key().sign(&statement);
        let user = view
            .registry
            .users()
            .get(member.id)
            .ok_or(Refusal::ClaimRefused)?;
        let claim = ClaimOf {
            user,
            request,
            proof,
            device_name: "laptop",
        };
        NewClaim::prepare(&view.secrets, claim, self.now_ms, &fresh)
    }

    /// Claims the account.
    ///
    /// # Errors
    /// The refusal.
    pub fn claim(&mut self, member: &Member) -> Result<Answer, Refusal> {
        let claim = self.prepare_claim(member)?;
        self.by_runtime(TenantAct::Claim(Box::new(claim)))
    }

    /// An act of the runtime itself.
    ///
    /// # Errors
    /// The refusal.
    pub fn by_runtime(&mut self, act: TenantAct) -> Result<Answer, Refusal> {
        self.act(Act::Tenant {
            tenant: self.tenant,
            authority: Authority::Runtime,
            act: Box::new(act),
        })
    }

    /// Has a member's device sign and send an act. `body` is the rest of a JSON object, behind its member
    /// `member`: empty, or beginning with a comma.
    ///
    /// # Errors
    /// The refusal.
    pub fn signed_by(
        &mut self,
        member: &Member,
        name: ActName,
        body: &str,
    ) -> Result<Answer, Refusal> {
        let body = format!("{{\"member\":\"{}\"{body}}}", member.id).into_bytes();
        let act = SignedAct {
            deployment: DeploymentId::from_bytes(DEPLOYMENT),
            tenant: self.tenant,
            act: name,
            sequence: self.next_sequence(),
            expires_ms: self.now_ms.saturating_add(60_000),
            body_sha256: Sha256::digest(&body).into(),
            exporter: EXPORTER,
        };
        let envelope = act.sign(&[&member.device.signing_key()]).expect("act");
        self.send_signed(name, envelope, body)
    }

    /// The tenant's directory as readers see it.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.view.tenant(&self.tenant).expect("tenant").registry
    }
}

fn issuer_key() -> Jwk {
    Jwk::parse(ISSUER_KEY.as_bytes()).expect("jwk")
}
