//! One verdict, in at most 25 lines, and the exit code.

use std::fmt::Write;

use super::acceptance::Accepting;
use super::facts::{Facts, Tcp};
use super::rules::{Confidence, Finding, Severity};

/// All is well; something is, but not for ever; it fails.
pub(crate) const WELL: u8 = 0;
pub(crate) const WARNS: u8 = 1;
pub(crate) const BROKEN: u8 = 2;

const LINES_MAX: usize = 25;

/// What a person reads. Text from elsewhere cannot move the cursor.
pub(crate) fn text(facts: &Facts, findings: &[Finding], accepting: Option<&Accepting>) -> String {
    let mut out = verdict(&format!("{} answers over verified TLS", facts.target), findings);
    for line in accepting.map(Accepting::lines).unwrap_or_default() {
        let _ = writeln!(out, "{line}");
    }
    observed(&mut out, facts);
    bounded(&out)
}

/// The cause, what was seen, what mends it; or the sentence for where nothing is wrong.
pub(crate) fn verdict(well: &str, findings: &[Finding]) -> String {
    let mut out = String::new();
    let (errors, others): (Vec<_>, Vec<_>) =
        findings.iter().partition(|one| one.severity == Severity::Error);
    match errors.split_first() {
        Some((first, rest)) => {
            // Writing to a string does not fail.
            let _ = writeln!(out, "✗ {}  {}", first.code, first.cause);
            detail(&mut out, first);
            for one in rest.iter().take(4) {
                let _ = writeln!(out, "  also {}  {}", one.code, one.cause);
            }
        }
        None => {
            let _ = writeln!(out, "✓ {well}");
        }
    }
    // The first is what there is to do, where nothing fails.
    let is_first = |at: usize| at == 0 && errors.is_empty();
    for (at, one) in others.iter().take(3).enumerate() {
        let sign = if one.severity == Severity::Note { 'i' } else { '!' };
        let _ = writeln!(out, "{sign} {}  {}", one.code, one.cause);
        if is_first(at) {
            detail(&mut out, one);
        }
    }
    out
}

fn observed(out: &mut String, facts: &Facts) {
    for node in facts.nodes.iter().take(6) {
        let state = match (&node.tcp, &node.tls, &node.ldap) {
            (Tcp::Open { ms }, Some(tls), ldap) => {
                let ldap = ldap.as_ref().map_or(0, |ldap| ldap.ms);
                let version = tls.version.as_deref().unwrap_or("no TLS");
                format!("{version}, TCP {ms} ms, TLS {} ms, LDAP {ldap} ms", tls.ms)
            }
            (tcp, ..) => format!("{tcp:?}"),
        };
        let _ = writeln!(out, "i {}  {state}", node.address);
    }
    let search = facts.application.as_ref().and_then(|tried| tried.search.as_ref());
    if let Some(search) = search.filter(|search| search.refused.is_none()) {
        let more = if search.is_more { "more than " } else { "" };
        let (count, filter, base, ms) = (search.count, &search.filter, &search.base, search.ms);
        let _ = writeln!(out, "i {filter} below {base} finds {more}{count}, {ms} ms");
    }
}

/// No longer than a screen.
pub(crate) fn bounded(text: &str) -> String {
    let lines: Vec<String> = text.lines().take(LINES_MAX).map(harmless).collect();
    lines.join("\n")
}

fn detail(out: &mut String, finding: &Finding) {
    for evidence in finding.evidence.iter().take(4) {
        let _ = writeln!(out, "  evidence: {evidence}");
    }
    if finding.confidence == Confidence::Likely {
        let _ = writeln!(out, "  confidence: likely, not certain");
    }
    for fix in finding.fixes.iter().take(3) {
        let _ = writeln!(out, "  fix: {fix}");
    }
}

/// Without control characters: certificates and servers may say anything.
pub(crate) fn harmless(line: &str) -> String {
    line.chars().map(|one| if one.is_control() { '\u{fffd}' } else { one }).collect()
}
