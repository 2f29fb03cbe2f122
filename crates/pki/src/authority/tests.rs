//! What the in-house CA issues, read back by ourselves and by OpenSSL.

use super::*;
use crate::certificate::AlternativeName;
use std::process::Command;
use time::macros::datetime;

const NOW: OffsetDateTime = datetime!(2026-03-01 12:00 UTC);

fn ca() -> (CaMaterial, InHouseCa) {
    let material = InHouseCa::create("Test CA", NOW, CA_LIFETIME, [0xff; 16]).unwrap();
    let ca = InHouseCa::open(&material).unwrap();
    (material, ca)
}

fn read(issued: &Issued) -> Summary {
    Credential::from_pem(issued.chain_pem.as_bytes(), issued.key_pem.as_bytes()).unwrap().leaf
}

#[test]
fn the_root_says_what_it_is() {
    let (_, ca) = ca();
    let root = ca.summary();
    assert_eq!((root.subject.as_str(), root.issuer.as_str()), ("CN=Test CA", "CN=Test CA"));
    assert!(root.is_ca);
    assert_eq!(root.serial, "7fffffffffffffffffffffffffffffff");
    assert_eq!(root.not_before, NOW - CLOCK_SLACK);
    assert_eq!(root.not_after, NOW + CA_LIFETIME);
    assert_eq!(root.thumbprint.len(), 64);
}

#[test]
fn a_server_certificate_holds_its_names() {
    let (_, ca) = ca();
    let names = ["localhost", "ldap.example.com", "127.0.0.1", "::1"];
    let server = read(&ca.issue_server(&names, NOW, SERVER_LIFETIME, [0; 16]).unwrap());
    assert_eq!(server.subject, "CN=localhost");
    assert_eq!(server.issuer, "CN=Test CA");
    assert_eq!(server.serial, "40000000000000000000000000000000");
    let expected = [
        AlternativeName::Dns("localhost".to_owned()),
        AlternativeName::Dns("ldap.example.com".to_owned()),
        AlternativeName::Ip("127.0.0.1".parse().unwrap()),
        AlternativeName::Ip("::1".parse().unwrap()),
    ];
    assert_eq!(server.names, expected);
    assert_eq!(server.purposes, ["serverAuth"]);
    assert!(server.serves() && !server.is_ca);
    assert_eq!(server.not_after, NOW + SERVER_LIFETIME);
    assert!(server.is_valid_at(NOW));
    assert!(!server.is_valid_at(NOW + SERVER_LIFETIME + Duration::SECOND));
}

#[test]
fn a_client_subject_reads_as_a_directory_name() {
    let (_, ca) = ca();
    let subject = [("UID", "alice"), ("OU", "People, here"), ("O", "Exämple"), ("DC", "com")];
    let client = read(&ca.issue_client(&subject, NOW, Duration::days(1), [1; 16]).unwrap());
    assert_eq!(client.subject, r"UID=alice,OU=People\, here,O=Exämple,DC=com");
    assert_eq!(client.purposes, ["clientAuth"]);
    assert!(!client.serves());
}

#[test]
fn no_certificate_outlives_its_ca() {
    let (_, ca) = ca();
    let late = NOW + CA_LIFETIME - Duration::days(10);
    let server = read(&ca.issue_server(&["a"], late, SERVER_LIFETIME, [0; 16]).unwrap());
    assert_eq!(server.not_after, NOW + CA_LIFETIME);
    let too_late = NOW + CA_LIFETIME + Duration::DAY;
    let refused = ca.issue_server(&["a"], too_late, SERVER_LIFETIME, [0; 16]);
    assert!(matches!(refused, Err(IssueFailed::CaNotValid { .. })));
}

#[test]
fn names_that_cannot_be_issued_are_named() {
    let (_, ca) = ca();
    for bad in ["", "two words", "exa/mple", "ldap..example", "ünïcode.example"] {
        let refused = ca.issue_server(&[bad], NOW, SERVER_LIFETIME, [0; 16]);
        assert!(matches!(&refused, Err(IssueFailed::BadName { name }) if name == bad), "{bad}");
    }
    let none: [&str; 0] = [];
    let refused = ca.issue_server(&none, NOW, SERVER_LIFETIME, [0; 16]);
    assert!(matches!(refused, Err(IssueFailed::NoNames)));
    let client = |subject: &[(&str, &str)]| ca.issue_client(subject, NOW, Duration::DAY, [0; 16]);
    assert!(matches!(client(&[("X", "y")]), Err(IssueFailed::BadAttribute { .. })));
    let twice = read(&client(&[("UID", "anna"), ("DC", "example"), ("DC", "com")]).unwrap());
    assert_eq!(twice.subject, "UID=anna,DC=example,DC=com");
}

#[test]
fn a_long_host_name_still_gets_a_certificate() {
    let (_, ca) = ca();
    let long = format!("{}.example", "a".repeat(60));
    let server = read(&ca.issue_server(&[&long], NOW, SERVER_LIFETIME, [0; 16]).unwrap());
    assert_eq!(server.subject, "CN=server");
    assert_eq!(server.names, [AlternativeName::Dns(long)]);
}

#[test]
fn files_that_do_not_make_a_ca_are_refused() {
    let (material, ca) = ca();
    let (other, _) = self::ca();
    let mixed = CaMaterial { cert_pem: material.cert_pem, key_pem: other.key_pem };
    let refused = InHouseCa::open(&mixed).err();
    assert!(matches!(refused, Some(IssueFailed::Material(PemRefused::KeyMismatch { .. }))));
    let leaf = ca.issue_server(&["a"], NOW, SERVER_LIFETIME, [0; 16]).unwrap();
    let leaf = CaMaterial { cert_pem: leaf.chain_pem, key_pem: leaf.key_pem };
    assert!(matches!(InHouseCa::open(&leaf), Err(IssueFailed::NotACa { .. })));
}

#[test]
fn no_name_or_lifetime_is_too_long() {
    let long = "ä".repeat(70);
    let material = InHouseCa::create(&long, NOW, Duration::MAX, [0; 16]).unwrap();
    let ca = InHouseCa::open(&material).unwrap();
    assert_eq!(ca.summary().subject, format!("CN={}", "ä".repeat(64)));
    assert_eq!(ca.summary().not_after.year(), 9999);
}

/// OpenSSL in its strict mode is the most particular reader at hand. Where it is not installed
/// there is nothing to compare with.
#[test]
fn openssl_accepts_what_is_issued() {
    if Command::new("openssl").arg("version").output().is_err() {
        return;
    }
    let (material, ca) = ca();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let server =
        ca.issue_server(&["localhost", "127.0.0.1"], NOW, SERVER_LIFETIME, [9; 16]).unwrap();
    let client = ca.issue_client(&[("CN", "alice")], NOW, SERVER_LIFETIME, [8; 16]).unwrap();
    std::fs::write(path("ca.pem"), &material.cert_pem).unwrap();
    std::fs::write(path("server.pem"), &server.chain_pem).unwrap();
    std::fs::write(path("client.pem"), &client.chain_pem).unwrap();
    let verify = |purpose: &str, host: &str, file: &str| {
        let at = NOW.unix_timestamp().to_string();
        let mut command = Command::new("openssl");
        command.args(["verify", "-x509_strict", "-check_ss_sig", "-attime", &at]);
        command.args(["-purpose", purpose, "-CAfile"]).arg(path("ca.pem"));
        if !host.is_empty() {
            command.args(["-verify_hostname", host]);
        }
        let output = command.arg(path(file)).output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert_eq!(verify("sslserver", "localhost", "server.pem"), (true, String::new()));
    assert_eq!(verify("sslclient", "", "client.pem"), (true, String::new()));
    assert!(!verify("sslserver", "elsewhere", "server.pem").0);
    assert!(!verify("sslserver", "", "client.pem").0);
}
