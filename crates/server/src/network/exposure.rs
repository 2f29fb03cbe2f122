//! How much of the Internet a listener's rules let in: nobody, some, or everyone.
//!
//! What counts is what all rules together allow. A table that lets in every address but a few is as
//! open as `0.0.0.0/0`, so half of the public addresses of a family are "everyone".

use super::prefix::{Family, Prefix};
use super::rules::ListenerRules;

/// Whom the rules of a listener let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exposure {
    /// No address at all.
    Nobody,
    Some,
    /// Half of the public addresses of this family, or more.
    Everyone {
        family: Family,
        percent: u8,
    },
}

/// IPv4 networks whose addresses never come from the Internet (the registry of RFC 6890).
const NOT_PUBLIC_V4: [&str; 14] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
];

/// IPv6 addresses that are routed on the Internet (RFC 4291 §2.4).
const PUBLIC_V6: &str = "2000::/3";

impl Exposure {
    /// IPv4 is looked at first; one family is enough.
    #[must_use]
    pub fn of(rules: &ListenerRules) -> Exposure {
        for family in Family::BOTH {
            let percent = percent(rules, family);
            if percent >= 50 {
                return Exposure::Everyone { family, percent };
            }
        }
        match Family::BOTH.iter().all(|family| rules.allowed(*family).is_empty()) {
            true => Exposure::Nobody,
            false => Exposure::Some,
        }
    }
}

/// How much of the public addresses of a family is let in, rounded down.
fn percent(rules: &ListenerRules, family: Family) -> u8 {
    let public = public(family);
    let whole: u128 = public.iter().map(|(first, last)| last - first + 1).sum();
    let mut allowed: u128 = 0;
    for (first, last) in rules.allowed(family) {
        for (public_first, public_last) in &public {
            let (first, last) = (first.max(*public_first), last.min(*public_last));
            allowed += if first <= last { last - first + 1 } else { 0 };
        }
    }
    if allowed == whole {
        return 100;
    }
    // Divided first: the numbers of IPv6 would not bear being multiplied.
    u8::try_from(allowed / (whole / 100).max(1)).unwrap_or(99).min(99)
}

/// The stretches of public addresses, in order.
fn public(family: Family) -> Vec<(u128, u128)> {
    let networks = |texts: &[&str]| -> Vec<Prefix> {
        texts.iter().filter_map(|text| text.parse().ok()).collect()
    };
    if family == Family::V6 {
        let networks = networks(&[PUBLIC_V6]);
        return networks.iter().map(|network| (network.first(), network.last())).collect();
    }
    let mut stretches = Vec::new();
    let mut next = 0;
    for network in networks(&NOT_PUBLIC_V4) {
        if next < network.first() {
            stretches.push((next, network.first() - 1));
        }
        next = network.last() + 1;
    }
    stretches
}
