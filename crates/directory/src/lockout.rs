//! Too many wrong passwords: an account locks for a while, and says so in its entry.
//!
//! What counts is the order in which verdicts come in, each judged and counted in one step under
//! one lock, so that guesses made at the same time get no more tries than guesses one by one.
//! What is in the table stands before what is in the entry; the entry is what a restart knows.
//! `docs/design/lockout.md` says what is written and when.

mod accounts;
mod table;

use smallvec::SmallVec;

use crate::catalogue::{FAILURE_TIME, LOCKED_TIME};
use crate::clock::{generalized_time, generalized_time_ms};
use crate::entry::Entry;
use crate::refusal::Refusal;
use crate::schema::time::milliseconds;
use crate::tree::{Candidate, Tree};

pub(crate) use table::{Attempt, Lockout};

/// How many wrong passwords lock an account, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockoutPolicy {
    /// So many wrong passwords ...
    pub failures_max: u32,
    /// ... within this time lock the account ...
    pub window_ms: u64,
    /// ... for so long; 0 is until somebody unlocks it.
    pub duration_ms: u64,
}

impl LockoutPolicy {
    pub const OFF: LockoutPolicy = LockoutPolicy { failures_max: 0, window_ms: 0, duration_ms: 0 };

    pub fn is_on(&self) -> bool {
        self.failures_max > 0
    }
}

impl Default for LockoutPolicy {
    fn default() -> LockoutPolicy {
        LockoutPolicy { failures_max: 5, window_ms: 2 * 60 * 1000, duration_ms: 30 * 60 * 1000 }
    }
}

/// A lock, as the entry has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lock {
    /// Milliseconds since 1970.
    Since(u64),
    /// Set by an administrator: `000001010000Z` in the password policy draft. It never ends by
    /// itself, whatever the policy is.
    Always,
}

impl Lock {
    /// When it ends by itself.
    pub fn until(self, policy: &LockoutPolicy) -> Option<u64> {
        match self {
            Lock::Since(since) if policy.duration_ms > 0 => {
                Some(since.saturating_add(policy.duration_ms))
            }
            _ => None,
        }
    }

    /// A switched-off policy makes no locks, and those it made before end with it.
    fn holds(self, policy: &LockoutPolicy, now_ms: u64) -> bool {
        match self {
            Lock::Always => true,
            Lock::Since(_) => {
                policy.is_on() && self.until(policy).is_none_or(|until| now_ms < until)
            }
        }
    }
}

/// What is known of the attempts to sign in to one account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    pub lock: Option<Lock>,
    /// Milliseconds since 1970, oldest first.
    pub failures: Times,
}

/// As many as lock an account by default.
pub(crate) type Times = SmallVec<[u64; 5]>;

impl Standing {
    /// As the entry has it. In a directory where nobody ever failed this costs nothing.
    pub(crate) fn of(tree: &Tree<'_>, candidate: &Candidate<'_, '_>) -> Standing {
        let numbers = tree.catalogue.lock_numbers();
        let mut standing = Standing::default();
        if numbers.locked.is_none() && numbers.failures.is_none() {
            return standing;
        }
        for row in candidate.record.operational_rows() {
            if Some(row.attribute) == numbers.locked {
                standing.lock = row.values().next().map(read_lock);
            } else if Some(row.attribute) == numbers.failures {
                standing.failures = row.values().filter_map(milliseconds).collect();
                standing.failures.sort_unstable();
            }
        }
        standing
    }

    pub(crate) fn is_clear(&self) -> bool {
        self.lock.is_none() && self.failures.is_empty()
    }

    /// Puts it into an entry, in the place of what is there.
    pub(crate) fn store(&self, tree: &Tree<'_>, entry: &mut Entry) -> Result<(), Refusal> {
        let lock = self.lock.map(|lock| match lock {
            Lock::Since(ms) => generalized_time(ms),
            Lock::Always => ALWAYS.to_owned(),
        });
        let failures = self.failures.iter().map(|ms| generalized_time_ms(*ms).into_bytes());
        set(tree, entry, LOCKED_TIME, lock.map(String::into_bytes).into_iter().collect())?;
        set(tree, entry, FAILURE_TIME, failures.collect())
    }
}

const ALWAYS: &str = "000001010000Z";

/// The first second of 1970 and what lies before can be meant for no lock of ours.
fn read_lock(value: &[u8]) -> Lock {
    milliseconds(value).filter(|ms| *ms > 0).map_or(Lock::Always, Lock::Since)
}

fn set(tree: &Tree<'_>, entry: &mut Entry, key: &str, values: Vec<Vec<u8>>) -> Result<(), Refusal> {
    match values.is_empty() {
        true => entry.remove(key),
        false => entry.set(tree.catalogue.describe(key)?, values),
    }
    Ok(())
}

/// An account that is locked now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockedAccount {
    pub dn: String,
    pub lock: Lock,
    /// When it ends by itself.
    pub until_ms: Option<u64>,
}

/// What is known of one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountStanding {
    pub dn: String,
    /// None: it is not locked now.
    pub lock: Option<Lock>,
    pub until_ms: Option<u64>,
    /// Failures that count now.
    pub failures: Vec<u64>,
}

#[cfg(test)]
mod tests;
