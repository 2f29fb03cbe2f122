//! The command line of `chancery ca`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::password::PasswordFrom;

#[derive(Debug, Subcommand)]
pub(crate) enum Ca {
    /// Say what the CA is, how long it lives, and what is wrong with it.
    Status,
    /// Issue a certificate for a signing request, with or without a running server.
    Issue(CaIssue),
    /// Revoke a certificate and make the list of revoked certificates anew.
    Revoke(CaRevoke),
    /// Print the list of revoked certificates, in PEM.
    Crl {
        /// Make it anew first.
        #[arg(long)]
        renew: bool,
    },
    /// Issue this server's own certificate anew, due or not; a running server takes it at once.
    Renew,
    /// Give the CA to clients: as PEM, for OpenSSL, for Java, or the lines to write elsewhere.
    Export(CaExport),
    /// List what was issued, refused and revoked.
    Log(CaLog),
    /// Show or judge the templates: what is issued to whom.
    #[command(subcommand)]
    Template(CaTemplate),
}

#[derive(Debug, Args)]
pub(crate) struct CaIssue {
    /// The template (chancery ca template list).
    #[arg(long, value_name = "NAME")]
    pub(crate) template: String,
    /// The signing request in PEM or DER; `-` for standard input.
    #[arg(long, value_name = "FILE")]
    pub(crate) csr: PathBuf,
    /// The entry that the certificate is for: templates take subject and names from it.
    #[arg(long = "for", value_name = "DN")]
    pub(crate) entry: Option<String>,
    /// Allow names that the template does not; the log says so.
    #[arg(long)]
    pub(crate) any_name: bool,
    /// Write the certificate and the issuing CA here instead of to standard output.
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct CaRevoke {
    /// The serial number, as `chancery ca log` or OpenSSL shows it.
    pub(crate) serial: String,
    /// unspecified, keyCompromise, cACompromise, affiliationChanged, superseded,
    /// cessationOfOperation or privilegeWithdrawn.
    #[arg(long, value_name = "REASON", default_value = "unspecified")]
    pub(crate) reason: String,
}

/// Without an option: PEM on standard output.
#[derive(Debug, Args)]
pub(crate) struct CaExport {
    /// PEM on standard output.
    #[arg(long)]
    pub(crate) pem: bool,
    /// A folder as `openssl rehash` makes it: PEM under the hash of the subject.
    #[arg(long, value_name = "DIR")]
    pub(crate) hash_dir: Option<PathBuf>,
    /// A PKCS #12 truststore, for Java 8u301 and later and for others. It must not exist yet.
    #[arg(long, value_name = "FILE")]
    pub(crate) pkcs12: Option<PathBuf>,
    /// A truststore in Java's own format, for older ones. It must not exist yet.
    #[arg(long, value_name = "FILE")]
    pub(crate) jks: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) password: PasswordFrom,
    /// Print the exact lines for one kind of client.
    #[arg(long = "for", value_name = "CLIENT", value_enum)]
    pub(crate) client: Option<Client>,
    /// The name under which clients reach the server, for those lines.
    #[arg(long, value_name = "NAME", requires = "client")]
    pub(crate) name: Option<String>,
}

/// Kinds of clients that are told how to trust the CA.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Client {
    Openldap,
    Sssd,
    Java,
    Windows,
    Containers,
    Debian,
    Redhat,
    Node,
    Python,
}

#[derive(Debug, Args)]
pub(crate) struct CaLog {
    /// Only the last so many.
    #[arg(long, value_name = "COUNT")]
    pub(crate) last: Option<usize>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CaTemplate {
    /// Name all templates with what they are for.
    List,
    /// Print one template with everything that is decided in it.
    Show {
        /// Its name.
        name: String,
    },
    /// Say what is dangerous in the templates, why, and what to write instead.
    Lint {
        /// The file; without one, that of the data folder.
        file: Option<PathBuf>,
    },
}
