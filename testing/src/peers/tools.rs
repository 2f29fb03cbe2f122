//! OpenLDAP's command line clients, run as a user would run them.

use std::process::Command;

use anyhow::Result;

use crate::peers::Server;
use crate::process::{Finished, run};

/// How a tool signs in.
#[derive(Clone, Debug)]
pub enum SignIn {
    Anonymous,
    Admin,
    Simple(String, String),
    /// SASL EXTERNAL: the client certificate over TLS, peer credentials over the local socket.
    External,
}

/// Where a tool connects to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    Ldaps,
    /// The plain listener, without StartTLS.
    Plain,
    /// The plain listener; StartTLS has to succeed (`-ZZ`).
    StartTls,
    LocalSocket,
}

/// ldap-utils against one server; every call is one process.
#[derive(Clone, Debug)]
pub struct Tools<'a> {
    server: &'a Server,
    pub over: Over,
    pub sign_in: SignIn,
}

impl<'a> Tools<'a> {
    pub fn new(server: &'a Server) -> Tools<'a> {
        Tools { server, over: Over::Ldaps, sign_in: SignIn::Admin }
    }

    pub fn over(&self, over: Over) -> Tools<'a> {
        Tools { over, ..self.clone() }
    }

    pub fn signed_in(&self, sign_in: SignIn) -> Tools<'a> {
        Tools { sign_in, ..self.clone() }
    }

    /// Runs `tool` (`ldapsearch`, `ldapadd`, …) with the connection options in front of
    /// `arguments`.
    pub fn run(&self, tool: &str, arguments: &[&str]) -> Result<Finished> {
        let mut command = Command::new(tool);
        // Variables win over every ldap.conf the machine may have.
        command.env("LDAPTLS_CACERT", &self.server.ca).env("LDAPTLS_REQCERT", "demand");
        if let (SignIn::External, Some(client)) = (&self.sign_in, &self.server.client) {
            command.env("LDAPTLS_CERT", &client.certificate).env("LDAPTLS_KEY", &client.key);
        }
        command.args(["-H", self.uri()]);
        if self.over == Over::StartTls {
            command.arg("-ZZ");
        }
        match &self.sign_in {
            SignIn::Anonymous => command.arg("-x"),
            SignIn::Admin => {
                command.args(["-x", "-D", &self.server.admin, "-w", &self.server.password()?])
            }
            SignIn::Simple(dn, password) => command.args(["-x", "-D", dn, "-w", password]),
            SignIn::External => command.args(["-Q", "-Y", "EXTERNAL"]),
        };
        run(command.args(arguments))
    }

    /// Runs a tool that reads LDIF from a file.
    pub fn run_ldif(&self, tool: &str, ldif: &str) -> Result<Finished> {
        let file = tempfile::NamedTempFile::new_in(self.server.folder.path())?;
        std::fs::write(file.path(), ldif)?;
        let path = file.path().display().to_string();
        self.run(tool, &["-f", &path])
    }

    fn uri(&self) -> &str {
        match self.over {
            Over::Ldaps => &self.server.ldaps,
            Over::Plain | Over::StartTls => &self.server.ldap,
            Over::LocalSocket => &self.server.ldapi,
        }
    }
}
