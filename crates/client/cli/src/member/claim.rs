//! `claim`: how a member gets in.
//!
//! Keys are made and durable before anything is sent, so that the command can be stopped anywhere and
//! run again: it goes on with the same keys, and a claim that was confirmed with them already is
//! success without another sign-in. Nothing is called claimed before the log proved it.

mod exchange;
mod stopwatch;

use chancery_authority::{IdentityProvider, VerifiedGenesis};
use chancery_claim::{ClaimContext, ClaimId, ClaimRequest};
use chancery_dsse::Envelope;
use chancery_json::{Object, Value};
use chancery_keyset::Keyset;

use self::exchange::{Confirmation, Link, Wait, until_confirmed};
use self::stopwatch::Stopwatch;
use super::OsEntropy;
use super::answers::bytes;
use super::code::{base64, device_name};
use super::error::MemberError;
use super::home::{Home, Membership, digits};
use super::proof::{Proven, state_word};
use super::session::{MemberSession, check_genesis};
use super::sign_in::{Patience, SignIn, id_token_for};
use crate::AnchorSource;
use crate::api::{answer, number, read_tenant, text};
use crate::args::member::ClaimArgs;
use crate::context::{Context, Environment};
use crate::error::CliError;
use crate::files::read_document;
use crate::output::{Outcome, aligned, note, printable};

/// The account's keys on this device.
#[derive(Debug)]
struct Keys {
    account: Keyset,
    device: Keyset,
}

/// Runs `claim`.
pub(crate) async fn run<S: AnchorSource, I: SignIn>(
    args: &ClaimArgs,
    environment: &Environment,
    source: &S,
    sign_in: &I,
) -> Result<Outcome, CliError> {
    let claim = ClaimId::parse(&args.claim).map_err(|_form| CliError::ValueInvalid {
        option: "--claim",
        allowed: "the id in the invitation, such as 2819c223-7f76-453a-919d-413861904646",
    })?;
    device_name(&args.device_name, "--device-name")?;
    let context = Context::load(&args.member.context, environment)?;
    let folder = context.home_folder(args.member.home.as_deref(), environment)?;
    let home = Home::open(&folder)?;
    let kept = home.membership()?;
    let pin = pinned(args, context.genesis_path(), kept.as_ref())?;
    let mut watch = Stopwatch::start();

    note("Verifying the service …");
    let mut link = Link::open(&context, source).await?;
    watch.lap("verify");
    let tenant = read_tenant(&mut link.connection, &context).await?;
    let genesis = &tenant.genesis;
    for pinned in &pin {
        check_genesis(genesis.hash(), pinned)?;
    }
    watch.lap("papers");
    let membership = membership(genesis, claim, kept, &home)?;
    let repeated = home.has_account();
    if let Some(path) = &args.account_key {
        home.take_account(path)?;
    }
    let keys = Keys {
        device: home.device_or_new(&mut OsEntropy)?,
        account: home.account_or_new(&mut OsEntropy)?,
    };
    home.store_membership(&membership)?;
    watch.lap("keys");

    let mut member = Member {
        context: &context,
        source,
        home: &home,
        membership,
        keys,
    };
    let mut known = None;
    if repeated {
        known = member.already_claimed().await?;
        watch.lap("lookup");
    }
    let confirmed = if let Some(known) = known {
        known
    } else {
        let claimed = member.claim(args, &mut link, genesis, sign_in, &mut watch);
        let answered = claimed.await?;
        note("Looking the account up in the log …");
        let proved = member.proved(&answered).await?;
        watch.lap("lookup");
        proved
    };
    Ok(claimed(&confirmed, &member, &pin, &watch))
}

/// The hashes that the genesis must have: none means that the caller chose to trust the first one.
///
/// The invitation has no say: whoever sends one could make a tenant of the same name.
fn pinned(
    args: &ClaimArgs,
    genesis_path: Option<&std::path::Path>,
    kept: Option<&Membership>,
) -> Result<Vec<[u8; 32]>, CliError> {
    let mut pins = Vec::new();
    if let Some(text) = &args.genesis_hash {
        pins.push(digits(text).ok_or(CliError::ValueInvalid {
            option: "--genesis-hash",
            allowed: "64 hexadecimal digits in lower case",
        })?);
    }
    if let Some(path) = genesis_path {
        let envelope = Envelope::parse(&read_document(path)?)?;
        let genesis = chancery_authority::Genesis::verify(&envelope)?;
        pins.push(*genesis.hash());
    }
    if let Some(kept) = kept {
        pins.push(kept.genesis);
    }
    if pins.is_empty() && !args.dangerous_trust_first_use {
        return Err(MemberError::GenesisUnknown.into());
    }
    Ok(pins)
}

/// Whose account it is, in agreement with what the home says already.
fn membership(
    genesis: &VerifiedGenesis,
    claim: ClaimId,
    kept: Option<Membership>,
    home: &Home,
) -> Result<Membership, CliError> {
    let wanted = Membership {
        deployment: *genesis.genesis().deployment.as_bytes(),
        tenant: *genesis.tenant().as_bytes(),
        genesis: *genesis.hash(),
        member: claim,
        handle: kept.as_ref().and_then(|kept| kept.handle),
    };
    match kept {
        Some(kept) if kept != wanted => Err(MemberError::HomeOfAnother {
            path: home.folder().to_owned(),
        }
        .into()),
        _ => Ok(wanted),
    }
}

/// A claim that the log proves.
#[derive(Debug)]
struct Confirmed {
    user_name: String,
    index: u64,
    proven: Proven,
}

struct Member<'a, S: AnchorSource> {
    context: &'a Context,
    source: &'a S,
    home: &'a Home,
    membership: Membership,
    keys: Keys,
}

impl<S: AnchorSource> Member<'_, S> {
    /// Whether the log has these keys already: then an earlier run was stopped after its claim.
    async fn already_claimed(&mut self) -> Result<Option<Confirmed>, CliError> {
        match self.look_up().await {
            Ok((user_name, proven)) if proven.keyset == *self.keys.account.public() => {
                let confirmed = self.own(user_name, proven, None)?;
                Ok(Some(confirmed))
            }
            // Pending or other keys; whether they can be claimed, the service decides.
            Ok(_) => Ok(None),
            // The device is not known yet.
            Err(CliError::Refused {
                status: 400..=499, ..
            }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Looks the account up and compares it with what the service answered.
    async fn proved(&mut self, answered: &Confirmation) -> Result<Confirmed, CliError> {
        let (user_name, proven) = self.look_up().await?;
        self.own(user_name, proven, Some(answered))
    }

    async fn look_up(&self) -> Result<(String, Proven), CliError> {
        let membership = self.membership.clone();
        let opened = MemberSession::open(self.context, self.source, membership, &self.keys.device);
        let (found, proven) = opened.await?.lookup_own().await?;
        Ok((found.user_name, proven))
    }

    /// Believes that the account is claimed if the log proves exactly these keys.
    fn own(
        &mut self,
        user_name: String,
        proven: Proven,
        answered: Option<&Confirmation>,
    ) -> Result<Confirmed, CliError> {
        check_own(&proven, self.keys.account.public(), answered)?;
        self.membership.handle = Some(proven.handle);
        self.home.store_membership(&self.membership)?;
        Ok(Confirmed {
            user_name,
            index: answered.map_or(proven.index, |answered| answered.index),
            proven,
        })
    }

    /// Challenge, sign-in, claim. A claim that waits for an admin gets a new challenge before the old one
    /// ends; the code stays the same.
    async fn claim<I: SignIn>(
        &self,
        args: &ClaimArgs,
        link: &mut Link<'_, S>,
        genesis: &VerifiedGenesis,
        sign_in: &I,
        watch: &mut Stopwatch,
    ) -> Result<Confirmation, CliError> {
        let path = format!("/v1/tenants/{}/claim", genesis.genesis().slug);
        let mut wait = Wait::new(args.wait_s);
        loop {
            let response = link
                .post(&format!("{path}/challenge"), &Object::new())
                .await?;
            let told = answer(&response)?;
            let provider = provider(&told, genesis.genesis().idp.as_ref())?;
            let challenge = bytes(&told, "challenge")?;
            let request = signed_request(challenge, &self.membership, &self.keys)?;
            watch.lap("challenge");
            let id_token = self.id_token(&request, provider, args, sign_in).await?;
            watch.lap("sign_in");
            let body = claim_body(&request, &args.device_name, id_token.as_deref());
            wait.begin(number(&told, "expires_ms")?);
            let confirmation = until_confirmed(link, &path, &body, &mut wait).await?;
            watch.lap("claim");
            match confirmation {
                Some(confirmation) => return Ok(confirmation),
                None if id_token.is_some() || wait.is_over() => {
                    let seconds = args.wait_s;
                    return Err(MemberError::WaitedTooLong { seconds }.into());
                }
                None => {}
            }
        }
    }

    /// The person's ID token for this request; none if an admin confirms instead, or if the account came
    /// with the keys that sign this claim.
    async fn id_token<I: SignIn>(
        &self,
        request: &ClaimRequest,
        provider: Option<&IdentityProvider>,
        args: &ClaimArgs,
        sign_in: &I,
    ) -> Result<Option<String>, CliError> {
        let Some(provider) = provider.filter(|_| args.account_key.is_none()) else {
            return Ok(None);
        };
        let nonce = request.nonce(&claim_context(&self.membership));
        let nonce = nonce.map_err(|_size| CliError::AnswerUnexpected { what: "challenge" })?;
        let patience = Patience {
            wait_s: args.wait_s,
            open: args.open,
        };
        let token = id_token_for(provider, &nonce, patience, sign_in).await?;
        Ok(Some(token))
    }
}

fn claim_context(membership: &Membership) -> ClaimContext {
    ClaimContext {
        deployment: membership.deployment,
        tenant: membership.tenant,
        genesis: membership.genesis,
    }
}

/// What the member sends, signed by the new account key.
fn signed_request(
    challenge: Vec<u8>,
    membership: &Membership,
    keys: &Keys,
) -> Result<ClaimRequest, CliError> {
    let mut request = ClaimRequest {
        challenge,
        claim: membership.member,
        account: keys.account.public().clone(),
        device: keys.device.public().clone(),
        signature: [0; 64],
    };
    let nonce = request.nonce(&claim_context(membership));
    let nonce = nonce.map_err(|_size| CliError::AnswerUnexpected { what: "challenge" })?;
    request.signature = keys.account.signing_key().sign(&nonce.statement());
    Ok(request)
}

/// The provider at which the person must sign in; none if an admin confirms instead.
///
/// What the service names must be what the genesis names: a person is led nowhere else.
fn provider<'a>(
    challenge: &Object,
    genesis: Option<&'a IdentityProvider>,
) -> Result<Option<&'a IdentityProvider>, CliError> {
    let named = match challenge.get("idp") {
        Some(Value::Null) => return Ok(None),
        Some(Value::Object(named)) => named,
        _ => return Err(CliError::AnswerUnexpected { what: "idp" }),
    };
    let (issuer, client_id) = (text(named, "issuer")?, text(named, "client_id")?);
    let mapping = text(named, "mapping")?;
    let provider = genesis.filter(|provider| {
        provider.issuer == issuer
            && provider.client_id == client_id
            && provider.mapping.name() == mapping
    });
    provider
        .map(Some)
        .ok_or_else(|| MemberError::ProviderDiffers.into())
}

fn claim_body(request: &ClaimRequest, device_name: &str, id_token: Option<&str>) -> Object {
    Object::new()
        .with("claim", request.claim.to_string())
        .with("challenge", base64(&request.challenge))
        .with("account", base64(&request.account.encode()))
        .with("device", base64(&request.device.encode()))
        .with("device_name", device_name)
        .with("signature", base64(&request.signature))
        .with("id_token", id_token.map_or(Value::Null, Value::from))
}

/// The log must prove the very keys of this home, and what the service answered.
fn check_own(
    proven: &Proven,
    account: &chancery_keyset::PublicKeyset,
    answered: Option<&Confirmation>,
) -> Result<(), MemberError> {
    if proven.keyset != *account {
        return Err(MemberError::KeysDiffer { what: "key" });
    }
    if let Some(answered) = answered {
        if proven.handle != answered.handle {
            return Err(MemberError::KeysDiffer { what: "handle" });
        }
        if u64::from(proven.key_version) != answered.key_version {
            return Err(MemberError::KeysDiffer {
                what: "key version",
            });
        }
    }
    if !proven.is_usable() {
        return Err(MemberError::KeyNotUsable {
            state: state_word(proven.state),
        });
    }
    Ok(())
}

fn claimed<S: AnchorSource>(
    confirmed: &Confirmed,
    member: &Member<'_, S>,
    pin: &[[u8; 32]],
    watch: &Stopwatch,
) -> Outcome {
    let proven = &confirmed.proven;
    let fingerprint = proven.keyset.fingerprint();
    let genesis = hex::encode(member.membership.genesis);
    let trusted = if pin.is_empty() {
        format!("{genesis}, BELIEVED ON FIRST USE: compare it with the TXT record")
    } else {
        format!("{genesis}, as pinned")
    };
    let rows = [
        ("user", printable(&confirmed.user_name)),
        ("handle", hex::encode(proven.handle)),
        ("key version", proven.key_version.to_string()),
        ("fingerprint", fingerprint.to_string()),
        ("log entry", confirmed.index.to_string()),
        ("genesis", trusted),
        (
            "keys",
            printable(&member.home.folder().display().to_string()),
        ),
        ("took", format!("{} ms", watch.total())),
    ];
    let text = format!(
        "Claimed: the log proves the keys that this device made.\n\n{}\n\nWhoever has that folder has \
         the account. Add a second device, so that losing one is no loss.",
        aligned(&rows)
    );
    let json = Object::new()
        .with("state", state_word(proven.state))
        .with("user", confirmed.user_name.as_str())
        .with("handle", hex::encode(proven.handle))
        .with("key_version", u64::from(proven.key_version))
        .with("fingerprint", fingerprint.to_string())
        .with("index", confirmed.index)
        .with("genesis", genesis)
        .with("genesis_pinned", !pin.is_empty())
        .with("home", member.home.folder().display().to_string())
        .with("milliseconds", watch.to_json());
    Outcome::done(text, json)
}

#[cfg(test)]
mod tests;
