//! The same name from two places, which reach different servers by it.

use std::fs::File;
use std::process::{Command, Stdio};

use testing::peers::chancery::{binary, peer};
use testing::peers::missing::present;
use testing::peers::port;
use testing::ports;

use super::{directory, doctor, first, json};

#[test]
fn what_one_place_sees_and_the_other_does_not() {
    if !present("two places", &[peer()]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let ca = at("ca.pem");
    let server = directory("Usual CA", &["dc1.example.com"], ca.as_ref());
    let other_ca = at("other.pem");
    let inspecting = directory("Firewall CA", &["dc1.example.com"], other_ca.as_ref());
    let [number] = ports::free().unwrap();
    let target = format!("ldaps://dc1.example.com:{number}");
    let (open, opened) = (port(&server.ldaps), port(&inspecting.ldaps));
    let address = |number: u16| format!("127.0.0.1:{number}");
    let seen_from = |label: &str, number: u16, more: &[&str]| {
        let at = address(number);
        let asked = ["run", &target, "--as", label, "--ca", &ca, "--address", &at];
        let said = doctor(&[&asked[..], more].concat());
        assert_eq!(said.code, Some(0), "{}{}", said.stdout, said.stderr);
        said.stdout
    };
    // The other place reaches another port at which nothing listens, or another server.
    for (label, block) in [
        ("private", seen_from("outside", number, &[])),
        ("closed", seen_from("office", number, &[])),
        ("inspected", seen_from("office", opened, &[])),
        ("the same", seen_from("outside", open, &[])),
        ("redacted", seen_from("office", number, &["--redact"])),
    ] {
        let file = at("there.json");
        std::fs::write(&file, &block).unwrap();
        let here = ["--ca", &ca, "--address", &address(open)].map(str::to_owned);
        let here: Vec<&str> = here.iter().map(String::as_str).collect();
        let asked = [&[target.as_str()], &here[..], &["--other", &file]].concat();
        let said = doctor(&asked);
        match label {
            "closed" | "redacted" => {
                assert_eq!(first(&said), "VANTAGE", "{label}: {}{}", said.stdout, said.stderr);
                let fix = format!("allow TCP {number} from office");
                assert!(said.stdout.contains(&fix), "{label}: {}", said.stdout);
            }
            // The machine itself is as private as an address can be.
            "private" => {
                let cause = "dc1.example.com resolves to a private address outside";
                assert!(said.stdout.contains(cause), "{}{}", said.stdout, said.stderr);
            }
            "inspected" => {
                assert_eq!(first(&said), "VANTAGE", "{}{}", said.stdout, said.stderr);
                for words in ["CN=Firewall CA", "CN=Usual CA", "inspection"] {
                    assert!(said.stdout.contains(words), "{words}: {}", said.stdout);
                }
            }
            _ => assert_eq!(said.code, Some(0), "{}{}", said.stdout, said.stderr),
        }
    }
    let closed = seen_from("outside", number, &[]);
    // Several blocks, pasted.
    std::fs::write(at("both"), format!("{closed}\n{}", seen_from("home", opened, &[]))).unwrap();
    let mut command = Command::new(binary());
    command.args(["doctor", &target, "--ca", &ca, "--address", &address(open), "--json"]);
    command.args(["--other", "-"]).stdin(Stdio::from(File::open(at("both")).unwrap()));
    let output = command.output().unwrap();
    let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let of_place = said["findings"].as_array().unwrap().iter();
    assert_eq!(of_place.filter(|one| one["code"] == "VANTAGE").count(), 2, "{said}");
    std::fs::write(at("there.json"), closed.replace("dc1.example.com", "dc9.example.com")).unwrap();
    let wrong = doctor(&[&target, "--ca", &ca, "--other", &at("there.json")]);
    assert_eq!(wrong.code, Some(2));
    assert!(wrong.stderr.contains("these are the facts of"), "{}", wrong.stderr);
    assert_eq!(json(&doctor(&["run", &target, "--as", "x", "--ca", &ca]))["vantage"], "x");
}
