//! The server visits its own published listener, to see what clients are shown. No rule need let
//! this machine in: its gate knows the very socket that comes.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use super::gate::Gate;

/// Dropped, the gate expects nobody any more; the connection ends with it.
#[derive(Debug)]
pub struct Visit {
    gate: Arc<Gate>,
    from: SocketAddr,
    pub stream: TcpStream,
}

impl Gate {
    /// Connects to its listener by an address of this machine. The visitor's port is taken before
    /// the gate hears of it, so nobody else can come from there.
    pub fn visit(self: &Arc<Gate>, listener: SocketAddr, patience: Duration) -> io::Result<Visit> {
        let address = reachable(listener);
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        socket.bind(&SocketAddr::new(address.ip(), 0).into())?;
        let stream = TcpStream::from(socket.try_clone()?);
        let from = stream.local_addr()?;
        self.expected().push(from);
        // From here on dropping it tells the gate.
        let visit = Visit { gate: Arc::clone(self), from, stream };
        socket.connect_timeout(&address.into(), patience)?;
        Ok(visit)
    }

    pub(super) fn expects(&self, peer: SocketAddr) -> bool {
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        self.expected().contains(&peer)
    }

    fn expected(&self) -> std::sync::MutexGuard<'_, Vec<SocketAddr>> {
        self.expected.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.gate.expected().retain(|from| *from != self.from);
    }
}

/// Where to connect to reach a listener of this machine.
#[must_use]
pub fn reachable(listener: SocketAddr) -> SocketAddr {
    let address = match listener.ip() {
        IpAddr::V4(address) if address.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(address) if address.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        address => address,
    };
    SocketAddr::new(address, listener.port())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{Admission, RuleTable, Scope};

    #[test]
    fn only_the_socket_that_was_announced_is_let_in_without_a_rule() {
        let rules = RuleTable::default().of(Scope::External, 636);
        for balancers in [vec![], vec!["192.0.2.1".parse().unwrap()]] {
            let gate = Gate::new(Scope::External, Admission { rules: rules.clone(), balancers });
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let visit = gate.visit(listener.local_addr().unwrap(), Duration::from_secs(5)).unwrap();
            let peer = listener.accept().unwrap().1;
            assert_eq!(gate.arrive(peer).unwrap().via, None);
            let beside = SocketAddr::new(peer.ip(), peer.port().wrapping_add(1));
            assert!(gate.arrive(beside).is_none());
            assert_eq!(gate.counts().admitted, 0, "nobody's");
            drop(visit);
            assert!(gate.arrive(peer).is_none(), "it is over");
        }
    }
}
