//! `device …`: more than one device for one account.
//!
//! The new device makes its own keys and asks; a device that is in already wraps the account's seed to
//! them. The service carries the wrap and cannot open it.

use chancery_authority::ActName;
use chancery_json::{Object, Value};
use chancery_keyset::{Fingerprint, Keyset, wrap};

use super::OsEntropy;
use super::answers::{Account, access};
use super::code::{base64, device_name};
use super::error::MemberError;
use super::group::open_seed;
use super::home::{Home, KnownDevice, Membership, digits};
use super::paper::{DeviceRequest, Introduction};
use super::proof::{Proven, state_word};
use super::session::{MemberSession, member_secret};
use super::show::show;
use crate::AnchorSource;
use crate::api::{TenantSession, index, text};
use crate::args::member::{DeviceAcceptArgs, DeviceAddArgs, DeviceRequestArgs, DeviceRevokeArgs};
use crate::context::{Context, Environment};
use crate::error::CliError;
use crate::files::{Existing, Privacy, check_replaceable, write};
use crate::output::{Outcome, aligned, printable};

/// Runs `device request`.
pub(crate) fn request(
    args: &DeviceRequestArgs,
    environment: &Environment,
) -> Result<Outcome, CliError> {
    let name = device_name(&args.name, "--name")?;
    let folder = match &args.member.home {
        Some(folder) => folder.clone(),
        None => Context::load(&args.member.context, environment)?.home_folder(None, environment)?,
    };
    let home = Home::open(&folder)?;
    let device = home.device_or_new(&mut OsEntropy)?;
    let request = DeviceRequest {
        name: name.to_owned(),
        keyset: device.public().clone(),
    };
    let existing = Existing::from_force(args.force);
    write(&args.out, &request.to_json(), Privacy::Public, existing)?;
    let fingerprint = device.public().fingerprint().to_string();
    let file = args.out.display().to_string();
    let text = format!(
        "The keys of this device are made, and nothing was sent.\n\n{}\n\nCarry {file} to a device that \
         is in already, run `device add {file} --out FILE` there, compare the fingerprint, and carry \
         FILE back for `device accept FILE`.",
        aligned(&[
            ("device", printable(name)),
            ("fingerprint", fingerprint.clone())
        ]),
        file = printable(&file),
    );
    let json = Object::new()
        .with("name", name)
        .with("fingerprint", fingerprint)
        .with("file", file);
    Ok(Outcome::done(text, json))
}

/// Runs `device add`.
pub(crate) async fn add<S: AnchorSource>(
    args: &DeviceAddArgs,
    environment: &Environment,
    source: &S,
) -> Result<Outcome, CliError> {
    let request = DeviceRequest::read(&args.request)?;
    let existing = Existing::from_force(args.force);
    if existing == Existing::Keep && args.out.symlink_metadata().is_ok() {
        // Before the device is in: without the introduction it could not fetch anything.
        return Err(CliError::FileExists {
            path: args.out.clone(),
        });
    }
    if existing == Existing::Force {
        check_replaceable(&args.out)?;
    }
    let context = Context::load(&args.member.context, environment)?;
    let folder = context.home_folder(args.member.home.as_deref(), environment)?;
    let home = Home::open_existing(&folder)?;
    let (account, device, membership) = (home.account()?, home.device()?, home.member()?);
    let introduction = Introduction {
        membership: membership.clone(),
        account: account.public().fingerprint(),
        device: request.keyset.fingerprint(),
        devices: introduced_devices(&home, &device)?,
    };
    let handle = membership.handle.ok_or_else(|| MemberError::HomeEmpty {
        path: home.folder().to_owned(),
    })?;
    let mut session = MemberSession::open(&context, source, membership, &device).await?;
    let bound = member_secret(
        session.membership.tenant,
        handle,
        account.public().fingerprint(),
    );
    let seed = account.seed().expose();
    let wrapped = wrap(&request.keyset, &bound, seed, &mut OsEntropy);
    let wrapped = wrapped.map_err(MemberError::Keyset)?;
    home.remember_device(KnownDevice {
        name: request.name.clone(),
        keyset: request.keyset.clone(),
    })?;
    let body = Object::new()
        .with("device", base64(&request.keyset.encode()))
        .with("name", request.name.as_str())
        .with("wrap", base64(&wrapped.encode()));
    let index = match session.act(ActName::DeviceAdd, body).await {
        // An earlier run may have let it in without hearing so.
        Err(CliError::Refused { status: 409, .. }) => {
            is_in(&show(&mut session).await?, &introduction.device)?;
            None
        }
        answer => Some(let_in(&answer?, &introduction.device)?),
    };
    let paper = introduction
        .to_json()
        .ok_or(CliError::AnswerUnexpected { what: "handle" })?;
    write(&args.out, &paper, Privacy::Public, existing)?;
    Ok(added(&request, index, args))
}

/// The log's entry about the device that was let in.
fn let_in(answer: &Object, device: &Fingerprint) -> Result<u64, CliError> {
    if text(answer, "id")? == device.to_string() {
        index(answer)
    } else {
        Err(CliError::AnswerUnexpected {
            what: "another device than was sent",
        })
    }
}

/// Refuses to introduce a device that is not in.
fn is_in(account: &Account, device: &Fingerprint) -> Result<(), MemberError> {
    if account.devices.iter().any(|entry| entry.id == *device) {
        Ok(())
    } else {
        Err(MemberError::AccessRefused { what: "the device" })
    }
}

/// This device first, then those whose keys it knows.
fn introduced_devices(home: &Home, device: &Keyset) -> Result<Vec<KnownDevice>, CliError> {
    let own = KnownDevice {
        name: "the introducing device".to_owned(),
        keyset: device.public().clone(),
    };
    let mut devices = vec![own];
    devices.extend(home.known_devices()?);
    Ok(devices)
}

fn added(request: &DeviceRequest, index: Option<u64>, args: &DeviceAddArgs) -> Outcome {
    let fingerprint = request.keyset.fingerprint().to_string();
    let file = args.out.display().to_string();
    let entry = index.map_or_else(
        || "from an earlier run".to_owned(),
        |index| index.to_string(),
    );
    let rows = [
        ("device", printable(&request.name)),
        ("fingerprint", fingerprint.clone()),
        ("log entry", entry),
    ];
    let text = format!(
        "The device is in.\n\n{}\n\nCompare the fingerprint with the one that the new device printed; \
         if it differs, run `device revoke {fingerprint}` at once. Carry {} to the new device for \
         `device accept`.",
        aligned(&rows),
        printable(&file)
    );
    let json = Object::new()
        .with("name", request.name.as_str())
        .with("fingerprint", fingerprint)
        .with("index", index.map_or(Value::Null, Value::from))
        .with("file", file);
    Outcome::done(text, json)
}

/// Runs `device accept`.
pub(crate) async fn accept<S: AnchorSource>(
    args: &DeviceAcceptArgs,
    environment: &Environment,
    source: &S,
) -> Result<Outcome, CliError> {
    let introduction = match &args.introduction {
        Some(path) => Some(Introduction::read(path)?),
        None => None,
    };
    let context = Context::load(&args.member.context, environment)?;
    let folder = context.home_folder(args.member.home.as_deref(), environment)?;
    let home = Home::open_existing(&folder)?;
    let device = home.device()?;
    let membership = introduced(&home, introduction.as_ref(), &device)?;
    let mut session = MemberSession::open(&context, source, membership.clone(), &device).await?;
    let shown = show(&mut session).await?;
    let expected = introduction
        .as_ref()
        .map(|introduction| introduction.account);
    let account = account_of(&shown, membership.tenant, &device, expected)?;
    let (_found, proven) = session.lookup_own().await?;
    check_account(&proven, &account, &shown)?;
    home.replace_account(&account)?;
    for known in introduction.map(|paper| paper.devices).unwrap_or_default() {
        if known.keyset != *device.public() {
            home.remember_device(known)?;
        }
    }
    home.store_membership(&Membership {
        handle: Some(proven.handle),
        ..membership
    })?;
    let fingerprint = account.public().fingerprint().to_string();
    let rows = [
        ("user", printable(&shown.user_name)),
        ("key version", proven.key_version.to_string()),
        ("fingerprint", fingerprint.clone()),
        ("keys", printable(&home.folder().display().to_string())),
    ];
    let text = format!(
        "This device has the account's keys; the log proves that they are the present ones.\n\n{}",
        aligned(&rows)
    );
    let json = Object::new()
        .with("user", shown.user_name.as_str())
        .with("state", state_word(proven.state))
        .with("key_version", u64::from(proven.key_version))
        .with("fingerprint", fingerprint)
        .with("device", device.public().fingerprint().to_string())
        .with("home", home.folder().display().to_string());
    Ok(Outcome::done(text, json))
}

/// Whose account the device joins: what the introduction says, in agreement with the home.
fn introduced(
    home: &Home,
    introduction: Option<&Introduction>,
    device: &Keyset,
) -> Result<Membership, CliError> {
    let kept = home.membership()?;
    let Some(introduction) = introduction else {
        return home.member();
    };
    if introduction.device != device.public().fingerprint() {
        return Err(MemberError::PaperOfAnother { what: "device" }.into());
    }
    match kept {
        Some(kept)
            if kept.member != introduction.membership.member
                || kept.genesis != introduction.membership.genesis =>
        {
            Err(MemberError::HomeOfAnother {
                path: home.folder().to_owned(),
            }
            .into())
        }
        _ => Ok(introduction.membership.clone()),
    }
}

/// The account's keyset out of the wrap for this device.
fn account_of(
    shown: &Account,
    tenant: [u8; 16],
    device: &Keyset,
    expected: Option<Fingerprint>,
) -> Result<Keyset, CliError> {
    let refused = |what| CliError::from(MemberError::WrapRefused { what });
    let keys = shown.keys.as_ref();
    let public = &keys
        .ok_or_else(|| refused("the account has no keys"))?
        .public;
    if expected.is_some_and(|expected| expected != public.fingerprint()) {
        return Err(MemberError::KeysDiffer { what: "key" }.into());
    }
    let own = device.public().fingerprint();
    let entry = shown.devices.iter().find(|entry| entry.id == own);
    let entry = entry.ok_or_else(|| refused("this device is not in"))?;
    let wrapped = entry.wrap.as_ref();
    let wrapped = wrapped.ok_or_else(|| refused("there is none for this device: add it again"))?;
    let bound = member_secret(tenant, shown.handle, public.fingerprint());
    let account = open_seed(device, &bound, wrapped)?;
    if account.public() == public {
        Ok(account)
    } else {
        Err(refused("it is another key than its public half says"))
    }
}

/// The log must prove the very keys that were unwrapped.
fn check_account(proven: &Proven, account: &Keyset, shown: &Account) -> Result<(), MemberError> {
    if proven.keyset != *account.public() {
        return Err(MemberError::KeysDiffer { what: "key" });
    }
    if proven.handle != shown.handle {
        return Err(MemberError::KeysDiffer { what: "handle" });
    }
    if !proven.is_usable() {
        return Err(MemberError::KeyNotUsable {
            state: state_word(proven.state),
        });
    }
    Ok(())
}

/// Runs `device revoke`, of a member or of an admin.
pub(crate) async fn revoke<S: AnchorSource>(
    args: &DeviceRevokeArgs,
    environment: &Environment,
    source: &S,
) -> Result<Outcome, CliError> {
    let fingerprint: [u8; 32] = digits(&args.fingerprint).ok_or(CliError::ValueInvalid {
        option: "FINGERPRINT",
        allowed: "64 hexadecimal digits, as `device list` prints them",
    })?;
    let context = Context::load(&args.member.context, environment)?;
    let body = Object::new().with("device", args.fingerprint.as_str());
    let answer = if let Some(user) = &args.user {
        let mut session = TenantSession::open(&context, source).await?;
        let body = body.with("user", user.as_str());
        session.act(ActName::DeviceRevoke, &body).await?
    } else {
        let folder = context.home_folder(args.member.home.as_deref(), environment)?;
        let home = Home::open_existing(&folder)?;
        let (device, membership) = (home.device()?, home.member()?);
        let mut session = MemberSession::open(&context, source, membership, &device).await?;
        let answer = session.act(ActName::DeviceRevoke, body).await;
        let answer = answer.map_err(|error| access(error, "to take the device out"))?;
        home.forget_device(&Fingerprint::from_bytes(fingerprint))?;
        answer
    };
    let index = index(&answer)?;
    let text = format!(
        "The device {} is out (log entry {index}). What it fetched before it still has: if somebody \
         else has the device, run `keys rotate`.",
        args.fingerprint
    );
    let json = Object::new()
        .with("revoked", args.fingerprint.as_str())
        .with("index", index);
    Ok(Outcome::done(text, json))
}

#[cfg(test)]
mod tests;
