//! Whether to believe the clock: it must not be before this program was made, nor before what this
//! server has seen already, and it does not leap.
//!
//! While it is not believed, nothing is told that only the time says: no deadline, no reminder.
//! After a day at the new time that is the time.

use serde::{Deserialize, Serialize};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

use super::{Condition, Level};

pub(super) const ID: &str = "clock-implausible";

/// No clock that is right shows a time before this.
pub(super) const MADE: OffsetDateTime = datetime!(2026-11-01 0:00 UTC);

/// Clocks are set by so much without anybody noticing.
const SLACK: Duration = Duration::minutes(5);

/// Evaluations come once an hour, so this much between two of one run is a leap or a sleep.
const LEAP: Duration = Duration::hours(36);

/// How long a clock must go on from where it leapt to.
const BELIEVED_AFTER: Duration = Duration::hours(24);

/// What is known of the clock, from one evaluation to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Clock {
    /// The newest time that was believed.
    #[serde(with = "time::serde::rfc3339::option")]
    newest: Option<OffsetDateTime>,
    /// Where it leapt to, and has been since.
    #[serde(with = "time::serde::rfc3339::option")]
    leapt_to: Option<OffsetDateTime>,
    /// Whether this run has evaluated before: a server may be off for as long as it likes.
    #[serde(skip)]
    runs: bool,
}

impl Clock {
    /// The newest time that is believed: what is judged by time is judged by this one.
    pub(crate) fn believed(&self, now: OffsetDateTime) -> OffsetDateTime {
        self.newest.unwrap_or(now)
    }

    /// None: it is believed. Otherwise what is wrong with it.
    pub(crate) fn judge(&mut self, now: OffsetDateTime) -> Option<Condition> {
        let runs = std::mem::replace(&mut self.runs, true);
        if now < MADE {
            return Some(implausible(
                "before",
                format!("the clock shows {}, before this program was made", super::text(now)),
            ));
        }
        let newest = *self.newest.get_or_insert(now);
        let back = now < newest - SLACK;
        let ahead = (runs || self.leapt_to.is_some()) && now > newest + LEAP;
        if !back && !ahead {
            self.leapt_to = None;
            self.newest = Some(newest.max(now));
            return None;
        }
        let since = self.leapt_to.filter(|since| *since <= now + SLACK && now - *since < LEAP);
        let since = *self.leapt_to.insert(since.unwrap_or(now));
        if now - since >= BELIEVED_AFTER {
            (self.newest, self.leapt_to) = (Some(now), None);
            return None;
        }
        let (cause, way) = if back { ("back", "back") } else { ("ahead", "ahead") };
        let seen = super::text(newest);
        Some(implausible(cause, format!("the clock leapt {way}: it has shown {seen} before")))
    }
}

fn implausible(cause: &str, what: String) -> Condition {
    Condition {
        id: ID,
        cause: cause.to_owned(),
        level: Level::Warning,
        what,
        fix: "set the clock and let it be set (NTP); until then no dates are judged".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: OffsetDateTime = datetime!(2027-01-01 0:00 UTC);

    /// Hours from the start, one evaluation each: `.` believed, or the first letter of the cause.
    fn play(clock: &mut Clock, hours: impl IntoIterator<Item = i64>) -> String {
        let judge = |hour: i64| match clock.judge(START + Duration::hours(hour)) {
            None => '.',
            Some(condition) => condition.cause.chars().next().unwrap(),
        };
        hours.into_iter().map(judge).collect()
    }

    #[test]
    fn leaps() {
        for (hours, expected) in [
            (vec![0, 1, 2, 3], "...."),
            // Back, and right again.
            (vec![0, 1, -100, -99, 2, 3], "..bb.."),
            // Ahead by years, and right again.
            (vec![0, 1, 99_999, 100_000, 2, 3], "..aa.."),
            (vec![0, 1, 99_999, -100, 2], "..ab."),
            (vec![0, -999_999], ".b"),
        ] {
            assert_eq!(play(&mut Clock::default(), hours.clone()), expected, "{hours:?}");
        }
        assert!(Clock::default().judge(datetime!(1970-01-01 0:00 UTC)).is_some());
    }

    #[test]
    fn what_is_judged_meanwhile_is_judged_by_the_time_before() {
        let mut clock = Clock::default();
        for (hour, believed) in [(0, 0), (1, 1), (9999, 1), (-9999, 1), (2, 2)] {
            let now = START + Duration::hours(hour);
            clock.judge(now);
            assert_eq!(clock.believed(now), START + Duration::hours(believed), "{hour}");
        }
    }

    #[test]
    fn after_a_day_it_is_believed() {
        for leap in [-1000, 1000] {
            let mut clock = Clock::default();
            assert_eq!(play(&mut clock, [0, 1]), "..");
            let letter = if leap < 0 { "b" } else { "a" };
            let played = play(&mut clock, leap..leap + 30);
            assert_eq!(played, format!("{}{}", letter.repeat(24), ".".repeat(6)), "{leap}");
        }
    }

    #[test]
    fn a_server_that_was_off_for_long_has_not_leapt_and_one_set_back_has() {
        let mut clock = Clock::default();
        play(&mut clock, [0, 1]);
        let text = serde_json::to_string(&clock).unwrap();
        let again = || serde_json::from_str::<Clock>(&text).unwrap();
        assert_eq!(play(&mut again(), [9999, 10_000]), "..");
        assert_eq!(play(&mut again(), [-9999, -9998]), "bb");
    }
}
