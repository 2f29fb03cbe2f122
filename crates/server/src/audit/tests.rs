//! What is written down, and what never is.

use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};

use directory::{Lens, Protection};
use ldap::extended::PasswordModifyRequest;
use ldap::message::{CompareRequest, SearchRequest};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record as SpanRecord};
use tracing::{Event, Metadata, Subscriber};

use super::*;
use crate::limits::Limits;
use crate::session::{Peer, Session};
use crate::testing::{
    EVA, PASSWORD, bind, directory, encoded, extended, give, peer, search, shared,
};

/// Other tests leave events as well.
const CONNECTION: u64 = 4_242_424_242;

/// Keeps every event as text.
#[derive(Clone, Default)]
struct Listener(Arc<Mutex<Vec<String>>>);

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {}={value:?}", field.name()).unwrap();
    }
}

impl Subscriber for Listener {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &SpanRecord<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().target().to_owned());
        event.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[test]
fn one_event_for_each_operation_and_no_secret_in_any() {
    let listener = Listener::default();
    // For all threads: whether anybody listens is remembered for each place, whoever asked first.
    tracing::subscriber::set_global_default(listener.clone()).unwrap();
    let (sender, mut events) = tokio::sync::mpsc::unbounded_channel();
    let peer = Peer { connection: CONNECTION, ..peer(Protection::Tls) };
    let mut session =
        Session::new(shared(directory(0), Limits::default()), Lens::default(), peer, sender);
    let mut change = Vec::new();
    let secret = Some(PASSWORD);
    PasswordModifyRequest { user_identity: None, old_password: secret, new_password: secret }
        .encode(&mut change);
    let Request::Search(by_password) = search(EVA, Scope::Base) else { unreachable!() };
    let by_password = Request::Search(SearchRequest {
        filter: Filter::Equality(Assertion {
            attribute: "userPassword",
            value: Cow::Borrowed(PASSWORD),
        }),
        ..by_password
    });
    let compare = CompareRequest { dn: EVA, attribute: "userPassword", value: PASSWORD };
    let requests = [
        bind(EVA, PASSWORD),
        search(EVA, Scope::Base),
        by_password,
        Request::Compare(compare),
        extended(ldap::oid::extended::PASSWORD_MODIFY, Some(&change)),
    ];
    for request in &requests {
        give(&mut session, &encoded(1, request, &[]));
        while !session.in_flight.is_empty() {
            session.resume(events.blocking_recv().unwrap());
        }
    }
    let mut lines = listener.0.lock().unwrap().clone();
    lines.retain(|line| line.contains(&format!("connection={CONNECTION} ")));
    let audit: Vec<_> = lines.iter().filter(|line| line.starts_with("audit ")).collect();
    assert_eq!(audit.len(), requests.len(), "{lines:#?}");
    let whole = &audit[1];
    for part in [
        "who=dn:uid=eva,dc=example,dc=com",
        r#"operation="search""#,
        r#"dn="uid=eva,dc=example,dc=com""#,
        r#"detail="base (objectClass=*) ""#,
        r#"result="success""#,
        "entries=1",
    ] {
        assert!(whole.contains(part), "{part} is not in {whole}");
    }
    let password = String::from_utf8_lossy(PASSWORD);
    let as_bytes = format!("{PASSWORD:?}");
    for line in &lines {
        assert!(!line.contains(&*password) && !line.contains(&as_bytes), "{line}");
    }
}

#[test]
fn secret_values_are_masked_wherever_they_stand() {
    let equal = |attribute, value: &'static [u8]| {
        Filter::Equality(Assertion { attribute, value: Cow::Borrowed(value) })
    };
    let filter = Filter::And(vec![
        equal("uid", b"eva"),
        Filter::Not(Box::new(equal("USERPASSWORD;x-a", b"hunter2"))),
    ]);
    assert_eq!(
        masked(&filter),
        Filter::And(vec![
            equal("uid", b"eva"),
            Filter::Not(Box::new(equal("USERPASSWORD;x-a", b"***"))),
        ])
    );
}

#[test]
fn long_texts_are_cut_at_a_character() {
    assert_eq!(cut("äöü", 2), "äö…");
    assert_eq!(cut("äöü", 3), "äöü");
}
