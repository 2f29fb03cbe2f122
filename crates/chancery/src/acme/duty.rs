//! The renewal beside the server, and what an administrator is told of it.

use std::time::Duration;

use anyhow::Result;
use time::OffsetDateTime;

use super::renewal::{Outcome, Renewal, Standing, Urgency};
use super::timing::State;
use crate::alerts::{Condition, Level, Watches};
use crate::arguments::Common;
use crate::config::{Config, Overrides};
use crate::duties::Duty;
use crate::opening;

/// How often it is looked whether an order is due. Looking costs one small file.
const EVERY: Duration = Duration::from_secs(600);
/// With fewer days left a failing renewal is no matter for tomorrow.
const DAYS_CRITICAL: i64 = 7;

/// Reads the configuration at each run, so that a change needs no restart.
#[derive(Clone)]
pub(crate) struct Renewing {
    common: Common,
    overrides: Overrides,
}

impl Renewing {
    pub(crate) fn new(common: &Common, overrides: &Overrides) -> Renewing {
        Renewing { common: common.clone(), overrides: overrides.clone() }
    }

    fn config(&self) -> Result<Config> {
        opening::load(&self.common, &self.overrides)
    }
}

impl Duty for Renewing {
    fn name(&self) -> &'static str {
        "acme"
    }

    fn every(&self) -> Duration {
        EVERY
    }

    fn run(&mut self, now: OffsetDateTime) -> Result<()> {
        let config = self.config()?;
        let Some(renewal) = Renewal::new(&config) else { return Ok(()) };
        if let Outcome::Renewed(thumbprint) = renewal.run(Urgency::WhenDue, now)? {
            let file = renewal.certificate_file();
            tracing::info!(thumbprint, file = %file.display(), "a certificate came by ACME");
        }
        Ok(())
    }
}

impl Watches for Renewing {
    fn conditions(&self, now: OffsetDateTime) -> Vec<Condition> {
        // A wrong configuration is told of by whoever wrote it, and by `run`.
        let Ok(config) = self.config() else { return Vec::new() };
        let Some(renewal) = Renewal::new(&config) else { return Vec::new() };
        let Ok(standing) = renewal.standing(now) else { return Vec::new() };
        let name = renewal.acme().names.first().cloned().unwrap_or_default();
        failing(&name, &standing, now).into_iter().collect()
    }
}

fn failing(name: &str, standing: &Standing, now: OffsetDateTime) -> Option<Condition> {
    let State { failures, trouble, .. } = &standing.state;
    let trouble = trouble.as_ref().filter(|_| *failures > 0)?;
    let left = standing.held.as_ref().map(|held| (held.not_after - now).whole_days());
    let (level, until) = match left {
        None => (Level::Critical, "there is none yet".to_owned()),
        Some(days) if days < DAYS_CRITICAL => {
            (Level::Critical, format!("the one that is there has {days} days left"))
        }
        Some(days) => (Level::Warning, format!("the one that is there has {days} days left")),
    };
    Some(Condition {
        id: "renewal-failing",
        cause: format!("acme {name}"),
        level,
        what: format!(
            "no new certificate for {name} came by ACME, after {failures} attempts ({until}): \
             {trouble}"
        ),
        fix: "do what the sentence says; it is tried again by itself, and `chancery acme status` \
              says when"
            .to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::super::timing::{Due, Held};
    use super::*;

    #[test]
    fn a_failing_renewal_is_told_of_and_weighs_more_towards_the_end() {
        let now = datetime!(2026-11-27 06:00 UTC);
        let held = |days: i64| Held {
            thumbprint: String::new(),
            not_before: now,
            not_after: now + time::Duration::days(days),
            names_match: true,
        };
        for (failures, held, level) in [
            (0, Some(held(30)), None),
            (1, Some(held(30)), Some(Level::Warning)),
            (3, Some(held(6)), Some(Level::Critical)),
            (1, None, Some(Level::Critical)),
        ] {
            let trouble = Some("the CA was not convinced".to_owned());
            let state = State { failures, trouble, ..State::default() };
            let standing = Standing { held, state, due: Due::Now("") };
            let condition = failing("ldap.example.com", &standing, now);
            assert_eq!(condition.as_ref().map(|one| one.level), level, "{condition:?}");
            if let Some(condition) = condition {
                assert_eq!(condition.cause, "acme ldap.example.com");
                assert!(condition.what.contains("not convinced"), "{condition:?}");
            }
        }
    }
}
