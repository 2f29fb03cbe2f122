//! `{CRYPT}`: SHA-crypt (`$5$`, `$6$`) and bcrypt (`$2a$`, `$2b$`, `$2y$`) as crypt(5) writes them.

use sha_crypt::{PasswordVerifier, ShaCrypt};

use super::limits::{MAX_BCRYPT_COST, MAX_CRYPT_ROUNDS};
use super::stored::Unusable;

const MIN_CRYPT_ROUNDS: u32 = 1000;
const MAX_SALT: usize = 16;
const BCRYPT_LENGTH: usize = 60;

#[derive(Debug)]
pub(super) enum CryptHash<'a> {
    Sha(&'a str),
    Bcrypt(&'a str),
}

impl<'a> CryptHash<'a> {
    pub(super) fn parse(text: &'a [u8]) -> Result<CryptHash<'a>, Unusable> {
        let text = std::str::from_utf8(text).map_err(|_| Unusable::Malformed)?;
        let (kind, rest) = text
            .strip_prefix('$')
            .and_then(|text| text.split_once('$'))
            .ok_or(Unusable::UnsupportedCrypt)?;
        match kind {
            "5" => check_sha(rest, 43).map(|()| CryptHash::Sha(text)),
            "6" => check_sha(rest, 86).map(|()| CryptHash::Sha(text)),
            "2a" | "2b" | "2y" => check_bcrypt(text, rest).map(|()| CryptHash::Bcrypt(text)),
            // DES, MD5-crypt and yescrypt among them.
            _ => Err(Unusable::UnsupportedCrypt),
        }
    }

    pub(super) fn matches(&self, password: &[u8]) -> bool {
        match self {
            CryptHash::Sha(text) => ShaCrypt::default().verify_password(password, *text).is_ok(),
            CryptHash::Bcrypt(text) => bcrypt::verify(password, text).unwrap_or(false),
        }
    }
}

/// `[rounds=N$]salt$hash`
fn check_sha(rest: &str, hash_length: usize) -> Result<(), Unusable> {
    let salt_and_hash = match rest.strip_prefix("rounds=") {
        Some(rest) => {
            let (rounds, rest) = rest.split_once('$').ok_or(Unusable::Malformed)?;
            check_rounds(rounds)?;
            rest
        }
        None => rest,
    };
    let (salt, hash) = salt_and_hash.split_once('$').ok_or(Unusable::Malformed)?;
    if salt.len() > MAX_SALT || hash.len() != hash_length {
        return Err(Unusable::Malformed);
    }
    Ok(())
}

fn check_rounds(rounds: &str) -> Result<(), Unusable> {
    match rounds.parse::<u32>().map_err(|_| Unusable::Malformed)? {
        MIN_CRYPT_ROUNDS..=MAX_CRYPT_ROUNDS => Ok(()),
        rounds if rounds > MAX_CRYPT_ROUNDS => Err(Unusable::TooCostly),
        _ => Err(Unusable::Malformed),
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
