//! A chain that a server does not send, completed from where its certificates say.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use testing::certificates::authority;
use testing::peers::chancery::{binary, peer};
use testing::peers::missing::{Peer, present};
use testing::process::run_checked;

use super::{doctor, json};

fn openssl(at: &Path, arguments: &[&str]) {
    run_checked(Command::new("openssl").current_dir(at).args(arguments)).unwrap();
}

/// `name.pem`, signed by `issuer`, with these extensions.
fn issued(at: &Path, name: &str, issuer: &str, extensions: &str) {
    let file = |ending: &str| format!("{name}.{ending}");
    std::fs::write(at.join(file("ext")), extensions).unwrap();
    let (key, request, subject) = (file("key"), file("csr"), format!("/O=Corp/CN={name}"));
    let curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    let rest = ["-subj", &subject, "-keyout", &key, "-out", &request];
    openssl(at, &[&["req"][..], &curve, &rest].concat());
    let (ca, ca_key) = (format!("{issuer}.pem"), format!("{issuer}.key"));
    let sign = ["x509", "-req", "-days", "300", "-in", &request, "-CA", &ca, "-CAkey", &ca_key];
    let (texts, out) = (file("ext"), file("pem"));
    openssl(at, &[&sign[..], &["-CAcreateserial", "-extfile", &texts, "-out", &out]].concat());
}

/// A web server that answers each request with this.
fn published(content: Vec<u8>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let number = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let Ok(mut socket) = socket else { return };
            let _ = socket.read(&mut [0; 1024]);
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", content.len());
            let _ = socket.write_all(head.as_bytes()).and_then(|()| socket.write_all(&content));
        }
    });
    number
}

/// Runs a command on a terminal, and answers its one question.
const TERMINAL: &str = r#"
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[2], sys.argv[2:])
said = b""
try:
    while True:
        said += os.read(terminal, 1024)
        if b"[yes/no]" in said:
            os.write(terminal, sys.argv[1].encode() + b"\n")
            said = b""
except OSError:
    pass
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"#;

#[test]
fn what_is_not_sent_is_fetched_shown_and_written_when_it_is_confirmed() {
    let openssl_there = Peer::program("openssl", "/usr/bin/openssl");
    let python = Peer::program("python3", "/usr/bin/python3");
    if !present("chains to complete", &[peer(), openssl_there, python]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let path = |name: &str| at.join(name).display().to_string();
    authority(at).unwrap();
    let ca = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n";
    issued(at, "issuing", "ca", ca);
    openssl(at, &["x509", "-in", "issuing.pem", "-outform", "DER", "-out", "issuing.der"]);
    let number = published(std::fs::read(at.join("issuing.der")).unwrap());
    let own = format!(
        "extendedKeyUsage=serverAuth\nsubjectAltName=DNS:dc1.corp.example\n\
         authorityInfoAccess=caIssuers;URI:http://127.0.0.1:{number}/issuing.crt\n"
    );
    issued(at, "own", "issuing", &own);
    let (chain, root, out) = (path("own.pem"), path("ca.pem"), path("bundle.pem"));
    let asked = ["--offline", &chain, "--ca", &root, "--bundle", &out];
    let unconfirmed = doctor(&asked);
    assert_eq!(unconfirmed.code, Some(1), "{}{}", unconfirmed.stdout, unconfirmed.stderr);
    assert!(!at.join("bundle.pem").exists(), "nobody has confirmed it");
    let fingerprint = ["x509", "-in", "issuing.pem", "-noout", "-fingerprint", "-sha256"];
    let fingerprint = run_checked(Command::new("openssl").current_dir(at).args(fingerprint));
    let fingerprint = fingerprint.unwrap();
    let fingerprint = fingerprint.trim().rsplit('=').next().unwrap();
    assert!(unconfirmed.stdout.contains(fingerprint), "{}", unconfirmed.stdout);
    assert!(unconfirmed.stdout.contains(&format!("from http://127.0.0.1:{number}/issuing.crt")));
    let written = doctor(&[&asked[..], &["--yes"]].concat());
    assert_eq!(written.code, Some(0), "{}{}", written.stdout, written.stderr);
    assert!(written.stdout.contains("a client accepts the certificate"), "{}", written.stdout);
    // The issuing CA, then the root: and OpenSSL finds the way with nothing but these.
    let text = std::fs::read_to_string(&out).unwrap();
    let read = |name: &str| std::fs::read_to_string(at.join(name)).unwrap();
    assert_eq!(text, read("issuing.pem") + &read("ca.pem"));
    openssl(at, &["verify", "-CAfile", "bundle.pem", "-purpose", "sslserver", "own.pem"]);
    // On a terminal somebody is asked, and anything but yes is a no.
    for (answer, code) in [("no", 1), ("yes", 0)] {
        std::fs::remove_file(&out).ok();
        let terminal = Command::new("/usr/bin/python3")
            .args(["-c", TERMINAL, answer])
            .arg(binary())
            .arg("doctor")
            .args(asked)
            .output()
            .unwrap();
        assert_eq!(terminal.status.code(), Some(code), "{answer}: {terminal:?}");
        assert_eq!(at.join("bundle.pem").exists(), answer == "yes", "{answer}");
    }
    // Without the root it is said what is missing, and that is no success.
    let other = path("other.pem");
    let without = doctor(&["--offline", &chain, "--bundle", &other, "--yes", "--json"]);
    assert_eq!(without.code, Some(1), "{}{}", without.stdout, without.stderr);
    let all = json(&without);
    assert_eq!((&all["missing"], &all["written"]), (&"CN=Suite CA".into(), &true.into()));
    assert_eq!(all["certificates"].as_array().unwrap().len(), 1);
}
