//! The `chancery` binary: the one file that knows how it is started and what it prints.
//!
//! Assumed of it: `serve --data DIR --listen ADDR --listen-starttls ADDR --suffix DN` prints one
//! line `listening on URI` per listener, writes `ca.pem` and `admin.password` (for
//! `cn=admin,SUFFIX`) into DIR, and answers on the local socket `DIR/ldapi`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::certificates::{self, Certificate};
use crate::peers::missing::Peer;
use crate::peers::{SUFFIX, Server, Subject, port};
use crate::process::Process;

/// `CHANCERY_BIN`, or what `cargo build` left beside this test binary, or a release build.
pub fn binary() -> PathBuf {
    if let Some(given) = std::env::var_os("CHANCERY_BIN") {
        return given.into();
    }
    let target = target_folder();
    let debug = target.join("debug/chancery");
    let release = target.join("release/chancery");
    if !debug.exists() && release.exists() { release } else { debug }
}

/// `<target>`, found from where the running test binary is: `<target>/PROFILE/deps/suite-…`.
pub fn target_folder() -> PathBuf {
    let exe = std::env::current_exe().unwrap_or_default();
    exe.ancestors().nth(3).map(Path::to_owned).unwrap_or_default()
}

pub fn peer() -> Peer {
    Peer {
        name: "the chancery binary".to_owned(),
        file: binary(),
        remedy: "cargo build -p chancery builds it".to_owned(),
    }
}

/// Starts on an empty data folder; first start creates everything.
pub fn start() -> Result<Server> {
    let folder = tempfile::Builder::new().prefix("chancery-").tempdir()?;
    let data = folder.path().join("data");
    start_on(folder, &data)
}

/// Starts on an empty data folder with a configuration, which has no example tree.
pub fn start_configured(config: &str) -> Result<Server> {
    let folder = tempfile::Builder::new().prefix("chancery-").tempdir()?;
    let file = folder.path().join("chancery.toml");
    std::fs::write(&file, config)?;
    let data = folder.path().join("data");
    let mut command = serve(&data);
    command.arg("--config").arg(&file);
    start_command(folder, &data, command)
}

/// Starts on a data folder that may hold something already.
pub fn start_on(folder: tempfile::TempDir, data: &Path) -> Result<Server> {
    start_command(folder, data, serve(data))
}

/// `chancery serve` on any free ports.
pub fn serve(data: &Path) -> Command {
    let mut command = Command::new(binary());
    command.args(["serve", "--suffix", SUFFIX, "--data"]).arg(data);
    command.args(["--listen", "127.0.0.1:0", "--listen-starttls", "127.0.0.1:0"]);
    command
}

/// Starts what [`serve`] made, with whatever was added to it.
pub fn start_command(folder: tempfile::TempDir, data: &Path, command: Command) -> Result<Server> {
    let mut process = Process::start("chancery", folder.path(), command)?;
    let ldaps = process.wait_for_line(|line| listening(line, "ldaps://127.0.0.1:"))?;
    let ldap = process.wait_for_line(|line| listening(line, "ldap://127.0.0.1:"))?;
    let socket = data.join("ldapi").display().to_string().replace('/', "%2F");
    let admin = format!("cn=admin,{SUFFIX}");
    let client = client_certificate(folder.path(), data, &admin)?;
    Ok(Server {
        process,
        subject: Subject::Chancery,
        ldaps: format!("ldaps://localhost:{}", port(&ldaps)),
        ldap: format!("ldap://localhost:{}", port(&ldap)),
        ldapi: format!("ldapi://{socket}"),
        ca: data.join("ca.pem"),
        admin,
        password_file: data.join("admin.password"),
        client,
        folder,
    })
}

fn listening(line: &str, prefix: &str) -> Option<String> {
    // What follows the URI is for people.
    let uri = line.trim().strip_prefix("listening on ")?.split(' ').next()?;
    uri.starts_with(prefix).then(|| uri.to_owned())
}

/// Assumed: the in-house CA's key is `DIR/ca.key`, and a certificate it signed signs in the entry
/// that its subject names. Without that key EXTERNAL over TLS is left out by the scenarios.
fn client_certificate(folder: &Path, data: &Path, admin: &str) -> Result<Option<Certificate>> {
    let ca = Certificate { certificate: data.join("ca.pem"), key: data.join("ca.key") };
    if !ca.key.exists() {
        return Ok(None);
    }
    // Signed from a copy: openssl writes a serial file beside the CA, and DIR is not ours.
    let copy = Certificate { certificate: folder.join("ca.pem"), key: folder.join("ca.key") };
    std::fs::copy(&ca.certificate, &copy.certificate).context("copy of ca.pem")?;
    std::fs::copy(&ca.key, &copy.key).context("copy of ca.key")?;
    certificates::client(folder, admin, &copy).map(Some)
}
