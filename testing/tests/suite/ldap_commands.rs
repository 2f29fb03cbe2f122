//! `chancery ldap` against slapd and Chancery.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use testing::peers::chancery::{binary, peer};
use testing::peers::missing::{Peer, present};
use testing::peers::{SUFFIX, Server, Subject};
use testing::process::{Finished, run};

fn each(test: &str, check: impl Fn(&Server)) {
    for subject in Subject::ALL {
        let openssl = Peer::program("openssl", "/usr/bin/openssl");
        let test = format!("{test} ({})", subject.name());
        if present(&test, &[peer(), subject.program(), openssl]) {
            check(&subject.start().unwrap());
        }
    }
}

/// `chancery ldap VERB TARGET …` with the server's CA.
fn ldap(server: &Server, verb: &str, target: &str, arguments: &[&str]) -> Finished {
    let mut command = Command::new(binary());
    command.args(["ldap", verb, target, "--ca"]).arg(&server.ca).args(arguments);
    run(&mut command).unwrap()
}

fn password(at: &Path, name: &str, text: &str, mode: u32) -> String {
    let file = at.join(name);
    std::fs::write(&file, text).unwrap();
    std::fs::set_permissions(&file, PermissionsExt::from_mode(mode)).unwrap();
    file.to_str().unwrap().to_owned()
}

#[test]
fn a_person_can_look_around() {
    each("ldap commands", |server| {
        let folder = tempfile::tempdir().unwrap();
        let file = password(folder.path(), "right", &server.password().unwrap(), 0o600);
        let admin = ["--as", &server.admin, "--password-file", &file];
        for target in [&server.ldaps, &server.ldap] {
            let who = ldap(server, "whoami", target, &admin);
            assert_eq!(
                (who.code, who.stdout.trim_end()),
                (Some(0), &*format!("dn:{}", server.admin))
            );
            let anonymous = ldap(server, "whoami", target, &[]);
            assert_eq!(anonymous.stdout, "anonymous\n");
        }
        let ask = |verb, rest: &[&str]| ldap(server, verb, &server.ldaps, &[rest, &admin].concat());
        assert!(ask("bind", &[]).success());
        let base = ["--scope", "base"];
        let found = ask("search", &[&[SUFFIX, "(dc=*)", "dc"], &base[..]].concat());
        assert_eq!(found.stdout, format!("dn: {SUFFIX}\ndc: example\n\n"), "{found:?}");
        let found = ask("search", &[&[SUFFIX, "(dc=*)", "dc", "--json"], &base[..]].concat());
        let expected = format!("{{\"attributes\":{{\"dc\":[\"example\"]}},\"dn\":\"{SUFFIX}\"}}\n");
        assert_eq!(found.stdout, expected, "{found:?}");
        assert_eq!(ask("compare", &[SUFFIX, "dc", "example"]).code, Some(0));
        assert_eq!(ask("compare", &[SUFFIX, "dc", "other"]).code, Some(1));
        let root = ask("rootdse", &[]).stdout;
        assert!(root.contains("1.2.840.113556.1.4.319  paged results"), "{root}");
        let tree = ask("tree", &[]).stdout;
        assert!(tree.lines().any(|line| line == SUFFIX), "{tree}");
    });
}

#[test]
fn what_goes_wrong_is_said_with_a_next_step() {
    each("faults of ldap commands", |server| {
        let folder = tempfile::tempdir().unwrap();
        let wrong = password(folder.path(), "wrong", "wrong", 0o600);
        let open = password(folder.path(), "open", "wrong", 0o644);
        for (file, code, part) in [(&wrong, 1, "invalidCredentials"), (&open, 3, "chmod 600")] {
            let admin = ["--as", &server.admin, "--password-file", file];
            let said = ldap(server, "bind", &server.ldaps, &admin);
            assert_eq!(said.code, Some(code), "{said:?}");
            assert!(said.stderr.contains(part), "{said:?}");
        }
        let missing = format!("cn=missing,{SUFFIX}");
        let said = ldap(server, "search", &server.ldaps, &[&missing]);
        assert_eq!(said.code, Some(1), "{said:?}");
        let said = ldap(server, "search", &server.ldaps, &[SUFFIX, "(cn"]);
        assert_eq!(said.code, Some(2), "{said:?}");
        // Another name at the same address is a stranger; so is whoever no CA vouches for.
        let elsewhere = server.ldaps.replace("localhost", "elsewhere.example");
        let said = ldap(server, "whoami", &elsewhere, &["--address", "127.0.0.1"]);
        assert_eq!(said.code, Some(3), "{said:?}");
        assert!(said.stderr.contains("a name that the certificate covers"), "{said:?}");
        let other = testing::certificates::authority(folder.path()).unwrap();
        let mut command = Command::new(binary());
        command.args(["ldap", "whoami", &server.ldaps, "--ca"]).arg(&other.certificate);
        let said = run(&mut command).unwrap();
        assert_eq!(said.code, Some(3), "{said:?}");
        assert!(said.stderr.contains("certificate"), "{said:?}");
    });
}
