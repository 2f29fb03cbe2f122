//! Once an hour: whether the outside still sees what is published.

use std::collections::BTreeMap;
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

const EVERY: Duration = Duration::from_secs(3600);

/// Clones share what was seen. Reads the configuration at each run, so that a change needs no
/// restart.
#[derive(Clone)]
pub(crate) struct Drift {
    common: Common,
    overrides: Overrides,
    wrong: Arc<Mutex<Vec<Sight>>>,
}

impl Drift {
    pub(crate) fn new(common: &Common, overrides: &Overrides) -> Drift {
        Drift { common: common.clone(), overrides: overrides.clone(), wrong: Arc::default() }
    }

    fn wrong(&self) -> MutexGuard<'_, Vec<Sight>> {
        self.wrong.lock().unwrap_or_else(PoisonError::into_inner)
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
        let mut wrong = self.wrong();
        *wrong = still_wrong(&wrong, seen);
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
        for sight in self.wrong().iter() {
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
            let mut wrong = drift.wrong();
            *wrong = still_wrong(&wrong, sights);
            drop(wrong);
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
}
