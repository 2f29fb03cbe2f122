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
