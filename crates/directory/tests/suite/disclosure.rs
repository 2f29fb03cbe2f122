//! Whoever may not see an entry learns nothing about it: every operation answers as if it were not
//! there, to the letter.

use directory::access::RuleText;
use directory::{
    Change, ChangeControls, ChangeRequest, Directory, EntrySink, Error, Modification, NewAttribute,
    Page, SearchQuery, Settings, Step, Subject,
};
use ldap::filter::{Filter, FilterBytes};
use ldap::message::{DecodeLimits, DerefAliases, ModifyOperation, Scope};

use crate::sample::{PEOPLE, Sample};

const SUFFIX: &str = "dc=example,dc=com";

/// Bo sees people but nothing in ou=hidden, and may not search `mail` and `member`.
fn sample() -> Sample {
    let hidden = format!("subtree \"ou=hidden,{SUFFIX}\"");
    let tree = format!("subtree \"{SUFFIX}\"");
    let settings = Settings {
        access: vec![
            RuleText::new("anyone", &["none"]).on(&hidden),
            RuleText::new("signed-in", &["none"]).on(&tree).attributes(&["mail", "member"]),
            RuleText::new("self", &["auth", "read", "write"]).on(&tree),
            RuleText::new("signed-in", &["read"]).on(&tree),
        ],
        ..Settings::default()
    };
    let sample = Sample::with_settings(settings);
    sample.load(PEOPLE);
    sample.load(&format!(
        "dn: ou=hidden,{SUFFIX}\nobjectClass: organizationalUnit\n\n\
         dn: uid=secret,ou=hidden,{SUFFIX}\nobjectClass: inetOrgPerson\ncn: s\nsn: s\n\
         userPassword: {{CLEARTEXT}}x\n\n\
         dn: uid=top,{SUFFIX}\nobjectClass: inetOrgPerson\ncn: t\nsn: t\n\n\
         dn: ou=away,ou=hidden,{SUFFIX}\nobjectClass: referral\nobjectClass: extensibleObject\n\
         ref: ldap://other/ou=away\n\n\
         dn: cn=alias,ou=hidden,{SUFFIX}\nobjectClass: alias\nobjectClass: extensibleObject\n\
         aliasedObjectName: uid=nobody,{SUFFIX}\n\n\
         dn: cn=other,ou=hidden,{SUFFIX}\nobjectClass: alias\nobjectClass: extensibleObject\n\
         aliasedObjectName: uid=anna,ou=people,{SUFFIX}\n"
    ));
    sample
}

fn bo(sample: &Sample) -> Subject {
    sample.who(&format!("uid=bo,ou=people,{SUFFIX}"))
}

/// A refusal as the client sees it, without the name that it asked for.
fn seen<T: std::fmt::Debug>(result: &Result<T, Error>, name: &str) -> String {
    match result {
        Ok(done) => format!("{done:?}"),
        Err(Error::Refused(refusal)) => format!("{refusal:?}").replace(name, "NAME"),
        Err(Error::Fault(fault)) => panic!("{fault:?}"),
    }
}

fn modify(attribute: &str, value: &str) -> Vec<Modification> {
    let attribute = NewAttribute::new(attribute, [value]);
    vec![Modification { operation: ModifyOperation::Replace, attribute }]
}

fn person(dn: String, attributes: Vec<NewAttribute>) -> Change {
    let class = NewAttribute::new("objectClass", ["inetOrgPerson"]);
    Change::Add { dn, attributes: [vec![class], attributes].concat() }
}

/// Every change one can try on, below or towards an entry.
fn changes(dn: &str) -> Vec<Change> {
    let rename = |dn: String, new_rdn: &str, superior: Option<String>| Change::ModifyDn {
        dn,
        new_rdn: new_rdn.to_owned(),
        delete_old_rdn: true,
        new_superior: superior,
    };
    let (rdn, above) = dn.split_once(',').unwrap();
    let bo = format!("uid=bo,ou=people,{SUFFIX}");
    let names = vec![NewAttribute::new("cn", ["x"]), NewAttribute::new("sn", ["x"])];
    vec![
        person(dn.to_owned(), names.clone()),
        person(dn.to_owned(), vec![NewAttribute::new("nosuch", ["x"])]),
        person(dn.to_owned(), vec![NewAttribute::new("mail", [vec![0xff]])]),
        person(format!("uid=new,{dn}"), names.clone()),
        person(format!("uid=new,{dn}"), vec![NewAttribute::new("nosuch", ["x"])]),
        person(format!("uid=new,uid=deeper,{dn}"), names),
        Change::Delete { dn: dn.to_owned() },
        Change::Modify { dn: dn.to_owned(), modifications: modify("cn", "x") },
        Change::Modify { dn: dn.to_owned(), modifications: modify("nosuch", "x") },
        Change::Modify { dn: dn.to_owned(), modifications: modify("userPassword", "{SSHA}x") },
        rename(dn.to_owned(), "uid=new", None),
        rename(dn.to_owned(), "nosuch=new", None),
        rename(dn.to_owned(), "uid=new", Some(format!("ou=people,{SUFFIX}"))),
        rename(bo.clone(), "uid=bo", Some(dn.to_owned())),
        rename(bo, rdn, Some(above.to_owned())),
        Change::SetPassword { dn: dn.to_owned(), hash: b"{SSHA}x".to_vec(), only_if: None },
    ]
}

#[test]
fn changes_do_not_tell_whether_an_entry_is_there() {
    let sample = sample();
    let subject = bo(&sample);
    let assertion = Filter::parse("(uid=secret)", &DecodeLimits::default()).unwrap();
    let plain = ChangeControls::default();
    let controls = [
        plain.clone(),
        ChangeControls { relax: true, ..plain.clone() },
        ChangeControls { tree_delete: true, permissive: true, ..plain.clone() },
        ChangeControls { manage_dsa_it: true, ..plain.clone() },
        ChangeControls { assertion: Some(FilterBytes::from_filter(&assertion)), ..plain },
    ];
    let none = format!("uid=none,ou=hidden,{SUFFIX}");
    for hidden in ["uid=secret", "ou=away", "cn=alias", "cn=other"] {
        let hidden = format!("{hidden},ou=hidden,{SUFFIX}");
        for controls in &controls {
            for (there, absent) in changes(&hidden).into_iter().zip(changes(&none)) {
                let what = format!("{there:?}");
                let answer = |change: Change, name: &str| {
                    let request = ChangeRequest {
                        subject: subject.clone(),
                        change,
                        controls: controls.clone(),
                    };
                    let result = sample.directory.submit_and_wait(request);
                    assert!(result.is_err(), "{what} was done");
                    let rdn = name.split(',').next().unwrap();
                    seen(&result, name).replace(rdn, "RDN")
                };
                assert_eq!(answer(there, &hidden), answer(absent, &none), "{what} {controls:?}");
            }
        }
    }
}

struct Nothing;

impl EntrySink for Nothing {
    fn entry(&mut self, dn: &[u8], _: &[&[u8]]) {
        panic!("{} was found", String::from_utf8_lossy(dn));
    }
    fn reference(&mut self, uris: &[String]) {
        panic!("{uris:?} were given");
    }
    fn is_full(&self) -> bool {
        false
    }
}

fn search(
    directory: &Directory,
    subject: &Subject,
    base: &str,
    (scope, deref): (Scope, DerefAliases),
    assertion: Option<&str>,
) -> Result<(), Error> {
    let limits = DecodeLimits::default();
    let filter = Filter::parse("(objectClass=*)", &limits).unwrap();
    let assertion = assertion.map(|text| Filter::parse(text, &limits).unwrap());
    let query = SearchQuery {
        base,
        scope,
        deref,
        size_limit: 0,
        types_only: false,
        filter: &filter,
        attributes: &[],
        manage_dsa_it: false,
        page: None,
        assertion: assertion.as_ref(),
    };
    let view = directory.view(subject)?;
    let mut search = view.search(&query)?;
    while view.step(&mut search, &mut Nothing, 100)? == Step::More {}
    Ok(())
}

#[test]
fn reading_does_not_tell_whether_an_entry_is_there() {
    let sample = sample();
    let none = format!("uid=none,ou=hidden,{SUFFIX}");
    let derefs = [DerefAliases::Never, DerefAliases::Always, DerefAliases::FindingBase];
    let mut subjects = vec![bo(&sample)];
    subjects.push(Subject { who: directory::Who::Anonymous, ..bo(&sample) });
    for subject in &subjects {
        let view = sample.directory.view(subject).unwrap();
        for hidden in ["uid=secret", "ou=away", "cn=alias", "cn=other", "cn=below,ou=away"] {
            let hidden = format!("{hidden},ou=hidden,{SUFFIX}");
            for deref in derefs {
                for assertion in [None, Some("(uid=secret)")] {
                    for scope in [Scope::Base, Scope::Subtree] {
                        let answer = |name: &str| {
                            let how = (scope, deref);
                            let result = search(&sample.directory, subject, name, how, assertion);
                            assert!(result.is_err(), "{name} {deref:?}");
                            seen(&result, name)
                        };
                        assert_eq!(answer(&hidden), answer(&none), "{hidden} {deref:?}");
                    }
                }
            }
            for attribute in ["uid", "userPassword", "nosuch", "memberOf"] {
                let answer =
                    |name: &str| seen(&view.compare(name, attribute, b"x", None, false), name);
                assert_eq!(answer(&hidden), answer(&none), "compare {hidden} {attribute}");
            }
            let refused = view.bind_target(&hidden).unwrap();
            assert!(refused.verify_quickly(b"x").is_none(), "{hidden} signs in");
            assert!(refused.verify(b"x").accepted.is_none(), "{hidden} signs in");
        }
    }
}

#[test]
fn filters_cannot_probe_what_may_not_be_searched() {
    let sample = sample();
    let subject = bo(&sample);
    let anna = format!("uid=anna,ou=people,{SUFFIX}");
    let owners = [
        "(mail=anna@example.com)".to_owned(),
        "(mail=*)".into(),
        "(!(mail=anna@example.com))".into(),
        "(!(mail=nobody@example.com))".into(),
        "(mail=anna*)".into(),
        "(mail>=a)".into(),
        "(mail:caseIgnoreIA5Match:=anna@example.com)".into(),
        "(mail:dn:=x)".into(),
        "(rfc822Mailbox=anna@example.com)".into(),
        "(0.9.2342.19200300.100.1.3=anna@example.com)".into(),
        "(&(cn=*)(mail=*))".into(),
        "(:caseIgnoreIA5Match:=anna@example.com)".into(),
        format!("(member={anna})"),
        "(member=*)".into(),
        format!("(!(member={anna}))"),
        format!("(member:1.2.840.113556.1.4.1941:={anna})"),
        format!("(distinguishedName={anna})"),
        format!("(:distinguishedNameMatch:={anna})"),
        format!("(entryDN=uid=secret,ou=hidden,{SUFFIX})"),
        "(uid=secret)".into(),
        "(&(objectClass=*)(ou=hidden))".into(),
        "(ou:dn:=hidden)".into(),
        "(userPassword=*)".into(),
        "(!(userPassword=x))".into(),
        "(:octetStringMatch:={CLEARTEXT}secret)".into(),
    ];
    for filter in owners {
        let found = sample.search_as(&subject, SUFFIX, Scope::Subtree, &filter, &["1.1"]).unwrap();
        let own = |dn: &str| dn.starts_with("uid=bo,");
        let others: Vec<_> = found.iter().filter(|entry| !own(&entry.dn)).collect();
        assert!(others.is_empty(), "{filter} finds {others:?}");
    }
    let either = format!("(|(mail=anna@example.com)(uid=bo)(member={anna}))");
    let found = sample.search_as(&subject, SUFFIX, Scope::Subtree, &either, &["1.1"]).unwrap();
    assert_eq!(found.len(), 1);
}

#[test]
fn pages_end_without_telling_of_hidden_entries() {
    let sample = sample();
    let subject = bo(&sample);
    let filter = Filter::parse("(cn=*)", &DecodeLimits::default()).unwrap();
    let visible =
        sample.search_as(&subject, SUFFIX, Scope::Subtree, "(cn=*)", &["1.1"]).unwrap().len();
    let query = SearchQuery {
        base: SUFFIX,
        scope: Scope::Subtree,
        deref: DerefAliases::Never,
        size_limit: 0,
        types_only: false,
        filter: &filter,
        attributes: &["1.1"],
        manage_dsa_it: false,
        page: Some(Page { size: u32::try_from(visible).unwrap(), cookie: b"" }),
        assertion: None,
    };
    let view = sample.directory.view(&subject).unwrap();
    let mut search = view.search(&query).unwrap();
    let mut sink = crate::sample::Collected::default();
    let Step::Done(done) = view.step(&mut search, &mut sink, 1000).unwrap() else { panic!() };
    assert_eq!((sink.entries.len(), done.cookie), (visible, Some(Vec::new())));
}

#[test]
fn relaxing_is_for_managers() {
    let sample = sample();
    let dn = format!("uid=bo,ou=people,{SUFFIX}");
    for (attribute, value) in [
        ("createTimestamp", "20000101000000Z"),
        ("objectClass", "device"),
        ("entryUUID", "6a8ff4b0-1111-4111-8111-111111111111"),
    ] {
        let request = ChangeRequest {
            subject: bo(&sample),
            change: Change::Modify { dn: dn.clone(), modifications: modify(attribute, value) },
            controls: ChangeControls { relax: true, ..ChangeControls::default() },
        };
        assert!(sample.directory.submit_and_wait(request).is_err(), "{attribute}");
    }
    let both = ["inetOrgPerson", "device"];
    let attribute = NewAttribute::new("objectClass", both);
    let request = ChangeRequest {
        subject: bo(&sample),
        change: Change::Modify {
            dn,
            modifications: vec![Modification { operation: ModifyOperation::Replace, attribute }],
        },
        controls: ChangeControls { relax: true, ..ChangeControls::default() },
    };
    assert!(sample.directory.submit_and_wait(request).is_err());
}
