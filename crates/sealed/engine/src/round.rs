//! Whom to ask for a cosignature, and when: the order of design section 6, without any I/O.
//!
//! Witnesses are asked in one fixed order: the first alone, the rest together after its answer. A
//! first one that stays silent for [`SILENCE_MS`] makes room for the next. Two writers that race
//! therefore meet at one witness, and the loser learns it before it has divided anybody.

use alloc::vec::Vec;

/// How long the witness that is asked alone may stay silent, in milliseconds.
pub const SILENCE_MS: u64 = 250;

/// What came of asking one witness.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It cosigned.
    Cosigned,
    /// It could not be reached, or its answer was of no use.
    Failed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Not,
    Waiting,
    Done(Outcome),
}

/// One submission of one checkpoint to all witnesses.
#[derive(Debug)]
pub struct Round {
    witnesses: Vec<Asked>,
    alone: Option<(usize, u64)>,
}

impl Round {
    /// Begins a round over `count` witnesses at `now_ms`; returns it with the first to ask.
    #[must_use]
    pub fn begin(count: usize, now_ms: u64) -> (Self, Vec<usize>) {
        let mut round = Self {
            witnesses: alloc::vec![Asked::Not; count],
            alone: None,
        };
        let first = round.ask_next_alone(now_ms);
        (round, first)
    }

    /// When the witness that is asked alone has been silent for too long.
    #[must_use]
    pub fn deadline_ms(&self) -> Option<u64> {
        self.alone
            .map(|(_, since)| since.saturating_add(SILENCE_MS))
    }

    /// Notes an answer; returns whom to ask now.
    pub fn answered(&mut self, witness: usize, outcome: Outcome, now_ms: u64) -> Vec<usize> {
        if let Some(state) = self.witnesses.get_mut(witness) {
            *state = Asked::Done(outcome);
        }
        match (self.alone, outcome) {
            // A late answer of one that was passed over opens the round as well.
            (Some(_), Outcome::Cosigned) => self.ask_the_rest(),
            (Some((asked, _)), Outcome::Failed) if asked == witness => self.ask_next_alone(now_ms),
            (Some(_) | None, _) => Vec::new(),
        }
    }

    /// Notes that time has passed; returns whom to ask now.
    pub fn tick(&mut self, now_ms: u64) -> Vec<usize> {
        match self.deadline_ms() {
            Some(deadline) if now_ms >= deadline => self.ask_next_alone(now_ms),
            Some(_) | None => Vec::new(),
        }
    }

    /// Whether nobody is left to answer.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.witnesses
            .iter()
            .all(|state| matches!(state, Asked::Done(_)))
    }

    fn ask_next_alone(&mut self, now_ms: u64) -> Vec<usize> {
        let next = self.witnesses.iter().position(|state| *state == Asked::Not);
        self.alone = next.map(|index| (index, now_ms));
        if let Some(state) = next.and_then(|index| self.witnesses.get_mut(index)) {
            *state = Asked::Waiting;
        }
        next.into_iter().collect()
    }

    fn ask_the_rest(&mut self) -> Vec<usize> {
        self.alone = None;
        let mut asked = Vec::new();
        for (index, state) in self.witnesses.iter_mut().enumerate() {
            if *state == Asked::Not {
                *state = Asked::Waiting;
                asked.push(index);
            }
        }
        asked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asks_the_first_alone_and_the_rest_after_its_answer() {
        let (mut round, first) = Round::begin(4, 1000);
        assert_eq!(first, [0]);
        assert_eq!(round.tick(1249), [0_usize; 0]);
        assert_eq!(round.answered(0, Outcome::Cosigned, 1010), [1, 2, 3]);
        assert_eq!(round.deadline_ms(), None);
        assert!(!round.is_over());
        for witness in 1..4 {
            assert!(round.answered(witness, Outcome::Cosigned, 1020).is_empty());
        }
        assert!(round.is_over());
    }

    #[test]
    fn a_silent_or_failing_first_makes_room_for_the_next() {
        let (mut round, _) = Round::begin(4, 0);
        assert_eq!(round.tick(SILENCE_MS), [1]);
        assert_eq!(round.answered(1, Outcome::Failed, 260), [2]);
        assert_eq!(round.answered(0, Outcome::Cosigned, 270), [3]);
        assert_eq!(round.answered(2, Outcome::Failed, 280), [0_usize; 0]);
        round.answered(3, Outcome::Failed, 290);
        assert!(round.is_over());
    }

    #[test]
    fn a_round_that_nobody_answers_ends_without_a_new_question() {
        let (mut round, _) = Round::begin(1, 0);
        assert!(round.tick(SILENCE_MS).is_empty());
        assert_eq!(round.deadline_ms(), None);
        assert!(!round.is_over());
        assert!(round.answered(0, Outcome::Failed, 400).is_empty());
        assert!(round.is_over());
    }
}
