//! Who would accept a server's certificate: families of clients, and what each does about it.
//!
//! - [`rules`]: which fault is minded by whom. [`faults`]: what there is to mind. [`path`]: the
//!   way up that clients find. [`names`]: whose idea of a name that fits. [`text`]: two lines.
//!
//! What is said of the families that can be had is compared with them by the suite; what is said
//! of Windows is from its documentation. `docs/reference/doctor.md` has the versions.

mod faults;
mod names;
mod path;
mod rules;
mod text;

use std::fmt;

use rustls::pki_types::CertificateDer;
use serde::Serialize;
use time::OffsetDateTime;

use super::Link;
use super::names::ServedName;
use faults::Found;
use path::Path;
pub use text::in_words;

/// Whose code looks at the certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    OpenSsl,
    GnuTls,
    Java,
    Nss,
    Schannel,
    Go,
    Rustls,
}

impl Family {
    pub const ALL: [Family; 7] = [
        Family::OpenSsl,
        Family::GnuTls,
        Family::Java,
        Family::Nss,
        Family::Schannel,
        Family::Go,
        Family::Rustls,
    ];

    /// Whether it takes the CN for the server's name. `has_dns_names`: there are DNS names among
    /// the alternative names, though not this one.
    pub fn accepts_common_name(self, has_dns_names: bool) -> bool {
        match self {
            // The CN counts where there is no DNS name to look at.
            Family::OpenSsl | Family::GnuTls | Family::Java | Family::Nss | Family::Schannel => {
                !has_dns_names
            }
            Family::Go | Family::Rustls => false,
        }
    }

    /// How what we say of it is known.
    pub fn basis(self) -> Basis {
        match self {
            Family::Schannel => Basis::Documented,
            _ => Basis::Tested,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Family::OpenSsl => "OpenSSL",
            Family::GnuTls => "GnuTLS",
            Family::Java => "Java",
            Family::Nss => "NSS",
            Family::Schannel => "Windows",
            Family::Go => "Go",
            Family::Rustls => "rustls",
        })
    }
}

/// `accepted by OpenSSL, Java; refused by Go`.
pub(super) fn verdict(has_dns_names: bool) -> String {
    let list = |accepts: bool| -> String {
        let families =
            Family::ALL.iter().filter(|one| one.accepts_common_name(has_dns_names) == accepts);
        families.map(Family::to_string).collect::<Vec<_>>().join(", ")
    };
    match (list(true), list(false)) {
        (accepted, refused) if accepted.is_empty() => format!("refused by {refused}"),
        (accepted, refused) => format!("accepted by {accepted}; refused by {refused}"),
    }
}

/// A family as it is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Client {
    /// Security level 1, which OpenSSL itself begins with.
    OpenSsl1,
    /// Security level 2, which distributions set and OpenSSL 3.2 begins with.
    OpenSsl2,
    GnuTls,
    Java,
    Go,
    Rustls,
    Schannel,
    Nss,
}

impl Client {
    pub const ALL: [Client; 8] = [
        Client::OpenSsl1,
        Client::OpenSsl2,
        Client::GnuTls,
        Client::Java,
        Client::Go,
        Client::Rustls,
        Client::Schannel,
        Client::Nss,
    ];

    pub fn family(self) -> Family {
        match self {
            Client::OpenSsl1 | Client::OpenSsl2 => Family::OpenSsl,
            Client::GnuTls => Family::GnuTls,
            Client::Java => Family::Java,
            Client::Go => Family::Go,
            Client::Rustls => Family::Rustls,
            Client::Schannel => Family::Schannel,
            Client::Nss => Family::Nss,
        }
    }

    /// Only OpenSSL has levels.
    pub fn level(self) -> Option<u8> {
        match self {
            Client::OpenSsl1 => Some(1),
            Client::OpenSsl2 => Some(2),
            _ => None,
        }
    }
}

/// Compared with the family itself, or taken from what its makers write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    Tested,
    Documented,
}

/// What one family would do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Acceptance {
    pub family: Family,
    /// OpenSSL's security level.
    pub level: Option<u8>,
    pub accepts: bool,
    /// In one line; of what it minds, the first.
    pub reason: String,
    /// It is accepted only if what the reason says is so.
    #[serde(skip)]
    pub depends: bool,
    pub basis: Basis,
}

/// What a server sent, and whom clients ask for and trust.
#[derive(Clone, Copy, Debug)]
pub struct Sent<'s> {
    /// In the order in which it was sent.
    pub chain: &'s [CertificateDer<'s>],
    pub name: &'s ServedName,
    /// What is trusted; where that is not known, trust is not judged.
    pub roots: Option<&'s [CertificateDer<'s>]>,
}

/// What every family would do; nothing where the server's own certificate cannot be read.
pub fn acceptance(sent: &Sent<'_>, now: OffsetDateTime) -> Vec<Acceptance> {
    let read = |(place, der)| Link::read(place, der).ok();
    let links: Vec<Link<'_>> = sent.chain.iter().enumerate().filter_map(read).collect();
    let roots = sent.roots.unwrap_or_default();
    let known: Vec<Link<'_>> = roots.iter().enumerate().filter_map(read).collect();
    let Some(own) = links.first().filter(|link| link.place == 0) else { return Vec::new() };
    let path = Path::find(own, &links, sent.roots.map(|_| known.as_slice()), now);
    let found = faults::found(&path, now);
    Client::ALL.iter().map(|client| of_client(*client, &path, &found, sent.name)).collect()
}

fn of_client(
    client: Client,
    path: &Path<'_, '_>,
    found: &[Found],
    name: &ServedName,
) -> Acceptance {
    let named = names::judge(client, path.own(), name);
    // What is broken for everybody comes first, then the name, then what only some mind.
    let minded = rules::first(client, path, found);
    let (accepts, reason) = match (minded, named) {
        (Some(one), Err(_)) if one.fault.is_basic() => (false, one.text.clone()),
        (_, Err(why)) => (false, why),
        (Some(one), Ok(_)) => (false, one.text.clone()),
        (None, Ok(how)) => (true, how),
    };
    let condition = rules::condition(client, found).filter(|_| accepts);
    let depends = condition.is_some();
    let reason = condition.unwrap_or(reason);
    let family = client.family();
    Acceptance { family, level: client.level(), accepts, reason, depends, basis: family.basis() }
}

/// The certificate that Samba makes by itself at its first start, for as long as nobody gives it
/// one: the name in the CN only, and the serial number of its CA.
pub fn is_made_by_samba(own: &CertificateDer<'_>) -> bool {
    Link::read(0, own).is_ok_and(|link| {
        let subject = &link.summary.subject;
        subject.contains("O=Samba Administration")
            && subject.contains("OU=Samba - temporary autogenerated HOST certificate")
    })
}

#[cfg(test)]
mod tests;
