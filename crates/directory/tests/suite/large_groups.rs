//! Groups so large that their printed values are kept: whatever changes, each reading shows what is
//! there at that moment, to an old view as well as to a new one.

use std::fmt::Write as _;

use directory::{SearchQuery, Step, View};
use ldap::filter::Filter;
use ldap::message::{DecodeLimits, DerefAliases, Scope};

use crate::sample::{Collected, Sample, operator};

const GROUP: &str = "cn=many,dc=example,dc=com";
const PEOPLE: usize = 300;

/// People with a gap in their ids, a group of all of them and of one name that is nobody's yet.
fn sample() -> Sample {
    let sample = Sample::empty();
    let mut ldif = String::new();
    for unit in ["people", "others"] {
        let dn = format!("ou={unit},dc=example,dc=com");
        write!(ldif, "dn: {dn}\nobjectClass: organizationalUnit\nou: {unit}\n\n").unwrap();
    }
    for number in 0..PEOPLE {
        let person = person(number);
        write!(ldif, "dn: {person}\nobjectClass: person\ncn: p{number}\nsn: x\n\n").unwrap();
        if number % 50 == 0 {
            let dn = format!("cn=o{number},ou=others,dc=example,dc=com");
            write!(ldif, "dn: {dn}\nobjectClass: person\ncn: o{number}\nsn: x\n\n").unwrap();
        }
    }
    write!(ldif, "dn: {GROUP}\nobjectClass: groupOfNames\ncn: many\n").unwrap();
    for number in 0..PEOPLE {
        writeln!(ldif, "member: {}", person(number)).unwrap();
    }
    write!(ldif, "member: cn=late,ou=others,dc=example,dc=com\n\n").unwrap();
    sample.load("dn: dc=example,dc=com\nobjectClass: domain\ndc: example\n");
    sample.load(&ldif);
    sample
}

/// What a change makes of the members that are expected.
type Change<'c> = &'c dyn Fn(&mut Vec<String>);

fn person(number: usize) -> String {
    format!("cn=p{number},ou=people,dc=example,dc=com")
}

fn members(view: &View<'_>) -> Vec<String> {
    let filter = Filter::parse("(objectClass=*)", &DecodeLimits::default()).unwrap();
    let query = SearchQuery {
        base: GROUP,
        scope: Scope::Base,
        deref: DerefAliases::Never,
        size_limit: 0,
        types_only: false,
        filter: &filter,
        attributes: &["cn", "member", "entryDN"],
        manage_dsa_it: false,
        page: None,
        assertion: None,
    };
    let mut sink = Collected::default();
    let mut search = view.search(&query).unwrap();
    assert!(matches!(view.step(&mut search, &mut sink, 10).unwrap(), Step::Done(_)));
    let attributes = sink.entries.pop().unwrap().attributes;
    let names: Vec<&str> = attributes.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["cn", "member", "entryDN"]);
    let mut members = attributes[1].1.clone();
    members.sort();
    members
}

#[test]
fn every_change_of_a_large_group_is_seen_at_once() {
    let sample = sample();
    let subject = operator();
    let late = "cn=late,ou=others,dc=example,dc=com";
    let mut expected: Vec<String> = (0..PEOPLE).map(person).collect();
    expected.push(late.to_owned());
    let add = "changetype: modify\nadd: member\nmember:";
    let delete = "changetype: modify\ndelete: member\nmember:";
    let rename = "changetype: modrdn\nnewrdn:";
    let changes: [(String, Change<'_>); 9] = [
        (format!("dn: {GROUP}\n{add} cn=o50,ou=others,dc=example,dc=com\n"), &|all| {
            all.push("cn=o50,ou=others,dc=example,dc=com".to_owned());
        }),
        (format!("dn: {GROUP}\n{delete} {}\n", person(7)), &|all| {
            all.retain(|name| *name != person(7));
        }),
        (format!("dn: {}\n{rename} cn=nine\ndeleteoldrdn: 0\n", person(9)), &|all| {
            all.retain(|name| *name != person(9));
            all.push("cn=nine,ou=people,dc=example,dc=com".to_owned());
        }),
        (format!("dn: {}\nchangetype: delete\n", person(11)), &|all| {
            all.retain(|name| *name != person(11));
        }),
        (format!("dn: {late}\nobjectClass: person\ncn: late\nsn: x\n"), &|_| {}),
        (format!("dn: {late}\n{rename} cn=later\ndeleteoldrdn: 0\n"), &|all| {
            all.retain(|name| name != late);
            all.push("cn=later,ou=others,dc=example,dc=com".to_owned());
        }),
        (
            format!("dn: ou=people,dc=example,dc=com\n{rename} ou=staff\ndeleteoldrdn: 0\n"),
            &|all| {
                all.iter_mut().for_each(|name| *name = name.replace("ou=people", "ou=staff"));
            },
        ),
        (
            format!("dn: {GROUP}\nchangetype: modify\nreplace: description\ndescription: x\n"),
            &|_| {},
        ),
        (format!("dn: {GROUP}\n{add} cn=nobody,dc=example,dc=com\n"), &|all| {
            all.push("cn=nobody,dc=example,dc=com".to_owned());
        }),
    ];
    expected.sort();
    for (ldif, change) in changes {
        let old = sample.directory.view(&subject).unwrap();
        let before = expected.clone();
        assert_eq!(members(&old), before, "before\n{ldif}");
        sample.load(&ldif);
        change(&mut expected);
        expected.sort();
        let new = sample.directory.view(&subject).unwrap();
        // The old view last and first: neither may see what was kept for the other.
        for _ in 0..2 {
            assert_eq!(members(&old), before, "an old view after\n{ldif}");
            assert_eq!(members(&new), expected, "after\n{ldif}");
        }
    }
}
