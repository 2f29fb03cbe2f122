//! What `chancery doctor` can look at beside one target, and where its answer goes.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct Modes {
    /// Look at every server that DNS names for this domain, and name the odd one out.
    #[arg(long, value_name = "DOMAIN", help_heading = "Instead of a target",
        conflicts_with_all = ["target", "facts", "address", "sign_in", "base"])]
    pub(crate) fleet: Option<String>,
    /// Of an Active Directory: the domain controllers of this site first.
    #[arg(long, value_name = "SITE", requires = "fleet", help_heading = "Instead of a target")]
    pub(crate) site: Option<String>,
}

/// Where the answer goes beside the screen.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Where the answer goes")]
pub(crate) struct Outputs {
    /// Keep what was seen, for --facts and `diff`.
    #[arg(long, value_name = "FILE")]
    pub(crate) save: Option<PathBuf>,
}
