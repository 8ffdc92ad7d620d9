//! `decide(state, act, now) -> events | refusal`: the rules that every act must pass at commit time.
//!
//! Nothing here does I/O or reads a clock. What passes is booked at once: entries in the tenant's log,
//! events in its directory. Both leave the ledger with the batch.

mod admin;
mod admins;
mod authority;
mod booking;
mod brake;
mod breakglass;
mod claim;
mod credentials;
mod erase;
mod gate;
mod groups;
mod held;
mod import;
mod intents;
mod issuer;
mod member;
mod plans;
mod reading;
mod signers;
mod steps;
mod timer;
mod users;

use chancery_authority::DeploymentId;
use chancery_dsse::PublicKey;
use chancery_scim::{Catalogue, EntityTags};
use chancery_sealing::Key;

use alloc::vec::Vec;

use crate::act::{Answer, Authority, Refusal, TenantAct};
use crate::prepare::Draws;
use crate::records::ActRecord;
use crate::tenant::Tenant;

pub use authority::{covers, live_credential};

pub(crate) use admin::{Admitted, admit, tenant_handle};
pub(crate) use timer::{due, is_due};

/// What decisions need to know of the deployment.
#[derive(Debug)]
pub struct Settings {
    /// The deployment.
    pub deployment: DeploymentId,
    /// Keys of the operator that admit tenants.
    pub admission_keys: Vec<PublicKey>,
    /// Key under which bearer tokens are digested.
    pub token_key: Key,
    /// Whether addresses outside the trusted domains are taken (public conformance suites only).
    pub dangerous_any_domain: bool,
    /// The resource types that are offered.
    pub catalogue: Catalogue,
}

/// Decides one act within a tenant. Without a record nothing changed.
pub(crate) fn tenant(
    settings: &Settings,
    head: &mut Tenant,
    now_ms: u64,
    authority: Authority,
    act: TenantAct,
) -> Result<(Option<ActRecord>, Answer), Refusal> {
    // A clock that was set back over a restart must not decide otherwise than the log can record.
    let now_ms = now_ms.max(head.chronicle.log().time_ms());
    match (authority, act) {
        (Authority::Credential { handle }, act) => {
            let by = authority::Caller::new(settings, &head.registry, now_ms, &handle)?;
            if head
                .registry
                .plan()
                .is_some_and(|plan| plan.approved().is_some())
            {
                return match act {
                    TenantAct::Matched { .. } => Ok((None, Answer::Noted)),
                    _ => Err(Refusal::PlanUnderway),
                };
            }
            match act {
                TenantAct::CreateUser(new) => users::create(head, &by, new),
                TenantAct::ReplaceUser(update) => users::replace(head, &by, &update),
                TenantAct::PatchUser(update) => users::patch(head, &by, &update),
                TenantAct::DeleteUser(update) => users::delete(head, &by, &update),
                TenantAct::CreateGroup(new) => groups::create(head, &by, new),
                TenantAct::ReplaceGroup(update) => groups::replace(head, &by, &update),
                TenantAct::PatchGroup(update) => groups::patch(head, &by, &update),
                TenantAct::DeleteGroup(update) => groups::delete(head, &by, &update),
                TenantAct::Matched { ids, fresh } => intents::matched(head, &by, &ids, &fresh),
                // What others sign or prove, no token can.
                _ => Err(Refusal::Unauthorized),
            }
        }
        (
            Authority::Signed {
                envelope,
                exporter,
                body,
            },
            TenantAct::Signed { name, fresh, claim },
        ) => {
            let signed = signers::Signed {
                envelope: &envelope,
                exporter: &exporter,
                body: &body,
            };
            admin::signed(settings, head, now_ms, &signed, name, (&fresh, claim))
        }
        (Authority::Runtime, TenantAct::Claim(claim)) => claim::by_token(head, now_ms, *claim),
        (
            Authority::Runtime,
            TenantAct::NoteRefusedClaim {
                reason,
                claim,
                fresh,
            },
        ) => claim::note_refusal(head, now_ms, reason, &claim.text(), Draws::new(&fresh)),
        (Authority::Runtime, TenantAct::IssuerKeys { published, fresh }) => {
            issuer::published(head, now_ms, published, Draws::new(&fresh))
        }
        (Authority::Signed { .. } | Authority::Runtime, _) => Err(Refusal::Unsupported),
    }
}

/// Refuses a change of another version than the client named (RFC 7644 section 3.14).
fn expect_version(if_match: Option<&EntityTags>, version: u64) -> Result<(), Refusal> {
    match if_match {
        Some(tags) if !tags.matches(&crate::version_text(version)) => {
            Err(chancery_scim::Error::Precondition.into())
        }
        Some(_) | None => Ok(()),
    }
}
