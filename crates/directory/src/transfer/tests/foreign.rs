//! Exports of other servers load unchanged.

use std::process::Command;

use super::*;

/// As `db2ldif` of 389 Directory Server writes it: comments, its own bookkeeping, folds at 78.
const OF_389: &str = "\
version: 1

# entry-id: 1
dn: dc=example,dc=com
objectClass: top
objectClass: domain
dc: example
description: dc=example,dc=com
creatorsName: cn=Directory Manager
modifiersName: cn=Directory Manager
createTimestamp: 20230517081223Z
modifyTimestamp: 20230517081223Z
nsUniqueId: 0f2b8d01-f48b11ed-8a2f9d7e-1c0d6a11
aci: (targetattr=\"dc || description || objectClass\")(targetfilter=\"(objectClas
 s=domain)\")(version 3.0; acl \"Enable anyone domain read\"; allow (read, search
 , compare)(userdn=\"ldap:///anyone\");)

# entry-id: 2
dn: ou=people,dc=example,dc=com
objectClass: top
objectClass: organizationalunit
ou: people
creatorsName: cn=Directory Manager
modifiersName: cn=Directory Manager
createTimestamp: 20230517081224Z
modifyTimestamp: 20230517081224Z
nsUniqueId: 0f2b8d02-f48b11ed-8a2f9d7e-1c0d6a11
parentid: 1
entryid: 2
numSubordinates: 1

# entry-id: 3
dn: uid=demo_user,ou=people,dc=example,dc=com
objectClass: top
objectClass: posixAccount
objectClass: inetOrgPerson
objectClass: organizationalPerson
objectClass: person
uid: demo_user
cn: Demo User
sn: User
uidNumber: 99998
gidNumber: 99998
homeDirectory: /var/empty
userPassword:: e1BCS0RGMi1TSEE1MTJ9MTAwMDAkYUFhQWFBYUFhQWFBYUFhQSQxMTExMTExMTExMTExMTE
 xMTExMTExMTExMTExMTExMTExMTExMTExMTExMTExMTExMTExMTExMTExMTExMTExMTExMTExMTExMTE=
nsUniqueId: 0f2b8d03-f48b11ed-8a2f9d7e-1c0d6a11
creatorsName: cn=Directory Manager
modifiersName: uid=demo_user,ou=people,dc=example,dc=com
createTimestamp: 20230517081225Z
modifyTimestamp: 20230518081225Z
memberOf: cn=demo_group,ou=people,dc=example,dc=com
entryUUID: 6b1f3c52-5a5e-4d57-9a3b-0f6f3f4d9c11
passwordGraceUserTime: 0
entryusn: 17

# entry-id: 4
dn: cn=demo_group,ou=people,dc=example,dc=com
objectClass: top
objectClass: posixGroup
objectClass: groupOfNames
cn: demo_group
gidNumber: 99999
member: uid=demo_user,ou=people,dc=example,dc=com
nsUniqueId: 0f2b8d04-f48b11ed-8a2f9d7e-1c0d6a11
creatorsName: cn=Directory Manager
createTimestamp: 20230517081226Z

";

#[test]
fn an_export_of_389_ds_loads_unchanged() {
    let folder = Folder::loaded(OF_389);
    let dn = "uid=demo_user,ou=people,dc=example,dc=com";
    for (beginning, expected) in [
        ("nsUniqueId", "nsUniqueId: 0f2b8d03-f48b11ed-8a2f9d7e-1c0d6a11"),
        ("entryUUID", "entryUUID: 6b1f3c52-5a5e-4d57-9a3b-0f6f3f4d9c11"),
        ("modifiersName", "modifiersName: uid=demo_user,ou=people,dc=example,dc=com"),
        ("modifyTimestamp", "modifyTimestamp: 20230518081225Z"),
        ("structuralObjectClass", "structuralObjectClass: inetOrgPerson"),
    ] {
        assert_eq!(folder.lines(dn, beginning), [expected]);
    }
    for dropped in ["memberOf", "entryusn", "parentid", "entryid", "numSubordinates"] {
        assert_eq!(folder.lines(dn, dropped), [""; 0]);
    }
    let stored = folder.lines(dn, "userPassword: ");
    assert!(stored[0].starts_with("userPassword: {PBKDF2-SHA512}10000$"), "{stored:?}");
    let first = folder.export();
    assert_eq!(Folder::loaded(&first).export(), first);
}

const SLAPD_CONF: &str = "\
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
database mdb
suffix dc=example,dc=com
directory ";

/// Loads `ldif` into a slapd's database and gives what slapcat writes; None where there is no
/// slapd.
fn slapcat(ldif: &str) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let (data, conf, file) =
        (folder.path().join("data"), folder.path().join("conf"), folder.path().join("in.ldif"));
    std::fs::create_dir(&data).unwrap();
    std::fs::write(&conf, format!("{SLAPD_CONF}{}\n", data.display())).unwrap();
    std::fs::write(&file, ldif).unwrap();
    let add = Command::new("/usr/sbin/slapadd").arg("-f").arg(&conf).arg("-l").arg(&file).output();
    let Ok(added) = add else {
        eprintln!("SKIPPED: there is no slapadd here");
        return None;
    };
    assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
    let cat = Command::new("/usr/sbin/slapcat").arg("-f").arg(&conf).output().unwrap();
    assert!(cat.status.success(), "{}", String::from_utf8_lossy(&cat.stderr));
    Some(String::from_utf8(cat.stdout).unwrap())
}

#[test]
fn an_export_of_openldap_loads_unchanged() {
    let group = "dn: cn=staff,ou=groups,dc=example,dc=com\nobjectClass: groupOfNames\ncn: staff\n\
                 member: uid=anna,ou=people,dc=example,dc=com\n\
                 member: uid=late,ou=people,dc=example,dc=com\n\n";
    let hash = "userPassword: {SSHA}AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let anna = person("anna").replace("\n\n", &format!("\n{hash}\ndescription: \u{e4}\n\n"));
    let Some(theirs) = slapcat(&format!("{TOP}{group}{anna}")) else { return };
    assert!(theirs.contains("entryCSN: "), "{theirs}");
    let folder = Folder::loaded(&theirs);
    let encoded = "userPassword:: e1NTSEF9QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE9";
    let theirs = theirs.replace("\n ", "").replace(encoded, hash); // base64 for no need
    let ours = folder.export().replace("\n ", "");
    let without_order = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.retain(|line| !line.is_empty() && line != "version: 1");
        lines.sort();
        lines
    };
    assert_eq!(without_order(&ours), without_order(&theirs));
}
