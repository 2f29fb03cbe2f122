//! The budget of a source under a clock that is set by hand.

use super::*;

const MINUTE: u64 = 60_000;
const START: u64 = 1_795_253_000_000;

fn door(policy: DoorPolicy) -> Arc<Door> {
    Arc::new(Door::new(policy))
}

fn address(text: &str) -> Option<IpAddr> {
    Some(text.parse().unwrap())
}

/// So many attempts, none of them right; how many were judged.
fn fail(door: &Door, from: &str, count: usize, now_ms: u64) -> usize {
    let judge = |_: &usize| door.judge(address(from), false, || now_ms, || ((), true)).is_some();
    (0..count).filter(judge).count()
}

fn delay(door: &Arc<Door>, from: &str, now_ms: u64) -> u64 {
    match door.admit(address(from), || now_ms) {
        Admission::Judged(held) => held.map_or(0, |held| held.delay.as_millis() as u64),
        Admission::Unheard(held) => held.map_or(1, |held| held.delay.as_millis() as u64 + 1),
        Admission::Full => 2,
    }
}

#[test]
fn the_more_failures_the_later_the_answer_until_none_is_heard() {
    let door = door(DoorPolicy::default());
    let mut delays = Vec::new();
    for _ in 0..22 {
        delays.push(delay(&door, "192.0.2.7", START));
        fail(&door, "192.0.2.7", 1, START);
    }
    let expected = [0, 0, 0, 0, 0, 250, 500, 1000, 2000, 4000, 8000];
    assert_eq!(delays.get(..11), Some(&expected[..]));
    assert!(delays[11..20].iter().all(|delay| *delay == 8000), "{delays:?}");
    assert_eq!(delays.get(20..), Some(&[8001, 8001][..]), "not looked at");
    assert_eq!(delay(&door, "198.51.100.1", START), 0, "somebody else");
    // One each minute, however long it goes on.
    for minute in 1..100 {
        assert_eq!(fail(&door, "192.0.2.7", 5, START + minute * MINUTE), 1, "{minute}");
    }
    assert_eq!(delay(&door, "192.0.2.7", START + 300 * MINUTE), 0, "all is forgiven");
    assert!(door.known(START + 300 * MINUTE).is_empty());
}

#[test]
fn a_network_has_the_budget_of_three_of_its_addresses() {
    for (count, addresses) in [
        (60, ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"]),
        (60, ["2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8:0:0:ffff::4"]),
        (80, ["192.0.2.1", "192.0.3.1", "192.0.4.1", "192.0.5.1"]),
        (80, ["2001:db8::1", "2001:db8:0:1::1", "2001:db8:0:2::1", "2001:db8:0:3::1"]),
        // IPv4 behind an IPv6 socket is IPv4.
        (20, ["192.0.2.1", "::ffff:192.0.2.1", "192.0.2.1", "::ffff:192.0.2.1"]),
    ] {
        let door = door(DoorPolicy::default());
        let judged: usize = addresses.iter().map(|from| fail(&door, from, 100, START)).sum();
        assert_eq!(judged, count, "{addresses:?}");
    }
}

#[test]
fn who_is_not_counted() {
    let network = Network::parse("192.0.2.0/28").unwrap();
    let door = door(DoorPolicy { gateways: vec![network], ..DoorPolicy::default() });
    assert_eq!(fail(&door, "192.0.2.7", 100, START), 100, "a gateway");
    assert_eq!(fail(&door, "192.0.2.17", 100, START), 20, "its neighbour");
    let local = |_: &usize| door.judge(None, false, || START, || ((), true)).is_some();
    assert_eq!((0..100).filter(local).count(), 100, "the local socket");
    let off = Arc::new(Door::new(DoorPolicy { failures_max: 0, ..DoorPolicy::default() }));
    assert_eq!(fail(&off, "192.0.2.7", 100, START), 100);
    assert!(off.is_quiet());
}

#[test]
fn the_right_password_is_not_heard_either_and_nobody_else_is_asked() {
    let door = door(DoorPolicy::default());
    let right = |from: &str| {
        let mut asked = false;
        let verdict = door.judge(
            address(from),
            true,
            || START,
            || {
                asked = true;
                ((), false)
            },
        );
        (verdict.is_some(), asked)
    };
    assert_eq!(right("192.0.2.7"), (true, true));
    fail(&door, "192.0.2.7", 20, START);
    assert_eq!(right("192.0.2.7"), (false, false), "no account hears of it");
    assert_eq!(right("192.0.2.8"), (true, true));
}

#[test]
fn only_so_many_answers_are_held_back() {
    let door = door(DoorPolicy::default());
    fail(&door, "192.0.2.7", 10, START);
    let admit = |from: &str| door.admit(address(from), || START);
    let held: Vec<Admission> = (0..32).map(|_| admit("192.0.2.7")).collect();
    assert!(held.iter().all(|one| matches!(one, Admission::Judged(Some(_)))));
    assert!(matches!(admit("192.0.2.7"), Admission::Full));
    drop(held);
    assert!(matches!(admit("192.0.2.7"), Admission::Judged(Some(_))));
    for number in 0..40 {
        fail(&door, &format!("198.51.{number}.1"), 10, START);
    }
    let all: Vec<Admission> =
        (0..40 * 32).map(|number| admit(&format!("198.51.{}.1", number / 32))).collect();
    let full = all.iter().filter(|one| matches!(one, Admission::Full)).count();
    assert_eq!(all.len() - full, HELD_MAX);
    drop(all);
    assert_eq!(door.held.load(Ordering::SeqCst), 0);
}

#[test]
fn the_table_has_an_end_and_forgets_the_least_guilty() {
    let door = door(DoorPolicy::default());
    fail(&door, "192.0.2.7", 20, START);
    for number in 0..SOURCES_MAX as u32 {
        let from = std::net::Ipv4Addr::from(0x0a00_0000 + number * 256);
        fail(&door, &from.to_string(), 1, START);
    }
    assert!(door.table().len() <= SOURCES_MAX);
    assert_eq!(fail(&door, "192.0.2.7", 1, START), 0, "still known");
}

#[test]
fn what_is_known_outlives_a_restart_and_a_clock_that_jumps() {
    let before = door(DoorPolicy::default());
    fail(&before, "192.0.2.7", 20, START);
    fail(&before, "2001:db8::7", 3, START);
    let known = before.known(START);
    let blocked: Vec<_> = known.iter().filter(|one| one.blocked).map(|one| &one.source).collect();
    assert_eq!((known.len(), blocked), (4, vec![&"192.0.2.7".to_owned()]));
    for (now, heard) in [
        (START, 0),
        (START + 3 * MINUTE, 3),
        // Set back: what was known still counts, and for no longer than it would have.
        (START - 9999 * MINUTE, 0),
    ] {
        let after = door(DoorPolicy::default());
        after.remember(&known, now);
        assert_eq!(fail(&after, "192.0.2.7", 20, now), heard, "{now}");
        assert_eq!(fail(&after, "192.0.2.7", 20, now + 500 * MINUTE), 20, "{now}");
    }
    let odd = KnownSource { source: "nonsense".to_owned(), ..known[0].clone() };
    let much = KnownSource { level: u64::MAX, ..known[0].clone() };
    let after = door(DoorPolicy::default());
    after.remember(&[odd, much], START);
    assert_eq!(after.known(START)[0].level, 60_000, "no more than can be");
}
