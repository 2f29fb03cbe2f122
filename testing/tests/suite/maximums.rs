//! Every named maximum, made small in a configuration file: what a client is told at the limit, and
//! that one below it is still fine.

use std::io::Read;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use testing::peers::chancery::{peer, start_configured};
use testing::peers::missing::present;
use testing::peers::{SUFFIX, Server, port};
use testing::wire::ber::{element, integer, octets};
use testing::wire::raw::message;
use testing::wire::request::{
    BASE, SUBTREE, add, add_person, bind, modify, password_modify, search, search_encoded, unbind,
    who_am_i,
};
use testing::wire::{Connection, Control};

const SUCCESS: i64 = 0;
const PROTOCOL_ERROR: i64 = 2;
const TIME_LIMIT_EXCEEDED: i64 = 3;
const SIZE_LIMIT_EXCEEDED: i64 = 4;
const ADMIN_LIMIT_EXCEEDED: i64 = 11;
const CONSTRAINT_VIOLATION: i64 = 19;
const INVALID_SYNTAX: i64 = 21;
const INVALID_DN: i64 = 34;
const INVALID_CREDENTIALS: i64 = 49;
const BUSY: i64 = 51;
const UNAVAILABLE: i64 = 52;

const PAGED_RESULTS: &str = "1.2.840.113556.1.4.319";

fn start(test: &str, config: &str) -> Option<Server> {
    present(test, &[peer()]).then(|| start_configured(config).unwrap())
}

fn person(uid: &str) -> String {
    format!("uid={uid},{SUFFIX}")
}

fn people(connection: &mut Connection, count: usize) {
    for number in 0..count {
        let uid = format!("p{number:03}");
        connection
            .ask(&add_person(&person(&uid), &uid, &[]), &[])
            .unwrap()
            .expect_success(&uid)
            .unwrap();
    }
}

/// `(!(!(…(cn=*)…)))`, so many filters deep.
fn nots(depth: usize) -> Vec<u8> {
    (1..depth).fold(element(0x87, b"cn"), |inner, _| element(0xa2, &inner))
}

/// An `or` of so many filters, itself counted.
fn or_of(nodes: usize) -> Vec<u8> {
    element(0xa1, &element(0x87, b"cn").repeat(nodes - 1))
}

#[test]
fn maxima_of_one_request() {
    let config = "[limits]\nfilter-depth = 4\nfilter-nodes = 8\nrequested-attributes = 4\n\
        controls = 3\nmodifications = 3\nattributes-per-add = 6\nvalues = 12\n\
        password-bytes = 64\n";
    let Some(server) = start("maxima of one request", config) else { return };
    let mut admin = server.connect_as_admin().unwrap();
    let find = |filter: &[u8]| search_encoded(SUFFIX, BASE, filter, &[]);
    let ask_for = |count: usize| search(SUFFIX, BASE, "(cn=*)", &["cn"].repeat(count));
    let values: Vec<Vec<u8>> = (0..20).map(|number| vec![b'a' + number]).collect();
    let values: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
    let described = |uid: &str, count: usize| {
        add_person(&person(uid), uid, &[("description", values.get(..count).unwrap())])
    };
    let one: &[&[u8]] = &[b"x"];
    let changes = |count: usize| modify(SUFFIX, &[(2, "description", one)].repeat(count));
    let more: Vec<(&str, &[&[u8]])> = vec![("mail", one), ("title", one), ("street", one)];
    let wide = |uid: &str, count: usize| add_person(&person(uid), uid, more.get(..count).unwrap());
    let table: Vec<(&str, Vec<u8>, i64)> = vec![
        ("filter of 4 levels", find(&nots(4)), SUCCESS),
        ("filter of 5 levels", find(&nots(5)), ADMIN_LIMIT_EXCEEDED),
        ("filter of 3000 levels", find(&nots(3000)), ADMIN_LIMIT_EXCEEDED),
        ("filter of 8 parts", find(&or_of(8)), SUCCESS),
        ("filter of 9 parts", find(&or_of(9)), ADMIN_LIMIT_EXCEEDED),
        ("4 attributes asked for", ask_for(4), SUCCESS),
        ("5 attributes asked for", ask_for(5), ADMIN_LIMIT_EXCEEDED),
        ("3 changes", changes(3), SUCCESS),
        ("4 changes", changes(4), ADMIN_LIMIT_EXCEEDED),
        ("6 attributes added", wide("six", 2), SUCCESS),
        ("7 attributes added", wide("seven", 3), ADMIN_LIMIT_EXCEEDED),
        ("12 values", described("twelve", 8), SUCCESS),
        ("13 values", described("thirteen", 9), ADMIN_LIMIT_EXCEEDED),
    ];
    for (name, request, code) in table {
        let answer = admin.ask(&request, &[]).unwrap();
        assert_eq!(answer.code, code, "{name}: {}", answer.diagnostic);
    }
    for (count, code) in [(3, SUCCESS), (4, ADMIN_LIMIT_EXCEEDED)] {
        let control =
            |number| Control { oid: format!("1.2.3.{number}"), critical: false, value: None };
        let controls: Vec<Control> = (0..count).map(control).collect();
        assert_eq!(admin.ask(&ask_for(1), &controls).unwrap().code, code, "{count} controls");
    }
    passwords(&server, &mut admin);
}

/// `password-bytes = 64`.
fn passwords(server: &Server, admin: &mut Connection) {
    let [fits, too_long] = [64, 65].map(|length| vec![b'k'; length]);
    let old = server.password().unwrap();
    for (new, code) in [(&too_long, CONSTRAINT_VIOLATION), (&fits, SUCCESS)] {
        let answer = admin.ask(&password_modify(old.as_bytes(), new), &[]).unwrap();
        assert_eq!(answer.code, code, "extended, {} bytes: {}", new.len(), answer.diagnostic);
        let dn = person(&format!("k{}", new.len()));
        let answer = admin.ask(&add_person(&dn, "k", &[("userPassword", &[new])]), &[]).unwrap();
        // The attribute uid differs from the RDN's value, which the schema lets be added.
        assert_eq!(answer.code, code, "add, {} bytes: {}", new.len(), answer.diagnostic);
        let write = modify(&server.admin, &[(2, "userPassword", &[new])]);
        let answer = admin.ask(&write, &[]).unwrap();
        assert_eq!(answer.code, code, "modify, {} bytes: {}", new.len(), answer.diagnostic);
    }
    let nine: Vec<Vec<u8>> = (1..=9).map(|length| vec![b'n'; length]).collect();
    let nine: Vec<&[u8]> = nine.iter().map(Vec::as_slice).collect();
    for (count, code) in [(8, SUCCESS), (9, CONSTRAINT_VIOLATION)] {
        let write = modify(&person("k64"), &[(2, "userPassword", nine.get(..count).unwrap())]);
        let answer = admin.ask(&write, &[]).unwrap();
        assert_eq!(answer.code, code, "{count} passwords: {}", answer.diagnostic);
    }
    for (password, code) in [(&fits, SUCCESS), (&too_long, INVALID_CREDENTIALS)] {
        let mut connection = server.connect().unwrap();
        let answer = connection.ask(&bind(&server.admin, password), &[]).unwrap();
        assert_eq!(answer.code, code, "bind, {} bytes", password.len());
    }
}

#[test]
fn maxima_of_the_directory() {
    let Some(server) = start("maxima of the directory", "") else { return };
    let mut admin = server.connect_as_admin().unwrap();
    let base = |dn: &str| search(dn, BASE, "(objectClass=*)", &[]);
    let deep = |count: usize| format!("{}{SUFFIX}", "ou=x,".repeat(count));
    let long = |count: usize| format!("ou={},{SUFFIX}", "x".repeat(count));
    let many = |count: usize| (0..count).map(|n| format!("ou={n}")).collect::<Vec<_>>().join("+");
    let options = |count: usize| {
        let list: Vec<String> = (0..count).map(|number| format!("x-{number}")).collect();
        format!("description;{}", list.join(";"))
    };
    let digits = |count: usize| "7".repeat(count);
    let option = |count: usize| modify(SUFFIX, &[(2, &options(count), &[b"x"])]);
    let table: Vec<(&str, Vec<u8>, i64)> = vec![
        ("a name of 254 + 2 parts", base(&deep(254)), 32),
        ("a name of 255 + 2 parts", base(&deep(255)), INVALID_DN),
        ("a name of 8000 bytes", base(&long(8000)), 32),
        ("a name of 8300 bytes", base(&long(8300)), INVALID_DN),
        ("a part of 32 values", base(&format!("{},{SUFFIX}", many(32))), 32),
        ("a part of 33 values", base(&format!("{},{SUFFIX}", many(33))), INVALID_DN),
        ("17 options", option(17), 17),
        (
            "a number of 5001 digits",
            search(SUFFIX, BASE, &format!("(uidNumber={})", digits(5001)), &[]),
            SUCCESS,
        ),
        (
            "an entry far too deep",
            add(&deep(255), &[("objectClass", &[b"organizationalUnit"])]),
            INVALID_DN,
        ),
    ];
    for (name, request, code) in table {
        let answer = admin.ask(&request, &[]).unwrap();
        assert_eq!(answer.code, code, "{name}: {}", answer.diagnostic);
    }
    let control = Control::critical(PAGED_RESULTS, Some(b"nonsense".to_vec()));
    assert_eq!(admin.ask(&base(SUFFIX), &[control]).unwrap().code, PROTOCOL_ERROR);
    let numbered = add(
        &person("n"),
        &[
            ("objectClass", &[b"inetOrgPerson", b"posixAccount"]),
            ("uid", &[b"n"]),
            ("cn", &[b"n"]),
            ("sn", &[b"n"]),
            ("gidNumber", &[b"1"]),
            ("homeDirectory", &[b"/"]),
            ("uidNumber", &[digits(5001).as_bytes()]),
        ],
    );
    assert_eq!(admin.ask(&numbered, &[]).unwrap().code, INVALID_SYNTAX, "5001 digits");
}

#[test]
fn maxima_of_a_search() {
    let config = "[limits]\nsearch-entries = 5\npage-entries = 3\nsearch-lookthrough = 20\n";
    let Some(server) = start("maxima of a search", config) else { return };
    let mut admin = server.connect_as_admin().unwrap();
    people(&mut admin, 30);
    // A value of an attribute that has no index, so that looking is the only way.
    let write = modify(&person("p000"), &[(2, "description", &[b"somebody"])]);
    admin.ask(&write, &[]).unwrap().expect_success("a description").unwrap();
    let all = admin.ask(&search(SUFFIX, SUBTREE, "(uid=*)", &["1.1"]), &[]).unwrap();
    assert_eq!((all.code, all.entries.len()), (SIZE_LIMIT_EXCEEDED, 5), "{}", all.diagnostic);
    let none = search(SUFFIX, SUBTREE, "(description=nobody has this)", &["1.1"]);
    let answer = admin.ask(&none, &[]).unwrap();
    assert_eq!(
        (answer.code, answer.entries.len()),
        (ADMIN_LIMIT_EXCEEDED, 0),
        "{}",
        answer.diagnostic
    );
    let indexed = admin.ask(&search(SUFFIX, SUBTREE, "(uid=p029)", &["1.1"]), &[]).unwrap();
    assert_eq!((indexed.code, indexed.entries.len()), (SUCCESS, 1), "{}", indexed.diagnostic);
    // A page of 100 is asked for, one of 3 is what there is.
    let value = element(0x30, &[integer(100), octets(b"")].concat());
    let page = Control::critical(PAGED_RESULTS, Some(value));
    let answer = admin.ask(&search(SUFFIX, SUBTREE, "(uid=*)", &["1.1"]), &[page]).unwrap();
    assert_eq!((answer.code, answer.entries.len()), (SUCCESS, 3), "{}", answer.diagnostic);
}

#[test]
fn a_search_that_takes_too_long_is_ended() {
    let config = "[limits]\nsearch-time = '1s'\nwrite-stall-time = '60s'\n";
    let Some(server) = start("search time", config) else { return };
    let mut admin = server.connect_as_admin().unwrap();
    let text = "x".repeat(8000);
    for number in 0..400 {
        let uid = format!("p{number}");
        let add = add_person(&person(&uid), &uid, &[("description", &[text.as_bytes()])]);
        admin.ask(&add, &[]).unwrap().expect_success(&uid).unwrap();
    }
    // 16 searches of 3 MB each: nothing of it is read until the server's clock has passed, which a
    // second connection reads off the server itself.
    let everything = search(SUFFIX, SUBTREE, "(uid=*)", &[]);
    let batch: Vec<u8> = (2..18).flat_map(|id| message(id + 1000, &everything, &[])).collect();
    admin.send(&batch).unwrap();
    let started = Instant::now();
    let mut other = server.connect_as_admin().unwrap();
    while started.elapsed() < Duration::from_millis(2100) {
        other.ask(&who_am_i(), &[]).unwrap().expect_success("who am i").unwrap();
    }
    let mut codes = Vec::new();
    while codes.len() < 16 {
        let said = admin.next_said().unwrap().expect("the answers");
        if said.tag == 0x65 {
            codes.extend(said.code);
        }
    }
    assert!(codes.contains(&TIME_LIMIT_EXCEEDED), "{codes:?}");
    assert!(codes.iter().all(|code| [SUCCESS, TIME_LIMIT_EXCEEDED].contains(code)), "{codes:?}");
}

#[test]
fn maxima_of_a_message() {
    let config = "[limits]\nmessage-bytes-before-bind = '2 KiB'\nmessage-bytes = '16 KiB'\n";
    let Some(server) = start("maxima of a message", config) else { return };
    let request = |bytes: usize| {
        let filter = element(0xa3, &[octets(b"cn"), octets(&vec![b'x'; bytes])].concat());
        message(5, &search_encoded("", BASE, &filter, &[]), &[])
    };
    for (bind, fits, too_large) in [(false, 1900, 2100), (true, 16_000, 17_000)] {
        let connect = || if bind { server.connect_as_admin() } else { server.connect() };
        for (bytes, notice) in [(fits, false), (too_large, true)] {
            let mut connection = connect().unwrap();
            connection.send(&request(bytes)).unwrap();
            let said = connection.next_said().unwrap().unwrap();
            assert_eq!(said.is_notice, notice, "{bytes} bytes: {said:?}");
            if notice {
                assert_eq!(said.code, Some(PROTOCOL_ERROR));
                assert_eq!(connection.next_said().unwrap(), None, "closed after the notice");
            }
        }
    }
}

#[test]
fn maxima_of_connections() {
    for (key, other) in [("connections", ""), ("connections-per-address", "connections = 100\n")] {
        let config = format!("[limits]\n{key} = 3\n{other}");
        let Some(server) = start("maxima of connections", &config) else { return };
        let mut open: Vec<Connection> =
            (0..3).map(|_| server.connect_as_admin().unwrap()).collect();
        let mut fourth = TcpStream::connect(("127.0.0.1", port(&server.ldaps))).unwrap();
        fourth.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        assert_eq!(fourth.read(&mut [0; 8]).unwrap_or(0), 0, "{key}: the fourth is closed");
        for connection in &mut open {
            assert_eq!(connection.ask(&who_am_i(), &[]).unwrap().code, SUCCESS);
        }
        let mut leaving = open.pop().unwrap();
        leaving.send(&message(90, &unbind(), &[])).unwrap();
        assert_eq!(leaving.next_said().unwrap(), None);
        // The place is given back when the server has noticed; until then it turns us away.
        let deadline = Instant::now() + Duration::from_secs(60);
        while server.connect_as_admin().is_err() {
            assert!(Instant::now() < deadline, "{key}: the place was not given back");
        }
    }
}

#[test]
fn idle_connections_are_told_and_closed() {
    let config = "[limits]\nidle-time = '2s'\nidle-time-before-bind = '1s'\n";
    let Some(server) = start("idle connections", config) else { return };
    for (name, mut connection) in
        [("before bind", server.connect().unwrap()), ("after", server.connect_as_admin().unwrap())]
    {
        let said = connection.next_said().unwrap().expect("a notice");
        assert_eq!((said.is_notice, said.code), (true, Some(UNAVAILABLE)), "{name}: {said:?}");
        assert_eq!(connection.next_said().unwrap(), None, "{name}");
    }
}

#[test]
fn one_operation_at_a_time_still_answers_all() {
    let config = "[limits]\noperations-in-flight = 1\noutput-bytes = '4 KiB'\nsearch-step = 1\n";
    let Some(server) = start("operations in flight", config) else { return };
    let mut admin = server.connect_as_admin().unwrap();
    people(&mut admin, 20);
    let everything = search(SUFFIX, SUBTREE, "(uid=*)", &[]);
    let batch: Vec<u8> = (100..150).flat_map(|id| message(id, &everything, &[])).collect();
    admin.send(&batch).unwrap();
    let (mut entries, mut next) = (0, 100);
    while next < 150 {
        let said = admin.next_said().unwrap().unwrap();
        // One after the other: nothing of the next before the end of this one.
        assert_eq!(said.id, next);
        entries += usize::from(said.tag == 0x64);
        next += i64::from(said.tag == 0x65);
    }
    assert_eq!(entries, 50 * 20);
}

/// Sends `count` requests on each of `connections`, all at once, and counts the answers by code.
fn rush(
    server: &Server,
    connections: usize,
    requests: &(dyn Fn(usize) -> Vec<u8> + Sync),
) -> Vec<i64> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..connections)
            .map(|number| {
                scope.spawn(move || {
                    let mut connection = server.connect_as_admin_patiently();
                    let count = 40;
                    let batch: Vec<u8> = (0..count)
                        .flat_map(|at| {
                            message(at as i64 + 500, &requests(number * count + at), &[])
                        })
                        .collect();
                    connection.send(&batch).unwrap();
                    let answers = (0..count).map(|_| connection.next_said().unwrap().unwrap());
                    answers.filter_map(|said| said.code).collect::<Vec<i64>>()
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}

/// Signing in again while the server says `busy`.
trait Patient {
    fn connect_as_admin_patiently(&self) -> Connection;
}

impl Patient for Server {
    fn connect_as_admin_patiently(&self) -> Connection {
        let password = self.password().unwrap();
        let mut connection = self.connect().unwrap();
        loop {
            let answer = connection.bind(&self.admin, &password).unwrap();
            if answer.code != BUSY {
                assert_eq!(answer.code, SUCCESS);
                return connection;
            }
        }
    }
}

#[test]
fn a_full_queue_of_changes_says_busy() {
    let Some(server) = start("write queue", "[limits]\nwrite-queue = 1\n") else { return };
    let write = |number: usize| add_person(&person(&format!("w{number}")), "w", &[]);
    let codes = rush(&server, 4, &write);
    assert!(codes.iter().all(|code| [SUCCESS, BUSY].contains(code)), "{codes:?}");
    assert!(codes.contains(&BUSY) && codes.contains(&SUCCESS), "{codes:?}");
    let added = codes.iter().filter(|code| **code == SUCCESS).count();
    let mut admin = server.connect_as_admin().unwrap();
    let found = admin.ask(&search(SUFFIX, SUBTREE, "(sn=Example)", &["1.1"]), &[]).unwrap();
    assert_eq!(found.entries.len(), added, "what was answered with busy is not there");
}

#[test]
fn a_full_queue_of_passwords_says_busy() {
    let config = "[passwords]\nqueue = 1\nthreads = 1\n";
    let Some(server) = start("password queue", config) else { return };
    let password = server.password().unwrap();
    let mut open: Vec<Connection> = (0..16).map(|_| server.connect().unwrap()).collect();
    let request = message(1, &bind(&server.admin, password.as_bytes()), &[]);
    for connection in &mut open {
        connection.send(&request).unwrap();
    }
    let mut codes = Vec::new();
    for connection in &mut open {
        codes.extend(connection.next_said().unwrap().unwrap().code);
    }
    assert!(codes.iter().all(|code| [SUCCESS, BUSY].contains(code)), "{codes:?}");
    assert!(codes.contains(&BUSY) && codes.contains(&SUCCESS), "{codes:?}");
}
