//! One directory that is measured: whose, how large, and the requests that are sent to it.

use std::sync::Arc;

use bytes::Bytes;

use crate::bench::growth::ids::Ids;
use crate::bench::growth::kind::{Kind, PAGE, next_cursor};
use crate::bench::growth::service::{Asked, Burst, Service};
use crate::bench::plan::{
    Operation, Phase, Plan, add, brief, get, patch_group, patch_user, remove, replace,
};
use crate::bench::worker::{id_of, refusal};
use crate::error::DevError;

/// Requests that fill a directory between two steps of the bar; members that one PATCH adds.
pub(super) const CHUNK: u64 = 1000;

/// A prime that is far from every size: its multiples walk through a directory from end to end and meet
/// nobody twice before everybody was met.
const STRIDE: u64 = 2_654_435_761;

/// A directory.
pub(super) struct Subject {
    /// The server of others that it belongs to; none if it is ours.
    pub(super) peer: Option<String>,
    /// Users in it.
    pub(super) users: u64,
    /// Resident bytes of the process that answers, before there were users and when all were there.
    pub(super) resident: Option<(u64, u64)>,
    service: Service,
    plan: Arc<Plan>,
    ids: Ids,
    group: Option<String>,
    last_cursor: Option<String>,
    /// Users that this round created.
    created: Vec<String>,
    /// Numbers that names have been made of.
    names: u64,
    /// Places in the directory that have been asked for.
    places: u64,
}

impl Subject {
    /// A directory without users. Names begin with `prefix` and end with `domain`.
    pub(super) fn new(
        peer: Option<String>,
        users: u64,
        service: Service,
        (prefix, domain): (String, String),
    ) -> Self {
        Self {
            peer,
            users,
            resident: None,
            service,
            plan: Arc::new(Plan {
                prefix,
                domain,
                users: 0,
                more_users: 0,
                operations: 0,
                groups: 0,
                user_ids: Vec::new(),
                group_ids: Vec::new(),
            }),
            ids: Ids::default(),
            group: None,
            last_cursor: None,
            created: Vec::new(),
            names: 0,
            places: 0,
        }
    }

    /// What people call it.
    pub(super) fn name(&self) -> String {
        match &self.peer {
            Some(peer) => peer.clone(),
            None => format!("{} users", self.users),
        }
    }

    /// Whether it can be asked for this.
    pub(super) const fn is_asked(&self, kind: Kind) -> bool {
        match kind {
            Kind::FirstCursor | Kind::LastCursor => self.last_cursor.is_some(),
            _ => self.peer.is_none() || kind.is_asked_of_peers(),
        }
    }

    /// Begins a turn.
    pub(super) async fn open(&mut self) -> Result<(), DevError> {
        self.service.open().await
    }

    /// Creates the users; `step` is called with how many were created at a time.
    pub(super) async fn fill(&mut self, step: &dyn Fn(u64)) -> Result<(), DevError> {
        let before = self.service.resident_bytes();
        while self.names < self.users {
            let count = CHUNK.min(self.users.saturating_sub(self.names));
            let asked = self.creations(count);
            let burst = self.service.burst(Kind::Create, asked, 0).await?;
            for id in &burst.ids {
                let told = || DevError::Load("an id is no UUID".to_owned());
                self.ids.push(id).ok_or_else(told)?;
            }
            step(count);
        }
        self.resident = before.zip(self.service.resident_bytes());
        Ok(())
    }

    /// Makes a group of everybody, and finds out how the last page is reached by cursors.
    pub(super) async fn prepare(&mut self, step: &dyn Fn(u64)) -> Result<(), DevError> {
        if self.peer.is_some() {
            return Ok(());
        }
        let made = self.plan.sized_group(self.users);
        let reply = self.service.send(&made).await?;
        let group = id_of(&reply).ok_or_else(|| DevError::Load(refusal(&reply)))?;
        let mut from = 0_u64;
        while from < self.users {
            let to = from.saturating_add(CHUNK).min(self.users);
            let members: Option<Vec<String>> = (from..to).map(|user| self.ids.get(user)).collect();
            let members = members.ok_or_else(gone)?;
            let members: Vec<&str> = members.iter().map(String::as_str).collect();
            let operation = brief(patch_group(&group, add(&members)));
            let reply = self.service.send(&operation).await?;
            if reply.status != 200 {
                return Err(DevError::Load(refusal(&reply)));
            }
            step(to.saturating_sub(from));
            from = to;
        }
        self.group = Some(group);
        self.last_cursor = self.walk().await?;
        Ok(())
    }

    /// The cursor of the last page; none if there are no cursors.
    async fn walk(&mut self) -> Result<Option<String>, DevError> {
        let mut last = None;
        let mut next = String::new();
        for _ in 0..self.users.div_ceil(PAGE) {
            let reply = self.service.send(&page_at(&next)).await?;
            match next_cursor(&reply).map_err(DevError::Load)? {
                Some(cursor) => {
                    next.clone_from(&cursor);
                    last = Some(cursor);
                }
                None => break,
            }
        }
        Ok(last)
    }

    /// Sends the requests of one kind for one round.
    pub(super) async fn burst(&mut self, kind: Kind, count: u64) -> Result<Burst, DevError> {
        let asked = match kind {
            Kind::Create => self.creations(count),
            _ => self.others(kind, count).ok_or_else(gone)?,
        };
        let mut burst = self.service.burst(kind, asked, self.users).await?;
        if kind == Kind::Create {
            self.created = std::mem::take(&mut burst.ids);
        }
        Ok(burst)
    }

    fn creations(&mut self, count: u64) -> Vec<Asked> {
        let first = self.names;
        self.names = self.names.saturating_add(count);
        let operation = |number| {
            let operation = self.plan.operation(Phase::Create, number)?;
            let search = Some(self.plan.search(Phase::Create, number));
            Some(Asked { operation, search })
        };
        (first..self.names).filter_map(operation).collect()
    }

    fn others(&mut self, kind: Kind, count: u64) -> Option<Vec<Asked>> {
        let first = self.places;
        // Whoever leaves the group comes back, so that both are about the same users.
        if kind != Kind::Leave {
            self.places = self.places.saturating_add(count);
        }
        (0..count)
            .map(|index| {
                let place = first.saturating_add(index);
                let number = place.wrapping_mul(STRIDE).checked_rem(self.users)?;
                let operation = self.operation(kind, index, number)?;
                Some(Asked {
                    operation,
                    search: None,
                })
            })
            .collect()
    }

    fn operation(&self, kind: Kind, index: u64, number: u64) -> Option<Operation> {
        let id = || self.ids.get(number);
        let group = || self.group.as_deref();
        Some(match kind {
            Kind::Create => return None,
            Kind::Delete => Operation {
                method: hyper::Method::DELETE,
                path: format!("/Users/{}", self.created.get(usize::try_from(index).ok()?)?),
                body: Bytes::new(),
            },
            Kind::Get => get(format!("/Users/{}", id()?)),
            Kind::ByUserName => self.plan.search(Phase::Create, number),
            Kind::ByExternalId => by("externalId", &self.plan.external_id(number)),
            Kind::ByEmail => by(
                "emails%5Btype%20eq%20%22work%22%5D.value",
                &self.plan.user_name(number),
            ),
            Kind::Patch => {
                let title = format!("Engineer {} {index}", self.places);
                patch_user(&id()?, replace("title", title.into()))
            }
            Kind::Leave => brief(patch_group(group()?, remove(&id()?))),
            Kind::Join => brief(patch_group(group()?, add(&[&id()?]))),
            Kind::FirstPage => page_from(1),
            Kind::LastPage => page_from(self.users.saturating_sub(PAGE).saturating_add(1)),
            Kind::FirstCursor => page_at(""),
            Kind::LastCursor => page_at(self.last_cursor.as_deref()?),
        })
    }
}

fn gone() -> DevError {
    DevError::Load("what is asked about is not there".to_owned())
}

fn by(attribute: &str, value: &str) -> Operation {
    get(format!("/Users?filter={attribute}%20eq%20%22{value}%22"))
}

fn page_from(index: u64) -> Operation {
    get(format!("/Users?startIndex={index}&count={PAGE}"))
}

fn page_at(cursor: &str) -> Operation {
    get(format!("/Users?cursor={cursor}&count={PAGE}"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::bench::growth::in_process::InProcess;

    fn subject(users: u64) -> Subject {
        let service = Service::InProcess(Box::new(InProcess::found(users).unwrap()));
        let names = ("p".to_owned(), "demo.example".to_owned());
        Subject::new(None, users, service, names)
    }

    #[tokio::test]
    async fn every_operation_succeeds_in_a_directory_of_this_process() {
        let mut subject = subject(120);
        subject.fill(&|_| {}).await.unwrap();
        subject.prepare(&|_| {}).await.unwrap();
        for _ in 0..2 {
            for kind in Kind::ALL {
                if subject.is_asked(kind) {
                    let burst = subject.burst(kind, 7).await.unwrap();
                    assert_eq!(burst.latencies_us.len(), 7, "{}", kind.name());
                    assert!(burst.cpu.server > Some(0.0), "{}", kind.name());
                }
            }
        }
        assert_eq!(subject.name(), "120 users");
    }

    #[tokio::test]
    async fn asks_for_everybody_before_anybody_twice() {
        let mut subject = subject(250);
        subject.fill(&|_| {}).await.unwrap();
        let mut paths = || {
            let asked = subject.others(Kind::Get, 125).unwrap();
            let path = |asked: Asked| asked.operation.path;
            asked.into_iter().map(path).collect::<BTreeSet<_>>()
        };
        let (first, second) = (paths(), paths());
        assert_eq!((first.len(), second.len()), (125, 125));
        assert!(first.is_disjoint(&second));
    }

    #[tokio::test]
    async fn whoever_leaves_the_group_comes_back() {
        let mut subject = subject(200);
        subject.fill(&|_| {}).await.unwrap();
        subject.group = Some("g".to_owned());
        let ids = |asked: Vec<Asked>| -> BTreeSet<String> {
            let id = |asked: &Asked| {
                let body = String::from_utf8_lossy(&asked.operation.body).into_owned();
                let at = body.rfind('-').unwrap();
                body.get(at..at + 13).unwrap().to_owned()
            };
            asked.iter().map(id).collect()
        };
        let left = ids(subject.others(Kind::Leave, 20).unwrap());
        assert_eq!(left.len(), 20);
        assert_eq!(ids(subject.others(Kind::Join, 20).unwrap()), left);
        assert_ne!(ids(subject.others(Kind::Leave, 20).unwrap()), left);
    }
}
