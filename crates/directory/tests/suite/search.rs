//! Searching, reading and what changes do to it.

use crate::sample::Sample;
use ldap::message::Scope;

#[test]
fn filters_find_the_entries_they_describe() {
    let sample = Sample::with_people();
    let people = "ou=people,dc=example,dc=com";
    let cases: &[(&str, &[&str])] = &[
        ("(uid=ANNA)", &["uid=anna,ou=people"]),
        ("(cn=anna  berg)", &["uid=anna,ou=people"]),
        ("(mail=anna@*)", &["uid=anna,ou=people"]),
        ("(cn=*er*)", &["uid=anna,ou=people"]),
        ("(cn=*ek)", &["uid=bo,ou=people"]),
        ("(&(objectClass=person)(!(uid=anna)))", &["uid=bo,ou=people"]),
        ("(|(uid=anna)(uid=bo))", &["uid=anna,ou=people", "uid=bo,ou=people"]),
        ("(name=anna berg)", &["uid=anna,ou=people"]),
        ("(telephoneNumber=+4681234567)", &["uid=anna,ou=people"]),
        ("(manager=UID=Anna, ou=People, dc=example, dc=com)", &["uid=bo,ou=people"]),
        ("(member=uid=anna,ou=people,dc=example,dc=com)", &["cn=staff,ou=groups"]),
        ("(member=uid=late,ou=people,dc=example,dc=com)", &["cn=staff,ou=groups"]),
        ("(memberOf=cn=staff,ou=groups,dc=example,dc=com)", &["uid=anna,ou=people"]),
        (
            "(member:1.2.840.113556.1.4.1941:=uid=anna,ou=people,dc=example,dc=com)",
            &["cn=all,ou=groups", "cn=staff,ou=groups"],
        ),
        (
            "(memberOf:1.2.840.113556.1.4.1941:=cn=all,ou=groups,dc=example,dc=com)",
            &["cn=staff,ou=groups", "uid=anna,ou=people"],
        ),
        ("(ou:dn:=people)", &["ou=people", "uid=anna,ou=people", "uid=bo,ou=people"]),
        ("(hasSubordinates=TRUE)", &["", "ou=groups", "ou=people"]),
        ("(nosuch=x)", &[]),
        ("(!(nosuch=x))", &[]),
        ("(|)", &[]),
        ("(&(uid=bo)(createTimestamp>=20000101000000Z))", &["uid=bo,ou=people"]),
        ("(&(uid=bo)(createTimestamp<=20000101000000Z))", &[]),
        ("(entryDN=uid=bo,ou=people,dc=example,dc=com)", &["uid=bo,ou=people"]),
        (
            "(entryDN:dnOneLevelMatch:=ou=people,dc=example,dc=com)",
            &["uid=anna,ou=people", "uid=bo,ou=people"],
        ),
        ("(!(entryDN:dnSubtreeMatch:=no name))", &[]),
        ("(structuralObjectClass=person)", &["uid=anna,ou=people", "uid=bo,ou=people"]),
        // RFC 4511 §4.5.1.7.7: a rule that is not for such values.
        ("(!(createTimestamp:caseIgnoreMatch:=x))", &[]),
    ];
    for (filter, expected) in cases {
        let full = |rdn: &&str| match *rdn {
            "" => "dc=example,dc=com".to_owned(),
            rdn => format!("{rdn},dc=example,dc=com"),
        };
        let mut expected: Vec<String> = expected.iter().map(full).collect();
        expected.sort();
        assert_eq!(sample.names(filter), expected, "{filter}");
    }
    let level = sample.search_as(
        &crate::sample::operator(),
        people,
        Scope::OneLevel,
        "(objectClass=*)",
        &["1.1"],
    );
    assert_eq!(level.unwrap().len(), 2);
}

#[test]
fn a_late_member_is_bound_and_follows_renames() {
    let sample = Sample::with_people();
    sample.load(
        "dn: uid=late,ou=people,dc=example,dc=com\nobjectClass: inetOrgPerson\ncn: L\nsn: L\n\n\
         dn: ou=people,dc=example,dc=com\nchangetype: modrdn\nnewrdn: ou=humans\ndeleteoldrdn: 1\n",
    );
    let staff = sample.read("cn=staff,ou=groups,dc=example,dc=com", &["member"]);
    assert_eq!(
        staff,
        "dn: cn=staff,ou=groups,dc=example,dc=com\n\
         member: uid=anna,ou=humans,dc=example,dc=com\n\
         member: uid=late,ou=humans,dc=example,dc=com"
    );
    let late = sample.read("uid=late,ou=humans,dc=example,dc=com", &["memberOf", "uid"]);
    assert_eq!(
        late,
        "dn: uid=late,ou=humans,dc=example,dc=com\nuid: late\n\
         memberOf: cn=staff,ou=groups,dc=example,dc=com"
    );
    sample.load("dn: uid=late,ou=humans,dc=example,dc=com\nchangetype: delete\n");
    let staff = sample.read("cn=staff,ou=groups,dc=example,dc=com", &["member"]);
    assert!(!staff.contains("late"), "{staff}");
}

#[test]
fn everything_is_there_after_reopening() {
    let sample = Sample::with_people();
    let before = sample.read("uid=anna,ou=people,dc=example,dc=com", &["*", "+"]);
    let Sample { directory, folder, lens } = sample;
    drop((lens, directory));
    let directory =
        directory::Directory::open(folder.path(), directory::Settings::default()).unwrap();
    let sample = Sample::of(directory, folder);
    assert_eq!(sample.read("uid=anna,ou=people,dc=example,dc=com", &["*", "+"]), before);
    assert!(before.contains("entryUUID: "), "{before}");
    assert!(before.contains("hasSubordinates: FALSE"), "{before}");
}

#[test]
fn signed_in_people_read_others_but_no_secrets() {
    let sample = Sample::with_people();
    let bo = sample.who("uid=bo,ou=people,dc=example,dc=com");
    let find = |filter: &str| {
        sample
            .search_as(&bo, "dc=example,dc=com", Scope::Subtree, filter, &["*"])
            .unwrap()
            .iter()
            .map(crate::sample::Found::text)
            .collect::<Vec<_>>()
    };
    let [anna] = find("(uid=anna)").try_into().unwrap();
    assert!(!anna.contains("userPassword"), "{anna}");
    assert!(anna.contains("mail: anna@example.com"), "{anna}");
    assert!(find("(userPassword=*)").is_empty());
    assert!(find("(!(userPassword=x))").is_empty());
}
