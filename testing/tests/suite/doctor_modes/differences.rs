//! Two runs beside each other, and files that are never half written.

use std::process::Command;

use testing::peers::chancery::{binary, peer};
use testing::peers::missing::present;
use testing::peers::port;
use testing::ports;
use testing::process::run;

use super::{directory, doctor, json};

#[test]
fn what_has_changed_between_two_runs() {
    if !present("two runs", &[peer()]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let [number] = ports::free().unwrap();
    let target = format!("ldaps://dc1.example.com:{number}");
    let looked = |ca: &str, to: u16, file: &str| {
        let address = format!("127.0.0.1:{to}");
        let (ca, file) = (at(ca), at(file));
        doctor(&[&target, "--ca", &ca, "--address", &address, "--save", &file])
    };
    let (one, other) = (at("one.pem"), at("other.pem"));
    let usual = directory("Usual CA", &["dc1.example.com"], one.as_ref());
    let instead = directory("Other CA", &["dc1.example.com"], other.as_ref());
    let same_port = port(&usual.ldaps);
    looked("one.pem", same_port, "first.json");
    looked("one.pem", same_port, "second.json");
    let said = doctor(&["diff", &at("first.json"), &at("second.json")]);
    assert_eq!((said.stdout.trim(), said.code), ("nothing has changed", Some(0)));
    // As if the server had been given another certificate.
    looked("one.pem", port(&instead.ldaps), "third.json");
    let third = std::fs::read_to_string(at("third.json")).unwrap();
    let moved = third.replace(&port(&instead.ldaps).to_string(), &same_port.to_string());
    std::fs::write(at("third.json"), moved).unwrap();
    let said = doctor(&["diff", &at("first.json"), &at("third.json")]);
    assert_eq!(said.code, Some(1), "{}{}", said.stdout, said.stderr);
    for words in [
        "issued by: CN=Usual CA -> CN=Other CA",
        "certificate, SHA-256: ",
        "verification: passed -> ",
        "now said: TRUST-CA",
    ] {
        assert!(said.stdout.contains(words), "{words}: {}", said.stdout);
    }
    let back = doctor(&["diff", &at("third.json"), &at("first.json"), "--json"]);
    let changes = json(&back)["changes"].to_string();
    assert!(changes.contains("no longer said: TRUST-CA"), "{changes}");
    let broken = doctor(&["diff", &at("first.json"), &at("one.pem")]);
    assert_eq!(broken.code, Some(2));
    assert!(broken.stderr.contains("one.pem: "), "{}", broken.stderr);
    // A host of this name can still be meant.
    let host = doctor(&["ldaps://diff", "--address", "127.0.0.1:1"]);
    assert!(host.stdout.contains("TCP-REFUSED"), "{}{}", host.stdout, host.stderr);
}

#[test]
fn a_file_is_replaced_as_a_whole() {
    if !present("files of facts", &[peer()]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("facts.json");
    // Another name for the old file keeps the old text: the new one is another file.
    let kept = folder.path().join("kept");
    std::fs::write(&file, "before").unwrap();
    std::fs::hard_link(&file, &kept).unwrap();
    let save = file.display().to_string();
    doctor(&["ldaps://127.0.0.1:1", "--save", &save]);
    assert_eq!(std::fs::read_to_string(&kept).unwrap(), "before");
    assert!(std::fs::read_to_string(&file).unwrap().starts_with('{'));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left over");
    let nowhere = doctor(&["ldaps://127.0.0.1:1", "--save", "/nonexistent/facts.json"]);
    assert_eq!(nowhere.code, Some(3));
    assert!(nowhere.stderr.contains("/nonexistent/facts.json"), "{}", nowhere.stderr);
    let mut command = Command::new(binary());
    command.args(["doctor", "ldaps://127.0.0.1:1", "--save", "/dev/stdout"]);
    assert!(run(&mut command).unwrap().stdout.starts_with('{'));
}
