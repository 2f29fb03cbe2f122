//! `chancery doctor --watch SECONDS`: again and again, with a line where the verdict changes.

use std::io::Write;
use std::time::Duration;

use anyhow::Result;
use time::OffsetDateTime;
use tokio::time::{Instant, sleep_until};

use super::{look, outputs, runtime};
use crate::arguments::{Common, Doctor};
use crate::doctor::outcome::Outcome;
use crate::doctor::report;
use crate::failure::FAILED;

pub(super) fn run(common: &Common, doctor: &Doctor, seconds: u64) -> Result<u8> {
    let between = Duration::from_secs(seconds.max(1));
    let runtime = runtime()?;
    let (mut before, mut number) = (None, 0);
    loop {
        let began = Instant::now();
        let (verdict, code, is_refused) = match once(doctor) {
            Ok(outcome) => {
                let verdict = outcome.verdict();
                if before.as_ref() != Some(&verdict) {
                    tell(common, &outcome, &verdict)?;
                }
                (verdict, outcome.code(), is_sign_in_refused(&outcome))
            }
            // A command line that is wrong stays wrong; a name server comes back.
            Err(error) if before.is_none() => return Err(error),
            Err(error) => {
                let verdict = format!("✗ it could not be tested: {error:#}");
                if before.as_ref() != Some(&verdict) {
                    eprintln!("{}", report::harmless(&verdict));
                }
                (verdict, FAILED, false)
            }
        };
        before = Some(verdict);
        number += 1;
        if is_refused {
            eprintln!("the sign-in was refused; it is not repeated, so that no account is locked");
            return Ok(code);
        }
        let is_last = doctor.outputs.times.is_some_and(|times| number >= times);
        if is_last || !runtime.block_on(pause(began + between))? {
            return Ok(code);
        }
    }
}

fn once(doctor: &Doctor) -> Result<Outcome> {
    let outcome = outputs::shown(&doctor.outputs, look(doctor)?)?;
    outputs::files(&doctor.outputs, &outcome)?;
    Ok(outcome)
}

fn is_sign_in_refused(outcome: &Outcome) -> bool {
    let tried = outcome.seen.iter().filter_map(|one| one.facts.application.as_ref());
    let mut refused = tried.filter(|one| one.signed_in_as.is_some() && one.refused.is_some());
    refused.next().is_some()
}

fn tell(common: &Common, outcome: &Outcome, verdict: &str) -> Result<()> {
    if common.json {
        println!("{}", outcome.json());
    } else {
        let now = crate::alerts::text(OffsetDateTime::now_utc());
        println!("{now} {}", report::harmless(verdict));
    }
    // A file or a pipe is to have the line when it is printed, not when there are many.
    std::io::stdout().flush()?;
    Ok(())
}

/// Whether it goes on: until then, or until somebody has had enough.
async fn pause(until: Instant) -> Result<bool> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    Ok(tokio::select! {
        () = sleep_until(until) => true,
        _ = interrupted.recv() => false,
        _ = terminated.recv() => false,
    })
}
