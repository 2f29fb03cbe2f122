//! `chancery publish`: which listeners are open to whom. A running server is asked; without one the
//! files are read, and what is switched counts from the next start on.

use std::net::IpAddr;

use anyhow::Result;
use serde_json::{Value, json};
use server::network::{Exposure, Scope};
use time::OffsetDateTime;

use crate::arguments::{Common, ExportFormat, Publish, PublishExport, PublishTest};
use crate::config::{Address, Config};
use crate::failure::{DONE, FINDINGS, failed, usage};
use crate::local::{is_served, manage};
use crate::opening;
use crate::publish::certified;
use crate::publish::export;
use crate::publish::plan::{Change, changes};
use crate::publish::publication::{Publication, SCOPES};
use crate::publish::record::{Record, State};
use crate::publish::refusals::{exposure, of_rules, sentence, shows_certificate_anew};
use crate::publish::verdict::{Decision, decision};
use crate::steward::Asked;
use crate::steward::publish::{Publishing, switched};

pub(crate) fn run(common: &Common, publish: &Publish) -> Result<u8> {
    let config = opening::load(common, &common.overrides())?;
    match publish {
        Publish::Enable { external } => switch(common, &config, *external, true),
        Publish::Disable { external } => switch(common, &config, *external, false),
        Publish::Status => status(common, &config),
        Publish::Plan => plan(common, &config),
        Publish::Apply => apply(common, &config),
        Publish::Test(asked) => test(common, &config, asked),
        Publish::Export(asked) => print_export(common, &config, asked),
    }
}

fn ask(config: &Config, what: Publishing) -> Result<Value> {
    manage(&config.data, &Asked::Publish { what })
}

fn switch(common: &Common, config: &Config, external: bool, on: bool) -> Result<u8> {
    if is_served(&config.data) {
        let answer = ask(config, Publishing::Switch { external, on })?;
        return report(common, &answer);
    }
    let scope = if external { Scope::External } else { Scope::Internal };
    let mut record = Record::load(&config.data)?;
    let switches = switched(config, &record.switches, Some((scope, on)));
    let wanted = Publication::wanted(config, &switches).map_err(usage)?;
    let against = against(config, &record.in_force, &wanted);
    if !against.is_empty() {
        return report(common, &json!({ "refusals": against, "state": record.state }));
    }
    // What the next start would do anyway is nothing to do now.
    let mut changes = changes(&record.in_force, &wanted);
    if switches == record.switches && !record.held {
        changes.clear();
    } else {
        // Somebody has asked.
        (record.switches, record.held) = (switches, false);
        record.store(&config.data)?;
    }
    let answer = json!({ "changes": changes, "state": record.state, "at": "the next start" });
    report(common, &answer)
}

/// Everything that stands against a publication, as far as files tell it.
fn against(config: &Config, known: &Publication, wanted: &Publication) -> Vec<String> {
    let mut against = of_rules(known, wanted);
    if shows_certificate_anew(known, wanted) {
        let (names, now) = (wanted.served_names(), OffsetDateTime::now_utc());
        against.extend(certified::refusals(config, &names, now));
    }
    against
}

fn apply(common: &Common, config: &Config) -> Result<u8> {
    let answer = ask(config, Publishing::Apply)?;
    report(common, &answer)
}

/// What a change came to.
fn report(common: &Common, answer: &Value) -> Result<u8> {
    let refusals = strings(answer, "refusals");
    if common.json {
        println!("{}", serde_json::to_string_pretty(answer)?);
    } else if refusals.is_empty() {
        let changes: Vec<Change> = of(answer, "changes")?;
        if changes.is_empty() {
            println!("nothing to do");
        }
        changes.iter().for_each(|change| println!("{change}"));
        let state = answer.get("state").and_then(Value::as_str).unwrap_or_default();
        match answer.get("at").and_then(Value::as_str) {
            Some(at) if !changes.is_empty() => println!("no server runs here: from {at} on"),
            _ => println!("state: {state}"),
        }
    } else {
        eprintln!("refused, what served before still serves:");
        refusals.iter().for_each(|why| eprintln!("  {why}"));
    }
    Ok(if refusals.is_empty() { DONE } else { FINDINGS })
}

fn plan(common: &Common, config: &Config) -> Result<u8> {
    let answer = if is_served(&config.data) {
        ask(config, Publishing::Plan)?
    } else {
        let record = Record::load(&config.data)?;
        let switches = switched(config, &record.switches, None);
        let wanted = Publication::wanted(config, &switches).map_err(usage)?;
        json!({
            "changes": changes(&record.in_force, &wanted),
            "refusals": against(config, &record.in_force, &wanted),
        })
    };
    let changes: Vec<Change> = of(&answer, "changes")?;
    let refusals = strings(&answer, "refusals");
    if common.json {
        println!("{}", serde_json::to_string_pretty(&answer)?);
    } else {
        if changes.is_empty() {
            println!("nothing would change");
        }
        changes.iter().for_each(|change| println!("{change}"));
        refusals.iter().for_each(|why| println!("! it would be refused: {why}"));
    }
    Ok(if changes.is_empty() && refusals.is_empty() { DONE } else { FINDINGS })
}

fn status(common: &Common, config: &Config) -> Result<u8> {
    let is_running = is_served(&config.data);
    let mut answer = if is_running {
        ask(config, Publishing::Status)?
    } else {
        json!(Record::load(&config.data)?)
    };
    let in_force: Publication = of(&answer, "in-force")?;
    let state: State = of(&answer, "state")?;
    if let Some(fields) = answer.as_object_mut() {
        fields.insert("running".to_owned(), json!(is_running));
        fields.insert("exposure".to_owned(), exposures(&in_force)?);
        fields.insert("not-under-rules".to_owned(), json!(not_under_rules(config)));
    }
    if common.json {
        println!("{}", serde_json::to_string_pretty(&answer)?);
    } else {
        print_status(config, &answer, &in_force)?;
    }
    Ok(if state == State::Failed { FINDINGS } else { DONE })
}

fn exposures(in_force: &Publication) -> Result<Value> {
    let mut all = serde_json::Map::new();
    for scope in SCOPES {
        if let Some(exposure) = exposure(in_force, scope).map_err(failed)? {
            let (word, percent) = match exposure {
                Exposure::Nobody => ("nobody", 0),
                Exposure::Some => ("some", 0),
                Exposure::Everyone { percent, .. } => ("everyone", percent),
            };
            all.insert(scope.to_string(), json!({ "to": word, "percent": percent }));
        }
    }
    Ok(Value::Object(all))
}

/// Listeners that anybody can reach who reaches this machine.
fn not_under_rules(config: &Config) -> Vec<String> {
    let open = config.listeners.iter().filter_map(|listener| match listener.address {
        Address::Internet(address) if !address.ip().is_loopback() => Some(address.to_string()),
        _ => None,
    });
    open.collect()
}

fn print_status(config: &Config, answer: &Value, in_force: &Publication) -> Result<()> {
    let text = |key: &str| answer.get(key).and_then(Value::as_str).unwrap_or_default();
    match text("since") {
        "" => println!("state: {}", text("state")),
        since => println!("state: {} since {since}", text("state")),
    }
    if !text("reason").is_empty() {
        println!("reason: {}", text("reason"));
    }
    if answer.get("running") == Some(&Value::Bool(false)) {
        println!("no server runs on {}", config.data.display());
    }
    let table = in_force.table().map_err(failed)?;
    for scope in SCOPES {
        let Some(door) = in_force.door(scope) else {
            println!("{scope}: off");
            continue;
        };
        let exposure = exposure(in_force, scope).map_err(failed)?.unwrap_or(Exposure::Nobody);
        println!("{scope}: {}, {}", door.address, sentence(exposure));
        if !door.proxy_from.is_empty() {
            println!("  behind {}", door.proxy_from.join(", "));
        }
        for rule in table.of(scope, door.address.port()).rules() {
            let sources: Vec<_> = rule.sources.iter().map(ToString::to_string).collect();
            println!(
                "  {:>5} {:<5} {} ({})",
                rule.priority,
                rule.verdict.to_string(),
                sources.join(", "),
                rule.name
            );
        }
        print_counts(answer, scope);
    }
    for listener in not_under_rules(config) {
        println!("under no rules, by [[listen]]: {listener}");
    }
    Ok(())
}

fn print_counts(answer: &Value, scope: Scope) {
    let listeners = answer.get("listeners").and_then(Value::as_array);
    let own = listeners.into_iter().flatten().find(|one| {
        one.get("listener").and_then(Value::as_str) == Some(scope.to_string().as_str())
    });
    if let Some(own) = own {
        let count = |key: &str| own.get(key).and_then(Value::as_u64).unwrap_or(0);
        println!("  {} let in, {} denied", count("admitted"), count("denied"));
    }
}

fn test(common: &Common, config: &Config, asked: &PublishTest) -> Result<u8> {
    let is_running = is_served(&config.data) && !asked.written;
    let decisions = if is_running {
        let answer = ask(config, Publishing::Test { address: asked.address })?;
        of(&answer, "decisions")?
    } else {
        written_decisions(config, asked.address)?
    };
    let chosen = |one: &&Decision| asked.port.is_none_or(|port| port == one.address.port());
    let decisions: Vec<&Decision> = decisions.iter().filter(chosen).collect();
    if decisions.is_empty() {
        let place = if is_running { "in force" } else { "in the configuration" };
        let right = "`chancery publish status` shows them";
        return Err(match asked.port {
            Some(port) => {
                usage(format!("no published listener has the port {port} ({place}); {right}"))
            }
            None => failed(format!("nothing is published ({place}); {right}")),
        });
    }
    if common.json {
        let all = json!({ "address": asked.address, "decisions": decisions });
        println!("{}", serde_json::to_string_pretty(&all)?);
    } else {
        for one in &decisions {
            let Decision { listener, address, verdict, rule, priority, behind } = one;
            print!(
                "{} to {listener} {address}: {verdict} by rule {rule} ({priority})",
                asked.address
            );
            match behind.is_empty() {
                true => println!(),
                false => println!(", said by a balancer ({})", behind.join(", ")),
            }
        }
    }
    let is_allowed = decisions.iter().any(|one| one.verdict == "allow");
    Ok(if is_allowed { DONE } else { FINDINGS })
}

/// By the rules of the file, for both listeners that have an address.
fn written_decisions(config: &Config, client: IpAddr) -> Result<Vec<Decision>> {
    let drafted = Publication::drafted(config);
    let mut decisions = Vec::new();
    for scope in SCOPES {
        if let Some((address, admission)) = drafted.admission(scope).map_err(failed)? {
            decisions.push(decision(scope, address, &admission, client));
        }
    }
    Ok(decisions)
}

fn print_export(common: &Common, config: &Config, asked: &PublishExport) -> Result<u8> {
    let only = match (asked.internal, asked.external) {
        (true, false) => Some(Scope::Internal),
        (false, true) => Some(Scope::External),
        _ => None,
    };
    let record = Record::load(&config.data)?;
    let publication = match only {
        // One that is named is printed before it is opened: the firewall comes first.
        Some(_) => Publication::drafted(config),
        None => {
            Publication::wanted(config, &switched(config, &record.switches, None)).map_err(usage)?
        }
    };
    let listeners = export::seen(&publication, only)?;
    if listeners.is_empty() && asked.format != ExportFormat::Ports {
        return Err(failed(
            "nothing is published: name a listener that has an address with --internal or \
             --external, or enable one",
        ));
    }
    let text = match asked.format {
        ExportFormat::Nftables => {
            let table = export::nftables(&listeners, publication.cut);
            if common.json { export::pretty(&json!({ "nftables": table }))? } else { table }
        }
        ExportFormat::SecurityGroup => export::pretty(&export::security_group(&listeners)?)?,
        ExportFormat::Nsg => export::pretty(&export::network_security_group(&listeners)?)?,
        ExportFormat::Ports => {
            let lines = export::ports(config, &publication, only)?;
            match common.json {
                true => export::pretty(&json!({ "ports": lines }))?,
                false => export::ports_text(&lines),
            }
        }
    };
    print!("{text}");
    Ok(DONE)
}

fn strings(answer: &Value, key: &str) -> Vec<String> {
    let list = answer.get(key).and_then(Value::as_array).into_iter().flatten();
    list.filter_map(|one| one.as_str().map(str::to_owned)).collect()
}

fn of<T: serde::de::DeserializeOwned>(answer: &Value, key: &str) -> Result<T> {
    let value = answer.get(key).cloned().unwrap_or_default();
    serde_json::from_value(value)
        .map_err(|error| failed(format!("the server's answer has no right `{key}`: {error}")))
}
