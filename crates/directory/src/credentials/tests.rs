//! Verifying against targets made by hand: which binds are slow, and what is remembered of them.

use super::*;
use crate::lockout::LockoutPolicy;

const PASSWORD: &[u8] = b"correct horse";
const KEPT_MS: u64 = 60_000;

struct FixedClock(u64);

impl Clock for FixedClock {
    fn now_ms(&self) -> u64 {
        self.0
    }

    fn random(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

fn hasher(passes: u32) -> Hasher {
    Hasher::new(64, passes, 1).unwrap()
}

fn verifying(kept_ms: u64) -> Arc<Verifying> {
    Arc::new(Verifying {
        hasher: hasher(1),
        rehashes: true,
        verified: Verified::new(kept_ms, |key| key.fill(7)),
        lockout: Lockout::new(LockoutPolicy::default()),
        clock: Arc::new(FixedClock(1_000_000)),
    })
}

fn target(verifying: &Arc<Verifying>, id: u64, stored: &[&[u8]]) -> BindTarget {
    BindTarget {
        who: Some(Who::Entry { id: EntryId(id), dn: Arc::from("cn=a") }),
        stored: stored.iter().map(|value| Zeroizing::new(value.to_vec())).collect(),
        attempt: None,
        locked: false,
        verifying: Arc::clone(verifying),
    }
}

/// The whole way: verified, then judged, after which it counts.
fn signed_in(entry: &BindTarget, password: &[u8]) -> Verdict {
    entry.verify(password).judge(&entry.verifying, |_| None).0
}

fn is_accepted(verdict: Option<Verdict>) -> Option<bool> {
    verdict.map(|verdict| verdict.accepted.is_some())
}

#[test]
fn a_slow_hash_is_paid_for_once() {
    let stored = hasher(1).hash(PASSWORD, &[1; password::SALT_LENGTH]).unwrap();
    let other = hasher(1).hash(PASSWORD, &[2; password::SALT_LENGTH]).unwrap();
    for (kept_ms, expected) in [(KEPT_MS, Some(true)), (0, None)] {
        let verifying = verifying(kept_ms);
        let entry = target(&verifying, 1, &[&stored]);
        assert_eq!(is_accepted(entry.verify_quickly(PASSWORD)), None, "nothing is known yet");
        assert!(entry.verify(b"wrong").accepted.is_none());
        assert_eq!(is_accepted(entry.verify_quickly(b"wrong")), None, "a no is never remembered");
        assert!(entry.verify(PASSWORD).accepted.is_some());
        assert_eq!(is_accepted(entry.verify_quickly(PASSWORD)), None, "not before it counts");
        assert!(signed_in(&entry, PASSWORD).accepted.is_some());
        assert_eq!(is_accepted(entry.verify_quickly(PASSWORD)), expected, "{kept_ms}");
        assert_eq!(is_accepted(entry.verify_quickly(b"wrong")), None);
        let changed = target(&verifying, 1, &[&other]);
        assert_eq!(is_accepted(changed.verify_quickly(PASSWORD)), None, "the value was changed");
        let removed = target(&verifying, 1, &[]);
        assert_eq!(is_accepted(removed.verify_quickly(PASSWORD)), None, "the value is gone");
        let another = target(&verifying, 2, &[&stored]);
        assert_eq!(is_accepted(another.verify_quickly(PASSWORD)), None, "another entry");
        let nobody = BindTarget { who: None, ..target(&verifying, 1, &[&stored]) };
        assert_eq!(is_accepted(nobody.verify_quickly(PASSWORD)), None, "who may not sign in");
    }
}

#[test]
fn an_old_cost_is_still_replaced_when_it_is_remembered() {
    let verifying = verifying(KEPT_MS);
    let stored = hasher(2).hash(PASSWORD, &[1; password::SALT_LENGTH]).unwrap();
    let entry = target(&verifying, 1, &[&stored]);
    assert!(signed_in(&entry, PASSWORD).rehash.is_some());
    assert!(entry.verify_quickly(PASSWORD).unwrap().rehash.is_some());
}
