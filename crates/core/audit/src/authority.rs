//! By what right an act was made: its credential and delegation, or whose signature.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use chancery_authority::{
    ActClass, GroupStanding, Mode, Refusal, Scope, ScopeSet, UserNameForm, VerifiedDelegation,
};
use chancery_directory::{EntryType, GroupDelta, Handle, Origin};
use chancery_scim::Identifier;

use crate::audit::{Act, Actor, Audit, Step};
use crate::finding::{Breach, Fault};
use crate::paper::Paper;
use crate::world::{Approved, HeldChange};

/// What an act needs from its delegation.
#[derive(Debug, Default)]
struct Needs {
    scopes: BTreeSet<Scope>,
    /// Identifiers that it sets or brings back to life.
    identifiers: Vec<Identifier>,
    /// UserNames before and after.
    accounts: Vec<String>,
    /// UserNames of those whose memberships it changes.
    members: Vec<String>,
    /// Folded display names of groups, before and after.
    groups: Vec<String>,
    /// Whether it touches a group by either scope: its description, or members who are suspended.
    touches_group: bool,
    /// Whether it does anything but record what it would do.
    acts: bool,
}

impl Needs {
    /// A scope that is needed, not waived, and not among these.
    fn lacking(&self, scopes: ScopeSet, waived: Option<Scope>) -> Option<Scope> {
        let lacks = |scope: &&Scope| !scopes.contains(**scope) && Some(**scope) != waived;
        let touches =
            scopes.contains(Scope::GroupsManage) || scopes.contains(Scope::GroupsMembership);
        let either = (self.touches_group && !touches).then_some(Scope::GroupsManage);
        self.scopes.iter().find(lacks).copied().or(either)
    }
}

impl Audit {
    /// The act rests on something, and that bears it.
    pub(crate) fn check_authority(&mut self, act: &Act, paper: &Paper) {
        if act.find(EntryType::Genesis).is_some() {
            // The paper itself is the authority, and was read as one.
            return;
        }
        for step in &act.steps {
            if !goes_with(step, act.details.origin) {
                self.find(step.entry.index, Fault::OriginMismatch);
            }
        }
        let approved = self.approval(act);
        match act.details.origin {
            Origin::Credential => self.check_credential(act, paper, approved),
            Origin::Admins => self.check_admins(act),
            Origin::Member => self.check_member(act),
            Origin::Claim | Origin::ConfirmedClaim => {
                let claims = [EntryType::KeyConfirmed, EntryType::DeviceChanged];
                if claims.iter().all(|kind| act.find(*kind).is_none()) {
                    self.find(act.first(), Fault::OriginMismatch);
                }
            }
            Origin::Runtime => {}
        }
        let bare = matches!(act.details.origin, Origin::Credential | Origin::Runtime);
        if bare && !act.exhibit.evidence.is_empty() {
            self.find(act.first(), Fault::EvidenceUnexpected);
        }
        self.check_domains(act, paper);
    }

    /// Identifiers stay inside the tenant's domains, whoever sets them.
    fn check_domains(&mut self, act: &Act, paper: &Paper) {
        let (Paper::User(document), Some(authority)) = (paper, &self.world.authority) else {
            return;
        };
        let sets = [
            EntryType::UserProvisioned,
            EntryType::ProfileChanged,
            EntryType::NameChanged,
        ];
        let trusted = |identifier: &Identifier| {
            identifier
                .domain
                .as_deref()
                .is_none_or(|domain| authority.domains().contains(domain))
        };
        let outside = !document.identifiers().iter().all(trusted);
        if outside && sets.iter().any(|kind| act.find(*kind).is_some()) {
            self.find(act.first(), Fault::OutsideDomains);
        }
    }

    /// What the act's approval approves, if it rests on one.
    fn approval(&mut self, act: &Act) -> Option<Approved> {
        let handle = act.details.approval;
        if handle.is_zero() || self.world.windows.contains(&handle) {
            return None;
        }
        let given_here = act.has(EntryType::ApprovalGiven, &handle)
            || act.has(EntryType::BreakGlassOpened, &handle);
        let Some(approval) = self.world.approvals.get_mut(&handle) else {
            if !given_here {
                self.find(act.first(), Fault::ApprovalUnknown);
            }
            return None;
        };
        let what = approval.what;
        let spent = core::mem::replace(&mut approval.spent, true);
        if spent && what == Approved::Held {
            self.find(act.first(), Fault::ApprovalSpent);
        }
        let held = self.world.held.get(&handle);
        if held.is_some_and(|held| !act.details.groups.iter().all(|delta| waited(held, delta))) {
            self.find(act.first(), Fault::ApprovalOther);
        }
        Some(what)
    }

    /// A credential that was alive, under a delegation that covers every part of the act.
    fn check_credential(&mut self, act: &Act, paper: &Paper, approved: Option<Approved>) {
        let index = act.first();
        let needs = self.needs(act, paper);
        // Admins signed that whoever a plan leaves unmatched is suspended: no credential asked for that.
        let planned = matches!(approved, Some(Approved::Plan(_)));
        let waived = planned.then_some(Scope::UsersSuspend);
        // What admins approved after it was asked for may outlive the credential that asked.
        let waited = matches!(approved, Some(Approved::Held | Approved::Plan(_)));
        match self.world.credentials.get(&act.details.credential) {
            None => self.find(index, Fault::CredentialUnknown),
            Some(credential) => {
                let lacks = needs.lacking(credential.scopes, waived);
                let revoked = credential.revoked && !waited;
                let expired = !credential.validity.holds_at(act.time_ms()) && !waited;
                if revoked {
                    self.find(index, Fault::CredentialRevoked);
                }
                if expired {
                    self.find(index, Fault::CredentialExpired);
                }
                if let Some(scope) = lacks {
                    self.find(index, Fault::CredentialScope(scope));
                }
            }
        }
        let delegated = |step: &&Step| step.actor == Actor::Delegation;
        let Some(step) = act.steps.iter().find(delegated) else {
            return;
        };
        let Some(grant) = self.world.grants.get(&step.entry.actor) else {
            return self.find(index, Fault::OtherDelegation);
        };
        let mut faults = Vec::new();
        if grant.paper.hash() != &act.details.delegation.0 {
            faults.push(Fault::OtherDelegation);
        }
        let admins = self.world.authority.as_ref().map(|one| one.admins());
        if !admins.is_some_and(|admins| grant.paper.is_signed_by(admins)) {
            faults.push(Fault::DelegationEnded);
        }
        let breaches = breaches(&grant.paper, &needs, act.time_ms(), approved);
        faults.extend(breaches.into_iter().map(Fault::OutsideDelegation));
        for fault in faults {
            self.find(index, fault);
        }
    }

    fn needs(&self, act: &Act, paper: &Paper) -> Needs {
        let mut needs = Needs::default();
        let leaving = self.leaving(act);
        for step in &act.steps {
            let records = [EntryType::IntentRecorded, EntryType::ActHeld];
            needs.acts |= !records.contains(&step.entry.kind);
            self.need_of_user(act, step, &leaving, &mut needs);
            self.need_of_group(act, step, &leaving, &mut needs);
        }
        match paper {
            Paper::User(document) => {
                needs
                    .accounts
                    .push(document.keys().user_name.as_str().into());
                let sets = needs.scopes.contains(&Scope::UsersCreate)
                    || needs.scopes.contains(&Scope::UsersUpdate)
                    || act.find(EntryType::Reactivated).is_some();
                if sets {
                    needs.identifiers = document.identifiers();
                }
            }
            Paper::Group(document) if !needs.groups.is_empty() => {
                needs
                    .groups
                    .push(document.keys().display_name.as_str().into());
            }
            _ => {}
        }
        needs
    }

    /// The users who lose all memberships in this act, because they are suspended or gone.
    fn leaving(&self, act: &Act) -> BTreeSet<Handle> {
        act.steps
            .iter()
            .filter(|step| match step.entry.kind {
                EntryType::Suspended | EntryType::Deleted => true,
                EntryType::NameChanged => self.departs(act, &step.entry.subject),
                _ => false,
            })
            .map(|step| step.entry.subject)
            .collect()
    }

    fn need_of_user(&self, act: &Act, step: &Step, leaving: &BTreeSet<Handle>, needs: &mut Needs) {
        let (kind, subject) = (step.entry.kind, &step.entry.subject);
        if !self.is_user(subject) {
            return;
        }
        let departs = leaving.contains(subject) && self.departs(act, subject);
        let scope = match kind {
            EntryType::UserProvisioned => Scope::UsersCreate,
            EntryType::ProfileChanged | EntryType::KeyRotated => Scope::UsersUpdate,
            EntryType::NameChanged if departs => Scope::UsersDelete,
            EntryType::NameChanged => Scope::UsersUpdate,
            // A user may be made suspended.
            EntryType::Suspended if act.has(EntryType::UserProvisioned, subject) => {
                Scope::UsersCreate
            }
            EntryType::Suspended if departs => Scope::UsersDelete,
            EntryType::Suspended | EntryType::Reactivated => Scope::UsersSuspend,
            EntryType::Deleted | EntryType::Erased => Scope::UsersDelete,
            _ => return,
        };
        needs.scopes.insert(scope);
        if let Some(name) = self.world.name_of(subject) {
            needs.accounts.push(name.into());
        }
    }

    fn need_of_group(&self, act: &Act, step: &Step, leaving: &BTreeSet<Handle>, needs: &mut Needs) {
        let (kind, subject) = (step.entry.kind, &step.entry.subject);
        if self.is_user(subject) {
            return;
        }
        match kind {
            EntryType::GroupCreated | EntryType::GroupDeleted | EntryType::NameChanged => {
                needs.scopes.insert(Scope::GroupsManage);
            }
            // Also what says that only suspended members were touched.
            EntryType::ProfileChanged => needs.touches_group = true,
            EntryType::GroupMemberChanged => {
                let follows = |delta: &GroupDelta| {
                    delta.added.is_empty() && delta.removed.iter().all(|one| leaving.contains(one))
                };
                let mut deltas = act.details.groups.iter();
                let own = deltas.find(|delta| delta.group == *subject);
                if !leaving.is_empty() && own.is_some_and(follows) {
                    return;
                }
                needs.scopes.insert(Scope::GroupsMembership);
                let members = own
                    .into_iter()
                    .flat_map(|delta| delta.added.iter().chain(&delta.removed));
                let names = members.filter_map(|one| self.world.name_of(one));
                needs.members.extend(names.map(String::from));
            }
            _ => return,
        }
        let group = self.world.groups.get(subject);
        needs.groups.push(
            group
                .and_then(|group| group.name.clone())
                .unwrap_or_default(),
        );
    }
}

/// Whether a change of a group is what was held, or what is left of it.
fn waited(held: &HeldChange, delta: &GroupDelta) -> bool {
    delta.group == held.group
        && delta.added.iter().all(|one| held.added.contains(one))
        && delta.removed.iter().all(|one| held.removed.contains(one))
}

/// Whether this actor acts on what this origin rests on.
const fn goes_with(step: &Step, origin: Origin) -> bool {
    match (step.actor, origin) {
        (Actor::Delegation, Origin::Credential | Origin::Admins)
        | (Actor::Window | Actor::Admins, Origin::Admins | Origin::ConfirmedClaim)
        | (Actor::Itself, Origin::Member | Origin::Claim)
        | (Actor::Instance, _) => true,
        (Actor::Delegation | Actor::Window | Actor::Admins | Actor::Itself, _) => false,
    }
}

/// How what an act needs is outside a delegation.
fn breaches(
    paper: &VerifiedDelegation,
    needs: &Needs,
    time_ms: u64,
    approved: Option<Approved>,
) -> Vec<Breach> {
    let mut found = Vec::new();
    let planned = matches!(approved, Some(Approved::Plan(_)));
    let domains: Vec<&str> = needs
        .identifiers
        .iter()
        .filter_map(|identifier| identifier.domain.as_deref())
        .collect();
    let user_name = if needs.identifiers.iter().all(|one| one.domain.is_some()) {
        UserNameForm::InDomain
    } else {
        UserNameForm::WithoutDomain
    };
    for scope in &needs.scopes {
        let class = ActClass {
            scope: *scope,
            domains: &domains,
            user_name,
        };
        if let Err(refusal) = paper.permits(time_ms, &class) {
            found.push(match refusal {
                Refusal::ScopeMissing { scope } => Breach::Scope(scope),
                Refusal::DomainNotTrusted { .. } => Breach::Domain,
                Refusal::UserNameWithoutDomain => Breach::UserNameWithoutDomain,
                _ => Breach::Time,
            });
        }
    }
    if found.is_empty()
        && let Some(scope) = needs.lacking(paper.delegation().scopes, None)
    {
        found.push(Breach::Scope(scope));
    }
    if paper.delegation().mode == Mode::Plan && needs.acts && !planned {
        found.push(Breach::OnlyPlans);
    }
    for account in &needs.accounts {
        if paper.is_protected_account(account) {
            found.push(Breach::ProtectedAccount);
        }
        if !paper.pilot_has_account(account) {
            found.push(Breach::Pilot);
        }
    }
    if !needs.members.iter().all(|one| paper.pilot_has_account(one)) {
        found.push(Breach::Pilot);
    }
    for group in needs.groups.iter().filter(|name| !name.is_empty()) {
        match paper.group_standing(group) {
            GroupStanding::Managed => {}
            GroupStanding::Sensitive if planned || approved == Some(Approved::Held) => {}
            GroupStanding::Sensitive => found.push(Breach::SensitiveGroup),
            GroupStanding::Unmanaged => found.push(Breach::UnmanagedGroup),
            GroupStanding::Protected => found.push(Breach::ProtectedGroup),
        }
        if !paper.pilot_has_group(group) {
            found.push(Breach::Pilot);
        }
    }
    found.dedup();
    found
}
