//! `chancery ca template`: what is issued to whom, and what is dangerous about it.

use std::path::Path;

use anyhow::Result;
use pki::template::lint::{lint, refused};
use pki::{Template, Templates};
use serde_json::json;
use time::OffsetDateTime;

use crate::arguments::{CaTemplate, Common};
use crate::ca::{Ca, files};
use crate::failure::{DONE, FINDINGS, usage};

pub(super) fn run(common: &Common, ca: &Ca, asked: &CaTemplate, now: OffsetDateTime) -> Result<u8> {
    match asked {
        CaTemplate::List => list(common, ca, now),
        CaTemplate::Show { name } => show(common, ca, name),
        CaTemplate::Lint { file } => linted(common, ca, file.as_deref(), now),
    }
}

fn list(common: &Common, ca: &Ca, now: OffsetDateTime) -> Result<u8> {
    let reviewed = ca.reviewed(now)?;
    for template in &reviewed.templates.template {
        let is_off = reviewed.off.contains(&template.name);
        if common.json {
            println!(
                "{}",
                json!({
                    "name": template.name,
                    "purposes": template.purposes,
                    "lifetime-days": template.lifetime_days,
                    "enrol": template.enrol,
                    "off": is_off,
                })
            );
            continue;
        }
        let who = match template.enrol.as_slice() {
            [] => "the operator only".to_owned(),
            some => some.join(", "),
        };
        println!(
            "{:<16} {} for {} days, to {who}{}",
            template.name,
            template.purposes.join(", "),
            template.lifetime_days,
            if is_off { " (off: chancery ca template lint)" } else { "" }
        );
    }
    Ok(DONE)
}

fn show(common: &Common, ca: &Ca, name: &str) -> Result<u8> {
    let templates = ca.templates()?;
    let Some(template) = templates.named(name) else {
        let known: Vec<&str> = templates.template.iter().map(|one| one.name.as_str()).collect();
        return Err(usage(format!(
            "there is no template {name:?}; there are: {}",
            known.join(", ")
        )));
    };
    match common.json {
        true => println!("{}", serde_json::to_string_pretty(template)?),
        false => print!("{}", toml::to_string(template)?),
    }
    Ok(DONE)
}

fn linted(common: &Common, ca: &Ca, file: Option<&Path>, now: OffsetDateTime) -> Result<u8> {
    let templates: Templates = match file {
        Some(path) => Templates::parse(&files::read_text(path)?)
            .map_err(|fault| usage(format!("{}: {fault}", path.display())))?,
        None => ca.templates()?,
    };
    let issuer = ca.signer_summary().ok();
    let findings = lint(&templates, issuer.as_ref(), now);
    let off = refused(&findings);
    if common.json {
        println!("{}", serde_json::to_string_pretty(&json!({ "findings": findings, "off": off }))?);
    } else if findings.is_empty() {
        let names: Vec<&str> = templates.template.iter().map(named).collect();
        println!("nothing to say against {}", names.join(", "));
    } else {
        for finding in &findings {
            println!("{finding}");
        }
        if !off.is_empty() {
            println!("off until that is mended: {}", off.join(", "));
        }
    }
    Ok(if off.is_empty() { DONE } else { FINDINGS })
}

fn named(template: &Template) -> &str {
    &template.name
}
