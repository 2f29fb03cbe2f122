//! Patterns of names that a template allows.
//!
//! `dns:ldap.example.com` is one name; in `dns:*.example.com` the star stands for one label, in
//! `dns:**.example.com` for one or more; `wildcard:example.com` allows the name `*.example.com`
//! itself. `ip:10.0.0.0/8` is a network; `email:*@example.com` any address of a domain;
//! `entry:ATTRIBUTE` whatever that attribute of the requester's entry holds.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::certificate::AlternativeName;
use crate::judge::names::canonical;

#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub enum NamePattern {
    /// Lower case; may begin with `*.` or `**.`, or be one of these alone.
    Dns(String),
    /// The domain right below which the certificate's own wildcard stands.
    Wildcard(String),
    Ip {
        network: IpAddr,
        bits: u8,
    },
    /// An address, or `*@` and a domain, or `*`.
    Email(String),
    /// An attribute of the requester's entry.
    Entry(String),
}

const RIGHT: &str = "right is dns:ldap.example.com, dns:*.example.com, wildcard:example.com, \
    ip:10.0.0.0/8, email:*@example.com or entry:ATTRIBUTE";

impl FromStr for NamePattern {
    type Err = String;

    fn from_str(text: &str) -> Result<NamePattern, String> {
        let bad = || format!("{text:?} is no pattern of a name; {RIGHT}");
        let (kind, rest) = text.split_once(':').ok_or_else(bad)?;
        match kind {
            "dns" => dns(rest).ok_or_else(bad),
            "wildcard" => match is_host(rest) {
                true => Ok(NamePattern::Wildcard(canonical(rest))),
                false => Err(bad()),
            },
            "ip" => network(rest).ok_or_else(bad),
            "email" => match rest.is_ascii() && (rest.contains('@') || rest == "*") {
                true => Ok(NamePattern::Email(rest.to_ascii_lowercase())),
                false => Err(bad()),
            },
            "entry" => {
                let plain = |c: char| c.is_ascii_alphanumeric() || "-.;".contains(c);
                match !rest.is_empty() && rest.chars().all(plain) {
                    true => Ok(NamePattern::Entry(rest.to_owned())),
                    false => Err(bad()),
                }
            }
            _ => Err(bad()),
        }
    }
}

impl TryFrom<String> for NamePattern {
    type Error = String;

    fn try_from(text: String) -> Result<NamePattern, String> {
        text.parse()
    }
}

impl From<NamePattern> for String {
    fn from(pattern: NamePattern) -> String {
        pattern.to_string()
    }
}

impl fmt::Display for NamePattern {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NamePattern::Dns(name) => write!(out, "dns:{name}"),
            NamePattern::Wildcard(name) => write!(out, "wildcard:{name}"),
            NamePattern::Ip { network, bits } => write!(out, "ip:{network}/{bits}"),
            NamePattern::Email(mail) => write!(out, "email:{mail}"),
            NamePattern::Entry(attribute) => write!(out, "entry:{attribute}"),
        }
    }
}

fn dns(text: &str) -> Option<NamePattern> {
    let name = canonical(text);
    let rest = name.strip_prefix("**.").or_else(|| name.strip_prefix("*.")).unwrap_or(&name);
    let is_right = name == "*" || name == "**" || is_host(rest);
    is_right.then_some(NamePattern::Dns(name))
}

fn is_host(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    let name = canonical(text);
    name.len() <= 253 && name.split('.').all(label) && name.parse::<IpAddr>().is_err()
}

/// One address as anybody reads it. Others would be taken for two, or end early, somewhere.
fn is_mail(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"\"(),:;<>@[\\]".contains(&byte);
    text.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty() && local.bytes().all(is_plain) && is_host(domain)
    })
}

fn network(text: &str) -> Option<NamePattern> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address.parse::<IpAddr>().ok()?, bits.parse::<u8>().ok()?),
        None => {
            let address = text.parse::<IpAddr>().ok()?;
            (address, width(address))
        }
    };
    let is_right =
        bits <= width(address) && masked(address, bits) == masked(address, width(address));
    is_right.then_some(NamePattern::Ip { network: address, bits })
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn masked(address: IpAddr, bits: u8) -> u128 {
    let (value, width) = match address {
        IpAddr::V4(v4) => (u128::from(u32::from(v4)), 32),
        IpAddr::V6(v6) => (u128::from(v6), 128),
    };
    match width - u32::from(bits) {
        128 => 0,
        free => value >> free << free,
    }
}

impl NamePattern {
    /// Whether this name may be asked for. `has` says whether the requester's entry has a value.
    pub fn allows(&self, name: &AlternativeName, has: &dyn Fn(&str, &str) -> bool) -> bool {
        match (self, name) {
            (NamePattern::Entry(attribute), AlternativeName::Dns(dns)) => {
                !dns.starts_with('*') && has(attribute, dns)
            }
            (
                NamePattern::Entry(attribute),
                name @ (AlternativeName::Ip(_) | AlternativeName::Email(_)),
            ) => has(attribute, &name.to_string()),
            (NamePattern::Dns(pattern), AlternativeName::Dns(dns)) => {
                is_host(dns) && fits(pattern, &canonical(dns))
            }
            (NamePattern::Wildcard(domain), AlternativeName::Dns(dns)) => {
                canonical(dns).strip_prefix("*.") == Some(domain)
            }
            (NamePattern::Ip { network, bits }, AlternativeName::Ip(address)) => {
                network.is_ipv4() == address.is_ipv4()
                    && masked(*network, *bits) == masked(*address, *bits)
            }
            (NamePattern::Email(pattern), AlternativeName::Email(mail)) => {
                let mail = mail.to_ascii_lowercase();
                match pattern.strip_prefix('*') {
                    Some(rest) => is_mail(&mail) && mail.ends_with(rest) && mail.len() > rest.len(),
                    None => mail == *pattern,
                }
            }
            _ => false,
        }
    }

    /// Whether it holds names that nobody wrote down one by one.
    pub fn is_open(&self) -> bool {
        match self {
            NamePattern::Dns(name) => name.starts_with('*'),
            NamePattern::Wildcard(_) => true,
            NamePattern::Ip { network, bits } => *bits < width(*network),
            NamePattern::Email(mail) => mail.starts_with('*'),
            NamePattern::Entry(_) => false,
        }
    }

    /// Whether it holds names of others: everything, or all below a top-level domain.
    pub fn is_everything(&self) -> bool {
        match self {
            NamePattern::Dns(name) => match name.trim_start_matches('*') {
                "" => true,
                rest => name.starts_with('*') && !rest.trim_start_matches('.').contains('.'),
            },
            NamePattern::Wildcard(domain) => !domain.contains('.'),
            NamePattern::Ip { network, bits } => *bits < if network.is_ipv4() { 8 } else { 16 },
            NamePattern::Email(mail) => mail == "*" || mail == "*@*",
            NamePattern::Entry(_) => false,
        }
    }
}

/// Both in lower case.
fn fits(pattern: &str, name: &str) -> bool {
    if pattern == "**" || (pattern == "*" && !name.contains('.')) {
        return true;
    }
    if let Some(above) = pattern.strip_prefix("**.") {
        let below = name.strip_suffix(above).and_then(|rest| rest.strip_suffix('.'));
        return below.is_some_and(|labels| !labels.is_empty());
    }
    match pattern.strip_prefix("*.") {
        Some(above) => name.split_once('.').is_some_and(|(_, rest)| rest == above),
        None => pattern == name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(text: &str) -> AlternativeName {
        match text.parse() {
            Ok(address) => AlternativeName::Ip(address),
            Err(_) if text.contains('@') => AlternativeName::Email(text.to_owned()),
            Err(_) => AlternativeName::Dns(text.to_owned()),
        }
    }

    #[test]
    fn what_a_pattern_allows() {
        let has = |attribute: &str, value: &str| (attribute, value) == ("host", "a.example.com");
        for (pattern, name, expected) in [
            ("dns:ldap.example.com", "LDAP.example.com", true),
            ("dns:ldap.example.com", "x.example.com", false),
            ("dns:*.example.com", "a.example.com", true),
            ("dns:*.example.com", "a.b.example.com", false),
            ("dns:*.example.com", "example.com", false),
            ("dns:*.example.com", "*.example.com", false),
            ("dns:**.example.com", "a.b.example.com", true),
            ("dns:**.example.com", "badexample.com", false),
            ("dns:**", "anything.test", true),
            ("dns:**", "*.test", false),
            ("dns:**.example.com", "-a.example.com", false),
            ("dns:**.example.com", "a-.example.com", false),
            ("email:*@example.com", "anna.o'hara+x@example.com", true),
            ("email:*@example.com", "@example.com", false),
            ("email:*@example.com", "a b@example.com", false),
            ("email:*@example.com", "victim@bank.test,x@example.com", false),
            ("email:*@example.com", "victim@bank.test\0@example.com", false),
            ("email:*@example.com", "x\r\nBcc: y@example.com", false),
            ("wildcard:example.com", "*.example.com", true),
            ("wildcard:example.com", "a.example.com", false),
            ("wildcard:example.com", "*.a.example.com", false),
            ("ip:10.0.0.0/8", "10.9.8.7", true),
            ("ip:10.0.0.0/8", "11.9.8.7", false),
            ("ip:10.0.0.0/8", "::1", false),
            ("ip:::1", "::1", true),
            ("email:*@example.com", "Anna@Example.com", true),
            ("email:*@example.com", "anna@example.org", false),
            ("email:*@example.com", "@example.com", false),
            ("entry:host", "a.example.com", true),
            ("entry:host", "b.example.com", false),
            ("entry:host", "*.example.com", false),
            ("dns:10.0.0.1.example.com", "10.0.0.1", false),
        ] {
            let parsed: NamePattern = pattern.parse().unwrap();
            assert_eq!(parsed.to_string().trim_end_matches("/128"), pattern);
            assert_eq!(parsed.allows(&named(name), &has), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn what_is_no_pattern() {
        for text in [
            "example.com",
            "dns:",
            "dns:a*.example.com",
            "dns:1.2.3.4",
            "ip:10.0.0.1/8",
            "ip:x",
            "wildcard:*.example.com",
            "entry:",
            "mail:x@y",
            "email:x",
            "ip:10.0.0.0/33",
        ] {
            let said = text.parse::<NamePattern>().unwrap_err();
            assert!(said.contains("is no pattern of a name; right is dns:"), "{said}");
        }
    }

    #[test]
    fn what_holds_too_much() {
        for (pattern, open, everything) in [
            ("dns:a.example.com", false, false),
            ("dns:*.example.com", true, false),
            ("dns:*.com", true, true),
            ("dns:**", true, true),
            ("wildcard:com", true, true),
            ("ip:10.0.0.1", false, false),
            ("ip:10.0.0.0/8", true, false),
            ("ip:0.0.0.0/0", true, true),
            ("email:*", true, true),
            ("entry:host", false, false),
        ] {
            let parsed: NamePattern = pattern.parse().unwrap();
            assert_eq!((parsed.is_open(), parsed.is_everything()), (open, everything), "{pattern}");
        }
    }
}
