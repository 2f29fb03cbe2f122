//! TLS as each listener speaks it: versions, suites, client certificates. Changed for all of them
//! or for none.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use rustls::ServerConfig;
use serde::Serialize;
use server::tls::{ClientCertificates, ListenerTls, ServingTls, TlsPolicy};
use time::OffsetDateTime;

use crate::ca::Ca;
use crate::config::{Address, Config, Listener};
use crate::failure::failed;

/// Where a change of these settings stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub(crate) enum Change {
    /// As at the start.
    Ready,
    Updating,
    Updated,
    /// What was in force before still is.
    Failed {
        reason: String,
    },
}

/// What makes a listener's TLS. Where it stays the same, its tickets stay good.
#[derive(Clone, PartialEq, Eq)]
struct Made {
    policy: TlsPolicy,
    client_ca: Option<Vec<u8>>,
    needs_client_certificate: bool,
}

struct One {
    address: Address,
    made: Made,
    tls: ListenerTls,
}

/// The TLS of every listener, the one of published listeners among them.
pub(crate) struct ListenersTls {
    serving: ServingTls,
    state: Mutex<State>,
}

struct State {
    change: Change,
    since: OffsetDateTime,
    /// What was taken over last.
    config: Config,
    listeners: Vec<One>,
    /// For listeners that come later: no client certificates, the general policy.
    published: One,
}

impl ListenersTls {
    pub(crate) fn open(
        config: &Config,
        serving: &ServingTls,
        now: OffsetDateTime,
    ) -> Result<ListenersTls> {
        let one = |address: Address, made: Made| {
            let tls = ListenerTls::new(made.config(serving)?);
            anyhow::Ok(One { address, made, tls })
        };
        let listeners = config.listeners.iter();
        let listeners = listeners.map(|it| one(it.address.clone(), Made::of(it, config)?));
        let listeners = listeners.collect::<Result<Vec<_>>>()?;
        let published = one(Address::Path(PathBuf::new()), Made::general(config))?;
        let (change, config) = (Change::Ready, config.clone());
        let state = State { change, since: now, config, listeners, published };
        Ok(ListenersTls { serving: serving.clone(), state: Mutex::new(state) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Of the listener that was configured with this address.
    pub(crate) fn of(&self, listener: &Listener) -> ListenerTls {
        let state = self.state();
        let found = state.listeners.iter().find(|one| one.address == listener.address);
        found.unwrap_or(&state.published).tls.clone()
    }

    pub(crate) fn published(&self) -> ListenerTls {
        self.state().published.tls.clone()
    }

    /// Takes over new settings: everything is made before anything is replaced.
    pub(crate) fn update(&self, config: &Config, now: OffsetDateTime) -> Result<()> {
        let mut state = self.state();
        (state.change, state.since) = (Change::Updating, now);
        let made = state.prepare(config, &self.serving);
        state.change = match &made {
            Ok(_) => Change::Updated,
            Err(error) => Change::Failed { reason: format!("{error:#}") },
        };
        let made = made?;
        state.config = config.clone();
        for (place, made, tls) in made {
            let one = match place {
                Some(place) => state.listeners.get_mut(place),
                None => Some(&mut state.published),
            };
            if let Some(one) = one {
                one.tls.replace(tls);
                one.made = made;
            }
        }
        Ok(())
    }

    /// Reads the CAs of client certificates again, and who is revoked.
    pub(crate) fn refresh(&self, now: OffsetDateTime) -> Result<()> {
        let state = self.state();
        let config = state.config.clone();
        if state.prepare(&config, &self.serving)?.is_empty() {
            return Ok(());
        }
        drop(state);
        self.update(&config, now)
    }

    /// Where the last change stands, and since when.
    pub(crate) fn change(&self) -> (Change, OffsetDateTime) {
        let state = self.state();
        (state.change.clone(), state.since)
    }
}

/// The place of a listener (none: the published ones), what makes its TLS, and the TLS.
type Prepared = (Option<usize>, Made, std::sync::Arc<ServerConfig>);

impl State {
    fn prepare(&self, config: &Config, serving: &ServingTls) -> Result<Vec<Prepared>> {
        let mut prepared = Vec::new();
        let mut prepare = |place, one: &One, made: Made| {
            if made != one.made {
                let tls = made.config(serving)?;
                prepared.push((place, made, tls));
            }
            anyhow::Ok(())
        };
        for (place, one) in self.listeners.iter().enumerate() {
            let wanted = config.listeners.iter().find(|wanted| wanted.address == one.address);
            if let Some(wanted) = wanted {
                prepare(Some(place), one, Made::of(wanted, config)?)?;
            }
        }
        prepare(None, &self.published, Made::general(config))?;
        Ok(prepared)
    }
}

impl Made {
    fn of(listener: &Listener, config: &Config) -> Result<Made> {
        Ok(Made {
            policy: listener.policy.clone(),
            client_ca: client_ca(listener, config)?,
            needs_client_certificate: listener.needs_client_certificate,
        })
    }

    fn general(config: &Config) -> Made {
        let policy = config.tls.policy.clone();
        Made { policy, client_ca: None, needs_client_certificate: false }
    }

    fn config(&self, serving: &ServingTls) -> Result<std::sync::Arc<ServerConfig>> {
        let clients = match &self.client_ca {
            None => ClientCertificates::NotAsked,
            Some(ca_pem) if self.needs_client_certificate => {
                ClientCertificates::Required { ca_pem }
            }
            Some(ca_pem) => ClientCertificates::Optional { ca_pem },
        };
        serving.config(&self.policy, clients).map_err(failed)
    }
}

/// Whose client certificates are accepted: the configured CA's, or without any configuration the
/// in-house CA's.
fn client_ca(listener: &Listener, config: &Config) -> Result<Option<Vec<u8>>> {
    let own = config.data.join("ca.pem");
    let path = match &listener.client_ca {
        Some(path) => path,
        None if config.file.is_none() && own.exists() => &own,
        None => return Ok(None),
    };
    let read = |path: &Path| {
        let pem = std::fs::read(path);
        pem.with_context(|| format!("the client CA {} cannot be read", path.display()))
    };
    let mut pem = read(path)?;
    // A client need not send the CA that this server itself has, nor is it asked who is revoked.
    let ca = Ca::at(&config.data);
    if *path == own {
        for beside in [ca.issuing_pem(), ca.crl_pem()].iter().filter(|path| path.exists()) {
            pem.extend(read(beside)?);
        }
    }
    Ok(Some(pem))
}
