//! When to order: pure decisions about a certificate, what its CA suggests, and what went wrong
//! before. Nothing here reads a clock.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// The first wait after a failure; each further failure doubles it.
const WAIT_FIRST: Duration = Duration::from_secs(300);
const WAIT_LONGEST: Duration = Duration::from_secs(12 * 3600);
/// A wait that ends later than this was written by a clock that was wrong.
const WAIT_BELIEVED: Duration = Duration::from_secs(30 * 86_400);
/// How often a CA that names no time is asked what it suggests.
pub(crate) const ASK_AGAIN: Duration = Duration::from_secs(6 * 3600);
/// Orders are counted over this time.
const HOUR: Duration = Duration::from_secs(3600);

/// What outlives a restart, so that restarts do not hammer the CA.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct State {
    /// When orders were made, the last hour's.
    #[serde(default)]
    pub(crate) orders: Vec<i64>,
    /// In a row, until one works.
    #[serde(default)]
    pub(crate) failures: u32,
    /// No order before this.
    #[serde(default)]
    pub(crate) not_before: Option<i64>,
    /// The settings of an attempt that failed without the CA asking for time: with others it is
    /// tried at once.
    #[serde(default)]
    pub(crate) settings: Option<String>,
    /// What went wrong last.
    #[serde(default)]
    pub(crate) trouble: Option<String>,
    /// What the CA suggested (ARI, RFC 9773).
    #[serde(default)]
    pub(crate) suggestion: Option<Suggestion>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Suggestion {
    /// The certificate it is about.
    pub(crate) thumbprint: String,
    /// None: the CA suggests nothing for it.
    pub(crate) renew_at: Option<i64>,
    pub(crate) ask_again_at: i64,
    #[serde(default)]
    pub(crate) because: Option<String>,
}

/// The certificate that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) thumbprint: String,
    pub(crate) not_before: OffsetDateTime,
    pub(crate) not_after: OffsetDateTime,
    /// Whether it is for the names that are configured, no more and no fewer.
    pub(crate) names_match: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// With the reason.
    Now(&'static str),
    /// Nothing to do before then; with the reason.
    Later(OffsetDateTime, &'static str),
}

fn at(seconds: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// Whether an order is due, by the certificate alone.
pub(crate) fn wish(held: Option<&Held>, state: &State) -> Due {
    let Some(held) = held else { return Due::Later(at(0), "there is no certificate yet") };
    if !held.names_match {
        return Due::Later(at(0), "it is for other names");
    }
    let lifetime = held.not_after - held.not_before;
    let suggested = state.suggestion.as_ref().filter(|one| one.thumbprint == held.thumbprint);
    match suggested.and_then(|one| one.renew_at) {
        // A suggestion that leaves no time for a second attempt is none.
        Some(seconds) => {
            Due::Later(at(seconds).min(held.not_after - lifetime / 10), "as the CA suggests")
        }
        None => Due::Later(held.not_after - lifetime / 3, "a third of its lifetime is left"),
    }
}

/// Whether to order now: the wish, held back by failures and by the number of orders.
pub(crate) fn due(
    held: Option<&Held>,
    state: &State,
    orders_per_hour: u32,
    now: OffsetDateTime,
) -> Due {
    let (from, why) = match wish(held, state) {
        Due::Now(why) => (now, why),
        Due::Later(from, why) => (from, why),
    };
    if from > now {
        return Due::Later(from, why);
    }
    if let Some(until) = held_back(state, now) {
        return Due::Later(until, "the last attempt failed");
    }
    match room_at(state, orders_per_hour, now) {
        Some(until) => Due::Later(until, "there were enough orders for one hour"),
        None => Due::Now(why),
    }
}

/// Until when failures hold orders back. A time that no wait could reach is not believed.
fn held_back(state: &State, now: OffsetDateTime) -> Option<OffsetDateTime> {
    let until = at(state.not_before?);
    (until > now && until <= now + WAIT_BELIEVED).then_some(until)
}

/// When there is room for another order; None is at once.
pub(crate) fn room_at(
    state: &State,
    orders_per_hour: u32,
    now: OffsetDateTime,
) -> Option<OffsetDateTime> {
    let mut recent: Vec<OffsetDateTime> = recent(state, now).collect();
    recent.sort();
    let allowed = orders_per_hour as usize;
    let crowded = recent.len().checked_sub(allowed)?;
    recent.get(crowded).map(|first| *first + HOUR)
}

fn recent(state: &State, now: OffsetDateTime) -> impl Iterator<Item = OffsetDateTime> {
    state.orders.iter().map(|seconds| at(*seconds)).filter(move |when| {
        let age = now - *when;
        !age.is_negative() && age < HOUR
    })
}

/// An order begins: counted before it is known how it ends.
pub(crate) fn begun(state: &mut State, now: OffsetDateTime) {
    state.orders = recent(state, now).map(OffsetDateTime::unix_timestamp).collect();
    state.orders.push(now.unix_timestamp());
}

pub(crate) fn worked(state: &mut State) {
    state.failures = 0;
    state.not_before = None;
    state.settings = None;
    state.trouble = None;
    state.suggestion = None;
}

/// Whoever changed the settings wants to see what comes of it.
pub(crate) fn configured(state: &mut State, settings: &str) {
    if state.settings.as_ref().is_some_and(|tried| tried != settings) {
        state.settings = None;
        state.not_before = None;
    }
}

pub(crate) fn failed(
    state: &mut State,
    settings: &str,
    trouble: String,
    again_after: Option<Duration>,
    now: OffsetDateTime,
) {
    let doublings = state.failures.min(16);
    let wait = WAIT_FIRST.saturating_mul(1 << doublings).min(WAIT_LONGEST);
    let wait = wait.max(again_after.unwrap_or_default()).min(WAIT_BELIEVED);
    state.failures = state.failures.saturating_add(1);
    state.not_before = Some((now + wait).unix_timestamp());
    state.settings = again_after.is_none().then(|| settings.to_owned());
    state.trouble = Some(trouble);
}

/// Whether the CA should be asked what it suggests for this certificate.
pub(crate) fn should_ask(held: &Held, state: &State, now: OffsetDateTime) -> bool {
    match &state.suggestion {
        Some(one) if one.thumbprint == held.thumbprint => at(one.ask_again_at) <= now,
        _ => true,
    }
}

/// RFC 9773 §4.2: a point of the window, the same one until the window moves. `chance` is any
/// number.
pub(crate) fn point_in(window: (OffsetDateTime, OffsetDateTime), chance: u64) -> OffsetDateTime {
    let (start, end) = window;
    let length = u64::try_from((end - start).whole_seconds()).unwrap_or(0);
    let offset = chance.checked_rem(length).unwrap_or(0);
    start + Duration::from_secs(offset)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const START: OffsetDateTime = datetime!(2026-01-01 00:00 UTC);
    const DAY: Duration = Duration::from_secs(86_400);

    fn held() -> Held {
        Held {
            thumbprint: "t".to_owned(),
            not_before: START,
            not_after: START + 90 * DAY,
            names_match: true,
        }
    }

    fn suggested(day: u32) -> State {
        let renew_at = (START + day * DAY).unix_timestamp();
        let suggestion = Suggestion {
            thumbprint: "t".to_owned(),
            renew_at: Some(renew_at),
            ask_again_at: 0,
            because: None,
        };
        State { suggestion: Some(suggestion), ..State::default() }
    }

    #[test]
    fn an_order_is_due_when_its_time_has_come() {
        let other_names = Held { names_match: false, ..held() };
        let about_another = {
            let mut state = suggested(10);
            state.suggestion.as_mut().unwrap().thumbprint = "u".to_owned();
            state
        };
        for (why, held, state, first_day) in [
            ("none yet", None, State::default(), 0),
            ("other names", Some(other_names), State::default(), 0),
            ("a third is left", Some(held()), State::default(), 60),
            ("the CA suggests earlier", Some(held()), suggested(20), 20),
            ("the CA suggests later", Some(held()), suggested(70), 70),
            ("the CA suggests too late", Some(held()), suggested(200), 81),
            ("a suggestion about another", Some(held()), about_another, 60),
        ] {
            for day in 0..100 {
                let due = due(held.as_ref(), &state, 5, START + day * DAY);
                assert_eq!(matches!(due, Due::Now(_)), day >= first_day, "{why}, day {day}");
            }
        }
    }

    #[test]
    fn failures_wait_longer_and_longer_and_a_restart_does_not_forget() {
        let mut state = State::default();
        let mut now = START;
        let mut waits = Vec::new();
        for _ in 0..10 {
            assert!(matches!(due(None, &state, 5, now), Due::Now(_)));
            begun(&mut state, now);
            failed(&mut state, "s", "no".to_owned(), None, now);
            state = serde_json::from_str(&serde_json::to_string(&state).unwrap()).unwrap();
            let Due::Later(until, _) = due(None, &state, 5, now) else { panic!() };
            waits.push((until - now).whole_minutes());
            now = until;
        }
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 320, 640, 720, 720]);
        worked(&mut state);
        assert!(matches!(due(None, &state, 5, now), Due::Now(_)));
    }

    #[test]
    fn the_server_decides_when_it_asks_for_more_time() {
        for (asked, waited) in [(60, 300), (7200, 7200), (u64::MAX / 4, 30 * 86_400)] {
            let mut state = State::default();
            failed(&mut state, "s", "rate".to_owned(), Some(Duration::from_secs(asked)), START);
            let until = START + Duration::from_secs(waited);
            assert_eq!(state.not_before, Some(until.unix_timestamp()), "{asked}");
        }
    }

    #[test]
    fn other_settings_are_tried_at_once_unless_the_ca_asked_for_time() {
        for (asked, settings, waits) in
            [(None, "s", true), (None, "other", false), (Some(WAIT_FIRST), "other", true)]
        {
            let mut state = State::default();
            failed(&mut state, "s", "no".to_owned(), asked, START);
            configured(&mut state, settings);
            let due = due(None, &state, 5, START);
            assert_eq!(matches!(due, Due::Later(..)), waits, "{asked:?} {settings}");
        }
    }

    #[test]
    fn there_are_no_more_orders_in_an_hour_than_allowed() {
        let mut state = State::default();
        for minute in [0, 10, 20] {
            let now = START + Duration::from_secs(60 * minute);
            assert_eq!(room_at(&state, 3, now), None);
            begun(&mut state, now);
        }
        let now = START + Duration::from_secs(60 * 30);
        assert_eq!(room_at(&state, 3, now), Some(START + HOUR));
        assert!(matches!(due(None, &state, 3, now), Due::Later(..)));
        assert_eq!(room_at(&state, 3, START + HOUR), None);
        assert_eq!(room_at(&state, 1, now), Some(START + Duration::from_secs(60 * 80)));
    }

    #[test]
    fn a_clock_that_jumped_is_not_believed() {
        let mut state = State::default();
        let future = START + 4000 * DAY;
        begun(&mut state, future);
        failed(&mut state, "s", "no".to_owned(), None, future);
        assert!(matches!(due(None, &state, 1, START), Due::Now(_)), "back again");
    }

    #[test]
    fn a_year_passes_with_a_renewal_in_time_each_time() {
        let (mut state, mut now, mut certificate) = (State::default(), START, None::<Held>);
        let (mut orders, mut hour) = (0, 0);
        while now < START + 365 * DAY {
            if let Due::Now(_) = due(certificate.as_ref(), &state, 5, now) {
                begun(&mut state, now);
                orders += 1;
                // Every third attempt fails.
                if orders % 3 == 0 {
                    failed(&mut state, "s", "no".to_owned(), None, now);
                } else {
                    worked(&mut state);
                    certificate =
                        Some(Held { not_before: now, not_after: now + 47 * DAY, ..held() });
                }
            }
            let left = certificate.as_ref().unwrap().not_after - now;
            assert!(left > 15 * DAY, "{left} left in hour {hour}");
            hour += 1;
            now += HOUR;
        }
        assert!((12..=20).contains(&orders), "{orders}");
    }

    #[test]
    fn a_suggestion_is_asked_for_when_there_is_none_or_it_is_old() {
        let mut state = State::default();
        assert!(should_ask(&held(), &state, START));
        state = suggested(20);
        state.suggestion.as_mut().unwrap().ask_again_at = (START + DAY).unix_timestamp();
        assert!(!should_ask(&held(), &state, START));
        assert!(should_ask(&held(), &state, START + DAY));
        let another = Held { thumbprint: "u".to_owned(), ..held() };
        assert!(should_ask(&another, &state, START));
    }

    #[test]
    fn a_point_lies_in_the_window() {
        let window = (START, START + DAY);
        for (chance, seconds) in [(0, 0), (86_399, 86_399), (86_400, 0), (u64::MAX, 25_215)] {
            let offset = (point_in(window, chance) - START).whole_seconds();
            assert_eq!(offset, seconds, "{chance}");
        }
        assert_eq!(point_in((START, START), 7), START);
        assert_eq!(point_in((START, START - DAY), 7), START);
    }
}
