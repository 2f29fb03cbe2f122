//! Who may try passwords here, by where they come from: failures of an address and of the network
//! around it are counted, answers come later the more there are, and beyond a budget no password is
//! looked at any more.
//!
//! An attempt beyond the budget proves nothing and locks nothing: one source can neither go on
//! guessing nor lock everybody out. Why the numbers are what they are: `docs/design/lockout.md`.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use directory::access::Network;

/// Sources in the table. Beyond: those with the fewest failures are forgotten.
const SOURCES_MAX: usize = 16_384;

/// Answers held back at the same time. Beyond: busy, and the password is not looked at.
const HELD_MAX: usize = 1_024;

/// The same of one source.
const HELD_PER_SOURCE_MAX: u32 = 32;

/// A network may fail so many times as often as one address in it.
const NETWORK_SHARE: u64 = 3;

/// And is forgiven so many times as fast: slower than accounts lock by default, so that a source
/// that has used up its budget locks nothing any more.
const NETWORK_PACE: u64 = 2;

/// This part of the budget is free: people mistype.
const FREE_SHARE: u64 = 4;

const FIRST_DELAY: Duration = Duration::from_millis(250);
const LONGEST_DELAY: Duration = Duration::from_secs(8);

/// Levels are counted in thousandths of a failure.
const FAILURE: u64 = 1000;

/// How many wrong passwords one source may send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoorPolicy {
    /// So many of one address at once, three times as many of its network; 0 counts nothing.
    pub failures_max: u32,
    /// One is forgiven each time this has passed; two of a network.
    pub forgiven_each: Duration,
    /// Addresses of programs through which many people sign in. Not counted.
    pub gateways: Vec<Network>,
}

impl Default for DoorPolicy {
    fn default() -> DoorPolicy {
        DoorPolicy {
            failures_max: 20,
            forgiven_each: Duration::from_secs(60),
            gateways: Vec::new(),
        }
    }
}

/// An address, or the network around it: of 24 bits, or of 64 in IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Source {
    Address(IpAddr),
    Network(IpAddr),
}

/// A source that has failed of late, as it outlives a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownSource {
    /// `192.0.2.7`, or `192.0.2.0/24`.
    pub source: String,
    /// Thousandths of failures, at that time.
    pub level: u64,
    pub at_ms: u64,
    /// Whether its passwords are not looked at now.
    pub blocked: bool,
}

/// Made before the server, so that others can ask it who failed.
#[derive(Debug)]
pub struct Door {
    policy: ArcSwap<DoorPolicy>,
    /// The length of the table: 0 where nobody has failed of late.
    known: AtomicUsize,
    held: AtomicUsize,
    table: Mutex<HashMap<Source, Bucket>>,
}

/// Fills with each failure, and leaks.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    level: u64,
    at_ms: u64,
    held: u32,
}

/// How an attempt is let in.
#[derive(Debug)]
pub(crate) enum Admission {
    /// The password is looked at, and answered after this time.
    Judged(Option<Held>),
    /// It is not, and the answer comes after this time.
    Unheard(Option<Held>),
    /// Too many answers are held back already.
    Full,
}

/// The right to hold an answer back, until dropped.
#[derive(Debug)]
pub(crate) struct Held {
    door: Arc<Door>,
    source: Source,
    pub(crate) delay: Duration,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.door.held.fetch_sub(1, Ordering::AcqRel);
        if let Some(bucket) = self.door.table().get_mut(&self.source) {
            bucket.held = bucket.held.saturating_sub(1);
        }
    }
}

impl Default for Door {
    fn default() -> Door {
        Door::new(DoorPolicy::default())
    }
}

impl Door {
    pub fn new(policy: DoorPolicy) -> Door {
        Door {
            policy: ArcSwap::from_pointee(policy),
            known: AtomicUsize::new(0),
            held: AtomicUsize::new(0),
            table: Mutex::default(),
        }
    }

    /// From now on; what was counted stays counted.
    pub fn replace_policy(&self, policy: DoorPolicy) {
        self.policy.store(Arc::new(policy));
    }

    /// Whether failures from there count at all; the local socket has no address.
    fn sources(&self, address: Option<IpAddr>) -> Option<[Source; 2]> {
        let policy = self.policy.load();
        let address = address.filter(|_| policy.failures_max > 0)?.to_canonical();
        let is_gateway = policy.gateways.iter().any(|network| network.holds(Some(address)));
        (!is_gateway).then(|| [Source::Address(address), Source::Network(around(address))])
    }

    fn is_quiet(&self) -> bool {
        self.known.load(Ordering::Acquire) == 0
    }

    /// Before a password is looked at.
    pub(crate) fn admit(
        self: &Arc<Door>,
        address: Option<IpAddr>,
        now_ms: impl Fn() -> u64,
    ) -> Admission {
        if self.is_quiet() {
            return Admission::Judged(None);
        }
        let Some(sources) = self.sources(address) else { return Admission::Judged(None) };
        let now_ms = now_ms();
        let mut table = self.table();
        let blocked = sources.iter().any(|source| self.is_blocked(&table, source, now_ms));
        let delays = sources.iter().map(|source| self.delay(&table, source, now_ms));
        let delay = delays.max().unwrap_or_default();
        let held = match delay.is_zero() {
            true => None,
            false => match self.hold(&mut table, &sources, delay) {
                None => return Admission::Full,
                held => held,
            },
        };
        if blocked { Admission::Unheard(held) } else { Admission::Judged(held) }
    }

    fn hold(
        self: &Arc<Door>,
        table: &mut HashMap<Source, Bucket>,
        sources: &[Source; 2],
        delay: Duration,
    ) -> Option<Held> {
        let source = *sources.iter().find(|source| table.contains_key(source))?;
        let bucket = table.get_mut(&source)?;
        let room = self.held.load(Ordering::Acquire) < HELD_MAX;
        if !room || bucket.held >= HELD_PER_SOURCE_MAX {
            return None;
        }
        bucket.held += 1;
        self.held.fetch_add(1, Ordering::AcqRel);
        Some(Held { door: Arc::clone(self), source, delay })
    }

    /// A verdict is there: `conclude` says whether it is a failure, and is asked only as long as
    /// the source has not used up its budget meanwhile. Both in one step, so that attempts made at
    /// the same time are no more than the budget.
    pub(crate) fn judge<V>(
        &self,
        address: Option<IpAddr>,
        matched: bool,
        now_ms: impl Fn() -> u64,
        conclude: impl FnOnce() -> (V, bool),
    ) -> Option<V> {
        if matched && self.is_quiet() {
            return Some(conclude().0);
        }
        let Some(sources) = self.sources(address) else { return Some(conclude().0) };
        let now_ms = now_ms();
        let mut table = self.table();
        if sources.iter().any(|source| self.is_blocked(&table, source, now_ms)) {
            return None;
        }
        let (verdict, failed) = conclude();
        if failed {
            for source in sources {
                self.count(&mut table, source, now_ms);
            }
            self.known.store(table.len(), Ordering::Release);
        }
        Some(verdict)
    }

    fn count(&self, table: &mut HashMap<Source, Bucket>, source: Source, now_ms: u64) {
        if table.len() >= SOURCES_MAX && !table.contains_key(&source) {
            self.make_room(table, now_ms);
        }
        let level = self.level(table, &source, now_ms) + FAILURE;
        let bucket = table.entry(source).or_default();
        (bucket.level, bucket.at_ms) = (level, now_ms);
        if self.is_blocked(table, &source, now_ms) {
            tracing::warn!(
                source = %name(source),
                "too many wrong passwords: none from there is looked at for now"
            );
        }
    }

    /// Those who failed least go, an eighth of them at once.
    fn make_room(&self, table: &mut HashMap<Source, Bucket>, now_ms: u64) {
        table.retain(|source, bucket| bucket.held > 0 || self.left(*bucket, source, now_ms) > 0);
        if table.len() < SOURCES_MAX {
            return;
        }
        let mut levels: Vec<u64> =
            table.iter().map(|(source, bucket)| self.left(*bucket, source, now_ms)).collect();
        levels.sort_unstable();
        let low = levels.get(SOURCES_MAX / 8).copied().unwrap_or_default();
        let mut surplus = SOURCES_MAX / 8;
        table.retain(|source, bucket| {
            let goes = surplus > 0 && self.left(*bucket, source, now_ms) <= low;
            surplus -= usize::from(goes);
            !goes
        });
    }

    /// What is left of a level after some time.
    fn left(&self, bucket: Bucket, source: &Source, now_ms: u64) -> u64 {
        let each =
            u64::try_from(self.policy.load().forgiven_each.as_millis()).unwrap_or(u64::MAX).max(1);
        // A clock that was set back forgives nothing, and takes nothing back.
        let passed = now_ms.saturating_sub(bucket.at_ms);
        let forgiven = passed.saturating_mul(FAILURE).saturating_mul(pace(source)) / each;
        bucket.level.saturating_sub(forgiven)
    }

    fn level(&self, table: &HashMap<Source, Bucket>, source: &Source, now_ms: u64) -> u64 {
        table.get(source).map_or(0, |bucket| self.left(*bucket, source, now_ms))
    }

    fn max(&self, source: &Source) -> u64 {
        u64::from(self.policy.load().failures_max) * FAILURE * share(source)
    }

    /// Whether there is no room for one more failure.
    fn is_blocked(&self, table: &HashMap<Source, Bucket>, source: &Source, now_ms: u64) -> bool {
        self.level(table, source, now_ms) + FAILURE > self.max(source)
    }

    /// Doubles with each failure beyond the free ones.
    fn delay(&self, table: &HashMap<Source, Bucket>, source: &Source, now_ms: u64) -> Duration {
        let level = self.level(table, source, now_ms);
        let free = self.max(source) / FREE_SHARE;
        let Some(beyond) = level.checked_sub(free.max(FAILURE)) else { return Duration::ZERO };
        let doubled = u32::try_from(beyond / FAILURE / share(source)).unwrap_or(u32::MAX);
        let factor = 2_u32.checked_pow(doubled).unwrap_or(u32::MAX);
        FIRST_DELAY.checked_mul(factor).map_or(LONGEST_DELAY, |delay| delay.min(LONGEST_DELAY))
    }

    /// All that have failed of late, for the next start.
    pub fn known(&self, now_ms: u64) -> Vec<KnownSource> {
        let table = self.table();
        let some = table.iter().filter(|(source, bucket)| self.left(**bucket, source, now_ms) > 0);
        let known = some.map(|(source, bucket)| KnownSource {
            source: name(*source),
            level: bucket.level,
            at_ms: bucket.at_ms,
            blocked: self.is_blocked(&table, source, now_ms),
        });
        let mut known: Vec<_> = known.collect();
        known.sort_by(|one, other| one.source.cmp(&other.source));
        known
    }

    /// What was known before; what is none of ours is passed over.
    pub fn remember(&self, known: &[KnownSource], now_ms: u64) {
        let mut table = self.table();
        for one in known.iter().take(SOURCES_MAX) {
            let Some(source) = parse(&one.source) else { continue };
            let at_ms = one.at_ms.min(now_ms);
            let level = one.level.min(self.max(&source));
            table.insert(source, Bucket { level, at_ms, held: 0 });
        }
        self.known.store(table.len(), Ordering::Release);
    }

    /// A thread that panicked has left whole buckets, so its poison means nothing.
    fn table(&self) -> MutexGuard<'_, HashMap<Source, Bucket>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn share(source: &Source) -> u64 {
    match source {
        Source::Address(_) => 1,
        Source::Network(_) => NETWORK_SHARE,
    }
}

fn pace(source: &Source) -> u64 {
    match source {
        Source::Address(_) => 1,
        Source::Network(_) => NETWORK_PACE,
    }
}

fn around(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(v4) => IpAddr::V4((v4.to_bits() & !0xff).into()),
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() & !u128::from(u64::MAX)).into()),
    }
}

fn name(source: Source) -> String {
    match source {
        Source::Address(address) => address.to_string(),
        Source::Network(address) if address.is_ipv4() => format!("{address}/24"),
        Source::Network(address) => format!("{address}/64"),
    }
}

fn parse(text: &str) -> Option<Source> {
    match text.split_once('/') {
        None => text.parse().ok().map(Source::Address),
        Some((address, _)) => address.parse().ok().map(|address| Source::Network(around(address))),
    }
}

#[cfg(test)]
mod tests;
