//! Once an hour: whether the outside still sees what is published.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Result;
use time::OffsetDateTime;

use super::desk::published;
use super::verify::{Sight, Verdict, verify};
use crate::alerts::{Condition, Level, Watches};
use crate::arguments::Common;
use crate::config::{Config, Overrides};
use crate::duties::Duty;
use crate::opening;

/// The one condition of this area.
const ID: &str = "dns-drifted";
const EVERY: Duration = Duration::from_secs(3600);

/// Clones share what was seen. Reads the configuration at each run, so that a change needs no
/// restart.
#[derive(Clone)]
pub(crate) struct Drift {
    common: Common,
    overrides: Overrides,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    wrong: Vec<Sight>,
    /// Who has answered about which record since the start.
    answered: BTreeSet<(String, String)>,
    /// The records about which somebody was asked who has not answered since the start; nothing
    /// before the first look.
    open: Option<BTreeSet<String>>,
}

impl Seen {
    fn look(&mut self, sights: Vec<Sight>) {
        let asked = |sight: &Sight| (sight.from.clone(), sight.about.clone());
        let answers = sights.iter().filter(|sight| sight.verdict != Verdict::Unknown);
        self.answered.extend(answers.map(asked));
        let silent = sights.iter().filter(|sight| !self.answered.contains(&asked(sight)));
        self.open = Some(silent.map(|sight| sight.about.clone()).collect());
        self.wrong = still_wrong(&self.wrong, sights);
    }
}

impl Drift {
    pub(crate) fn new(common: &Common, overrides: &Overrides) -> Drift {
        Drift { common: common.clone(), overrides: overrides.clone(), seen: Arc::default() }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Without anybody to be asked, or without anything to ask for, there is nothing to see.
fn is_asked(config: &Config) -> bool {
    let dns = &config.dns;
    let somebody = !(dns.resolvers.is_empty() && dns.name_servers.is_empty());
    somebody && !dns.addresses.is_empty() && !config.publish.names.is_empty()
}

impl Duty for Drift {
    fn name(&self) -> &'static str {
        "dns"
    }

    fn every(&self) -> Duration {
        EVERY
    }

    fn run(&mut self, _: OffsetDateTime) -> Result<()> {
        let config = opening::load(&self.common, &self.overrides)?;
        let seen = match is_asked(&config) {
            true => verify(&config.dns, &published(&config)?, None),
            false => Vec::new(),
        };
        self.seen().look(seen);
        Ok(())
    }
}

/// What is wrong now. Whoever does not answer now is believed to say what it said before.
fn still_wrong(before: &[Sight], seen: Vec<Sight>) -> Vec<Sight> {
    let now = seen.into_iter().filter_map(|sight| match sight.verdict {
        Verdict::Wrong => Some(sight),
        Verdict::Right => None,
        Verdict::Unknown => {
            before.iter().find(|old| old.from == sight.from && old.about == sight.about).cloned()
        }
    });
    now.collect()
}

impl Watches for Drift {
    fn conditions(&self, _: OffsetDateTime) -> Vec<Condition> {
        let mut by_record: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for sight in &self.seen().wrong {
            let said = format!("{} says {}", sight.from, sight.seen);
            by_record.entry(sight.about.clone()).or_default().push(said);
        }
        let condition = |(about, said): (String, Vec<String>)| Condition {
            id: "dns-drifted",
            what: format!(
                "the outside does not see what is published: {about}: {}",
                said.join("; ")
            ),
            cause: about,
            level: Level::Warning,
            fix: "`chancery dns plan` shows the difference, `chancery dns apply` or your provider \
                  writes it; resolvers may take as long as `dns.ttl` to follow"
                .to_owned(),
        };
        by_record.into_iter().map(condition).collect()
    }

    /// What the last run of the server saw holds until somebody answers.
    fn has_looked(&self, id: &str, cause: &str) -> bool {
        id != ID || self.seen().open.as_ref().is_some_and(|open| !open.contains(cause))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sight(from: &str, verdict: Verdict, seen: &str) -> Sight {
        let about = "ldap.example.com A".to_owned();
        Sight { verdict, from: from.to_owned(), about, seen: seen.to_owned() }
    }

    #[test]
    fn silence_is_no_drift_and_ends_none() {
        let drift = Drift::new(&Common::default(), &Overrides::default());
        let see = |sights: Vec<Sight>| {
            drift.seen().look(sights);
            drift.conditions(OffsetDateTime::UNIX_EPOCH)
        };
        let unknown = || vec![sight("a", Verdict::Unknown, ""), sight("b", Verdict::Right, "")];
        assert!(see(unknown()).is_empty());
        let wrong = vec![sight("a", Verdict::Wrong, "192.0.2.9"), sight("b", Verdict::Right, "")];
        let drifted = see(wrong);
        assert_eq!(drifted.len(), 1);
        assert_eq!(
            (drifted[0].id, drifted[0].cause.as_str()),
            ("dns-drifted", "ldap.example.com A")
        );
        assert!(drifted[0].what.contains("a says 192.0.2.9"), "{}", drifted[0].what);
        assert_eq!(see(unknown()), drifted, "nobody answered since");
        assert!(see(vec![sight("a", Verdict::Right, "")]).is_empty());
    }

    #[test]
    fn what_was_on_the_board_stays_until_somebody_answers() {
        let about = "ldap.example.com A";
        let drift = Drift::new(&Common::default(), &Overrides::default());
        assert!(!drift.has_looked(ID, about), "not looked yet");
        assert!(drift.has_looked("no-certificate", ""), "what others say is not ours");
        for (sights, looked) in [
            (vec![sight("a", Verdict::Unknown, ""), sight("b", Verdict::Right, "")], false),
            (vec![sight("a", Verdict::Right, ""), sight("b", Verdict::Unknown, "")], true),
            (vec![sight("a", Verdict::Unknown, ""), sight("b", Verdict::Unknown, "")], true),
            (vec![], true),
        ] {
            drift.seen().look(sights.clone());
            assert_eq!(drift.has_looked(ID, about), looked, "{sights:?}");
        }
    }
}
