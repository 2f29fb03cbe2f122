//! `alerts.json` in the data folder: what has been told, so that a restart tells nothing again, and
//! what is still to be delivered.

use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::board::Board;
use super::clock::Clock;
use super::outbox::Outbox;
use crate::durable::{read_if_there, write_private};

const VERSION: u32 = 1;

#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct State {
    version: u32,
    pub(crate) clock: Clock,
    pub(crate) alerts: Board,
    pub(crate) outbox: Outbox,
}

impl Default for State {
    fn default() -> State {
        State {
            version: VERSION,
            clock: Clock::default(),
            alerts: Board::default(),
            outbox: Outbox::default(),
        }
    }
}

impl State {
    /// Nothing where there is no file yet.
    pub(crate) fn load(file: &Path) -> Result<State> {
        let Some(bytes) = read_if_there(file)? else { return Ok(State::default()) };
        let state: State = serde_json::from_slice(&bytes)
            .with_context(|| format!("{} is not what this program wrote", file.display()))?;
        anyhow::ensure!(
            state.version == VERSION,
            "{} is of version {}, and this program knows version {VERSION}",
            file.display(),
            state.version
        );
        Ok(state)
    }

    pub(crate) fn store(&self, file: &Path) -> Result<()> {
        write_private(file, &serde_json::to_vec_pretty(self)?)
    }
}
