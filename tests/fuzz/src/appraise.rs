//! The whole appraisal of genuine evidence, of which the input changes parts.

use chancery_verify::Amd;
use chancery_verify::Refusal;
use chancery_verify::Stage;
use chancery_verify::appraise as appraise_evidence;
use chancery_verify::examine;

use crate::accepted;
use crate::fixture::Genuine;
use crate::fixture::Input;
use crate::fixture::genuine;

/// Enough to change every part several times.
const EDITS_MAX: usize = 32;
/// No part of evidence is longer.
const PART_SIZE_MAX: usize = 70_000;

/// Evidence is accepted exactly if it is the genuine one of its policy, whatever was changed, moved or mixed.
///
/// The first byte chooses a genuine report; then come changes, each a byte for the part, a byte for what to do, and what that needs.
pub fn appraise(bytes: &[u8]) -> bool {
    let mut script = Script(bytes);
    let Some((one, others)) = script.choose() else {
        return false;
    };
    let mut input = one.input.clone();
    for _ in 0..EDITS_MAX {
        if script.edit(&mut input, others).is_none() {
            break;
        }
    }
    appraise_input(one, &input)
}

fn appraise_input(one: &Genuine, input: &Input) -> bool {
    let result = appraise_evidence(
        &Amd,
        &input.evidence,
        &one.policy,
        &one.floors,
        &input.report_data,
        input.now_ms,
    );
    let refused_in = result.as_ref().err().map(Refusal::stage);
    if let Err(refusal) = &result {
        assert_names_checks(refusal);
    }
    let is_genuine = one.is(input);
    let accepted = accepted(result, |_| {});
    assert_eq!(accepted, is_genuine, "refused in {refused_in:?}");
    // A person who looks at a file sees the same.
    if refused_in == Some(Stage::Parse) {
        let seen = examine(
            &Amd,
            &input.evidence,
            &one.policy,
            &one.floors,
            None,
            input.now_ms,
        );
        assert_eq!(seen.refused_in(), refused_in);
    }
    accepted
}

/// One failed check in the stage that it belongs to, or one and more in the last; each check at most once and in order; no text that a
/// terminal would obey.
pub(crate) fn assert_names_checks(refusal: &Refusal) {
    let failed = refusal.failed().count();
    let policy = refusal.stage() == Stage::Policy;
    assert!(
        failed == 1 || policy && failed > 1,
        "{failed} checks failed"
    );
    assert!(
        refusal
            .failed()
            .all(|row| row.check.stage() == refusal.stage())
    );
    let rows = refusal.rows();
    let checks = rows.iter().map(|row| row.check);
    assert!(checks.clone().map(|check| check.stage()).is_sorted());
    for (at, row) in rows.iter().enumerate() {
        let before = checks.clone().take(at).any(|check| check == row.check);
        assert!(!before, "{} twice", row.check.name());
        let control = |text: &str| text.contains(char::is_control);
        assert!(!control(&row.expected) && !control(&row.got), "{row:?}");
    }
}

/// Reads what to do from the input.
struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*first)
    }

    /// As many bytes as a length byte says, or as are left.
    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::from(self.byte()?).min(self.0.len());
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    fn choose(&mut self) -> Option<(&'static Genuine, &'static [Genuine])> {
        let all = genuine();
        let at = usize::from(self.byte()?).checked_rem(all.len())?;
        Some((all.get(at)?, all))
    }

    /// A place in `part`, its end included.
    fn place(&mut self, part: &[u8]) -> Option<usize> {
        let offset = usize::from(u16::from_le_bytes(self.array()?));
        offset.checked_rem(part.len().checked_add(1)?)
    }

    fn edit(&mut self, input: &mut Input, others: &[Genuine]) -> Option<()> {
        let which = self.byte()? % 7;
        if which == 6 {
            input.now_ms = u64::from_le_bytes(self.array()?);
            return Some(());
        }
        if which == 5 {
            let at = usize::from(self.byte()?) % 64;
            let flip = self.byte()?;
            *input.report_data.get_mut(at)? ^= flip;
            return Some(());
        }
        let what = self.byte()? % 5;
        if what == 4 {
            let at = usize::from(self.byte()?).checked_rem(others.len())?;
            let from = &others.get(at)?.input;
            *part(input, which) = part(&mut from.clone(), which).clone();
            return Some(());
        }
        self.edit_part(part(input, which), what)
    }

    fn edit_part(&mut self, part: &mut Vec<u8>, what: u8) -> Option<()> {
        let at = self.place(part)?;
        match what {
            0 => {
                let flip = self.byte()?;
                *part.get_mut(at)? ^= flip;
            }
            1 => {
                for (to, from) in part.iter_mut().skip(at).zip(self.bytes()?) {
                    *to = *from;
                }
            }
            2 => {
                let more = self.bytes()?;
                if part.len() < PART_SIZE_MAX {
                    part.splice(at..at, more.iter().copied());
                }
            }
            _ => {
                let length = usize::from(u16::from_le_bytes(self.array()?));
                let end = at.saturating_add(length).min(part.len());
                part.drain(at..end);
            }
        }
        Some(())
    }
}

fn part(input: &mut Input, which: u8) -> &mut Vec<u8> {
    let evidence = &mut input.evidence;
    match which {
        0 => &mut evidence.report,
        1 => &mut evidence.vcek,
        2 => &mut evidence.ask,
        3 => &mut evidence.ark,
        _ => &mut evidence.crl,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_each_genuine_input_and_its_twin() {
        for one in genuine() {
            assert!(appraise_input(one, &one.input));
            let mut twin = one.input.clone();
            twin.evidence.report.clone_from(&one.twin);
            assert!(appraise_input(one, &twin));
        }
    }

    #[test]
    fn each_change_reaches_the_part_that_it_names() {
        let edited = |script: &[u8]| {
            let all = genuine();
            let mut input = all[0].input.clone();
            Script(script).edit(&mut input, all).unwrap();
            input
        };
        let original = &genuine()[0].input;
        let flipped = edited(&[0, 0, 2, 0, 0xff]);
        assert_eq!(
            flipped.evidence.report[2],
            original.evidence.report[2] ^ 0xff
        );
        let written = edited(&[1, 1, 1, 0, 2, 7, 8]);
        assert_eq!(written.evidence.vcek[1..3], [7, 8]);
        let longer = edited(&[2, 2, 0, 0, 1, 9]);
        assert_eq!(longer.evidence.ask.len(), original.evidence.ask.len() + 1);
        let shorter = edited(&[3, 3, 1, 0, 0xff, 0xff]);
        assert_eq!(shorter.evidence.ark.len(), 1);
        let mixed = edited(&[4, 4, 2]);
        assert_eq!(mixed.evidence.crl, genuine()[2].input.evidence.crl);
        assert_ne!(mixed.evidence.crl, original.evidence.crl);
        assert_eq!(
            edited(&[5, 3, 1]).report_data[3],
            original.report_data[3] ^ 1
        );
        assert_eq!(edited(&[6, 1, 0, 0, 0, 0, 0, 0, 0]).now_ms, 1);
    }
}
