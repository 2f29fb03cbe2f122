//! What a directory says in the clear to nobody: its root DSE, and whether it would take a
//! password there. Nothing that is sent is anybody's, and nothing that comes back is believed
//! further than to explain what TLS did.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use client::Entry;
use ldap::ber::{Frame, frame};
use ldap::filter::Filter;
use ldap::message::{
    Authentication, BindRequest, DerefAliases, ExtendedRequest, MessageId, Request, Scope,
    SearchRequest, encode_request,
};
use ldap::response::{Outcome, Response, ResponseMessage};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{node, since};
use crate::doctor::facts::{Clear, Refused};

const ANSWER_BYTES_MAX: usize = 1 << 20;
/// Nobody has this name, so no account can be locked by it.
const NOBODY: &str = "cn=nobody-asks-whether-tls-is-demanded";

/// Whether an extended request in the clear, that says nothing, is answered by LDAP.
pub(super) async fn speaks_ldap(address: SocketAddr, patience: Duration) -> bool {
    let asking = async {
        let mut socket = TcpStream::connect(address).await?;
        let oid = ldap::oid::extended::START_TLS;
        let request = Request::Extended(ExtendedRequest { oid, value: None });
        write(&mut socket, 1, &request).await?;
        let mut first = [0; 1];
        socket.read_exact(&mut first).await?;
        io::Result::Ok(first[0] == ldap::ber::tag::SEQUENCE)
    };
    timeout(patience, asking).await.is_ok_and(|answer| answer.unwrap_or(false))
}

/// The root DSE; and what a sign-in is answered, where that is wanted.
pub(super) async fn said(address: SocketAddr, tries: bool, patience: Duration) -> Option<Clear> {
    timeout(patience, exchange(address, tries)).await.ok()?.ok()
}

async fn exchange(address: SocketAddr, tries: bool) -> io::Result<Clear> {
    let started = Instant::now();
    let mut socket = TcpStream::connect(address).await?;
    let attributes = vec!["*", "+"];
    let search = Request::Search(SearchRequest {
        base: "",
        scope: Scope::Base,
        deref: DerefAliases::Never,
        size_limit: 1,
        time_limit_seconds: 0,
        types_only: false,
        filter: Filter::Present("objectClass"),
        attributes,
    });
    write(&mut socket, 1, &search).await?;
    let mut read = Vec::new();
    let mut root = None;
    loop {
        let message = next(&mut socket, &mut read).await?;
        match decoded(&message)?.response {
            Response::SearchEntry(found) => {
                root = Some(node::ldap(&Entry::of(&found), since(started)));
            }
            Response::SearchReference(_) => {}
            _ => break,
        }
    }
    if !tries {
        return Ok(Clear { root, sign_in: None });
    }
    // Some look at what is demanded only where the name is one that they serve.
    let served = root.as_ref().and_then(|root| root.naming_contexts.first());
    let name = served.map_or(NOBODY.to_owned(), |context| format!("{NOBODY},{context}"));
    let sign_in = Some(sign_in(&mut socket, &mut read, &name).await?);
    Ok(Clear { root, sign_in })
}

async fn sign_in(socket: &mut TcpStream, read: &mut Vec<u8>, name: &str) -> io::Result<Refused> {
    let authentication = Authentication::Simple(b"no secret");
    let bind = BindRequest { version: 3, name, authentication };
    write(socket, 2, &Request::Bind(bind)).await?;
    let message = next(socket, read).await?;
    let outcome = |one: &Outcome<'_>| Refused {
        code: Some(one.code.0),
        message: one.message.clone().into_owned(),
        matched: String::new(),
    };
    match decoded(&message)?.response {
        Response::Bind(answer) => Ok(outcome(&answer.outcome)),
        Response::Extended(answer) => Ok(outcome(&answer.outcome)),
        _ => Err(io::Error::other("a bind was answered by something else")),
    }
}

async fn write(socket: &mut TcpStream, id: u32, request: &Request<'_>) -> io::Result<()> {
    let mut out = Vec::new();
    encode_request(MessageId(id), request, &[], &mut out);
    socket.write_all(&out).await
}

async fn next(socket: &mut TcpStream, read: &mut Vec<u8>) -> io::Result<Vec<u8>> {
    loop {
        match frame(read, ANSWER_BYTES_MAX).map_err(io::Error::other)? {
            Frame::Complete { length } => return Ok(read.drain(..length).collect()),
            Frame::Incomplete { .. } => {}
        }
        if socket.read_buf(read).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

fn decoded(message: &[u8]) -> io::Result<ResponseMessage<'_>> {
    ResponseMessage::decode(message).map_err(io::Error::other)
}
