//! Two places: `chancery doctor run` prints what is seen from one, `--other` compares it with what
//! is seen from another.

use std::io::Read;
use std::path::Path;

use anyhow::Result;

use super::{look, outputs, saved, wrong};
use crate::arguments::{Doctor, DoctorRun, Outputs};
use crate::doctor::outcome::{Outcome, What};
use crate::doctor::vantage;
use crate::failure::DONE;

/// Prints the facts, to be pasted elsewhere.
pub(super) fn run(run: &DoctorRun) -> Result<u8> {
    let doctor = Doctor {
        target: Some(run.target.clone()),
        ca: run.ca.clone(),
        address: run.address.clone(),
        name_server: run.name_server.clone(),
        timeout: run.timeout,
        ..Doctor::default()
    };
    let mut outcome = look(&doctor)?;
    for one in &mut outcome.seen {
        one.facts.vantage = Some(run.vantage.clone());
    }
    let outputs = Outputs { redact: run.redact, ..Outputs::default() };
    let outcome = outputs::shown(&outputs, outcome)?;
    println!("{}", serde_json::to_string_pretty(&outcome.facts())?);
    Ok(DONE)
}

/// Adds what is to be said of the difference.
pub(super) fn compared(doctor: &Doctor, mut outcome: Outcome) -> Result<Outcome> {
    let (What::Target, [here]) = (&outcome.what, outcome.seen.as_mut_slice()) else {
        return Ok(outcome);
    };
    let mut found = Vec::new();
    for file in &doctor.other {
        let others = match file.as_os_str() == "-" {
            true => saved::of_text(&pasted(file)?, Path::new("standard input"))?,
            false => saved::all(file)?,
        };
        for there in &others {
            if let Some(why) = vantage::mismatch(&here.facts, &there.facts) {
                return Err(wrong(file, &why));
            }
            found.extend(vantage::findings(here, there));
        }
    }
    // What is a matter of the place explains what else is seen in the same layer.
    found.append(&mut here.findings);
    found.sort_by_key(|one| (one.severity, one.layer));
    here.findings = found;
    Ok(outcome)
}

fn pasted(file: &Path) -> Result<Vec<u8>> {
    const BYTES_MAX: u64 = 16 << 20;
    let mut text = Vec::new();
    let read = std::io::stdin().lock().take(BYTES_MAX).read_to_end(&mut text);
    read.map_err(|error| wrong(file, &error))?;
    Ok(text)
}
