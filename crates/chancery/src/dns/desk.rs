//! From the configuration to the zone: what is wanted, the plan, and carrying it out.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::Result;
use hickory_proto::rr::Name;
use pki::judge::names::ServedName;
use time::OffsetDateTime;

use super::plan::{Known, Step, plan, questions};
use super::records::{Published, RecordSet, absolute};
use super::update::{Primary, check_zone, current};
use super::{key, written};
use crate::config::Config;
use crate::failure::{failed, usage};

/// What the configuration publishes. Addresses among the names need no record.
pub(crate) fn published(config: &Config) -> Result<Published> {
    let names = config.publish.names.iter().filter_map(|name| match name {
        ServedName::Dns(name) => Some(absolute(name).map_err(usage)),
        ServedName::Ip(_) => None,
    });
    let names: Vec<Name> = names.collect::<Result<_>>()?;
    if names.is_empty() {
        return Err(usage(
            "nothing is published: write the names that clients use as `publish.names`",
        ));
    }
    if config.dns.addresses.is_empty() {
        return Err(usage(
            "the names have no address: write the one outside as `publish.address`, or several as \
             `dns.addresses`",
        ));
    }
    Ok(Published {
        names,
        addresses: config.dns.addresses.clone(),
        domain: config.dns.domain.clone(),
        services: config.dns.services.clone(),
        ttl: config.dns.ttl_seconds,
    })
}

/// The zone and the server that holds it.
pub(crate) struct Desk<'a> {
    data: &'a Path,
    pub(crate) server: SocketAddr,
    pub(crate) zone: Name,
}

impl<'a> Desk<'a> {
    pub(crate) fn open(config: &'a Config) -> Result<Desk<'a>> {
        let (Some(server), Some(zone)) = (config.dns.server, config.dns.zone.clone()) else {
            return Err(usage(
                "no name server is configured: write `server` and `zone` in [dns], \
                 or write the records by hand (chancery dns print)",
            ));
        };
        Ok(Desk { data: &config.data, server, zone })
    }

    /// What would become of each record, from what the server holds now.
    pub(crate) fn plan(&self, wanted: &[RecordSet], replace: BTreeSet<Name>) -> Result<Vec<Step>> {
        check_zone(self.server, &self.zone)?;
        let written = written::load(self.data, &self.zone)?;
        let current = current(self.server, questions(wanted, &written, &self.zone))?;
        Ok(plan(wanted, &Known { current, written, replace }, &self.zone))
    }

    /// Carries a plan out, all or nothing, looks whether it is so, and remembers it as ours.
    pub(crate) fn apply(
        &self,
        config: &Config,
        wanted: &[RecordSet],
        steps: &[Step],
        now: OffsetDateTime,
    ) -> Result<()> {
        if steps.iter().any(Step::writes) {
            primary(config)?.perform(steps, now)?;
        }
        let inside: Vec<RecordSet> =
            wanted.iter().filter(|set| self.zone.zone_of(&set.name)).cloned().collect();
        let now_there = current(self.server, inside.iter().map(RecordSet::key))?;
        if let Some(missing) = inside.iter().find(|set| now_there.get(&set.key()) != Some(set)) {
            return Err(failed(format!(
                "{} accepted the update and does not show it:\n{missing}\n\
                 its own log says why; is it a copy (secondary) of the zone?",
                self.server
            )));
        }
        written::store(self.data, &self.zone, &inside)
    }

    /// Zones of an earlier configuration in which records of ours are left.
    pub(crate) fn left_behind(&self) -> Vec<String> {
        written::other_zones(self.data, &self.zone)
    }
}

/// The zone's server with the key to change it.
pub(crate) fn primary(config: &Config) -> Result<Primary> {
    let (Some(server), Some(zone), Some(source)) =
        (config.dns.server, config.dns.zone.clone(), &config.dns.key)
    else {
        return Err(usage(
            "no key for updates is configured: write `server`, `zone` and `key` in [dns]",
        ));
    };
    Ok(Primary { server, zone, key: key::load(source)? })
}
