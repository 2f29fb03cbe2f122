//! Judging a certificate before anybody meets it: every rule at once, each finding with what was
//! found, what was expected and what to do. `docs/design/certificates.md` has the list.
//!
//! - [`chain`]: order, issuers, constraints. [`leaf`]: key, purposes, names. [`names`]: what covers
//!   what. [`families`]: which clients would accept it.

mod chain;
pub mod families;
mod leaf;
pub mod names;

use std::fmt;

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde::Serialize;
use time::OffsetDateTime;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::certificate::Summary;
use crate::name;
use names::ServedName;

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Worth knowing.
    Note,
    /// Some clients will not accept it, or soon none will.
    Warning,
    /// It must not be served.
    Refused,
}

/// Identifiers that stay: alerts, documents and scripts name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    Unreadable,
    KeyMissing,
    KeyMismatch,
    KeyUnsupported,
    KeyExposed,
    KeyWeak,
    Purpose,
    KeyUsage,
    NameNotCovered,
    NameOnlyInSubject,
    NotYetValid,
    Expired,
    LifetimeShort,
    ChainOrder,
    ChainIncomplete,
    ChainBroken,
    ChainSurplus,
    IssuerNotCa,
    PathLength,
    NameConstraint,
    SignatureWeak,
    SignaturePss,
    LeafIsCa,
    PfxEncryption,
}

impl Rule {
    pub const ALL: [Rule; 24] = [
        Rule::Unreadable,
        Rule::KeyMissing,
        Rule::KeyMismatch,
        Rule::KeyUnsupported,
        Rule::KeyExposed,
        Rule::KeyWeak,
        Rule::Purpose,
        Rule::KeyUsage,
        Rule::NameNotCovered,
        Rule::NameOnlyInSubject,
        Rule::NotYetValid,
        Rule::Expired,
        Rule::LifetimeShort,
        Rule::ChainOrder,
        Rule::ChainIncomplete,
        Rule::ChainBroken,
        Rule::ChainSurplus,
        Rule::IssuerNotCa,
        Rule::PathLength,
        Rule::NameConstraint,
        Rule::SignatureWeak,
        Rule::SignaturePss,
        Rule::LeafIsCa,
        Rule::PfxEncryption,
    ];

    pub fn id(self) -> &'static str {
        match self {
            Rule::Unreadable => "unreadable",
            Rule::KeyMissing => "key-missing",
            Rule::KeyMismatch => "key-mismatch",
            Rule::KeyUnsupported => "key-unsupported",
            Rule::KeyExposed => "key-exposed",
            Rule::KeyWeak => "key-weak",
            Rule::Purpose => "purpose",
            Rule::KeyUsage => "key-usage",
            Rule::NameNotCovered => "name-not-covered",
            Rule::NameOnlyInSubject => "name-only-in-subject",
            Rule::NotYetValid => "not-yet-valid",
            Rule::Expired => "expired",
            Rule::LifetimeShort => "lifetime-short",
            Rule::ChainOrder => "chain-order",
            Rule::ChainIncomplete => "chain-incomplete",
            Rule::ChainBroken => "chain-broken",
            Rule::ChainSurplus => "chain-surplus",
            Rule::IssuerNotCa => "issuer-not-ca",
            Rule::PathLength => "path-length",
            Rule::NameConstraint => "name-constraint",
            Rule::SignatureWeak => "signature-weak",
            Rule::SignaturePss => "signature-pss",
            Rule::LeafIsCa => "leaf-is-ca",
            Rule::PfxEncryption => "pfx-encryption",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.id())
    }
}

/// One thing about one certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub rule: Rule,
    pub level: Level,
    /// Place in the chain as it was given; 0 is the server's own.
    pub certificate: usize,
    /// Of that certificate.
    pub subject: String,
    pub found: String,
    pub expected: String,
    pub fix: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Refused => "refused",
            Level::Warning => "warning",
            Level::Note => "note",
        };
        writeln!(out, "{level}: {} ({})", self.rule, self.subject)?;
        writeln!(out, "  found     {}", self.found)?;
        writeln!(out, "  expected  {}", self.expected)?;
        write!(out, "  fix       {}", self.fix)
    }
}

/// Everything that was found, the heaviest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Judgement {
    pub findings: Vec<Finding>,
}

impl Judgement {
    /// Nothing forbids serving it.
    pub fn passes(&self) -> bool {
        self.findings.iter().all(|finding| finding.level != Level::Refused)
    }

    pub fn of(&self, rule: Rule) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(move |finding| finding.rule == rule)
    }
}

impl fmt::Display for Judgement {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.findings.is_empty() {
            return write!(out, "nothing to say against it");
        }
        for (index, finding) in self.findings.iter().enumerate() {
            if index > 0 {
                writeln!(out)?;
            }
            write!(out, "{finding}")?;
        }
        Ok(())
    }
}

/// What is asked of a certificate beyond being one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Fewer days left are a warning, unless the certificate renews itself.
    pub lifetime_days_min: i64,
    pub rsa_bits_min: usize,
}

impl Default for Policy {
    fn default() -> Policy {
        Policy { lifetime_days_min: 90, rsa_bits_min: 2048 }
    }
}

/// For what a server's certificate is wanted.
#[derive(Clone, Debug, Default)]
pub struct Wanted<'w> {
    /// Every published name and every node's.
    pub names: &'w [ServedName],
    /// Certificates that clients are known to trust.
    pub roots: &'w [CertificateDer<'w>],
    /// Somebody renews it in time without being told.
    pub renews_itself: bool,
    pub policy: Policy,
}

/// A certificate of the chain, read.
struct Link<'c> {
    place: usize,
    parsed: X509Certificate<'c>,
    summary: Summary,
}

impl<'c> Link<'c> {
    fn read(place: usize, der: &'c CertificateDer<'_>) -> Result<Link<'c>, String> {
        let summary = Summary::parse(der).map_err(|error| error.to_string())?;
        let (_, parsed) = X509Certificate::from_der(der).map_err(|error| error.to_string())?;
        Ok(Link { place, parsed, summary })
    }

    fn is_self_issued(&self) -> bool {
        self.parsed.subject().as_raw() == self.parsed.issuer().as_raw()
    }

    fn finding(&self, rule: Rule, level: Level, words: Words) -> Finding {
        let Words { found, expected, fix } = words;
        let subject = self.summary.subject.clone();
        let subject = if subject.is_empty() { "without a subject".to_owned() } else { subject };
        Finding { rule, level, certificate: self.place, subject, found, expected, fix }
    }
}

/// What a finding says.
struct Words {
    found: String,
    expected: String,
    fix: String,
}

fn words(found: impl Into<String>, expected: impl Into<String>, fix: impl Into<String>) -> Words {
    Words { found: found.into(), expected: expected.into(), fix: fix.into() }
}

/// Judges what a server would send: its own certificate first. Without a key only the rest is
/// judged, and that it is missing.
pub fn judge_server(
    chain: &[CertificateDer<'_>],
    key: Option<&PrivateKeyDer<'static>>,
    wanted: &Wanted<'_>,
    now: OffsetDateTime,
) -> Judgement {
    let (links, mut findings) = read(chain);
    if let Some(leaf) = links.iter().find(|link| link.place == 0) {
        leaf::judge(leaf, key, wanted, now, &mut findings);
        chain::judge(leaf, &links, wanted, now, &mut findings);
    }
    sorted(findings)
}

/// Judges a certificate that is to be trusted as a CA.
pub fn judge_authority(
    der: &CertificateDer<'_>,
    policy: &Policy,
    now: OffsetDateTime,
) -> Judgement {
    let (links, mut findings) = read(std::slice::from_ref(der));
    for link in &links {
        chain::judge_authority(link, policy, now, &mut findings);
    }
    sorted(findings)
}

fn read<'c>(chain: &'c [CertificateDer<'_>]) -> (Vec<Link<'c>>, Vec<Finding>) {
    let mut links = Vec::new();
    let mut findings = Vec::new();
    for (place, der) in chain.iter().enumerate() {
        match Link::read(place, der) {
            Ok(link) => links.push(link),
            Err(reason) => findings.push(unreadable(place, reason)),
        }
    }
    if chain.is_empty() {
        findings.push(unreadable(0, "there is no certificate at all".to_owned()));
    }
    (links, findings)
}

fn unreadable(place: usize, reason: String) -> Finding {
    Finding {
        rule: Rule::Unreadable,
        level: Level::Refused,
        certificate: place,
        subject: format!("certificate number {}", place + 1),
        found: reason,
        expected: "an X.509 certificate, in PEM between BEGIN CERTIFICATE and END CERTIFICATE"
            .to_owned(),
        fix: "export it again from where it was issued".to_owned(),
    }
}

fn sorted(mut findings: Vec<Finding>) -> Judgement {
    findings.sort_by_key(|finding| {
        (std::cmp::Reverse(finding.level), finding.certificate, finding.rule)
    });
    Judgement { findings }
}

/// A day as people write it.
fn day(at: OffsetDateTime) -> String {
    let date = at.to_offset(time::UtcOffset::UTC).date();
    format!("{:04}-{:02}-{:02}", date.year(), u8::from(date.month()), date.day())
}

/// The CN of a subject, if there is one.
fn common_name(link: &Link<'_>) -> Option<String> {
    let name = link.parsed.subject().iter_common_name().next()?;
    name.as_str().ok().map(str::to_owned)
}

/// A subject as text, for certificates that are only spoken of.
fn issuer_text(link: &Link<'_>) -> String {
    name::text(link.parsed.issuer())
}

#[cfg(test)]
mod tests;
