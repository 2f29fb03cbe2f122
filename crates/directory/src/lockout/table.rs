//! The accounts of which something is known that their entries need not say yet.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;

use super::{Lock, LockoutPolicy, Standing};
use crate::store::EntryId;

/// Accounts in the table. Beyond: the eighth that was touched longest ago is forgotten, and for
/// those the entry is all that is known.
const ACCOUNTS_MAX: usize = 65_536;

/// Failures that did not lock anything are written at this rate at most, for the whole directory
/// ...
const WRITES_PER_SECOND: u64 = 20;

/// ... or so many at once after some quiet. What is not written is kept in memory all the same.
const WRITES_AT_ONCE: u64 = 100;

/// How often the table is rid of what its entries say as well.
const SWEPT_EACH_MS: u64 = 60_000;

/// One for a directory.
pub(crate) struct Lockout {
    policy: ArcSwap<LockoutPolicy>,
    /// Counts up whenever an account is forgotten because its entry says something new: what was
    /// read from entries before that is to be read again.
    era: AtomicU64,
    /// The length of the table: 0 in a directory in which nobody has failed of late.
    known: AtomicUsize,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    accounts: HashMap<EntryId, Account>,
    /// Thousandths of a write.
    allowance: u64,
    allowed_at: u64,
    swept_at: u64,
}

struct Account {
    standing: Standing,
    /// A change that will store this is in the writer's queue.
    queued: bool,
    /// The entry does not have this yet.
    unwritten: bool,
    touched: u64,
}

/// An attempt to sign in to an entry, from before its password was looked at.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    pub id: EntryId,
    pub dn: Arc<str>,
    pub stored: Standing,
    pub era: u64,
}

/// What an attempt came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Judged {
    /// Locked before this attempt: whatever the password was, it does not sign in.
    pub refused: bool,
    /// Locked by this attempt.
    pub locks: bool,
    /// What is known is to be written into the entry.
    pub write: bool,
}

impl Lockout {
    pub(crate) fn new(policy: LockoutPolicy) -> Lockout {
        Lockout {
            policy: ArcSwap::from_pointee(policy),
            era: AtomicU64::new(0),
            known: AtomicUsize::new(0),
            table: Mutex::default(),
        }
    }

    pub(crate) fn policy(&self) -> LockoutPolicy {
        **self.policy.load()
    }

    pub(crate) fn replace_policy(&self, policy: LockoutPolicy) {
        self.policy.store(Arc::new(policy));
    }

    /// To be read before the entry is.
    pub(crate) fn era(&self) -> u64 {
        self.era.load(Ordering::Acquire)
    }

    /// Whether nothing is known beyond what this entry says, and that is nothing: the normal case.
    pub(crate) fn is_quiet(&self, attempt: &Attempt) -> bool {
        attempt.stored.is_clear()
            && self.known.load(Ordering::Acquire) == 0
            && attempt.era == self.era()
    }

    pub(crate) fn standing(&self, attempt: &Attempt) -> Standing {
        let table = self.table();
        match table.accounts.get(&attempt.id) {
            Some(account) => account.standing.clone(),
            None => attempt.stored.clone(),
        }
    }

    /// The lock that holds now.
    pub(crate) fn lock_of(&self, attempt: &Attempt, now_ms: u64) -> Option<Lock> {
        self.standing(attempt).lock.filter(|lock| lock.holds(&self.policy(), now_ms))
    }

    /// Judges and counts in one step, in the order in which verdicts come in. None where the entry
    /// may say something else by now: it is to be read again first.
    pub(crate) fn judge(&self, attempt: &Attempt, matched: bool, now_ms: u64) -> Option<Judged> {
        let table = self.table();
        let is_sure = table.accounts.contains_key(&attempt.id) || attempt.era == self.era();
        is_sure.then(|| self.judge_in(table, attempt, matched, now_ms))
    }

    /// The same, with whatever the attempt knows: better a lock too many than one taken off.
    pub(crate) fn judge_as_read(&self, attempt: &Attempt, matched: bool, now_ms: u64) -> Judged {
        self.judge_in(self.table(), attempt, matched, now_ms)
    }

    fn judge_in(
        &self,
        mut table: MutexGuard<'_, Table>,
        attempt: &Attempt,
        matched: bool,
        now_ms: u64,
    ) -> Judged {
        let known = table.accounts.remove(&attempt.id);
        let mut account = known.unwrap_or_else(|| Account::of(attempt.stored.clone()));
        let may_write = table.allow(now_ms);
        let judged = account.judge(&self.policy(), matched, may_write, now_ms);
        if judged.write && !judged.locks && !matched {
            table.allowance = table.allowance.saturating_sub(1000);
        }
        if !account.is_nothing() {
            table.make_room(&self.policy(), now_ms);
            table.accounts.insert(attempt.id, account);
        }
        self.known.store(table.accounts.len(), Ordering::Release);
        judged
    }

    /// What the writer is to store; none where nothing is known.
    pub(crate) fn to_store(&self, id: EntryId) -> Option<Standing> {
        let mut table = self.table();
        let account = table.accounts.get_mut(&id)?;
        account.queued = false;
        Some(account.standing.clone())
    }

    /// The entry has what was to be stored, or the change was refused.
    pub(crate) fn stored(&self, id: EntryId, done: bool) {
        let mut table = self.table();
        let Some(account) = table.accounts.get_mut(&id) else { return };
        // One that came after this one tells of what has changed since.
        if account.queued && done {
            return;
        }
        account.queued = false;
        account.unwritten = !done;
        if done && account.standing.is_clear() {
            table.accounts.remove(&id);
            self.forgotten(&table);
        }
    }

    /// The entry was changed by somebody: it is what counts now.
    pub(crate) fn forget(&self, id: EntryId) {
        if self.known.load(Ordering::Acquire) == 0 {
            self.era.fetch_add(1, Ordering::AcqRel);
            return;
        }
        let mut table = self.table();
        table.accounts.remove(&id);
        self.forgotten(&table);
    }

    fn forgotten(&self, table: &Table) {
        self.era.fetch_add(1, Ordering::AcqRel);
        self.known.store(table.accounts.len(), Ordering::Release);
    }

    /// What is known and not yet written, for the end of the server.
    pub(crate) fn unwritten(&self) -> Vec<EntryId> {
        let table = self.table();
        let left = table.accounts.iter().filter(|(_, account)| account.unwritten);
        left.map(|(id, _)| *id).collect()
    }

    /// A thread that panicked has left whole accounts, so its poison means nothing.
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn make_room(&mut self, policy: &LockoutPolicy, now_ms: u64) {
        if now_ms.saturating_sub(self.swept_at) >= SWEPT_EACH_MS || self.swept_at > now_ms {
            self.swept_at = now_ms;
            self.accounts.retain(|_, account| !account.is_told(policy, now_ms));
        }
        if self.accounts.len() < ACCOUNTS_MAX {
            return;
        }
        let mut times: Vec<u64> = self.accounts.values().map(|account| account.touched).collect();
        times.sort_unstable();
        let oldest = times.get(ACCOUNTS_MAX / 8).copied().unwrap_or_default();
        let mut surplus = ACCOUNTS_MAX / 8;
        self.accounts.retain(|_, account| {
            let goes = account.touched <= oldest && surplus > 0;
            surplus -= usize::from(goes);
            !goes
        });
    }

    /// Whether a failure may be written now.
    fn allow(&mut self, now_ms: u64) -> bool {
        let passed = now_ms.saturating_sub(self.allowed_at);
        // A clock that was set back begins anew from where it is.
        if self.allowed_at == 0 {
            self.allowance = WRITES_AT_ONCE * 1000;
        }
        self.allowed_at = now_ms;
        let gained = passed.saturating_mul(WRITES_PER_SECOND);
        self.allowance = self.allowance.saturating_add(gained).min(WRITES_AT_ONCE * 1000);
        self.allowance >= 1000
    }
}

impl Account {
    fn of(standing: Standing) -> Account {
        Account { standing, queued: false, unwritten: false, touched: 0 }
    }

    fn is_nothing(&self) -> bool {
        self.standing.is_clear() && !self.queued && !self.unwritten
    }

    /// The entry says the same, also to whoever looked at it before it did.
    fn is_told(&self, policy: &LockoutPolicy, now_ms: u64) -> bool {
        let since = now_ms.saturating_sub(self.touched);
        !self.queued && !self.unwritten && since >= policy.window_ms.max(SWEPT_EACH_MS)
    }

    fn judge(
        &mut self,
        policy: &LockoutPolicy,
        matched: bool,
        may_write: bool,
        now_ms: u64,
    ) -> Judged {
        self.touched = now_ms;
        if matched && self.is_nothing() {
            return Judged::default();
        }
        self.forget_what_is_over(policy, now_ms);
        if self.standing.lock.is_some() {
            return Judged {
                refused: true,
                write: self.write(self.unwritten),
                ..Judged::default()
            };
        }
        if matched {
            self.standing.failures.clear();
            self.unwritten = true;
            return Judged { write: self.write(true), ..Judged::default() };
        }
        if !policy.is_on() {
            return Judged::default();
        }
        // Two values of one attribute are never equal.
        let latest = self.standing.failures.last().map_or(0, |last| last.saturating_add(1));
        self.standing.failures.push(now_ms.max(latest));
        let locks = self.standing.failures.len() >= policy.failures_max as usize;
        if locks {
            self.standing.lock = Some(Lock::Since(now_ms));
        }
        self.unwritten = true;
        Judged { locks, write: self.write(locks || may_write), ..Judged::default() }
    }

    /// A change that is in the queue already takes along whatever is known when its turn comes.
    fn write(&mut self, wanted: bool) -> bool {
        let write = wanted && !self.queued;
        self.queued |= write;
        write
    }

    /// A clock that was set back makes nothing last longer: what seems to lie ahead is of now.
    fn forget_what_is_over(&mut self, policy: &LockoutPolicy, now_ms: u64) {
        let standing = &mut self.standing;
        if let Some(Lock::Since(since)) = &mut standing.lock {
            *since = (*since).min(now_ms);
        }
        if standing.lock.is_some_and(|lock| !lock.holds(policy, now_ms)) {
            *standing = Standing::default();
        }
        if standing.lock.is_none() {
            let counts = |at: &u64| now_ms.abs_diff(*at) < policy.window_ms;
            standing.failures = standing.failures.iter().copied().filter(counts).collect();
        }
    }
}
