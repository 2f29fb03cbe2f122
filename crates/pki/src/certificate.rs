//! What one certificate says, as plain values.

use std::fmt;
use std::net::IpAddr;

use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use x509_parser::extensions::{ExtendedKeyUsage, GeneralName, ParsedExtension};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::name;

/// A certificate's contents, owned and printable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// RFC 4514 text, leaf first.
    pub subject: String,
    pub issuer: String,
    /// Lower-case hexadecimal without separators.
    pub serial: String,
    /// SHA-256 over the whole certificate, lower-case hexadecimal.
    pub thumbprint: String,
    pub not_before: OffsetDateTime,
    pub not_after: OffsetDateTime,
    /// The subject alternative names a server is checked against, in the certificate's order.
    pub names: Vec<AlternativeName>,
    pub is_ca: bool,
    /// Purposes by their usual names (`serverAuth`, `clientAuth`, …) or OID; empty means any.
    pub purposes: Vec<String>,
    /// The DER of the subject public key info: what a private key must match.
    pub public_key: Vec<u8>,
}

/// One subject alternative name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AlternativeName {
    Dns(String),
    Ip(IpAddr),
    Email(String),
    /// Active Directory's name for a person (`anna@corp.example`).
    UserPrincipal(String),
    /// Anything else, described.
    Other(String),
}

/// The bytes are not an X.509 certificate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an X.509 certificate: {reason}")]
pub struct NotACertificate {
    reason: String,
}

impl Summary {
    pub fn parse(der: &[u8]) -> Result<Summary, NotACertificate> {
        let (rest, parsed) = X509Certificate::from_der(der).map_err(refused)?;
        if !rest.is_empty() {
            return Err(refused("bytes follow the certificate"));
        }
        let validity = parsed.validity();
        Ok(Summary {
            subject: name::text(parsed.subject()),
            issuer: name::text(parsed.issuer()),
            serial: name::hex(parsed.raw_serial()),
            thumbprint: name::hex(&Sha256::digest(der)),
            not_before: validity.not_before.to_datetime(),
            not_after: validity.not_after.to_datetime(),
            names: alternative_names(&parsed)?,
            is_ca: parsed.is_ca(),
            purposes: purposes(&parsed)?,
            public_key: parsed.public_key().raw.to_vec(),
        })
    }

    #[must_use]
    pub fn is_valid_at(&self, now: OffsetDateTime) -> bool {
        self.not_before <= now && now <= self.not_after
    }

    /// May be shown by a server: no list of purposes, or one that says so (RFC 5280 §4.2.1.12).
    #[must_use]
    pub fn serves(&self) -> bool {
        self.purposes.is_empty()
            || self.purposes.iter().any(|purpose| purpose == "serverAuth" || purpose == "any")
    }
}

/// Lower-case hexadecimal.
pub(crate) fn subject_key_identifier(certificate: &X509Certificate<'_>) -> Option<String> {
    certificate.iter_extensions().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectKeyIdentifier(identifier) => Some(name::hex(identifier.0)),
        _ => None,
    })
}

impl NotACertificate {
    pub(crate) fn new(reason: impl fmt::Display) -> NotACertificate {
        NotACertificate { reason: reason.to_string() }
    }
}

fn refused(reason: impl fmt::Display) -> NotACertificate {
    NotACertificate::new(reason)
}

fn alternative_names(
    certificate: &X509Certificate<'_>,
) -> Result<Vec<AlternativeName>, NotACertificate> {
    let extension = certificate.subject_alternative_name().map_err(refused)?;
    Ok(extension
        .map(|extension| extension.value.general_names.iter().map(alternative_name).collect())
        .unwrap_or_default())
}

pub(crate) fn alternative_name(name: &GeneralName<'_>) -> AlternativeName {
    match name {
        GeneralName::DNSName(dns) => AlternativeName::Dns((*dns).to_owned()),
        GeneralName::RFC822Name(email) => AlternativeName::Email((*email).to_owned()),
        GeneralName::IPAddress(bytes) => address(bytes).map_or_else(
            || AlternativeName::Other(format!("address:{}", name::hex(bytes))),
            AlternativeName::Ip,
        ),
        GeneralName::DirectoryName(directory) => {
            AlternativeName::Other(format!("directoryName:{}", name::text(directory)))
        }
        GeneralName::OtherName(oid, value) if oid.to_id_string() == USER_PRINCIPAL_NAME => {
            match user_principal(value) {
                Some(name) => AlternativeName::UserPrincipal(name),
                None => AlternativeName::Other(format!("userPrincipalName:{}", name::hex(value))),
            }
        }
        other => AlternativeName::Other(other.to_string()),
    }
}

const USER_PRINCIPAL_NAME: &str = "1.3.6.1.4.1.311.20.2.3";

/// A UTF8String inside an explicit context tag.
fn user_principal(value: &[u8]) -> Option<String> {
    let [0xa0, _, 0x0c, length, text @ ..] = value else { return None };
    let text = text.get(..usize::from(*length)).filter(|whole| whole.len() == text.len())?;
    String::from_utf8(text.to_vec()).ok()
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    <[u8; 4]>::try_from(bytes)
        .map(IpAddr::from)
        .or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from))
        .ok()
}

fn purposes(certificate: &X509Certificate<'_>) -> Result<Vec<String>, NotACertificate> {
    let extension = certificate.extended_key_usage().map_err(refused)?;
    Ok(extension.map(|extension| purpose_names(extension.value)).unwrap_or_default())
}

pub(crate) fn purpose_names(usage: &ExtendedKeyUsage<'_>) -> Vec<String> {
    let known = [
        (usage.any, "any"),
        (usage.server_auth, "serverAuth"),
        (usage.client_auth, "clientAuth"),
        (usage.code_signing, "codeSigning"),
        (usage.email_protection, "emailProtection"),
        (usage.time_stamping, "timeStamping"),
        (usage.ocsp_signing, "OCSPSigning"),
    ];
    let known = known.iter().filter(|(set, _)| *set).map(|(_, name)| (*name).to_owned());
    known.chain(usage.other.iter().map(|oid| oid.to_id_string())).collect()
}

impl fmt::Display for AlternativeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AlternativeName::Dns(name)
            | AlternativeName::Email(name)
            | AlternativeName::UserPrincipal(name) => f.write_str(name),
            AlternativeName::Ip(address) => address.fmt(f),
            AlternativeName::Other(text) => f.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests;
