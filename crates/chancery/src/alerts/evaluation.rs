//! Once an hour, and whenever somebody asks: what holds, what of it is to be told, and to whom.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use time::OffsetDateTime;

use super::board::{Alert, Event, Findings, Notice};
use super::deadline::Held;
use super::delivery::{Channels, Delivers};
use super::outbox::{Channel, Message};
use super::state::State;
use super::{Condition, Level, Watches, text};
use crate::duties::Duty;

const EVALUATED_EACH: std::time::Duration = std::time::Duration::from_secs(3600);
const SOONER_EACH: std::time::Duration = std::time::Duration::from_secs(15);

/// The board with all that write on it and read it.
pub(crate) struct Alerts {
    file: PathBuf,
    watches: Mutex<Vec<Arc<dyn Watches>>>,
    pub(super) channels: Channels,
    state: Mutex<State>,
}

impl fmt::Debug for Alerts {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Alerts({})", self.file.display())
    }
}

impl Alerts {
    /// A file that cannot be understood is no reason not to serve: it is kept beside the new one,
    /// and everything that still holds is told again.
    pub(crate) fn open(
        file: PathBuf,
        watches: Vec<Arc<dyn Watches>>,
        channels: Vec<Box<dyn Delivers>>,
    ) -> Alerts {
        let state = State::load(&file).unwrap_or_else(|error| {
            let aside = file.with_extension("unreadable");
            tracing::warn!("{error:#}; moved to {}, alerts begin anew", aside.display());
            if let Err(error) = std::fs::rename(&file, &aside) {
                tracing::warn!(%error, "it could not be moved");
            }
            State::default()
        });
        let alerts = Alerts {
            file,
            watches: Mutex::new(watches),
            channels: Channels::default(),
            state: Mutex::new(state),
        };
        alerts.deliver_by(channels);
        alerts
    }

    /// From now on. What waits for a channel that is no more is given up.
    pub(crate) fn deliver_by(&self, channels: Vec<Box<dyn Delivers>>) {
        let kinds: Vec<Channel> = channels.iter().map(|channel| channel.channel()).collect();
        let mut state = self.state();
        state.outbox.keep_only(&kinds);
        self.channels.replace(channels);
    }

    /// An area that comes into being once the server runs.
    pub(crate) fn watch(&self, area: Arc<dyn Watches>) {
        self.watches.lock().unwrap_or_else(PoisonError::into_inner).push(area);
    }

    /// What was told; the log has it already, the outbox has it for the channels.
    pub(crate) fn evaluate(&self, now: OffsetDateTime) -> Result<Vec<Notice>> {
        let watches = self.watches.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut state = self.state();
        let doubt = state.clock.judge(now);
        let clock_is_right = doubt.is_none();
        let believed = state.clock.believed(now);
        let mut held: Vec<Held> = doubt.into_iter().map(Held::from).collect();
        for area in &watches {
            held.extend(area.conditions(believed).into_iter().map(Held::from));
            if clock_is_right {
                held.extend(area.deadlines().iter().filter_map(|deadline| deadline.held(now)));
            }
        }
        let unseen = state.alerts.alerts.iter().filter(|alert| is_unseen(&watches, alert));
        let unseen = unseen.map(|alert| (alert.id.clone(), alert.cause.clone())).collect();
        let notices = state.alerts.update(Findings { held, unseen, clock_is_right }, now);
        notices.iter().for_each(log);
        self.post(&mut state, &notices, now)?;
        Ok(notices)
    }

    fn post(&self, state: &mut State, notices: &[Notice], now: OffsetDateTime) -> Result<()> {
        if !notices.is_empty() {
            self.channels().iter().for_each(|channel| state.outbox.put(*channel, notices, now));
        }
        // Also when there is nothing to tell: the clock goes on.
        state.store(&self.file)
    }

    /// Something to see whether it arrives: what becomes of it is in the outbox for whoever asked,
    /// and no thread waits here. One at a time; one that failed before makes way for it.
    pub(crate) fn test(&self, now: OffsetDateTime) -> Result<()> {
        let notice = Notice {
            event: Event::Test,
            id: "test".to_owned(),
            cause: String::new(),
            level: Level::Notice,
            what: "somebody asked for a test of the alerts".to_owned(),
            fix: "nothing is to be done".to_owned(),
            since: now,
        };
        let is_test =
            |message: &Message| message.notices.iter().any(|one| one.event == Event::Test);
        let mut state = self.state();
        let channels = self.channels();
        let mut first = channels.iter().filter_map(|channel| state.outbox.first(*channel));
        anyhow::ensure!(
            !first.any(|message| message.attempts == 0 && is_test(message)),
            "a test is running; try again when it has ended, or see `chancery alerts`"
        );
        log(&notice);
        state.outbox.messages.retain(|message| !is_test(message));
        self.post(&mut state, &[notice], now)
    }

    /// The warnings and worse that hold and are not on the board, and those on it that are over.
    /// What has steps is left to the hour: its dates are not looked at here.
    fn untold(&self, now: OffsetDateTime) -> BTreeSet<(bool, String, String)> {
        let told = self.alerts();
        let areas = self.watches.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let held: Vec<Condition> = areas.iter().flat_map(|area| area.conditions(now)).collect();
        let is_same =
            |alert: &Alert, one: &Condition| alert.id == one.id && alert.cause == one.cause;
        let is_new = |one: &&Condition| {
            one.level > Level::Notice && !told.iter().any(|alert| is_same(alert, one))
        };
        let is_over = |alert: &&Alert| {
            alert.step == 0
                && alert.id != super::clock::ID
                && !is_unseen(&areas, alert)
                && !held.iter().any(|one| is_same(alert, one))
        };
        let new =
            held.iter().filter(is_new).map(|one| (true, one.id.to_owned(), one.cause.clone()));
        let over = told.iter().filter(is_over);
        new.chain(over.map(|alert| (false, alert.id.clone(), alert.cause.clone()))).collect()
    }

    pub(crate) fn alerts(&self) -> Vec<Alert> {
        self.state().alerts.alerts.clone()
    }

    /// What waits to be delivered, and how many were given up.
    pub(crate) fn waiting(&self) -> (Vec<Message>, u64) {
        let state = self.state();
        (state.outbox.messages.clone(), state.outbox.lost)
    }

    pub(crate) fn channels(&self) -> Vec<Channel> {
        self.channels.all().iter().map(|channel| channel.channel()).collect()
    }

    pub(crate) fn due(&self, channel: Channel, now: OffsetDateTime) -> Option<Message> {
        self.state().outbox.due(channel, now).cloned()
    }

    /// What became of an attempt.
    pub(crate) fn attempted(&self, message: &Message, result: Result<()>, now: OffsetDateTime) {
        let mut state = self.state();
        let (channel, number) = (message.channel.name(), message.number);
        match result {
            Ok(()) => {
                state.outbox.delivered(number);
                tracing::debug!(channel, number, "alerts delivered");
            }
            Err(error) => {
                let error = format!("{error:#}");
                match state.outbox.failed(number, error.clone(), now) {
                    true => {
                        tracing::error!(channel, number, error, "alerts given up: not delivered")
                    }
                    false => tracing::warn!(channel, number, error, "alerts not delivered yet"),
                }
            }
        }
        if let Err(error) = state.store(&self.file) {
            tracing::warn!("{error:#}; what was delivered may be delivered again");
        }
    }

    /// A thread that panicked has left whole alerts, so its poison means nothing.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Some area has not looked yet whether it is over.
fn is_unseen(watches: &[Arc<dyn Watches>], alert: &Alert) -> bool {
    watches.iter().any(|area| !area.has_looked(&alert.id, &alert.cause))
}

fn log(notice: &Notice) {
    let Notice { event, id, cause, level, what, fix, since } = notice;
    let (event, level_name, since) = (event.name(), level.name(), text(*since));
    match (notice.event, level) {
        (Event::Cleared | Event::Test, _) | (_, Level::Notice) => {
            tracing::info!(event, alert = id, level = level_name, cause, since, fix, "{what}");
        }
        (_, Level::Warning) => {
            tracing::warn!(event, alert = id, level = level_name, cause, since, fix, "{what}");
        }
        (_, Level::Critical) => {
            tracing::error!(event, alert = id, level = level_name, cause, since, fix, "{what}");
        }
    }
}

/// The hourly one.
pub(crate) struct Hourly(pub(crate) Arc<Alerts>);

impl Duty for Hourly {
    fn name(&self) -> &'static str {
        "alerts"
    }

    fn every(&self) -> std::time::Duration {
        EVALUATED_EACH
    }

    fn run(&mut self, now: OffsetDateTime) -> Result<()> {
        self.0.evaluate(now).map(drop)
    }
}

/// What is bad is not left until the next full hour: it is told when it has held for two looks, so
/// that a file that is being written is nothing to tell. The same when it is over.
pub(crate) struct Sooner {
    alerts: Arc<Alerts>,
    seen: BTreeSet<(bool, String, String)>,
    /// Evaluated for already; what the board does not take is not tried again and again.
    tried: BTreeSet<(bool, String, String)>,
}

impl Sooner {
    pub(crate) fn new(alerts: Arc<Alerts>) -> Sooner {
        Sooner { alerts, seen: BTreeSet::new(), tried: BTreeSet::new() }
    }
}

impl Duty for Sooner {
    fn name(&self) -> &'static str {
        "alerts-sooner"
    }

    fn every(&self) -> std::time::Duration {
        SOONER_EACH
    }

    fn run(&mut self, now: OffsetDateTime) -> Result<()> {
        let untold = self.alerts.untold(now);
        let lasting: BTreeSet<_> = untold.intersection(&self.seen).cloned().collect();
        let is_new = !lasting.is_subset(&self.tried);
        (self.seen, self.tried) = (untold, lasting);
        match is_new {
            true => self.alerts.evaluate(now).map(drop),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
