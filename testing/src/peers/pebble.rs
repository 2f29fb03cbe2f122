//! Pebble, the ACME test server of Let's Encrypt, on loopback ports.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, bail};
use tempfile::TempDir;

use crate::certificates;
use crate::peers::missing::Peer;
use crate::ports;
use crate::process::Process;

/// What is different from test to test.
#[derive(Clone, Copy, Debug)]
pub struct Wishes {
    /// The port of the name server that it asks.
    pub name_server: u16,
    /// How many of a hundred good nonces it refuses.
    pub nonces_refused: u32,
    pub lifetime_seconds: u32,
    /// Identifier and key (base64url) of an external account that everybody needs.
    pub external_account: Option<(&'static str, &'static str)>,
}

impl Wishes {
    pub fn asking(name_server: u16) -> Wishes {
        Wishes { name_server, nonces_refused: 0, lifetime_seconds: 86_400, external_account: None }
    }
}

/// A running Pebble. Dropping it ends the process and removes its folder.
#[derive(Debug)]
pub struct Pebble {
    pub process: Process,
    pub folder: TempDir,
    pub directory: String,
    /// What its own certificate is verified with.
    pub ca: PathBuf,
    /// Where it looks for http-01, whatever the name.
    pub http_port: u16,
    pub tls_port: u16,
}

pub fn program() -> Peer {
    Peer::program("pebble", "/usr/bin/pebble")
}

impl Pebble {
    pub fn start(wishes: Wishes) -> Result<Pebble> {
        let mut last = None;
        for _ in 0..3 {
            match Pebble::attempt(wishes) {
                Ok(pebble) => return Ok(pebble),
                Err(error) => last = Some(error),
            }
        }
        bail!("pebble did not start: {last:?}")
    }

    fn attempt(wishes: Wishes) -> Result<Pebble> {
        let folder = tempfile::Builder::new().prefix("pebble-").tempdir()?;
        let [port, management, http_port, tls_port] = ports::free::<4>()?;
        let ca = certificates::authority(folder.path())?;
        let tls = certificates::server(folder.path(), &ca)?;
        let external = match wishes.external_account {
            Some((id, key)) => format!(
                "\"externalAccountBindingRequired\": true, \
                 \"externalAccountMACKeys\": {{ \"{id}\": \"{key}\" }},"
            ),
            None => String::new(),
        };
        let text = format!(
            "{{ \"pebble\": {{ \"listenAddress\": \"127.0.0.1:{port}\",\n\
             \"managementListenAddress\": \"127.0.0.1:{management}\",\n\
             \"certificate\": \"{}\", \"privateKey\": \"{}\",\n{external}\n\
             \"httpPort\": {http_port}, \"tlsPort\": {tls_port},\n\
             \"certificateValidityPeriod\": {} }} }}",
            tls.certificate.display(),
            tls.key.display(),
            wishes.lifetime_seconds
        );
        let config = folder.path().join("pebble.json");
        fs::write(&config, text)?;
        let mut command = Command::new("/usr/bin/pebble");
        command.arg("-config").arg(config).arg("-strict");
        command.arg("-dnsserver").arg(format!("127.0.0.1:{}", wishes.name_server));
        command.env("PEBBLE_VA_NOSLEEP", "1").env("PEBBLE_AUTHZREUSE", "0");
        command.env("PEBBLE_WFE_NONCEREJECT", wishes.nonces_refused.to_string());
        let mut process = Process::start("pebble", folder.path(), command)?;
        process.wait_for_port(port)?;
        let directory = format!("https://localhost:{port}/dir");
        Ok(Pebble { process, folder, directory, ca: ca.certificate, http_port, tls_port })
    }
}
