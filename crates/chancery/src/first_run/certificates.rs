//! The in-house CA and the server's certificate for `localhost`, this host's name and the loopback
//! addresses.

use anyhow::Result;
use time::OffsetDateTime;

use crate::ca::{Ca, own};
use crate::config::Config;

/// Makes what is missing, and renews what ran out while nobody served.
pub(super) fn make(config: &Config) -> Result<()> {
    let now = OffsetDateTime::now_utc();
    let ca = Ca::at(&config.data);
    let (chain, key) = own::files(&config.data);
    // Certificates that somebody put here need no CA.
    if ca.exists() || !chain.exists() || !key.exists() {
        ca.found(&host_name(), now)?;
        own::renew(&config.data, &own::names(config), now, false)?;
    }
    if ca.exists() && ca.signer().is_ok() {
        ca.renew_list_when_due(now)?;
    }
    ca.announce(now);
    Ok(())
}

/// Every name by which a client on this machine may reach the server. libldap puts the host's own
/// name in the place of `localhost`, so that must be among them.
pub(crate) fn usual_names() -> Vec<String> {
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

pub(crate) fn host_name() -> String {
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
