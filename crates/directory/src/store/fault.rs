//! From LMDB's errors to [`Fault`]: no room is not damage, and damage is not a failing disk.

use std::io::ErrorKind;

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

pub(super) fn is_no_room(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

pub(super) fn damaged(what: impl Into<String>) -> Fault {
    Fault::Damaged { what: what.into() }
}
