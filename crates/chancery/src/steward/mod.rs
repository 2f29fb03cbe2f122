//! What this program does when the server is asked for it: `chancery` commands over the local
//! socket, a new certificate, `cn=monitor`. One file for each area; the requests are below.

mod accounts;
mod alerting;
pub(crate) mod certificate;
mod enrolment;
pub(crate) mod publish;
mod reload;

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use directory::{Directory, GivenEntry, Refusal, Subject};
use ldap::result::ResultCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use server::CertificateRules;
use server::Door;
use time::OffsetDateTime;

use crate::alerts::evaluation::Alerts;
use crate::arguments::Common;
use crate::ca::watch::CaWatch;
use crate::certificates::{Certificates, ListenersTls};
use crate::config::{Config, Overrides};
use crate::publish::Publisher;

/// A request of a command, as JSON: `{"do": "status"}`.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Asked {
    /// The state of everything.
    Status,
    /// What is wrong now, and what still waits to be delivered.
    Alerts,
    /// The same, looked at anew.
    Evaluate,
    /// Sends something everywhere alerts go.
    TestAlerts,
    /// Whether an account is locked.
    Account { dn: String },
    /// Takes its lock away.
    Unlock { dn: String },
    /// Reads schema, access rules and certificates again, as SIGHUP does.
    Reload,
    /// The candidates for the certificate that is served, with the reasons.
    CertificateWhy,
    /// What is open to whom.
    Publish { what: publish::Publishing },
}

/// Everything that a request may need.
pub(crate) struct Steward {
    pub(crate) common: Common,
    pub(crate) overrides: Overrides,
    pub(crate) data: PathBuf,
    pub(crate) directory: Directory,
    pub(crate) certificates: Arc<Certificates>,
    pub(crate) listeners: Arc<ListenersTls>,
    pub(crate) certificate_rules: CertificateRules,
    /// As it was at the start.
    pub(crate) started_with: Config,
    pub(crate) door: Arc<Door>,
    pub(crate) alerts: Arc<Alerts>,
    pub(crate) ca: CaWatch,
    /// From when on the server runs.
    pub(crate) running: OnceLock<Running>,
    pub(crate) started: OffsetDateTime,
    pub(crate) publisher: Arc<Publisher>,
}

/// What is known once the server runs.
pub(crate) struct Running {
    pub(crate) gauge: server::Gauge,
    /// Where it listens now, as URIs.
    pub(crate) listening: Box<dyn Fn() -> Vec<String> + Send + Sync>,
}

impl std::fmt::Debug for Steward {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Steward(since {})", self.started)
    }
}

impl Steward {
    pub(crate) fn runs(&self, running: Running) {
        // It is started once.
        let _ = self.running.set(running);
    }

    fn answer(&self, asked: &Asked) -> Result<Value, Refusal> {
        match asked {
            Asked::Status => self.status(),
            Asked::Alerts => Ok(alerting::state(&self.alerts)),
            Asked::Evaluate => alerting::evaluate(&self.alerts),
            Asked::TestAlerts => alerting::test(&self.alerts),
            Asked::Account { dn } => accounts::account(&self.directory, dn),
            Asked::Unlock { dn } => accounts::unlock(&self.directory, dn),
            Asked::Reload => {
                let waiting = self.reload()?;
                Ok(json!({ "reloaded": true, "needs-restart": waiting }))
            }
            Asked::CertificateWhy => {
                let why = self.certificates.why();
                Ok(json!({ "text": why.to_string(), "why": why }))
            }
            Asked::Publish { what } => publish::answer(self, what),
        }
    }

    fn status(&self) -> Result<Value, Refusal> {
        Ok(json!({
            "version": VERSION,
            "started": crate::alerts::text(self.started),
            "certificate": certificate::state(&self.certificates),
            "tls": certificate::settings(&self.listeners),
            "locked": accounts::locked(&self.directory)?,
            "sources": self.sources(),
            "listening": self.running.get().map(|running| (running.listening)()),
            "connections": self.running.get().map(connections),
            "publishing": self.publisher.status(),
            "alerting": alerting::state(&self.alerts),
        }))
    }

    /// Those whose passwords are not looked at now.
    fn sources(&self) -> Value {
        let known = self.door.known(crate::sources::milliseconds(OffsetDateTime::now_utc()));
        let blocked = known.iter().filter(|source| source.blocked).map(|source| &source.source);
        json!({ "failing": known.len(), "blocked": blocked.collect::<Vec<_>>() })
    }

    /// Reads schema, access rules, certificates and more again. What is wrong leaves the old of it
    /// in force. Given back: the settings that changed and need a restart.
    pub(crate) fn reload(&self) -> Result<Vec<&'static str>, Refusal> {
        match reload::read_again(self) {
            Ok(waiting) => {
                tracing::info!("reloaded schema, access rules and certificate");
                if !waiting.is_empty() {
                    let sections = waiting.join(", ");
                    tracing::warn!(sections, "changed settings that count from the next start on");
                }
                Ok(waiting)
            }
            Err(error) => {
                tracing::error!("{error:#}");
                Err(unwilling(format!("{error:#}")))
            }
        }
    }
}

fn connections(running: &Running) -> Value {
    let statistics = running.gauge.statistics();
    json!({
        "open": statistics.connections_open,
        "ever": statistics.connections_ever,
        "panics": statistics.panics,
    })
}

impl server::Steward for Steward {
    fn manage(&self, request: &[u8]) -> Result<Vec<u8>, Refusal> {
        let asked: Asked = serde_json::from_slice(request).map_err(|error| {
            let message =
                format!("this is no request of a command of version {}: {error}", VERSION);
            Refusal::new(ResultCode::PROTOCOL_ERROR, message)
        })?;
        Ok(self.answer(&asked)?.to_string().into_bytes())
    }

    fn enrol(&self, requester: &Subject, request: &[u8]) -> Result<Vec<u8>, Refusal> {
        self.enrolled(requester, request, OffsetDateTime::now_utc())
    }

    fn renew_certificate(&self, _requester: &Subject) -> Result<(), Refusal> {
        let renewed = reload::served(self.certificates.refresh(OffsetDateTime::now_utc()));
        renewed.map_err(|error| unwilling(format!("{error:#}")))
    }

    fn monitor(&self) -> Vec<GivenEntry> {
        vec![
            server::monitor::entry(None, &[("description", vec![format!("Chancery {VERSION}")])]),
            publish::monitor(&self.publisher),
            certificate::monitor(&self.certificates),
        ]
    }
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

fn unwilling(message: String) -> Refusal {
    Refusal::new(ResultCode::UNWILLING_TO_PERFORM, message)
}
