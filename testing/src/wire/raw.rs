//! A connection used byte by byte: many requests at once, broken ones, answers as they come.

use std::io::{ErrorKind, Read, Write};

use anyhow::{Context, Result, bail};

use super::ber::{self, Element};
use super::{Connection, Control};

/// RFC 4511 §4.4.1.
pub const NOTICE_OF_DISCONNECTION: &str = "1.3.6.1.4.1.1466.20036";

/// One message of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    pub id: i64,
    /// The tag of the operation, such as 0x64 for an entry and 0x65 for the end of a search.
    pub tag: u8,
    /// The result code, where the operation has one.
    pub code: Option<i64>,
    /// The DN of an entry, the diagnostic message of a result.
    pub text: String,
    pub is_notice: bool,
}

/// Encodes one `LDAPMessage`.
pub fn message(id: i64, operation: &[u8], controls: &[Control]) -> Vec<u8> {
    let mut body = ber::integer(id);
    body.extend_from_slice(operation);
    if !controls.is_empty() {
        let list: Vec<u8> = controls.iter().flat_map(Control::encode).collect();
        body.extend(ber::element(0xa0, &list));
    }
    ber::element(ber::SEQUENCE, &body)
}

impl Connection {
    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.write_all(bytes).context("write")?;
        self.stream.flush().context("flush")
    }

    /// Says that nothing more will be sent (TLS close_notify), and still listens.
    pub fn no_more(&mut self) -> Result<()> {
        self.stream.conn.send_close_notify();
        self.stream.flush().context("flush")
    }

    /// The next message; none when the server has closed, in whatever way.
    pub fn next_said(&mut self) -> Result<Option<Said>> {
        loop {
            if let Some(length) = ber::whole(&self.unread)? {
                let rest = self.unread.split_off(length);
                let bytes = std::mem::replace(&mut self.unread, rest);
                return said(&bytes).map(Some);
            }
            let mut chunk = [0; 16 * 1024];
            match self.stream.read(&mut chunk) {
                Ok(0) if self.unread.is_empty() => return Ok(None),
                Ok(0) => bail!("closed inside a message"),
                Ok(count) => self.unread.extend(chunk.iter().take(count)),
                Err(error) if is_close(error.kind()) => return Ok(None),
                Err(error) => return Err(error).context("read"),
            }
        }
    }

    /// All messages until the server closes.
    pub fn all_said(&mut self) -> Result<Vec<Said>> {
        let mut all = Vec::new();
        while let Some(said) = self.next_said()? {
            all.push(said);
        }
        Ok(all)
    }

    /// The TCP connection below, for tests about sockets.
    pub fn socket(&self) -> &std::net::TcpStream {
        &self.stream.sock
    }
}

fn is_close(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted
    )
}

fn said(bytes: &[u8]) -> Result<Said> {
    let outer = Element::all(bytes)?.pop().context("no message")?;
    let parts = Element::all(&outer.content)?;
    let [id, operation, ..] = parts.as_slice() else { bail!("truncated message") };
    let fields = Element::all(&operation.content)?;
    let code = fields.first().filter(|field| field.tag == ber::ENUMERATED);
    let text = fields.get(if code.is_some() { 2 } else { 0 }).map(Element::text);
    let is_notice = fields
        .iter()
        .any(|field| field.tag == 0x8a && field.content == NOTICE_OF_DISCONNECTION.as_bytes());
    Ok(Said {
        id: id.integer()?,
        tag: operation.tag,
        code: code.map(Element::integer).transpose()?,
        text: text.unwrap_or_default(),
        is_notice,
    })
}
