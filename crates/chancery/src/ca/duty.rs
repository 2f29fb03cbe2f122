//! What is done about the CA now and then: the issuing CA and the server's own certificate are
//! renewed, and the list of revoked certificates before it is out of date.

use std::time::Duration;

use anyhow::Result;
use time::OffsetDateTime;

use super::Ca;
use super::own::{self, Outcome};
use crate::config::Config;
use crate::duties::Duty;
use crate::failure::failed;

const EVERY: Duration = Duration::from_secs(3600);

/// How the configuration is read anew: names may have come in the meantime.
pub(crate) type Configured = Box<dyn Fn() -> Result<Config> + Send>;

pub(crate) struct CaDuty {
    ca: Ca,
    configured: Configured,
}

impl CaDuty {
    pub(crate) fn new(ca: Ca, configured: Configured) -> CaDuty {
        CaDuty { ca, configured }
    }

    fn issuing(&self, now: OffsetDateTime) -> Result<()> {
        match self.ca.issuing_is_due(now)? {
            true => self.ca.found(&crate::first_run::host_name(), now),
            false => Ok(()),
        }
    }

    fn list(&self, now: OffsetDateTime) -> Result<()> {
        if self.ca.renew_list_when_due(now)? {
            tracing::info!("the list of revoked certificates was made anew");
        }
        Ok(())
    }

    fn own(&self, now: OffsetDateTime) -> Result<()> {
        let config = (self.configured)()?;
        if !config.tls.sources.is_empty() {
            return Ok(());
        }
        if let Outcome::Renewed(made) = own::renew(&config.data, &own::names(&config), now, false)?
        {
            let (serial, until) = (&made.serial, made.not_after);
            tracing::info!(serial, %until, "the server's own certificate was renewed");
        }
        Ok(())
    }
}

impl Duty for CaDuty {
    fn name(&self) -> &'static str {
        "ca"
    }

    fn every(&self) -> Duration {
        EVERY
    }

    fn run(&mut self, now: OffsetDateTime) -> Result<()> {
        // No CA, or somebody's who signs elsewhere.
        if !self.ca.exists() || self.ca.signs_elsewhere() {
            return Ok(());
        }
        // Each by itself: a list that cannot be written must not let the server's certificate end.
        let steps = [
            ("the CA's key", self.ca.signer().map(drop)),
            ("the issuing CA", self.issuing(now)),
            ("the list of revoked certificates", self.list(now)),
            ("the server's certificate", self.own(now)),
            ("the log of refusals", self.ca.tell_refusals(now)),
        ];
        all_of(steps)
    }
}

/// One error of all steps that failed; a cause that several have is told once.
fn all_of<const N: usize>(steps: [(&'static str, Result<()>); N]) -> Result<()> {
    let mut causes: Vec<(String, Vec<&str>)> = Vec::new();
    for (step, result) in steps {
        let Err(error) = result else { continue };
        let cause = format!("{error:#}");
        match causes.iter_mut().find(|(known, _)| *known == cause) {
            Some((_, steps)) => steps.push(step),
            None => causes.push((cause, vec![step])),
        }
    }
    if causes.is_empty() {
        return Ok(());
    }
    let told = causes.iter().map(|(cause, steps)| format!("{}: {cause}", steps.join(", ")));
    Err(failed(told.collect::<Vec<_>>().join("; ")))
}
