//! Posting changes that wait for the end of their batch, so that a row is rewritten once for all
//! entries that enter or leave it: people added together share most of their grams.

use std::collections::HashMap;

use super::{EntryId, PostingKey, block::block_of, posting::row_key};

/// Changes that wait at most; more are written before the batch goes on.
pub(super) const PENDING_CHANGES_MAX: usize = 1 << 16;

/// One member of a block that comes (true) or goes.
pub(super) type Member = (u16, bool);

#[derive(Default)]
pub(super) struct PendingPostings {
    rows: HashMap<Vec<u8>, Vec<Member>>,
    changes: usize,
}

impl PendingPostings {
    pub(super) fn push(&mut self, key: &PostingKey<'_>, id: EntryId, comes: bool) {
        let (number, low) = block_of(id);
        self.rows.entry(row_key(&key.prefix(), number).into_vec()).or_default().push((low, comes));
        self.changes += 1;
    }

    pub(super) fn is_full(&self) -> bool {
        self.changes >= PENDING_CHANGES_MAX
    }

    /// The rows in the order of their keys, each with its changes in the order in which they came.
    pub(super) fn take(&mut self) -> Vec<(Vec<u8>, Vec<Member>)> {
        self.changes = 0;
        let mut rows: Vec<_> = self.rows.drain().collect();
        rows.sort_unstable_by(|one, other| one.0.cmp(&other.0));
        rows
    }
}
