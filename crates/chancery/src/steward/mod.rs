//! What this program does when the server is asked for it: `chancery` commands over the local
//! socket, a new certificate, `cn=monitor`. One file for each area; the requests are below.

pub(crate) mod certificate;

use directory::{Directory, GivenEntry, Refusal, Subject};
use ldap::result::ResultCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::arguments::Common;
use crate::config::Overrides;

/// A request of a command, as JSON: `{"do": "status"}`.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Asked {
    /// The state of everything.
    Status,
    /// Reads schema, access rules and certificates again, as SIGHUP does.
    Reload,
}

/// Everything that a request may need.
pub(crate) struct Steward {
    pub(crate) common: Common,
    pub(crate) overrides: Overrides,
    pub(crate) directory: Directory,
    pub(crate) tls: server::tls::ServingTls,
    pub(crate) started: OffsetDateTime,
}

impl std::fmt::Debug for Steward {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Steward(since {})", self.started)
    }
}

impl Steward {
    fn answer(&self, asked: &Asked) -> Result<Value, Refusal> {
        match asked {
            Asked::Status => Ok(self.status()),
            Asked::Reload => self.reload().map(|()| json!({ "reloaded": true })),
        }
    }

    fn status(&self) -> Value {
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "started": certificate::text(self.started),
            "certificate": certificate::state(&self.tls.served()),
        })
    }

    fn reload(&self) -> Result<(), Refusal> {
        let reloaded = crate::commands::serve::reload(
            &self.common,
            &self.overrides,
            &self.directory,
            &self.tls,
        );
        reloaded.map_err(|error| {
            tracing::error!("not reloaded, the old stays in force: {error:#}");
            unwilling(format!("not reloaded, the old stays in force: {error:#}"))
        })
    }
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

    fn enrol(&self, _requester: &Subject, _request: &[u8]) -> Result<Vec<u8>, Refusal> {
        Err(unwilling("this server issues no certificates".to_owned()))
    }

    fn renew_certificate(&self, _requester: &Subject) -> Result<(), Refusal> {
        self.reload()
    }

    fn monitor(&self) -> Vec<GivenEntry> {
        vec![
            server::monitor::entry(None, &[("description", vec![format!("Chancery {VERSION}")])]),
            certificate::monitor(&self.tls.served()),
        ]
    }
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

fn unwilling(message: String) -> Refusal {
    Refusal::new(ResultCode::UNWILLING_TO_PERFORM, message)
}
