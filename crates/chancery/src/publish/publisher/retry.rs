//! What could not be opened at the start is tried again: somebody else may have had the address, or
//! the machine did not have it yet.

use std::sync::{Arc, PoisonError, TryLockError};
use std::time::Duration;

use anyhow::Result;
use time::OffsetDateTime;

use super::{NotDone, Order, Publisher, State};
use crate::alerts::text;
use crate::duties::Duty;
use crate::publish::Publication;

const EVERY: Duration = Duration::from_secs(5);

/// Tries at each turn; after them one in [`THEN_EACH`] turns.
const SOON_MAX: u32 = 6;
const THEN_EACH: u32 = 6;

/// What is tried again, until it works or another change comes about.
pub(super) struct Waiting {
    /// As it was asked for; none: what served before.
    order: Option<Order>,
    pub(super) turns: u32,
}

impl Publisher {
    /// What an attempt that nobody waits for came to.
    pub(super) fn follow(&self, done: Result<(), NotDone>, order: Order) {
        let failed = match done {
            Ok(()) => return,
            Err(NotDone::Failed(why)) => Some(why),
            Err(_) => None,
        };
        if let Some(why) = &failed {
            let mut state = self.state();
            state.record.reason = Some(format!("{why}; it is tried again"));
            if let Err(error) = state.record.store(&self.data) {
                tracing::error!("the state of publishing could not be written: {error:#}");
            }
        }
        match failed {
            Some(_) => {
                self.told_restore();
                self.wait_with(Some(order));
            }
            None => self.restore_or_wait(),
        }
    }

    pub(super) fn restore_or_wait(&self) {
        if !self.told_restore() {
            self.wait_with(None);
        }
    }

    fn told_restore(&self) -> bool {
        let restored = self.restore();
        if let Err(why) = &restored {
            tracing::error!("what was published before is not, it is tried again: {why}");
        }
        restored.is_ok()
    }

    fn wait_with(&self, order: Option<Order>) {
        let waiting = Some(Waiting { order, turns: 0 });
        *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) = waiting;
    }

    /// At each turn of the duty.
    pub(super) fn try_again(&self, now: OffsetDateTime) {
        let _change = match self.under_way.try_lock() {
            Ok(change) => change,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(own) = waiting.as_mut() else { return };
        if self.record().state != State::Failed {
            *waiting = None;
            return;
        }
        own.turns = own.turns.saturating_add(1);
        if own.turns > SOON_MAX && !own.turns.is_multiple_of(THEN_EACH) {
            return;
        }
        let is_over = match &own.order {
            Some(order) => self.tried(order, now),
            None => self.restore().is_ok(),
        };
        if is_over {
            *waiting = None;
        }
    }

    /// Nothing is written before it has worked: the state says failed, and a start tries again
    /// anyhow. Whether there is nothing left to try.
    fn tried(&self, order: &Order, now: OffsetDateTime) -> bool {
        let Ok(wanted) = &order.wanted else { return true };
        if let Err(refused) = self.prove(&Publication::default(), wanted, now) {
            tracing::error!("not tried again: {refused}");
            let doors = std::mem::take(&mut self.state().doors);
            self.end(doors, State::Failed, Some(refused.to_string()), text(now));
            return true;
        }
        let mut doors = std::mem::take(&mut self.state().doors);
        if let Err(why) = self.rearrange(&mut doors, wanted) {
            self.state().doors = doors;
            tracing::debug!("still not published: {why}");
            let _ = self.restore();
            return false;
        }
        {
            let record = &mut self.state().record;
            (record.in_force, record.switches) = (wanted.clone(), order.switches.clone());
        }
        self.end(doors, State::Enabled, None, text(now));
        tracing::info!(asked = order.asked.what, by = order.asked.by, "published, tried again");
        true
    }
}

/// The duty.
pub(crate) struct Retrying(pub(crate) Arc<Publisher>);

impl Duty for Retrying {
    fn name(&self) -> &'static str {
        "publishing"
    }

    fn every(&self) -> Duration {
        EVERY
    }

    fn run(&mut self, now: OffsetDateTime) -> Result<()> {
        self.0.try_again(now);
        Ok(())
    }
}
