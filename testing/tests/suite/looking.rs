//! `chancery ldap`: looking around slapd and Chancery.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use testing::peers::chancery::{binary, peer};
use testing::peers::missing::present;
use testing::peers::{SUFFIX, Server, Subject, port};
use testing::process::{Finished, run};

struct Place {
    server: Server,
    folder: tempfile::TempDir,
}

impl Place {
    fn start(subject: Subject) -> Place {
        let place =
            Place { server: subject.start().unwrap(), folder: tempfile::tempdir().unwrap() };
        place.write(&place.server.password().unwrap());
        place
    }

    fn write(&self, password: &str) {
        let file = self.folder.path().join("password");
        std::fs::write(&file, password).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn ldap(&self, command: &str, uri: &str, more: &[&str]) -> Finished {
        let mut ldap = Command::new(binary());
        ldap.args(["ldap", command, uri]).args(more).arg("--ca").arg(&self.server.ca);
        ldap.args(["--as", &self.server.admin, "--password-file"]);
        run(ldap.arg(self.folder.path().join("password"))).unwrap()
    }
}

#[track_caller]
fn expect(finished: &Finished, code: i32, words: &str) {
    let said = format!("{}{}", finished.stdout, finished.stderr);
    assert_eq!(finished.code, Some(code), "{said}");
    assert!(said.contains(words), "{said}");
}

#[test]
fn every_command_of_it() {
    for subject in Subject::ALL {
        if !present("looking around", &[subject.program(), peer()]) {
            continue;
        }
        let place = Place::start(subject);
        let (ldaps, starttls) = (&place.server.ldaps, &place.server.ldap);
        let (admin, none) = (&place.server.admin, format!("ou=none,{SUFFIX}"));
        for uri in [ldaps, starttls] {
            let found = place.ldap("search", uri, &[SUFFIX, "(dc=example)", "dc", "objectClass"]);
            expect(&found, 0, &format!("dn: {SUFFIX}\n"));
            assert!(found.stdout.contains("\ndc: example\n"), "{}", found.stdout);
            expect(&place.ldap("whoami", uri, &[]), 0, &format!("dn:{admin}"));
        }
        let json = place.ldap("search", ldaps, &[SUFFIX, "--scope", "base", "--json"]);
        let entry: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
        assert_eq!(entry["attributes"]["dc"][0], "example");
        let one = place.ldap("search", ldaps, &[SUFFIX, "--limit", "1", "--page", "1"]);
        expect(&one, 0, "there is more");
        assert_eq!(one.stdout.matches("dn: ").count(), 1);
        expect(&place.ldap("search", ldaps, &[&none]), 1, "noSuchObject");
        expect(&place.ldap("search", ldaps, &[SUFFIX, "(dc="]), 2, "no search filter");
        expect(&place.ldap("compare", ldaps, &[SUFFIX, "dc", "example"]), 0, "true");
        expect(&place.ldap("compare", ldaps, &[SUFFIX, "dc", "other"]), 1, "false");
        expect(&place.ldap("rootdse", ldaps, &[]), 0, &format!("namingContexts\n  {SUFFIX}"));
        expect(&place.ldap("bind", ldaps, &[]), 0, "the sign-in works");
        place.write("wrong");
        expect(&place.ldap("bind", ldaps, &[]), 1, "invalidCredentials");
        let address = format!("127.0.0.1:{}", port(ldaps));
        let other = place.ldap("bind", "other.example", &["--address", &address]);
        expect(&other, 3, "nothing was sent; see why: chancery doctor other.example");
    }
}
