//! Name servers that take signed updates: BIND's `named` and Knot's `knotd`, each with one zone on
//! a loopback port.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};
use tempfile::TempDir;

use crate::peers::missing::Peer;
use crate::ports;
use crate::process::{Process, run_checked};

/// The zone that is served.
pub const ZONE: &str = "example.com";
/// The address of the zone's name server, which nobody asks.
const NS_ADDRESS: &str = "127.0.0.1";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Product {
    Bind,
    Knot,
}

impl Product {
    pub const ALL: [Product; 2] = [Product::Bind, Product::Knot];

    pub fn program(self) -> Peer {
        match self {
            Product::Bind => Peer::program("named", "/usr/sbin/named"),
            Product::Knot => Peer::program("knotd", "/usr/sbin/knotd"),
        }
    }
}

/// What `dig` needs to look at a name server as somebody else.
pub fn dig() -> Peer {
    Peer::program("dig", "/usr/bin/dig")
}

/// A running name server. Dropping it ends the process and removes its folder.
#[derive(Debug)]
pub struct NameServer {
    pub process: Process,
    pub folder: TempDir,
    pub port: u16,
    /// May change the zone.
    pub key: PathBuf,
    /// Known to the server, and not allowed to change anything.
    pub powerless_key: PathBuf,
}

impl NameServer {
    /// The port may be taken in between (see [`ports::free`]), so there is more than one attempt.
    pub fn start(product: Product) -> Result<NameServer> {
        let mut last = None;
        for _ in 0..3 {
            match NameServer::attempt(product) {
                Ok(server) => return Ok(server),
                Err(error) => last = Some(error),
            }
        }
        bail!("{product:?} did not start: {last:?}")
    }

    fn attempt(product: Product) -> Result<NameServer> {
        let folder = tempfile::Builder::new().prefix("dns-").tempdir()?;
        // BIND changes its user in some installations, and then must still reach its files.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
        let [port] = ports::free::<1>()?;
        let key = write_key(folder.path(), "chancery", "hmac-sha256")?;
        let powerless_key = write_key(folder.path(), "powerless", "hmac-sha512")?;
        let own = folder.path().display().to_string();
        fs::write(folder.path().join("zone"), zone(&own))?;
        let command = match product {
            Product::Bind => named(folder.path(), port, &[&key, &powerless_key])?,
            Product::Knot => knotd(folder.path(), port, &[&key, &powerless_key])?,
        };
        let mut process = Process::start("nameserver", folder.path(), command)?;
        let answer = process.wait_until("an answer about its zone", |_| {
            let answer = dig_at(port, &[&format!("whoami.{ZONE}"), "TXT"]).ok()?;
            (!answer.is_empty()).then_some(answer)
        })?;
        // Somebody else's server may have been given the port in between, and named goes on
        // without it.
        if answer != [format!("\"{own}\"")] {
            bail!("{answer:?} answers at port {port}");
        }
        Ok(NameServer { process, folder, port, key, powerless_key })
    }

    /// What another client is told: `dig +short`, lines sorted.
    pub fn dig(&self, question: &[&str]) -> Result<Vec<String>> {
        dig_at(self.port, question)
    }

    /// Changes the zone as somebody else would: lines for `nsupdate`.
    pub fn nsupdate(&self, lines: &str) -> Result<()> {
        let file = self.folder.path().join("update");
        let head = format!("server 127.0.0.1 {}\nzone {ZONE}\n", self.port);
        fs::write(&file, format!("{head}{lines}\nsend\n"))?;
        run_checked(Command::new("/usr/bin/nsupdate").arg("-k").arg(&self.key).arg(&file))?;
        Ok(())
    }
}

fn dig_at(port: u16, question: &[&str]) -> Result<Vec<String>> {
    let mut command = Command::new("/usr/bin/dig");
    command.args(["@127.0.0.1", "-p", &port.to_string(), "+short", "+norec"]);
    command.args(["+tries=1", "+time=2"]).args(question);
    let said = run_checked(&mut command)?;
    let mut lines: Vec<String> = said.lines().map(str::to_owned).collect();
    lines.sort();
    Ok(lines)
}

/// In the form of `tsig-keygen`, for its owner only.
pub fn write_key(folder: &Path, name: &str, algorithm: &str) -> Result<PathBuf> {
    let file = folder.join(format!("{name}.key"));
    let made = run_checked(Command::new("/usr/sbin/tsig-keygen").args(["-a", algorithm, name]))?;
    fs::write(&file, made)?;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600))?;
    Ok(file)
}

/// `own` tells this server from every other.
fn zone(own: &str) -> String {
    format!(
        "$ORIGIN {ZONE}.\n$TTL 300\n\
         @ IN SOA ns hostmaster 1 3600 600 86400 60\n@ IN NS ns\nns IN A {NS_ADDRESS}\n\
         taken IN A 192.0.2.99\nalias IN CNAME taken\ninside IN NS ns.elsewhere.example.\n\
         whoami IN TXT \"{own}\"\n"
    )
}

fn named(folder: &Path, port: u16, keys: &[&Path]) -> Result<Command> {
    let here = folder.display();
    let mut text = String::new();
    for key in keys {
        text += &fs::read_to_string(key)?;
    }
    text += &format!(
        "options {{ directory \"{here}\"; listen-on port {port} {{ 127.0.0.1; }};\n\
         listen-on-v6 {{ none; }}; pid-file \"{here}/named.pid\"; recursion no; notify no;\n\
         dnssec-validation no; session-keyfile none; }};\ncontrols {{ }};\n\
         zone \"{ZONE}\" {{ type primary; file \"{here}/zone\";\n\
         update-policy {{ grant chancery zonesub ANY; }}; }};\n"
    );
    fs::write(folder.join("named.conf"), text)?;
    let mut command = Command::new("/usr/sbin/named");
    command.args(["-g", "-n", "1", "-c"]).arg(folder.join("named.conf"));
    Ok(command)
}

fn knotd(folder: &Path, port: u16, keys: &[&Path]) -> Result<Command> {
    let here = folder.display();
    fs::create_dir(folder.join("db"))?;
    let mut text = format!(
        "server:\n    listen: 127.0.0.1@{port}\n    rundir: {here}\n    udp-workers: 1\n    \
         tcp-workers: 1\n    background-workers: 1\nlog:\n  - target: stderr\n    any: info\n\
         database:\n    storage: {here}/db\nkey:\n"
    );
    for key in keys {
        let key = fs::read_to_string(key)?;
        let mut quoted = key.split('"').skip(1).step_by(2);
        let (name, secret) = (quoted.next().unwrap_or(""), quoted.next().unwrap_or(""));
        let algorithm = if key.contains("sha512") { "hmac-sha512" } else { "hmac-sha256" };
        text += &format!("  - id: {name}\n    algorithm: {algorithm}\n    secret: {secret}\n");
    }
    text += &format!(
        "acl:\n  - id: update\n    key: chancery\n    action: update\n\
         zone:\n  - domain: {ZONE}\n    storage: {here}\n    file: zone\n    acl: update\n    \
         zonefile-sync: -1\n    journal-content: all\n    zonefile-load: difference-no-serial\n"
    );
    fs::write(folder.join("knot.conf"), text)?;
    let mut command = Command::new("/usr/sbin/knotd");
    command.arg("-c").arg(folder.join("knot.conf"));
    Ok(command)
}
