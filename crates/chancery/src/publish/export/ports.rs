//! Which port must be open where, as a table for whoever runs the firewalls.

use anyhow::Result;
use serde::Serialize;
use server::network::{Scope, Verdict};

use super::seen;
use crate::config::{Address, Config, ListenMode};
use crate::publish::publication::Publication;

/// One line of the table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Line {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) port: u16,
    pub(crate) protocol: &'static str,
    pub(crate) purpose: String,
}

pub(crate) fn ports(
    config: &Config,
    publication: &Publication,
    only: Option<Scope>,
) -> Result<Vec<Line>> {
    let mut lines = Vec::new();
    for listener in seen(publication, only)? {
        let allowing = listener.rules.rules().filter(|rule| rule.verdict == Verdict::Allow);
        let from = |rule| listener.sources(rule).map(move |source| (rule, source));
        for (rule, source) in allowing.flat_map(from) {
            lines.push(Line {
                from: source.to_string(),
                to: listener.address.ip().to_string(),
                port: listener.address.port(),
                protocol: "TCP",
                purpose: format!("LDAPS, {} listener, rule {}", listener.scope, rule.label()),
            });
        }
    }
    for listener in config.listeners.iter().filter(|_| only.is_none()) {
        let Address::Internet(address) = listener.address else { continue };
        let kind = if listener.mode == ListenMode::StartTls { "StartTLS" } else { "LDAPS" };
        let is_here = address.ip().is_loopback();
        lines.push(Line {
            from: if is_here { "this machine" } else { "anywhere" }.to_owned(),
            to: address.ip().to_string(),
            port: address.port(),
            protocol: "TCP",
            purpose: format!("{kind}, [[listen]], under no rules"),
        });
    }
    Ok(lines)
}

pub(crate) fn ports_text(lines: &[Line]) -> String {
    let mut out =
        format!("{:<24} {:<24} {:>5} {:<8} {}\n", "FROM", "TO", "PORT", "PROTOCOL", "FOR");
    for Line { from, to, port, protocol, purpose } in lines {
        out += &format!("{from:<24} {to:<24} {port:>5} {protocol:<8} {purpose}\n");
    }
    out
}
