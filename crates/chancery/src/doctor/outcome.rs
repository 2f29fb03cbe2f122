//! What a run has come to, in whichever mode: what was seen, what is said of it, one exit code.

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::acceptance::{self, Accepting};
use super::facts::{Facts, Told};
use super::rules::{Finding, Severity};
use super::{fleet, offline, report, rules};

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
    /// Our own service.
    Own,
    /// A chain in this file.
    Offline(String),
    /// What an application's file names, with the lines of it that were used.
    Config {
        file: String,
        used: Vec<String>,
    },
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

    fn text(&self) -> String {
        report::text(&self.facts, &self.findings, self.accepting.as_ref())
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

    /// What was looked at, in a word.
    pub(crate) fn title(&self) -> &str {
        match &self.what {
            What::Target => self.seen.first().map_or("", |one| one.facts.target.as_str()),
            What::Own => "self",
            What::Fleet(name) | What::Offline(name) | What::Config { file: name, .. } => name,
        }
    }

    /// The first line of the text: what has to change for somebody to be told.
    pub(crate) fn verdict(&self) -> String {
        self.text().lines().next().unwrap_or_default().to_owned()
    }

    /// What a person reads.
    pub(crate) fn text(&self) -> String {
        match &self.what {
            What::Target => self.seen.iter().map(Seen::text).collect::<Vec<_>>().join("\n\n"),
            What::Config { used, .. } => {
                let mut parts = Vec::new();
                if !self.findings.is_empty() || self.seen.is_empty() {
                    let verdict = report::verdict("nothing is wrong with it", &self.findings);
                    parts.push(report::bounded(&verdict));
                }
                parts.extend(self.seen.iter().map(Seen::text));
                parts.extend(used.iter().map(|line| format!("i {}", report::harmless(line))));
                parts.join("\n")
            }
            What::Offline(file) => {
                let each = self.seen.iter().map(|one| offline::text(file, one));
                each.collect::<Vec<_>>().join("\n\n")
            }
            What::Fleet(_) | What::Own => {
                let well = match &self.what {
                    What::Fleet(domain) => {
                        format!("{} servers of {domain} are well", self.seen.len())
                    }
                    _ => "our own service is well".to_owned(),
                };
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
        let (findings, mut all) = (&self.findings, serde_json::Map::new());
        match &self.what {
            What::Target => {}
            What::Own => {
                all.insert("own".to_owned(), json!(true));
            }
            What::Fleet(domain) => {
                all.insert("fleet".to_owned(), json!(domain));
            }
            What::Offline(file) => {
                all.insert("offline".to_owned(), json!(file));
            }
            What::Config { file, used } => {
                all.insert("config".to_owned(), json!(file));
                all.insert("used".to_owned(), json!(used));
            }
        }
        all.insert("findings".to_owned(), json!(findings));
        all.insert("runs".to_owned(), json!(runs));
        Value::Object(all)
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
    pub(super) fn finding(self) -> Finding {
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
