//! Where a directory listens, from an LDAP URI.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::load::recognizing::Recognizing;
use anyhow::{Context, Result, bail, ensure};
use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};

/// Where to connect, and whom to trust there.
#[derive(Clone, Debug)]
pub struct Endpoint {
    pub(super) uri: String,
    pub(super) address: Address,
}

#[derive(Clone, Debug)]
pub(super) enum Address {
    Tcp(std::net::SocketAddr),
    Tls { at: std::net::SocketAddr, name: ServerName<'static>, config: Arc<ClientConfig> },
    Local(PathBuf),
}

impl Endpoint {
    /// `ldap://HOST[:PORT]`, `ldaps://HOST[:PORT]` with a file of trusted certificates in PEM, or
    /// `ldapi://PATH` (the path with `/` or `%2F`).
    pub fn parse(uri: &str, ca: Option<&Path>) -> Result<Self> {
        let address = if let Some(rest) = uri.strip_prefix("ldap://") {
            Address::Tcp(resolve(rest, 389)?.0)
        } else if let Some(rest) = uri.strip_prefix("ldaps://") {
            tls_address(rest, ca)?
        } else if let Some(rest) = uri.strip_prefix("ldapi://") {
            Address::Local(PathBuf::from(rest.replace("%2F", "/").replace("%2f", "/")))
        } else {
            bail!("`{uri}` is no LDAP URI: ldap://HOST:PORT, ldaps://HOST:PORT or ldapi://PATH")
        };
        Ok(Self { uri: uri.to_owned(), address })
    }

    pub fn is_tls(&self) -> bool {
        matches!(self.address, Address::Tls { .. })
    }
}

fn tls_address(rest: &str, ca: Option<&Path>) -> Result<Address> {
    let Some(ca) = ca else {
        bail!("ldaps needs `--ca FILE`: the certificate (PEM) that the server's must come from")
    };
    let (at, host) = resolve(rest, 636)?;
    let name = ServerName::try_from(host.clone())
        .with_context(|| format!("`{host}` cannot be the name in a certificate"))?;
    let verifier = Recognizing::new(trusted(ca)?)?;
    let config = ClientConfig::builder().dangerous().with_custom_certificate_verifier(verifier);
    let mut config = config.with_no_client_auth();
    // A handshake is a full one unless the work asks for a resumed one.
    config.resumption = Resumption::disabled();
    Ok(Address::Tls { at, name, config: Arc::new(config) })
}

fn trusted(ca: &Path) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(ca)
        .with_context(|| format!("{}: cannot be read as PEM", ca.display()))?;
    for certificate in certificates {
        roots.add(certificate.with_context(|| format!("{}: no PEM", ca.display()))?)?;
    }
    ensure!(!roots.is_empty(), "{}: holds no certificate", ca.display());
    Ok(roots)
}

/// First address of `HOST[:PORT][/]`, and the host alone.
fn resolve(rest: &str, port: u16) -> Result<(std::net::SocketAddr, String)> {
    use std::net::ToSocketAddrs;
    let rest = rest.split('/').next().unwrap_or_default();
    let (host, port) = split_port(rest, port)?;
    let addresses = (host, port).to_socket_addrs();
    let at = addresses.with_context(|| format!("the name `{host}` is not known"))?.next();
    Ok((at.with_context(|| format!("the name `{host}` has no address"))?, host.to_owned()))
}

/// `[::1]:636`, `host:636` or `host`.
fn split_port(text: &str, port: u16) -> Result<(&str, u16)> {
    if let Some((host, rest)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return match rest.strip_prefix(':') {
            Some(digits) => Ok((host, number(digits)?)),
            None => Ok((host, port)),
        };
    }
    match text.split_once(':') {
        Some((host, digits)) => Ok((host, number(digits)?)),
        None => Ok((text, port)),
    }
}

fn number(digits: &str) -> Result<u16> {
    digits.parse().with_context(|| format!("`{digits}` is no port"))
}

#[cfg(test)]
mod tests {
    use super::split_port;

    #[test]
    fn ports_are_split_off() {
        for (text, host, port) in
            [("a", "a", 7), ("a:1", "a", 1), ("[::1]:2", "::1", 2), ("[::1]", "::1", 7)]
        {
            assert_eq!(split_port(text, 7).unwrap(), (host, port), "{text}");
        }
        assert!(split_port("a:b", 7).is_err());
    }
}
