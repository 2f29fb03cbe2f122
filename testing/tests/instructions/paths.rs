//! The data, and each path as a row: what is asked, of whom, what the answer must be.

use testing::peers::SUFFIX;
use testing::wire::ber::{element, octets};
use testing::wire::request::{self, BASE, SUBTREE};

/// Enough that no path meets the same person twice in what is counted.
pub(crate) const PEOPLE: u64 = 2_000;

/// The password of everybody, and what is stored of it. {SSHA} is verified within the request.
pub(crate) const PASSWORD: &str = "instructions";
const STORED_PASSWORD: &str = "{SSHA}LYrxjhHcvHziuTR8N9yKWoGbuXtndWFyZGluZw==";

/// The number of the person whom the configuration makes the administrator.
pub(crate) const ADMINISTRATOR: u64 = 0;
/// Under the default rules, so that every answer holds the access decisions of a usual one.
const SOMEBODY: u64 = 1;

/// What a count belongs to; the rest of the process is not counted.
const RECEIVE: &str = "server::session::Session::receive";
const RESUME: &str = "server::session::Session::resume";
const STEP: &str = "server::session::Session::step_searches";
const WRITE: &str = "directory::change::writer::write_batch";
pub(crate) const ENTRANCES: &[&str] = &[RECEIVE, RESUME, STEP, WRITE];

/// One kind of operation, asked again and again of different entries.
#[derive(Debug)]
pub(crate) struct HotPath {
    pub(crate) name: &'static str,
    /// Who is signed in.
    pub(crate) asker: u64,
    /// The request with this number, from 0 on.
    pub(crate) request: fn(u64) -> Vec<u8>,
    /// Of every answer.
    pub(crate) code: i64,
    pub(crate) entries: u64,
    /// Asked first and not counted: caches fill.
    pub(crate) warm_up: u64,
    pub(crate) counted: u64,
    /// Without one of them in what was counted, the count is that of something else.
    pub(crate) entrances: &'static [&'static str],
}

/// What a path has when its row says nothing else.
const USUAL: HotPath = HotPath {
    name: "",
    asker: SOMEBODY,
    request: |_| Vec::new(),
    code: 0,
    entries: 0,
    warm_up: 100,
    counted: 500,
    entrances: &[RECEIVE],
};

pub(crate) const PATHS: &[HotPath] = &[
    HotPath { name: "equality search, all attributes", request: by_uid, entries: 1, ..USUAL },
    HotPath { name: "base read, all attributes", request: by_name, entries: 1, ..USUAL },
    HotPath { name: "compare", request: compare, code: 6, ..USUAL },
    HotPath { name: "simple bind, {SSHA}", request: bind, ..USUAL },
    HotPath {
        name: "durable modify, session and writer",
        asker: ADMINISTRATOR,
        request: modify,
        entrances: &[RECEIVE, WRITE, RESUME],
        ..USUAL
    },
    HotPath {
        name: "one entry of a whole subtree",
        request: |_| request::search(SUFFIX, SUBTREE, "(objectClass=*)", &[]),
        entries: PEOPLE + 2,
        warm_up: 1,
        counted: 2,
        entrances: &[RECEIVE, STEP],
        ..USUAL
    },
];

impl HotPath {
    /// By what the instructions are divided: operations, or entries where there are many.
    pub(crate) fn parts(&self) -> u64 {
        self.counted * self.entries.max(1)
    }
}

pub(crate) fn dn(person: u64) -> String {
    format!("uid=user{person},ou=people,{SUFFIX}")
}

/// All over the tree, and never the same within `PEOPLE` requests: the factor is a prime.
fn person(number: u64) -> u64 {
    number * 769 % PEOPLE
}

fn by_uid(number: u64) -> Vec<u8> {
    request::search(SUFFIX, SUBTREE, &format!("(uid=user{})", person(number)), &[])
}

fn by_name(number: u64) -> Vec<u8> {
    request::search(&dn(person(number)), BASE, "(objectClass=*)", &[])
}

/// RFC 4511 §4.10, of a value that is there.
fn compare(number: u64) -> Vec<u8> {
    let person = person(number);
    let value = format!("user{person}@example.com");
    let assertion = [octets(b"mail"), octets(value.as_bytes())].concat();
    element(0x6e, &[octets(dn(person).as_bytes()), element(0x30, &assertion)].concat())
}

fn bind(number: u64) -> Vec<u8> {
    request::bind(&dn(person(number)), PASSWORD.as_bytes())
}

fn modify(number: u64) -> Vec<u8> {
    let value = format!("Changed for the {number}th time");
    request::modify(&dn(person(number)), &[(2, "description", &[value.as_bytes()])])
}

/// People of about 600 bytes in one organizational unit.
pub(crate) fn ldif() -> String {
    let mut text = format!("dn: {SUFFIX}\nobjectClass: domain\ndc: example\n\n");
    text += &format!("dn: ou=people,{SUFFIX}\nobjectClass: organizationalUnit\nou: people\n\n");
    for n in 0..PEOPLE {
        let (given, family, dn) = (n % 20, n / 20, dn(n));
        text += &format!(
            "dn: {dn}\nobjectClass: inetOrgPerson\nobjectClass: organizationalPerson\n\
             objectClass: person\nobjectClass: top\nuid: user{n}\ncn: Given{given} Family{family} {n}\n\
             sn: Family{family}\ngivenName: Given{given}\ndisplayName: Given{given} Family{family} {n}\n\
             mail: user{n}@example.com\ntelephoneNumber: +46 8 {n:09}\nmobile: +46 70 {n:09}\n\
             employeeNumber: {n}\ntitle: Engineer of level {given}\nl: Stockholm\n\
             userPassword: {STORED_PASSWORD}\n\
             description: A person made for counting, number {n}, with text to be of a usual size\n\n"
        );
    }
    text
}

#[test]
fn a_path_meets_every_person_once() {
    let mut met: Vec<u64> = (0..PEOPLE).map(person).collect();
    met.sort_unstable();
    assert!(met.into_iter().eq(0..PEOPLE));
    assert!(PATHS.iter().all(|path| path.warm_up + path.counted <= PEOPLE));
}
