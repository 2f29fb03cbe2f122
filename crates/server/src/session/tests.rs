//! Sessions without a connection: what is answered to whom, what is in flight, what is stopped.

use ldap::control::PagedResults;
use ldap::extended::{PasswordModifyRequest, encode_cancel};
use ldap::message::{
    AddRequest, Attribute, Authentication, BindRequest, CompareRequest, Control, DeleteRequest,
    Modification, ModifyDnRequest, ModifyOperation, ModifyRequest, Scope,
};
use ldap::oid;
use tokio::sync::mpsc::UnboundedReceiver;

use directory::Lens;

use super::*;
use crate::testing::{
    EVA, PASSWORD, STORED_CHEAP, SUFFIX, add_person, bind, directory, encoded, eva, extended, give,
    peer, sasl, search, session, shared, taken,
};

/// A limit so small that a search of a few entries must rest.
fn small() -> Limits {
    Limits { output_bytes: 400, ..Limits::default() }
}

/// Gives the request, waits for the pool and the writer, and takes all answers.
fn ask(
    session: &mut Session,
    events: &mut UnboundedReceiver<Event>,
    request: &Request<'_>,
) -> Vec<String> {
    ask_with(session, events, request, &[])
}

fn ask_with(
    session: &mut Session,
    events: &mut UnboundedReceiver<Event>,
    request: &Request<'_>,
    controls: &[Control<'_>],
) -> Vec<String> {
    give(session, &encoded(1, request, controls));
    settle(session, events);
    taken(session)
}

fn settle(session: &mut Session, events: &mut UnboundedReceiver<Event>) {
    while !session.in_flight.is_empty() && !session.in_flight.has_search() {
        session.resume(events.blocking_recv().unwrap());
    }
}

fn step(session: &mut Session) {
    session.step_searches(Instant::now() + std::time::Duration::from_secs(60));
}

fn cancel(session: &mut Session, id: u32) {
    let mut value = Vec::new();
    encode_cancel(MessageId(id), &mut value);
    give(session, &encoded(99, &extended(oid::extended::CANCEL, Some(&value)), &[]));
}

fn modify<'a>(dn: &'a str, description: &'a str, value: &'a [u8]) -> Request<'a> {
    let attribute = Attribute { description, values: vec![value] };
    let operation = ModifyOperation::Replace;
    Request::Modify(ModifyRequest { dn, changes: vec![Modification { operation, attribute }] })
}

#[test]
fn a_client_that_does_not_read_costs_a_bounded_buffer() {
    let (mut session, _events) = eva(directory(300), small());
    give(&mut session, &encoded(1, &search(SUFFIX, Scope::Subtree), &[]));
    let mut entries = 0;
    while session.in_flight.has_search() {
        for _ in 0..10 {
            step(&mut session);
            assert!(session.output.len() < 400 + 300, "one entry beyond the limit at most");
            assert!(!session.has_room(), "nothing is read meanwhile");
        }
        entries += taken(&mut session).len();
        step(&mut session);
    }
    entries += taken(&mut session).len();
    assert_eq!(entries, 302 + 1);
}

#[test]
fn searches_take_turns() {
    let limits = Limits { search_step: 8, ..Limits::default() };
    let (mut session, _events) = eva(directory(30), limits);
    for id in [1, 2] {
        give(&mut session, &encoded(id, &search(SUFFIX, Scope::Subtree), &[]));
    }
    for _ in 0..1000 {
        step(&mut session);
    }
    assert!(session.in_flight.is_empty());
    let lines = taken(&mut session);
    let first_of_second = lines.iter().position(|line| line.starts_with("2 entry"));
    let last_of_first = lines.iter().rposition(|line| line.starts_with("1 entry"));
    assert!(first_of_second < last_of_first, "{lines:?}");
    assert_eq!(lines.len(), 2 * (30 + 2 + 1));
}

#[test]
fn abandon_is_silent_and_cancel_answers_both() {
    let (mut session, _events) = eva(directory(50), small());
    give(&mut session, &encoded(1, &search(SUFFIX, Scope::Subtree), &[]));
    taken(&mut session);
    give(&mut session, &encoded(2, &Request::Abandon(MessageId(1)), &[]));
    assert!(session.in_flight.is_empty());
    assert_eq!(taken(&mut session), [""; 0]);
    cancel(&mut session, 1);
    assert_eq!(taken(&mut session), ["99 extended noSuchOperation"]);

    give(&mut session, &encoded(1, &search(SUFFIX, Scope::Subtree), &[]));
    taken(&mut session);
    cancel(&mut session, 1);
    assert_eq!(taken(&mut session), ["1 search canceled", "99 extended success"]);
}

#[test]
fn what_the_writer_has_cannot_be_stopped() {
    let (mut session, mut events) = eva(directory(0), Limits::default());
    give(&mut session, &encoded(1, &modify(EVA, "sn", b"New"), &[]));
    cancel(&mut session, 1);
    assert_eq!(taken(&mut session), ["99 extended tooLate"]);
    // Abandoned: it happens, nobody is told, and its message id is free at once.
    give(&mut session, &encoded(2, &Request::Abandon(MessageId(1)), &[]));
    give(&mut session, &encoded(1, &extended(oid::extended::WHO_AM_I, None), &[]));
    settle(&mut session, &mut events);
    assert_eq!(taken(&mut session), [format!("1 extended success dn:{EVA}")]);
    let value = b"New".as_slice();
    let compare = Request::Compare(CompareRequest { dn: EVA, attribute: "sn", value });
    assert_eq!(ask(&mut session, &mut events, &compare), ["1 compare compareTrue"]);
}

#[test]
fn a_message_id_in_use_ends_the_session() {
    let (mut session, _events) = eva(directory(50), small());
    give(&mut session, &encoded(1, &search(SUFFIX, Scope::Subtree), &[]));
    taken(&mut session);
    give(&mut session, &encoded(1, &extended(oid::extended::WHO_AM_I, None), &[]));
    assert_eq!(taken(&mut session), ["0 extended protocolError"]);
    assert_eq!(session.state, State::Closing);
}

#[test]
fn a_bind_waits_for_what_is_in_flight() {
    let (mut session, mut events) = eva(directory(0), Limits::default());
    give(&mut session, &encoded(1, &modify(EVA, "sn", b"New"), &[]));
    let rebind = encoded(2, &bind("", b""), &[]);
    assert_eq!(session.receive(&rebind), Received::NotYet);
    settle(&mut session, &mut events);
    give(&mut session, &rebind);
    assert_eq!(taken(&mut session), ["1 modify success", "2 bind success"]);
    assert!(session.is_anonymous());
}

#[test]
fn binds() {
    let (mut session, mut events) = session(directory(0), Limits::default());
    add_person(&session.shared.directory, "max", STORED_CHEAP);
    let max = "uid=max,dc=example,dc=com";
    let old = Request::Bind(BindRequest {
        version: 2,
        name: "",
        authentication: Authentication::Simple(b""),
    });
    let long = [b'x'; 2000];
    let table = [
        (old, "1 bind protocolError", false),
        (bind("", b""), "1 bind success", false),
        (bind(EVA, b""), "1 bind unwillingToPerform", false),
        (bind("eva", PASSWORD), "1 bind invalidDNSyntax", false),
        (bind(EVA, PASSWORD), "1 bind success", true),
        (bind(EVA, b"wrong"), "1 bind invalidCredentials", false),
        (bind("uid=nobody,dc=example,dc=com", PASSWORD), "1 bind invalidCredentials", false),
        (bind("", PASSWORD), "1 bind invalidCredentials", false),
        (bind(EVA, &long), "1 bind invalidCredentials", false),
        (bind(max, b"cheap"), "1 bind success", true),
        (sasl("PLAIN", Some(b"\0eva\0correct horse")), "1 bind success", true),
        (sasl("plain", Some(b"\0u:eva\0correct horse")), "1 bind success", true),
        (sasl("PLAIN", Some(b"u:eva\0eva\0correct horse")), "1 bind success", true),
        (
            sasl("PLAIN", Some(b"\0dn:uid=eva,dc=example,dc=com\0correct horse")),
            "1 bind success",
            true,
        ),
        (
            sasl("PLAIN", Some(b"u:max\0eva\0correct horse")),
            "1 bind insufficientAccessRights",
            false,
        ),
        (sasl("PLAIN", Some(b"\0nobody\0correct horse")), "1 bind invalidCredentials", false),
        (sasl("PLAIN", Some(b"eva")), "1 bind invalidCredentials", false),
        (sasl("EXTERNAL", None), "1 bind authMethodNotSupported", false),
        (sasl("GSSAPI", None), "1 bind authMethodNotSupported", false),
    ];
    for (request, expected, signed_in) in table {
        assert_eq!(ask(&mut session, &mut events, &request), [expected], "{request:?}");
        assert_eq!(!session.is_anonymous(), signed_in, "{request:?}");
    }
}

#[test]
fn a_reply_that_is_lost_is_answered_and_the_session_goes_on() {
    let (mut session, mut events) = session(directory(0), Limits::default());
    give(&mut session, &encoded(1, &bind(EVA, PASSWORD), &[]));
    assert_eq!(session.state, State::Binding);
    // What a panic in the pool or the writer does: the right to answer is dropped.
    session.resume(Event { serial: 1, finished: Box::new(Finished::Lost) });
    assert_eq!(taken(&mut session), ["1 bind unavailable"]);
    assert_eq!(session.state, State::Open);
    // The late answer finds nobody who waits.
    session.resume(events.blocking_recv().unwrap());
    assert!(session.is_anonymous());
    assert_eq!(ask(&mut session, &mut events, &bind(EVA, PASSWORD)), ["1 bind success"]);
}

#[test]
fn external_is_who_the_layer_below_has_proved() {
    let directory = directory(0);
    let user = |user| Proof::User(LocalUser { user, group: 5 });
    let certificate = |subject| Proof::Certificate(Arc::new(crate::testing::certificate(subject)));
    let table = [
        (user(1000), None, "u:operator"),
        (user(7), None, "dn:gidNumber=5+uidNumber=7,cn=peercred,cn=external,cn=auth"),
        (certificate(EVA), None, "dn:uid=eva,dc=example,dc=com"),
        (certificate(EVA), Some("u:eva"), "dn:uid=eva,dc=example,dc=com"),
        (certificate(EVA), Some("u:somebody"), ""),
        (certificate("cn=backup"), None, "dn:cn=backup"),
        (certificate("cn=backup"), Some("dn:CN=Backup"), "dn:cn=backup"),
        (certificate("cn=backup"), Some("u:eva"), ""),
        // Whoever was deleted is not signed in by what is left of them.
        (certificate("uid=gone,dc=example,dc=com"), None, ""),
        (certificate("uid=gone,ou=gone,DC=Example, dc=com"), None, ""),
    ];
    for (proof, authorization, expected) in table {
        let peer = Peer { proof, ..peer(Protection::Tls) };
        let (sender, mut events) = tokio::sync::mpsc::unbounded_channel();
        let shared = shared(directory.clone(), Limits::default());
        let mut session = Session::new(shared, Lens::default(), peer.clone(), sender);
        let request = sasl("EXTERNAL", authorization.map(str::as_bytes));
        let bound = ask(&mut session, &mut events, &request);
        assert_eq!(bound == ["1 bind success"], !expected.is_empty(), "{bound:?}");
        // Where that failed, the session goes on as nobody's.
        let who = ask(&mut session, &mut events, &extended(oid::extended::WHO_AM_I, None));
        let expected = format!("1 extended success {expected}");
        assert_eq!(who, [expected.trim_end()], "{:?} {authorization:?}", peer.proof);
    }
}

#[test]
fn the_anonymous_find_out_how_to_sign_in_and_nothing_else() {
    let refused = "insufficientAccessRights";
    let table = [
        (search("", Scope::Base), "search success"),
        (search("cn=schema", Scope::Base), "search success"),
        (search("", Scope::Subtree), refused),
        (search(SUFFIX, Scope::Base), refused),
        (search("dc=nowhere", Scope::Base), refused),
        (Request::Compare(CompareRequest { dn: EVA, attribute: "sn", value: b"x" }), refused),
        (Request::Delete(DeleteRequest { dn: EVA }), refused),
        (modify(EVA, "sn", b"x"), refused),
        (extended(oid::extended::WHO_AM_I, None), "extended success"),
        (extended(oid::extended::PASSWORD_MODIFY, None), "unwillingToPerform"),
        (extended(oid::extended::START_TLS, None), "operationsError"),
        (extended("1.2.3", None), "protocolError"),
    ];
    let (mut session, mut events) = session(directory(0), Limits::default());
    for (request, expected) in table {
        let lines = ask(&mut session, &mut events, &request);
        assert!(lines.last().unwrap().contains(expected), "{request:?}: {lines:?}");
    }
}

#[test]
fn an_unknown_critical_control_fails_every_operation() {
    let (mut session, mut events) = eva(directory(0), Limits::default());
    let unknown = [Control { oid: "1.2.3.4", critical: true, value: None }];
    let requests = [
        bind(EVA, PASSWORD),
        search("", Scope::Base),
        extended(oid::extended::WHO_AM_I, None),
        Request::Delete(DeleteRequest { dn: EVA }),
    ];
    for request in requests.iter().rev() {
        let lines = ask_with(&mut session, &mut events, request, &unknown);
        assert_eq!(lines.len(), 1);
        assert!(lines[0].ends_with("unavailableCriticalExtension"), "{request:?}: {lines:?}");
    }
    assert!(session.is_anonymous(), "the last of them was a bind, and it failed");
}

#[test]
fn changes_reach_the_directory() {
    let (mut session, mut events) = eva(directory(0), Limits::default());
    let dn = "cn=new,dc=example,dc=com";
    let attributes = vec![
        Attribute { description: "objectClass", values: vec![b"device"] },
        Attribute { description: "cn", values: vec![b"new"] },
    ];
    let rename =
        ModifyDnRequest { dn, new_rdn: "cn=newer", delete_old_rdn: true, new_superior: None };
    let renamed = "cn=newer,dc=example,dc=com";
    let table = [
        (Request::Add(AddRequest { dn, attributes: attributes.clone() }), "1 add success"),
        (Request::Add(AddRequest { dn, attributes }), "1 add entryAlreadyExists"),
        (modify(dn, "l", b"here"), "1 modify success"),
        (Request::ModifyDn(rename), "1 modifyDN success"),
        (
            Request::Compare(CompareRequest { dn: renamed, attribute: "l", value: b"here" }),
            "1 compare compareTrue",
        ),
        (Request::Delete(DeleteRequest { dn }), "1 delete noSuchObject"),
        (Request::Delete(DeleteRequest { dn: renamed }), "1 delete success"),
    ];
    for (request, expected) in table {
        assert_eq!(ask(&mut session, &mut events, &request), [expected], "{request:?}");
    }
}

fn change_password(
    session: &mut Session,
    events: &mut UnboundedReceiver<Event>,
    request: PasswordModifyRequest<'_>,
) -> String {
    let mut value = Vec::new();
    request.encode(&mut value);
    let request = extended(oid::extended::PASSWORD_MODIFY, Some(&value));
    ask(session, events, &request).concat()
}

#[test]
fn passwords_change_with_the_old_one_only() {
    let (mut session, mut events) = eva(directory(0), Limits::default());
    let none = PasswordModifyRequest::default();
    let wrong = PasswordModifyRequest { old_password: Some(b"wrong"), ..none };
    let right = PasswordModifyRequest { old_password: Some(PASSWORD), ..none };
    let table = [
        (PasswordModifyRequest { new_password: Some(b"new"), ..none }, "unwillingToPerform"),
        (PasswordModifyRequest { new_password: Some(b"new"), ..wrong }, "invalidCredentials"),
        (PasswordModifyRequest { new_password: Some(b""), ..right }, "constraintViolation"),
        (PasswordModifyRequest { new_password: Some(b"new one"), ..right }, "success"),
    ];
    for (request, expected) in table {
        let line = change_password(&mut session, &mut events, request);
        assert_eq!(line, format!("1 extended {expected}"));
    }
    assert_eq!(ask(&mut session, &mut events, &bind(EVA, PASSWORD)), ["1 bind invalidCredentials"]);
    assert_eq!(ask(&mut session, &mut events, &bind(EVA, b"new one")), ["1 bind success"]);
}

#[test]
fn a_tried_password_counts_when_nobody_waits_for_it() {
    let wrong = PasswordModifyRequest {
        user_identity: Some(EVA),
        old_password: Some(b"wrong"),
        new_password: Some(b"new one"),
    };
    let mut value = Vec::new();
    wrong.encode(&mut value);
    let directory = directory(0);
    for request in [
        extended(oid::extended::PASSWORD_MODIFY, Some(&value)),
        bind(EVA, b"wrong"),
        extended(oid::extended::PASSWORD_MODIFY, Some(&value)),
    ] {
        let (mut session, mut events) = session(directory.clone(), Limits::default());
        give(&mut session, &encoded(1, &request, &[]));
        assert!(!session.has_room(), "nothing is read until it counts: {request:?}");
        session.give_up();
        drop(events.blocking_recv().unwrap());
    }
    assert_eq!(directory.account(EVA).unwrap().failures.len(), 3);
    // Concluded by somebody: now it is read on.
    let (mut session, mut events) = session(directory, Limits::default());
    assert_eq!(change_password(&mut session, &mut events, wrong), "1 extended invalidCredentials");
    assert!(session.has_room());
}

#[test]
fn where_the_pool_is_full_no_password_is_looked_at() {
    let directory = directory(0);
    add_person(&directory, "cheap", STORED_CHEAP);
    let limits = Limits { passwords_waiting: 0, ..Limits::default() };
    let (mut session, mut events) = session(directory, limits);
    for password in [PASSWORD, b"cheap", b"wrong"] {
        let dn = "uid=cheap,dc=example,dc=com";
        assert_eq!(ask(&mut session, &mut events, &bind(dn, password)), ["1 bind busy"]);
    }
}

#[test]
fn a_generated_password_is_told_once_and_works() {
    let (mut session, mut events) = eva(directory(0), Limits::default());
    session.subject.who = Who::Operator;
    let request = PasswordModifyRequest { user_identity: Some(EVA), ..Default::default() };
    let line = change_password(&mut session, &mut events, request);
    let (_, generated) = line.split_at(line.len() - 20);
    assert!(generated.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{line}");
    let request = bind(EVA, generated.as_bytes());
    assert_eq!(ask(&mut session, &mut events, &request), ["1 bind success"]);
}

#[test]
fn pages_come_one_by_one() {
    let limits = Limits { page_entries: 4, ..Limits::default() };
    let (mut session, _events) = eva(directory(5), limits);
    let mut counts = Vec::new();
    let mut cookie = Vec::new();
    loop {
        let mut value = Vec::new();
        PagedResults { size: 1000, cookie: &cookie }.encode(&mut value);
        let paged =
            Control { oid: oid::control::PAGED_RESULTS, critical: true, value: Some(&value) };
        give(&mut session, &encoded(1, &search(SUFFIX, Scope::Subtree), &[paged]));
        cookie = cookie_of(&session);
        counts.push(taken(&mut session).len() - 1);
        if cookie.is_empty() {
            break;
        }
    }
    assert_eq!(counts, [4, 3]);
}

/// The cookie in the last message written.
fn cookie_of(session: &Session) -> Vec<u8> {
    let mut rest = session.output.unsent();
    let mut cookie = None;
    while let Ok(ldap::ber::Frame::Complete { length }) = ldap::ber::frame(rest, usize::MAX) {
        let message = ldap::response::ResponseMessage::decode(&rest[..length]).unwrap();
        cookie = message
            .controls
            .first()
            .map(|control| PagedResults::decode(control.value.unwrap()).unwrap().cookie.to_vec());
        rest = &rest[length..];
    }
    cookie.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_search_beyond_its_time_limit_says_so() {
    let limits = Limits { search_step: 1, ..Limits::default() };
    let (mut session, _events) = eva(directory(5), limits);
    let Request::Search(request) = search(SUFFIX, Scope::Subtree) else { unreachable!() };
    let limited =
        Request::Search(ldap::message::SearchRequest { time_limit_seconds: 2, ..request });
    give(&mut session, &encoded(1, &limited, &[]));
    step(&mut session);
    tokio::time::advance(std::time::Duration::from_secs(3)).await;
    step(&mut session);
    assert_eq!(taken(&mut session).last().unwrap(), "1 search timeLimitExceeded");
}

/// A session from an address that has failed so many times already.
fn failing(times: usize) -> (Session, UnboundedReceiver<Event>) {
    let (sender, events) = tokio::sync::mpsc::unbounded_channel();
    let shared = shared(directory(0), Limits::default());
    let address = Some("192.0.2.7".parse().unwrap());
    for _ in 0..times {
        shared.door.judge(address, false, || shared.directory.now_ms(), || ((), true)).unwrap();
    }
    let peer = Peer { address, ..peer(Protection::Tls) };
    (Session::new(shared, Lens::default(), peer, sender), events)
}

#[tokio::test]
async fn an_answer_is_held_back_and_given_when_the_server_stops() {
    for (times, judged) in [(10, true), (20, false)] {
        let (mut session, mut events) = failing(times);
        give(&mut session, &encoded(1, &bind(EVA, PASSWORD), &[]));
        if judged {
            let verified = events.recv().await.unwrap();
            session.resume(verified);
        }
        assert_eq!(taken(&mut session), [""; 0], "not yet");
        assert!(!session.has_room() && !session.in_flight.is_empty(), "nothing is read");
        session.drain();
        let expected = if judged { "1 bind success" } else { "1 bind invalidCredentials" };
        assert_eq!(taken(&mut session), [expected]);
        assert!(session.in_flight.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_held_back_for_longer_the_more_has_failed() {
    for (times, seconds) in [(4, 0.0), (5, 0.25), (7, 1.0), (10, 8.0), (20, 8.0)] {
        let (mut session, mut events) = failing(times);
        let before = Instant::now();
        give(&mut session, &encoded(1, &bind(EVA, b"wrong"), &[]));
        while !session.in_flight.is_empty() {
            let event = events.recv().await.unwrap();
            session.resume(event);
        }
        assert_eq!(taken(&mut session), ["1 bind invalidCredentials"]);
        let passed = before.elapsed().as_secs_f64();
        assert!((passed - seconds).abs() < 0.01, "{times}: {passed}");
        assert!(session.has_room(), "and on it goes");
    }
}
