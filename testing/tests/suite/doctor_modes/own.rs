//! Our own service, as a client meets it.

use std::process::Command;

use testing::peers::Subject;
use testing::peers::chancery::{binary, peer, start_configured};
use testing::peers::missing::present;
use testing::ports;
use testing::process::{Finished, run};

use super::{directory, first, json};

fn own(server: &testing::peers::Server, more: &[&str]) -> Finished {
    let data = server.password_file.parent().unwrap();
    let mut command = Command::new(binary());
    command.args(["doctor", "self", "--data"]).arg(data);
    let config = server.folder.path().join("chancery.toml");
    if config.exists() {
        command.arg("--config").arg(config);
    }
    run(command.args(more)).unwrap()
}

#[test]
fn our_own_service_by_all_its_names() {
    if !present("our own service", &[Subject::Chancery.program(), peer()]) {
        return;
    }
    let server = Subject::Chancery.start().unwrap();
    let said = own(&server, &[]);
    assert_eq!(said.code, Some(0), "{}{}", said.stdout, said.stderr);
    let names = json(&own(&server, &["--json"]))["runs"].as_array().unwrap().len();
    assert!(said.stdout.starts_with('✓') && names > 0, "{}", said.stdout);
    assert_eq!(said.stdout.lines().count(), names + 1, "a verdict and a line for each name");
    assert!(said.stdout.contains("localhost"), "{}", said.stdout);
    drop(server);
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    let server = directory("Usual CA", &["dc1.example.com", "dc2.example.com"], &ca);
    let unknown = own(&server, &[]);
    assert_eq!((first(&unknown).as_str(), unknown.code), ("TRUST-CA", Some(2)));
    let well = own(&server, &["--ca", &ca.display().to_string()]);
    assert_eq!(well.code, Some(0), "{}{}", well.stdout, well.stderr);
    assert!(well.stdout.contains("✓ dc2.example.com"), "{}", well.stdout);
    let nobody = Command::new(binary())
        .args(["doctor", "self", "--data"])
        .arg(folder.path())
        .output()
        .unwrap();
    assert_eq!(nobody.status.code(), Some(3));
    let said = String::from_utf8_lossy(&nobody.stderr).into_owned();
    assert!(said.contains("no server runs on the data folder"), "{said}");
}

#[test]
fn a_published_listener_and_its_rules() {
    if !present("our own published service", &[Subject::Chancery.program(), peer()]) {
        return;
    }
    for (verdict, code) in [("allow", 0), ("deny", 2)] {
        let [number] = ports::free().unwrap();
        let server = start_configured(&format!(
            "[publish.internal]\nenabled = true\naddress = '127.0.0.1:{number}'\n\
             [[publish.rule]]\nname = 'this-machine'\npriority = 100\nsource = '127.0.0.0/8'\n\
             verdict = '{verdict}'\n"
        ))
        .unwrap();
        let said = own(&server, &[]);
        assert_eq!(said.code, Some(code), "{verdict}: {}{}", said.stdout, said.stderr);
        let line = said.stdout.lines().find(|line| line.contains(&format!("localhost:{number} ")));
        let sign = if verdict == "allow" { '✓' } else { '✗' };
        assert!(line.unwrap().starts_with(sign), "{verdict}: {}", said.stdout);
        // A client that is not let in sees no more than a server that hangs up; we know the rules.
        let hint = "see whether its rules let in: chancery publish test 127.0.0.1";
        assert_eq!(said.stdout.contains(hint), verdict == "deny", "{}", said.stdout);
    }
}
