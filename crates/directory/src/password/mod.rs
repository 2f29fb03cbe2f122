//! Passwords: what `userPassword` holds, checking one, making a new hash.
//!
//! `docs/design/passwords.md` says which stored forms are understood and what each may cost.
//! In reading order: [`hasher`] (the door: check, hash, rehash), [`stored`] (one stored value,
//! parsed), then one module per family: [`digest`], [`crypt`], [`pbkdf2`], [`argon2`]; [`verified`]
//! spares a slow one that was paid for a moment ago.
//!
//! Everything here blocks and takes tens of milliseconds. [`Hasher::check`] always belongs on a
//! bounded pool, never on the thread that serves connections; [`is_slow`] is for callers that only
//! compare against one value.

mod argon2;
mod base64;
mod crypt;
mod digest;
mod generated;
mod hasher;
mod limits;
mod pbkdf2;
mod stored;
mod verified;

#[cfg(test)]
mod tests;

pub use generated::{GENERATED_LENGTH, generate};
pub use hasher::{Accepted, CostRefused, HashFailed, Hasher, SALT_LENGTH};
pub use limits::{
    MAX_ARGON2_MEMORY_KIB, MAX_ARGON2_PARALLELISM, MAX_ARGON2_WORK_KIB, MAX_BCRYPT_COST,
    MAX_CRYPT_ROUNDS, MAX_PASSWORD, MAX_PBKDF2_ROUNDS, MAX_STORED, MAX_VALUES,
};
pub use stored::{Stored, Unusable};
pub(crate) use verified::{Tag, Verified};

/// Does the password belong to this stored value? A value that cannot be used never matches.
#[must_use]
pub fn verify(stored: &[u8], password: &[u8]) -> bool {
    is_acceptable(password) && Stored::parse(stored).is_ok_and(|stored| stored.matches(password))
}

/// Is checking this value work for the pool, rather than a few microseconds?
#[must_use]
pub fn is_slow(stored: &[u8]) -> bool {
    Stored::parse(stored).is_ok_and(|stored| stored.is_slow())
}

/// Does the value name a scheme, so that it is stored as it came instead of being hashed?
#[must_use]
pub fn is_hash(value: &[u8]) -> bool {
    stored::split_scheme(value)
        .is_some_and(|(name, _)| !name.eq_ignore_ascii_case(stored::CLEARTEXT.as_bytes()))
}

/// The password in a value that is no hash: what follows `{CLEARTEXT}`, or all of it.
#[must_use]
pub fn cleartext(value: &[u8]) -> &[u8] {
    stored::split_scheme(value).filter(|_| !is_hash(value)).map_or(value, |(_, rest)| rest)
}

/// Why a stored value can never match, for the log and for import reports.
pub fn usable(stored: &[u8]) -> Result<(), Unusable> {
    Stored::parse(stored).map(drop)
}

/// An empty password proves nothing (RFC 4513 §5.1.2), and the cost of some schemes grows with the
/// length of what the client sent: both are answered before any work, whatever is stored.
pub(crate) fn is_acceptable(password: &[u8]) -> bool {
    !password.is_empty() && password.len() <= MAX_PASSWORD
}
