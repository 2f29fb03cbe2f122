//! Networks as `192.0.2.0/24`, and addresses as numbers within their family.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// IPv4 or IPv6. An IPv4-mapped IPv6 address is IPv4 everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    V4,
    V6,
}

/// A network: an address without host bits, and how many of its bits count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Prefix {
    family: Family,
    first: u128,
    length: u8,
}

/// Why a text is no network, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PrefixFault {
    #[error(
        "`{text}` is not a network; write an address such as 192.0.2.7, or a prefix such as 192.0.2.0/24 or 2001:db8::/32"
    )]
    NotANetwork { text: String },
    #[error("`{text}` is longer than an address of its family; write a length from 0 to {max}")]
    TooLong { text: String, max: u8 },
    #[error(
        "`{text}` has bits set behind its length; write {network} for the network, or {host} for the one address"
    )]
    HostBits { text: String, network: Prefix, host: Prefix },
}

impl Family {
    pub const BOTH: [Family; 2] = [Family::V4, Family::V6];

    /// Bits of an address.
    #[must_use]
    pub fn width(self) -> u8 {
        match self {
            Family::V4 => 32,
            Family::V6 => 128,
        }
    }

    /// The highest address as a number.
    #[must_use]
    pub fn last(self) -> u128 {
        match self {
            Family::V4 => u128::from(u32::MAX),
            Family::V6 => u128::MAX,
        }
    }

    /// An address from its number.
    #[must_use]
    pub fn address(self, number: u128) -> IpAddr {
        match self {
            Family::V4 => Ipv4Addr::from_bits(u32::try_from(number).unwrap_or(u32::MAX)).into(),
            Family::V6 => Ipv6Addr::from_bits(number).into(),
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Family::V4 => "IPv4",
            Family::V6 => "IPv6",
        })
    }
}

/// The family and the number of an address.
#[must_use]
pub fn numbered(address: IpAddr) -> (Family, u128) {
    match address.to_canonical() {
        IpAddr::V4(address) => (Family::V4, u128::from(address.to_bits())),
        IpAddr::V6(address) => (Family::V6, address.to_bits()),
    }
}

impl Prefix {
    /// The network of `length` bits that holds the address; a length beyond the family's is that
    /// of one address.
    #[must_use]
    pub fn around(address: IpAddr, length: u8) -> Prefix {
        let (family, number) = numbered(address);
        let length = length.min(family.width());
        Prefix { family, first: number & !host_mask(family, length), length }
    }

    #[must_use]
    pub fn family(&self) -> Family {
        self.family
    }

    #[must_use]
    pub fn length(&self) -> u8 {
        self.length
    }

    /// The lowest address as a number.
    #[must_use]
    pub fn first(&self) -> u128 {
        self.first
    }

    /// The highest address as a number.
    #[must_use]
    pub fn last(&self) -> u128 {
        self.first | host_mask(self.family, self.length)
    }

    #[must_use]
    pub fn holds(&self, address: IpAddr) -> bool {
        let (family, number) = numbered(address);
        family == self.family && (self.first..=self.last()).contains(&number)
    }

    /// The fewest networks that hold the addresses from `first` to `last` and no others.
    #[must_use]
    pub fn covering(family: Family, first: u128, last: u128) -> Vec<Prefix> {
        let mut networks = Vec::new();
        let mut next = Some(first);
        while let Some(first) = next.filter(|first| *first <= last) {
            let widest = (0..=family.width()).find_map(|length| {
                let network = Prefix { family, first, length };
                let fits = first & host_mask(family, length) == 0 && network.last() <= last;
                fits.then_some(network)
            });
            let Some(network) = widest else { break };
            networks.push(network);
            next = network.last().checked_add(1);
        }
        networks
    }
}

/// The bits that do not count.
fn host_mask(family: Family, length: u8) -> u128 {
    let behind = u32::from(family.width().saturating_sub(length));
    1u128.checked_shl(behind).map_or(u128::MAX, |bit| bit - 1)
}

impl FromStr for Prefix {
    type Err = PrefixFault;

    fn from_str(text: &str) -> Result<Prefix, PrefixFault> {
        let not_one = || PrefixFault::NotANetwork { text: text.to_owned() };
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(decimal(length).ok_or_else(not_one)?)),
            None => (text, None),
        };
        let written: IpAddr = address.parse().map_err(|_| not_one())?;
        let max = if written.is_ipv4() { 32 } else { 128 };
        let length = length.unwrap_or(max);
        if length > max {
            return Err(PrefixFault::TooLong { text: text.to_owned(), max });
        }
        // `::ffff:192.0.2.0/120` is 192.0.2.0/24; a shorter one is not only of mapped addresses.
        let (address, length) = match (written, written.to_canonical()) {
            (IpAddr::V6(_), mapped @ IpAddr::V4(_)) if length >= 96 => (mapped, length - 96),
            _ => (written, length),
        };
        let (family, number) = match address {
            IpAddr::V4(address) => (Family::V4, u128::from(address.to_bits())),
            IpAddr::V6(address) => (Family::V6, address.to_bits()),
        };
        let host = host_mask(family, length);
        if number & host != 0 {
            let network = Prefix { family, first: number & !host, length };
            let host = Prefix { family, first: number, length: family.width() };
            return Err(PrefixFault::HostBits { text: text.to_owned(), network, host });
        }
        Ok(Prefix { family, first: number, length })
    }
}

/// Digits only: `parse` would take a sign as well.
fn decimal(text: &str) -> Option<u8> {
    let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_plain.then(|| text.parse::<u8>().unwrap_or(u8::MAX))
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.family.address(self.first), self.length)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn networks_read_and_print() {
        for (text, printed) in [
            ("192.0.2.0/24", "192.0.2.0/24"),
            ("192.0.2.7", "192.0.2.7/32"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("::/0", "::/0"),
            ("2001:DB8::/32", "2001:db8::/32"),
            ("::1", "::1/128"),
            ("::ffff:192.0.2.0/120", "192.0.2.0/24"),
            ("::ffff:192.0.2.7", "192.0.2.7/32"),
            ("::ffff:0:0/96", "0.0.0.0/0"),
        ] {
            let network: Prefix = text.parse().unwrap();
            assert_eq!(network.to_string(), printed, "{text}");
        }
    }

    #[test]
    fn what_is_no_network_is_told_what_would_be_right() {
        for (text, expected) in [
            ("", "is not a network"),
            ("everyone", "is not a network"),
            ("192.0.2.0/", "is not a network"),
            ("192.0.2.0/+8", "is not a network"),
            ("192.0.2/24", "is not a network"),
            ("192.0.2.0/24/8", "is not a network"),
            ("192.0.2.0/33", "a length from 0 to 32"),
            ("192.0.2.0/999999", "a length from 0 to 32"),
            ("2001:db8::/129", "a length from 0 to 128"),
            ("192.0.2.7/24", "write 192.0.2.0/24 for the network, or 192.0.2.7/32 for the one"),
            ("2001:db8::1/32", "write 2001:db8::/32 for the network, or 2001:db8::1/128"),
            ("::ffff:192.0.2.7/120", "write 192.0.2.0/24 for the network, or 192.0.2.7/32"),
            ("1.2.3.4/0", "write 0.0.0.0/0 for the network"),
        ] {
            let fault = text.parse::<Prefix>().unwrap_err().to_string();
            assert!(fault.contains(expected), "{text}: {fault}");
        }
    }

    #[test]
    fn an_ipv4_mapped_address_is_ipv4() {
        let network: Prefix = "10.0.0.0/8".parse().unwrap();
        assert!(network.holds("::ffff:10.1.2.3".parse().unwrap()));
        let all: Prefix = "::/0".parse().unwrap();
        assert!(!all.holds("::ffff:10.1.2.3".parse().unwrap()));
        let around = Prefix::around("::ffff:10.1.2.3".parse().unwrap(), 24);
        assert_eq!(around.to_string(), "10.1.2.0/24");
    }

    #[test]
    fn a_range_is_covered_by_the_fewest_networks() {
        for (first, last, expected) in [
            ("0.0.0.0", "255.255.255.255", "0.0.0.0/0"),
            ("10.0.0.0", "10.0.0.0", "10.0.0.0/32"),
            ("10.0.0.1", "10.0.0.6", "10.0.0.1/32 10.0.0.2/31 10.0.0.4/31 10.0.0.6/32"),
            ("2001:db8::", "2001:db8:1:ffff:ffff:ffff:ffff:ffff", "2001:db8::/47"),
            ("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::/0"),
        ] {
            let (family, first) = numbered(first.parse().unwrap());
            let (_, last) = numbered(last.parse().unwrap());
            let networks = Prefix::covering(family, first, last);
            let printed: Vec<_> = networks.iter().map(ToString::to_string).collect();
            assert_eq!(printed.join(" "), expected);
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_back(bits: u128, length in 0u8..=128, is_v4: bool) {
            let family = if is_v4 { Family::V4 } else { Family::V6 };
            let address = family.address(bits & family.last());
            let network = Prefix::around(address, length);
            prop_assert!(network.holds(address));
            prop_assert_eq!(network.to_string().parse(), Ok(network));
        }

        #[test]
        fn a_cover_is_the_range(first: u32, size in 0u32..5000) {
            let last = u128::from(first.saturating_add(size));
            let networks = Prefix::covering(Family::V4, u128::from(first), last);
            let mut next = u128::from(first);
            for network in networks {
                prop_assert_eq!(network.first(), next);
                next = network.last() + 1;
            }
            prop_assert_eq!(next, last + 1);
        }
    }
}
