//! The files of the project, and Rust text in which only code is left.

use std::fs;
use std::path::{Path, PathBuf};

/// One file, its path relative to the root and with `/` between its parts.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every Rust file.
pub(crate) fn rust() -> Vec<Source> {
    files(|path| path.ends_with(".rs"))
}

/// Every text file the project consists of.
pub(crate) fn texts() -> Vec<Source> {
    let endings = [".rs", ".md", ".toml", ".sh", ".py", ".mjs", ".yml", ".service", ".socket"];
    let scripts = ["check", ".ci/run"];
    files(|path| endings.iter().any(|end| path.ends_with(end)) || scripts.contains(&path))
}

fn files(wanted: impl Fn(&str) -> bool) -> Vec<Source> {
    let root = root();
    let mut folders = vec![root.clone()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let relative = path.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/");
            if path.is_dir() {
                if !is_foreign(&relative, &name) {
                    folders.push(path);
                }
            } else if wanted(&relative) {
                let text = fs::read_to_string(&path).unwrap();
                found.push(Source { path: relative, text });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(!found.is_empty());
    found
}

/// Made by tools, not by us.
fn is_foreign(relative: &str, name: &str) -> bool {
    let made = ["fuzz/corpus", "fuzz/artifacts", "chancery-data"].contains(&relative);
    made || name == "target" || name == "node_modules" || (name.starts_with('.') && name != ".ci")
}

impl Source {
    /// The same lines with comments, strings and characters blanked.
    pub(crate) fn code(&self) -> String {
        blank(&self.text)
    }

    /// Number of the first line of `#[cfg(test)] mod`, or 0 where the whole file is test code.
    pub(crate) fn tests_begin(&self) -> usize {
        let inside = self.path.contains("/tests/") || self.path.ends_with("tests.rs");
        if inside || self.path.starts_with("testing/") || self.path.ends_with("/testing.rs") {
            return 0;
        }
        let lines: Vec<&str> = self.text.lines().collect();
        let begin = lines.windows(2).position(|pair| {
            pair[0].trim() == "#[cfg(test)]" && pair[1].trim().starts_with("mod ")
        });
        begin.unwrap_or(lines.len())
    }
}

/// Replaces everything that is not code by spaces; line breaks stay.
pub(crate) fn blank(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = literal_or_comment(&chars, at);
        if end == at {
            out.push(chars[at]);
            at += 1;
            continue;
        }
        out.extend(chars[at..end].iter().map(|&c| if c == '\n' { '\n' } else { ' ' }));
        at = end;
    }
    out
}

/// Where the comment, string or character that begins at `at` ends; `at` when none begins there.
fn literal_or_comment(chars: &[char], at: usize) -> usize {
    match (chars[at], chars.get(at + 1)) {
        ('/', Some('/')) => until(chars, at, |rest| rest.first() == Some(&'\n')),
        ('/', Some('*')) => until(chars, at + 2, |rest| rest.starts_with(&['*', '/'])) + 2,
        ('r', Some('"' | '#')) if !is_name(chars, at) => raw_string(chars, at),
        ('"', _) => quoted(chars, at, '"'),
        ('\'', Some('\\')) => quoted(chars, at, '\''),
        // Three characters are a character; anything else is a lifetime.
        ('\'', Some(_)) if chars.get(at + 2) == Some(&'\'') => at + 3,
        _ => at,
    }
}

fn is_name(chars: &[char], at: usize) -> bool {
    let before = at.checked_sub(1).and_then(|before| chars.get(before));
    before.is_some_and(|&c| c != 'b' && (c.is_alphanumeric() || c == '_'))
}

fn until(chars: &[char], from: usize, done: impl Fn(&[char]) -> bool) -> usize {
    (from..chars.len()).find(|&at| done(&chars[at..])).unwrap_or(chars.len())
}

fn raw_string(chars: &[char], at: usize) -> usize {
    let hashes = chars[at + 1..].iter().take_while(|&&c| c == '#').count();
    if chars.get(at + 1 + hashes) != Some(&'"') {
        return at; // a raw identifier
    }
    let mut end = vec!['"'];
    end.resize(1 + hashes, '#');
    let body = at + 2 + hashes;
    (until(chars, body, |rest| rest.starts_with(&end)) + end.len()).min(chars.len())
}

fn quoted(chars: &[char], at: usize, quote: char) -> usize {
    let mut at = at + 1;
    while at < chars.len() && chars[at] != quote {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(chars.len())
}

#[test]
fn only_code_is_left() {
    for (text, code) in [
        ("a // b\nc", "a     \nc"),
        ("a /* b\n */ c", "a     \n    c"),
        (r#"x("}\"{", y)"#, "x(      , y)"),
        ("f('{', '\\'', 'a)", "f(   ,     , 'a)"),
        ("r#\"}\"#;bar\"\"", "      ;bar  "),
        ("r#type", "r#type"),
    ] {
        assert_eq!(blank(text), code);
    }
}
