//! Smaller programs that fail as well.

use crate::run::Program;

/// Leaves out steps, as long as `fails` says that what is left still fails.
pub fn shrink(program: &Program, mut fails: impl FnMut(&Program) -> bool) -> Program {
    let mut smallest = program.clone();
    let mut width = smallest.len().div_ceil(2).max(1);
    loop {
        let mut shrunk = false;
        let mut at = smallest.len();
        while at > 0 {
            let from = at.saturating_sub(width);
            let mut shorter = smallest.clone();
            shorter.drain(from..at);
            if fails(&shorter) {
                smallest = shorter;
                shrunk = true;
            }
            at = from;
        }
        if width == 1 && !shrunk {
            return smallest;
        }
        if !shrunk {
            width = width.div_ceil(2);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::{Scope, program};

    #[test]
    fn a_shrunken_program_has_no_step_too_many() {
        let scope = Scope {
            search: true,
            cursors: true,
            root: true,
            bulk: true,
        };
        let whole = program(7, scope);
        let (first, last) = (whole[1].0, whole[whole.len() - 2].0);
        let needs_both = |program: &Program| {
            let has = |seed| program.iter().any(|(spelling, _)| *spelling == seed);
            has(first) && has(last)
        };
        let smallest = shrink(&whole, needs_both);
        assert!(needs_both(&smallest));
        assert_eq!(smallest.len(), 2);
    }
}
