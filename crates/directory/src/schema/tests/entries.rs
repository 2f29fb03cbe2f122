//! Entries against their classes, as a table.

use ldap::result::ResultCode;

use crate::schema::Schema;
use crate::schema::check::{EntryToCheck, check_entry, superclass_names_missing};

/// `classes` and `attributes` are separated by spaces; `sn*2` has two values; the first attribute
/// names the entry unless it begins with a minus, which names it without being there.
fn outcome(classes: &str, attributes: &str) -> Result<String, (ResultCode, String)> {
    let schema = Schema::standard();
    let classes: Vec<&[u8]> = classes.split_whitespace().map(str::as_bytes).collect();
    let mut list = vec![(schema.attribute_type("objectClass").unwrap(), classes.len())];
    for attribute in attributes.split_whitespace().filter(|name| !name.starts_with('-')) {
        let (name, count) = attribute.split_once('*').unwrap_or((attribute, "1"));
        list.push((schema.attribute_type(name).unwrap(), count.parse().unwrap()));
    }
    let naming = attributes.split_whitespace().next().unwrap_or("objectClass");
    let naming = naming.trim_start_matches('-').split('*').next().unwrap();
    let rdn_types = [schema.attribute_type(naming).unwrap()];
    let entry = EntryToCheck { classes: &classes, attributes: &list, rdn_types: &rdn_types };
    match check_entry(&schema, &entry, false) {
        Ok(checked) => Ok(schema.object_class_at(checked.structural).unwrap().name.clone()),
        Err(refusal) => Err((refusal.code, refusal.message)),
    }
}

#[test]
fn accepted() {
    for (classes, attributes, structural) in [
        ("inetOrgPerson", "cn sn mail*3", "inetOrgPerson"),
        ("top person organizationalPerson inetOrgPerson", "uid cn sn", "inetOrgPerson"),
        ("2.5.6.6", "CommonName surname", "person"),
        (
            "inetOrgPerson posixAccount",
            "uid cn sn uidNumber gidNumber homeDirectory",
            "inetOrgPerson",
        ),
        ("organization dcObject", "dc o", "organization"),
        ("groupOfMembers posixGroup", "cn gidNumber memberUid*2", "groupOfMembers"),
        ("device extensibleObject", "cn mail gidNumber", "device"),
        ("person", "cn sn entryUUID createTimestamp", "person"),
        ("account ldapPublicKey", "uid sshPublicKey", "account"),
        ("groupOfURLs", "cn memberURL", "groupOfURLs"),
        ("top posixGroup", "cn gidNumber memberUid", "posixGroup"),
    ] {
        assert_eq!(outcome(classes, attributes), Ok(structural.to_owned()), "{classes}");
    }
}

#[test]
fn refused() {
    for (classes, attributes, code, words) in [
        ("inetOrgPerson", "cn", ResultCode::OBJECT_CLASS_VIOLATION, "requires attribute 'sn'"),
        ("", "cn", ResultCode::OBJECT_CLASS_VIOLATION, "has no objectClass"),
        ("nonsense", "cn", ResultCode::INVALID_ATTRIBUTE_SYNTAX, "'nonsense' is not in the schema"),
        ("top", "cn", ResultCode::OBJECT_CLASS_VIOLATION, "no structural object class"),
        (
            "posixAccount",
            "cn uid uidNumber gidNumber homeDirectory",
            ResultCode::OBJECT_CLASS_VIOLATION,
            "no structural",
        ),
        ("person device", "cn sn", ResultCode::OBJECT_CLASS_VIOLATION, "are both structural"),
        (
            "person",
            "cn sn mail",
            ResultCode::OBJECT_CLASS_VIOLATION,
            "'mail' is not allowed by object class 'person'",
        ),
        ("groupOfNames", "cn", ResultCode::OBJECT_CLASS_VIOLATION, "requires attribute 'member'"),
        (
            "inetOrgPerson",
            "cn sn displayName*2",
            ResultCode::CONSTRAINT_VIOLATION,
            "takes one value, 2",
        ),
        ("person", "-uid cn sn", ResultCode::NAMING_VIOLATION, "named by 'uid'"),
    ] {
        let (got, message) = outcome(classes, attributes).expect_err(classes);
        assert_eq!(got, code, "{classes}: {message}");
        assert!(message.contains(words), "{classes}: {message}");
    }
}

#[test]
fn implied_superclasses() {
    let schema = Schema::standard();
    let missing = superclass_names_missing(&schema, &[b"inetOrgPerson", b"person"]);
    assert_eq!(missing, ["top", "organizationalPerson"]);
}
