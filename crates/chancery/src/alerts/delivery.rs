//! The threads that deliver, one for each channel: what is due goes out, no channel waits for
//! another, and nobody for them.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use time::OffsetDateTime;

use super::evaluation::Alerts;
use super::mail::Mail;
use super::outbox::{Channel, Message};
use super::webhook::Webhook;
use crate::config::{AlertChannels, MailTo, WebhookTo};

/// How often the outbox is looked at.
const LOOKS_EACH: Duration = Duration::from_secs(1);

/// How long the end of the program waits for a delivery that is under way; it is in the file, and
/// done after the next start.
const FAREWELL: Duration = Duration::from_secs(2);

/// Where a message goes.
pub(crate) trait Delivers: Send + Sync {
    fn channel(&self) -> Channel;
    fn deliver(&self, message: &Message) -> Result<()>;
}

/// All channels, replaced as a whole.
#[derive(Default)]
pub(crate) struct Channels(Mutex<Arc<Vec<Box<dyn Delivers>>>>);

impl Channels {
    pub(crate) fn replace(&self, channels: Vec<Box<dyn Delivers>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(channels);
    }

    pub(super) fn all(&self) -> Arc<Vec<Box<dyn Delivers>>> {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Everything that is configured, checked: files that hold secrets are read now, so that a fault
/// is told at the start and not in the night.
pub(crate) fn open(channels: &AlertChannels) -> Result<Vec<Box<dyn Delivers>>> {
    let mut open: Vec<Box<dyn Delivers>> = Vec::new();
    if let Some(webhook) = &channels.webhook {
        open.push(Box::new(open_webhook(webhook)?));
    }
    if let Some(mail) = &channels.mail {
        open.push(Box::new(open_mail(mail)?));
    }
    Ok(open)
}

fn open_webhook(to: &WebhookTo) -> Result<Webhook> {
    Webhook::open(to).with_context(|| format!("[alerts] webhook {}", to.url))
}

fn open_mail(to: &MailTo) -> Result<Mail> {
    Mail::open(to).with_context(|| format!("[alerts] mail-server {}", to.server))
}

/// Dropping it ends the threads.
pub(crate) struct Delivery {
    /// One for each thread.
    stops: Vec<Sender<()>>,
    ended: Receiver<()>,
}

impl Delivery {
    pub(crate) fn start(alerts: Arc<Alerts>) -> Result<Delivery> {
        let (end, ended) = channel();
        let mut stops = Vec::new();
        for kind in Channel::ALL {
            let (stop, stopped) = channel();
            let (alerts, end) = (Arc::clone(&alerts), end.clone());
            thread::Builder::new()
                .name(format!("alerts-{}", kind.name()))
                .spawn(move || {
                    work(&alerts, kind, &stopped);
                    drop(end);
                })
                .context("cannot start a thread that delivers alerts")?;
            stops.push(stop);
        }
        Ok(Delivery { stops, ended })
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        self.stops.clear();
        // Nothing is sent: it is over once no thread is left that could, or patience is.
        let _ = self.ended.recv_timeout(FAREWELL);
    }
}

/// The outbox is the queue: what waits there is bounded, and in order for each channel.
fn work(alerts: &Alerts, kind: Channel, stopped: &Receiver<()>) {
    loop {
        let channels = alerts.channels.all();
        let own = channels.iter().find(|channel| channel.channel() == kind);
        let now = OffsetDateTime::now_utc();
        let delivered = own.is_some_and(|own| deliver_one(alerts, own.as_ref(), now));
        let wait = if delivered { Duration::ZERO } else { LOOKS_EACH };
        match stopped.recv_timeout(wait) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Whether there was one, and it went out.
pub(super) fn deliver_one(alerts: &Alerts, to: &dyn Delivers, now: OffsetDateTime) -> bool {
    let Some(message) = alerts.due(to.channel(), now) else { return false };
    let result = to.deliver(&message);
    let delivered = result.is_ok();
    alerts.attempted(&message, result, now);
    delivered
}

/// The name of this machine, for whoever gets messages of many.
pub(super) fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
