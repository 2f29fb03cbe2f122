//! What changes mean and how they are refused, as tables: a request in LDIF, the result code, and
//! where it matters what is stored then.

use directory::{Change, ChangeControls, ChangeRequest, Error, Outcome, ReadEntry};
use ldap::filter::{Filter, FilterBytes};
use ldap::ldif::Reader;
use ldap::message::DecodeLimits;
use ldap::response::Attributes;

use crate::sample::{Sample, change_of, operator};

const ANNA: &str = "uid=anna,ou=people,dc=example,dc=com";
const STAFF: &str = "cn=staff,ou=groups,dc=example,dc=com";

/// Names after this are in ou=people.
fn at_people(ldif: &str) -> String {
    ldif.replace("~p", ",ou=people,dc=example,dc=com").replace('~', ",dc=example,dc=com")
}

fn change_in(ldif: &str) -> Change {
    let record = Reader::new(ldif.as_bytes()).next().unwrap().unwrap();
    change_of(&record)
}

fn result(sample: &Sample, ldif: &str, controls: ChangeControls) -> Result<Outcome, Error> {
    let request = ChangeRequest { subject: operator(), change: change_in(ldif), controls };
    sample.directory.submit_and_wait(request)
}

fn code(result: &Result<Outcome, Error>) -> u32 {
    match result {
        Ok(_) => 0,
        Err(Error::Refused(refusal)) => {
            assert!(!refusal.message.is_empty(), "{refusal:?} says nothing");
            refusal.code.0
        }
        Err(Error::Fault(fault)) => panic!("{fault:?}"),
    }
}

/// Each on an unchanged sample: code, and a part of anna's entry that must (or with `-` must not)
/// be there.
fn table(controls: &ChangeControls, cases: &[(&str, u32, &str)]) {
    let mut sample = Sample::with_people();
    for (ldif, expected, part) in cases {
        let result = result(&sample, &at_people(ldif), controls.clone());
        assert_eq!(code(&result), *expected, "{ldif}\n{result:?}");
        let entry = anna(&sample);
        match part.strip_prefix('-') {
            Some(part) => assert!(!entry.contains(part), "{ldif}: {part} in\n{entry}"),
            None => assert!(entry.contains(part), "{ldif}: no {part} in\n{entry}"),
        }
        if result.is_ok() {
            sample = Sample::with_people();
        }
    }
}

fn anna(sample: &Sample) -> String {
    let found = sample.search_as(
        &operator(),
        "dc=example,dc=com",
        ldap::message::Scope::Subtree,
        "(sn=Berg)",
        &["*", "+"],
    );
    found.unwrap().first().map(crate::sample::Found::text).unwrap_or_default()
}

fn modify(lines: &str) -> String {
    format!("dn: {ANNA}\nchangetype: modify\n{}-\n", lines.replace("/ ", "-\n").replace("| ", "\n"))
}

#[test]
fn modify_follows_rfc_4511() {
    let cases: &[(&str, u32, &str)] = &[
        ("add: mail| mail: a@b\n", 0, "mail: a@b"),
        ("add: mail| mail: ANNA@example.com\n", 20, ""),
        ("add: mail| mail: a@b| mail: A@B\n", 20, "-a@b"),
        ("add: description\n", 2, ""),
        ("delete: mail\n", 0, "-mail:"),
        ("delete: mail| mail: Anna@EXAMPLE.com\n", 0, "-mail:"),
        ("delete: mail| mail: x@y\n", 16, ""),
        ("delete: description\n", 16, ""),
        ("delete: mail| mail: anna@example.com| mail: ANNA@example.com\n", 20, ""),
        ("replace: mail\n", 0, "-mail:"),
        ("replace: description\n", 0, "-description"),
        ("replace: mail| mail: x@y| mail: z@y\n", 0, "mail: z@y"),
        ("replace: mail| mail: x@y| mail: X@y\n", 20, ""),
        // All or nothing, in order.
        ("replace: mail| mail: x@y\n/ delete: description\n", 16, "mail: anna@example.com"),
        ("delete: mail\n/ add: mail| mail: anna@example.com\n", 0, "mail: anna@example.com"),
        ("delete: cn\n/ add: cn| cn: Other\n", 0, "cn: Other"),
        // Naming.
        ("delete: uid\n", 67, "uid: anna"),
        ("replace: uid| uid: other\n", 67, "uid: anna"),
        ("replace: uid| uid: other| uid: ANNA\n", 0, "uid: ANNA"),
        // Schema.
        ("delete: sn\n", 65, "sn: Berg"),
        ("add: dc| dc: x\n", 65, ""),
        ("add: nosuch| nosuch: x\n", 17, ""),
        ("add: objectClass| objectClass: nosuch\n", 21, ""),
        ("add: objectClass| objectClass: device\n", 65, ""),
        ("replace: objectClass| objectClass: person\n", 65, ""),
        ("delete: objectClass\n", 65, ""),
        ("add: objectClass| objectClass: extensibleObject\n/ add: dc| dc: x\n", 0, "dc: x"),
        ("add: preferredLanguage| preferredLanguage: de| preferredLanguage: en\n", 19, ""),
        ("add: manager| manager: no name\n", 21, ""),
        ("add: mail| mail:: w6Q=\n", 21, ""),
        ("add: telephoneNumber| telephoneNumber: +46(8)1234567\n", 0, "+46(8)1234567"),
        ("add: cn;lang-| cn;lang-: x\n", 17, ""),
        // What the server keeps.
        ("replace: entryUUID| entryUUID: 6a8ff4b0-1111-4111-8111-111111111111\n", 19, ""),
        ("replace: createTimestamp| createTimestamp: 20000101000000Z\n", 19, ""),
        ("add: memberOf| memberOf: cn=x\n", 19, ""),
        ("replace: entryDN| entryDN: cn=x\n", 19, ""),
        ("replace: structuralObjectClass| structuralObjectClass: device\n", 19, ""),
        // Increment (RFC 4525).
        ("increment: employeeNumber| employeeNumber: 1\n", 19, ""),
        ("increment: uidNumber| uidNumber: 1\n", 16, ""),
        ("increment: mail| mail: 1\n", 19, ""),
        // Names.
        (
            "add: manager| manager: UID=Bo, OU=people, dc=example,dc=com\n",
            0,
            "manager: uid=bo,ou=people,",
        ),
        ("add: manager| manager: uid=bo~p| manager: UID=BO~p\n", 20, ""),
        ("delete: manager\n", 16, ""),
        ("delete: manager| manager: uid=bo~p\n", 16, ""),
        ("add: manager| manager: uid=Nobody~p\n", 0, "manager: uid=Nobody,"),
        ("increment: manager| manager: 1\n", 21, ""),
    ];
    let cases: Vec<(String, u32, &str)> =
        cases.iter().map(|(lines, code, part)| (modify(lines), *code, *part)).collect();
    let cases: Vec<(&str, u32, &str)> =
        cases.iter().map(|(ldif, code, part)| (ldif.as_str(), *code, *part)).collect();
    table(&ChangeControls::default(), &cases);
}

#[test]
fn increments_add_up() {
    let sample = Sample::with_people();
    for (lines, expected, part) in [
        (
            "add: objectClass| objectClass: extensibleObject\n/ add: uidNumber| uidNumber: 7\n",
            0,
            "uidNumber: 7",
        ),
        (
            "increment: uidNumber| uidNumber: 5\n/ increment: uidNumber| uidNumber: -20\n",
            0,
            "uidNumber: -8",
        ),
        ("increment: uidNumber| uidNumber: x\n", 21, "uidNumber: -8"),
        ("increment: uidNumber| uidNumber: 1| uidNumber: 2\n", 2, "uidNumber: -8"),
        ("increment: uidNumber\n", 2, "uidNumber: -8"),
    ] {
        let result = result(&sample, &modify(lines), ChangeControls::default());
        assert_eq!(code(&result), expected, "{lines} {result:?}");
        assert!(anna(&sample).contains(part), "{lines}");
    }
}

#[test]
fn permissive_modify_forgives_what_is_so_already() {
    let cases = [
        ("add: mail| mail: ANNA@example.com\n", 0, "mail: anna@example.com"),
        ("delete: mail| mail: x@y\n", 0, "mail: anna"),
        ("delete: description\n", 0, ""),
        ("delete: manager\n", 0, ""),
        ("add: manager| manager: uid=bo~p| manager: UID=BO~p\n", 0, "manager: uid=bo"),
        ("delete: uid\n", 67, "uid: anna"),
    ];
    let cases: Vec<(String, u32, &str)> =
        cases.iter().map(|(lines, code, part)| (modify(lines), *code, *part)).collect();
    let cases: Vec<(&str, u32, &str)> =
        cases.iter().map(|(ldif, code, part)| (ldif.as_str(), *code, *part)).collect();
    table(&ChangeControls { permissive: true, ..ChangeControls::default() }, &cases);
}

#[test]
fn relax_lets_a_manager_write_what_the_server_keeps() {
    let cases = [
        (
            "replace: createTimestamp| createTimestamp: 20000101000000Z\n",
            0,
            "createTimestamp: 20000101000000Z",
        ),
        (
            "replace: modifyTimestamp| modifyTimestamp: 20000101000000Z\n",
            0,
            "modifyTimestamp: 20000101000000Z",
        ),
        ("replace: entryDN| entryDN: cn=x\n", 19, ""),
        ("delete: entryUUID\n", 19, "entryUUID: "),
        ("replace: createTimestamp| createTimestamp: yesterday\n", 21, ""),
    ];
    let cases: Vec<(String, u32, &str)> =
        cases.iter().map(|(lines, code, part)| (modify(lines), *code, *part)).collect();
    let cases: Vec<(&str, u32, &str)> =
        cases.iter().map(|(ldif, code, part)| (ldif.as_str(), *code, *part)).collect();
    table(&ChangeControls { relax: true, ..ChangeControls::default() }, &cases);
}

const PERSON: &str = "objectClass: inetOrgPerson\ncn: x\nsn: x\n";

#[test]
fn adds_are_refused_with_the_code_of_the_rfc() {
    let cases: &[(&str, &str, u32)] = &[
        ("uid=first~p", PERSON, 0),
        ("uid=anna~p", PERSON, 68),
        ("UID=ANNA~p", PERSON, 68),
        ("uid=x,ou=none~", PERSON, 32),
        ("uid=x,dc=elsewhere", PERSON, 53),
        ("nosuch=x~p", PERSON, 34),
        ("no name", PERSON, 34),
        ("member=cn\\3Dx~p", PERSON, 64),
        ("manager=cn\\3Dx~p", PERSON, 64),
        ("entryUUID=6a8ff4b0-1111-4111-8111-111111111111~p", PERSON, 64),
        ("createTimestamp=20000101000000Z~p", PERSON, 64),
        ("memberOf=cn\\3Dx~p", PERSON, 64),
        ("userPassword=secret~p", PERSON, 64),
        ("dc=x~p", PERSON, 65),
        ("uid=new~p", "objectClass: inetOrgPerson\ncn: x\n", 65),
        ("uid=new~p", "cn: x\nsn: x\n", 65),
        ("uid=new~p", "objectClass: top\n", 65),
        ("uid=new~p", "objectClass: nosuch\n", 21),
        ("uid=new~p", "objectClass: inetOrgPerson\nobjectClass: device\ncn: x\nsn: x\n", 65),
        ("uid=new~p", "objectClass: inetOrgPerson\ncn: x\ncn: X\nsn: x\n", 20),
        ("uid=new~p", "objectClass: inetOrgPerson\ncn: x\nsn: x\nnosuch: x\n", 17),
        ("uid=new~p", "objectClass: inetOrgPerson\ncn: x\nsn: x\nmanager: 7\n", 21),
        (
            "uid=new~p",
            "objectClass: inetOrgPerson\ncn: x\nsn: x\nmodifyTimestamp: 20000101000000Z\n",
            19,
        ),
        ("uid=new~p", "objectClass: inetOrgPerson\ncn: x\nsn: x\nmemberOf: cn=x\n", 19),
        ("cn=none,ou=groups~", "objectClass: groupOfNames\n", 65),
        ("cn=own,ou=groups~", "objectClass: groupOfNames\nmember: CN=OWN,ou=groups~\n", 0),
    ];
    let sample = Sample::with_people();
    for (dn, body, expected) in cases {
        let ldif = at_people(&format!("dn: {dn}\n{body}"));
        let parsed = Reader::new(ldif.as_bytes()).next().unwrap();
        let Ok(record) = parsed else { continue };
        let request = ChangeRequest {
            subject: operator(),
            change: change_of(&record),
            controls: ChangeControls::default(),
        };
        let result = sample.directory.submit_and_wait(request);
        assert_eq!(code(&result), *expected, "{dn}: {result:?}");
    }
}

fn rename(dn: &str, new_rdn: &str, delete_old: bool, superior: Option<&str>) -> Change {
    Change::ModifyDn {
        dn: at_people(dn),
        new_rdn: new_rdn.to_owned(),
        delete_old_rdn: delete_old,
        new_superior: superior.map(at_people),
    }
}

#[test]
fn renames_keep_or_drop_the_old_name() {
    let cases: &[(&str, bool, Option<&str>, u32, &str)] = &[
        ("uid=new", true, None, 0, "dn: uid=new,ou=people"),
        ("uid=new", true, None, 0, "-uid: anna"),
        ("uid=new", false, None, 0, "uid: anna\nuid: new"),
        ("uid=ANNA", true, None, 0, "dn: uid=ANNA,ou=people"),
        ("uid=ANNA", true, None, 0, "uid: ANNA"),
        ("uid=ANNA", true, None, 0, "-uid: anna"),
        ("uid=ANNA", false, None, 0, "uid: anna"),
        ("uid=a+uid=b", true, None, 34, ""),
        ("cn=Anna Berg", true, None, 0, "-uid: anna"),
        ("cn=anna  berg+uid=anna", true, None, 0, "uid: anna"),
        ("uid=bo", true, None, 68, ""),
        ("uid=BO", false, None, 68, ""),
        ("uid=new", true, Some("ou=groups~"), 0, "dn: uid=new,ou=groups"),
        ("uid=new", true, Some("ou=none~"), 32, ""),
        ("uid=new", true, Some("uid=anna~p"), 53, ""),
        ("uid=new", true, Some("uid=bo~p"), 0, "dn: uid=new,uid=bo"),
        ("uid=new", true, Some("dc=elsewhere"), 32, ""),
        ("uid=new,ou=x", true, None, 34, ""),
        ("", true, None, 34, ""),
        ("nosuch=x", true, None, 34, ""),
        ("dc=x", true, None, 65, ""),
        ("userPassword=x", true, None, 64, ""),
        ("entryUUID=6a8ff4b0-1111-4111-8111-111111111111", true, None, 64, ""),
        ("createTimestamp=20000101000000Z", false, None, 64, ""),
        ("hasSubordinates=TRUE", false, None, 64, ""),
    ];
    let mut sample = Sample::with_people();
    for (new_rdn, delete_old, superior, expected, part) in cases {
        let result = sample.change(rename("uid=anna~p", new_rdn, *delete_old, *superior));
        assert_eq!(code(&result), *expected, "{new_rdn} {superior:?} {result:?}");
        let entry = anna(&sample);
        match part.strip_prefix('-') {
            Some(part) => assert!(!entry.contains(part), "{new_rdn}: {entry}"),
            None => assert!(entry.contains(part), "{new_rdn}: {entry}"),
        }
        if result.is_ok() {
            sample = Sample::with_people();
        }
    }
    for (change, expected) in [
        (rename("", "cn=x", true, None), 53),
        (Change::Delete { dn: String::new() }, 53),
        (Change::Modify { dn: String::new(), modifications: Vec::new() }, 53),
        (Change::Add { dn: String::new(), attributes: Vec::new() }, 68),
    ] {
        assert_eq!(code(&sample.change(change.clone())), expected, "{change:?}");
    }
    let into_own = rename("ou=people~", "ou=people", true, Some("uid=anna~p"));
    assert_eq!(code(&sample.change(into_own)), 53);
    assert_eq!(code(&sample.change(rename("dc=example,dc=com", "dc=x", true, None))), 53);
    assert_eq!(code(&sample.change(rename("uid=none~p", "uid=x", true, None))), 32);
}

#[test]
fn a_leaf_that_had_children_is_named_anew() {
    let sample = Sample::with_people();
    let child = "dn: cn=pc,uid=anna,ou=people,dc=example,dc=com\nobjectClass: device\n";
    sample.load(child);
    assert_eq!(sample.names("(cn=pc)"), ["cn=pc,uid=anna,ou=people,dc=example,dc=com"]);
    sample.change(Change::Delete { dn: format!("cn=pc,{ANNA}") }).unwrap();
    sample.change(rename("uid=anna~p", "uid=new", true, None)).unwrap();
    sample.load(&child.replace("anna", "new"));
    assert_eq!(sample.names("(cn=pc)"), ["cn=pc,uid=new,ou=people,dc=example,dc=com"]);
}

#[test]
fn deletes() {
    let sample = Sample::with_people();
    let delete = |dn: &str, tree_delete: bool| {
        let controls = ChangeControls { tree_delete, ..ChangeControls::default() };
        let change = Change::Delete { dn: at_people(dn) };
        let request = ChangeRequest { subject: operator(), change, controls };
        code(&sample.directory.submit_and_wait(request))
    };
    assert_eq!(delete("ou=people~", false), 66);
    assert_eq!(delete("uid=none~p", true), 32);
    assert_eq!(delete("no name", true), 34);
    assert_eq!(delete("ou=people~", true), 0);
    assert_eq!(sample.names("(uid=*)"), Vec::<String>::new());
    assert!(!sample.read(STAFF, &["member"]).contains("anna"));
    assert_eq!(delete("ou=people~", false), 32);
    assert_eq!(delete("dc=example,dc=com", true), 0);
    assert_eq!(sample.directory.entry_count().unwrap(), 0);
}

fn filter(text: &str) -> FilterBytes {
    let parsed = Filter::parse(text, &DecodeLimits::default()).unwrap();
    FilterBytes::from_filter(&parsed)
}

#[test]
fn assertions_must_be_true() {
    let lines = modify("replace: mail| mail: x@y\n");
    let adding = at_people(&format!("dn: uid=new~p\n{PERSON}"));
    let deleting = format!("dn: {ANNA}\nchangetype: delete\n");
    let renaming = format!("dn: {ANNA}\nchangetype: modrdn\nnewrdn: uid=x\ndeleteoldrdn: 1\n");
    for ldif in [&lines, &deleting, &renaming, &adding] {
        for (text, expected) in [
            ("(objectClass=inetOrgPerson)", 0),
            ("(cn=nobody)", 122),
            ("(nosuch=x)", 122),
            ("(!(nosuch=x))", 122),
            ("(uidNumber>=x)", 122),
        ] {
            let sample = Sample::with_people();
            let assertion = Some(filter(text));
            let controls = ChangeControls { assertion, ..ChangeControls::default() };
            let result = result(&sample, ldif, controls);
            assert_eq!(code(&result), expected, "{text} {ldif}");
        }
    }
}

fn printed(read: &Option<ReadEntry>) -> String {
    let Some(read) = read else { return String::new() };
    let mut lines = vec![read.dn.clone()];
    for attribute in Attributes::checked(&read.attributes).unwrap() {
        for value in attribute.values {
            lines.push(format!("{}: {}", attribute.name(), String::from_utf8_lossy(value)));
        }
    }
    lines.join("\n")
}

#[test]
fn pre_and_post_read_show_both_sides() {
    let sample = Sample::with_people();
    let both = |attributes: &[&str]| {
        let names = Some(attributes.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        ChangeControls { pre_read: names.clone(), post_read: names, ..ChangeControls::default() }
    };
    let ldif = modify("replace: mail| mail: x@y\n/ add: manager| manager: uid=bo~p\n");
    let outcome = result(&sample, &at_people(&ldif), both(&["mail", "manager"])).unwrap();
    assert_eq!(printed(&outcome.pre_read), format!("{ANNA}\nmail: anna@example.com"));
    let after = format!("{ANNA}\nmail: x@y\nmanager: uid=bo,ou=people,dc=example,dc=com");
    assert_eq!(printed(&outcome.post_read), after);

    let request = ChangeRequest {
        subject: operator(),
        change: rename("ou=people~", "ou=humans", true, None),
        controls: both(&["ou", "entryDN", "numSubordinates"]),
    };
    let outcome = sample.directory.submit_and_wait(request).unwrap();
    let side = |ou: &str| {
        let dn = format!("ou={ou},dc=example,dc=com");
        format!("{dn}\nou: {ou}\nentryDN: {dn}\nnumSubordinates: 2")
    };
    assert_eq!(printed(&outcome.pre_read), side("people"));
    assert_eq!(printed(&outcome.post_read), side("humans"));

    let ldif = "dn: uid=bo,ou=humans,dc=example,dc=com\nchangetype: delete\n";
    let outcome = result(&sample, ldif, both(&["uid"])).unwrap();
    assert!(printed(&outcome.pre_read).ends_with("uid: bo"));
    assert_eq!(outcome.post_read, None);
}

#[test]
fn entry_uuids_are_unique() {
    let sample = Sample::with_people();
    let relax = || ChangeControls { relax: true, ..ChangeControls::default() };
    let uuid = "6a8ff4b0-1111-4111-8111-111111111111";
    let lines = format!("replace: entryUUID| entryUUID: {uuid}\n");
    // To one's own again is no conflict.
    for _ in 0..2 {
        assert_eq!(code(&result(&sample, &modify(&lines), relax())), 0);
    }
    let taken = format!("dn: uid=new~p\n{PERSON}entryUUID: {}\n", uuid.to_uppercase());
    assert_eq!(code(&result(&sample, &at_people(&taken), relax())), 19);
    let bo = modify(&lines).replace("anna", "bo");
    assert_eq!(code(&result(&sample, &bo, relax())), 19);
    let free = taken.replace("6A8F", "6A8E");
    assert_eq!(code(&result(&sample, &at_people(&free), relax())), 0);
}

#[test]
fn stamps_tell_who_and_when() {
    let sample = Sample::with_people();
    let entry = anna(&sample);
    for part in ["creatorsName: cn=operator", "modifiersName: cn=operator", "createTimestamp: 20"] {
        assert!(entry.contains(part), "{entry}");
    }
    let subject = sample.who(ANNA);
    let own = change_in(&modify("replace: mobile| mobile: +46 70 1\n"));
    sample.change_as(subject, own).unwrap();
    let entry = anna(&sample);
    assert!(entry.contains("creatorsName: cn=operator"), "{entry}");
    assert!(entry.contains(&format!("modifiersName: {ANNA}")), "{entry}");
}

#[test]
fn a_group_emptied_by_deletions_can_still_be_changed() {
    let sample = Sample::with_people();
    let none = ChangeControls::default;
    sample.load("dn: cn=all,ou=groups,dc=example,dc=com\nchangetype: delete\n");
    sample.load(&at_people(
        "dn: cn=few~\nchangetype: add\nobjectClass: groupOfNames\nmember: uid=bo~p\n",
    ));
    let few = |lines: &str| at_people(&format!("dn: cn=few~\nchangetype: modify\n{lines}-\n"));
    let emptying = few("delete: member\nmember: uid=bo~p\n");
    assert_eq!(code(&result(&sample, &emptying, none())), 65, "a client may not empty it");
    sample.load(&at_people("dn: uid=bo~p\nchangetype: delete\n"));
    let about = few("replace: description\ndescription: empty for now\n");
    assert_eq!(code(&result(&sample, &about, none())), 0);
    let as_other = few("add: objectClass\nobjectClass: extensibleObject\n");
    assert_eq!(code(&result(&sample, &as_other, none())), 65, "other classes are judged anew");
    let rename = at_people("dn: cn=few~\nchangetype: modrdn\nnewrdn: cn=none\ndeleteoldrdn: 1\n");
    assert_eq!(code(&result(&sample, &rename, none())), 0);
}

/// Two descriptions can have one index key; it stays as long as one of them has it.
#[test]
fn an_index_key_that_two_descriptions_share_stays_for_the_other() {
    let sample = Sample::with_people();
    let modify = |changes: &str| {
        let ldif = at_people(&format!("dn: uid=anna~p\nchangetype: modify\n{changes}"));
        assert_eq!(code(&result(&sample, &ldif, ChangeControls::default())), 0, "{ldif}");
    };
    let shared = "telephoneNumber;x-home";
    let own = "add: telephoneNumber\ntelephoneNumber: +1 234\n";
    modify(&format!("add: {shared}\n{shared}: +1 234\n-\n{own}"));
    for (changes, found) in [
        (format!("delete: {shared}\n"), 1),
        (format!("add: {shared}\n{shared}: +1234\n"), 1),
        ("replace: telephoneNumber\ntelephoneNumber: +1 235\n".to_owned(), 1),
        (format!("replace: {shared}\n{shared}: +1 236\n"), 0),
    ] {
        modify(&changes);
        assert_eq!(sample.names("(telephoneNumber=+1 234)").len(), found, "{changes}");
    }
}
