//! Proofs of what a tenant's log and directory say, made when a batch is closed: only then is there a head
//! that covers what was decided before.

use alloc::boxed::Box;

use chancery_authority::TenantId;
use chancery_directory::bundle::{
    BundleExtra, Shown, ShownAbsence, ShownReceipt, ShownUser, ShownVrf,
};
use chancery_directory::head::{head_opening, map_key};
use chancery_directory::record::NameKind;
use chancery_directory::{DirName, Entry, EpochLeaf, Handle, Opening, PrefixTree};
use chancery_json::Object;

use crate::act::Refusal;
use crate::decide::tenant_handle;
use crate::id::ResourceId;
use crate::key_record;
use crate::resource::User;
use crate::tenant::Tenant;

/// What is to be proved once the batch is closed.
#[derive(Clone, Debug)]
pub struct ProofWanted {
    /// The tenant.
    pub(crate) tenant: TenantId,
    /// Of what.
    pub(crate) subject: ProofSubject,
    /// What the answer says beside the proof.
    pub(crate) about: Object,
}

/// Of what a proof is.
#[derive(Clone, Debug)]
pub(crate) enum ProofSubject {
    /// A user's present state and key.
    User(ResourceId),
    /// That a canonical userName belongs to nobody.
    Absent(alloc::string::String),
    /// An entry of the log.
    Entry(u64),
}

/// A proof that still lacks its outer part: the leaf's place under a cosigned checkpoint.
#[derive(Clone, Debug)]
pub struct InnerProof {
    /// Index of the root log's leaf, which is its last one when the batch is cosigned.
    pub leaf_index: u64,
    /// The encoded [`BundleExtra`].
    pub extra: alloc::vec::Vec<u8>,
    /// What the answer says beside the proof.
    pub about: Object,
}

/// Builds the proof under the head that the closed batch has made.
///
/// # Errors
/// [`Refusal::NotFound`] if the subject does not exist any more; [`Refusal::Internal`] if the log cannot
/// give a path.
pub(crate) fn prove(
    tenant: &mut Tenant,
    map: &mut PrefixTree,
    leaf: &EpochLeaf,
    wanted: ProofWanted,
) -> Result<InnerProof, Refusal> {
    let id = chancery_directory::TenantId(*wanted.tenant.as_bytes());
    let shown = match wanted.subject {
        ProofSubject::User(user) => {
            let user = tenant
                .registry
                .users()
                .get(user)
                .cloned()
                .ok_or(Refusal::NotFound)?;
            Shown::User(Box::new(shown_user(tenant, &user)?))
        }
        ProofSubject::Absent(name) => {
            let (vrf_proof, label) = tenant.secrets.prove_label(NameKind::UserName, &name);
            Shown::Absent(Box::new(ShownAbsence {
                vrf: shown_vrf(tenant)?,
                vrf_proof,
                name_path: tenant.chronicle.prove_name(&label),
            }))
        }
        ProofSubject::Entry(index) => {
            let bytes = tenant
                .chronicle
                .leaves(index, 1)
                .next()
                .ok_or(Refusal::NotFound)?;
            let entry = Entry::decode(bytes).map_err(|_state_root| Refusal::NotFound)?;
            Shown::Receipt(Box::new(ShownReceipt {
                entry,
                index,
                path: tenant.chronicle.inclusion(index).ok_or(Refusal::Internal)?,
            }))
        }
    };
    let head = *tenant.chronicle.head().ok_or(Refusal::Internal)?;
    let last = head.size.checked_sub(1).ok_or(Refusal::Internal)?;
    let extra = BundleExtra {
        leaf: leaf.clone(),
        map_opening: head_opening(tenant.secrets.key().map_key().expose(), head.version),
        head,
        map_path: map.prove(&map_key(&id)),
        state_root: *tenant.chronicle.state_root().ok_or(Refusal::Internal)?,
        state_root_path: tenant.chronicle.inclusion(last).ok_or(Refusal::Internal)?,
        shown,
    };
    Ok(InnerProof {
        leaf_index: leaf.epoch,
        extra: extra.encode().map_err(|_encoding| Refusal::Internal)?,
        about: wanted.about,
    })
}

fn shown_vrf(tenant: &mut Tenant) -> Result<ShownVrf, Refusal> {
    let handle = Handle(tenant_handle(&tenant.secrets.id()));
    Ok(ShownVrf {
        public: tenant.secrets.vrf_public(),
        opening: Opening(tenant.vrf_opening),
        tenant: *tenant
            .chronicle
            .log()
            .subject(&handle)
            .ok_or(Refusal::Internal)?,
        path: tenant.chronicle.prove_subject(&handle),
    })
}

fn shown_user(tenant: &mut Tenant, user: &User) -> Result<ShownUser, Refusal> {
    let handle = Handle(user.handle);
    let (vrf_proof, label) = tenant
        .secrets
        .prove_label(NameKind::UserName, &user.keys.user_name);
    Ok(ShownUser {
        vrf: shown_vrf(tenant)?,
        name: DirName {
            handle,
            binding: user.proof.name_binding,
            since: user.proof.name_since,
        },
        name_opening: Opening(user.proof.name_opening),
        vrf_proof,
        name_path: tenant.chronicle.prove_name(&label),
        state: *tenant
            .chronicle
            .log()
            .subject(&handle)
            .ok_or(Refusal::Internal)?,
        state_path: tenant.chronicle.prove_subject(&handle),
        record: key_record::of_user(&tenant.secrets, user)?,
        key_opening: Opening(user.proof.key_opening),
    })
}
