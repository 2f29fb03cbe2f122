//! Data in and out, and the check of what lies on disk: whole directories at a time.
//!
//! - [`records`]: LDIF in pieces, from any reader.
//! - [`load`]: LDIF content into an empty directory, at disk speed.
//! - [`changes`]: LDIF records as changes, for directories that hold something already.
//! - [`export`]: everything as LDIF, in an order that is the same each time.
//! - [`backup`]: a consistent copy of the folder, and back.
//! - `aside`: what is put aside until later.
//! - [`check`]: every invariant of docs/design/storage.md.

mod aside;
pub mod backup;
pub mod changes;
pub mod check;
pub mod export;
pub mod load;
pub mod records;

#[cfg(test)]
mod tests;

/// Where work stands, for whoever shows it to a person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    pub phase: &'static str,
    pub entries: u64,
    pub bytes: u64,
}

/// A record that could not be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {}{what}", if dn.is_empty() { String::new() } else { format!("{dn}: ") })]
pub struct Rejected {
    pub line: u32,
    pub dn: String,
    pub what: String,
    /// The record as it stands in the file.
    pub text: Vec<u8>,
}

impl Rejected {
    /// The record behind a comment that says why it was refused: itself LDIF, to be mended and
    /// loaded.
    pub fn to_ldif(&self) -> Vec<u8> {
        let mut out =
            format!("# line {}: {}\n", self.line, self.what.replace('\n', " ")).into_bytes();
        out.extend_from_slice(self.text.trim_ascii_end());
        out.extend_from_slice(b"\n\n");
        out
    }
}
