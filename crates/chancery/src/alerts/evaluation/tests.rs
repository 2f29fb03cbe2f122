//! The whole of it under a clock that is an argument, with areas and channels made by hand.

use std::sync::Mutex;

use time::Duration;
use time::macros::datetime;

use super::*;
use crate::alerts::delivery::{Delivers, Delivery, deliver_one};
use crate::alerts::{Condition, Deadline};

const START: OffsetDateTime = datetime!(2027-01-01 0:00 UTC);

/// An area that says what it was told to say.
#[derive(Default)]
struct MockArea {
    conditions: Mutex<Vec<Condition>>,
    deadlines: Mutex<Vec<Deadline>>,
    is_blind: Mutex<bool>,
}

impl Watches for MockArea {
    fn conditions(&self, _now: OffsetDateTime) -> Vec<Condition> {
        self.conditions.lock().unwrap().clone()
    }

    fn has_looked(&self, id: &str, _cause: &str) -> bool {
        id != "dns-drifted" || !*self.is_blind.lock().unwrap()
    }

    fn deadlines(&self) -> Vec<Deadline> {
        self.deadlines.lock().unwrap().clone()
    }
}

/// A channel that is up or down, and remembers what it got. Clones are the same.
#[derive(Clone, Default)]
struct MockChannel(Arc<Inner>);

#[derive(Default)]
struct Inner {
    down: Mutex<bool>,
    got: Mutex<Vec<u64>>,
}

impl Delivers for MockChannel {
    fn channel(&self) -> Channel {
        Channel::Webhook
    }

    fn deliver(&self, message: &Message) -> Result<()> {
        anyhow::ensure!(!*self.0.down.lock().unwrap(), "it is down");
        self.0.got.lock().unwrap().push(message.number);
        Ok(())
    }
}

fn condition(cause: &str) -> Condition {
    let (what, fix) = ("something is wrong".to_owned(), "mend it".to_owned());
    Condition { id: "dns-drifted", cause: cause.to_owned(), level: Level::Warning, what, fix }
}

fn deadline(days: i64) -> Deadline {
    Deadline {
        id: "certificate-expiring",
        cause: "c".to_owned(),
        subject: "the certificate".to_owned(),
        at: START + Duration::days(days),
        quiet_until: None,
        fix: "renew it".to_owned(),
    }
}

fn told(alerts: &Alerts, now: OffsetDateTime) -> String {
    let notices = alerts.evaluate(now).unwrap();
    let told = notices.iter().map(|notice| format!("{} {}", notice.event.name(), notice.id));
    told.collect::<Vec<_>>().join(", ")
}

#[test]
fn a_restart_tells_nothing_again_and_delivers_what_was_left() {
    let folder = tempfile::tempdir().unwrap();
    let area = Arc::new(MockArea::default());
    *area.conditions.lock().unwrap() = vec![condition("a")];
    let channel = MockChannel::default();
    let open = || {
        let watches: Vec<Arc<dyn Watches>> = vec![area.clone()];
        let channels: Vec<Box<dyn Delivers>> = vec![Box::new(channel.clone())];
        Alerts::open(folder.path().join("alerts.json"), watches, channels)
    };
    *channel.0.down.lock().unwrap() = true;
    let before = open();
    assert_eq!(told(&before, START), "raised dns-drifted");
    assert!(!deliver_one(&before, &channel, START));
    let (waiting, lost) = before.waiting();
    assert_eq!((waiting[0].attempts, waiting[0].error.as_deref()), (1, Some("it is down")));
    assert_eq!(lost, 0);
    drop(before);
    *channel.0.down.lock().unwrap() = false;
    let after = open();
    assert_eq!(told(&after, START + Duration::hours(1)), "");
    let later = START + Duration::minutes(1);
    assert!(deliver_one(&after, &channel, later));
    assert!(!deliver_one(&after, &channel, later), "once");
    assert_eq!(*channel.0.got.lock().unwrap(), [1]);
    area.conditions.lock().unwrap().clear();
    assert_eq!(told(&open(), START + Duration::hours(2)), "cleared dns-drifted");
}

#[test]
fn what_nobody_has_looked_at_yet_stays_on_the_board() {
    let folder = tempfile::tempdir().unwrap();
    let open = |area: &Arc<MockArea>| {
        let file = folder.path().join("alerts.json");
        Alerts::open(file, vec![area.clone() as _], Vec::new())
    };
    let area = Arc::new(MockArea::default());
    *area.conditions.lock().unwrap() = vec![condition("a")];
    assert_eq!(told(&open(&area), START), "raised dns-drifted");
    let restarted = Arc::new(MockArea { is_blind: Mutex::new(true), ..MockArea::default() });
    let alerts = open(&restarted);
    assert_eq!(told(&alerts, START + Duration::hours(1)), "", "not looked yet");
    assert_eq!(alerts.alerts().len(), 1);
    *restarted.is_blind.lock().unwrap() = false;
    assert_eq!(told(&alerts, START + Duration::hours(2)), "cleared dns-drifted");
}

#[test]
fn a_clock_that_leaps_neither_loses_nor_repeats() {
    for leap in [Duration::days(-400), Duration::days(400)] {
        let folder = tempfile::tempdir().unwrap();
        let area = Arc::new(MockArea::default());
        *area.conditions.lock().unwrap() = vec![condition("a")];
        *area.deadlines.lock().unwrap() = vec![deadline(40)];
        let watches: Vec<Arc<dyn Watches>> = vec![area.clone()];
        let alerts = Alerts::open(folder.path().join("alerts.json"), watches, Vec::new());
        let at = |time| told(&alerts, time);
        let raised = "raised dns-drifted, raised certificate-expiring";
        assert_eq!(at(START), raised, "{leap}");
        for hour in 1..10 {
            let now = START + Duration::hours(hour);
            assert_eq!(at(now), "", "{leap}");
        }
        let leapt = START + leap;
        assert_eq!(at(leapt), "raised clock-implausible", "{leap}");
        for hour in 1..10 {
            assert_eq!(at(leapt + Duration::hours(hour)), "", "{leap}");
        }
        assert_eq!(alerts.alerts().len(), 3, "nothing is taken to be over");
        let at = |time| told(&alerts, time);
        assert_eq!(at(START + Duration::hours(20)), "cleared clock-implausible", "{leap}");
        let reminded = "reminder dns-drifted, reminder certificate-expiring";
        for hour in 21..=240 {
            let expected = match hour {
                96 | 192 => reminded,
                240 => "worse certificate-expiring",
                _ => "",
            };
            assert_eq!(at(START + Duration::hours(hour)), expected, "{leap} {hour}");
        }
    }
}

#[test]
fn a_file_that_cannot_be_read_is_kept_and_alerts_begin_anew() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("alerts.json");
    for content in ["{", "{\"version\":9,\"clock\":{},\"alerts\":[],\"outbox\":{}}"] {
        std::fs::write(&file, content).unwrap();
        let area = Arc::new(MockArea::default());
        *area.conditions.lock().unwrap() = vec![condition("a")];
        let alerts = Alerts::open(file.clone(), vec![area], Vec::new());
        assert_eq!(std::fs::read_to_string(file.with_extension("unreadable")).unwrap(), content);
        assert_eq!(told(&alerts, START), "raised dns-drifted");
    }
}

#[test]
fn what_is_bad_and_lasts_is_told_before_the_hour() {
    let folder = tempfile::tempdir().unwrap();
    let area = Arc::new(MockArea::default());
    let file = folder.path().join("alerts.json");
    let alerts = Arc::new(Alerts::open(file, vec![area.clone() as _], Vec::new()));
    let mut sooner = Sooner::new(alerts.clone());
    let mut at = |seconds: i64, conditions: Vec<Condition>| {
        *area.conditions.lock().unwrap() = conditions;
        sooner.run(START + Duration::seconds(seconds)).unwrap();
        alerts.alerts().into_iter().map(|alert| alert.cause).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(at(0, vec![condition("a")]), "");
    assert_eq!(at(15, vec![]), "", "it did not last");
    assert_eq!(at(30, vec![condition("b")]), "");
    assert_eq!(at(45, vec![condition("b"), condition("c")]), "b c", "one that lasts is enough");
    let notice = Condition { level: Level::Notice, ..condition("d") };
    for seconds in [60, 75] {
        let held = vec![condition("b"), condition("c"), notice.clone()];
        assert_eq!(at(seconds, held), "b c", "not that bad");
    }
    assert_eq!(at(90, vec![condition("b")]), "b c", "one look is none");
    assert_eq!(at(105, vec![condition("b")]), "b", "over");
}

#[test]
fn a_test_holds_up_nobody_and_there_is_one_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let channel = MockChannel::default();
    *channel.0.down.lock().unwrap() = true;
    let channels: Vec<Box<dyn Delivers>> = vec![Box::new(channel.clone())];
    let alerts = Alerts::open(folder.path().join("alerts.json"), Vec::new(), channels);
    alerts.test(START).unwrap();
    let second = alerts.test(START).unwrap_err().to_string();
    assert!(second.starts_with("a test is running"), "{second}");
    assert!(!deliver_one(&alerts, &channel, START));
    // What was wrong is mended: nobody waits for the next turn of the one that failed.
    *channel.0.down.lock().unwrap() = false;
    alerts.test(START).unwrap();
    assert_eq!(alerts.waiting().0.len(), 1);
    assert!(deliver_one(&alerts, &channel, START));
    assert_eq!(*channel.0.got.lock().unwrap(), [2]);
}

/// Delivers nothing before it is told to.
struct Hanging(Mutex<std::sync::mpsc::Receiver<()>>);

impl Delivers for Hanging {
    fn channel(&self) -> Channel {
        Channel::Webhook
    }

    fn deliver(&self, _message: &Message) -> Result<()> {
        Ok(self.0.lock().unwrap().recv()?)
    }
}

/// Says what it delivers.
struct Saying(Mutex<std::sync::mpsc::Sender<u64>>);

impl Delivers for Saying {
    fn channel(&self) -> Channel {
        Channel::Mail
    }

    fn deliver(&self, message: &Message) -> Result<()> {
        Ok(self.0.lock().unwrap().send(message.number)?)
    }
}

#[test]
fn a_channel_that_hangs_holds_no_other_up() {
    let folder = tempfile::tempdir().unwrap();
    let (go_on, wait) = std::sync::mpsc::channel();
    let (say, said) = std::sync::mpsc::channel();
    let channels: Vec<Box<dyn Delivers>> =
        vec![Box::new(Hanging(Mutex::new(wait))), Box::new(Saying(Mutex::new(say)))];
    let file = folder.path().join("alerts.json");
    let alerts = Arc::new(Alerts::open(file, Vec::new(), channels));
    alerts.test(START).unwrap();
    let delivery = Delivery::start(Arc::clone(&alerts)).unwrap();
    assert_eq!(said.recv_timeout(std::time::Duration::from_secs(20)).unwrap(), 2);
    drop(go_on);
    drop(delivery);
}
