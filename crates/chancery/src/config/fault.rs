//! What is wrong with a configuration: all of it at once, each with its place and the remedy.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Line and column, from 1; none for what does not stand in the file.
    pub(crate) at: Option<(usize, usize)>,
    /// `limits.connections`, `access[2].who`; empty for the file as a whole.
    pub(crate) key: String,
    pub(crate) what: String,
}

/// A configuration that cannot be used. Prints one line for each fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ConfigError {
    pub(crate) file: Option<PathBuf>,
    /// In the order of the file.
    pub(crate) faults: Vec<Fault>,
}

impl std::error::Error for ConfigError {}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.faults.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            if let Some(file) = &self.file {
                write!(f, "{}:", file.display())?;
            }
            write!(f, "{fault}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((line, column)) = self.at {
            write!(f, "{line}:{column}: ")?;
        }
        match self.key.as_str() {
            "" => f.write_str(&self.what),
            key => write!(f, "{key}: {}", self.what),
        }
    }
}

/// Collects faults while one text is read.
#[derive(Debug)]
pub(super) struct Faults<'t> {
    text: &'t str,
    pub(super) list: Vec<Fault>,
}

impl<'t> Faults<'t> {
    pub(super) fn new(text: &'t str) -> Faults<'t> {
        Faults { text, list: Vec::new() }
    }

    pub(super) fn at(&mut self, span: Range<usize>, key: &str, what: impl Into<String>) {
        let at = Some(self.place(span.start));
        self.list.push(Fault { at, key: key.to_owned(), what: what.into() });
    }

    pub(super) fn without_place(&mut self, key: &str, what: impl Into<String>) {
        self.list.push(Fault { at: None, key: key.to_owned(), what: what.into() });
    }

    /// Line and column of a byte offset, from 1.
    pub(super) fn place(&self, offset: usize) -> (usize, usize) {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let column = before.get(line_start..).map_or(0, |line| line.chars().count());
        (before.matches('\n').count() + 1, column + 1)
    }
}
