//! What admins sign: a new tenant, delegations, and the way to every other signed act.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use chancery_authority::{ActName, Admission, Delegation, Genesis, Mode};
use chancery_directory::{Digest, EntryType, Opens, Origin, Validity, commit};
use chancery_dsse::Envelope;
use chancery_json::Fields;
use chancery_sealing::Key;
use sha2::{Digest as _, Sha256};

use super::Settings;
use super::booking::{Booking, Document, Warrant};
use super::signers::{Signed, Verified, verify};
use crate::act::{Admit, Answer, Refusal};
use crate::claim::NewClaim;
use crate::event::Event;
use crate::ledger::Ledger;
use crate::prepare::Draws;
use crate::records::ActRecord;
use crate::tenant::{Tenant, TenantSecrets};
use crate::vault::TenantKey;

pub(super) type Outcome = Result<(Option<ActRecord>, Answer), Refusal>;

/// A tenant that may come into being.
#[derive(Debug)]
pub(crate) struct Admitted {
    pub(crate) slug: String,
    pub(crate) tenant: Tenant,
    pub(crate) record: Option<ActRecord>,
    pub(crate) wrapped_key: Vec<u8>,
    pub(crate) nonce: [u8; 32],
    pub(crate) expires_ms: u64,
    pub(crate) answer: Answer,
}

/// Checks the papers of a new tenant and makes its keys and the first entry of its log.
pub(crate) fn admit<R>(
    ledger: &Ledger<R>,
    now_ms: u64,
    admit: &Admit,
) -> Result<Admitted, Refusal> {
    let settings = ledger.settings();
    let verified = Admission::verify(
        &admit.admission,
        &settings.admission_keys,
        settings.deployment,
        now_ms,
    )?;
    let admission = verified.admission();
    let genesis = Genesis::verify(&admit.genesis)?;
    if genesis.genesis().deployment != settings.deployment {
        return Err(chancery_authority::Error::ForeignDeployment.into());
    }
    if genesis.genesis().slug != admission.slug {
        return Err(Refusal::OtherSlug);
    }
    let slug = String::from(admission.slug.as_str());
    ledger.is_free(&slug, &genesis.tenant(), &admission.nonce)?;
    let mut draws = Draws::new(&admit.fresh);
    let key = TenantKey::generate(&mut draws.entropy).map_err(|_entropy| Refusal::Internal)?;
    let secrets = TenantSecrets::new(genesis.tenant(), key).map_err(|_vrf| Refusal::Internal)?;
    let wrapped_key = ledger
        .wrap(&secrets, &mut draws.entropy)
        .map_err(|_seal| Refusal::Internal)?;
    let vrf_public = secrets.vrf_public();
    let mut tenant = Tenant::new(Arc::new(secrets), ledger.stream_of(&genesis.tenant()));
    let handle = tenant_handle(&genesis.tenant());
    let warrant = Warrant::instance(ledger.instance_handle());
    let envelope: Arc<[u8]> = Arc::from(admit.genesis.to_json());
    let mut booking = Booking::begin(
        &mut tenant,
        now_ms,
        &warrant,
        draws,
        Document::InEvent(&envelope),
        Vec::new(),
    )?;
    let vrf_commit = commit("vrf", &booking.opening(Opens::Vrf), &vrf_public);
    let vrf_opening = booking.opening(Opens::Vrf).0;
    booking.entry(EntryType::Genesis, handle, vrf_commit, Digest::ZERO)?;
    booking.event(Event::Genesis(envelope));
    let index = booking.last();
    let record = Some(booking.finish());
    tenant.vrf_opening = vrf_opening;
    Ok(Admitted {
        slug,
        record,
        wrapped_key,
        nonce: admission.nonce,
        expires_ms: admission.expires_ms,
        answer: Answer::Admitted {
            tenant: genesis.tenant(),
            index,
        },
        tenant,
    })
}

/// The tenant's own handle in its log: its id, then zeros.
pub(crate) fn tenant_handle(tenant: &chancery_authority::TenantId) -> [u8; 32] {
    Sha256::new()
        .chain_update(b"chancery/tenant-handle/v1")
        .chain_update(tenant.as_bytes())
        .finalize()
        .into()
}

/// Decides an act that admins signed.
#[expect(clippy::too_many_lines, reason = "a flat table: one arm per act")]
pub(super) fn signed(
    settings: &Settings,
    head: &mut Tenant,
    now_ms: u64,
    signed: &Signed<'_>,
    name: ActName,
    (fresh, claim): (&Key, Option<Box<NewClaim>>),
) -> Outcome {
    let (verified, mut fields) = verify(settings, head, now_ms, signed, name)?;
    let desk = Desk {
        settings,
        now_ms,
        signed,
        verified: &verified,
    };
    let draws = Draws::new(fresh);
    match name {
        ActName::DelegationPut => desk.put_delegation(head, draws, fields),
        ActName::DelegationRevoke => {
            let hash = hash_member(&mut fields, "delegation_hash")?;
            fields.finish()?;
            desk.revoke_delegation(head, draws, hash)
        }
        ActName::DelegationList => {
            fields.finish()?;
            Ok((None, desk.list_delegations(head)))
        }
        ActName::TokenIssue => desk.issue_token(head, draws, fields),
        ActName::TokenRotate => desk.rotate_token(head, draws, fields),
        ActName::TokenRevoke => {
            let handle = hash_member(&mut fields, "id")?;
            fields.finish()?;
            desk.revoke_token(head, draws, handle)
        }
        ActName::TenantImport => desk.import(head, fresh, fields),
        ActName::PlanShow => {
            fields.finish()?;
            Ok((None, Answer::Document(Box::new(desk.show_plan(head)))))
        }
        ActName::PlanApply => desk.apply_plan(head, draws, fields),
        ActName::PlanDrop => {
            fields.finish()?;
            desk.drop_plan(head, draws)
        }
        ActName::TokenList => {
            fields.finish()?;
            Ok((None, desk.list_tokens(head)))
        }
        ActName::LogRead => Desk::read_log(head, fields),
        ActName::LogAudit => Desk::audit_log(head, fields),
        ActName::LogReceipt => Desk::receipt(head, fields),
        ActName::DirectoryRead => Desk::read_directory(head, fields),
        ActName::KeysLookup => Desk::look_up(head, fields),
        ActName::KeysHistory => Desk::key_history(head, fields),
        ActName::ClaimConfirm => {
            let user = fields.take_str("user")?;
            // The caller has found the claim by its code; only the right one can be confirmed.
            fields.take_str("code")?;
            fields.finish()?;
            desk.confirm_claim(head, &user, claim)
        }
        ActName::IssuerRead => Desk::read_issuer(head, fields),
        ActName::IssuerTrust => desk.trust_issuer(head, draws, fields),
        ActName::DeviceAdd => desk.add_device(head, draws, fields),
        ActName::DeviceRevoke => desk.revoke_device(head, draws, fields),
        ActName::KeysetRotate => desk.rotate_keyset(head, draws, fields),
        ActName::MemberShow => desk.show_member(head, fields),
        ActName::GroupKey => desk.group_key(head, fields),
        ActName::ActApprove => desk.approve(head, draws, fields),
        ActName::ActHeld => {
            fields.finish()?;
            Ok((None, desk.show_held(head)))
        }
        ActName::UserSuspend => desk.suspend_user(head, draws, fields),
        ActName::UserRestore => desk.restore_user(head, draws, fields),
        ActName::UserErase => desk.erase_user(head, draws, fields),
        ActName::GroupAdd => desk.add_member(head, draws, fields),
        ActName::GroupRemove => desk.remove_member(head, draws, fields),
        ActName::AdminsPut => desk.put_admins(head, draws, fields),
        ActName::AuditorEnrol => desk.enrol_auditor(head, draws, fields),
        ActName::AuditorRevoke => {
            let key_id = hash_member(&mut fields, "id")?;
            fields.finish()?;
            desk.revoke_auditor(head, draws, key_id)
        }
        _ => Err(Refusal::Unsupported),
    }
}

pub(super) fn hash_member(fields: &mut Fields, name: &'static str) -> Result<[u8; 32], Refusal> {
    let text = fields.take_str(name)?;
    let mut out = [0; 32];
    hex::decode_to_slice(text, &mut out).map_err(|_hex| Refusal::NotFound)?;
    Ok(out)
}

/// One verified act under way.
pub(super) struct Desk<'a> {
    pub(super) settings: &'a Settings,
    pub(super) now_ms: u64,
    pub(super) signed: &'a Signed<'a>,
    pub(super) verified: &'a Verified,
}

impl Desk<'_> {
    /// What stands behind an act that admins signed.
    pub(super) fn warrant(&self, head: &Tenant) -> Warrant {
        Warrant::evident(
            Origin::Admins,
            tenant_handle(&head.secrets.id()),
            self.signed.envelope.to_json(),
        )
        .with_request(self.signed.body)
    }

    pub(super) fn begin<'h>(
        &self,
        head: &'h mut Tenant,
        draws: Draws,
        document: Document<'_>,
    ) -> Result<Booking<'h>, Refusal> {
        let warrant = self.warrant(head);
        Booking::begin(head, self.now_ms, &warrant, draws, document, Vec::new())
    }

    /// Notes the sequence numbers that the signers have used now.
    pub(super) fn spend(&self, booking: &mut Booking<'_>) {
        for event in self.verified.spent() {
            booking.event(event);
        }
    }

    /// Lets a held act through, or more acts of one kind.
    fn approve(&self, head: &mut Tenant, draws: Draws, mut fields: Fields) -> Outcome {
        if fields.contains("held") {
            let id = hash_member(&mut fields, "held")?;
            fields.finish()?;
            self.approve_held(head, draws, id)
        } else {
            self.approve_burst(head, draws, fields)
        }
    }

    fn put_delegation(&self, head: &mut Tenant, mut draws: Draws, mut fields: Fields) -> Outcome {
        let paper = fields.take("delegation")?.into_value().to_bytes();
        fields.finish()?;
        let authority = head.registry.authority().ok_or(Refusal::Internal)?;
        let envelope = Envelope::parse(&paper).map_err(chancery_authority::Error::Envelope)?;
        let verified = Delegation::verify(&envelope, authority)?;
        let known = head.registry.delegations();
        if known
            .iter()
            .any(|granted| granted.delegation.hash() == verified.hash())
        {
            return Err(Refusal::Taken {
                what: "this delegation",
            });
        }
        let serial = verified.delegation().serial;
        if known
            .iter()
            .any(|granted| granted.delegation.delegation().serial >= serial)
        {
            return Err(Refusal::Taken {
                what: "this or a higher delegation serial",
            });
        }
        let terms = verified.delegation();
        // From here on acts would take effect over what was asked for before and decided by nobody.
        let is_open = head
            .registry
            .plan()
            .is_some_and(|plan| plan.approved().is_none());
        if is_open && terms.mode == Mode::Apply {
            return Err(Refusal::PlanOpen);
        }
        if terms.not_after_ms <= self.now_ms {
            return Err(Refusal::Delegation(chancery_authority::Refusal::Expired {
                not_after_ms: terms.not_after_ms,
            }));
        }
        let validity = Validity {
            not_before_ms: terms.not_before_ms,
            not_after_ms: terms.not_after_ms,
        };
        let subject = *verified.hash();
        let handle = draws.bytes()?;
        let mut booking = self.begin(head, draws, Document::InEvent(&paper))?;
        booking.entry(
            EntryType::DelegationGranted,
            handle,
            Digest::ZERO,
            validity.to_object_commit(),
        )?;
        booking.event(Event::DelegationPut {
            handle,
            envelope: Arc::from(paper),
        });
        self.spend(&mut booking);
        let index = booking.last();
        Ok((Some(booking.finish()), Answer::Done { subject, index }))
    }

    fn revoke_delegation(&self, head: &mut Tenant, draws: Draws, hash: [u8; 32]) -> Outcome {
        let granted = head
            .registry
            .delegations()
            .iter()
            .find(|granted| granted.delegation.hash() == &hash && !granted.revoked)
            .ok_or(Refusal::NotFound)?;
        let handle = granted.handle;
        let mut booking = self.begin(head, draws, Document::None)?;
        booking.plain(EntryType::DelegationRevoked, handle)?;
        booking.event(Event::DelegationRevoked { hash });
        self.spend(&mut booking);
        let index = booking.last();
        Ok((
            Some(booking.finish()),
            Answer::Done {
                subject: hash,
                index,
            },
        ))
    }
}
