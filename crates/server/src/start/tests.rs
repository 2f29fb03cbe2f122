//! Whole servers on loopback and on local sockets.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;

use ldap::ber::{Frame, frame};
use ldap::message::Request;
use ldap::oid::extended;
use ldap::response::ResponseMessage;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, StreamOwned};

use super::*;
use crate::limits::Limits;
use crate::network::{Admission, Gate, Rule, RuleTable, Scope, Verdict};
use crate::settings::{Endpoint, Listen, ListeningAddress, LocalEndpoint};
use crate::testing::{EVA, PASSWORD, bind, directory, encoded, extended as operation, sasl};
use crate::tls::ListenerTls;

fn tls() -> (ListenerTls, CertificateDer<'static>) {
    let names = vec!["localhost".to_owned()];
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let certificate = cert.der().clone();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    (ListenerTls::new(Arc::new(config)), certificate)
}

fn over_tls(
    stream: TcpStream,
    trusted: &CertificateDer<'static>,
) -> StreamOwned<ClientConnection, TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    StreamOwned::new(ClientConnection::new(Arc::new(config), name).unwrap(), stream)
}

fn any_port() -> Endpoint {
    Endpoint::Address(SocketAddr::from(([127, 0, 0, 1], 0)))
}

fn port(server: &Server, at: usize) -> SocketAddr {
    match server.addresses()[at].address {
        ListeningAddress::Internet(address) => address,
        ListeningAddress::Path(_) => panic!("a local socket"),
    }
}

/// Sends one request and says its result: code name and extended value.
fn ask(stream: &mut (impl Read + Write), request: &Request<'_>) -> String {
    stream.write_all(&encoded(1, request, &[])).unwrap();
    next(stream)
}

fn next(stream: &mut impl Read) -> String {
    let mut bytes = Vec::new();
    while !matches!(frame(&bytes, usize::MAX), Ok(Frame::Complete { .. })) {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        bytes.extend(byte);
    }
    let message = ResponseMessage::decode(&bytes).unwrap();
    let code = message.response.outcome().unwrap().code.name().unwrap();
    match &message.response {
        ldap::response::Response::Extended(extended) => {
            format!("{code} {}", String::from_utf8_lossy(extended.value.unwrap_or_default()))
        }
        _ => code.to_owned(),
    }
}

#[test]
fn ldaps_and_start_tls() {
    let (config, certificate) = tls();
    let settings = ServerSettings {
        listeners: vec![
            Listen::Ldaps(any_port(), config.clone()),
            Listen::StartTls(any_port(), config),
        ],
        workers: 2,
        ..ServerSettings::default()
    };
    let server = Server::start(directory(0), settings).unwrap();
    let mut ldaps = over_tls(TcpStream::connect(port(&server, 0)).unwrap(), &certificate);
    assert_eq!(ask(&mut ldaps, &bind(EVA, PASSWORD)), "success");

    let mut plain = TcpStream::connect(port(&server, 1)).unwrap();
    assert_eq!(ask(&mut plain, &bind(EVA, PASSWORD)), "confidentialityRequired");
    assert_eq!(ask(&mut plain, &operation(extended::START_TLS, None)), "success ");
    let mut secured = over_tls(plain, &certificate);
    assert_eq!(ask(&mut secured, &bind(EVA, PASSWORD)), "success");
    let who = ask(&mut secured, &operation(extended::WHO_AM_I, None));
    assert_eq!(who, format!("success dn:{EVA}"));
    assert_eq!(ask(&mut secured, &operation(extended::START_TLS, None)), "operationsError ");

    assert_eq!(server.statistics().connections_open, 2);
    server.shutdown(Duration::from_secs(5));
    assert_eq!(next(&mut ldaps), "unavailable ");
    assert_eq!(next(&mut secured), "unavailable ");
}

#[test]
fn a_certificate_replaced_is_served_to_the_next_connection() {
    let (config, first) = tls();
    let replaceable = config.clone();
    let settings = ServerSettings {
        listeners: vec![Listen::Ldaps(any_port(), config)],
        ..ServerSettings::default()
    };
    let server = Server::start(directory(0), settings).unwrap();
    let who_am_i = operation(extended::WHO_AM_I, None);
    let mut before = over_tls(TcpStream::connect(port(&server, 0)).unwrap(), &first);
    assert_eq!(ask(&mut before, &who_am_i), "success ");
    let (config, second) = tls();
    replaceable.replace(config.config());
    let mut after = over_tls(TcpStream::connect(port(&server, 0)).unwrap(), &second);
    assert_eq!(ask(&mut after, &who_am_i), "success ");
    assert_eq!(ask(&mut before, &who_am_i), "success ");
}

#[test]
fn the_local_socket_knows_its_owner() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ldapi");
    let endpoint = LocalEndpoint::Path { path: path.clone(), mode: 0o600 };
    let settings =
        ServerSettings { listeners: vec![Listen::Local(endpoint)], ..ServerSettings::default() };
    let server = Server::start(directory(0), settings).unwrap();
    let mut stream = UnixStream::connect(&path).unwrap();
    assert_eq!(ask(&mut stream, &sasl("EXTERNAL", None)), "success");
    let who = ask(&mut stream, &operation(extended::WHO_AM_I, None));
    assert_eq!(who, "success u:operator");
    server.shutdown(Duration::from_secs(5));
    assert!(!path.exists());
}

#[test]
fn a_handshake_that_never_comes_does_not_delay_the_end() {
    let (config, _) = tls();
    let settings = ServerSettings {
        listeners: vec![Listen::Ldaps(any_port(), config)],
        ..ServerSettings::default()
    };
    let server = Server::start(directory(0), settings).unwrap();
    let mut silent = TcpStream::connect(port(&server, 0)).unwrap();
    server.shutdown(Duration::from_secs(600));
    // Closed, one way or the other.
    assert_eq!(silent.read(&mut [0]).unwrap_or(0), 0);
}

#[test]
fn a_server_without_a_listener_does_not_start() {
    let error = Server::start(directory(0), ServerSettings::default()).unwrap_err();
    assert!(matches!(error, StartError::NoListener));
}

#[test]
fn one_connection_too_many_is_closed_and_the_others_are_not() {
    let (config, certificate) = tls();
    let limits = Limits { connections: 1, ..Limits::default() };
    let settings = ServerSettings {
        listeners: vec![Listen::Ldaps(any_port(), config)],
        limits,
        ..ServerSettings::default()
    };
    let server = Server::start(directory(0), settings).unwrap();
    let mut first = over_tls(TcpStream::connect(port(&server, 0)).unwrap(), &certificate);
    assert_eq!(ask(&mut first, &bind(EVA, PASSWORD)), "success");
    let mut second = TcpStream::connect(port(&server, 0)).unwrap();
    assert_eq!(second.read(&mut [0]).unwrap_or(0), 0);
    assert_eq!(ask(&mut first, &bind(EVA, PASSWORD)), "success");
}

/// Only this network, and those balancers.
fn admission(source: &str, balancers: &[&str]) -> Admission {
    let rule = Rule {
        name: "office".to_owned(),
        priority: 200,
        sources: vec![source.parse().unwrap()],
        port: None,
        scope: None,
        verdict: Verdict::Allow,
    };
    let rules = RuleTable::check(vec![rule]).unwrap().of(Scope::External, 636);
    Admission { rules, balancers: balancers.iter().map(|text| text.parse().unwrap()).collect() }
}

/// A server with one listener, and how to open one more behind a gate.
fn local_server(workers: usize) -> (Local, CertificateDer<'static>) {
    let (tls, certificate) = tls();
    let listeners = vec![Listen::Ldaps(any_port(), tls.clone())];
    let settings = ServerSettings { listeners, workers, ..ServerSettings::default() };
    (Local { server: Server::start(directory(0), settings).unwrap(), tls }, certificate)
}

struct Local {
    server: Server,
    tls: ListenerTls,
}

impl Local {
    fn open(&self, address: SocketAddr, gate: Arc<Gate>) -> Result<OpenListener, StartError> {
        let endpoint = Endpoint::Address(address);
        self.server.listeners().open(Listen::Published(endpoint, gate, self.tls.clone()))
    }
}

fn address(of: &OpenListener) -> SocketAddr {
    match of.listening().address {
        ListeningAddress::Internet(address) => address,
        ListeningAddress::Path(_) => panic!("a local socket"),
    }
}

const ANY: ([u8; 4], u16) = ([127, 0, 0, 1], 0);

#[test]
fn a_published_listener_opens_and_closes_and_others_do_not_notice() {
    for workers in [1, 2] {
        let (local, certificate) = local_server(workers);
        let who_am_i = operation(extended::WHO_AM_I, None);
        let mut always =
            over_tls(TcpStream::connect(port(&local.server, 0)).unwrap(), &certificate);
        assert_eq!(ask(&mut always, &who_am_i), "success ");
        let gate = Gate::new(Scope::External, admission("127.0.0.0/8", &[]));
        let listener = local.open(ANY.into(), Arc::clone(&gate)).unwrap();
        let at = address(&listener);
        let mut published = over_tls(TcpStream::connect(at).unwrap(), &certificate);
        assert_eq!(ask(&mut published, &who_am_i), "success ");
        assert!(matches!(local.open(at, Arc::clone(&gate)), Err(StartError::InUse { .. })));
        listener.close();
        let refused = TcpStream::connect(at).unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
        assert_eq!(ask(&mut published, &who_am_i), "success ", "accepted before it closed");
        assert_eq!(ask(&mut always, &who_am_i), "success ");
        let again = local.open(at, gate).unwrap();
        let mut published = over_tls(TcpStream::connect(at).unwrap(), &certificate);
        assert_eq!(ask(&mut published, &who_am_i), "success ");
        local.server.shutdown(Duration::from_secs(5));
        again.close();
        assert!(TcpStream::connect(at).is_err());
    }
}

#[test]
fn whoever_is_denied_hears_not_one_byte() {
    let (local, certificate) = local_server(1);
    let gate = Gate::new(Scope::External, admission("192.0.2.0/24", &[]));
    let listener = local.open(ANY.into(), Arc::clone(&gate)).unwrap();
    let mut denied = TcpStream::connect(address(&listener)).unwrap();
    let mut heard = Vec::new();
    // Reset or closed, depending on what it has sent.
    let _ = denied.read_to_end(&mut heard);
    assert!(heard.is_empty());
    assert_eq!(gate.counts().denied, 1);
    gate.replace(admission("127.0.0.1", &[]), false);
    let mut allowed = over_tls(TcpStream::connect(address(&listener)).unwrap(), &certificate);
    assert_eq!(ask(&mut allowed, &bind(EVA, PASSWORD)), "success");
    assert_eq!(gate.counts().admitted, 1);
}

#[test]
fn a_rule_that_is_gone_ends_sessions_only_where_that_was_asked_for() {
    let (local, certificate) = local_server(2);
    let gate = Gate::new(Scope::External, admission("127.0.0.0/8", &[]));
    let listener = local.open(ANY.into(), Arc::clone(&gate)).unwrap();
    let who_am_i = operation(extended::WHO_AM_I, None);
    let mut published = over_tls(TcpStream::connect(address(&listener)).unwrap(), &certificate);
    let mut other = over_tls(TcpStream::connect(port(&local.server, 0)).unwrap(), &certificate);
    assert_eq!(ask(&mut other, &who_am_i), "success ");
    assert_eq!(ask(&mut published, &who_am_i), "success ");
    gate.replace(admission("192.0.2.0/24", &[]), false);
    assert_eq!(ask(&mut published, &who_am_i), "success ", "as security groups do");
    gate.replace(admission("127.0.0.1", &[]), true);
    assert_eq!(ask(&mut published, &who_am_i), "success ", "it still matches");
    gate.replace(admission("192.0.2.0/24", &[]), true);
    assert_eq!(next(&mut published), "unavailable ");
    assert_eq!(published.read(&mut [0]).unwrap_or(0), 0);
    assert_eq!(ask(&mut other, &who_am_i), "success ", "another listener");
}

#[test]
fn a_balancer_introduces_its_clients_and_nobody_else_does() {
    let (local, certificate) = local_server(1);
    let gate = Gate::new(Scope::External, admission("192.0.2.0/24", &["127.0.0.1"]));
    let listener = local.open(ANY.into(), Arc::clone(&gate)).unwrap();
    let connect = |header: &str| {
        let mut stream = TcpStream::connect(address(&listener)).unwrap();
        stream.write_all(header.as_bytes()).unwrap();
        stream
    };
    let hears_nothing = |mut stream: TcpStream| {
        let mut heard = Vec::new();
        let _ = stream.read_to_end(&mut heard);
        heard.is_empty()
    };
    let from_office = "PROXY TCP4 192.0.2.7 127.0.0.1 40000 636\r\n";
    let mut introduced = over_tls(connect(from_office), &certificate);
    assert_eq!(ask(&mut introduced, &bind(EVA, PASSWORD)), "success");
    let elsewhere = "PROXY TCP4 198.51.100.7 127.0.0.1 40000 636\r\n";
    assert!(hears_nothing(connect(elsewhere)), "its address is not let in");
    assert!(hears_nothing(connect("\x16\x03\x01")), "TLS without a header");
    // The same words from somebody who is no balancer.
    gate.replace(admission("0.0.0.0/0", &["192.0.2.5"]), false);
    assert!(hears_nothing(connect(from_office)), "a header from anybody");
    assert!(hears_nothing(connect("")), "no header from anybody");
    // Without balancers a header is bad TLS.
    gate.replace(admission("127.0.0.1", &[]), false);
    let mut heard = Vec::new();
    let _ = connect(from_office).read_to_end(&mut heard);
    assert!(heard.len() <= 7, "nothing but an alert: {heard:?}");
    assert_eq!(gate.counts().denied, 4);
}

#[test]
fn a_balancer_that_says_nothing_is_waited_for_no_longer_than_a_handshake() {
    let (tls, _) = tls();
    let limits = Limits { handshake: Duration::from_millis(50), ..Limits::default() };
    let listeners = vec![Listen::Ldaps(any_port(), tls.clone())];
    let settings = ServerSettings { listeners, limits, ..ServerSettings::default() };
    let local = Local { server: Server::start(directory(0), settings).unwrap(), tls };
    let gate = Gate::new(Scope::External, admission("192.0.2.0/24", &["127.0.0.1"]));
    let listener = local.open(ANY.into(), gate).unwrap();
    let mut silent = TcpStream::connect(address(&listener)).unwrap();
    silent.write_all(b"PROXY TCP4 192.0.2.7 ").unwrap();
    assert_eq!(silent.read(&mut [0]).unwrap_or(0), 0);
}
