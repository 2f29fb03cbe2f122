//! Certificates as CAs publish them at the address that a certificate names: DER, PEM, or several
//! in PKCS #7; and who issued whom.

use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::certificate::Summary;
use crate::der::{self, Tlv, tag};
use crate::elsewhere::Elsewhere;
use crate::pem;

/// More than these in one file are no chain.
pub const CERTIFICATES_MAX: usize = 32;
const ADDRESSES_MAX: usize = 8;

/// Why a file is no collection of certificates.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no certificate in DER, PEM or PKCS #7: {0}")]
pub struct NotACollection(String);

/// The certificates of a file, in its order.
pub fn parse(content: &[u8]) -> Result<Vec<CertificateDer<'static>>, NotACollection> {
    let found = match content.first() {
        Some(&tag::SEQUENCE) if Summary::parse(content).is_ok() => {
            vec![CertificateDer::from(content.to_vec())]
        }
        Some(&tag::SEQUENCE) => signed_data(content)
            .ok_or_else(|| NotACollection("it begins like DER and is neither".to_owned()))?,
        _ => pem_blocks(content)?,
    };
    match found.len() {
        0 => Err(NotACollection("there is none in it".to_owned())),
        1..=CERTIFICATES_MAX => Ok(found),
        many => Err(NotACollection(format!("{many} of them, more than {CERTIFICATES_MAX}"))),
    }
}

fn pem_blocks(content: &[u8]) -> Result<Vec<CertificateDer<'static>>, NotACollection> {
    // PKCS #7 in PEM has a kind of its own, which the reader of certificates passes over.
    if let Some(inner) = pkcs7_block(content) {
        return signed_data(&inner)
            .ok_or_else(|| NotACollection("its PKCS #7 block is damaged".to_owned()));
    }
    pem::certificates(content).map_err(|error| NotACollection(error.to_string()))
}

fn pkcs7_block(content: &[u8]) -> Option<Vec<u8>> {
    use base64::Engine;
    let text = std::str::from_utf8(content).ok()?;
    let (_, rest) = text.split_once("-----BEGIN PKCS7-----")?;
    let (inner, _) = rest.split_once("-----END PKCS7-----")?;
    let plain: String = inner.chars().filter(|one| !one.is_ascii_whitespace()).collect();
    base64::engine::general_purpose::STANDARD.decode(plain).ok()
}

/// RFC 5652 §5.1: ContentInfo around SignedData, whose certificates stand under `[0]`.
fn signed_data(content: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    const CERTIFICATES: u8 = 0xa0;
    let (info, rest) = der::read(content).ok()?;
    if info.tag != tag::SEQUENCE || !rest.is_empty() {
        return None;
    }
    let parts = der::all(info.content).ok()?;
    let [kind, explicit] = parts.as_slice() else { return None };
    if kind.content != der::oid(&[1, 2, 840, 113549, 1, 7, 2]) || explicit.tag != CERTIFICATES {
        return None;
    }
    let (signed, _) = der::read(explicit.content).ok()?;
    let fields = der::all(signed.content).ok()?;
    let set = fields.iter().find(|field| field.tag == CERTIFICATES)?;
    let certificates = der::all(set.content).ok()?;
    let is_certificate = |one: &&Tlv<'_>| Summary::parse(one.whole).is_ok();
    let found = certificates.iter().filter(is_certificate);
    Some(found.map(|one| CertificateDer::from(one.whole.to_vec())).collect())
}

/// Where the issuer's certificate can be had, as the certificate says (RFC 5280 §4.2.2.1).
pub fn issuer_addresses(certificate: &[u8]) -> Vec<String> {
    let mut found = Elsewhere::of(certificate).unwrap_or_default().issuers;
    found.truncate(ADDRESSES_MAX);
    found
}

/// Whether the one bears the other's name as its issuer's, and the other's key has signed it.
pub fn is_issued_by(certificate: &[u8], issuer: &[u8]) -> bool {
    let read = |der| X509Certificate::from_der(der).map(|(_, parsed)| parsed);
    let (Ok(certificate), Ok(issuer)) = (read(certificate), read(issuer)) else { return false };
    certificate.issuer().as_raw() == issuer.subject().as_raw()
        && certificate.verify_signature(Some(issuer.public_key())).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `openssl crl2pkcs7 -nocrl` writes it.
    fn pkcs7(certificates: &[&[u8]]) -> Vec<u8> {
        let wrap = |tag, parts: &[Vec<u8>]| der::write(tag, &parts.concat());
        let kind = |arcs: &[u64]| der::write(tag::OID, &der::oid(arcs));
        let inner = [
            der::write(tag::INTEGER, &[1]),
            der::write(tag::SET, &[]),
            wrap(tag::SEQUENCE, &[kind(&[1, 2, 840, 113549, 1, 7, 1])]),
            der::write(0xa0, &certificates.concat()),
            der::write(tag::SET, &[]),
        ];
        let signed = wrap(tag::SEQUENCE, &inner);
        let outer = [kind(&[1, 2, 840, 113549, 1, 7, 2]), der::write(0xa0, &signed)];
        wrap(tag::SEQUENCE, &outer)
    }

    #[test]
    fn every_form_gives_the_same_certificate() {
        use base64::Engine;
        let text = include_bytes!("certificate/openssl.pem");
        let own = pem::certificates(text).unwrap().remove(0);
        let several = pkcs7(&[&own, &own]);
        assert_eq!(parse(text).unwrap(), std::slice::from_ref(&own));
        assert_eq!(parse(&own).unwrap(), std::slice::from_ref(&own));
        assert_eq!(parse(&several).unwrap(), [own.clone(), own.clone()]);
        let base64 = base64::engine::general_purpose::STANDARD.encode(&several);
        let armoured = format!("-----BEGIN PKCS7-----\n{base64}\n-----END PKCS7-----\n");
        assert_eq!(parse(armoured.as_bytes()).unwrap().len(), 2);
        let many = vec![own.as_ref(); CERTIFICATES_MAX + 1];
        for wrong in [&b""[..], b"<html>", &pkcs7(&[]), &pkcs7(&many), &own[..own.len() - 1]] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
        for length in 0..several.len() {
            assert!(parse(&several[..length]).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn who_issued_whom() {
        let own = pem::certificates(include_bytes!("certificate/openssl.pem")).unwrap().remove(0);
        assert!(is_issued_by(&own, &own), "it signed itself");
        assert!(!is_issued_by(&own, b"nothing"));
        assert!(issuer_addresses(&own).is_empty());
    }
}
