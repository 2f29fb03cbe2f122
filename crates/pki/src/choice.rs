//! Which of several certificates is served, and why each of the others is not.
//!
//! The choice depends on the certificates, the names and the time alone, so two servers with the
//! same files choose alike, in whatever order they find them.

use std::cmp::Ordering;
use std::fmt;

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde::Serialize;
use time::OffsetDateTime;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::certificate::Summary;
use crate::judge::{Judgement, Level, Wanted, judge_server};

/// A chain, its key, and where both came from.
pub struct Candidate {
    /// For people: a file, a folder, the in-house CA.
    pub source: String,
    /// Whatever keeps it renews it in time.
    pub renews_itself: bool,
    pub chain: Vec<CertificateDer<'static>>,
    pub key: Option<PrivateKeyDer<'static>>,
}

/// A candidate after it was judged.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Weighed {
    pub source: String,
    #[serde(flatten)]
    pub judgement: Judgement,
    /// What its first certificate says; none where that cannot be read.
    #[serde(skip)]
    pub summary: Option<Summary>,
    /// How many of the names that are wanted its alternative names cover.
    pub covered: usize,
    pub verdict: Verdict,
}

/// What became of a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    Chosen,
    /// A finding forbids serving it.
    Refused,
    /// It would do; the one that was chosen covers more names.
    CoversFewer,
    /// …has fewer warnings.
    MoreWarnings,
    /// …is valid longer.
    EndsEarlier,
    /// …is as good, and its thumbprint is smaller, so that the choice is the same everywhere.
    LargerThumbprint,
    /// It is the one that was chosen, from another place.
    Same,
}

impl Verdict {
    fn words(self) -> &'static str {
        match self {
            Verdict::Chosen => "chosen",
            Verdict::Refused => "refused",
            Verdict::CoversFewer => "not chosen: the chosen one covers more of the names",
            Verdict::MoreWarnings => "not chosen: the chosen one has fewer warnings",
            Verdict::EndsEarlier => "not chosen: the chosen one is valid longer",
            Verdict::LargerThumbprint => {
                "not chosen: the chosen one is as good, and its thumbprint is the smaller"
            }
            Verdict::Same => "not chosen: it is the chosen one again, from another place",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.words())
    }
}

/// A certificate that passed, as it is to be served. Made by [`choose`] alone: what was not judged
/// cannot be served.
pub struct Chosen {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    source: String,
    renews_itself: bool,
    summary: Summary,
}

impl Chosen {
    /// In order, without a root.
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    pub fn key(&self) -> &PrivateKeyDer<'static> {
        &self.key
    }

    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whatever keeps it renews it in time.
    pub fn renews_itself(&self) -> bool {
        self.renews_itself
    }

    /// What the server's own certificate says.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }
}

/// Never shows the key.
impl fmt::Debug for Chosen {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Chosen({} from {})", self.summary.subject, self.source)
    }
}

/// All candidates, in the order given, at most one of them chosen.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Choice {
    pub candidates: Vec<Weighed>,
    #[serde(skip)]
    pub chosen: Option<usize>,
}

impl Choice {
    /// The one that was chosen.
    pub fn winner(&self) -> Option<&Weighed> {
        self.candidates.get(self.chosen?)
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, one) in self.candidates.iter().enumerate() {
            if index > 0 {
                out.write_str("\n\n")?;
            }
            write!(out, "{}\n  {}", one.source, one.verdict)?;
            if let Some(summary) = &one.summary {
                let names: Vec<_> = summary.names.iter().map(ToString::to_string).collect();
                write!(out, "\n  for        {}", names.join(", "))?;
                write!(out, "\n  valid      {}", minute(summary.not_before))?;
                write!(out, " to {}", minute(summary.not_after))?;
                write!(out, "\n  serial     {}", summary.serial)?;
                write!(out, "\n  thumbprint {}", summary.thumbprint)?;
            }
            for finding in &one.judgement.findings {
                for line in finding.to_string().lines() {
                    write!(out, "\n  {line}")?;
                }
            }
        }
        Ok(())
    }
}

/// As people read it, to the minute.
fn minute(at: OffsetDateTime) -> String {
    let at = at.to_offset(time::UtcOffset::UTC);
    let (date, time) = (at.date(), at.time());
    let (year, month, day) = (date.year(), u8::from(date.month()), date.day());
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02} UTC", time.hour(), time.minute())
}

/// Judges every candidate and chooses.
pub fn choose(
    candidates: &[Candidate],
    wanted: &Wanted<'_>,
    now: OffsetDateTime,
) -> (Choice, Option<Chosen>) {
    let choice = weigh_all(candidates, wanted, now);
    let chosen = choice.chosen.and_then(|at| candidates.get(at)).zip(choice.winner());
    let chosen = chosen.and_then(|(candidate, weighed)| {
        Some(Chosen {
            chain: in_order(&candidate.chain),
            key: candidate.key.as_ref()?.clone_key(),
            source: candidate.source.clone(),
            renews_itself: candidate.renews_itself,
            summary: weighed.summary.clone()?,
        })
    });
    (choice, chosen)
}

fn weigh_all(candidates: &[Candidate], wanted: &Wanted<'_>, now: OffsetDateTime) -> Choice {
    let weighed = candidates.iter().map(|candidate| weigh(candidate, wanted, now));
    let mut candidates: Vec<Weighed> = weighed.collect();
    let passing = candidates.iter().enumerate().filter(|(_, one)| one.judgement.passes());
    // The first of equals, so that a certificate that is there twice has a fixed place.
    let chosen = passing.min_by(|(_, one), (_, other)| order(one, other)).map(|(at, _)| at);
    let winner = chosen.and_then(|at| candidates.get(at)).cloned();
    for (at, one) in candidates.iter_mut().enumerate() {
        one.verdict = match &winner {
            _ if !one.judgement.passes() => Verdict::Refused,
            _ if Some(at) == chosen => Verdict::Chosen,
            Some(winner) => behind(one, winner),
            None => Verdict::Refused,
        };
    }
    Choice { candidates, chosen }
}

fn weigh(candidate: &Candidate, wanted: &Wanted<'_>, now: OffsetDateTime) -> Weighed {
    let wanted = Wanted { renews_itself: candidate.renews_itself, ..wanted.clone() };
    let judgement = judge_server(&candidate.chain, candidate.key.as_ref(), &wanted, now);
    let summary = candidate.chain.first().and_then(|leaf| Summary::parse(leaf).ok());
    let names = summary.as_ref().map(|summary| summary.names.as_slice()).unwrap_or_default();
    let is_covered = |name: &&crate::judge::names::ServedName| {
        names.iter().any(|pattern| name.is_covered_by(pattern))
    };
    let covered = wanted.names.iter().filter(is_covered).count();
    let source = candidate.source.clone();
    Weighed { source, judgement, summary, covered, verdict: Verdict::Refused }
}

/// The better one first.
fn order(one: &Weighed, other: &Weighed) -> Ordering {
    steps(one, other).into_iter().fold(Ordering::Equal, |so_far, (step, _)| so_far.then(step))
}

/// The comparisons in order, each with what it means for the one that is behind.
fn steps(one: &Weighed, other: &Weighed) -> [(Ordering, Verdict); 4] {
    let until = |weighed: &Weighed| weighed.summary.as_ref().map(|summary| summary.not_after);
    let thumbprint =
        |weighed: &Weighed| weighed.summary.as_ref().map(|summary| summary.thumbprint.clone());
    [
        (other.covered.cmp(&one.covered), Verdict::CoversFewer),
        (warnings(one).cmp(&warnings(other)), Verdict::MoreWarnings),
        (until(other).cmp(&until(one)), Verdict::EndsEarlier),
        (thumbprint(one).cmp(&thumbprint(other)), Verdict::LargerThumbprint),
    ]
}

fn warnings(weighed: &Weighed) -> usize {
    weighed.judgement.findings.iter().filter(|finding| finding.level == Level::Warning).count()
}

fn behind(one: &Weighed, winner: &Weighed) -> Verdict {
    let steps = steps(winner, one);
    let first = steps.into_iter().find(|(step, _)| *step == Ordering::Less);
    first.map_or(Verdict::Same, |(_, verdict)| verdict)
}

/// The chain as it should be sent: the server's own, then each issuer after whom it issued. A root
/// is left out, since clients that trust it have it; so is what leads nowhere.
pub fn in_order(chain: &[CertificateDer<'static>]) -> Vec<CertificateDer<'static>> {
    let mut rest: Vec<&CertificateDer<'static>> = chain.iter().skip(1).collect();
    let mut ordered: Vec<CertificateDer<'static>> = chain.first().cloned().into_iter().collect();
    while let Some(last) = ordered.last().and_then(|der| Names::of(der)) {
        let next = rest.iter().position(|der| {
            Names::of(der).is_some_and(|names| names.subject == last.issuer && !names.is_root())
        });
        match next {
            Some(at) => ordered.push(rest.remove(at).clone()),
            None => break,
        }
    }
    ordered
}

struct Names {
    subject: Vec<u8>,
    issuer: Vec<u8>,
}

impl Names {
    fn of(der: &CertificateDer<'_>) -> Option<Names> {
        let (_, parsed) = X509Certificate::from_der(der).ok()?;
        let raw = |name: &x509_parser::x509::X509Name<'_>| name.as_raw().to_vec();
        Some(Names { subject: raw(parsed.subject()), issuer: raw(parsed.issuer()) })
    }

    fn is_root(&self) -> bool {
        self.subject == self.issuer
    }
}

#[cfg(test)]
mod tests;
