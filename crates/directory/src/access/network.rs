//! Client networks in rules: `10.0.0.0/8`, `2001:db8::/32`, one address, or `local`.

use std::net::IpAddr;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// The local socket, which has no address.
    Local,
    Prefix {
        address: IpAddr,
        bits: u8,
    },
}

impl Network {
    /// `Err` says what is wrong.
    pub fn parse(text: &str) -> Result<Network, String> {
        if text == "local" {
            return Ok(Network::Local);
        }
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr =
            address.parse().map_err(|_| format!("`{address}` is not an IP address"))?;
        let bits = match bits {
            Some(bits) => parse_bits(bits, width(address))?,
            None => width(address),
        };
        let network = Network::Prefix { address, bits };
        if network.has_host_bits() {
            return Err(format!("`{text}` has bits set behind its prefix"));
        }
        Ok(network)
    }

    pub fn holds(&self, client: Option<IpAddr>) -> bool {
        match (self, client.map(|address| address.to_canonical())) {
            (Network::Local, client) => client.is_none(),
            (Network::Prefix { address, bits }, Some(client)) => {
                width(*address) == width(client)
                    && cut(number(*address), *bits, width(client))
                        == cut(number(client), *bits, width(client))
            }
            (Network::Prefix { .. }, None) => false,
        }
    }

    fn has_host_bits(&self) -> bool {
        match self {
            Network::Local => false,
            Network::Prefix { address, bits } => {
                cut(number(*address), *bits, width(*address)) != number(*address)
            }
        }
    }
}

fn parse_bits(bits: &str, width: u8) -> Result<u8, String> {
    let number = bits.parse().ok().filter(|bits| *bits <= width);
    number.ok_or_else(|| format!("`/{bits}` is not a prefix length of 0 to {width}"))
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// The number with everything behind the prefix cleared.
fn cut(number: u128, bits: u8, width: u8) -> u128 {
    let behind = u32::from(width - bits);
    number.checked_shr(behind).and_then(|kept| kept.checked_shl(behind)).unwrap_or(0)
}
