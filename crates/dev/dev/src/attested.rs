//! The attested API as `up` and `bench` use it: read a tenant, send a signed act.

use std::time::Duration;

use base64ct::{Base64, Encoding as _};
use chancery_authority::{Act, ActName, Delegation, Genesis, VerifiedGenesis};
use chancery_cli::{AnchorSource as _, read_signing_key};
use chancery_client::{AttestedConnection, ClientError, Connector, Request, Response, now_ms};
use chancery_dsse::{Envelope, KeyId, SigningKey};
use chancery_emulated_sp::EmulatedAnchor;
use chancery_json::{Limits, Object, Value};
use chancery_session::Deployment;
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use crate::anchor::EmulatedSource;
use crate::error::DevError;
use crate::files;
use crate::ready::{Ready, ReadyTenant};

/// Life of a signed act: it is sent at once.
const ACT_LIFE_MS: u64 = 2 * 60 * 1000;

/// A connection to an appraised runtime.
pub(crate) type Connection = AttestedConnection<EmulatedAnchor>;

/// A connection that is made anew, and appraised anew, when its appraisal is over; with the admin's key.
pub(crate) struct Link {
    connector: Connector<EmulatedAnchor>,
    deployment: Deployment,
    slug: String,
    key: SigningKey,
    connection: Connection,
    shown: Shown,
}

impl Link {
    /// Connects to the tenant of a ready file.
    pub(crate) async fn open(ready: &Ready, tenant: &ReadyTenant) -> Result<Self, DevError> {
        let (connector, deployment) = pinned(ready)?;
        let mut connection = connector.connect(&deployment, None).await?;
        let shown = known(&mut connection, &tenant.slug).await?;
        Ok(Self {
            connector,
            deployment,
            slug: tenant.slug.clone(),
            key: read_signing_key(&tenant.admin_folder.join("admin.key"))?,
            connection,
            shown,
        })
    }

    /// The tenant's genesis.
    pub(crate) const fn genesis(&self) -> &VerifiedGenesis {
        &self.shown.genesis
    }

    /// Sends a request to a path of the tenant; with the time that the answer took.
    pub(crate) async fn post(
        &mut self,
        path: &str,
        body: &Object,
    ) -> Result<(Response, Duration), DevError> {
        let path = format!("/v1/tenants/{}/{path}", self.slug);
        let request = || Request::post_json(&path, body.to_bytes());
        match self.timed(request()).await {
            Err(ClientError::AppraisalExpired) => {
                self.renew().await?;
                Ok(self.timed(request()).await?)
            }
            other => Ok(other?),
        }
    }

    /// Sends an act that the admin signs; with the time that the answer took, without the signing.
    pub(crate) async fn act(
        &mut self,
        act: ActName,
        body: &Object,
    ) -> Result<(Response, Duration), DevError> {
        let request = self.signed(act, body)?;
        match self.timed(request).await {
            Err(ClientError::AppraisalExpired) => {
                self.renew().await?;
                let request = self.signed(act, body)?;
                Ok(self.timed(request).await?)
            }
            other => Ok(other?),
        }
    }

    fn signed(&mut self, act: ActName, body: &Object) -> Result<Request, DevError> {
        self.shown.signed(&self.connection, &self.key, act, body)
    }

    async fn timed(&mut self, request: Request) -> Result<(Response, Duration), ClientError> {
        let begun = Instant::now();
        let response = self.connection.request(request).await?;
        Ok((response, begun.elapsed()))
    }

    async fn renew(&mut self) -> Result<(), DevError> {
        self.connection = self.connector.connect(&self.deployment, None).await?;
        self.shown = known(&mut self.connection, &self.slug).await?;
        Ok(())
    }
}

/// What a client pins of the service of a ready file, and a connector that trusts its emulated processor.
pub(crate) fn pinned(ready: &Ready) -> Result<(Connector<EmulatedAnchor>, Deployment), DevError> {
    let path = &ready.deployment_file;
    let document = |reason| DevError::Document {
        path: path.clone(),
        reason,
    };
    let deployment =
        Deployment::from_json(&files::read(path)?).map_err(|error| document(error.to_string()))?;
    let anchor = EmulatedSource.anchor(path).map_err(document)?;
    Ok((Connector::new(anchor), deployment))
}

/// The tenant of this name, which is there.
pub(crate) async fn known(connection: &mut Connection, slug: &str) -> Result<Shown, DevError> {
    let step = "reading the tenant";
    let shown = show(connection, slug).await?;
    shown.ok_or(DevError::ApiAnswer { step })
}

/// What is asked of the service, how errors call it, and the act's body.
pub(crate) type Wanted<'a> = (ActName, &'static str, &'a Object);

/// The tenant as the runtime shows it.
pub(crate) struct Shown {
    /// The genesis, signed by its own admins.
    pub(crate) genesis: VerifiedGenesis,
    /// The newest sequence number of each signing key, those of this process included.
    sequences: Vec<(KeyId, u64)>,
}

/// The tenant, or none if the runtime knows none of this name.
pub(crate) async fn show(
    connection: &mut Connection,
    slug: &str,
) -> Result<Option<Shown>, DevError> {
    let step = "reading the tenant";
    let request = Request::get(&format!("/v1/tenants/{slug}"));
    let response = connection.request(request).await?;
    if response.status() == 404 {
        return Ok(None);
    }
    let answer = answer(step, &response)?;
    Shown::parse(&answer)
        .map(Some)
        .ok_or(DevError::ApiAnswer { step })
}

impl Shown {
    fn parse(answer: &Object) -> Option<Self> {
        let genesis = answer.get("genesis")?.to_bytes();
        let genesis = Genesis::verify(&Envelope::parse(&genesis).ok()?).ok()?;
        let sequences = answer.get("sequences")?.as_object()?;
        let sequences = sequences
            .iter()
            .map(|(key, value)| Some((KeyId::parse(key)?, value.as_u64()?)))
            .collect::<Option<_>>()?;
        Some(Self { genesis, sequences })
    }

    /// Signs an act for this connection and sends it.
    pub(crate) async fn act(
        &mut self,
        connection: &mut Connection,
        key: &SigningKey,
        (act, step, body): Wanted<'_>,
    ) -> Result<Object, DevError> {
        let request = self.signed(connection, key, act, body)?;
        answer(step, &connection.request(request).await?)
    }

    /// The delegations that are in force.
    pub(crate) async fn delegations(
        &mut self,
        connection: &mut Connection,
        key: &SigningKey,
    ) -> Result<Vec<Delegation>, DevError> {
        let step = "listing the delegations";
        let wanted = (ActName::DelegationList, step, &Object::new());
        let answer = self.act(connection, key, wanted).await?;
        delegations(&answer).ok_or(DevError::ApiAnswer { step })
    }

    /// A signed act that is good on this connection alone.
    pub(crate) fn signed(
        &mut self,
        connection: &Connection,
        key: &SigningKey,
        act: ActName,
        body: &Object,
    ) -> Result<Request, DevError> {
        let body = body.to_bytes();
        let now_ms = now_ms();
        let mut own = self.sequences.iter().filter(|(id, _)| *id == key.id());
        let last = own.next_back().map_or(0, |(_, sequence)| *sequence);
        let sequence = now_ms.max(last.saturating_add(1));
        let genesis = self.genesis.genesis();
        let signed = Act {
            deployment: genesis.deployment,
            tenant: self.genesis.tenant(),
            act,
            sequence,
            expires_ms: now_ms.saturating_add(ACT_LIFE_MS),
            body_sha256: Sha256::digest(&body).into(),
            exporter: *connection.exporter(),
        }
        .sign(&[key])?;
        let path = format!("/v1/tenants/{}/acts", genesis.slug);
        self.sequences.retain(|(id, _)| *id != key.id());
        self.sequences.push((key.id(), sequence));
        let request = [
            b"{\"act\":".as_slice(),
            &signed.to_json(),
            b",\"body\":\"",
            Base64::encode_string(&body).as_bytes(),
            b"\"}",
        ]
        .concat();
        Ok(Request::post_json(&path, request))
    }
}

fn delegations(answer: &Object) -> Option<Vec<Delegation>> {
    let delegations = answer.get("delegations")?.as_array()?;
    delegations
        .iter()
        .map(|value| {
            let envelope = Envelope::parse(&value.to_bytes()).ok()?;
            Delegation::from_json(envelope.unverified_payload()).ok()
        })
        .collect()
}

/// A successful answer; a refusal becomes an error in the service's words.
pub(crate) fn answer(step: &'static str, response: &Response) -> Result<Object, DevError> {
    let parsed = Value::parse(response.body(), &Limits::DOCUMENT);
    if !response.is_success() {
        let text = |name: &str| {
            let object = parsed.as_ref().ok()?.as_object()?;
            object.get(name)?.as_str().map(str::to_owned)
        };
        let problem = text("detail").or_else(|| text("title"));
        return Err(DevError::ApiRefused {
            step,
            status: response.status(),
            problem: problem.unwrap_or_else(|| "no reason given".to_owned()),
        });
    }
    match parsed {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) | Err(_) => Err(DevError::ApiAnswer { step }),
    }
}
