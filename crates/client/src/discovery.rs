//! Which servers a domain names in DNS (RFC 2782). What is found is no proof of anything: the
//! certificate must cover the name, and names outside the domain are refused unless allowed.

mod dns;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use hickory_proto::rr::Name;
use hickory_proto::rr::rdata::SRV;
use pki::judge::names::ServedName;

use crate::target::{LDAPS, Security, Target};

pub use dns::NameServers;

/// A number from 0 to the given one, both included, each as likely.
pub type Chance<'a> = dyn FnMut(u32) -> u32 + Send + 'a;

/// The system's randomness. Where it gives none, the order is that of the records.
pub fn system_chance(most: u32) -> u32 {
    let mut bytes = [0; 8];
    match getrandom::fill(&mut bytes) {
        // The bias of 2^-32 moves no load.
        Ok(()) => u32::try_from(u64::from_le_bytes(bytes) % (u64::from(most) + 1)).unwrap_or(0),
        Err(_) => 0,
    }
}

/// What is looked for.
#[derive(Clone, Debug)]
pub struct Wanted {
    domain: ServedName,
    directory: Directory,
    is_outside_allowed: bool,
}

#[derive(Clone, Debug)]
enum Directory {
    Any,
    Active { site: Option<String> },
}

impl Wanted {
    /// `_ldaps._tcp.DOMAIN`, then `_ldap._tcp.DOMAIN` with port 636.
    pub fn of(domain: &str) -> Result<Wanted, DiscoveryError> {
        Wanted::new(domain, Directory::Any)
    }

    /// Domain controllers: those of the site first, then those of the whole domain.
    pub fn active_directory(domain: &str, site: Option<&str>) -> Result<Wanted, DiscoveryError> {
        let site = site.map(str::to_owned);
        Wanted::new(domain, Directory::Active { site })
    }

    fn new(domain: &str, directory: Directory) -> Result<Wanted, DiscoveryError> {
        match ServedName::parse(domain) {
            Ok(domain @ ServedName::Dns(_)) => {
                Ok(Wanted { domain, directory, is_outside_allowed: false })
            }
            _ => Err(DiscoveryError::NoDomain(domain.chars().take(100).collect())),
        }
    }

    /// Takes servers whose names lie outside the domain, too: whoever writes the records, or
    /// forges them, then chooses who is spoken to among all for whom a trusted CA vouches.
    #[must_use]
    pub fn allow_outside(self) -> Wanted {
        Wanted { is_outside_allowed: true, ..self }
    }

    /// What is asked, in groups: within one the first that gives a server is enough.
    fn questions(&self) -> Result<Vec<Vec<Question>>, DiscoveryError> {
        let domain = self.domain.to_string();
        let question = |labels: &[&str], keeps_port| {
            let all = labels.iter().copied().chain(domain.split('.'));
            let name = Name::from_labels(all.map(str::as_bytes))
                .map_err(|why| DiscoveryError::Unwritable { domain: domain.clone(), why })?;
            Ok(Question { name, keeps_port })
        };
        match &self.directory {
            Directory::Any => Ok(vec![vec![
                question(&["_ldaps", "_tcp"], true)?,
                question(&["_ldap", "_tcp"], false)?,
            ]]),
            Directory::Active { site } => {
                let mut groups = Vec::new();
                if let Some(site) = site {
                    let labels = ["_ldap", "_tcp", site, "_sites", "dc", "_msdcs"];
                    groups.push(vec![question(&labels, false)?]);
                }
                groups.push(vec![question(&["_ldap", "_tcp", "dc", "_msdcs"], false)?]);
                Ok(groups)
            }
        }
    }
}

struct Question {
    name: Name,
    /// Where not, LDAPS is at its usual port: 389 is not spoken.
    keeps_port: bool,
}

/// A server with its place among the others.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Service {
    pub target: Target,
    /// Lower is asked first: servers of the own site are in a tier before all others.
    pub tier: u8,
    /// Lower is asked first.
    pub priority: u16,
    /// Among equals, how large its share is.
    pub weight: u16,
}

impl Service {
    /// Servers that somebody wrote down, to be asked in this order.
    pub fn in_order(targets: impl IntoIterator<Item = Target>) -> Vec<Service> {
        let services = (0..=u16::MAX).zip(targets);
        services
            .map(|(priority, target)| Service { target, tier: 0, priority, weight: 0 })
            .collect()
    }
}

/// What DNS says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Discovered {
    pub services: Vec<Service>,
    /// Names that were not taken, as they were written.
    pub refused: Vec<String>,
}

/// Why no server is known. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum DiscoveryError {
    #[error("'{0}' is no domain; right is corp.example.com")]
    NoDomain(String),
    #[error("the question about {domain} cannot be written: {why}")]
    Unwritable { domain: String, why: hickory_proto::ProtoError },
    #[error("no name server is known: /etc/resolv.conf cannot be read ({0})")]
    NoResolvConf(std::io::Error),
    #[error("no name server is given")]
    NoNameServers,
    #[error("no name server answers about {question}: {what}")]
    Silent { question: String, what: String },
    #[error("no name server says where {name} is: {what}")]
    NoAnswer { name: String, what: String },
    #[error("DNS names no server: there are no records at {0}; name the server itself")]
    Nobody(String),
    #[error(
        "DNS names only servers that do not lie in {domain}: {refused}; allow names outside it, \
         or name the server itself"
    )]
    Outside { domain: String, refused: String },
}

/// Asks who serves the domain.
pub async fn discover(
    servers: &NameServers,
    wanted: &Wanted,
) -> Result<Discovered, DiscoveryError> {
    let mut found = Discovered::default();
    let mut asked = Vec::new();
    for (tier, group) in (0..=u8::MAX).zip(wanted.questions()?) {
        for question in group {
            let records = servers.services(&question.name).await?;
            asked.push(question.name.to_string());
            let before = found.services.len();
            take(&mut found, wanted, tier, &question, &records);
            if found.services.len() > before {
                break;
            }
        }
    }
    if !found.services.is_empty() {
        return Ok(found);
    }
    Err(match found.refused.is_empty() {
        true => DiscoveryError::Nobody(asked.join(" and ")),
        false => DiscoveryError::Outside {
            domain: wanted.domain.to_string(),
            refused: found.refused.join(", "),
        },
    })
}

fn take(found: &mut Discovered, wanted: &Wanted, tier: u8, question: &Question, records: &[SRV]) {
    for record in records {
        // "." says that the service is decidedly not there.
        if record.target.is_root() {
            continue;
        }
        let written = record.target.to_ascii();
        let name = match ServedName::parse(&written) {
            Ok(name @ ServedName::Dns(_)) => name,
            _ => {
                found.refused.push(written);
                continue;
            }
        };
        if !wanted.is_outside_allowed && !is_inside(&name, &wanted.domain) {
            found.refused.push(name.to_string());
            continue;
        }
        let port = if question.keeps_port && record.port != 0 { record.port } else { LDAPS };
        let target = Target { name, port, security: Security::Ldaps };
        if !found.services.iter().any(|one| one.target == target) {
            let (priority, weight) = (record.priority, record.weight);
            found.services.push(Service { target, tier, priority, weight });
        }
    }
}

/// By whole labels: `evil-corp.example` is not inside `corp.example`.
fn is_inside(name: &ServedName, domain: &ServedName) -> bool {
    let (ServedName::Dns(name), ServedName::Dns(domain)) = (name, domain) else { return false };
    let before = name.strip_suffix(domain.as_str());
    before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

/// In which order servers are tried (RFC 2782): by tier and priority, among equals by chance, each
/// as likely as its weight says.
pub fn order(services: &[Service], chance: &mut Chance<'_>) -> Vec<Target> {
    let mut ranks: BTreeMap<(u8, u16), Vec<&Service>> = BTreeMap::new();
    for service in services {
        ranks.entry((service.tier, service.priority)).or_default().push(service);
    }
    let mut ordered = Vec::with_capacity(services.len());
    for mut rank in ranks.into_values() {
        // Those without weight come first, so that they have a small chance and not none.
        rank.sort_by_key(|service| service.weight != 0);
        while !rank.is_empty() {
            let sum: u32 = rank.iter().map(|service| u32::from(service.weight)).sum();
            // Where nobody has weight, all are as likely: a pool would ask the first for ever.
            let last = u32::try_from(rank.len() - 1).unwrap_or(u32::MAX);
            let drawn = chance(if sum == 0 { last } else { sum });
            let mut running = 0;
            let chosen = rank.iter().zip(0..).position(|(service, place)| {
                running += u32::from(service.weight);
                if sum == 0 { place == drawn } else { running >= drawn }
            });
            ordered.push(rank.remove(chosen.unwrap_or(0)).target.clone());
        }
    }
    ordered
}

/// Where a server is for someone who asks by address.
pub(crate) fn at_port_53(address: std::net::IpAddr) -> SocketAddr {
    SocketAddr::new(address, 53)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(name: &str, priority: u16, weight: u16) -> Service {
        let target = Target::parse(name).unwrap();
        Service { target, tier: 0, priority, weight }
    }

    fn names(targets: &[Target]) -> Vec<String> {
        targets.iter().map(|target| target.name.to_string()).collect()
    }

    #[test]
    fn priority_decides_and_weight_among_equals() {
        let services = [
            service("later", 20, 9),
            service("heavy", 10, 3),
            service("light", 10, 1),
            service("never", 10, 0),
        ];
        // The sums are 4, then what is left; "never" stands first and is taken at 0 only.
        assert_eq!(names(&order(&services, &mut |_| 0)), ["never", "heavy", "light", "later"]);
        assert_eq!(names(&order(&services, &mut |sum| sum)), ["light", "heavy", "never", "later"]);
        let mut first = [0; 2];
        for drawn in 1..=4 {
            let mut draws = std::iter::once(drawn).chain(std::iter::repeat(0));
            let ordered = order(&services, &mut |_| draws.next().unwrap());
            let is_light = ordered.first().unwrap().name.to_string() == "light";
            *first.get_mut(usize::from(is_light)).unwrap() += 1;
        }
        assert_eq!(first, [3, 1]);
        let equals = [service("a", 0, 0), service("b", 0, 0), service("c", 0, 0)];
        assert_eq!(names(&order(&equals, &mut |_| 0)), ["a", "b", "c"]);
        assert_eq!(names(&order(&equals, &mut |last| last)), ["c", "b", "a"]);
        let near = service("near", 99, 0);
        let far = Service { tier: 1, ..service("far", 0, 0) };
        assert_eq!(names(&order(&[far, near], &mut |_| 0)), ["near", "far"]);
    }

    #[test]
    fn names_outside_the_domain_are_refused() {
        let record = |port, target: &str| SRV::new(0, 1, port, Name::from_ascii(target).unwrap());
        let records = [
            record(389, "DC1.corp.example."),
            record(389, "dc1.corp.example."),
            record(389, "evil-corp.example."),
            record(389, "dc.elsewhere.example."),
            record(0, "."),
        ];
        let wanted = Wanted::of("corp.example").unwrap();
        let plain = Question { name: Name::root(), keeps_port: false };
        let mut found = Discovered::default();
        take(&mut found, &wanted, 0, &plain, &records);
        assert_eq!(found.refused, ["evil-corp.example", "dc.elsewhere.example"]);
        let [only] = found.services.as_slice() else { panic!("{found:?}") };
        assert_eq!(
            (only.target.name.to_string().as_str(), only.target.port),
            ("dc1.corp.example", 636)
        );
        let mut found = Discovered::default();
        let secure = Question { name: Name::root(), keeps_port: true };
        let records = [record(3636, "dc.elsewhere.example.")];
        take(&mut found, &wanted.allow_outside(), 0, &secure, &records);
        assert_eq!(found.services.first().unwrap().target.port, 3636);
    }

    #[test]
    fn questions_go_from_near_to_far() {
        let asked = |wanted: Wanted| -> Vec<Vec<String>> {
            let groups = wanted.questions().unwrap();
            let text =
                |group: Vec<Question>| group.iter().map(|one| one.name.to_string()).collect();
            groups.into_iter().map(text).collect()
        };
        assert_eq!(
            asked(Wanted::of("corp.example").unwrap()),
            [["_ldaps._tcp.corp.example.", "_ldap._tcp.corp.example."]]
        );
        assert_eq!(
            asked(Wanted::active_directory("corp.example.", Some("Main")).unwrap()),
            [
                ["_ldap._tcp.Main._sites.dc._msdcs.corp.example."],
                ["_ldap._tcp.dc._msdcs.corp.example."]
            ]
        );
        assert!(Wanted::of("192.0.2.1").unwrap_err().to_string().contains("no domain"));
        let long = "x".repeat(64);
        let site = Wanted::active_directory("corp.example", Some(&long)).unwrap();
        assert!(site.questions().is_err());
    }

    #[test]
    fn chance_keeps_its_bounds() {
        assert_eq!(system_chance(0), 0);
        assert!((0..1000).all(|_| system_chance(2) <= 2));
    }
}
