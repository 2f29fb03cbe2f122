//! Waiting for signals, and telling systemd what is going on.

use std::sync::Arc;

use anyhow::{Context, Result};
use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::steward::Steward;

pub(super) struct Serving {
    pub(super) steward: Arc<Steward>,
}

/// Returns after SIGTERM or SIGINT; SIGHUP reloads.
pub(super) fn until_stopped(serving: &Serving) -> Result<()> {
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

fn reload(serving: &Serving) {
    // In one message: systemd takes the time for that of the reload only beside the word.
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(_) => tell(&[NotifyState::Reloading]),
    }
    // It says itself what came of it.
    let _ = serving.steward.reload();
    tell(&[NotifyState::Ready]);
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "systemd could not be told");
    }
}
