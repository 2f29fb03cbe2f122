//! OpenLDAP's `objectidentifier` macros: a name for an OID, and `name:1.2` for one below it.

use crate::oid::{is_descr, is_numericoid};

/// The macros defined so far. Few in any real file, so a list is searched.
#[derive(Clone, Debug, Default)]
pub(super) struct Macros {
    defined: Vec<(String, String)>,
}

/// Real files define a few dozen.
const MAX_MACROS: usize = 4096;
/// Macros may build upon each other; this bounds what they grow to.
const MAX_OID_BYTES: usize = 1024;

impl Macros {
    pub(super) const NONE: Macros = Macros { defined: Vec::new() };

    /// The OID that `text` stands for; `None` if no macro is meant.
    pub(super) fn expand(&self, text: &str) -> Result<Option<String>, String> {
        let Some((name, suffix)) = text.split_once(':') else {
            return Ok(self.find(text).map(str::to_owned));
        };
        let Some(base) = self.find(name) else {
            return Err(format!("`{name}` is not defined by an objectidentifier line"));
        };
        let oid = format!("{base}.{suffix}");
        if is_numericoid(&oid) && oid.len() <= MAX_OID_BYTES {
            return Ok(Some(oid));
        }
        Err(format!("`{text}` does not give a numeric OID"))
    }

    fn find(&self, name: &str) -> Option<&str> {
        let found = self.defined.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        Some(&found.1)
    }

    /// Takes `NAME OID`, where OID may use macros that are there already.
    pub(super) fn define(&mut self, text: &str) -> Result<(), String> {
        let mut words = text.split_ascii_whitespace();
        let (Some(name), Some(value), None) = (words.next(), words.next(), words.next()) else {
            return Err("objectidentifier takes a name and an OID".to_owned());
        };
        if !is_descr(name) {
            return Err(format!("`{name}` cannot name an OID: letters, digits and hyphens can"));
        }
        let oid = match self.expand(value)? {
            Some(oid) => oid,
            None if is_numericoid(value) && value.len() <= MAX_OID_BYTES => value.to_owned(),
            None => return Err(format!("`{value}` is neither an OID nor a name defined before")),
        };
        self.add(name, oid)
    }

    fn add(&mut self, name: &str, oid: String) -> Result<(), String> {
        match self.find(name) {
            Some(same) if same == oid => Ok(()),
            Some(other) => Err(format!("`{name}` is defined as {other} already")),
            None if self.defined.len() == MAX_MACROS => {
                Err(format!("a file may define {MAX_MACROS} OID names at most"))
            }
            None => {
                self.defined.push((name.to_owned(), oid));
                Ok(())
            }
        }
    }
}
