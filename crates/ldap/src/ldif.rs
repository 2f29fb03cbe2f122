//! LDIF (RFC 2849): content and change records, read with line numbers and written byte-stable.
//!
//! Nothing here does I/O. [`Reader`] walks a slice that holds everything (a mapped file);
//! [`Splitter`] cuts records out of a buffer that is being filled in pieces, and [`Record::parse`]
//! turns each into a value, on whichever thread. Both borrow: a value that is neither folded nor
//! base64 costs no allocation.

mod lines;
mod record;
mod split;
#[cfg(test)]
mod tests;
mod url;
mod value;
mod write;

use std::borrow::Cow;
use std::fmt;

use crate::message::ModifyOperation;

pub(crate) use lines::Lines;
pub use split::{Reader, Split, Splitter};
pub use url::file_url_path;
pub use write::{write_attribute, write_dn, write_record, write_url, write_version};

/// The longest line, folds undone. A value beyond this does not belong into a directory.
pub const MAX_LINE_BYTES: usize = 64 * 1024 * 1024;
/// The largest record: a group of some million members fits.
pub const MAX_RECORD_BYTES: usize = 256 * 1024 * 1024;
/// The most lines of one record, which bounds what a record of tiny lines grows to in memory.
pub const MAX_RECORD_LINES: u32 = 4_000_000;

/// One record: an entry as it is, or a change to one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// The line of its `dn`, counted from 1.
    pub line: u32,
    /// As written; not checked to be a name.
    pub dn: Cow<'a, str>,
    /// Only change records have them.
    pub controls: Vec<LdifControl<'a>>,
    pub kind: RecordKind<'a>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordKind<'a> {
    /// No `changetype`.
    Content(Vec<LdifAttribute<'a>>),
    Add(Vec<LdifAttribute<'a>>),
    Delete,
    Modify(Vec<LdifModification<'a>>),
    ModifyDn {
        new_rdn: Cow<'a, str>,
        delete_old_rdn: bool,
        new_superior: Option<Cow<'a, str>>,
    },
}

/// One line's attribute and value; an attribute with three values is three of these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LdifAttribute<'a> {
    pub line: u32,
    /// Owned only where a fold cuts it in two.
    pub description: Cow<'a, str>,
    pub value: LdifValue<'a>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LdifValue<'a> {
    /// Owned only where the line was folded or base64.
    Inline(Cow<'a, [u8]>),
    /// `:<`, for the caller to read or refuse; see [`file_url_path`].
    Url(Cow<'a, str>),
}

/// One `add:`, `delete:`, `replace:` or `increment:` block of a modify record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LdifModification<'a> {
    pub line: u32,
    pub operation: ModifyOperation,
    pub description: Cow<'a, str>,
    pub values: Vec<LdifValue<'a>>,
}

/// `control: oid [true|false][: value]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LdifControl<'a> {
    pub line: u32,
    pub oid: String,
    pub critical: bool,
    pub value: Option<LdifValue<'a>>,
}

/// What is wrong with a file, and on which line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LdifError {
    pub line: u32,
    pub what: String,
}

impl fmt::Display for LdifError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "line {}: {}", self.line, self.what)
    }
}

impl std::error::Error for LdifError {}

fn fail<T>(line: u32, what: impl Into<String>) -> Result<T, LdifError> {
    Err(LdifError { line, what: what.into() })
}
