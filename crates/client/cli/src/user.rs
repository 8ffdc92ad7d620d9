//! `user …` and `group add|remove`: the acts of the admins themselves, without any identity provider.

use chancery_authority::ActName;
use chancery_json::Object;

use crate::AnchorSource;
use crate::api::{TenantSession, index};
use crate::args::ContextArgs;
use crate::args::admin::{GroupMemberArgs, UserArgs, UserCommand, UserConfirmArgs};
use crate::context::{Context, Environment};
use crate::error::CliError;
use crate::output::{Outcome, note, printable};

/// Characters of the code that a claiming device shows, without the hyphen.
const CODE_LENGTH: usize = 8;

/// The alphabet of Crockford's base32, in which the code is written.
const CODE_ALPHABET: &str = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// One act of the admins: what it asks for, and in which words.
struct Plain<'a> {
    act: ActName,
    body: Object,
    /// What will happen, before it is signed.
    will: String,
    /// What has happened.
    did: String,
    context: &'a ContextArgs,
}

/// Runs `user …`.
pub(crate) async fn run<S: AnchorSource>(
    command: &UserCommand,
    environment: &Environment,
    source: &S,
) -> Result<Outcome, CliError> {
    let plain = match command {
        UserCommand::Suspend(args) => suspend(args),
        UserCommand::Restore(args) => restore(args),
        UserCommand::Erase(args) => erase(args),
        UserCommand::Reset(args) => reset(args),
        UserCommand::Confirm(args) => confirm(args)?,
    };
    carry_out(&plain, environment, source).await
}

/// Runs `group add`.
pub(crate) async fn add_to_group<S: AnchorSource>(
    args: &GroupMemberArgs,
    environment: &Environment,
    source: &S,
) -> Result<Outcome, CliError> {
    carry_out(&join(args), environment, source).await
}

/// Runs `group remove`.
pub(crate) async fn remove_from_group<S: AnchorSource>(
    args: &GroupMemberArgs,
    environment: &Environment,
    source: &S,
) -> Result<Outcome, CliError> {
    carry_out(&leave(args), environment, source).await
}

async fn carry_out<S: AnchorSource>(
    plain: &Plain<'_>,
    environment: &Environment,
    source: &S,
) -> Result<Outcome, CliError> {
    let context = Context::load(plain.context, environment)?;
    let mut session = TenantSession::open(&context, source).await?;
    note(&plain.will);
    let answer = session.act(plain.act, &plain.body).await?;
    done(&plain.did, answer)
}

/// What happened, and where it stands in the log.
pub(crate) fn done(did: &str, answer: Object) -> Result<Outcome, CliError> {
    let index = index(&answer)?;
    let words = format!("{did} It is entry {index} of the tenant's log.");
    Ok(Outcome::done(words, answer))
}

fn of_user(args: &UserArgs, act: ActName, will: String, did: String) -> Plain<'_> {
    Plain {
        act,
        body: Object::new().with("user", args.user.as_str()),
        will,
        did,
        context: &args.context,
    }
}

fn suspend(args: &UserArgs) -> Plain<'_> {
    let user = printable(&args.user);
    of_user(
        args,
        ActName::UserSuspend,
        format!(
            "Suspending {user}: from now on no key is given out to this person, and each of the \
             person's managed groups gets a new one."
        ),
        format!("{user} is suspended."),
    )
}

fn restore(args: &UserArgs) -> Plain<'_> {
    let user = printable(&args.user);
    of_user(
        args,
        ActName::UserRestore,
        format!("Restoring {user}: the account is again what it was before it was suspended."),
        format!("{user} is restored."),
    )
}

fn erase(args: &UserArgs) -> Plain<'_> {
    let user = printable(&args.user);
    of_user(
        args,
        ActName::UserErase,
        format!(
            "Erasing {user}: everything kept about this person is destroyed; nobody can undo it."
        ),
        format!("{user} is erased."),
    )
}

fn reset(args: &UserArgs) -> Plain<'_> {
    let user = printable(&args.user);
    of_user(
        args,
        ActName::KeysetRotate,
        format!(
            "Resetting {user}: the person's keys and devices end, the service holds a pending key \
             until the account is claimed again. What was encrypted to the old keys alone stays closed."
        ),
        format!("The keys of {user} have ended; the account waits to be claimed."),
    )
}

fn confirm(args: &UserConfirmArgs) -> Result<Plain<'_>, CliError> {
    let user = printable(&args.user);
    let code = parse_code(&args.code)?;
    Ok(Plain {
        act: ActName::ClaimConfirm,
        body: Object::new()
            .with("user", args.user.as_str())
            .with("code", code.as_str()),
        will: format!(
            "Confirming that the device that shows {code} is {user}'s. You vouch for that: compare \
             the code with the person over a channel that you trust, not by the mail that it came in."
        ),
        did: format!("The claim of {user} is confirmed."),
        context: &args.context,
    })
}

/// The code in its one form, however a person typed it: any case, with or without the hyphen, and
/// the letters that Crockford's base32 reads as digits.
fn parse_code(text: &str) -> Result<String, CliError> {
    let mut code = String::with_capacity(CODE_LENGTH + 1);
    let typed = text.chars().filter(|letter| !matches!(letter, '-' | ' '));
    for (place, letter) in typed.enumerate() {
        let letter = match letter.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            other => other,
        };
        if place >= CODE_LENGTH || !CODE_ALPHABET.contains(letter) {
            return Err(code_invalid());
        }
        if place == CODE_LENGTH / 2 {
            code.push('-');
        }
        code.push(letter);
    }
    if code.len() == CODE_LENGTH + 1 {
        Ok(code)
    } else {
        Err(code_invalid())
    }
}

const fn code_invalid() -> CliError {
    CliError::ValueInvalid {
        option: "CODE",
        allowed: "8 letters and digits as the device shows them, such as ABCD-EFGH",
    }
}

fn join(args: &GroupMemberArgs) -> Plain<'_> {
    let (user, group) = (printable(&args.user), printable(&args.group));
    of_group(
        args,
        ActName::GroupAdd,
        format!("Adding {user} to {group}: the person can have the group's present key."),
        format!("{user} is in {group}."),
    )
}

fn leave(args: &GroupMemberArgs) -> Plain<'_> {
    let (user, group) = (printable(&args.user), printable(&args.group));
    of_group(
        args,
        ActName::GroupRemove,
        format!(
            "Taking {user} out of {group}: the group gets a new key, which the person cannot have."
        ),
        format!("{user} is no longer in {group}."),
    )
}

fn of_group(args: &GroupMemberArgs, act: ActName, will: String, did: String) -> Plain<'_> {
    Plain {
        act,
        body: Object::new()
            .with("group", args.group.as_str())
            .with("user", args.user.as_str()),
        will,
        did,
        context: &args.context,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_code_as_people_type_it_and_refuses_what_is_none() {
        for typed in [
            "ABCD-EF01",
            "abcd-ef01",
            "abcdef01",
            "abcd efoi",
            "ABCD-EFOL",
        ] {
            assert_eq!(parse_code(typed).unwrap(), "ABCD-EF01", "{typed}");
        }
        for typed in ["", "ABCD-EF0", "ABCD-EF012", "ABCD-EFU1", "ABCD-EF0é"] {
            assert!(
                matches!(
                    parse_code(typed),
                    Err(CliError::ValueInvalid { option: "CODE", .. })
                ),
                "{typed}"
            );
        }
    }

    fn user(name: &str) -> UserArgs {
        UserArgs {
            user: name.to_owned(),
            context: ContextArgs::default(),
        }
    }

    #[test]
    fn says_what_will_happen_in_words_that_cannot_rewrite_the_screen() {
        let args = user("ann\u{1b}[2J");
        for plain in [suspend(&args), restore(&args), erase(&args), reset(&args)] {
            assert!(
                plain.will.contains("ann\\u{1b}[2J") && !plain.will.contains('\u{1b}'),
                "{}",
                plain.will
            );
            assert_eq!(plain.body.to_bytes(), b"{\"user\":\"ann\\u001b[2J\"}");
        }
        assert!(erase(&args).will.contains("nobody can undo it"));
        assert_eq!(reset(&args).act, ActName::KeysetRotate);
    }

    #[test]
    fn names_group_and_user_as_the_acts_want_them() {
        let args = GroupMemberArgs {
            group: "Finance".to_owned(),
            user: "ann".to_owned(),
            context: ContextArgs::default(),
        };
        for (plain, act) in [
            (join(&args), ActName::GroupAdd),
            (leave(&args), ActName::GroupRemove),
        ] {
            assert_eq!(plain.act, act);
            assert_eq!(
                plain.body.to_bytes(),
                br#"{"group":"Finance","user":"ann"}"#
            );
        }
    }

    #[test]
    fn tells_the_entry_and_refuses_an_answer_without_one() {
        let answer = Object::new().with("id", "00").with("index", 12_u64);
        let outcome = done("ann is suspended.", answer).unwrap();
        assert_eq!(
            outcome.text,
            "ann is suspended. It is entry 12 of the tenant's log."
        );
        assert!(matches!(
            done("x", Object::new()),
            Err(CliError::AnswerUnexpected { what: "index" })
        ));
    }
}
