//! Which client families accept a server's name that stands in the subject's CN only (RFC 9525
//! §6.4.4 has withdrawn that, and not everybody has followed).

use std::fmt;

use serde::Serialize;

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
