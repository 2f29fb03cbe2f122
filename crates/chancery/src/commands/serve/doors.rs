//! The listeners that wait for a certificate: LDAPS comes up when, and only when, one passes.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::Result;

use server::{
    Endpoint, Listen, Listeners, Listening, ListeningAddress, Mode, OpenListener, Server,
};
use time::OffsetDateTime;

use super::greeting;
use crate::alerts::{Condition, Level, Watches};
use crate::certificates::Certificates;
use crate::duties::Duty;
use crate::publish::Publisher;

pub(super) struct Doors {
    /// Not before the server runs.
    listeners: OnceLock<Listeners>,
    state: Mutex<State>,
}

struct State {
    waiting: Vec<Listen>,
    /// Where LDAPS is listened for.
    open: Vec<SocketAddr>,
    /// Kept, because a listener that is dropped could not be closed any more.
    opened: Vec<OpenListener>,
    failed: Vec<String>,
}

impl Doors {
    pub(super) fn new(waiting: Vec<Listen>) -> Doors {
        let state = State { waiting, open: Vec::new(), opened: Vec::new(), failed: Vec::new() };
        Doors { listeners: OnceLock::new(), state: Mutex::new(state) }
    }

    /// Once the server runs.
    pub(super) fn begin(
        &self,
        server: &Server,
        certificates: &Certificates,
        publisher: &Publisher,
    ) {
        let open: Vec<SocketAddr> = server.addresses().iter().filter_map(ldaps).collect();
        self.state().open.clone_from(&open);
        self.listeners.get_or_init(|| server.listeners());
        self.check(certificates, publisher);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// After a certificate came into service: opens what has waited for one.
    pub(super) fn certificate_came(&self) {
        let mut state = self.state();
        let Some(listeners) = self.listeners.get() else { return };
        state.failed.clear();
        for listen in std::mem::take(&mut state.waiting) {
            let again = again(&listen);
            match listeners.open(listen) {
                Ok(opened) => {
                    greeting::print_listening(opened.listening());
                    state.open.extend(ldaps(opened.listening()));
                    state.opened.push(opened);
                }
                Err(error) => {
                    tracing::error!(%error, "a listener could not be opened; trying again");
                    state.failed.push(error.to_string());
                    state.waiting.extend(again);
                }
            }
        }
    }

    /// Looks whether clients see the certificate, on published listeners as well.
    pub(super) fn check(&self, certificates: &Certificates, publisher: &Publisher) {
        if self.listeners.get().is_none() {
            return;
        }
        let open: Vec<_> = self.state().open.iter().map(|address| (*address, None)).collect();
        let published = publisher.gates().into_iter();
        let published = published.map(|(_, address, gate)| (address, Some(gate)));
        certificates.check_listeners(&open.into_iter().chain(published).collect::<Vec<_>>());
    }

    /// Tries again what could not be opened: somebody else may have had the address.
    fn try_again(&self, certificates: &Certificates, publisher: &Publisher) {
        if !self.state().failed.is_empty() {
            self.certificate_came();
            self.check(certificates, publisher);
        }
    }

    /// All that was opened late, as URIs.
    pub(super) fn late(&self) -> Vec<String> {
        self.state().opened.iter().map(|opened| greeting::uri(opened.listening())).collect()
    }
}

impl Watches for Doors {
    fn conditions(&self, _now: OffsetDateTime) -> Vec<Condition> {
        let state = self.state();
        let failed = state.failed.iter().map(|what| Condition {
            id: "listener-not-open",
            cause: what.clone(),
            level: Level::Critical,
            what: format!("a listener that waited for a certificate did not open: {what}"),
            fix: "free the address, or change it and start the server again".to_owned(),
        });
        failed.collect()
    }
}

/// The same listener once more. A socket that was handed over is open already and does not fail.
fn again(listen: &Listen) -> Option<Listen> {
    match listen {
        Listen::Ldaps(Endpoint::Address(address), tls) => {
            Some(Listen::Ldaps(Endpoint::Address(*address), tls.clone()))
        }
        Listen::StartTls(Endpoint::Address(address), tls) => {
            Some(Listen::StartTls(Endpoint::Address(*address), tls.clone()))
        }
        _ => None,
    }
}

/// The duty that tries again.
pub(super) struct Opening {
    pub(super) doors: Arc<Doors>,
    pub(super) certificates: Arc<Certificates>,
    pub(super) publisher: Arc<Publisher>,
}

impl Duty for Opening {
    fn name(&self) -> &'static str {
        "listeners"
    }

    fn every(&self) -> Duration {
        Duration::from_secs(5)
    }

    fn run(&mut self, _now: OffsetDateTime) -> Result<()> {
        self.doors.try_again(&self.certificates, &self.publisher);
        Ok(())
    }
}

fn ldaps(listening: &Listening) -> Option<SocketAddr> {
    match (&listening.address, listening.mode) {
        (ListeningAddress::Internet(address), Mode::Ldaps) => Some(*address),
        _ => None,
    }
}
