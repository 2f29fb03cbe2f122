//! Whether a certificate is for the name that was asked for, as each family sees it (RFC 6125
//! leaves partial wildcards and the CN to them).

use x509_parser::extensions::{GeneralName, ParsedExtension};

use super::super::names::ServedName;
use super::super::{Link, name};
use super::Client;
use crate::certificate::AlternativeName;

/// How it fits, or why it does not.
pub(super) fn judge(client: Client, own: &Link<'_>, asked: &ServedName) -> Result<String, String> {
    let names = Names::of(own);
    if client == Client::Java && matches!(asked, ServedName::Dns(name) if name.contains('_')) {
        return Err(format!("{asked} is no legal name to it, for the underscore"));
    }
    let covers = |by: &AlternativeName| match (asked, by) {
        (ServedName::Dns(asked), AlternativeName::Dns(pattern)) => matches(client, pattern, asked),
        (asked, by) => asked.is_covered_by(by),
    };
    if own.summary.names.iter().any(covers) {
        return Ok(format!("{asked} is among its names"));
    }
    let by_common_name = names.common.iter().find(|text| match asked {
        ServedName::Dns(asked) => matches(client, text, asked),
        ServedName::Ip(asked) => text.parse() == Ok(*asked),
    });
    let Some(text) = by_common_name else {
        // Somebody's idea of a wildcard may be another's.
        let other =
            |by: &&AlternativeName| matches!(by, AlternativeName::Dns(by) if by.contains('*'));
        return Err(match own.summary.names.iter().find(other) {
            Some(pattern) => format!("{pattern} does not cover {asked}"),
            None => format!("it is not for {asked}"),
        });
    };
    match names.takes_common_name(client, asked, text) {
        true => Ok(format!("takes CN={text} for the name")),
        false => Err(format!("the name stands in the CN only ({text})")),
    }
}

struct Names {
    /// In the order of the subject, the most general first.
    common: Vec<String>,
    has_dns: bool,
    has_ip: bool,
    has_uri: bool,
}

impl Names {
    fn of(own: &Link<'_>) -> Names {
        let common = own.parsed.subject().iter_common_name();
        let common = common.filter_map(|one| name::string_value(one.attr_value())).collect();
        let mut names = Names { common, has_dns: false, has_ip: false, has_uri: false };
        for extension in own.parsed.extensions() {
            let ParsedExtension::SubjectAlternativeName(all) = extension.parsed_extension() else {
                continue;
            };
            for one in &all.general_names {
                names.has_dns |= matches!(one, GeneralName::DNSName(_));
                names.has_ip |= matches!(one, GeneralName::IPAddress(_));
                names.has_uri |= matches!(one, GeneralName::URI(_));
            }
        }
        names
    }

    /// Which CN of several counts, and beside which alternative names.
    fn takes_common_name(&self, client: Client, asked: &ServedName, text: &String) -> bool {
        let is_last = self.common.last() == Some(text);
        match (client, asked) {
            (Client::Go | Client::Rustls, _) => false,
            (Client::Nss, ServedName::Ip(_)) => is_last && !self.has_ip,
            (_, ServedName::Ip(_)) => false,
            (Client::OpenSsl1 | Client::OpenSsl2, _) => !self.has_dns,
            (Client::GnuTls, _) => {
                self.common.len() == 1 && !self.has_dns && !self.has_ip && !self.has_uri
            }
            (Client::Java | Client::Nss | Client::Schannel, _) => is_last && !self.has_dns,
        }
    }
}

/// Whether a name as it is in the certificate covers the one that was asked for.
fn matches(client: Client, pattern: &str, asked: &str) -> bool {
    let pattern = pattern.to_ascii_lowercase();
    if pattern == asked {
        return true;
    }
    let Some((first, above)) = pattern.split_once('.') else {
        return client == Client::Go && pattern == "*" && !asked.contains('.');
    };
    let (label, rest) = asked.split_once('.').unwrap_or((asked, ""));
    let Some((before, after)) = first.split_once('*') else { return false };
    if rest != above || rest.is_empty() || label.is_empty() {
        return false;
    }
    let fits = label.len() >= before.len() + after.len()
        && label.starts_with(before)
        && label.ends_with(after);
    let is_whole = before.is_empty() && after.is_empty();
    let is_high = !above.contains('.');
    match client {
        Client::Go => is_whole,
        Client::Java => is_glob(first, label),
        _ if is_high || after.contains('*') => false,
        Client::Rustls => is_whole,
        Client::OpenSsl1 | Client::OpenSsl2 => {
            let middle = label.get(before.len()..label.len() - after.len().min(label.len()));
            let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
            let is_plain = middle.is_some_and(|middle| middle.bytes().all(legal));
            let is_partial = !is_whole && (label.starts_with("xn--") || first.contains("xn--"));
            fits && is_plain && !is_partial && (before.is_empty() || after.is_empty())
        }
        Client::GnuTls => fits && before.is_empty(),
        Client::Nss | Client::Schannel => {
            fits && after.is_empty() && (is_whole || !first.starts_with("xn--"))
        }
    }
}

/// Any number of asterisks, each for any text.
fn is_glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_of_each() {
        use Client::*;
        let expected: [(&str, &str, &[Client]); 9] = [
            ("*.example.com", "a.example.com", &Client::ALL),
            ("*.example.com", "a.b.example.com", &[]),
            ("*.com", "example.com", &[Java, Go]),
            ("*", "dc1", &[Go]),
            ("l*.example.com", "ldap.example.com", &[OpenSsl1, OpenSsl2, Java, Schannel, Nss]),
            ("*p.example.com", "ldap.example.com", &[OpenSsl1, OpenSsl2, GnuTls, Java]),
            ("l*p.example.com", "ldap.example.com", &[Java]),
            ("l*d*p.example.com", "ldap.example.com", &[Java]),
            ("*.example.com", "a_b.example.com", &[GnuTls, Java, Go, Rustls, Schannel, Nss]),
        ];
        for (pattern, asked, by) in expected {
            for client in Client::ALL {
                let is_expected = by.contains(&client);
                assert_eq!(matches(client, pattern, asked), is_expected, "{client:?} {pattern}");
            }
        }
    }

    #[test]
    fn globs() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("a*b*c", "abc", true),
            ("a*b*c", "axbxc", true),
            ("a*b*c", "axc", false),
            ("a", "ab", false),
        ] {
            assert_eq!(is_glob(pattern, text), expected, "{pattern} {text}");
        }
    }
}
