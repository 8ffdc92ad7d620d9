//! What an audit asks the service for, page by page. Nothing of it is believed here.

use std::collections::VecDeque;

use base64ct::{Base64, Encoding as _};
use chancery_authority::ActName;
use chancery_directory::Exhibit;
use chancery_json::{Object, Value};

use crate::AnchorSource;
use crate::api::{TenantSession, list, text};
use crate::error::CliError;

/// Leaves asked for at a time.
const LEAVES_MAX: u64 = 1000;

/// Users asked for at a time.
const USERS_MAX: u64 = 1000;

/// Most pages of a directory or of private parts: a service that goes on for ever is not waited for.
const PAGES_MAX: u32 = 1_000_000;

/// The leaves from `from` on, at most one page and none from `until` on.
pub(super) async fn leaves<S: AnchorSource>(
    session: &mut TenantSession<'_, S>,
    from: u64,
    until: u64,
) -> Result<Vec<Vec<u8>>, CliError> {
    let count = until.saturating_sub(from).min(LEAVES_MAX);
    let body = Object::new().with("from", from).with("count", count);
    let answer = session.act(ActName::LogRead, &body).await?;
    let leaves = decoded(&answer)?;
    if leaves.is_empty() || u64::try_from(leaves.len()).unwrap_or(u64::MAX) > count {
        return Err(CliError::AnswerUnexpected {
            what: "another number of entries than there are",
        });
    }
    Ok(leaves)
}

fn decoded(answer: &Object) -> Result<Vec<Vec<u8>>, CliError> {
    let leaf = |entry: &Value| {
        let leaf = entry.as_object()?.get("leaf")?.as_str()?;
        Base64::decode_vec(leaf).ok()
    };
    list(answer, "entries")?
        .iter()
        .map(|entry| leaf(entry).ok_or(CliError::AnswerUnexpected { what: "leaf" }))
        .collect()
}

/// The private parts of the acts, in the log's order, as far as they were fetched.
#[derive(Debug)]
pub(super) struct Exhibits {
    waiting: VecDeque<Exhibit>,
    /// The record with which the next page begins; none after the last.
    next: Option<u64>,
    pages: u32,
}

impl Exhibits {
    /// None fetched yet.
    pub(super) const fn new() -> Self {
        Self {
            waiting: VecDeque::new(),
            next: Some(0),
            pages: 0,
        }
    }

    /// The private parts of the acts that begin before the leaf `until`.
    pub(super) async fn before<S: AnchorSource>(
        &mut self,
        session: &mut TenantSession<'_, S>,
        until: u64,
    ) -> Result<Vec<Exhibit>, CliError> {
        while let Some(record) = self.next
            && self.waiting.back().is_none_or(|last| last.first < until)
        {
            self.fetch(session, record).await?;
        }
        Ok(self.take(until))
    }

    fn take(&mut self, until: u64) -> Vec<Exhibit> {
        let mut taken = Vec::new();
        while let Some(exhibit) = self.waiting.pop_front_if(|next| next.first < until) {
            taken.push(exhibit);
        }
        taken
    }

    async fn fetch<S: AnchorSource>(
        &mut self,
        session: &mut TenantSession<'_, S>,
        record: u64,
    ) -> Result<(), CliError> {
        let body = Object::new().with("record", record);
        let page = session.act_binary(ActName::LogAudit, &body).await?;
        self.take_in(page.body(), page.next_record(), record)
    }

    /// A page must lead forward; else an audit would never end.
    fn take_in(&mut self, page: &[u8], next: Option<u64>, record: u64) -> Result<(), CliError> {
        let exhibits =
            Exhibit::decode_page(page).map_err(|_malformed| CliError::AnswerUnexpected {
                what: "a page of private parts",
            })?;
        self.pages = self.pages.saturating_add(1);
        if next.is_some_and(|next| next <= record) || self.pages > PAGES_MAX {
            return Err(CliError::AnswerUnexpected {
                what: "a page of private parts that leads nowhere",
            });
        }
        self.waiting.extend(exhibits);
        self.next = next;
        Ok(())
    }
}

/// The whole directory as the service says it now: its users and groups.
pub(super) async fn directory<S: AnchorSource>(
    session: &mut TenantSession<'_, S>,
) -> Result<(Vec<Object>, Vec<Object>), CliError> {
    let (mut users, mut groups) = (Vec::new(), Vec::new());
    let mut after = 0_u64;
    for _ in 0..PAGES_MAX {
        let body = Object::new().with("after", after).with("count", USERS_MAX);
        let answer = session.act(ActName::DirectoryRead, &body).await?;
        users.extend(objects(&answer, "users")?);
        groups.extend(objects(&answer, "groups")?);
        match answer.get("next").and_then(Value::as_u64) {
            None => return Ok((users, groups)),
            Some(next) if next > after => after = next,
            Some(_) => break,
        }
    }
    Err(CliError::AnswerUnexpected {
        what: "a page of the directory that leads nowhere",
    })
}

fn objects(answer: &Object, name: &'static str) -> Result<Vec<Object>, CliError> {
    list(answer, name)?
        .iter()
        .map(|value| {
            value
                .as_object()
                .cloned()
                .ok_or(CliError::AnswerUnexpected { what: name })
        })
        .collect()
}

/// A receipt of entry 0: every log has it, and its bundle shows the newest head.
pub(super) async fn newest_receipt<S: AnchorSource>(
    session: &mut TenantSession<'_, S>,
) -> Result<Vec<u8>, CliError> {
    let body = Object::new().with("index", 0_u64);
    let answer = session.act(ActName::LogReceipt, &body).await?;
    Ok(text(&answer, "proof")?.as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(firsts: &[u64]) -> Vec<u8> {
        let exhibits: Vec<Exhibit> = firsts
            .iter()
            .map(|first| Exhibit::withheld(*first, 1, Vec::new()))
            .collect();
        Exhibit::encode_page(&exhibits).unwrap()
    }

    #[test]
    fn gives_private_parts_out_in_time_for_their_leaves() {
        let mut exhibits = Exhibits::new();
        exhibits.take_in(&page(&[0, 3, 7]), Some(3), 0).unwrap();
        let firsts = |taken: Vec<Exhibit>| -> Vec<u64> {
            taken.iter().map(|exhibit| exhibit.first).collect()
        };
        assert_eq!(firsts(exhibits.take(4)), [0, 3]);
        assert_eq!(firsts(exhibits.take(7)), [0_u64; 0]);
        exhibits.take_in(&page(&[9]), None, 3).unwrap();
        assert_eq!(firsts(exhibits.take(10)), [7, 9]);
        assert_eq!(exhibits.next, None);
    }

    #[test]
    fn refuses_pages_that_lead_nowhere_or_hold_no_private_parts() {
        for next in [0, 2, 3] {
            let refused = Exhibits::new().take_in(&page(&[1]), Some(next), 3);
            assert!(refused.is_err(), "{next}");
        }
        let mut broken = page(&[1]);
        broken.pop();
        assert!(Exhibits::new().take_in(&broken, None, 0).is_err());
    }

    #[test]
    fn reads_leaves_as_bytes_and_refuses_entries_without_them() {
        let entry = |leaf: &str| Value::from(Object::new().with("leaf", leaf));
        let answer = |entries: Vec<Value>| Object::new().with("entries", entries);
        assert_eq!(
            decoded(&answer(vec![entry("AQID"), entry("BA==")])).unwrap(),
            [vec![1, 2, 3], vec![4]]
        );
        for broken in [entry("*"), Object::new().into(), Value::Null] {
            assert!(matches!(
                decoded(&answer(vec![broken])),
                Err(CliError::AnswerUnexpected { what: "leaf" })
            ));
        }
    }
}
