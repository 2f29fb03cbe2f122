//! Test reports, metrics, and a look that is taken again and again.

use std::process::Command;

use testing::peers::chancery::{binary, peer};
use testing::peers::missing::{Peer, present};
use testing::peers::port;
use testing::process::{Process, run, run_checked};

use super::{directory, doctor};

#[test]
fn reports_and_metrics_that_others_can_read() {
    let python = Peer::program("python3", "/usr/bin/python3");
    if !present("reports and metrics", &[peer(), python]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let (ca, junit, metrics) = (at("ca.pem"), at("report.xml"), at("doctor.prom"));
    let server = directory("Usual CA", &["dc1.example.com"], ca.as_ref());
    let target = format!("ldaps://dc1.example.com:{}", port(&server.ldaps));
    let address = format!("127.0.0.1:{}", port(&server.ldaps));
    let asked = [&target, "--address", &address, "--junit", &junit, "--prometheus", &metrics];
    // Another program reads it: target, tests, failures, and the types of those.
    let read = "import sys, xml.etree.ElementTree as e\nfor s in e.parse(sys.argv[1]).getroot():\n \
                print(s.get('name'), s.get('tests'), s.get('failures'), \
                *[f.get('type') for f in s.iter('failure')])";
    let cases =
        || run_checked(Command::new("/usr/bin/python3").args(["-c", read, &junit])).unwrap();
    let well = doctor(&[&asked[..], &["--ca", &ca]].concat());
    assert_eq!(well.code, Some(0), "{}{}", well.stdout, well.stderr);
    assert_eq!(cases().trim(), format!("{target} 8 0"));
    let said = std::fs::read_to_string(&metrics).unwrap();
    assert!(said.contains(&format!("chancery_doctor_up{{target=\"{target}\"}} 1\n")), "{said}");
    let expiry = said.lines().find(|line| line.starts_with("chancery_doctor_certificate_expiry"));
    let seconds: f64 = expiry.unwrap().rsplit(' ').next().unwrap().parse().unwrap();
    let in_days = (seconds - time::OffsetDateTime::now_utc().unix_timestamp() as f64) / 86400.0;
    assert!((300.0..370.0).contains(&in_days), "{in_days}");
    for step in ["tcp", "tls", "ldap"] {
        assert!(said.contains(&format!("step=\"{step}\"}} ")), "{step}: {said}");
    }
    let bad = doctor(&asked);
    assert_eq!(bad.code, Some(2));
    assert_eq!(cases().trim(), format!("{target} 8 1 TRUST-CA"));
    let said = std::fs::read_to_string(&metrics).unwrap();
    let found = format!("findings{{target=\"{target}\",code=\"TRUST-CA\",severity=\"error\"}} 1");
    assert!(said.contains(&found) && said.contains("} 0\n"), "{said}");
}

#[test]
fn a_look_that_is_repeated_says_what_changes() {
    if !present("a repeated look", &[peer()]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let mut server = directory("Usual CA", &["dc1.example.com"], &at("ca.pem"));
    let target = format!("ldaps://dc1.example.com:{}", port(&server.ldaps));
    let address = format!("127.0.0.1:{}", port(&server.ldaps));
    let asked = |more: &[&str]| {
        let mut command = Command::new(binary());
        command.args(["doctor", &target, "--address", &address, "--watch", "1"]);
        command.arg("--ca").arg(at("ca.pem")).arg("--prometheus").arg(at("metrics"));
        command.args(more);
        command
    };
    // A password that is refused is not tried a second time.
    let password = at("password");
    std::fs::write(&password, "wrong").unwrap();
    super::private(&password);
    let password = password.display().to_string();
    let sign_in = ["--as", &server.admin, "--password-file", &password, "--times", "9"];
    let refused = run(&mut asked(&sign_in)).unwrap();
    assert_eq!(refused.code, Some(2), "{}{}", refused.stdout, refused.stderr);
    assert!(refused.stdout.contains(" ✗ AUTH"), "{}", refused.stdout);
    assert!(refused.stderr.contains("it is not repeated"), "{}", refused.stderr);
    // Two looks with the same verdict are one line.
    let said = run_checked(&mut asked(&["--times", "2"])).unwrap();
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains(" ✓ "), "{said}");
    let mut watch = Process::start("watch", folder.path(), asked(&[])).unwrap();
    watch.wait_for_line(|line| line.contains(" ✓ ").then_some(())).unwrap();
    server.process.kill().unwrap();
    watch.wait_for_line(|line| line.contains(" ✗ TCP-REFUSED ").then_some(())).unwrap();
    let metrics = || std::fs::read_to_string(at("metrics")).unwrap_or_default();
    assert!(metrics().contains("code=\"TCP-REFUSED\""), "{}", metrics());
    watch.signal("INT").unwrap();
    let ended = watch.terminate().unwrap();
    assert_eq!(ended.code(), Some(2), "{ended}: the code of the last look");
}
