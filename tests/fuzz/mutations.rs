//! Bytes that nearly are what they should be: seeds, cut, joined and damaged. Always the same ones.

/// Mutations of `seeds`, without end.
pub struct Mutations<'s> {
    seeds: &'s [Vec<u8>],
    random: u64,
}

/// What means something somewhere.
const BYTES: &[u8] = b"\"\\/~{}[]:,.%;?#@-_*+ \t\r\n\0\x7f\x80\xffaAeEuz019";

impl<'s> Mutations<'s> {
    pub fn of(seeds: &'s [Vec<u8>]) -> Self {
        Self { seeds, random: 0x9e37_79b9_7f4a_7c15 }
    }

    /// A number below `end`, or 0 (xorshift64*).
    fn below(&mut self, end: usize) -> usize {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        let high = self.random.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32;
        usize::try_from(high).expect("32 bits").checked_rem(end).unwrap_or_default()
    }

    fn seed(&mut self) -> &'s [u8] {
        let at = self.below(self.seeds.len());
        &self.seeds[at]
    }

    /// A part of a seed, mostly a short one.
    fn part(&mut self) -> &'s [u8] {
        let seed = self.seed();
        let from = self.below(seed.len() + 1);
        let longest = [4, 16, 64, usize::MAX][self.below(4)].min(seed.len() - from);
        &seed[from..from + self.below(longest + 1)]
    }

    fn mutate(&mut self, bytes: &mut Vec<u8>) {
        let at = self.below(bytes.len() + 1);
        let end = at + self.below((bytes.len() - at).min(16) + 1);
        match self.below(4) {
            0 => drop(bytes.drain(at..end)),
            1 => drop(bytes.splice(at..end, self.part().iter().copied())),
            2 => {
                let byte = BYTES[self.below(BYTES.len())];
                bytes.splice(at..(at + self.below(2)).min(bytes.len()), [byte]);
            }
            _ => {
                let bit = 1 << self.below(8);
                bytes.get_mut(at).into_iter().for_each(|byte| *byte ^= bit);
            }
        }
    }
}

impl Iterator for Mutations<'_> {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let mut bytes = self.seed().to_vec();
        for _ in 0..=self.below(4) {
            self.mutate(&mut bytes);
        }
        Some(bytes)
    }
}
