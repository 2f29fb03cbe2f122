//! What a load takes, what it refuses, and what it says.

use super::*;
use crate::transfer::load::Passwords;

#[test]
fn every_form_of_ldif_loads_the_same() {
    let plain = format!("{TOP}{}", person("anna"));
    let expected = Folder::loaded(&plain).export();
    let folded =
        plain.replace("ou=people,", "ou=pe\n ople,").replace("objectClass: i", "objectClass: \n i");
    let base64 = plain.replace("cn: anna", "cn:: YW5uYQ==");
    let commented = format!("# a comment\n\nversion: 1\n\n# entry-id: 1\n{plain}# the end\n");
    let changes = plain.replace("\nobjectClass", "\nchangetype: add\nobjectClass");
    for ldif in [
        plain.replace('\n', "\r\n"),
        folded,
        base64,
        commented,
        plain.trim_end().to_owned(),
        changes,
    ] {
        let folder = Folder::loaded(&ldif);
        let uuid = |text: &str| -> String {
            text.lines()
                .filter(|line| !line.starts_with("entryUUID"))
                .collect::<Vec<_>>()
                .join("\n")
        };
        assert_eq!(uuid(&folder.export()), uuid(&expected), "{ldif}");
    }
}

#[test]
fn parents_come_in_any_order() {
    let plain = format!("{TOP}{}{}", person("anna"), person("bo"));
    let mut records: Vec<&str> = plain.split_inclusive("\n\n").collect();
    let expected = Folder::loaded(&plain).export();
    let names = |text: &str| -> Vec<String> {
        text.lines().filter(|line| line.starts_with("dn:")).map(str::to_owned).collect()
    };
    records.reverse();
    for _ in 0..records.len() {
        records.rotate_left(1);
        assert_eq!(names(&Folder::loaded(&records.concat()).export()), names(&expected));
    }
}

#[test]
fn what_waits_is_put_aside_and_still_comes() {
    let people: String = (0..300).map(|number| person(&format!("p{number}"))).collect();
    let options = LoadOptions { waiting_bytes_max: 2_000, ..LoadOptions::new() };
    let folder = Folder::new();
    let (loaded, rejects) = folder.load(&options, &format!("{people}{TOP}")).unwrap();
    assert_eq!((loaded.entries, rejects.len()), (303, 0));
    assert_eq!(findings(&folder.open()), []);
    let orphans = Folder::new();
    let options = LoadOptions { keep_going: true, ..options };
    let (loaded, rejects) = orphans.load(&options, &people).unwrap();
    assert_eq!((loaded.entries, rejects.len()), (0, 300));
    assert!(rejects.is_sorted_by_key(|rejected| rejected.line));
}

#[test]
fn links_lead_forward_backward_and_nowhere() {
    let group = "dn: cn=staff,ou=groups,dc=example,dc=com\nobjectClass: groupOfNames\ncn: staff\n\
                 member: uid=bo,ou=people,dc=example,dc=com\n\
                 member: uid=ANNA,ou=people,dc=example,dc=com\n\
                 member: uid=late,ou=people,dc=example,dc=com\n\
                 member: cn=staff,ou=groups,dc=example,dc=com\n\n";
    let ldif = format!("{TOP}{}{group}{}", person("anna"), person("bo"));
    let folder = Folder::loaded(&ldif);
    assert_eq!(
        folder.lines("cn=staff,ou=groups,dc=example,dc=com", "member"),
        [
            "member: cn=staff,ou=groups,dc=example,dc=com",
            "member: uid=anna,ou=people,dc=example,dc=com",
            "member: uid=bo,ou=people,dc=example,dc=com",
            "member: uid=late,ou=people,dc=example,dc=com",
        ]
    );
}

/// Each is appended to [`TOP`], which ends in line 12.
const WRONG: &[(&str, &str)] = &[
    (
        "dn: uid=x,ou=people,dc=example,dc=com\nobjectClass: inetOrgPerson\ncn: x\n",
        "line 13: uid=x,ou=people,dc=example,dc=com: object class 'inetOrgPerson' requires attribute 'sn'",
    ),
    ("\n\ndn: uid=x,ou=people,dc=example,dc=com\nno colon\n", "line 16: `no colon` has no colon"),
    ("dn: cn=x,dc=elsewhere\nobjectClass: device\n", "line 13: cn=x,dc=elsewhere: it is not below"),
    (
        "dn: cn=x,ou=none,dc=example,dc=com\nobjectClass: device\n",
        "line 13: cn=x,ou=none,dc=example,dc=com: the entry above it",
    ),
    (
        "dn: OU=People, dc=example,dc=com\nobjectClass: organizationalUnit\n",
        "line 13: OU=People, dc=example,dc=com: an entry of this name",
    ),
    ("dn: no name\nobjectClass: device\n", "line 13: no name: "),
    (
        "dn: foo=x,dc=example,dc=com\nobjectClass: device\n",
        "line 13: foo=x,dc=example,dc=com: the schema has no attribute type 'foo'",
    ),
    (
        "dn: cn=x,dc=example,dc=com\nobjectClass: device\nfoo: x\n",
        "line 15: cn=x,dc=example,dc=com: attribute description 'foo'",
    ),
    (
        "dn: cn=x,dc=example,dc=com\nobjectClass: device\nserialNumber: 1\nserialNumber: 1\n",
        "line 16: cn=x,dc=example,dc=com: 'serialNumber' is given the same value twice",
    ),
    (
        "dn: cn=x,dc=example,dc=com\nobjectClass: device\nseeAlso: x\n",
        "line 15: cn=x,dc=example,dc=com: 'seeAlso' must be a name",
    ),
    (
        "dn: cn=x,dc=example,dc=com\nobjectClass: device\nseeAlso: cn=x\nseeAlso: CN=X\n",
        "line 16: cn=x,dc=example,dc=com: 'seeAlso' is given the same name twice",
    ),
    (
        "dn: cn=x,dc=example,dc=com\nobjectClass: device\nobjectClass: ipHost\nipHostNumber: 1\ndescription:< file:///etc/hostname\n",
        "line 17: cn=x,dc=example,dc=com: 'file:///etc/hostname' is not read",
    ),
    (
        "dn: cn=x,dc=example,dc=com\nobjectClass: device\nowner;lang-de: x\n",
        "line 15: cn=x,dc=example,dc=com: a value of 'owner;lang-de'",
    ),
    (
        "dn: cn=x,dc=example,dc=com\nchangetype: delete\n",
        "line 13: cn=x,dc=example,dc=com: a change",
    ),
    (
        "dn: userPassword=x,dc=example,dc=com\nobjectClass: person\ncn: x\nsn: x\n",
        "line 13: userPassword=x,dc=example,dc=com: 'userPassword' is secret",
    ),
    (
        "dn: owner=cn\\=x,dc=example,dc=com\nobjectClass: device\ncn: x\n",
        "line 13: owner=cn\\=x,dc=example,dc=com: 'owner' holds names",
    ),
    (
        "dn: cn=x,dc=example,dc=com\nobjectClass: device\nentryUUID: 1\n",
        "line 15: cn=x,dc=example,dc=com: a value of 'entryUUID'",
    ),
];

#[test]
fn what_is_wrong_is_named_with_its_line() {
    for (record, expected) in WRONG {
        let ldif = format!("{TOP}{record}\n{}", person("anna"));
        let folder = Folder::new();
        let error = folder.load(&LoadOptions::new(), &ldif).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}\n{expected}");
        assert_eq!(folder.open().entry_count().unwrap(), 0, "{record}");
        let again = Folder::new();
        let (loaded, rejects) = again.load(&GOING_ON, &ldif).unwrap();
        assert_eq!((loaded.entries, loaded.rejected), (4, 1), "{record}");
        let text = String::from_utf8(rejects[0].to_ldif()).unwrap();
        assert!(text.starts_with("# line ") && text.contains(record.trim()), "{text}");
        assert_eq!(findings(&again.open()), [], "{record}");
    }
}

#[test]
fn rejects_are_ldif_that_can_be_mended() {
    let bad = "dn: uid=x,ou=people,dc=example,dc=com\nobjectClass: inetOrgPerson\ncn: x\n\n";
    let folder = Folder::new();
    let (_, rejects) = folder.load(&GOING_ON, &format!("{TOP}{bad}")).unwrap();
    let file: Vec<u8> = rejects.iter().flat_map(Rejected::to_ldif).collect();
    let mended = String::from_utf8(file).unwrap().replace("cn: x", "cn: x\nsn: x");
    let folder = Folder::loaded(&format!("{TOP}{mended}"));
    assert_eq!(folder.open().entry_count().unwrap(), 4);
}

#[test]
fn only_an_empty_directory_is_loaded_into() {
    let folder = Folder::loaded(TOP);
    let error = folder.load(&LoadOptions::new(), TOP).unwrap_err();
    assert!(matches!(error, LoadError::NotEmpty(3)), "{error}");
    assert_eq!(folder.open().entry_count().unwrap(), 3);
}

#[test]
fn an_entry_uuid_is_kept_and_is_unique() {
    let with = |name: &str| {
        person(name).replace("\n\n", "\nentryUUID: 11111111-2222-4333-8444-555555555555\n\n")
    };
    let folder = Folder::loaded(&format!("{TOP}{}", with("anna")));
    assert_eq!(
        folder.lines("uid=anna,ou=people,dc=example,dc=com", "entryUUID"),
        ["entryUUID: 11111111-2222-4333-8444-555555555555"]
    );
    let twice = format!("{TOP}{}{}", with("anna"), with("bo"));
    let error = Folder::new().load(&LoadOptions::new(), &twice).unwrap_err().to_string();
    assert!(error.contains("uid=bo") && error.contains("the same entryUUID"), "{error}");
}

#[test]
fn files_are_read_where_that_is_allowed() {
    let folder = Folder::new();
    let file = folder.path().join("words");
    std::fs::write(&file, "from a file").unwrap();
    let line = format!("description:< file://{}\n\n", file.display());
    let ldif = format!("{TOP}{}", person("anna").replace("\n\n", &format!("\n{line}")));
    let options = LoadOptions { file_urls: true, ..LoadOptions::new() };
    folder.load(&options, &ldif).unwrap();
    assert_eq!(
        folder.lines("uid=anna,ou=people,dc=example,dc=com", "description"),
        ["description: from a file"]
    );
}

fn with_password(name: &str, password: &str) -> String {
    person(name).replace("\n\n", &format!("\nuserPassword: {password}\n\n"))
}

#[test]
fn no_password_is_stored_in_the_clear() {
    let ssha = "{SSHA}AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let ldif = format!(
        "{TOP}{}{}{}",
        with_password("a", "secret"),
        with_password("b", "{CLEARTEXT}secret"),
        with_password("c", ssha)
    );
    for passwords in [Passwords::Few, Passwords::Hash] {
        let folder = Folder::new();
        folder.load(&LoadOptions { passwords, ..LoadOptions::new() }, &ldif).unwrap();
        for name in ["a", "b"] {
            let dn = format!("uid={name},ou=people,dc=example,dc=com");
            let lines = folder.lines(&dn, "userPassword: ");
            let stored = lines[0].strip_prefix("userPassword: ").unwrap();
            assert!(crate::password::verify(stored.as_bytes(), b"secret"), "{name} {stored}");
            assert!(stored.starts_with("{ARGON2}"), "{stored}");
        }
        let kept = folder.lines("uid=c,ou=people,dc=example,dc=com", "userPassword: ");
        assert_eq!(kept, [format!("userPassword: {ssha}")]);
    }
    let refuse = LoadOptions { passwords: Passwords::Refuse, ..LoadOptions::new() };
    let error = Folder::new().load(&refuse, &ldif).unwrap_err().to_string();
    assert!(error.starts_with("line 18: uid=a,ou=people,dc=example,dc=com: "), "{error}");
    assert!(!error.contains("secret"), "{error}");
}

#[test]
fn many_clear_passwords_are_not_hashed_unasked() {
    let people: String =
        (0..=1000).map(|number| with_password(&format!("p{number}"), "secret")).collect();
    let folder = Folder::new();
    let error =
        folder.load(&LoadOptions::new(), &format!("{TOP}{people}")).unwrap_err().to_string();
    assert!(error.contains("--passwords hash"), "{error}");
    assert_eq!(folder.open().entry_count().unwrap(), 0);
}

#[test]
fn a_load_is_one_change_and_the_directory_goes_on() {
    let folder = Folder::loaded(&format!("{TOP}{}", person("anna")));
    let directory = folder.open();
    let reader = directory.inner().store.snapshot().unwrap();
    assert_eq!(reader.reader().last_commit().unwrap().0, 1);
    drop(reader);
    let subject = crate::Subject {
        who: crate::Who::Operator,
        address: None,
        protection: crate::Protection::Local,
    };
    let change = crate::Change::Add {
        dn: "cn=new,ou=people,dc=example,dc=com".to_owned(),
        attributes: vec![crate::NewAttribute::new("objectClass", ["device"])],
    };
    let controls = crate::ChangeControls::default();
    directory.submit_and_wait(crate::ChangeRequest { subject, change, controls }).unwrap();
    assert_eq!(directory.entry_count().unwrap(), 5);
    assert_eq!(findings(&directory), []);
}
