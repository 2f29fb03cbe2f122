//! Two machines on a cable, a packet filter between them, and a name server.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use anyhow::Result;

use super::certificates::Material;
use super::stacks::{Slapd, slapd, wait};
use super::{Lab, NAME, Setup};
use crate::namespaces::{Cable, Machine};
use crate::process::{Process, run_checked};

pub const CLIENT: &str = "10.77.0.1";
pub const SERVER: &str = "10.77.0.2";
/// The server's other address, as a second server of the name.
pub const SECOND: &str = "10.77.0.3";
/// On the same server, and public.
pub const OUTSIDE: &str = "198.51.100.2";
/// On the cable, and nobody's.
pub const NOBODY: &str = "10.77.0.9";

/// A client and a server, with slapd on its usual ports.
pub struct Two {
    pub client: Arc<Machine>,
    pub server: Machine,
    cable: Cable,
    folder: PathBuf,
    /// Of the client: what it resolves by.
    files: Option<Files>,
    held: Vec<Process>,
    name: String,
}

impl Two {
    pub fn new(lab: &Lab) -> Result<Two> {
        let cable = Cable::new()?;
        let client = Arc::new(cable.machine("client", &[CLIENT])?);
        let server = cable.machine("server", &[SERVER, SECOND, OUTSIDE])?;
        // What is sent is filtered as it will be on the cable: one segment at a time.
        for machine in [&*client, &server] {
            let mut ip = machine.command("ip");
            run_checked(ip.args(["link", "set", "eth0", "gso_max_segs", "1"]))?;
            let mut ip = machine.command("ip");
            run_checked(ip.args(["link", "set", "eth0", "gro_max_size", "1500"])).ok();
        }
        let (folder, name) = (lab.folder("two")?, client.name().to_owned());
        Ok(Two { client, server, cable, folder, files: None, held: Vec::new(), name })
    }

    /// slapd on the server, with or without TLS.
    pub fn directory(&mut self, lab: &Lab, material: Option<&Material>) -> Result<Vec<Held>> {
        let how = Slapd { material, machine: Some(&self.server), ..Slapd::default() };
        Ok(slapd(lab, &how)?.held)
    }

    /// Rules of the server's packet filter: `chain` and what it holds.
    pub fn filter(&self, rules: &str) -> Result<()> {
        filter(&self.server, &self.folder.join("server.nft"), rules)
    }

    pub fn filter_client(&self, rules: &str) -> Result<()> {
        filter(&self.client, &self.folder.join("client.nft"), rules)
    }

    /// A name server on the server, which the client asks: lines of dnsmasq's configuration.
    pub fn names(&mut self, lines: &str) -> Result<()> {
        let config = self.folder.join("dnsmasq.conf");
        let pid = self.folder.join("dnsmasq.pid").display().to_string();
        fs::write(
            &config,
            format!(
                "no-daemon\nno-resolv\nno-hosts\nuser=root\npid-file={pid}\nbind-interfaces\n\
                 listen-address={SERVER}\nlocal=/example/\nlocal=/in-addr.arpa/\n{lines}\n"
            ),
        )?;
        let mut command = self.server.command("/usr/sbin/dnsmasq");
        command.arg(format!("--conf-file={}", config.display()));
        let mut process = Process::start("dnsmasq", &self.folder, command)?;
        let address = std::net::SocketAddr::new(SERVER.parse()?, 53);
        process.wait_until("port 53", |_| self.server.connect(address).ok().map(drop))?;
        self.held.push(process);
        self.resolves(&format!("nameserver {SERVER}\noptions timeout:1 attempts:1\n"), "")
    }

    /// The client's resolv.conf, and lines of its /etc/hosts.
    pub fn resolves(&mut self, resolv: &str, hosts: &str) -> Result<()> {
        // What was there before goes first: both are of one folder.
        self.files = None;
        let files = Files::new(&self.name)?;
        fs::write(files.0.join("resolv.conf"), resolv)?;
        fs::write(files.0.join("hosts"), format!("127.0.0.1 localhost\n{hosts}\n"))?;
        fs::write(files.0.join("nsswitch.conf"), "hosts: files dns\n")?;
        self.files = Some(files);
        Ok(())
    }

    /// The doctor on the client.
    pub fn looked_at(self, arguments: &[&str], material: &Material, held: Vec<Held>) -> Setup {
        let ca = material.ca.display().to_string();
        let mut setup = Setup::asked(arguments).and(&["--ca", &ca]);
        setup.from = Some(Arc::clone(&self.client));
        setup.held = held;
        let Two { client, server, cable, files, held, .. } = self;
        // Servers end before the machines that they run on.
        setup.held.push(Box::new((held, files, client, server, cable)));
        setup
    }

    /// By its name, at the server's address.
    pub fn looked_at_there(self, material: &Material, held: Vec<Held>) -> Setup {
        let target = format!("ldaps://{NAME}");
        self.looked_at(&[&target, "--address", SERVER], material, held)
    }
}

pub type Held = Box<dyn std::any::Any + Send>;

/// What `ip netns exec` puts over `/etc`; taken away with it.
struct Files(PathBuf);

impl Files {
    fn new(machine: &str) -> Result<Files> {
        let folder = PathBuf::from("/etc/netns").join(machine);
        fs::create_dir_all(&folder)?;
        Ok(Files(folder))
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn filter(machine: &Machine, file: &std::path::Path, rules: &str) -> Result<()> {
    fs::write(file, format!("table inet lab {{\n{rules}\n}}\n"))?;
    run_checked(machine.command("/usr/sbin/nft").arg("-f").arg(file)).map(drop)
}

/// A process on a machine, until it listens.
pub fn started(
    mut command: Command,
    what: &str,
    folder: &std::path::Path,
    machine: &Machine,
    port: u16,
) -> Result<Process> {
    command.stdin(std::process::Stdio::null());
    let mut process = Process::start(what, folder, command)?;
    wait(&mut process, Some(machine), port)?;
    Ok(process)
}
