//! The in-house CA of the first start: one root that signs the server's certificate, and client
//! certificates where SASL EXTERNAL is wanted. ECDSA on P-256 throughout, as every client reads it.

use std::net::IpAddr;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, DnValue,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
    SanType, SerialNumber, string::Ia5String,
};
use time::{Duration, OffsetDateTime};
use zeroize::Zeroizing;

use crate::certificate::Summary;
use crate::pem::{Credential, PemRefused};

/// Ten years.
pub const CA_LIFETIME: Duration = Duration::days(3650);
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

/// A certificate signed by the CA, with its key. The root is not part of the chain.
pub struct Issued {
    pub chain_pem: String,
    pub key_pem: Zeroizing<String>,
}

/// Why no certificate was made.
#[derive(Debug, thiserror::Error)]
pub enum IssueFailed {
    #[error("{name:?} is neither a DNS name nor an IP address")]
    BadName { name: String },
    #[error("a server certificate needs at least one name")]
    NoNames,
    #[error(
        "{kind:?} is not a subject attribute that can be issued; use CN, OU, O, L, ST, C, UID or DC"
    )]
    BadAttribute { kind: String },
    #[error("the subject names {kind} twice, which cannot be issued here")]
    Repeated { kind: String },
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
}

impl InHouseCa {
    /// A new root with the common name given. May sign end-entity certificates only.
    pub fn create(
        name: &str,
        now: OffsetDateTime,
        lifetime: Duration,
        serial: Serial,
    ) -> Result<CaMaterial, IssueFailed> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let subject = distinguished_name(&[("CN", &cut(name))])?;
        let mut params = params(subject, now, now.saturating_add(lifetime), serial);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key)?;
        Ok(CaMaterial { cert_pem: certificate.pem(), key_pem: key.serialize_pem().into() })
    }

    /// Reads a CA back; refuses files that do not belong together or are not a CA's.
    pub fn open(material: &CaMaterial) -> Result<InHouseCa, IssueFailed> {
        let (cert, key) = (&material.cert_pem, &material.key_pem);
        let summary = Credential::from_pem(cert.as_bytes(), key.as_bytes())?.leaf;
        if !summary.is_ca {
            return Err(IssueFailed::NotACa { subject: summary.subject });
        }
        let issuer = Issuer::from_ca_cert_pem(cert, KeyPair::from_pem(key)?)?;
        Ok(InHouseCa { issuer, summary })
    }

    #[must_use]
    pub fn summary(&self) -> &Summary {
        &self.summary
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
        let subject = distinguished_name(&[("CN", common_name(first))])?;
        let mut params = self.leaf(subject, now, lifetime, serial)?;
        params.subject_alt_names =
            names.iter().map(|name| alternative_name(name.as_ref())).collect::<Result<_, _>>()?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(&params)
    }

    /// A client certificate. The subject is written leaf first, as a DN is:
    /// `[("CN", "alice"), ("O", "Example")]`.
    pub fn issue_client(
        &self,
        subject: &[(&str, &str)],
        now: OffsetDateTime,
        lifetime: Duration,
        serial: Serial,
    ) -> Result<Issued, IssueFailed> {
        let mut params = self.leaf(distinguished_name(subject)?, now, lifetime, serial)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(&params)
    }

    /// No certificate outlives the CA that vouches for it.
    fn leaf(
        &self,
        subject: DistinguishedName,
        now: OffsetDateTime,
        lifetime: Duration,
        serial: Serial,
    ) -> Result<CertificateParams, IssueFailed> {
        if !self.summary.is_valid_at(now) {
            return Err(IssueFailed::CaNotValid {
                subject: self.summary.subject.clone(),
                from: self.summary.not_before,
                until: self.summary.not_after,
            });
        }
        let until = now.saturating_add(lifetime).min(self.summary.not_after);
        let mut params = params(subject, now, until, serial);
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        Ok(params)
    }

    fn sign(&self, params: &CertificateParams) -> Result<Issued, IssueFailed> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(Issued { chain_pem: certificate.pem(), key_pem: key.serialize_pem().into() })
    }
}

fn params(
    subject: DistinguishedName,
    now: OffsetDateTime,
    until: OffsetDateTime,
    serial: Serial,
) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = subject;
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

/// A certificate holds its subject root first, a DN is written leaf first.
fn distinguished_name(leaf_first: &[(&str, &str)]) -> Result<DistinguishedName, IssueFailed> {
    let mut name = DistinguishedName::new();
    for &(kind, value) in leaf_first.iter().rev() {
        let attribute = attribute(kind)?;
        if name.get(&attribute).is_some() {
            return Err(IssueFailed::Repeated { kind: kind.to_owned() });
        }
        // RFC 4519 §2.4: domain components are IA5 strings.
        let value = match kind.eq_ignore_ascii_case("DC") {
            true => DnValue::Ia5String(Ia5String::try_from(value)?),
            false => DnValue::Utf8String(value.to_owned()),
        };
        name.push(attribute, value);
    }
    Ok(name)
}

fn attribute(kind: &str) -> Result<DnType, IssueFailed> {
    match kind.to_ascii_uppercase().as_str() {
        "CN" => Ok(DnType::CommonName),
        "OU" => Ok(DnType::OrganizationalUnitName),
        "O" => Ok(DnType::OrganizationName),
        "L" => Ok(DnType::LocalityName),
        "ST" => Ok(DnType::StateOrProvinceName),
        "C" => Ok(DnType::CountryName),
        "UID" => Ok(DnType::CustomDnType(vec![0, 9, 2342, 19200300, 100, 1, 1])),
        "DC" => Ok(DnType::CustomDnType(vec![0, 9, 2342, 19200300, 100, 1, 25])),
        _ => Err(IssueFailed::BadAttribute { kind: kind.to_owned() }),
    }
}

fn alternative_name(name: &str) -> Result<SanType, IssueFailed> {
    if let Ok(address) = name.parse::<IpAddr>() {
        return Ok(SanType::IpAddress(address));
    }
    let bad = || IssueFailed::BadName { name: name.to_owned() };
    rustls::pki_types::DnsName::try_from(name).map_err(|_| bad())?;
    Ok(SanType::DnsName(Ia5String::try_from(name).map_err(|_| bad())?))
}

#[cfg(test)]
mod tests;
