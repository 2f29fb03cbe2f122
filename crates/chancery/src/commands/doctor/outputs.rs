//! Where an answer goes: the screen, and files.

use std::path::Path;

use anyhow::Result;

use crate::arguments::{Common, Outputs};
use crate::doctor::outcome::Outcome;
use crate::doctor::{junit, prometheus, redact};
use crate::durable;

/// Writes the files, prints, and gives the exit code.
pub(super) fn deliver(common: &Common, outputs: &Outputs, outcome: Outcome) -> Result<u8> {
    let outcome = shown(outputs, outcome)?;
    files(outputs, &outcome)?;
    if common.json {
        println!("{}", serde_json::to_string_pretty(&outcome.json())?);
    } else {
        println!("{}", outcome.text());
    }
    Ok(outcome.code())
}

/// As it may be shown.
pub(super) fn shown(outputs: &Outputs, outcome: Outcome) -> Result<Outcome> {
    if outputs.redact { redact::redacted(&outcome) } else { Ok(outcome) }
}

pub(super) fn files(outputs: &Outputs, outcome: &Outcome) -> Result<()> {
    if let Some(file) = &outputs.save {
        write(file, &serde_json::to_string_pretty(&outcome.facts())?)?;
    }
    if let Some(file) = &outputs.junit {
        write(file, &junit::text(outcome))?;
    }
    if let Some(file) = &outputs.prometheus {
        write(file, &prometheus::text(outcome))?;
    }
    Ok(())
}

/// A reader sees the old text or the new one.
pub(super) fn write(file: &Path, text: &str) -> Result<()> {
    durable::write_readable(file, text.as_bytes())
}
