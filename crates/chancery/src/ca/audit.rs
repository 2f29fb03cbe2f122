//! The CA's log: one JSON line for each certificate issued, refused or revoked. Written and flushed
//! before anybody gets what it speaks of.

use std::fs::File;
use std::io::{BufRead, BufReader};

use anyhow::Result;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Ca;
use super::files::append_line;
use crate::failure::failed;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Deed {
    Issued,
    Refused,
    Revoked,
    /// The server's own certificate, and the issuing CA's.
    Renewed,
    /// A CA was made.
    Founded,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Event {
    /// RFC 3339.
    pub(crate) time: String,
    pub(crate) deed: Deed,
    /// The name of who asked, `operator`, or `server` itself.
    pub(crate) who: String,
    /// The address it came from; `local` on this machine.
    pub(crate) from: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) template: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) subject: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) names: Vec<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) serial: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) thumbprint: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) not_after: String,
    /// Why it was refused or revoked; what was overruled.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) reason: String,
}

/// Who asks, and from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asker {
    pub(crate) who: String,
    pub(crate) from: String,
}

impl Asker {
    /// Whoever runs a command as the folder's owner.
    pub(crate) fn operator() -> Asker {
        let user = rustix::process::getuid().as_raw();
        Asker { who: format!("operator (user {user})"), from: "local".to_owned() }
    }

    pub(crate) fn server() -> Asker {
        Asker { who: "server".to_owned(), from: "local".to_owned() }
    }
}

impl Event {
    pub(crate) fn new(deed: Deed, asker: &Asker, now: OffsetDateTime) -> Event {
        Event {
            time: text(now),
            deed,
            who: asker.who.clone(),
            from: asker.from.clone(),
            template: String::new(),
            subject: String::new(),
            names: Vec::new(),
            serial: String::new(),
            thumbprint: String::new(),
            not_after: String::new(),
            reason: String::new(),
        }
    }

    /// What the certificate says.
    pub(crate) fn about(mut self, certificate: &pki::Summary) -> Event {
        self.subject.clone_from(&certificate.subject);
        self.names = certificate.names.iter().map(ToString::to_string).collect();
        self.serial.clone_from(&certificate.serial);
        self.thumbprint.clone_from(&certificate.thumbprint);
        self.not_after = text(certificate.not_after);
        self
    }

    pub(crate) fn because(mut self, reason: impl Into<String>) -> Event {
        self.reason = reason.into();
        if let Some((end, _)) = self.reason.char_indices().nth(REASON_CHARS_MAX) {
            self.reason.truncate(end);
        }
        self
    }

    pub(crate) fn of(mut self, template: &str) -> Event {
        template.clone_into(&mut self.template);
        self
    }
}

/// Whoever may ask at all can have many lines written, but no long ones.
const REASON_CHARS_MAX: usize = 500;

/// RFC 3339.
pub(crate) fn text(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap_or_else(|_| at.unix_timestamp().to_string())
}

/// What the log holds.
pub(crate) struct History {
    pub(crate) events: Vec<Event>,
    /// Lines that are none: cut short by a full disk or a power cut, or written by somebody else.
    pub(crate) unreadable: Vec<usize>,
}

impl Ca {
    /// Durable when this returns. Called with the lock held.
    pub(super) fn record(&self, event: &Event) -> Result<()> {
        let line = serde_json::to_string(event)?;
        append_line(&self.log_file(), &line)
    }

    pub(crate) fn history(&self) -> Result<History> {
        let path = self.log_file();
        let mut history = History { events: Vec::new(), unreadable: Vec::new() };
        if !path.exists() {
            return Ok(history);
        }
        let cannot = |error| failed(format!("cannot read {}: {error}", path.display()));
        // Line by line: nothing bounds how long a log grows over the years.
        for (line, number) in
            BufReader::new(File::open(&path).map_err(cannot)?).split(b'\n').zip(1..)
        {
            let line = line.map_err(cannot)?;
            match serde_json::from_slice(&line) {
                _ if line.is_empty() => {}
                Ok(event) => history.events.push(event),
                Err(_) => history.unreadable.push(number),
            }
        }
        Ok(history)
    }
}
