//! `publish.json`: the state of publishing, what serves, and what commands have switched. Written
//! as a new file, flushed and renamed, so that it is always one whole state.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::publication::{Publication, Switches};
use crate::alerts::text;
use crate::failure::failed;

const FILE: &str = "publish.json";

/// Disabled → Configuring → Enabled | Failed, and from each of these again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum State {
    /// Nothing is published.
    #[default]
    Disabled,
    /// A change is under way, and no other begins.
    Configuring,
    Enabled,
    /// The last change did not come about; what served before still serves.
    Failed,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            State::Disabled => "disabled",
            State::Configuring => "configuring",
            State::Enabled => "enabled",
            State::Failed => "failed",
        })
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Record {
    pub(crate) state: State,
    /// RFC 3339; empty before the first change.
    pub(crate) since: String,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    /// Nothing new is opened before somebody asks for it: neither a start nor a certificate does.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) held: bool,
    /// What was asked for last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) asked: Option<AskedFor>,
    pub(crate) switches: Switches,
    /// What serves; while configuring or failed, what served before.
    pub(crate) in_force: Publication,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct AskedFor {
    /// `enable external`, `apply`.
    pub(crate) what: String,
    /// `a command`, `reload`, `start`.
    pub(crate) by: String,
}

pub(crate) fn path(data: &Path) -> PathBuf {
    data.join(FILE)
}

impl Record {
    /// What the folder holds; without a file, the state of a new folder.
    pub(crate) fn load(data: &Path) -> Result<Record> {
        let unreadable = |what| {
            let right = "mend it, or remove it to begin with what the configuration says";
            failed(format!("{what}; {right}"))
        };
        read(&path(data)).map_err(unreadable)
    }

    /// For the start of a server: a file that cannot be understood is no reason not to serve. It is
    /// moved aside, and nothing is published until somebody asks for it.
    pub(crate) fn load_or_set_aside(data: &Path, now: OffsetDateTime) -> Record {
        let path = path(data);
        let what = match read(&path) {
            Ok(record) => return record,
            Err(what) => what,
        };
        let moved = set_aside(&path);
        let place = match &moved {
            Ok(aside) => format!("moved to {}", aside.display()),
            Err(error) => format!("it could not be moved aside: {error}"),
        };
        let reason = format!(
            "{what}; {place}; nothing is published until somebody asks for it: \
             `chancery publish apply` publishes what the configuration says"
        );
        tracing::error!("{reason}");
        let (state, since) = (State::Failed, text(now));
        let record = Record { state, since, reason: Some(reason), held: true, ..Record::default() };
        // What could not be moved is not written over either.
        if moved.is_ok()
            && let Err(error) = record.store(data)
        {
            tracing::error!("the state of publishing could not be written: {error:#}");
        }
        record
    }

    /// Durable when this returns.
    pub(crate) fn store(&self, data: &Path) -> Result<()> {
        let path = path(data);
        let new = data.join(format!("{FILE}.new"));
        let mut json = serde_json::to_vec_pretty(self)?;
        json.push(b'\n');
        let write = || -> std::io::Result<()> {
            let mut options = OpenOptions::new();
            let mut file =
                options.write(true).create(true).truncate(true).mode(0o600).open(&new)?;
            file.write_all(&json)?;
            file.sync_all()?;
            fs::rename(&new, &path)?;
            File::open(data)?.sync_all()
        };
        write().with_context(|| format!("{} cannot be written", path.display()))
    }
}

fn read(path: &Path) -> Result<Record, String> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Record::default()),
        Err(error) => return Err(format!("{} cannot be read: {error}", path.display())),
    };
    let record = serde_json::from_slice(&text);
    record.map_err(|error| format!("{} cannot be read: {error}", path.display()))
}

/// Under a name that is free: what was set aside before is nobody's to lose.
fn set_aside(path: &Path) -> std::io::Result<PathBuf> {
    let numbered = (2..).map(|number| format!("{FILE}.unreadable-{number}"));
    let names = std::iter::once(format!("{FILE}.unreadable")).chain(numbered);
    let mut free = names.map(|name| path.with_file_name(name)).filter(|aside| !aside.exists());
    let aside = free.next().unwrap_or_else(|| path.with_extension("unreadable"));
    fs::rename(path, &aside)?;
    Ok(aside)
}
