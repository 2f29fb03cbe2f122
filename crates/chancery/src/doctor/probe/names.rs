//! Where a name leads: as this machine resolves it, and as DNS has it.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use client::Wanted;
use pki::Summary;
use pki::certificate::AlternativeName;
use pki::judge::names::ServedName;
use tokio::time::timeout;

use super::{Asked, since};
use crate::doctor::facts::{Dns, Named, Resolved};

/// So many names of a certificate, and addresses of a name, are asked for.
const NAMES_MAX: usize = 8;

pub(super) async fn resolve(asked: &Asked) -> (Resolved, Vec<SocketAddr>) {
    if let Some(address) = asked.target.literal() {
        let addresses =
            if asked.addresses.is_empty() { vec![address] } else { asked.addresses.clone() };
        return (Resolved::Literal, addresses);
    }
    if !asked.addresses.is_empty() {
        let addresses = asked.addresses.iter().map(SocketAddr::ip).collect();
        return (Resolved::Given { addresses }, asked.addresses.clone());
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

/// What the name servers say; nothing where the addresses were given.
pub(super) async fn dns(asked: Asked, addresses: Vec<SocketAddr>) -> Option<Dns> {
    let asked = &asked;
    let servers = asked.name_servers.as_ref()?;
    let mut dns = Dns::default();
    let asking = async {
        let forwards = async {
            match &asked.target.name {
                ServedName::Ip(_) => Ok(Vec::new()),
                ServedName::Dns(name) => servers.addresses(name).await,
            }
        };
        let backwards = async {
            let mut pointers = Vec::new();
            for address in addresses.iter().map(SocketAddr::ip).take(NAMES_MAX) {
                let names = servers.names_of(address).await.unwrap_or_default();
                let named = |name| Named { name, addresses: vec![address] };
                pointers.extend(names.into_iter().take(NAMES_MAX).map(named));
            }
            pointers
        };
        tokio::join!(forwards, services(asked), backwards)
    };
    match timeout(asked.patience, asking).await {
        Err(_) => dns.error = Some("the name servers do not answer in time".to_owned()),
        Ok((forwards, services, pointers)) => {
            match forwards {
                Ok(found) => dns.addresses = found,
                Err(error) => dns.error = Some(error.to_string()),
            }
            (dns.services, dns.pointers) = (services, pointers);
        }
    }
    Some(dns)
}

/// Who serves the domain of this name, where it is one's.
async fn services(asked: &Asked) -> Vec<String> {
    let (Some(servers), ServedName::Dns(name)) = (&asked.name_servers, &asked.target.name) else {
        return Vec::new();
    };
    let Ok(wanted) = Wanted::of(name) else { return Vec::new() };
    let found = client::discover(servers, &wanted.allow_outside()).await;
    let services = found.map(|found| found.services).unwrap_or_default();
    services.iter().take(NAMES_MAX).map(|one| one.target.name.to_string()).collect()
}

/// Where the names of a certificate lead from here.
pub(super) async fn of_certificate(leaf: &Summary, patience: Duration) -> Vec<Named> {
    let names = leaf.names.iter().filter_map(|name| match name {
        AlternativeName::Dns(name) if !name.starts_with('*') => Some(name.clone()),
        _ => None,
    });
    let mut found = Vec::new();
    for name in names.take(NAMES_MAX) {
        let looked = timeout(patience, tokio::net::lookup_host((name.clone(), 0))).await;
        let addresses = match looked {
            Ok(Ok(addresses)) => addresses.map(|one| one.ip()).collect::<Vec<IpAddr>>(),
            // A resolver that is silent once is not asked for each name.
            Err(_) => break,
            Ok(Err(_)) => Vec::new(),
        };
        found.push(Named { name, addresses });
    }
    found
}
