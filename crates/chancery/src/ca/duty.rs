//! What is done about the CA now and then: the issuing CA is renewed, and the list of revoked
//! certificates before it is out of date.

use std::time::Duration;

use anyhow::Result;
use time::OffsetDateTime;

use super::Ca;
use crate::config::Config;
use crate::duties::Duty;

const EVERY: Duration = Duration::from_secs(3600);

pub(crate) struct CaDuty {
    ca: Ca,
}

impl CaDuty {
    pub(crate) fn of(config: &Config) -> CaDuty {
        CaDuty { ca: Ca::at(&config.data) }
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
        Ok(())
    }
}
