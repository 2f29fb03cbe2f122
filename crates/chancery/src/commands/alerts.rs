//! `chancery alerts`: what is wrong now, and whether those who should be told are.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::Value;

use super::account::{field, text};
use crate::arguments::{Alerts, AlertsCommand, Common};
use crate::config::Config;
use crate::failure::{DONE, FINDINGS, failed, usage};
use crate::local::manage;
use crate::opening;
use crate::steward::Asked;

/// How long a test waits for what becomes of it, here: the server has others to answer.
const TEST_PATIENCE: Duration = Duration::from_secs(60);
const LOOKS_EACH: Duration = Duration::from_millis(200);

pub(crate) fn run(common: &Common, alerts: &Alerts) -> Result<u8> {
    let config = opening::load(common, &common.overrides())?;
    let answer = match &alerts.command {
        None => manage(&config.data, &Asked::Alerts)?,
        Some(AlertsCommand::Evaluate) => manage(&config.data, &Asked::Evaluate)?,
        Some(AlertsCommand::Test) => return test(&config),
    };
    match common.json {
        true => println!("{answer}"),
        false => print!("{}", listed(&answer)),
    }
    let is_bad =
        list(field(&answer, "alerts")).iter().any(|alert| field(alert, "level") != "notice");
    Ok(if is_bad { FINDINGS } else { DONE })
}

#[allow(clippy::disallowed_methods, reason = "the server gives no notice of what it delivered")]
fn test(config: &Config) -> Result<u8> {
    if config.alerts.webhook.is_none() && config.alerts.mail.is_none() {
        return Err(usage(
            "alerts go to the log only; write `webhook` or `mail-server` under [alerts]",
        ));
    }
    let mut answer = manage(&config.data, &Asked::TestAlerts)?;
    let asked = Instant::now();
    while is_untried(&answer) && asked.elapsed() < TEST_PATIENCE {
        std::thread::sleep(LOOKS_EACH);
        answer = manage(&config.data, &Asked::Alerts)?;
    }
    let waiting = list(field(&answer, "undelivered"));
    if let Some(message) = waiting.first() {
        let channel = text(field(message, "channel"));
        let error = field(message, "error").as_str().unwrap_or("nothing has come of it yet");
        return Err(failed(format!("{channel}: {error}; it is tried again")));
    }
    println!("delivered to: {}", names(field(&answer, "channels")));
    Ok(DONE)
}

/// Whether the next message of a channel was not tried yet.
fn is_untried(answer: &Value) -> bool {
    let waiting = list(field(answer, "undelivered"));
    waiting.iter().enumerate().any(|(place, message)| {
        let channel = field(message, "channel");
        let is_first = waiting.iter().take(place).all(|other| field(other, "channel") != channel);
        is_first && field(message, "attempts") == 0
    })
}

/// Also a part of `chancery status`.
pub(super) fn listed(answer: &Value) -> String {
    let mut out = String::new();
    let alerts = list(field(answer, "alerts"));
    if alerts.is_empty() {
        out.push_str("nothing is wrong\n");
    }
    for alert in alerts {
        let part = |name: &str| text(field(alert, name));
        let (level, id, what) = (part("level"), part("id"), part("what"));
        out.push_str(&format!("{level:<9} {id}: {what}\n"));
        out.push_str(&format!("          since {}; {}\n", part("since"), part("fix")));
    }
    for message in list(field(answer, "undelivered")) {
        let part = |name: &str| text(field(message, name));
        let (channel, at) = (part("channel"), part("at"));
        // Without an error it was not tried yet, and will be in a moment.
        if let Some(error) = field(message, "error").as_str() {
            out.push_str(&format!("not delivered yet by {channel}, of {at}: {error}\n"));
        }
    }
    if let Some(lost) = field(answer, "given-up").as_u64().filter(|lost| *lost > 0) {
        out.push_str(&format!("{lost} messages were given up, so far\n"));
    }
    out
}

pub(super) fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

pub(super) fn names(value: &Value) -> String {
    let names: Vec<&str> = list(value).iter().filter_map(Value::as_str).collect();
    match names.is_empty() {
        true => "none".to_owned(),
        false => names.join(", "),
    }
}
