//! Sets of ids within one block, for the search engine: 8192 bits that combine word by word, or a
//! short list while there are few.

use smallvec::SmallVec;

use super::{
    EntryId,
    block::{BITMAP_BYTES, Block, BlockIds, LIST_IDS_MAX, bits_of, id_in, lows, words},
};

const WORDS: usize = BITMAP_BYTES / 8;

/// A list fewer than this many bytes for each id of the other is gone through; a longer one is
/// looked into.
const MERGED_MAX: usize = 16;

/// The members of one block as bits. Combining two of them is 128 word operations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockBits {
    words: Box<[u64; WORDS]>,
}

impl Default for BlockBits {
    fn default() -> BlockBits {
        BlockBits::empty()
    }
}

impl BlockBits {
    pub fn empty() -> BlockBits {
        BlockBits { words: Box::new([0; WORDS]) }
    }

    pub fn full() -> BlockBits {
        BlockBits { words: Box::new([u64::MAX; WORDS]) }
    }

    pub fn from_block(block: &Block<'_>) -> BlockBits {
        let mut bits = BlockBits::empty();
        bits.or_block(block);
        bits
    }

    /// From a bitmap's bytes; missing bytes are empty, further ones are ignored.
    pub(super) fn from_bytes(bytes: &[u8]) -> BlockBits {
        let mut bits = BlockBits::empty();
        for (word, chunk) in bits.words.iter_mut().zip(bytes.as_chunks::<8>().0) {
            *word = u64::from_le_bytes(*chunk);
        }
        bits
    }

    /// Makes it empty without giving back its memory.
    pub fn clear(&mut self) {
        self.words.fill(0);
    }

    pub fn insert(&mut self, low: u16) {
        if let Some(word) = self.words.get_mut(usize::from(low / 64)) {
            *word |= 1 << (low % 64);
        }
    }

    pub fn remove(&mut self, low: u16) {
        if let Some(word) = self.words.get_mut(usize::from(low / 64)) {
            *word &= !(1 << (low % 64));
        }
    }

    pub fn contains(&self, low: u16) -> bool {
        self.words.get(usize::from(low / 64)).is_some_and(|word| word >> (low % 64) & 1 == 1)
    }

    pub fn and(&mut self, other: &BlockBits) {
        self.zip(other, |mine, theirs| mine & theirs);
    }

    pub fn or(&mut self, other: &BlockBits) {
        self.zip(other, |mine, theirs| mine | theirs);
    }

    pub fn and_not(&mut self, other: &BlockBits) {
        self.zip(other, |mine, theirs| mine & !theirs);
    }

    /// Adds a stored block's members.
    pub fn or_block(&mut self, block: &Block<'_>) {
        match block.ids {
            BlockIds::List(list) => lows(list).for_each(|low| self.insert(low)),
            BlockIds::Bitmap(bitmap) => {
                self.words.iter_mut().zip(words(bitmap)).for_each(|(mine, theirs)| *mine |= theirs);
            }
        }
    }

    /// Keeps only a stored block's members.
    pub fn and_block(&mut self, block: &Block<'_>) {
        match block.ids {
            BlockIds::List(_) => self.and(&BlockBits::from_block(block)),
            BlockIds::Bitmap(bitmap) => {
                self.words.iter_mut().zip(words(bitmap)).for_each(|(mine, theirs)| *mine &= theirs);
            }
        }
    }

    /// Takes out a stored block's members.
    pub fn and_not_block(&mut self, block: &Block<'_>) {
        match block.ids {
            BlockIds::List(list) => lows(list).for_each(|low| self.remove(low)),
            BlockIds::Bitmap(bitmap) => {
                self.words.iter_mut().zip(words(bitmap)).for_each(|(mine, theirs)| *mine &= !theirs)
            }
        }
    }

    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|&word| word == 0)
    }

    pub fn count(&self) -> u32 {
        self.words.iter().map(|word| word.count_ones()).sum()
    }

    /// The members' places in order.
    pub fn lows(&self) -> impl Iterator<Item = u16> {
        bits_of(self.words.iter().copied())
    }

    /// The members in order, as ids of block `number`.
    pub fn iter(&self, number: u32) -> impl Iterator<Item = EntryId> {
        self.lows().map(move |low| id_in(number, low))
    }

    /// Appends the bitmap.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend(self.words.iter().flat_map(|word| word.to_le_bytes()));
    }

    /// The stored form, list or bitmap.
    pub(super) fn to_value(&self) -> Vec<u8> {
        let mut value = Vec::new();
        if self.count() as usize <= LIST_IDS_MAX {
            value.extend(self.lows().flat_map(u16::to_le_bytes));
        } else {
            self.encode(&mut value);
        }
        value
    }

    fn zip(&mut self, other: &BlockBits, operation: impl Fn(u64, u64) -> u64) {
        for (mine, theirs) in self.words.iter_mut().zip(other.words.iter()) {
            *mine = operation(*mine, *theirs);
        }
    }
}

/// The members of one block in the cheaper of two forms: a search for one entry should not carry a
/// kilobyte around.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Members {
    /// In order; at most [`LIST_IDS_MAX`].
    List(SmallVec<[u16; 8]>),
    Bits(BlockBits),
}

impl Default for Members {
    fn default() -> Members {
        Members::List(SmallVec::new())
    }
}

impl Members {
    pub fn one(low: u16) -> Members {
        Members::List(smallvec::smallvec![low])
    }

    pub fn from_block(block: &Block<'_>) -> Members {
        match block.ids {
            BlockIds::List(list) => Members::List(lows(list).collect()),
            BlockIds::Bitmap(_) => Members::Bits(BlockBits::from_block(block)),
        }
    }

    pub fn insert(&mut self, low: u16) {
        match self {
            Members::Bits(bits) => bits.insert(low),
            Members::List(list) => match list.binary_search(&low) {
                Ok(_) => {}
                Err(at) if list.len() < LIST_IDS_MAX => list.insert(at, low),
                Err(_) => {
                    let mut bits = BlockBits::empty();
                    list.iter().for_each(|&held| bits.insert(held));
                    bits.insert(low);
                    *self = Members::Bits(bits);
                }
            },
        }
    }

    pub fn contains(&self, low: u16) -> bool {
        match self {
            Members::List(list) => list.binary_search(&low).is_ok(),
            Members::Bits(bits) => bits.contains(low),
        }
    }

    /// Adds all of another set.
    pub fn or(&mut self, other: &Members) {
        match (&mut *self, other) {
            (Members::Bits(mine), Members::Bits(theirs)) => mine.or(theirs),
            (Members::List(_), Members::Bits(theirs)) => {
                let mut all = theirs.clone();
                self.lows().for_each(|low| all.insert(low));
                *self = Members::Bits(all);
            }
            (_, Members::List(theirs)) => theirs.iter().for_each(|&low| self.insert(low)),
        }
    }

    /// Adds a stored block's members.
    pub fn or_block(&mut self, block: &Block<'_>) {
        match block.ids {
            BlockIds::List(list) => lows(list).for_each(|low| self.insert(low)),
            BlockIds::Bitmap(_) => self.or(&Members::from_block(block)),
        }
    }

    /// Keeps only what is in the other set as well.
    pub fn and(&mut self, other: &Members) {
        match (&mut *self, other) {
            (Members::Bits(mine), Members::Bits(theirs)) => mine.and(theirs),
            (Members::List(mine), _) => mine.retain(|low| other.contains(*low)),
            (Members::Bits(mine), Members::List(theirs)) => {
                let both = theirs.iter().copied().filter(|low| mine.contains(*low));
                *self = Members::List(both.collect());
            }
        }
    }

    /// Keeps only a stored block's members.
    pub fn and_block(&mut self, block: &Block<'_>) {
        match (&mut *self, block.ids) {
            (Members::List(mine), BlockIds::List(list)) if list.len() < mine.len() * MERGED_MAX => {
                let mut theirs = lows(list).peekable();
                mine.retain(|low| {
                    while theirs.next_if(|their| *their < *low).is_some() {}
                    theirs.peek() == Some(low)
                });
            }
            (Members::List(mine), _) => mine.retain(|low| block.contains(*low)),
            (Members::Bits(mine), BlockIds::Bitmap(_)) => mine.and_block(block),
            (Members::Bits(mine), BlockIds::List(list)) => {
                let both = lows(list).filter(|low| mine.contains(*low));
                *self = Members::List(both.collect());
            }
        }
    }

    pub fn is_empty(&self) -> bool {
        match self {
            Members::List(list) => list.is_empty(),
            Members::Bits(bits) => bits.is_empty(),
        }
    }

    pub fn count(&self) -> u64 {
        match self {
            Members::List(list) => list.len() as u64,
            Members::Bits(bits) => u64::from(bits.count()),
        }
    }

    fn lows(&self) -> impl Iterator<Item = u16> {
        let (list, bits) = match self {
            Members::List(list) => (Some(list.iter().copied()), None),
            Members::Bits(bits) => (None, Some(bits.lows())),
        };
        list.into_iter().flatten().chain(bits.into_iter().flatten())
    }

    /// The members in order, as ids of block `number`.
    pub fn iter(&self, number: u32) -> impl Iterator<Item = EntryId> {
        self.lows().map(move |low| id_in(number, low))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::{super::block, *};

    fn bits(set: &BTreeSet<u16>) -> BlockBits {
        let mut bits = BlockBits::empty();
        set.iter().for_each(|&low| bits.insert(low));
        bits
    }

    fn set() -> impl Strategy<Value = BTreeSet<u16>> {
        prop_oneof![
            proptest::collection::btree_set(0u16..8192, 1..40),
            proptest::collection::btree_set(0u16..2048, 500..900),
        ]
    }

    fn members(set: &BTreeSet<u16>) -> Members {
        let mut members = Members::default();
        set.iter().for_each(|&low| members.insert(low));
        members
    }

    proptest! {
        #[test]
        fn members_are_those_of_sets_in_either_form(a in set(), b in set()) {
            let mut value = Vec::new();
            block::encode(&b.iter().copied().collect::<Vec<_>>(), &mut value);
            let stored = Block::parse(3, &value).unwrap();
            let mine = members(&a);
            prop_assert_eq!(&Members::from_block(&stored), &members(&b));
            prop_assert_eq!(mine.count(), a.len() as u64);
            prop_assert!(mine.lows().eq(a.iter().copied()));
            let all: Vec<u16> = a.union(&b).copied().collect();
            let common: Vec<u16> = a.intersection(&b).copied().collect();
            type Operation = fn(&mut Members, &Members, &Block<'_>);
            let operations: [(&[u16], Operation); 4] = [
                (&all, |mine, theirs, _| mine.or(theirs)),
                (&all, |mine, _, stored| mine.or_block(stored)),
                (&common, |mine, theirs, _| mine.and(theirs)),
                (&common, |mine, _, stored| mine.and_block(stored)),
            ];
            for (expected, operation) in operations {
                let mut found = mine.clone();
                operation(&mut found, &members(&b), &stored);
                prop_assert_eq!(found.lows().collect::<Vec<_>>(), expected);
                prop_assert_eq!(found.is_empty(), expected.is_empty());
                prop_assert!(expected.iter().all(|low| found.contains(*low)));
            }
        }

        #[test]
        fn operations_are_those_of_sets(a in set(), b in set()) {
            let mut value = Vec::new();
            block::encode(&b.iter().copied().collect::<Vec<_>>(), &mut value);
            let stored = Block::parse(3, &value).unwrap();
            prop_assert_eq!(BlockBits::from_block(&stored), bits(&b));

            type Operation = fn(&mut BlockBits, &BlockBits);
            type Stored = fn(&mut BlockBits, &Block<'_>);
            let cases: [(Operation, Stored, BTreeSet<u16>); 3] = [
                (BlockBits::and, BlockBits::and_block, &a & &b),
                (BlockBits::or, BlockBits::or_block, &a | &b),
                (BlockBits::and_not, BlockBits::and_not_block, &a - &b),
            ];
            for (operation, with_stored, expected) in cases {
                let (mut one, mut two) = (bits(&a), bits(&a));
                operation(&mut one, &bits(&b));
                with_stored(&mut two, &stored);
                prop_assert_eq!(&one, &two);
                prop_assert_eq!(one.count() as usize, expected.len());
                prop_assert_eq!(one.is_empty(), expected.is_empty());
                prop_assert_eq!(one.lows().collect::<BTreeSet<_>>(), expected);
            }
        }
    }

    #[test]
    fn ids_are_those_of_the_block() {
        let mut bits = BlockBits::empty();
        bits.insert(5);
        bits.insert(8191);
        assert_eq!(bits.iter(2).collect::<Vec<_>>(), [EntryId(16389), EntryId(24575)]);
        assert!(bits.contains(5) && !bits.contains(6));
        bits.remove(5);
        assert_eq!(bits.count(), 1);
        assert_eq!(BlockBits::full().count(), 8192);
    }
}
