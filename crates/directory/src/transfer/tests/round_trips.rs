//! What goes in comes out, byte for byte, however often.

use proptest::prelude::*;

use super::*;
use crate::transfer::backup::{BackupError, backup, restore};

const FULL: &str = "\
dn: cn=odd\\, name+sn=two,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
cn: odd, name
cn;lang-de: ungerade
sn: two
description:: w6TDtsO8IA==
jpegPhoto:: /9j/4AAQ
userPassword: {SSHA}AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
manager: uid=anna,ou=people,dc=example,dc=com
seeAlso: cn=nobody,dc=example,dc=com
seeAlso: cn=staff,ou=groups,dc=example,dc=com
createTimestamp: 20200102030405Z
creatorsName: cn=old,dc=example,dc=com
entryCSN: 20200102030405.000000Z#000000#000#000000

dn: cn=staff,ou=groups,dc=example,dc=com
objectClass: groupOfUniqueNames
cn: staff
uniqueMember: uid=anna,ou=people,dc=example,dc=com#'0101'B
uniqueMember: cn=odd\\2C name+sn=two,ou=people,dc=example,dc=com
uniqueMember: uid=late,ou=people,dc=example,dc=com

";

#[test]
fn an_export_loads_to_the_same_export() {
    let ldif = format!("{TOP}{FULL}{}", person("anna"));
    let first = Folder::loaded(&ldif).export();
    for line in
        ["creatorsName: cn=old", "createTimestamp: 20200102030405Z", "cn;lang-de: ", "entryCSN"]
    {
        assert!(first.contains(line), "{line}\n{first}");
    }
    assert!(!first.contains("memberOf") && !first.contains("hasSubordinates"), "{first}");
    let second = Folder::loaded(&first).export();
    assert_eq!(first, second);
    let mut records: Vec<&str> = first.split_inclusive("\n\n").skip(1).collect();
    records.reverse();
    assert_eq!(Folder::loaded(&records.concat()).export(), first);
}

#[test]
fn a_part_and_the_users_part_can_be_exported() {
    let folder = Folder::loaded(&format!("{TOP}{}", person("anna")));
    let directory = folder.open();
    let base = Some("OU=people,dc=example,dc=com");
    let text = exported(&directory, &ExportOptions { base, user_only: true });
    let expected = format!(
        "version: 1\n\ndn: ou=people,dc=example,dc=com\nobjectClass: organizationalUnit\nou: people\n\n{}",
        person("anna")
    );
    assert_eq!(text, expected);
    let none = ExportOptions { base: Some("cn=none,dc=example,dc=com"), user_only: false };
    let error = export(&directory, &none, &mut Vec::new(), &mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("there is no entry"), "{error}");
}

fn any_value() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z]{1,8}", "[ -~]{1,90}", "[äß ,+=#\\\\<>;\"a]{1,6}"]
        .prop_filter("spaces alone are equal", |value| !value.trim().is_empty())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn any_entries_round_trip(
        values in proptest::collection::vec((any_value(), any_value(), 0..8usize), 1..12)
    ) {
        let mut text = TOP.as_bytes().to_vec();
        let mut names = vec!["ou=people,dc=example,dc=com".to_owned()];
        for (number, (value, other, above)) in values.iter().enumerate() {
            let rdn = ldap::dn::Rdn { values: vec![
                ldap::dn::AttributeValue {
                    attribute: "cn".to_owned(),
                    value: format!("{number}{value}").into_bytes(),
                },
            ] };
            let dn = format!("{},{}", ldap::dn::Dn { rdns: vec![rdn] }, names[above % names.len()]);
            ldap::ldif::write_dn(&mut text, &dn);
            let link = &names[(above + number) % names.len()];
            for (name, value) in [
                ("objectClass", "person"), ("sn", other), ("description", value), ("seeAlso", link),
            ] {
                ldap::ldif::write_attribute(&mut text, name, value.as_bytes());
            }
            text.push(b'\n');
            names.push(dn);
        }
        let folder = Folder::new();
        let (loaded, _) = folder.load_bytes(&LoadOptions::new(), &text).unwrap();
        prop_assert_eq!(loaded.entries as usize, 3 + values.len());
        prop_assert_eq!(findings(&folder.open()), []);
        let first = folder.export();
        prop_assert_eq!(Folder::loaded(&first).export(), first);
    }
}

#[test]
fn a_backup_is_made_while_the_directory_serves_and_is_restored() {
    let folder = Folder::loaded(&format!("{TOP}{FULL}{}", person("anna")));
    std::fs::create_dir(folder.path().join("schema")).unwrap();
    std::fs::write(folder.path().join("schema/own.schema"), "# nothing\n").unwrap();
    std::fs::write(folder.path().join("ca.key"), "secret").unwrap();
    std::fs::create_dir_all(folder.path().join("ca/issued")).unwrap();
    for file in ["ca/issuing.key", "ca/issued/4001.pem", "ca/lock", "ca/crl.pem.new"] {
        std::fs::write(folder.path().join(file), "of the CA").unwrap();
    }
    let expected = folder.export();
    let directory = folder.open();
    let target = Folder::new();
    let (copy, again) = (target.path().join("copy"), target.path().join("again"));
    backup(&directory.inner().store, &copy).unwrap();
    let error = backup(&directory.inner().store, &copy).unwrap_err();
    assert!(matches!(error, BackupError::NotEmpty(_)), "{error}");
    restore(&copy, &again).unwrap();
    drop(directory);
    for file in ["ca.key", "schema/own.schema", "format", "ca/issuing.key", "ca/issued/4001.pem"] {
        assert!(again.join(file).is_file(), "{file}");
    }
    for file in ["manifest", "ca/lock", "ca/crl.pem.new"] {
        assert!(!again.join(file).exists(), "{file}");
    }
    let restored =
        unlocked(|| Directory::open(&again, settings()).map_err(|error| error.to_string()));
    assert_eq!(exported(&restored, &ExportOptions { base: None, user_only: false }), expected);
    assert_eq!(findings(&restored), []);
    let error = restore(&copy, &again).unwrap_err();
    assert!(matches!(error, BackupError::NotEmpty(_)), "{error}");
}

#[test]
fn a_damaged_backup_is_not_restored() {
    let folder = Folder::loaded(TOP);
    let target = Folder::new();
    let (copy, again) = (target.path().join("copy"), target.path().join("again"));
    backup(&folder.open().inner().store, &copy).unwrap();
    let manifest = std::fs::read_to_string(copy.join("manifest")).unwrap();
    assert!(manifest.starts_with("chancery backup 1\nentries 3\n"), "{manifest}");
    let refused = |what: &str| {
        let error = restore(&copy, &again).unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
        assert!(!again.exists());
    };
    std::fs::write(copy.join("manifest"), manifest.replace("entries 3", "entries 4")).unwrap();
    refused("it holds 3 entries and not 4");
    std::fs::write(copy.join("manifest"), manifest.replace(" format", " ../format")).unwrap();
    refused("'../format'");
    std::fs::write(copy.join("manifest"), manifest.replace("backup 1", "backup 2")).unwrap();
    refused("newer");
    std::fs::write(copy.join("manifest"), &manifest).unwrap();
    let mut data = std::fs::read(copy.join("data.mdb")).unwrap();
    let middle = data.len() / 2;
    data[middle] ^= 1;
    std::fs::write(copy.join("data.mdb"), data).unwrap();
    refused("'data.mdb' is not what was written");
    std::fs::remove_file(copy.join("manifest")).unwrap();
    refused("no manifest");
}
