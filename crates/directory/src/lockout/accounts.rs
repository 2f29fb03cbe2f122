//! What the rest of the program asks of accounts: the last word on a bind, locked ones, unlocking.

use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use ldap::message::ModifyOperation;
use ldap::result::ResultCode;

use super::{AccountStanding, Attempt, LockedAccount, LockoutPolicy, Standing};
use crate::change::{Change, ChangeControls, ChangeRequest, Modification, NewAttribute};
use crate::credentials::{Unfit, Verdict};
use crate::directory::Directory;
use crate::refusal::{Error, Fault, Refusal};
use crate::store::PostingKey;
use crate::subject::{Protection, Subject, Who};
use crate::view::View;

/// Of the writer's queue, at the end.
const STORED_AT_ONCE: usize = 1024;

fn server() -> Subject {
    Subject { who: Who::Operator, address: None, protection: Protection::Local }
}

impl Directory {
    /// The last word on a bind, given in the order in which verdicts come in: a locked account is
    /// refused whatever the password was, and a wrong password counts.
    pub fn conclude(&self, verdict: Verdict) -> Verdict {
        let read_again = |attempt: &Attempt| self.read_again(attempt);
        let (verdict, write) = verdict.judge(&self.inner().verifying, read_again);
        if let Some(attempt) = write {
            if verdict.refusal == Some(Unfit::NowLocked) {
                tracing::warn!(
                    dn = &*attempt.dn,
                    "too many wrong passwords: the account is locked"
                );
            }
            self.store_standing(&attempt);
        }
        verdict
    }

    /// What the entry of an attempt says now.
    fn read_again(&self, attempt: &Attempt) -> Option<Attempt> {
        let subject = server();
        let view = self.view(&subject).ok()?;
        let tree = view.tree();
        let candidate = tree.expect_entry(attempt.id).ok()?;
        let stored = Standing::of(&tree, &candidate);
        Some(Attempt { stored, era: view.lock_era(), ..attempt.clone() })
    }

    /// From now on. A lock that stands is of the new length.
    pub fn replace_lockout(&self, policy: LockoutPolicy) {
        self.inner().verifying.lockout.replace_policy(policy);
    }

    /// Nobody waits for it: what is in memory counts already, and is tried again with the next
    /// attempt where the writer is busy.
    fn store_standing(&self, attempt: &Attempt) {
        let (inner, id) = (Arc::downgrade(self.shared_inner()), attempt.id);
        let reply = Box::new(move |result: Result<_, Error>| {
            if let Some(inner) = inner.upgrade() {
                inner.verifying.lockout.stored(id, result.is_ok());
            }
        });
        let change = Change::StoreStanding { dn: attempt.dn.to_string() };
        let request =
            ChangeRequest { subject: server(), change, controls: ChangeControls::default() };
        if self.submit(request, reply).is_err() {
            self.inner().verifying.lockout.stored(id, false);
        }
    }

    /// Before the end: writes what was too much to be written when it happened.
    pub fn store_standings(&self) {
        let subject = server();
        for some in self.inner().verifying.lockout.unwritten().chunks(STORED_AT_ONCE) {
            let (answer, answers) = channel();
            for id in some {
                let Ok(view) = self.view(&subject) else { return };
                let Ok(dn) = view.tree().dn(*id) else { continue };
                let request = ChangeRequest {
                    subject: subject.clone(),
                    change: Change::StoreStanding { dn },
                    controls: ChangeControls::default(),
                };
                let answer = answer.clone();
                let reply = Box::new(move |_: Result<_, Error>| drop(answer));
                // Refused where others fill the queue: then it is forgotten.
                let _ = self.submit(request, reply);
            }
            drop::<Sender<()>>(answer);
            // Ends with an error once all have their answer.
            let _ = answers.recv();
        }
    }

    /// What is known of one account, with what has not been written yet.
    pub fn account(&self, dn: &str) -> Result<AccountStanding, Error> {
        let subject = server();
        let view = self.view(&subject)?;
        let tree = view.tree();
        let Some(id) = tree.find(dn)? else {
            let message = format!("there is no entry '{dn:.200}'");
            return Err(Refusal::new(ResultCode::NO_SUCH_OBJECT, message).into());
        };
        let candidate = tree.expect_entry(id)?;
        let dn = candidate.dn()?.to_owned();
        let stored = Standing::of(&tree, &candidate);
        let attempt = Attempt { id, dn: Arc::from(dn.as_str()), stored, era: view.lock_era() };
        let (lockout, now_ms) = (&self.inner().verifying.lockout, self.inner().clock.now_ms());
        let lock = lockout.lock_of(&attempt, now_ms);
        let mut failures = lockout.standing(&attempt).failures.to_vec();
        failures.retain(|at| now_ms.abs_diff(*at) < lockout.policy().window_ms);
        Ok(AccountStanding {
            dn,
            lock,
            until_ms: lock.and_then(|lock| lock.until(&lockout.policy())),
            failures,
        })
    }

    /// The accounts that are locked now, the first `max` of them, and how many there are.
    pub fn locked_accounts(&self, max: usize) -> Result<(Vec<LockedAccount>, u64), Fault> {
        let subject = server();
        self.view(&subject)?.locked_accounts(self.inner(), max)
    }

    /// Takes a lock and the failures before it from an entry. Whether there was anything to take.
    pub fn unlock(&self, dn: &str) -> Result<bool, Error> {
        let standing = self.account(dn)?;
        let remove = |name: &str| Modification {
            operation: ModifyOperation::Replace,
            attribute: NewAttribute::new::<Vec<u8>>(name, []),
        };
        let modifications = vec![remove("pwdAccountLockedTime")];
        let change = Change::Modify { dn: standing.dn, modifications };
        let controls = ChangeControls { manage_dsa_it: true, ..ChangeControls::default() };
        self.submit_and_wait(ChangeRequest { subject: server(), change, controls })?;
        Ok(standing.lock.is_some() || !standing.failures.is_empty())
    }
}

impl View<'_> {
    fn locked_accounts(
        &self,
        inner: &crate::directory::Inner,
        max: usize,
    ) -> Result<(Vec<LockedAccount>, u64), Fault> {
        let tree = self.tree();
        let Some(number) = tree.catalogue.lock_numbers().locked else { return Ok((vec![], 0)) };
        let lockout = &inner.verifying.lockout;
        let now_ms = inner.clock.now_ms();
        let (mut found, mut count) = (Vec::new(), 0);
        let mut posting = tree.reader.posting(&PostingKey::presence(number))?;
        while let Some(block) = posting.next_block()? {
            for id in block.iter() {
                let candidate = tree.expect_entry(id)?;
                let stored = Standing::of(&tree, &candidate);
                let attempt = Attempt { id, dn: Arc::from(""), stored, era: self.lock_era() };
                let Some(lock) = lockout.lock_of(&attempt, now_ms) else { continue };
                count += 1;
                if found.len() < max {
                    let until_ms = lock.until(&lockout.policy());
                    found.push(LockedAccount { dn: candidate.dn()?.to_owned(), lock, until_ms });
                }
            }
        }
        Ok((found, count))
    }
}
