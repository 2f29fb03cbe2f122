//! TLS as each listener speaks it: versions, suites, client certificates. Changed for all of them
//! or for none.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use rustls::ServerConfig;
use serde::Serialize;
use server::network::Scope;
use server::tls::{ClientCertificates, ListenerTls, ServingTls, TlsPolicy};
use time::OffsetDateTime;

use crate::ca::Ca;
use crate::config::{Address, Config, Listener, Published};
use crate::failure::failed;
use crate::publish::publication::SCOPES;

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

/// Whose TLS it is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Whose {
    Listen(Address),
    Published(Scope),
    /// Of sockets that were handed over where no listener is configured.
    General,
}

struct One {
    whose: Whose,
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
    all: Vec<One>,
}

impl ListenersTls {
    pub(crate) fn open(
        config: &Config,
        serving: &ServingTls,
        now: OffsetDateTime,
    ) -> Result<ListenersTls> {
        let listeners = config.listeners.iter();
        let listeners = listeners.map(|listener| Whose::Listen(listener.address.clone()));
        let published = SCOPES.into_iter().map(Whose::Published);
        let mut all = Vec::new();
        for whose in listeners.chain(published).chain([Whose::General]) {
            if let Some(made) = Made::of(&whose, config)? {
                let tls = ListenerTls::new(made.config(serving)?);
                all.push(One { whose, made, tls });
            }
        }
        let state = State { change: Change::Ready, since: now, config: config.clone(), all };
        Ok(ListenersTls { serving: serving.clone(), state: Mutex::new(state) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Of the listener that was configured with this address.
    pub(crate) fn of(&self, listener: &Listener) -> Result<ListenerTls> {
        self.find(&Whose::Listen(listener.address.clone()))
    }

    pub(crate) fn published(&self, scope: Scope) -> Result<ListenerTls> {
        self.find(&Whose::Published(scope))
    }

    /// No client certificates, the general policy.
    pub(crate) fn general(&self) -> Result<ListenerTls> {
        self.find(&Whose::General)
    }

    fn find(&self, whose: &Whose) -> Result<ListenerTls> {
        let state = self.state();
        let found = state.all.iter().find(|one| one.whose == *whose);
        let none = || failed(format!("there are no TLS settings of {whose:?}; start again"));
        found.map(|one| one.tls.clone()).ok_or_else(none)
    }

    /// Takes over those of the published listeners alone; what was in force before.
    pub(crate) fn update_published(
        &self,
        published: &Published,
        now: OffsetDateTime,
    ) -> Result<Published> {
        let mut config = self.state().config.clone();
        let before = std::mem::replace(&mut config.published, published.clone());
        self.update(&config, now)?;
        Ok(before)
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
            if let Some(one) = state.all.get_mut(place) {
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

/// The place of a listener, what makes its TLS, and the TLS.
type Prepared = (usize, Made, std::sync::Arc<ServerConfig>);

impl State {
    fn prepare(&self, config: &Config, serving: &ServingTls) -> Result<Vec<Prepared>> {
        let mut prepared = Vec::new();
        for (place, one) in self.all.iter().enumerate() {
            // One that is not there any more stays as it is until the server starts again.
            let Some(made) = Made::of(&one.whose, config)? else { continue };
            if made != one.made {
                let tls = made.config(serving)?;
                prepared.push((place, made, tls));
            }
        }
        Ok(prepared)
    }
}

impl Made {
    fn of(whose: &Whose, config: &Config) -> Result<Option<Made>> {
        let (tls, client_ca) = match whose {
            Whose::General => {
                let policy = config.tls.policy.clone();
                let made = Made { policy, client_ca: None, needs_client_certificate: false };
                return Ok(Some(made));
            }
            Whose::Published(scope) => {
                let tls = &config.published.of(*scope).tls;
                let path = tls.client_ca.as_deref();
                (tls, path.map(|path| client_ca(path, config)).transpose()?)
            }
            Whose::Listen(address) => {
                let found = config.listeners.iter().find(|one| one.address == *address);
                let Some(listener) = found else { return Ok(None) };
                let own = config.data.join("ca.pem");
                // Without any configuration the in-house CA's are accepted.
                let usual = (config.file.is_none() && own.exists()).then_some(own.as_path());
                let path = listener.tls.client_ca.as_deref().or(usual);
                (&listener.tls, path.map(|path| client_ca(path, config)).transpose()?)
            }
        };
        Ok(Some(Made {
            policy: tls.policy.clone(),
            client_ca,
            needs_client_certificate: tls.needs_client_certificate,
        }))
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

/// Those whose client certificates are accepted.
fn client_ca(path: &Path, config: &Config) -> Result<Vec<u8>> {
    let read = |path: &Path| {
        let pem = std::fs::read(path);
        pem.with_context(|| format!("the client CA {} cannot be read", path.display()))
    };
    let mut pem = read(path)?;
    // A client need not send the CA that this server itself has, nor is it asked who is revoked.
    let ca = Ca::at(&config.data);
    if *path == config.data.join("ca.pem") {
        for beside in [ca.issuing_pem(), ca.crl_pem()].iter().filter(|path| path.exists()) {
            pem.extend(read(beside)?);
        }
    }
    Ok(pem)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Overrides;

    const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    #[test]
    fn a_published_listener_has_its_own_and_all_are_changed_or_none() {
        let folder = tempfile::tempdir().unwrap();
        Ca::at(folder.path()).found("host", OffsetDateTime::now_utc()).unwrap();
        let overrides = Overrides { data: Some(folder.path().to_owned()), ..Overrides::default() };
        let file = folder.path().join("chancery.toml");
        let config = |text: &str| Config::from_text(text, Some(&file), &overrides).unwrap();
        let tls = ListenersTls::open(&config(""), &ServingTls::default(), NOW).unwrap();
        let needs = |tls: &ListenersTls, scope| {
            let state = tls.state();
            let one = state.all.iter().find(|one| one.whose == Whose::Published(scope));
            one.unwrap().made.needs_client_certificate
        };
        let required = "client-certificates='required'\nclient-ca='ca.pem'\n";
        let external = format!("[publish.external]\n{required}");
        tls.update(&config(&external), NOW).unwrap();
        assert!(needs(&tls, Scope::External) && !needs(&tls, Scope::Internal));
        let broken = format!("[publish.internal]\n{}", required.replace("ca.pem", "none.pem"));
        let refused = tls.update(&config(&broken), NOW).unwrap_err();
        assert!(format!("{refused:#}").contains("none.pem"), "{refused:#}");
        assert!(needs(&tls, Scope::External) && !needs(&tls, Scope::Internal), "as it was");
        let before = tls.update_published(&Published::default(), NOW).unwrap();
        assert!(!needs(&tls, Scope::External));
        assert!(before.external.tls.needs_client_certificate);
    }
}
