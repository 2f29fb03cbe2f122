//! A Linux login through SSSD (`testing/clients/sssd_login.sh`), in namespaces of its own.

use std::path::Path;
use std::process::Command;

use testing::peers::missing::{Peer, present};
use testing::peers::tools::Tools;
use testing::peers::{SUFFIX, Subject};
use testing::process::run;

const SCRIPT: &str = "sssd_login.sh";

/// Debian's slapd has RFC 2307, where a group lists names; Chancery has rfc2307bis, where it
/// lists entries.
fn schema(subject: Subject) -> (&'static str, &'static str) {
    match subject {
        Subject::Slapd => ("rfc2307", "objectClass: posixGroup\nmemberUid: linus\n"),
        Subject::Chancery => (
            "rfc2307bis",
            "objectClass: groupOfNames\nobjectClass: posixGroup\n\
             member: uid=linus,ou=unix,dc=example,dc=com\n",
        ),
    }
}

fn accounts(group: &str) -> String {
    let unit = format!("ou=unix,{SUFFIX}");
    format!(
        "dn: {unit}\nobjectClass: organizationalUnit\nou: unix\n\n\
         dn: uid=linus,{unit}\nobjectClass: inetOrgPerson\nobjectClass: posixAccount\nuid: linus\n\
         cn: Linus Login\nsn: Login\nuidNumber: 70001\ngidNumber: 70001\n\
         homeDirectory: /home/linus\nloginShell: /bin/sh\nuserPassword: a login secret\n\n\
         dn: cn=makers,{unit}\n{group}cn: makers\ngidNumber: 70002\n\n"
    )
}

/// The script needs root, namespaces and the SSSD programs.
fn peers() -> Vec<Peer> {
    let allowed = run(Command::new("unshare").args(["--mount", "--pid", "--fork", "true"]));
    let allowed = allowed.is_ok_and(|finished| finished.success());
    let namespaces = Peer {
        name: "root with mount namespaces".to_owned(),
        file: if allowed { "/proc/self/ns/mnt" } else { "/proc/no-namespaces" }.into(),
        remedy: "run the suite as root".to_owned(),
    };
    vec![
        Peer::program("sssd", "/usr/sbin/sssd"),
        Peer::program("pamtester", "/usr/bin/pamtester"),
        namespaces,
    ]
}

fn login(subject: Subject) {
    let mut needed = peers();
    needed.push(subject.program());
    if !present(&format!("sssd on {}", subject.name()), &needed) {
        return;
    }
    let server = subject.start().unwrap();
    let (schema, group) = schema(subject);
    let added = Tools::new(&server).run_ldif("ldapadd", &accounts(group)).unwrap();
    assert!(added.success(), "{added:#?}");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(SCRIPT);
    let mut command = Command::new(script);
    command.arg(&server.ldaps).arg(&server.ca).arg(&server.admin).arg(&server.password_file);
    command.arg(format!("ou=unix,{SUFFIX}")).args([schema, "linus", "a login secret", "makers"]);
    let finished = run(&mut command).unwrap();
    print!("{}", finished.stdout);
    assert!(finished.success(), "{}{}", finished.stdout, finished.stderr);
}

#[test]
fn a_login_on_slapd() {
    login(Subject::Slapd);
}

#[test]
fn a_login_on_chancery() {
    login(Subject::Chancery);
}
