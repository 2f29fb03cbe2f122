//! What a run has come to, in whichever mode: what was seen, what is said of it, one exit code.

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::acceptance::{self, Accepting};
use super::facts::{Facts, Told};
use super::rules::{Finding, Severity};
use super::{fleet, report, rules};

/// One target with what is said of it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) facts: Facts,
    pub(crate) findings: Vec<Finding>,
    /// Who would accept the certificate, where one was seen.
    pub(crate) accepting: Option<Accepting>,
}

/// What was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Target,
    /// The servers of this domain.
    Fleet(String),
}

#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) what: What,
    pub(crate) seen: Vec<Seen>,
    /// Of the whole, where that is more than one target.
    pub(crate) findings: Vec<Finding>,
}

impl Seen {
    /// Findings that came along are taken as they are: their facts have been taken out.
    pub(crate) fn judged(facts: Facts, now: OffsetDateTime) -> Seen {
        let findings = match &facts.told {
            Some(told) => told.iter().cloned().map(Told::finding).collect(),
            None => rules::findings(&facts, now),
        };
        let accepting = acceptance::of(&facts, now);
        Seen { facts, findings, accepting }
    }

    /// As a person names it.
    pub(crate) fn name(&self) -> String {
        match self.facts.port {
            client::target::LDAPS => self.facts.name.clone(),
            port => format!("{}:{port}", self.facts.name),
        }
    }

    pub(crate) fn failure(&self) -> Option<&Finding> {
        self.findings.iter().find(|one| one.severity == Severity::Error)
    }
}

impl Outcome {
    pub(crate) fn of(seen: Seen) -> Outcome {
        Outcome { what: What::Target, seen: vec![seen], findings: Vec::new() }
    }

    fn all(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().chain(self.seen.iter().flat_map(|one| &one.findings))
    }

    /// By the worst.
    pub(crate) fn code(&self) -> u8 {
        match self.all().map(|one| one.severity).min() {
            Some(Severity::Error) => report::BROKEN,
            Some(Severity::Warning) => report::WARNS,
            Some(Severity::Note) | None => report::WELL,
        }
    }

    /// What a person reads.
    pub(crate) fn text(&self) -> String {
        match &self.what {
            What::Target => {
                let each = self
                    .seen
                    .iter()
                    .map(|one| report::text(&one.facts, &one.findings, one.accepting.as_ref()));
                each.collect::<Vec<_>>().join("\n\n")
            }
            What::Fleet(domain) => {
                let well = format!("{} servers of {domain} are well", self.seen.len());
                let verdict = report::bounded(&report::verdict(&well, &self.findings));
                let table = fleet::table(&self.seen);
                let table: Vec<String> = table.lines().map(report::harmless).collect();
                format!("{verdict}\n{}", table.join("\n"))
            }
        }
    }

    pub(crate) fn json(&self) -> Value {
        let run = |one: &Seen| {
            let verdicts = one.accepting.as_ref().map(|one| &one.verdicts);
            json!({ "facts": one.facts, "findings": one.findings, "acceptance": verdicts })
        };
        if let (What::Target, [one]) = (&self.what, self.seen.as_slice()) {
            return run(one);
        }
        let runs: Vec<Value> = self.seen.iter().map(run).collect();
        match &self.what {
            What::Fleet(domain) => {
                json!({ "fleet": domain, "findings": self.findings, "runs": runs })
            }
            What::Target => json!({ "findings": self.findings, "runs": runs }),
        }
    }

    /// What is kept for later: the facts alone.
    pub(crate) fn facts(&self) -> Value {
        match (&self.what, self.seen.as_slice()) {
            (What::Target, [one]) => json!(one.facts),
            (_, all) => json!(all.iter().map(|one| &one.facts).collect::<Vec<_>>()),
        }
    }
}

impl Told {
    /// Codes are few, and live as long as the run.
    fn finding(self) -> Finding {
        Finding {
            code: self.code.leak(),
            severity: self.severity,
            confidence: self.confidence,
            layer: self.layer,
            nodes: self.nodes,
            cause: self.cause,
            evidence: self.evidence,
            fixes: self.fixes,
        }
    }
}
