//! A certificate that is ordered, judged, put in place, and renewed in time.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use instant_acme::{Account, CertificateIdentifier};
use pki::judge::names::ServedName;
use pki::{Credential, Policy, Wanted, judge};
use time::OffsetDateTime;

use super::account::{self, Authority};
use super::clock::Clock;
use super::http::Https;
use super::order::{self, Given};
use super::problem::{Trouble, said};
use super::proof::Stand;
use super::shelf::{Shelf, held};
use super::timing::{self, Due, Held, State, Suggestion};
use crate::config::{Acme, Config};
use crate::failure::{failed, usage};

/// Everything about the one certificate that the configuration asks for.
pub(crate) struct Renewal<'c> {
    config: &'c Config,
    acme: &'c Acme,
    shelf: Shelf,
}

/// How it stands, for people and programs.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    pub(crate) held: Option<Held>,
    pub(crate) state: State,
    pub(crate) due: Due,
}

/// What a run did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The thumbprint of the new certificate.
    Renewed(String),
    NotDue(OffsetDateTime, &'static str),
}

/// Whether an order is made although none is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Urgency {
    WhenDue,
    /// By hand; the maximum of orders in one hour holds all the same.
    Now,
}

impl<'c> Renewal<'c> {
    /// None where ACME is not configured.
    pub(crate) fn new(config: &'c Config) -> Option<Renewal<'c>> {
        let acme = config.acme.as_ref()?;
        Some(Renewal { config, acme, shelf: Shelf::new(&config.data, &acme.names) })
    }

    pub(crate) fn acme(&self) -> &Acme {
        self.acme
    }

    pub(crate) fn certificate_file(&self) -> PathBuf {
        self.shelf.certificate_file()
    }

    pub(crate) fn standing(&self, now: OffsetDateTime) -> Result<Standing> {
        let mut state = self.shelf.state()?;
        timing::configured(&mut state, &self.settings());
        let held = self.held();
        let due = timing::due(held.as_ref(), &state, self.acme.orders_per_hour, now);
        Ok(Standing { held, state, due })
    }

    /// What cannot be read is as good as absent: it cannot be served either.
    fn held(&self) -> Option<Held> {
        let credential = self.shelf.certificate().unwrap_or_else(|error| {
            tracing::warn!("{error:#}");
            None
        })?;
        Some(held(&credential, &self.acme.names))
    }

    /// Orders where it is due. A failure leaves the old certificate in place, is written down, and
    /// is the error.
    pub(crate) fn run(&self, urgency: Urgency, now: OffsetDateTime) -> Result<Outcome> {
        let _turn = self.shelf.turn()?;
        let runtime = runtime()?;
        let clock = Clock::starting(now);
        if urgency == Urgency::WhenDue {
            runtime.block_on(self.ask_for_suggestion(now));
        }
        let standing = self.standing(now)?;
        let due = match urgency {
            Urgency::WhenDue => standing.due,
            Urgency::Now => self.now_or_crowded(&standing.state, now),
        };
        if let Due::Later(until, why) = due {
            return Ok(Outcome::NotDue(until, why));
        }
        let mut state = standing.state;
        let https = Https::new(self.acme.ca.as_deref())?;
        let result = runtime.block_on(self.order(&https, clock, &mut state));
        match result {
            Ok(thumbprint) => {
                timing::worked(&mut state);
                self.shelf.store_state(&state)?;
                Ok(Outcome::Renewed(thumbprint))
            }
            Err(mut trouble) => {
                trouble.again_after = trouble.again_after.or_else(|| https.take_again_after());
                let what = trouble.what.clone();
                let (again, now) = (trouble.again_after, clock.now());
                timing::failed(&mut state, &self.settings(), what, again, now);
                self.shelf.store_state(&state)?;
                Err(if trouble.is_ours { usage(trouble) } else { failed(trouble) })
            }
        }
    }

    /// Tells settings apart; keys are in files and not among them.
    fn settings(&self) -> String {
        let mut hasher = DefaultHasher::new();
        format!("{:?} {:?}", self.acme, self.config.dns).hash(&mut hasher);
        format!("{:016x}", hasher.finish())
    }

    fn now_or_crowded(&self, state: &State, now: OffsetDateTime) -> Due {
        match timing::room_at(state, self.acme.orders_per_hour, now) {
            Some(until) => Due::Later(until, "there were enough orders for one hour"),
            None => Due::Now("it was asked for"),
        }
    }

    async fn order(
        &self,
        https: &Https,
        clock: Clock,
        state: &mut State,
    ) -> Result<String, Trouble> {
        let authority = account::authority(https, self.acme).await?;
        let account = account::open(https, self.acme, &authority, &self.shelf).await?;
        let mut stand = Stand::open(self.config, self.acme, clock).await?;
        // Counted and written before the CA counts it.
        timing::begun(state, clock.now());
        self.shelf.store_state(state)?;
        let old = self.shelf.certificate().ok().flatten();
        let replaces = old.as_ref().filter(|_| authority.suggests).and_then(identifier);
        let given = order::order(&account, self.acme, replaces, &mut stand).await;
        if let Err(error) = stand.close() {
            tracing::warn!("{error:#}");
        }
        self.put_in_place(&given?, clock.now())
    }

    /// A certificate that must not be served does not take the place of one that may.
    fn put_in_place(&self, given: &Given, now: OffsetDateTime) -> Result<String, Trouble> {
        let unusable =
            |what: String| Trouble::new(format!("the CA issued something unusable: {what}"));
        let credential = Credential::from_pem(given.chain_pem.as_bytes(), given.key_pem.as_bytes())
            .map_err(|error| unusable(error.to_string()))?;
        let names = judged_names(&self.acme.names)?;
        let wanted =
            Wanted { names: &names, roots: &[], renews_itself: true, policy: Policy::default() };
        let judgement = judge::judge_server(&credential.chain, Some(&credential.key), &wanted, now);
        if !judgement.passes() {
            return Err(unusable(judgement.to_string()));
        }
        self.shelf.store_certificate(&given.key_pem, &given.chain_pem)?;
        Ok(credential.leaf.thumbprint)
    }

    /// RFC 9773: when the CA would renew. Whatever goes wrong here is no failure: a third of the
    /// lifetime is the measure then.
    async fn ask_for_suggestion(&self, now: OffsetDateTime) {
        let asked = async {
            let Some(credential) = self.shelf.certificate()? else { return Ok(()) };
            let held = held(&credential, &self.acme.names);
            let mut state = self.shelf.state()?;
            if !timing::should_ask(&held, &state, now) {
                return Ok(());
            }
            let suggestion = self.suggestion(&credential, &state, now).await;
            let (suggestion, result) = match suggestion {
                Ok(suggestion) => (suggestion, Ok(())),
                Err(error) => (unknown(&held, now), Err(error)),
            };
            state.suggestion = Some(suggestion);
            self.shelf.store_state(&state)?;
            result
        };
        let asked: Result<()> = asked.await;
        if let Err(error) = asked {
            tracing::info!("no suggestion when to renew: {error:#}");
        }
    }

    async fn suggestion(
        &self,
        credential: &Credential,
        state: &State,
        now: OffsetDateTime,
    ) -> Result<Suggestion> {
        let https = Https::new(self.acme.ca.as_deref())?;
        let held = held(credential, &self.acme.names);
        let authority = account::authority(&https, self.acme).await?;
        let (Some(id), true) = (identifier(credential), authority.suggests) else {
            return Ok(unknown(&held, now));
        };
        let account = self.account(&https, &authority).await?;
        let asked = account.renewal_info(&id).await;
        let (said, again) = asked.map_err(|error| said("suggests nothing", error))?;
        let window = (said.suggested_window.start, said.suggested_window.end);
        let old = state.suggestion.as_ref().filter(|old| old.thumbprint == held.thumbprint);
        let kept = old
            .and_then(|old| old.renew_at)
            .filter(|at| (window.0.unix_timestamp()..=window.1.unix_timestamp()).contains(at));
        let chance = u64::from_le_bytes(crate::first_run::random());
        let renew_at = kept.unwrap_or_else(|| timing::point_in(window, chance).unix_timestamp());
        // RFC 9773 §4.3.2: between a minute and a day.
        let again = again.clamp(Duration::from_secs(60), Duration::from_secs(86_400));
        Ok(Suggestion {
            thumbprint: held.thumbprint,
            renew_at: Some(renew_at),
            ask_again_at: (now + again).unix_timestamp(),
            because: said.explanation_url,
        })
    }

    async fn account(&self, https: &Https, authority: &Authority) -> Result<Account> {
        account::open(https, self.acme, authority, &self.shelf).await.map_err(failed)
    }

    /// Reaches the CA, and says what it would need; orders nothing.
    pub(crate) fn rehearse(&self) -> Result<Authority> {
        let https = Https::new(self.acme.ca.as_deref())?;
        runtime()?.block_on(account::authority(&https, self.acme))
    }
}

fn unknown(held: &Held, now: OffsetDateTime) -> Suggestion {
    Suggestion {
        thumbprint: held.thumbprint.clone(),
        renew_at: None,
        ask_again_at: (now + timing::ASK_AGAIN).unix_timestamp(),
        because: None,
    }
}

/// What a CA knows a certificate by (RFC 9773 §4.1).
fn identifier(credential: &Credential) -> Option<CertificateIdentifier<'static>> {
    let leaf = credential.chain.first()?;
    CertificateIdentifier::try_from(leaf).ok().map(CertificateIdentifier::into_owned)
}

/// A wildcard is judged by a name that only it covers.
fn judged_names(names: &[String]) -> Result<Vec<ServedName>, Trouble> {
    let one = |name: &String| {
        let name = name.replace('*', "any");
        ServedName::parse(&name).map_err(Trouble::new)
    };
    names.iter().map(one).collect()
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| failed(format!("cannot start the ACME client: {error}")))
}
