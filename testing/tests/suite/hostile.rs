//! Clients that mean no good, against the started binary: broken messages, broken TLS, floods,
//! readers that do not read. After each, somebody else's connection works and a new one as well.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use testing::peers::chancery::{peer, start_configured};
use testing::peers::missing::present;
use testing::peers::{SUFFIX, Server, port};
use testing::wire::Connection;
use testing::wire::ber::{element, octets};
use testing::wire::raw::{Said, message};
use testing::wire::request::{
    BASE, SUBTREE, abandon, add_person, search, search_encoded, who_am_i,
};

/// Nothing here takes that long; a server that hangs fails the test instead of the suite.
const DEADLINE: Duration = Duration::from_secs(60);

const PROTOCOL_ERROR: i64 = 2;

/// Somebody who was there before and wants to go on.
struct Scene {
    server: Server,
    bystander: Connection,
}

impl Scene {
    /// None: the binary is not there, and that was said.
    fn set(test: &str, config: &str) -> Option<Scene> {
        if !present(test, &[peer()]) {
            return None;
        }
        let server = start_configured(config).unwrap();
        let bystander = server.connect_as_admin().unwrap();
        Some(Scene { server, bystander })
    }

    fn all_is_well(&mut self, after: &str) {
        let one = search(SUFFIX, BASE, "(objectClass=*)", &[]);
        let mut new = self.server.connect_as_admin().unwrap();
        for connection in [&mut self.bystander, &mut new] {
            let answer =
                connection.ask(&one, &[]).unwrap_or_else(|error| panic!("{after}: {error}"));
            assert_eq!((answer.code, answer.entries.len()), (0, 1), "{after}");
        }
    }

    fn admin(&self) -> Connection {
        self.server.connect_as_admin().unwrap()
    }

    fn socket(&self) -> TcpStream {
        let socket = TcpStream::connect(("127.0.0.1", port(&self.server.ldaps))).unwrap();
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        socket
    }

    /// `count` people below the suffix, each about a kilobyte.
    fn people(&self, count: usize) {
        let mut admin = self.admin();
        let text = "x".repeat(900);
        let mut batch = Vec::new();
        for number in 0..count {
            let uid = format!("p{number:05}");
            let dn = format!("uid={uid},{SUFFIX}");
            let add = add_person(&dn, &uid, &[("description", &[text.as_bytes()])]);
            batch.extend(message(number as i64 + 100, &add, &[]));
            if number % 32 == 31 || number + 1 == count {
                admin.send(&std::mem::take(&mut batch)).unwrap();
                for _ in 0..=(number % 32) {
                    assert_eq!(admin.next_said().unwrap().unwrap().code, Some(0));
                }
            }
        }
    }
}

fn notices(said: &[Said]) -> Vec<i64> {
    said.iter().filter(|said| said.is_notice).filter_map(|said| said.code).collect()
}

/// Numbers that look random and are the same each time (Knuth's MMIX generator).
fn noise(seed: u64) -> impl Iterator<Item = u8> {
    let step = |state: &u64| {
        Some(state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407))
    };
    std::iter::successors(Some(seed), step).skip(1).map(|state| (state >> 56) as u8)
}

/// Sequences in sequences, each inside the one before.
fn nested(depth: usize) -> Vec<u8> {
    (0..depth).fold(Vec::new(), |inner, _| element(0x30, &inner))
}

#[test]
fn broken_messages_get_one_notice_of_disconnection() {
    let Some(mut scene) = Scene::set("broken messages", "") else { return };
    let good = message(9, &search("", BASE, "(objectClass=*)", &["+"]), &[]);
    let cut = good.get(..good.len() - 5).unwrap().to_vec();
    let mut inside = good.clone();
    // The length of the search runs over the end of its message.
    *inside.get_mut(10).unwrap() ^= 0x7f;
    let table: Vec<(&str, Vec<u8>)> = vec![
        ("text", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec()),
        ("zeros", vec![0; 64]),
        ("indefinite length", b"\x30\x80\x02\x01\x01\x42\x00\x00\x00".to_vec()),
        ("two gigabytes announced", b"\x30\x84\x7f\xff\xff\xff\x02\x01\x01".to_vec()),
        ("more than a length can say", b"\x30\x88\xff\xff\xff\xff\xff\xff\xff\xff".to_vec()),
        ("reserved length form", b"\x30\xff\x00".to_vec()),
        ("an empty message", b"\x30\x00".to_vec()),
        ("no operation", b"\x30\x03\x02\x01\x01".to_vec()),
        ("an unknown operation", b"\x30\x05\x02\x01\x01\x7e\x00".to_vec()),
        (
            "a response as a request",
            b"\x30\x0c\x02\x01\x01\x65\x07\x0a\x01\x00\x04\x00\x04\x00".to_vec(),
        ),
        ("a negative message id", b"\x30\x05\x02\x01\xff\x42\x00".to_vec()),
        ("a message id of nine octets", b"\x30\x0d\x02\x09\x01\0\0\0\0\0\0\0\0\x42\x00".to_vec()),
        ("cut off", cut),
        ("a length inside that runs over", inside),
        ("nested sequences", nested(5000)),
        ("a message inside a message", element(0x30, &good)),
    ];
    for (name, bytes) in table {
        for mut connection in [scene.server.connect().unwrap(), scene.admin()] {
            connection.send(&bytes).unwrap();
            let _ = connection.no_more();
            let said = connection.all_said().unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(notices(&said), [PROTOCOL_ERROR], "{name}: {said:?}");
            assert!(said.last().unwrap().is_notice, "{name}: {said:?}");
        }
        scene.all_is_well(name);
    }
}

#[test]
fn every_flipped_bit_is_answered_or_ends_the_connection() {
    let Some(mut scene) = Scene::set("flipped bits", "") else { return };
    let good = message(9, &search("", BASE, "(&(objectClass=*)(!(cn=a*b)))", &["+"]), &[]);
    let mut ended = 0;
    for bit in 0..good.len() * 8 {
        let mut bytes = good.clone();
        *bytes.get_mut(bit / 8).unwrap() ^= 1 << (bit % 8);
        let mut connection = scene.server.connect().unwrap();
        bytes.extend(message(77, &who_am_i(), &[]));
        connection.send(&bytes).unwrap();
        let _ = connection.no_more();
        let said = connection.all_said().unwrap_or_else(|error| panic!("bit {bit}: {error}"));
        let answered = said.iter().any(|said| said.id == 77 && said.code == Some(0));
        let notices = notices(&said);
        assert!(answered || notices == [PROTOCOL_ERROR], "bit {bit}: {said:?}");
        assert!(!answered || notices.is_empty(), "bit {bit}: {said:?}");
        ended += notices.len();
    }
    // Most bits are lengths and tags or text; neither kind may be missing.
    assert!(ended > 20 && ended < good.len() * 8, "{ended}");
    scene.all_is_well("flipped bits");
}

#[test]
fn noise_ends_the_connection_it_comes_from() {
    let Some(mut scene) = Scene::set("noise", "") else { return };
    for seed in 0..60 {
        let mut bytes: Vec<u8> = noise(seed).take(300).collect();
        if seed % 2 == 0 {
            // Gets past the frame.
            bytes.splice(..4, [0x30, 0x82, 0x01, 0x28]);
        }
        let mut connection = scene.server.connect().unwrap();
        connection.send(&bytes).unwrap();
        let _ = connection.no_more();
        let said = connection.all_said().unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        assert_eq!(notices(&said), [PROTOCOL_ERROR], "seed {seed}: {said:?}");
    }
    scene.all_is_well("noise");
}

#[test]
fn garbage_in_the_place_of_tls_is_hung_up_on() {
    let Some(mut scene) = Scene::set("garbage before TLS", "") else { return };
    let plain = message(1, &who_am_i(), &[]);
    // A ClientHello's first bytes, then nonsense; the record says that 512 bytes follow.
    let mut hello = vec![0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3];
    hello.extend(noise(7).take(501));
    for (name, bytes) in [
        ("LDAP in the clear", plain),
        ("text", b"GET / HTTP/1.1\r\n\r\n".to_vec()),
        ("noise", noise(3).take(4096).collect()),
        ("half a hello", hello),
    ] {
        let mut socket = scene.socket();
        // It may have hung up before all was sent.
        let _ = socket.write_all(&bytes);
        let mut answer = Vec::new();
        let read = socket.read_to_end(&mut answer);
        let alert_only = answer.first().is_none_or(|first| *first == 0x15);
        let timed_out = read.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
        assert!(alert_only && !timed_out, "{name}: {answer:02x?}");
        scene.all_is_well(name);
    }
}

#[test]
fn garbage_in_the_middle_of_tls_ends_that_connection() {
    let Some(mut scene) = Scene::set("garbage inside TLS", "") else { return };
    let mut connection = scene.admin();
    let mut socket = connection.socket().try_clone().unwrap();
    // An application data record whose content nobody encrypted.
    let mut record = vec![0x17, 3, 3, 0, 64];
    record.extend(noise(5).take(64));
    socket.write_all(&record).unwrap();
    // The alert is an error to the TLS library; what counts is that nothing is said in LDAP.
    assert!(matches!(connection.next_said(), Err(_) | Ok(None)));
    scene.all_is_well("garbage inside TLS");
}

#[test]
fn handshakes_that_do_not_go_on_are_cut_at_their_time() {
    let config = "[limits]\nhandshake_time = '300ms'\n".replace('_', "-");
    let Some(mut scene) = Scene::set("half-open handshakes", &config) else { return };
    let started = Instant::now();
    let mut silent: Vec<TcpStream> = (0..50).map(|_| scene.socket()).collect();
    for (number, socket) in silent.iter_mut().enumerate() {
        if number % 2 == 0 {
            socket.write_all(&[0x16, 3, 1, 2, 0, 1]).unwrap();
        }
    }
    scene.all_is_well("half-open handshakes");
    for socket in &mut silent {
        let mut answer = Vec::new();
        let read = socket.read_to_end(&mut answer);
        assert!(read.is_ok() || !would_block(read.unwrap_err()), "still open after {DEADLINE:?}");
    }
    assert!(started.elapsed() >= Duration::from_millis(300));
}

fn would_block(error: std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::WouldBlock
}

#[test]
fn a_message_byte_by_byte_is_answered_and_a_trickle_is_not_waited_for() {
    let config = "[limits]\nidle-time-before-bind = '1s'\n";
    let Some(mut scene) = Scene::set("slow bytes", config) else { return };
    let mut slow = scene.server.connect().unwrap();
    for byte in message(1, &who_am_i(), &[]) {
        slow.send(&[byte]).unwrap();
    }
    assert_eq!(slow.next_said().unwrap().unwrap().code, Some(0));

    // Bytes without end, and never a whole message: not a sign of life before a bind.
    let mut trickle = scene.server.connect().unwrap();
    trickle.send(b"\x30\x84\x00\x03\x00\x00").unwrap();
    let mut writer = trickle;
    writer.socket().set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let deadline = Instant::now() + DEADLINE;
    let last = loop {
        assert!(Instant::now() < deadline, "a trickle of bytes held the connection");
        let sent = writer.send(&[0]);
        match writer.next_said() {
            Ok(Some(said)) => break Some(said),
            Ok(None) => break None,
            Err(_) if sent.is_ok() => {}
            Err(_) => break None,
        }
    };
    let last = last.expect("a notice before the end");
    assert!(last.is_notice && last.code == Some(52), "{last:?}");
    scene.all_is_well("slow bytes");
}

#[test]
fn thousands_of_tiny_requests_in_one_go_are_all_answered() {
    let Some(mut scene) = Scene::set("tiny requests", "") else { return };
    const COUNT: i64 = 20_000;
    let mut connection = scene.admin();
    let batch: Vec<u8> = (1..=COUNT).flat_map(|id| message(id + 1, &who_am_i(), &[])).collect();
    let mut socket = connection.socket().try_clone().unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    // As much as fits, then answers are taken: a client that only wrote would be waited for.
    for part in batch.chunks(32 * 1024) {
        connection.send(part).unwrap();
    }
    socket.flush().unwrap();
    for id in 1..=COUNT {
        let said = connection.next_said().unwrap().unwrap();
        assert_eq!((said.id, said.code), (id + 1, Some(0)));
    }
    let mut abandons: Vec<u8> =
        (1..=COUNT).flat_map(|id| message(id + 1, &abandon(id + 500), &[])).collect();
    abandons.extend(message(COUNT + 2, &who_am_i(), &[]));
    connection.send(&abandons).unwrap();
    let said = connection.next_said().unwrap().unwrap();
    assert_eq!((said.id, said.code), (COUNT + 2, Some(0)));
    scene.all_is_well("tiny requests");
}

/// Resident memory of a process in KiB.
fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn readers_that_do_not_read_cost_no_memory_and_are_cut() {
    let config = "[limits]\nwrite-stall-time = '2s'\n";
    let Some(mut scene) = Scene::set("unread answers", config) else { return };
    scene.people(1500);
    let everything = search(SUFFIX, SUBTREE, "(objectClass=*)", &["*", "+"]);
    // Once read, so that what the search itself needs is there already.
    assert_eq!(scene.admin().ask(&everything, &[]).unwrap().entries.len(), 1502);
    let before = resident(scene.server.process.pid());
    let mut readers: Vec<Connection> = (0..10).map(|_| scene.admin()).collect();
    for reader in &mut readers {
        // About 100 MB of answers for each, if somebody kept them.
        let batch: Vec<u8> = (2..62).flat_map(|id| message(id, &everything, &[])).collect();
        reader.send(&batch).unwrap();
    }
    let mut most = 0;
    let deadline = Instant::now() + DEADLINE;
    // Until all were cut for taking nothing: the number of open connections falls to our one.
    while connections(&scene.server) > 1 {
        assert!(Instant::now() < deadline, "readers that take nothing are still connected");
        most = most.max(resident(scene.server.process.pid()));
        scene.all_is_well("unread answers");
    }
    let grown = most.saturating_sub(before);
    eprintln!(
        "resident before {before} KiB, at most {most} KiB with ten readers that read nothing"
    );
    assert!(grown < 48 * 1024, "grew by {grown} KiB");
    drop(readers);
}

/// Established TCP connections of the server's LDAPS port, as the kernel counts them.
fn connections(server: &Server) -> usize {
    let local = format!(":{:04X}", port(&server.ldaps));
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let is_ours = |line: &&str| {
        let mut words = line.split_whitespace();
        words.nth(1).is_some_and(|address| address.ends_with(&local)) && words.nth(1) == Some("01")
    };
    table.lines().filter(is_ours).count()
}

#[test]
fn abandoned_searches_stop_and_nobody_waits_for_them() {
    let Some(mut scene) = Scene::set("abandoned searches", "") else { return };
    scene.people(300);
    let everything = search(SUFFIX, SUBTREE, "(objectClass=*)", &["*"]);
    let mut connection = scene.admin();
    let mut batch = Vec::new();
    for round in 0..500 {
        batch.extend(message(10 + 2 * round, &everything, &[]));
        batch.extend(message(11 + 2 * round, &abandon(10 + 2 * round), &[]));
    }
    batch.extend(message(9999, &who_am_i(), &[]));
    connection.send(&batch).unwrap();
    let mut entries = 0;
    loop {
        let said = connection.next_said().unwrap().expect("an answer");
        entries += usize::from(said.tag == 0x64);
        if said.id == 9999 {
            break;
        }
    }
    assert!(entries < 500 * 302, "all searches ran to their end");
    scene.all_is_well("abandoned searches");
}

#[test]
fn two_hundred_connections_at_once() {
    let Some(mut scene) = Scene::set("200 connections", "") else { return };
    const THREADS: usize = 10;
    const EACH: usize = 20;
    let all_open = Barrier::new(THREADS);
    let server = &scene.server;
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let mut open: Vec<Connection> =
                    (0..EACH).map(|_| server.connect().unwrap()).collect();
                all_open.wait();
                let password = server.password().unwrap();
                for connection in &mut open {
                    assert_eq!(connection.bind(&server.admin, &password).unwrap().code, 0);
                }
                let one = search(SUFFIX, BASE, "(objectClass=*)", &[]);
                for connection in &mut open {
                    assert_eq!(connection.ask(&one, &[]).unwrap().entries.len(), 1);
                }
            });
        }
    });
    scene.all_is_well("200 connections");
}

#[test]
fn invalid_text_is_answered_and_the_connection_goes_on() {
    let Some(mut scene) = Scene::set("invalid text", "") else { return };
    let mut connection = scene.admin();
    let present = |name: &[u8]| element(0x87, name);
    let equal = |name: &str, value: &[u8]| {
        element(0xa3, &[octets(name.as_bytes()), octets(value)].concat())
    };
    let person = |dn: &str, name: &str, value: &[u8]| add_person(dn, "x", &[(name, &[value])]);
    let table: Vec<(&str, Vec<u8>, i64)> = vec![
        ("a name that is none", search("no name", BASE, "(cn=*)", &[]), 34),
        ("a name with a bad escape", search("cn=\\zz", BASE, "(cn=*)", &[]), 34),
        ("an unknown attribute in a filter", search(SUFFIX, BASE, "(nope=1)", &[]), 0),
        ("an attribute of bytes", search_encoded(SUFFIX, BASE, &present(b"\xff\xfe"), &[]), 2),
        ("a value of bytes", search_encoded(SUFFIX, BASE, &equal("cn", b"\xff\xfe"), &[]), 0),
        (
            "text that is not UTF-8",
            person(&format!("uid=x,{SUFFIX}"), "description", b"\xc3\x28"),
            21,
        ),
        ("a number that is none", person(&format!("uid=x,{SUFFIX}"), "uidNumber", b"12a"), 21),
        ("a name far away", person("uid=x,dc=elsewhere", "description", b"x"), 53),
        ("a filter of an unknown kind", search_encoded(SUFFIX, BASE, &element(0xbe, b""), &[]), 2),
    ];
    for (name, request, code) in table {
        let answer =
            connection.ask(&request, &[]).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(answer.code, code, "{name}: {}", answer.diagnostic);
        assert_eq!(answer.diagnostic.is_empty(), code == 0, "{name} needs a sentence");
    }
    scene.all_is_well("invalid text");
}
