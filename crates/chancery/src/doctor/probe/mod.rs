//! Looks at a target: every address at once, each step with a limit in time.
//!
//! - [`names`]: where the name leads, here and by DNS. [`node`]: one address, layer by layer.
//! - [`greetings`]: what our own TLS does not offer. [`clear`]: what is said to nobody.
//! - [`fetched`]: what certificates point to.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Result;
use client::{NameServers, Security, Target, Trust};
use pki::Summary;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::application::{self, Trying};
use super::facts::{Dns, Expected, Facts, Node, Resolved, Trusted, VERSION};
use crate::failure::failed;

mod clear;
mod fetched;
mod greetings;
mod names;
mod node;

/// What is looked at, and with whose CAs.
#[derive(Clone)]
pub(crate) struct Asked {
    pub(crate) text: String,
    pub(crate) target: Target,
    pub(crate) trust: Trust,
    pub(crate) trusted: Trusted,
    /// Instead of what the name resolves to.
    pub(crate) addresses: Vec<SocketAddr>,
    /// What somebody else was told about the name, instead of asking the system.
    pub(crate) resolved: Option<Resolved>,
    /// Who is asked what DNS says; none where nobody is known.
    pub(crate) name_servers: Option<NameServers>,
    pub(crate) expected: Option<Expected>,
    pub(crate) patience: Duration,
    pub(crate) at: String,
    /// Only where everything below has passed.
    pub(crate) trying: Option<Trying>,
    /// Whether the application signs in without TLS: what it would meet is looked at.
    pub(crate) in_the_clear: bool,
    /// Whether lists of what was revoked are fetched.
    pub(crate) asks_revocation: bool,
    /// So long a verified connection is left alone, and asked again.
    pub(crate) idle: Option<Duration>,
}

/// More addresses of one name than this are not looked at.
const ADDRESSES_MAX: usize = 32;

pub(crate) async fn probe(asked: &Asked) -> Result<Facts> {
    let (resolved, addresses) = names::resolve(asked).await;
    // DNS is asked about what is at hand anyway, and hardly waited for where all is well.
    let asking = tokio::spawn(names::dns(asked.clone(), addresses.clone()));
    let nodes = look_at_all(asked, &addresses).await?;
    let is_well = !nodes.is_empty() && nodes.iter().all(node::is_well);
    let mut dns = match timeout(patience_beside(is_well, asked.patience), asking).await {
        Ok(said) => said.map_err(failed)?,
        Err(_) => None,
    };
    if let Some(dns) = &mut dns {
        of_certificate(asked, &nodes, dns).await;
    }
    let (completed, revocation) =
        tokio::join!(fetched::completed(asked, &nodes), fetched::revocation(asked, &nodes));
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
        dns,
        expected: asked.expected,
        completed,
        revocation,
        vantage: None,
        told: None,
    })
}

async fn look_at_all(asked: &Asked, addresses: &[SocketAddr]) -> Result<Vec<Node>> {
    let mut looking = JoinSet::new();
    for address in addresses.iter().take(ADDRESSES_MAX) {
        looking.spawn(node::look_at(node::Looking::of(asked), *address));
    }
    let mut nodes = Vec::new();
    while let Some(node) = looking.join_next().await {
        nodes.push(node.map_err(failed)??);
    }
    nodes.sort_by_key(|node: &Node| node.address);
    Ok(nodes)
}

/// How long what only explains is waited for, once what it would explain is known: a filter beside
/// a service that is well, or a slow name server, holds nobody up.
fn patience_beside(is_well: bool, patience: Duration) -> Duration {
    const GRACE: Duration = Duration::from_millis(200);
    if is_well { GRACE.min(patience) } else { patience }
}

/// Where a certificate does not fit the name, whether its own names lead to the same place.
async fn of_certificate(asked: &Asked, nodes: &[Node], dns: &mut Dns) {
    let refused = nodes.iter().filter_map(|node| node.tls.as_ref());
    let refused = refused.filter(|tls| tls.refused.is_some());
    let leaf = refused.filter_map(|tls| tls.certificates().into_iter().next()).next();
    let Some(Ok(leaf)) = leaf.map(|der| Summary::parse(&der)) else { return };
    if leaf.names.iter().any(|by| asked.target.name.is_covered_by(by)) {
        return;
    }
    dns.certificate = names::of_certificate(&leaf, asked.patience).await;
}

pub(in crate::doctor) fn since(started: Instant) -> u64 {
    u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX)
}
