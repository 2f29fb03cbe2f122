//! `[dns]` and `[acme]` resolved: the settings whose values mean something to servers of others.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use hickory_proto::rr::Name;
use pki::judge::names::ServedName;

use super::fault::Faults;
use super::raw;
use super::resolved::Publish;
use super::value::AcmeChallenge;
use crate::dns::key::KeySource;
use crate::dns::records::absolute;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Dns {
    pub(crate) server: Option<SocketAddr>,
    pub(crate) zone: Option<Name>,
    pub(crate) key: Option<KeySource>,
    pub(crate) ttl_seconds: u32,
    pub(crate) addresses: Vec<IpAddr>,
    /// Each with its port.
    pub(crate) services: Vec<(String, u16)>,
    /// None without a zone.
    pub(crate) domain: Option<Name>,
    pub(crate) port: u16,
    pub(crate) resolvers: Vec<SocketAddr>,
    pub(crate) name_servers: Vec<SocketAddr>,
    pub(crate) propagation: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Acme {
    pub(crate) directory: String,
    pub(crate) agree_to_terms: bool,
    /// As URLs.
    pub(crate) contact: Vec<String>,
    /// At least one, lower case; may begin with `*.` where the challenge is dns-01.
    pub(crate) names: Vec<String>,
    pub(crate) challenge: AcmeChallenge,
    /// Not used with dns-01.
    pub(crate) listen: SocketAddr,
    pub(crate) ca: Option<PathBuf>,
    pub(crate) external_account: Option<ExternalAccount>,
    pub(crate) orders_per_hour: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ExternalAccount {
    pub(crate) id: String,
    pub(crate) key: PathBuf,
}

/// Where name servers listen.
const DNS_PORT: u16 = 53;

pub(super) fn dns(
    raw: &raw::Dns,
    publish: &Publish,
    folder: &Path,
    faults: &mut Faults<'_>,
) -> Dns {
    let zone = raw.zone.as_ref().and_then(|zone| name("dns.zone", zone, faults));
    let domain = raw.domain.as_ref().and_then(|domain| name("dns.domain", domain, faults));
    let server = raw.server.as_ref().and_then(|server| name_server("dns.server", server, faults));
    if raw.key.is_some() && (server.is_none() || zone.is_none()) {
        faults.without_place("dns.key", "write `server` and `zone` as well, which it is for");
    }
    let mut addresses: Vec<IpAddr> = Vec::new();
    for text in &raw.addresses {
        match text.parse() {
            Ok(address) => addresses.push(address),
            Err(_) => {
                let what = format!("`{text}` is not an IP address; write one without a port");
                faults.without_place("dns.addresses", what);
            }
        }
    }
    if addresses.is_empty() {
        addresses.extend(publish.address);
    }
    let port = |number: u32| u16::try_from(number).unwrap_or(u16::MAX);
    Dns {
        server,
        key: raw.key.as_ref().map(|file| KeySource {
            file: folder.join(file),
            name: raw.key_name.clone(),
            algorithm: raw.key_algorithm.clone(),
        }),
        ttl_seconds: u32::try_from(raw.ttl.as_secs()).unwrap_or(u32::MAX),
        addresses,
        services: services(raw, port(raw.port), port(raw.starttls_port), faults),
        domain: domain.or_else(|| zone.clone()),
        zone,
        port: port(raw.port),
        resolvers: name_servers("dns.resolvers", &raw.resolvers, faults),
        name_servers: name_servers("dns.name-servers", &raw.name_servers, faults),
        propagation: raw.propagation,
    }
}

fn name(key: &str, text: &str, faults: &mut Faults<'_>) -> Option<Name> {
    absolute(text).map_err(|what| faults.without_place(key, what)).ok()
}

fn name_servers(key: &str, texts: &[String], faults: &mut Faults<'_>) -> Vec<SocketAddr> {
    texts.iter().filter_map(|text| name_server(key, text, faults)).collect()
}

/// An address, because a name would have to be looked up first.
fn name_server(key: &str, text: &str, faults: &mut Faults<'_>) -> Option<SocketAddr> {
    let with_port = || text.parse::<SocketAddr>().ok();
    let found = text.parse::<IpAddr>().ok().map(|address| SocketAddr::new(address, DNS_PORT));
    let found = found.or_else(with_port);
    if found.is_none() {
        let right = "write an IP address, with a port if it is not 53, such as 192.0.2.53";
        faults.without_place(key, format!("`{text}` is not an address; {right}"));
    }
    found
}

fn services(
    raw: &raw::Dns,
    port: u16,
    starttls_port: u16,
    faults: &mut Faults<'_>,
) -> Vec<(String, u16)> {
    let mut found = Vec::new();
    for word in &raw.services.0 {
        match word.as_str() {
            "ldaps" => found.push((word.clone(), port)),
            "ldap" => found.push((word.clone(), starttls_port)),
            _ => faults.without_place(
                "dns.services",
                format!("`{word}` is not a service; write \"ldaps\", \"ldap\" or a list of them"),
            ),
        }
    }
    found
}

pub(super) fn acme(
    raw: &raw::Acme,
    publish: &Publish,
    dns: &Dns,
    folder: &Path,
    faults: &mut Faults<'_>,
) -> Option<Acme> {
    let directory = raw.directory.clone()?;
    if !directory.starts_with("https://") {
        let what = format!("`{directory}` is not an https:// address, and ACME knows no other");
        faults.without_place("acme.directory", what);
    }
    if raw.challenge == AcmeChallenge::Dns01 && dns.key.is_none() {
        let what = "dns-01 needs `server`, `zone` and `key` in [dns], to write the proof";
        faults.without_place("acme.challenge", what);
    }
    let names = names(raw, publish, faults);
    Some(Acme {
        directory,
        agree_to_terms: raw.agree_to_terms,
        contact: raw.contact.iter().map(|text| contact(text)).collect(),
        names,
        challenge: raw.challenge,
        listen: listen(raw, faults),
        ca: raw.ca.as_ref().map(|file| folder.join(file)),
        external_account: external_account(raw, folder, faults),
        orders_per_hour: raw.orders_per_hour,
    })
}

fn contact(text: &str) -> String {
    if text.contains(':') { text.to_owned() } else { format!("mailto:{text}") }
}

fn listen(raw: &raw::Acme, faults: &mut Faults<'_>) -> SocketAddr {
    let port = if raw.challenge == AcmeChallenge::TlsAlpn01 { 443 } else { 80 };
    let all = SocketAddr::from(([0u16; 8], port));
    let Some(text) = &raw.listen else { return all };
    text.parse().unwrap_or_else(|_| {
        let right = "write an IP address and a port, such as [::]:80";
        faults.without_place("acme.listen", format!("`{text}` is not an address; {right}"));
        all
    })
}

fn names(raw: &raw::Acme, publish: &Publish, faults: &mut Faults<'_>) -> Vec<String> {
    let key = "acme.names";
    let published = publish.names.iter().filter_map(|name| match name {
        ServedName::Dns(name) => Some(name.clone()),
        // RFC 8738 has addresses, which hardly any CA issues for.
        ServedName::Ip(_) => None,
    });
    let given = if raw.names.is_empty() { published.collect() } else { raw.names.clone() };
    let mut names: Vec<String> = Vec::new();
    for text in given {
        let bare = text.strip_prefix("*.");
        let lower = text.trim_end_matches('.').to_ascii_lowercase();
        match ServedName::parse(bare.unwrap_or(&text)) {
            Ok(ServedName::Dns(_)) if bare.is_some() && raw.challenge != AcmeChallenge::Dns01 => {
                let what = format!("`{text}` needs challenge = \"dns-01\" (RFC 8555 §7.1.3)");
                faults.without_place(key, what);
            }
            Ok(ServedName::Dns(_)) if !names.contains(&lower) => names.push(lower),
            Ok(ServedName::Dns(_)) => {
                faults.without_place(key, format!("`{text}` is there twice"));
            }
            Ok(ServedName::Ip(_)) => {
                faults.without_place(key, format!("`{text}` is an address; write names only"));
            }
            Err(error) => faults.without_place(key, error.to_string()),
        }
    }
    if names.is_empty() && faults.list.is_empty() {
        faults.without_place(key, "write the names for the certificate here or in `publish.names`");
    }
    names
}

fn external_account(
    raw: &raw::Acme,
    folder: &Path,
    faults: &mut Faults<'_>,
) -> Option<ExternalAccount> {
    match (&raw.eab_key_id, &raw.eab_key) {
        (Some(id), Some(key)) => Some(ExternalAccount { id: id.clone(), key: folder.join(key) }),
        (None, None) => None,
        (Some(_), None) => {
            faults.without_place("acme.eab-key", "write the file of the key of `eab-key-id`");
            None
        }
        (None, Some(_)) => {
            faults.without_place("acme.eab-key-id", "write the identifier of the key");
            None
        }
    }
}
