//! Months that go by in a loop: what is told when.

use time::macros::datetime;

use super::*;
use crate::alerts::{Condition, Deadline};

const START: OffsetDateTime = datetime!(2027-01-01 0:00 UTC);

fn condition(id: &'static str, cause: &str, level: Level) -> Held {
    let (what, fix) = ("something is wrong".to_owned(), "mend it".to_owned());
    Condition { id, cause: cause.to_owned(), level, what, fix }.into()
}

fn update(board: &mut Board, held: Vec<Held>, now: OffsetDateTime) -> String {
    let notices =
        board.update(Findings { held, unseen: BTreeSet::new(), clock_is_right: true }, now);
    let told = notices.iter().map(|notice| format!("{} {}", notice.event.name(), notice.cause));
    told.collect::<Vec<_>>().join(", ")
}

/// The hours at which something is told.
type Told = Vec<(i64, String)>;

/// Evaluated each hour; in between the board is written and read again now and then, as by a
/// restart.
fn hours(
    board: &mut Board,
    from: i64,
    to: i64,
    held: impl Fn(OffsetDateTime) -> Vec<Held>,
) -> Told {
    let mut told = Vec::new();
    for hour in from..to {
        let now = START + Duration::hours(hour);
        let said = update(board, held(now), now);
        if !said.is_empty() {
            told.push((hour, said));
        }
        if hour % 7 == 0 {
            let text = serde_json::to_string(board).unwrap();
            *board = serde_json::from_str(&text).unwrap();
        }
    }
    told
}

fn days(told: &Told) -> Vec<(i64, &str)> {
    told.iter().map(|(hour, said)| (hour / 24, said.as_str())).collect()
}

#[test]
fn a_certificate_that_nobody_renews() {
    let deadline = Deadline {
        id: "certificate-expiring",
        cause: "c1".to_owned(),
        subject: "the certificate".to_owned(),
        at: START + Duration::days(90),
        quiet_until: None,
        fix: "renew it".to_owned(),
    };
    let mut board = Board::default();
    let told = hours(&mut board, 0, 100 * 24, |now| deadline.held(now).into_iter().collect());
    // Each step once, and every four days between them.
    let expected = [
        (30, "raised c1"),
        (34, "reminder c1"),
        (38, "reminder c1"),
        (42, "reminder c1"),
        (46, "reminder c1"),
        (50, "reminder c1"),
        (54, "reminder c1"),
        (58, "reminder c1"),
        (60, "worse c1"),
        (64, "reminder c1"),
        (68, "reminder c1"),
        (72, "reminder c1"),
        (76, "worse c1"),
        (80, "reminder c1"),
        (83, "worse c1"),
        (87, "reminder c1"),
        (89, "worse c1"),
        (90, "worse c1"),
        (94, "reminder c1"),
        (98, "reminder c1"),
    ];
    assert_eq!(days(&told), expected);
    let renewed = Deadline { cause: "c2".to_owned(), at: START + Duration::days(190), ..deadline };
    let told = hours(&mut board, 2400, 2400 + 240, |now| renewed.held(now).into_iter().collect());
    assert_eq!(days(&told), [(100, "cleared c1")]);
    assert!(board.alerts.is_empty());
}

#[test]
fn each_cause_once_until_it_is_over_and_again_when_it_comes_back() {
    let a = || condition("dns-drifted", "a", Level::Warning);
    let b = || condition("dns-drifted", "b", Level::Warning);
    let mut board = Board::default();
    let mut at = |hour: i64, held| update(&mut board, held, START + Duration::hours(hour));
    assert_eq!(at(0, vec![a()]), "raised a");
    assert_eq!(at(1, vec![a(), a()]), "", "two areas that say the same");
    assert_eq!(at(2, vec![b(), a()]), "raised b");
    assert_eq!(at(3, vec![b()]), "cleared a");
    assert_eq!(at(4, vec![b()]), "");
    assert_eq!(at(5, vec![a(), b()]), "raised a");
    assert_eq!(at(98, vec![a(), b()]), "reminder b");
    assert_eq!(at(101, vec![a(), b()]), "reminder a");
    assert_eq!(at(102, vec![]), "cleared a, cleared b");
}

#[test]
fn a_level_that_rises_is_told_and_one_that_swings_is_not() {
    let held = |level| vec![condition("renewal-failing", "", level)];
    let mut board = Board::default();
    let mut at = |hour: i64, level| update(&mut board, held(level), START + Duration::hours(hour));
    assert_eq!(at(0, Level::Warning), "raised ");
    assert_eq!(at(1, Level::Critical), "worse ");
    assert_eq!(at(2, Level::Warning), "");
    assert_eq!(at(3, Level::Critical), "");
    assert_eq!(board.alerts[0].level, Level::Critical);
}

#[test]
fn the_worst_comes_first_and_there_is_an_end_to_it() {
    let many = (0..2 * ALERTS_MAX).map(|number| {
        let level = if number == 1500 { Level::Critical } else { Level::Notice };
        condition("name-not-covered", &number.to_string(), level)
    });
    let mut board = Board::default();
    let findings = Findings { held: many.collect(), unseen: BTreeSet::new(), clock_is_right: true };
    let notices = board.update(findings, START);
    assert_eq!((notices.len(), notices[0].cause.as_str()), (ALERTS_MAX, "1500"));
}

#[test]
fn a_clock_that_is_set_back_neither_repeats_nor_silences() {
    let held = || vec![condition("dns-drifted", "a", Level::Warning)];
    let mut board = Board::default();
    let mut at = |hour: i64| update(&mut board, held(), START + Duration::hours(hour));
    assert_eq!(at(0), "raised a");
    // By a year, and on from there.
    assert_eq!(at(-8760), "");
    assert_eq!(at(-8760 + 95), "");
    assert_eq!(at(-8760 + 96), "reminder a");
    // And right again: four days have passed, whatever happened between them.
    assert_eq!(at(1), "reminder a");
    assert_eq!(at(2), "");
}
