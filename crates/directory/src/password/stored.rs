//! One stored value of `userPassword`, parsed: which scheme, and everything needed to check it.

use super::argon2::Argon2Hash;
use super::crypt::CryptHash;
use super::digest::{Algorithm, DigestHash, same_secret};
use super::limits::MAX_STORED;
use super::pbkdf2::{Pbkdf2Hash, Prf};

pub(super) const CLEARTEXT: &str = "CLEARTEXT";

/// Why a stored value never matches any password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    #[error("the password scheme is not known here; set a new password")]
    UnknownScheme,
    #[error(
        "of {{CRYPT}} only $5$, $6$ (SHA-crypt) and $2a$, $2b$, $2y$ (bcrypt) are supported, \
         not DES, MD5-crypt or yescrypt; set a new password"
    )]
    UnsupportedCrypt,
    #[error("the stored password is not well formed for its scheme")]
    Malformed,
    #[error("checking the stored password would cost more than is allowed; set a new password")]
    TooCostly,
}

/// A stored value that can be checked, at a bounded cost.
#[derive(Debug)]
pub struct Stored<'a>(pub(super) Kind<'a>);

pub(super) enum Kind<'a> {
    Cleartext(&'a [u8]),
    Digest(DigestHash),
    Crypt(CryptHash<'a>),
    Pbkdf2(Pbkdf2Hash),
    Argon2(Argon2Hash),
}

impl std::fmt::Debug for Kind<'_> {
    /// Names the family only: neither a clear password nor a hash belongs in a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Kind::Cleartext(_) => CLEARTEXT,
            Kind::Digest(_) => "digest",
            Kind::Crypt(_) => "CRYPT",
            Kind::Pbkdf2(_) => "PBKDF2",
            Kind::Argon2(_) => "ARGON2",
        })
    }
}

/// The `{SCHEME}` in front of a value and the rest (RFC 2307 §5.3); `None` for a plain value.
pub(super) fn split_scheme(value: &[u8]) -> Option<(&[u8], &[u8])> {
    let inner = value.strip_prefix(b"{")?;
    let end = inner.iter().position(|&b| b == b'}').filter(|&end| end > 0)?;
    let (name, rest) = inner.split_at_checked(end)?;
    Some((name, rest.get(1..)?))
}

impl<'a> Stored<'a> {
    pub fn parse(value: &'a [u8]) -> Result<Stored<'a>, Unusable> {
        let Some((name, rest)) = split_scheme(value) else {
            return cleartext(value);
        };
        if rest.len() > MAX_STORED {
            return Err(Unusable::TooCostly);
        }
        let name = name.to_ascii_uppercase();
        match name.as_slice() {
            b"CLEARTEXT" => cleartext(rest),
            // 389 DS names the kind of crypt in the scheme as well.
            b"CRYPT" | b"CRYPT-SHA256" | b"CRYPT-SHA512" | b"BCRYPT" => {
                CryptHash::parse(rest).map(Kind::Crypt).map(Stored)
            }
            b"ARGON2" | b"ARGON2I" | b"ARGON2D" | b"ARGON2ID" => {
                Argon2Hash::parse(rest).map(Kind::Argon2).map(Stored)
            }
            name if name.starts_with(b"PBKDF2") => parse_pbkdf2(name, rest),
            name => parse_digest(name, rest),
        }
    }

    /// Takes the same time for every wrong password of this value.
    #[must_use]
    pub fn matches(&self, password: &[u8]) -> bool {
        match &self.0 {
            Kind::Cleartext(secret) => same_secret(secret, password),
            Kind::Digest(hash) => hash.matches(password),
            Kind::Crypt(hash) => hash.matches(password),
            Kind::Pbkdf2(hash) => hash.matches(password),
            Kind::Argon2(hash) => hash.matches(password),
        }
    }

    #[must_use]
    pub fn is_slow(&self) -> bool {
        !matches!(self.0, Kind::Cleartext(_) | Kind::Digest(_))
    }
}

/// An empty secret would be matched by nothing anyway; saying so keeps it out of comparisons.
fn cleartext(secret: &[u8]) -> Result<Stored<'_>, Unusable> {
    match secret {
        [] => Err(Unusable::Malformed),
        secret => Ok(Stored(Kind::Cleartext(secret))),
    }
}

fn parse_pbkdf2<'a>(name: &[u8], rest: &[u8]) -> Result<Stored<'a>, Unusable> {
    let hash = match name {
        // OpenLDAP's plain name means SHA-1.
        b"PBKDF2" | b"PBKDF2-SHA1" => Pbkdf2Hash::parse(Prf::Sha1, rest),
        b"PBKDF2-SHA256" => Pbkdf2Hash::parse(Prf::Sha256, rest),
        b"PBKDF2-SHA512" => Pbkdf2Hash::parse(Prf::Sha512, rest),
        // With an underscore it is 389 DS's older binary form.
        b"PBKDF2_SHA256" => Pbkdf2Hash::parse_binary(rest),
        _ => Err(Unusable::UnknownScheme),
    };
    hash.map(Kind::Pbkdf2).map(Stored)
}

fn parse_digest<'a>(name: &[u8], rest: &[u8]) -> Result<Stored<'a>, Unusable> {
    let (algorithm, salted) = match name {
        b"MD5" => (Algorithm::Md5, false),
        b"SMD5" => (Algorithm::Md5, true),
        b"SHA" => (Algorithm::Sha1, false),
        b"SSHA" => (Algorithm::Sha1, true),
        b"SHA256" => (Algorithm::Sha256, false),
        b"SSHA256" => (Algorithm::Sha256, true),
        b"SHA384" => (Algorithm::Sha384, false),
        b"SSHA384" => (Algorithm::Sha384, true),
        b"SHA512" => (Algorithm::Sha512, false),
        b"SSHA512" => (Algorithm::Sha512, true),
        _ => return Err(Unusable::UnknownScheme),
    };
    DigestHash::parse(algorithm, salted, rest).map(Kind::Digest).map(Stored)
}
