//! Who may come in, before the first byte of TLS: rules by priority, the first match decides,
//! nobody is let in by default.
//!
//! [`RuleTable::check`] refuses what contradicts itself; [`RuleTable::of`] makes the rules of one
//! listener ready for the accept path: addresses fall into a few segments, each with the rule that
//! decides, found by binary search.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;

use super::prefix::{Family, Prefix, numbered};

/// What the priorities of written rules may be. Those of the built-in ones lie beyond.
pub const PRIORITY_MIN: u16 = 100;
pub const PRIORITY_MAX: u16 = 4096;

/// Allows what is private on the internal listener; see [`RuleTable::of`].
pub const PRIVATE_PRIORITY: u16 = 65_000;
pub const PRIVATE_NAME: &str = "default-allow-private";

/// Denies the rest on every listener.
pub const DENY_PRIORITY: u16 = 65_500;
pub const DENY_NAME: &str = "default-deny";

/// Characters of a rule's name, as in the cloud's own tables.
pub const NAME_MAX: usize = 80;

/// Networks of one rule.
pub const SOURCES_MAX: usize = 4000;

/// Addresses that are not routed on the Internet, and that people call "inside".
const PRIVATE: [&str; 8] = [
    "10.0.0.0/8",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "::1/128",
    "fc00::/7",
    "fe80::/10",
];

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verdict {
    Allow,
    Deny,
}

/// For whom a listener is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    Internal,
    External,
}

/// One line of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pub name: String,
    /// Lower comes first.
    pub priority: u16,
    /// At least one.
    pub sources: Vec<Prefix>,
    /// The listener's port; none is every port.
    pub port: Option<u16>,
    /// None is every listener.
    pub scope: Option<Scope>,
    pub verdict: Verdict,
}

/// Something wrong with a written rule, by its place in the list that was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleFault {
    pub rule: usize,
    /// `name`, `priority` or `source`.
    pub field: &'static str,
    pub what: String,
}

/// Rules that do not contradict each other, in the order in which they are asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleTable {
    rules: Vec<Rule>,
}

/// The rules of one listener, ready to judge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerRules {
    /// Those that speak of this listener, the built-in ones included, but the last.
    rules: Vec<Rule>,
    last: Rule,
    v4: Vec<Segment>,
    v6: Vec<Segment>,
}

/// From this address on, up to the next segment, this rule decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Segment {
    first: u128,
    rank: usize,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Verdict::Allow => "allow",
            Verdict::Deny => "deny",
        })
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Scope::Internal => "internal",
            Scope::External => "external",
        })
    }
}

impl Rule {
    /// `office (200)`: how a rule is called in messages.
    #[must_use]
    pub fn label(&self) -> String {
        format!("{} ({})", self.name, self.priority)
    }

    fn speaks_of(&self, scope: Scope, port: u16) -> bool {
        self.scope.is_none_or(|own| own == scope) && self.port.is_none_or(|own| own == port)
    }

    /// At every end of the table of every listener; its priority cannot be taken.
    #[must_use]
    pub fn default_deny() -> Rule {
        Rule {
            name: DENY_NAME.to_owned(),
            priority: DENY_PRIORITY,
            sources: ["0.0.0.0/0", "::/0"].iter().filter_map(|text| text.parse().ok()).collect(),
            port: None,
            scope: None,
            verdict: Verdict::Deny,
        }
    }

    /// Before it on the internal listener: without any rule of its own that one is for those
    /// inside. A written rule that denies comes first.
    #[must_use]
    pub fn default_allow_private() -> Rule {
        Rule {
            name: PRIVATE_NAME.to_owned(),
            priority: PRIVATE_PRIORITY,
            sources: PRIVATE.iter().filter_map(|text| text.parse().ok()).collect(),
            port: None,
            scope: Some(Scope::Internal),
            verdict: Verdict::Allow,
        }
    }
}

impl RuleTable {
    /// All faults at once, each at the later of two rules that collide.
    pub fn check(rules: Vec<Rule>) -> Result<RuleTable, Vec<RuleFault>> {
        let mut faults = Vec::new();
        let mut seen = Seen::default();
        for (index, rule) in rules.iter().enumerate() {
            let mut fault = |field, what| faults.push(RuleFault { rule: index, field, what });
            if let Some(what) = name_fault(&rule.name) {
                fault("name", what);
            }
            if !(PRIORITY_MIN..=PRIORITY_MAX).contains(&rule.priority) {
                fault("priority", format!("write {PRIORITY_MIN} to {PRIORITY_MAX}"));
            }
            if !(1..=SOURCES_MAX).contains(&rule.sources.len()) {
                fault("source", format!("write at least one network, and at most {SOURCES_MAX}"));
            }
            seen.take(rule).into_iter().for_each(|(field, what)| fault(field, what));
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let mut rules = rules;
        rules.sort_by_key(|rule| rule.priority);
        Ok(RuleTable { rules })
    }

    /// The written rules, by priority.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The rules of one listener, with the built-in ones behind them.
    #[must_use]
    pub fn of(&self, scope: Scope, port: u16) -> ListenerRules {
        let written = self.rules.iter().filter(|rule| rule.speaks_of(scope, port));
        let mut rules: Vec<Rule> = written.cloned().collect();
        if scope == Scope::Internal {
            rules.push(Rule::default_allow_private());
        }
        let segments = |family| segments(family, &rules);
        let (v4, v6) = (segments(Family::V4), segments(Family::V6));
        ListenerRules { rules, last: Rule::default_deny(), v4, v6 }
    }
}

fn name_fault(name: &str) -> Option<String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let is_edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = name.as_bytes();
    let is_good = (1..=NAME_MAX).contains(&bytes.len())
        && bytes.iter().all(|byte| is_plain(*byte))
        && is_edge(bytes.first())
        && is_edge(bytes.last());
    if !is_good {
        return Some(format!(
            "`{}` is not a rule's name; write letters, digits and - _ . between, at most {NAME_MAX}",
            name.escape_default()
        ));
    }
    let is_taken = [DENY_NAME, PRIVATE_NAME].iter().any(|own| own.eq_ignore_ascii_case(name));
    is_taken.then(|| format!("`{name}` is the name of a built-in rule; write another"))
}

/// What the rules so far have, so that no other may have it.
#[derive(Default)]
struct Seen<'r> {
    names: HashMap<String, &'r str>,
    priorities: HashMap<u16, &'r str>,
    places: HashMap<Place, &'r str>,
}

/// A source, and where it is spoken of.
type Place = (Prefix, Option<u16>, Option<Scope>);

impl<'r> Seen<'r> {
    /// What this rule has in common with an earlier one and must not.
    fn take(&mut self, rule: &'r Rule) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        let own = rule.name.as_str();
        if self.names.insert(own.to_ascii_lowercase(), own).is_some() {
            found.push(("name", format!("`{own}` is the name of two rules; rename one")));
        }
        if let Some(theirs) = self.priorities.insert(rule.priority, own) {
            let both = rule.priority;
            found.push((
                "priority",
                format!("`{own}` and `{theirs}` both have {both}; give one another"),
            ));
        }
        for source in &rule.sources {
            let what = match self.places.insert((*source, rule.port, rule.scope), own) {
                Some(theirs) if theirs == own => {
                    format!("{source} is there twice; leave one out")
                }
                Some(theirs) => format!(
                    "`{own}` and `{theirs}` both speak of {source} on the same port: the second \
                     of them never counts; leave one out"
                ),
                None => continue,
            };
            found.push(("source", what));
        }
        found
    }
}

/// Networks contain each other or have nothing in common, so one pass with a stack of those that
/// are open finds the deciding rule of every stretch.
fn segments(family: Family, rules: &[Rule]) -> Vec<Segment> {
    let nobody = rules.len();
    let mut networks: Vec<(Prefix, usize)> = Vec::new();
    for (rank, rule) in rules.iter().enumerate() {
        let own = rule.sources.iter().filter(|source| source.family() == family);
        networks.extend(own.map(|source| (*source, rank)));
    }
    networks.sort_by_key(|(network, rank)| (network.first(), network.length(), *rank));
    let mut found = vec![Segment { first: 0, rank: nobody }];
    let mut open: Vec<(u128, usize)> = Vec::new();
    for (network, rank) in networks {
        close(&mut open, &mut found, Some(network.first()), family, nobody);
        let best = open.last().map_or(nobody, |outer| outer.1).min(rank);
        note(&mut found, network.first(), best);
        open.push((network.last(), best));
    }
    close(&mut open, &mut found, None, family, nobody);
    found
}

/// Ends the networks that lie wholly before an address, or all of them.
fn close(
    open: &mut Vec<(u128, usize)>,
    found: &mut Vec<Segment>,
    before: Option<u128>,
    family: Family,
    nobody: usize,
) {
    while let Some((last, _)) = open.pop_if(|(last, _)| before.is_none_or(|next| *last < next)) {
        let outer = open.last().map_or(nobody, |outer| outer.1);
        if let Some(first) = last.checked_add(1).filter(|first| *first <= family.last()) {
            note(found, first, outer);
        }
    }
}

fn note(found: &mut Vec<Segment>, first: u128, rank: usize) {
    // Several may begin or end at one address: the last word counts.
    found.pop_if(|segment| segment.first == first);
    if found.last().is_none_or(|segment| segment.rank != rank) {
        found.push(Segment { first, rank });
    }
}

impl ListenerRules {
    /// The rule that decides about this address.
    #[must_use]
    pub fn judge(&self, address: IpAddr) -> &Rule {
        let (family, number) = numbered(address);
        let segments = self.segments(family);
        let behind = segments.partition_point(|segment| segment.first <= number);
        let segment = segments.get(behind.saturating_sub(1));
        self.rule(segment.map_or(self.rules.len(), |segment| segment.rank))
    }

    /// All of them in order, the last included.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().chain([&self.last])
    }

    /// The stretches of addresses that are let in, in order, as first and last.
    #[must_use]
    pub fn allowed(&self, family: Family) -> Vec<(u128, u128)> {
        let segments = self.segments(family);
        let mut stretches: Vec<(u128, u128)> = Vec::new();
        for (index, segment) in segments.iter().enumerate() {
            if self.rule(segment.rank).verdict == Verdict::Deny {
                continue;
            }
            let next = segments.get(index + 1);
            let last = next.map_or(family.last(), |next| next.first.saturating_sub(1));
            match stretches.last_mut() {
                Some(before) if before.1.checked_add(1) == Some(segment.first) => before.1 = last,
                _ => stretches.push((segment.first, last)),
            }
        }
        stretches
    }

    fn segments(&self, family: Family) -> &[Segment] {
        match family {
            Family::V4 => &self.v4,
            Family::V6 => &self.v6,
        }
    }

    fn rule(&self, rank: usize) -> &Rule {
        self.rules.get(rank).unwrap_or(&self.last)
    }
}

#[cfg(test)]
mod tests;
