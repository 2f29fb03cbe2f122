//! `chancery check`: the configuration, and every invariant of the data folder.

use anyhow::Result;
use directory::transfer::check::{Severity, check};

use crate::arguments::{Check, Common};
use crate::commands::progress::Progress;
use crate::config::Config;
use crate::failure::{DONE, FINDINGS, failed};
use crate::opening;

/// Findings that are printed one by one; the rest is only counted.
const PRINTED_MAX: u64 = 1_000;

pub(crate) fn run(common: &Common, arguments: &Check) -> Result<u8> {
    let config = opening::load(common, &common.overrides())?;
    opening::settings(&config)?;
    if arguments.config_only {
        println!("configuration: nothing wrong");
        return Ok(DONE);
    }
    directory(common, &config)
}

/// Checks the folder beside a running server or without one.
pub(super) fn directory(common: &Common, config: &Config) -> Result<u8> {
    let directory = opening::reading(config)?;
    let mut progress = Progress::new();
    let (mut broken, mut warnings) = (0u64, 0u64);
    let json = common.json;
    let entries = check(
        &directory,
        &mut |finding| {
            let (count, word) = match finding.severity {
                Severity::Broken => (&mut broken, "broken"),
                Severity::Warning => (&mut warnings, "warning"),
            };
            *count += 1;
            if *count > PRINTED_MAX {
                return;
            }
            if json {
                let (place, what) = (&finding.place, &finding.what);
                println!(
                    "{}",
                    serde_json::json!({ "severity": word, "place": place, "what": what })
                );
            } else {
                println!("{word}: {}: {}", finding.place, finding.what);
            }
        },
        &mut |step| progress.show(|| format!("{}: {} entries", step.phase, step.entries)),
    )
    .map_err(failed)?;
    progress.clear();
    if json {
        println!(
            "{}",
            serde_json::json!({ "entries": entries, "broken": broken, "warnings": warnings })
        );
    } else {
        println!("checked {entries} entries: {broken} broken, {warnings} warnings");
    }
    Ok(if broken > 0 { FINDINGS } else { DONE })
}
