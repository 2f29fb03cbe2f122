//! An answer as a test report, for those who watch builds: a suite for each target, a case for
//! each layer.

use std::fmt::Write;

use super::outcome::{Outcome, Seen};
use super::rules::{Finding, Layer, Severity};

const LAYERS: [(Layer, &str); 8] = [
    (Layer::Config, "configuration"),
    (Layer::Dns, "name resolution"),
    (Layer::Tcp, "TCP"),
    (Layer::Tls, "TLS"),
    (Layer::Certificate, "certificate"),
    (Layer::Ldap, "LDAP"),
    (Layer::SignIn, "sign-in"),
    (Layer::Search, "search"),
];

pub(crate) fn text(outcome: &Outcome) -> String {
    let mut out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n".to_owned();
    for Seen { facts, findings, .. } in &outcome.seen {
        suite(&mut out, &facts.target, &facts.at, findings);
    }
    // What is said of the whole is said of no target alone.
    if !outcome.findings.is_empty() {
        let at = outcome.seen.first().map_or("", |one| one.facts.at.as_str());
        suite(&mut out, outcome.title(), at, &outcome.findings);
    }
    out.push_str("</testsuites>\n");
    out
}

fn suite(out: &mut String, target: &str, at: &str, findings: &[Finding]) {
    let of = |layer: Layer| findings.iter().filter(move |one| one.layer == layer);
    let is_error = |one: &&Finding| one.severity == Severity::Error;
    let failures = LAYERS.iter().filter(|(layer, _)| of(*layer).any(|one| is_error(&one))).count();
    let (name, at, count) = (escaped(target), escaped(at), LAYERS.len());
    // Writing to a string does not fail.
    let _ = writeln!(
        out,
        " <testsuite name=\"{name}\" timestamp=\"{at}\" tests=\"{count}\" failures=\"{failures}\">"
    );
    for (layer, what) in LAYERS {
        let _ = writeln!(out, "  <testcase classname=\"chancery.doctor\" name=\"{what}\">");
        // One failure to a case: the first, with the others in its text.
        if let Some(first) = of(layer).find(is_error) {
            let (code, cause) = (escaped(first.code), escaped(&first.cause));
            let _ = writeln!(out, "   <failure type=\"{code}\" message=\"{cause}\">");
            of(layer).filter(is_error).for_each(|one| told(out, one));
            let _ = writeln!(out, "   </failure>");
        }
        if of(layer).any(|one| !is_error(&one)) {
            let _ = writeln!(out, "   <system-out>");
            of(layer).filter(|one| !is_error(one)).for_each(|one| told(out, one));
            let _ = writeln!(out, "   </system-out>");
        }
        let _ = writeln!(out, "  </testcase>");
    }
    let _ = writeln!(out, " </testsuite>");
}

fn told(out: &mut String, finding: &Finding) {
    let _ = writeln!(out, "{}: {}", escaped(finding.code), escaped(&finding.cause));
    for evidence in &finding.evidence {
        let _ = writeln!(out, "  evidence: {}", escaped(evidence));
    }
    for fix in &finding.fixes {
        let _ = writeln!(out, "  fix: {}", escaped(fix));
    }
}

/// XML 1.0 has no way to write most control characters at all.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for one in text.chars() {
        match one {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(' '),
            one if one.is_control() || "\u{fffe}\u{ffff}".contains(one) => out.push('\u{fffd}'),
            one => out.push(one),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::rules::tests::{facts, node};

    #[test]
    fn text_from_elsewhere_stays_text() {
        let mut facts = facts(vec![node(1)]);
        facts.target = "ldaps://a\"<b>&\u{1b}[2J".to_owned();
        let findings = vec![
            Finding::new("TCP-REFUSED", Layer::Tcp, "a]]> & \"b\"").seen("c\nd"),
            Finding::new("EXPIRY", Layer::Certificate, "soon").warning(),
        ];
        let said = text(&Outcome::of(Seen { facts, findings, accepting: None }));
        for part in [
            "name=\"ldaps://a&quot;&lt;b&gt;&amp;\u{fffd}[2J\"",
            "tests=\"8\" failures=\"1\"",
            "<failure type=\"TCP-REFUSED\" message=\"a]]&gt; &amp; &quot;b&quot;\">",
            "  evidence: c d\n",
            "   <system-out>\nEXPIRY: soon\n   </system-out>",
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
        assert_eq!(said.matches("<testcase ").count(), said.matches("</testcase>").count());
    }
}
