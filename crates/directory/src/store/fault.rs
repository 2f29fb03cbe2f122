//! From LMDB's errors to [`Fault`]: no room is not damage, and damage is not a failing disk.

use std::{
    fs,
    io::{self, ErrorKind},
    path::Path,
};

use heed::MdbError;

use crate::refusal::Fault;

/// The fault behind an LMDB error met while `doing` something.
pub(super) fn store(doing: &'static str) -> impl Fn(heed::Error) -> Fault {
    move |source| match source {
        heed::Error::Mdb(MdbError::MapFull) => Fault::Full,
        heed::Error::Io(error) if is_no_room(&error) => Fault::Full,
        heed::Error::Mdb(error @ (MdbError::Corrupted | MdbError::PageNotFound)) => {
            Fault::Damaged { what: format!("{error}, met while {doing}") }
        }
        source => Fault::Store { doing, source },
    }
}

pub(super) fn is_no_room(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

/// Whether this is what LMDB makes of a write that only half fitted on the disk of `folder`: it
/// reports an I/O error, as it does for a disk that fails. Which it was, another write shows.
pub(super) fn was_cut_short(error: &io::Error, folder: &Path) -> bool {
    const EIO: i32 = 5;
    if error.raw_os_error() != Some(EIO) {
        return false;
    }
    let probe = folder.join("room.probe");
    let written = fs::write(&probe, [0; 4096]);
    // What is left of it is empty, or there was room for it.
    let _ = fs::remove_file(&probe);
    written.is_err_and(|error| is_no_room(&error))
}

pub(super) fn damaged(what: impl Into<String>) -> Fault {
    Fault::Damaged { what: what.into() }
}
