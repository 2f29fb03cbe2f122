//! Certificates, keys and requests as files give them.

use pki::judge::families::{Client, Sent, acceptance};
use pki::judge::names::ServedName;
use pki::judge::{judge_authority, judge_server};
use pki::template::lint::lint;
use pki::{Pfx, Policy, SigningRequest, Summary, Templates, Wanted, pem};
use rustls::pki_types::CertificateDer;
use time::OffsetDateTime;
use time::macros::datetime;

const NOW: OffsetDateTime = datetime!(2027-03-01 12:00 UTC);

/// What was read from PEM text reads the same when it is written again.
pub fn pem_text(bytes: &[u8]) {
    let _ = (pem::private_key(bytes), pem::holds_key(bytes), pem::revocation_lists(bytes));
    let Ok(certificates) = pem::certificates(bytes) else { return };
    let text: String = certificates.iter().map(|der| pem::certificate_text(der)).collect();
    assert_eq!(pem::certificates(text.as_bytes()), Ok(certificates));
}

/// Whatever a certificate says, there is a judgement, and one that cannot be read never passes.
pub fn certificate(bytes: &[u8]) {
    let der = CertificateDer::from(bytes.to_vec());
    let chain = [der.clone(), der.clone()];
    let judgement = judge_server(&chain, None, &Wanted::default(), NOW);
    let authority = judge_authority(&der, &Policy::default(), NOW);
    assert!(!judgement.passes(), "there is no key");
    if Summary::parse(bytes).is_err() {
        assert!(!authority.passes());
    }
    let _ = (judgement.to_string(), authority.to_string());
    let name = ServedName::Dns("ldap.example.com".to_owned());
    for roots in [None, Some(&chain[..1])] {
        let all = acceptance(&Sent { chain: &chain, name: &name, roots }, NOW);
        assert!(all.is_empty() || all.len() == Client::ALL.len());
    }
    let _ = pki::trust::subject_hash(&der);
    let _ = pki::Revocations::parse(bytes);
}

/// A password changes which error it is, and never whether it is a PFX at all.
pub fn pfx(bytes: &[u8]) {
    let none = Pfx::decode(bytes, None);
    let some = Pfx::decode(bytes, Some("password"));
    let is_none =
        |read: &Result<Pfx, pki::PfxRefused>| matches!(read, Err(pki::PfxRefused::NotAPfx { .. }));
    assert_eq!(is_none(&none), is_none(&some));
    if let Ok(pfx) = some {
        let _ = (pki::pfx::finding(&pfx).to_string(), pfx.into_credential());
    }
}

/// What is read has a key that signed it.
pub fn signing_request(bytes: &[u8]) {
    if let Ok(request) = SigningRequest::decode(bytes) {
        assert!(!request.public_key.is_empty());
        assert!(request.names.len() <= pki::request::NAMES_MAX);
    }
}

/// Templates that are read are the same when they are written and read again.
pub fn templates(text: &str) {
    let Ok(read) = Templates::parse(text) else { return };
    let _ = lint(&read, None, NOW);
    let written = toml::to_string(&read).unwrap();
    assert_eq!(Templates::parse(&written).as_ref(), Ok(&read), "{written}");
}
