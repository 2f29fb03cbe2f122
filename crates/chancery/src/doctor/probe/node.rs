//! One address, from the ground up. What does not wait for each other goes on at once.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::pin::pin;
use std::time::{Duration, Instant};

use anyhow::Result;
use client::look::{self, Looked};
use client::target::LDAP;
use client::{Connector, Entry, Limits, Security, Session, Target, Trust};
use pki::judge::names::ServedName;
use socket2::SockRef;
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{timeout, timeout_at};

use super::{Asked, clear, greetings, patience_beside, since};
use crate::doctor::facts::{End, Idle, Ldap, Node, Sibling, Tcp, Tls};

/// What every network carries (RFC 879: a datagram of 576 bytes).
const SMALL_SEGMENT: u32 = 536;

/// What is looked for at every address.
#[derive(Clone)]
pub(super) struct Looking {
    target: Target,
    trust: Trust,
    patience: Duration,
    in_the_clear: bool,
    idle: Option<Duration>,
}

impl Looking {
    pub(super) fn of(asked: &Asked) -> Looking {
        Looking {
            target: asked.target.clone(),
            trust: asked.trust.clone(),
            patience: asked.patience,
            in_the_clear: asked.in_the_clear,
            idle: asked.idle,
        }
    }
}

pub(super) async fn look_at(looking: Looking, address: SocketAddr) -> Result<Node> {
    let mut beside = siblings(&looking, address);
    let mut node = layers(&looking, address).await?;
    // What is asked for is waited for.
    let is_beside = is_well(&node) && !looking.in_the_clear;
    let until = Instant::now() + patience_beside(is_beside, looking.patience);
    while let Ok(Some(Ok(one))) = timeout_at(until.into(), beside.join_next()).await {
        node.siblings.push(one);
    }
    node.siblings.sort_by_key(|one| one.port);
    Ok(node)
}

/// A directory answers here over verified TLS.
pub(super) fn is_well(node: &Node) -> bool {
    node.ldap.as_ref().is_some_and(|ldap| ldap.error.is_none())
}

async fn layers(looking: &Looking, address: SocketAddr) -> Result<Node> {
    let patience = looking.patience;
    let (tcp, socket) = dial(address, patience).await;
    let mut node = Node::at(address, tcp);
    let Some(socket) = socket else { return Ok(node) };
    let (above, greetings, without_name) = tokio::join!(
        above_tcp(looking, address, socket),
        greetings::all(looking.target.clone(), address, patience),
        without_name(looking, address)
    );
    (node.greetings, node.without_name) = (greetings, without_name?);
    let above = above?;
    (node.tls, node.in_small_packets) = (Some(above.tls), above.in_small_packets);
    if let Some((ldap, idle)) = above.directory {
        (node.ldap, node.idle) = (Some(ldap), idle);
    }
    Ok(node)
}

/// What is seen above a connection that stands.
struct Above {
    tls: Tls,
    in_small_packets: Option<End>,
    directory: Option<(Ldap, Option<Idle>)>,
}

async fn above_tcp(looking: &Looking, address: SocketAddr, socket: TcpStream) -> Result<Above> {
    let (mut tls, in_small_packets) = handshake_or_why_not(looking, address, socket).await?;
    // A server that never saw TLS says nothing, or hangs up: ask it in its own language.
    let is_dumb = matches!(tls.end, End::NotTls | End::Closed | End::Reset);
    if is_dumb && looking.target.security == Security::Ldaps {
        tls.speaks_ldap = Some(clear::speaks_ldap(address, looking.patience).await);
    }
    let is_good = tls.end == End::Done && tls.refused.is_none() && !tls.chain.is_empty();
    let directory = if is_good { Some(directory(looking, address).await) } else { None };
    Ok(Above { tls, in_small_packets, directory })
}

/// Where the handshake is slow, what may explain it is tried beside it: nobody waits for one
/// silence after the other.
async fn handshake_or_why_not(
    looking: &Looking,
    address: SocketAddr,
    socket: TcpStream,
) -> Result<(Tls, Option<End>)> {
    let slow = looking.patience / 3;
    let mut shaking = pin!(handshake(looking, address, socket, true));
    if let Ok(tls) = timeout(slow, &mut shaking).await {
        return Ok((tls?, None));
    }
    let rest = Looking { patience: looking.patience.saturating_sub(slow), ..looking.clone() };
    let (tls, speaks_ldap, small, speaks_tls) = tokio::join!(
        shaking,
        clear::speaks_ldap(address, rest.patience),
        in_small_packets(&rest, address),
        greetings::speaks_tls(&looking.target, address, rest.patience)
    );
    let mut tls = tls?;
    if tls.end != End::TimedOut {
        return Ok((tls, None));
    }
    match looking.target.security {
        Security::Ldaps => tls.speaks_ldap = Some(speaks_ldap),
        Security::StartTls => tls.speaks_tls = Some(speaks_tls),
    }
    let small = small?;
    if small != End::TimedOut {
        // A server that was slow once loses no packets.
        let again = Looking { patience: slow, ..looking.clone() };
        if let (_, Some(socket)) = dial(address, slow).await {
            let again = handshake(&again, address, socket, true).await?;
            if again.end != End::TimedOut {
                return Ok((again, None));
            }
        }
    }
    Ok((tls, Some(small)))
}

async fn dial(address: SocketAddr, patience: Duration) -> (Tcp, Option<TcpStream>) {
    let started = Instant::now();
    let dialled = timeout(patience, TcpStream::connect(address)).await;
    let ms = since(started);
    match dialled {
        Err(_) => (Tcp::TimedOut { ms }, None),
        Ok(Err(error)) => (not_open(&error, ms), None),
        Ok(Ok(socket)) => (Tcp::Open { ms }, Some(socket)),
    }
}

fn not_open(error: &io::Error, ms: u64) -> Tcp {
    match error.kind() {
        ErrorKind::ConnectionRefused => Tcp::Refused,
        ErrorKind::ConnectionReset => Tcp::Reset,
        ErrorKind::TimedOut => Tcp::TimedOut { ms },
        _ => Tcp::Unreachable { error: error.to_string() },
    }
}

async fn handshake(
    looking: &Looking,
    address: SocketAddr,
    socket: TcpStream,
    says_name: bool,
) -> Result<Tls> {
    let started = Instant::now();
    let how = look::Looking {
        name: &looking.target.name,
        security: looking.target.security,
        trust: &looking.trust,
        patience: looking.patience,
        says_name,
    };
    let looked = look::look(socket, address, &how).await?;
    Ok(tls(&looked, since(started)))
}

/// Only names are said, so there is nothing to leave out where an address is meant.
async fn without_name(looking: &Looking, address: SocketAddr) -> Result<Option<Tls>> {
    if matches!(looking.target.name, ServedName::Ip(_)) {
        return Ok(None);
    }
    let (_, Some(socket)) = dial(address, looking.patience).await else { return Ok(None) };
    handshake(looking, address, socket, false).await.map(Some)
}

/// The same handshake, so that no packet of either side is large.
async fn in_small_packets(looking: &Looking, address: SocketAddr) -> Result<End> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    SockRef::from(&socket).set_tcp_mss(SMALL_SEGMENT)?;
    let socket = match timeout(looking.patience, socket.connect(address)).await {
        Ok(Ok(socket)) => socket,
        Ok(Err(error)) => return Ok(End::Other { error: error.to_string() }),
        Err(_) => return Ok(End::TimedOut),
    };
    Ok(handshake(looking, address, socket, true).await?.end)
}

fn tls(looked: &Looked, ms: u64) -> Tls {
    let refused = looked.verdict.as_ref().and_then(|verdict| verdict.as_ref().err());
    let unknown = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
    let takes = looked.taken.iter().map(|name| pki::name_text(name));
    Tls {
        end: end(&looked.end),
        version: looked.version.map(greetings::version_name),
        suite: looked.suite.map(|suite| format!("{suite:?}")),
        chain: looked.chain.iter().map(Tls::encode).collect(),
        refused: refused.map(ToString::to_string),
        issuer_unknown: refused == Some(&unknown),
        asked_for_certificate: looked.asked_for_certificate,
        takes: takes.collect(),
        ms,
        speaks_ldap: None,
        speaks_tls: None,
    }
}

pub(super) fn end(end: &look::End) -> End {
    match end {
        look::End::Done => End::Done,
        look::End::Alert(alert) => End::Alert { alert: format!("{alert:?}") },
        look::End::NotTls => End::NotTls,
        look::End::Closed => End::Closed,
        look::End::Reset => End::Reset,
        look::End::TimedOut => End::TimedOut,
        look::End::NoStartTls(why) => End::NoStartTls { why: why.clone() },
        look::End::Other(error) => End::Other { error: error.clone() },
    }
}

/// Over a verified session, as nobody.
async fn directory(looking: &Looking, address: SocketAddr) -> (Ldap, Option<Idle>) {
    let started = Instant::now();
    let asked = async {
        let session = session(looking, address).await?;
        let entry = session.root_dse().await?;
        Ok::<_, client::Error>((session, entry))
    };
    match asked.await {
        Ok((session, entry)) => {
            let mut ldap = ldap(&entry, since(started));
            ldap.has_long_lengths = session.has_long_lengths();
            let idle = match looking.idle {
                Some(pause) => Some(idle(&session, pause).await),
                None => None,
            };
            (ldap, idle)
        }
        Err(error) => {
            let mut ldap = ldap(&Entry::default(), since(started));
            ldap.error = Some(error.to_string());
            (ldap, None)
        }
    }
}

async fn session(looking: &Looking, address: SocketAddr) -> Result<Session, client::Error> {
    let patience = looking.patience;
    let limits = Limits { operation: patience, handshake: patience, ..Limits::default() };
    let connector = Connector::new(&looking.trust, None)?.limited(limits);
    connector.connect_to(&looking.target, address).await
}

/// Leaves a connection alone, and sees whether it is still there. It is looked at while it is
/// left alone, so that what is reported is when it ended.
async fn idle(session: &Session, pause: Duration) -> Idle {
    const LOOK: Duration = Duration::from_millis(200);
    let started = Instant::now();
    while started.elapsed() < pause && session.ended().is_none() {
        tokio::time::sleep(LOOK.min(pause.saturating_sub(started.elapsed()))).await;
    }
    // A connection that a network has forgotten shows it only when something is said.
    let ended = match session.ended() {
        Some(ended) => Some(ended.to_string()),
        None => session.root_dse().await.err().map(|error| error.to_string()),
    };
    Idle { seconds: started.elapsed().as_secs(), ended }
}

pub(super) fn ldap(entry: &Entry, ms: u64) -> Ldap {
    let texts = |attribute: &str| -> Vec<String> {
        let values = entry.values(attribute).iter();
        values.map(|one| String::from_utf8_lossy(one).into_owned()).collect()
    };
    let offers_start_tls =
        texts("supportedExtension").iter().any(|oid| oid == ldap::oid::extended::START_TLS);
    Ldap {
        error: None,
        naming_contexts: texts("namingContexts"),
        vendor: entry.text("vendorName").map(str::to_owned),
        ms,
        current_time: entry.text("currentTime").map(str::to_owned),
        capabilities: texts("supportedCapabilities"),
        mechanisms: texts("supportedSASLMechanisms"),
        offers_start_tls,
        host: entry.text("dnsHostName").map(str::to_owned),
        has_long_lengths: false,
    }
}

/// The other ports of a directory at the same address, where the target's is one of them; and its
/// own, where LDAP is spoken there before StartTLS.
fn siblings(looking: &Looking, address: SocketAddr) -> JoinSet<Sibling> {
    let ports = match address.port() {
        636 => vec![LDAP, 3269],
        LDAP | 3269 => vec![LDAP, 636],
        own if looking.target.security == Security::StartTls => vec![own],
        _ => Vec::new(),
    };
    let at = |port| SocketAddr::new(address.ip(), port);
    ports.into_iter().map(|port| sibling(looking.clone(), at(port))).collect()
}

async fn sibling(looking: Looking, address: SocketAddr) -> Sibling {
    let (patience, port) = (looking.patience, address.port());
    let (tcp, _) = dial(address, patience).await;
    let mut sibling = Sibling { port, tcp, clear: None, chain: Vec::new() };
    if !matches!(sibling.tcp, Tcp::Open { .. }) {
        return sibling;
    }
    match port {
        636 | 3269 => sibling.chain = greetings::chain(&looking.target, address, patience).await,
        _ => sibling.clear = clear::said(address, looking.in_the_clear, patience).await,
    }
    sibling
}
