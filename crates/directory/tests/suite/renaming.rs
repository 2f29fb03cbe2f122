//! Readers while an entry with children is renamed: every name in an answer is of one and the same
//! moment.

use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};

use directory::{Change, Directory, Lens, SearchQuery, Step};
use ldap::filter::Filter;
use ldap::message::{DecodeLimits, DerefAliases, Scope};

use crate::sample::{Collected, Sample, operator};

const SUFFIX: &str = "dc=example,dc=com";
const RENAMES: usize = 300;

#[test]
fn names_in_one_answer_are_of_one_moment() {
    let sample = Sample::with_people();
    let directory = &sample.directory;
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let lens = Lens::keeping(Rc::default());
                    while !stop.load(Ordering::SeqCst) {
                        read(directory, &lens)
                    }
                })
            })
            .collect();
        for number in 0..RENAMES {
            let (old, new) = (number % 3, (number + 1) % 3);
            let name = |number: usize| ["ou=people", "ou=humans", "ou=folk"][number];
            let change = Change::ModifyDn {
                dn: format!("{},{SUFFIX}", name(old)),
                new_rdn: name(new).to_owned(),
                delete_old_rdn: true,
                new_superior: None,
            };
            Sample::submit_to(directory, operator(), change).unwrap();
        }
        stop.store(true, Ordering::SeqCst);
        readers.into_iter().for_each(|reader| reader.join().unwrap());
    });
}

/// One search in one view: people, and the group that names one of them.
fn read(directory: &Directory, lens: &Lens) {
    let subject = operator();
    let filter = Filter::parse("(objectClass=*)", &DecodeLimits::default()).unwrap();
    let query = SearchQuery {
        base: SUFFIX,
        scope: Scope::Subtree,
        deref: DerefAliases::Never,
        size_limit: 0,
        types_only: false,
        filter: &filter,
        attributes: &["entryDN", "member", "uid"],
        manage_dsa_it: false,
        page: None,
        assertion: None,
    };
    let view = directory.view_through(&subject, lens).unwrap();
    let mut sink = Collected::default();
    let mut search = view.search(&query).unwrap();
    assert!(matches!(view.step(&mut search, &mut sink, 1000).unwrap(), Step::Done(_)));
    let dn = |uid: &str| {
        let found = sink.entries.iter().find(|entry| entry.dn.starts_with(uid));
        found.map(|entry| entry.dn.clone()).unwrap()
    };
    let (_, above) =
        dn("uid=anna").split_once(',').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    assert!(sink.entries.iter().any(|entry| entry.dn == above), "{above} is not there");
    assert!(dn("uid=bo").ends_with(&above), "{:?}", sink.entries);
    let staff = sink.entries.iter().find(|entry| entry.dn.starts_with("cn=staff")).unwrap();
    assert!(staff.text().contains(&format!("member: {}", dn("uid=anna"))), "{}", staff.text());
}
