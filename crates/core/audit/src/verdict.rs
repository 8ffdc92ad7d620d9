//! The end of an audit, in numbers and in sentences.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use chancery_directory::{SubjectKind, SubjectState, TenantHead};

use crate::audit::Audit;
use crate::finding::Finding;

/// What was counted on the way.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) batches: u64,
    pub(crate) acts: u64,
    pub(crate) withheld: u64,
    pub(crate) keys: u64,
    pub(crate) delegations: u64,
    pub(crate) credentials: u64,
    /// Signed acts whose request, which says whom they name, is not kept.
    pub(crate) unnamed: u64,
    pub(crate) imported: u64,
    pub(crate) confirmed_by_admins: u64,
    /// What the log was compared with, in sentences.
    pub(crate) compared: Vec<String>,
}

/// How many there are of each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Leaves of the log.
    pub leaves: u64,
    /// Batches.
    pub batches: u64,
    /// Acts.
    pub acts: u64,
    /// Acts whose private part was withheld because a subject was erased.
    pub withheld: u64,
    /// Users with a pending keyset.
    pub provisioned: u64,
    /// Users with keys of their own.
    pub confirmed: u64,
    /// Users who are suspended, and those who left and wait for erasure.
    pub suspended: u64,
    /// Users who were deleted.
    pub deleted: u64,
    /// Groups that were not deleted.
    pub groups: u64,
    /// Memberships of those groups.
    pub memberships: u64,
    /// Keys that these groups have had.
    pub epochs: u64,
    /// Key records that were opened.
    pub keys: u64,
    /// Delegations that were granted.
    pub delegations: u64,
    /// Credentials that were issued.
    pub credentials: u64,
    /// Claims that admins confirmed; the code that they compared is not in the log.
    pub confirmed_by_admins: u64,
    /// Keys that admins imported; the list that they signed need not be in the log.
    pub imported: u64,
    /// Signed acts of which nothing shows whom they named.
    pub unnamed: u64,
}

/// The verdict on a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    sentences: Vec<String>,
    findings: Vec<Finding>,
    findings_more: u64,
    counts: Counts,
    head: TenantHead,
}

impl Verdict {
    pub(crate) fn new(audit: Audit, head: TenantHead) -> Self {
        let counts = count(&audit);
        let compared = audit.tally.compared;
        let (findings, findings_more) = audit.findings.into_parts();
        let mut sentences = summary(&counts, &head);
        sentences.extend(compared);
        sentences.push(conclusion(&findings, findings_more));
        Self {
            sentences,
            findings,
            findings_more,
            counts,
            head,
        }
    }

    /// The verdict in sentences, for people; the last one says whether anything was found.
    #[must_use]
    pub fn sentences(&self) -> &[String] {
        &self.sentences
    }

    /// What does not add up, in the order in which it was found; at most [`crate::FINDINGS_MAX`].
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// How many findings more there are than [`Self::findings`] has.
    #[must_use]
    pub const fn findings_more(&self) -> u64 {
        self.findings_more
    }

    /// Whether everything adds up.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    /// The numbers.
    #[must_use]
    pub const fn counts(&self) -> &Counts {
        &self.counts
    }

    /// The witnessed head that the log was compared with.
    #[must_use]
    pub const fn head(&self) -> &TenantHead {
        &self.head
    }
}

fn count(audit: &Audit) -> Counts {
    let tally = &audit.tally;
    let mut counts = Counts {
        leaves: audit.size(),
        batches: tally.batches,
        acts: tally.acts,
        withheld: tally.withheld,
        keys: tally.keys,
        delegations: tally.delegations,
        credentials: tally.credentials,
        confirmed_by_admins: tally.confirmed_by_admins,
        imported: tally.imported,
        unnamed: tally.unnamed,
        ..Counts::default()
    };
    for subject in audit.log.subjects() {
        if subject.kind != SubjectKind::User {
            continue;
        }
        let place = match subject.state {
            SubjectState::Provisioned => &mut counts.provisioned,
            SubjectState::Confirmed => &mut counts.confirmed,
            SubjectState::Deleted => &mut counts.deleted,
            _ => &mut counts.suspended,
        };
        *place = place.saturating_add(1);
    }
    for group in audit.world.groups.values().filter(|group| !group.deleted) {
        let members = u64::try_from(group.members.len()).unwrap_or(u64::MAX);
        counts.groups = counts.groups.saturating_add(1);
        counts.memberships = counts.memberships.saturating_add(members);
        counts.epochs = counts.epochs.saturating_add(u64::from(group.epoch));
    }
    counts
}

fn summary(counts: &Counts, head: &TenantHead) -> Vec<String> {
    let mut sentences = alloc::vec![
        format!(
            "Replayed {} leaves of {} batches up to the witnessed head {}: {} acts.",
            counts.leaves, counts.batches, head.version, counts.acts
        ),
        format!(
            "Users: {} provisioned, {} confirmed, {} suspended, {} deleted.",
            counts.provisioned, counts.confirmed, counts.suspended, counts.deleted
        ),
        format!(
            "Groups: {} with {} memberships and {} keys so far.",
            counts.groups, counts.memberships, counts.epochs
        ),
        format!(
            "Granted {} delegations and {} credentials; opened {} key records.",
            counts.delegations, counts.credentials, counts.keys
        ),
    ];
    if counts.withheld > 0 {
        sentences.push(format!(
            "{} acts are of erased subjects, and nothing but their names' labels is left of them.",
            counts.withheld
        ));
    }
    if counts.confirmed_by_admins > 0 {
        sentences.push(format!(
            "{} claims were confirmed by admins; the log cannot show the code that they compared.",
            counts.confirmed_by_admins
        ));
    }
    if counts.imported > 0 {
        sentences.push(format!(
            "{} keys were imported by admins, who vouch for them.",
            counts.imported
        ));
    }
    if counts.unnamed > 0 {
        sentences.push(format!(
            "{} acts are signed by admins without a record of whom their request named.",
            counts.unnamed
        ));
    }
    sentences
}

fn conclusion(findings: &[Finding], more: u64) -> String {
    let count = u64::try_from(findings.len())
        .unwrap_or(u64::MAX)
        .saturating_add(more);
    match count {
        0 => "Everything adds up.".into(),
        1 => "One thing does not add up.".into(),
        many => format!("{many} things do not add up."),
    }
}
