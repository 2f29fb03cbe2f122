//! A mock where no real server can be had that does this: it records every byte of LDAP that
//! reaches it, and answers by a function of the test.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use ldap::ber::{Frame, frame};
use ldap::message::{DecodeLimits, Message};
use pki::Credential;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use testing::certificates::Certificate;

/// Answers one request; false ends the connection.
pub(super) type Answers = Box<dyn FnMut(&Message<'_>, &mut Vec<u8>) -> bool + Send>;

pub(super) struct MockServer {
    pub(super) address: SocketAddr,
    /// What came over TLS.
    received: Arc<Mutex<Vec<u8>>>,
    thread: JoinHandle<()>,
}

impl MockServer {
    /// Serves one connection. `before` is written in the clear to whoever connects, after the
    /// first bytes came.
    pub(super) fn start(
        certificate: &Certificate,
        before: Option<Vec<u8>>,
        answers: Answers,
    ) -> MockServer {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let received = Arc::<Mutex<Vec<u8>>>::default();
        let (record, tls) = (Arc::clone(&received), server(certificate));
        let thread = std::thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            if let Some(before) = before {
                let mut request = [0; 512];
                assert!(socket.read(&mut request).unwrap() > 0);
                socket.write_all(&before).unwrap();
            }
            let connection = ServerConnection::new(tls).unwrap();
            serve(StreamOwned::new(connection, socket), &record, answers);
        });
        MockServer { address, received, thread }
    }

    /// What came over TLS until the client went.
    pub(super) fn ended(self) -> Vec<u8> {
        self.thread.join().unwrap();
        std::mem::take(&mut self.received.lock().unwrap())
    }
}

fn server(certificate: &Certificate) -> Arc<ServerConfig> {
    let read = |path: &Path| std::fs::read(path).unwrap();
    let (chain, key) = (read(&certificate.certificate), read(&certificate.key));
    let credential = Credential::from_pem(&chain, &key).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(credential.chain, credential.key)
        .unwrap();
    Arc::new(config)
}

fn serve(
    mut stream: StreamOwned<ServerConnection, TcpStream>,
    record: &Mutex<Vec<u8>>,
    mut answers: Answers,
) {
    let (mut buffer, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        // A handshake that fails ends it here as well.
        let Ok(count @ 1..) = stream.read(&mut piece) else { return };
        record.lock().unwrap().extend_from_slice(&piece[..count]);
        buffer.extend_from_slice(&piece[..count]);
        while let Ok(Frame::Complete { length }) = frame(&buffer, 1 << 20) {
            let bytes: Vec<u8> = buffer.drain(..length).collect();
            let message = Message::decode(&bytes, &DecodeLimits::default()).unwrap();
            let mut out = Vec::new();
            let goes_on = answers(&message, &mut out);
            // Who has read enough goes away in the middle of it.
            if stream.write_all(&out).is_err() || !goes_on {
                return;
            }
        }
    }
}
