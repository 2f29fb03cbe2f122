//! Postings against entries, both ways, in memory that does not grow with either: what the entries
//! call for and what the indexes hold is summed up by hashes in any order. Only where two sums
//! differ is every member looked at, to name those that are wrong.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Bound;

use super::Check;
use crate::entry::Entry;
use crate::index::OwnedKey;
use crate::refusal::Fault;
use crate::store::block::block_of;
use crate::store::names::{INDEX_KEY_CUT_BYTES, hash16, unescape};
use crate::store::{AttributeId, EntryId, IndexKind, PostingKey};
use crate::tree::Candidate;

/// Members of one index that are named when it is wrong; the rest is of the same kind.
const NAMED_MAX: u64 = 100;

const KINDS: [IndexKind; 3] = [IndexKind::Equality, IndexKind::Presence, IndexKind::Substring];

/// A set of (key, id) without the set: how many, and the sum of their hashes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum {
    count: u64,
    hashes: u64,
}

impl Sum {
    fn add(&mut self, key_hash: u64, id: EntryId) {
        self.count += 1;
        self.hashes = self.hashes.wrapping_add(mixed(key_hash ^ mixed(id.0)));
    }
}

pub(super) type Sums = HashMap<(IndexKind, AttributeId), Sum>;

/// Every bit of the result depends on every bit of the number.
fn mixed(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

fn hash_of(key: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

/// A key as an index keeps it.
fn cut(key: &[u8]) -> Cow<'_, [u8]> {
    match key.get(..INDEX_KEY_CUT_BYTES) {
        Some(head) if key.len() > head.len() => Cow::Owned([head, &hash16(key)].concat()),
        _ => Cow::Borrowed(key),
    }
}

fn name(kind: IndexKind) -> &'static str {
    match kind {
        IndexKind::All => "entry",
        IndexKind::Equality => "equality",
        IndexKind::Presence => "presence",
        IndexKind::Substring => "substring",
    }
}

impl Check<'_, '_> {
    fn keys_of(&self, entry: &Entry) -> Vec<OwnedKey> {
        let mut keys = Vec::new();
        for attribute in &entry.attributes {
            let values = attribute.values.iter();
            self.indexes.keys(self.tree.schema(), &attribute.described, values, &mut keys);
        }
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    /// What an entry calls for.
    pub(super) fn sum_entry(&mut self, id: EntryId, entry: &Entry, place: &str) {
        for (kind, type_index, key) in self.keys_of(entry) {
            let Some(of) = self.tree.schema().attribute_type_at(type_index) else { continue };
            let Some(attribute) = self.tree.catalogue.id(&of.key) else {
                let what = format!("'{}' is not indexed", of.name);
                self.broken(place.to_owned(), what);
                continue;
            };
            self.called.entry((kind, attribute)).or_default().add(hash_of(&cut(&key)), id);
        }
    }

    /// What the indexes hold; where that differs, which members are wrong.
    pub(super) fn postings(&mut self) -> Result<(), Fault> {
        let catalogue = self.tree.catalogue.clone();
        for (attribute, described) in catalogue.iter() {
            for kind in KINDS {
                let held = self.held(kind, attribute)?;
                let called = self.called.get(&(kind, attribute)).copied().unwrap_or_default();
                if held != called {
                    let index = format!("the {} index of '{}'", name(kind), described.text);
                    let missing = self.name_missing(kind, attribute, &index)?;
                    let surplus = self.name_surplus(kind, attribute, &index)?;
                    if missing + surplus == 0 {
                        self.broken(index, "it is not what the entries call for");
                    }
                }
            }
        }
        Ok(())
    }

    fn held(&self, kind: IndexKind, attribute: AttributeId) -> Result<Sum, Fault> {
        let mut sum = Sum::default();
        let all = (Bound::Unbounded, Bound::Unbounded);
        for row in self.tree.reader.posting_range(kind, attribute, all.0, all.1)? {
            let Ok(row) = row else { continue }; // named by the check of the rows
            let hash = hash_of(&unescape(row.key).unwrap_or_default());
            row.block.iter().for_each(|id| sum.add(hash, id));
        }
        Ok(sum)
    }

    /// The keys of one index that an entry calls for, as the index keeps them.
    fn keys_in(&self, entry: &Entry, kind: IndexKind, attribute: AttributeId) -> Vec<Vec<u8>> {
        let of = |key: &OwnedKey| {
            let of = self.tree.schema().attribute_type_at(key.1);
            key.0 == kind && of.and_then(|of| self.tree.catalogue.id(&of.key)) == Some(attribute)
        };
        self.keys_of(entry).into_iter().filter(of).map(|key| key.2).collect()
    }

    fn name_missing(
        &mut self,
        kind: IndexKind,
        attribute: AttributeId,
        index: &str,
    ) -> Result<u64, Fault> {
        let mut named = 0;
        for row in self.tree.reader.entries_from(EntryId(1))? {
            let Ok((id, record)) = row else { break };
            let Ok(entry) = Entry::decode(&record, self.tree.catalogue) else { continue };
            let (number, low) = block_of(id);
            for key in self.keys_in(&entry, kind, attribute) {
                let posting = PostingKey { kind, attribute, key: &key };
                let block = self.tree.reader.posting_block(&posting, number)?;
                if !block.is_some_and(|block| block.contains(low)) && named < NAMED_MAX {
                    named += 1;
                    let place = super::place(&Candidate::new(self.tree, id, record));
                    self.broken(place, format!("it is missing from {index}"));
                }
            }
        }
        Ok(named)
    }

    fn name_surplus(
        &mut self,
        kind: IndexKind,
        attribute: AttributeId,
        index: &str,
    ) -> Result<u64, Fault> {
        let mut named = 0;
        let all = (Bound::Unbounded, Bound::Unbounded);
        for row in self.tree.reader.posting_range(kind, attribute, all.0, all.1)? {
            let Ok(row) = row else { continue };
            let key = unescape(row.key).unwrap_or_default();
            for id in row.block.iter() {
                if named == NAMED_MAX || self.calls_for(id, kind, attribute, &key)? {
                    continue;
                }
                named += 1;
                let place = match self.tree.entry(id)? {
                    Some(candidate) => super::place(&candidate),
                    None => format!("entry {}", id.0),
                };
                let key = key.escape_ascii();
                let what = format!("{index} has it under a key that it does not call for: {key}");
                self.broken(place, what);
            }
        }
        Ok(named)
    }

    fn calls_for(
        &self,
        id: EntryId,
        kind: IndexKind,
        attribute: AttributeId,
        key: &[u8],
    ) -> Result<bool, Fault> {
        let Some(record) = self.tree.reader.entry(id)? else { return Ok(false) };
        let Ok(entry) = Entry::decode(&record, self.tree.catalogue) else { return Ok(true) };
        Ok(self.keys_in(&entry, kind, attribute).iter().any(|called| *cut(called) == *key))
    }
}
