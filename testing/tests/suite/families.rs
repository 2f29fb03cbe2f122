//! Who would accept a certificate: what we say of each family, beside what the family does.
//!
//! - `cases`: the certificates. `authorities`: who issues them. `making`: makes and serves them.
//! - `peers`: the families.

mod authorities;
mod cases;
mod making;
mod peers;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use cases::{CASES, Case};
use peers::{Said, Served};
use pki::judge::families::{Acceptance, Client, Sent, acceptance};
use pki::judge::names::ServedName;
use pki::pem;
use testing::peers::missing::{Peer, present};
use testing::process::run;
use time::OffsetDateTime;

/// Those that can be had, and the program that has to be there.
const FAMILIES: [(Client, &str); 7] = [
    (Client::OpenSsl1, "openssl"),
    (Client::OpenSsl2, "openssl"),
    (Client::GnuTls, "gnutls-cli"),
    (Client::Java, "java"),
    (Client::Go, "go"),
    (Client::Rustls, "openssl"),
    (Client::Nss, "tstclnt"),
];

fn peer(name: &str) -> Peer {
    Peer::program(name, format!("/usr/bin/{name}"))
}

#[test]
fn every_family_does_as_we_say() {
    if !present("families", &[peer("openssl"), peer("faketime")]) {
        return;
    }
    let here = |program: &str| present(&format!("families: {program}"), &[peer(program)]);
    let families = FAMILIES.iter().filter(|(_, program)| here(program));
    let families: Vec<Client> = families.map(|(client, _)| *client).collect();
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    making::authorities(at);
    let mut servers = Vec::new();
    let mut all = Vec::new();
    for (number, case) in CASES.iter().enumerate() {
        let file = format!("case-{number}");
        let trusted = making::certificate(at, &file, case);
        let (server, port) = making::serve(at, &file, case);
        servers.push(server);
        all.push(Served { what: case.what, name: case.name, port, trusted, file });
    }
    for (server, served) in servers.iter_mut().zip(&all) {
        server.wait_for_port(served.port).unwrap();
    }
    let theirs = theirs(at, &all, &families);
    let mut wrong = 0;
    let mut table = String::new();
    for served in &all {
        for ours in ours(at, served) {
            let Some(said) = theirs.get(&(served.what, ours.family.to_string(), ours.level)) else {
                continue;
            };
            let mark = if ours.accepts == said.is_none() { ' ' } else { '!' };
            wrong += usize::from(mark == '!');
            writeln!(
                table,
                "{mark} {} | {} {:?} | ours: {} {} | theirs: {}",
                served.what,
                ours.family,
                ours.level,
                ours.accepts,
                ours.reason,
                said.as_deref().unwrap_or("accepted")
            )
            .unwrap();
        }
    }
    if present("families: the doctor", &[testing::peers::chancery::peer()]) {
        the_doctor_says_so(at, &all);
    }
    let compared = theirs.len();
    assert_eq!(compared, CASES.len() * families.len(), "none is left out");
    assert!(wrong == 0, "{table}\n{wrong} of {compared} are not as we say");
}

type Theirs = BTreeMap<(&'static str, String, Option<u8>), Said>;

fn key(what: &'static str, client: Client) -> (&'static str, String, Option<u8>) {
    (what, client.family().to_string(), client.level())
}

/// What each family does with each case.
fn theirs(at: &Path, all: &[Served], families: &[Client]) -> Theirs {
    if families.contains(&Client::Nss) {
        peers::nss_databases(at, all.iter());
    }
    let list = |served: &Served| {
        format!("{}\t{}\t{}\t{}\n", served.what, served.port, served.name, served.trusted)
    };
    std::fs::write(at.join("list"), all.iter().map(list).collect::<String>()).unwrap();
    let clients = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients");
    let mut theirs = Theirs::new();
    std::thread::scope(|scope| {
        let many = [
            (Client::Java, java(at, clients.join("Accepts.java"))),
            (Client::Go, go(at, clients.join("accepts.go"))),
        ];
        let many = many.into_iter().filter(|(client, _)| families.contains(client));
        let many: Vec<_> = many
            .map(|(client, command)| (client, scope.spawn(move || peers::many(command))))
            .collect();
        for served in all {
            for client in families {
                let said = match client {
                    Client::OpenSsl1 => peers::openssl(at, served, 1),
                    Client::OpenSsl2 => peers::openssl(at, served, 2),
                    Client::GnuTls => peers::gnutls(at, served),
                    Client::Nss => peers::nss(at, served),
                    Client::Rustls => peers::rustls(at, served),
                    Client::Java | Client::Go | Client::Schannel => continue,
                };
                theirs.insert(key(served.what, *client), said);
            }
        }
        for (client, said) in many {
            let mut said = said.join().unwrap();
            for served in all {
                theirs.insert(key(served.what, client), said.remove(served.what).unwrap());
            }
        }
    });
    // A server that is not there refuses nobody.
    for ((what, family, _), said) in &theirs {
        let said = said.as_deref().unwrap_or_default().to_lowercase();
        let is_lost = said.contains("connection refused") || said.contains("timed out");
        assert!(!is_lost, "{what}: {family} has not reached it: {said}");
    }
    theirs
}

fn java(at: &Path, source: PathBuf) -> Command {
    let mut command = Command::new("java");
    command.current_dir(at).arg(source).arg("list");
    command
}

fn go(at: &Path, source: PathBuf) -> Command {
    let mut command = Command::new("go");
    command.current_dir(at).arg("run").arg(source).arg("list");
    command
}

fn ours(at: &Path, served: &Served) -> Vec<Acceptance> {
    let read = |name: &str| {
        let text = std::fs::read(at.join(name)).unwrap();
        if text.is_empty() { Vec::new() } else { pem::certificates(&text).unwrap() }
    };
    let mut chain = read(&format!("{}.pem", served.file));
    chain.extend(read(&format!("{}.chain", served.file)));
    let roots = read(&served.trusted);
    let name = ServedName::parse(served.name).unwrap();
    let sent = Sent { chain: &chain, name: &name, roots: Some(&roots) };
    acceptance(&sent, OffsetDateTime::now_utc())
}

/// In its report and in its JSON, for certificates of each sort.
fn the_doctor_says_so(at: &Path, all: &[Served]) {
    for (what, begins, holds) in [
        ("good", "i would accept: OpenSSL ✓ GnuTLS ✓ Java ✓ Go ✓ rustls ✓ Windows ✓ NSS ✓", ""),
        (
            "CN only",
            "i would accept: OpenSSL ✓ GnuTLS ✓ Java ✓ Go ✗ rustls ✗",
            "Go, rustls: the name",
        ),
        (
            "key RSA 1024",
            "i would accept: OpenSSL ✓ (level 2 ✗)",
            "OpenSSL level 2, rustls: RSA 1024",
        ),
        ("expired", "i would accept: nobody: it ended on ", ""),
        ("Samba", "i would accept Samba's own certificate: OpenSSL ✓", "NSS: two certificates"),
    ] {
        let served = all.iter().find(|served| served.what == what).unwrap();
        let target = format!("ldaps://{}:{}", served.name, served.port);
        let address = format!("127.0.0.1:{}", served.port);
        let doctor = |json: &[&str]| {
            let mut command = Command::new(testing::peers::chancery::binary());
            command.current_dir(at).args(json).args(["doctor", &target, "--address", &address]);
            command.args(["--ca", &served.trusted, "--timeout", "1"]);
            run(&mut command).unwrap().stdout
        };
        let said = doctor(&[]);
        assert!(said.lines().any(|line| line.starts_with(begins)), "{what}: {said}");
        assert!(said.contains(holds) && said.lines().count() <= 25, "{what}: {said}");
        let said: serde_json::Value = serde_json::from_str(&doctor(&["--json"])).unwrap();
        let ours = serde_json::to_value(ours(at, served)).unwrap();
        assert_eq!(said["acceptance"], ours, "{what}");
        assert_eq!(ours.as_array().unwrap().len(), Client::ALL.len(), "{what}");
        let mut check = Command::new(testing::peers::chancery::binary());
        check.current_dir(at).args(["cert", "check", &format!("{}.sent", served.file)]);
        let sent = [format!("{}.pem", served.file), format!("{}.chain", served.file)];
        let sent = sent.map(|file| std::fs::read_to_string(at.join(file)).unwrap()).concat();
        std::fs::write(at.join(format!("{}.sent", served.file)), sent).unwrap();
        let said = run(check.args(["--name", served.name, "--root", &served.trusted])).unwrap();
        let (_, marks) = begins.split_once(": ").unwrap();
        let line = format!("{} would be accepted by: {marks}", served.name);
        assert!(said.stdout.contains(&line), "{what}: {said:?}");
    }
}

/// Each is told by its name.
#[test]
fn no_two_cases_have_one_name() {
    let names: std::collections::BTreeSet<&str> =
        CASES.iter().map(|case: &Case| case.what).collect();
    assert_eq!(names.len(), CASES.len());
}
