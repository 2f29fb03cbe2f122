//! The in-house CA with real clients: OpenSSL makes keys and requests, `ldapexop` enrols, OpenSSL
//! verifies what comes back, and refuses it once it is revoked.

use std::path::Path;
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use testing::peers::chancery::{binary, peer, start, start_on};
use testing::peers::missing::{Peer, present};
use testing::peers::{SUFFIX, Server};
use testing::process::{Finished, run, run_checked};

const ENROL: &str = "2.25.9043160933254766473319378082597890002";

const TEMPLATES: &str = r#"
[[template]]
name = "server"
purposes = ["serverAuth"]
key-usage = ["digitalSignature", "keyEncipherment"]
subject = "first-name"
names = ["entry:host"]
enrol = ['group "cn=servers,ou=groups,dc=example,dc=com"']
lifetime-days = 90

[[template]]
name = "client"
purposes = ["clientAuth"]
enrol = ["self"]
lifetime-days = 30

[[template]]
name = "approved"
purposes = ["clientAuth"]
enrol = ["self"]
approval = true
lifetime-days = 30
"#;

fn programs() -> Vec<Peer> {
    vec![
        peer(),
        Peer::program("openssl", "/usr/bin/openssl"),
        Peer::program("ldapexop", "/usr/bin/ldapexop"),
        Peer::program("ldapadd", "/usr/bin/ldapadd"),
    ]
}

/// A server with a host that is in the group of servers, and the templates above.
fn started() -> Server {
    let server = start().unwrap();
    let at = server.folder.path();
    std::fs::write(at.join("data/ca/templates.toml"), TEMPLATES).unwrap();
    let entries = format!(
        "dn: uid=host1,ou=people,{SUFFIX}\nobjectClass: account\nobjectClass: simpleSecurityObject\n\
         uid: host1\nhost: host1.example.com\nhost: ldap.example.com\nuserPassword: of host1\n\n\
         dn: uid=visitor,ou=people,{SUFFIX}\nobjectClass: account\n\
         objectClass: simpleSecurityObject\nuid: visitor\nhost: visitor.example.com\n\
         userPassword: of visitor\n\n\
         dn: cn=servers,ou=groups,{SUFFIX}\nobjectClass: groupOfNames\ncn: servers\n\
         member: uid=host1,ou=people,{SUFFIX}\n"
    );
    let file = at.join("entries.ldif");
    std::fs::write(&file, entries).unwrap();
    let mut add = client("ldapadd", &server);
    add.args(["-x", "-D", &server.admin, "-y"]).arg(&server.password_file);
    run_checked(add.arg("-f").arg(file)).unwrap();
    server
}

fn client(program: &str, server: &Server) -> Command {
    let mut command = Command::new(program);
    command.env("LDAPTLS_CACERT", &server.ca).args(["-H", &server.ldaps]);
    command
}

fn openssl(at: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("openssl");
    command.current_dir(at).args(arguments);
    command
}

fn chancery(at: &Path, arguments: &[&str]) -> Finished {
    let mut command = Command::new(binary());
    command.current_dir(at).args(["--data", "data"]).args(arguments);
    run(&mut command).unwrap()
}

/// A key and a request for it, in `name.key` and `name.csr`.
fn request(at: &Path, name: &str, arguments: &[&str]) {
    let (key, csr) = (format!("{name}.key"), format!("{name}.csr"));
    let new = ["req", "-new", "-nodes", "-keyout", &key, "-out", &csr];
    let subject: &[&str] = if arguments.contains(&"-subj") { &[] } else { &["-subj", "/"] };
    run_checked(openssl(at, &new).args(subject).args(arguments)).unwrap();
}

const EC: [&str; 4] = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];

fn asking_for(names: &str) -> Vec<&str> {
    [&EC[..], &["-addext", names]].concat()
}

/// What the operation answers: the chain in PEM, or nothing and the reason on standard error.
fn enrol(server: &Server, uid: &str, template: &str, request: &str) -> (Vec<u8>, Finished) {
    let at = server.folder.path();
    let csr = std::fs::read_to_string(at.join(request)).unwrap();
    let value = STANDARD.encode(format!("{template}\n{csr}"));
    let mut command = client("ldapexop", server);
    let dn = format!("uid={uid},ou=people,{SUFFIX}");
    command.args(["-x", "-D", &dn, "-w", &format!("of {uid}")]);
    let said = run(command.arg(format!("{ENROL}::{value}"))).unwrap();
    // Folded as LDIF is.
    let text = said.stdout.replace("\n ", "");
    let data = text.lines().find_map(|line| line.strip_prefix("data:: ")).unwrap_or_default();
    (STANDARD.decode(data).unwrap(), said)
}

fn verify(at: &Path, arguments: &[&str], file: &str) -> Finished {
    let common = ["verify", "-CAfile", "data/ca.pem", "-untrusted", "data/ca/issuing.pem"];
    run(openssl(at, &common).args(arguments).arg(file)).unwrap()
}

fn log(at: &Path) -> Vec<Value> {
    let said = chancery(at, &["--json", "ca", "log"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    said.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_host_enrols_over_ldaps() {
    if !present("enrolment", &programs()) {
        return;
    }
    let server = started();
    let at = server.folder.path();
    request(at, "host", &asking_for("subjectAltName=DNS:host1.example.com,DNS:ldap.example.com"));
    let (chain, said) = enrol(&server, "host1", "server", "host.csr");
    assert!(said.success(), "{said:?}");
    std::fs::write(at.join("host.pem"), &chain).unwrap();
    let verified = verify(
        at,
        &["-purpose", "sslserver", "-verify_hostname", "ldap.example.com", "-x509_strict"],
        "host.pem",
    );
    assert!(verified.success(), "{verified:?}");
    // The key is the host's own, which never left it.
    let of = |arguments: &[&str]| run_checked(&mut openssl(at, arguments)).unwrap();
    let key = of(&["pkey", "-in", "host.key", "-pubout"]);
    assert_eq!(of(&["x509", "-in", "host.pem", "-noout", "-pubkey"]), key);
    let serial = of(&["x509", "-in", "host.pem", "-noout", "-serial"]);
    let serial = serial.trim().trim_start_matches("serial=").to_lowercase();
    let events = log(at);
    let event = events.last().unwrap();
    assert_eq!(event["deed"], "issued");
    assert_eq!(event["who"], format!("uid=host1,ou=people,{SUFFIX}"));
    assert_eq!(event["from"], "127.0.0.1");
    assert_eq!(event["template"], "server");
    assert_eq!(event["serial"], serial.as_str());
    assert!(at.join(format!("data/ca/issued/{serial}.pem")).exists());
}

#[test]
fn who_may_not_is_refused_and_that_is_in_the_log() {
    if !present("enrolment", &programs()) {
        return;
    }
    let server = started();
    let at = server.folder.path();
    request(at, "own", &asking_for("subjectAltName=DNS:visitor.example.com"));
    request(at, "host", &asking_for("subjectAltName=DNS:host1.example.com"));
    request(at, "other", &asking_for("subjectAltName=DNS:other.example.com"));
    request(at, "wild", &asking_for("subjectAltName=DNS:*.example.com"));
    request(at, "ca", &asking_for("basicConstraints=CA:TRUE"));
    let usage = [
        &asking_for("subjectAltName=DNS:host1.example.com")[..],
        &["-addext", "extendedKeyUsage=clientAuth"],
    ]
    .concat();
    request(at, "usage", &usage);
    request(
        at,
        "small",
        &["-newkey", "rsa:1024", "-addext", "subjectAltName=DNS:host1.example.com"],
    );
    for (uid, template, request, expected) in [
        ("visitor", "server", "own.csr", "they may not enrol for the template server"),
        ("visitor", "server", "host.key", "they may not enrol for the template server"),
        ("host1", "server", "other.csr", "the name other.example.com is not among"),
        ("host1", "server", "wild.csr", "the name *.example.com is not among"),
        ("host1", "server", "ca.csr", "asks for a CA certificate"),
        ("host1", "server", "usage.csr", "the purpose clientAuth is not one of the template's"),
        ("host1", "server", "small.csr", "key is RSA of 1024 bits; from 2048"),
        ("host1", "client", "host.csr", "the name host1.example.com is not among"),
        ("host1", "approved", "own.csr", "is issued by the operator only"),
        ("host1", "nothing", "host.csr", "there is no template \"nothing\""),
        ("host1", "server", "host.key", "it is a private key, which should never leave"),
    ] {
        let before = log(at).len();
        let (chain, said) = enrol(&server, uid, template, request);
        assert_eq!((said.success(), chain.len()), (false, 0), "{request}: {said:?}");
        assert!(said.stderr.contains("Insufficient access (50)"), "{request}: {said:?}");
        // Whether there is a template, only those learn whom it is for.
        let told = match expected {
            "they may not enrol for the template server" => {
                "there is no template \"server\" that you may enrol for"
            }
            "there is no template \"nothing\"" => {
                "there is no template \"nothing\" that you may enrol for"
            }
            other => other,
        };
        assert!(said.stderr.contains(told), "{request}: {said:?}");
        assert!(!said.stderr.contains("approved") || template == "approved", "{said:?}");
        let events = log(at);
        assert_eq!(events.len(), before + 1);
        let event = events.last().unwrap();
        assert_eq!(event["deed"], "refused");
        assert!(event["reason"].as_str().unwrap().contains(expected), "{event}");
    }
    // The group is asked each time.
    let ldif = format!(
        "dn: cn=servers,ou=groups,{SUFFIX}\nchangetype: modify\nadd: member\n\
         member: uid=visitor,ou=people,{SUFFIX}\n"
    );
    std::fs::write(at.join("change.ldif"), ldif).unwrap();
    let mut modify = client("ldapmodify", &server);
    modify.args(["-x", "-D", &server.admin, "-y"]).arg(&server.password_file);
    run_checked(modify.arg("-f").arg(at.join("change.ldif"))).unwrap();
    assert!(enrol(&server, "visitor", "server", "own.csr").1.success());
}

#[test]
fn nobody_has_more_than_so_many_in_a_day_and_a_restart_does_not_change_that() {
    if !present("enrolment", &programs()) {
        return;
    }
    let server = started();
    let templates = TEMPLATES.replace("lifetime-days = 30", "lifetime-days = 30\nper-day = 2");
    let at = server.folder.path().to_owned();
    std::fs::write(at.join("data/ca/templates.toml"), templates).unwrap();
    request(&at, "me", &EC);
    let enrol = |server: &Server, uid| enrol(server, uid, "client", "me.csr").1;
    assert!(enrol(&server, "visitor").success());
    assert!(enrol(&server, "visitor").success());
    let is_enough = |server: &Server| {
        let said = enrol(server, "visitor");
        assert!(said.stderr.contains("Administrative limit exceeded (11)"), "{said:?}");
        assert!(said.stderr.contains("you had 2 certificates of the template client"), "{said:?}");
    };
    is_enough(&server);
    let Server { mut process, folder, .. } = server;
    process.terminate().unwrap();
    let server = start_on(folder, &at.join("data")).unwrap();
    is_enough(&server);
    assert!(enrol(&server, "host1").success());
}

#[test]
fn an_enrolled_certificate_signs_its_entry_in_until_it_is_revoked() {
    if !present("enrolment", &programs()) {
        return;
    }
    let mut server = started();
    let folder = server.folder.path().to_owned();
    let at = folder.as_path();
    // The subject of the request is not taken: who one is, the directory knows.
    request(at, "me", &[&EC[..], &["-subj", "/CN=admin/DC=example"]].concat());
    let (chain, said) = enrol(&server, "visitor", "client", "me.csr");
    assert!(said.success(), "{said:?}");
    std::fs::write(at.join("me.pem"), &chain).unwrap();
    assert!(verify(at, &["-purpose", "sslclient"], "me.pem").success());
    let uri = server.ldaps.clone();
    let whoami = || {
        let mut command = Command::new("ldapwhoami");
        command.env("LDAPTLS_CACERT", at.join("data/ca.pem"));
        command.env("LDAPTLS_CERT", at.join("me.pem")).env("LDAPTLS_KEY", at.join("me.key"));
        run(command.args(["-H", &uri, "-Y", "EXTERNAL"])).unwrap()
    };
    let said = whoami();
    assert!(said.stdout.contains(&format!("dn:uid=visitor,ou=people,{SUFFIX}")), "{said:?}");
    let serial = ["x509", "-in", "me.pem", "-noout", "-serial"];
    let serial = run_checked(&mut openssl(at, &serial)).unwrap();
    let serial = serial.trim().trim_start_matches("serial=");
    assert!(chancery(at, &["ca", "revoke", serial]).success());
    // The server notices by itself.
    let waited =
        server.process.wait_until("the door is shut", |_| (!whoami().success()).then_some(()));
    waited.unwrap();
}

#[test]
fn the_operator_issues_and_revokes_beside_a_server_and_without_one() {
    if !present("ca issue", &programs()) {
        return;
    }
    let mut server = started();
    for is_served in [true, false] {
        if !is_served {
            server.process.terminate().unwrap();
        }
        let at = server.folder.path();
        let names = "subjectAltName=DNS:a.example.com,IP:192.0.2.1";
        request(at, "rsa", &["-newkey", "rsa:2048", "-addext", names]);
        request(at, "ec", &asking_for(names));
        for name in ["rsa", "ec"] {
            let (csr, pem) = (format!("{name}.csr"), format!("{name}.pem"));
            let issue = ["ca", "issue", "--template", "server", "--csr", &csr, "--output", &pem];
            if !is_served {
                let said = chancery(at, &issue);
                assert!(said.stderr.contains("is there already"), "never written over: {said:?}");
                std::fs::remove_file(at.join(&pem)).unwrap();
            }
            let said = chancery(at, &issue);
            assert_eq!(said.code, Some(1), "{said:?}");
            assert!(said.stderr.contains("the name a.example.com is not among"), "{said:?}");
            assert!(said.stderr.contains("the name 192.0.2.1 is not among"), "{said:?}");
            let said = chancery(at, &[&issue[..], &["--any-name"]].concat());
            assert_eq!(said.code, Some(0), "{said:?}");
            let good = verify(at, &["-verify_ip", "192.0.2.1", "-x509_strict"], &pem);
            assert!(good.success(), "{good:?}");
        }
        let dn = format!("uid=host1,ou=people,{SUFFIX}");
        request(at, "client", &EC);
        let issue = ["ca", "issue", "--template", "approved", "--csr", "client.csr"];
        let said = chancery(at, &[&issue[..], &["--for", &dn]].concat());
        assert!(said.success(), "{said:?}");
        revoked(at);
    }
}

/// `rsa.pem` is revoked, `ec.pem` is not, and OpenSSL sees it so.
fn revoked(at: &Path) {
    let serial = ["x509", "-in", "rsa.pem", "-noout", "-serial"];
    let serial = run_checked(&mut openssl(at, &serial)).unwrap();
    let serial = serial.trim().trim_start_matches("serial=");
    let said = chancery(at, &["ca", "crl", "--renew"]);
    assert!(said.stdout.starts_with("-----BEGIN X509 CRL-----"), "{said:?}");
    let check = ["-crl_check", "-CRLfile", "data/ca/crl.pem"];
    assert!(verify(at, &check, "rsa.pem").success());
    let said = chancery(at, &["ca", "revoke", serial, "--reason", "keyCompromise"]);
    assert!(said.success(), "{said:?}");
    let refused = verify(at, &check, "rsa.pem");
    assert!(refused.stderr.contains("certificate revoked"), "{refused:?}");
    let good = verify(at, &check, "ec.pem");
    assert!(good.success(), "{good:?}");
    let list = ["crl", "-in", "data/ca/crl.pem", "-CAfile", "data/ca/issuing.pem", "-text"];
    let said = run(openssl(at, &list).arg("-noout")).unwrap();
    assert!(said.stderr.contains("verify OK"), "{said:?}");
    assert!(said.stdout.contains("Key Compromise"), "{said:?}");
    assert!(said.stdout.contains("X509v3 CRL Number"), "{said:?}");
    let again = chancery(at, &["ca", "revoke", serial]);
    assert!(again.stdout.contains("it was revoked before"), "{again:?}");
}

#[test]
fn a_dangerous_template_is_found_and_off() {
    if !present("template lint", &programs()) {
        return;
    }
    let server = started();
    let at = server.folder.path();
    let said = chancery(at, &["ca", "template", "lint"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!(said.stdout, "nothing to say against server, client, approved\n");
    let dangerous =
        TEMPLATES.replace("enrol = [\"self\"]", "enrol = [\"self\"]\nsubject = \"request\"");
    std::fs::write(at.join("data/ca/templates.toml"), dangerous).unwrap();
    let said = chancery(at, &["ca", "template", "lint"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.stdout.contains("refused: subject-from-requester (template client)"), "{said:?}");
    assert!(said.stdout.contains("off until that is mended: client"), "{said:?}");
    let said = chancery(at, &["--json", "ca", "template", "lint"]);
    let json: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(json["findings"][0]["rule"], "subject-from-requester");
    request(at, "me", &[&EC[..], &["-subj", "/CN=admin"]].concat());
    let (_, said) = enrol(&server, "visitor", "client", "me.csr");
    assert!(said.stderr.contains("off, because it is dangerous"), "{said:?}");
    let said = chancery(at, &["ca", "status"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.stdout.contains("template-refused: the certificate template client"), "{said:?}");
}
