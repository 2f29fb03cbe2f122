//! `chancery doctor` on servers that are wrong in one known way: the right cause comes first. And
//! on servers that are well: nothing is said against them.

use std::io::Read;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use testing::peers::chancery::{binary, peer};
use testing::peers::missing::{Peer, present};
use testing::peers::{SUFFIX, Server, Subject, port};
use testing::ports;
use testing::process::{Finished, Process, run};

use super::certificates::{CASES, NAME, make, root};

fn doctor(arguments: &[&str]) -> Finished {
    run(Command::new(binary()).arg("doctor").args(arguments)).unwrap()
}

/// What it says first.
fn first(said: &Finished) -> String {
    said.stdout.split_whitespace().nth(1).unwrap_or_default().to_owned()
}

#[track_caller]
fn expect(what: &str, said: &Finished, code: &str) {
    assert_eq!(first(said), code, "{what}: {}{}", said.stdout, said.stderr);
    assert_eq!(said.code, Some(2), "{what}");
    assert!(said.stdout.lines().count() <= 25 && said.stdout.contains("fix: "), "{}", said.stdout);
}

fn tools(test: &str) -> bool {
    present(test, &[peer(), Peer::program("openssl", "/usr/bin/openssl")])
}

/// OpenSSL's server with `own.pem` of the folder; it speaks TLS and no LDAP.
fn s_server(at: &Path, is_sent: bool, more: &[&str]) -> (Process, u16) {
    let [number] = ports::free().unwrap();
    let mut command = Command::new("openssl");
    command.current_dir(at).args(["s_server", "-accept", &format!("127.0.0.1:{number}")]);
    command.args(["-cert", "own.pem", "-key", "own.key", "-quiet", "-no_dhe"]);
    if is_sent {
        command.args(["-cert_chain", "issuing.pem"]);
    }
    let mut server = Process::start("s_server", at, command_with(command, more)).unwrap();
    server.wait_for_port(number).unwrap();
    (server, number)
}

fn command_with(mut command: Command, more: &[&str]) -> Command {
    command.args(more);
    command
}

fn looked_at(at: &Path, number: u16) -> Finished {
    let (target, address) = (format!("ldaps://{NAME}:{number}"), format!("127.0.0.1:{number}"));
    let ca = at.join("root.pem").display().to_string();
    doctor(&[&target, "--address", &address, "--ca", &ca, "--timeout", "1"])
}

#[test]
fn every_fault_of_a_certificate_is_named_first() {
    if !tools("the doctor and certificates") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    root(at);
    for case in CASES {
        make(at, case);
        // Weak ones are served by those who do not mind.
        let (_server, number) = s_server(at, case.is_sent, &["-cipher", "DEFAULT:@SECLEVEL=0"]);
        expect(case.what, &looked_at(at, number), case.doctor);
    }
}

#[test]
fn faults_of_the_handshake() {
    if !tools("the doctor and handshakes") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    root(at);
    make(at, CASES.first().unwrap());
    for (what, more, code) in [
        ("client certificates", &["-Verify", "1", "-verify_return_error"][..], "MTLS"),
        ("the same in TLS 1.2", &["-Verify", "1", "-tls1_2"], "MTLS"),
        ("TLS 1.1", &["-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0"], "TLS-VERSION"),
    ] {
        let (_server, number) = s_server(at, true, more);
        expect(what, &looked_at(at, number), code);
    }
}

#[test]
fn faults_below_tls() {
    if !tools("the doctor and networks") {
        return;
    }
    let [closed] = ports::free().unwrap();
    expect("closed", &doctor(&[&format!("ldaps://localhost:{closed}")]), "TCP-REFUSED");
    expect("no name", &doctor(&["ldaps://nowhere.invalid"]), "DNS");
    // As a domain controller without a certificate does it.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let number = listener.local_addr().unwrap().port();
    let hangs_up = std::thread::spawn(move || {
        for _ in 0..2 {
            let (mut socket, _) = listener.accept().unwrap();
            let _ = socket.read(&mut [0; 5]);
        }
    });
    let said = doctor(&[&format!("ldaps://127.0.0.1:{number}")]);
    expect("hangs up", &said, "NO-LDAPS-CERT");
    hangs_up.join().unwrap();
    let endless = doctor(&["ldaps://localhost", "--ca", "/dev/zero"]);
    assert_eq!(endless.code, Some(2));
    assert!(endless.stderr.contains("larger than 16 MiB"), "{}", endless.stderr);
    let mixed = doctor(&["ldaps://dc1.corp.example:389"]);
    assert_eq!(mixed.code, Some(2));
    assert!(mixed.stderr.contains("mix-up"), "{}", mixed.stderr);
}

#[test]
fn servers_that_are_well_and_the_wrong_ports_of_them() {
    for subject in Subject::ALL {
        if !present("the doctor and directories", &[subject.program(), peer()]) {
            continue;
        }
        let server = subject.start().unwrap();
        let ca = server.ca.display().to_string();
        for uri in [&server.ldaps, &server.ldap] {
            let said = doctor(&[uri, "--ca", &ca]);
            assert!(said.stdout.starts_with('✓'), "{uri}: {}{}", said.stdout, said.stderr);
            // The suite's own CA makes certificates for two days.
            let is_short = subject == Subject::Slapd;
            assert_eq!(said.stdout.contains("! EXPIRY"), is_short, "{}", said.stdout);
            assert_eq!(said.code, Some(i32::from(is_short)));
        }
        let wrong = format!("ldaps://localhost:{}", port(&server.ldap));
        expect("the port of StartTLS", &doctor(&[&wrong, "--ca", &ca]), "SCHEME-MIX");
        let wrong = format!("ldap://localhost:{}", port(&server.ldaps));
        expect("the port of LDAPS", &doctor(&[&wrong, "--ca", &ca]), "SCHEME-MIX");
        let address = format!("127.0.0.1:{}", port(&server.ldaps));
        let other = doctor(&["ldaps://other.example", "--address", &address, "--ca", &ca]);
        expect("another name", &other, "NAME-MISMATCH");
        expect("a CA that is not known", &doctor(&[&server.ldaps]), "TRUST-CA");
        saved_facts(&server.ldaps);
        applications(&server);
        // One address is well and one is not.
        let [closed] = ports::free().unwrap();
        let closed = format!("127.0.0.1:{closed}");
        let one =
            doctor(&[&server.ldaps, "--address", &address, "--address", &closed, "--ca", &ca]);
        expect("one of two", &one, "ONE-BAD-NODE");
        assert!(one.stdout.contains("TCP-REFUSED"), "{}", one.stdout);
    }
}

/// Facts that were saved are judged as they were when they were seen.
fn saved_facts(target: &str) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("facts.json");
    let path = file.display().to_string();
    let seen = doctor(&[target, "--save", &path]);
    let again = doctor(&["--facts", &path]);
    assert_eq!((again.stdout, again.code), (seen.stdout, seen.code));
    let newer = std::fs::read_to_string(&file).unwrap().replace("\"version\": 1", "\"version\": 2");
    std::fs::write(&file, newer).unwrap();
    let refused = doctor(&["--facts", &path]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("facts.json: these are no facts"), "{}", refused.stderr);
}

/// The sign-in and the search of an application.
fn applications(server: &Server) {
    let folder = tempfile::tempdir().unwrap();
    let password = folder.path().join("password");
    let write = |text: &str| {
        std::fs::write(&password, text).unwrap();
        let private = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(&password, private).unwrap();
    };
    let (ca, file) = (server.ca.display().to_string(), password.display().to_string());
    let tries = |base: &str, filter: &str| {
        let who = ["--as", &server.admin, "--password-file", &file];
        let what = ["--base", base, "--filter", filter];
        doctor(&[&[&server.ldaps, "--ca", &ca], &who[..], &what[..]].concat())
    };
    write(&server.password().unwrap());
    let well = tries(SUFFIX, "(dc=example)");
    assert!(well.stdout.contains("finds 1, "), "{}{}", well.stdout, well.stderr);
    let nothing = tries(SUFFIX, "(cn=nobody)");
    assert_eq!(nothing.code, Some(1));
    assert!(nothing.stdout.contains("! SEARCH-SHAPE"), "{}", nothing.stdout);
    let base = tries(&format!("ou=none,{SUFFIX}"), "(cn=a)");
    expect("no such base", &base, "SEARCH-SHAPE");
    assert!(base.stdout.contains(&format!("nearest that is there: {SUFFIX}")), "{}", base.stdout);
    write("wrong");
    let wrong = tries(SUFFIX, "(dc=example)");
    expect("a wrong password", &wrong, "AUTH");
}
