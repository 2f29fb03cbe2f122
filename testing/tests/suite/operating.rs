//! A server in operation: reload, the end, and what systemd hands over and is told.

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use testing::peers::chancery::{peer, serve, start_command};
use testing::peers::missing::{Peer, present};
use testing::peers::{SUFFIX, Server, port};
use testing::process::Process;
use testing::wire::Connection;
use testing::wire::raw::message;
use testing::wire::request::{BASE, add_person, modify, search};

const DEADLINE: Duration = Duration::from_secs(60);

fn folder() -> TempDir {
    tempfile::Builder::new().prefix("chancery-").tempdir().unwrap()
}

/// Started with a configuration file that the test goes on to edit.
fn start(test: &str, config: &str) -> Option<Server> {
    if !present(test, &[peer()]) {
        return None;
    }
    let folder = folder();
    let file = folder.path().join("chancery.toml");
    std::fs::write(&file, config).unwrap();
    let data = folder.path().join("data");
    let mut command = serve(&data);
    command.arg("--config").arg(file);
    Some(start_command(folder, &data, command).unwrap())
}

/// Sends SIGHUP and waits until the server has said `words` once more than before.
fn reload(server: &mut Server, words: &str) {
    let count = |process: &Process| process.output().matches(words).count();
    let before = count(&server.process);
    server.process.signal("HUP").unwrap();
    server.process.wait_until(words, |process| (count(process) > before).then_some(())).unwrap();
}

const DONE: &str = "reloaded schema, access rules and certificate";
const NOT_DONE: &str = "not reloaded, the old stays in force";

/// Whether an attribute can be written, which it can when the schema has it.
fn can_write(server: &Server, attribute: &str) -> bool {
    let mut admin = server.connect_as_admin().unwrap();
    let write = modify(&format!("uid=x,{SUFFIX}"), &[(2, attribute, &[b"1"])]);
    admin.ask(&write, &[]).unwrap().code == 0
}

#[test]
fn a_schema_file_dropped_in_counts_after_sighup_and_a_broken_one_does_not() {
    let Some(mut server) = start("schema reload", "") else { return };
    let mut admin = server.connect_as_admin().unwrap();
    let add = add_person(&format!("uid=x,{SUFFIX}"), "x", &[]);
    admin.ask(&add, &[]).unwrap().expect_success("add").unwrap();
    let schema = server.folder.path().join("data/schema");
    std::fs::create_dir_all(&schema).unwrap();
    let text = "attributetype ( 1.3.6.1.4.1.99999.1 NAME 'badge' EQUALITY caseIgnoreMatch \
        SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )\n\
        objectclass ( 1.3.6.1.4.1.99999.2 NAME 'badgeHolder' SUP top AUXILIARY MAY badge )\n";
    std::fs::write(schema.join("badge.schema"), text).unwrap();
    assert!(!can_write(&server, "badge"));
    reload(&mut server, DONE);
    let class = modify(&format!("uid=x,{SUFFIX}"), &[(0, "objectClass", &[b"badgeHolder"])]);
    admin.ask(&class, &[]).unwrap().expect_success("the new class").unwrap();
    assert!(can_write(&server, "badge"));
    let subschema = search("cn=schema", BASE, "(objectClass=*)", &["attributeTypes"]);
    let told = admin.ask(&subschema, &[]).unwrap();
    let types = &told.entries[0].attributes[0].1;
    assert!(types.iter().any(|one| String::from_utf8_lossy(one).contains("'badge'")));

    std::fs::write(schema.join("broken.schema"), "attributetype ( 1.2 NAME badge\n").unwrap();
    reload(&mut server, NOT_DONE);
    let output = server.process.output();
    let line = output.lines().find(|line| line.contains(NOT_DONE)).unwrap();
    assert!(line.contains("broken.schema"), "{line}");
    assert!(can_write(&server, "badge"), "the old schema is still in force");
}

#[test]
fn access_rules_are_replaced_live() {
    let rules = "anonymous = 'search'\n[[access]]\nwho = 'signed-in'\nmay = 'manage'\n\
        [[access]]\nwho = 'anyone'\nmay = 'auth'\nattributes = '@secrets'\n";
    let Some(mut server) = start("access reload", rules) else { return };
    let mut anybody = server.connect().unwrap();
    let mut sees = || {
        let answer = anybody.ask(&search(SUFFIX, BASE, "(objectClass=*)", &[]), &[]).unwrap();
        answer.entries.len()
    };
    assert_eq!(sees(), 0);
    let file = server.folder.path().join("chancery.toml");
    let open = format!("{rules}[[access]]\nwho = 'anyone'\nmay = 'read'\n");
    std::fs::write(&file, &open).unwrap();
    reload(&mut server, DONE);
    assert_eq!(sees(), 1, "on a connection that was open before");
    std::fs::write(&file, format!("{rules}[[access]]\nwho = 'nobody'\nmay = 'read'\n")).unwrap();
    reload(&mut server, NOT_DONE);
    assert_eq!(sees(), 1, "a wrong rule leaves the old in force");
    std::fs::write(&file, rules).unwrap();
    reload(&mut server, DONE);
    assert_eq!(sees(), 0);
}

#[test]
fn a_certificate_is_replaced_live_and_a_broken_one_is_not_served() {
    let Some(mut server) = start("certificate reload", "") else { return };
    let openssl = Peer::program("openssl", "/usr/bin/openssl");
    if !present("certificate reload", &[openssl]) {
        return;
    }
    let data = server.folder.path().join("data");
    let other = server.folder.path().join("other");
    std::fs::create_dir(&other).unwrap();
    let ca = testing::certificates::authority(&other).unwrap();
    let made = testing::certificates::server(&other, &ca).unwrap();
    let mut before = server.connect_as_admin().unwrap();
    let replace = |name: &str, from: &Path| {
        // Replaced as a whole and still for its owner only.
        let path = data.join(name);
        std::fs::write(&path, std::fs::read(from).unwrap()).unwrap();
    };
    replace("server.key", &made.key);
    replace("server.pem", &made.certificate);
    reload(&mut server, DONE);
    let number = port(&server.ldaps);
    let mut after = Connection::open(number, &ca.certificate).unwrap();
    let whoami = testing::wire::request::who_am_i();
    after.ask(&whoami, &[]).unwrap().expect_success("trusting the new CA").unwrap();
    before.ask(&whoami, &[]).unwrap().expect_success("a connection from before").unwrap();
    assert!(server.connect().and_then(|mut old| old.ask(&whoami, &[])).is_err(), "the old CA");
    std::fs::write(data.join("server.pem"), "broken\n").unwrap();
    reload(&mut server, NOT_DONE);
    let mut still = Connection::open(number, &ca.certificate).unwrap();
    still.ask(&whoami, &[]).unwrap().expect_success("what works goes on").unwrap();
}

#[test]
fn a_stop_answers_what_is_in_flight_and_says_goodbye() {
    let Some(mut server) = start("graceful stop", "") else { return };
    const WRITES: i64 = 60;
    let mut writer = server.connect_as_admin().unwrap();
    let mut idle = server.connect_as_admin().unwrap();
    let batch: Vec<u8> = (0..WRITES)
        .flat_map(|number| {
            let uid = format!("w{number}");
            message(number + 100, &add_person(&format!("uid={uid},{SUFFIX}"), &uid, &[]), &[])
        })
        .collect();
    writer.send(&batch).unwrap();
    // The first answer is here, so the rest is on its way through the server.
    let mut said = vec![writer.next_said().unwrap().unwrap()];
    server.process.signal("TERM").unwrap();
    said.extend(writer.all_said().unwrap());
    let goodbye = said.pop().unwrap();
    assert!(goodbye.is_notice && goodbye.code == Some(52), "{goodbye:?}");
    let answered: Vec<i64> =
        said.iter().filter(|said| said.code == Some(0)).map(|s| s.id).collect();
    assert_eq!(answered.len(), said.len(), "{said:?}");
    let goodbye = idle.all_said().unwrap();
    assert!(goodbye.len() == 1 && goodbye[0].is_notice, "{goodbye:?}");
    assert!(server.process.terminate().unwrap().success());

    let Server { process, folder, .. } = server;
    drop(process);
    let data = folder.path().join("data");
    let again = start_command(folder, &data, serve(&data)).unwrap();
    let mut admin = again.connect_as_admin().unwrap();
    for number in 0..WRITES {
        let dn = format!("uid=w{number},{SUFFIX}");
        let code = admin.ask(&search(&dn, BASE, "(objectClass=*)", &[]), &[]).unwrap().code;
        let was_answered = answered.contains(&(number + 100));
        assert!(!was_answered || code == 0, "w{number} was answered and is not there");
    }
}

#[test]
fn systemd_is_told_when_it_is_ready_reloading_and_stopping() {
    if !present("notify", &[peer()]) {
        return;
    }
    let folder = folder();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    let data = folder.path().join("data");
    let mut command = serve(&data);
    command.env("NOTIFY_SOCKET", &path);
    let mut server = start_command(folder, &data, command).unwrap();
    let wait_for = |word: &str| {
        let mut buffer = [0; 1024];
        loop {
            let count = socket.recv(&mut buffer).unwrap_or_else(|error| panic!("{word}: {error}"));
            let told = String::from_utf8_lossy(&buffer[..count]).into_owned();
            if told.lines().any(|line| line == word) {
                return told;
            }
        }
    };
    wait_for("READY=1");
    server.connect_as_admin().unwrap();
    server.process.signal("HUP").unwrap();
    // One datagram: systemd wants the time with the word (Type=notify-reload).
    let told = wait_for("RELOADING=1");
    assert!(told.contains("MONOTONIC_USEC="), "{told}");
    wait_for("READY=1");
    server.process.signal("TERM").unwrap();
    wait_for("STOPPING=1");
    assert!(server.process.terminate().unwrap().success());
}

#[test]
fn a_socket_that_systemd_opened_is_served() {
    let activate = Peer::program("systemd-socket-activate", "/usr/bin/systemd-socket-activate");
    if !present("socket activation", &[peer(), activate]) {
        return;
    }
    let folder = folder();
    let data = folder.path().join("data");
    let [free] = testing::ports::free::<1>().unwrap();
    let plain = serve(&data);
    let mut command = Command::new("systemd-socket-activate");
    command.arg("--listen").arg(format!("127.0.0.1:{free}")).arg(plain.get_program());
    command.args(plain.get_args());
    let mut process = Process::start("chancery", folder.path(), command).unwrap();
    // It starts the server when somebody comes, and the server answers that one.
    let deadline = Instant::now() + DEADLINE;
    while std::net::TcpStream::connect(("127.0.0.1", free)).is_err() {
        assert!(Instant::now() < deadline);
        std::thread::yield_now();
    }
    let uri = format!("listening on ldaps://127.0.0.1:{free}");
    process.wait_for_line(|line| (line == uri).then_some(())).unwrap();
    let mut connection = Connection::open(free, &data.join("ca.pem")).unwrap();
    let password = std::fs::read_to_string(data.join("admin.password")).unwrap();
    let bound = connection.bind(&format!("cn=admin,{SUFFIX}"), &password).unwrap();
    assert_eq!(bound.code, 0, "{}", bound.diagnostic);
    let out = std::fs::read_to_string(folder.path().join("chancery.out")).unwrap();
    assert_eq!(out.matches("ldaps://").count() - out.matches("-H ldaps://").count(), 1, "{out}");
}
