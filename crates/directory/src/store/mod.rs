//! Rows and bytes: LMDB behind typed keys. The specification is `docs/design/storage.md`.
//!
//! In reading order:
//!
//! - [`open`]: the folder, its lock and its format; [`Store`].
//! - [`reader`]: everything that can be read, from a [`Snapshot`] or inside a [`Batch`].
//! - [`batch`]: everything that can be written, in one transaction.
//! - [`entry`], [`block`], [`names`], [`keys`]: the bytes of values and keys.
//! - [`posting`], [`idset`]: index rows and sets of ids; `pending`: those that a batch changes.
//! - [`nodes`]: many names in order. [`versions`]: in which transaction links last changed.
//! - [`dictionary`]: numbers of attribute descriptions.
//! - [`bulk`], [`runs`]: filling an empty directory with sorted pages.
//! - `journal`: what makes a batch durable while the directory is served. `folding`: its checksum.
//! - [`mod@check`]: the invariants of the note, as far as bytes tell.

pub mod batch;
pub mod block;
pub mod bulk;
pub mod check;
pub mod dictionary;
pub mod entry;
mod fault;
mod folding;
pub mod idset;
mod journal;
mod keys;
pub mod names;
pub mod nodes;
pub mod open;
mod pending;
pub mod posting;
pub mod reader;
mod runs;
mod tables;
pub mod versions;

pub use batch::Batch;
pub use block::{Block, BlockIds};
pub use bulk::{BulkNode, BulkTotals, BulkWriter};
pub use check::{Checked, Finding, check};
pub use dictionary::Dictionary;
pub use entry::{EntryBuilder, EntryFlags, EntryRecord, Row, Values, description, values};
pub use idset::{BlockBits, Members};
pub use nodes::NodeWalk;
pub use open::{OpenError, Sizes, Store, StoreOptions};
pub use posting::{IndexKind, Posting, PostingKey, PostingRow, Survey};
pub use reader::{Backlink, Counters, Link, Loose, LooseName, Node, Reader, Snapshot};
pub use versions::{LinkVersions, TransactionNumber};

/// The number of an entry, never used again. 0 is the place above the suffixes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntryId(pub u64);

impl EntryId {
    /// The place above the suffixes: the parent of every suffix entry.
    pub const ROOT: EntryId = EntryId(0);
}

/// The number of an attribute description (type and options) in this directory's dictionary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AttributeId(pub u32);

/// The number of a change: from 1, one per change, without gaps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CommitNumber(pub u64);

#[cfg(test)]
mod tests;
