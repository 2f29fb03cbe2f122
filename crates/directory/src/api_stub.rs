//! A toy in memory with the shape of the directory's API. Never delivered.
#![allow(missing_docs)]

use std::path::Path;
use std::sync::{Arc, Mutex};

use ldap::filter::{Filter, FilterBytes};
use ldap::message::{DerefAliases, ModifyOperation, Scope};
use ldap::result::ResultCode;

use crate::store::EntryId;
use crate::{Error, Fault, Refusal, Subject, Who};

#[derive(Clone, Debug, Default)]
pub struct Settings {
    pub suffixes: Vec<String>,
}

#[derive(Debug, thiserror::Error)]
#[error("cannot open")]
pub struct OpenError;

#[derive(Clone, Debug)]
pub struct NewAttribute {
    pub description: String,
    pub values: Vec<Vec<u8>>,
}

#[derive(Clone, Debug)]
pub struct Modification {
    pub operation: ModifyOperation,
    pub attribute: NewAttribute,
}

#[derive(Debug)]
pub struct ChangeRequest {
    pub subject: Subject,
    pub change: Change,
    pub controls: ChangeControls,
}

#[derive(Debug)]
pub enum Change {
    Add { dn: String, attributes: Vec<NewAttribute> },
    Delete { dn: String },
    Modify { dn: String, modifications: Vec<Modification> },
    ModifyDn { dn: String, new_rdn: String, delete_old_rdn: bool, new_superior: Option<String> },
    SetPassword { dn: String, hash: Vec<u8>, only_if: Option<Vec<u8>> },
}

#[derive(Debug, Default)]
pub struct ChangeControls {
    pub assertion: Option<FilterBytes>,
    pub pre_read: Option<Vec<String>>,
    pub post_read: Option<Vec<String>>,
    pub manage_dsa_it: bool,
    pub tree_delete: bool,
    pub permissive: bool,
    pub relax: bool,
}

#[derive(Debug, Default)]
pub struct Outcome {
    pub pre_read: Option<ReadEntry>,
    pub post_read: Option<ReadEntry>,
    pub commit: u64,
}

#[derive(Debug)]
pub struct ReadEntry {
    pub dn: String,
    pub attributes: Vec<u8>,
}

pub type Reply = Box<dyn FnOnce(Result<Outcome, Error>) + Send>;

#[derive(Clone, Copy, Debug)]
pub struct Page<'q> {
    pub size: u32,
    pub cookie: &'q [u8],
}

#[derive(Clone, Debug)]
pub struct SearchQuery<'q> {
    pub base: &'q str,
    pub scope: Scope,
    pub deref: DerefAliases,
    pub size_limit: u32,
    pub types_only: bool,
    pub filter: &'q Filter<'q>,
    pub attributes: &'q [&'q str],
    pub manage_dsa_it: bool,
    pub page: Option<Page<'q>>,
    pub assertion: Option<&'q Filter<'q>>,
}

#[derive(Debug)]
pub struct Search {
    found: Vec<(String, Vec<u8>)>,
    next: usize,
    page: Option<(usize, usize)>,
}

#[derive(Debug)]
pub enum Step {
    More,
    Done(SearchDone),
}

#[derive(Debug)]
pub struct SearchDone {
    pub cookie: Option<Vec<u8>>,
    pub examined: u64,
    pub plan: &'static str,
}

pub trait EntrySink {
    fn entry(&mut self, dn: &[u8], attributes: &[&[u8]]);
    fn reference(&mut self, uris: &[String]);
    fn is_full(&self) -> bool;
}

#[derive(Clone, Debug)]
pub struct GivenEntry {
    pub dn: String,
    pub user: Vec<NewAttribute>,
    pub operational: Vec<NewAttribute>,
}

#[derive(Debug)]
pub struct BindTarget {
    dn: String,
    id: u64,
    password: Option<Vec<u8>>,
}

#[derive(Debug)]
pub struct Verdict {
    pub accepted: Option<Who>,
    pub rehash: Option<Rehash>,
}

#[derive(Debug)]
pub struct Rehash {
    pub dn: String,
    pub verified: Vec<u8>,
}

impl BindTarget {
    pub fn is_slow(&self) -> bool {
        self.password.as_ref().is_some_and(|stored| stored.starts_with(b"{SLOW}"))
    }

    pub fn verify(&self, password: &[u8]) -> Verdict {
        let stored = self.password.as_deref().unwrap_or(b"");
        let stored = stored.strip_prefix(b"{SLOW}".as_slice()).unwrap_or(stored);
        assert!(password != b"panic", "asked to");
        let accepted = (!stored.is_empty() && stored == password)
            .then(|| Who::Entry { id: EntryId(self.id), dn: self.dn.as_str().into() });
        Verdict { accepted, rehash: None }
    }
}

#[derive(Clone, Debug)]
struct Stored {
    dn: String,
    attributes: Vec<NewAttribute>,
}

#[derive(Clone, Debug)]
pub struct Directory {
    entries: Arc<Mutex<Vec<Stored>>>,
    suffixes: Vec<String>,
}

#[derive(Debug)]
pub struct View<'d> {
    entries: Vec<Stored>,
    _subject: &'d Subject,
}

fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag, 0x82];
    out.extend_from_slice(&(content.len() as u16).to_be_bytes());
    out.extend_from_slice(content);
    out
}

fn encode(attributes: &[NewAttribute]) -> Vec<u8> {
    let mut out = Vec::new();
    for attribute in attributes {
        let mut values = Vec::new();
        for value in &attribute.values {
            values.extend(tlv(4, value));
        }
        let mut one = tlv(4, attribute.description.as_bytes());
        one.extend(tlv(0x31, &values));
        out.extend(tlv(0x30, &one));
    }
    out
}

fn matches(entry: &[NewAttribute], filter: &Filter<'_>) -> bool {
    let find = |name: &str| entry.iter().find(|a| a.description.eq_ignore_ascii_case(name));
    match filter {
        Filter::Present(name) => find(name).is_some(),
        Filter::Equality(a) => find(a.attribute)
            .is_some_and(|found| found.values.iter().any(|v| v.eq_ignore_ascii_case(&a.value))),
        Filter::And(all) => all.iter().all(|f| matches(entry, f)),
        Filter::Or(any) => any.iter().any(|f| matches(entry, f)),
        Filter::Not(f) => !matches(entry, f),
        _ => false,
    }
}

impl Directory {
    pub fn open(_folder: &Path, settings: Settings) -> Result<Directory, OpenError> {
        Ok(Directory { entries: Arc::default(), suffixes: settings.suffixes })
    }

    pub fn view<'d>(&'d self, subject: &'d Subject) -> Result<View<'d>, Fault> {
        Ok(View { entries: self.entries.lock().unwrap().clone(), _subject: subject })
    }

    pub fn suffixes(&self) -> Vec<String> {
        self.suffixes.clone()
    }

    pub fn hash_password(&self, password: &[u8]) -> Result<Vec<u8>, Fault> {
        Ok([b"{SLOW}", password].concat())
    }

    pub fn submit(&self, request: ChangeRequest, reply: Reply) -> Result<(), Refusal> {
        let me = self.clone();
        std::thread::spawn(move || reply(me.apply(request)));
        Ok(())
    }

    pub fn submit_and_wait(&self, request: ChangeRequest) -> Result<Outcome, Error> {
        self.apply(request)
    }

    fn apply(&self, request: ChangeRequest) -> Result<Outcome, Error> {
        let mut entries = self.entries.lock().unwrap();
        let missing = || Refusal::new(ResultCode::NO_SUCH_OBJECT, "there is no such entry");
        let at = |entries: &[Stored], dn: &str| {
            entries.iter().position(|e| e.dn.eq_ignore_ascii_case(dn)).ok_or_else(missing)
        };
        match request.change {
            Change::Add { dn, attributes } => {
                if at(&entries, &dn).is_ok() {
                    return Err(Refusal::new(ResultCode::ENTRY_ALREADY_EXISTS, "exists").into());
                }
                entries.push(Stored { dn, attributes });
            }
            Change::Delete { dn } => {
                let index = at(&entries, &dn)?;
                entries.remove(index);
            }
            Change::Modify { dn, modifications } => {
                let index = at(&entries, &dn)?;
                for change in modifications {
                    let list = &mut entries[index].attributes;
                    list.retain(|a| a.description != change.attribute.description);
                    list.push(change.attribute);
                }
            }
            Change::ModifyDn { dn, new_rdn, .. } => {
                let index = at(&entries, &dn)?;
                let parent = dn.split_once(',').map_or("", |(_, parent)| parent);
                entries[index].dn = format!("{new_rdn},{parent}");
            }
            Change::SetPassword { dn, hash, .. } => {
                let index = at(&entries, &dn)?;
                let list = &mut entries[index].attributes;
                list.retain(|a| a.description != "userPassword");
                list.push(NewAttribute { description: "userPassword".into(), values: vec![hash] });
            }
        }
        Ok(Outcome { commit: 1, ..Outcome::default() })
    }
}

impl View<'_> {
    pub fn search(&self, query: &SearchQuery<'_>) -> Result<Search, Error> {
        let base = query.base.to_lowercase();
        if !self.entries.iter().any(|e| e.dn.to_lowercase() == base) {
            return Err(Refusal::new(ResultCode::NO_SUCH_OBJECT, "there is no such entry").into());
        }
        let found: Vec<_> = self
            .entries
            .iter()
            .filter(|e| match query.scope {
                Scope::Base => e.dn.to_lowercase() == base,
                _ => e.dn.to_lowercase().ends_with(&base),
            })
            .filter(|e| matches(&e.attributes, query.filter))
            .map(|e| (e.dn.clone(), encode(&e.attributes)))
            .collect();
        let page = query.page.map(|page| {
            let start = std::str::from_utf8(page.cookie).unwrap().parse().unwrap_or(0usize);
            (start, start + page.size as usize)
        });
        let next = page.map_or(0, |page| page.0);
        Ok(Search { found, next, page })
    }

    pub fn step(
        &self,
        search: &mut Search,
        sink: &mut impl EntrySink,
        work_max: u32,
    ) -> Result<Step, Error> {
        let end = search.page.map_or(usize::MAX, |page| page.1).min(search.found.len());
        for _ in 0..work_max {
            if search.next >= end {
                let cookie = search.page.map(|_| match end < search.found.len() {
                    true => end.to_string().into_bytes(),
                    false => Vec::new(),
                });
                return Ok(Step::Done(SearchDone { cookie, examined: 1, plan: "all" }));
            }
            if sink.is_full() {
                return Ok(Step::More);
            }
            let (dn, attributes) = &search.found[search.next];
            sink.entry(dn.as_bytes(), &[attributes]);
            search.next += 1;
        }
        Ok(Step::More)
    }

    pub fn search_given(
        &self,
        entry: &GivenEntry,
        query: &SearchQuery<'_>,
        sink: &mut impl EntrySink,
    ) -> Result<(), Error> {
        let all: Vec<_> = entry.user.iter().chain(&entry.operational).cloned().collect();
        if !matches(&all, query.filter) {
            return Ok(());
        }
        let wanted: &[_] = if query.attributes.contains(&"+") { &all } else { &entry.user };
        sink.entry(entry.dn.as_bytes(), &[&encode(wanted)]);
        Ok(())
    }

    pub fn subschema(&self) -> GivenEntry {
        let class = NewAttribute {
            description: "objectClass".into(),
            values: vec![b"top".to_vec(), b"subschema".to_vec()],
        };
        GivenEntry { dn: "cn=schema".into(), user: vec![class], operational: Vec::new() }
    }

    pub fn compare(
        &self,
        dn: &str,
        attribute: &str,
        value: &[u8],
        _assertion: Option<&Filter<'_>>,
    ) -> Result<bool, Error> {
        let entry = self
            .entries
            .iter()
            .find(|e| e.dn.eq_ignore_ascii_case(dn))
            .ok_or_else(|| Refusal::new(ResultCode::NO_SUCH_OBJECT, "there is no such entry"))?;
        Ok(entry
            .attributes
            .iter()
            .any(|a| a.description == attribute && a.values.iter().any(|v| v == value)))
    }

    pub fn bind_target(&self, dn: &str) -> Result<BindTarget, Error> {
        let found = self.entries.iter().position(|e| e.dn.eq_ignore_ascii_case(dn));
        let password = found.and_then(|at| {
            self.entries[at]
                .attributes
                .iter()
                .find(|a| a.description == "userPassword")
                .and_then(|a| a.values.first().cloned())
        });
        Ok(BindTarget { dn: dn.into(), id: found.unwrap_or(0) as u64 + 1, password })
    }

    pub fn who_named(&self, dn: &str) -> Option<Who> {
        let found = self.entries.iter().position(|e| e.dn.eq_ignore_ascii_case(dn))?;
        Some(Who::Entry { id: EntryId(found as u64 + 1), dn: dn.into() })
    }
}
