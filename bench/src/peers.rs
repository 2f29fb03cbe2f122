//! The servers that are compared: each loaded with the same tree, started, and ended with us.
//!
//! [`Kind`] says which product; [`Kind::prepare`] configures and loads one in a folder of its own,
//! and [`Prepared::start`] runs it on one core until it has answered a first search. What differs
//! between products stands in one file each. Nothing is ever logged for an operation, every
//! server is told to make writes durable before it answers, and everybody may read everything but
//! passwords.

mod chancery;
mod ds389;
mod slapd;

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{BufWriter, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use testing::certificates::{self, Certificate};
use testing::process::{Process, START_DEADLINE, run_checked};
use testing::wire::{ber, raw, request};

use crate::data::{self, Data};

/// The core servers run on; the generator has the other one.
pub const SERVER_CORE: usize = 0;
pub const GENERATOR_CORE: usize = 1;

/// How often a starting server is asked.
const POLL: Duration = Duration::from_micros(500);
const ANSWER_DEADLINE: Duration = Duration::from_secs(5);

/// A product, in a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Chancery,
    Slapd,
    /// The same, with large groups in a table of their own (`multival`, `sortvals`).
    SlapdMultival,
    Ds389,
}

impl Kind {
    pub const ALL: [Kind; 4] = [Kind::Chancery, Kind::Slapd, Kind::SlapdMultival, Kind::Ds389];

    pub fn name(self) -> &'static str {
        match self {
            Kind::Chancery => "chancery",
            Kind::Slapd => "slapd",
            Kind::SlapdMultival => "slapd-multival",
            Kind::Ds389 => "389ds",
        }
    }

    pub fn named(name: &str) -> Result<Kind> {
        let found = Kind::ALL.into_iter().find(|kind| kind.name() == name);
        found.with_context(|| {
            let names = Kind::ALL.map(Kind::name).join(", ");
            format!("no peer is called `{name}`; there are: {names}")
        })
    }

    /// What must be there for it.
    pub fn program(self) -> PathBuf {
        match self {
            Kind::Chancery => chancery::binary(),
            Kind::Slapd | Kind::SlapdMultival => "/usr/sbin/slapd".into(),
            Kind::Ds389 => "/usr/sbin/ns-slapd".into(),
        }
    }

    /// Configures and loads one below `bench`.
    pub fn prepare(self, bench: &Bench) -> Result<Prepared> {
        let program = self.program();
        ensure!(program.exists(), "{} is not there: bench/run installs it", program.display());
        let folder = bench.folder.join(self.name());
        fs::create_dir(&folder)?;
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755))?;
        match self {
            Kind::Chancery => chancery::prepare(bench, &folder),
            Kind::Slapd | Kind::SlapdMultival => slapd::prepare(self, bench, &folder),
            Kind::Ds389 => ds389::prepare(bench, &folder),
        }
    }
}

/// What all servers of one comparison share: a folder, certificates and the LDIF.
#[derive(Debug)]
pub struct Bench {
    pub data: Data,
    pub folder: PathBuf,
    pub ca: Certificate,
    pub server: Certificate,
    /// The tree and its administrator, for us, who derive `memberOf`.
    pub ldif: PathBuf,
    /// The same with `memberOf` written down, for who does not.
    pub ldif_member_of: PathBuf,
    /// Pin servers to their core; not where there is only one.
    pub pinned: bool,
}

impl Bench {
    pub fn prepare(folder: &Path, data: Data) -> Result<Bench> {
        // A server that gives up its rights must still get at its files.
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
        let ca = certificates::authority(folder)?;
        let server = certificates::server(folder, &ca)?;
        let bench = Bench {
            data,
            ca,
            server,
            ldif: folder.join("data.ldif"),
            ldif_member_of: folder.join("data-memberof.ldif"),
            folder: folder.to_owned(),
            pinned: std::thread::available_parallelism().is_ok_and(|cores| cores.get() > 1),
        };
        for (file, member_of) in [(&bench.ldif, false), (&bench.ldif_member_of, true)] {
            let mut out = BufWriter::new(File::create(file)?);
            data.write_ldif(&mut out, member_of)?;
            if !member_of {
                data.write_administrator(&mut out)?;
            }
            out.flush()?;
        }
        Ok(bench)
    }

    /// Bytes of the LDIF.
    pub fn ldif_bytes(&self) -> Result<u64> {
        Ok(fs::metadata(&self.ldif)?.len())
    }
}

/// A server that is loaded and can be started, again and again.
#[derive(Debug)]
pub struct Prepared {
    pub kind: Kind,
    /// Version as the program tells it.
    pub version: String,
    /// Everything that was configured, as a reader would write it.
    pub configuration: String,
    pub import: Duration,
    /// Where it keeps the tree.
    pub disk: Vec<PathBuf>,
    pub ldap: u16,
    pub ldaps: u16,
    pub ca: PathBuf,
    pub administrator: String,
    pub password: String,
    program: PathBuf,
    arguments: Vec<OsString>,
    folder: PathBuf,
    pinned: bool,
    /// Removed when this is dropped.
    instance: Option<ds389::Instance>,
}

impl Prepared {
    /// Starts it and waits for the answer to a first search.
    pub fn start(&self) -> Result<Running> {
        let mut command = match self.pinned {
            true => pinned(&self.program, SERVER_CORE),
            false => Command::new(&self.program),
        };
        command.args(&self.arguments);
        let begin = Instant::now();
        let process = Process::start(self.kind.name(), &self.folder, command)?;
        let mut running = Running { process, start: Duration::ZERO };
        loop {
            if first_answer(self.ldap).is_ok() {
                running.start = begin.elapsed();
                return Ok(running);
            }
            let gone = !Path::new(&format!("/proc/{}/exe", running.pid())).exists();
            if gone || begin.elapsed() > START_DEADLINE {
                bail!("no answer from {}\n{}", self.kind.name(), running.process.output());
            }
            std::thread::sleep(POLL);
        }
    }

    /// `ldap://…` or `ldaps://…`, as the certificate names the host.
    pub fn uri(&self, secure: bool) -> String {
        match secure {
            true => format!("ldaps://localhost:{}", self.ldaps),
            false => format!("ldap://127.0.0.1:{}", self.ldap),
        }
    }

    /// Bytes that its tree takes on disk, holes not counted.
    pub fn disk_bytes(&self) -> u64 {
        self.disk.iter().map(|path| allocated(path)).sum()
    }
}

/// A server that answers.
#[derive(Debug)]
pub struct Running {
    pub process: Process,
    /// From starting the process to the first answer.
    pub start: Duration,
}

impl Running {
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// False when the process has ended, or is only waited for.
    pub fn alive(&self) -> bool {
        // A zombie has no executable any more.
        fs::read_link(format!("/proc/{}/exe", self.pid())).is_ok()
    }

    pub fn stop(mut self) -> Result<()> {
        self.process.terminate().map(drop)
    }
}

/// `program` on one core only.
pub(crate) fn pinned(program: &Path, core: usize) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", &core.to_string()]).arg(program);
    command
}

/// `program` with every core, whatever we are pinned to: for loading.
fn unpinned(program: impl AsRef<Path>) -> Command {
    let last = std::fs::read_to_string("/sys/devices/system/cpu/online").unwrap_or_default();
    let mut command = Command::new("taskset");
    command.args(["-c", last.trim()]).arg(program.as_ref());
    command
}

/// Runs something that loads, and says how long it took.
fn timed(command: &mut Command) -> Result<Duration> {
    let begin = Instant::now();
    run_checked(command)?;
    Ok(begin.elapsed())
}

/// One anonymous equality search over a connection without TLS, to the end of its answer.
fn first_answer(port: u16) -> Result<()> {
    let mut socket = TcpStream::connect(("127.0.0.1", port))?;
    socket.set_read_timeout(Some(ANSWER_DEADLINE))?;
    let search = request::search(data::SUFFIX, request::SUBTREE, "(uid=user1)", &["cn"]);
    socket.write_all(&raw::message(1, &search, &[]))?;
    let (mut unread, mut entries) = (Vec::new(), 0);
    loop {
        let mut piece = [0; 4096];
        let length = socket.read(&mut piece)?;
        ensure!(length > 0, "closed");
        unread.extend_from_slice(piece.get(..length).unwrap_or_default());
        while let Some(end) = ber::whole(&unread)? {
            let message: Vec<u8> = unread.drain(..end).collect();
            let outer = ber::Element::all(&message)?.pop().context("empty")?;
            let parts = ber::Element::all(&outer.content)?;
            match parts.get(1).map(|operation| operation.tag) {
                Some(0x64) => entries += 1,
                Some(0x65) if entries == 1 => return Ok(()),
                other => bail!("{other:?} after {entries} entries"),
            }
        }
    }
}

/// Bytes allocated below a path.
fn allocated(path: &Path) -> u64 {
    let Ok(about) = fs::symlink_metadata(path) else { return 0 };
    if !about.is_dir() {
        return about.blocks() * 512;
    }
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    entries.map(|entry| allocated(&entry.path())).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_found_by_their_names() {
        for kind in Kind::ALL {
            assert_eq!(Kind::named(kind.name()).unwrap(), kind);
        }
        assert!(Kind::named("ad").unwrap_err().to_string().contains("389ds"));
    }

    #[test]
    fn holes_are_not_counted() {
        let folder = tempfile::tempdir().unwrap();
        let file = File::create(folder.path().join("sparse")).unwrap();
        file.set_len(1 << 30).unwrap();
        assert!(allocated(folder.path()) < 1 << 20);
    }
}
