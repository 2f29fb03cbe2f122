//! The first message of TLS, written by hand: what a server answers to a version, a suite or a
//! length that our own TLS would not offer. Nothing comes after it, so nothing can be said.
//!
//! Up to TLS 1.2 the answer is in the clear, and shows the certificate and how keys are agreed on.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::{AlertDescription, CipherSuite, ProtocolVersion};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::connect::start_tls;
use crate::look::End;
use crate::target::Security;

mod answer;
mod writing;

/// More than any chain that a client would take.
const ANSWER_BYTES_MAX: usize = 256 << 10;

/// What is offered.
#[derive(Clone, Copy, Debug)]
pub struct Hello<'a> {
    /// One version, and nothing below or above it.
    pub version: ProtocolVersion,
    pub suites: Suites,
    /// The server name; none where an address is meant.
    pub name: Option<&'a str>,
    /// Padded to at least so many bytes, as one with keys of post-quantum exchanges is.
    pub bytes: usize,
}

/// Which suites.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suites {
    /// Those that every client of today takes: ECDHE and AEAD.
    Today,
    /// Also what clients of today have put away: RSA key exchange, DHE, CBC, 3DES.
    All,
}

/// What was answered, as far as it can be read without keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    pub version: Option<ProtocolVersion>,
    pub suite: Option<CipherSuite>,
    /// The first four bytes of the server's random: for GnuTLS and Schannel its clock (seconds
    /// since 1970, RFC 5246 §7.4.1.2), for others any number.
    pub seconds: Option<u32>,
    /// The server's own first; up to TLS 1.2 only.
    pub chain: Vec<CertificateDer<'static>>,
    /// The prime's length where keys are agreed on by finite-field Diffie-Hellman.
    pub dh_bits: Option<usize>,
    pub asked_for_certificate: bool,
    /// Where it is no TLS: how it begins.
    pub first: Vec<u8>,
}

/// Offers it, and reads the answer to where keys would be needed.
pub async fn offer(
    address: SocketAddr,
    security: Security,
    hello: &Hello<'_>,
    patience: Duration,
) -> (End, Heard) {
    let mut heard = Heard::default();
    let end = match timeout(patience, exchange(address, security, hello, &mut heard)).await {
        Err(_) => End::TimedOut,
        Ok(Err(end)) => end,
        Ok(Ok(())) => End::Done,
    };
    (end, heard)
}

async fn exchange(
    address: SocketAddr,
    security: Security,
    hello: &Hello<'_>,
    heard: &mut Heard,
) -> Result<(), End> {
    let mut socket = TcpStream::connect(address).await.map_err(|error| broken(&error))?;
    if security == Security::StartTls {
        let begun = start_tls(&mut socket, address).await;
        begun.map_err(|error| End::NoStartTls(error.to_string()))?;
    }
    let mut random = [0; writing::RANDOM_BYTES];
    getrandom::fill(&mut random).map_err(|error| End::Other(error.to_string()))?;
    let written = writing::hello(hello, &random);
    socket.write_all(&written).await.map_err(|error| broken(&error))?;
    let mut reader = answer::Reader::default();
    let mut buffer = vec![0; 16 << 10];
    let mut total = 0;
    loop {
        let count = socket.read(&mut buffer).await.map_err(|error| broken(&error))?;
        total += count;
        if count == 0 {
            return Err(End::Closed);
        }
        if total > ANSWER_BYTES_MAX {
            return Err(End::Other(format!("more than {ANSWER_BYTES_MAX} bytes without an end")));
        }
        if reader.read(buffer.get(..count).unwrap_or_default(), heard)? {
            return Ok(());
        }
    }
}

fn broken(error: &io::Error) -> End {
    match error.kind() {
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => End::Reset,
        io::ErrorKind::UnexpectedEof => End::Closed,
        _ => End::Other(error.to_string()),
    }
}

fn alert(code: u8) -> End {
    End::Alert(AlertDescription::from(code))
}
