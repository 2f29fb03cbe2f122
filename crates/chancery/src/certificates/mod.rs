//! The certificate that is served: where it may come from, which one is taken, when it is replaced,
//! and whether clients really see it. `docs/design/certificates.md` has the whole.
//!
//! In reading order: [`sources`] what there is on disk; this file, the choice and the replacement;
//! [`listeners`] TLS as each listener speaks it; [`presented`] what a client is shown; [`watching`]
//! the duty that notices changes.

mod listeners;
mod presented;
mod sources;
#[cfg(test)]
mod tests;
mod watching;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pki::judge::names::ServedName;
use pki::{Candidate, Choice, Chosen, Policy, Summary, Wanted};
use rustls::pki_types::CertificateDer;
use serde::Serialize;
use server::network::Gate;
use server::tls::ServingTls;
use time::OffsetDateTime;

use crate::alerts::{Condition, Deadline, Level, Watches};
use crate::config::{Config, Source};

pub(crate) use listeners::ListenersTls;
pub(crate) use presented::{Shown, shown};
use sources::{Found, Unread};
pub(crate) use watching::{Revocations, Watching};

/// Where candidates are looked for, and what is wanted of them.
#[derive(Clone, Debug)]
pub(crate) struct Looking {
    pub(crate) sources: Vec<Source>,
    pub(crate) data: PathBuf,
    /// Names that must be covered; empty: whatever the certificate has.
    pub(crate) names: Vec<ServedName>,
    pub(crate) policy: Policy,
    pub(crate) renews_itself: bool,
}

impl Looking {
    pub(crate) fn from(config: &Config) -> Looking {
        Looking {
            sources: config.tls.sources.clone(),
            data: config.data.clone(),
            names: config.publish.names.clone(),
            policy: Policy { lifetime_days_min: config.tls.lifetime_days, ..Policy::default() },
            renews_itself: config.tls.renews_itself,
        }
    }
}

/// The certificates of a running server.
pub(crate) struct Certificates {
    serving: ServingTls,
    /// Held by whoever looks at the sources.
    turn: Mutex<()>,
    state: Mutex<State>,
}

struct State {
    looking: Looking,
    choice: Choice,
    unread: Vec<Unread>,
    in_service: Option<InService>,
    /// Since when no source gives what is served any more.
    failing_since: Option<OffsetDateTime>,
    checked: Vec<Checked>,
}

/// What is served.
struct InService {
    source: String,
    since: OffsetDateTime,
    chain: Vec<CertificateDer<'static>>,
    /// As a candidate, for when its source gives it no more.
    kept: Candidate,
    summary: Summary,
}

/// A listener, and what stands before it where it is published.
pub(crate) type ListeningAt = (SocketAddr, Option<Arc<Gate>>);

/// What a listener showed when the server connected to itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Checked {
    pub(crate) listener: String,
    /// The one that should be there.
    pub(crate) expected: String,
    pub(crate) shown: Shown,
}

impl Checked {
    pub(crate) fn is_right(&self) -> bool {
        matches!(&self.shown, Shown::Certificate { thumbprint } if *thumbprint == self.expected)
    }
}

/// What looking again came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Another certificate is served from now on.
    Replaced,
    /// The best one is served already.
    Unchanged,
    /// The one that is served stays: what was found instead is refused. A sentence says why.
    Kept(String),
    /// None is served, and what was found is refused.
    None(String),
}

impl Certificates {
    /// Looks for the first time; what was found is served, if anything.
    pub(crate) fn open(looking: Looking, now: OffsetDateTime) -> Certificates {
        let certificates = Certificates {
            serving: ServingTls::default(),
            turn: Mutex::new(()),
            state: Mutex::new(State {
                looking,
                choice: Choice::default(),
                unread: Vec::new(),
                in_service: None,
                failing_since: None,
                checked: Vec::new(),
            }),
        };
        // The greeting says which it is.
        let outcome = certificates.looked(now);
        if outcome != Outcome::Replaced {
            certificates.state().tell(&outcome);
        }
        certificates
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn serving(&self) -> &ServingTls {
        &self.serving
    }

    pub(crate) fn served(&self) -> Option<Summary> {
        self.serving.served()
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.served().is_some()
    }

    pub(crate) fn looking(&self) -> Looking {
        self.state().looking.clone()
    }

    /// Where the one that is served came from, and since when it is.
    pub(crate) fn origin(&self) -> Option<(String, OffsetDateTime)> {
        let state = self.state();
        state.in_service.as_ref().map(|one| (one.source.clone(), one.since))
    }

    /// Looks elsewhere, or for other names, from now on.
    pub(crate) fn look(&self, looking: Looking, now: OffsetDateTime) -> Outcome {
        self.state().looking = looking;
        self.refresh(now)
    }

    /// Looks at every source again and serves the best certificate.
    pub(crate) fn refresh(&self, now: OffsetDateTime) -> Outcome {
        let outcome = self.looked(now);
        self.state().tell(&outcome);
        outcome
    }

    fn looked(&self, now: OffsetDateTime) -> Outcome {
        // One after the other, so that nobody serves what was read before what is served now. The
        // state itself is free meanwhile: a file system that hangs must not hold up who asks.
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let looking = self.looking();
        let mut found = sources::read(&looking, now);
        let roots = sources::roots(&looking.data);
        let mut state = self.state();
        let (mut choice, mut chosen) = found.choose(&looking, &roots, now);
        let lost = state.in_service.as_ref().filter(|served| {
            let makes_way = found.is_in_house(&served.source) && chosen.is_some();
            !is_given(&choice, &served.source) && !makes_way
        });
        let is_failing = lost.is_some() || chosen.is_none();
        if let Some(served) = lost {
            // It is in memory and may still be the best there is.
            found.candidates.push(copy(&served.kept));
            (choice, chosen) = found.choose(&looking, &roots, now);
        }
        state.failing_since = is_failing.then(|| state.failing_since.unwrap_or(now));
        (state.choice, state.unread) = (choice, found.unread);
        self.serve(&mut state, chosen, now)
    }

    fn serve(&self, state: &mut State, chosen: Option<Chosen>, now: OffsetDateTime) -> Outcome {
        let reason = || state.reason();
        let Some(chosen) = chosen else {
            return match &state.in_service {
                Some(_) => Outcome::Kept(reason()),
                None => Outcome::None(reason()),
            };
        };
        if let Some(served) = &mut state.in_service
            && served.chain == chosen.chain()
        {
            if chosen.source() == kept_name(&served.source) {
                return Outcome::Kept(state.reason());
            }
            // The same certificate may be given by another source now.
            chosen.source().clone_into(&mut served.source);
            return Outcome::Unchanged;
        }
        if let Err(refused) = self.serving.replace(&chosen) {
            let why = refused.to_string();
            return if state.in_service.is_some() {
                Outcome::Kept(why)
            } else {
                Outcome::None(why)
            };
        }
        state.in_service = Some(InService {
            source: chosen.source().to_owned(),
            since: now,
            chain: chosen.chain().to_vec(),
            kept: Candidate {
                source: chosen.source().to_owned(),
                renews_itself: chosen.renews_itself(),
                chain: chosen.chain().to_vec(),
                key: Some(chosen.key().clone_key()),
            },
            summary: chosen.summary().clone(),
        });
        state.checked.clear();
        Outcome::Replaced
    }

    /// Every candidate with the reason why it is served or not.
    pub(crate) fn why(&self) -> Why {
        let state = self.state();
        Why { choice: state.choice.clone(), unread: state.unread.clone() }
    }

    /// Connects to each listener, published ones with their gates, and compares what is shown with
    /// what should be.
    pub(crate) fn check_listeners(&self, listeners: &[ListeningAt]) -> Vec<Checked> {
        let Some(expected) = self.served().map(|served| served.thumbprint) else {
            return Vec::new();
        };
        let check = |(address, gate): &ListeningAt| Checked {
            listener: address.to_string(),
            expected: expected.clone(),
            shown: presented::shown_here(*address, gate.as_ref()),
        };
        let checked: Vec<Checked> = listeners.iter().map(check).collect();
        for one in checked.iter().filter(|one| !one.is_right()) {
            tracing::warn!(listener = one.listener, shown = %one.shown, expected,
                "connecting to ourselves did not show the certificate that is served");
        }
        self.state().checked.clone_from(&checked);
        checked
    }

    pub(crate) fn checked(&self) -> Vec<Checked> {
        self.state().checked.clone()
    }

    /// Files whose change means that there may be another certificate.
    pub(crate) fn watched(&self) -> Vec<PathBuf> {
        sources::watched(&self.state().looking)
    }
}

/// What `chancery cert why` prints.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Why {
    #[serde(flatten)]
    pub(crate) choice: Choice,
    pub(crate) unread: Vec<Unread>,
}

impl Why {
    /// Why none would do; at least one.
    pub(crate) fn reasons(&self) -> Vec<String> {
        reasons(&self.choice, &self.unread)
    }
}

fn reasons(choice: &Choice, unread: &[Unread]) -> Vec<String> {
    let unread = unread.iter().map(|one| one.what.clone());
    let refused = choice.candidates.iter().filter(|one| !one.judgement.passes()).flat_map(|one| {
        let findings = one.judgement.findings.iter();
        findings.filter(|finding| finding.level == pki::Level::Refused).map(|finding| {
            format!("{}: {}: {}; {}", one.source, finding.rule, finding.found, finding.fix)
        })
    });
    let all: Vec<String> = unread.chain(refused).collect();
    if all.is_empty() { vec!["no source has a certificate".to_owned()] } else { all }
}

impl std::fmt::Display for Why {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}", self.choice)?;
        for (index, one) in self.unread.iter().enumerate() {
            let before = if index == 0 && self.choice.candidates.is_empty() { "" } else { "\n\n" };
            write!(out, "{before}{}\n  not read: {}", one.source, one.what)?;
        }
        Ok(())
    }
}

/// Without a server: what it would choose now.
pub(crate) fn why(looking: &Looking, now: OffsetDateTime) -> Why {
    let mut found = sources::read(looking, now);
    let roots = sources::roots(&looking.data);
    let (choice, _) = found.choose(looking, &roots, now);
    Why { choice, unread: found.unread }
}

fn choose(
    looking: &Looking,
    candidates: &[Candidate],
    roots: &[CertificateDer<'static>],
    now: OffsetDateTime,
) -> (Choice, Option<Chosen>) {
    let wanted = Wanted {
        names: &looking.names,
        roots,
        renews_itself: looking.renews_itself,
        policy: looking.policy.clone(),
    };
    pki::choose(candidates, &wanted, now)
}

impl Found {
    /// Of all sources; of the in-house CA only where none of the others gives one that passes.
    fn choose(
        &mut self,
        looking: &Looking,
        roots: &[CertificateDer<'static>],
        now: OffsetDateTime,
    ) -> (Choice, Option<Chosen>) {
        let (choice, chosen) = choose(looking, &self.candidates, roots, now);
        if chosen.is_some() || self.in_house.is_empty() {
            return (choice, chosen);
        }
        self.candidates.append(&mut self.in_house);
        choose(looking, &self.candidates, roots, now)
    }
}

/// Whether a source gives a certificate that passes.
fn is_given(choice: &Choice, source: &str) -> bool {
    choice.candidates.iter().any(|one| one.source == source && one.judgement.passes())
}

/// What is served is a candidate of its own, when its source gives it no more.
fn kept_name(source: &str) -> String {
    format!("{source}, as it was when it was read")
}

fn copy(of: &Candidate) -> Candidate {
    Candidate {
        source: kept_name(&of.source),
        renews_itself: of.renews_itself,
        chain: of.chain.clone(),
        key: of.key.as_ref().map(rustls::pki_types::PrivateKeyDer::clone_key),
    }
}

impl State {
    /// Why nothing new is served, in one sentence.
    fn reason(&self) -> String {
        reasons(&self.choice, &self.unread).join("; ")
    }

    fn tell(&self, outcome: &Outcome) {
        match (outcome, &self.in_service) {
            (Outcome::Replaced, Some(served)) => tracing::info!(
                source = served.source,
                subject = served.summary.subject,
                serial = served.summary.serial,
                thumbprint = served.summary.thumbprint,
                until = %served.summary.not_after,
                "this certificate is served from now on"
            ),
            (Outcome::Kept(why), _) => {
                tracing::error!(why, "the certificate that is served stays");
            }
            (Outcome::None(why), _) => {
                tracing::error!(why, "no certificate passes, so LDAPS does not come up");
            }
            _ => {}
        }
    }
}

impl Watches for Certificates {
    fn conditions(&self, _now: OffsetDateTime) -> Vec<Condition> {
        let state = self.state();
        let mut conditions = Vec::new();
        if let Some(served) = &state.in_service {
            if state.failing_since.is_some() {
                conditions.push(Condition {
                    id: "renewal-failing",
                    cause: served.source.clone(),
                    level: Level::Critical,
                    what: format!(
                        "the certificate from {} cannot be replaced: {}",
                        served.source,
                        state.reason()
                    ),
                    fix: "see `chancery cert why`, then put a good certificate there".to_owned(),
                });
            }
        } else {
            conditions.push(Condition {
                id: "no-certificate",
                cause: String::new(),
                level: Level::Critical,
                what: format!("LDAPS is not served, no certificate passes: {}", state.reason()),
                fix: "see `chancery cert why`, then put a good certificate there".to_owned(),
            });
        }
        conditions.extend(state.checked.iter().filter(|one| !one.is_right()).map(|one| {
            Condition {
                id: "other-certificate-shown",
                cause: one.listener.clone(),
                level: Level::Warning,
                what: format!(
                    "clients of {} see {}, not {}",
                    one.listener, one.shown, one.expected
                ),
                fix: "see whether something else listens or intercepts there".to_owned(),
            }
        }));
        conditions
    }

    fn deadlines(&self) -> Vec<Deadline> {
        self.state().in_service.iter().map(InService::deadline).collect()
    }
}

impl InService {
    fn deadline(&self) -> Deadline {
        let (begins, ends) = (self.summary.not_before, self.summary.not_after);
        Deadline {
            id: "certificate-expiring",
            cause: self.summary.thumbprint.clone(),
            subject: format!("the certificate from {}", self.source),
            at: ends,
            // What renews itself is told of only when it should have been renewed by now.
            quiet_until: self.kept.renews_itself.then(|| ends - (ends - begins) / 4),
            fix: "issue a new one and put it in the place of the old".to_owned(),
        }
    }
}
