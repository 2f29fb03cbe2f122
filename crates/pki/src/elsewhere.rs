//! What a certificate says is to be had elsewhere: its issuer's certificate, and the lists of what
//! was revoked.

use x509_parser::extensions::{DistributionPointName, GeneralName, ParsedExtension};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::certificate::NotACertificate;

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
