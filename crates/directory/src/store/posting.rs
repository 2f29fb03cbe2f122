//! Index rows: which entries have a value, a gram, an attribute.

use std::ops::Bound;

use heed::{RoRange, types::Bytes};
use smallvec::SmallVec;

use super::{
    AttributeId, EntryId,
    block::Block,
    fault,
    fault::damaged,
    names::{INDEX_KEY_CUT_BYTES, escape, hash16},
    tables::{Scan, Table, Transaction},
};
use crate::refusal::Fault;

const DOING: &str = "reading an index";
/// `kind` and attribute.
const HEAD_BYTES: usize = 5;
const BLOCK_BYTES: usize = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum IndexKind {
    /// All entries; attribute 0, empty key.
    All,
    /// Equality and ordering.
    Equality,
    Presence,
    Substring,
}

impl IndexKind {
    pub(super) fn letter(self) -> u8 {
        match self {
            IndexKind::All => b'a',
            IndexKind::Equality => b'e',
            IndexKind::Presence => b'p',
            IndexKind::Substring => b's',
        }
    }

    pub(super) fn of_letter(letter: u8) -> Option<IndexKind> {
        match letter {
            b'a' => Some(IndexKind::All),
            b'e' => Some(IndexKind::Equality),
            b'p' => Some(IndexKind::Presence),
            b's' => Some(IndexKind::Substring),
            _ => None,
        }
    }
}

/// A key while it is put together; nearly all stay on the stack.
pub(super) type KeyBytes = SmallVec<[u8; 64]>;

/// What a posting is of. `key` is the whole normalized value, or a gram: cutting is done here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PostingKey<'k> {
    pub kind: IndexKind,
    pub attribute: AttributeId,
    pub key: &'k [u8],
}

impl<'k> PostingKey<'k> {
    /// The posting of all entries.
    pub const ALL: PostingKey<'static> =
        PostingKey { kind: IndexKind::All, attribute: AttributeId(0), key: &[] };

    pub fn equality(attribute: AttributeId, normalized: &'k [u8]) -> PostingKey<'k> {
        PostingKey { kind: IndexKind::Equality, attribute, key: normalized }
    }

    pub fn presence(attribute: AttributeId) -> PostingKey<'k> {
        PostingKey { kind: IndexKind::Presence, attribute, key: &[] }
    }

    pub fn gram(attribute: AttributeId, gram: &'k [u8; 3]) -> PostingKey<'k> {
        PostingKey { kind: IndexKind::Substring, attribute, key: gram }
    }

    /// Everything of the row's key in front of the block number. No prefix is the beginning of
    /// another one, because the escaped key ends in the only zero it has.
    pub(super) fn prefix(&self) -> KeyBytes {
        let mut prefix = KeyBytes::new();
        self.push_prefix(&mut prefix);
        prefix
    }

    pub(super) fn push_prefix(&self, out: &mut KeyBytes) {
        out.push(self.kind.letter());
        out.extend_from_slice(&self.attribute.0.to_be_bytes());
        match self.key.get(..INDEX_KEY_CUT_BYTES) {
            Some(head) if self.key.len() > INDEX_KEY_CUT_BYTES => {
                out.extend_from_slice(&escape(head));
                out.extend_from_slice(&escape(&hash16(self.key)));
            }
            _ => out.extend_from_slice(&escape(self.key)),
        }
        out.push(0);
    }
}

fn head(kind: IndexKind, attribute: AttributeId) -> KeyBytes {
    let mut head = KeyBytes::new();
    head.push(kind.letter());
    head.extend_from_slice(&attribute.0.to_be_bytes());
    head
}

pub(super) fn row_key(prefix: &[u8], block: u32) -> KeyBytes {
    let mut key = KeyBytes::from_slice(prefix);
    key.extend_from_slice(&block.to_be_bytes());
    key
}

/// The parts of a row's key: everything before the block number, and the block number.
pub(super) fn split_row_key(key: &[u8]) -> Result<(&[u8], u32), Fault> {
    let short = || damaged("a key of postings is too short");
    let (prefix, block) = key.split_last_chunk::<BLOCK_BYTES>().ok_or_else(short)?;
    if prefix.len() <= HEAD_BYTES {
        return Err(short());
    }
    Ok((prefix, u32::from_be_bytes(*block)))
}

/// What a posting holds, as far as planning wants to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Survey {
    /// All ids, in order.
    Few(SmallVec<[EntryId; 8]>),
    /// About how many.
    Many(u64),
}

/// The blocks of one posting, in order of their numbers.
pub struct Posting<'t> {
    txn: &'t Transaction<'t>,
    table: Table,
    prefix: KeyBytes,
    rows: Option<Scan<'t>>,
    from: u32,
    /// The block returned last by `at_or_after`, and from which number on it is the answer.
    found: Option<(u32, Option<Block<'t>>)>,
}

/// A block this few rows ahead is reached by going forward.
const NEAR_ROWS: u32 = 8;

/// Blocks that are counted; how many ids the others hold is estimated from these.
const COUNTED_BLOCKS: u32 = 4;

impl<'t> Posting<'t> {
    pub(super) fn new(txn: &'t Transaction<'t>, table: Table, key: &PostingKey<'_>) -> Posting<'t> {
        Posting { txn, table, prefix: key.prefix(), rows: None, from: 0, found: None }
    }

    /// The next block, or `None` behind the last one.
    pub fn next_block(&mut self) -> Result<Option<Block<'t>>, Fault> {
        let rows = match &mut self.rows {
            Some(rows) => rows,
            rows => rows.insert(range(self.txn, self.table, &self.prefix, self.from)?),
        };
        let Some(row) = rows.next() else { return Ok(None) };
        let (key, value) = row?;
        let (_, number) = split_row_key(key)?;
        self.from = number.saturating_add(1);
        Block::parse(number, value).map(Some)
    }

    /// Goes forward or back, so that the next block is the first one not before `number`.
    pub fn seek(&mut self, number: u32) {
        if number != self.from || self.rows.is_none() {
            self.from = number;
            self.rows = None;
        }
    }

    /// The first block that is not before `number`. Cheap when numbers ascend.
    pub fn at_or_after(&mut self, number: u32) -> Result<Option<Block<'t>>, Fault> {
        if let Some((asked, found)) = self.found
            && asked <= number
            && found.is_none_or(|block| block.number >= number)
        {
            return Ok(found);
        }
        let ahead = self.found.take().is_some_and(|(asked, _)| asked <= number);
        if !ahead {
            self.seek(number);
        }
        let mut found = self.next_block()?;
        for _ in 0..NEAR_ROWS {
            match found {
                Some(block) if block.number < number => found = self.next_block()?,
                _ => break,
            }
        }
        if found.is_some_and(|block| block.number < number) {
            self.seek(number);
            found = self.next_block()?;
        }
        self.found = Some((number, found));
        Ok(found)
    }

    /// The block of exactly this number; the walk goes on behind it.
    pub fn block(&self, number: u32) -> Result<Option<Block<'t>>, Fault> {
        let key = row_key(&self.prefix, number);
        let value = self.table.get(self.txn, &key).map_err(fault::store(DOING))?;
        value.map(|value| Block::parse(number, value)).transpose()
    }

    /// All ids where there are no more than `few`, otherwise about how many: the first blocks are
    /// counted, and what lies between them and the last one is taken to be like them.
    pub fn survey(&self, few: usize) -> Result<Survey, Fault> {
        let (mut ids, mut count) = (SmallVec::new(), 0u64);
        let (mut first, mut behind, mut blocks) = (None, 0, 0);
        for row in range(self.txn, self.table, &self.prefix, 0)? {
            let (key, value) = row?;
            let number = split_row_key(key)?.1;
            if blocks == COUNTED_BLOCKS {
                let last = self.last_number()?.unwrap_or(number);
                let covered = u64::from(behind - *first.get_or_insert(number)).max(1);
                let left = u64::from(last.saturating_sub(behind)) + 1;
                return Ok(Survey::Many(count + (count * left / covered).max(1)));
            }
            let block = Block::parse(number, value)?;
            count += block.count();
            if count <= few as u64 {
                block.iter().for_each(|id| ids.push(id));
            }
            first.get_or_insert(number);
            behind = number.saturating_add(1);
            blocks += 1;
        }
        Ok(if count <= few as u64 { Survey::Few(ids) } else { Survey::Many(count) })
    }

    /// The number of the last block.
    fn last_number(&self) -> Result<Option<u32>, Fault> {
        let end = row_key(&self.prefix, u32::MAX);
        let row = self.table.get_lower_than_or_equal_to(self.txn, &end);
        match row.map_err(fault::store(DOING))? {
            Some((key, _)) if key.starts_with(&self.prefix) => {
                split_row_key(key).map(|(_, number)| Some(number))
            }
            _ => Ok(None),
        }
    }

    /// All ids from the next block on, in order.
    pub fn ids(mut self) -> Result<Vec<EntryId>, Fault> {
        let mut ids = Vec::new();
        while let Some(block) = self.next_block()? {
            ids.extend(block.iter());
        }
        Ok(ids)
    }
}

fn range<'t>(
    txn: &'t Transaction<'t>,
    table: Table,
    prefix: &[u8],
    from: u32,
) -> Result<Scan<'t>, Fault> {
    Scan::new(txn, table, Bound::Included(&row_key(prefix, from)), prefix, DOING)
}

/// One row of an index: a part of the posting of one key.
#[derive(Clone, Copy, Debug)]
pub struct PostingRow<'t> {
    /// The index key, escaped (`names::unescape`); equal keys are equal bytes, in the same order.
    pub key: &'t [u8],
    pub block: Block<'t>,
}

/// The rows of an index whose keys are within bounds, in order of key and block.
pub struct PostingRange<'t> {
    rows: RoRange<'t, Bytes, Bytes>,
}

impl<'t> PostingRange<'t> {
    /// The bounds are whole normalized values. Where a bound or a key is longer than what is kept
    /// of it, rows just outside the bounds are included: matches are verified on the entry.
    pub(super) fn new(
        txn: &'t Transaction<'t>,
        table: Table,
        (kind, attribute): (IndexKind, AttributeId),
        lower: Bound<&[u8]>,
        upper: Bound<&[u8]>,
    ) -> Result<PostingRange<'t>, Fault> {
        let head = head(kind, attribute);
        let lower = Bound::Included(lower_key(&head, lower));
        let upper = Bound::Excluded(upper_key(&head, upper));
        let range = (lower.as_ref().map(|key| &key[..]), upper.as_ref().map(|key| &key[..]));
        let rows = table.range(txn, &range).map_err(fault::store(DOING))?;
        Ok(PostingRange { rows })
    }

    fn read(row: heed::Result<(&'t [u8], &'t [u8])>) -> Result<PostingRow<'t>, Fault> {
        let (key, value) = row.map_err(fault::store(DOING))?;
        let (prefix, number) = split_row_key(key)?;
        let key = prefix.get(HEAD_BYTES..prefix.len() - 1).unwrap_or_default();
        Ok(PostingRow { key, block: Block::parse(number, value)? })
    }
}

impl<'t> Iterator for PostingRange<'t> {
    type Item = Result<PostingRow<'t>, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        self.rows.next().map(PostingRange::read)
    }
}

/// The first key that is within a lower bound.
fn lower_key(head: &[u8], bound: Bound<&[u8]>) -> KeyBytes {
    match bound {
        Bound::Unbounded => KeyBytes::from_slice(head),
        Bound::Included(value) | Bound::Excluded(value) if value.len() > INDEX_KEY_CUT_BYTES => {
            escaped(head, value)
        }
        Bound::Included(value) => escaped(head, value),
        Bound::Excluded(value) => behind(escaped(head, value), &[0]),
    }
}

/// The first key that is behind an upper bound.
fn upper_key(head: &[u8], bound: Bound<&[u8]>) -> KeyBytes {
    match bound {
        Bound::Unbounded => behind(KeyBytes::from_slice(head), &[]),
        Bound::Included(value) | Bound::Excluded(value) if value.len() > INDEX_KEY_CUT_BYTES => {
            behind(escaped(head, value), &[])
        }
        Bound::Included(value) => behind(escaped(head, value), &[0]),
        Bound::Excluded(value) => escaped(head, value),
    }
}

/// What the rows of `value` begin with, as far as it is kept.
fn escaped(head: &[u8], value: &[u8]) -> KeyBytes {
    let mut key = KeyBytes::from_slice(head);
    key.extend_from_slice(&escape(value.get(..INDEX_KEY_CUT_BYTES).unwrap_or(value)));
    key
}

/// The first key behind all that begin with `key` and `ending`.
fn behind(mut key: KeyBytes, ending: &[u8]) -> KeyBytes {
    key.extend_from_slice(ending);
    while let Some(last) = key.pop() {
        if let Some(next) = last.checked_add(1) {
            key.push(next);
            break;
        }
    }
    key
}
