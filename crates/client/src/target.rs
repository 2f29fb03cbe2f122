//! Who is meant, by name, and how it is reached.

use std::net::{IpAddr, SocketAddr};

use pki::judge::names::{NotAName, ServedName};

pub const LDAPS: u16 = 636;
pub const LDAP: u16 = 389;

/// How TLS begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Security {
    /// With the first byte.
    Ldaps,
    /// After one request in the clear, which holds nothing.
    StartTls,
}

/// A server by the name its certificate must cover. Where the name resolves to is another matter,
/// and is never what the certificate is compared with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    pub name: ServedName,
    pub port: u16,
    pub security: Security,
}

/// Why a text names no target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotATarget {
    #[error("'{0}' is no address of a server; write ldaps://NAME, ldaps://NAME:PORT or NAME")]
    Scheme(String),
    #[error("{0}")]
    Name(#[from] NotAName),
    #[error("'{0}' is no port; write 1 to 65535, or leave it out for 636")]
    Port(String),
    #[error("ldaps:// on port 389 is a mix-up: write ldaps://{0} (port 636), or ldap://{0}")]
    LdapsOn389(String),
    #[error("ldap:// on port 636 is a mix-up: write ldaps://{0}")]
    LdapOn636(String),
}

impl Target {
    pub fn ldaps(name: ServedName) -> Target {
        Target { name, port: LDAPS, security: Security::Ldaps }
    }

    /// `ldaps://NAME[:PORT]`, `ldap://NAME[:PORT]` (StartTLS is demanded), or the name alone.
    pub fn parse(text: &str) -> Result<Target, NotATarget> {
        let (security, rest) = match text.split_once("://") {
            None => (Security::Ldaps, text),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("ldaps") => (Security::Ldaps, rest),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("ldap") => {
                (Security::StartTls, rest)
            }
            Some(_) => return Err(NotATarget::Scheme(text.chars().take(100).collect())),
        };
        // The rest of an LDAP URL says what to search, not where.
        let host = rest.split(['/', '?']).next().unwrap_or_default();
        let (name, port) = split_port(host);
        let usual = if security == Security::Ldaps { LDAPS } else { LDAP };
        let port = match port {
            None | Some("") => usual,
            Some(port) => match port.parse() {
                Ok(number) if number != 0 => number,
                _ => return Err(NotATarget::Port(port.chars().take(20).collect())),
            },
        };
        let name = ServedName::parse(name)?;
        match (security, port) {
            (Security::Ldaps, LDAP) => Err(NotATarget::LdapsOn389(name.to_string())),
            (Security::StartTls, LDAPS) => Err(NotATarget::LdapOn636(name.to_string())),
            _ => Ok(Target { name, port, security }),
        }
    }

    /// Where it is, where that needs nobody else's word.
    pub fn literal(&self) -> Option<SocketAddr> {
        match self.name {
            ServedName::Ip(address) => Some(SocketAddr::new(address, self.port)),
            ServedName::Dns(_) => None,
        }
    }
}

/// `name:port`, `[v6]:port`, and a bare IPv6 address without one.
fn split_port(host: &str) -> (&str, Option<&str>) {
    if host.parse::<IpAddr>().is_ok() {
        return (host, None);
    }
    match host.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') || name.ends_with(']') => (name, Some(port)),
        _ => (host, None),
    }
}
