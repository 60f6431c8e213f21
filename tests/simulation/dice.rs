//! Chance that comes out the same for the same seed.

use std::cell::Cell;
use std::time::Duration;

/// Dice that are thrown in the same way for the same seed (SplitMix64).
#[derive(Debug)]
pub struct Dice(Cell<u64>);

impl Dice {
    /// Those of one `actor` in the world of `seed`.
    pub fn of(seed: u64, actor: u64) -> Self {
        let dice = Self(Cell::new(seed.wrapping_mul(0x1000_0000_01b3) ^ actor));
        dice.throw();
        dice
    }

    fn throw(&self) -> u64 {
        let state = self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.0.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// One of `0..sides`.
    pub fn below(&self, sides: u64) -> u64 {
        self.throw() % sides
    }

    /// True so many times of a hundred.
    pub fn percent(&self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub fn pick<T: Copy>(&self, of: &[T]) -> T {
        of[usize::try_from(self.below(of.len() as u64)).unwrap()]
    }

    /// So many milliseconds, or more, but fewer than `to`.
    pub fn millis(&self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.below(to - from))
    }
}
