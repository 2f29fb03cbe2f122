//! A table that `nft -f` loads in one step, and again without leaving anything behind.

use std::fmt::Write;
use std::net::IpAddr;

use server::network::{Family, Prefix, Rule, Verdict};

use super::Seen;

/// Stateful as the server is: connections that exist stay, unless changes cut them.
pub(crate) fn nftables(listeners: &[Seen], cut: bool) -> String {
    let mut out = "\
#!/usr/sbin/nft -f
# The network rules of Chancery, printed by `chancery publish export --format nftables`.
# The server judges every connection by the same rules itself.
table inet chancery
delete table inet chancery
table inet chancery {
\tchain published {
\t\ttype filter hook input priority filter; policy accept;
"
    .to_owned();
    if !cut {
        out.push_str("\t\tct state established,related accept\n");
    }
    listeners.iter().for_each(|listener| listener_lines(&mut out, listener));
    out.push_str("\t}\n}\n");
    out
}

fn listener_lines(out: &mut String, listener: &Seen) {
    let port = listener.address.port();
    let _ = writeln!(out, "\t\t# {}: {}", listener.scope, listener.address);
    if listener.is_balanced {
        out.push_str("\t\t# Only the server sees the addresses behind the balancers.\n");
    }
    let to = match listener.destination() {
        Some(IpAddr::V4(address)) => format!("ip daddr {address} "),
        Some(IpAddr::V6(address)) => format!("ip6 daddr {address} "),
        None => String::new(),
    };
    let rules: Vec<&Rule> = listener.rules.rules().collect();
    let Some((last, rules)) = rules.split_last() else { return };
    for rule in rules {
        let verdict = match rule.verdict {
            Verdict::Allow => "accept",
            Verdict::Deny => "drop",
        };
        for source in listener.sources(rule) {
            let (from, label) = (from(source), rule.label());
            let _ = writeln!(out, "\t\t{to}tcp dport {port} {from} {verdict} comment \"{label}\"");
        }
    }
    let _ = writeln!(out, "\t\t{to}tcp dport {port} drop comment \"{}\"", last.label());
}

fn from(source: &Prefix) -> String {
    match (source.family(), source.length()) {
        (Family::V4, 0) => "meta nfproto ipv4".to_owned(),
        (Family::V6, 0) => "meta nfproto ipv6".to_owned(),
        (Family::V4, _) => format!("ip saddr {source}"),
        (Family::V6, _) => format!("ip6 saddr {source}"),
    }
}
