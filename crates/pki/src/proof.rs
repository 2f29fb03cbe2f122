//! The certificate by which tls-alpn-01 proves a name (RFC 8737 §3). It is good for nothing else.

use rcgen::string::Ia5String;
use rcgen::{CertificateParams, CustomExtension, DistinguishedName, KeyPair, SanType};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::authority::IssueFailed;

/// SHA-256 of a key authorization.
const DIGEST_BYTES: usize = 32;

/// A self-signed certificate and its key.
#[derive(Debug)]
pub struct Proof {
    pub chain: Vec<CertificateDer<'static>>,
    pub key: PrivateKeyDer<'static>,
}

/// For one name, with the digest in the critical extension that the CA looks for.
pub fn certificate(name: &str, digest: &[u8]) -> Result<Proof, IssueFailed> {
    let bad = || IssueFailed::BadName { name: name.to_owned() };
    let mut params = CertificateParams::default();
    // RFC 8737 §3: the name alone, as the only alternative name.
    params.subject_alt_names =
        vec![SanType::DnsName(Ia5String::try_from(name).map_err(|_| bad())?)];
    params.distinguished_name = DistinguishedName::new();
    let digest: [u8; DIGEST_BYTES] = digest.try_into().map_err(|_| bad())?;
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(&digest)];
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    Ok(Proof { chain: vec![certificate.der().clone()], key })
}

#[cfg(test)]
mod tests {
    use x509_parser::prelude::{FromDer, X509Certificate};

    use super::*;

    #[test]
    fn it_holds_the_digest_and_one_name() {
        let made = certificate("a.example.com", &[7; 32]).unwrap();
        let der = made.chain[0].clone();
        let (_, parsed) = X509Certificate::from_der(&der).unwrap();
        let acme = parsed
            .extensions()
            .iter()
            .find(|extension| extension.oid.to_id_string() == "1.3.6.1.5.5.7.1.31");
        let acme = acme.unwrap();
        assert!(acme.critical);
        assert_eq!(acme.value, [&[4, 32][..], &[7; 32]].concat());
        let names = crate::Summary::parse(&der).unwrap().names;
        assert_eq!(names, [crate::certificate::AlternativeName::Dns("a.example.com".to_owned())]);
        assert!(certificate("a.example.com", &[7; 31]).is_err());
        assert!(certificate("ä.example.com", &[7; 32]).is_err());
    }
}
