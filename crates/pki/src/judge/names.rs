//! Which names a certificate covers (RFC 6125 §6.4, RFC 9525 §6).

use std::fmt;
use std::net::IpAddr;

use crate::certificate::AlternativeName;

/// A name under which clients reach a server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ServedName {
    /// ASCII, lower case, without a trailing dot.
    Dns(String),
    Ip(IpAddr),
}

/// A text is no name of a server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{text}' is neither a host name nor an IP address; right is ldap.example.com or 192.0.2.1"
)]
pub struct NotAName {
    text: String,
}

impl ServedName {
    pub fn parse(text: &str) -> Result<ServedName, NotAName> {
        let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
        if let Ok(address) = bare.parse() {
            return Ok(ServedName::Ip(address));
        }
        let name = canonical(text);
        if !name.is_empty() && name.len() <= 253 && name.split('.').all(is_label) {
            return Ok(ServedName::Dns(name));
        }
        Err(NotAName { text: text.chars().take(100).collect() })
    }

    /// Whether this alternative name covers it.
    pub fn is_covered_by(&self, by: &AlternativeName) -> bool {
        match (self, by) {
            (ServedName::Dns(name), AlternativeName::Dns(pattern)) => covers(pattern, name),
            (ServedName::Ip(address), AlternativeName::Ip(covered)) => address == covered,
            _ => false,
        }
    }
}

impl fmt::Display for ServedName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ServedName::Dns(name) => out.write_str(name),
            ServedName::Ip(address) => write!(out, "{address}"),
        }
    }
}

/// Names are compared in this form.
pub(crate) fn canonical(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

fn is_label(label: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    !label.is_empty()
        && label.len() <= 63
        && label.bytes().all(legal)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// Exact, or a wildcard that stands for the whole leftmost label and for nothing else.
pub fn covers(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (canonical(pattern), canonical(name));
    match pattern.strip_prefix("*.") {
        None => pattern == name,
        Some(above) => match name.split_once('.') {
            // A wildcard right below the root would stand for half of the world.
            Some((label, rest)) => !label.is_empty() && rest == above && above.contains('.'),
            None => false,
        },
    }
}

/// Whether a DNS name lies in a constraint's subtree (RFC 5280 §4.2.1.10): itself and everything
/// below it, whether the constraint is written with a leading dot or not.
pub fn is_within(name: &str, subtree: &str) -> bool {
    let (name, subtree) = (canonical(name), canonical(subtree));
    match subtree.strip_prefix('.') {
        Some(above) => name.ends_with(&format!(".{above}")),
        None => subtree.is_empty() || name == subtree || name.ends_with(&format!(".{subtree}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_is_one_label() {
        for (pattern, name, expected) in [
            ("ldap.example.com", "LDAP.Example.com.", true),
            ("ldap.example.com", "ldap.example.org", false),
            ("*.example.com", "a.example.com", true),
            ("*.EXAMPLE.com", "a.example.com", true),
            ("*.example.com", "example.com", false),
            ("*.example.com", "a.b.example.com", false),
            ("*.b.example.com", "a.b.example.com", true),
            ("a*.example.com", "ab.example.com", false),
            ("*.com", "example.com", false),
            ("*", "example", false),
            ("*.example.com", ".example.com", false),
        ] {
            assert_eq!(covers(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn subtrees() {
        for (name, subtree, expected) in [
            ("a.example.com", "example.com", true),
            ("example.com", "example.com", true),
            ("notexample.com", "example.com", false),
            ("example.com", ".example.com", false),
            ("a.example.com", ".example.com", true),
            ("anything.test", "", true),
        ] {
            assert_eq!(is_within(name, subtree), expected, "{name} {subtree}");
        }
    }

    #[test]
    fn names_are_hosts_or_addresses() {
        for (text, expected) in [
            ("LDAP.Example.com.", Some("ldap.example.com")),
            ("192.0.2.1", Some("192.0.2.1")),
            ("[2001:db8::1]", Some("2001:db8::1")),
            ("", None),
            ("a..b", None),
            ("-a.example", None),
            ("ldaps://a", None),
            ("*.example.com", None),
        ] {
            let parsed = ServedName::parse(text).ok().map(|name| name.to_string());
            assert_eq!(parsed.as_deref(), expected, "{text}");
        }
    }
}
