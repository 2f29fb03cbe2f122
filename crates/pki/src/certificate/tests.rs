//! Damaged certificates are refused in words, never with a panic.

use super::*;
use crate::authority::{CA_LIFETIME, InHouseCa, SERVER_LIFETIME};
use crate::pem;
use time::macros::datetime;

fn der() -> Vec<u8> {
    let now = datetime!(2026-03-01 12:00 UTC);
    let material = InHouseCa::create("Test CA", now, CA_LIFETIME, [1; 16]).unwrap();
    let ca = InHouseCa::open(&material).unwrap();
    let names = ["localhost", "::1"];
    let server = ca.issue_server(&names, now, SERVER_LIFETIME, [2; 16]).unwrap();
    pem::certificates(server.chain_pem.as_bytes()).unwrap()[0].to_vec()
}

#[test]
fn truncated_certificates_are_refused() {
    let der = der();
    for length in 0..der.len() {
        assert!(Summary::parse(&der[..length]).is_err(), "{length} bytes");
    }
    let mut longer = der.clone();
    longer.push(0);
    assert!(Summary::parse(&longer).is_err());
    assert!(Summary::parse(&der).is_ok());
}

#[test]
fn flipped_bits_never_panic() {
    let der = der();
    for at in 0..der.len() {
        for bit in 0..8 {
            let mut flipped = der.clone();
            flipped[at] ^= 1 << bit;
            let _ = Summary::parse(&flipped);
        }
    }
}

/// Made with `openssl req -x509 -newkey ed25519`: a subject with a repeated type, a joined RDN, a
/// type without a short name and several kinds of alternative names.
#[test]
fn a_certificate_of_another_program_is_read() {
    let text = include_bytes!("openssl.pem");
    let read = Summary::parse(&pem::certificates(text).unwrap()[0]).unwrap();
    let subject = "UID=ann+emailAddress=a@example.com,CN=Ann #1\\, the first,OU=People,\
                   2.3.4.5=#0c0178,DC=example,DC=com";
    assert_eq!(read.subject, subject);
    assert_eq!(read.issuer, subject);
    assert_eq!(read.serial, "00ab12");
    assert_eq!(read.purposes, ["serverAuth", "clientAuth", "1.3.6.1.4.1.311.20.2.2"]);
    let names: Vec<String> = read.names.iter().map(ToString::to_string).collect();
    assert_eq!(names[..3], ["*.example.com", "192.0.2.7", "ann@example.com"]);
    assert!(!read.is_ca);
}
