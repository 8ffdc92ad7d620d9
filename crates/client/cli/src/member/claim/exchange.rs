//! The claim's exchange with the service: a connection that outlives a person's pauses, and the question
//! that is repeated until an admin has confirmed.

use core::time::Duration;

use chancery_claim::ShortCode;
use chancery_client::{AttestedConnection, ClientError, ProofMode, Request, Response, now_ms};
use chancery_json::Object;
use tokio::time::sleep;

use super::super::answers::handle;
use super::super::code::in_large;
use super::super::error::MemberError;
use crate::AnchorSource;
use crate::api::{answer, number, text};
use crate::context::Context;
use crate::error::CliError;
use crate::output::note;

/// How often to ask whether an admin has confirmed.
const POLL: Duration = Duration::from_secs(2);

/// How long before its end a challenge is given up for a new one: longer than a question takes.
const CHALLENGE_MARGIN_MS: u64 = 60 * 1000;

/// A connection that is made again, and appraised again, if it has ended while a person was busy.
/// Claims can be repeated, so that a lost answer costs nothing.
pub(super) struct Link<'a, S: AnchorSource> {
    pub(super) connection: AttestedConnection<S::Anchor>,
    context: &'a Context,
    source: &'a S,
}

impl<'a, S: AnchorSource> Link<'a, S> {
    /// Connects with the secure processor's own signature; if it is too busy, with the epoch key's.
    pub(super) async fn open(context: &'a Context, source: &'a S) -> Result<Self, CliError> {
        let connector = context.connector(source)?.with_mode(ProofMode::Hardware);
        let hardware = connector
            .connect(&context.deployment, context.address())
            .await;
        let connection = match hardware {
            Err(ClientError::AttestRefused { .. }) => {
                note("The secure processor is busy; its epoch key vouches for this session.");
                context.connect(source).await?
            }
            other => other?,
        };
        Ok(Self {
            connection,
            context,
            source,
        })
    }

    pub(super) async fn post(&mut self, path: &str, body: &Object) -> Result<Response, CliError> {
        let request = || Request::post_json(path, body.to_bytes());
        match self.connection.request(request()).await {
            Err(ClientError::AppraisalExpired | ClientError::Closed | ClientError::Http(_)) => {
                self.connection = Self::open(self.context, self.source).await?.connection;
                Ok(self.connection.request(request()).await?)
            }
            other => Ok(other?),
        }
    }
}

/// What the service answered to a claim.
#[derive(Debug)]
enum Answered {
    /// It is done.
    Confirmed(Confirmation),
    /// An admin must confirm after comparing the code.
    Waiting(ShortCode),
}

/// A claim that the service calls confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Confirmation {
    pub(super) handle: [u8; 32],
    pub(super) key_version: u64,
    pub(super) index: u64,
}

/// How long to wait for an admin, and what was shown of it.
#[derive(Debug)]
pub(super) struct Wait {
    wait_ms: u64,
    /// When the whole wait is over, once it has begun.
    deadline_ms: Option<u64>,
    /// When the present challenge is too old.
    challenge_ms: u64,
    shown: Option<ShortCode>,
}

impl Wait {
    /// A wait that has not begun.
    pub(super) fn new(wait_s: u64) -> Self {
        Self {
            wait_ms: wait_s.saturating_mul(1000),
            deadline_ms: None,
            challenge_ms: 0,
            shown: None,
        }
    }

    /// Begins, or goes on with a challenge that ends at `expires_ms`.
    pub(super) fn begin(&mut self, expires_ms: u64) {
        let wait_ms = self.wait_ms;
        self.deadline_ms
            .get_or_insert_with(|| now_ms().saturating_add(wait_ms));
        self.challenge_ms = expires_ms.saturating_sub(CHALLENGE_MARGIN_MS);
    }

    /// Whether the whole wait is over.
    pub(super) fn is_over(&self) -> bool {
        self.deadline_ms.is_some_and(|end_ms| now_ms() >= end_ms)
    }

    /// Shows a code, once.
    fn show(&mut self, code: ShortCode) {
        if !self.shown.is_some_and(|before| before.matches(&code)) {
            note(&format!(
                "An admin must confirm that it is you. Read this code to them, by a way on which they \
                 know you:\n\n{}\n",
                in_large(&code)
            ));
            self.shown = Some(code);
        }
    }
}

/// Sends the claim, and sends it again while an admin has not confirmed. None if the wait is over, or the
/// challenge is too old to go on with.
pub(super) async fn until_confirmed<S: AnchorSource>(
    link: &mut Link<'_, S>,
    path: &str,
    body: &Object,
    wait: &mut Wait,
) -> Result<Option<Confirmation>, CliError> {
    loop {
        match read_answer(&link.post(path, body).await?) {
            Ok(Answered::Confirmed(confirmation)) => return Ok(Some(confirmation)),
            Ok(Answered::Waiting(code)) => wait.show(code),
            // Not known yet: to ask again is safe.
            Err(CliError::Refused { status: 503, .. }) => {}
            Err(error) => return Err(error),
        }
        sleep(POLL).await;
        if wait.is_over() || now_ms() >= wait.challenge_ms {
            return Ok(None);
        }
    }
}

fn read_answer(response: &Response) -> Result<Answered, CliError> {
    let told = match answer(response) {
        Err(CliError::Refused {
            status: 403,
            problem,
            ..
        }) => return Err(MemberError::ClaimRefused { problem }.into()),
        other => other?,
    };
    read_told(&told)
}

fn read_told(told: &Object) -> Result<Answered, CliError> {
    match text(told, "state")? {
        "confirmed" => Ok(Answered::Confirmed(Confirmation {
            handle: handle(told)?,
            key_version: number(told, "key_version")?,
            index: number(told, "index")?,
        })),
        "waiting" => ShortCode::parse(text(told, "code")?)
            .map(Answered::Waiting)
            .map_err(|_form| CliError::AnswerUnexpected { what: "code" }),
        _ => Err(CliError::AnswerUnexpected { what: "state" }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn confirmed() -> Object {
        Object::new()
            .with("state", "confirmed")
            .with("handle", "0b".repeat(32))
            .with("key_version", 2_u64)
            .with("index", 7_u64)
    }

    #[test]
    fn reads_both_answers() {
        let Answered::Confirmed(confirmation) = read_told(&confirmed()).unwrap() else {
            panic!("not confirmed");
        };
        let expected = Confirmation {
            handle: [0x0b; 32],
            key_version: 2,
            index: 7,
        };
        assert_eq!(confirmation, expected);
        let waiting = Object::new()
            .with("state", "waiting")
            .with("code", "04HM-ASW9");
        let Answered::Waiting(code) = read_told(&waiting).unwrap() else {
            panic!("not waiting");
        };
        assert_eq!(code.to_string(), "04HM-ASW9");
    }

    #[test]
    fn waits_as_long_as_it_was_told_however_many_challenges_that_takes() {
        let mut wait = Wait::new(0);
        assert!(!wait.is_over(), "it has not begun");
        wait.begin(now_ms() + 600_000);
        assert!(wait.is_over());
        let mut wait = Wait::new(1000);
        wait.begin(u64::MAX);
        let deadline_ms = wait.deadline_ms;
        wait.begin(CHALLENGE_MARGIN_MS + 5);
        assert_eq!((wait.deadline_ms, wait.challenge_ms), (deadline_ms, 5));
        assert!(!wait.is_over());
    }

    #[test]
    fn refuses_answers_of_another_form() {
        for name in ["state", "handle", "key_version", "index"] {
            let mut answer = confirmed();
            answer.remove(name);
            assert!(matches!(
                read_told(&answer),
                Err(CliError::AnswerUnexpected { what }) if what == name
            ));
        }
        for (state, code) in [("claimed", "04HM-ASW9"), ("waiting", "04HM")] {
            let answer = Object::new().with("state", state).with("code", code);
            assert!(read_told(&answer).is_err(), "{state} {code}");
        }
    }
}
