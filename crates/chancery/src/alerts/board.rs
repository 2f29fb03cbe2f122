//! What has been told and what is to be told: each cause once, a step further once, again every
//! four days as long as it lasts, and once when it is over.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::Level;
use super::deadline::Held;

/// An alert is told again after this.
pub(crate) const REMINDED_AFTER: Duration = Duration::days(4);

/// Alerts at a time. Beyond: the ones that are less bad are not raised.
pub(crate) const ALERTS_MAX: usize = 1000;

/// Something that has been told and is not over.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Alert {
    pub(crate) id: String,
    pub(crate) cause: String,
    pub(crate) level: Level,
    pub(crate) what: String,
    pub(crate) fix: String,
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) since: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) told: OffsetDateTime,
    /// The furthest that was told.
    pub(crate) step: u8,
    /// The worst that was told.
    pub(crate) worst: Level,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Event {
    Raised,
    /// A step further, or a level worse.
    Worse,
    Reminder,
    Cleared,
    /// Somebody wants to see whether it arrives.
    Test,
}

impl Event {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Event::Raised => "raised",
            Event::Worse => "worse",
            Event::Reminder => "reminder",
            Event::Cleared => "cleared",
            Event::Test => "test",
        }
    }
}

/// One thing to tell.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Notice {
    pub(crate) event: Event,
    pub(crate) id: String,
    pub(crate) cause: String,
    pub(crate) level: Level,
    pub(crate) what: String,
    pub(crate) fix: String,
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) since: OffsetDateTime,
}

/// What holds at one time.
pub(crate) struct Findings {
    pub(crate) held: Vec<Held>,
    /// Id and cause of those on the board that nobody has looked at yet: they stay as they are.
    pub(crate) unseen: BTreeSet<(String, String)>,
    /// Whether the clock is believed. If not, nothing is told again, and nothing that has steps is
    /// taken to be over.
    pub(crate) clock_is_right: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(transparent)]
pub(crate) struct Board {
    pub(crate) alerts: Vec<Alert>,
}

impl Board {
    /// Brings the board up to date; comes back with what is to be told, the worst first.
    pub(crate) fn update(&mut self, findings: Findings, now: OffsetDateTime) -> Vec<Notice> {
        let Findings { mut held, unseen, clock_is_right } = findings;
        held.sort_by_key(|one| Reverse(one.condition.level));
        held.truncate(ALERTS_MAX);
        let mut notices = Vec::new();
        let mut still = Vec::new();
        for one in held {
            let place = self.alerts.iter().position(|alert| alert.is_of(&one));
            let (alert, event) = match place.map(|place| self.alerts.swap_remove(place)) {
                // Two areas that say the same.
                None if still.iter().any(|alert: &Alert| alert.is_of(&one)) => continue,
                None => (Alert::of(&one, now), Some(Event::Raised)),
                Some(mut alert) => {
                    let event = alert.go_on(one, clock_is_right, now);
                    (alert, event)
                }
            };
            notices.extend(event.map(|event| alert.notice(event)));
            still.push(alert);
        }
        for alert in self.alerts.drain(..) {
            let is_unseen = unseen.contains(&(alert.id.clone(), alert.cause.clone()));
            if is_unseen || (alert.step > 0 && !clock_is_right) {
                still.push(alert);
            } else {
                notices.push(alert.notice(Event::Cleared));
            }
        }
        still.sort_by(|one, other| {
            let order = other.level.cmp(&one.level);
            order.then_with(|| (&one.id, &one.cause).cmp(&(&other.id, &other.cause)))
        });
        self.alerts = still;
        notices
    }
}

impl Alert {
    fn of(held: &Held, now: OffsetDateTime) -> Alert {
        let condition = &held.condition;
        Alert {
            id: condition.id.to_owned(),
            cause: condition.cause.clone(),
            level: condition.level,
            what: condition.what.clone(),
            fix: condition.fix.clone(),
            since: now,
            told: now,
            step: held.step,
            worst: condition.level,
        }
    }

    fn is_of(&self, held: &Held) -> bool {
        self.id == held.condition.id && self.cause == held.condition.cause
    }

    fn go_on(&mut self, held: Held, clock_is_right: bool, now: OffsetDateTime) -> Option<Event> {
        let further = held.step > self.step || held.condition.level > self.worst;
        self.step = self.step.max(held.step);
        self.worst = self.worst.max(held.condition.level);
        self.level = held.condition.level;
        (self.what, self.fix) = (held.condition.what, held.condition.fix);
        // A clock that was set back, and is believed, must not silence anything until it is there
        // again.
        if clock_is_right {
            self.told = self.told.min(now);
            self.since = self.since.min(now);
        }
        let event = match further {
            true => Event::Worse,
            false if clock_is_right && now - self.told >= REMINDED_AFTER => Event::Reminder,
            false => return None,
        };
        self.told = now;
        Some(event)
    }

    fn notice(&self, event: Event) -> Notice {
        Notice {
            event,
            id: self.id.clone(),
            cause: self.cause.clone(),
            level: self.level,
            what: self.what.clone(),
            fix: self.fix.clone(),
            since: self.since,
        }
    }
}

#[cfg(test)]
mod tests;
