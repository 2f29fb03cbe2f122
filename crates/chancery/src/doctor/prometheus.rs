//! An answer as metrics, in the text format that node_exporter's textfile collector reads.

use std::collections::BTreeMap;
use std::fmt::Write;

use pki::Summary;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::facts::{Facts, Resolved, Tcp, Tls};
use super::outcome::{Outcome, Seen};
use super::rules::{Finding, Severity};

type Row = (String, f64);

/// <https://prometheus.io/docs/instrumenting/exposition_formats/>, version 0.0.4.
pub(crate) fn text(outcome: &Outcome) -> String {
    let mut out = String::new();
    let all = &outcome.seen;
    let up = |one: &Seen| (labels(&[("target", &one.facts.target)]), up(one));
    let rows = all.iter().map(up).collect();
    metric(&mut out, "up", "Whether nothing is wrong but what can wait.", rows);
    let mut rows: Vec<Row> =
        all.iter().flat_map(|one| findings(&one.facts.target, &one.findings)).collect();
    rows.extend(findings(outcome.title(), &outcome.findings));
    metric(&mut out, "findings", "What was found, by its code.", rows);
    let rows = all.iter().flat_map(|one| expiries(&one.facts)).collect();
    let help = "When the certificate that is shown at the address ends.";
    metric(&mut out, "certificate_expiry_timestamp_seconds", help, rows);
    let rows = all.iter().flat_map(|one| steps(&one.facts)).collect();
    metric(&mut out, "step_seconds", "How long a step took.", rows);
    let at = all.iter().filter_map(|one| {
        let at = OffsetDateTime::parse(&one.facts.at, &Rfc3339).ok()?;
        Some((labels(&[("target", &one.facts.target)]), seconds(at)))
    });
    let rows = at.collect();
    metric(&mut out, "last_run_timestamp_seconds", "When it was looked.", rows);
    out
}

fn metric(out: &mut String, name: &str, help: &str, rows: Vec<Row>) {
    // Writing to a string does not fail.
    let _ = writeln!(out, "# HELP chancery_doctor_{name} {help}");
    let _ = writeln!(out, "# TYPE chancery_doctor_{name} gauge");
    // The same row twice would make the whole file unreadable.
    for (labels, value) in rows.into_iter().collect::<BTreeMap<String, f64>>() {
        let _ = writeln!(out, "chancery_doctor_{name}{labels} {value}");
    }
}

fn up(seen: &Seen) -> f64 {
    if seen.failure().is_none() { 1.0 } else { 0.0 }
}

fn findings(target: &str, findings: &[Finding]) -> Vec<Row> {
    let mut counts: BTreeMap<String, f64> = BTreeMap::new();
    for one in findings {
        let severity = match one.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        };
        let of = labels(&[("target", target), ("code", one.code), ("severity", severity)]);
        *counts.entry(of).or_default() += 1.0;
    }
    counts.into_iter().collect()
}

fn expiries(facts: &Facts) -> Vec<Row> {
    let of = |node: &super::facts::Node| {
        let chain = node.tls.as_ref().map(Tls::certificates)?;
        let leaf = Summary::parse(chain.first()?).ok()?;
        let address = node.address.to_string();
        let labels = labels(&[("target", &facts.target), ("address", &address)]);
        Some((labels, seconds(leaf.not_after)))
    };
    facts.nodes.iter().filter_map(of).collect()
}

fn steps(facts: &Facts) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut row = |address: &str, step: &str, ms: u64| {
        let labels = labels(&[("target", &facts.target), ("address", address), ("step", step)]);
        rows.push((labels, std::time::Duration::from_millis(ms).as_secs_f64()));
    };
    if let Resolved::Found { ms, .. } | Resolved::Failed { ms, .. } = facts.resolved {
        row("", "resolve", ms);
    }
    for node in &facts.nodes {
        let address = node.address.to_string();
        if let Tcp::Open { ms } | Tcp::TimedOut { ms } = node.tcp {
            row(&address, "tcp", ms);
        }
        if let Some(tls) = &node.tls {
            row(&address, "tls", tls.ms);
        }
        if let Some(ldap) = &node.ldap {
            row(&address, "ldap", ldap.ms);
        }
    }
    if let Some(search) = facts.application.as_ref().and_then(|tried| tried.search.as_ref()) {
        row("", "search", search.ms);
    }
    rows
}

fn seconds(at: OffsetDateTime) -> f64 {
    // Exact for some hundred million years.
    at.unix_timestamp() as f64
}

fn labels(all: &[(&str, &str)]) -> String {
    let each: Vec<String> =
        all.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
    format!("{{{}}}", each.join(","))
}

fn escaped(value: &str) -> String {
    let visible = value.chars().map(|one| match one {
        '\n' => one,
        one if one.is_control() => '\u{fffd}',
        one => one,
    });
    let visible: String = visible.collect();
    visible.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::rules::Layer;
    use crate::doctor::rules::tests::{facts, node};

    #[test]
    fn every_line_can_be_read_whatever_was_said() {
        let mut facts = facts(vec![node(1), node(2)]);
        facts.target = "ldaps://a\"\\\n\u{1b}".to_owned();
        let twice = || Finding::new("TRUST-CA", Layer::Certificate, "x");
        let findings = vec![twice(), twice(), Finding::new("EXPIRY", Layer::Tls, "y").warning()];
        let one = Seen { facts, findings, accepting: None };
        let mut both = Outcome::of(one.clone());
        both.seen.push(one);
        let said = text(&both);
        let target = "target=\"ldaps://a\\\"\\\\\\n\u{fffd}\"";
        for line in [
            format!("chancery_doctor_up{{{target}}} 0"),
            format!("chancery_doctor_findings{{{target},code=\"TRUST-CA\",severity=\"error\"}} 2"),
            format!("chancery_doctor_findings{{{target},code=\"EXPIRY\",severity=\"warning\"}} 1"),
            format!(
                "chancery_doctor_step_seconds{{{target},address=\"192.0.2.1:636\",step=\"tls\"}} \
                 0.001"
            ),
            format!("chancery_doctor_last_run_timestamp_seconds{{{target}}} 1893456000"),
        ] {
            assert_eq!(said.lines().filter(|said| *said == line).count(), 1, "{line}: {said}");
        }
    }
}
