//! `keys rotate`: the member replaces the account's keys.
//!
//! The old key and the new one sign the succession. The new keys are durable before they are sent; a
//! run that was stopped is finished by the next one.

use chancery_authority::ActName;
use chancery_claim::Succession;
use chancery_json::{Object, Value};
use chancery_keyset::{Fingerprint, Keyset, WrapContext, wrap};

use super::OsEntropy;
use super::answers::{Account, access};
use super::code::base64;
use super::error::MemberError;
use super::home::{Home, KnownDevice};
use super::proof::{Proven, state_word};
use super::session::{MemberSession, member_secret};
use super::show::show;
use crate::AnchorSource;
use crate::args::member::MemberContextArgs;
use crate::context::{Context, Environment};
use crate::error::CliError;
use crate::output::{Outcome, aligned, printable};

/// Runs `keys rotate`.
pub(crate) async fn run<S: AnchorSource>(
    args: &MemberContextArgs,
    environment: &Environment,
    source: &S,
) -> Result<Outcome, CliError> {
    let context = Context::load(&args.context, environment)?;
    let home = Home::open_existing(&context.home_folder(args.home.as_deref(), environment)?)?;
    let (device, membership) = (home.device()?, home.member()?);
    let own = device.public().fingerprint();
    let mut session = MemberSession::open(&context, source, membership, &device).await?;
    let member = session.membership.member.to_string();
    let (found, present) = session.lookup(&member).await?;
    let mut left_out = Vec::new();
    let stopped_before = home.next_account()?;
    let next = match stopped_before {
        // The log has the new key already: a run was stopped between its act and its end.
        Some(next) if present.keyset == *next.public() => next,
        _ => {
            let old = home.account()?;
            check_present(&present, &old)?;
            let next = home.next_account_or_new(&mut OsEntropy)?;
            let account = show(&mut session).await?;
            let tenant = session.membership.tenant;
            let wrapping = Wrapping {
                bound: member_secret(tenant, present.handle, next.public().fingerprint()),
                own,
            };
            let known = home.known_devices()?;
            let (wraps, without) = wrapping.wraps(&next, &device, &account, &known)?;
            left_out = without;
            let body = rotation(tenant, present.handle, &old, &next).with("wraps", wraps);
            let answer = session.act(ActName::KeysetRotate, body).await;
            answer.map_err(|error| access(error, "the rotation"))?;
            next
        }
    };
    let (_found, proven) = session.lookup(&member).await?;
    check_present(&proven, &next)?;
    home.replace_account(&next)?;
    Ok(rotated(&found.user_name, &proven, &left_out))
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

/// How the new seed reaches the devices.
struct Wrapping {
    bound: WrapContext,
    own: Fingerprint,
}

impl Wrapping {
    /// Wraps the new seed to each device that is in, as far as this home knows its keys itself; and the
    /// names of the others. A device that only the service tells of gets nothing: it would be the
    /// service's word alone that it is the member's.
    fn wraps(
        &self,
        next: &Keyset,
        device: &Keyset,
        account: &Account,
        known: &[KnownDevice],
    ) -> Result<(Vec<Value>, Vec<String>), CliError> {
        let (mut wraps, mut left_out) = (Vec::new(), Vec::new());
        for listed in &account.devices {
            let keyset = if listed.id == self.own {
                Some(device.public())
            } else {
                let mut known = known.iter().map(|known| &known.keyset);
                known.find(|keyset| keyset.fingerprint() == listed.id)
            };
            let Some(keyset) = keyset else {
                left_out.push(listed.name.clone());
                continue;
            };
            let seed = next.seed().expose();
            let wrapped = wrap(keyset, &self.bound, seed, &mut OsEntropy);
            let wrapped = wrapped.map_err(MemberError::Keyset)?;
            let wrap = Object::new()
                .with("device", listed.id.to_string())
                .with("wrap", base64(&wrapped.encode()));
            wraps.push(wrap.into());
        }
        Ok((wraps, left_out))
    }
}

fn rotated(user_name: &str, proven: &Proven, left_out: &[String]) -> Outcome {
    let fingerprint = proven.keyset.fingerprint().to_string();
    let rows = [
        ("user", printable(user_name)),
        ("key version", proven.key_version.to_string()),
        ("fingerprint", fingerprint.clone()),
        ("log entry", proven.index.to_string()),
    ];
    let mut text = format!(
        "The account has new keys; the log proves them.\n\n{}\n\nOther devices fetch them with `device \
         accept`. The old keys are kept in the home, because they may still open older secrets.",
        aligned(&rows)
    );
    for name in left_out {
        text.push_str(&format!(
            "\nThe device {} was not let in from here: add it again.",
            printable(name)
        ));
    }
    let left_out: Vec<Value> = left_out.iter().map(|name| name.as_str().into()).collect();
    let json = Object::new()
        .with("user", user_name)
        .with("state", state_word(proven.state))
        .with("key_version", u64::from(proven.key_version))
        .with("fingerprint", fingerprint)
        .with("index", proven.index)
        .with("left_out", left_out);
    Outcome::done(text, json)
}

#[cfg(test)]
mod tests;
