//! The time an order was begun with, going on.

use std::time::Instant;

use time::OffsetDateTime;

/// Tells the time from the one it was given, so that a simulated time stays simulated while an
/// order takes its minutes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    given: OffsetDateTime,
    at: Instant,
}

impl Clock {
    pub(crate) fn starting(now: OffsetDateTime) -> Clock {
        Clock { given: now, at: Instant::now() }
    }

    pub(crate) fn now(&self) -> OffsetDateTime {
        self.given + self.at.elapsed()
    }
}
