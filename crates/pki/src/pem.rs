//! PEM text to rustls types, with errors that say what is wrong and what would be right.

use base64::Engine;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::pem::{Error as PemError, PemObject, SectionKind};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};

use crate::certificate::{NotACertificate, Summary};

/// Why PEM text was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PemRefused {
    #[error("no certificate in the PEM text; expected a BEGIN CERTIFICATE block")]
    NoCertificate,
    #[error("no private key in the PEM text; expected a BEGIN PRIVATE KEY block")]
    NoKey,
    #[error(
        "the private key is encrypted; write it without a passphrase \
         (openssl pkey -in KEY -out PLAIN) into a file only its owner can read"
    )]
    EncryptedKey,
    #[error("the key does not match the certificate {subject}")]
    KeyMismatch { subject: String },
    #[error(
        "the key belongs to certificate number {position} of the chain, {subject}; \
         the server's own certificate must come first"
    )]
    WrongOrder { position: usize, subject: String },
    #[error("the private key is of a kind that is not supported: {reason}")]
    UnsupportedKey { reason: String },
    #[error("the PEM text is damaged: {reason}")]
    Damaged { reason: String },
    #[error("certificate number {position} in the PEM text is {source}")]
    Unreadable { position: usize, source: NotACertificate },
}

/// A certificate chain, leaf first, and the private key that belongs to the leaf.
#[derive(Debug)]
pub struct Credential {
    pub chain: Vec<CertificateDer<'static>>,
    pub key: PrivateKeyDer<'static>,
    /// What the leaf says.
    pub leaf: Summary,
}

impl Credential {
    /// Reads both and checks that they belong together.
    pub fn from_pem(chain_pem: &[u8], key_pem: &[u8]) -> Result<Credential, PemRefused> {
        Credential::new(certificates(chain_pem)?, private_key(key_pem)?)
    }

    /// Checks that both belong together.
    pub fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Credential, PemRefused> {
        let summaries = summaries(&chain)?;
        check_match(&summaries, &key)?;
        let leaf = summaries.into_iter().next().ok_or(PemRefused::NoCertificate)?;
        Ok(Credential { chain, key, leaf })
    }
}

/// Every certificate of the text, at least one; other blocks are passed over.
pub fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, PemRefused> {
    let certificates: Vec<CertificateDer<'static>> =
        CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(damaged)?;
    match certificates.as_slice() {
        [] => Err(PemRefused::NoCertificate),
        _ => Ok(certificates),
    }
}

/// The first private key of the text: PKCS #8, PKCS #1 or SEC 1.
pub fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, PemRefused> {
    match PrivateKeyDer::from_pem_slice(pem) {
        Ok(key) => Ok(key),
        Err(PemError::NoItemsFound) if is_encrypted(pem) => Err(PemRefused::EncryptedKey),
        Err(PemError::NoItemsFound) => Err(PemRefused::NoKey),
        // The older encrypted form has headers inside the block, which do not decode.
        Err(_) if is_encrypted(pem) => Err(PemRefused::EncryptedKey),
        Err(error) => Err(damaged(error)),
    }
}

/// Every list of revoked certificates of the text; there may be none.
pub fn revocation_lists(
    pem: &[u8],
) -> Result<Vec<CertificateRevocationListDer<'static>>, PemRefused> {
    CertificateRevocationListDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(damaged)
}

/// What each certificate of a chain says.
pub fn summaries(chain: &[CertificateDer<'_>]) -> Result<Vec<Summary>, PemRefused> {
    let numbered = chain.iter().zip(1..);
    numbered
        .map(|(der, position)| {
            Summary::parse(der).map_err(|source| PemRefused::Unreadable { position, source })
        })
        .collect()
}

/// A certificate as PEM text.
#[must_use]
pub fn certificate_text(der: &[u8]) -> String {
    text("CERTIFICATE", der)
}

/// PEM text with this label (RFC 7468).
#[must_use]
pub fn text(label: &str, der: &[u8]) -> String {
    let encoded = base64::engine::general_purpose::STANDARD.encode(der);
    let mut out = format!("-----BEGIN {label}-----\n");
    for line in encoded.as_bytes().chunks(64) {
        out.push_str(&String::from_utf8_lossy(line));
        out.push('\n');
    }
    out.push_str(&format!("-----END {label}-----\n"));
    out
}

fn is_encrypted(pem: &[u8]) -> bool {
    let text = String::from_utf8_lossy(pem);
    text.contains("BEGIN ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED")
}

fn damaged(error: PemError) -> PemRefused {
    let reason = match error {
        PemError::MissingSectionEnd { end_marker } => {
            format!("the END {} line is missing", String::from_utf8_lossy(&end_marker).trim_end())
        }
        PemError::IllegalSectionStart { .. } => "a BEGIN line is not well formed".to_owned(),
        // The decoder's own words would quote bytes, which may be a key's.
        PemError::Base64Decode(_) => "a block is not base64".to_owned(),
        other => other.to_string(),
    };
    PemRefused::Damaged { reason }
}

/// Compares public keys, so that a mix-up is found now and not by the first client.
fn check_match(chain: &[Summary], key: &PrivateKeyDer<'static>) -> Result<(), PemRefused> {
    let public = public_key_of(key)?;
    let position = chain.iter().position(|one| one.public_key == public);
    match (position.and_then(|at| chain.get(at).map(|one| (at, one))), chain.first()) {
        (Some((0, _)), _) => Ok(()),
        (Some((at, one)), _) => {
            Err(PemRefused::WrongOrder { position: at + 1, subject: one.subject.clone() })
        }
        (None, Some(leaf)) => Err(PemRefused::KeyMismatch { subject: leaf.subject.clone() }),
        (None, None) => Err(PemRefused::NoCertificate),
    }
}

/// The DER of the subject public key info that belongs to a key.
pub fn public_key_of(key: &PrivateKeyDer<'static>) -> Result<Vec<u8>, PemRefused> {
    let signing = any_supported_type(key)
        .map_err(|error| PemRefused::UnsupportedKey { reason: error.to_string() })?;
    let public = signing.public_key().ok_or_else(|| PemRefused::UnsupportedKey {
        reason: "its public key cannot be derived".to_owned(),
    })?;
    Ok(public.as_ref().to_vec())
}

/// Does the text hold a private key? Such a file must be readable by its owner only.
#[must_use]
pub fn holds_key(pem: &[u8]) -> bool {
    let sections = <(SectionKind, Vec<u8>)>::pem_slice_iter(pem);
    is_encrypted(pem)
        || sections.flatten().any(|(kind, _)| {
            matches!(
                kind,
                SectionKind::PrivateKey | SectionKind::RsaPrivateKey | SectionKind::EcPrivateKey
            )
        })
}

#[cfg(test)]
mod tests;
