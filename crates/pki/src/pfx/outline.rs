//! A PFX file from outside: whether it is one, how it is encrypted and how much work it asks for,
//! before a password is tried.

use std::fmt;

use super::PfxRefused;
use crate::der::{self, Fault, Tlv, tag};

/// Rounds of key derivation that a file may ask for. Windows writes 2000, OpenSSL 2048.
pub const ITERATIONS_MAX: u64 = 1_000_000;

/// Memory that scrypt may ask for.
const SCRYPT_BYTES_MAX: u64 = 128 << 20;

const DATA: &[u64] = &[1, 2, 840, 113549, 1, 7, 1];
const ENCRYPTED_DATA: &[u64] = &[1, 2, 840, 113549, 1, 7, 6];
const SIGNED_DATA: &[u64] = &[1, 2, 840, 113549, 1, 7, 2];
const SHROUDED_KEY: &[u64] = &[1, 2, 840, 113549, 1, 12, 10, 1, 2];
const PBES2: &[u64] = &[1, 2, 840, 113549, 1, 5, 13];
const PBKDF2: &[u64] = &[1, 2, 840, 113549, 1, 5, 12];
const SCRYPT: &[u64] = &[1, 3, 6, 1, 4, 1, 11591, 4, 11];
const TRIPLE_DES_SHA1: &str = "3DES with SHA-1";
const AES_256: &str = "AES-256-CBC";

const SCHEMES: &[(&[u64], &str)] = &[
    (&[1, 2, 840, 113549, 1, 12, 1, 1], "RC4-128 with SHA-1"),
    (&[1, 2, 840, 113549, 1, 12, 1, 2], "RC4-40 with SHA-1"),
    (&[1, 2, 840, 113549, 1, 12, 1, 3], TRIPLE_DES_SHA1),
    (&[1, 2, 840, 113549, 1, 12, 1, 4], "3DES with two keys and SHA-1"),
    (&[1, 2, 840, 113549, 1, 12, 1, 5], "RC2-128 with SHA-1"),
    (&[1, 2, 840, 113549, 1, 12, 1, 6], "RC2-40 with SHA-1"),
];

const CIPHERS: &[(&[u64], &str)] = &[
    (&[2, 16, 840, 1, 101, 3, 4, 1, 2], "AES-128-CBC"),
    (&[2, 16, 840, 1, 101, 3, 4, 1, 22], "AES-192-CBC"),
    (&[2, 16, 840, 1, 101, 3, 4, 1, 42], AES_256),
    (&[1, 2, 840, 113549, 3, 7], "3DES-CBC"),
    (&[1, 3, 14, 3, 2, 7], "DES-CBC"),
];

const HASHES: &[(&[u64], &str)] = &[
    (&[1, 2, 840, 113549, 2, 7], "SHA-1"),
    (&[1, 2, 840, 113549, 2, 9], "SHA-256"),
    (&[1, 2, 840, 113549, 2, 10], "SHA-384"),
    (&[1, 2, 840, 113549, 2, 11], "SHA-512"),
    (&[1, 3, 14, 3, 2, 26], "SHA-1"),
    (&[2, 16, 840, 1, 101, 3, 4, 2, 1], "SHA-256"),
    (&[2, 16, 840, 1, 101, 3, 4, 2, 2], "SHA-384"),
    (&[2, 16, 840, 1, 101, 3, 4, 2, 3], "SHA-512"),
    (&[1, 2, 840, 113549, 1, 5, 14], "PBMAC1"),
];

/// How a PFX file is protected, in the words people use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Protection {
    /// The encryption of the certificates; none where they stand in the clear.
    pub certificates: Option<String>,
    /// The encryption of the key, as far as it shows without the password.
    pub key: Option<String>,
    /// The hash of the MAC over the whole; none where there is none.
    pub mac: Option<String>,
}

impl Protection {
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.certificates.is_some() || self.key.is_some()
    }

    /// All of it as Entra Domain Services asks for.
    #[must_use]
    pub fn is_triple_des(&self) -> bool {
        let is_it =
            |scheme: &Option<String>| scheme.as_deref().is_none_or(|s| s == TRIPLE_DES_SHA1);
        self.is_encrypted() && is_it(&self.certificates) && is_it(&self.key)
    }

    #[must_use]
    pub fn is_aes_256(&self) -> bool {
        let is_it = |scheme: &Option<String>| {
            scheme.as_deref().is_none_or(|s| s.contains(AES_256) && s.contains("SHA-256"))
        };
        self.is_encrypted() && is_it(&self.certificates) && is_it(&self.key)
    }
}

impl fmt::Display for Protection {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = |scheme: &Option<String>| scheme.clone().unwrap_or_else(|| "none".to_owned());
        let (certificates, key) = (words(&self.certificates), words(&self.key));
        match certificates == key {
            true => write!(out, "encryption {key}")?,
            false => write!(out, "encryption {key} for the key, {certificates} for the rest")?,
        }
        write!(out, ", MAC {}", words(&self.mac))
    }
}

/// The file's protection; refuses what is no PFX, what is cut off, and what costs too much.
pub(super) fn look(content: &[u8]) -> Result<Protection, PfxRefused> {
    let (outer, after) = der::read(content).map_err(|fault| broken(fault, content))?;
    let parts = der::all(outer.content).map_err(|fault| broken(fault, content))?;
    let (safe, mac) = match parts.as_slice() {
        [version, safe, rest @ ..] if is_version(version) && safe.tag == tag::SEQUENCE => {
            (safe, rest.first())
        }
        _ => return Err(not_one(outer)),
    };
    if !after.is_empty() {
        return Err(damaged("bytes follow the end"));
    }
    let mut protection = Protection::default();
    if let Some(mac) = mac {
        protection.mac = Some(mac_of(mac)?);
    }
    for content in contents(safe)? {
        part(&content, &mut protection)?;
    }
    Ok(protection)
}

fn is_version(one: &Tlv<'_>) -> bool {
    one.tag == tag::INTEGER && one.content == [3]
}

/// Bytes that begin like DER and then do not go on.
fn broken(fault: Fault, content: &[u8]) -> PfxRefused {
    // SEQUENCE of 2^16 at most, then the INTEGER 3: nothing else begins like that.
    let begins = content.windows(3).take(6).any(|three| three == [tag::INTEGER, 1, 3]);
    match fault {
        Fault::Short if begins => damaged("it is cut off"),
        Fault::NotDer if begins => PfxRefused::Unsupported {
            what: "it is written in BER with open lengths, as old programs do".to_owned(),
            fix: "write it anew: openssl pkcs12 -in OLD -out TEXT, then openssl pkcs12 -export \
                  -in TEXT -out NEW",
        },
        _ => PfxRefused::NotAPfx {
            found: "it does not begin like one".to_owned(),
            fix: "export it again as .pfx or .p12".to_owned(),
        },
    }
}

/// Good DER, and something else: people give what they have.
fn not_one(outer: Tlv<'_>) -> PfxRefused {
    let inner = der::all(outer.content).unwrap_or_default();
    let is_signed_data = inner.first().is_some_and(|one| is_oid(one, SIGNED_DATA));
    let (found, fix) = match crate::Summary::parse(outer.whole) {
        Ok(_) => (
            "it is a certificate in DER, without a key",
            "export the certificate together with its private key",
        ),
        _ if is_signed_data => (
            "it is a list of certificates (PKCS #7), without a key",
            "export the certificate together with its private key",
        ),
        _ if inner.first().is_some_and(|one| one.tag == tag::INTEGER) => {
            ("it is a private key in DER, or something like one", "give a .pfx or .p12 file")
        }
        _ => ("it is something else in DER", "export it again as .pfx or .p12"),
    };
    PfxRefused::NotAPfx { found: found.to_owned(), fix: fix.to_owned() }
}

fn damaged(reason: &str) -> PfxRefused {
    PfxRefused::Damaged { reason: reason.to_owned() }
}

fn inner<'d>(one: &Tlv<'d>, what: &str) -> Result<Vec<Tlv<'d>>, PfxRefused> {
    der::all(one.content).map_err(|_| damaged(&format!("{what} cannot be read")))
}

/// The parts of the authenticated safe.
fn contents<'d>(safe: &Tlv<'d>) -> Result<Vec<Tlv<'d>>, PfxRefused> {
    let parts = inner(safe, "the outer structure")?;
    if parts.first().is_some_and(|kind| is_oid(kind, SIGNED_DATA)) {
        return Err(PfxRefused::Unsupported {
            what: "it is protected by a signature instead of a password".to_owned(),
            fix: "export it again under a password",
        });
    }
    let Some(octets) = parts.get(1).and_then(octets_within) else {
        return Err(damaged("the outer structure cannot be read"));
    };
    let (list, _) = der::read(octets).map_err(|_| damaged("its list of parts cannot be read"))?;
    inner(&list, "its list of parts")
}

/// What an explicit tag around an octet string holds.
fn octets_within<'d>(one: &Tlv<'d>) -> Option<&'d [u8]> {
    let (octets, _) = der::read(one.content).ok()?;
    (octets.tag == tag::OCTET_STRING).then_some(octets.content)
}

/// One part: in the clear, where keys are encrypted one by one, or encrypted as a whole.
fn part(content: &Tlv<'_>, protection: &mut Protection) -> Result<(), PfxRefused> {
    let parts = inner(content, "one of its parts")?;
    let Some(kind) = parts.first() else {
        return Err(damaged("one of its parts is empty"));
    };
    if is_oid(kind, ENCRYPTED_DATA) {
        let scheme = encrypted_scheme(parts.get(1)).ok_or_else(|| damaged("a part is unclear"))?;
        protection.certificates = Some(scheme_name(&scheme)?);
    } else if is_oid(kind, DATA) {
        let octets = parts.get(1).and_then(octets_within).unwrap_or_default();
        let Ok((bags, _)) = der::read(octets) else { return Ok(()) };
        for bag in inner(&bags, "one of its parts")? {
            key_bag(&bag, protection)?;
        }
    }
    Ok(())
}

/// `[0] SEQUENCE { version, SEQUENCE { type, algorithm, content } }`: the algorithm.
fn encrypted_scheme<'d>(one: Option<&Tlv<'d>>) -> Option<Tlv<'d>> {
    let (data, _) = der::read(one?.content).ok()?;
    let fields = der::all(data.content).ok()?;
    let information = der::all(fields.get(1)?.content).ok()?;
    information.get(1).copied()
}

fn key_bag(bag: &Tlv<'_>, protection: &mut Protection) -> Result<(), PfxRefused> {
    let parts = inner(bag, "one of its bags")?;
    let is_shrouded = parts.first().is_some_and(|kind| is_oid(kind, SHROUDED_KEY));
    if !is_shrouded {
        return Ok(());
    }
    let scheme = parts.get(1).and_then(|value| {
        let (information, _) = der::read(value.content).ok()?;
        der::all(information.content).ok()?.first().copied()
    });
    let scheme = scheme.ok_or_else(|| damaged("the key's encryption is unclear"))?;
    protection.key = Some(scheme_name(&scheme)?);
    Ok(())
}

/// The name of an encryption, after its rounds were found to be no attack.
fn scheme_name(algorithm: &Tlv<'_>) -> Result<String, PfxRefused> {
    let parts = der::all(algorithm.content).map_err(|_| damaged("an encryption is unclear"))?;
    let Some(kind) = parts.first() else { return Err(damaged("an encryption is unclear")) };
    let parameters = parts.get(1).map(|one| der::all(one.content).unwrap_or_default());
    let parameters = parameters.unwrap_or_default();
    if is_oid(kind, PBES2) {
        return pbes2_name(&parameters);
    }
    if let Some(rounds) = parameters.get(1) {
        check_rounds(rounds)?;
    }
    Ok(named(kind, SCHEMES))
}

fn pbes2_name(parameters: &[Tlv<'_>]) -> Result<String, PfxRefused> {
    let inside = |at: usize| {
        let one = parameters.get(at).map(|one| der::all(one.content).unwrap_or_default());
        one.unwrap_or_default()
    };
    let (derivation, cipher) = (inside(0), inside(1));
    let cipher = cipher.first().map(|kind| named(kind, CIPHERS)).unwrap_or_default();
    let settings = derivation.get(1).map(|one| der::all(one.content).unwrap_or_default());
    let settings = settings.unwrap_or_default();
    let Some(kind) = derivation.first() else { return Err(damaged("PBES2 without settings")) };
    if is_oid(kind, PBKDF2) {
        if let Some(rounds) = settings.get(1) {
            check_rounds(rounds)?;
        }
        // RFC 8018 appendix A.2: SHA-1 where nothing is said.
        let hash = settings.iter().skip(2).find(|one| one.tag == tag::SEQUENCE);
        let hash = hash.and_then(|one| der::all(one.content).ok()?.first().copied());
        let hash = hash.map_or("SHA-1".to_owned(), |kind| named(&kind, HASHES));
        return Ok(format!("PBES2 with {cipher} and {hash}"));
    }
    if is_oid(kind, SCRYPT) {
        let number = |at: usize| settings.get(at).and_then(|one| der::unsigned(one.content));
        let cost = number(1).zip(number(2)).and_then(|(n, r)| n.checked_mul(r)?.checked_mul(128));
        if cost.is_none_or(|bytes| bytes > SCRYPT_BYTES_MAX) {
            let iterations = number(1).unwrap_or(u64::MAX);
            return Err(PfxRefused::TooCostly { iterations, max: ITERATIONS_MAX });
        }
        return Ok(format!("PBES2 with {cipher} and scrypt"));
    }
    Ok(format!("PBES2 with {cipher} and {}", named(kind, &[])))
}

/// `MacData ::= SEQUENCE { DigestInfo, salt, iterations DEFAULT 1 }`.
fn mac_of(mac: &Tlv<'_>) -> Result<String, PfxRefused> {
    let parts = der::all(mac.content).map_err(|_| damaged("its MAC cannot be read"))?;
    if let Some(rounds) = parts.get(2) {
        check_rounds(rounds)?;
    }
    let algorithm = parts.first().and_then(|info| der::all(info.content).ok()?.first().copied());
    let kind = algorithm.and_then(|one| der::all(one.content).ok()?.first().copied());
    let kind = kind.ok_or_else(|| damaged("its MAC cannot be read"))?;
    Ok(named(&kind, HASHES))
}

fn check_rounds(rounds: &Tlv<'_>) -> Result<(), PfxRefused> {
    match der::unsigned(rounds.content) {
        Some(count) if (1..=ITERATIONS_MAX).contains(&count) => Ok(()),
        Some(0) => Err(damaged("it asks for no rounds of key derivation")),
        other => Err(PfxRefused::TooCostly {
            iterations: other.unwrap_or(u64::MAX),
            max: ITERATIONS_MAX,
        }),
    }
}

fn is_oid(one: &Tlv<'_>, dotted: &[u64]) -> bool {
    one.tag == tag::OID && one.content == der::oid(dotted)
}

fn named(kind: &Tlv<'_>, table: &[(&[u64], &str)]) -> String {
    let known = table.iter().find(|(dotted, _)| is_oid(kind, dotted));
    known.map_or_else(
        || format!("an algorithm without a name here ({})", crate::name::hex(kind.content)),
        |(_, name)| (*name).to_owned(),
    )
}
