//! A second LDAP client: raw BER over verified TLS, sharing no code with `crates/ldap`.
//!
//! It can send what a typed API refuses to build (bad descriptions, empty values, unknown critical
//! controls), which is what the differential tests are about.

pub mod ber;
pub mod filter_text;
pub mod raw;
pub mod request;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use ber::{Element, element, integer, octets};

/// A peer that says nothing for this long is a failure, not a wait.
const ANSWER_DEADLINE: Duration = Duration::from_secs(60);

/// RFC 4511 §4.1.11.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Control {
    pub oid: String,
    pub critical: bool,
    pub value: Option<Vec<u8>>,
}

impl Control {
    pub fn critical(oid: &str, value: Option<Vec<u8>>) -> Control {
        Control { oid: oid.to_owned(), critical: true, value }
    }

    fn encode(&self) -> Vec<u8> {
        let mut body = octets(self.oid.as_bytes());
        if self.critical {
            body.extend(element(ber::BOOLEAN, &[0xff]));
        }
        if let Some(value) = &self.value {
            body.extend(octets(value));
        }
        element(ber::SEQUENCE, &body)
    }
}

/// An entry as it was answered; attributes in the server's order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    pub dn: String,
    pub attributes: Vec<(String, Vec<Vec<u8>>)>,
}

/// Everything a server said to one request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    pub code: i64,
    pub matched: String,
    pub diagnostic: String,
    pub referrals: Vec<String>,
    pub entries: Vec<Entry>,
    pub references: Vec<Vec<String>>,
    /// Of an extended response.
    pub value: Option<Vec<u8>>,
    pub controls: Vec<(String, Vec<u8>)>,
}

impl Answer {
    pub fn expect_success(self, what: &str) -> Result<Answer> {
        if self.code != 0 {
            bail!("{what}: result {} ({})", self.code, self.diagnostic);
        }
        Ok(self)
    }
}

/// One verified LDAPS connection; requests are asked one after the other.
#[derive(Debug)]
pub struct Connection {
    stream: StreamOwned<ClientConnection, TcpStream>,
    unread: Vec<u8>,
    last_id: i64,
}

impl Connection {
    /// Connects to `127.0.0.1:port` and verifies the certificate for `localhost` against `ca`.
    pub fn open(port: u16, ca: &Path) -> Result<Connection> {
        let socket = TcpStream::connect(("127.0.0.1", port)).context("connect")?;
        Connection::over(socket, ca)
    }

    /// The same over a connection that is there already.
    pub fn over(socket: TcpStream, ca: &Path) -> Result<Connection> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(ca).context("CA file")? {
            roots.add(certificate?)?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let tls = ClientConnection::new(Arc::new(config), ServerName::try_from("localhost")?)?;
        socket.set_read_timeout(Some(ANSWER_DEADLINE))?;
        socket.set_nodelay(true)?;
        Ok(Connection { stream: StreamOwned::new(tls, socket), unread: Vec::new(), last_id: 0 })
    }

    /// Simple bind, RFC 4511 §4.2.
    pub fn bind(&mut self, dn: &str, password: &str) -> Result<Answer> {
        let mut body = integer(3);
        body.extend(octets(dn.as_bytes()));
        body.extend(element(0x80, password.as_bytes()));
        self.ask(&element(0x60, &body), &[])
    }

    /// Sends one request (an encoded protocolOp) and reads until its final response.
    pub fn ask(&mut self, request: &[u8], controls: &[Control]) -> Result<Answer> {
        self.last_id += 1;
        self.stream.write_all(&raw::message(self.last_id, request, controls))?;
        self.stream.flush()?;
        let mut answer = Answer::default();
        while !self.read_response(&mut answer)? {}
        Ok(answer)
    }

    /// Reads one message into `answer`; true when it was the final one.
    fn read_response(&mut self, answer: &mut Answer) -> Result<bool> {
        let message = self.read_message()?;
        let mut fields = Element::all(&message)?;
        let outer = fields.pop().context("empty message")?;
        let parts = Element::all(&outer.content)?;
        let [id, operation, rest @ ..] = parts.as_slice() else { bail!("truncated message") };
        let (id, controls) = (id.integer()?, rest.first());
        if id != self.last_id {
            bail!("answer to message {id} while waiting for {}: {operation:?}", self.last_id);
        }
        match operation.tag {
            0x64 => answer.entries.push(entry(operation)?),
            0x73 => answer.references.push(texts(&operation.content)?),
            0x79 => {}
            _ => {
                result(operation, answer)?;
                if let Some(list) = controls {
                    answer.controls = response_controls(list)?;
                }
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn read_message(&mut self) -> Result<Vec<u8>> {
        loop {
            if let Some(length) = ber::whole(&self.unread)? {
                let rest = self.unread.split_off(length);
                return Ok(std::mem::replace(&mut self.unread, rest));
            }
            let mut chunk = [0; 16 * 1024];
            let count = self.stream.read(&mut chunk).context("read")?;
            if count == 0 {
                bail!("the server closed the connection");
            }
            self.unread.extend(chunk.iter().take(count));
        }
    }
}

/// SearchResultEntry, RFC 4511 §4.5.2.
pub fn entry(operation: &Element) -> Result<Entry> {
    let parts = Element::all(&operation.content)?;
    let [dn, list] = parts.as_slice() else { bail!("malformed entry") };
    let mut entry = Entry { dn: dn.text(), attributes: Vec::new() };
    for attribute in Element::all(&list.content)? {
        let parts = Element::all(&attribute.content)?;
        let [name, values] = parts.as_slice() else { bail!("malformed attribute") };
        let values = Element::all(&values.content)?;
        let values = values.into_iter().map(|value| value.content).collect();
        entry.attributes.push((name.text(), values));
    }
    Ok(entry)
}

/// LDAPResult and what may follow it, RFC 4511 §4.1.9 and §4.12.
fn result(operation: &Element, answer: &mut Answer) -> Result<()> {
    let parts = Element::all(&operation.content)?;
    let [code, matched, diagnostic, rest @ ..] = parts.as_slice() else {
        bail!("malformed result {operation:?}")
    };
    answer.code = code.integer()?;
    answer.matched = matched.text();
    answer.diagnostic = diagnostic.text();
    for part in rest {
        match part.tag {
            0xa3 => answer.referrals = texts(&part.content)?,
            0x8b => answer.value = Some(part.content.clone()),
            _ => {}
        }
    }
    Ok(())
}

fn texts(list: &[u8]) -> Result<Vec<String>> {
    Ok(Element::all(list)?.iter().map(Element::text).collect())
}

fn response_controls(list: &Element) -> Result<Vec<(String, Vec<u8>)>> {
    let mut controls = Vec::new();
    for control in Element::all(&list.content)? {
        let mut parts = Element::all(&control.content)?.into_iter();
        let oid = parts.next().context("control without OID")?.text();
        let value = parts.find(|part| part.tag == ber::OCTET_STRING);
        controls.push((oid, value.map(|value| value.content).unwrap_or_default()));
    }
    Ok(controls)
}
