//! Epochs: how readers know that what they remember still fits their snapshot.
//!
//! The writer makes the counter odd before it commits a change of the kind that is watched, and
//! even again afterwards. A reader trusts what belongs to an epoch only if it saw the same even
//! number before and after it took its snapshot.

use std::sync::atomic::{AtomicU64, Ordering};

/// The epoch a snapshot belongs to; none while a change of that kind is being committed.
pub(crate) type Epoch = Option<u64>;

#[derive(Debug, Default)]
pub(crate) struct EpochCounter(AtomicU64);

impl EpochCounter {
    pub(crate) fn now(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    /// The epoch of a snapshot taken between `before` and now.
    pub(crate) fn since(&self, before: u64) -> Epoch {
        (before.is_multiple_of(2) && self.now() == before).then_some(before)
    }

    pub(crate) fn begin_change(&self) {
        self.0.fetch_or(1, Ordering::SeqCst);
    }

    pub(crate) fn end_change(&self) {
        let odd = self.0.load(Ordering::SeqCst) | 1;
        self.0.store(odd + 1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_across_a_change_belongs_to_no_epoch() {
        let counter = EpochCounter::default();
        let before = counter.now();
        assert_eq!(counter.since(before), Some(0));
        counter.begin_change();
        assert_eq!(counter.since(before), None, "it began meanwhile");
        let during = counter.now();
        counter.end_change();
        assert_eq!(counter.since(during), None, "it was under way before");
        assert_eq!(counter.since(counter.now()), Some(2));
    }
}
