//! Publishing, as the running server does it for commands, at a reload and at the start.

use directory::{GivenEntry, Refusal};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use server::network::Scope;
use time::OffsetDateTime;

use super::{Steward, unwilling};
use crate::config::Config;
use crate::opening;
use crate::publish::plan::changes;
use crate::publish::publication::{Switch, Switches};
use crate::publish::publisher::{NotDone, Opens, Order};
use crate::publish::record::{AskedFor, Record};
use crate::publish::verdict::decision;
use crate::publish::{Publication, Publisher};

/// What a command may ask.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(tag = "publish", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Publishing {
    Status,
    /// What would change, and what stands against it.
    Plan,
    /// Brings in force what is written.
    Apply,
    /// The same after switching a listener.
    Switch {
        external: bool,
        on: bool,
    },
    /// The rule in force that decides about an address.
    Test {
        address: std::net::IpAddr,
    },
}

pub(super) fn answer(steward: &Steward, asked: &Publishing) -> Result<Value, Refusal> {
    let publisher = &steward.publisher;
    match asked {
        Publishing::Status => Ok(publisher.status()),
        Publishing::Test { address } => Ok(test(publisher, *address)),
        Publishing::Plan => {
            let config = load(steward)?;
            let record = publisher.record();
            let wanted = Publication::wanted(&config, &record.switches).map_err(unwilling)?;
            let against = publisher.refusals(&record.in_force, &wanted, OffsetDateTime::now_utc());
            Ok(json!({ "changes": changes(&record.in_force, &wanted), "refusals": against }))
        }
        Publishing::Apply => change(steward, None, "apply".to_owned()),
        Publishing::Switch { external, on } => {
            let scope = if *external { Scope::External } else { Scope::Internal };
            let verb = if *on { "enable" } else { "disable" };
            change(steward, Some((scope, *on)), format!("{verb} {scope}"))
        }
    }
}

fn load(steward: &Steward) -> Result<Config, Refusal> {
    let config = opening::load(&steward.common, &steward.overrides);
    config.map_err(|error| unwilling(format!("{error:#}")))
}

fn change(
    steward: &Steward,
    switch: Option<(Scope, bool)>,
    what: String,
) -> Result<Value, Refusal> {
    let config = load(steward)?;
    let publisher = &steward.publisher;
    let asked = AskedFor { what, by: "a command".to_owned() };
    let order = |record: &Record| order(&config, record, switch, asked);
    let now = OffsetDateTime::now_utc();
    // What opens now speaks TLS as it is written now.
    let before = steward.listeners.update_published(&config.published, now);
    let before = before.map_err(|error| unwilling(format!("{error:#}")))?;
    let done = publisher.change(order, now);
    if done.is_err()
        && let Err(error) = steward.listeners.update_published(&before, now)
    {
        tracing::error!("the TLS settings from before could not be taken back: {error:#}");
    }
    // Who opens the door to everyone is told so now, not within an hour.
    if let Err(error) = steward.alerts.evaluate(now) {
        tracing::error!("alerts could not be evaluated: {error:#}");
    }
    match done {
        Ok(changes) => Ok(json!({ "changes": changes, "state": publisher.record().state })),
        Err(NotDone::Refused(refusals)) => {
            Ok(json!({ "refusals": refusals, "state": publisher.record().state }))
        }
        Err(not_done) => Err(unwilling(not_done.to_string())),
    }
}

/// What the file and the switches want.
fn order(
    config: &Config,
    record: &Record,
    switch: Option<(Scope, bool)>,
    asked: AskedFor,
) -> Order {
    let switches = switched(config, &record.switches, switch);
    Order { wanted: Publication::wanted(config, &switches), switches, asked }
}

/// The switches that still count, and one more. A switch that says what the file says is none.
pub(crate) fn switched(
    config: &Config,
    switches: &Switches,
    switch: Option<(Scope, bool)>,
) -> Switches {
    let mut switches = switches.clone();
    switches.retain(|name, own| {
        let scope = if name == "external" { Scope::External } else { Scope::Internal };
        own.file == config.published.of(scope).enabled
    });
    if let Some((scope, on)) = switch {
        let file = config.published.of(scope).enabled;
        switches.remove(&scope.to_string());
        if on != file {
            switches.insert(scope.to_string(), Switch { on, file });
        }
    }
    switches
}

/// Once the server runs.
pub(crate) fn start(
    publisher: &Publisher,
    config: &Config,
    opens: Box<dyn Opens>,
    now: OffsetDateTime,
) {
    let asked = AskedFor { what: "apply".to_owned(), by: "the start".to_owned() };
    publisher.begin(opens, |record| order(config, record, None, asked), now);
}

/// At a reload: the file as it is now.
pub(crate) fn reload(
    publisher: &Publisher,
    config: &Config,
    now: OffsetDateTime,
) -> Result<(), NotDone> {
    let asked = AskedFor { what: "apply".to_owned(), by: "a reload".to_owned() };
    publisher.change(|record| order(config, record, None, asked), now).map(drop)
}

/// Another certificate is served.
pub(crate) fn certificate_came(steward: &Steward) {
    let order = |record: &Record| match opening::load(&steward.common, &steward.overrides) {
        Ok(config) => {
            let now = OffsetDateTime::now_utc();
            if let Err(error) = steward.listeners.update_published(&config.published, now) {
                tracing::error!("not published: {error:#}");
                return None;
            }
            let asked = AskedFor { what: "apply".to_owned(), by: "a new certificate".to_owned() };
            Some(order(&config, record, None, asked))
        }
        Err(error) => {
            tracing::error!("not published: {error:#}");
            None
        }
    };
    steward.publisher.certificate_came(order, OffsetDateTime::now_utc());
}

fn test(publisher: &Publisher, address: std::net::IpAddr) -> Value {
    let gates = publisher.gates();
    let decisions = gates
        .iter()
        .map(|(scope, listening, gate)| decision(*scope, *listening, &gate.admission(), address));
    json!({ "decisions": decisions.collect::<Vec<_>>() })
}

/// What `cn=publishing,cn=monitor` says.
pub(super) fn monitor(publisher: &Publisher) -> GivenEntry {
    let record = publisher.record();
    let mut listeners = Vec::new();
    let (mut admitted, mut denied) = (0, 0);
    for (scope, address, gate) in publisher.gates() {
        let counts = gate.counts();
        (admitted, denied) = (admitted + counts.admitted, denied + counts.denied);
        listeners.push(format!("{scope} {address}"));
    }
    server::monitor::entry(
        Some("publishing"),
        &[
            ("monitorState", vec![record.state.to_string()]),
            ("description", listeners),
            ("monitorCounter", vec![format!("admitted {admitted}"), format!("denied {denied}")]),
        ],
    )
}
