//! Passwords in slow schemes that were verified a moment ago, so that the next bind with the same
//! one need not be slow.
//!
//! Kept are tags: HMAC-SHA-256, under a key made at the start and never written anywhere, of the
//! entry, its stored value and the password. So another stored value never matches, and a wrong
//! password is never remembered. What this gives away, and to whom: `docs/design/passwords.md`.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

/// Tags of one generation. There are two, so at most twice as many are kept.
const GENERATION_MAX: usize = 8 * 1024;

const KEY_LENGTH: usize = 32;

pub(crate) type Tag = [u8; 32];

/// Shared by all threads that verify.
pub(crate) struct Verified {
    key: Zeroizing<[u8; KEY_LENGTH]>,
    /// How long a tag counts, from the verification on; 0 remembers nothing.
    kept_ms: u64,
    generations: Mutex<Generations>,
}

/// Tags with the time at which they stop counting.
#[derive(Default)]
struct Generations {
    young: HashMap<Tag, u64>,
    old: HashMap<Tag, u64>,
}

impl Verified {
    pub(crate) fn new(kept_ms: u64, random: impl FnOnce(&mut [u8])) -> Verified {
        let mut key = Zeroizing::new([0; KEY_LENGTH]);
        random(key.as_mut_slice());
        Verified { key, kept_ms, generations: Mutex::default() }
    }

    /// Whether this very password was verified against this very value not long ago.
    pub(crate) fn contains(&self, entry: u64, stored: &[u8], password: &[u8], now_ms: u64) -> bool {
        if self.kept_ms == 0 {
            return false;
        }
        let Some(tag) = self.tag(entry, stored, password) else { return false };
        let generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        let until = generations.young.get(&tag).or_else(|| generations.old.get(&tag));
        // A clock that was set back must not make a tag last longer.
        until.is_some_and(|until| now_ms < *until && *until - now_ms <= self.kept_ms)
    }

    /// After the whole verification, and once it counts: a match that came from here makes nothing
    /// younger.
    pub(crate) fn remember(&self, tag: Tag, now_ms: u64) {
        if self.kept_ms == 0 {
            return;
        }
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        if generations.young.len() >= GENERATION_MAX {
            generations.old = std::mem::take(&mut generations.young);
        }
        generations.young.insert(tag, now_ms.saturating_add(self.kept_ms));
    }

    pub(crate) fn tag(&self, entry: u64, stored: &[u8], password: &[u8]) -> Option<Tag> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.key.as_slice()).ok()?;
        mac.update(&entry.to_le_bytes());
        // With its length, so that no byte can move between the value and the password.
        mac.update(&u64::try_from(stored.len()).ok()?.to_le_bytes());
        mac.update(stored);
        mac.update(password);
        Some(mac.finalize().into_bytes().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_000_000;
    const KEPT: u64 = 60_000;

    fn verified(kept_ms: u64) -> Verified {
        Verified::new(kept_ms, |key| key.fill(7))
    }

    #[test]
    fn only_the_same_three_match_and_only_for_a_while() {
        let table = verified(KEPT);
        table.remember(table.tag(1, b"{ARGON2}x", b"secret").unwrap(), NOW);
        for (entry, stored, password, now, expected) in [
            (1, &b"{ARGON2}x"[..], &b"secret"[..], NOW, true),
            (1, b"{ARGON2}x", b"secret", NOW + KEPT - 1, true),
            (1, b"{ARGON2}x", b"secret", NOW + KEPT, false),
            (1, b"{ARGON2}x", b"secret", NOW - 1, false),
            (2, b"{ARGON2}x", b"secret", NOW, false),
            (1, b"{ARGON2}y", b"secret", NOW, false),
            (1, b"{ARGON2}xs", b"ecret", NOW, false),
            (1, b"{ARGON2}x", b"Secret", NOW, false),
            (1, b"{ARGON2}x", b"", NOW, false),
        ] {
            let found = table.contains(entry, stored, password, now);
            assert_eq!(found, expected, "{entry} {stored:?} {password:?} {now}");
        }
    }

    #[test]
    fn another_process_knows_nothing_of_it() {
        let (here, there) = (verified(KEPT), Verified::new(KEPT, |key| key.fill(8)));
        let tag = |table: &Verified| table.tag(1, b"{ARGON2}x", b"secret").unwrap();
        assert_ne!(tag(&here), tag(&there));
    }

    #[test]
    fn switched_off_it_keeps_nothing() {
        let table = verified(0);
        table.remember(table.tag(1, b"{ARGON2}x", b"secret").unwrap(), NOW);
        assert!(!table.contains(1, b"{ARGON2}x", b"secret", NOW));
        assert!(table.generations.lock().unwrap().young.is_empty());
    }

    #[test]
    fn it_never_grows_beyond_two_generations() {
        let table = verified(KEPT);
        for entry in 0..3 * GENERATION_MAX as u64 {
            table.remember(table.tag(entry, b"{ARGON2}x", b"secret").unwrap(), NOW);
        }
        let last = 3 * GENERATION_MAX as u64 - 1;
        assert!(table.contains(last, b"{ARGON2}x", b"secret", NOW));
        assert!(!table.contains(0, b"{ARGON2}x", b"secret", NOW), "the oldest went");
        let generations = table.generations.lock().unwrap();
        assert!(generations.young.len() + generations.old.len() <= 2 * GENERATION_MAX);
    }
}
