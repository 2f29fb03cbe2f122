//! Alerts, as commands and `status` show them.

use directory::Refusal;
use ldap::result::ResultCode;
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::alerts::evaluation::Alerts;
use crate::alerts::text;

pub(super) fn state(alerts: &Alerts) -> Value {
    let raised = alerts.alerts();
    let raised = raised.iter().map(|alert| {
        json!({
            "id": alert.id,
            "cause": alert.cause,
            "level": alert.level.name(),
            "what": alert.what,
            "fix": alert.fix,
            "since": text(alert.since),
            "told": text(alert.told),
        })
    });
    let (waiting, lost) = alerts.waiting();
    let waiting = waiting.iter().map(|message| {
        json!({
            "channel": message.channel.name(),
            "message": message.number,
            "at": text(message.at),
            "attempts": message.attempts,
            "next": text(message.next),
            "error": message.error,
        })
    });
    json!({
        "alerts": raised.collect::<Vec<_>>(),
        "channels": alerts.channels().iter().map(|channel| channel.name()).collect::<Vec<_>>(),
        "undelivered": waiting.collect::<Vec<_>>(),
        "given-up": lost,
    })
}

pub(super) fn evaluate(alerts: &Alerts) -> Result<Value, Refusal> {
    alerts.evaluate(OffsetDateTime::now_utc()).map_err(|error| refusal(&error))?;
    Ok(state(alerts))
}

pub(super) fn test(alerts: &Alerts) -> Result<Value, Refusal> {
    alerts.test(OffsetDateTime::now_utc()).map_err(|error| refusal(&error))?;
    Ok(state(alerts))
}

fn refusal(error: &anyhow::Error) -> Refusal {
    Refusal::new(ResultCode::OTHER, format!("{error:#}"))
}
