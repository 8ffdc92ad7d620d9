//! The attested API as the commands use it: read a tenant, send a signed act.

use std::collections::BTreeMap;

use base64ct::{Base64, Encoding as _};
use chancery_authority::{
    Act, ActName, AdminChange, Delegation, Genesis, TenantAuthority, VerifiedDelegation,
    VerifiedGenesis,
};
use chancery_client::{AttestedConnection, ClientError, Request, Response, now_ms};
use chancery_dsse::{Envelope, KeyId, SigningKey};
use chancery_json::{Limits, Object, Value};
use chancery_verify::Anchor;
use sha2::{Digest as _, Sha256};

use crate::AnchorSource;
use crate::context::Context;
use crate::error::CliError;
use crate::files::read_document;

/// How long a signed act can be used: it is sent at once, over the connection that it names.
const ACT_LIFE_MS: u64 = 2 * 60 * 1000;

/// Largest document in an answer: a page of log entries.
const ANSWER_LIMITS: Limits = Limits {
    bytes_max: 16 * 1024 * 1024,
    depth_max: 32,
    values_max: 1 << 20,
};

/// What the runtime says about a tenant, as far as it could be checked.
#[derive(Debug)]
pub(crate) struct Tenant {
    /// The genesis, signed by a threshold of its own admins, for this deployment and name.
    pub(crate) genesis: VerifiedGenesis,
    /// Whose signatures count now: the genesis' admins, or those that verified changes lead to.
    pub(crate) authority: TenantAuthority,
    /// The newest sequence number of each signing key.
    sequences: BTreeMap<KeyId, u64>,
    /// The answer as it came.
    pub(crate) answer: Object,
}

impl Tenant {
    /// Entries of the tenant's log, as the runtime counts them.
    pub(crate) fn log_size(&self) -> Result<u64, CliError> {
        let size = self.answer.get("log_size").and_then(Value::as_u64);
        size.ok_or(CliError::AnswerUnexpected { what: "log_size" })
    }
}

/// An appraised connection with a tenant and the keys that sign.
pub(crate) struct TenantSession<'a, S: AnchorSource> {
    connection: AttestedConnection<S::Anchor>,
    context: &'a Context,
    source: &'a S,
    pub(crate) tenant: Tenant,
    keys: Vec<SigningKey>,
}

impl<'a, S: AnchorSource> TenantSession<'a, S> {
    /// Connects, appraises, and reads the tenant.
    pub(crate) async fn open(context: &'a Context, source: &'a S) -> Result<Self, CliError> {
        Self::open_with(context, source, context.keys()?).await
    }

    /// The same with other keys than the context's.
    pub(crate) async fn open_with(
        context: &'a Context,
        source: &'a S,
        keys: Vec<SigningKey>,
    ) -> Result<Self, CliError> {
        let mut connection = context.connect(source).await?;
        let tenant = read_tenant(&mut connection, context).await?;
        Ok(Self {
            connection,
            context,
            source,
            tenant,
            keys,
        })
    }

    /// Signs an act with every key of the context, sends it, and gives the answer.
    pub(crate) async fn act(&mut self, act: ActName, body: &Object) -> Result<Object, CliError> {
        answer(&self.exchange(act, body).await?)
    }

    /// The same for an act whose answer is no JSON.
    pub(crate) async fn act_binary(
        &mut self,
        act: ActName,
        body: &Object,
    ) -> Result<Response, CliError> {
        let response = self.exchange(act, body).await?;
        if response.is_success() {
            Ok(response)
        } else {
            Err(refusal(&response))
        }
    }

    /// The delegations that the runtime has in force, each signed by a threshold of the admins.
    pub(crate) async fn delegations(&mut self) -> Result<Vec<VerifiedDelegation>, CliError> {
        let answer = self.act(ActName::DelegationList, &Object::new()).await?;
        list(&answer, "delegations")?
            .iter()
            .map(|value| {
                let envelope = Envelope::parse(&value.to_bytes())?;
                Ok(Delegation::verify(&envelope, &self.tenant.authority)?)
            })
            .collect()
    }

    async fn exchange(&mut self, act: ActName, body: &Object) -> Result<Response, CliError> {
        let body = body.to_bytes();
        let request = self.signed(act, &body)?;
        match self.connection.request(request).await {
            // Nothing was sent. A new connection is appraised anew, and needs a new signature.
            Err(ClientError::AppraisalExpired) => {
                self.connection = self.context.connect(self.source).await?;
                let request = self.signed(act, &body)?;
                Ok(self.connection.request(request).await?)
            }
            other => Ok(other?),
        }
    }

    /// A signed act over the connection as it is now.
    fn signed(&mut self, act: ActName, body: &[u8]) -> Result<Request, CliError> {
        let now_ms = now_ms();
        let last = self
            .keys
            .iter()
            .filter_map(|key| self.tenant.sequences.get(&key.id()))
            .max();
        // The clock makes numbers that grow without asking; the runtime's newest number covers a
        // clock that was set back.
        let sequence = now_ms.max(last.map_or(1, |last| last.saturating_add(1)));
        let genesis = self.tenant.genesis.genesis();
        let act = Act {
            deployment: genesis.deployment,
            tenant: self.tenant.genesis.tenant(),
            act,
            sequence,
            expires_ms: now_ms.saturating_add(ACT_LIFE_MS),
            body_sha256: Sha256::digest(body).into(),
            exporter: *self.connection.exporter(),
        };
        let keys: Vec<&SigningKey> = self.keys.iter().collect();
        let envelope = act.sign(&keys)?;
        for key in &keys {
            self.tenant.sequences.insert(key.id(), sequence);
        }
        let request = [
            b"{\"act\":".as_slice(),
            &envelope.to_json(),
            b",\"body\":\"",
            Base64::encode_string(body).as_bytes(),
            b"\"}",
        ]
        .concat();
        let path = format!("/v1/tenants/{}/acts", genesis.slug);
        Ok(Request::post_json(&path, request))
    }
}

/// Asks for a tenant and checks what can be checked without its log: the signatures, the name, the
/// deployment, and, where the admin keeps a genesis, that it is this one.
pub(crate) async fn read_tenant<A: Anchor>(
    connection: &mut AttestedConnection<A>,
    context: &Context,
) -> Result<Tenant, CliError> {
    let slug = context.tenant()?;
    let response = connection
        .request(Request::get(&format!("/v1/tenants/{slug}")))
        .await?;
    let whole = answer(&response)?;
    let unexpected = |what| CliError::AnswerUnexpected { what };
    let genesis = whole.get("genesis").ok_or_else(|| unexpected("genesis"))?;
    let genesis = Genesis::verify(&Envelope::parse(&genesis.to_bytes())?)?;
    if genesis.genesis().slug != *slug || genesis.genesis().deployment != context.deployment_id() {
        return Err(unexpected("a genesis of another tenant or deployment"));
    }
    if let Some(path) = context.genesis_path() {
        let kept = Genesis::verify(&Envelope::parse(&read_document(path)?)?)?;
        if kept.hash() != genesis.hash() {
            return Err(CliError::OtherGenesis {
                path: path.to_owned(),
            });
        }
    }
    let authority = present_authority(&genesis, &whole)?;
    let sequences = whole
        .get("sequences")
        .and_then(Value::as_object)
        .ok_or_else(|| unexpected("sequences"))?
        .iter()
        .map(|(key, value)| Some((KeyId::parse(key)?, value.as_u64()?)))
        .collect::<Option<_>>()
        .ok_or_else(|| unexpected("sequences"))?;
    Ok(Tenant {
        genesis,
        authority,
        sequences,
        answer: whole,
    })
}

/// Follows the changes of admins from the genesis on; each must be signed by the admins before it.
fn present_authority(
    genesis: &VerifiedGenesis,
    whole: &Object,
) -> Result<TenantAuthority, CliError> {
    let mut authority = genesis.authority();
    let Some(changes) = whole.get("admin_changes") else {
        return Ok(authority);
    };
    let changes = changes.as_array().ok_or(CliError::AnswerUnexpected {
        what: "admin_changes",
    })?;
    for change in changes {
        let envelope = Envelope::parse(&change.to_bytes())?;
        authority = AdminChange::verify(&envelope, &authority)?
            .authority()
            .clone();
    }
    Ok(authority)
}

/// A successful answer; a refusal becomes an error in the service's words.
pub(crate) fn answer(response: &Response) -> Result<Object, CliError> {
    if !response.is_success() {
        return Err(refusal(response));
    }
    match Value::parse(response.body(), &ANSWER_LIMITS) {
        Ok(Value::Object(object)) => Ok(object),
        _ => Err(CliError::AnswerUnexpected {
            what: "not a JSON object",
        }),
    }
}

/// Title and detail of a problem document (RFC 9457).
fn refusal(response: &Response) -> CliError {
    let problem = match Value::parse(response.body(), &ANSWER_LIMITS) {
        Ok(Value::Object(object)) => {
            let text = |name: &str| object.get(name).and_then(Value::as_str);
            match (text("title"), text("detail")) {
                (Some(title), Some(detail)) => format!("{title}: {detail}"),
                (Some(only), None) | (None, Some(only)) => only.to_owned(),
                (None, None) => "no reason given".to_owned(),
            }
        }
        _ => "no reason given".to_owned(),
    };
    CliError::Refused {
        status: response.status(),
        problem,
        retry_after_s: response.retry_after_s(),
    }
}

/// A text member of an answer.
pub(crate) fn text<'a>(answer: &'a Object, name: &'static str) -> Result<&'a str, CliError> {
    let value = answer.get(name).and_then(Value::as_str);
    value.ok_or(CliError::AnswerUnexpected { what: name })
}

/// A number in an answer.
pub(crate) fn number(answer: &Object, name: &'static str) -> Result<u64, CliError> {
    let value = answer.get(name).and_then(Value::as_u64);
    value.ok_or(CliError::AnswerUnexpected { what: name })
}

/// A list of texts in an answer.
pub(crate) fn texts(answer: &Object, name: &'static str) -> Result<Vec<String>, CliError> {
    list(answer, name)?
        .iter()
        .map(|item| item.as_str().map(str::to_owned))
        .collect::<Option<_>>()
        .ok_or(CliError::AnswerUnexpected { what: name })
}

/// The index of the log entry that an act made.
pub(crate) fn index(answer: &Object) -> Result<u64, CliError> {
    number(answer, "index")
}

/// A list member of an answer.
pub(crate) fn list<'a>(answer: &'a Object, name: &'static str) -> Result<&'a [Value], CliError> {
    let value = answer.get(name).and_then(Value::as_array);
    value.ok_or(CliError::AnswerUnexpected { what: name })
}
