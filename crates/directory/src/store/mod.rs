//! Rows and bytes: LMDB behind typed keys. The specification is `docs/design/storage.md`.

/// The number of an entry, never used again. 0 is the place above the suffixes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntryId(pub u64);

/// The number of an attribute description (type and options) in this directory's dictionary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AttributeId(pub u32);
