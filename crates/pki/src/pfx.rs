//! PFX files (PKCS #12, RFC 7292): certificates and key in one file under a password, with the old
//! encryption that Windows and Entra write and with the new one of OpenSSL 3.
//!
//! [`outline`] looks at the file before anything is decrypted: whether it is one, how it is
//! encrypted, and that it does not ask for more work than a file may.

mod outline;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use p12_keystore::error::Error as P12Error;
use p12_keystore::{Certificate, EncryptionAlgorithm, KeyStore, KeyStoreEntry, MacAlgorithm};
use p12_keystore::{LocalKeyId, Pkcs12Archive, PrivateKey, PrivateKeyChain};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use zeroize::Zeroizing;

use crate::judge::{Finding, Level, Rule};
use crate::pem::{Credential, PemRefused, public_key_of, summaries};

pub use outline::{ITERATIONS_MAX, Protection};

/// No PFX file comes near this; whatever is larger is the wrong file.
pub const BYTES_MAX: usize = 1024 * 1024;

/// Why a PFX file was not taken. None of the sentences quotes a password or what is inside.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PfxRefused {
    #[error("this is not a PFX file: {found}; {fix}")]
    NotAPfx { found: String, fix: String },
    #[error(
        "this is the path {path:?} where the content of a PFX file was expected; give the file \
         itself{also}"
    )]
    PathInsteadOfContent { path: String, also: &'static str },
    #[error(
        "the password is wrong for this PFX file (or the file was altered after it was written)"
    )]
    WrongPassword,
    #[error("this PFX file needs a password and none was given")]
    PasswordMissing,
    #[error(
        "there is no private key in this PFX file; export it again with its key (Windows: `Yes, \
         export the private key`; OpenSSL: openssl pkcs12 -export -inkey KEY -in CERT)"
    )]
    NoKey,
    #[error("there is no certificate in this PFX file, only a key; export it again with both")]
    NoCertificate,
    #[error("this PFX file is encrypted in a way that is not supported: {what}; {fix}")]
    Unsupported { what: String, fix: &'static str },
    #[error(
        "this PFX file asks for {iterations} rounds of key derivation, more than {max} that a file \
         may ask for"
    )]
    TooCostly { iterations: u64, max: u64 },
    #[error("this PFX file is damaged: {reason}; copy or export it again")]
    Damaged { reason: String },
    #[error("the PFX file's key and certificates: {0}")]
    Content(#[from] PemRefused),
}

/// What a PFX file holds.
#[derive(Debug)]
pub struct Pfx {
    /// The key's own certificate first, then those above it, then the rest.
    pub chain: Vec<CertificateDer<'static>>,
    pub key: Option<PrivateKeyDer<'static>>,
    pub protection: Protection,
}

impl Pfx {
    /// Reads a file's content. Base64 text of one is taken as well: nothing else it could mean.
    pub fn decode(content: &[u8], password: Option<&str>) -> Result<Pfx, PfxRefused> {
        let der = der_of(content)?;
        let protection = outline::look(&der)?;
        let text = password.unwrap_or_default();
        let archive = Pkcs12Archive::from_pkcs12(&der, text)
            .map_err(|error| refusal(&error, &protection, password))?;
        let certificates: Vec<CertificateDer<'static>> = archive
            .certs
            .iter()
            .map(|bag| CertificateDer::from(bag.cert.as_der().to_vec()))
            .collect();
        let keys: Vec<PrivateKeyDer<'static>> = archive
            .keys
            .iter()
            .map(|bag| PrivatePkcs8KeyDer::from(bag.key.as_der().to_vec()).into())
            .collect();
        let (chain, key) = arranged(certificates, keys)?;
        Ok(Pfx { chain, key, protection })
    }

    /// Ready to be served: there must be a key.
    pub fn into_credential(self) -> Result<Credential, PfxRefused> {
        let key = self.key.ok_or(PfxRefused::NoKey)?;
        Ok(Credential::new(self.chain, key)?)
    }
}

impl Credential {
    /// From a PFX file's content and its password.
    pub fn from_pfx(content: &[u8], password: Option<&str>) -> Result<Credential, PfxRefused> {
        Pfx::decode(content, password)?.into_credential()
    }
}

/// How a PFX file is encrypted that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writing {
    /// PBES2 with AES-256, MAC with SHA-256: what everything since about 2018 reads.
    Aes,
    /// 3DES with SHA-1: what Entra Domain Services and older Windows ask for.
    TripleDes,
}

/// A PFX file of a chain and its key.
pub fn encode(
    credential: &Credential,
    password: &str,
    writing: Writing,
) -> Result<Zeroizing<Vec<u8>>, PfxRefused> {
    let certificates = credential.chain.iter().map(|der| Certificate::from_der(der));
    let certs = certificates.collect::<Result<Vec<_>, _>>().map_err(unwritten)?;
    let PrivateKeyDer::Pkcs8(key) = &credential.key else {
        return Err(PfxRefused::Unsupported {
            what: "a key that is not in PKCS #8".to_owned(),
            fix: "convert it first: openssl pkey -in KEY -out NEW",
        });
    };
    let key = PrivateKey::from_der(key.secret_pkcs8_der()).map_err(unwritten)?;
    let local_key_id: LocalKeyId = vec![1].into();
    let mut store = KeyStore::new();
    let entry = KeyStoreEntry::PrivateKeyChain(PrivateKeyChain::new(local_key_id, key, certs));
    store.add_entry("server", entry);
    let writer = store.writer(password);
    let writer = match writing {
        Writing::Aes => writer,
        Writing::TripleDes => writer
            .encryption_algorithm(EncryptionAlgorithm::PbeWithShaAnd3KeyTripleDesCbc)
            .mac_algorithm(MacAlgorithm::HmacSha1)
            .encryption_iterations(2048)
            .mac_iterations(2048),
    };
    Ok(Zeroizing::new(writer.write().map_err(unwritten)?))
}

fn unwritten(error: P12Error) -> PfxRefused {
    PfxRefused::Damaged { reason: error.to_string() }
}

/// The bytes of a PFX file, or a sentence about what these bytes are instead.
fn der_of(content: &[u8]) -> Result<Zeroizing<Vec<u8>>, PfxRefused> {
    if content.len() > BYTES_MAX {
        return Err(not_a_pfx(
            format!("{} bytes are more than one can have", content.len()),
            "give the PFX file itself",
        ));
    }
    if content.first() == Some(&crate::der::tag::SEQUENCE) && !looks_like_text(content) {
        return Ok(Zeroizing::new(content.to_vec()));
    }
    let Some(text) = text_of(content) else {
        return Err(not_a_pfx(
            "it does not begin like one".to_owned(),
            "export it again as .pfx or .p12",
        ));
    };
    of_text(&text)
}

fn of_text(text: &str) -> Result<Zeroizing<Vec<u8>>, PfxRefused> {
    if text.is_empty() {
        return Err(not_a_pfx("it is empty".to_owned(), "export it again as .pfx or .p12"));
    }
    if text.contains("-----BEGIN ") {
        return Err(not_a_pfx(
            "it is PEM text".to_owned(),
            "give it where a PEM file is expected, without a password",
        ));
    }
    // Paths first: a short one may happen to be base64 as well, and decodes to nothing sensible.
    if looks_like_path(text) {
        return Err(PfxRefused::PathInsteadOfContent { path: text.to_owned(), also: "" });
    }
    let joined: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    if let Ok(decoded) = STANDARD.decode(&joined) {
        let decoded = Zeroizing::new(decoded);
        if decoded.first() == Some(&crate::der::tag::SEQUENCE) {
            return Ok(decoded);
        }
        if let Some(path) = text_of(&decoded).filter(|path| looks_like_path(path)) {
            let also = "'s content in base64, not its name in base64";
            return Err(PfxRefused::PathInsteadOfContent { path, also });
        }
    }
    Err(not_a_pfx("it is text".to_owned(), "export it again as .pfx or .p12"))
}

fn not_a_pfx(found: String, fix: &str) -> PfxRefused {
    PfxRefused::NotAPfx { found, fix: fix.to_owned() }
}

/// Text in UTF-8, or in the UTF-16 of PowerShell.
fn text_of(content: &[u8]) -> Option<String> {
    if let Some(wide) = content.strip_prefix(&[0xff, 0xfe]) {
        let (pairs, []) = wide.as_chunks::<2>() else { return None };
        let units: Vec<u16> = pairs.iter().map(|pair| u16::from_le_bytes(*pair)).collect();
        return String::from_utf16(&units).ok().map(|text| text.trim().to_owned());
    }
    let content = content.strip_prefix(&[0xef, 0xbb, 0xbf]).unwrap_or(content);
    let text = std::str::from_utf8(content).ok()?.trim();
    let is_plain = |c: char| !c.is_control() || c.is_ascii_whitespace();
    text.chars().all(is_plain).then(|| text.to_owned())
}

/// A PFX begins with the byte of the digit 0, and so does much text.
fn looks_like_text(content: &[u8]) -> bool {
    text_of(content).is_some()
}

/// Longer names of files exist; none that somebody puts here by mistake.
const PATH_CHARS_MAX: usize = 1024;

fn looks_like_path(text: &str) -> bool {
    if text.lines().count() != 1 || text.chars().count() > PATH_CHARS_MAX {
        return false;
    }
    let lower = text.to_lowercase();
    let has_ending = [".pfx", ".p12", ".pem", ".cer", ".crt", ".pkcs12"]
        .iter()
        .any(|ending| lower.ends_with(ending));
    let drive = matches!(text.as_bytes(), [letter, b':', b'\\' | b'/', ..]
        if letter.is_ascii_alphabetic());
    let begins = ["./", "../", "~/", "\\\\", ".\\"].iter().any(|begin| text.starts_with(begin));
    // An absolute path has a second part; base64 that begins with a slash has no such short parts.
    let absolute = text.starts_with('/') && text.len() < 256 && !text.ends_with('=');
    has_ending || drive || begins || absolute
}

/// What the library's errors mean, once the outline of the file was found in order.
fn refusal(error: &P12Error, protection: &Protection, password: Option<&str>) -> PfxRefused {
    let wrong = match password {
        None => PfxRefused::PasswordMissing,
        Some(_) => PfxRefused::WrongPassword,
    };
    match error {
        P12Error::MacError(_) => wrong,
        P12Error::UnsupportedEncryptionScheme | P12Error::UnsupportedMacAlgorithm => {
            PfxRefused::Unsupported {
                what: protection.to_string(),
                fix: "write it anew: openssl pkcs12 -legacy -in OLD -out TEXT, then openssl \
                      pkcs12 -export -in TEXT -out NEW",
            }
        }
        // Without a MAC a wrong password shows only by what comes out of decryption.
        _ if protection.mac.is_none() && protection.is_encrypted() => wrong,
        other => PfxRefused::Damaged { reason: plain(other) },
    }
}

/// The library's words, without any that could show bytes of the content.
fn plain(error: &P12Error) -> String {
    match error {
        P12Error::X509Error(_) => "a certificate in it cannot be read".to_owned(),
        P12Error::InvalidPrivateKey => "the private key in it cannot be read".to_owned(),
        P12Error::DerError(_) => "its inner structure cannot be read".to_owned(),
        other => other.to_string().to_lowercase(),
    }
}

type Arranged = (Vec<CertificateDer<'static>>, Option<PrivateKeyDer<'static>>);

/// The first key that has a certificate here, and the chain from that certificate upwards. Exports
/// hold them in any order, and often the root and certificates of others.
fn arranged(
    mut certificates: Vec<CertificateDer<'static>>,
    keys: Vec<PrivateKeyDer<'static>>,
) -> Result<Arranged, PfxRefused> {
    if certificates.is_empty() {
        return Err(PfxRefused::NoCertificate);
    }
    let summaries = summaries(&certificates)?;
    if keys.is_empty() {
        return Ok((certificates, None));
    }
    let mut chosen = None;
    for key in keys {
        let public = public_key_of(&key)?;
        let own = summaries.iter().position(|one| one.public_key == public);
        match (own, &chosen) {
            (Some(at), None) => chosen = Some((at, key)),
            // A CA's key beside a server's is not what is served.
            (Some(at), Some((before, _)))
                if is_ca(&summaries, *before) && !is_ca(&summaries, at) =>
            {
                chosen = Some((at, key));
            }
            _ => {}
        }
    }
    let Some((own, key)) = chosen else {
        let subject = summaries.first().map(|one| one.subject.clone()).unwrap_or_default();
        return Err(PemRefused::KeyMismatch { subject }.into());
    };
    let order = upwards(&summaries, own);
    let mut chain: Vec<CertificateDer<'static>> =
        order.iter().filter_map(|&at| certificates.get(at).cloned()).collect();
    let mut at = 0;
    certificates.retain(|_| {
        at += 1;
        !order.contains(&(at - 1))
    });
    chain.extend(certificates);
    Ok((chain, Some(key)))
}

fn is_ca(summaries: &[crate::Summary], at: usize) -> bool {
    summaries.get(at).is_some_and(|one| one.is_ca)
}

/// From one certificate to its issuer's as long as that is here.
fn upwards(summaries: &[crate::Summary], own: usize) -> Vec<usize> {
    let mut order = vec![own];
    let mut last = own;
    while let Some(issuer) = summaries.get(last).map(|one| one.issuer.as_str()) {
        let next = summaries.iter().position(|one| one.subject == issuer);
        match next {
            Some(at) if !order.contains(&at) => {
                order.push(at);
                last = at;
            }
            _ => break,
        }
    }
    order
}

/// What is to be said of the encryption: which services take the file as it is.
#[must_use]
pub fn finding(pfx: &Pfx) -> Finding {
    let subject = pfx.chain.first().and_then(|leaf| crate::Summary::parse(leaf).ok());
    let fix = match (pfx.protection.is_triple_des(), pfx.protection.is_aes_256()) {
        (true, _) => {
            "nothing to do here; Entra Domain Services and Google's Managed AD take it; OpenSSL 3 \
             reads it only with -legacy"
        }
        (_, true) => {
            "nothing to do here; Google's Managed AD takes it; for Entra Domain Services write it \
             with 3DES: chancery cert convert --encryption 3des"
        }
        _ => {
            "nothing to do here; before it is uploaded to Entra Domain Services or Google's \
             Managed AD write it anew: chancery cert convert"
        }
    };
    Finding {
        rule: Rule::PfxEncryption,
        level: Level::Note,
        certificate: 0,
        subject: subject.map(|one| one.subject).unwrap_or_default(),
        found: pfx.protection.to_string(),
        expected: "3DES with SHA-1 for Entra Domain Services; that or PBES2 with AES-256 and \
                   SHA-256 for Google's Managed AD; any of them here"
            .to_owned(),
        fix: fix.to_owned(),
    }
}

#[cfg(test)]
mod tests;
