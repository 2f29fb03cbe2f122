//! What `chancery doctor` can look at beside one target, and where its answer goes.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::doctor::configs::Kind;

pub(super) const DOCTOR_EXAMPLES: &str = "\
Examples:
  chancery doctor ldaps://dc1.corp.example --ca corp-root.pem
  chancery doctor --fleet corp.example --ca corp-root.pem      every server of the domain
  chancery doctor --from-config /etc/ldap/ldap.conf            what an application really uses
  chancery doctor --offline chain.pem --name dc1.corp.example  before it is put in place
  chancery doctor ldaps://dc1.corp.example --bundle chain.pem  what the server does not send
  chancery doctor ldaps://dc1.corp.example --redact            to be asked about in public
  chancery doctor ldaps://dc1.corp.example --watch 60 --prometheus doctor.prom
  chancery doctor diff monday.json tuesday.json                what --save has kept
  chancery doctor self                                         our own server

Exit codes: 0 nothing is wrong, 1 warnings, 2 it fails or the command line is wrong, 3 it could not
be tested.";

#[derive(Debug, Default, Args)]
pub(crate) struct Modes {
    /// Look at every server that DNS names for this domain, and name the odd one out.
    #[arg(long, value_name = "DOMAIN", help_heading = "Instead of a target",
        conflicts_with_all = ["target", "facts", "address", "sign_in", "base"])]
    pub(crate) fleet: Option<String>,
    /// Of an Active Directory: the domain controllers of this site first.
    #[arg(long, value_name = "SITE", requires = "fleet", help_heading = "Instead of a target")]
    pub(crate) site: Option<String>,
    /// Look at what an application uses: its ldap.conf, sssd.conf, Apache or Java properties.
    #[arg(long, value_name = "FILE", help_heading = "Instead of a target",
        conflicts_with_all = ["target", "facts", "address", "fleet", "ca"])]
    pub(crate) from_config: Option<PathBuf>,
    /// Whose file it is [default: by its name and content].
    #[arg(
        long,
        value_enum,
        value_name = "KIND",
        requires = "from_config",
        help_heading = "Instead of a target"
    )]
    pub(crate) kind: Option<Kind>,
    /// The password of a trust store that the file names, in a file.
    #[arg(
        long,
        value_name = "FILE",
        requires = "from_config",
        help_heading = "Instead of a target"
    )]
    pub(crate) store_password_file: Option<PathBuf>,
    /// Judge the certificates of a file, the server's own first; nothing is connected to.
    #[arg(long, value_name = "CHAIN", help_heading = "Instead of a target",
        conflicts_with_all =
            ["target", "facts", "address", "fleet", "from_config", "sign_in", "base"])]
    pub(crate) offline: Option<PathBuf>,
    /// The name by which clients will reach it [default: the first that it has].
    #[arg(long, value_name = "NAME", requires = "offline", help_heading = "Instead of a target")]
    pub(crate) name: Option<String>,
    /// Judge it for this moment, such as 2030-01-31T12:00:00Z [default: now].
    #[arg(long, value_name = "TIME", requires = "offline", help_heading = "Instead of a target")]
    pub(crate) at: Option<String>,
    /// Complete the chain above the server's certificate, and write it in PEM: from what was sent,
    /// from --ca, and from where certificates say that their issuers' are (http only).
    #[arg(long, value_name = "FILE", help_heading = "With a target",
        conflicts_with_all = ["fleet", "from_config", "watch", "redact"])]
    pub(crate) bundle: Option<PathBuf>,
    /// The SHA-256 of the certificates have been compared: write without asking.
    #[arg(long, requires = "bundle", help_heading = "With a target")]
    pub(crate) yes: bool,
}

/// Where the answer goes beside the screen.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Where the answer goes")]
pub(crate) struct Outputs {
    /// Keep what was seen, for --facts and `diff`.
    #[arg(long, value_name = "FILE")]
    pub(crate) save: Option<PathBuf>,
    /// Leave out names, addresses and certificates, so that the answer can be shown to anybody.
    #[arg(long)]
    pub(crate) redact: bool,
    /// Write a test report, with a case for each layer.
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
    /// Write metrics, for the textfile collector of node_exporter.
    #[arg(long, value_name = "FILE")]
    pub(crate) prometheus: Option<PathBuf>,
    /// Look again after so many seconds, and print a line where the verdict changes.
    #[arg(long, value_name = "SECONDS",
        conflicts_with_all = ["facts", "offline", "other", "password_fd"])]
    pub(crate) watch: Option<u64>,
    /// Look so many times, and end with the exit code of the last.
    #[arg(long, value_name = "NUMBER", requires = "watch")]
    pub(crate) times: Option<u64>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DoctorCommand {
    /// Say what has changed between two runs that --save has kept.
    ///
    /// Exit code 0 where nothing has, 1 where something has. A host that is called `diff` is
    /// looked at with `chancery doctor ldaps://diff`.
    Diff(DoctorDiff),
    /// Print what is seen from here, to be compared elsewhere: `chancery doctor TARGET --other -`.
    ///
    /// Example, outside: chancery doctor run ldaps://dc1.corp.example --as outside > outside.json
    Run(DoctorRun),
    /// Look at our own running server: each listener, by each name that it is served under.
    #[command(name = "self")]
    Own(DoctorOwn),
}

#[derive(Debug, Args)]
pub(crate) struct DoctorDiff {
    /// The facts of the earlier run.
    pub(crate) first: PathBuf,
    /// The facts of the later run.
    pub(crate) second: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct DoctorRun {
    /// As for `chancery doctor`.
    pub(crate) target: String,
    /// How this place is called: `outside` means the internet.
    #[arg(long = "as", value_name = "PLACE")]
    pub(crate) vantage: String,
    /// Leave out names, addresses and certificates.
    #[arg(long)]
    pub(crate) redact: bool,
    /// The CAs that clients trust, PEM [default: the system's].
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// Look there instead of where the name resolves to; may be repeated.
    #[arg(long, value_name = "IP[:PORT]")]
    pub(crate) address: Vec<String>,
    /// Ask these name servers instead of the system; may be repeated.
    #[arg(long, value_name = "IP[:PORT]")]
    pub(crate) name_server: Vec<String>,
    /// How long each step may take.
    #[arg(long, value_name = "SECONDS", default_value_t = 3)]
    pub(crate) timeout: u64,
}

#[derive(Debug, Args)]
pub(crate) struct DoctorOwn {
    /// The CAs that clients trust, PEM [default: the in-house CA where it issues the certificate,
    /// the system's otherwise].
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// How long each step may take.
    #[arg(long, value_name = "SECONDS", default_value_t = 3)]
    pub(crate) timeout: u64,
    /// Keep what was seen, for `diff`.
    #[arg(long, value_name = "FILE")]
    pub(crate) save: Option<PathBuf>,
    /// Write a test report, with a case for each layer.
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
    /// Write metrics, for the textfile collector of node_exporter.
    #[arg(long, value_name = "FILE")]
    pub(crate) prometheus: Option<PathBuf>,
}
