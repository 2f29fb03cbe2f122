//! Our own LDAP client, against slapd and Chancery, and against a mock for what they never do.

mod discovery;
mod mock;
mod pool;
mod scram;

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use client::{Change, Connector, Error, Found, Identity, Limits, Query, Secret, Session};
use client::{Security, Target, Trust};
use ldap::message::{MessageId, ModifyOperation, Request, Scope};
use ldap::response::{
    LdapResult, ResponseOperation, write_attribute, write_entry, write_extended,
    write_notice_of_disconnection, write_result,
};
use ldap::result::ResultCode;
use pki::judge::names::ServedName;
use testing::certificates;
use testing::peers::chancery::binary;
use testing::peers::missing::{Peer, present};
use testing::peers::{SUFFIX, Server, Subject, port};
use testing::process::run;

use mock::{Answers, MockServer};

/// Runs a test against every product.
fn each<F: Future<Output = ()>>(test: &str, run: impl Fn(Arc<Server>) -> F) {
    for subject in Subject::ALL {
        let openssl = Peer::program("openssl", "/usr/bin/openssl");
        if present(&format!("{test} ({})", subject.name()), &[subject.program(), openssl]) {
            let server = Arc::new(subject.start().unwrap());
            block_on(run(server));
        }
    }
}

fn block_on<F: Future<Output = ()>>(future: F) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build().unwrap().block_on(future);
}

fn trust(ca: &Path) -> Trust {
    Trust::given(pki::pem::certificates(&std::fs::read(ca).unwrap()).unwrap()).unwrap()
}

fn connector(server: &Server) -> Connector {
    Connector::new(&trust(&server.ca), None).unwrap()
}

async fn signed_in(server: &Server) -> Session {
    let target = Target::parse(&server.ldaps).unwrap();
    let session = connector(server).connect(&target).await.unwrap();
    let password = Secret::new(server.password().unwrap());
    session.bind(&server.admin, &password).await.unwrap();
    session
}

async fn add_people(session: &Session, count: usize) {
    let mut adding = tokio::task::JoinSet::new();
    for number in 0..count {
        let session = session.clone();
        adding.spawn(async move {
            let name = format!("p{number}");
            let dn = format!("cn={name},{SUFFIX}");
            let person: &[(&str, &[&[u8]])] =
                &[("objectClass", &[b"person"]), ("cn", &[name.as_bytes()]), ("sn", &[b"P"])];
            session.add(&dn, person, &[]).await
        });
    }
    while let Some(added) = adding.join_next().await {
        added.unwrap().unwrap();
    }
}

fn people() -> Query {
    Query::new(SUFFIX, Scope::Subtree, "(sn=P)").unwrap().attributes(&["cn"])
}

#[test]
fn every_operation_over_both_ways_to_begin_tls() {
    each("operations of the client", |server| async move {
        for uri in [&server.ldaps, &server.ldap] {
            let target = Target::parse(uri).unwrap();
            let is_starttls = uri.starts_with("ldap:");
            assert_eq!(target.security == Security::StartTls, is_starttls);
            let session = connector(&server).connect(&target).await.unwrap();
            assert!(!session.peer().chain.is_empty() && session.peer().version.is_some());
            operations(&session, &server).await;
        }
    });
}

async fn operations(session: &Session, server: &Server) {
    let wrong = session.bind(&server.admin, &Secret::new("wrong")).await.unwrap_err();
    let Error::Refused { answer, .. } = &wrong else { panic!("{wrong}") };
    assert_eq!(answer.code, ResultCode::INVALID_CREDENTIALS);
    let empty = session.bind(&server.admin, &Secret::new("")).await.unwrap_err();
    assert!(matches!(empty, Error::EmptyPassword));
    let password = Secret::new(server.password().unwrap());
    session.bind(&server.admin, &password).await.unwrap();
    assert_eq!(session.who_am_i().await.unwrap(), format!("dn:{}", server.admin));
    assert!(!session.root_dse().await.unwrap().values("namingContexts").is_empty());

    let (old, new) = (format!("cn=Ada,{SUFFIX}"), format!("cn=Eva,{SUFFIX}"));
    let ada: &[(&str, &[&[u8]])] =
        &[("objectClass", &[b"person"]), ("cn", &[b"Ada"]), ("sn", &[b"L"])];
    session.add(&old, ada, &[]).await.unwrap();
    let again = session.add(&old, ada, &[]).await.unwrap_err();
    let Error::Refused { answer, .. } = again else { panic!("{again}") };
    assert_eq!(answer.code, ResultCode::ENTRY_ALREADY_EXISTS);
    let values = vec![&b"first"[..], &b"second"[..]];
    let operation = ModifyOperation::Replace;
    let change = Change { operation, attribute: "description", values };
    session.modify(&old, &[change], &[]).await.unwrap();
    assert!(session.compare(&old, "description", b"second").await.unwrap());
    assert!(!session.compare(&old, "description", b"third").await.unwrap());
    session.rename(&old, "cn=Eva", None, &[]).await.unwrap();
    assert_eq!(session.read(&old, &["cn"]).await.unwrap(), None);
    let eva = session.read(&new, &["description"]).await.unwrap().unwrap();
    assert_eq!((eva.text("description"), eva.values("Description").len()), (Some("first"), 2));
    session.delete(&new, &[]).await.unwrap();
    session.bind_anonymous().await.unwrap();
    assert_eq!(session.who_am_i().await.unwrap(), "");
}

#[test]
fn a_client_certificate_signs_in() {
    each("EXTERNAL of the client", |server| async move {
        let Some(own) = &server.client else { panic!("there is no client certificate") };
        let read = |path: &Path| std::fs::read(path).unwrap();
        let (chain, key) = (read(&own.certificate), read(&own.key));
        let identity = Identity {
            chain: pki::pem::certificates(&chain).unwrap(),
            key: pki::pem::private_key(&key).unwrap(),
        };
        let connector = Connector::new(&trust(&server.ca), Some(identity)).unwrap();
        let target = Target::parse(&server.ldaps).unwrap();
        let session = connector.connect(&target).await.unwrap();
        session.bind_external().await.unwrap();
        let who = session.who_am_i().await.unwrap().to_lowercase();
        assert_eq!(who, format!("dn:{}", server.admin).to_lowercase());
    });
}

#[test]
fn pages_are_drained_and_a_slow_reader_holds_only_its_own_connection() {
    each("searches of the client", |server| async move {
        let session = signed_in(&server).await;
        add_people(&session, 300).await;
        for query in [people(), people().paged(7), people().paged(1000)] {
            let mut names = Vec::new();
            let mut entries = session.search(query).await.unwrap();
            while let Some(Found::Entry(entry)) = entries.next().await.unwrap() {
                names.push(entry.text("cn").unwrap().to_owned());
            }
            names.sort();
            names.dedup();
            assert_eq!(names.len(), 300);
            assert_eq!(entries.answer().unwrap().code, ResultCode::SUCCESS);
        }
        // The queue holds 64 of the 300, and whoever shares the connection waits behind it.
        let mut entries = session.search(people()).await.unwrap();
        let behind = {
            let session = session.clone();
            tokio::spawn(async move { session.compare(SUFFIX, "dc", b"example").await })
        };
        let other = signed_in(&server).await;
        assert!(other.compare(SUFFIX, "dc", b"example").await.unwrap());
        let mut count = 0;
        while entries.next().await.unwrap().is_some() {
            count += 1;
        }
        assert_eq!(count, 300);
        assert!(behind.await.unwrap().unwrap());
        // One that is dropped half-way is abandoned, and holds up nobody.
        let mut entries = session.search(people()).await.unwrap();
        assert!(entries.next().await.unwrap().is_some());
        drop(entries);
        assert!(session.compare(SUFFIX, "dc", b"example").await.unwrap());
        let many = session.found(people(), 5).await.unwrap_err();
        assert!(matches!(many, Error::TooMany { most: 5 }));
        assert!(session.compare(SUFFIX, "dc", b"example").await.unwrap());
    });
}

/// What a test's mock is trusted by, and a target for it.
struct Scene {
    folder: tempfile::TempDir,
    ca: certificates::Certificate,
}

impl Scene {
    fn new(test: &str) -> Option<Scene> {
        if !present(test, &[Peer::program("openssl", "/usr/bin/openssl")]) {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let ca = certificates::authority(folder.path()).unwrap();
        Some(Scene { folder, ca })
    }

    fn start(&self, before: Option<Vec<u8>>, answers: Answers) -> MockServer {
        let certificate = certificates::server(self.folder.path(), &self.ca).unwrap();
        MockServer::start(&certificate, before, answers)
    }

    async fn connect(&self, name: &str, mock: &MockServer, ca: &Path) -> Result<Session, Error> {
        let target = target(name, mock.address, Security::Ldaps);
        Connector::new(&trust(ca), None).unwrap().connect_to(&target, mock.address).await
    }
}

fn target(name: &str, address: SocketAddr, security: Security) -> Target {
    Target { name: ServedName::parse(name).unwrap(), port: address.port(), security }
}

fn nothing() -> Answers {
    Box::new(|_, _| panic!("a request came"))
}

#[test]
fn nothing_is_said_to_a_stranger() {
    let Some(scene) = Scene::new("strangers") else { return };
    let other = scene.folder.path().join("other");
    std::fs::create_dir(&other).unwrap();
    let other = certificates::authority(&other).unwrap();
    block_on(async {
        for (name, ca) in [
            ("localhost", &other.certificate),
            ("elsewhere.example", &scene.ca.certificate),
            ("127.0.0.9", &scene.ca.certificate),
        ] {
            let mock = scene.start(None, nothing());
            let error = scene.connect(name, &mock, ca).await.unwrap_err();
            assert!(matches!(error, Error::Handshake { .. }), "{name}: {error}");
            assert!(error.to_string().contains(name), "{error}");
            assert!(mock.ended().is_empty());
        }
    });
}

#[test]
fn what_follows_the_answer_to_starttls_in_the_clear_is_refused() {
    let Some(scene) = Scene::new("StartTLS") else { return };
    let answer = |code, more: bool| {
        let mut out = Vec::new();
        write_extended(&mut out, MessageId(1), &LdapResult::new(code, "said"), None, None, &[]);
        if more {
            write_notice_of_disconnection(&mut out, ResultCode::UNAVAILABLE, "injected");
        }
        out
    };
    block_on(async {
        for (before, words) in [
            (answer(ResultCode::SUCCESS, true), "before the handshake"),
            (answer(ResultCode::PROTOCOL_ERROR, false), "said"),
        ] {
            let mock = scene.start(Some(before), nothing());
            let target = target("localhost", mock.address, Security::StartTls);
            let connector = Connector::new(&trust(&scene.ca.certificate), None).unwrap();
            let error = connector.connect_to(&target, mock.address).await.unwrap_err();
            assert!(matches!(error, Error::NoStartTls { .. }), "{error}");
            assert!(error.to_string().contains(words), "{error}");
            drop(connector);
            assert!(mock.ended().is_empty());
        }
    });
}

#[test]
fn whoever_waits_is_told_how_the_connection_ended() {
    let Some(scene) = Scene::new("ends of a connection") else { return };
    block_on(async {
        for says_goodbye in [true, false] {
            let answers: Answers = Box::new(move |_, out| {
                if says_goodbye {
                    write_notice_of_disconnection(out, ResultCode::UNAVAILABLE, "going down");
                }
                false
            });
            let mock = scene.start(None, answers);
            let session = scene.connect("localhost", &mock, &scene.ca.certificate).await.unwrap();
            let error = session.who_am_i().await.unwrap_err().to_string();
            let words = if says_goodbye { "going down" } else { "the server closed it" };
            assert!(error.contains(words), "{error}");
            let later = session.who_am_i().await.unwrap_err().to_string();
            assert_eq!(later, error);
            assert!(session.ended().is_some());
        }
    });
}

#[test]
fn an_operation_that_is_not_answered_ends_and_is_abandoned() {
    let Some(scene) = Scene::new("no answer") else { return };
    let abandoned = Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = Arc::clone(&abandoned);
    let answers: Answers = Box::new(move |message, _| match message.request {
        Request::Abandon(id) => {
            seen.lock().unwrap().push(id);
            true
        }
        Request::Unbind => false,
        _ => true,
    });
    let mock = scene.start(None, answers);
    block_on(async {
        let target = target("localhost", mock.address, Security::Ldaps);
        let limits = Limits { operation: Duration::from_millis(50), ..Limits::default() };
        let connector = Connector::new(&trust(&scene.ca.certificate), None).unwrap();
        let session = connector.limited(limits).connect_to(&target, mock.address).await.unwrap();
        let late = session.who_am_i().await.unwrap_err();
        assert!(matches!(late, Error::TimedOut { .. }), "{late}");
        drop(session);
        // The mock ends when the unbind has come.
        let ended = tokio::task::spawn_blocking(move || mock.ended());
        assert!(!ended.await.unwrap().is_empty());
    });
    assert_eq!(*abandoned.lock().unwrap(), [MessageId(1)]);
}

/// As Active Directory does it (MS-ADTS 3.1.1.3.1.3.3), with 3 values at a time.
fn mock_of_ad(values: usize, others: usize) -> Answers {
    Box::new(move |message, out| {
        let Request::Search(search) = &message.request else { return false };
        let value = |number: usize| format!("cn=v{number},{SUFFIX}").into_bytes();
        let asked = search.attributes.first().copied().unwrap_or_default();
        let from = asked
            .split_once(";range=")
            .map_or(0, |(_, range)| range.split_once('-').unwrap().0.parse().unwrap());
        let to = values.min(from + 3);
        let name = match to == values {
            true => format!("member;range={from}-*"),
            false => format!("member;range={from}-{}", to - 1),
        };
        let held: Vec<Vec<u8>> = (from..to).map(value).collect();
        let mut attribute = Vec::new();
        write_attribute(&mut attribute, name.as_bytes(), held.iter().map(Vec::as_slice));
        write_entry(out, message.id, search.base.as_bytes(), &[&attribute], &[]);
        // A search over more than the group itself finds others, more than the queue takes.
        let others = if search.scope == Scope::Base { 0 } else { others };
        for _ in 0..others {
            write_entry(out, message.id, b"cn=other", &[], &[]);
        }
        write_result(out, message.id, ResponseOperation::SearchDone, &LdapResult::SUCCESS, &[]);
        true
    })
}

#[test]
fn values_in_ranges_are_put_together_while_more_entries_wait() {
    let Some(scene) = Scene::new("ranges") else { return };
    block_on(async {
        for (values, others) in [(2, 0), (3, 0), (10, 500)] {
            let mock = scene.start(None, mock_of_ad(values, others));
            let session = scene.connect("localhost", &mock, &scene.ca.certificate).await.unwrap();
            let query = Query::new(SUFFIX, Scope::Subtree, "(cn=group)").unwrap();
            let found = session.found(query.attributes(&["member"]), 1000).await.unwrap();
            assert_eq!(found.len(), 1 + others);
            let members = found.first().unwrap().values("member");
            assert_eq!(members.len(), values);
            let last = format!("cn=v{},{SUFFIX}", values - 1);
            assert_eq!(members.last().unwrap(), last.as_bytes());
        }
    });
}

#[test]
fn a_tree_goes_on_behind_what_may_not_be_seen() {
    let Some(scene) = Scene::new("trees") else { return };
    // The base has two children; below the first nobody may look.
    let answers: Answers = Box::new(|message, out| {
        let Request::Search(search) = &message.request else { return false };
        let mut result = LdapResult::SUCCESS;
        if search.base == SUFFIX {
            for child in ["ou=closed", "ou=open"] {
                write_entry(out, message.id, format!("{child},{SUFFIX}").as_bytes(), &[], &[]);
            }
        } else if search.base.starts_with("ou=closed") {
            result.code = ResultCode::INSUFFICIENT_ACCESS_RIGHTS;
        } else if search.base.starts_with("ou=open") {
            write_entry(out, message.id, format!("cn=x,ou=open,{SUFFIX}").as_bytes(), &[], &[]);
        }
        write_result(out, message.id, ResponseOperation::SearchDone, &result, &[]);
        true
    });
    let mock = scene.start(None, answers);
    let (uri, ca) = (format!("ldaps://localhost:{}", mock.address.port()), &scene.ca.certificate);
    let address = mock.address.to_string();
    let mut command = Command::new(binary());
    command.args(["ldap", "tree", &uri, SUFFIX, "--address", &address, "--ca"]).arg(ca);
    let said = run(&mut command).unwrap();
    let expected = format!("{SUFFIX}\n  ou=closed\n  ou=open\n    cn=x\n");
    assert_eq!(said.stdout, expected, "{}", said.stderr);
    assert!(said.stderr.contains("below ou=closed") && said.stderr.contains("not whole"));
}

#[test]
fn what_comes_while_ranges_are_read_is_bounded() {
    let Some(scene) = Scene::new("bounds") else { return };
    let mut is_first = true;
    let endless: Answers = Box::new(move |message, out| {
        if std::mem::take(&mut is_first) {
            let mut attribute = Vec::new();
            write_attribute(&mut attribute, b"member;range=0-0", std::iter::once(&b"cn=v"[..]));
            write_entry(out, message.id, SUFFIX.as_bytes(), &[&attribute], &[]);
            let name = vec![b'x'; 1 << 20];
            for _ in 0..80 {
                write_entry(out, message.id, &name, &[], &[]);
            }
        }
        true
    });
    block_on(async {
        let mock = scene.start(None, endless);
        let session = scene.connect("localhost", &mock, &scene.ca.certificate).await.unwrap();
        let query = Query::new(SUFFIX, Scope::Subtree, "(cn=group)").unwrap();
        let ended = session.found(query.attributes(&["member"]), 1000).await.unwrap_err();
        assert!(matches!(ended, Error::Overrun { .. }), "{ended}");
    });
}

#[test]
fn targets_say_what_is_mixed_up() {
    assert_eq!(port("ldaps://localhost:7"), 7);
    let parsed = Target::parse("ldaps://dc1.corp.example").unwrap();
    assert_eq!((parsed.port, parsed.security), (636, Security::Ldaps));
    assert_eq!(Target::parse("ldap://[2001:db8::1]:3389/dc=x").unwrap().port, 3389);
    for (text, words) in [
        ("ldaps://dc1.corp.example:389", "mix-up"),
        ("ldap://dc1.corp.example:636", "write ldaps://dc1.corp.example"),
        ("https://dc1.corp.example", "write ldaps://"),
        ("ldaps://dc1:99999", "no port"),
        ("ldaps://dc 1", "neither a host name"),
    ] {
        let error = Target::parse(text).unwrap_err().to_string();
        assert!(error.contains(words), "{text}: {error}");
    }
}
