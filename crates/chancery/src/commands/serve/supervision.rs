//! Waiting for signals, and telling systemd what is going on.

use std::sync::Arc;

use anyhow::{Context, Result};
use directory::Directory;
use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::arguments::Common;
use crate::config::Overrides;
use crate::publish::Publisher;

pub(super) struct Serving<'s> {
    pub(super) common: &'s Common,
    pub(super) overrides: Overrides,
    pub(super) directory: Directory,
    pub(super) tls: server::tls::ServingTls,
    pub(super) publisher: Arc<Publisher>,
}

/// Returns after SIGTERM or SIGINT; SIGHUP reloads.
pub(super) fn until_stopped(serving: &Serving<'_>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start waiting for signals")?;
    runtime.block_on(async {
        let mut terminate = listen_for(SignalKind::terminate())?;
        let mut interrupt = listen_for(SignalKind::interrupt())?;
        let mut hangup = listen_for(SignalKind::hangup())?;
        tell(&[NotifyState::Ready]);
        loop {
            tokio::select! {
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                _ = hangup.recv() => reload(serving),
            }
        }
        tell(&[NotifyState::Stopping]);
        tracing::info!("stopping");
        Ok(())
    })
}

fn listen_for(kind: SignalKind) -> Result<Signal> {
    signal(kind).context("cannot listen for signals")
}

fn reload(serving: &Serving<'_>) {
    // In one message: systemd takes the time for that of the reload only beside the word.
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(_) => tell(&[NotifyState::Reloading]),
    }
    let Serving { common, overrides, directory, tls, publisher } = serving;
    match super::reload(common, overrides, directory, tls, publisher) {
        Ok(()) => tracing::info!("reloaded schema, access rules and certificate"),
        Err(error) => tracing::error!("not reloaded, the old stays in force: {error:#}"),
    }
    tell(&[NotifyState::Ready]);
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "systemd could not be told");
    }
}
