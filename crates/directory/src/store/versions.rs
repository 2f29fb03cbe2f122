//! In which transaction the links of an entry last changed, so that what was made from them can be
//! kept and used again.
//!
//! The writer notes its changes before it commits, a reader asks after it took its snapshot. So
//! whatever a snapshot shows is noted already; what is noted and not yet visible costs a reader
//! its kept copy, and nothing else.

use std::collections::{BTreeSet, HashMap};
use std::sync::Mutex;

use super::EntryId;

/// Entries that are told apart; beyond, all count as changed.
const NOTED_MAX: usize = 4096;

/// The number of a committed transaction, which is also that of the snapshots it leads to.
pub type TransactionNumber = u64;

/// What one transaction did to links and to the names they are printed with.
#[derive(Debug, Default)]
pub(super) struct Touched {
    /// Entries whose rows in `links` or `loose` are others now.
    pub(super) links: BTreeSet<EntryId>,
    /// Whether an entry got another name or place.
    pub(super) moved: bool,
}

/// When the links of each entry last changed.
#[derive(Debug, Default)]
pub struct LinkVersions {
    noted: Mutex<Noted>,
}

#[derive(Debug, Default)]
struct Noted {
    /// The links of every entry count as changed in this transaction, if not later.
    all: TransactionNumber,
    by_entry: HashMap<EntryId, TransactionNumber>,
}

impl LinkVersions {
    /// To be called before the transaction is committed. Whether it then is does not matter.
    pub(super) fn note(&self, number: TransactionNumber, touched: &Touched) {
        if touched.links.is_empty() && !touched.moved {
            return;
        }
        let mut noted = self.noted.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if touched.moved || noted.by_entry.len() + touched.links.len() > NOTED_MAX {
            *noted = Noted { all: number, by_entry: HashMap::new() };
        }
        noted.by_entry.extend(touched.links.iter().map(|id| (*id, number)));
        if noted.by_entry.len() > NOTED_MAX {
            *noted = Noted { all: number, by_entry: HashMap::new() };
        }
    }

    /// The last transaction that changed the links of `from` or any name.
    pub fn changed_in(&self, from: EntryId) -> TransactionNumber {
        let noted = self.noted.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        noted.by_entry.get(&from).copied().unwrap_or_default().max(noted.all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touched(ids: std::ops::Range<u64>, moved: bool) -> Touched {
        Touched { links: ids.map(EntryId).collect(), moved }
    }

    #[test]
    fn each_entry_has_its_last_change() {
        let many = NOTED_MAX as u64;
        let versions = LinkVersions::default();
        for (number, touched, expected) in [
            (3, touched(0..0, false), [0, 0]),
            (4, touched(1..2, false), [4, 0]),
            (5, touched(2..3, false), [4, 5]),
            (6, touched(0..0, true), [6, 6]),
            (7, touched(1..2, false), [7, 6]),
            (8, touched(100..100 + many, false), [8, 8]),
            (9, touched(100..101 + many, false), [9, 9]),
        ] {
            versions.note(number, &touched);
            let found = [1, 2].map(|id| versions.changed_in(EntryId(id)));
            assert_eq!(found, expected, "after transaction {number}");
        }
    }
}
