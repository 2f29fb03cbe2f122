//! What has to change at the name server, and what must not: pure comparison.
//!
//! A set of records is *ours* when it holds what we wrote last, or already what we want. Everything
//! else belongs to somebody and is never touched unless its name is given with `--replace`.

use std::collections::{BTreeMap, BTreeSet};

use hickory_proto::rr::Name;
use serde_json::{Value, json};

use super::records::{Key, Kind, RecordSet, bare};

/// What is known of the world before anything is decided.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// What the zone's server holds now.
    pub(crate) current: BTreeMap<Key, RecordSet>,
    /// What we wrote last.
    pub(crate) written: Vec<RecordSet>,
    /// Names whose foreign records may be replaced.
    pub(crate) replace: BTreeSet<Name>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// It is as it should be.
    Keep(RecordSet),
    Create(RecordSet),
    Change {
        from: RecordSet,
        to: RecordSet,
    },
    Remove(RecordSet),
    /// Somebody else's, in the way of what is wanted: nothing is written at all.
    Foreign {
        theirs: RecordSet,
        wanted: RecordSet,
        ours: Option<RecordSet>,
    },
    /// We wrote it and do not want it any more, but somebody changed it since: it is theirs now.
    Released {
        theirs: RecordSet,
    },
    /// No zone of this server can hold it.
    Outside(RecordSet),
}

impl Step {
    /// Whether the server is to be told something.
    pub(crate) fn writes(&self) -> bool {
        matches!(self, Step::Create(_) | Step::Change { .. } | Step::Remove(_))
    }

    pub(crate) fn is_foreign(&self) -> bool {
        matches!(self, Step::Foreign { .. })
    }

    fn word(&self) -> &'static str {
        match self {
            Step::Keep(_) => "keep",
            Step::Create(_) => "create",
            Step::Change { .. } => "change",
            Step::Remove(_) => "remove",
            Step::Foreign { .. } => "foreign",
            Step::Released { .. } => "released",
            Step::Outside(_) => "outside",
        }
    }

    pub(crate) fn to_json(&self) -> Value {
        let lines = match self {
            Step::Keep(set) => json!({ "is": set.to_line() }),
            Step::Create(set) | Step::Outside(set) => json!({ "wanted": set.to_line() }),
            Step::Change { from, to } => json!({ "is": from.to_line(), "wanted": to.to_line() }),
            Step::Remove(set) => json!({ "is": set.to_line() }),
            Step::Released { theirs } => json!({ "is": theirs.to_line() }),
            Step::Foreign { theirs, wanted, ours } => json!({
                "is": theirs.to_line(),
                "wanted": wanted.to_line(),
                "written-last": ours.as_ref().map(RecordSet::to_line),
            }),
        };
        let mut step = json!({ "step": self.word() });
        if let (Value::Object(step), Value::Object(lines)) = (&mut step, lines) {
            step.extend(lines);
        }
        step
    }
}

/// As a difference reads: what is there with `-`, what comes with `+`.
impl std::fmt::Display for Step {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let marked = |mark: &str, set: &RecordSet| {
            let lines = set.to_string();
            lines.lines().map(|line| format!("{mark} {line}")).collect::<Vec<_>>().join("\n")
        };
        match self {
            Step::Keep(set) => write!(out, "{}", marked(" ", set)),
            Step::Create(set) => write!(out, "{}", marked("+", set)),
            Step::Change { from, to } => {
                write!(out, "{}\n{}", marked("-", from), marked("+", to))
            }
            Step::Remove(set) => write!(out, "{}", marked("-", set)),
            Step::Released { theirs } => write!(
                out,
                "{}\n  somebody changed it since we wrote it, so it stays and is theirs",
                marked(" ", theirs)
            ),
            Step::Outside(set) => write!(
                out,
                "{}\n  outside the zone: write it where that name is kept (chancery dns print)",
                marked("?", set)
            ),
            Step::Foreign { theirs, wanted, ours } => {
                let wrote = match ours {
                    Some(ours) => format!("we wrote something else:\n{}", marked(" ", ours)),
                    None => "we never wrote it".to_owned(),
                };
                let (theirs_text, wanted_text) = (marked("!", theirs), marked("+", wanted));
                write!(
                    out,
                    "{theirs_text}\n{wanted_text}\n  there is a record of somebody else, {wrote}\n  \
                     to overwrite it: --replace {}",
                    bare(&theirs.name)
                )
            }
        }
    }
}

/// What has to be asked for before a plan can be made.
pub(crate) fn questions(wanted: &[RecordSet], written: &[RecordSet], zone: &Name) -> BTreeSet<Key> {
    let inside = wanted.iter().chain(written).filter(|set| zone.zone_of(&set.name));
    // An alias shuts out every other kind of record (RFC 1034 §3.6.2).
    inside.flat_map(|set| [set.key(), (set.name.clone(), Kind::Cname)]).collect()
}

/// Every wanted set and every one we wrote, with what becomes of it.
pub(crate) fn plan(wanted: &[RecordSet], known: &Known, zone: &Name) -> Vec<Step> {
    let mut steps = Vec::new();
    for set in wanted {
        if zone.zone_of(&set.name) {
            steps.extend(alias_in_the_way(set, known, &steps));
            steps.push(step(set, known));
        } else {
            steps.push(Step::Outside(set.clone()));
        }
    }
    let unwanted =
        known.written.iter().filter(|old| !wanted.iter().any(|set| set.key() == old.key()));
    for old in unwanted {
        match known.current.get(&old.key()) {
            Some(current) if current.same_values(old) => steps.push(Step::Remove(current.clone())),
            Some(theirs) => steps.push(Step::Released { theirs: theirs.clone() }),
            None => {}
        }
    }
    steps
}

fn step(wanted: &RecordSet, known: &Known) -> Step {
    let Some(current) = known.current.get(&wanted.key()) else {
        return Step::Create(wanted.clone());
    };
    if current == wanted {
        return Step::Keep(current.clone());
    }
    let ours = known.written.iter().find(|set| set.key() == wanted.key());
    let is_ours = current.same_values(wanted)
        || ours.is_some_and(|ours| current.same_values(ours))
        || known.replace.contains(&wanted.name);
    if is_ours {
        return Step::Change { from: current.clone(), to: wanted.clone() };
    }
    foreign(current, wanted, ours)
}

fn foreign(theirs: &RecordSet, wanted: &RecordSet, ours: Option<&RecordSet>) -> Step {
    let (theirs, wanted) = (theirs.clone(), wanted.clone());
    Step::Foreign { theirs, wanted, ours: ours.cloned() }
}

/// An alias of the same name, once for each name.
fn alias_in_the_way(wanted: &RecordSet, known: &Known, so_far: &[Step]) -> Option<Step> {
    let alias = known.current.get(&(wanted.name.clone(), Kind::Cname))?;
    let step = match known.replace.contains(&wanted.name) {
        true => Step::Remove(alias.clone()),
        false => foreign(alias, wanted, None),
    };
    (!so_far.contains(&step)).then_some(step)
}

#[cfg(test)]
mod tests {
    use super::super::records::absolute;
    use super::*;

    fn set(name: &str, kind: &str, ttl: u32, value: &str) -> RecordSet {
        let line = super::super::records::Line {
            name: name.to_owned(),
            kind: kind.to_owned(),
            ttl,
            values: vec![value.to_owned()],
        };
        RecordSet::from_line(&line).unwrap()
    }

    fn a(value: &str) -> RecordSet {
        set("ldap.example.com", "A", 300, value)
    }

    /// The steps' first words for one wanted record.
    fn words(
        wanted: &[RecordSet],
        current: &[RecordSet],
        written: &[RecordSet],
        replace: bool,
    ) -> Vec<&'static str> {
        let mut known = Known { written: written.to_vec(), ..Known::default() };
        known.current = current.iter().map(|set| (set.key(), set.clone())).collect();
        if replace {
            known.replace.insert(absolute("ldap.example.com").unwrap());
        }
        let zone = absolute("example.com").unwrap();
        plan(wanted, &known, &zone).iter().map(Step::word).collect()
    }

    #[test]
    fn what_is_ours_changes_and_what_is_not_stays() {
        let (one, two, three) = (a("192.0.2.1"), a("192.0.2.2"), a("192.0.2.3"));
        let slower = set("ldap.example.com", "A", 900, "192.0.2.1");
        let alias = set("ldap.example.com", "CNAME", 300, "elsewhere.example.net");
        let none: &[RecordSet] = &[];
        let alias_ = std::slice::from_ref(&alias);
        let one_ = std::slice::from_ref(&one);
        let two_ = std::slice::from_ref(&two);
        let three_ = std::slice::from_ref(&three);
        for (why, wanted, current, written, replace, expected) in [
            ("new", one_, none, none, false, vec!["create"]),
            ("there already", one_, one_, none, false, vec!["keep"]),
            ("ours, moved", one_, two_, two_, false, vec!["change"]),
            ("ours, deleted by hand", one_, none, one_, false, vec!["create"]),
            ("another time to live", one_, &[slower], none, false, vec!["change"]),
            ("somebody's", one_, two_, none, false, vec!["foreign"]),
            ("ours, changed by hand", one_, two_, three_, false, vec!["foreign"]),
            ("somebody's, replaced by name", one_, two_, none, true, vec!["change"]),
            ("an alias", one_, alias_, none, false, vec!["foreign", "create"]),
            ("an alias, replaced", one_, alias_, none, true, vec!["remove", "create"]),
            ("not wanted any more", none, two_, two_, false, vec!["remove"]),
            ("not wanted, changed by hand", none, two_, three_, false, vec!["released"]),
            ("not wanted, gone", none, none, three_, false, vec![]),
        ] {
            assert_eq!(words(wanted, current, written, replace), expected, "{why}");
        }
    }

    #[test]
    fn a_name_of_another_zone_is_not_asked_for() {
        let elsewhere = set("ldap.example.net", "A", 300, "192.0.2.1");
        let zone = absolute("example.com").unwrap();
        assert!(questions(std::slice::from_ref(&elsewhere), &[], &zone).is_empty());
        assert_eq!(words(&[elsewhere], &[], &[], false), ["outside"]);
    }

    #[test]
    fn a_foreign_record_is_shown_beside_the_wanted_one() {
        let known =
            Known { current: [(a("192.0.2.2").key(), a("192.0.2.2"))].into(), ..Known::default() };
        let steps = plan(&[a("192.0.2.1")], &known, &absolute("example.com").unwrap());
        let text = steps[0].to_string();
        for words in [
            "! ldap.example.com. 300 IN A 192.0.2.2",
            "+ ldap.example.com. 300 IN A 192.0.2.1",
            "--replace ldap.example.com",
        ] {
            assert!(text.contains(words), "{text}");
        }
        assert_eq!(steps[0].to_json()["is"]["values"][0], "192.0.2.2");
    }
}
