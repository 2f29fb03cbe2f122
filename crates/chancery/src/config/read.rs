//! From the text of the file to raw sections. Reading goes on after a fault, to list them all.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::Faults;
use super::raw::{
    Access, Acme, Alerts, CertificateMap, ChangeLog, Dns, Indexes, Limits, Listen, Lockout, Log,
    Passwords, Publish, PublishExternal, PublishInternal, PublishRule, Raw, SECTIONS, SchemaFiles,
    Shutdown, Store, Tls, Top,
};
use super::setting::{Section, Setting};
use super::value::Value;

/// A raw section and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Placed<T> {
    pub(super) value: T,
    pub(super) span: Range<usize>,
}

/// The file, with the places of the sections that may repeat.
#[derive(Debug)]
pub(super) struct ReadFile {
    pub(super) raw: Raw,
    pub(super) listen_spans: Vec<Range<usize>>,
    pub(super) access_spans: Vec<Range<usize>>,
    pub(super) rule_spans: Vec<Range<usize>>,
}

pub(super) fn read(text: &str, faults: &mut Faults<'_>) -> ReadFile {
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        faults.at(error.span().unwrap_or(0..0), "", error.message());
    }
    let top = table.get_ref();
    let listen = many(top, faults, &Listen::SECTION, Listen::read);
    let access = many(top, faults, &Access::SECTION, Access::read);
    let map = many(top, faults, &CertificateMap::SECTION, CertificateMap::read);
    let rules = many(top, faults, &PublishRule::SECTION, PublishRule::read);
    let (listen, listen_spans) = apart(listen);
    let (access, access_spans) = apart(access);
    let (publish_rules, rule_spans) = apart(rules);
    let raw = Raw {
        top: Top::read(&mut SectionReader::new(top, &Top::SECTION, String::new(), faults)),
        listen,
        tls: once(top, faults, &Tls::SECTION, Tls::read),
        certificate_map: map.into_iter().map(|placed| placed.value).collect(),
        publish: once(top, faults, &Publish::SECTION, Publish::read),
        dns: once(top, faults, &Dns::SECTION, Dns::read),
        acme: once(top, faults, &Acme::SECTION, Acme::read),
        publish_internal: once(top, faults, &PublishInternal::SECTION, PublishInternal::read),
        publish_external: once(top, faults, &PublishExternal::SECTION, PublishExternal::read),
        publish_rules,
        limits: once(top, faults, &Limits::SECTION, Limits::read),
        passwords: once(top, faults, &Passwords::SECTION, Passwords::read),
        lockout: once(top, faults, &Lockout::SECTION, Lockout::read),
        indexes: once(top, faults, &Indexes::SECTION, Indexes::read),
        schema: once(top, faults, &SchemaFiles::SECTION, SchemaFiles::read),
        change_log: once(top, faults, &ChangeLog::SECTION, ChangeLog::read),
        store: once(top, faults, &Store::SECTION, Store::read),
        log: once(top, faults, &Log::SECTION, Log::read),
        alerts: once(top, faults, &Alerts::SECTION, Alerts::read),
        shutdown: once(top, faults, &Shutdown::SECTION, Shutdown::read),
        access,
    };
    faults.list.sort_by_key(|fault| fault.at);
    ReadFile { raw, listen_spans, access_spans, rule_spans }
}

fn apart<T>(placed: Vec<Placed<T>>) -> (Vec<T>, Vec<Range<usize>>) {
    placed.into_iter().map(|placed| (placed.value, placed.span)).unzip()
}

/// What stands under a header: `publish.rule` is `rule` in `publish`. A section on the way that is
/// none is found fault with where it is read itself.
fn find<'t, 'i>(top: &'t DeTable<'i>, header: &str) -> Option<&'t Spanned<DeValue<'i>>> {
    match header.rsplit_once('.') {
        Some((outer, key)) => find(top, outer)?.get_ref().as_table()?.get(key),
        None => top.get(header),
    }
}

type ReadSection<T> = fn(&mut SectionReader<'_, '_, '_>) -> T;

fn once<T>(
    top: &DeTable<'_>,
    faults: &mut Faults<'_>,
    section: &Section,
    read: ReadSection<T>,
) -> T {
    let empty = DeTable::default();
    let found = find(top, section.header);
    let table = match found.map(|value| (value.get_ref().as_table(), value.span())) {
        Some((None, span)) => {
            faults.at(span, section.header, format!("write a section `[{}]`", section.header));
            &empty
        }
        Some((Some(table), _)) => table,
        None => &empty,
    };
    read(&mut SectionReader::new(table, section, section.header.to_owned(), faults))
}

fn many<T>(
    top: &DeTable<'_>,
    faults: &mut Faults<'_>,
    section: &Section,
    read: ReadSection<T>,
) -> Vec<Placed<T>> {
    let Some(found) = find(top, section.header) else { return Vec::new() };
    let Some(array) = found.get_ref().as_array() else {
        faults.at(found.span(), section.header, format!("write `[[{}]]`", section.header));
        return Vec::new();
    };
    let mut all = Vec::new();
    for (index, item) in array.iter().enumerate() {
        let at = format!("{}[{}]", section.header, index + 1);
        match item.get_ref().as_table() {
            Some(table) => {
                let value = read(&mut SectionReader::new(table, section, at, faults));
                all.push(Placed { value, span: item.span() });
            }
            None => faults.at(item.span(), &at, format!("write `[[{}]]`", section.header)),
        }
    }
    all
}

/// Reads the settings of one table.
pub(super) struct SectionReader<'r, 'i, 't> {
    table: &'r DeTable<'i>,
    /// The section's path in the file.
    at: String,
    faults: &'r mut Faults<'t>,
}

impl<'r, 'i, 't> SectionReader<'r, 'i, 't> {
    fn new(
        table: &'r DeTable<'i>,
        section: &Section,
        at: String,
        faults: &'r mut Faults<'t>,
    ) -> SectionReader<'r, 'i, 't> {
        let mut reader = SectionReader { table, at, faults };
        reader.refuse_unknown(section);
        reader
    }

    fn path(&self, key: &str) -> String {
        if self.at.is_empty() { key.to_owned() } else { format!("{}.{key}", self.at) }
    }

    fn refuse_unknown(&mut self, section: &Section) {
        let mut known: Vec<String> = section.settings.iter().map(Setting::key).collect();
        let inside = SECTIONS.iter().filter_map(|other| match section.header {
            "" => Some(other.header).filter(|header| !header.is_empty()),
            own => other.header.strip_prefix(own)?.strip_prefix('.'),
        });
        known.extend(inside.filter(|key| !key.contains('.')).map(str::to_owned));
        for key in self.table.keys() {
            let name = key.get_ref().as_ref();
            if !known.iter().any(|known| known == name) {
                let what = format!("there is no such setting; {}", suggestion(name, &known));
                let path = self.path(name);
                self.faults.at(key.span(), &path, what);
            }
        }
    }

    pub(super) fn setting<T: Value>(&mut self, setting: &Setting) -> T {
        let key = setting.key();
        let given = self.table.get(key.as_str()).and_then(|value| self.given(&key, value, setting));
        given.unwrap_or_else(|| default(setting))
    }

    fn given<T: Value>(
        &mut self,
        key: &str,
        value: &Spanned<DeValue<'_>>,
        setting: &Setting,
    ) -> Option<T> {
        let path = self.path(key);
        let Some(read) = T::read(value.get_ref()) else {
            self.faults.at(value.span(), &path, format!("write {}", setting.form));
            return None;
        };
        match (setting.bounds, read.number()) {
            (Some((min, max)), Some(number)) if !(min..=max).contains(&number) => {
                let (min, max) = ((setting.say)(min), (setting.say)(max));
                self.faults.at(value.span(), &path, format!("write {min} to {max}"));
                None
            }
            _ => Some(read),
        }
    }
}

/// The default, read by the same code as the file. That every one can be read is a test.
#[allow(clippy::expect_used, reason = "defaults are literals of this program")]
fn default<T: Value>(setting: &Setting) -> T {
    if setting.default.is_empty() {
        return T::absent().expect("only what may be absent has no default");
    }
    let value = DeValue::parse(setting.default).expect("a default is TOML");
    T::read(value.get_ref()).expect("a default fits its setting")
}

fn suggestion(name: &str, known: &[String]) -> String {
    let nearest = known.iter().map(|known| (distance(name, known), known)).min();
    match nearest {
        Some((distance, known)) if distance <= 1 + known.len() / 4 => {
            format!("did you mean `{known}`?")
        }
        _ => format!("there are {}", known.join(", ")),
    }
}

/// How many letters must be put in, left out or changed to get from one word to the other.
pub(super) fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, letter) in from.chars().enumerate() {
        let mut next = vec![line + 1];
        for (above, (diagonal, other)) in row.iter().skip(1).zip(row.iter().zip(&to)) {
            let left = next.last().copied().unwrap_or(0);
            let change = diagonal + usize::from(letter != *other && !is_separator(letter, *other));
            next.push(change.min(above + 1).min(left + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

/// `max_size` for `max-size` is no difference worth counting.
fn is_separator(one: char, other: char) -> bool {
    matches!((one, other), ('_', '-') | ('-', '_'))
}
