//! Who may reach a listener: networks, rules, what a balancer says, and the gate that asks them.
//!
//! In reading order: [`prefix`] networks as values; [`rules`] the table and its first match;
//! [`exposure`] how much of the Internet a table lets in; [`proxy`] the PROXY protocol; [`gate`]
//! what stands in the accept path of one listener.

mod exposure;
mod gate;
mod prefix;
mod proxy;
mod rules;
mod visit;

pub use exposure::Exposure;
pub(crate) use gate::Passage;
pub use gate::{Admission, Gate, GateCounts};
pub use prefix::{Family, Prefix, PrefixFault, numbered};
pub use proxy::{Client, Header, HeaderFault, V1_BYTES_MAX, V2_BYTES_MAX, header};
pub use rules::{
    DENY_NAME, DENY_PRIORITY, ListenerRules, NAME_MAX, PRIORITY_MAX, PRIORITY_MIN, PRIVATE_NAME,
    PRIVATE_PRIORITY, Rule, RuleFault, RuleTable, SOURCES_MAX, Scope, Verdict,
};
pub use visit::{Visit, reachable};
