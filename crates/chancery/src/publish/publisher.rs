//! The running side of publishing: one change at a time, all of it or nothing.
//!
//! A change is written down before it begins and after it has ended. What cannot be done leaves
//! serving what served before; what a crash interrupts is found out at the next start.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError, Weak};

use pki::judge::names::ServedName;
use serde_json::{Value, json};
use server::network::{Admission, Gate, RuleTable, Scope};
use server::{Endpoint, Listen, StartError};
use time::OffsetDateTime;

use retry::Waiting;

use super::plan::{Change, changes};
use super::publication::{Publication, SCOPES, Switches};
use super::record::{AskedFor, Record, State};
use super::refusals;
use crate::alerts::text;
use crate::certificates::ListenersTls;

/// Closes a listener; returns when its address is free.
pub(crate) type Close = Box<dyn FnOnce() + Send>;

/// What opens listeners: the running server.
pub(crate) trait Opens: Send + Sync {
    fn open(&self, address: SocketAddr, gate: Arc<Gate>) -> Result<Close, StartError>;
}

/// The running server, and the TLS of what it opens.
pub(crate) struct OpensBehindGates {
    pub(crate) listeners: server::Listeners,
    pub(crate) tls: Arc<ListenersTls>,
}

impl Opens for OpensBehindGates {
    fn open(&self, address: SocketAddr, gate: Arc<Gate>) -> Result<Close, StartError> {
        let endpoint = Endpoint::Address(address);
        let tls = self.tls.published(gate.scope()).map_err(|error| StartError::Listen {
            address: address.to_string(),
            source: std::io::Error::other(format!("{error:#}")),
        })?;
        let listener = self.listeners.open(Listen::Published(endpoint, gate, tls))?;
        Ok(Box::new(move || listener.close()))
    }
}

/// What the certificate has to say of names.
pub(crate) trait Certified: Send + Sync {
    /// Why it must not be served under them: a sentence for each reason.
    fn refusals(&self, names: &[ServedName], now: OffsetDateTime) -> Vec<String>;

    /// Whether any is served. Without one no listener opens.
    fn is_ready(&self) -> bool;

    /// Those that the certificate in service does not cover.
    fn uncovered(&self, names: &[ServedName]) -> Vec<String>;
}

pub(crate) struct Publisher {
    data: PathBuf,
    certificate: Box<dyn Certified>,
    /// Not before the server runs.
    opens: OnceLock<Box<dyn Opens>>,
    /// Held by whoever changes something.
    under_way: Mutex<()>,
    waiting: Mutex<Option<Waiting>>,
    now: Mutex<Now>,
}

struct Now {
    record: Record,
    doors: Doors,
}

/// Open listeners, and the gates of closed ones whose sessions go on.
#[derive(Default)]
struct Doors {
    open: Vec<Door>,
    closed: Vec<(Scope, Weak<Gate>)>,
}

struct Door {
    scope: Scope,
    address: SocketAddr,
    gate: Arc<Gate>,
    close: Close,
}

/// Something to be changed.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    /// Or why the file and the switches do not make one.
    pub(crate) wanted: Result<Publication, String>,
    pub(crate) switches: Switches,
    pub(crate) asked: AskedFor,
}

/// Why nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NotDone {
    /// Another change is under way.
    Busy(String),
    /// What stands against it.
    Refused(Vec<String>),
    /// It was tried, and what served before serves again.
    Failed(String),
}

impl std::fmt::Display for NotDone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            NotDone::Busy(text) | NotDone::Failed(text) => f.write_str(text),
            NotDone::Refused(all) => f.write_str(&all.join("; ")),
        }
    }
}

impl Publisher {
    pub(crate) fn new(
        data: PathBuf,
        certificate: Box<dyn Certified>,
        now: OffsetDateTime,
    ) -> Publisher {
        let record = Record::load_or_set_aside(&data, now);
        let now = Mutex::new(Now { record, doors: Doors::default() });
        let (opens, under_way) = (OnceLock::new(), Mutex::new(()));
        Publisher { data, certificate, opens, under_way, waiting: Mutex::new(None), now }
    }

    /// The server runs: opens what is wanted, or what served before where that cannot be. After an
    /// interrupted change nothing new is tried until somebody asks for it.
    pub(crate) fn begin(
        &self,
        opens: Box<dyn Opens>,
        order: impl FnOnce(&Record) -> Order,
        now: OffsetDateTime,
    ) {
        let _change = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = self.opens.set(opens);
        let record = self.record();
        match record.state {
            State::Configuring => {
                let asked = record.asked.map_or_else(String::new, |asked| {
                    format!(" while it was changing: {} (by {})", asked.what, asked.by)
                });
                let reason = format!("interrupted: the server ended{asked}");
                tracing::error!("publishing failed, what was published before is: {reason}");
                self.state().record.held = true;
                self.end(Doors::default(), State::Failed, Some(reason), text(now));
                self.restore_or_wait();
            }
            // The log has said why.
            State::Failed if record.held => self.restore_or_wait(),
            _ => {
                let order = order(&record);
                let again = order.clone();
                self.follow(self.perform(|_| order, true, now).map(drop), again);
            }
        }
    }

    /// What served before, as far as it can be had, without asking again whether it may. The error
    /// says what cannot; before there is a certificate nothing is to be had.
    fn restore(&self) -> Result<(), String> {
        let before = self.record().in_force;
        if !self.certificate.is_ready() {
            return Ok(());
        }
        let mut doors = std::mem::take(&mut self.state().doors);
        let mut restored = self.rearrange(&mut doors, &before);
        if restored.is_err() {
            // One of two is better than none.
            for scope in SCOPES {
                let mut one = Publication { internal: None, external: None, ..before.clone() };
                match scope {
                    Scope::Internal => one.internal.clone_from(&before.internal),
                    Scope::External => one.external.clone_from(&before.external),
                }
                match self.rearrange(&mut doors, &one) {
                    Ok(()) if one.is_open() => break,
                    Ok(()) => {}
                    Err(error) => restored = Err(error),
                }
            }
        }
        self.state().doors = doors;
        restored
    }

    /// Another certificate is served: what failed for want of it may be possible now. What waits
    /// for somebody to ask does not come of it; what served before does.
    pub(crate) fn certificate_came(
        &self,
        order: impl FnOnce(&Record) -> Option<Order>,
        now: OffsetDateTime,
    ) {
        let _change = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        let record = self.record();
        if record.state != State::Failed {
            return;
        }
        if record.held {
            return self.restore_or_wait();
        }
        let Some(order) = order(&record) else { return };
        let again = order.clone();
        self.follow(self.perform(|_| order, false, now).map(drop), again);
    }

    /// Makes it so, or changes nothing. The changes made; none where there was nothing to do.
    /// `order` is asked when no other change can come in between.
    pub(crate) fn change(
        &self,
        order: impl FnOnce(&Record) -> Order,
        now: OffsetDateTime,
    ) -> Result<Vec<Change>, NotDone> {
        let _change = match self.under_way.try_lock() {
            Ok(change) => change,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Err(busy(&self.record())),
        };
        self.perform(order, false, now)
    }

    fn perform(
        &self,
        order: impl FnOnce(&Record) -> Order,
        is_start: bool,
        now: OffsetDateTime,
    ) -> Result<Vec<Change>, NotDone> {
        let before = self.record();
        let Order { wanted, switches, asked } = order(&before);
        let changes = wanted.as_ref().map(|wanted| changes(&before.in_force, wanted));
        let is_same = changes.as_ref().is_ok_and(Vec::is_empty) && before.switches == switches;
        let is_settled = is_same && matches!(before.state, State::Enabled | State::Disabled);
        if is_settled && (!is_start || !before.in_force.is_open()) {
            return Ok(Vec::new());
        }
        let mut doors = self.configure(asked.clone(), now)?;
        let nothing = Publication::default();
        let known = if is_start { &nothing } else { &before.in_force };
        let done = wanted.clone().map_err(|why| NotDone::Refused(vec![why])).and_then(|wanted| {
            self.prove(known, &wanted, now)?;
            self.rearrange(&mut doors, &wanted).map_err(NotDone::Failed)?;
            Ok(wanted)
        });
        match done {
            Ok(wanted) => {
                let after = if wanted.is_open() { State::Enabled } else { State::Disabled };
                // A restart is no change.
                let since = if is_settled { before.since } else { text(now) };
                {
                    let record = &mut self.state().record;
                    (record.in_force, record.switches) = (wanted, switches);
                    record.held = false;
                }
                self.end(doors, after, None, since);
                let changes = changes.unwrap_or_default();
                for change in &changes {
                    tracing::info!(asked = asked.what, by = asked.by, "published: {change}");
                }
                Ok(changes)
            }
            Err(not_done) => {
                tracing::error!(asked = asked.what, by = asked.by, "not published: {not_done}");
                self.end(doors, State::Failed, Some(not_done.to_string()), text(now));
                Err(not_done)
            }
        }
    }

    /// Written down before anything is done.
    fn configure(&self, asked: AskedFor, now: OffsetDateTime) -> Result<Doors, NotDone> {
        let mut state = self.state();
        let before = state.record.clone();
        let record = &mut state.record;
        (record.state, record.since) = (State::Configuring, text(now));
        (record.reason, record.asked) = (None, Some(asked));
        if let Err(error) = record.store(&self.data) {
            *record = before;
            return Err(NotDone::Failed(format!("{error:#}")));
        }
        Ok(std::mem::take(&mut state.doors))
    }

    /// Nothing stands against what is new in it.
    fn prove(
        &self,
        known: &Publication,
        wanted: &Publication,
        now: OffsetDateTime,
    ) -> Result<(), NotDone> {
        let against = self.refusals(known, wanted, now);
        if against.is_empty() { Ok(()) } else { Err(NotDone::Refused(against)) }
    }

    /// All that stands against getting from one publication to another. What stays as it is, is not
    /// asked again: closing a listener must be possible whatever is wrong with the other.
    pub(crate) fn refusals(
        &self,
        known: &Publication,
        wanted: &Publication,
        now: OffsetDateTime,
    ) -> Vec<String> {
        let mut against = refusals::of_rules(known, wanted);
        if refusals::shows_certificate_anew(known, wanted) {
            against.extend(self.certificate.refusals(&wanted.served_names(), now));
        }
        against
    }

    fn end(&self, doors: Doors, after: State, reason: Option<String>, since: String) {
        let mut state = self.state();
        state.doors = doors;
        let record = &mut state.record;
        (record.state, record.since, record.reason) = (after, since, reason);
        if let Err(error) = record.store(&self.data) {
            // What serves is right; a restart would find this change interrupted.
            tracing::error!("the state of publishing could not be written: {error:#}");
        }
    }

    /// Opens first, then replaces rules, then closes: what can fail comes first and is undone.
    fn rearrange(&self, doors: &mut Doors, wanted: &Publication) -> Result<(), String> {
        let mut targets = Vec::new();
        for scope in SCOPES {
            targets.extend(wanted.admission(scope)?.map(|(at, admission)| (scope, at, admission)));
        }
        let is_open = |doors: &Doors, scope, address| {
            doors.open.iter().any(|door| (door.scope, door.address) == (scope, address))
        };
        let mut fresh = Vec::new();
        let mut moved = Vec::new();
        for (scope, address, admission) in &targets {
            if is_open(doors, *scope, *address) {
                continue;
            }
            match self.open(doors, *scope, *address, admission, &mut moved) {
                Ok(door) => fresh.push(door),
                Err(error) => {
                    fresh.into_iter().for_each(|door: Door| (door.close)());
                    self.reopen(doors, moved);
                    return Err(error);
                }
            }
        }
        doors.closed.extend(moved.iter().map(|door| (door.0, Arc::downgrade(&door.2))));
        settle(doors, &targets, wanted.cut);
        doors.open.extend(fresh);
        Ok(())
    }

    /// An address that overlaps with that of the listener it replaces is free once that is closed.
    fn open(
        &self,
        doors: &mut Doors,
        scope: Scope,
        address: SocketAddr,
        admission: &Admission,
        moved: &mut Vec<Moved>,
    ) -> Result<Door, String> {
        let opens = self.opens.get().ok_or("the server is only starting; try again")?;
        let gate = Gate::new(scope, admission.clone());
        let mut opened = opens.open(address, Arc::clone(&gate));
        let own = doors.open.iter().position(|door| door.scope == scope);
        if let (Err(StartError::InUse { .. }), Some(own)) = (&opened, own) {
            let old = doors.open.swap_remove(own);
            (old.close)();
            moved.push((old.scope, old.address, old.gate));
            opened = opens.open(address, Arc::clone(&gate));
        }
        let close = opened.map_err(|error| not_open(scope, &error))?;
        Ok(Door { scope, address, gate, close })
    }

    fn reopen(&self, doors: &mut Doors, moved: Vec<Moved>) {
        for (scope, address, gate) in moved {
            let Some(opens) = self.opens.get() else { return };
            match opens.open(address, Arc::clone(&gate)) {
                Ok(close) => doors.open.push(Door { scope, address, gate, close }),
                Err(error) => {
                    tracing::error!("the {scope} listener is lost: {}", not_open(scope, &error));
                }
            }
        }
    }

    /// Published names that clients would not find in the certificate they are shown.
    pub(crate) fn uncovered(&self) -> Vec<String> {
        self.certificate.uncovered(&self.record().in_force.served_names())
    }

    pub(crate) fn record(&self) -> Record {
        self.state().record.clone()
    }

    /// The rules in force of the listeners that are open.
    pub(crate) fn gates(&self) -> Vec<(Scope, SocketAddr, Arc<Gate>)> {
        let state = self.state();
        let open = state.doors.open.iter();
        open.map(|door| (door.scope, door.address, Arc::clone(&door.gate))).collect()
    }

    /// What `publish status` prints of a running server.
    pub(crate) fn status(&self) -> Value {
        let mut status = json!(self.record());
        let gates = self.gates();
        let listeners = gates.iter().map(|(scope, address, gate)| {
            let counts = gate.counts();
            json!({
                "listener": scope.to_string(),
                "address": address.to_string(),
                "admitted": counts.admitted,
                "denied": counts.denied,
            })
        });
        if let Some(fields) = status.as_object_mut() {
            fields.insert("listeners".to_owned(), listeners.collect());
        }
        status
    }

    fn state(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What would be right is in another place of the file than for other listeners.
fn not_open(scope: Scope, error: &StartError) -> String {
    match error {
        StartError::InUse { address } => format!(
            "cannot listen on {address}: it is in use; stop what listens there, or write another \
             `address` in [publish.{scope}]"
        ),
        StartError::Permission { address } => format!(
            "cannot listen on {address}: no permission; write a port from 1024 up as `address` in \
             [publish.{scope}], or grant CAP_NET_BIND_SERVICE"
        ),
        other => other.to_string(),
    }
}

/// A listener that was closed to make room: what is needed to open it again.
type Moved = (Scope, SocketAddr, Arc<Gate>);

fn busy(record: &Record) -> NotDone {
    let (what, by) = match &record.asked {
        Some(asked) => (asked.what.as_str(), asked.by.as_str()),
        None => ("a change", "somebody"),
    };
    NotDone::Busy(format!(
        "another change is under way since {}: {what} (by {by}); try again when it has ended",
        record.since
    ))
}

/// Rules of listeners that stay are replaced, listeners that are not wanted close. Nothing of it
/// can fail.
fn settle(doors: &mut Doors, targets: &[(Scope, SocketAddr, Admission)], cut: bool) {
    let nobody =
        || Admission { rules: RuleTable::default().of(Scope::External, 0), balancers: Vec::new() };
    let of = |scope: Scope| targets.iter().find(|target| target.0 == scope);
    // Their sessions are still under the rules of their listener.
    doors.closed.retain(|(scope, gate)| {
        let Some(gate) = gate.upgrade() else { return false };
        gate.replace(of(*scope).map_or_else(nobody, |target| target.2.clone()), cut);
        true
    });
    for door in std::mem::take(&mut doors.open) {
        match of(door.scope) {
            Some((_, address, admission)) if *address == door.address => {
                door.gate.replace(admission.clone(), cut);
                doors.open.push(door);
            }
            other => {
                (door.close)();
                let admission = other.map_or_else(nobody, |target| target.2.clone());
                door.gate.replace(admission, cut);
                doors.closed.push((door.scope, Arc::downgrade(&door.gate)));
            }
        }
    }
}

mod retry;
#[cfg(test)]
mod tests;

pub(crate) use retry::Retrying;
