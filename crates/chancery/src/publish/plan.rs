//! What would change from one publication to another, a line for each thing.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::publication::{Door, Publication, SCOPES, WrittenRule};

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Change {
    /// `+` is new, `-` goes, `~` becomes something else.
    pub(crate) sign: char,
    pub(crate) what: String,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.sign, self.what)
    }
}

/// Empty: nothing would change.
pub(crate) fn changes(from: &Publication, to: &Publication) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut note = |sign, what| changes.push(Change { sign, what });
    for scope in SCOPES {
        match (from.door(scope), to.door(scope)) {
            (None, None) => {}
            (None, Some(door)) => note('+', format!("listener {scope}: {}", described(door))),
            (Some(door), None) => note('-', format!("listener {scope}: {}", described(door))),
            (Some(old), Some(new)) if old == new => {}
            (Some(old), Some(new)) => {
                let (old, new) = (described(old), described(new));
                note('~', format!("listener {scope}: {new} (was {old})"));
            }
        }
    }
    for old in from.rules.iter().filter(|old| named(to, &old.name).is_none()) {
        note('-', format!("rule {} ({}): {}", old.name, old.priority, old.sentence()));
    }
    for new in &to.rules {
        let text = format!("rule {} ({}): {}", new.name, new.priority, new.sentence());
        match named(from, &new.name) {
            None => note('+', text),
            Some(old) if old == new => {}
            Some(old) => note('~', format!("{text} (was {}: {})", old.priority, old.sentence())),
        }
    }
    for name in from.names.iter().filter(|name| !to.names.contains(name)) {
        note('-', format!("name {name}"));
    }
    for name in to.names.iter().filter(|name| !from.names.contains(name)) {
        note('+', format!("name {name}"));
    }
    if from.cut != to.cut && from.is_open() && to.is_open() {
        note('~', format!("cut: {} (was {})", to.cut, from.cut));
    }
    changes
}

fn named<'p>(publication: &'p Publication, name: &str) -> Option<&'p WrittenRule> {
    publication.rules.iter().find(|rule| rule.name == name)
}

fn described(door: &Door) -> String {
    let mut text = door.address.to_string();
    if !door.proxy_from.is_empty() {
        text += &format!(", behind {}", door.proxy_from.join(", "));
    }
    if door.accept_open_to_everyone {
        text += ", accepted to be open to everyone";
    }
    for word in &door.tls {
        text += &format!(", {word}");
    }
    text
}
