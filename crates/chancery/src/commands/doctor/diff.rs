//! `chancery doctor diff FIRST SECOND`: what has changed between two runs.

use anyhow::Result;
use serde_json::json;

use super::saved;
use crate::arguments::{Common, DoctorDiff};
use crate::doctor::{differences, report};
use crate::failure::{DONE, FINDINGS};

pub(super) fn run(common: &Common, diff: &DoctorDiff) -> Result<u8> {
    let (before, after) = (saved::all(&diff.first)?, saved::all(&diff.second)?);
    let lines = differences::of(&before, &after);
    if common.json {
        println!("{}", serde_json::to_string_pretty(&json!({ "changes": lines }))?);
    } else if lines.is_empty() {
        println!("nothing has changed");
    } else {
        lines.iter().for_each(|line| println!("{}", report::harmless(line)));
    }
    Ok(if lines.is_empty() { DONE } else { FINDINGS })
}
