//! How far a long command is: a bar where a person looks on, nothing where a program does.

use indicatif::{ProgressBar, ProgressStyle};

/// The bar's form: what is done, the bar, how many of how many, and how long it will still take.
const TEMPLATE: &str = "{msg:22} {bar:32} {pos}/{len} {eta}";

/// A bar on standard error. It hides itself where that is no terminal.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// Begins a piece of work of `length` steps.
    pub(crate) fn begin(what: &str, length: u64) -> Self {
        let bar = ProgressBar::new(length);
        let bar = match ProgressStyle::with_template(TEMPLATE) {
            Ok(style) => bar.with_style(style),
            Err(_) => bar,
        };
        bar.set_message(what.to_owned());
        Self(bar)
    }

    /// So many steps are done.
    pub(crate) fn done(&self, steps: u64) {
        self.0.set_position(steps);
    }

    /// So many steps are left; more may have come in since it began.
    pub(crate) fn remaining(&self, steps: u64) {
        let length = self.0.length().unwrap_or(0).max(steps);
        self.0.set_length(length);
        self.0.set_position(length.saturating_sub(steps));
    }

    /// Takes the bar away.
    pub(crate) fn end(&self) {
        self.0.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_down_what_is_left_even_if_more_comes_in() {
        let progress = Progress::begin("testing", 10);
        progress.remaining(4);
        assert_eq!(progress.0.position(), 6);
        progress.remaining(12);
        assert_eq!(progress.0.position(), 0);
        assert_eq!(progress.0.length(), Some(12));
        progress.done(12);
        assert_eq!(progress.0.position(), 12);
        progress.end();
    }
}
