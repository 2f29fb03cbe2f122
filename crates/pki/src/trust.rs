//! A CA's certificate in the forms in which clients want to have it: OpenSSL's folder of hashes,
//! Java's two kinds of truststore.

use p12_keystore::{Certificate, KeyStore, KeyStoreEntry};
use rustls::pki_types::CertificateDer;
use sha1::{Digest, Sha1};
use time::OffsetDateTime;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::x509::{AttributeTypeAndValue, RelativeDistinguishedName};

use crate::certificate::NotACertificate;
use crate::der::{self, tag};
use crate::name::string_value;

/// The hash of the subject by which OpenSSL finds a CA in a folder: `HASH.0`.
pub fn subject_hash(certificate: &CertificateDer<'_>) -> Result<String, NotACertificate> {
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(NotACertificate::new)?;
    let name: Vec<u8> = parsed.subject().iter().flat_map(canonical_rdn).collect();
    let digest = Sha1::digest(&name);
    let mut first = [0; 4];
    first.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    Ok(format!("{:08x}", u32::from_le_bytes(first)))
}

/// As `X509_NAME_hash` has it: every string as UTF-8 in lower case with single spaces, the outer
/// sequence left out.
fn canonical_rdn(rdn: &RelativeDistinguishedName<'_>) -> Vec<u8> {
    let mut parts: Vec<Vec<u8>> = rdn.iter().map(canonical_part).collect();
    parts.sort();
    der::write(tag::SET, &parts.concat())
}

fn canonical_part(part: &AttributeTypeAndValue<'_>) -> Vec<u8> {
    let oid = der::write(tag::OID, part.attr_type().as_bytes());
    let value = match string_value(part.attr_value()) {
        Some(text) => {
            let words: Vec<&str> = text
                .split(|c: char| c.is_ascii_whitespace() || c == '\u{b}')
                .filter(|word| !word.is_empty())
                .collect();
            der::write(tag::UTF8_STRING, words.join(" ").to_ascii_lowercase().as_bytes())
        }
        None => crate::name::der(part.attr_value()),
    };
    der::write(tag::SEQUENCE, &[oid, value].concat())
}

/// Why no truststore was made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoTruststore {
    #[error("a truststore's password has at least 6 characters: Java opens no other")]
    ShortPassword,
    #[error("the truststore could not be made: {0}")]
    Failed(String),
}

const PASSWORD_CHARS_MIN: usize = 6;

/// A PKCS #12 truststore that Java trusts: each certificate carries the attribute that says so.
pub fn pkcs12(
    certificates: &[(String, CertificateDer<'_>)],
    password: &str,
) -> Result<Vec<u8>, NoTruststore> {
    check(password)?;
    let failed = |error: p12_keystore::error::Error| NoTruststore::Failed(error.to_string());
    let mut store = KeyStore::new();
    for (alias, der) in certificates {
        let certificate = Certificate::from_der(der).map_err(failed)?;
        store.add_entry(alias, KeyStoreEntry::Certificate(certificate));
    }
    store.writer(password).write().map_err(failed)
}

/// The magic number and version of Java's own format.
const JKS: [u8; 8] = [0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2];
const TRUSTED_CERTIFICATE: u32 = 2;
/// What Java's digest is whitened with.
const WHITENER: &[u8] = b"Mighty Aphrodite";

/// A truststore in Java's own format, for what is too old for PKCS #12. Its password protects
/// nothing but against accidents.
pub fn jks(
    certificates: &[(String, CertificateDer<'_>)],
    password: &str,
    now: OffsetDateTime,
) -> Result<Vec<u8>, NoTruststore> {
    check(password)?;
    let too_long = |_| NoTruststore::Failed("a part is too long".to_owned());
    let count = |length: usize| u32::try_from(length).map_err(too_long);
    let mut out = JKS.to_vec();
    out.extend(count(certificates.len())?.to_be_bytes());
    for (alias, der) in certificates {
        out.extend(TRUSTED_CERTIFICATE.to_be_bytes());
        text(&mut out, alias)?;
        out.extend((now.unix_timestamp() * 1000).to_be_bytes());
        text(&mut out, "X.509")?;
        out.extend(count(der.len())?.to_be_bytes());
        out.extend_from_slice(der);
    }
    let mut digest = Sha1::new();
    let password: Vec<u8> = password.encode_utf16().flat_map(u16::to_be_bytes).collect();
    digest.update(&*zeroize::Zeroizing::new(password));
    digest.update(WHITENER);
    digest.update(&out);
    out.extend(digest.finalize());
    Ok(out)
}

/// Java's modified UTF-8 is UTF-8 for what may stand in an alias of ours.
fn text(out: &mut Vec<u8>, text: &str) -> Result<(), NoTruststore> {
    let length = u16::try_from(text.len()).ok().filter(|_| text.is_ascii());
    let length = length.ok_or_else(|| NoTruststore::Failed(format!("the alias {text:?}")))?;
    out.extend(length.to_be_bytes());
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

fn check(password: &str) -> Result<(), NoTruststore> {
    match password.chars().count() {
        count if count < PASSWORD_CHARS_MIN => Err(NoTruststore::ShortPassword),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::authority::{CA_LIFETIME, InHouseCa};

    const NOW: OffsetDateTime = datetime!(2027-03-01 12:00 UTC);

    fn certificate(name: &str) -> CertificateDer<'static> {
        let ca = InHouseCa::create(name, NOW, CA_LIFETIME, [1; 16]).unwrap();
        crate::pem::certificates(ca.cert_pem.as_bytes()).unwrap().remove(0)
    }

    #[test]
    fn the_hash_does_not_see_spaces_and_case() {
        let hash = |name: &str| subject_hash(&certificate(name)).unwrap();
        // As `openssl x509 -hash` has it for CN=Test CA.
        assert_eq!(hash("Test CA"), "3387b84d");
        assert_eq!(hash("  TEST \t ca "), hash("Test CA"));
        assert_ne!(hash("TestCA"), hash("Test CA"));
    }

    #[test]
    fn a_truststore_in_javas_own_format() {
        let certificate = certificate("Test CA");
        let store = jks(&[("ca".to_owned(), certificate.clone())], "changeit", NOW).unwrap();
        assert_eq!(store.len(), 12 + 4 + 4 + 8 + 7 + 4 + certificate.len() + 20);
        assert_eq!(store[..16], *b"\xfe\xed\xfe\xed\0\0\0\x02\0\0\0\x01\0\0\0\x02");
        for made in [jks(&[], "short", NOW), pkcs12(&[], "short")] {
            assert_eq!(made, Err(NoTruststore::ShortPassword));
        }
        assert!(jks(&[("ä".to_owned(), certificate)], "changeit", NOW).is_err());
    }
}
