//! Chains in files: the same is said as of a server that shows them.

use testing::peers::chancery::peer;
use testing::peers::missing::{Peer, present};
use testing::process::Finished;

use super::{doctor, first};
use crate::certificates::{CASES, NAME, make, root};

#[test]
fn every_fault_of_a_certificate_is_named_without_a_server() {
    let openssl = Peer::program("openssl", "/usr/bin/openssl");
    if !present("chains in files", &[peer(), openssl]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let path = |name: &str| at.join(name).display().to_string();
    let (chain, ca) = (path("chain.pem"), path("root.pem"));
    let judged = |more: &[&str]| -> Finished {
        doctor(&[&["--offline", &chain, "--ca", &ca], more].concat())
    };
    root(at);
    for case in CASES {
        make(at, case);
        let mut text = std::fs::read_to_string(at.join("own.pem")).unwrap();
        if case.is_sent {
            text += &std::fs::read_to_string(at.join("issuing.pem")).unwrap();
        }
        std::fs::write(at.join("chain.pem"), text).unwrap();
        let said = judged(&["--name", NAME]);
        // What is no fault of the certificate is one of the server behind it.
        if case.doctor == "LDAP" {
            assert_eq!(said.code, Some(0), "{}: {}{}", case.what, said.stdout, said.stderr);
        } else {
            assert_eq!(first(&said), case.doctor, "{}: {}{}", case.what, said.stdout, said.stderr);
            assert_eq!(said.code, Some(2));
        }
    }
    make(at, CASES.first().unwrap());
    let text =
        ["own.pem", "issuing.pem"].map(|name| std::fs::read_to_string(at.join(name)).unwrap());
    std::fs::write(at.join("chain.pem"), text.concat()).unwrap();
    assert_eq!(judged(&[]).code, Some(0), "its own name is taken");
    assert_eq!(first(&judged(&["--name", "other.example"])), "NAME-MISMATCH");
    assert_eq!(first(&judged(&["--at", "2060-01-01T00:00:00Z"])), "CERT-EXPIRED");
    assert_eq!(first(&judged(&["--at", "2001-01-01T00:00:00Z"])), "CLOCK");
    let odd = judged(&["--at", "tomorrow"]);
    assert_eq!(odd.code, Some(2));
    assert!(odd.stderr.contains("2030-01-31T12:00:00Z"), "{}", odd.stderr);
    let none = doctor(&["--offline", &path("own.key")]);
    assert_eq!(none.code, Some(2));
    assert!(none.stderr.contains("no certificate in the PEM text"), "{}", none.stderr);
}
