//! What may not stand in a file, and what must.

use crate::report;
use crate::source::{Source, rust, texts};

/// Names that say nothing about what is inside.
const EMPTY_NAMES: &[&str] = &["util", "utils", "common", "helper", "helpers", "misc"];

/// The only folder that may hold `unsafe`.
const UNSAFE_FOLDER: &str = "crates/directory/src/store/";

/// Test code that may sleep: `(path, reason)`.
const SLEEPS: &[(&str, &str)] =
    &[("testing/src/process.rs", "looks again and again at a process that nothing else announces")];

#[test]
fn every_file_tells_its_purpose_first() {
    let mut findings = Vec::new();
    for source in rust() {
        let first = source.text.lines().next().unwrap_or_default();
        if first.strip_prefix("//! ").is_none_or(|purpose| purpose.trim().len() < 10) {
            findings.push(source.path);
        }
    }
    report("the first line of a file is `//!` and its purpose:", &findings);
}

#[test]
fn no_module_has_an_empty_name() {
    let mut findings = Vec::new();
    for source in rust() {
        let mut parts = source.path.trim_end_matches(".rs").split('/');
        if parts.any(|part| EMPTY_NAMES.contains(&part)) {
            findings.push(source.path);
        }
    }
    report("a module is named after what is inside:", &findings);
}

#[test]
fn nothing_is_left_to_do() {
    // Written in two pieces, so that this file does not find itself.
    let marks = [concat!("FIX", "ME"), concat!("TO", "DO"), concat!("XX", "X:")];
    let macros = ["dbg!(", "todo!(", "unimplemented!("];
    let mut findings = Vec::new();
    for source in texts() {
        let marked = |line: &str| marks.iter().any(|mark| has_word(line, mark));
        // The documents name the rule.
        if !source.path.ends_with(".md") {
            findings.extend(lines_with(&source.path, &source.text, marked));
        }
    }
    for source in rust() {
        let called = |line: &str| macros.iter().any(|name| line.contains(name));
        findings.extend(lines_with(&source.path, &source.code(), called));
    }
    report("finish it, or write a decision record:", &findings);
}

#[test]
fn an_ignored_test_says_why() {
    let mut findings = Vec::new();
    for source in rust() {
        let bare = |line: &str| line.trim() == "#[ignore]";
        findings.extend(lines_with(&source.path, &source.code(), bare));
    }
    report("`#[ignore = \"reason\"]`:", &findings);
}

#[test]
fn unsafe_stands_only_in_the_store() {
    let mut findings = Vec::new();
    for source in rust().iter().filter(|source| !source.path.starts_with(UNSAFE_FOLDER)) {
        findings.extend(lines_with(&source.path, &source.code(), |line| has_word(line, "unsafe")));
    }
    report(&format!("`unsafe` is allowed in {UNSAFE_FOLDER} only:"), &findings);
}

#[test]
fn tests_do_not_sleep() {
    let mut findings = Vec::new();
    for source in rust() {
        let begin = source.tests_begin();
        let sleeps = sleeping_lines(&source, begin);
        match SLEEPS.iter().any(|(path, _)| *path == source.path) {
            true if sleeps.is_empty() => {
                findings.push(format!("{}: does not sleep, remove its exception", source.path));
            }
            true => {}
            false => findings.extend(sleeps),
        }
    }
    report("a test waits for what it needs, or is given the time:", &findings);
}

fn sleeping_lines(source: &Source, begin: usize) -> Vec<String> {
    let code = source.code();
    let numbered = code.lines().enumerate().skip(begin);
    let found = numbered.filter(|(_, line)| line.contains("sleep(") && has_word(line, "sleep"));
    found.map(|(at, _)| format!("{}:{}", source.path, at + 1)).collect()
}

#[test]
fn no_file_knows_one_machine() {
    let folders = [concat!("/wo", "rk/"), concat!("/ro", "ot/")];
    let mut findings = Vec::new();
    for source in texts() {
        let told = |line: &str| folders.iter().any(|folder| line.contains(folder));
        findings.extend(lines_with(&source.path, &source.text, told));
    }
    report("a path of somebody's machine:", &findings);
}

fn lines_with(path: &str, text: &str, wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let found = text.lines().enumerate().filter(|(_, line)| wanted(line));
    found.map(|(at, line)| format!("{path}:{}: {}", at + 1, line.trim())).collect()
}

fn has_word(line: &str, word: &str) -> bool {
    let edge = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() && c != '_');
    line.match_indices(word).any(|(at, _)| {
        edge(line[..at].chars().next_back()) && edge(line[at + word.len()..].chars().next())
    })
}

#[test]
fn a_word_stands_alone() {
    assert!(has_word("an unsafe { }", "unsafe"));
    assert!(!has_word("unsafe_code", "unsafe"));
}
