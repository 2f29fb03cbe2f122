//! Searches beyond filters: pages, limits, selections, options, aliases, referrals, long and binary
//! values.

use directory::{Change, EntrySink, Error, Page, SearchDone, SearchQuery, Step, Subject};
use ldap::filter::Filter;
use ldap::message::{DecodeLimits, DerefAliases, Scope};

use crate::sample::{Collected, Found, Sample, operator};

const SUFFIX: &str = "dc=example,dc=com";

/// A search with everything that can be asked for.
#[derive(Clone)]
struct Ask<'a> {
    base: &'a str,
    scope: Scope,
    deref: DerefAliases,
    size_limit: u32,
    types_only: bool,
    filter: &'a str,
    attributes: &'a [&'a str],
    manage_dsa_it: bool,
    page: Option<(u32, Vec<u8>)>,
    work: u32,
}

const ALL: Ask<'static> = Ask {
    base: SUFFIX,
    scope: Scope::Subtree,
    deref: DerefAliases::Never,
    size_limit: 0,
    types_only: false,
    filter: "(objectClass=*)",
    attributes: &["1.1"],
    manage_dsa_it: false,
    page: None,
    work: 1,
};

#[derive(Default)]
struct Sink {
    entries: Collected,
    references: Vec<String>,
}

impl EntrySink for Sink {
    fn entry(&mut self, dn: &[u8], attributes: &[&[u8]]) {
        self.entries.entry(dn, attributes);
    }
    fn reference(&mut self, uris: &[String]) {
        self.references.extend_from_slice(uris);
    }
    fn is_full(&self) -> bool {
        false
    }
}

struct Answer {
    entries: Vec<Found>,
    references: Vec<String>,
    end: Result<SearchDone, u32>,
}

impl Answer {
    /// The leaf names, sorted.
    fn names(&self) -> Vec<&str> {
        let first = |entry: &'_ Found| entry.dn.split(',').next().map(str::len).unwrap_or_default();
        let mut names: Vec<&str> =
            self.entries.iter().map(|entry| &entry.dn[..first(entry)]).collect();
        names.sort_unstable();
        names
    }

    fn cookie(&self) -> Vec<u8> {
        self.end.clone().unwrap().cookie.unwrap()
    }
}

fn ask(sample: &Sample, asked: &Ask<'_>) -> Answer {
    ask_as(sample, &operator(), asked)
}

fn ask_as(sample: &Sample, subject: &Subject, asked: &Ask<'_>) -> Answer {
    let filter = Filter::parse(asked.filter, &DecodeLimits::default()).unwrap();
    let query = SearchQuery {
        base: asked.base,
        scope: asked.scope,
        deref: asked.deref,
        size_limit: asked.size_limit,
        types_only: asked.types_only,
        filter: &filter,
        attributes: asked.attributes,
        manage_dsa_it: asked.manage_dsa_it,
        page: asked.page.as_ref().map(|(size, cookie)| Page { size: *size, cookie }),
        assertion: None,
    };
    let mut sink = Sink::default();
    let mut run = || -> Result<SearchDone, Error> {
        let mut search = sample.directory.view_through(subject, &sample.lens)?.search(&query)?;
        for _ in 0..100_000 {
            let view = sample.directory.view_through(subject, &sample.lens)?;
            if let Step::Done(done) = view.step(&mut search, &mut sink, asked.work)? {
                return Ok(done);
            }
        }
        panic!("a search that never ends");
    };
    let end = run().map_err(|error| match error {
        Error::Refused(refusal) => refusal.code.0,
        Error::Fault(fault) => panic!("{fault:?}"),
    });
    Answer { entries: sink.entries.entries, references: sink.references, end }
}

fn with_devices(count: usize) -> Sample {
    let sample = Sample::with_people();
    for number in 0..count {
        sample.load(&format!("dn: cn=d{number},{SUFFIX}\nobjectClass: device\n"));
    }
    sample
}

#[test]
fn pages_have_exact_boundaries() {
    let sample = with_devices(6);
    let devices = Ask { filter: "(objectClass=device)", ..ALL };
    for (size, pages) in [(1, 6), (2, 3), (3, 2), (4, 2), (6, 1), (7, 1), (u32::MAX, 1)] {
        let mut cookie = Vec::new();
        let mut found = Vec::new();
        let mut count = 0;
        loop {
            let answer = ask(&sample, &Ask { page: Some((size, cookie)), ..devices.clone() });
            found.extend(answer.entries.iter().map(|entry| entry.dn.clone()));
            cookie = answer.cookie();
            count += 1;
            if cookie.is_empty() {
                break;
            }
        }
        found.sort();
        found.dedup();
        assert_eq!((found.len(), count), (6, pages), "pages of {size}");
    }
}

#[test]
fn pages_refuse_foreign_cookies_and_survive_changes() {
    let sample = with_devices(6);
    let devices = Ask { filter: "(objectClass=device)", ..ALL };
    let page = |cookie: &[u8]| Ask { page: Some((2, cookie.to_vec())), ..devices.clone() };
    let cookie = ask(&sample, &page(b"")).cookie();
    for garbage in
        [b"x".as_slice(), &[0; 24], &[255; 24], &cookie[1..], &[&cookie[..], b"x"].concat()]
    {
        assert_eq!(ask(&sample, &page(garbage)).end, Err(53), "{garbage:?}");
    }
    let other = Ask { filter: "(objectClass=person)", ..page(&cookie) };
    assert_eq!(ask(&sample, &other).end, Err(53));
    let bo = sample.who("uid=bo,ou=people,dc=example,dc=com");
    assert_eq!(ask_as(&sample, &bo, &page(&cookie)).end, Err(53));
    // What the next page begins with is gone.
    sample.change(Change::Delete { dn: format!("cn=d2,{SUFFIX}") }).unwrap();
    let second = ask(&sample, &page(&cookie));
    assert_eq!(second.names(), ["cn=d3", "cn=d4"]);
    // Size zero asks for no more (RFC 2696 §3).
    let done = ask(&sample, &Ask { page: Some((0, second.cookie())), ..devices.clone() });
    assert_eq!((done.names().len(), done.cookie()), (0, Vec::new()));
}

#[test]
fn size_limits_hold_across_pages() {
    let sample = with_devices(6);
    let devices = Ask { filter: "(objectClass=device)", ..ALL };
    for (limit, sent, code) in [(6, 6, 0), (7, 6, 0), (5, 5, 4), (1, 1, 4)] {
        let answer = ask(&sample, &Ask { size_limit: limit, ..devices.clone() });
        let ended = answer.end.as_ref().err().copied().unwrap_or(0);
        assert_eq!((answer.entries.len(), ended), (sent, code), "limit {limit}");
    }
    let page = |cookie: Vec<u8>| Ask { size_limit: 3, page: Some((2, cookie)), ..devices.clone() };
    let first = ask(&sample, &page(Vec::new()));
    let second = ask(&sample, &page(first.cookie()));
    assert_eq!((first.entries.len(), second.entries.len(), second.end), (2, 1, Err(4)));
}

#[test]
fn selections() {
    let sample = Sample::with_people();
    sample.load(
        "dn: cn=tags,dc=example,dc=com\nobjectClass: device\ncn: tags\ncn;lang-de: T-de\n\
         cn;lang-de-at: T-at\ndescription: d\ndescription;lang-en: e\n\
         seeAlso: uid=anna,ou=people,dc=example,dc=com\n",
    );
    let cases: &[(&[&str], &str)] = &[
        (&["1.1"], ""),
        (&["1.1", "cn"], "cn cn;lang-de cn;lang-de-at"),
        (&["CN"], "cn cn;lang-de cn;lang-de-at"),
        (&["2.5.4.3"], "cn cn;lang-de cn;lang-de-at"),
        (&["cn;lang-de"], "cn;lang-de"),
        (&["cn;lang-de-"], "cn;lang-de cn;lang-de-at"),
        (&["cn;lang-"], "cn;lang-de cn;lang-de-at"),
        (&["description;lang-en"], "description;lang-en"),
        (&["name"], "cn cn;lang-de cn;lang-de-at"),
        (
            &["@device"],
            "objectClass cn cn;lang-de cn;lang-de-at description description;lang-en seeAlso",
        ),
        (&["nosuch"], ""),
        (&["entryDN", "hasSubordinates"], "entryDN hasSubordinates"),
        (
            &["*", "entryUUID"],
            "objectClass cn cn;lang-de cn;lang-de-at description description;lang-en seeAlso entryUUID",
        ),
        (&["memberOf"], ""),
    ];
    for types_only in [false, true] {
        for (attributes, expected) in cases {
            let asked = Ask { filter: "(cn=tags)", attributes, types_only, base: SUFFIX, ..ALL };
            let answer = ask(&sample, &asked);
            let found = &answer.entries[0].attributes;
            let mut names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
            let mut expected: Vec<&str> = expected.split_whitespace().collect();
            names.sort_unstable();
            expected.sort_unstable();
            assert_eq!(names, expected, "{attributes:?}");
            assert!(found.iter().all(|(_, values)| values.is_empty() == types_only));
        }
    }
    for (filter, count) in [
        ("(cn;lang-de=t-de)", 1),
        ("(cn;lang-de=t-at)", 0),
        ("(cn;lang-de-=t-at)", 1),
        ("(cn=t-at)", 1),
        ("(cn;lang-fr=*)", 0),
        ("(name=t-de)", 1),
        ("(description;lang-en=d)", 0),
    ] {
        assert_eq!(ask(&sample, &Ask { filter, ..ALL }).entries.len(), count, "{filter}");
    }
}

fn with_aliases() -> Sample {
    let sample = Sample::with_people();
    for (name, target) in [
        ("ou=a,dc=example,dc=com", "ou=people,dc=example,dc=com"),
        ("ou=self,dc=example,dc=com", "dc=example,dc=com"),
        ("ou=one,dc=example,dc=com", "ou=two,dc=example,dc=com"),
        ("ou=two,dc=example,dc=com", "ou=one,dc=example,dc=com"),
        ("ou=dangling,dc=example,dc=com", "ou=nowhere,dc=example,dc=com"),
        ("ou=boss,ou=groups,dc=example,dc=com", "uid=anna,ou=people,dc=example,dc=com"),
    ] {
        sample.load(&format!(
            "dn: {name}\nobjectClass: alias\nobjectClass: extensibleObject\naliasedObjectName: {target}\n"
        ));
    }
    sample
}

#[test]
fn aliases_are_followed_as_asked() {
    use DerefAliases::{Always, FindingBase, InSearching, Never};
    let sample = with_aliases();
    let groups = "ou=groups,dc=example,dc=com";
    type Expected = Result<&'static [&'static str], u32>;
    let cases: &[(&str, Scope, DerefAliases, Expected)] = &[
        ("ou=a,dc=example,dc=com", Scope::Base, Never, Ok(&["ou=a"])),
        ("ou=a,dc=example,dc=com", Scope::Base, InSearching, Ok(&["ou=a"])),
        ("ou=a,dc=example,dc=com", Scope::Base, FindingBase, Ok(&["ou=people"])),
        ("ou=a,dc=example,dc=com", Scope::OneLevel, Always, Ok(&["uid=anna", "uid=bo"])),
        ("uid=bo,ou=a,dc=example,dc=com", Scope::Base, Always, Ok(&["uid=bo"])),
        ("uid=bo,ou=a,dc=example,dc=com", Scope::Base, Never, Err(32)),
        ("ou=one,dc=example,dc=com", Scope::Base, Always, Err(33)),
        ("ou=dangling,dc=example,dc=com", Scope::Base, Always, Err(33)),
        (groups, Scope::OneLevel, Never, Ok(&["cn=all", "cn=staff", "ou=boss"])),
        (groups, Scope::OneLevel, InSearching, Ok(&["cn=all", "cn=staff", "uid=anna"])),
        (groups, Scope::Subordinates, Always, Ok(&["cn=all", "cn=staff", "uid=anna"])),
        (groups, Scope::Subtree, FindingBase, Ok(&["cn=all", "cn=staff", "ou=boss", "ou=groups"])),
        // Aliases to themselves and each other end, and each entry is there once.
        (
            SUFFIX,
            Scope::Subtree,
            Always,
            Ok(&[
                "cn=all",
                "cn=staff",
                "dc=example",
                "ou=groups",
                "ou=people",
                "uid=anna",
                "uid=bo",
            ]),
        ),
    ];
    for (base, scope, deref, expected) in cases {
        let answer = ask(&sample, &Ask { base, scope: *scope, deref: *deref, ..ALL });
        match expected {
            Ok(names) => assert_eq!(answer.names(), *names, "{base} {scope:?} {deref:?}"),
            Err(code) => assert_eq!(answer.end, Err(*code), "{base} {scope:?} {deref:?}"),
        }
    }
    // An alias to the base itself: no other root, and yet no alias among the answers.
    let own = Ask { base: "ou=loop,dc=example,dc=com", deref: InSearching, ..ALL };
    sample.load(
        "dn: ou=loop,dc=example,dc=com\nobjectClass: organizationalUnit\n\n\
         dn: ou=back,ou=loop,dc=example,dc=com\nobjectClass: alias\nobjectClass: extensibleObject\n\
         aliasedObjectName: ou=loop,dc=example,dc=com\n",
    );
    assert_eq!(ask(&sample, &own).names(), ["ou=loop"]);
}

#[test]
fn referrals_are_references_unless_managed() {
    let sample = Sample::with_people();
    sample.load(
        "dn: ou=away,dc=example,dc=com\nobjectClass: referral\nobjectClass: extensibleObject\n\
         ref: ldap://other/ou=away label\n",
    );
    let answer = ask(&sample, &Ask { scope: Scope::OneLevel, ..ALL });
    assert_eq!(answer.names(), ["ou=groups", "ou=people"]);
    assert_eq!(answer.references, ["ldap://other/ou=away??base"]);
    let deep = ask(&sample, &ALL);
    assert_eq!(deep.references, ["ldap://other/ou=away??sub"]);
    let managed = ask(&sample, &Ask { scope: Scope::OneLevel, manage_dsa_it: true, ..ALL });
    assert_eq!(managed.names(), ["ou=away", "ou=groups", "ou=people"]);
    assert!(managed.references.is_empty());
    for base in ["ou=away,dc=example,dc=com", "cn=x,ou=away,dc=example,dc=com"] {
        assert_eq!(ask(&sample, &Ask { base, ..ALL }).end, Err(10), "{base}");
    }
    let below = "cn=x,ou=away,dc=example,dc=com";
    assert_eq!(ask(&sample, &Ask { base: below, manage_dsa_it: true, ..ALL }).end, Err(32));
    let add = Change::Delete { dn: "ou=away,dc=example,dc=com".to_owned() };
    match sample.change(add) {
        Err(Error::Refused(refusal)) => {
            assert_eq!((refusal.code.0, refusal.referrals.len()), (10, 1));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn long_values_are_found_whole() {
    let sample = Sample::with_people();
    let head = "h".repeat(250);
    for (number, value) in
        [format!("{head}a"), format!("{head}b"), "long ".repeat(1200) + "needle", head.clone()]
            .iter()
            .enumerate()
    {
        sample.load(&format!("dn: cn={number},{SUFFIX}\nobjectClass: device\ncn: {value}\n"));
    }
    let found = |filter: &str| ask(&sample, &Ask { filter, ..ALL }).names().concat();
    let cases = [
        (format!("(cn={head})"), "cn=3"),
        (format!("(cn={head}a)"), "cn=0"),
        (format!("(cn={}B)", head.to_uppercase()), "cn=1"),
        (format!("(cn={head}*)"), "cn=0cn=1cn=3"),
        (format!("(cn={head}b*)"), "cn=1"),
        (format!("(cn=*{head}a)"), "cn=0"),
        (format!("(cn={head}c)"), ""),
        ("(cn=*needle)".to_owned(), "cn=2"),
        ("(cn=*g need*)".to_owned(), "cn=2"),
        ("(cn=long long*)".to_owned(), "cn=2"),
        ("(&(cn=*needle)(objectClass=device))".to_owned(), "cn=2"),
        ("(|(cn=*needle)(cn=0))".to_owned(), "cn=0cn=2"),
    ];
    for (filter, expected) in cases {
        assert_eq!(found(&filter), expected, "{filter}");
    }
    sample.load(&format!("dn: cn=2,{SUFFIX}\nchangetype: modify\nreplace: cn\ncn: 2\n-\n"));
    assert_eq!(found("(cn=*needle)"), "");
}

#[test]
fn binary_and_equal_values() {
    let sample = Sample::with_people();
    let anna = "uid=anna,ou=people,dc=example,dc=com";
    let add = |name: &str, value: &[u8]| {
        let attribute = directory::NewAttribute::new(name, [value.to_vec()]);
        let operation = ldap::message::ModifyOperation::Add;
        let modifications = vec![directory::Modification { operation, attribute }];
        sample.change(Change::Modify { dn: anna.to_owned(), modifications }).is_ok()
    };
    assert!(add("jpegPhoto", &[0xff, 0xd8, 0xff, 0xe0, 0, 0, b'J']));
    assert!(add("jpegPhoto", &[0xff, 0xd8, 0xff, 0xe0, 0, 1, b'J']));
    assert!(!add("jpegPhoto", &[0xff, 0xd8, 0xff, 0xe0, 0, 1, b'J']), "the same bytes twice");
    assert!(!add("telephoneNumber", b"+46-8-123 45-67"), "equal under its rule");
    assert!(!add("cn", "anna\u{a0}berg".as_bytes()), "equal under string preparation");
    assert!(add("cn", "A\u{30a}sa".as_bytes()));
    assert!(!add("cn", "\u{c5}SA".as_bytes()), "composed and decomposed");
    for filter in ["(cn=\u{e5}sa)", "(cn=\u{c5}*)", "(telephoneNumber=+4681234567)"] {
        assert_eq!(ask(&sample, &Ask { filter, ..ALL }).names(), ["uid=anna"], "{filter}");
    }
}

#[test]
fn links_with_options_are_searched_too() {
    let sample = Sample::with_people();
    sample.load(
        "dn: cn=x,dc=example,dc=com\nobjectClass: device\n\
         seeAlso;x-note: uid=anna,ou=people,dc=example,dc=com\n",
    );
    let filter = "(seeAlso=UID=anna,ou=people,dc=example,dc=com)";
    assert_eq!(ask(&sample, &Ask { filter, ..ALL }).names(), ["cn=x"]);
}

#[test]
fn plans_are_named_and_single_steps_advance() {
    let sample = with_devices(60);
    for (filter, plan) in [("(cn=d7)", "index"), ("(nosuch=x)", "set")] {
        let done = ask(&sample, &Ask { filter, work: 0, ..ALL }).end.unwrap();
        assert_eq!(done.plan, plan, "{filter}");
    }
}

/// Two ends of a stretch are one look at the index, where no second value can satisfy one of them.
#[test]
fn a_stretch_between_two_ends() {
    let sample = Sample::empty();
    sample.load("dn: dc=example,dc=com\nobjectClass: domain\ndc: example\n");
    for number in 0..200 {
        // One holds a second number under an option: another number may satisfy each end.
        let more = if number == 7 { "uidNumber;lang-en: 900\n" } else { "" };
        sample.load(&format!(
            "dn: uid=p{number},dc=example,dc=com\nobjectClass: account\nobjectClass: posixAccount\n\
             uid: p{number}\ncn: p\nuidNumber: {number}\ngidNumber: 1\nhomeDirectory: /\n{more}"
        ));
    }
    let count = |filter: &str| sample.names(filter).len();
    for (filter, expected) in [
        ("(&(uidNumber>=10)(uidNumber<=19))", 11),
        ("(&(uidNumber<=19)(cn=p)(uidNumber>=10))", 11),
        ("(&(uidNumber>=19)(uidNumber<=10))", 1),
        ("(&(uidNumber>=300)(uidNumber<=400))", 1),
        ("(&(uidNumber>=195)(uidNumber<=10))", 1),
        ("(&(uidNumber>=100)(!(uidNumber<=100)))", 99),
        ("(&(gidNumber>=0)(gidNumber<=0))", 0),
        ("(&(gidNumber>=1)(gidNumber<=1)(uidNumber<=4))", 5),
        ("(&(gidNumber>=2)(gidNumber<=1))", 0),
    ] {
        assert_eq!(count(filter), expected, "{filter}");
    }
}
