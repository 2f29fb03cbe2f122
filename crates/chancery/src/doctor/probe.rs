//! Looks at a target: every address at once, each step with a limit in time.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Result;
use client::look::{self, Looked};
use client::{Connector, Limits, Security, Target, Trust};
use ldap::message::{ExtendedRequest, MessageId, Request, encode_request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::application::{self, Trying};
use super::facts::{End, Facts, Ldap, Node, Resolved, Tcp, Tls, Trusted, VERSION};
use crate::failure::failed;

/// What is looked at, and with whose CAs.
pub(crate) struct Asked {
    pub(crate) text: String,
    pub(crate) target: Target,
    pub(crate) trust: Trust,
    pub(crate) trusted: Trusted,
    /// Instead of what the name resolves to.
    pub(crate) addresses: Vec<SocketAddr>,
    /// What somebody else was told about the name, instead of asking the system.
    pub(crate) resolved: Option<Resolved>,
    pub(crate) patience: Duration,
    pub(crate) at: String,
    /// Only where everything below has passed.
    pub(crate) trying: Option<Trying>,
}

/// More addresses of one name than this are not looked at.
const ADDRESSES_MAX: usize = 32;

pub(crate) async fn probe(asked: &Asked) -> Result<Facts> {
    let (resolved, addresses) = resolve(asked).await;
    let mut looking = JoinSet::new();
    for address in addresses.into_iter().take(ADDRESSES_MAX) {
        let (target, trust) = (asked.target.clone(), asked.trust.clone());
        looking.spawn(node(target, trust, address, asked.patience));
    }
    let mut nodes = Vec::new();
    while let Some(node) = looking.join_next().await {
        nodes.push(node.map_err(failed)??);
    }
    nodes.sort_by_key(|node| node.address);
    let good = nodes.iter().find(|node| node.ldap.as_ref().is_some_and(|it| it.error.is_none()));
    let application = match good.map(|node| node.address) {
        Some(address) => application::attempt(asked, address).await,
        None => None,
    };
    Ok(Facts {
        version: VERSION,
        target: asked.text.clone(),
        name: asked.target.name.to_string(),
        port: asked.target.port,
        starttls: asked.target.security == Security::StartTls,
        at: asked.at.clone(),
        resolved,
        nodes,
        application,
        trust: asked.trusted.clone(),
        vantage: None,
        told: None,
    })
}

async fn resolve(asked: &Asked) -> (Resolved, Vec<SocketAddr>) {
    if let Some(address) = asked.target.literal() {
        let addresses =
            if asked.addresses.is_empty() { vec![address] } else { asked.addresses.clone() };
        return (Resolved::Literal, addresses);
    }
    if !asked.addresses.is_empty() {
        let addresses = asked.addresses.iter().map(SocketAddr::ip).collect();
        return (Resolved::Found { addresses, ms: 0 }, asked.addresses.clone());
    }
    if let Some(resolved) = &asked.resolved {
        let addresses = match resolved {
            Resolved::Found { addresses, .. } => addresses.as_slice(),
            _ => &[],
        };
        let at = |&ip| SocketAddr::new(ip, asked.target.port);
        return (resolved.clone(), addresses.iter().map(at).collect());
    }
    let started = Instant::now();
    let name = (asked.target.name.to_string(), asked.target.port);
    let found = timeout(asked.patience, tokio::net::lookup_host(name)).await;
    let found = found.unwrap_or_else(|_| Err(io::Error::from(ErrorKind::TimedOut)));
    let ms = since(started);
    match found {
        Ok(found) => {
            let mut addresses: Vec<SocketAddr> = found.collect();
            addresses.sort();
            addresses.dedup();
            let ips = addresses.iter().map(SocketAddr::ip).collect();
            (Resolved::Found { addresses: ips, ms }, addresses)
        }
        Err(error) => (Resolved::Failed { error: error.to_string(), ms }, Vec::new()),
    }
}

async fn node(
    target: Target,
    trust: Trust,
    address: SocketAddr,
    patience: Duration,
) -> Result<Node> {
    let started = Instant::now();
    let dialled = timeout(patience, TcpStream::connect(address)).await;
    let ms = since(started);
    let mut node = Node { address, tcp: Tcp::Open { ms }, tls: None, ldap: None };
    let socket = match dialled {
        Err(_) => {
            node.tcp = Tcp::TimedOut { ms };
            return Ok(node);
        }
        Ok(Err(error)) => {
            node.tcp = not_open(&error, ms);
            return Ok(node);
        }
        Ok(Ok(socket)) => socket,
    };
    let started = Instant::now();
    let looked =
        look::look(socket, address, &target.name, target.security, &trust, patience).await?;
    let mut tls = tls(&looked, since(started));
    // A server that never saw TLS says nothing, or hangs up: ask it in its own language.
    let is_dumb = matches!(tls.end, End::NotTls | End::Closed | End::Reset | End::TimedOut);
    if is_dumb && target.security == Security::Ldaps {
        tls.speaks_ldap = Some(speaks_ldap(address, patience).await);
    }
    let is_good = tls.end == End::Done && tls.refused.is_none() && !tls.chain.is_empty();
    node.tls = Some(tls);
    if is_good {
        node.ldap = Some(root_dse(&target, &trust, address, patience).await);
    }
    Ok(node)
}

fn not_open(error: &io::Error, ms: u64) -> Tcp {
    match error.kind() {
        ErrorKind::ConnectionRefused => Tcp::Refused,
        ErrorKind::ConnectionReset => Tcp::Reset,
        ErrorKind::TimedOut => Tcp::TimedOut { ms },
        _ => Tcp::Unreachable { error: error.to_string() },
    }
}

fn tls(looked: &Looked, ms: u64) -> Tls {
    let refused = looked.verdict.as_ref().and_then(|verdict| verdict.as_ref().err());
    let unknown = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
    Tls {
        end: match &looked.end {
            look::End::Done => End::Done,
            look::End::Alert(alert) => End::Alert { alert: format!("{alert:?}") },
            look::End::NotTls => End::NotTls,
            look::End::Closed => End::Closed,
            look::End::Reset => End::Reset,
            look::End::TimedOut => End::TimedOut,
            look::End::NoStartTls(why) => End::NoStartTls { why: why.clone() },
            look::End::Other(error) => End::Other { error: error.clone() },
        },
        version: looked.version.map(|version| format!("{version:?}").replace('_', ".")),
        suite: looked.suite.map(|suite| format!("{suite:?}")),
        chain: looked.chain.iter().map(Tls::encode).collect(),
        refused: refused.map(ToString::to_string),
        issuer_unknown: refused == Some(&unknown),
        asked_for_certificate: looked.asked_for_certificate,
        ms,
        speaks_ldap: None,
    }
}

/// Whether an extended request in the clear, that says nothing, is answered by LDAP.
async fn speaks_ldap(address: SocketAddr, patience: Duration) -> bool {
    let asking = async {
        let mut socket = TcpStream::connect(address).await?;
        let mut out = Vec::new();
        let oid = ldap::oid::extended::START_TLS;
        let request = Request::Extended(ExtendedRequest { oid, value: None });
        encode_request(MessageId(1), &request, &[], &mut out);
        socket.write_all(&out).await?;
        let mut first = [0; 1];
        socket.read_exact(&mut first).await?;
        io::Result::Ok(first[0] == ldap::ber::tag::SEQUENCE)
    };
    timeout(patience, asking).await.is_ok_and(|answer| answer.unwrap_or(false))
}

/// Over a verified session, as nobody.
async fn root_dse(target: &Target, trust: &Trust, address: SocketAddr, patience: Duration) -> Ldap {
    let started = Instant::now();
    let asked = async {
        let limits = Limits { operation: patience, handshake: patience, ..Limits::default() };
        let connector = Connector::new(trust, None)?.limited(limits);
        connector.connect_to(target, address).await?.root_dse().await
    };
    let (error, entry) = match asked.await {
        Ok(entry) => (None, entry),
        Err(error) => (Some(error.to_string()), client::Entry::default()),
    };
    let contexts = entry.values("namingContexts").iter();
    let naming_contexts = contexts.map(|one| String::from_utf8_lossy(one).into_owned()).collect();
    let vendor = entry.text("vendorName").map(str::to_owned);
    Ldap { error, naming_contexts, vendor, ms: since(started) }
}

pub(super) fn since(started: Instant) -> u64 {
    u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX)
}
