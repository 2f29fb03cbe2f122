//! What a server says to a ClientHello, up to where keys are needed.

use rustls::pki_types::CertificateDer;
use rustls::{CipherSuite, ProtocolVersion};

use super::{Heard, alert};
use crate::look::End;

const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const CHANGE_CIPHER_SPEC: u8 = 20;

const SERVER_HELLO: u8 = 2;
const CERTIFICATE: u8 = 11;
const SERVER_KEY_EXCHANGE: u8 = 12;
const CERTIFICATE_REQUEST: u8 = 13;
const SERVER_HELLO_DONE: u8 = 14;
const SUPPORTED_VERSIONS: u16 = 43;
/// Enough to know a web server or SSH by.
const FIRST_BYTES: usize = 24;
/// Those of what we offer that agree on keys by finite-field Diffie-Hellman.
const DHE: [u16; 7] = [0x009e, 0x009f, 0xccaa, 0x0067, 0x006b, 0x0033, 0x0039];

/// Takes bytes as they come, and handshake messages out of records.
#[derive(Debug, Default)]
pub(super) struct Reader {
    bytes: Vec<u8>,
    messages: Vec<u8>,
}

impl Reader {
    /// True when nothing more can be learned.
    pub(super) fn read(&mut self, more: &[u8], heard: &mut Heard) -> Result<bool, End> {
        self.bytes.extend_from_slice(more);
        while let Some(record) = self.record().inspect_err(|_| {
            heard.first = self.bytes.iter().copied().take(FIRST_BYTES).collect();
        })? {
            match record.0 {
                ALERT => {
                    // A warning is not the end; unrecognized_name often comes as one.
                    if let [2, code, ..] = record.1[..] {
                        return Err(alert(code));
                    }
                }
                HANDSHAKE => {
                    self.messages.extend_from_slice(&record.1);
                    if self.take_messages(heard)? {
                        return Ok(true);
                    }
                }
                // TLS 1.3: what follows is encrypted.
                _ => return Ok(heard.version.is_some()),
            }
        }
        Ok(false)
    }

    fn record(&mut self) -> Result<Option<(u8, Vec<u8>)>, End> {
        let Some(kind) = self.bytes.first() else { return Ok(None) };
        if !(CHANGE_CIPHER_SPEC..=23).contains(kind) {
            return Err(End::NotTls);
        }
        let [kind, 3, _, high, low, ..] = self.bytes[..] else {
            return match self.bytes.get(1) {
                None | Some(3) => Ok(None),
                Some(_) => Err(End::NotTls),
            };
        };
        let end = 5 + usize::from(u16::from_be_bytes([high, low]));
        let Some(body) = self.bytes.get(5..end).map(<[u8]>::to_vec) else { return Ok(None) };
        self.bytes.drain(..end);
        Ok(Some((kind, body)))
    }

    fn take_messages(&mut self, heard: &mut Heard) -> Result<bool, End> {
        loop {
            let [kind, a, b, c, ..] = self.messages[..] else { return Ok(false) };
            let end = 4 + u32::from_be_bytes([0, a, b, c]) as usize;
            let Some(body) = self.messages.get(4..end).map(<[u8]>::to_vec) else {
                return Ok(false);
            };
            self.messages.drain(..end);
            let malformed = || End::Other(format!("a handshake message ({kind}) is malformed"));
            match kind {
                SERVER_HELLO => {
                    server_hello(&body, heard).ok_or_else(malformed)?;
                    if heard.version == Some(ProtocolVersion::TLSv1_3) {
                        return Ok(true);
                    }
                }
                CERTIFICATE => heard.chain = chain(&body).ok_or_else(malformed)?,
                SERVER_KEY_EXCHANGE => heard.dh_bits = dh_bits(heard.suite, &body),
                CERTIFICATE_REQUEST => heard.asked_for_certificate = true,
                SERVER_HELLO_DONE => return Ok(true),
                _ => {}
            }
        }
    }
}

/// A field of so many bytes of length, and what is behind it.
fn field(bytes: &[u8], length_bytes: usize) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_at_checked(length_bytes)?;
    let length = length.iter().fold(0, |sum: usize, byte| (sum << 8) | usize::from(*byte));
    rest.split_at_checked(length)
}

fn short(bytes: &[u8]) -> Option<(u16, &[u8])> {
    let (value, rest) = bytes.split_first_chunk::<2>()?;
    Some((u16::from_be_bytes(*value), rest))
}

fn server_hello(body: &[u8], heard: &mut Heard) -> Option<()> {
    let (mut version, rest) = short(body)?;
    let (random, rest) = rest.split_at_checked(32)?;
    heard.seconds = random.first_chunk().map(|first| u32::from_be_bytes(*first));
    let (_, rest) = field(rest, 1)?;
    let (suite, rest) = short(rest)?;
    let (_, rest) = rest.split_first()?;
    // Before TLS 1.2 there need be no extensions at all.
    let mut extensions = field(rest, 2).map_or(&[][..], |(extensions, _)| extensions);
    while !extensions.is_empty() {
        let (kind, rest) = short(extensions)?;
        let (value, rest) = field(rest, 2)?;
        if kind == SUPPORTED_VERSIONS {
            version = short(value)?.0;
        }
        extensions = rest;
    }
    heard.version = Some(ProtocolVersion::from(version));
    heard.suite = Some(CipherSuite::from(suite));
    Some(())
}

fn chain(body: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    let (mut rest, _) = field(body, 3)?;
    let mut chain = Vec::new();
    while !rest.is_empty() {
        let (der, more) = field(rest, 3)?;
        chain.push(CertificateDer::from(der.to_vec()));
        rest = more;
    }
    Some(chain)
}

/// Only for suites whose name says so: what ECDHE sends is built otherwise.
fn dh_bits(suite: Option<CipherSuite>, body: &[u8]) -> Option<usize> {
    if !DHE.contains(&u16::from(suite?)) {
        return None;
    }
    let (prime, _) = field(body, 2)?;
    let first = prime.iter().position(|byte| *byte != 0)?;
    let rest = prime.get(first..)?;
    let unused = rest.first()?.leading_zeros() as usize;
    Some(rest.len() * 8 - unused)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hello::{Hello, Suites, writing};

    fn read(bytes: &[u8]) -> Result<(bool, Heard), End> {
        let mut heard = Heard::default();
        let mut reader = Reader::default();
        let mut is_done = false;
        // One byte at a time, as a slow network would bring them.
        for byte in bytes {
            is_done = reader.read(&[*byte], &mut heard)?;
        }
        Ok((is_done, heard))
    }

    fn record(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u16::try_from(body.len()).unwrap().to_be_bytes();
        [&[kind, 3, 3], &length[..], body].concat()
    }

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let [_, length @ ..] = u32::try_from(body.len()).unwrap().to_be_bytes();
        [&[kind], &length[..], body].concat()
    }

    fn server_hello(suite: u16, extensions: &[u8]) -> Vec<u8> {
        let length = u16::try_from(extensions.len()).unwrap().to_be_bytes();
        let mut body = vec![3, 3];
        body.extend([7; 32]);
        body.push(0);
        body.extend(suite.to_be_bytes());
        body.push(0);
        body.extend(length);
        body.extend(extensions);
        message(SERVER_HELLO, &body)
    }

    #[test]
    fn versions_and_chains_are_read() {
        let chain = [&[0, 0, 9, 0, 0, 2][..], b"ab", &[0, 0, 1], b"c"].concat();
        let prime = [&[0, 3, 0, 0x40, 1][..], &[0, 1, 2]].concat();
        let bytes = [
            server_hello(0x009e, &[]),
            message(CERTIFICATE, &chain),
            message(SERVER_KEY_EXCHANGE, &prime),
            message(CERTIFICATE_REQUEST, &[1, 1]),
            message(SERVER_HELLO_DONE, &[]),
        ]
        .concat();
        // Messages go over the borders of records.
        let (first, second) = bytes.split_at(60);
        let (is_done, heard) =
            read(&[record(HANDSHAKE, first), record(HANDSHAKE, second)].concat()).unwrap();
        assert!(is_done && heard.asked_for_certificate);
        assert_eq!(heard.version, Some(ProtocolVersion::TLSv1_2));
        assert_eq!((heard.chain.len(), heard.seconds), (2, Some(0x0707_0707)));
        assert_eq!(heard.dh_bits, Some(15));
        let tls13 = server_hello(0x1301, &[0, 43, 0, 2, 3, 4]);
        let (is_done, heard) = read(&record(HANDSHAKE, &tls13)).unwrap();
        assert!(is_done);
        assert_eq!(heard.version, Some(ProtocolVersion::TLSv1_3));
    }

    #[test]
    fn what_is_no_tls_and_what_is_refused() {
        assert_eq!(read(b"HTTP/1.1 400").unwrap_err(), End::NotTls);
        // An LDAP message.
        assert_eq!(read(&[0x30, 0x0c, 2, 1, 1]).unwrap_err(), End::NotTls);
        assert_eq!(read(&record(ALERT, &[2, 70])).unwrap_err(), alert(70));
        assert!(!read(&record(ALERT, &[1, 112])).unwrap().0, "a warning");
        let cut = record(HANDSHAKE, &message(SERVER_HELLO, &[3, 3, 1]));
        assert!(matches!(read(&cut).unwrap_err(), End::Other(_)));
        // A length that is never fulfilled asks for more, and for no memory.
        assert!(!read(&record(HANDSHAKE, &[CERTIFICATE, 0xff, 0xff, 0xff])).unwrap().0);
    }

    #[test]
    fn a_hello_has_the_length_it_says() {
        let random = [9; writing::RANDOM_BYTES];
        for version in
            [ProtocolVersion::TLSv1_0, ProtocolVersion::TLSv1_2, ProtocolVersion::TLSv1_3]
        {
            for bytes in [0, 1_800] {
                let name = Some("dc1.corp.example");
                let written =
                    writing::hello(&Hello { version, suites: Suites::All, name, bytes }, &random);
                let (length, rest) = written[3..].split_at(2);
                assert_eq!(usize::from(u16::from_be_bytes([length[0], length[1]])), rest.len());
                assert!(rest.len() >= bytes && rest.len() <= bytes.max(600), "{}", rest.len());
                let (body, behind) = field(&rest[1..], 3).unwrap();
                assert!(behind.is_empty());
                assert_eq!(
                    &body[..2],
                    if version == ProtocolVersion::TLSv1_0 { &[3, 1] } else { &[3, 3] }
                );
            }
        }
    }
}
