//! A directory in a temporary folder, filled from LDIF, and searches printed as text.

use directory::store::{Store, StoreOptions, check::check};
use directory::{
    Change, ChangeControls, ChangeRequest, Directory, EntrySink, Error, Lens, Modification,
    NewAttribute, Outcome, Page, Protection, SearchQuery, Settings, Step, Subject, Who,
};
use ldap::ldif::{LdifValue, Reader, RecordKind};
use ldap::message::{DecodeLimits, DerefAliases, Scope};
use ldap::response::Attributes;

pub struct Sample {
    pub directory: Directory,
    pub folder: tempfile::TempDir,
    /// Searches go through one lens, as those of a session do: whatever it remembers wrongly
    /// shows as a wrong answer.
    pub lens: Lens,
}

pub fn operator() -> Subject {
    Subject { who: Who::Operator, address: None, protection: Protection::Local }
}

/// A tree of people and groups small enough to know by heart.
pub const PEOPLE: &str = include_str!("people.ldif");

impl Sample {
    pub fn of(directory: Directory, folder: tempfile::TempDir) -> Sample {
        Sample { directory, folder, lens: Lens::default() }
    }

    pub fn empty() -> Sample {
        let folder = tempfile::tempdir().unwrap();
        let directory = Directory::open(folder.path(), Settings::default()).unwrap();
        Sample::of(directory, folder)
    }

    pub fn with_settings(settings: Settings) -> Sample {
        let folder = tempfile::tempdir().unwrap();
        let directory = Directory::open(folder.path(), settings).unwrap();
        Sample::of(directory, folder)
    }

    /// Closes the directory and opens it again, as a restart does; every invariant holds in
    /// between.
    pub fn reopen(&mut self) {
        let Sample { directory, folder, lens } = std::mem::replace(self, Sample::empty());
        drop((lens, directory));
        check_store(folder.path());
        let directory = Directory::open(folder.path(), Settings::default()).unwrap();
        *self = Sample::of(directory, folder);
    }

    pub fn with_people() -> Sample {
        let sample = Sample::empty();
        sample.load(PEOPLE);
        sample
    }

    /// Applies LDIF content and change records as the operator; all must succeed.
    pub fn load(&self, ldif: &str) {
        for record in Reader::new(ldif.as_bytes()) {
            let record = record.unwrap();
            let change = change_of(&record);
            let dn = record.dn.to_string();
            self.change(change).unwrap_or_else(|error| panic!("{dn}: {error:?}"));
        }
    }

    pub fn change(&self, change: Change) -> Result<Outcome, Error> {
        self.change_as(operator(), change)
    }

    pub fn submit_to(
        directory: &Directory,
        subject: Subject,
        change: Change,
    ) -> Result<Outcome, Error> {
        let controls = ChangeControls::default();
        directory.submit_and_wait(ChangeRequest { subject, change, controls })
    }

    pub fn change_as(&self, subject: Subject, change: Change) -> Result<Outcome, Error> {
        let controls = ChangeControls::default();
        self.directory.submit_and_wait(ChangeRequest { subject, change, controls })
    }

    pub fn who(&self, dn: &str) -> Subject {
        let operator = operator();
        let who = self.directory.view(&operator).unwrap().who_named(dn).unwrap().unwrap();
        Subject { who, address: None, protection: Protection::Tls }
    }

    /// The RDN-sorted names found below the suffix.
    pub fn names(&self, filter: &str) -> Vec<String> {
        let found =
            self.search_as(&operator(), "dc=example,dc=com", Scope::Subtree, filter, &["1.1"]);
        let mut names: Vec<String> = found.unwrap().into_iter().map(|entry| entry.dn).collect();
        names.sort();
        names
    }

    pub fn search_as(
        &self,
        subject: &Subject,
        base: &str,
        scope: Scope,
        filter: &str,
        attributes: &[&str],
    ) -> Result<Vec<Found>, Error> {
        let filter = ldap::filter::Filter::parse(filter, &DecodeLimits::default()).unwrap();
        let query = SearchQuery {
            base,
            scope,
            deref: DerefAliases::Never,
            size_limit: 0,
            types_only: false,
            filter: &filter,
            attributes,
            manage_dsa_it: false,
            page: None,
            assertion: None,
        };
        let mut sink = Collected::default();
        let mut search =
            self.directory.view_through(subject, &self.lens).unwrap().search(&query)?;
        while self.directory.view_through(subject, &self.lens).unwrap().step(
            &mut search,
            &mut sink,
            1,
        )? == Step::More
        {}
        Ok(sink.entries)
    }

    /// All entries of a search that is asked for in pages.
    pub fn paged(&self, base: &str, scope: Scope, filter: &str, size: u32) -> Vec<Found> {
        let subject = operator();
        let filter = ldap::filter::Filter::parse(filter, &DecodeLimits::default()).unwrap();
        let mut sink = Collected::default();
        let mut cookie = Vec::new();
        loop {
            let query = SearchQuery {
                base,
                scope,
                deref: DerefAliases::Never,
                size_limit: 0,
                types_only: false,
                filter: &filter,
                attributes: &["1.1"],
                manage_dsa_it: false,
                page: Some(Page { size, cookie: &cookie }),
                assertion: None,
            };
            let before = sink.entries.len();
            let mut search =
                self.directory.view_through(&subject, &self.lens).unwrap().search(&query).unwrap();
            let done = loop {
                let view = self.directory.view_through(&subject, &self.lens).unwrap();
                if let Step::Done(done) = view.step(&mut search, &mut sink, 7).unwrap() {
                    break done;
                }
            };
            let sent = sink.entries.len() - before;
            cookie = done.cookie.unwrap();
            assert!(sent == size as usize || cookie.is_empty(), "a page of {sent}, not {size}");
            if cookie.is_empty() {
                return sink.entries;
            }
        }
    }

    pub fn read(&self, dn: &str, attributes: &[&str]) -> String {
        let found = self.search_as(&operator(), dn, Scope::Base, "(objectClass=*)", attributes);
        found.unwrap().first().map(Found::text).unwrap_or_default()
    }
}

/// Verifies every invariant of storage.md that bytes tell of a folder that nobody has open.
pub fn check_store(folder: &std::path::Path) {
    let store = Store::open(folder, &StoreOptions::default()).unwrap();
    let snapshot = store.snapshot().unwrap();
    let mut findings = Vec::new();
    check(&snapshot.reader(), &mut |finding| findings.push(finding)).unwrap();
    assert!(findings.is_empty(), "{findings:#?}");
}

fn values(record: &[ldap::ldif::LdifAttribute<'_>]) -> Vec<NewAttribute> {
    let mut attributes: Vec<NewAttribute> = Vec::new();
    for attribute in record {
        let LdifValue::Inline(value) = &attribute.value else { panic!("no URLs here") };
        let value = value.to_vec();
        match attributes.iter_mut().find(|held| held.description == attribute.description) {
            Some(held) => held.values.push(value),
            None => attributes.push(NewAttribute::new(attribute.description.as_ref(), [value])),
        }
    }
    attributes
}

pub fn change_of(record: &ldap::ldif::Record<'_>) -> Change {
    let dn = record.dn.to_string();
    match &record.kind {
        RecordKind::Content(attributes) | RecordKind::Add(attributes) => {
            Change::Add { dn, attributes: values(attributes) }
        }
        RecordKind::Delete => Change::Delete { dn },
        RecordKind::Modify(modifications) => Change::Modify {
            dn,
            modifications: modifications
                .iter()
                .map(|one| Modification {
                    operation: one.operation,
                    attribute: NewAttribute::new(
                        one.description.as_ref(),
                        one.values.iter().map(|value| match value {
                            LdifValue::Inline(value) => value.to_vec(),
                            LdifValue::Url(_) => panic!("no URLs here"),
                        }),
                    ),
                })
                .collect(),
        },
        RecordKind::ModifyDn { new_rdn, delete_old_rdn, new_superior } => Change::ModifyDn {
            dn,
            new_rdn: new_rdn.to_string(),
            delete_old_rdn: *delete_old_rdn,
            new_superior: new_superior.as_ref().map(|superior| superior.to_string()),
        },
    }
}

#[derive(Debug, PartialEq, Eq)]
pub struct Found {
    pub dn: String,
    pub attributes: Vec<(String, Vec<String>)>,
}

impl Found {
    pub fn text(&self) -> String {
        let mut lines = vec![format!("dn: {}", self.dn)];
        for (name, values) in &self.attributes {
            lines.extend(values.iter().map(|value| format!("{name}: {value}")));
        }
        lines.join("\n")
    }
}

#[derive(Default)]
pub struct Collected {
    pub entries: Vec<Found>,
}

impl EntrySink for Collected {
    fn entry(&mut self, dn: &[u8], attributes: &[&[u8]]) {
        let wire = attributes.concat();
        let attributes = Attributes::checked(&wire).unwrap();
        self.entries.push(Found {
            dn: String::from_utf8(dn.to_vec()).unwrap(),
            attributes: attributes
                .map(|attribute| {
                    let values = attribute.values;
                    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
                    (attribute.name().to_owned(), values.map(text).collect())
                })
                .collect(),
        });
    }

    fn reference(&mut self, _: &[String]) {}

    fn is_full(&self) -> bool {
        false
    }
}
