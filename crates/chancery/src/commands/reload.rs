//! `chancery reload`: what SIGHUP does, with an answer.

use anyhow::Result;
use serde_json::Value;

use crate::arguments::Common;
use crate::failure::DONE;
use crate::local::manage;
use crate::opening;
use crate::steward::Asked;

pub(crate) fn run(common: &Common) -> Result<u8> {
    let config = opening::load(common, &common.overrides())?;
    let answer = manage(&config.data, &Asked::Reload)?;
    if common.json {
        println!("{answer}");
    } else {
        println!("reloaded schema, access rules and certificate");
        let waiting = answer.get("needs-restart").and_then(Value::as_array);
        let waiting: Vec<_> = waiting.into_iter().flatten().filter_map(Value::as_str).collect();
        if !waiting.is_empty() {
            println!("changed, and counts from the next start on: {}", waiting.join(", "));
        }
    }
    Ok(DONE)
}
