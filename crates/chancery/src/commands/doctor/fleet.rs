//! `chancery doctor --fleet DOMAIN`: every server of a domain.

use anyhow::Result;
use client::{NameServers, Target};
use time::OffsetDateTime;

use super::{asked, name_servers, runtime, trust};
use crate::arguments::Doctor;
use crate::doctor::fleet::{self, STEP};
use crate::doctor::outcome::{Outcome, What};
use crate::doctor::probe::Asked;
use crate::failure::failed;

pub(super) fn look(doctor: &Doctor, domain: &str, now: OffsetDateTime) -> Result<Outcome> {
    let given = name_servers(&doctor.name_server)?;
    let servers = match &given {
        Some(servers) => servers.clone(),
        None => NameServers::system().map_err(failed)?,
    };
    let runtime = runtime()?;
    let site = doctor.modes.site.as_deref();
    let named = runtime.block_on(fleet::named(&servers, domain, site))?;
    let trust = trust(doctor.ca.as_deref())?;
    let each = |target: Target| {
        let text = format!("ldaps://{}:{}", target.name, target.port);
        let asked = asked(doctor, &text, target, trust.clone(), now)?;
        // DNS has named them: what else it says of each is not asked.
        Ok(Asked { patience: asked.patience.min(STEP), name_servers: None, ..asked })
    };
    let all = named.targets.into_iter().map(each).collect::<Result<Vec<_>>>()?;
    let seen = runtime.block_on(fleet::look(all, given.as_ref(), now))?;
    let findings = fleet::findings(domain, &seen, &named.left_out);
    Ok(Outcome { what: What::Fleet(domain.to_owned()), seen, findings })
}
