//! The command line, with help that teaches.

mod ca;
mod doctor;
mod ldap;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub(crate) use self::ca::{Ca, CaExport, CaIssue, CaLog, CaRevoke, CaTemplate, Client};
use self::doctor::DOCTOR_EXAMPLES;
pub(crate) use self::doctor::{DoctorCommand, DoctorDiff, DoctorOwn, DoctorRun, Modes, Outputs};
pub(crate) use self::ldap::{Ldap, Peer, Search, Tree};
use crate::config::Overrides;
use crate::password::PasswordFrom;

/// A directory that speaks LDAPS and nothing weaker.
#[derive(Debug, Parser)]
#[command(
    name = "chancery",
    version,
    about,
    after_help = "Without a command: `chancery serve`. With nothing configured that makes a data folder, a CA, a\n\
        certificate, an administrator and an example tree, and listens for LDAPS on 127.0.0.1:6636.\n\n\
        Exit codes: 0 done, 1 something was found wrong, 2 wrong usage or configuration, 3 failed."
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// Where things are; every command takes these.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Common {
    /// The configuration; without one, the defaults (see `chancery config example`).
    #[arg(long, value_name = "FILE", global = true, env = "CHANCERY_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// The data folder [default: ./chancery-data].
    #[arg(long, value_name = "DIR", global = true)]
    pub(crate) data: Option<PathBuf>,
    /// The name at the top of the tree [default: dc=example,dc=com].
    #[arg(long, value_name = "DN", global = true)]
    pub(crate) suffix: Option<String>,
    /// Print JSON where a command prints more than a line.
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

impl Common {
    /// The command line over the environment.
    pub(crate) fn overrides(&self) -> Overrides {
        let environment = Overrides::from_environment(|name| std::env::var(name).ok());
        let own = Overrides {
            data: self.data.clone(),
            suffix: self.suffix.clone(),
            ..Overrides::default()
        };
        own.over(environment)
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve the directory; the first start makes everything it needs.
    Serve(Serve),
    /// Let the running server read schema, access rules and certificates again.
    Reload,
    /// Load LDIF, into an empty folder at disk speed or into a running server.
    Import(Import),
    /// Write everything as LDIF, in an order that is the same each time.
    Export(Export),
    /// Copy the data folder consistently, while a server runs or not.
    Backup(Backup),
    /// Make a data folder from a backup.
    Restore(Restore),
    /// Verify every invariant of the data folder, and the configuration.
    Check(Check),
    /// Ask which access rule decides.
    #[command(subcommand)]
    Access(Access),
    /// Say why a secure LDAP connection fails, and what mends it.
    Doctor(Box<Doctor>),
    /// Look around any directory, over verified TLS.
    #[command(subcommand)]
    Ldap(Ldap),
    /// Show the state of the running server, for people, as JSON, or for Prometheus.
    Status(Status),
    /// Show what is wrong now; look anew; see whether alerts arrive.
    Alerts(Alerts),
    /// Say whether an account is locked, or unlock it, on the running server.
    #[command(subcommand)]
    Account(Account),
    /// Judge a certificate before clients do.
    #[command(subcommand)]
    Cert(Cert),
    /// Issue and revoke certificates of the in-house CA.
    #[command(subcommand)]
    Ca(Ca),
    /// Certificates from a CA that speaks ACME, such as Let's Encrypt.
    #[command(subcommand)]
    Acme(Acme),
    /// DNS records for the published names: print, write, and look at them from outside.
    #[command(subcommand)]
    Dns(Dns),
    /// Open LDAPS to those inside or outside, under network rules, and close it again.
    #[command(subcommand)]
    Publish(Publish),
    /// Print or check the configuration.
    #[command(subcommand)]
    Config(Config),
}

impl Default for Command {
    fn default() -> Command {
        Command::Serve(Serve::default())
    }
}

#[derive(Debug, Default, Args)]
pub(crate) struct Serve {
    /// Listen for LDAPS here instead of where the configuration says [default: 127.0.0.1:6636].
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Vec<String>,
    /// Also listen here for plain connections that must use StartTLS before any secret.
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen_starttls: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The LDIF file; `-` for standard input.
    pub(crate) file: PathBuf,
    /// Go on after a record that is refused, and write it with the reason into this file.
    #[arg(long = "continue", value_name = "REJECTS")]
    pub(crate) rejects: Option<PathBuf>,
    /// What to do with passwords in the clear: hash few (up to 1000), hash all of them (slow), or
    /// refuse them.
    #[arg(long, value_name = "HOW", default_value = "few",
        value_parser = ["few", "hash", "refuse"])]
    pub(crate) passwords: String,
}

#[derive(Debug, Args)]
pub(crate) struct Export {
    /// Write here instead of to standard output.
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Only this entry and what is below it.
    #[arg(long, value_name = "DN")]
    pub(crate) base: Option<String>,
    /// Leave out what the server keeps by itself (entryUUID, times, names of authors).
    #[arg(long)]
    pub(crate) user_only: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// A folder that does not exist yet, or is empty.
    pub(crate) folder: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// A folder that `chancery backup` made.
    pub(crate) folder: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// Check only the configuration.
    #[arg(long)]
    pub(crate) config_only: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Access {
    /// Say which rule decides what WHO may do with an entry or one of its attributes.
    Explain {
        /// `anonymous`, or the name of an entry.
        who: String,
        /// The entry that is asked for.
        dn: String,
        /// The attribute; without one, the entry itself.
        attribute: Option<String>,
        /// The client's address, for rules that speak of networks.
        #[arg(long, value_name = "ADDRESS")]
        from: Option<std::net::IpAddr>,
    },
    /// Print the rules in force.
    Rules,
}

#[derive(Debug, Args)]
pub(crate) struct Status {
    /// In the text format that Prometheus reads, as from a file of node_exporter's textfile
    /// collector.
    #[arg(long, conflicts_with = "json")]
    pub(crate) prometheus: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Alerts {
    #[command(subcommand)]
    pub(crate) command: Option<AlertsCommand>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AlertsCommand {
    /// Look at everything now instead of at the next full hour, and tell what is new.
    Evaluate,
    /// Send a test to the webhook and by mail, and wait until it has gone out or failed.
    Test,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Account {
    /// Say whether the account is locked, since when and until when, and which failures count.
    /// Ends with 1 where it is locked.
    Status {
        /// The entry, such as `uid=eva,ou=people,dc=example,dc=com`.
        dn: String,
    },
    /// Take the lock away, and the failures before it.
    Unlock {
        /// The entry.
        dn: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Cert {
    /// Say everything that is wrong with a certificate, what would be right, and what to do.
    Check(CertCheck),
    /// List every certificate that could be served, with the reason why it is or is not.
    Why,
    /// Write a chain and its key as a PFX file, for services that take nothing else. The password
    /// is that of the new file, and of the old one where that is a PFX file as well.
    Convert(CertConvert),
}

#[derive(Debug, Args)]
pub(crate) struct CertConvert {
    /// The certificates, the server's own first, in PEM; or a PFX file. May hold its key as well.
    pub(crate) chain: PathBuf,
    /// The private key in PEM.
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    /// Write the PFX file here. It must not exist yet.
    #[arg(long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// How it is encrypted: `aes` (AES-256, SHA-256), or `3des` (with SHA-1), which Entra Domain
    /// Services demands.
    #[arg(long, value_name = "HOW", default_value = "aes", value_parser = ["aes", "3des"])]
    pub(crate) encryption: String,
    #[command(flatten)]
    pub(crate) password: PasswordFrom,
}

#[derive(Debug, Args)]
pub(crate) struct CertCheck {
    /// The certificates in PEM, the server's own first; may hold its key as well. Or a PFX file.
    pub(crate) chain: PathBuf,
    /// The private key in PEM.
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) password: PasswordFrom,
    /// A name or address under which clients reach the server; may be given several times.
    #[arg(long = "name", value_name = "NAME")]
    pub(crate) names: Vec<String>,
    /// Certificates in PEM that clients trust; may be given several times.
    #[arg(long = "root", value_name = "FILE")]
    pub(crate) roots: Vec<PathBuf>,
    /// Days that should be left.
    #[arg(long, value_name = "DAYS", default_value_t = 90)]
    pub(crate) days: i64,
    /// It is renewed in time without being told, so few days left are no finding.
    #[arg(long)]
    pub(crate) renews_itself: bool,
    /// It is to be trusted as a CA, not served.
    #[arg(long, conflicts_with_all = ["key", "names", "roots"])]
    pub(crate) ca: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Acme {
    /// Order a certificate now, whether one is due or not.
    ///
    /// The server does this by itself when it is due. The one that is there stays in place until
    /// the new one is judged good. Exit code 1 when there were enough orders for one hour.
    Order {
        /// Reach the CA, show its terms, and order nothing.
        #[arg(long)]
        dry_run: bool,
    },
    /// Order a certificate if it is due: at the time that the CA suggests, or with a third of the
    /// lifetime left.
    Renew {
        /// Say whether one would be ordered; order nothing.
        #[arg(long)]
        dry_run: bool,
    },
    /// Show the certificate, when the next order is due, and what failed. Exit code 1 while orders
    /// fail.
    Status,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Dns {
    /// Print the records that belong to `publish.names` and their addresses.
    ///
    /// For a provider without dynamic updates: paste the zone lines, or read the JSON.
    Print {
        /// `zone` lines, `hosts` lines for a test on one machine, or `json`.
        #[arg(long, value_enum, default_value = "zone")]
        format: crate::dns::Format,
    },
    /// Show what the zone's server holds against what it should; change nothing.
    ///
    /// Lines with `-` would go, lines with `+` would come. Exit code 1 when they differ.
    Plan(DnsChange),
    /// Make the zone's server hold the records (RFC 2136, signed with TSIG).
    ///
    /// All of it or nothing. A record that somebody else wrote is never overwritten without
    /// --replace; doing it again changes nothing.
    Apply(DnsChange),
    /// Take the records away again that were written; those of others stay.
    Remove,
    /// Look as the outside looks: what resolvers and name servers answer, and which certificate
    /// clients meet at the addresses they are given.
    Verify {
        /// The SHA-256 thumbprint of the certificate that should be met. When absent: the one that
        /// the running server serves, or else the configured one.
        #[arg(long, value_name = "HEX")]
        thumbprint: Option<String>,
        /// Ask for the records only and connect to nobody.
        #[arg(long)]
        records_only: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct DnsChange {
    /// A name whose records may be overwritten although somebody else wrote them; may be given
    /// several times.
    #[arg(long = "replace", value_name = "NAME")]
    pub(crate) replace: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Print a commented configuration with every setting at its default.
    Example,
    /// Print the reference page of all settings.
    Reference,
    /// Check the configuration and list every fault.
    Check,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Publish {
    /// Open the internal listener, or the external one; nothing to do where it is open.
    Enable {
        /// The external listener. It does not open while its rules let nobody in, or everybody.
        #[arg(long)]
        external: bool,
    },
    /// Close the internal listener, or the external one.
    Disable {
        /// The external listener.
        #[arg(long)]
        external: bool,
    },
    /// What is open, to whom, since when; exit code 1 where the last change failed.
    Status,
    /// What `apply` would change, line by line; exit code 1 where it would change something.
    Plan,
    /// Bring in force what is written in `[publish]`, all of it or nothing; SIGHUP does the same.
    Apply,
    /// Say which rule decides about a client's address; exit code 1 where it is denied.
    Test(PublishTest),
    /// Print the rules for a packet filter or a cloud, or the ports that must be open.
    Export(PublishExport),
}

#[derive(Debug, Args)]
pub(crate) struct PublishTest {
    /// The client's address, IPv4 or IPv6.
    pub(crate) address: std::net::IpAddr,
    /// Only the listener with this port.
    #[arg(long)]
    pub(crate) port: Option<u16>,
    /// By the rules as they are written, even where a server runs.
    #[arg(long)]
    pub(crate) written: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PublishExport {
    /// What it is for.
    #[arg(long, value_enum)]
    pub(crate) format: ExportFormat,
    /// Only the internal listener, whether it is open or not.
    #[arg(long, conflicts_with = "external")]
    pub(crate) internal: bool,
    /// Only the external listener, whether it is open or not.
    #[arg(long)]
    pub(crate) external: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ExportFormat {
    /// A table for `nft -f`.
    Nftables,
    /// `IpPermissions` of an AWS security group, which can only allow.
    SecurityGroup,
    /// `securityRules` of an Azure network security group.
    Nsg,
    /// Which port must be open where.
    Ports,
}

/// Looks at name resolution, TCP, TLS and the certificate, and speaks LDAP as nobody, once.
#[derive(Debug, Default, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = DOCTOR_EXAMPLES
)]
pub(crate) struct Doctor {
    #[command(subcommand)]
    pub(crate) command: Option<DoctorCommand>,
    /// `ldaps://NAME`, `ldap://NAME` for StartTLS, or the name alone; a port may follow.
    #[arg(required_unless_present_any = ["facts", "fleet", "from_config", "offline"])]
    pub(crate) target: Option<String>,
    /// Judge what another run has saved, here or elsewhere; nothing is looked at.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["target", "ca", "address"])]
    pub(crate) facts: Option<PathBuf>,
    /// The CAs that the application trusts, PEM [default: the system's].
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// Look there instead of where the name resolves to; may be repeated.
    #[arg(long, value_name = "IP[:PORT]")]
    pub(crate) address: Vec<String>,
    /// Sign in as the application does, once, after everything else has passed.
    #[arg(long = "as", value_name = "NAME")]
    pub(crate) sign_in: Option<String>,
    #[command(flatten)]
    pub(crate) password: PasswordFrom,
    /// Search as the application does, and count.
    #[arg(long, value_name = "DN", requires = "filter")]
    pub(crate) base: Option<String>,
    #[arg(long, value_name = "FILTER", requires = "base")]
    pub(crate) filter: Option<String>,
    /// Where the name is meant to lead: `inside` (a private address), `outside`, or an address.
    #[arg(long, value_name = "WHERE")]
    pub(crate) expect: Option<String>,
    /// Fetch the list of revoked certificates that the server's points to, and look it up there.
    #[arg(long)]
    pub(crate) revocation: bool,
    /// The application signs in without TLS: see what it would meet. No secret is sent.
    #[arg(long)]
    pub(crate) in_the_clear: bool,
    /// Leave a connection alone for so long, as a pool does, and see whether it is still there.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=7200))]
    pub(crate) idle: Option<u64>,
    /// How long each step may take.
    #[arg(long, value_name = "SECONDS", default_value_t = 3)]
    pub(crate) timeout: u64,
    /// Ask these name servers instead of the system; may be repeated.
    #[arg(long, value_name = "IP[:PORT]")]
    pub(crate) name_server: Vec<String>,
    /// What was seen from another place (`chancery doctor run`), `-` for standard input; may be
    /// repeated.
    #[arg(long, value_name = "FILE",
        conflicts_with_all = ["fleet", "from_config", "offline", "bundle"])]
    pub(crate) other: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) modes: Modes,
    #[command(flatten)]
    pub(crate) outputs: Outputs,
}
