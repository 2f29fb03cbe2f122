//! Names, addresses and their like in a text: those that are known, and what looks like them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    Host,
    Dn,
    User,
    Filter,
    File,
    Url,
    Text,
    /// Thumbprints and serial numbers.
    Digits,
    Section,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Kind::Host => "host",
            Kind::Dn => "dn",
            Kind::User => "user",
            Kind::Filter => "filter",
            Kind::File => "file",
            Kind::Url => "url",
            Kind::Text => "text",
            Kind::Digits => "digits",
            Kind::Section => "section",
        }
    }
}

/// What is known, and what stands for it.
#[derive(Debug, Default)]
pub(super) struct Words {
    /// In lower case, by length: the longest that fits is meant.
    known: BTreeMap<(std::cmp::Reverse<usize>, String), Kind>,
    pseudonyms: HashMap<String, String>,
    counts: BTreeMap<Kind, usize>,
    addresses: HashMap<IpAddr, IpAddr>,
    /// Addresses that mean something here, and so must not stand for another.
    real: HashSet<IpAddr>,
}

/// Ends of names that are files of ours, and no domains.
const ENDINGS: &[&str] = &["pem", "crt", "cer", "der", "json", "conf", "toml", "properties"];
const ATTRIBUTES: &[&str] = &[
    "cn",
    "ou",
    "o",
    "dc",
    "uid",
    "c",
    "l",
    "st",
    "street",
    "serialnumber",
    "emailaddress",
    "e",
    "mail",
    "samaccountname",
    "userprincipalname",
];

impl Words {
    pub(super) fn know(&mut self, text: &str, kind: Kind) {
        self.avoid(text);
        let lower = text.to_ascii_lowercase();
        // An address keeps its kind; and a word of nothing would be everywhere.
        let is_address = lower.parse::<IpAddr>().is_ok();
        if lower.trim().len() < 2 || is_address {
            return;
        }
        self.known.entry((std::cmp::Reverse(lower.len()), lower.clone())).or_insert(kind);
        self.pseudonym(&lower, kind);
        // The file's name alone says as much as the whole path.
        if let (Kind::File, Some((_, last))) = (kind, lower.rsplit_once('/')) {
            self.know(last, Kind::File);
        }
    }

    /// Remembers the addresses of a text.
    pub(super) fn avoid(&mut self, text: &str) {
        for word in text.split(|one: char| one.is_whitespace() || "(),;'\"[]".contains(one)) {
            let address = word.parse::<IpAddr>().ok();
            let address = address.or_else(|| word.parse().ok().map(|one: SocketAddr| one.ip()));
            self.real.extend(address);
        }
    }

    fn pseudonym(&mut self, lower: &str, kind: Kind) -> String {
        if let Some(known) = self.pseudonyms.get(lower) {
            return known.clone();
        }
        let count = self.counts.entry(kind).or_insert(0);
        *count += 1;
        let pseudonym = format!("{}-{count}", kind.word());
        self.pseudonyms.insert(lower.to_owned(), pseudonym.clone());
        pseudonym
    }

    /// Of the same kind, because that an address is private may be the fault.
    fn address(&mut self, address: IpAddr) -> IpAddr {
        if let Some(known) = self.addresses.get(&address) {
            return *known;
        }
        let free = (1..=u16::MAX).map(|number| alike(address, number));
        let taken: HashSet<IpAddr> = self.addresses.values().copied().collect();
        let mut free = free.filter(|one| !self.real.contains(one) && !taken.contains(one));
        let chosen = free.next().unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        self.addresses.insert(address, chosen);
        chosen
    }

    /// The text with pseudonyms for all that it names.
    pub(super) fn replace(&mut self, text: &str) -> String {
        let lower = text.to_ascii_lowercase();
        let (mut out, mut at, mut before) = (String::new(), 0, None::<char>);
        while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
            let is_start = before.is_none_or(|one| !one.is_alphanumeric());
            let known = is_start.then(|| self.known_at(lower.get(at..).unwrap_or_default()));
            let found = known.flatten().map(|(length, kind)| (length, Found::Name(kind)));
            let found = found.or_else(|| looks_like(rest, before).filter(|_| is_start));
            // Behind a scheme even a single word is a host.
            let is_host = text.get(..at).is_some_and(|done| done.ends_with("://"));
            let found = found.or_else(|| single(rest).filter(|_| is_host));
            if let Some((length, found)) = found {
                let original = lower.get(at..at + length).unwrap_or_default();
                out.push_str(&match found {
                    Found::Name(kind) => self.pseudonym(original, kind),
                    Found::Address(address) => self.address(address).to_string(),
                });
                at += length;
                before = text.get(..at).and_then(|done| done.chars().next_back());
                continue;
            }
            let Some(one) = rest.chars().next() else { break };
            out.push(one);
            at += one.len_utf8();
            before = Some(one);
        }
        out
    }

    /// The longest known word that begins here and ends with a word.
    fn known_at(&self, rest: &str) -> Option<(usize, Kind)> {
        let fits = |known: &str| {
            let after = rest.strip_prefix(known)?.chars().next();
            let ends = known.chars().next_back().is_some_and(|one| !one.is_alphanumeric());
            (ends || after.is_none_or(|one| !one.is_alphanumeric())).then_some(known.len())
        };
        self.known.iter().find_map(|((_, known), kind)| Some((fits(known)?, *kind)))
    }
}

/// An address of the same kind, from those that belong to nobody.
fn alike(address: IpAddr, number: u16) -> IpAddr {
    let [high, low] = number.to_be_bytes();
    match address {
        IpAddr::V4(one) if one.is_unspecified() => address,
        IpAddr::V4(one) if one.is_loopback() => Ipv4Addr::new(127, 77, high, low).into(),
        IpAddr::V4(one) if one.is_link_local() => Ipv4Addr::new(169, 254, high, low).into(),
        IpAddr::V4(one) if one.is_private() => Ipv4Addr::new(10, 77, high, low).into(),
        // 198.18.0.0/15 is for tests (RFC 2544).
        IpAddr::V4(_) => Ipv4Addr::new(198, 18, high, low).into(),
        IpAddr::V6(one) => {
            let first = match one.segments() {
                _ if one.is_unspecified() || one.is_loopback() => return address,
                [first, ..] if first & 0xffc0 == 0xfe80 => 0xfe80,
                [first, ..] if first & 0xfe00 == 0xfc00 => 0xfd77,
                _ => 0x2001,
            };
            let second = if first == 0x2001 { 0xdb8 } else { 0 };
            Ipv6Addr::new(first, second, 0, 0, 0, 0, 0x77, number).into()
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    Name(Kind),
    Address(IpAddr),
}

/// What begins here and looks like a name; its length.
fn looks_like(rest: &str, before: Option<char>) -> Option<(usize, Found)> {
    let name = |length: usize, kind| Some((length, Found::Name(kind)));
    let word = run(rest, |one| !one.is_whitespace() && !"\"'(),;<>|[]".contains(one));
    let word = word.trim_end_matches(['.', ':']);
    if let Some((scheme, _)) = word.split_once("://") {
        let is_ldap = scheme.to_ascii_lowercase().starts_with("ldap");
        return if is_ldap { None } else { name(word.len(), Kind::Url) };
    }
    if before == Some('[') && word.starts_with("domain/") {
        return name(word.len(), Kind::Section);
    }
    let is_path = word.starts_with('/') && !word.starts_with("//") && before != Some('/');
    if is_path && word.matches('/').count() > 1 {
        return name(word.len(), Kind::File);
    }
    if let Some(found) = address(rest) {
        return Some(found);
    }
    if let Some(length) = distinguished(rest) {
        return name(length, Kind::Dn);
    }
    if word.contains('@') && word.len() > 2 {
        return name(word.len(), Kind::User);
    }
    let digits = run(rest, |one| one.is_ascii_hexdigit() || one == ':').trim_end_matches(':');
    if digits.bytes().filter(u8::is_ascii_hexdigit).count() >= 32 {
        return name(digits.len(), Kind::Digits);
    }
    let host = run(rest, |one| one.is_alphanumeric() || "_-.*".contains(one));
    let host = host.trim_end_matches(['.', '-']);
    let (_, last) = host.rsplit_once('.')?;
    let is_top = last.len() > 1 && last.chars().all(char::is_alphabetic);
    let is_file = ENDINGS.contains(&last.to_ascii_lowercase().as_str());
    (is_top && !is_file).then_some((host.len(), Found::Name(Kind::Host)))
}

fn single(rest: &str) -> Option<(usize, Found)> {
    let host = run(rest, |one| one.is_alphanumeric() || "_-.".contains(one));
    (!host.is_empty()).then_some((host.len(), Found::Name(Kind::Host)))
}

fn run(text: &str, of: impl Fn(char) -> bool) -> &str {
    let end = text.find(|one| !of(one)).unwrap_or(text.len());
    text.get(..end).unwrap_or_default()
}

fn address(rest: &str) -> Option<(usize, Found)> {
    let digits = run(rest, |one| one.is_ascii_hexdigit() || ".:".contains(one));
    let digits = digits.trim_end_matches(['.', ':']);
    let whole = digits.parse::<IpAddr>().ok().map(|one| (digits.len(), one));
    // A port may follow.
    let with_port = || {
        let (host, _) = digits.rsplit_once(':')?;
        host.parse::<Ipv4Addr>().ok().map(|one| (host.len(), IpAddr::V4(one)))
    };
    let (length, address) = whole.or_else(with_port)?;
    Some((length, Found::Address(address)))
}

/// A name such as `CN=a,O=b`. A value may hold blanks, so it goes on to what cannot be in it.
fn distinguished(rest: &str) -> Option<usize> {
    let mut length = 0;
    loop {
        let part = rest.get(length..)?;
        let attribute = run(part, char::is_alphanumeric);
        let after = part.get(attribute.len()..)?;
        let is_known = ATTRIBUTES.contains(&attribute.to_ascii_lowercase().as_str());
        let value = match after.strip_prefix('=') {
            Some(value) if is_known => run(value, |one| !",+;\"')(\n".contains(one)),
            _ => break,
        };
        let end = length + attribute.len() + 1 + value.len();
        let next = rest.get(end..).and_then(|more| more.strip_prefix([',', '+']));
        length = end;
        let Some(next) = next else { break };
        let blanks = next.len() - next.trim_start_matches(' ').len();
        let goes_on = distinguished_begins(next.trim_start_matches(' '));
        if !goes_on {
            break;
        }
        length += 1 + blanks;
    }
    (length > 0).then_some(length)
}

fn distinguished_begins(rest: &str) -> bool {
    let attribute = run(rest, char::is_alphanumeric);
    let is_known = ATTRIBUTES.contains(&attribute.to_ascii_lowercase().as_str());
    is_known && rest.get(attribute.len()..).is_some_and(|after| after.starts_with('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_and_what_looks_like_it_is_replaced() {
        let mut words = Words::default();
        words.know("dc1", Kind::Host);
        words.know("dc1.corp.example", Kind::Host);
        words.know("/etc/ssl/corp-root.pem", Kind::File);
        words.know("Corp Issuing", Kind::Host);
        words.avoid("198.18.0.1");
        for (text, expected) in [
            ("ldaps://DC1.corp.example:636", "ldaps://host-2:636"),
            ("dc1 and dc12", "host-1 and dc12"),
            ("not dc7.corp.example.", "not host-4."),
            ("for *.corp.example", "for host-5"),
            ("trusted: /etc/ssl/corp-root.pem", "trusted: file-1"),
            ("see corp-root.pem", "see file-2"),
            ("the CA Corp Issuing", "the CA host-3"),
            ("signed by CN=Other CA,O=Corp", "signed by dn-1"),
            ("below OU=a, DC=corp: 3", "below dn-2"),
            ("uid=eva;x", "dn-3;x"),
            ("ldaps://dc9:389 is a mix-up", "ldaps://host-6:389 is a mix-up"),
            ("as svc@corp.example", "as user-1"),
            ("http://pki.corp.example/a.crt is", "url-1 is"),
            ("192.0.2.7:636 is 192.0.2.7", "198.18.0.2:636 is 198.18.0.2"),
            ("[2001:db8::1]:636", "[2001:db8::77:1]:636"),
            ("10.1.2.3 or 127.0.0.1", "10.77.0.1 or 127.77.0.1"),
            (
                "TLSv1.3, 12:30, chain.pem, 1.2.840.113556.1.4.800",
                "TLSv1.3, 12:30, chain.pem, 1.2.840.113556.1.4.800",
            ),
            ("give TLS 1.2; port 636/tcp", "give TLS 1.2; port 636/tcp"),
            ("[domain/corp] of sssd.conf", "[section-1] of sssd.conf"),
            ("Füße dc1.corp.example", "Füße host-2"),
        ] {
            assert_eq!(words.replace(text), expected, "{text}");
        }
        let thumbprint = "ab".repeat(32);
        assert_eq!(words.replace(&format!("SHA-256 {thumbprint}")), "SHA-256 digits-1");
        assert_eq!(words.replace("10.1.2.3"), "10.77.0.1", "the same each time");
    }
}
