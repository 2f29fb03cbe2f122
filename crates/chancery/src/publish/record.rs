//! `publish.json`: the state of publishing, what serves, and what commands have switched. Written
//! as a new file, flushed and renamed, so that it is always one whole state.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::publication::{Publication, Switches};
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
        let path = path(data);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Record::default()),
            Err(error) => return Err(failed(format!("{}: {error}", path.display()))),
        };
        serde_json::from_slice(&text).map_err(|error| {
            failed(format!(
                "{} cannot be read: {error}; mend it, or remove it to begin with what the \
                 configuration says",
                path.display()
            ))
        })
    }

    /// Durable when this returns.
    pub(crate) fn store(&self, data: &Path) -> Result<()> {
        let path = path(data);
        let new = data.join(format!("{FILE}.new"));
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        let write = || -> std::io::Result<()> {
            let mut options = OpenOptions::new();
            let mut file =
                options.write(true).create(true).truncate(true).mode(0o600).open(&new)?;
            file.write_all(&text)?;
            file.sync_all()?;
            fs::rename(&new, &path)?;
            File::open(data)?.sync_all()
        };
        write().with_context(|| format!("{} cannot be written", path.display()))
    }
}
