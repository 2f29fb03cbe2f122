//! Refusals in the CA's log: of whoever has signed in, the first ones of an hour stand there each,
//! and those beyond are counted. The counts are in a file, so that a restart neither forgets them
//! nor begins a new hour.

use std::collections::BTreeMap;

use anyhow::Result;
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::Ca;
use super::audit::{Asker, Deed, Event, text};
use super::files::{Readers, read_text, replace};

/// Refusals of one requester in one hour that stand in the log each.
pub(super) const REFUSALS_MAX: u32 = 10;

/// Requesters who are counted by name in one hour; those beyond are counted together.
pub(super) const REQUESTERS_MAX: usize = 1000;

const HOUR: Duration = Duration::HOUR;

/// Under which requesters beyond the maximum are counted: no name of an entry.
const OTHERS: &str = "others";

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Tally {
    #[serde(with = "time::serde::timestamp")]
    since: OffsetDateTime,
    refused: u32,
}

type Tallies = BTreeMap<String, Tally>;

impl Ca {
    /// Records a refusal, or counts it. Called with the lock held.
    pub(super) fn refuse(&self, asker: &Asker, event: &Event, now: OffsetDateTime) -> Result<()> {
        if asker.is_operator {
            return self.record(event);
        }
        let mut tallies = self.told(self.tallies(), now)?;
        let is_one_more = tallies.contains_key(&asker.who) || tallies.len() < REQUESTERS_MAX;
        let who = if is_one_more { asker.who.clone() } else { OTHERS.to_owned() };
        let tally = tallies.entry(who).or_insert(Tally { since: now, refused: 0 });
        tally.refused = tally.refused.saturating_add(1);
        let is_listed = tally.refused <= REFUSALS_MAX;
        self.store(&tallies)?;
        if is_listed { self.record(event) } else { Ok(()) }
    }

    /// Says how many there were in hours that are over.
    pub(super) fn tell_refusals(&self, now: OffsetDateTime) -> Result<()> {
        if !self.tallies_file().exists() {
            return Ok(());
        }
        let _lock = self.lock()?;
        let before = self.tallies();
        let count = before.len();
        let tallies = self.told(before, now)?;
        if tallies.len() == count { Ok(()) } else { self.store(&tallies) }
    }

    /// Those of hours that go on; of the others the log gets a line where some are not in it.
    fn told(&self, tallies: Tallies, now: OffsetDateTime) -> Result<Tallies> {
        // Or the clock was ahead.
        let is_over = |tally: &Tally| tally.since > now || now - tally.since >= HOUR;
        let (over, going_on): (Tallies, Tallies) =
            tallies.into_iter().partition(|(_, tally)| is_over(tally));
        for (who, tally) in over {
            let more = tally.refused.saturating_sub(REFUSALS_MAX);
            if more > 0 {
                let asker = Asker { who, from: "several".to_owned(), is_operator: false };
                let since = text(tally.since);
                let reason = format!("{more} more refusals in the hour from {since}");
                self.record(&Event::new(Deed::Refused, &asker, now).because(reason))?;
            }
        }
        Ok(going_on)
    }

    fn tallies_file(&self) -> std::path::PathBuf {
        self.folder().join("refused.json")
    }

    /// What cannot be read is begun anew: it is no more than a count.
    fn tallies(&self) -> Tallies {
        let text = read_text(&self.tallies_file()).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    fn store(&self, tallies: &Tallies) -> Result<()> {
        replace(&self.tallies_file(), serde_json::to_string(tallies)?.as_bytes(), Readers::Owner)
    }
}
