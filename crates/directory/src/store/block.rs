//! Posting blocks: which of 8192 consecutive ids are in a set, as a short list or a bitmap.

use super::{EntryId, fault::damaged, idset::BlockBits};
use crate::refusal::Fault;

/// How many consecutive ids a block covers.
pub const BLOCK_IDS: usize = 8192;
/// The bits of an id that are the place within its block.
pub const BLOCK_SHIFT: u32 = 13;
/// A bitmap's length in bytes; a list is always shorter.
pub const BITMAP_BYTES: usize = BLOCK_IDS / 8;
/// The longest list.
pub const LIST_IDS_MAX: usize = BITMAP_BYTES / 2 - 1;

/// The members of one block, as stored.
#[derive(Clone, Copy, Debug)]
pub struct Block<'t> {
    pub number: u32,
    pub ids: BlockIds<'t>,
}

#[derive(Clone, Copy, Debug)]
pub enum BlockIds<'t> {
    /// Sorted little-endian `u16`s, at most [`LIST_IDS_MAX`].
    List(&'t [u8]),
    /// Bit `n % 8` of byte `n / 8`.
    Bitmap(&'t [u8; BITMAP_BYTES]),
}

/// The block an id is in. Ids beyond 2^45 cannot be given out (see `Batch::next_entry_id`).
pub fn block_of(id: EntryId) -> (u32, u16) {
    ((id.0 >> BLOCK_SHIFT) as u32, (id.0 as usize & (BLOCK_IDS - 1)) as u16)
}

/// The id at a place of a block.
pub fn id_in(number: u32, low: u16) -> EntryId {
    EntryId(u64::from(number) << BLOCK_SHIFT | u64::from(low))
}

impl<'t> Block<'t> {
    /// Tells list from bitmap by length; the members themselves are checked by [`verify`].
    pub fn parse(number: u32, value: &'t [u8]) -> Result<Block<'t>, Fault> {
        if let Ok(bitmap) = <&[u8; BITMAP_BYTES]>::try_from(value) {
            return Ok(Block { number, ids: BlockIds::Bitmap(bitmap) });
        }
        match value.len() {
            length if length > 0 && length < BITMAP_BYTES && length % 2 == 0 => {
                Ok(Block { number, ids: BlockIds::List(value) })
            }
            length => Err(damaged(format!("a posting block has {length} bytes"))),
        }
    }

    /// The number of members.
    pub fn count(&self) -> u64 {
        match self.ids {
            BlockIds::List(list) => list.len() as u64 / 2,
            BlockIds::Bitmap(bitmap) => {
                words(bitmap).map(|word| u64::from(word.count_ones())).sum()
            }
        }
    }

    pub fn contains(&self, low: u16) -> bool {
        match self.ids {
            BlockIds::List(list) => search(list, low).is_ok(),
            BlockIds::Bitmap(bitmap) => {
                bitmap.get(usize::from(low / 8)).is_some_and(|byte| byte >> (low % 8) & 1 == 1)
            }
        }
    }

    /// The members in order.
    pub fn iter(&self) -> impl Iterator<Item = EntryId> + use<'t> {
        let number = self.number;
        let (list, bitmap) = match self.ids {
            BlockIds::List(list) => (Some(lows(list)), None),
            BlockIds::Bitmap(bitmap) => (None, Some(bits_of(words(bitmap)))),
        };
        let members = list.into_iter().flatten().chain(bitmap.into_iter().flatten());
        members.map(move |low| id_in(number, low))
    }
}

pub(super) fn words(bitmap: &[u8; BITMAP_BYTES]) -> impl Iterator<Item = u64> {
    bitmap.as_chunks::<8>().0.iter().map(|chunk| u64::from_le_bytes(*chunk))
}

pub(super) fn lows(list: &[u8]) -> impl Iterator<Item = u16> {
    list.as_chunks::<2>().0.iter().map(|pair| u16::from_le_bytes(*pair))
}

/// The places of the set bits, in order.
pub(super) fn bits_of(words: impl Iterator<Item = u64>) -> impl Iterator<Item = u16> {
    words.enumerate().flat_map(|(index, mut word)| {
        std::iter::from_fn(move || {
            let bit = word.trailing_zeros();
            (word != 0).then(|| {
                word &= word - 1;
                (index * 64) as u16 + bit as u16
            })
        })
    })
}

fn search(list: &[u8], low: u16) -> Result<usize, usize> {
    list.as_chunks::<2>().0.binary_search_by_key(&low, |pair| u16::from_le_bytes(*pair))
}

/// Appends the stored form of members that are in order and without duplicates.
pub fn encode(members: &[u16], out: &mut Vec<u8>) {
    if members.len() <= LIST_IDS_MAX {
        out.extend(members.iter().flat_map(|low| low.to_le_bytes()));
    } else {
        let mut bits = BlockBits::empty();
        members.iter().for_each(|&low| bits.insert(low));
        bits.encode(out);
    }
}

/// The value with `low` added, or `None` when it is there already.
pub fn with(value: Option<&[u8]>, low: u16) -> Result<Option<Vec<u8>>, Fault> {
    let Some(value) = value else { return Ok(Some(low.to_le_bytes().to_vec())) };
    match Block::parse(0, value)?.ids {
        BlockIds::List(list) => Ok(search(list, low).err().map(|at| inserted(list, at, low))),
        BlockIds::Bitmap(bitmap) => Ok(flipped(bitmap, low, true)),
    }
}

/// What is left of a block after a removal.
#[derive(Debug, PartialEq, Eq)]
pub enum Without {
    /// It was not a member.
    Unchanged,
    /// It was the only member.
    Empty,
    Left(Vec<u8>),
}

/// The value with `low` taken out.
pub fn without(value: &[u8], low: u16) -> Result<Without, Fault> {
    match Block::parse(0, value)?.ids {
        BlockIds::List(list) => Ok(match search(list, low) {
            Err(_) => Without::Unchanged,
            Ok(_) if list.len() == 2 => Without::Empty,
            Ok(at) => Without::Left(removed(list, at)),
        }),
        BlockIds::Bitmap(bitmap) => {
            Ok(flipped(bitmap, low, false).map_or(Without::Unchanged, |bytes| {
                match BlockBits::from_bytes(&bytes) {
                    bits if bits.count() as usize <= LIST_IDS_MAX => Without::Left(bits.to_value()),
                    _ => Without::Left(bytes),
                }
            }))
        }
    }
}

/// What several changes make of a block.
#[derive(Debug, PartialEq, Eq)]
pub enum Changed {
    Unchanged,
    /// Nobody is left.
    Empty,
    To(Vec<u8>),
}

/// The value after members came (true) and went, in this order.
pub fn changed(old: Option<&[u8]>, members: &[(u16, bool)]) -> Result<Changed, Fault> {
    if let [(low, true)] = members {
        return Ok(with(old, *low)?.map_or(Changed::Unchanged, Changed::To));
    }
    let mut bits = match old {
        Some(old) => BlockBits::from_block(&Block::parse(0, old)?),
        None => BlockBits::empty(),
    };
    for (low, comes) in members {
        if *comes { bits.insert(*low) } else { bits.remove(*low) }
    }
    let new = bits.to_value();
    Ok(match (old, new.is_empty()) {
        (Some(old), false) if *old == new => Changed::Unchanged,
        (None, true) => Changed::Unchanged,
        (Some(_), true) => Changed::Empty,
        (_, false) => Changed::To(new),
    })
}

fn inserted(list: &[u8], at: usize, low: u16) -> Vec<u8> {
    let (head, tail) = list.split_at_checked(at * 2).unwrap_or((list, &[]));
    let longer = [head, &low.to_le_bytes(), tail].concat();
    if longer.len() < BITMAP_BYTES {
        return longer;
    }
    let mut bits = BlockBits::empty();
    lows(&longer).for_each(|low| bits.insert(low));
    bits.to_value()
}

fn removed(list: &[u8], at: usize) -> Vec<u8> {
    let head = list.get(..at * 2).unwrap_or_default();
    let tail = list.get(at * 2 + 2..).unwrap_or_default();
    [head, tail].concat()
}

fn flipped(bitmap: &[u8; BITMAP_BYTES], low: u16, to: bool) -> Option<Vec<u8>> {
    let mut bytes = bitmap.to_vec();
    let byte = bytes.get_mut(usize::from(low / 8))?;
    let mask = 1 << (low % 8);
    if (*byte & mask != 0) == to {
        return None;
    }
    *byte ^= mask;
    Some(bytes)
}

/// What is wrong with a stored block, if anything is.
pub fn verify(value: &[u8]) -> Option<&'static str> {
    match Block::parse(0, value).map(|block| (block.count(), block.ids)) {
        Err(_) => Some("a block's length is neither a list's nor a bitmap's"),
        Ok((_, BlockIds::List(list))) if !lows(list).is_sorted_by(|a, b| a < b) => {
            Some("a block's list is not in order")
        }
        Ok((_, BlockIds::List(list))) if lows(list).any(|low| usize::from(low) >= BLOCK_IDS) => {
            Some("a block's list has a member beyond the block")
        }
        Ok((count, BlockIds::Bitmap(_))) if count as usize <= LIST_IDS_MAX => {
            Some("a block's bitmap has so few members that it should be a list")
        }
        Ok(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn members(value: &[u8]) -> Vec<u16> {
        Block::parse(0, value).unwrap().iter().map(|id| id.0 as u16).collect()
    }

    #[test]
    fn lengths_that_are_neither_are_damage() {
        for length in [0, 1, 3, 1023, 1025, 1026, 2048] {
            assert!(Block::parse(0, &vec![0; length]).is_err(), "{length}");
        }
    }

    #[test]
    fn a_list_becomes_a_bitmap_and_back() {
        let mut value = None;
        for low in 0..512 {
            value = with(value.as_deref(), low * 3).unwrap();
            assert_eq!(value.as_ref().unwrap().len(), (usize::from(low) + 1) * 2, "{low}");
        }
        let value = value.unwrap();
        assert_eq!(verify(&value), None);
        assert!(matches!(Block::parse(0, &value).unwrap().ids, BlockIds::Bitmap(_)));
        let Without::Left(list) = without(&value, 3).unwrap() else { panic!() };
        assert_eq!(list.len(), 1022);
        assert_eq!(verify(&list), None);
    }

    #[test]
    fn verify_names_what_is_wrong() {
        assert!(verify(&[1, 0, 1, 0]).is_some());
        assert!(verify(&[2, 0, 1, 0]).is_some());
        assert!(verify(&[0, 0x20]).is_some());
        assert!(verify(&[0; 1024]).is_some());
        assert!(verify(&[255; 1024]).is_none());
    }

    proptest! {
        #[test]
        fn behaves_as_a_set(
            begin in proptest::collection::btree_set(0u16..8192, 1..1500),
            changes in proptest::collection::vec((any::<bool>(), 0u16..8192), 0..200),
        ) {
            let mut model: BTreeSet<u16> = begin.clone();
            let mut value = Vec::new();
            encode(&begin.into_iter().collect::<Vec<_>>(), &mut value);
            let mut value = Some(value);
            for (add, low) in changes {
                if add {
                    let next = with(value.as_deref(), low).unwrap();
                    prop_assert_eq!(next.is_some(), model.insert(low));
                    value = next.or(value);
                } else if let Some(old) = value {
                    let next = without(&old, low).unwrap();
                    prop_assert_eq!(next != Without::Unchanged, model.remove(&low));
                    value = match next {
                        Without::Unchanged => Some(old),
                        Without::Empty => None,
                        Without::Left(left) => Some(left),
                    };
                }
                let Some(value) = &value else { prop_assert!(model.is_empty()); continue };
                prop_assert_eq!(verify(value), None);
                prop_assert_eq!(Block::parse(0, value).unwrap().count(), model.len() as u64);
                let block = Block::parse(0, value).unwrap();
                prop_assert_eq!(block.contains(low), model.contains(&low));
            }
            prop_assert_eq!(value.map_or(Vec::new(), |v| members(&v)), Vec::from_iter(model));
        }

        #[test]
        fn changes_together_are_changes_one_by_one(
            begin in proptest::collection::btree_set(0u16..8192, 0..700),
            changes in proptest::collection::vec((0u16..8192, any::<bool>()), 0..20),
            repeated in any::<bool>(),
        ) {
            let mut members: BTreeSet<u16> = begin.clone();
            let low = |low: u16| if repeated { low % 4 } else { low };
            let changes: Vec<_> = changes.into_iter().map(|(n, add)| (low(n), add)).collect();
            for (low, comes) in &changes {
                if *comes { members.insert(*low); } else { members.remove(low); }
            }
            let stored = |members: &BTreeSet<u16>| {
                let mut value = Vec::new();
                encode(&members.iter().copied().collect::<Vec<_>>(), &mut value);
                value
            };
            let old = (!begin.is_empty()).then(|| stored(&begin));
            let expected = match (members == begin, members.is_empty()) {
                (true, _) => Changed::Unchanged,
                (false, true) => Changed::Empty,
                (false, false) => Changed::To(stored(&members)),
            };
            prop_assert_eq!(changed(old.as_deref(), &changes).unwrap(), expected);
        }

        #[test]
        fn any_bytes_are_read_without_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..1100),
        ) {
            if let Ok(block) = Block::parse(9, &bytes) {
                let _ = (block.count(), block.iter().count(), block.contains(77));
            }
            let _ = verify(&bytes);
            let _ = with(Some(&bytes), 5);
            let _ = without(&bytes, 5);
            let _ = changed(Some(&bytes), &[(5, true), (6, false)]);
        }
    }
}
