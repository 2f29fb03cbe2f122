//! Edges between our crates point one way. A new one is an edit here and in ARCHITECTURE.md.

use std::collections::{BTreeMap, BTreeSet};

use crate::report;
use crate::source::{read, root};

/// Crate: what it may depend on. Only `bench` uses `testing`, and nobody uses `bench`.
const ALLOWED: &[(&str, &[&str])] = &[
    ("ldap", &[]),
    ("pki", &[]),
    ("directory", &["ldap"]),
    ("client", &["ldap", "pki"]),
    ("server", &["ldap", "pki", "directory", "client"]),
    ("sync", &["ldap"]),
    ("connectors", &["ldap", "client", "sync"]),
    ("chancery", &["ldap", "pki", "directory", "client", "server", "sync", "connectors"]),
    ("testing", &["ldap", "pki", "directory", "client", "server", "sync", "connectors"]),
    ("bench", &["ldap", "testing"]),
];

/// Crates whose dependencies show what they are not able to do.
const FORBIDDEN: &[(&str, &[&str], &str)] = &[
    ("ldap", &["tokio", "rustls", "heed", "time", "getrandom"], "pure: no I/O, no clock"),
    ("pki", &["tokio", "heed"], "certificates as values: no sockets"),
    ("directory", &["tokio", "rustls", "tokio-rustls", "socket2"], "no sockets, TLS or async"),
    ("server", &["heed"], "knows no storage layout"),
];

/// One TLS and crypto implementation only; deny.toml says the same of what is really built.
const NEVER: &[&str] = &["openssl", "openssl-sys", "native-tls", "sled", "rustls-pemfile"];

#[test]
fn edges_are_those_of_the_picture() {
    let allowed: BTreeMap<_, _> = ALLOWED.iter().copied().collect();
    let members = members();
    let mut findings = Vec::new();
    for (name, uses) in &members {
        let Some(may) = allowed.get(name.as_str()) else {
            findings.push(format!("{name} is not in the table of edges"));
            continue;
        };
        for ours in uses.iter().filter(|uses| members.contains_key(*uses)) {
            if !may.contains(&ours.as_str()) {
                findings.push(format!("{name} -> {ours} is not drawn"));
            }
        }
    }
    report("an edge that ARCHITECTURE.md does not draw:", &findings);
}

#[test]
fn a_crate_does_not_depend_on_what_it_must_not_be_able_to_do() {
    let members = members();
    let mut findings = Vec::new();
    for (name, never, why) in FORBIDDEN {
        let uses = &members[*name];
        for dependency in never.iter().filter(|never| uses.contains(**never)) {
            findings.push(format!("{name} depends on {dependency}, but is {why}"));
        }
    }
    report("a dependency that breaks a crate's promise:", &findings);
}

#[test]
fn banned_crates_are_not_locked() {
    let lock = read("Cargo.lock");
    let named = |name: &&&str| lock.contains(&format!("\nname = \"{name}\"\n"));
    let findings: Vec<_> = NEVER.iter().filter(named).map(|name| name.to_string()).collect();
    report("Cargo.lock holds a crate that deny.toml bans:", &findings);
}

#[test]
fn no_crate_has_features() {
    let mut findings = Vec::new();
    for folder in folders() {
        let path = format!("{folder}/Cargo.toml");
        if read(&path).lines().any(|line| line.trim() == "[features]") {
            findings.push(path);
        }
    }
    report("cargo features make builds that nobody tests:", &findings);
}

#[test]
fn every_member_takes_versions_and_lints_from_the_workspace() {
    let mut findings = Vec::new();
    for folder in folders() {
        let path = format!("{folder}/Cargo.toml");
        let text = read(&path);
        if !text.contains("[lints]\nworkspace = true") {
            findings.push(format!("{path}: no `[lints] workspace = true`"));
        }
        for (name, rest) in dependencies(&text) {
            if !rest.contains("workspace = true") && !rest.starts_with(".workspace") {
                findings.push(format!("{path}: {name} does not come from the workspace"));
            }
        }
    }
    report("a member that goes its own way:", &findings);
}

/// Folders of the workspace's members, from the lines of `members = [`.
fn folders() -> Vec<String> {
    let text = read("Cargo.toml");
    let list = text.split("members = [").nth(1).unwrap().split(']').next().unwrap();
    let quoted = list.lines().filter_map(|line| line.trim().strip_prefix('"'));
    quoted.map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
}

/// Name of every member and all that it depends on, tests included.
fn members() -> BTreeMap<String, BTreeSet<String>> {
    let mut found = BTreeMap::new();
    for folder in folders() {
        assert!(root().join(&folder).is_dir(), "{folder} is a member but no folder");
        let text = read(&format!("{folder}/Cargo.toml"));
        let name = text.lines().find_map(|line| line.strip_prefix("name = ")).unwrap();
        let uses = dependencies(&text).map(|(name, _)| name.to_owned()).collect();
        found.insert(name.trim_matches('"').to_owned(), uses);
    }
    found
}

/// `(name, rest of the line)` of every line in a section of dependencies.
fn dependencies(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut inside = false;
    text.lines().filter_map(move |line| {
        if line.starts_with('[') {
            inside = line.ends_with("dependencies]");
            return None;
        }
        let name = line.find(['.', ' ', '=']).filter(|&end| inside && end > 0)?;
        (!line.starts_with('#')).then(|| line.split_at(name))
    })
}
