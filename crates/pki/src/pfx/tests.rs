//! PFX files made here: read back, and each way in which something else is given. Files of
//! OpenSSL's are in the suite.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use time::macros::datetime;

use super::{Pfx, PfxRefused, Writing, encode, finding};
use crate::authority::{CA_LIFETIME, InHouseCa, SERVER_LIFETIME};
use crate::pem::Credential;

const PASSWORD: &str = "s\u{e9}cret";

fn credential() -> Credential {
    let now = datetime!(2027-03-01 12:00 UTC);
    let ca = InHouseCa::create("Test CA", now, CA_LIFETIME, [1; 16]).unwrap();
    let ca = InHouseCa::open(&ca).unwrap();
    let issued = ca.issue_server(&["ldap.example.com"], now, SERVER_LIFETIME, [2; 16]).unwrap();
    Credential::from_pem(issued.chain_pem.as_bytes(), issued.key_pem.as_bytes()).unwrap()
}

#[test]
fn what_is_written_is_read_and_its_encryption_named() {
    let credential = credential();
    for (writing, named, said) in [
        (Writing::Aes, "encryption PBES2 with AES-256-CBC and SHA-256, MAC SHA-256", "write it"),
        (Writing::TripleDes, "encryption 3DES with SHA-1, MAC SHA-1", "Entra Domain Services and"),
    ] {
        let bytes = encode(&credential, PASSWORD, writing).unwrap();
        for content in [bytes.to_vec(), STANDARD.encode(&*bytes).into_bytes()] {
            let pfx = Pfx::decode(&content, Some(PASSWORD)).unwrap();
            assert_eq!(pfx.protection.to_string(), named);
            assert!(finding(&pfx).fix.contains(said), "{}", finding(&pfx));
            let back = pfx.into_credential().unwrap();
            assert_eq!(back.chain, credential.chain);
            assert_eq!(back.key, credential.key);
        }
    }
}

#[test]
fn each_mistake_has_its_own_words() {
    let good = encode(&credential(), PASSWORD, Writing::Aes).unwrap();
    let with = |content: &[u8], password: Option<&str>| {
        Pfx::decode(content, password).unwrap_err().to_string()
    };
    let path64 = STANDARD.encode("C:\\certs\\ldaps.pfx");
    let wide: Vec<u8> = [0xff, 0xfe]
        .into_iter()
        .chain("/etc/ldaps.pfx".encode_utf16().flat_map(u16::to_le_bytes))
        .collect();
    let leaf = credential().chain.remove(0);
    let mut costly = good.to_vec();
    // The MAC's rounds stand last: INTEGER of two bytes, 10000.
    let at = costly.len() - 2;
    costly.splice(at - 2.., [2, 3, 0x7f, 0xff, 0xff]);
    let costly = lengthened(&costly, 1);
    for (what, content, expected) in [
        ("nothing", &b""[..], "not a PFX file: it is empty"),
        ("PEM", b"-----BEGIN CERTIFICATE-----\n", "not a PFX file: it is PEM text"),
        ("prose", b"hello there\n", "not a PFX file: it is text"),
        ("other bytes", b"\x89PNG\r\n\x1a\n\0\0", "not a PFX file: it does not begin like one"),
        ("a certificate", &leaf, "not a PFX file: it is a certificate in DER, without a key"),
        ("a path", b"./ldaps.pfx", "path \"./ldaps.pfx\" where the content"),
        ("an absolute path", b"/etc/ssl/private/ldaps\n", "path \"/etc/ssl/private/ldaps\""),
        ("a path in base64", path64.as_bytes(), "ldaps.pfx\" where the content"),
        ("a path in UTF-16", &wide, "path \"/etc/ldaps.pfx\""),
        ("half of it", &good[..good.len() / 2], "damaged: it is cut off"),
        ("too many rounds", &costly, "asks for 8388607 rounds"),
        ("open lengths", b"\x30\x80\x02\x01\x03\x30\x80", "BER with open lengths"),
    ] {
        let said = with(content, Some(PASSWORD));
        assert!(said.contains(expected), "{what}: {said}");
        assert!(!said.contains(PASSWORD));
    }
    assert_eq!(Pfx::decode(&good, Some("other")).unwrap_err(), PfxRefused::WrongPassword);
    assert_eq!(Pfx::decode(&good, None).unwrap_err(), PfxRefused::PasswordMissing);
}

/// The lengths of the outer sequence and of the MAC around the last bytes grow with them.
fn lengthened(der: &[u8], by: u8) -> Vec<u8> {
    // SEQUENCE with two bytes of length, then the version and the safe, then the MAC.
    let (_, rest) = crate::der::read(&der[4..]).unwrap();
    let (_, mac) = crate::der::read(rest).unwrap();
    let mac_at = der.len() - mac.len();
    let mut out = der.to_vec();
    out[3] += by;
    out[mac_at + 1] += by;
    out
}

#[test]
fn any_changed_byte_is_a_named_error_or_changes_nothing() {
    let good = encode(&credential(), PASSWORD, Writing::TripleDes).unwrap();
    for at in 0..good.len() {
        let mut changed = good.to_vec();
        changed[at] ^= 0x41;
        if let Ok(pfx) = Pfx::decode(&changed, Some(PASSWORD)) {
            assert!(pfx.into_credential().is_ok(), "byte {at}");
        }
    }
}
