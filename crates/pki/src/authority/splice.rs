//! A certificate signed anew with the names it should have, byte for byte.

use rcgen::{KeyPair, SigningKey};
use rustls::pki_types::CertificateDer;

use super::IssueFailed;
use crate::der::{self, Tlv, tag};

/// `der` is a certificate that `key` signed; issuer and subject are replaced.
pub(super) fn with_names(
    der: &[u8],
    issuer: &[u8],
    subject: &[u8],
    key: &KeyPair,
) -> Result<CertificateDer<'static>, IssueFailed> {
    let outer = parts(der)?;
    let [tbs, algorithm, _] = outer.as_slice() else { return Err(unexpected()) };
    let fields = parts(tbs.whole)?;
    // RFC 5280 §4.1: version, serial, algorithm, issuer, validity, subject, key, extensions.
    let mut out = Vec::new();
    for (at, field) in fields.iter().enumerate() {
        out.extend_from_slice(match at {
            3 => issuer,
            5 => subject,
            _ => field.whole,
        });
    }
    let tbs = der::write(tag::SEQUENCE, &out);
    let signature = [&[0], &*key.sign(&tbs)?].concat();
    let signature = der::write(tag::BIT_STRING, &signature);
    let whole = [&tbs, algorithm.whole, &signature].concat();
    Ok(CertificateDer::from(der::write(tag::SEQUENCE, &whole)))
}

fn parts(der: &[u8]) -> Result<Vec<Tlv<'_>>, IssueFailed> {
    let (outer, _) = der::read(der).map_err(|_| unexpected())?;
    der::all(outer.content).map_err(|_| unexpected())
}

fn unexpected() -> IssueFailed {
    IssueFailed::OwnCertificate("it was made in an unexpected form".to_owned())
}
