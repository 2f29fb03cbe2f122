//! The door to passwords: check one against an entry's values, hash a new one, notice an old hash.

use super::argon2::{self, Cost};
use super::limits::MAX_VALUES;
use super::stored::{Kind, Stored};
use super::{is_acceptable, verify};

pub const SALT_LENGTH: usize = 16;

const SCHEME: &str = "{ARGON2}";

/// Makes hashes of one cost, Argon2id. The defaults are OWASP's first choice for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hasher {
    cost: Cost,
}

/// The configured cost is outside what Argon2 or the named maxima allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "an Argon2 cost of {memory_kib} KiB, {iterations} iterations, {parallelism} lanes is refused: \
     memory must be at least 8 KiB per lane and at most {max_memory} KiB, with at most {max_lanes} \
     lanes and at most {max_work} KiB of memory times iterations",
    max_memory = super::MAX_ARGON2_MEMORY_KIB,
    max_lanes = super::MAX_ARGON2_PARALLELISM,
    max_work = super::MAX_ARGON2_WORK_KIB
)]
pub struct CostRefused {
    memory_kib: u32,
    iterations: u32,
    parallelism: u32,
}

/// A new password could not be hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HashFailed {
    #[error("an empty password cannot be set")]
    Empty,
    #[error("the password is longer than {max} bytes", max = super::MAX_PASSWORD)]
    TooLong,
    #[error("there was no memory for hashing the password")]
    NoMemory,
}

/// Which value matched, and whether it should be replaced by a fresh hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    pub index: usize,
    pub needs_rehash: bool,
}

impl Default for Hasher {
    fn default() -> Hasher {
        Hasher { cost: Cost { memory_kib: 19456, iterations: 2, parallelism: 1 } }
    }
}

impl Hasher {
    pub fn new(memory_kib: u32, iterations: u32, parallelism: u32) -> Result<Hasher, CostRefused> {
        Cost { memory_kib, iterations, parallelism }
            .bounded()
            .map(|cost| Hasher { cost })
            .map_err(|_| CostRefused { memory_kib, iterations, parallelism })
    }

    /// The value to store: `{ARGON2}$argon2id$v=19$…`. The salt is the caller's randomness.
    pub fn hash(&self, password: &[u8], salt: &[u8; SALT_LENGTH]) -> Result<Vec<u8>, HashFailed> {
        match password {
            [] => Err(HashFailed::Empty),
            password if !is_acceptable(password) => Err(HashFailed::TooLong),
            password => argon2::hash(self.cost, password, salt)
                .map(|phc| format!("{SCHEME}{phc}").into_bytes())
                .ok_or(HashFailed::NoMemory),
        }
    }

    /// Checks a password against all of an entry's values; the whole of a simple bind's check.
    ///
    /// A "no" always includes one Argon2 of our cost: so an unknown name (no values), a wrong
    /// password and a wrong password against a fast old hash cannot be told apart by speed.
    #[must_use]
    pub fn check<V: AsRef<[u8]>>(&self, stored: &[V], password: &[u8]) -> Option<Accepted> {
        let mut paid = false;
        for (index, value) in stored.iter().take(MAX_VALUES).enumerate() {
            let value = value.as_ref();
            if verify(value, password) {
                return Some(Accepted { index, needs_rehash: self.needs_rehash(value) });
            }
            paid |= !self.needs_rehash(value);
        }
        if !paid {
            self.verify_nothing(password);
        }
        None
    }

    /// Costs what `check` costs with a password that is wrong, whether or not this one is.
    pub fn refuse<V: AsRef<[u8]>>(&self, stored: &[V], password: &[u8]) {
        let mut paid = false;
        for value in stored.iter().take(MAX_VALUES).map(AsRef::as_ref) {
            std::hint::black_box(verify(value, password));
            paid |= !self.needs_rehash(value);
        }
        if !paid {
            self.verify_nothing(password);
        }
    }

    /// Costs what a wrong password costs against a hash of ours, and has no result.
    pub fn verify_nothing(&self, password: &[u8]) {
        if is_acceptable(password) {
            std::hint::black_box(argon2::hash(self.cost, password, &[0; SALT_LENGTH]));
        }
    }

    /// Made by anything other than this hasher: replace it on the next successful bind.
    #[must_use]
    pub fn needs_rehash(&self, stored: &[u8]) -> bool {
        match Stored::parse(stored) {
            Ok(Stored(Kind::Argon2(hash))) => !hash.is_current(self.cost),
            _ => true,
        }
    }
}
