//! The policy file: one pass over its lines, then the arithmetic.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::string::ToString as _;
use alloc::vec::Vec;

use super::ENTRIES_MAX;
use super::Group;
use super::Member;
use super::POLICY_BYTES_MAX;
use super::Policy;
use super::PolicyLog;
use super::PolicyWitness;
use super::WitnessId;
use super::sum_smallest;
use crate::Error;
use crate::note::KeyKind;
use crate::note::VerifierKey;
use crate::text::parse_decimal;

/// The name that stands for "no cosignature needed"; never a witness, group or member.
const NONE: &str = "none";

#[derive(Default)]
struct Lines<'a> {
    logs: Vec<PolicyLog>,
    witnesses: Vec<PolicyWitness>,
    groups: Vec<Group>,
    names: BTreeMap<&'a str, Member>,
    quorum: Option<Member>,
}

pub(super) fn parse(text: &str) -> Result<Policy, Error> {
    if text.len() > POLICY_BYTES_MAX {
        return Err(Error::TooLarge);
    }
    let control = |b: u8| (b < 0x20 && b != b'\t' && b != b'\n') || b == 0x7f;
    if text.bytes().any(control) {
        return Err(Error::Encoding);
    }
    let mut lines = Lines::default();
    for line in text.strip_suffix('\n').ok_or(Error::Line)?.split('\n') {
        let words: Vec<&str> = line.split([' ', '\t']).filter(|w| !w.is_empty()).collect();
        lines.add(&words)?;
    }
    lines.finish()
}

impl<'a> Lines<'a> {
    fn add(&mut self, words: &[&'a str]) -> Result<(), Error> {
        match *words {
            [] => Ok(()),
            [first, ..] if first.starts_with('#') => Ok(()),
            ["log", key, ref url @ ..] => self.log(key, url),
            ["witness", name, key, ref url @ ..] => self.witness(name, key, url),
            ["group", name, threshold, ref members @ ..] => self.group(name, threshold, members),
            ["quorum", name] => self.quorum(name),
            _ => Err(Error::PolicyLine),
        }
    }

    fn log(&mut self, key: &str, url: &[&str]) -> Result<(), Error> {
        let (key, url) = (VerifierKey::parse(key)?, address(url)?);
        if key.kind() != KeyKind::Ed25519 {
            return Err(Error::KeyType);
        }
        self.check_new_key(&key)?;
        check_room(self.logs.len())?;
        self.logs.push(PolicyLog { key, url });
        Ok(())
    }

    fn witness(&mut self, name: &'a str, key: &str, url: &[&str]) -> Result<(), Error> {
        let (key, url) = (VerifierKey::parse(key)?, address(url)?);
        if key.kind() != KeyKind::Cosignature {
            return Err(Error::KeyType);
        }
        self.check_new_key(&key)?;
        check_room(self.witnesses.len())?;
        self.define(name, Member::Witness(WitnessId(self.witnesses.len())))?;
        self.witnesses.push(PolicyWitness {
            name: name.to_string(),
            key,
            url,
        });
        Ok(())
    }

    fn group(&mut self, name: &'a str, threshold: &str, members: &[&str]) -> Result<(), Error> {
        let threshold = match threshold {
            "all" => members.len(),
            "any" => 1,
            number => usize::try_from(parse_decimal(number)?).unwrap_or(usize::MAX),
        };
        if threshold < 1 || threshold > members.len() {
            return Err(Error::PolicyThreshold);
        }
        check_room(self.groups.len())?;
        let mut group = Group {
            threshold,
            members: Vec::new(),
        };
        for member in members {
            let member = self
                .names
                .get(member)
                .copied()
                .ok_or(Error::PolicyUnknownName)?;
            let earlier = self.groups.iter().chain([&group]);
            if earlier.flat_map(|g| &g.members).any(|m| *m == member) {
                return Err(Error::PolicyMemberTwice);
            }
            group.members.push(member);
        }
        self.define(name, Member::Group(self.groups.len()))?;
        self.groups.push(group);
        Ok(())
    }

    fn quorum(&mut self, name: &str) -> Result<(), Error> {
        if self.quorum.is_some() {
            return Err(Error::PolicyQuorum);
        }
        if name == NONE {
            return Err(Error::PolicyDisjoint);
        }
        self.quorum = Some(
            self.names
                .get(name)
                .copied()
                .ok_or(Error::PolicyUnknownName)?,
        );
        Ok(())
    }

    fn define(&mut self, name: &'a str, member: Member) -> Result<(), Error> {
        if name == NONE || self.names.insert(name, member).is_some() {
            return Err(Error::PolicyName);
        }
        Ok(())
    }

    /// One public key has one role and one line, and a signature line points to one key.
    fn check_new_key(&self, key: &VerifierKey) -> Result<(), Error> {
        let known = self
            .logs
            .iter()
            .map(|l| &l.key)
            .chain(self.witnesses.iter().map(|w| &w.key));
        for other in known {
            let same_label = other.name() == key.name() && other.id() == key.id();
            if same_label || other.public_key() == key.public_key() {
                return Err(Error::PolicyDuplicateKey);
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<Policy, Error> {
        let quorum = self.quorum.ok_or(Error::PolicyQuorum)?;
        let (shared_min, blocking_min) = strength(&self.groups, quorum);
        if shared_min == 0 {
            return Err(Error::PolicyDisjoint);
        }
        let counted = counted(&self.groups, quorum);
        let Self {
            logs,
            witnesses,
            groups,
            ..
        } = self;
        Ok(Policy {
            logs,
            witnesses,
            groups,
            quorum,
            counted,
            shared_min,
            blocking_min,
        })
    }
}

fn address(words: &[&str]) -> Result<Option<String>, Error> {
    match words {
        [] => Ok(None),
        [url] => Ok(Some((*url).to_string())),
        _ => Err(Error::PolicyLine),
    }
}

const fn check_room(count: usize) -> Result<(), Error> {
    if count >= ENTRIES_MAX {
        return Err(Error::PolicyTooLarge);
    }
    Ok(())
}

/// `I` and `B` of the module page for the quorum. Groups come in order, members before users.
fn strength(groups: &[Group], quorum: Member) -> (usize, usize) {
    let mut known: Vec<(usize, usize)> = Vec::new();
    let of = |member: Member, known: &[(usize, usize)]| match member {
        Member::Witness(_) => (1, 1),
        Member::Group(index) => known.get(index).copied().unwrap_or((0, 0)),
    };
    for group in groups {
        let (shared, blocking) = group.members.iter().map(|m| of(*m, &known)).unzip();
        let (n, k) = (group.members.len(), group.threshold);
        let overlap = k.saturating_mul(2).saturating_sub(n);
        let silent = n.saturating_sub(k).saturating_add(1);
        known.push((
            sum_smallest(shared, overlap),
            sum_smallest(blocking, silent),
        ));
    }
    of(quorum, &known)
}

/// The witnesses in the tree under the quorum, ascending.
fn counted(groups: &[Group], quorum: Member) -> Vec<WitnessId> {
    let (mut open, mut found) = (alloc::vec![quorum], Vec::new());
    while let Some(member) = open.pop() {
        match member {
            Member::Witness(id) => found.push(id),
            Member::Group(index) => {
                open.extend(
                    groups
                        .get(index)
                        .into_iter()
                        .flat_map(|g| g.members.iter().copied()),
                );
            }
        }
    }
    found.sort_unstable();
    found
}
