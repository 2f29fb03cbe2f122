//! The files of applications, against a directory that is well: what is said is the files' fault.

use std::path::Path;

use testing::peers::chancery::peer;
use testing::peers::missing::{Peer, present};
use testing::peers::{SUFFIX, Server, Subject, port};
use testing::process::{Finished, run_checked};

use super::{doctor, first, json, private};

fn asked(file: &Path, more: &[&str]) -> Finished {
    doctor(&[&["--from-config", &file.display().to_string()], more].concat())
}

/// One file of each kind, all of them right, with the CAs in `ca`.
fn right(server: &Server, ca: &str) -> [(&'static str, String); 4] {
    let (ldaps, number, admin) = (&server.ldaps, port(&server.ldaps), &server.admin);
    let ldap = format!("URI {ldaps}\nBASE {SUFFIX}\nBINDDN {admin}\nTLS_CACERT {ca}\n");
    let sssd = format!(
        "[sssd]\ndomains = one\n[domain/one]\nldap_uri = {ldaps}\nldap_search_base = {SUFFIX}\n\
         ldap_tls_cacert = {ca}\nldap_default_bind_dn = {admin}\nldap_default_authtok = hush-hush\n"
    );
    let apache = format!(
        "LDAPTrustedGlobalCert CA_BASE64 {ca}\n<Location />\n\
         AuthLDAPURL \"{ldaps}/{SUFFIX}?dc?sub?(objectClass=*)\"\nAuthLDAPBindDN \"{admin}\"\n\
         AuthLDAPBindPassword \"hush-hush\"\n</Location>\n"
    );
    let java = format!(
        "java.naming.provider.url=ldap://localhost:{number}/{SUFFIX}\n\
         java.naming.security.protocol=ssl\njava.naming.security.principal={admin}\n\
         java.naming.security.credentials=hush-hush\njavax.net.ssl.trustStore={ca}\n"
    );
    [("ldap.conf", ldap), ("sssd.conf", sssd), ("apache.conf", apache), ("app.properties", java)]
}

#[test]
fn files_of_applications_are_used_as_they_stand() {
    if !present("files of applications", &[Subject::Chancery.program(), peer()]) {
        return;
    }
    let server = Subject::Chancery.start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::copy(&server.ca, at("ca.pem")).unwrap();
    std::fs::copy(&server.password_file, at("password")).unwrap();
    private(&at("password"));
    let password = at("password").display().to_string();
    // Beside the file, and by its whole path.
    for ca in ["ca.pem".to_owned(), server.ca.display().to_string()] {
        for (name, text) in right(&server, &ca) {
            std::fs::write(at(name), &text).unwrap();
            let said = asked(&at(name), &["--password-file", &password]);
            assert!(said.stdout.starts_with('✓'), "{name}: {}{}", said.stdout, said.stderr);
            assert!(said.stdout.contains(&format!("i from {name}:")), "{}", said.stdout);
            assert!(said.stdout.contains(" finds "), "{name}: {}", said.stdout);
            assert!(!format!("{said:?}").contains("hush"), "{name}: a password is shown");
            let all = json(&asked(&at(name), &["--json"]));
            assert_eq!(all["runs"][0]["findings"].as_array().unwrap().len(), 0, "{all}");
            assert!(!all.to_string().contains("hush"), "{name}: a password is in the facts");
            let hidden = asked(&at(name), &["--redact", "--json"]);
            let of_file = folder.path().display().to_string();
            for original in ["localhost", "127.0.0.1", SUFFIX, &of_file] {
                assert!(!hidden.stdout.contains(original), "{original}: {}", hidden.stdout);
            }
            assert_eq!(all["config"], name);
            // Without the password nothing is signed in, and nothing said against the search.
            assert!(all["runs"][0]["facts"]["application"].is_null(), "{all}");
        }
    }
    let switched_off = format!("URI {}\nTLS_CACERT ca.pem\nTLS_REQCERT never\n", server.ldaps);
    std::fs::write(at("ldap.conf"), &switched_off).unwrap();
    let said = asked(&at("ldap.conf"), &[]);
    assert_eq!((first(&said).as_str(), said.code), ("CONFIG", Some(2)), "{}", said.stdout);
    assert!(said.stdout.contains("from ldap.conf:3 TLS_REQCERT never"), "{}", said.stdout);
    // Both are to be said, and the file's fault comes first.
    std::fs::write(at("ldap.conf"), format!("URI {}\nTLS_REQCERT never\n", server.ldaps)).unwrap();
    let said = asked(&at("ldap.conf"), &[]);
    assert_eq!(first(&said), "CONFIG");
    assert!(said.stdout.contains("also TRUST-CA"), "{}", said.stdout);
    std::fs::write(at("ldap.conf"), "URI https://a.example\n").unwrap();
    let said = asked(&at("ldap.conf"), &[]);
    assert_eq!(said.code, Some(2));
    assert!(said.stderr.contains("ldap.conf:1: URI: "), "{}", said.stderr);
    let unknown = asked(&at("password"), &[]);
    assert!(unknown.stderr.contains("--kind"), "{}", unknown.stderr);
}

#[test]
fn trust_stores_of_java() {
    let keytool = Peer::program("keytool", "/usr/bin/keytool");
    if !present("trust stores", &[Subject::Chancery.program(), peer(), keytool]) {
        return;
    }
    let server = Subject::Chancery.start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("password"), "changeit").unwrap();
    private(&at("password"));
    let password = at("password").display().to_string();
    let made = |name: &str, kind: &str| {
        let mut command = std::process::Command::new("/usr/bin/keytool");
        command.args(["-importcert", "-noprompt", "-alias", "ca", "-storetype", kind]);
        command.args(["-storepass", "changeit", "-file"]).arg(&server.ca);
        run_checked(command.arg("-keystore").arg(at(name))).unwrap();
        let text = format!("spring.ldap.urls={}\njavax.net.ssl.trustStore={name}\n", server.ldaps);
        std::fs::write(at("app.properties"), text).unwrap();
    };
    made("trust.p12", "PKCS12");
    let said = asked(&at("app.properties"), &["--store-password-file", &password]);
    assert!(said.stdout.starts_with('✓'), "{}{}", said.stdout, said.stderr);
    let locked = asked(&at("app.properties"), &[]);
    assert_eq!(first(&locked), "CONFIG", "{}", locked.stdout);
    assert!(locked.stdout.contains("--store-password-file"), "{}", locked.stdout);
    made("trust.jks", "JKS");
    let said = asked(&at("app.properties"), &["--store-password-file", &password]);
    assert_eq!(first(&said), "CONFIG", "{}", said.stdout);
    assert!(said.stdout.contains("keytool -importkeystore"), "{}", said.stdout);
}
