//! A server that answers wrongly in every way: a generator that does not notice is worthless.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::{Endpoint, Load, Measured, Turn, Unwatched, Work, hold, run};
use crate::answer::{self, Message};
use crate::data;
use crate::echo::{self, Answer, EchoWork, Fixed};
use crate::request;

/// What is wrong with the answers, from the third operation on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    None,
    Code,
    Type,
    Id,
    MissingEntry,
    SecondEntry,
    OtherName,
    OtherValue,
    MissingValue,
    Closed,
    ClosedWithin,
    Garbage,
    Reference,
    Notice,
    BindRefused,
}

struct Flawed {
    flaw: Flaw,
    right: Fixed,
    searches: u32,
}

impl Answer for Flawed {
    fn answer(&mut self, message: &Message<'_>, out: &mut Vec<u8>) -> bool {
        if message.tag == 0x60 && self.flaw == Flaw::BindRefused {
            echo::done(out, message.id, answer::BIND, 49);
            return true;
        }
        if message.tag != 0x63 {
            return self.right.answer(message, out);
        }
        self.searches += 1;
        if self.searches < 3 {
            return self.right.answer(message, out);
        }
        self.wrong(message, out)
    }
}

impl Flawed {
    fn wrong(&mut self, message: &Message<'_>, out: &mut Vec<u8>) -> bool {
        let mut person = data::person(0);
        let mut done = (message.id, answer::SEARCH_DONE, 0);
        let mut entries = 1;
        match self.flaw {
            Flaw::None | Flaw::BindRefused => {}
            Flaw::Code => done.2 = 32,
            Flaw::Type => done.1 = answer::MODIFY,
            Flaw::Id => done.0 += 1,
            Flaw::MissingEntry => entries = 0,
            Flaw::SecondEntry => entries = 2,
            Flaw::OtherName => person.dn = data::person_dn(1),
            Flaw::OtherValue => person.attributes[1].1[0].push('x'),
            Flaw::MissingValue => person.attributes[0].1.truncate(1),
            Flaw::Closed => return false,
            Flaw::ClosedWithin => {
                out.extend([0x30, 40, 0x02]);
                return false;
            }
            Flaw::Garbage => {
                out.extend(b"HTTP/1.1 400 Bad Request\r\n\r\n");
                return true;
            }
            Flaw::Reference => request::message(out, message.id, b"\x73\x03\x04\x01a"),
            Flaw::Notice => {
                echo::done(out, 0, answer::EXTENDED, 52);
                return true;
            }
        }
        for _ in 0..entries {
            let mut entry = Vec::new();
            echo::encode_entry(&mut entry, &person);
            request::message(out, message.id, &entry);
        }
        echo::done(out, done.0, done.1, done.2);
        true
    }
}

fn load(listener: &TcpListener) -> Load {
    let uri = format!("ldap://{}", listener.local_addr().unwrap());
    Load {
        endpoint: Endpoint::parse(&uri, None).unwrap(),
        bind: Some(("cn=somebody".to_owned(), "secret".to_owned())),
        connections: 2,
        depth: 4,
        duration: Duration::from_secs(60),
        warm_up: Duration::ZERO,
        operations_max: Some(100),
    }
}

fn against<T>(flaw: Flaw, client: impl FnOnce(&Load) -> T) -> T {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let stop = AtomicBool::new(false);
    let mut answers = Flawed { flaw, right: Fixed::default(), searches: 0 };
    std::thread::scope(|scope| {
        let server = scope.spawn(|| echo::serve(&listener, &stop, &mut answers));
        let result = client(&load(&listener));
        stop.store(true, Ordering::Relaxed);
        server.join().unwrap().unwrap();
        result
    })
}

fn measure(flaw: Flaw, work: &dyn Work) -> anyhow::Result<Measured> {
    against(flaw, |load| run(load, work))
}

#[test]
fn right_answers_are_counted() {
    let measured = measure(Flaw::None, &EchoWork::default()).unwrap();
    // What was in flight when the interval ended is answered, but not counted.
    assert!((100..=108).contains(&measured.operations), "{}", measured.operations);
    assert!(measured.issued >= measured.operations && measured.issued <= 116);
    assert_eq!(measured.entries, measured.operations);
    assert_eq!(measured.latency.count(), measured.operations);
    assert!(measured.bytes_received > 500 * measured.operations);
}

#[test]
fn every_wrong_answer_is_noticed() {
    for (flaw, told) in [
        (Flaw::Code, "result code 32 (noSuchObject) instead of 0 (success)"),
        (Flaw::Type, "of type 0x67 instead of 0x65"),
        (Flaw::Id, "an answer that nothing was asked for"),
        (Flaw::MissingEntry, "0 entries instead of 1"),
        (Flaw::SecondEntry, "2 entries instead of 1"),
        (Flaw::OtherName, "not with the expected content"),
        (Flaw::OtherValue, "not with the expected content"),
        (Flaw::MissingValue, "not with the expected content"),
        (Flaw::Closed, "closed a connection"),
        (Flaw::ClosedWithin, "closed a connection"),
        (Flaw::Garbage, "not LDAP"),
        (Flaw::Reference, "another server"),
        (Flaw::Notice, "the server ends the connection, 52"),
        (Flaw::BindRefused, "signing in as `cn=somebody` was refused: 49"),
    ] {
        let error = measure(flaw, &EchoWork::default()).map(|_| ()).unwrap_err();
        let text = format!("{error:#}");
        assert!(text.contains(told), "{flaw:?}: {text}");
    }
}

/// Compares with the first answer instead of knowing it.
struct Foreign(EchoWork);

impl Work for Foreign {
    fn name(&self) -> String {
        "foreign".to_owned()
    }

    fn request(&self, turn: Turn, out: &mut Vec<u8>) {
        self.0.request(turn, out);
    }

    fn expected(&self, turn: Turn) -> super::Expected {
        super::Expected { content: super::Content::First(0), ..self.0.expected(turn) }
    }

    fn references(&self) -> usize {
        1
    }
}

#[test]
fn an_answer_unlike_the_first_is_noticed() {
    for (flaw, is_right) in [
        (Flaw::None, true),
        (Flaw::MissingEntry, false),
        (Flaw::OtherValue, false),
        (Flaw::Code, false),
    ] {
        let result = measure(flaw, &Foreign(EchoWork::default()));
        assert_eq!(result.is_ok(), is_right, "{flaw:?}");
    }
}

#[test]
fn idle_connections_are_opened_and_held() {
    let result = against(Flaw::None, |load| {
        let load = Load { connections: 200, duration: Duration::from_millis(1), ..load.clone() };
        hold(&load, &mut Unwatched)
    });
    assert!(result.unwrap() > 0.0);
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let load = load(&listener);
    drop(listener);
    let text = format!("{:#}", run(&load, &EchoWork::default()).unwrap_err());
    assert!(text.contains("cannot be reached"), "{text}");
}
