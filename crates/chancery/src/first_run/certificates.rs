//! The in-house CA and the server's certificate for `localhost`, this host's name and the loopback
//! addresses.

use std::path::Path;

use anyhow::Result;
use pki::authority::{CA_LIFETIME, SERVER_LIFETIME};
use pki::{CaMaterial, InHouseCa};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::{random, write_new};
use crate::failure::failed;

/// Makes what is missing.
pub(super) fn make(data: &Path) -> Result<()> {
    let (ca_pem, ca_key) = (data.join("ca.pem"), data.join("ca.key"));
    let (server_pem, server_key) = (data.join("server.pem"), data.join("server.key"));
    if server_pem.exists() && server_key.exists() {
        return Ok(());
    }
    let now = OffsetDateTime::now_utc();
    let ca = if ca_pem.exists() && ca_key.exists() {
        read_ca(&ca_pem, &ca_key)?
    } else {
        let host = host_name();
        let ca = InHouseCa::create(&format!("Chancery CA on {host}"), now, CA_LIFETIME, random())
            .map_err(failed)?;
        remove_unused(&ca_key, &ca_pem)?;
        // The key first: a certificate whose key was never written must not be trusted by anybody.
        write_new(&ca_key, ca.key_pem.as_bytes(), false)?;
        write_new(&ca_pem, ca.cert_pem.as_bytes(), true)?;
        ca
    };
    let issued = InHouseCa::open(&ca)
        .and_then(|ca| ca.issue_server(&names(), now, SERVER_LIFETIME, random()))
        .map_err(failed)?;
    remove_unused(&server_key, &server_pem)?;
    write_new(&server_key, issued.key_pem.as_bytes(), false)?;
    write_new(&server_pem, issued.chain_pem.as_bytes(), true)
}

/// A start that was cut short may have left a key whose certificate was never written.
fn remove_unused(key: &Path, certificate: &Path) -> Result<()> {
    if !key.exists() || certificate.exists() {
        return Ok(());
    }
    std::fs::remove_file(key)
        .map_err(|error| failed(format!("cannot replace {}: {error}", key.display())))
}

fn read_ca(cert: &Path, key: &Path) -> Result<CaMaterial> {
    let read = |path: &Path| {
        std::fs::read_to_string(path)
            .map_err(|error| failed(format!("cannot read {}: {error}", path.display())))
    };
    Ok(CaMaterial { cert_pem: read(cert)?, key_pem: Zeroizing::new(read(key)?) })
}

/// Every name by which a client on this machine may reach the server. libldap puts the host's own
/// name in the place of `localhost`, so that must be among them.
fn names() -> Vec<String> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    let host = host_name();
    let is_dns = |name: &str| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
        !name.is_empty() && name.len() <= 253 && name.bytes().all(fits)
    };
    for name in [host.clone(), format!("{host}.{}", domain_name())] {
        let name = name.trim_end_matches('.').to_lowercase();
        if is_dns(&name) && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn host_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    if name.is_empty() { "localhost".to_owned() } else { name }
}

/// The domain that `/etc/hosts` or the resolver gives this host; empty where there is none.
fn domain_name() -> String {
    let resolver = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let search = resolver.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        matches!(words.next(), Some("domain" | "search")).then(|| words.next()).flatten()
    });
    search.unwrap_or_default().to_owned()
}
