//! The in-house CA: a root, an issuing CA below it, the certificates they sign, and the list of
//! those that were revoked. ECDSA on P-256 throughout, as every client reads it.

pub mod revocation;
mod splice;

use std::net::IpAddr;

use rcgen::{
    BasicConstraints, CertificateParams, CrlDistributionPoint, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
    PublicKeyData, SanType, SerialNumber, SubjectPublicKeyInfo, string::Ia5String,
};
use rustls::pki_types::CertificateDer;
use time::{Duration, OffsetDateTime};
use x509_parser::prelude::{FromDer, X509Certificate};
use zeroize::Zeroizing;

use crate::certificate::{AlternativeName, Summary};
use crate::name::{self, NamePart};
use crate::pem::{Credential, PemRefused};

pub use revocation::{Reason, Revocations, Revoked, list_of_pem};

/// Ten years.
pub const CA_LIFETIME: Duration = Duration::days(3650);
/// Five years: the root's key may lie in a safe that long.
pub const ISSUING_LIFETIME: Duration = Duration::days(1826);
/// What clients accept of a server at most is 398 days; this leaves room for the slack below.
pub const SERVER_LIFETIME: Duration = Duration::days(397);
/// Certificates start this much earlier, for clients whose clock is behind ours.
const CLOCK_SLACK: Duration = Duration::hours(1);

/// Random bytes for a serial number (RFC 5280 §4.1.2.2).
pub type Serial = [u8; 16];

/// The CA as two files hold it. The key never leaves its owner's machine.
pub struct CaMaterial {
    pub cert_pem: String,
    pub key_pem: Zeroizing<String>,
}

/// A certificate signed by the CA, with its key. The issuing CA is part of the chain, the root not.
pub struct Issued {
    pub chain_pem: String,
    pub key_pem: Zeroizing<String>,
}

/// Why no certificate was made.
#[derive(Debug, thiserror::Error)]
pub enum IssueFailed {
    #[error("{name:?} is neither a DNS name nor an IP address")]
    BadName { name: String },
    #[error(
        "{purpose:?} is no purpose of a certificate; use serverAuth, clientAuth, or an OID such as \
         1.3.6.1.5.5.7.3.17"
    )]
    BadPurpose { purpose: String },
    #[error("a server certificate needs at least one name")]
    NoNames,
    #[error(
        "{kind:?} is not a subject attribute that can be issued; use CN, OU, O, L, ST, C, UID or DC"
    )]
    BadAttribute { kind: String },
    #[error(
        "the CA certificate {subject} may not sign other CAs: its path length is 0; certificates \
         are issued from it directly"
    )]
    PathEnds { subject: String },
    #[error("{serial:?} is no serial number; right is an even number of hexadecimal digits")]
    BadSerial { serial: String },
    #[error("the CA's certificate cannot be read: {0}")]
    OwnCertificate(String),
    #[error("the CA certificate {subject} is not a CA: its basic constraints do not say so")]
    NotACa { subject: String },
    #[error("the CA certificate {subject} is not valid at this time: only from {from} to {until}")]
    CaNotValid { subject: String, from: OffsetDateTime, until: OffsetDateTime },
    #[error("the CA's files cannot be used: {0}")]
    Material(#[from] PemRefused),
    #[error("the certificate could not be made: {0}")]
    Encoding(#[from] rcgen::Error),
}

/// The in-house CA, ready to sign.
pub struct InHouseCa {
    issuer: Issuer<'static, KeyPair>,
    summary: Summary,
    cert_pem: String,
    /// The subject as it stands in the certificate, byte for byte.
    subject_der: Vec<u8>,
    /// How many further CAs may stand between it and a certificate; none: any number.
    path_length: Option<u32>,
    key_identifier: Option<String>,
}

/// What a certificate is to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// The DER of the subject.
    pub subject: Vec<u8>,
    pub names: Vec<AlternativeName>,
    /// By their usual names, or as an OID.
    pub purposes: Vec<String>,
    pub key_usages: Vec<KeyUsage>,
    pub lifetime: Duration,
    /// Where the list of revoked certificates can be had.
    pub crl_urls: Vec<String>,
}

/// RFC 5280 §4.2.1.3, as far as certificates that are no CA's have a use for it.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "camelCase")]
pub enum KeyUsage {
    DigitalSignature,
    ContentCommitment,
    KeyEncipherment,
    DataEncipherment,
    KeyAgreement,
    /// For CAs only; here so that it can be found in a template and refused.
    KeyCertSign,
    #[serde(rename = "cRLSign")]
    CrlSign,
}

impl std::fmt::Display for KeyUsage {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            KeyUsage::DigitalSignature => "digitalSignature",
            KeyUsage::ContentCommitment => "contentCommitment",
            KeyUsage::KeyEncipherment => "keyEncipherment",
            KeyUsage::DataEncipherment => "dataEncipherment",
            KeyUsage::KeyAgreement => "keyAgreement",
            KeyUsage::KeyCertSign => "keyCertSign",
            KeyUsage::CrlSign => "cRLSign",
        })
    }
}

impl KeyUsage {
    fn purpose(self) -> KeyUsagePurpose {
        match self {
            KeyUsage::DigitalSignature => KeyUsagePurpose::DigitalSignature,
            KeyUsage::ContentCommitment => KeyUsagePurpose::ContentCommitment,
            KeyUsage::KeyEncipherment => KeyUsagePurpose::KeyEncipherment,
            KeyUsage::DataEncipherment => KeyUsagePurpose::DataEncipherment,
            KeyUsage::KeyAgreement => KeyUsagePurpose::KeyAgreement,
            KeyUsage::KeyCertSign => KeyUsagePurpose::KeyCertSign,
            KeyUsage::CrlSign => KeyUsagePurpose::CrlSign,
        }
    }
}

impl InHouseCa {
    /// A new root with the common name given. May sign end-entity certificates only.
    pub fn create(
        name: &str,
        now: OffsetDateTime,
        lifetime: Duration,
        serial: Serial,
    ) -> Result<CaMaterial, IssueFailed> {
        InHouseCa::root(name, 0, now, lifetime, serial)
    }

    /// A new root that may sign an issuing CA.
    pub fn create_root(
        name: &str,
        now: OffsetDateTime,
        lifetime: Duration,
        serial: Serial,
    ) -> Result<CaMaterial, IssueFailed> {
        InHouseCa::root(name, 1, now, lifetime, serial)
    }

    fn root(
        name: &str,
        path_length: u8,
        now: OffsetDateTime,
        lifetime: Duration,
        serial: Serial,
    ) -> Result<CaMaterial, IssueFailed> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let params = authority_params(name, path_length, now, now.saturating_add(lifetime), serial);
        let certificate = params.self_signed(&key)?;
        Ok(CaMaterial { cert_pem: certificate.pem(), key_pem: key.serialize_pem().into() })
    }

    /// An issuing CA below this one. Renewed with the key it has, everything it signed stays good,
    /// and so does its list of revoked certificates.
    pub fn issue_authority(
        &self,
        name: &str,
        key_pem: Option<&str>,
        now: OffsetDateTime,
        lifetime: Duration,
        serial: Serial,
    ) -> Result<CaMaterial, IssueFailed> {
        if self.path_length == Some(0) {
            return Err(IssueFailed::PathEnds { subject: self.summary.subject.clone() });
        }
        self.check_valid(now)?;
        let key = match key_pem {
            Some(pem) => KeyPair::from_pem(pem)?,
            None => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?,
        };
        let until = now.saturating_add(lifetime).min(self.summary.not_after);
        let mut params = authority_params(name, 0, now, until, serial);
        params.use_authority_key_identifier_extension = true;
        let subject = name::encode(&[vec![("CN", &cut(name))]]).map_err(bad_attribute)?;
        let der = self.signed(&params, &key, &subject)?;
        Ok(CaMaterial {
            cert_pem: crate::pem::certificate_text(&der),
            key_pem: key.serialize_pem().into(),
        })
    }

    /// Reads a CA back; refuses files that do not belong together or are not a CA's.
    pub fn open(material: &CaMaterial) -> Result<InHouseCa, IssueFailed> {
        let (cert, key) = (&material.cert_pem, &material.key_pem);
        let credential = Credential::from_pem(cert.as_bytes(), key.as_bytes())?;
        let summary = credential.leaf;
        if !summary.is_ca {
            return Err(IssueFailed::NotACa { subject: summary.subject });
        }
        let der = credential.chain.first().ok_or(PemRefused::NoCertificate)?;
        let unreadable =
            |error: &dyn std::fmt::Display| IssueFailed::OwnCertificate(error.to_string());
        let (_, parsed) = X509Certificate::from_der(der).map_err(|error| unreadable(&error))?;
        let constraints = parsed.basic_constraints().map_err(|error| unreadable(&error))?;
        let path_length = constraints.and_then(|one| one.value.path_len_constraint);
        let key_identifier = crate::certificate::subject_key_identifier(&parsed);
        let subject_der = parsed.subject().as_raw().to_vec();
        let issuer = Issuer::from_ca_cert_der(der, KeyPair::from_pem(key)?)?;
        let cert_pem = crate::pem::certificate_text(der);
        Ok(InHouseCa { issuer, summary, cert_pem, subject_der, path_length, key_identifier })
    }

    #[must_use]
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Whether it may sign an issuing CA.
    #[must_use]
    pub fn may_sign_authorities(&self) -> bool {
        self.path_length != Some(0)
    }

    /// Its own certificate, where that has to be sent along: a root is known already.
    fn sent_along(&self) -> &str {
        if self.summary.subject == self.summary.issuer { "" } else { &self.cert_pem }
    }

    /// A server certificate for DNS names and IP addresses; the first is also its common name.
    pub fn issue_server<S: AsRef<str>>(
        &self,
        names: &[S],
        now: OffsetDateTime,
        lifetime: Duration,
        serial: Serial,
    ) -> Result<Issued, IssueFailed> {
        let first = names.first().ok_or(IssueFailed::NoNames)?.as_ref();
        let subject = name::encode(&[vec![("CN", common_name(first))]]).map_err(bad_attribute)?;
        let names = names.iter().map(|name| served_name(name.as_ref())).collect();
        let purposes = vec!["serverAuth".to_owned()];
        self.issue_with_key(&wish(subject, names, purposes, lifetime), now, serial)
    }

    /// A client certificate. The subject is written leaf first, as a DN is:
    /// `[("CN", "alice"), ("O", "Example")]`.
    pub fn issue_client(
        &self,
        subject: &[NamePart<'_>],
        now: OffsetDateTime,
        lifetime: Duration,
        serial: Serial,
    ) -> Result<Issued, IssueFailed> {
        let rdns: Vec<Vec<NamePart<'_>>> = subject.iter().map(|part| vec![*part]).collect();
        let subject = name::encode(&rdns).map_err(bad_attribute)?;
        let purposes = vec!["clientAuth".to_owned()];
        self.issue_with_key(&wish(subject, Vec::new(), purposes, lifetime), now, serial)
    }

    /// A certificate and a new key for it.
    pub fn issue_with_key(
        &self,
        wish: &Wish,
        now: OffsetDateTime,
        serial: Serial,
    ) -> Result<Issued, IssueFailed> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let der = self.certificate(wish, &key, now, serial)?;
        let chain_pem = format!("{}{}", crate::pem::certificate_text(&der), self.sent_along());
        Ok(Issued { chain_pem, key_pem: key.serialize_pem().into() })
    }

    /// A certificate for somebody else's key, given as DER of its public key info: the chain.
    pub fn issue_for(
        &self,
        wish: &Wish,
        public_key: &[u8],
        now: OffsetDateTime,
        serial: Serial,
    ) -> Result<String, IssueFailed> {
        let key = SubjectPublicKeyInfo::from_der(public_key)?;
        let der = self.certificate(wish, &key, now, serial)?;
        Ok(format!("{}{}", crate::pem::certificate_text(&der), self.sent_along()))
    }

    /// No certificate outlives the CA that vouches for it.
    fn certificate(
        &self,
        wish: &Wish,
        key: &impl PublicKeyData,
        now: OffsetDateTime,
        serial: Serial,
    ) -> Result<CertificateDer<'static>, IssueFailed> {
        self.check_valid(now)?;
        let until = now.saturating_add(wish.lifetime).min(self.summary.not_after);
        let mut params = params(now, until, serial);
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = wish.key_usages.iter().map(|usage| usage.purpose()).collect();
        params.extended_key_usages =
            wish.purposes.iter().map(|purpose| extended(purpose)).collect::<Result<_, _>>()?;
        params.subject_alt_names =
            wish.names.iter().map(alternative_name).collect::<Result<_, _>>()?;
        params.use_authority_key_identifier_extension = true;
        if !wish.crl_urls.is_empty() {
            params.crl_distribution_points =
                vec![CrlDistributionPoint { uris: wish.crl_urls.clone() }];
        }
        self.signed(&params, key, &wish.subject)
    }

    fn check_valid(&self, now: OffsetDateTime) -> Result<(), IssueFailed> {
        if self.summary.is_valid_at(now) {
            return Ok(());
        }
        Err(IssueFailed::CaNotValid {
            subject: self.summary.subject.clone(),
            from: self.summary.not_before,
            until: self.summary.not_after,
        })
    }

    /// The library knows each type of a name once only, so names are put in afterwards.
    fn signed(
        &self,
        params: &CertificateParams,
        key: &impl PublicKeyData,
        subject: &[u8],
    ) -> Result<CertificateDer<'static>, IssueFailed> {
        let made = params.signed_by(key, &self.issuer)?;
        splice::with_names(made.der(), &self.subject_der, subject, self.issuer.key())
    }
}

/// The subject of a name's RDNs, leaf first, as a certificate holds it.
pub fn subject_of(leaf_first: &[Vec<NamePart<'_>>]) -> Result<Vec<u8>, IssueFailed> {
    name::encode(leaf_first).map_err(bad_attribute)
}

fn bad_attribute(kind: String) -> IssueFailed {
    IssueFailed::BadAttribute { kind }
}

fn wish(
    subject: Vec<u8>,
    names: Vec<AlternativeName>,
    purposes: Vec<String>,
    lifetime: Duration,
) -> Wish {
    let key_usages = vec![KeyUsage::DigitalSignature];
    Wish { subject, names, purposes, key_usages, lifetime, crl_urls: Vec::new() }
}

fn authority_params(
    name: &str,
    path_length: u8,
    now: OffsetDateTime,
    until: OffsetDateTime,
    serial: Serial,
) -> CertificateParams {
    let mut params = params(now, until, serial);
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, cut(name));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(path_length));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn params(now: OffsetDateTime, until: OffsetDateTime, serial: Serial) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.not_before = now.saturating_sub(CLOCK_SLACK);
    params.not_after = until;
    params.serial_number = Some(positive(serial));
    params
}

/// A serial is a positive number of fixed length: the sign bit off, the next one on.
fn positive(mut serial: Serial) -> SerialNumber {
    let [first, ..] = &mut serial;
    *first = (*first & 0x7f) | 0x40;
    SerialNumber::from_slice(&serial)
}

/// A common name holds this many characters at most (RFC 5280 appendix A.1).
const MAX_COMMON_NAME: usize = 64;

/// A longer host name is left out: clients read the alternative names, and half a name misleads.
fn common_name(name: &str) -> &str {
    if name.chars().count() <= MAX_COMMON_NAME { name } else { "server" }
}

fn cut(name: &str) -> String {
    name.chars().take(MAX_COMMON_NAME).collect()
}

fn extended(purpose: &str) -> Result<ExtendedKeyUsagePurpose, IssueFailed> {
    Ok(match purpose {
        "any" => ExtendedKeyUsagePurpose::Any,
        "serverAuth" => ExtendedKeyUsagePurpose::ServerAuth,
        "clientAuth" => ExtendedKeyUsagePurpose::ClientAuth,
        "codeSigning" => ExtendedKeyUsagePurpose::CodeSigning,
        "emailProtection" => ExtendedKeyUsagePurpose::EmailProtection,
        "timeStamping" => ExtendedKeyUsagePurpose::TimeStamping,
        "OCSPSigning" => ExtendedKeyUsagePurpose::OcspSigning,
        oid => {
            let arcs: Option<Vec<u64>> = oid.split('.').map(|arc| arc.parse().ok()).collect();
            match arcs.filter(|arcs| arcs.len() > 2) {
                Some(arcs) => ExtendedKeyUsagePurpose::Other(arcs),
                None => return Err(IssueFailed::BadPurpose { purpose: oid.to_owned() }),
            }
        }
    })
}

/// A name or an address, as a certificate holds it.
#[must_use]
pub fn served_name(name: &str) -> AlternativeName {
    match name.parse::<IpAddr>() {
        Ok(address) => AlternativeName::Ip(address),
        Err(_) => AlternativeName::Dns(name.to_owned()),
    }
}

/// The subject of a server's certificate: its first name, as a common name.
pub fn server_subject(first: &str) -> Result<Vec<u8>, IssueFailed> {
    subject_of(&[vec![("CN", common_name(first))]])
}

fn alternative_name(name: &AlternativeName) -> Result<SanType, IssueFailed> {
    let bad = || IssueFailed::BadName { name: name.to_string() };
    Ok(match name {
        AlternativeName::Ip(address) => SanType::IpAddress(*address),
        AlternativeName::Dns(dns) => {
            let host = dns.strip_prefix("*.").unwrap_or(dns);
            rustls::pki_types::DnsName::try_from(host).map_err(|_| bad())?;
            SanType::DnsName(Ia5String::try_from(dns.as_str()).map_err(|_| bad())?)
        }
        AlternativeName::Email(mail) => {
            SanType::Rfc822Name(Ia5String::try_from(mail.as_str()).map_err(|_| bad())?)
        }
        AlternativeName::UserPrincipal(_) | AlternativeName::Other(_) => return Err(bad()),
    })
}

#[cfg(test)]
mod tests;
