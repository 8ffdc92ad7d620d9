//! `group key`: a group's key of one epoch, unwrapped by the member's account key.

use chancery_authority::ActName;
use chancery_json::Object;
use chancery_keyset::{Keyset, KeysetSeed, SEED_LENGTH, Wrap, WrapContext, WrapPurpose, unwrap};
use zeroize::Zeroizing;

use super::answers::{HandedKey, access};
use super::error::MemberError;
use super::home::Home;
use super::session::MemberSession;
use crate::AnchorSource;
use crate::args::member::GroupKeyArgs;
use crate::context::{Context, Environment};
use crate::error::CliError;
use crate::files::Existing;
use crate::output::{Outcome, aligned, printable};

/// Runs `group key`.
pub(crate) async fn key<S: AnchorSource>(
    args: &GroupKeyArgs,
    environment: &Environment,
    source: &S,
) -> Result<Outcome, CliError> {
    if let Some(path) = &args.out
        && path.symlink_metadata().is_ok()
    {
        return Err(CliError::FileExists { path: path.clone() });
    }
    let context = Context::load(&args.member.context, environment)?;
    let folder = context.home_folder(args.member.home.as_deref(), environment)?;
    let home = Home::open_existing(&folder)?;
    let (account, device, membership) = (home.account()?, home.device()?, home.member()?);
    let tenant = membership.tenant;
    let mut session = MemberSession::open(&context, source, membership, &device).await?;
    // 0 asks for the current epoch.
    let body = Object::new()
        .with("group", args.group.as_str())
        .with("epoch", args.epoch.unwrap_or(0));
    let answer = session.act(ActName::GroupKey, body).await;
    let handed = HandedKey::read(&answer.map_err(|error| access(error, "the group's key"))?)?;
    let key = unwrapped(&handed, &account, tenant, args.epoch)?;
    let path = match &args.out {
        Some(path) => {
            home.store_keyset(path, &key, Existing::Keep)?;
            path.clone()
        }
        None => home.store_group_key(&handed.handle, handed.epoch, &key)?,
    };
    let fingerprint = key.public().fingerprint().to_string();
    let path = path.display().to_string();
    let rows = [
        ("group", printable(&handed.name)),
        ("epoch", handed.epoch.to_string()),
        ("fingerprint", fingerprint.clone()),
        ("begun by entry", handed.index.to_string()),
        ("key", printable(&path)),
    ];
    let json = Object::new()
        .with("group", handed.name.as_str())
        .with("id", handed.group.as_str())
        .with("handle", hex::encode(handed.handle))
        .with("epoch", handed.epoch)
        .with("index", handed.index)
        .with("fingerprint", fingerprint)
        .with("file", path);
    Ok(Outcome::done(aligned(&rows), json))
}

/// Opens a handed-out key and checks that it is the one that its public half names.
fn unwrapped(
    handed: &HandedKey,
    account: &Keyset,
    tenant: [u8; 16],
    asked: Option<u64>,
) -> Result<Keyset, CliError> {
    if asked.is_some_and(|asked| asked != handed.epoch) {
        return Err(CliError::AnswerUnexpected {
            what: "another epoch than was asked for",
        });
    }
    let context = WrapContext {
        purpose: WrapPurpose::GroupEpochKey,
        tenant,
        subject: handed.handle,
        sender: handed.public.fingerprint(),
        log_position: handed.index,
    };
    let key = open_seed(account, &context, &handed.wrap)?;
    if *key.public() == handed.public {
        Ok(key)
    } else {
        Err(MemberError::WrapRefused {
            what: "it is another key than its public half says",
        }
        .into())
    }
}

/// Opens a wrapped seed of a keyset.
pub(crate) fn open_seed(
    recipient: &Keyset,
    context: &WrapContext,
    wrapped: &Wrap,
) -> Result<Keyset, MemberError> {
    let seed =
        unwrap(recipient, context, wrapped).map_err(|_unauthentic| MemberError::WrapRefused {
            what: "it was made for another key or purpose",
        })?;
    let seed: &[u8; SEED_LENGTH] =
        seed.as_slice()
            .try_into()
            .map_err(|_length| MemberError::WrapRefused {
                what: "it holds no seed",
            })?;
    let seed = Zeroizing::new(*seed);
    Keyset::from_seed(KeysetSeed::from_bytes(*seed)).map_err(MemberError::Keyset)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::member::OsEntropy;
    use crate::member::code::base64;
    use chancery_keyset::{PublicKeyset, wrap};

    fn keyset() -> Keyset {
        Keyset::generate(&mut OsEntropy).unwrap()
    }

    /// An answer that hands `seed` out as the key of `public`.
    fn answer(account: &PublicKeyset, public: &PublicKeyset, seed: &[u8]) -> Object {
        let context = WrapContext {
            purpose: WrapPurpose::GroupEpochKey,
            tenant: [2; 16],
            subject: [0x0b; 32],
            sender: public.fingerprint(),
            log_position: 7,
        };
        let wrapped = wrap(account, &context, seed, &mut OsEntropy).unwrap();
        Object::new()
            .with("group", "g")
            .with("name", "Board")
            .with("handle", "0b".repeat(32))
            .with("epoch", 3_u64)
            .with("index", 7_u64)
            .with("public", base64(&public.encode()))
            .with("wrap", base64(&wrapped.encode()))
    }

    fn refusal(result: Result<Keyset, CliError>) -> &'static str {
        match result.unwrap_err() {
            CliError::Member(error) => match *error {
                MemberError::WrapRefused { what } => what,
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn opens_the_key_that_was_handed_out() {
        let (account, epoch) = (keyset(), keyset());
        let answer = answer(account.public(), epoch.public(), epoch.seed().expose());
        let handed = HandedKey::read(&answer).unwrap();
        for asked in [None, Some(3)] {
            let key = unwrapped(&handed, &account, [2; 16], asked).unwrap();
            assert_eq!(key.seed().expose(), epoch.seed().expose());
        }
        assert!(matches!(
            unwrapped(&handed, &account, [2; 16], Some(2)),
            Err(CliError::AnswerUnexpected {
                what: "another epoch than was asked for"
            })
        ));
    }

    #[test]
    fn refuses_a_key_of_another_group_epoch_tenant_or_account() {
        let (account, epoch) = (keyset(), keyset());
        let good = answer(account.public(), epoch.public(), epoch.seed().expose());
        let other = "it was made for another key or purpose";
        let handed = HandedKey::read(&good).unwrap();
        assert_eq!(refusal(unwrapped(&handed, &keyset(), [2; 16], None)), other);
        assert_eq!(refusal(unwrapped(&handed, &account, [3; 16], None)), other);
        for (name, value) in [
            ("handle", "0c".repeat(32).into()),
            ("index", 8_u64.into()),
            ("public", base64(&keyset().public().encode()).into()),
        ] {
            let mut changed = good.clone();
            changed.insert(name, value);
            let handed = HandedKey::read(&changed).unwrap();
            let refused = refusal(unwrapped(&handed, &account, [2; 16], None));
            assert_eq!(refused, other, "{name}");
        }
    }

    #[test]
    fn refuses_a_seed_that_is_not_of_the_public_half() {
        let (account, epoch) = (keyset(), keyset());
        let swapped = answer(account.public(), epoch.public(), keyset().seed().expose());
        let handed = HandedKey::read(&swapped).unwrap();
        assert_eq!(
            refusal(unwrapped(&handed, &account, [2; 16], None)),
            "it is another key than its public half says"
        );
        let short = answer(account.public(), epoch.public(), &[1; 63]);
        let handed = HandedKey::read(&short).unwrap();
        assert_eq!(
            refusal(unwrapped(&handed, &account, [2; 16], None)),
            "it holds no seed"
        );
    }

    #[test]
    fn refuses_an_answer_without_its_members() {
        let (account, epoch) = (keyset(), keyset());
        let good = answer(account.public(), epoch.public(), epoch.seed().expose());
        for name in [
            "group", "name", "handle", "epoch", "index", "public", "wrap",
        ] {
            let mut bad = good.clone();
            bad.remove(name);
            assert!(
                matches!(HandedKey::read(&bad), Err(CliError::AnswerUnexpected { what }) if what == name),
                "{name}"
            );
        }
    }
}
