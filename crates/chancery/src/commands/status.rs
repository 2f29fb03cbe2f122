//! `chancery status`: the state of the running server.

use anyhow::Result;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::account::{field, text};
use super::alerts::{list, listed, names};
use crate::arguments::{Common, Status};
use crate::failure::DONE;
use crate::local::manage;
use crate::opening;
use crate::steward::Asked;

pub(crate) fn run(common: &Common, status: &Status) -> Result<u8> {
    let config = opening::load(common, &common.overrides())?;
    let answer = manage(&config.data, &Asked::Status)?;
    match (common.json, status.prometheus) {
        (true, _) => println!("{answer}"),
        (_, true) => print!("{}", prometheus(&answer)),
        _ => print!("{}", people(&answer)),
    }
    Ok(DONE)
}

fn people(answer: &Value) -> String {
    let (version, started) = (text(field(answer, "version")), text(field(answer, "started")));
    let mut out = format!("chancery {version}, since {started}\n");
    out.push_str(&format!("listening     {}\n", names(field(answer, "listening"))));
    let connections = field(answer, "connections");
    let count = |name: &str| field(connections, name).as_u64().unwrap_or_default();
    out.push_str(&format!("connections   {} now, {} so far\n", count("open"), count("ever")));
    let certificate = field(answer, "certificate");
    out.push_str(&match certificate.is_null() {
        true => "certificate   none: LDAPS is not served\n".to_owned(),
        false => format!(
            "certificate   until {} for {}\n              from {}\n              serial {}\n\
             \x20             thumbprint {}\n",
            text(field(certificate, "not-after")),
            names(field(certificate, "names")),
            text(field(certificate, "source")),
            text(field(certificate, "serial")),
            text(field(certificate, "thumbprint")),
        ),
    });
    out.push_str(&published(field(answer, "publishing")));
    let locked = field(answer, "locked");
    let accounts: Vec<&str> =
        list(field(locked, "accounts")).iter().map(|one| text(field(one, "dn"))).collect();
    let count = field(locked, "count").as_u64().unwrap_or_default();
    out.push_str(&match count {
        0 => "locked        no account\n".to_owned(),
        _ => format!("locked        {count}: {}\n", accounts.join("; ")),
    });
    let blocked = names(field(field(answer, "sources"), "blocked"));
    out.push_str(&format!("not heard     {blocked}\n"));
    let alerting = field(answer, "alerting");
    let channels = list(field(alerting, "channels")).iter().filter_map(Value::as_str);
    let everywhere: Vec<&str> = std::iter::once("log").chain(channels).collect();
    out.push_str(&format!("alerts go to  {}\n\n", everywhere.join(", ")));
    out.push_str(&listed(alerting));
    out
}

fn published(publishing: &Value) -> String {
    let (state, since) = (text(field(publishing, "state")), text(field(publishing, "since")));
    let since = if since.is_empty() { String::new() } else { format!(" since {since}") };
    let reason = field(publishing, "reason").as_str().map(|reason| format!(": {reason}"));
    let mut out = format!("publishing    {state}{since}{}\n", reason.unwrap_or_default());
    for listener in list(field(publishing, "listeners")) {
        let part = |name: &str| text(field(listener, name));
        let count = |name: &str| field(listener, name).as_u64().unwrap_or_default();
        out.push_str(&format!(
            "              {} {}: {} admitted, {} denied\n",
            part("listener"),
            part("address"),
            count("admitted"),
            count("denied"),
        ));
    }
    out
}

/// The text format, version 0.0.4: <https://prometheus.io/docs/instrumenting/exposition_formats/>.
fn prometheus(answer: &Value) -> String {
    let mut out = String::new();
    let mut metric = |name: &str, kind: &str, help: &str, rows: Vec<(String, i64)>| {
        out.push_str(&format!("# HELP chancery_{name} {help}\n# TYPE chancery_{name} {kind}\n"));
        for (labels, value) in rows {
            out.push_str(&format!("chancery_{name}{labels} {value}\n"));
        }
    };
    let one = |value: i64| vec![(String::new(), value)];
    let number = |value: &Value| value.as_i64().unwrap_or_default();
    let version = label("version", text(field(answer, "version")));
    metric("info", "gauge", "The version that runs.", vec![(version, 1)]);
    let started = seconds(field(answer, "started")).into_iter();
    let rows = started.map(|at| (String::new(), at)).collect();
    metric("start_time_seconds", "gauge", "When the server was started.", rows);
    let connections = field(answer, "connections");
    metric("connections", "gauge", "Connections now.", one(number(field(connections, "open"))));
    let ever = one(number(field(connections, "ever")));
    metric("connections_total", "counter", "Connections since the start.", ever);
    let certificate = field(answer, "certificate");
    let which = |name: &str| escaped(text(field(certificate, name)));
    let which =
        format!("{{thumbprint=\"{}\",serial=\"{}\"}}", which("thumbprint"), which("serial"));
    let until = seconds(field(certificate, "not-after")).into_iter();
    let rows = until.map(|at| (which.clone(), at)).collect();
    let help = "When the certificate that is served expires; absent where none is.";
    metric("certificate_not_after_seconds", "gauge", help, rows);
    let published = list(field(field(answer, "publishing"), "listeners"));
    for (name, counted, help) in [
        ("published_admitted_total", "admitted", "Connections that the network rules let in."),
        ("published_denied_total", "denied", "Connections that were closed before TLS."),
    ] {
        let row = |one: &Value| {
            (label("listener", text(field(one, "listener"))), number(field(one, counted)))
        };
        metric(name, "counter", help, published.iter().map(row).collect());
    }
    let locked = one(number(field(field(answer, "locked"), "count")));
    metric("accounts_locked", "gauge", "Accounts that are locked now.", locked);
    let sources = field(answer, "sources");
    let blocked = i64::try_from(list(field(sources, "blocked")).len()).unwrap_or(i64::MAX);
    let help = "Addresses and networks whose passwords are not looked at now.";
    metric("sources_blocked", "gauge", help, one(blocked));
    let alerting = field(answer, "alerting");
    let alerts = list(field(alerting, "alerts")).iter().map(|alert| {
        let named = |name: &str| format!("{name}=\"{}\"", escaped(text(field(alert, name))));
        (format!("{{{},{},{}}}", named("id"), named("level"), named("cause")), 1)
    });
    metric("alert", "gauge", "What is wrong now.", alerts.collect());
    let waiting = i64::try_from(list(field(alerting, "undelivered")).len()).unwrap_or(i64::MAX);
    metric("alerts_undelivered", "gauge", "Messages that wait to be delivered.", one(waiting));
    let lost = one(number(field(alerting, "given-up")));
    metric("alerts_given_up_total", "counter", "Messages that were never delivered.", lost);
    out
}

fn label(name: &str, value: &str) -> String {
    format!("{{{name}=\"{}\"}}", escaped(value))
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn seconds(value: &Value) -> Option<i64> {
    Some(OffsetDateTime::parse(value.as_str()?, &Rfc3339).ok()?.unix_timestamp())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_server_without_certificate_and_with_an_alert() {
        let answer = json!({
            "version": "1", "started": "1970-01-01T00:01:00Z", "listening": ["ldap://x"],
            "connections": { "open": 2, "ever": 9 }, "certificate": null,
            "locked": { "count": 1, "accounts": [{ "dn": "uid=eva" }] },
            "sources": { "blocked": ["192.0.2.0/24"] },
            "publishing": { "state": "failed", "since": "s", "reason": "r", "listeners": [{
                "listener": "external", "address": "[::]:636", "admitted": 1, "denied": 2 }] },
            "alerting": {
                "channels": ["mail"], "undelivered": [], "given-up": 3,
                "alerts": [{ "id": "no-certificate", "level": "critical", "cause": "a\"b\\c",
                    "what": "w", "fix": "f", "since": "s" }],
            },
        });
        let said = people(&answer);
        for part in [
            "since 1970",
            "2 now, 9 so far",
            "none: LDAPS",
            "1: uid=eva",
            "critical  no-",
            "failed since s: r",
            "external [::]:636: 1 admitted, 2 denied",
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
        let said = prometheus(&answer);
        for line in [
            "chancery_start_time_seconds 60",
            "chancery_connections 2",
            "chancery_accounts_locked 1",
            "chancery_published_admitted_total{listener=\"external\"} 1",
            "chancery_published_denied_total{listener=\"external\"} 2",
            "chancery_sources_blocked 1",
            r#"chancery_alert{id="no-certificate",level="critical",cause="a\"b\\c"} 1"#,
            "chancery_alerts_given_up_total 3",
        ] {
            assert!(said.lines().any(|said| said == line), "{line}: {said}");
        }
        assert!(!said.contains("chancery_certificate_not_after_seconds{"), "{said}");
    }
}
