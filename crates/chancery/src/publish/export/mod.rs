//! The rules of publishing in the words of others: packet filters and clouds. What stands there is
//! a second fence; the server judges every connection itself.

mod cloud;
mod nftables;
mod ports;

use std::net::{IpAddr, SocketAddr};

use anyhow::Result;
use serde_json::Value;
use server::network::{Admission, Family, ListenerRules, Prefix, Rule, RuleTable, Scope, Verdict};

use super::publication::{Publication, SCOPES};
use crate::failure::failed;

pub(crate) use cloud::{network_security_group, security_group};
pub(crate) use nftables::nftables;
pub(crate) use ports::{ports, ports_text};

/// One listener as a packet filter can see it.
pub(crate) struct Seen {
    pub(crate) scope: Scope,
    pub(crate) address: SocketAddr,
    /// Of the packets' own addresses: behind balancers, those of the balancers.
    pub(crate) rules: ListenerRules,
    pub(crate) is_balanced: bool,
}

impl Seen {
    /// The listener's own address, where it has just one.
    pub(crate) fn destination(&self) -> Option<IpAddr> {
        Some(self.address.ip()).filter(|address| !address.is_unspecified())
    }

    /// Whether packets of this family reach it: `[::]` is both.
    pub(crate) fn hears(&self, family: Family) -> bool {
        match (self.address.ip(), family) {
            (IpAddr::V4(_), family) => family == Family::V4,
            (IpAddr::V6(_), Family::V6) => true,
            (IpAddr::V6(address), Family::V4) => address.is_unspecified(),
        }
    }

    /// Those sources of a rule whose packets can reach it.
    pub(crate) fn sources<'r>(&self, rule: &'r Rule) -> impl Iterator<Item = &'r Prefix> {
        let (v4, v6) = (self.hears(Family::V4), self.hears(Family::V6));
        rule.sources.iter().filter(move |source| match source.family() {
            Family::V4 => v4,
            Family::V6 => v6,
        })
    }
}

/// The listeners of a publication, or one of them.
pub(crate) fn seen(publication: &Publication, only: Option<Scope>) -> Result<Vec<Seen>> {
    let mut all = Vec::new();
    for scope in SCOPES.into_iter().filter(|scope| only.is_none_or(|only| only == *scope)) {
        let Some((address, admission)) = publication.admission(scope).map_err(failed)? else {
            continue;
        };
        let is_balanced = !admission.balancers.is_empty();
        let rules = if is_balanced { of_balancers(&admission)? } else { admission.rules };
        all.push(Seen { scope, address, rules, is_balanced });
    }
    Ok(all)
}

/// The one rule that a packet filter can keep in front of a listener behind balancers.
fn of_balancers(admission: &Admission) -> Result<ListenerRules> {
    let mut sources = admission.balancers.clone();
    sources.sort_unstable();
    sources.dedup();
    let rule = Rule {
        name: "balancers".to_owned(),
        priority: 100,
        sources,
        port: None,
        scope: None,
        verdict: Verdict::Allow,
    };
    let table = RuleTable::check(vec![rule]).map_err(|faults| failed(format!("{faults:?}")))?;
    Ok(table.of(Scope::External, 0))
}

/// JSON as it is printed.
pub(crate) fn pretty(value: &Value) -> Result<String> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}

#[cfg(test)]
mod tests;
