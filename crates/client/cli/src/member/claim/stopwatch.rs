//! How long each step of a claim took.

use chancery_client::now_ms;
use chancery_json::{Object, Value};

/// Milliseconds of each step.
#[derive(Debug)]
pub(super) struct Stopwatch {
    last_ms: u64,
    laps: Vec<(&'static str, u64)>,
}

impl Stopwatch {
    pub(super) fn start() -> Self {
        Self {
            last_ms: now_ms(),
            laps: Vec::new(),
        }
    }

    /// Ends a step.
    pub(super) fn lap(&mut self, step: &'static str) {
        let now_ms = now_ms();
        self.laps.push((step, now_ms.saturating_sub(self.last_ms)));
        self.last_ms = now_ms;
    }

    pub(super) fn total(&self) -> u64 {
        self.laps.iter().map(|(_, ms)| ms).sum()
    }

    /// Each step and `total`. What the person took is in `sign_in`, or in `claim` if an admin confirms.
    pub(super) fn to_json(&self) -> Object {
        let mut steps = Object::new();
        for (step, ms) in &self.laps {
            let before = steps.get(step).and_then(Value::as_u64).unwrap_or(0);
            steps.insert(*step, before.saturating_add(*ms).into());
        }
        steps.with("total", self.total())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adds_up_the_steps_under_their_names() {
        let watch = Stopwatch {
            last_ms: 0,
            laps: vec![("verify", 3), ("lookup", 4), ("lookup", 5)],
        };
        assert_eq!(watch.total(), 12);
        let json = String::from_utf8(watch.to_json().to_bytes()).unwrap();
        assert_eq!(json, r#"{"verify":3,"lookup":9,"total":12}"#);
    }
}
