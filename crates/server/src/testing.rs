//! A small directory, a client that reads answers as words, and connections without sockets.

use std::sync::Arc;

use directory::access::RuleText;
use directory::password::Hasher;
use directory::{
    Change, ChangeControls, ChangeRequest, Directory, Lens, NewAttribute, Protection, Settings,
    Subject, Who,
};
use ldap::ber::{Frame, frame};
use ldap::filter::Filter;
use ldap::message::{
    Authentication, BindRequest, Control, DecodeLimits, DerefAliases, ExtendedRequest, MessageId,
    Request, Scope, SearchRequest, encode_request,
};
use ldap::response::{Response, ResponseMessage};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::connection::{self, Ending};
use crate::in_flight::Event;
use crate::limits::Limits;
use crate::password_pool::PasswordPool;
use crate::session::{Peer, Proof, Received, Session, Shared};

pub(crate) const SUFFIX: &str = "dc=example,dc=com";
pub(crate) const EVA: &str = "uid=eva,dc=example,dc=com";
pub(crate) const PASSWORD: &[u8] = b"correct horse";

/// `cheap` under a scheme that is verified without the password pool.
pub(crate) const STORED_CHEAP: &[u8] = b"{SHA}+430Gha0scKAenV8HqIjjkbNy5Y=";

pub(crate) fn server() -> Subject {
    Subject { who: Who::Operator, address: None, protection: Protection::Local }
}

fn attribute(description: &str, values: &[&[u8]]) -> NewAttribute {
    let values = values.iter().map(|value| value.to_vec()).collect();
    NewAttribute { description: description.to_owned(), values }
}

fn addition(dn: &str, attributes: Vec<NewAttribute>) -> ChangeRequest {
    let change = Change::Add { dn: dn.to_owned(), attributes };
    ChangeRequest { subject: server(), change, controls: ChangeControls::default() }
}

fn person(uid: &str) -> (String, Vec<NewAttribute>) {
    let attributes = vec![
        attribute("objectClass", &[b"inetOrgPerson"]),
        attribute("uid", &[uid.as_bytes()]),
        attribute("cn", &[uid.as_bytes()]),
        attribute("sn", &[b"Example"]),
    ];
    (format!("uid={uid},{SUFFIX}"), attributes)
}

pub(crate) fn add_person(directory: &Directory, uid: &str, password: &[u8]) {
    let (dn, mut attributes) = person(uid);
    attributes.push(attribute("userPassword", &[password]));
    directory.submit_and_wait(addition(&dn, attributes)).unwrap();
}

/// Whoever has signed in may do everything: access has its own tests.
fn settings() -> Settings {
    Settings {
        suffixes: vec![SUFFIX.to_owned()],
        access: vec![
            RuleText::new("signed-in", &["manage"]),
            RuleText::new("anyone", &["auth"]).attributes(&["@secrets"]),
        ],
        hasher: Hasher::new(8, 1, 1).unwrap(),
        ..Settings::default()
    }
}

/// The suffix, eva with a slow hash and `people` others. Its folder is gone when it is closed.
pub(crate) fn directory(people: usize) -> Directory {
    let folder = tempfile::tempdir().unwrap();
    let directory = Directory::open(folder.path(), settings()).unwrap();
    let suffix = vec![attribute("objectClass", &[b"domain"]), attribute("dc", &[b"example"])];
    directory.submit_and_wait(addition(SUFFIX, suffix)).unwrap();
    add_person(&directory, "eva", PASSWORD);
    let (sender, done) = std::sync::mpsc::channel();
    for number in 0..people {
        let (dn, attributes) = person(&format!("p{number:05}"));
        let sender = sender.clone();
        let reply = Box::new(move |result: Result<_, _>| sender.send(result.is_ok()).unwrap());
        directory.submit(addition(&dn, attributes), reply).unwrap();
    }
    drop(sender);
    assert!(done.iter().all(|added| added));
    directory
}

pub(crate) fn shared(directory: Directory, limits: Limits) -> Arc<Shared> {
    Arc::new(Shared {
        directory,
        passwords: PasswordPool::start(1, limits.passwords_waiting).unwrap(),
        door: Arc::default(),
        limits,
        decode: DecodeLimits::default(),
        anonymous: crate::settings::Anonymous::RootDse,
        own_password_without_old: false,
        certificate_rules: crate::certificate_map::CertificateRules::default(),
        office: None,
        own_user: 1000,
    })
}

/// A listener's TLS before there is a certificate.
pub(crate) fn no_tls() -> crate::tls::ListenerTls {
    let (policy, clients) =
        (crate::tls::TlsPolicy::default(), crate::tls::ClientCertificates::NotAsked);
    let config = crate::tls::ServingTls::default().config(&policy, clients).unwrap();
    crate::tls::ListenerTls::new(config)
}

/// A client certificate with this subject and nothing else.
pub(crate) fn certificate(subject: &str) -> pki::Summary {
    pki::Summary {
        subject: subject.to_owned(),
        issuer: "CN=Test CA".to_owned(),
        serial: "01".to_owned(),
        thumbprint: "ab12".to_owned(),
        not_before: time::OffsetDateTime::UNIX_EPOCH,
        not_after: time::OffsetDateTime::UNIX_EPOCH,
        names: Vec::new(),
        is_ca: false,
        purposes: Vec::new(),
        public_key: Vec::new(),
    }
}

pub(crate) fn peer(protection: Protection) -> Peer {
    Peer {
        connection: 1,
        address: None,
        via: None,
        protection,
        proof: Proof::Nothing,
        start_tls: protection == Protection::None,
    }
}

/// A session without a connection around it.
pub(crate) fn session(directory: Directory, limits: Limits) -> (Session, UnboundedReceiver<Event>) {
    let (sender, events) = unbounded_channel();
    let session =
        Session::new(shared(directory, limits), Lens::default(), peer(Protection::Tls), sender);
    (session, events)
}

/// A session that has signed in as eva.
pub(crate) fn eva(directory: Directory, limits: Limits) -> (Session, UnboundedReceiver<Event>) {
    let (mut session, events) = session(directory, limits);
    let who = session.shared.directory.view(&server()).unwrap().who_named(EVA);
    session.subject.who = who.unwrap().unwrap();
    (session, events)
}

pub(crate) fn encoded(id: u32, request: &Request<'_>, controls: &[Control<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_request(MessageId(id), request, controls, &mut bytes);
    bytes
}

pub(crate) fn bind<'a>(name: &'a str, password: &'a [u8]) -> Request<'a> {
    let authentication = Authentication::Simple(password);
    Request::Bind(BindRequest { version: 3, name, authentication })
}

pub(crate) fn sasl<'a>(mechanism: &'a str, credentials: Option<&'a [u8]>) -> Request<'a> {
    let authentication = Authentication::Sasl { mechanism, credentials };
    Request::Bind(BindRequest { version: 3, name: "", authentication })
}

pub(crate) fn search(base: &str, scope: Scope) -> Request<'_> {
    Request::Search(SearchRequest {
        base,
        scope,
        deref: DerefAliases::Never,
        size_limit: 0,
        time_limit_seconds: 0,
        types_only: false,
        filter: Filter::Present("objectClass"),
        attributes: Vec::new(),
    })
}

pub(crate) fn extended<'a>(oid: &'a str, value: Option<&'a [u8]>) -> Request<'a> {
    Request::Extended(ExtendedRequest { oid, value })
}

/// Requests numbered from 1, in one piece.
pub(crate) fn pipelined(requests: &[Request<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (id, request) in (1..).zip(requests) {
        bytes.extend(encoded(id, request, &[]));
    }
    bytes
}

/// Gives a session whole messages; none of them may have to wait.
pub(crate) fn give(session: &mut Session, bytes: &[u8]) {
    assert_eq!(session.receive(bytes), Received::Consumed);
}

/// What a session has written, one line for each message, taken as if it was sent.
pub(crate) fn taken(session: &mut Session) -> Vec<String> {
    let mut bytes = session.output.unsent().to_vec();
    session.output.mark_sent(bytes.len());
    let mut lines = Vec::new();
    while let Some(line) = next_line(&mut bytes) {
        lines.push(line);
    }
    assert!(bytes.is_empty(), "whole messages only");
    lines
}

/// Cuts the first message off and says it in words: `3 search success`, `3 entry dc=example`.
fn next_line(bytes: &mut Vec<u8>) -> Option<String> {
    let Frame::Complete { length } = frame(bytes, usize::MAX).unwrap() else { return None };
    let message: Vec<u8> = bytes.drain(..length).collect();
    let decoded = ResponseMessage::decode(&message).unwrap();
    let id = decoded.id.0;
    let kind = match &decoded.response {
        Response::Bind(_) => "bind",
        Response::SearchEntry(entry) => return Some(format!("{id} entry {}", entry.dn)),
        Response::SearchReference(_) => return Some(format!("{id} reference")),
        Response::SearchDone(_) => "search",
        Response::Modify(_) => "modify",
        Response::Add(_) => "add",
        Response::Delete(_) => "delete",
        Response::ModifyDn(_) => "modifyDN",
        Response::Compare(_) => "compare",
        Response::Extended(_) => "extended",
        Response::Intermediate(_) => return Some(format!("{id} intermediate")),
    };
    let code = decoded.response.outcome().unwrap().code;
    let value = match &decoded.response {
        Response::Extended(extended) => extended.value.unwrap_or_default(),
        _ => b"",
    };
    let line = format!("{id} {kind} {} {}", code.name().unwrap(), String::from_utf8_lossy(value));
    Some(line.trim_end().to_owned())
}

/// The client's end of a connection, and the task that serves it.
pub(crate) struct Client {
    stream: DuplexStream,
    received: Vec<u8>,
    pub(crate) stop: watch::Sender<bool>,
    pub(crate) news: UnboundedSender<Event>,
    pub(crate) served: JoinHandle<std::io::Result<Ending<DuplexStream>>>,
}

impl Client {
    /// Must be called inside a `LocalSet`. `pipe` is what fits between the two.
    pub(crate) fn connect(shared: Arc<Shared>, peer: Peer, pipe: usize) -> Client {
        let (stream, other) = duplex(pipe);
        let (stop, stopped) = watch::channel(false);
        let (sender, mut events) = unbounded_channel();
        let news = sender.clone();
        let served = tokio::task::spawn_local(async move {
            let mut session = Session::new(shared, Lens::default(), peer, sender);
            connection::run(other, &mut session, &mut events, stopped.into()).await
        });
        Client { stream, received: Vec::new(), stop, news, served }
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    pub(crate) async fn no_more(&mut self) {
        self.stream.shutdown().await.unwrap();
    }

    /// The next message in words; none when the server has closed.
    pub(crate) async fn line(&mut self) -> Option<String> {
        loop {
            if let Some(line) = next_line(&mut self.received) {
                return Some(line);
            }
            let mut piece = [0; 512];
            let count = self.stream.read(&mut piece).await.unwrap();
            self.received.extend_from_slice(&piece[..count]);
            if count == 0 {
                assert!(self.received.is_empty(), "closed inside a message");
                return None;
            }
        }
    }

    pub(crate) async fn lines(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        while let Some(line) = self.line().await {
            lines.push(line);
        }
        lines
    }

    /// All answers to these bytes, until the server closes.
    pub(crate) async fn ask(mut self, bytes: &[u8]) -> Vec<String> {
        self.send(bytes).await;
        self.no_more().await;
        self.lines().await
    }
}
