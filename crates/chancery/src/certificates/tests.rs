//! A year goes by, with the time as an argument.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use pki::InHouseCa;
use pki::authority::{CA_LIFETIME, CaMaterial};
use tempfile::TempDir;
use time::Duration;
use time::macros::datetime;

use super::*;
use crate::alerts::board::{Event, Notice};
use crate::alerts::evaluation::Alerts;
use crate::ca::watch::CaWatch;
use crate::ca::{Ca, own};

const NOW: OffsetDateTime = datetime!(2027-03-01 12:00 UTC);

fn looking(data: &Path, sources: Vec<Source>) -> Looking {
    Looking {
        sources,
        data: data.to_owned(),
        names: Vec::new(),
        policy: Policy::default(),
        renews_itself: false,
    }
}

fn told(notices: Vec<Notice>, day: i64) -> Vec<(i64, Event, String)> {
    notices.into_iter().map(|notice| (day, notice.event, notice.id)).collect()
}

#[test]
fn the_in_house_ca_renews_for_a_year_and_there_is_nothing_to_tell() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let names = ["ldap.example.com".to_owned(), "127.0.0.1".to_owned()];
    let ca = Ca::at(data);
    ca.found("host", NOW).unwrap();
    own::renew(data, &names, NOW, false).unwrap();
    let certificates = Arc::new(Certificates::open(looking(data, Vec::new()), NOW));
    let alerts = Alerts::open(data.join("alerts.json"), vec![certificates.clone() as _], vec![]);
    alerts.watch(Arc::new(CaWatch::new(ca.clone(), Some(names.to_vec()))));
    let (mut replaced, mut all) = (0, Vec::new());
    for day in 0..400 {
        let now = NOW + Duration::days(day);
        ca.renew_list_when_due(now).unwrap();
        own::renew(data, &names, now, false).unwrap();
        if certificates.refresh(now) == Outcome::Replaced {
            replaced += 1;
        }
        let served = certificates.served().unwrap();
        assert!(served.is_valid_at(now), "day {day}");
        assert!(served.not_after - now > Duration::days(28), "day {day}: {}", served.not_after);
        all.extend(told(alerts.evaluate(now).unwrap(), day));
    }
    assert_eq!(all, []);
    // Ninety days, thirty of them left each time.
    assert_eq!(replaced, 400 / 60);
}

/// A certificate in a file, put there by somebody.
struct ByHand {
    folder: TempDir,
    ca: CaMaterial,
}

impl ByHand {
    fn new() -> ByHand {
        let ca = InHouseCa::create("A CA", NOW - Duration::days(60), CA_LIFETIME, [1; 16]).unwrap();
        ByHand { folder: tempfile::tempdir().unwrap(), ca }
    }

    fn put(&self, now: OffsetDateTime, days: i64, serial: u8) {
        let ca = InHouseCa::open(&self.ca).unwrap();
        let issued =
            ca.issue_server(&["a.example"], now, Duration::days(days), [serial; 16]).unwrap();
        self.write(&format!("{}{}", issued.key_pem.as_str(), issued.chain_pem));
    }

    fn write(&self, text: &str) {
        std::fs::write(self.file(), text).unwrap();
        let mode = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(self.file(), mode).unwrap();
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("both.pem")
    }

    fn certificates(&self, now: OffsetDateTime) -> Arc<Certificates> {
        let source = Source::Files { certificate: self.file(), key: None };
        Arc::new(Certificates::open(looking(self.folder.path(), vec![source]), now))
    }

    fn alerts(&self, certificates: &Arc<Certificates>) -> Alerts {
        let file = self.folder.path().join("alerts.json");
        Alerts::open(file, vec![certificates.clone() as _], vec![])
    }
}

#[test]
fn what_nobody_renews_is_told_of_in_steps_and_cleared_when_somebody_does() {
    let by_hand = ByHand::new();
    by_hand.put(NOW, 100, 1);
    let certificates = by_hand.certificates(NOW);
    let alerts = by_hand.alerts(&certificates);
    let mut all = Vec::new();
    for day in 0..110 {
        let now = NOW + Duration::days(day);
        certificates.refresh(now);
        all.extend(told(alerts.evaluate(now).unwrap(), day));
    }
    let expiring = |event| {
        let of = |(day, told, id): &(i64, Event, String)| {
            (*told == event && id == "certificate-expiring").then_some(*day)
        };
        all.iter().filter_map(of).collect::<Vec<i64>>()
    };
    // 60, 30, 14, 7 and 1 days before it ends, and when it has.
    assert_eq!(expiring(Event::Raised), [40]);
    assert_eq!(expiring(Event::Worse), [70, 86, 93, 99, 100]);
    // Every four days in between, and never twice at one time.
    let reminders = expiring(Event::Reminder);
    assert_eq!(reminders.first(), Some(&44), "{reminders:?}");
    assert!(reminders.windows(2).all(|pair| pair[1] - pair[0] >= 4), "{reminders:?}");
    // It has expired, nothing better is there, and it is still what is served.
    let end = NOW + Duration::days(110);
    assert!(certificates.served().unwrap().not_after < end);
    by_hand.put(end, 300, 2);
    assert_eq!(certificates.refresh(end), Outcome::Replaced);
    let cleared = told(alerts.evaluate(end).unwrap(), 110);
    assert!(cleared.iter().all(|(_, event, _)| *event == Event::Cleared), "{cleared:?}");
    assert!(cleared.iter().any(|(_, _, id)| id == "certificate-expiring"), "{cleared:?}");
}

#[test]
fn a_failing_renewal_keeps_the_old_one_and_is_told_of() {
    let by_hand = ByHand::new();
    by_hand.put(NOW, 300, 1);
    let certificates = by_hand.certificates(NOW);
    let alerts = by_hand.alerts(&certificates);
    assert_eq!(told(alerts.evaluate(NOW).unwrap(), 0), []);
    let old = certificates.served().unwrap().thumbprint;
    // A good one, then an expired one, then no certificate at all, then no file.
    by_hand.put(NOW - Duration::days(30), 10, 2);
    assert!(matches!(certificates.refresh(NOW), Outcome::Kept(why) if why.contains("expired")));
    by_hand.write("nothing\n");
    assert!(matches!(certificates.refresh(NOW), Outcome::Kept(_)));
    std::fs::remove_file(by_hand.file()).unwrap();
    assert!(matches!(certificates.refresh(NOW), Outcome::Kept(why) if why.contains("both.pem")));
    assert_eq!(certificates.served().unwrap().thumbprint, old);
    let raised = told(alerts.evaluate(NOW).unwrap(), 0);
    assert_eq!(raised, [(0, Event::Raised, "renewal-failing".to_owned())]);
    assert_eq!(told(alerts.evaluate(NOW).unwrap(), 0), [], "never twice");
    by_hand.put(NOW, 200, 3);
    // A shorter life than what was in memory: what its source gives is what counts.
    assert_eq!(certificates.refresh(NOW), Outcome::Replaced);
    let cleared = told(alerts.evaluate(NOW).unwrap(), 0);
    assert_eq!(cleared, [(0, Event::Cleared, "renewal-failing".to_owned())]);
}

#[test]
fn a_clock_that_jumps_loses_no_certificate() {
    let by_hand = ByHand::new();
    by_hand.put(NOW, 300, 1);
    let certificates = by_hand.certificates(NOW);
    let served = certificates.served().unwrap();
    for years in [10, -10] {
        let elsewhen = NOW + Duration::days(365 * years);
        assert!(matches!(certificates.refresh(elsewhen), Outcome::Kept(_)), "{years}");
        assert_eq!(certificates.served().unwrap(), served);
        assert!(by_hand.file().exists());
    }
    assert_eq!(certificates.refresh(NOW), Outcome::Unchanged);
}

#[test]
fn the_in_house_certificate_makes_way_only_for_one_that_passes() {
    let by_hand = ByHand::new();
    let data = by_hand.folder.path();
    Ca::at(data).found("host", NOW).unwrap();
    own::renew(data, &["a.example".to_owned()], NOW, false).unwrap();
    let fetched = data.join("acme/a.example");
    std::fs::create_dir_all(&fetched).unwrap();
    let fetch = |now: OffsetDateTime, days: i64, serial: u8| {
        by_hand.put(now, days, serial);
        std::fs::rename(by_hand.file(), fetched.join("certificate.pem")).unwrap();
    };
    fetch(NOW - Duration::days(30), 10, 1);
    let certificates = Certificates::open(looking(data, Vec::new()), NOW);
    let (source, _) = certificates.origin().unwrap();
    assert!(source.ends_with("server.pem"), "what ACME left behind has expired: {source}");
    assert!(certificates.conditions(NOW).is_empty());
    fetch(NOW, 20, 2);
    assert_eq!(certificates.refresh(NOW), Outcome::Replaced);
    assert!(certificates.origin().unwrap().0.contains("acme"), "though it lives shorter");
    assert!(certificates.conditions(NOW).is_empty());
    std::fs::remove_dir_all(data.join("acme")).unwrap();
    assert!(matches!(certificates.refresh(NOW), Outcome::Replaced | Outcome::Kept(_)));
}

#[test]
fn the_in_house_certificate_before_serves_while_the_newest_is_outside_its_dates() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let names = ["a.example".to_owned()];
    Ca::at(data).found("host", NOW).unwrap();
    own::renew(data, &names, NOW, false).unwrap();
    // The clock was ahead when the next one was made.
    let ahead = NOW + Duration::days(70);
    own::renew(data, &names, ahead, false).unwrap();
    let certificates = Certificates::open(looking(data, Vec::new()), NOW);
    let (source, _) = certificates.origin().unwrap();
    assert!(source.ends_with("server.previous"), "{source}");
    assert!(certificates.why().to_string().contains("server.previous"));
    assert!(certificates.conditions(NOW).is_empty());
    assert_eq!(certificates.refresh(ahead), Outcome::Replaced);
    assert!(certificates.origin().unwrap().0.ends_with("server.pem"));
    assert!(!certificates.why().to_string().contains("server.previous"), "only then");
}

#[test]
fn whoever_replaces_it_what_follows_is_done_once() {
    use crate::duties::Duty;
    let by_hand = ByHand::new();
    let certificates = by_hand.certificates(NOW);
    assert!(!certificates.is_ready());
    let (done, is_done) = std::sync::mpsc::channel();
    let after = Box::new(move || done.send(()).unwrap());
    let mut watching = Watching::new(Arc::clone(&certificates), NOW, after);
    by_hand.put(NOW, 300, 1);
    // A reload was first.
    assert_eq!(certificates.refresh(NOW), Outcome::Replaced);
    for _ in 0..3 {
        watching.run(NOW).unwrap();
    }
    assert_eq!(is_done.try_iter().count(), 1);
    by_hand.put(NOW, 300, 2);
    watching.run(NOW).unwrap();
    assert_eq!(is_done.try_iter().count(), 1);
}

#[test]
fn a_pipe_in_the_place_of_a_file_holds_up_nobody() {
    let by_hand = ByHand::new();
    let made = std::process::Command::new("mkfifo").arg(by_hand.file()).status().unwrap();
    assert!(made.success());
    let certificates = by_hand.certificates(NOW);
    let why = certificates.why().to_string();
    assert!(why.contains("both.pem is no file"), "{why}");
}

#[test]
fn a_broken_list_of_revoked_certificates_is_told_once_for_each_change() {
    use crate::config::Overrides;
    use crate::duties::Duty;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let ca = Ca::at(data);
    ca.found("host", NOW).unwrap();
    let overrides = Overrides { data: Some(data.to_owned()), ..Overrides::default() };
    let config = Config::from_text("", None, &overrides).unwrap();
    let certificates = Certificates::open(looking(data, Vec::new()), NOW);
    let listeners = Arc::new(ListenersTls::open(&config, certificates.serving(), NOW).unwrap());
    let mut revocations = Revocations::new(Ca::at(data), Arc::clone(&listeners));
    revocations.run(NOW).unwrap();
    for content in ["AAAA", "AAAAAAAA"] {
        let text = format!("-----BEGIN X509 CRL-----\n{content}\n-----END X509 CRL-----\n");
        std::fs::write(ca.crl_pem(), text).unwrap();
        let told = (0..4).filter(|_| revocations.run(NOW).is_err()).count();
        assert_eq!(told, 1, "{content}");
    }
    std::fs::remove_file(ca.crl_pem()).unwrap();
    ca.renew_list_when_due(NOW).unwrap();
    revocations.run(NOW).unwrap();
    assert_eq!(revocations.told, None);
}
