//! What we wrote last, kept beside the data: the measure of what is ours at the name server.
//! `dns/ZONE.json` in the data folder.

use std::path::{Path, PathBuf};

use anyhow::Result;
use hickory_proto::rr::Name;
use serde::{Deserialize, Serialize};

use super::records::{Line, RecordSet, bare};
use crate::durable;
use crate::failure::failed;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    zone: String,
    records: Vec<Line>,
}

fn path(data: &Path, zone: &Name) -> PathBuf {
    data.join("dns").join(format!("{}.json", bare(zone)))
}

/// Nothing where nothing was ever written.
pub(crate) fn load(data: &Path, zone: &Name) -> Result<Vec<RecordSet>> {
    let path = path(data, zone);
    let Some(bytes) = durable::read_if_there(&path)? else { return Ok(Vec::new()) };
    // Taken for empty, our own records would look like somebody else's.
    let damaged = |what: String| {
        failed(format!(
            "{} is damaged ({what}); restore it, or remove it: then our own records count as \
             somebody else's until `chancery dns apply --replace NAME`",
            path.display()
        ))
    };
    let written: Written =
        serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
    let read = |line: &Line| {
        RecordSet::from_line(line).ok_or_else(|| damaged(format!("the record of {}", line.name)))
    };
    written.records.iter().map(read).collect()
}

pub(crate) fn store(data: &Path, zone: &Name, sets: &[RecordSet]) -> Result<()> {
    let written =
        Written { zone: bare(zone), records: sets.iter().map(RecordSet::to_line).collect() };
    durable::write_private(&path(data, zone), &serde_json::to_vec_pretty(&written)?)
}

/// Zones other than this one in which records of ours may still be.
pub(crate) fn other_zones(data: &Path, zone: &Name) -> Vec<String> {
    let Ok(folder) = std::fs::read_dir(data.join("dns")) else { return Vec::new() };
    let names = folder.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let zones = names.filter_map(|name| name.strip_suffix(".json").map(str::to_owned));
    let mut others: Vec<String> = zones.filter(|other| *other != bare(zone)).collect();
    others.retain(|other| {
        let other = super::records::absolute(other);
        other.is_ok_and(|other| load(data, &other).is_ok_and(|sets| !sets.is_empty()))
    });
    others.sort();
    others
}

#[cfg(test)]
mod tests {
    use super::super::records::{Published, absolute, wanted};
    use super::*;

    #[test]
    fn what_was_written_is_remembered_for_each_zone() {
        let folder = tempfile::tempdir().unwrap();
        let (zone, other) = (absolute("example.com").unwrap(), absolute("example.net").unwrap());
        assert_eq!(load(folder.path(), &zone).unwrap(), []);
        let sets = wanted(&Published {
            names: vec![absolute("ldap.example.com").unwrap()],
            addresses: vec!["192.0.2.1".parse().unwrap()],
            domain: None,
            services: Vec::new(),
            ttl: 60,
        });
        store(folder.path(), &zone, &sets).unwrap();
        assert_eq!(load(folder.path(), &zone).unwrap(), sets);
        assert_eq!(load(folder.path(), &other).unwrap(), []);
        assert_eq!(other_zones(folder.path(), &other), ["example.com"]);
        assert!(other_zones(folder.path(), &zone).is_empty());
        std::fs::write(path(folder.path(), &zone), "{").unwrap();
        assert!(load(folder.path(), &zone).unwrap_err().to_string().contains("--replace"));
    }
}
