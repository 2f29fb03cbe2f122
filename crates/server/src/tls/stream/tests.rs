//! Whole TLS conversations over a pipe in memory, against rustls's own client.

use std::io::{Read, Write};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{
    AlertDescription, ClientConfig, ClientConnection, Error, RootCertStore,
    SupportedProtocolVersion,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::*;

const TLS12: &SupportedProtocolVersion = &rustls::version::TLS12;
const TLS13: &SupportedProtocolVersion = &rustls::version::TLS13;

struct World {
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
}

impl World {
    fn new(version: &'static SupportedProtocolVersion) -> World {
        let names = vec!["localhost".to_owned()];
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(cert.der().clone()).unwrap();
        let mut server = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .unwrap();
        server.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new().unwrap();
        let client = ClientConfig::builder_with_protocol_versions(&[version])
            .with_root_certificates(roots)
            .with_no_client_auth();
        World { server: Arc::new(server), client: Arc::new(client) }
    }

    /// The pipe takes so many bytes at a time.
    async fn connect(&self, pipe: usize) -> (Client, TlsStream<DuplexStream>) {
        let (near, far) = duplex(pipe);
        let name = ServerName::try_from("localhost").unwrap();
        let tls = ClientConnection::new(self.client.clone(), name).unwrap();
        let mut client = Client { pipe: near, tls, writes: 0 };
        let (server, ()) = tokio::join!(accept(self.server.clone(), far), client.shake_hands());
        (client, server.unwrap())
    }
}

/// Moves rustls's bytes by hand, so that the tests see what comes when.
struct Client {
    pipe: DuplexStream,
    tls: ClientConnection,
    /// How many reads brought something.
    writes: usize,
}

impl Client {
    async fn shake_hands(&mut self) {
        while self.tls.is_handshaking() {
            self.send().await;
            if self.tls.is_handshaking() {
                self.receive().await.unwrap();
            }
        }
        self.send().await;
    }

    async fn send(&mut self) {
        let mut wire = Vec::new();
        while self.tls.wants_write() {
            self.tls.write_tls(&mut wire).unwrap();
        }
        self.pipe.write_all(&wire).await.unwrap();
    }

    async fn say(&mut self, bytes: &[u8]) {
        for piece in bytes.chunks(16 * 1024) {
            self.tls.writer().write_all(piece).unwrap();
            self.send().await;
        }
    }

    async fn receive(&mut self) -> Result<usize, Error> {
        let mut wire = [0; 16 * 1024];
        let count = self.pipe.read(&mut wire).await.unwrap();
        self.writes += 1;
        let mut rest = wire.get(..count).unwrap();
        while !rest.is_empty() {
            self.tls.read_tls(&mut rest).unwrap();
            self.tls.process_new_packets()?;
        }
        Ok(count)
    }

    async fn hear(&mut self, length: usize) -> Vec<u8> {
        let mut heard = Vec::new();
        while heard.len() < length {
            let mut piece = vec![0; length - heard.len()];
            match self.tls.reader().read(&mut piece) {
                Ok(count) => heard.extend_from_slice(&piece[..count]),
                Err(_) => drop(self.receive().await.unwrap()),
            }
        }
        heard
    }
}

fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at % 251) as u8).collect()
}

#[tokio::test]
async fn what_is_said_is_heard_whatever_the_pipe_takes_at_a_time() {
    for version in [TLS12, TLS13] {
        let world = World::new(version);
        for (pipe, length) in [(1, 100), (7, 3000), (16 << 10, 100_000), (1 << 20, 1_000_000)] {
            let (mut client, mut server) = world.connect(pipe).await;
            let said = bytes(length);
            let server = async {
                let mut heard = vec![0; length];
                server.read_exact(&mut heard).await.unwrap();
                server.write_all(&heard).await.unwrap();
                server.shutdown().await.unwrap();
                // Its goodbye may still be on the way.
                (server.read(&mut [0]).await.is_ok(), server)
            };
            let client = async {
                client.say(&said).await;
                let heard = client.hear(length).await;
                assert!(!client.tls.reader().read(&mut [0]).is_ok_and(|count| count > 0));
                while !matches!(client.tls.reader().read(&mut [0]), Ok(0)) {
                    client.receive().await.unwrap();
                }
                client.tls.send_close_notify();
                client.send().await;
                heard
            };
            let ((goodbye, server), heard) = tokio::join!(server, client);
            assert!(heard == said, "{version:?} {pipe} {length}");
            assert!(goodbye);
            assert_eq!(
                (server.unfinished.capacity(), server.plain.capacity(), server.unsent.capacity()),
                (0, 0, 0),
                "a silent connection keeps no buffer"
            );
        }
    }
}

#[tokio::test]
async fn tickets_come_with_the_first_answer() {
    let world = World::new(TLS13);
    let (mut client, mut server) = world.connect(1 << 20).await;
    assert_eq!(client.writes, 1, "the server's flight is one write");
    client.say(b"request").await;
    let mut heard = [0; 7];
    server.read_exact(&mut heard).await.unwrap();
    server.write_all(b"answer").await.unwrap();
    assert_eq!(client.hear(6).await, b"answer");
    assert_eq!((client.writes, client.tls.tls13_tickets_received()), (2, 2));
    let (mut again, mut server) = world.connect(1 << 20).await;
    assert_eq!(again.tls.handshake_kind(), Some(rustls::HandshakeKind::Resumed));
    // Whoever says nothing gets them in the end.
    again.tls.send_close_notify();
    again.send().await;
    assert_eq!(server.read(&mut [0]).await.unwrap(), 0);
    server.shutdown().await.unwrap();
    again.receive().await.unwrap();
    assert_eq!(again.tls.tls13_tickets_received(), 2);
}

#[tokio::test]
async fn a_request_may_come_with_the_last_flight() {
    let world = World::new(TLS13);
    let (near, far) = duplex(1 << 20);
    let name = ServerName::try_from("localhost").unwrap();
    let tls = ClientConnection::new(world.client.clone(), name).unwrap();
    let mut client = Client { pipe: near, tls, writes: 0 };
    let accepted = accept(world.server.clone(), far);
    let client = async {
        client.send().await;
        client.receive().await.unwrap();
        // The handshake's end and these in one write.
        client.tls.writer().write_all(b"at once").unwrap();
        client.send().await;
        client
    };
    let (server, _client) = tokio::join!(accepted, client);
    let mut heard = [0; 7];
    server.unwrap().read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"at once");
}

#[tokio::test]
async fn a_cut_connection_is_no_goodbye() {
    let world = World::new(TLS13);
    let (client, mut server) = world.connect(1 << 20).await;
    drop(client);
    let cut = server.read(&mut [0]).await.unwrap_err();
    assert_eq!(cut.kind(), ErrorKind::UnexpectedEof);
}

#[tokio::test]
async fn nonsense_is_answered_with_an_alert() {
    let world = World::new(TLS13);
    let (mut near, far) = duplex(1 << 20);
    near.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let refused = accept(world.server.clone(), far).await.err().unwrap();
    assert_eq!(refused.kind(), ErrorKind::InvalidData);
    let mut answer = [0; 7];
    near.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer[..5], [21, 3, 3, 0, 2], "an alert");
    for (bytes, alert) in [
        (&[23, 3, 3, 0, 32][..], AlertDescription::BadRecordMac),
        (&[22, 3, 3, 0xff, 0xff, 0], AlertDescription::DecodeError),
    ] {
        let (mut client, mut server) = world.connect(1 << 20).await;
        let garbage = [bytes, &[7; 32]].concat();
        client.pipe.write_all(&garbage).await.unwrap();
        let refused = server.read(&mut [0]).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidData);
        let heard = loop {
            match client.receive().await {
                Err(Error::AlertReceived(heard)) => break heard,
                other => assert!(other.unwrap() > 0),
            }
        };
        assert_eq!(heard, alert);
    }
}

#[tokio::test]
async fn what_never_ends_is_not_kept_for_ever() {
    let world = World::new(TLS13);
    let (mut near, far) = duplex(1 << 20);
    // A handshake message of 16 MB, said in small records.
    let mut record = vec![22, 3, 1, 0x10, 4, 1, 0xff, 0xff, 0xff];
    record.resize(5 + 0x1004, 0);
    let mut refused = Box::pin(accept(world.server.clone(), far));
    let mut sent = 0;
    let error = loop {
        tokio::select! {
            biased;
            error = &mut refused => break error.err().unwrap(),
            written = near.write_all(&record) => written.unwrap(),
        }
        sent += record.len();
        record.splice(5..9, [0; 4]);
        assert!(sent < 1 << 20, "refused in time");
    };
    assert_eq!(error.kind(), ErrorKind::InvalidData);
}
