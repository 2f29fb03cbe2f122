//! What is done about the CA now and then: the issuing CA and the server's own certificate are
//! renewed, and the list of revoked certificates before it is out of date.

use std::time::Duration;

use anyhow::Result;
use time::OffsetDateTime;

use super::Ca;
use super::own::{self, Outcome};
use crate::config::Config;
use crate::duties::Duty;

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
        if !self.ca.exists() || self.ca.signer().is_err() {
            return Ok(());
        }
        if self.ca.issuing_is_due(now)? {
            self.ca.found(&crate::first_run::host_name(), now)?;
        }
        if self.ca.renew_list_when_due(now)? {
            tracing::info!("the list of revoked certificates was made anew");
        }
        self.own(now)
    }
}
