//! The engine and its SCIM service in this process: what a directory costs without TLS, host, witnesses
//! and disk.

use std::time::Duration;

use chancery_authority::{BurstLimits, ScopeSet};
use chancery_testkit::{InMemory, Sent, World};
use http::HeaderMap;
use http::header::RETRY_AFTER;

use crate::bench::growth::kind::Kind;
use crate::bench::growth::service::{Asked, Burst, Cpu};
use crate::bench::measure::float;
use crate::bench::plan::Operation;
use crate::error::DevError;
use crate::http::Reply;
use crate::machine::thread_cpu_ns;

/// Life of the credential, in seconds: longer than any measurement.
const LIFE_S: u64 = 86_400;
/// Wide enough for any load.
const LIMITS: BurstLimits = BurstLimits {
    window_s: 3600,
    suspensions: 10_000_000,
    deletions: 10_000_000,
    grants: 10_000_000,
    emptied_groups: 10_000_000,
};

/// A deployment in memory with one tenant.
pub(super) struct InProcess {
    service: InMemory,
}

impl InProcess {
    /// A tenant without users, drawn from `seed`.
    pub(super) fn found(seed: u64) -> Result<Self, DevError> {
        let refused = |refusal| DevError::Load(format!("the tenant cannot be made: {refusal}"));
        let mut world = World::found(seed);
        world.admit("demo").map_err(refused)?;
        world
            .delegate_with(1, |delegation| {
                delegation.limits = LIMITS;
                delegation.scopes = ScopeSet::all();
            })
            .map_err(refused)?;
        world.issue_token(LIFE_S).map_err(refused)?;
        let service = InMemory::new(world);
        Ok(Self { service })
    }

    /// Answers one request.
    pub(super) fn answer(&mut self, operation: &Operation) -> Reply {
        let sent = Sent {
            method: operation.method.clone(),
            target: &operation.path,
            headers: HeaderMap::new(),
            body: &operation.body,
        };
        let answer = self.service.answer(&sent);
        let (head, body) = answer.into_parts();
        let retry_after = head.headers.get(RETRY_AFTER);
        Reply {
            status: head.status.as_u16(),
            retry_after_s: retry_after
                .and_then(|value| value.to_str().ok())
                .and_then(|value| value.parse().ok()),
            body: body.into(),
        }
    }

    /// Answers all requests of one kind, one after the other.
    pub(super) fn burst(
        &mut self,
        kind: Kind,
        asked: &[Asked],
        users: u64,
    ) -> Result<Burst, DevError> {
        let (mut latencies_us, mut ids, mut used_ns) = (Vec::new(), Vec::new(), 0_u64);
        for asked in asked {
            let before = thread_cpu_ns();
            let reply = self.answer(&asked.operation);
            let took_ns = thread_cpu_ns().saturating_sub(before);
            used_ns = used_ns.saturating_add(took_ns);
            latencies_us.push(u32::try_from(took_ns / 1000).unwrap_or(u32::MAX));
            let told = |reason| DevError::Load(format!("{}: {reason}", kind.name()));
            ids.extend(kind.accept(&reply, users).map_err(told)?);
        }
        self.forget_records();
        let count = u64::try_from(asked.len()).unwrap_or(u64::MAX).max(1);
        let cpu_us = float(used_ns) / float(count) / 1000.0;
        Ok(Burst {
            latencies_us,
            ids,
            wall: Duration::from_nanos(used_ns),
            cpu: Cpu {
                server: Some(cpu_us),
                all: Some(cpu_us),
            },
        })
    }

    /// The host keeps records on its disk; here their memory must not be counted as the engine's.
    fn forget_records(&mut self) {
        for stream in self.service.world().store.values_mut() {
            let mut kept = stream.iter_mut().rev().take_while(|body| !body.is_empty());
            kept.by_ref().for_each(|body| *body = Vec::new());
        }
    }
}
