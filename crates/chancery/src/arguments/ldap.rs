//! `chancery ldap`: look around any directory.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::password::PasswordFrom;

#[derive(Debug, Subcommand)]
#[command(
    after_help = "TARGET is ldaps://NAME[:PORT], ldap://NAME[:PORT] (StartTLS is demanded) or NAME.\n\
    The certificate must cover NAME; there is no option to go without.\n\n\
    Example: chancery ldap search dc1.example.com dc=example,dc=com '(sn=Lovelace)' cn mail \\\n\
    \x20        --ca ca.pem --as cn=reader,dc=example,dc=com --password-file reader.pw"
)]
pub(crate) enum Ldap {
    /// Print the entries that match, as LDIF, or with --json one object a line.
    Search(Search),
    /// Exit with 0 if the entry holds the value, with 1 if it does not.
    Compare {
        #[command(flatten)]
        peer: Peer,
        dn: String,
        attribute: String,
        value: String,
    },
    /// Say who the server takes this client for.
    Whoami {
        #[command(flatten)]
        peer: Peer,
    },
    /// Print names below a base, indented.
    Tree(Tree),
    /// Print what the server says of itself, with the names of known object identifiers.
    Rootdse {
        #[command(flatten)]
        peer: Peer,
    },
    /// Sign in once, and say whether that works.
    Bind {
        #[command(flatten)]
        peer: Peer,
    },
}

/// Which server, and who asks.
#[derive(Debug, Args)]
pub(crate) struct Peer {
    /// `ldaps://NAME[:PORT]`, `ldap://NAME[:PORT]` (StartTLS is demanded), or NAME.
    pub(crate) target: String,
    /// The CAs that may vouch for the server, as PEM [default: those of the system].
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// Sign in as this entry, with a password from a file, a descriptor or the terminal.
    #[arg(long = "as", value_name = "DN", conflicts_with = "client_cert")]
    pub(crate) bind_as: Option<String>,
    #[command(flatten)]
    pub(crate) password: PasswordFrom,
    /// Sign in by this certificate (EXTERNAL), as PEM.
    #[arg(long, value_name = "FILE", requires = "client_key")]
    pub(crate) client_cert: Option<PathBuf>,
    /// Its key, as PEM, readable by its owner only.
    #[arg(long, value_name = "FILE", requires = "client_cert")]
    pub(crate) client_key: Option<PathBuf>,
    /// Connect there instead of where the name resolves to; the name is still verified.
    #[arg(long, value_name = "IP[:PORT]")]
    pub(crate) address: Option<String>,
    /// How long each step may take.
    #[arg(long, value_name = "SECONDS", default_value_t = 30,
        value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) timeout: u64,
}

#[derive(Debug, Args)]
#[command(after_help = "Example: chancery ldap search dc1.example.com dc=example,dc=com \
    '(sn=Lovelace)' cn mail --ca ca.pem")]
pub(crate) struct Search {
    #[command(flatten)]
    pub(crate) peer: Peer,
    /// The name of the entry to begin at; '' for the server itself.
    pub(crate) base: String,
    /// What must be so of an entry (RFC 4515).
    #[arg(default_value = "(objectClass=*)")]
    pub(crate) filter: String,
    /// Which attributes [default: all but operational ones].
    pub(crate) attributes: Vec<String>,
    #[arg(long, default_value = "sub", value_parser = ["base", "one", "sub"])]
    pub(crate) scope: String,
    /// How many entries are asked for at a time; 0: no paging.
    #[arg(long, value_name = "N", default_value_t = 500)]
    pub(crate) page: u32,
    /// Stop after so many entries.
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,
    /// Print LDIF; that is the default.
    #[arg(long, conflicts_with = "json")]
    pub(crate) ldif: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Tree {
    #[command(flatten)]
    pub(crate) peer: Peer,
    /// Where to begin [default: every naming context].
    pub(crate) base: Option<String>,
    /// How many levels below it.
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub(crate) depth: usize,
    /// Stop after so many names.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub(crate) limit: usize,
}
