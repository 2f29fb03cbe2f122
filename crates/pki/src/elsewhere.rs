//! What a certificate says is to be had elsewhere: its issuer's certificate and the lists of what
//! was revoked; and the forms in which such files come.

use rustls::pki_types::CertificateDer;
use x509_parser::extensions::{DistributionPointName, GeneralName, ParsedExtension};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::certificate::NotACertificate;
use crate::der::{self, tag};

/// `1.2.840.113549.1.7.2`, signed data (RFC 5652 §5), which certificates come in.
const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
/// `[0]`, constructed.
const FIRST: u8 = 0xa0;

/// Where files are, as the certificate writes it: `http://`, `ldap:///` and others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Elsewhere {
    /// The issuer's certificate (RFC 5280 §4.2.2.1).
    pub issuers: Vec<String>,
    /// Lists of what was revoked (§4.2.1.13).
    pub revocation_lists: Vec<String>,
    /// Whom to ask about one certificate (RFC 6960).
    pub responders: Vec<String>,
}

impl Elsewhere {
    pub fn of(certificate: &[u8]) -> Result<Elsewhere, NotACertificate> {
        let (_, parsed) = X509Certificate::from_der(certificate).map_err(NotACertificate::new)?;
        Ok(Elsewhere::in_certificate(&parsed))
    }

    pub(crate) fn in_certificate(certificate: &X509Certificate<'_>) -> Elsewhere {
        const CA_ISSUERS: &str = "1.3.6.1.5.5.7.48.2";
        const OCSP: &str = "1.3.6.1.5.5.7.48.1";
        let mut found = Elsewhere::default();
        for extension in certificate.iter_extensions() {
            match extension.parsed_extension() {
                ParsedExtension::AuthorityInfoAccess(access) => {
                    for one in &access.accessdescs {
                        let list = match one.access_method.to_id_string().as_str() {
                            CA_ISSUERS => &mut found.issuers,
                            OCSP => &mut found.responders,
                            _ => continue,
                        };
                        list.extend(url(&one.access_location));
                    }
                }
                ParsedExtension::CRLDistributionPoints(points) => {
                    let names = points.iter().filter_map(|point| point.distribution_point.as_ref());
                    let full = names.filter_map(|name| match name {
                        DistributionPointName::FullName(names) => Some(names),
                        DistributionPointName::NameRelativeToCRLIssuer(_) => None,
                    });
                    found.revocation_lists.extend(full.flatten().filter_map(url));
                }
                _ => {}
            }
        }
        found
    }
}

fn url(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::URI(url) => Some((*url).to_owned()),
        _ => None,
    }
}

/// The certificates of a file as servers offer it: DER, PEM, or PKCS #7 (`.p7c`).
pub fn certificates(bytes: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    if let Ok(found) = crate::pem::certificates(bytes) {
        return Ok(found);
    }
    if X509Certificate::from_der(bytes).is_ok() {
        return Ok(vec![CertificateDer::from(bytes.to_vec())]);
    }
    let found = bundled(bytes).unwrap_or_default();
    match found.is_empty() {
        true => Err("no certificate in DER, PEM or PKCS #7".to_owned()),
        false => Ok(found),
    }
}

/// ContentInfo, SignedData, its field `[0] certificates`.
fn bundled(bytes: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    let inside = |bytes| match der::read(bytes) {
        Ok((one, _)) if one.tag == tag::SEQUENCE => der::all(one.content).ok(),
        _ => None,
    };
    let info = inside(bytes)?;
    let [kind, content] = info.as_slice() else { return None };
    if kind.content != SIGNED_DATA || content.tag != FIRST {
        return None;
    }
    let signed = inside(content.content)?;
    let certificates = signed.iter().find(|one| one.tag == FIRST)?;
    let all = der::all(certificates.content).ok()?;
    let read = all.iter().filter(|one| X509Certificate::from_der(one.whole).is_ok());
    Some(read.map(|one| CertificateDer::from(one.whole.to_vec())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bundles_in_all_forms() {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec!["dc1.corp.example".to_owned()]).unwrap();
        let der = params.self_signed(&key).unwrap().der().to_vec();
        let expected = [CertificateDer::from(der.clone())];
        assert_eq!(certificates(&der).unwrap(), expected);
        assert_eq!(certificates(crate::pem::certificate_text(&der).as_bytes()).unwrap(), expected);
        let signed = [
            der::write(tag::INTEGER, &[1]),
            der::write(tag::SET, &[]),
            der::write(tag::SEQUENCE, &[]),
            der::write(FIRST, &der),
        ];
        let signed = der::write(FIRST, &der::write(tag::SEQUENCE, &signed.concat()));
        let info = [der::write(tag::OID, SIGNED_DATA), signed].concat();
        assert_eq!(certificates(&der::write(tag::SEQUENCE, &info)).unwrap(), expected);
        for bad in [&b""[..], b"<html>", &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]] {
            assert!(certificates(bad).is_err());
        }
        assert_eq!(Elsewhere::of(&der).unwrap(), Elsewhere::default());
    }
}
