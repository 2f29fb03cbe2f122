//! Facts of other runs, from files.

use std::path::Path;

use anyhow::Result;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{bounded, wrong};
use crate::doctor::facts::{Facts, VERSION};
use crate::doctor::outcome::Seen;

/// The facts of one target.
pub(super) fn one(file: &Path) -> Result<Seen> {
    let mut all = all(file)?;
    match (all.pop(), all.is_empty()) {
        (Some(one), true) => Ok(one),
        _ => Err(wrong(file, &"these are facts of several servers: compare them with `diff`")),
    }
}

/// The facts of a file: of one target, or of several.
pub(super) fn all(file: &Path) -> Result<Vec<Seen>> {
    let text = bounded(file, "give a file of facts")?;
    of_text(&text, file)
}

pub(super) fn of_text(text: &[u8], file: &Path) -> Result<Vec<Seen>> {
    let mut found = Vec::new();
    // Several blocks may have been pasted, one after the other.
    for value in serde_json::Deserializer::from_slice(text).into_iter::<Value>() {
        match value.map_err(|error| wrong(file, &error))? {
            Value::Array(all) => {
                for one in all {
                    found.push(seen(one, file)?);
                }
            }
            // As `--json` prints it.
            Value::Object(mut all) if all.contains_key("facts") => {
                found.push(seen(all.remove("facts").unwrap_or_default(), file)?);
            }
            one => found.push(seen(one, file)?),
        }
    }
    match found.is_empty() {
        true => Err(wrong(file, &"there are no facts in it")),
        false => Ok(found),
    }
}

fn seen(value: Value, file: &Path) -> Result<Seen> {
    let version = value.get("version").and_then(Value::as_u64);
    if version != Some(VERSION.into()) {
        let why = format!(
            "these are no facts that version {VERSION} of their form describes: write them with \
             `chancery doctor TARGET --save FILE`, and read them with a program as new"
        );
        return Err(wrong(file, &why));
    }
    let facts: Facts = serde_json::from_value(value).map_err(|error| wrong(file, &error))?;
    let at = OffsetDateTime::parse(&facts.at, &Rfc3339).map_err(|error| wrong(file, &error))?;
    Ok(Seen::judged(facts, at))
}
