//! Signing in with a password: what a name's password is verified against, and what comes of it.
//!
//! An unknown name, a name without password and a name one may not sign in as give a target that
//! takes as long as a wrong password and accepts nothing.

use std::sync::Arc;

use zeroize::Zeroizing;

use crate::access::Rights;
use crate::change::{Change, ChangeControls, ChangeRequest};
use crate::clock::Clock;
use crate::judge::Judge;
use crate::lockout::{Attempt, Lockout, Standing};
use crate::password::{self, Hasher, Stored, Tag, Verified};
use crate::refusal::{Error, Fault};
use crate::store::EntryId;
use crate::subject::{Protection, Subject, Who};
use crate::tree::{Candidate, Tree};

/// How often an entry is read again for one verdict while others come and go. What was read last
/// is of a moment ago.
const READ_AGAIN_MAX: usize = 8;

/// What verifying needs besides the stored values: one for a directory.
pub(crate) struct Verifying {
    pub hasher: Hasher,
    /// Whether hashes of older schemes are replaced when their owner signs in.
    pub rehashes: bool,
    pub verified: Verified,
    pub lockout: Lockout,
    pub clock: Arc<dyn Clock>,
}

/// Owned, so that it can be verified on another thread.
pub struct BindTarget {
    who: Option<Who>,
    stored: Vec<Zeroizing<Vec<u8>>>,
    /// Of an entry that may sign in.
    attempt: Option<Attempt>,
    /// Locked when it was looked up, so that no password is the right one.
    locked: bool,
    verifying: Arc<Verifying>,
}

/// What verifying found. It counts once [`crate::Directory::conclude`] has had the last word.
pub struct Verdict {
    /// Who is signed in now; none where the password is not the one.
    pub accepted: Option<Who>,
    /// Replaces a stored hash of an old scheme or cost.
    pub rehash: Option<Rehash>,
    /// For the log and the audit only: to a client a locked account is a wrong password.
    pub refusal: Option<Unfit>,
    pub(crate) attempt: Option<Attempt>,
    /// Of a slow password, to be remembered once it counts.
    tag: Option<Tag>,
}

/// Why a password was not even a wrong one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// The account was locked before.
    Locked,
    /// This attempt locked it.
    NowLocked,
}

/// A stored hash that was just verified, and the password to hash anew.
pub struct Rehash {
    dn: Arc<str>,
    verified: Zeroizing<Vec<u8>>,
    password: Zeroizing<Vec<u8>>,
    hasher: Hasher,
}

impl BindTarget {
    pub(crate) fn of(
        tree: &Tree<'_>,
        subject: &Subject,
        dn: &str,
        era: u64,
        verifying: Arc<Verifying>,
    ) -> Result<BindTarget, Error> {
        let nobody =
            BindTarget { who: None, stored: Vec::new(), attempt: None, locked: false, verifying };
        let Some(id) = tree.find(dn)? else { return Ok(nobody) };
        let candidate = tree.expect_entry(id)?;
        if !may_sign_in(tree, subject, &candidate)? {
            return Ok(nobody);
        }
        let stored = candidate.values("userpassword").into_iter();
        let dn: Arc<str> = Arc::from(candidate.dn()?);
        let attempt = Attempt { id, dn: dn.clone(), stored: Standing::of(tree, &candidate), era };
        Ok(BindTarget {
            who: Some(Who::Entry { id, dn }),
            stored: stored.map(|value| Zeroizing::new(value.to_vec())).collect(),
            locked: nobody.verifying.is_locked(&attempt),
            attempt: Some(attempt),
            ..nobody
        })
    }

    /// Whether no password will be accepted.
    pub fn is_nobody(&self) -> bool {
        self.who.is_none()
    }

    /// A verdict that costs microseconds, where a fast scheme accepts the password, or a slow one
    /// did so a moment ago. `None` says nothing: go on with `verify`, on a thread that may take its
    /// time.
    pub fn verify_quickly(&self, password: &[u8]) -> Option<Verdict> {
        if self.locked {
            return None; // the time it takes must not tell that the password is right
        }
        let values = self.stored.iter().take(password::MAX_VALUES);
        let index = values.into_iter().position(|value| self.accepts_quickly(value, password))?;
        Some(self.accepted(index, password))
    }

    fn accepts_quickly(&self, value: &[u8], password: &[u8]) -> bool {
        let Ok(stored) = Stored::parse(value) else { return false };
        match (stored.is_slow(), &self.who) {
            (false, _) => password::is_acceptable(password) && stored.matches(password),
            (true, Some(Who::Entry { id, .. })) => {
                let Verifying { verified, clock, .. } = &*self.verifying;
                verified.contains(id.0, value, password, clock.now_ms())
            }
            (true, _) => false,
        }
    }

    /// The whole verification; a refusal always costs one hash of the configured cost.
    pub fn verify(&self, password: &[u8]) -> Verdict {
        let stored: Vec<&[u8]> = self.stored.iter().map(|value| value.as_slice()).collect();
        if self.locked {
            self.verifying.hasher.refuse(&stored, password);
            return self.no();
        }
        let Some(accepted) = self.verifying.hasher.check(&stored, password) else {
            return self.no();
        };
        let tag = match (stored.get(accepted.index), &self.who) {
            (Some(value), Some(Who::Entry { id, .. })) if password::is_slow(value) => {
                self.verifying.verified.tag(id.0, value, password)
            }
            _ => None,
        };
        Verdict { tag, ..self.accepted(accepted.index, password) }
    }

    fn no(&self) -> Verdict {
        let attempt = self.attempt.clone();
        Verdict { accepted: None, rehash: None, refusal: None, attempt, tag: None }
    }

    fn accepted(&self, index: usize, password: &[u8]) -> Verdict {
        let Verifying { hasher, rehashes, .. } = &*self.verifying;
        let rehash = match (self.stored.get(index), &self.who) {
            (Some(verified), Some(Who::Entry { dn, .. }))
                if *rehashes && hasher.needs_rehash(verified) =>
            {
                Some(Rehash {
                    dn: dn.clone(),
                    verified: verified.clone(),
                    password: Zeroizing::new(password.to_vec()),
                    hasher: *hasher,
                })
            }
            _ => None,
        };
        let attempt = self.attempt.clone();
        Verdict { accepted: self.who.clone(), rehash, refusal: None, attempt, tag: None }
    }
}

impl Verifying {
    fn is_locked(&self, attempt: &Attempt) -> bool {
        !self.lockout.is_quiet(attempt)
            && self.lockout.lock_of(attempt, self.clock.now_ms()).is_some()
    }
}

impl Verdict {
    /// The last word: whether the account is locked by now, and what this attempt adds.
    /// `read_again` says what the entry says by now; none where it cannot be read.
    pub(crate) fn judge(
        mut self,
        verifying: &Verifying,
        read_again: impl Fn(&Attempt) -> Option<Attempt>,
    ) -> (Verdict, Option<Attempt>) {
        let Some(mut attempt) = self.attempt.take() else {
            self.remember(verifying);
            return (self, None);
        };
        let matched = self.accepted.is_some();
        let Verifying { lockout, clock, .. } = verifying;
        if matched && lockout.is_quiet(&attempt) {
            self.remember(verifying);
            return (self, None);
        }
        let mut judged = lockout.judge(&attempt, matched, clock.now_ms());
        for _ in 0..READ_AGAIN_MAX {
            if judged.is_some() {
                break;
            }
            let Some(anew) = read_again(&attempt) else { break };
            attempt = anew;
            judged = lockout.judge(&attempt, matched, clock.now_ms());
        }
        let judged =
            judged.unwrap_or_else(|| lockout.judge_as_read(&attempt, matched, clock.now_ms()));
        if judged.refused {
            (self.accepted, self.rehash, self.refusal) = (None, None, Some(Unfit::Locked));
        }
        if judged.locks {
            self.refusal = Some(Unfit::NowLocked);
        }
        self.remember(verifying);
        (self, judged.write.then_some(attempt))
    }

    /// Not before it counts: whoever is refused must not find out from the next answer's speed.
    fn remember(&self, verifying: &Verifying) {
        if let (Some(tag), true) = (self.tag, self.accepted.is_some()) {
            verifying.verified.remember(tag, verifying.clock.now_ms());
        }
    }
}

fn may_sign_in(
    tree: &Tree<'_>,
    subject: &Subject,
    candidate: &Candidate<'_, '_>,
) -> Result<bool, Fault> {
    // Rules about signing in speak of whoever is about to: `self` means the entry that is bound.
    let judge = Judge::new(tree, subject)?;
    if judge.of(candidate).attribute("userpassword")?.allows(Rights::AUTH) {
        return Ok(true);
    }
    let own = own_subject(subject, candidate.id);
    let judge = Judge::in_passing(tree, &own)?;
    Ok(judge.of(candidate).attribute("userpassword")?.allows(Rights::AUTH))
}

fn own_subject(subject: &Subject, id: EntryId) -> Subject {
    Subject { who: Who::Entry { id, dn: Arc::from("") }, ..subject.clone() }
}

impl Rehash {
    /// The change that stores the new hash: slow, so not for a thread that serves connections.
    pub fn into_change(self, salt: &[u8; password::SALT_LENGTH]) -> Option<ChangeRequest> {
        let hash = self.hasher.hash(&self.password, salt).ok()?;
        Some(ChangeRequest {
            subject: Subject { who: Who::Operator, address: None, protection: Protection::Local },
            change: Change::SetPassword {
                dn: self.dn.to_string(),
                hash,
                only_if: Some(self.verified.to_vec()),
            },
            controls: ChangeControls::default(),
        })
    }
}

#[cfg(test)]
mod tests;
