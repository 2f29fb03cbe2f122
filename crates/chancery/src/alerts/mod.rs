//! What an administrator should be told in time.
//!
//! Each area of the program says which [`Condition`]s hold now and which [`Deadline`]s draw near;
//! nothing else decides whether an alert is raised, told again, or cleared.
//!
//! - `watches`: what accounts and the sources of failed sign-ins have to say.
//! - `deadline`: from a date to a condition, step by step. `clock`: whether to believe the time.
//! - `board`: what is told once, again, and when it is over. `outbox`: what waits for delivery.
//! - `evaluation`: all of these, once an hour; `state`: what of them outlives a restart.
//! - `delivery`: the threads that deliver; `webhook`, `mail`: how.

pub(crate) mod board;
mod clock;
mod deadline;
pub(crate) mod delivery;
pub(crate) mod evaluation;
mod mail;
mod outbox;
mod state;
pub(crate) mod watches;
mod webhook;

pub(crate) use deadline::Deadline;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Level {
    /// Nothing is broken, but it should be known.
    Notice,
    /// Something will break, or is less safe than it should be.
    Warning,
    /// Clients are turned away, or everybody is let in.
    Critical,
}

impl Level {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Level::Notice => "notice",
            Level::Warning => "warning",
            Level::Critical => "critical",
        }
    }
}

/// Something that is the case now and should not be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Condition {
    /// Stable: what scripts and runbooks know it by.
    pub(crate) id: &'static str,
    /// What tells two conditions with one id apart: a thumbprint, a name, an address.
    pub(crate) cause: String,
    pub(crate) level: Level,
    /// One sentence: what is the case.
    pub(crate) what: String,
    /// One sentence: what to do.
    pub(crate) fix: String,
}

/// An area of the program that knows conditions.
pub(crate) trait Watches: Send + Sync {
    /// All that hold at this time. Reads state, does not wait for anything.
    fn conditions(&self, now: OffsetDateTime) -> Vec<Condition>;

    /// Whether an alert of this id and cause is over where the area does not name it. Not where it
    /// has not looked yet: then what is on the board stays there.
    fn has_looked(&self, _id: &str, _cause: &str) -> bool {
        true
    }

    /// Dates of which somebody should be told before they come.
    fn deadlines(&self) -> Vec<Deadline> {
        Vec::new()
    }
}

/// RFC 3339, for people and JSON alike.
pub(crate) fn text(at: OffsetDateTime) -> String {
    crate::steward::certificate::text(at.replace_nanosecond(0).unwrap_or(at))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    /// The ids that stand in a source file.
    fn ids(text: &str) -> Vec<&str> {
        let after = text.split("id: \"").skip(1);
        after.filter_map(|rest| rest.split('"').next()).collect()
    }

    #[test]
    fn every_id_is_documented() {
        let project = Path::new(env!("CARGO_MANIFEST_DIR"));
        let page = std::fs::read_to_string(project.join("../../docs/reference/alerts.md")).unwrap();
        let mut folders = vec![project.join("src")];
        let mut found = 0;
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let text = std::fs::read_to_string(&path).unwrap();
                for id in ids(&text).iter().filter(|id| id.contains('-')) {
                    let row = format!("\n| `{id}` | ");
                    assert!(page.contains(&row), "{id}, in {}", path.display());
                    found += 1;
                }
            }
        }
        assert!(found > 10, "{found}");
    }
}
