//! Our own service, as a client meets it: each listener by each name that it is served under.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use pki::judge::names::ServedName;

use super::rules::{Finding, Layer};

/// A listener, and whether network rules stand before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Door {
    pub(crate) address: SocketAddr,
    pub(crate) is_published: bool,
}

/// More pairs of listeners and names than these are not looked at.
pub(crate) const PAIRS_MAX: usize = 64;

/// Names by which a client can ask: a wildcard stands for one of its names. Addresses are asked
/// for where they are ours alone.
pub(crate) fn pairs(doors: &[Door], names: &[String]) -> Vec<(Door, ServedName)> {
    let mut all = Vec::new();
    for door in doors {
        let at = reached(door.address);
        for name in names {
            let Ok(name) = ServedName::parse(&name.replacen('*', "any", 1)) else { continue };
            // Another address of the certificate belongs to another listener, or to a balancer.
            let is_meant = match name {
                ServedName::Dns(_) => true,
                ServedName::Ip(address) => address == at.ip(),
            };
            let pair = (Door { address: at, ..*door }, name);
            if is_meant && !all.contains(&pair) && all.len() < PAIRS_MAX {
                all.push(pair);
            }
        }
    }
    all
}

pub(crate) fn without_certificate() -> Finding {
    let cause = "the server has no certificate: LDAPS is not served";
    Finding::new("NO-LDAPS-CERT", Layer::Tls, cause).fix("see why: chancery cert why")
}

pub(crate) fn without_listener() -> Finding {
    let fix = "write a listener in chancery.toml: see `chancery config example`";
    Finding::new("TCP-REFUSED", Layer::Tcp, "the server listens for LDAPS nowhere").fix(fix)
}

/// Where a client of this machine finds a listener on all addresses.
fn reached(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(one) if one.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(one) if one.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        one => one,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_listener_by_each_of_its_names() {
        let door = |text: &str| Door { address: text.parse().unwrap(), is_published: false };
        let names = ["localhost", "*.example.com", "127.0.0.1", "192.0.2.1", "not a name"];
        let names = names.map(str::to_owned);
        let doors = [door("0.0.0.0:6636"), door("127.0.0.1:6636"), door("192.0.2.1:636")];
        let said: Vec<String> = pairs(&doors, &names)
            .into_iter()
            .map(|(door, name)| format!("{name} {}", door.address))
            .collect();
        assert_eq!(
            said,
            [
                "localhost 127.0.0.1:6636",
                "any.example.com 127.0.0.1:6636",
                "127.0.0.1 127.0.0.1:6636",
                "localhost 192.0.2.1:636",
                "any.example.com 192.0.2.1:636",
                "192.0.2.1 192.0.2.1:636",
            ]
        );
    }
}
