//! Certificate signing requests (PKCS #10, RFC 2986): what somebody asks to have certified, after
//! its own signature was verified. [`lists`]: what the library that reads them leaves out silently.

mod lists;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateSigningRequestDer};
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::cri_attributes::ParsedCriAttribute;
use x509_parser::extensions::{KeyUsage as ParsedKeyUsage, ParsedExtension};
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

use crate::authority::KeyUsage;
use crate::certificate::{AlternativeName, alternative_name, purpose_names};
use crate::name;

/// No request comes near this.
pub const BYTES_MAX: usize = 64 * 1024;

/// Names in one request.
pub const NAMES_MAX: usize = 100;

/// The attribute that holds the extensions (RFC 2985 §5.4.2), and an older one of Windows.
const EXTENSION_REQUEST: &str = "1.2.840.113549.1.9.14";
const MICROSOFT_EXTENSIONS: &str = "1.3.6.1.4.1.311.2.1.14";

/// Why a request was not taken at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestRefused {
    #[error(
        "this is not a certificate signing request: {found}; make one with: openssl req -new -key \
         KEY -subj / -addext subjectAltName=DNS:HOST"
    )]
    NotARequest { found: &'static str },
    #[error("the signing request is damaged: {reason}")]
    Damaged { reason: String },
    #[error(
        "the request's own signature does not fit its key: whoever made it does not hold that \
         private key, or it was altered on the way"
    )]
    Signature,
    #[error("the request's key is of a kind that is not supported: {kind}; use EC P-256 or RSA")]
    UnsupportedKey { kind: String },
    #[error("the request's key is RSA of {bits} bits; from 2048 to 8192 are taken")]
    RsaBits { bits: usize },
    #[error("the request asks for {count} names, more than {NAMES_MAX}")]
    TooManyNames { count: usize },
    #[error("the request is larger than {BYTES_MAX} bytes")]
    TooLarge,
    #[error(
        "the request asks for extensions in {count} places; put them into one extensionRequest \
         attribute with one value"
    )]
    SeveralLists { count: usize },
    #[error("the request asks for the extension {oid} twice; once is right")]
    Twice { oid: String },
    #[error(
        "the request asks for extensions by Microsoft's attribute {MICROSOFT_EXTENSIONS}, which is \
         not read; put them into the attribute extensionRequest ({EXTENSION_REQUEST})"
    )]
    MicrosoftList,
    #[error("bytes follow the value of the requested extension {oid}; leave them out")]
    Trailing { oid: String },
    #[error(
        "the request asks for the key usage bit {bit}, which no template gives; digitalSignature \
         (0) to cRLSign (6) are known"
    )]
    UnknownUsage { bit: usize },
}

/// The kind of a public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    P256,
    P384,
    P521,
    Ed25519,
    Rsa { bits: usize },
}

impl std::fmt::Display for KeyKind {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            KeyKind::P256 => out.write_str("EC P-256"),
            KeyKind::P384 => out.write_str("EC P-384"),
            KeyKind::P521 => out.write_str("EC P-521"),
            KeyKind::Ed25519 => out.write_str("Ed25519"),
            KeyKind::Rsa { bits } => write!(out, "RSA of {bits} bits"),
        }
    }
}

/// A request whose signature fits its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningRequest {
    /// RFC 4514 text, leaf first; empty where there is none.
    pub subject: String,
    /// The same, byte for byte.
    pub subject_der: Vec<u8>,
    /// The first common name of the subject.
    pub common_name: Option<String>,
    /// The DER of its public key info.
    pub public_key: Vec<u8>,
    pub key: KeyKind,
    pub names: Vec<AlternativeName>,
    pub purposes: Vec<String>,
    pub key_usages: Vec<KeyUsage>,
    pub is_ca: bool,
    /// Extensions that nobody here can judge, by their OID.
    pub others: Vec<String>,
}

impl SigningRequest {
    /// From PEM, DER, or the base64 of DER.
    pub fn decode(content: &[u8]) -> Result<SigningRequest, RequestRefused> {
        if content.len() > BYTES_MAX {
            return Err(RequestRefused::TooLarge);
        }
        let der = der_of(content)?;
        let (rest, parsed) = X509CertificationRequest::from_der(&der).map_err(|_| not_one(&der))?;
        if !rest.is_empty() {
            return Err(RequestRefused::Damaged { reason: "bytes follow it".to_owned() });
        }
        // Before the signature: a key of an unknown kind has none that could be verified.
        let key = key_kind(&parsed.certification_request_info.subject_pki)?;
        parsed.verify_signature().map_err(|_| RequestRefused::Signature)?;
        read(&parsed, key)
    }
}

fn der_of(content: &[u8]) -> Result<Vec<u8>, RequestRefused> {
    let not = |found| RequestRefused::NotARequest { found };
    if content.first() == Some(&crate::der::tag::SEQUENCE) {
        return Ok(content.to_vec());
    }
    let text = std::str::from_utf8(content).map_err(|_| not("it does not begin like one"))?.trim();
    if text.is_empty() {
        return Err(not("it is empty"));
    }
    if text.contains("-----BEGIN ") {
        if let Ok(request) = CertificateSigningRequestDer::from_pem_slice(content) {
            return Ok(request.to_vec());
        }
        return Err(match text {
            _ if text.contains("CERTIFICATE REQUEST-----") => {
                RequestRefused::Damaged { reason: "its PEM text cannot be read".to_owned() }
            }
            _ if CertificateDer::from_pem_slice(content).is_ok() => {
                not("it is a certificate already")
            }
            _ if crate::pem::holds_key(content) => {
                not("it is a private key, which should never leave its owner")
            }
            _ => not("it is PEM text of another kind"),
        });
    }
    let joined: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    STANDARD.decode(joined).map_err(|_| not("it is neither PEM nor base64 nor DER"))
}

fn not_one(der: &[u8]) -> RequestRefused {
    match crate::Summary::parse(der) {
        Ok(_) => RequestRefused::NotARequest { found: "it is a certificate already" },
        Err(_) => RequestRefused::NotARequest { found: "its structure is another" },
    }
}

fn read(
    parsed: &X509CertificationRequest<'_>,
    key: KeyKind,
) -> Result<SigningRequest, RequestRefused> {
    let info = &parsed.certification_request_info;
    let common_name = info.subject.iter_common_name().next();
    let common_name = common_name.and_then(|name| name.as_str().ok()).map(str::to_owned);
    let mut request = SigningRequest {
        subject: name::text(&info.subject),
        subject_der: info.subject.as_raw().to_vec(),
        common_name,
        public_key: info.subject_pki.raw.to_vec(),
        key,
        names: Vec::new(),
        purposes: Vec::new(),
        key_usages: Vec::new(),
        is_ca: false,
        others: Vec::new(),
    };
    lists::check(info.raw)?;
    let mut seen = Vec::new();
    for attribute in info.iter_attributes() {
        if let ParsedCriAttribute::ExtensionRequest(asked) = attribute.parsed_attribute() {
            for extension in &asked.extensions {
                let oid = extension.oid.to_id_string();
                if seen.contains(&oid) {
                    return Err(RequestRefused::Twice { oid });
                }
                lists::check_value(extension, &oid)?;
                take(&mut request, extension.parsed_extension(), &oid)?;
                seen.push(oid);
            }
        }
        // A challenge password, and what Windows adds about itself, asks for nothing.
    }
    match request.names.len() {
        count if count > NAMES_MAX => Err(RequestRefused::TooManyNames { count }),
        _ => Ok(request),
    }
}

fn take(
    request: &mut SigningRequest,
    extension: &ParsedExtension<'_>,
    oid: &str,
) -> Result<(), RequestRefused> {
    match extension {
        ParsedExtension::SubjectAlternativeName(names) => {
            request.names.extend(names.general_names.iter().map(alternative_name));
        }
        ParsedExtension::ExtendedKeyUsage(usage) => request.purposes.extend(purpose_names(usage)),
        ParsedExtension::KeyUsage(usage) => request.key_usages.extend(usages(usage)),
        ParsedExtension::BasicConstraints(constraints) => request.is_ca |= constraints.ca,
        ParsedExtension::ParseError { .. } => {
            let reason = format!("the requested extension {oid} cannot be read");
            return Err(RequestRefused::Damaged { reason });
        }
        _ => request.others.push(oid.to_owned()),
    }
    Ok(())
}

fn usages(usage: &ParsedKeyUsage) -> Vec<KeyUsage> {
    let all = [
        (usage.digital_signature(), KeyUsage::DigitalSignature),
        (usage.non_repudiation(), KeyUsage::ContentCommitment),
        (usage.key_encipherment(), KeyUsage::KeyEncipherment),
        (usage.data_encipherment(), KeyUsage::DataEncipherment),
        (usage.key_agreement(), KeyUsage::KeyAgreement),
        (usage.key_cert_sign(), KeyUsage::KeyCertSign),
        (usage.crl_sign(), KeyUsage::CrlSign),
    ];
    all.into_iter().filter(|(is_set, _)| *is_set).map(|(_, usage)| usage).collect()
}

fn key_kind(key: &SubjectPublicKeyInfo<'_>) -> Result<KeyKind, RequestRefused> {
    let damaged = |reason: &str| RequestRefused::Damaged { reason: reason.to_owned() };
    let oid = key.algorithm.algorithm.to_id_string();
    if oid == "1.3.101.112" {
        return Ok(KeyKind::Ed25519);
    }
    match key.parsed().map_err(|_| damaged("its key cannot be read"))? {
        PublicKey::RSA(rsa) => match significant_bits(rsa.modulus) {
            bits @ 2048..=8192 => Ok(KeyKind::Rsa { bits }),
            bits => Err(RequestRefused::RsaBits { bits }),
        },
        PublicKey::EC(_) => {
            let curve = key.algorithm.parameters.as_ref().and_then(|one| one.as_oid().ok());
            match curve.map(|oid| oid.to_id_string()).as_deref() {
                Some("1.2.840.10045.3.1.7") => Ok(KeyKind::P256),
                Some("1.3.132.0.34") => Ok(KeyKind::P384),
                Some("1.3.132.0.35") => Ok(KeyKind::P521),
                Some(other) => {
                    Err(RequestRefused::UnsupportedKey { kind: format!("the curve {other}") })
                }
                None => Err(RequestRefused::UnsupportedKey { kind: "a nameless curve".to_owned() }),
            }
        }
        _ => Err(RequestRefused::UnsupportedKey { kind: format!("the algorithm {oid}") }),
    }
}

fn significant_bits(number: &[u8]) -> usize {
    let digits: Vec<u8> = number.iter().copied().skip_while(|byte| *byte == 0).collect();
    let leading = digits.first().map_or(0, |first| first.leading_zeros() as usize);
    (digits.len() * 8).saturating_sub(leading)
}

#[cfg(test)]
mod tests;
