//! `keys rotate`: the member replaces the account's keys.
//!
//! The old key and the new one sign the succession. The new keys are durable before they are sent; a
//! run that was stopped is finished by the next one.

use chancery_authority::ActName;
use chancery_claim::Succession;
use chancery_json::{Object, Value};
use chancery_keyset::{Fingerprint, Keyset, PublicKeyset, WrapContext, wrap};

use super::OsEntropy;
use super::answers::{Account, access};
use super::code::base64;
use super::error::MemberError;
use super::home::{Home, KnownDevice, digits};
use super::proof::{Proven, state_word};
use super::session::{MemberSession, member_secret};
use super::show::show;
use crate::AnchorSource;
use crate::args::member::KeysRotateArgs;
use crate::context::{Context, Environment};
use crate::error::CliError;
use crate::output::{Outcome, aligned, printable};

/// Runs `keys rotate`.
pub(crate) async fn run<S: AnchorSource>(
    args: &KeysRotateArgs,
    environment: &Environment,
    source: &S,
) -> Result<Outcome, CliError> {
    let compared = compared(&args.devices)?;
    let context = Context::load(&args.member.context, environment)?;
    let folder = context.home_folder(args.member.home.as_deref(), environment)?;
    let home = Home::open_existing(&folder)?;
    let (device, membership) = (home.device()?, home.member()?);
    let own = device.public().fingerprint();
    let mut session = MemberSession::open(&context, source, membership, &device).await?;
    let (found, present) = session.lookup_own().await?;
    let stopped_before = home.next_account()?;
    let next = match stopped_before {
        // The log has the new key already: a run was stopped between its act and its end.
        Some(next) if present.keyset == *next.public() => next,
        _ => {
            let old = home.account()?;
            check_present(&present, &old)?;
            let account = show(&mut session).await?;
            let devices = recipients(&account, &own, &home.known_devices()?, &compared)?;
            let next = home.next_account_or_new(&mut OsEntropy)?;
            let tenant = session.membership.tenant;
            let bound = member_secret(tenant, present.handle, next.public().fingerprint());
            let wraps = wraps(&next, &bound, &devices)?;
            let body = rotation(tenant, present.handle, &old, &next).with("wraps", wraps);
            let answer = session.act(ActName::KeysetRotate, body).await;
            answer.map_err(|error| access(error, "the rotation"))?;
            next
        }
    };
    let (_found, proven) = session.lookup_own().await?;
    check_present(&proven, &next)?;
    home.replace_account(&next)?;
    Ok(rotated(&found.user_name, &proven))
}

/// The log must show `own` as the account's present key.
fn check_present(proven: &Proven, own: &Keyset) -> Result<(), MemberError> {
    if proven.keyset != *own.public() {
        return Err(MemberError::KeysDiffer { what: "key" });
    }
    if !proven.is_usable() {
        return Err(MemberError::KeyNotUsable {
            state: state_word(proven.state),
        });
    }
    Ok(())
}

/// What the old and the new key sign.
fn rotation(tenant: [u8; 16], handle: [u8; 32], old: &Keyset, next: &Keyset) -> Object {
    let succession = Succession {
        tenant,
        subject: handle,
        old: old.public().fingerprint(),
        new: next.public().fingerprint(),
        evidence: [0; 32],
    };
    let statement = succession.statement();
    Object::new()
        .with("account", base64(&next.public().encode()))
        .with("old_signature", base64(&old.signing_key().sign(&statement)))
        .with(
            "new_signature",
            base64(&next.signing_key().sign(&statement)),
        )
}

/// The fingerprints that the member compared.
fn compared(texts: &[String]) -> Result<Vec<Fingerprint>, CliError> {
    texts
        .iter()
        .map(|text| {
            let bytes = digits(text).ok_or(CliError::ValueInvalid {
                option: "--device",
                allowed: "64 hexadecimal digits, as `device list` prints them",
            })?;
            Ok(Fingerprint::from_bytes(bytes))
        })
        .collect()
}

/// The other devices, which must all get the new seed or be taken out first.
///
/// A device of which only the service tells gets nothing: that it is the member's would be the service's
/// word alone, and the seed is everything. The home knows a device's keys, or the member compared them.
fn recipients<'a>(
    account: &'a Account,
    own: &Fingerprint,
    known: &[KnownDevice],
    compared: &[Fingerprint],
) -> Result<Vec<&'a PublicKeyset>, MemberError> {
    let is_known = |id: &Fingerprint| {
        let mut known = known.iter().map(|device| device.keyset.fingerprint());
        known.any(|fingerprint| fingerprint == *id) || compared.contains(id)
    };
    let others = || account.devices.iter().filter(|device| device.id != *own);
    let unknown: Vec<String> = others()
        .filter(|device| !is_known(&device.id))
        .map(|device| format!("{} ({})", device.name, device.id))
        .collect();
    if unknown.is_empty() {
        Ok(others().map(|device| &device.public).collect())
    } else {
        Err(MemberError::DevicesUnknown { devices: unknown })
    }
}

/// Wraps the new seed to each device.
fn wraps(
    next: &Keyset,
    bound: &WrapContext,
    devices: &[&PublicKeyset],
) -> Result<Vec<Value>, MemberError> {
    let seed = next.seed().expose();
    let devices = devices.iter();
    devices
        .map(|device| {
            let wrapped = wrap(device, bound, seed, &mut OsEntropy);
            let wrapped = wrapped.map_err(MemberError::Keyset)?;
            let wrap = Object::new()
                .with("device", device.fingerprint().to_string())
                .with("wrap", base64(&wrapped.encode()));
            Ok(wrap.into())
        })
        .collect()
}

fn rotated(user_name: &str, proven: &Proven) -> Outcome {
    let fingerprint = proven.keyset.fingerprint().to_string();
    let rows = [
        ("user", printable(user_name)),
        ("key version", proven.key_version.to_string()),
        ("fingerprint", fingerprint.clone()),
        ("log entry", proven.index.to_string()),
    ];
    let text = format!(
        "The account has new keys; the log proves them.\n\n{}\n\nOther devices fetch them with `device \
         accept`. The old keys are kept in the home, because they may still open older secrets.",
        aligned(&rows)
    );
    let json = Object::new()
        .with("user", user_name)
        .with("state", state_word(proven.state))
        .with("key_version", u64::from(proven.key_version))
        .with("fingerprint", fingerprint)
        .with("index", proven.index);
    Outcome::done(text, json)
}

#[cfg(test)]
mod tests;
