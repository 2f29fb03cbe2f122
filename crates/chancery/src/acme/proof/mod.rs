//! Showing a CA that a name is ours, in one of three ways, only while an order is pending.
//!
//! - [`http`]: a file on port 80 (RFC 8555 §8.3). [`alpn`]: a certificate on port 443 (RFC 8737).
//!   [`dns`]: a TXT record (RFC 8555 §8.4).

mod alpn;
mod dns;
mod http;

use std::net::{Ipv6Addr, SocketAddr};

use anyhow::Result;
use instant_acme::ChallengeType;
use tokio::net::TcpListener;

use super::clock::Clock;
use crate::config::{Acme, AcmeChallenge, Config};
use crate::failure::failed;

/// What is to be shown for one name.
#[derive(Clone, Debug)]
pub(crate) struct Proof {
    /// Without `*.`.
    pub(crate) name: String,
    pub(crate) token: String,
    pub(crate) key_authorization: String,
    /// SHA-256 of the key authorization.
    pub(crate) digest: Vec<u8>,
    /// The same as a TXT record has it.
    pub(crate) dns_value: String,
}

/// Where proofs are shown.
pub(crate) enum Stand {
    Http(http::Door),
    Alpn(alpn::Door),
    Dns(Box<dns::Notices>),
}

pub(crate) fn challenge_type(challenge: AcmeChallenge) -> ChallengeType {
    match challenge {
        AcmeChallenge::Http01 => ChallengeType::Http01,
        AcmeChallenge::TlsAlpn01 => ChallengeType::TlsAlpn01,
        AcmeChallenge::Dns01 => ChallengeType::Dns01,
    }
}

impl Stand {
    /// Before an order is made: an order that cannot be proven counts at the CA all the same.
    pub(crate) async fn open(config: &Config, acme: &Acme, clock: Clock) -> Result<Stand> {
        Ok(match acme.challenge {
            AcmeChallenge::Http01 => Stand::Http(http::Door::open(listen(acme.listen).await?)),
            AcmeChallenge::TlsAlpn01 => Stand::Alpn(alpn::Door::open(listen(acme.listen).await?)?),
            AcmeChallenge::Dns01 => {
                Stand::Dns(Box::new(dns::Notices::open(config, &acme.names, clock)?))
            }
        })
    }

    pub(crate) fn show(&mut self, proof: &Proof) -> Result<()> {
        match self {
            Stand::Http(door) => {
                door.show(proof);
                Ok(())
            }
            Stand::Alpn(door) => door.show(proof),
            Stand::Dns(notices) => notices.show(proof),
        }
    }

    /// Until everybody can see all of them.
    pub(crate) async fn settle(&self) -> Result<()> {
        match self {
            Stand::Http(_) | Stand::Alpn(_) => Ok(()),
            Stand::Dns(notices) => notices.settle().await,
        }
    }

    /// Takes everything down again.
    pub(crate) fn close(self) -> Result<()> {
        match self {
            Stand::Http(_) | Stand::Alpn(_) => Ok(()),
            Stand::Dns(notices) => notices.close(),
        }
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener> {
    let listener = match TcpListener::bind(address).await {
        // Where IPv6 is switched off, all addresses are those of IPv4.
        Err(_) if address.ip() == Ipv6Addr::UNSPECIFIED => {
            TcpListener::bind(SocketAddr::from(([0, 0, 0, 0], address.port()))).await
        }
        other => other,
    };
    listener.map_err(|error| {
        let advice = match error.kind() {
            std::io::ErrorKind::PermissionDenied => {
                "ports below 1024 need CAP_NET_BIND_SERVICE (systemd: AmbientCapabilities), or \
                 another port in `acme.listen` to which the outside port is forwarded"
            }
            std::io::ErrorKind::AddrInUse => {
                "somebody else listens there: write another port in `acme.listen` and forward the \
                 outside port to it, or use dns-01"
            }
            _ => "write an address of this machine in `acme.listen`",
        };
        failed(format!("cannot listen on {address} for the challenge: {error}; {advice}"))
    })
}
