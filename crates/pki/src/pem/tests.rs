//! PEM files that belong together, and every way in which they do not.

use super::*;
use crate::authority::{CA_LIFETIME, CaMaterial, InHouseCa, Issued, SERVER_LIFETIME};
use time::macros::datetime;

const NOW: time::OffsetDateTime = datetime!(2026-03-01 12:00 UTC);

fn issued() -> (CaMaterial, Issued) {
    let material = InHouseCa::create("Test CA", NOW, CA_LIFETIME, [1; 16]).unwrap();
    let ca = InHouseCa::open(&material).unwrap();
    let server = ca.issue_server(&["localhost"], NOW, SERVER_LIFETIME, [2; 16]).unwrap();
    (material, server)
}

fn credential(chain: &str, key: &str) -> Result<Credential, PemRefused> {
    Credential::from_pem(chain.as_bytes(), key.as_bytes())
}

#[test]
fn a_chain_and_its_key_are_read() {
    let (ca, server) = issued();
    let chain = format!("a comment\n{}{}", server.chain_pem, ca.cert_pem);
    // Key and certificates in one file, as some tools keep them.
    let both = format!("{}{chain}", server.key_pem.as_str());
    for (chain, key) in [(&chain, server.key_pem.as_str()), (&both, &both)] {
        let read = credential(chain, key).unwrap();
        assert_eq!(read.chain.len(), 2);
        assert_eq!(read.leaf.subject, "CN=localhost");
    }
}

#[test]
fn what_is_wrong_is_named() {
    let (ca, server) = issued();
    let (chain, key) = (server.chain_pem.as_str(), server.key_pem.as_str());
    let unended = chain.split("-----END").next().unwrap();
    let not_base64 = "-----BEGIN CERTIFICATE-----\n§§§\n-----END CERTIFICATE-----\n";
    let not_der = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let encrypted =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let old_encrypted = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\
                         DEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
    let bad_key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    let root_first = format!("{}{chain}", ca.cert_pem);
    for (chain, key, expected) in [
        ("", key, "no certificate in the PEM text"),
        (key, key, "no certificate in the PEM text"),
        (chain, "", "no private key in the PEM text"),
        (chain, chain, "no private key in the PEM text"),
        (chain, encrypted, "the private key is encrypted"),
        (chain, old_encrypted, "the private key is encrypted"),
        (chain, bad_key, "the private key is of a kind that is not supported"),
        (chain, ca.key_pem.as_str(), "the key does not match the certificate CN=localhost"),
        (&root_first, key, "the key belongs to certificate number 2 of the chain, CN=localhost"),
        (unended, key, "the PEM text is damaged: the END CERTIFICATE line is missing"),
        (not_base64, key, "the PEM text is damaged: a block is not base64"),
        (not_der, key, "certificate number 1 in the PEM text is not an X.509 certificate"),
    ] {
        let sentence = credential(chain, key).map(drop).unwrap_err().to_string();
        assert!(sentence.starts_with(expected), "{sentence} instead of {expected}");
    }
}

#[test]
fn keys_are_noticed_in_any_file() {
    let (_, server) = issued();
    assert!(holds_key(server.key_pem.as_bytes()));
    assert!(holds_key(format!("{}{}", server.chain_pem, server.key_pem.as_str()).as_bytes()));
    assert!(!holds_key(server.chain_pem.as_bytes()));
}

#[test]
fn a_key_is_not_printed() {
    let (_, server) = issued();
    let read = credential(&server.chain_pem, &server.key_pem).unwrap();
    let secret = format!("{:?}", read.key.secret_der());
    assert!(!format!("{read:?}").contains(&secret));
}
