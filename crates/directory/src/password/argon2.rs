//! Argon2 (RFC 9106): our default, and what OpenLDAP's argon2 module stores (PHC strings).

use ::argon2::{Algorithm, Argon2, Params, Version};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::limits::{MAX_ARGON2_MEMORY_KIB, MAX_ARGON2_PARALLELISM, MAX_ARGON2_WORK_KIB};
use super::{base64, stored::Unusable};

pub(super) const OUTPUT_LENGTH: usize = 32;
const MIN_OUTPUT: usize = 16;
const MAX_OUTPUT: usize = 64;

/// What one hash costs: the three parameters an operator may tune.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cost {
    pub(super) memory_kib: u32,
    pub(super) iterations: u32,
    pub(super) parallelism: u32,
}

impl Cost {
    /// Within the named maxima, so that a stored or configured cost cannot stall the pool.
    pub(super) fn bounded(self) -> Result<Cost, Unusable> {
        let work = u64::from(self.memory_kib) * u64::from(self.iterations);
        if self.memory_kib > MAX_ARGON2_MEMORY_KIB
            || self.parallelism > MAX_ARGON2_PARALLELISM
            || work > MAX_ARGON2_WORK_KIB
        {
            return Err(Unusable::TooCostly);
        }
        self.params(OUTPUT_LENGTH).map(|_| self)
    }

    fn params(self, output: usize) -> Result<Params, Unusable> {
        Params::new(self.memory_kib, self.iterations, self.parallelism, Some(output))
            .map_err(|_| Unusable::Malformed)
    }
}

#[derive(Debug)]
pub(super) struct Argon2Hash {
    algorithm: Algorithm,
    version: Version,
    cost: Cost,
    salt: Vec<u8>,
    output: Vec<u8>,
}

impl Argon2Hash {
    /// `$argon2id$v=19$m=…,t=…,p=…$salt$hash`; hashes from before version 19 have no `v` field.
    pub(super) fn parse(text: &[u8]) -> Result<Argon2Hash, Unusable> {
        let text = std::str::from_utf8(text).map_err(|_| Unusable::Malformed)?;
        let mut fields = text.strip_prefix('$').ok_or(Unusable::Malformed)?.split('$').peekable();
        let mut next = || fields.next().ok_or(Unusable::Malformed);
        let algorithm = algorithm(next()?)?;
        let mut field = next()?;
        let version = match field.strip_prefix("v=") {
            Some(number) => {
                field = next()?;
                version(number)?
            }
            None => Version::V0x10,
        };
        let cost = cost(field)?.bounded()?;
        let salt = base64::decode(next()?.as_bytes()).ok_or(Unusable::Malformed)?;
        let output = base64::decode(next()?.as_bytes()).ok_or(Unusable::Malformed)?;
        if next().is_ok() || salt.len() < 8 || !(MIN_OUTPUT..=MAX_OUTPUT).contains(&output.len()) {
            return Err(Unusable::Malformed);
        }
        Ok(Argon2Hash { algorithm, version, cost, salt, output })
    }

    pub(super) fn matches(&self, password: &[u8]) -> bool {
        let (algorithm, version) = (self.algorithm, self.version);
        run(algorithm, version, self.cost, password, &self.salt, self.output.len())
            .is_some_and(|computed| computed.ct_eq(&self.output).into())
    }

    /// Made by this variant, version and cost: nothing to gain from hashing again.
    pub(super) fn is_current(&self, cost: Cost) -> bool {
        self.algorithm == Algorithm::Argon2id
            && self.version == Version::V0x13
            && self.cost == cost
            && self.output.len() == OUTPUT_LENGTH
    }
}

/// The PHC string of a new hash; `None` when the memory for it cannot be had.
pub(super) fn hash(cost: Cost, password: &[u8], salt: &[u8]) -> Option<String> {
    let output = run(Algorithm::Argon2id, Version::V0x13, cost, password, salt, OUTPUT_LENGTH)?;
    Some(format!(
        "$argon2id$v=19$m={},t={},p={}${}${}",
        cost.memory_kib,
        cost.iterations,
        cost.parallelism,
        base64::encode(salt),
        base64::encode(&output)
    ))
}

fn run(
    algorithm: Algorithm,
    version: Version,
    cost: Cost,
    password: &[u8],
    salt: &[u8],
    length: usize,
) -> Option<Zeroizing<Vec<u8>>> {
    #[cfg(test)]
    runs::record(cost);
    let mut output = Zeroizing::new(vec![0; length]);
    Argon2::new(algorithm, version, cost.params(length).ok()?)
        .hash_password_into(password, salt, &mut output)
        .ok()?;
    Some(output)
}

fn algorithm(name: &str) -> Result<Algorithm, Unusable> {
    match name {
        "argon2id" => Ok(Algorithm::Argon2id),
        "argon2i" => Ok(Algorithm::Argon2i),
        "argon2d" => Ok(Algorithm::Argon2d),
        _ => Err(Unusable::Malformed),
    }
}

fn version(number: &str) -> Result<Version, Unusable> {
    match number {
        "19" => Ok(Version::V0x13),
        "16" => Ok(Version::V0x10),
        _ => Err(Unusable::Malformed),
    }
}

/// `m=…,t=…,p=…`, in this order as the PHC format fixes it.
fn cost(field: &str) -> Result<Cost, Unusable> {
    let mut parts = field.split(',');
    let mut number = |prefix: &str| {
        let digits = parts.next()?.strip_prefix(prefix)?;
        digits.parse::<u32>().ok()
    };
    let (Some(memory_kib), Some(iterations), Some(parallelism)) =
        (number("m="), number("t="), number("p="))
    else {
        return Err(Unusable::Malformed);
    };
    match parts.next() {
        None => Ok(Cost { memory_kib, iterations, parallelism }),
        Some(_) => Err(Unusable::Malformed),
    }
}

/// What this thread's Argon2 runs cost, so that tests compare work instead of clocks.
#[cfg(test)]
pub(super) mod runs {
    use super::Cost;
    use std::cell::RefCell;

    thread_local!(static RUNS: RefCell<Vec<Cost>> = const { RefCell::new(Vec::new()) });

    pub(super) fn record(cost: Cost) {
        RUNS.with_borrow_mut(|runs| runs.push(cost));
    }

    pub(in super::super) fn during(work: impl FnOnce()) -> Vec<Cost> {
        RUNS.with_borrow_mut(Vec::clear);
        work();
        RUNS.with_borrow_mut(std::mem::take)
    }
}
