//! Machines with addresses of their own, on one cable: network namespaces, made and taken away
//! again. Needs root; who has it not is told so by [`peer`].

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::peers::missing::Peer;
use crate::process::run_checked;

/// A packet filter that drops says nothing: so long is a connection waited for.
const CONNECT_PATIENCE: Duration = Duration::from_secs(20);

/// Somebody who says nothing for this long is a failure, not a wait.
const ANSWER_DEADLINE: Duration = Duration::from_secs(60);

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// What a test needs that uses these.
pub fn peer() -> Peer {
    // Tests run beside each other: each probes under a name of its own.
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let probe = format!("chancery-probe-{}-{number}", std::process::id());
    let can = ip(&["netns", "add", &probe]).and_then(|()| ip(&["netns", "del", &probe])).is_ok();
    Peer {
        name: "network namespaces".to_owned(),
        file: if can { "/" } else { "/nonexistent" }.into(),
        remedy: "run as root on Linux, with iproute2".to_owned(),
    }
}

fn ip(arguments: &[&str]) -> Result<()> {
    run_checked(Command::new("ip").args(arguments)).map(drop)
}

/// One cable, to which machines are connected.
#[derive(Debug)]
pub struct Cable {
    name: String,
}

/// One machine. Everybody on the cable reaches everybody, whatever their addresses.
#[derive(Debug)]
pub struct Machine {
    name: String,
}

fn fresh_name(what: &str) -> String {
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    format!("chancery-{}-{number}-{what}", std::process::id())
}

impl Cable {
    pub fn new() -> Result<Cable> {
        let cable = Cable { name: fresh_name("cable") };
        ip(&["netns", "add", &cable.name])?;
        ip(&["-n", &cable.name, "link", "add", "bridge", "type", "bridge"])?;
        ip(&["-n", &cable.name, "link", "set", "bridge", "up"])?;
        Ok(cable)
    }

    /// A machine with these addresses.
    pub fn machine(&self, what: &str, addresses: &[&str]) -> Result<Machine> {
        let machine = Machine { name: fresh_name(what) };
        let name = machine.name.as_str();
        ip(&["netns", "add", name])?;
        ip(&["-n", name, "link", "set", "lo", "up"])?;
        // The end in the cable needs a name there that no other has.
        let port = format!("p{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let link = ["link", "add", &port, "type", "veth", "peer", "name", "eth0", "netns", name];
        ip(&[&["-n", &self.name][..], &link].concat())?;
        ip(&["-n", &self.name, "link", "set", &port, "master", "bridge", "up"])?;
        ip(&["-n", name, "link", "set", "eth0", "up"])?;
        for address in addresses {
            let address: IpAddr = address.parse()?;
            let (length, family) = if address.is_ipv4() { (32, "-4") } else { (128, "-6") };
            let address = format!("{address}/{length}");
            // Nobody else has it, so nobody is asked first.
            let options: &[&str] = if length == 128 { &["nodad"] } else { &[] };
            ip(&[&["-n", name, "address", "add", &address, "dev", "eth0"][..], options].concat())?;
            ip(&["-n", name, family, "route", "replace", "default", "dev", "eth0"])?;
        }
        Ok(machine)
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        let _ = ip(&["netns", "del", &self.name]);
    }
}

impl Machine {
    /// As `ip netns` knows it; files of `/etc/netns/NAME` are put over `/etc` for its programs.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A program on this machine. The process that is started becomes the program.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, program]);
        command
    }

    /// A connection from this machine. It stays one of it, wherever it is used.
    pub fn connect(&self, to: SocketAddr) -> Result<TcpStream> {
        let space = File::open(format!("/run/netns/{}", self.name)).context("namespace")?;
        let stream = std::thread::spawn(move || -> Result<TcpStream> {
            move_into_link_name_space(
                std::os::fd::AsFd::as_fd(&space),
                Some(LinkNameSpaceType::Network),
            )
            .context("setns")?;
            TcpStream::connect_timeout(&to, CONNECT_PATIENCE).context("connect")
        });
        let Ok(stream) = stream.join() else { bail!("the thread in the namespace panicked") };
        let stream = stream?;
        stream.set_read_timeout(Some(ANSWER_DEADLINE))?;
        Ok(stream)
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = ip(&["netns", "del", &self.name]);
    }
}

/// Everything that somebody says until they close, in whatever way.
pub fn heard(mut stream: TcpStream) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Err(error) if error.kind() != ErrorKind::ConnectionReset => Err(error.into()),
        _ => Ok(bytes),
    }
}
