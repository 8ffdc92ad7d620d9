//! Randomness that a number repeats, and how much of it a run asks for.

/// A small generator (SplitMix64): one seed, one sequence.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// The sequence of a seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub const fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, or 0 for bound 0.
    pub fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).unwrap_or(u64::MAX);
        let rolled = self.roll().checked_rem(bound).unwrap_or(0);
        usize::try_from(rolled).unwrap_or(0)
    }

    /// True so many times of a hundred.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of the items.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        let at = self.below(items.len());
        &items[at]
    }

    /// A sequence of its own, so that what is drawn there does not move what follows here.
    pub const fn fork(&mut self) -> Self {
        Self(self.roll())
    }
}

/// How many cases a run tries: the ordinary number, or with `CHANCERY_FULL=1` the full one.
/// `CHANCERY_MODEL_SEED` chooses another place to begin.
#[derive(Clone, Copy, Debug)]
pub struct Reach {
    /// How many cases.
    pub cases: u64,
    /// The seed of the first; each next one has the next number.
    pub first_seed: u64,
}

impl Reach {
    /// What the environment asks for. With a seed of its own a run is that one case, unless
    /// `CHANCERY_MODEL_CASES` says how many.
    #[must_use]
    pub fn of(usual: u64, full: u64) -> Self {
        let usual = if setting("CHANCERY_FULL") == Some(1) {
            full
        } else {
            usual
        };
        let seed = setting("CHANCERY_MODEL_SEED");
        let cases = seed.map_or(usual, |_one| 1);
        Self {
            cases: setting("CHANCERY_MODEL_CASES").unwrap_or(cases),
            first_seed: seed.unwrap_or(1),
        }
    }

    /// The seeds of the run.
    pub fn seeds(self) -> impl Iterator<Item = u64> {
        (0..self.cases).map(move |case| self.first_seed.wrapping_add(case))
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long these tests run is chosen from outside"
)]
fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}
