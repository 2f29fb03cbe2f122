//! From a date to a condition: told at 60, 30, 14, 7 and 1 days before it, and when it has passed.

use time::{Duration, OffsetDateTime};

use super::{Condition, Level};

/// A date by which something must have happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Deadline {
    pub(crate) id: &'static str,
    pub(crate) cause: String,
    /// What expires, such as `the certificate for ldap.example.com`.
    pub(crate) subject: String,
    pub(crate) at: OffsetDateTime,
    /// What renews itself is not told of before this: until then all is as it should be.
    pub(crate) quiet_until: Option<OffsetDateTime>,
    pub(crate) fix: String,
}

/// Days before it, and how bad that is. Each is told once.
const STEPS: [(i64, Level); 5] = [
    (60, Level::Notice),
    (30, Level::Warning),
    (14, Level::Warning),
    (7, Level::Critical),
    (1, Level::Critical),
];

/// A condition, and how far it has come: a step beyond the last one told is told at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) condition: Condition,
    /// 0 where there are no steps.
    pub(crate) step: u8,
}

impl From<Condition> for Held {
    fn from(condition: Condition) -> Held {
        Held { condition, step: 0 }
    }
}

impl Deadline {
    /// None as long as there is nothing to be told.
    pub(crate) fn held(&self, now: OffsetDateTime) -> Option<Held> {
        let left = self.at - now;
        if left <= Duration::ZERO {
            let what = format!("{} has expired on {}", self.subject, self.at.date());
            let step = u8::try_from(STEPS.len() + 1).unwrap_or(u8::MAX);
            return Some(self.at_step(step, Level::Critical, what));
        }
        if self.quiet_until.is_some_and(|until| now < until) {
            return None;
        }
        let reached = STEPS.iter().zip(1..).filter(|((days, _), _)| left <= Duration::days(*days));
        let ((_, level), step) = reached.last()?;
        let left = match left.whole_days() {
            0 => "in less than a day".to_owned(),
            1 => "in 1 day".to_owned(),
            days => format!("in {days} days"),
        };
        let what = format!("{} expires {left}, on {}", self.subject, self.at.date());
        Some(self.at_step(step, *level, what))
    }

    fn at_step(&self, step: u8, level: Level, what: String) -> Held {
        let (cause, fix) = (self.cause.clone(), self.fix.clone());
        Held { condition: Condition { id: self.id, cause, level, what, fix }, step }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn steps() {
        let at = datetime!(2027-03-01 12:00 UTC);
        let deadline = Deadline {
            id: "certificate-expiring",
            cause: "ab12".to_owned(),
            subject: "the certificate".to_owned(),
            at,
            quiet_until: None,
            fix: "renew it".to_owned(),
        };
        for (days, expected) in [
            (61, None),
            (60, Some((1, Level::Notice, "in 60 days"))),
            (31, Some((1, Level::Notice, "in 31 days"))),
            (30, Some((2, Level::Warning, "in 30 days"))),
            (14, Some((3, Level::Warning, "in 14 days"))),
            (7, Some((4, Level::Critical, "in 7 days"))),
            (1, Some((5, Level::Critical, "in 1 day"))),
            (0, Some((6, Level::Critical, "has expired"))),
            (-9, Some((6, Level::Critical, "has expired"))),
        ] {
            let held = deadline.held(at - Duration::days(days));
            let found = held.map(|held| (held.step, held.condition.level, held.condition.what));
            match (found, expected) {
                (Some((step, level, what)), Some((right, bad, part))) => {
                    assert_eq!((step, level), (right, bad), "{days}");
                    assert!(what.contains(part), "{what}");
                }
                (found, expected) => assert_eq!(found.is_none(), expected.is_none(), "{days}"),
            }
        }
        let renews = Deadline { quiet_until: Some(at - Duration::days(20)), ..deadline };
        let told = |days: i64| renews.held(at - Duration::days(days)).map(|held| held.step);
        assert_eq!([told(30), told(21), told(20), told(5)], [None, None, Some(2), Some(4)]);
    }
}
