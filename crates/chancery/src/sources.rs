//! Where failed sign-ins came from, from one run of the server to the next: `door.json` in the data
//! folder, written now and then while there is anything new to say, and at the end.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use serde::{Deserialize, Serialize};
use server::{Door, KnownSource};
use time::OffsetDateTime;

use crate::durable::{read_if_there, write_private};
use crate::duties::Duty;

/// What an attacker could gain by a crash: failures of this long are not counted any more.
const WRITTEN_EACH: Duration = Duration::from_secs(10);

#[derive(Deserialize, Serialize)]
struct Line {
    source: String,
    /// Thousandths of failures, at that time.
    level: u64,
    at_ms: u64,
}

/// The file beside the table.
pub(crate) struct Sources {
    door: Arc<Door>,
    file: PathBuf,
    /// What the file holds.
    written: Vec<u8>,
}

impl Sources {
    /// Puts what the last run knew into the door. A file that cannot be understood is no reason not
    /// to serve: it is said, and written anew.
    pub(crate) fn open(data: &Path, door: Arc<Door>, now: OffsetDateTime) -> Sources {
        let file = data.join("door.json");
        let read = read_if_there(&file).and_then(|bytes| match &bytes {
            Some(bytes) => Ok(serde_json::from_slice::<Vec<Line>>(bytes)?),
            None => Ok(Vec::new()),
        });
        match read {
            Ok(lines) => {
                let known = lines.into_iter().map(|line| KnownSource {
                    source: line.source,
                    level: line.level,
                    at_ms: line.at_ms,
                    blocked: false,
                });
                door.remember(&known.collect::<Vec<_>>(), milliseconds(now));
            }
            Err(error) => {
                let file = file.display();
                tracing::warn!(%file, "{error:#}; where failed sign-ins came from is forgotten");
            }
        }
        Sources { door, file, written: Vec::new() }
    }

    pub(crate) fn store(&mut self, now: OffsetDateTime) -> Result<()> {
        let known = self.door.known(milliseconds(now)).into_iter();
        let lines: Vec<Line> = known
            .map(|one| Line { source: one.source, level: one.level, at_ms: one.at_ms })
            .collect();
        // An empty table, as nearly always, is written once.
        let bytes = serde_json::to_vec(&lines)?;
        if bytes != self.written && (!lines.is_empty() || self.file.exists()) {
            write_private(&self.file, &bytes)?;
            self.written = bytes;
        }
        Ok(())
    }
}

impl Duty for Sources {
    fn name(&self) -> &'static str {
        "sources"
    }

    fn every(&self) -> Duration {
        WRITTEN_EACH
    }

    fn run(&mut self, now: OffsetDateTime) -> Result<()> {
        self.store(now)
    }
}

impl Drop for Sources {
    /// The end of the server: nothing is lost that it knew.
    fn drop(&mut self) {
        if let Err(error) = self.store(OffsetDateTime::now_utc()) {
            tracing::warn!("{error:#}; the next start does not know who failed to sign in");
        }
    }
}

pub(crate) fn milliseconds(at: OffsetDateTime) -> u64 {
    u64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or_default()
}
