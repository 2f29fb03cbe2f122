//! Printed values of large groups, kept from one reading to the next.
//!
//! A kept value was printed from one snapshot and is used for another one only if no transaction
//! up to the later of the two changed the group's links or any name: see `store::versions`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::store::{AttributeId, EntryId, Reader, TransactionNumber};

/// Attributes with fewer links are printed anew each time, which costs about as much as looking.
pub(crate) const KEPT_LINKS_MIN: usize = 256;

/// What all kept values may take; the one used longest ago goes first.
pub(crate) const KEPT_BYTES_MAX: usize = 32 << 20;

/// Values as they are sent: OCTET STRING elements one behind the other.
pub(crate) type Printed = Arc<Vec<u8>>;

type Place = (EntryId, AttributeId);

#[derive(Debug, Default)]
pub(crate) struct PrintedLinks {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    by_place: HashMap<Place, One>,
    bytes: usize,
    uses: u64,
}

#[derive(Debug)]
struct One {
    from: TransactionNumber,
    used: u64,
    values: Printed,
}

impl PrintedLinks {
    /// The kept values, if they are those of the reader's snapshot.
    pub(crate) fn find(&self, reader: &Reader<'_>, place: Place) -> Option<Printed> {
        let snapshot = reader.snapshot_number()?;
        let mut kept = self.lock();
        kept.uses += 1;
        let uses = kept.uses;
        let one = kept.by_place.get_mut(&place)?;
        // Asked after the value was found: a change noted later is in neither of the two.
        let changed = reader.links_changed_in(place.0);
        if changed > one.from {
            kept.forget(place);
            return None;
        }
        one.used = uses;
        (changed <= snapshot).then(|| Arc::clone(&one.values))
    }

    /// Keeps what was printed from the reader's snapshot, unless it is too large or outdated.
    pub(crate) fn keep(&self, reader: &Reader<'_>, place: Place, values: &Printed) {
        let Some(from) = reader.snapshot_number() else { return };
        if values.len() > KEPT_BYTES_MAX || reader.links_changed_in(place.0) > from {
            return;
        }
        let mut kept = self.lock();
        kept.forget(place);
        while kept.bytes + values.len() > KEPT_BYTES_MAX {
            let oldest = kept.by_place.iter().min_by_key(|(_, one)| one.used);
            let Some(oldest) = oldest.map(|(place, _)| *place) else { break };
            kept.forget(oldest);
        }
        kept.bytes += values.len();
        let one = One { from, used: kept.uses, values: Arc::clone(values) };
        kept.by_place.insert(place, one);
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn forget(&mut self, place: Place) {
        if let Some(one) = self.by_place.remove(&place) {
            self.bytes -= one.values.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Store, StoreOptions};

    #[test]
    fn what_is_kept_has_a_maximum_and_the_longest_unused_goes_first() {
        let folder = tempfile::tempdir().unwrap();
        let options = StoreOptions { map_bytes_max: 1 << 24, ..StoreOptions::default() };
        let store = Store::create(&folder.path().join("data"), &options).unwrap();
        let snapshot = store.snapshot().unwrap();
        let reader = snapshot.reader();
        let printed = PrintedLinks::default();
        let place = |group| (EntryId(group), AttributeId(1));
        let kept = || [1, 2, 3].map(|group| printed.lock().by_place.contains_key(&place(group)));
        let third = KEPT_BYTES_MAX / 3 + 1;
        for (group, bytes, expected) in [
            (1, third, [true, false, false]),
            (2, third, [true, true, false]),
            (3, KEPT_BYTES_MAX + 1, [true, true, false]),
            // The first was used last, so the second goes.
            (3, third, [true, false, true]),
            (3, 1, [true, false, true]),
            (2, third, [true, true, true]),
            (1, KEPT_BYTES_MAX, [true, false, false]),
        ] {
            printed.keep(&reader, place(group), &Printed::new(vec![0; bytes]));
            assert_eq!(kept(), expected, "group {group}, {bytes} bytes");
            printed.find(&reader, place(1)).unwrap();
        }
        assert_eq!(printed.lock().bytes, KEPT_BYTES_MAX);
        let mut batch = store.batch().unwrap();
        batch.add_loose(EntryId(1), AttributeId(1), b"a\0", b"a").unwrap();
        assert!(printed.find(&batch.reader(), place(1)).is_none(), "inside a batch");
        batch.commit().unwrap();
        assert!(printed.find(&reader, place(1)).is_none(), "its links are others now");
        assert_eq!(printed.lock().bytes, 0);
    }
}
