//! A hash that folds eight bytes at a time: quick, and good enough where nobody gains by a
//! collision but whoever suffers from it.

use std::hash::Hasher;

/// For keys that a bulk load collects: some hundred are looked up for each entry, and whoever
/// chooses keys that collide is the operator, who loads them, and waits longer. And for records of
/// the journal, which must show that a write was cut short.
#[derive(Default)]
pub(super) struct Folding(u64);

impl Folding {
    pub(super) fn from(state: u64) -> Folding {
        Folding(state)
    }

    fn fold(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word ^ 0x9e37_79b9_7f4a_7c15) * 0xd6e8_feb8_6659_fd93;
        self.0 = (product as u64) ^ (product >> 64) as u64;
    }
}

impl Hasher for Folding {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|word| self.fold(u64::from_le_bytes(*word)));
        let mut last = [0; 8];
        last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        self.fold(u64::from_le_bytes(last) ^ (rest.len() as u64) << 56);
    }
}
