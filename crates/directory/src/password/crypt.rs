//! `{CRYPT}`: SHA-crypt (`$5$`, `$6$`) and bcrypt (`$2a$`, `$2b$`, `$2y$`) as crypt(5) writes them.

use sha_crypt::{Params, sha256_crypt, sha512_crypt};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::limits::{MAX_BCRYPT_COST, MAX_CRYPT_ROUNDS};
use super::stored::Unusable;

const MAX_SALT: usize = 16;
const BCRYPT_LENGTH: usize = 60;

#[derive(Debug)]
pub(super) enum CryptHash<'a> {
    Sha(ShaHash<'a>),
    Bcrypt(&'a str),
}

/// `$5$` or `$6$`. The salt may hold any characters but `$`, which is why it is taken apart here
/// and not by the crate, whose parser knows base64 characters only.
#[derive(Debug)]
pub(super) struct ShaHash<'a> {
    sha512: bool,
    params: Params,
    salt: &'a str,
    hash: &'a str,
}

impl<'a> CryptHash<'a> {
    pub(super) fn parse(text: &'a [u8]) -> Result<CryptHash<'a>, Unusable> {
        let text = std::str::from_utf8(text).map_err(|_| Unusable::Malformed)?;
        let (kind, rest) = text
            .strip_prefix('$')
            .and_then(|text| text.split_once('$'))
            .ok_or(Unusable::UnsupportedCrypt)?;
        match kind {
            "5" => ShaHash::parse(false, rest).map(CryptHash::Sha),
            "6" => ShaHash::parse(true, rest).map(CryptHash::Sha),
            "2a" | "2b" | "2y" => check_bcrypt(text, rest).map(|()| CryptHash::Bcrypt(text)),
            // DES, MD5-crypt and yescrypt among them.
            _ => Err(Unusable::UnsupportedCrypt),
        }
    }

    pub(super) fn matches(&self, password: &[u8]) -> bool {
        match self {
            CryptHash::Sha(hash) => hash.matches(password),
            CryptHash::Bcrypt(text) => bcrypt::verify(password, text).unwrap_or(false),
        }
    }
}

impl<'a> ShaHash<'a> {
    /// `[rounds=N$]salt$hash`
    fn parse(sha512: bool, text: &'a str) -> Result<ShaHash<'a>, Unusable> {
        let (params, rest) = match text.strip_prefix("rounds=") {
            Some(rest) => {
                let (number, rest) = rest.split_once('$').ok_or(Unusable::Malformed)?;
                (rounds(number)?, rest)
            }
            None => (Params::default(), text),
        };
        let (salt, hash) = rest.split_once('$').ok_or(Unusable::Malformed)?;
        let length = if sha512 { 86 } else { 43 };
        if salt.len() > MAX_SALT || hash.len() != length {
            return Err(Unusable::Malformed);
        }
        Ok(ShaHash { sha512, params, salt, hash })
    }

    fn matches(&self, password: &[u8]) -> bool {
        let salt = self.salt.as_bytes();
        let computed = match self.sha512 {
            true => encode512(&Zeroizing::new(sha512_crypt(password, salt, self.params))),
            false => encode256(&Zeroizing::new(sha256_crypt(password, salt, self.params))),
        };
        computed.ct_eq(self.hash.as_bytes()).into()
    }
}

fn rounds(number: &str) -> Result<Params, Unusable> {
    match number.parse::<u32>().map_err(|_| Unusable::Malformed)? {
        rounds if rounds > MAX_CRYPT_ROUNDS => Err(Unusable::TooCostly),
        rounds => Params::new(rounds).map_err(|_| Unusable::Malformed),
    }
}

/// The order in which the specification of SHA-crypt takes the digest's bytes: three at a time,
/// a third of the digest apart, in turns; then what is left over.
fn encode512(digest: &[u8; 64]) -> Zeroizing<Vec<u8>> {
    let mut text = Zeroizing::new(Vec::with_capacity(86));
    let (mut a, mut b, mut c) = (0, 21, 42);
    for _ in 0..21 {
        push(&mut text, [a, b, c].map(|at| byte(digest, at)), 4);
        (a, b, c) = (b + 1, c + 1, a + 1);
    }
    push(&mut text, [0, 0, byte(digest, 63)], 2);
    text
}

fn encode256(digest: &[u8; 32]) -> Zeroizing<Vec<u8>> {
    let mut text = Zeroizing::new(Vec::with_capacity(43));
    let (mut a, mut b, mut c) = (0, 10, 20);
    for _ in 0..10 {
        push(&mut text, [a, b, c].map(|at| byte(digest, at)), 4);
        (a, b, c) = (c + 1, a + 1, b + 1);
    }
    push(&mut text, [0, byte(digest, 31), byte(digest, 30)], 3);
    text
}

fn byte(digest: &[u8], at: usize) -> u8 {
    digest.get(at).copied().unwrap_or_default()
}

/// crypt(3)'s base64: its own alphabet, low bits first.
fn push(text: &mut Vec<u8>, [high, middle, low]: [u8; 3], characters: usize) {
    const ALPHABET: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut bits = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
    for _ in 0..characters {
        text.push(byte(ALPHABET, bits & 63));
        bits >>= 6;
    }
}

/// `NN$` and then salt and hash in one.
fn check_bcrypt(text: &str, rest: &str) -> Result<(), Unusable> {
    let (cost, _) = rest.split_once('$').ok_or(Unusable::Malformed)?;
    if text.len() != BCRYPT_LENGTH || !text.is_ascii() {
        return Err(Unusable::Malformed);
    }
    match cost.parse::<u32>().map_err(|_| Unusable::Malformed)? {
        4..=MAX_BCRYPT_COST => Ok(()),
        cost if cost > MAX_BCRYPT_COST => Err(Unusable::TooCostly),
        _ => Err(Unusable::Malformed),
    }
}
