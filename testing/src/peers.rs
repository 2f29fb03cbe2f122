//! The servers under test and the tools that talk to them.
//!
//! A test is written once, against a [`Server`]; [`Subject`] says which product is behind it.

pub mod chancery;
pub mod missing;
pub mod nameserver;
pub mod pebble;
pub mod slapd;
pub mod tools;

use std::path::PathBuf;

use anyhow::Result;
use tempfile::TempDir;

use crate::certificates::Certificate;
use crate::process::Process;
use crate::wire::Connection;

/// The name all subjects are started with.
pub const SUFFIX: &str = "dc=example,dc=com";

/// Which product a test runs against. slapd is the control: a scenario that fails there is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    Chancery,
    Slapd,
}

impl Subject {
    pub const ALL: [Subject; 2] = [Subject::Slapd, Subject::Chancery];

    pub fn name(self) -> &'static str {
        match self {
            Subject::Chancery => "chancery",
            Subject::Slapd => "slapd",
        }
    }

    /// Starts the product on an empty folder, with its suffix entry and administrator in place.
    pub fn start(self) -> Result<Server> {
        match self {
            Subject::Chancery => chancery::start(),
            Subject::Slapd => slapd::start(),
        }
    }

    /// What has to be installed (or built) for this subject.
    pub fn program(self) -> missing::Peer {
        match self {
            Subject::Chancery => chancery::peer(),
            Subject::Slapd => missing::Peer::program("slapd", "/usr/sbin/slapd"),
        }
    }
}

/// A running subject. Dropping it ends the process and removes its folder.
#[derive(Debug)]
pub struct Server {
    // Before `folder`: fields drop in order, and the process must be gone before its files are.
    pub process: Process,
    pub folder: TempDir,
    pub subject: Subject,
    /// `ldaps://localhost:PORT`: the name is what the certificate is verified against.
    pub ldaps: String,
    /// `ldap://localhost:PORT`, where StartTLS is offered.
    pub ldap: String,
    pub ldapi: String,
    pub ca: PathBuf,
    pub admin: String,
    pub password_file: PathBuf,
    /// A certificate whose subject is the administrator's name, when the subject trusts one.
    pub client: Option<Certificate>,
}

impl Server {
    pub fn password(&self) -> Result<String> {
        Ok(std::fs::read_to_string(&self.password_file)?.trim_end().to_owned())
    }

    /// A verified LDAPS connection, not signed in.
    pub fn connect(&self) -> Result<Connection> {
        Connection::open(port(&self.ldaps), &self.ca)
    }

    /// A verified LDAPS connection signed in as the administrator.
    pub fn connect_as_admin(&self) -> Result<Connection> {
        let mut connection = self.connect()?;
        connection.bind(&self.admin, &self.password()?)?.expect_success("bind as administrator")?;
        Ok(connection)
    }
}

/// The port at the end of a URI of ours; 0 (which nobody listens on) when there is none.
pub fn port(uri: &str) -> u16 {
    uri.rsplit_once(':').and_then(|(_, port)| port.trim_end_matches('/').parse().ok()).unwrap_or(0)
}
