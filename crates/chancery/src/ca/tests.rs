//! A CA's life in a folder, with the time as an argument.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use pki::authority::CA_LIFETIME;
use pki::pem::certificates;
use pki::{Credential, Reason};
use rcgen::{CertificateParams, KeyPair, SanType};
use time::Duration;
use time::macros::datetime;

use super::audit::{Asker, Deed, Event};
use super::duty::CaDuty;
use super::issue::{ByOperator, Issuing, NoCertificate};
use super::own::Outcome;
use super::refused::{REFUSALS_MAX, REQUESTERS_MAX};
use super::watch::CaWatch;
use super::*;
use crate::alerts::Watches;
use crate::config::{Config, Overrides};
use crate::duties::Duty;

const NOW: OffsetDateTime = datetime!(2027-03-01 12:00 UTC);

fn names() -> Vec<String> {
    ["ldap.example.com", "127.0.0.1"].map(str::to_owned).to_vec()
}

fn new_folder() -> (tempfile::TempDir, Ca) {
    let folder = tempfile::tempdir().unwrap();
    let ca = Ca::at(folder.path());
    ca.found("host", NOW).unwrap();
    (folder, ca)
}

fn request(names: &[&str]) -> Vec<u8> {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.subject_alt_names =
        names.iter().map(|name| SanType::DnsName((*name).try_into().unwrap())).collect();
    let key = KeyPair::generate().unwrap();
    params.serialize_request(&key).unwrap().der().to_vec()
}

fn issue(ca: &Ca, template: &str, names: &[&str], any: bool) -> Result<Summary, Vec<String>> {
    let issuing = Issuing { ca, directory: None, now: NOW };
    let by = ByOperator { entry: None, any_name: any };
    match issuing.by_operator(template, &request(names), by) {
        Ok(made) => Ok(made.summary),
        Err(NoCertificate::Refused(reasons)) => Err(reasons),
        Err(other) => panic!("{other:?}"),
    }
}

fn conditions(ca: &Ca, now: OffsetDateTime) -> Vec<&'static str> {
    let watch = CaWatch::new(ca.clone(), Some(names()));
    watch.conditions(now).iter().map(|condition| condition.id).collect()
}

#[test]
fn a_new_folder_has_a_root_and_an_issuing_ca() {
    let (folder, ca) = new_folder();
    let (root, issuing) = (summary(&ca.root_pem()).unwrap(), summary(&ca.issuing_pem()).unwrap());
    assert_eq!(root.subject, "CN=Chancery CA on host");
    assert_eq!(issuing.subject, "CN=Chancery CA on host (issuing)");
    assert_eq!(issuing.issuer, root.subject);
    assert_eq!(issuing.not_after, NOW + pki::authority::ISSUING_LIFETIME);
    for (file, mode) in
        [("ca.key", 0o600), ("ca", 0o700), ("ca/issuing.key", 0o600), ("ca/log", 0o600)]
    {
        let found = fs::metadata(folder.path().join(file)).unwrap().permissions().mode() & 0o777;
        assert_eq!(found, mode, "{file}");
    }
    let before = fs::read(ca.issuing_pem()).unwrap();
    ca.found("other", NOW).unwrap();
    assert_eq!(fs::read(ca.issuing_pem()).unwrap(), before);
    assert_eq!(ca.history().unwrap().events.len(), 2);
    assert_eq!(ca.reviewed(NOW).unwrap().findings, []);
}

#[test]
fn an_older_root_signs_certificates_itself() {
    let folder = tempfile::tempdir().unwrap();
    let ca = Ca::at(folder.path());
    let old = InHouseCa::create("Old CA", NOW, CA_LIFETIME, [1; 16]).unwrap();
    fs::write(ca.root_pem(), &old.cert_pem).unwrap();
    fs::write(ca.root_key(), old.key_pem.as_bytes()).unwrap();
    fs::set_permissions(ca.root_key(), PermissionsExt::from_mode(0o600)).unwrap();
    ca.found("host", NOW).unwrap();
    assert!(!ca.issuing_pem().exists());
    let made = issue(&ca, "server", &["a.example.com"], true).unwrap();
    assert_eq!(made.issuer, "CN=Old CA");
    fs::set_permissions(ca.root_key(), PermissionsExt::from_mode(0o644)).unwrap();
    let said = ca.signer().err().unwrap().to_string();
    assert!(said.contains("others can read it (mode 0644); run: chmod 600"), "{said}");
}

#[test]
fn the_roots_key_may_be_taken_away() {
    let (folder, ca) = new_folder();
    let key = folder.path().join("safe");
    fs::rename(ca.root_key(), &key).unwrap();
    assert!(issue(&ca, "server", &["a.example.com"], true).is_ok());
    let before = summary(&ca.issuing_pem()).unwrap();
    let late = before.not_after - Duration::days(100);
    ca.found("host", late).unwrap();
    assert_eq!(summary(&ca.issuing_pem()).unwrap(), before, "nobody can renew it");
    assert_eq!(conditions(&ca, late), ["ca-expiring"]);
    fs::rename(&key, ca.root_key()).unwrap();
    ca.found("host", late).unwrap();
    let after = summary(&ca.issuing_pem()).unwrap();
    assert_eq!(after.public_key, before.public_key, "what it signed before stays good");
    assert!(after.not_after > before.not_after && after.serial != before.serial);
    assert!(!conditions(&ca, late).contains(&"ca-expiring"));
}

#[test]
fn the_servers_certificate_lives_for_years() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let mut renewed = Vec::new();
    for day in 0..(3 * 365) {
        let now = NOW + Duration::days(day);
        match own::renew(data, &names(), now, false).unwrap() {
            Outcome::Renewed(_) => renewed.push(day),
            Outcome::NotDue => {}
            Outcome::NotOurs => panic!("it is ours"),
        }
        assert!((own::there(data).unwrap().not_after - now).whole_days() >= 30, "day {day}");
        assert_eq!(own::load(data).unwrap().0.len(), 2);
    }
    let expected: Vec<i64> = (0..).map(|times| times * 60).take_while(|day| *day < 1095).collect();
    assert_eq!(renewed, expected);
    let asked = own::renew(data, &names(), NOW + Duration::days(1095), true).unwrap();
    assert!(matches!(asked, Outcome::Renewed(_)));
}

#[test]
fn it_is_renewed_for_new_names_and_never_where_it_is_somebody_elses() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    own::renew(data, &names(), NOW, false).unwrap();
    let more = [names(), vec!["new.example.com".to_owned()]].concat();
    let Outcome::Renewed(made) = own::renew(data, &more, NOW, false).unwrap() else {
        panic!("a name is missing")
    };
    assert!(made.names.iter().any(|name| name.to_string() == "new.example.com"));
    assert_eq!(own::renew(data, &more, NOW, false).unwrap(), Outcome::NotDue);
    let foreign = InHouseCa::create("Foreign", NOW, CA_LIFETIME, [1; 16]).unwrap();
    let foreign = InHouseCa::open(&foreign).unwrap();
    let theirs = foreign.issue_server(&["x"], NOW, Duration::days(1), [2; 16]).unwrap();
    let (chain, key) = own::files(data);
    fs::write(&chain, &theirs.chain_pem).unwrap();
    assert_eq!(own::there(data), None, "its key is not the one that is there");
    fs::write(&key, theirs.key_pem.as_bytes()).unwrap();
    assert_eq!(own::renew(data, &names(), NOW, true).unwrap(), Outcome::NotOurs);
    assert_eq!(fs::read_to_string(&chain).unwrap(), theirs.chain_pem);
}

#[test]
fn a_reader_between_two_writes_sees_one_generation() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let (chain, key) = own::files(data);
    let read = || (fs::read(&chain).unwrap(), fs::read(&key).unwrap());
    own::renew(data, &names(), NOW, false).unwrap();
    let (old_chain, old_key) = read();
    let old = own::there(data).unwrap();
    own::renew(data, &names(), NOW, true).unwrap();
    let (new_chain, new_key) = read();
    let new = own::there(data).unwrap();
    assert_ne!(old, new);
    for (chain_there, key_there, expected) in
        [(&old_chain, &new_key, &new), (&new_chain, &old_key, &old), (&new_chain, &new_key, &new)]
    {
        fs::write(&chain, chain_there).unwrap();
        fs::write(&key, key_there).unwrap();
        assert_eq!(&own::there(data).unwrap(), expected);
    }
    let both = fs::read(&key).unwrap();
    assert_eq!(Credential::from_pem(&both, &both).unwrap().chain.len(), 2);
}

#[test]
fn what_is_revoked_stays_revoked() {
    let (_folder, ca) = new_folder();
    let made: Vec<Summary> = ["a.example.com", "b.example.com"]
        .iter()
        .map(|name| issue(&ca, "server", &[name], true).unwrap())
        .collect();
    let serials = || {
        let list = ca.list().unwrap().unwrap();
        (list.number, list.revoked.into_iter().map(|one| one.serial).collect::<Vec<_>>())
    };
    assert!(ca.renew_list_when_due(NOW).unwrap());
    assert_eq!(serials().1, Vec::<String>::new());
    let first = made[0].serial.to_uppercase();
    let outcome = ca.revoke(&first, Reason::KeyCompromise, NOW).unwrap();
    assert!(matches!(outcome, revoke::Outcome::Revoked(_)));
    let again = ca.revoke(&first, Reason::Superseded, NOW).unwrap();
    assert_eq!(again, revoke::Outcome::Already);
    let (number, listed) = serials();
    assert_eq!(listed, [made[0].serial.clone()]);
    // The log is lost, then the list.
    fs::rename(ca.log_file(), ca.folder().join("lost")).unwrap();
    ca.revoke(&made[1].serial, Reason::Unspecified, NOW).unwrap();
    assert_eq!(serials().1.len(), 2);
    fs::rename(ca.folder().join("lost"), ca.log_file()).unwrap();
    fs::write(ca.crl_pem(), "no list").unwrap();
    assert_eq!(conditions(&ca, NOW), ["crl-stale"]);
    ca.renew_list(NOW + Duration::HOUR).unwrap();
    assert_eq!(serials().1, [made[0].serial.clone()], "by the log, which knows of one");
    assert!(serials().0 > number);
    for (serial, expected) in [
        ("40000000000000000000000000000000", "no certificate with the serial number 4000"),
        ("../../etc", "is no serial number; right is"),
        ("abc", "is no serial number; right is"),
    ] {
        let said = ca.revoke(serial, Reason::Unspecified, NOW).unwrap_err().to_string();
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn the_list_is_made_anew_at_half_of_its_life() {
    let (_folder, ca) = new_folder();
    let made: Vec<i64> =
        (0..42).filter(|day| ca.renew_list_when_due(NOW + Duration::days(*day)).unwrap()).collect();
    assert_eq!(made, [0, 8, 16, 24, 32, 40]);
    assert_eq!(conditions(&ca, NOW + Duration::days(53)), Vec::<&str>::new());
    assert_eq!(conditions(&ca, NOW + Duration::days(54)), ["crl-stale"]);
}

#[test]
fn everything_is_in_the_log_and_what_was_cut_short_is_told() {
    let (_folder, ca) = new_folder();
    let made = issue(&ca, "server", &["a.example.com"], true).unwrap();
    let mut log = fs::read_to_string(ca.log_file()).unwrap();
    log.push_str("{\"time\":\"20");
    fs::write(ca.log_file(), log).unwrap();
    let reasons = issue(&ca, "server", &["a.example.com"], false).unwrap_err();
    assert!(reasons[0].contains("the name a.example.com is not among"), "{reasons:?}");
    assert!(
        issue(&ca, "nothing", &[], false).unwrap_err()[0].contains("there are: server, client")
    );
    let history = ca.history().unwrap();
    assert_eq!(history.unreadable, [4]);
    let deeds: Vec<Deed> = history.events.iter().map(|event| event.deed).collect();
    let refused = Deed::Refused;
    assert_eq!(deeds, [Deed::Founded, Deed::Founded, Deed::Issued, refused, refused]);
    let issued = &history.events[2];
    assert_eq!((&issued.serial, &issued.thumbprint), (&made.serial, &made.thumbprint));
    assert_eq!(issued.names, ["a.example.com"]);
    assert!(issued.who.starts_with("operator (user "), "{issued:?}");
    assert_eq!(issued.reason, "names beyond the template were allowed");
    assert_eq!(history.events[3].reason, reasons[0]);
    let kept = fs::read(ca.issued_file(&made.serial)).unwrap();
    assert_eq!(certificates(&kept).unwrap().len(), 2);
}

#[test]
fn a_dangerous_template_is_off_and_the_servers_own_certificate_goes_on() {
    let (folder, ca) = new_folder();
    let dangerous = SHIPPED_TEMPLATES.replace("[\"serverAuth\"]", "[\"any\"]");
    fs::write(ca.templates_file(), dangerous).unwrap();
    let reasons = issue(&ca, "server", &["a.example.com"], true).unwrap_err();
    assert!(reasons[0].contains("the template server is off, because it is dangerous"));
    assert_eq!(conditions(&ca, NOW), ["template-refused"]);
    own::renew(folder.path(), &names(), NOW, false).unwrap();
    assert_eq!(own::there(folder.path()).unwrap().purposes, ["serverAuth"]);
    fs::write(ca.templates_file(), "[[template]]\nnam = 1\n").unwrap();
    assert_eq!(conditions(&ca, NOW), ["template-refused"]);
    let said = ca.reviewed(NOW).err().unwrap().to_string();
    assert!(said.contains("templates.toml: line 2: unknown field `nam`"), "{said}");
}

#[test]
fn what_ends_is_told_in_time() {
    let (folder, ca) = new_folder();
    let data = folder.path();
    own::renew(data, &names(), NOW, false).unwrap();
    let at = |days| NOW + Duration::days(days);
    let none: [&str; 0] = [];
    assert_eq!(conditions(&ca, at(61)), none);
    assert_eq!(conditions(&ca, at(63)), ["renewal-failing"]);
    assert_eq!(conditions(&ca, at(1826 - 120)), ["ca-expiring", "renewal-failing"]);
    let all = conditions(&ca, at(3650 - 365));
    assert_eq!(all, ["ca-expiring", "ca-expiring", "renewal-failing"]);
}

#[test]
fn two_who_issue_at_once_do_not_collide() {
    let (_folder, ca) = new_folder();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..5 {
                    issue(&ca, "server", &["a.example.com"], true).unwrap();
                }
            });
        }
    });
    let history = ca.history().unwrap();
    assert!(history.unreadable.is_empty());
    assert_eq!(history.events.len(), 22);
    assert_eq!(fs::read_dir(ca.folder().join("issued")).unwrap().count(), 20);
}

#[test]
fn what_was_made_while_the_clock_was_ahead_is_made_again() {
    let (folder, ca) = new_folder();
    let data = folder.path();
    own::renew(data, &names(), NOW, false).unwrap();
    // Years go by on a clock that is wrong, and everything is renewed.
    let ahead = NOW + Duration::days(1000);
    ca.renew_list_when_due(ahead).unwrap();
    assert!(matches!(own::renew(data, &names(), ahead, false).unwrap(), Outcome::Renewed(_)));
    assert!(!summary(&data.join("server.pem")).unwrap().is_valid_at(NOW));
    // Back at the right time.
    assert!(ca.renew_list_when_due(NOW).unwrap());
    assert!(!ca.renew_list_when_due(NOW).unwrap(), "once is enough");
    assert!(matches!(own::renew(data, &names(), NOW, false).unwrap(), Outcome::Renewed(_)));
    assert!(summary(&data.join("server.pem")).unwrap().is_valid_at(NOW));
    assert!(summary(&ca.issuing_pem()).unwrap().is_valid_at(NOW));
    assert_eq!(own::renew(data, &names(), NOW, false).unwrap(), Outcome::NotDue);
}

/// The duty of a folder whose server is published as `ldap.example.com`.
fn duty(folder: &tempfile::TempDir, ca: &Ca) -> CaDuty {
    let data = folder.path().display();
    let text = format!("data = \"{data}\"\n[publish]\nnames = [\"ldap.example.com\"]\n");
    let config = Config::from_text(&text, None, &Overrides::default()).unwrap();
    CaDuty::new(ca.clone(), Box::new(move || Ok(config.clone())))
}

#[test]
fn each_step_of_the_duty_is_done_whatever_became_of_the_others() {
    let (folder, ca) = new_folder();
    let mut duty = duty(&folder, &ca);
    duty.run(NOW).unwrap();
    let first = own::there(folder.path()).unwrap();
    fs::remove_file(ca.crl_pem()).unwrap();
    fs::create_dir(ca.crl_pem()).unwrap();
    let late = NOW + Duration::days(70);
    let said = duty.run(late).unwrap_err().to_string();
    assert!(said.starts_with("the list of revoked certificates: cannot write"), "{said}");
    assert!(own::there(folder.path()).unwrap().not_after > first.not_after);
}

#[test]
fn a_key_that_is_there_and_cannot_be_read_is_told_and_one_that_is_away_is_not() {
    let (folder, ca) = new_folder();
    let mut duty = duty(&folder, &ca);
    duty.run(NOW).unwrap();
    fs::set_permissions(ca.issuing_key(), PermissionsExt::from_mode(0o644)).unwrap();
    for (day, expected) in [(0, "the CA's key: "), (8, "the CA's key, the list of revoked")] {
        let said = duty.run(NOW + Duration::days(day)).unwrap_err().to_string();
        assert!(said.starts_with(expected), "{said}");
        assert_eq!(said.matches("run: chmod 600").count(), 1, "{said}");
    }
    fs::set_permissions(ca.issuing_key(), PermissionsExt::from_mode(0o600)).unwrap();
    fs::write(ca.issuing_key(), "no key").unwrap();
    assert!(duty.run(NOW).unwrap_err().to_string().starts_with("the CA's key: "));
    fs::remove_file(ca.issuing_key()).unwrap();
    duty.run(NOW + Duration::days(70)).unwrap();
}

fn asker(who: &str) -> Asker {
    Asker { who: who.to_owned(), from: "192.0.2.1".to_owned(), is_operator: false }
}

fn refuse(ca: &Ca, asker: &Asker, now: OffsetDateTime) {
    let _lock = ca.lock().unwrap();
    let event = Event::new(Deed::Refused, asker, now).because("not theirs");
    ca.refuse(asker, &event, now).unwrap();
}

/// Who was refused and why, for each line.
fn refusals(ca: &Ca) -> Vec<(String, String)> {
    let events = ca.history().unwrap().events.into_iter();
    let refused = events.filter(|event| event.deed == Deed::Refused);
    refused.map(|event| (event.who, event.reason)).collect()
}

#[test]
fn whoever_is_refused_again_and_again_is_counted() {
    let (_folder, ca) = new_folder();
    let (eva, tom) = (asker("uid=eva"), asker("uid=tom"));
    for _ in 0..500 {
        refuse(&ca, &eva, NOW);
    }
    refuse(&ca, &tom, NOW);
    let listed = REFUSALS_MAX as usize;
    assert_eq!(refusals(&ca).len(), listed + 1);
    // As after a restart: everything is in files.
    Ca::at(&ca.data).tell_refusals(NOW + Duration::minutes(59)).unwrap();
    assert_eq!(refusals(&ca).len(), listed + 1);
    ca.tell_refusals(NOW + Duration::HOUR).unwrap();
    let told = ("uid=eva".to_owned(), "490 more refusals in the hour from 2027-03-01T12:00:00Z");
    let last = refusals(&ca).pop().unwrap();
    assert_eq!((last.0, last.1.as_str()), told);
    ca.tell_refusals(NOW + Duration::HOUR).unwrap();
    refuse(&ca, &eva, NOW + Duration::HOUR);
    assert_eq!(refusals(&ca).len(), listed + 3);
    let operator = Asker::operator();
    for _ in 0..=listed {
        refuse(&ca, &operator, NOW);
    }
    assert_eq!(refusals(&ca).len(), 2 * listed + 4);
}

#[test]
fn many_who_are_refused_are_counted_together() {
    let (_folder, ca) = new_folder();
    let since = NOW.unix_timestamp();
    let one = |number| format!("\"uid={number}\": {{\"since\": {since}, \"refused\": 1}}");
    let known: Vec<String> = (0..REQUESTERS_MAX).map(one).collect();
    fs::write(ca.folder().join("refused.json"), format!("{{{}}}", known.join(","))).unwrap();
    refuse(&ca, &asker("uid=0"), NOW);
    for number in 0..REFUSALS_MAX + 5 {
        refuse(&ca, &asker(&format!("uid=new{number}")), NOW);
    }
    assert_eq!(refusals(&ca).len(), 1 + REFUSALS_MAX as usize);
    ca.tell_refusals(NOW + Duration::HOUR).unwrap();
    let last = refusals(&ca).pop().unwrap();
    assert_eq!(last.0, "others");
    assert!(last.1.starts_with("5 more refusals"), "{last:?}");
}

#[test]
fn what_somebody_got_in_a_day_is_counted_in_the_log() {
    let (_folder, ca) = new_folder();
    let eva = asker("uid=eva");
    let hours = |hours| NOW + Duration::hours(hours);
    for (who, template, hour) in [
        ("uid=eva", "client", -25),
        ("uid=eva", "client", -24),
        ("uid=eva", "client", -23),
        ("uid=tom", "client", -2),
        ("uid=eva", "server", -1),
        ("uid=eva", "client", 48),
        ("uid=eva", "client", 0),
    ] {
        let _lock = ca.lock().unwrap();
        ca.record(&Event::new(Deed::Issued, &asker(who), hours(hour)).of(template)).unwrap();
        let refused = Event::new(Deed::Refused, &asker(who), hours(hour)).of(template);
        ca.record(&refused).unwrap();
    }
    assert_eq!(ca.issued_lately(&eva, "client", NOW).unwrap(), 2);
    assert_eq!(ca.issued_lately(&eva, "client", hours(23)).unwrap(), 1);
    assert_eq!(ca.issued_lately(&eva, "none", NOW).unwrap(), 0);
}
