//! `chancery ldap`: looking around a directory.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::password::PasswordFrom;

/// Asks any directory, over verified TLS.
#[derive(Debug, Subcommand)]
#[command(
    after_help = "Example:\n  chancery ldap search ldaps://dc1.corp.example DC=corp,DC=example \
    '(cn=a*)' cn mail \\\n    --ca corp-root.pem --as app@corp.example --password-file app.password\n\n\
    Exit codes: 0 done, 1 the server said no (or `compare`: it is not so), 2 wrong usage, 3 failed."
)]
pub(crate) enum LdapCommand {
    /// Find entries; LDIF, or a JSON object on each line.
    Search(LdapSearch),
    /// Whether an entry has a value.
    Compare(LdapCompare),
    /// Whom the server takes you for.
    Whoami(LdapPlace),
    /// What the server says of itself.
    Rootdse(LdapPlace),
    /// Whether signing in works, tried once.
    Bind(LdapPlace),
}

/// Which server, trusted by whom, and who asks.
#[derive(Debug, Args)]
pub(crate) struct LdapPlace {
    /// `ldaps://NAME`, `ldap://NAME` for StartTLS, or the name alone; a port may follow.
    pub(crate) target: String,
    /// The CAs that may vouch for the server, PEM [default: the system's].
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// Connect there instead of where the name resolves to; the name must still fit.
    #[arg(long, value_name = "IP[:PORT]")]
    pub(crate) address: Option<String>,
    /// Sign in under this name [default: as nobody].
    #[arg(long = "as", value_name = "NAME")]
    pub(crate) sign_in: Option<String>,
    #[command(flatten)]
    pub(crate) password: PasswordFrom,
}

#[derive(Debug, Args)]
pub(crate) struct LdapSearch {
    #[command(flatten)]
    pub(crate) place: LdapPlace,
    /// Where to search.
    pub(crate) base: String,
    /// What to look for.
    #[arg(default_value = "(objectClass=*)")]
    pub(crate) filter: String,
    /// What to show of it [default: all user attributes].
    pub(crate) attributes: Vec<String>,
    #[arg(long, value_enum, default_value_t = LdapScope::Sub)]
    pub(crate) scope: LdapScope,
    /// How many entries are asked for at a time; 0: all at once.
    #[arg(long, default_value_t = 500)]
    pub(crate) page: u32,
    /// Stop after so many entries; 0: never.
    #[arg(long, default_value_t = 0)]
    pub(crate) limit: u64,
}

#[derive(Debug, Args)]
pub(crate) struct LdapCompare {
    #[command(flatten)]
    pub(crate) place: LdapPlace,
    pub(crate) dn: String,
    pub(crate) attribute: String,
    pub(crate) value: String,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum LdapScope {
    Base,
    One,
    Sub,
}
