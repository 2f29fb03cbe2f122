//! `chancery ca log`: what was issued, refused and revoked.

use anyhow::Result;

use crate::arguments::{CaLog, Common};
use crate::ca::Ca;
use crate::ca::audit::{Deed, Event};
use crate::failure::{DONE, FINDINGS};

pub(super) fn run(common: &Common, ca: &Ca, log: &CaLog) -> Result<u8> {
    let history = ca.history()?;
    let skipped = log.last.map_or(0, |last| history.events.len().saturating_sub(last));
    let events = history.events.iter().skip(skipped);
    for event in events {
        match common.json {
            true => println!("{}", serde_json::to_string(event)?),
            false => println!("{}", sentence(event)),
        }
    }
    for line in &history.unreadable {
        eprintln!("chancery: line {line} of {} cannot be read", ca.log_file().display());
    }
    Ok(if history.unreadable.is_empty() { DONE } else { FINDINGS })
}

fn sentence(event: &Event) -> String {
    let deed = match event.deed {
        Deed::Issued => "issued ",
        Deed::Refused => "refused",
        Deed::Revoked => "revoked",
        Deed::Renewed => "renewed",
        Deed::Founded => "founded",
    };
    let mut said = format!("{} {deed}", event.time);
    for (word, value) in [
        ("", &event.serial),
        ("template ", &event.template),
        ("for ", &event.subject),
        ("names ", &event.names.join(",")),
        ("to ", &event.who),
        ("from ", &event.from),
        ("until ", &event.not_after),
        ("because ", &event.reason),
    ] {
        if !value.is_empty() {
            said.push_str(&format!(" {word}{value}"));
        }
    }
    said
}
