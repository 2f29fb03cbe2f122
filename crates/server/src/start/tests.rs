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
use crate::settings::{Endpoint, Listen, ListeningAddress, LocalEndpoint};
use crate::testing::{EVA, PASSWORD, bind, directory, encoded, extended as operation, sasl};

fn tls() -> (Arc<ServerConfig>, CertificateDer<'static>) {
    let names = vec!["localhost".to_owned()];
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let certificate = cert.der().clone();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    (Arc::new(config), certificate)
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
        listeners: vec![Listen::Ldaps(any_port()), Listen::StartTls(any_port())],
        tls: Some(config),
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
    let settings = ServerSettings {
        listeners: vec![Listen::Ldaps(any_port())],
        tls: Some(config),
        ..ServerSettings::default()
    };
    let server = Server::start(directory(0), settings).unwrap();
    let who_am_i = operation(extended::WHO_AM_I, None);
    let mut before = over_tls(TcpStream::connect(port(&server, 0)).unwrap(), &first);
    assert_eq!(ask(&mut before, &who_am_i), "success ");
    let (config, second) = tls();
    server.reload_tls(config);
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
        listeners: vec![Listen::Ldaps(any_port())],
        tls: Some(config),
        ..ServerSettings::default()
    };
    let server = Server::start(directory(0), settings).unwrap();
    let mut silent = TcpStream::connect(port(&server, 0)).unwrap();
    server.shutdown(Duration::from_secs(600));
    // Closed, one way or the other.
    assert_eq!(silent.read(&mut [0]).unwrap_or(0), 0);
}

#[test]
fn a_server_without_a_certificate_or_a_listener_does_not_start() {
    let settings =
        ServerSettings { listeners: vec![Listen::Ldaps(any_port())], ..ServerSettings::default() };
    let error = Server::start(directory(0), settings).unwrap_err();
    assert!(matches!(error, StartError::NoCertificate));
    let error = Server::start(directory(0), ServerSettings::default()).unwrap_err();
    assert!(matches!(error, StartError::NoListener));
}

#[test]
fn one_connection_too_many_is_closed_and_the_others_are_not() {
    let (config, certificate) = tls();
    let limits = Limits { connections: 1, ..Limits::default() };
    let settings = ServerSettings {
        listeners: vec![Listen::Ldaps(any_port())],
        tls: Some(config),
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
