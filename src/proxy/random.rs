//! Bits that nobody foresees, for ids.

use std::cell::RefCell;
use std::hash::{BuildHasher, RandomState};

/// So many bytes are drawn at once: to draw takes long, however few they are.
const DRAWN: usize = 4 << 10;

thread_local! {
    /// What was drawn, and how much of it was given out.
    static LEFT: RefCell<([u8; DRAWN], usize)> = const { RefCell::new(([0; DRAWN], DRAWN)) };
}

/// Sixty-four bits that nobody foresees, and never none.
pub(super) fn random() -> u64 {
    LEFT.with_borrow_mut(|(drawn, given)| {
        if *given == DRAWN {
            if aws_lc_rs::rand::fill(drawn).is_err() {
                // The system has none; the keys of this are drawn when the thread begins, and used once.
                return RandomState::new().hash_one(()).max(1);
            }
            *given = 0;
        }
        let bits = drawn.get(*given..).and_then(<[u8]>::first_chunk);
        *given += 8;
        bits.map_or(1, |bits| u64::from_ne_bytes(*bits).max(1))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::collections::BTreeSet;

    #[test]
    fn no_bits_are_given_twice() {
        let count = DRAWN / 8 * 3;
        let draw = move || (0..count).map(|_| random()).collect::<BTreeSet<_>>();
        let mut all = draw();
        all.extend(std::thread::spawn(draw).join().unwrap());
        assert_eq!(all.len(), 2 * count);
        // Each bit is there in about half of them.
        for bit in 0..64 {
            let share = all.iter().filter(|bits| **bits >> bit & 1 == 1).count() * 100 / all.len();
            assert!((40..60).contains(&share), "bit {bit} in {share} of 100");
        }
    }
}
