//! JSON for the two kinds of cloud table: AWS security groups, which only allow, and Azure network
//! security groups, which are first-match tables like ours.

use std::collections::BTreeSet;

use anyhow::Result;
use serde_json::{Value, json};
use server::network::{Family, ListenerRules, Prefix, Rule, Verdict};

use super::Seen;
use crate::failure::failed;

/// What a security group takes of each family unless its quota was raised.
const SECURITY_GROUP_RULES_MAX: usize = 60;

/// The lowest place of a network security group that can be given.
const LAST_PRIORITY: u16 = 4096;

/// `IpPermissions` for `authorize-security-group-ingress`. A security group has no rules that deny:
/// what all rules together let in is computed, and is refused where it is too many networks.
pub(crate) fn security_group(listeners: &[Seen]) -> Result<Value> {
    let ports: BTreeSet<u16> = listeners.iter().map(|one| one.address.port()).collect();
    let mut permissions = Vec::new();
    for port in ports {
        let own = listeners.iter().filter(|one| one.address.port() == port);
        let own: Vec<&Seen> = own.collect();
        let ranges = |family, key: &str| -> Result<Vec<Value>> {
            let own = own.iter().filter(|one| one.hears(family));
            let own: Vec<&ListenerRules> = own.map(|one| &one.rules).collect();
            let networks = let_in(&own, family);
            if networks.len() > SECURITY_GROUP_RULES_MAX {
                return Err(too_many(&own, port, family, networks.len()));
            }
            let range = |network: &Prefix| {
                let rule = own.iter().find_map(|rules| allowing(rules, network));
                let label = rule.map_or_else(String::new, Rule::label);
                json!({ key: network.to_string(), "Description": label })
            };
            Ok(networks.iter().map(range).collect())
        };
        permissions.push(json!({
            "IpProtocol": "tcp",
            "FromPort": port,
            "ToPort": port,
            "IpRanges": ranges(Family::V4, "CidrIp")?,
            "Ipv6Ranges": ranges(Family::V6, "CidrIpv6")?,
        }));
    }
    Ok(json!({ "IpPermissions": permissions }))
}

/// The fewest networks that are let in by one of these.
fn let_in(rules: &[&ListenerRules], family: Family) -> Vec<Prefix> {
    let mut stretches: Vec<(u128, u128)> =
        rules.iter().flat_map(|rules| rules.allowed(family)).collect();
    stretches.sort_unstable();
    let mut joined: Vec<(u128, u128)> = Vec::new();
    for (first, last) in stretches {
        match joined.last_mut() {
            Some(before) if first <= before.1.saturating_add(1) => before.1 = before.1.max(last),
            _ => joined.push((first, last)),
        }
    }
    joined.iter().flat_map(|(first, last)| Prefix::covering(family, *first, *last)).collect()
}

fn allowing<'r>(rules: &'r ListenerRules, network: &Prefix) -> Option<&'r Rule> {
    let rule = rules.judge(network.family().address(network.first()));
    Some(rule).filter(|rule| rule.verdict == Verdict::Allow)
}

fn too_many(rules: &[&ListenerRules], port: u16, family: Family, count: usize) -> anyhow::Error {
    let written = rules.iter().flat_map(|rules| rules.rules());
    let denying: BTreeSet<String> = written
        .filter(|rule| rule.verdict == Verdict::Deny && rule.priority <= LAST_PRIORITY)
        .map(Rule::label)
        .collect();
    let because = match denying.is_empty() {
        true => "there are too many networks".to_owned(),
        false => format!(
            "it cannot deny, and writing around {} takes that many",
            denying.into_iter().collect::<Vec<_>>().join(", ")
        ),
    };
    failed(format!(
        "a security group cannot say this: on port {port} it would need {count} {family} networks, \
         and takes {SECURITY_GROUP_RULES_MAX}; {because}; leave rules out, or put the table into a \
         network ACL"
    ))
}

/// `securityRules` of a network security group, with a last one that denies what Azure's own
/// defaults would let in from the virtual network.
pub(crate) fn network_security_group(listeners: &[Seen]) -> Result<Value> {
    let several = listeners.len() > 1;
    let mut rules = Vec::new();
    let mut taken = BTreeSet::new();
    let mut built_in = Vec::new();
    for listener in listeners {
        for rule in listener.rules.rules() {
            if rule.priority > LAST_PRIORITY {
                built_in.push((listener, rule));
                continue;
            }
            for (family, name) in by_family(listener, rule) {
                let mut priority = rule.priority;
                // A rule of both families, or of both listeners, is several here.
                while !taken.insert(priority) {
                    priority += 1;
                }
                rules.push((priority, name, listener, rule, family));
            }
        }
    }
    // From the end: the last word is the built-in rules'.
    let mut place = LAST_PRIORITY;
    for (listener, rule) in built_in.into_iter().rev() {
        for (family, name) in by_family(listener, rule).into_iter().rev() {
            if !taken.insert(place) {
                return Err(failed(format!(
                    "a network security group cannot say this: the built-in rule {} needs the \
                     priority {place}, which a rule has; give that rule a lower one",
                    rule.name
                )));
            }
            rules.push((place, name, listener, rule, family));
            place -= 1;
        }
    }
    crowded(&rules)?;
    rules.sort_by_key(|rule| rule.0);
    let printed = rules.into_iter().map(|(priority, name, listener, rule, family)| {
        let name = if several { format!("{name}-{}", listener.scope) } else { name };
        security_rule(priority, &name, listener, rule, family)
    });
    Ok(json!({ "securityRules": printed.collect::<Vec<_>>() }))
}

type Placed<'s> = (u16, String, &'s Seen, &'s Rule, Family);

/// Moving a rule down is right only while it stays before the next one that was written.
fn crowded(rules: &[Placed<'_>]) -> Result<()> {
    for (place, _, listener, rule, _) in rules {
        let passed = rules.iter().find(|(other_place, _, other_listener, other, _)| {
            other.priority > rule.priority
                && other_place < place
                && other_listener.scope == listener.scope
        });
        if let Some((_, _, _, other, _)) = passed.filter(|_| rule.priority <= LAST_PRIORITY) {
            return Err(failed(format!(
                "a network security group cannot say this: rule {} becomes several there, one for \
                 each family and listener, and there is no room before {}; leave a gap between \
                 their priorities",
                rule.label(),
                other.label()
            )));
        }
    }
    Ok(())
}

/// A rule of Azure's holds addresses of one family only.
fn by_family(listener: &Seen, rule: &Rule) -> Vec<(Family, String)> {
    let has = |family: Family| listener.sources(rule).any(|source| source.family() == family);
    match (has(Family::V4), has(Family::V6)) {
        (true, true) => vec![
            (Family::V4, format!("{}-ipv4", rule.name)),
            (Family::V6, format!("{}-ipv6", rule.name)),
        ],
        (true, false) => vec![(Family::V4, rule.name.clone())],
        (false, true) => vec![(Family::V6, rule.name.clone())],
        (false, false) => Vec::new(),
    }
}

fn security_rule(priority: u16, name: &str, listener: &Seen, rule: &Rule, family: Family) -> Value {
    let own = rule.sources.iter().filter(|source| source.family() == family);
    let sources: Vec<String> = own.map(ToString::to_string).collect();
    let to = listener.destination().map_or_else(|| "*".to_owned(), |to| to.to_string());
    let access = match rule.verdict {
        Verdict::Allow => "Allow",
        Verdict::Deny => "Deny",
    };
    json!({
        "name": name,
        "properties": {
            "description": format!("chancery publish: {}", rule.label()),
            "priority": priority,
            "direction": "Inbound",
            "access": access,
            "protocol": "Tcp",
            "sourceAddressPrefixes": sources,
            "sourcePortRange": "*",
            "destinationAddressPrefix": to,
            "destinationPortRange": listener.address.port().to_string(),
        }
    })
}
