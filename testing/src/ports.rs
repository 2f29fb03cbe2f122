//! Loopback ports nobody uses, for peers that cannot listen on port 0 themselves.

use std::net::TcpListener;

use anyhow::{Context, Result};

/// Asks the kernel for `N` different free ports. Somebody may take one before the peer does: the
/// callers start again with new ones when a peer dies at once.
pub fn free<const N: usize>() -> Result<[u16; N]> {
    let mut held = Vec::with_capacity(N);
    let mut ports = [0; N];
    for port in &mut ports {
        // All listeners live until the end, so that the kernel cannot hand out one port twice.
        let listener = TcpListener::bind("127.0.0.1:0").context("no free loopback port")?;
        *port = listener.local_addr()?.port();
        held.push(listener);
    }
    Ok(ports)
}

#[cfg(test)]
mod tests {
    #[test]
    fn ports_are_different() {
        let [a, b, c] = super::free::<3>().unwrap();
        assert!(a != b && b != c && a != c && a != 0);
    }
}
