//! A bare server of the same request and answer shapes: the ceiling of generator and machine.
//!
//! It reads what has come, answers every message with octets made before, and writes once for all:
//! what is left when nothing is searched. Its CPU time is the floor of any server's on this
//! machine, and the generator's rate against it shows that the generator is not the bottleneck.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};

use crate::answer::{self, Message};
use crate::data::{self, Entry};
use crate::load::{self, Content, Endpoint, Expected, Load, Measured, Turn, Watch, Work};
use crate::peers::{SERVER_CORE, pinned};
use crate::request::{self, Scope, element, octets};

const READ_BYTES: usize = 64 << 10;
const TICK: Timespec = Timespec { tv_sec: 0, tv_nsec: 10_000_000 };
/// Data of the epoll event that the listener has.
const LISTENER: u64 = u64::MAX;

/// Appends the answer to a message; false closes the connection.
pub trait Answer {
    fn answer(&mut self, message: &Message<'_>, out: &mut Vec<u8>) -> bool;
}

/// Serves until `stop` is set.
pub fn serve(listener: &TcpListener, stop: &AtomicBool, answers: &mut dyn Answer) -> Result<()> {
    listener.set_nonblocking(true)?;
    let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    epoll::add(&poll, listener, epoll::EventData::new_u64(LISTENER), epoll::EventFlags::IN)?;
    let mut connections: Vec<Option<Connection>> = Vec::new();
    let mut events: Vec<epoll::Event> = Vec::with_capacity(256);
    let mut buffer = vec![0; READ_BYTES];
    while !stop.load(Ordering::Relaxed) {
        events.clear();
        match epoll::wait(&poll, spare_capacity(&mut events), Some(&TICK)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        for event in &events {
            let token = event.data.u64();
            if token == LISTENER {
                while let Ok((stream, _)) = listener.accept() {
                    stream.set_nonblocking(true)?;
                    stream.set_nodelay(true)?;
                    let data = epoll::EventData::new_u64(connections.len() as u64);
                    epoll::add(&poll, &stream, data, epoll::EventFlags::IN)?;
                    connections.push(Some(Connection {
                        stream,
                        input: Vec::new(),
                        out: Vec::new(),
                    }));
                }
                continue;
            }
            let Some(place) = connections.get_mut(token as usize) else { continue };
            if let Some(connection) = place
                && !connection.turn(&mut buffer, answers)
            {
                *place = None;
            }
        }
    }
    Ok(())
}

struct Connection {
    stream: TcpStream,
    input: Vec<u8>,
    out: Vec<u8>,
}

impl Connection {
    /// Reads once, answers all, writes once; whether it stays open.
    fn turn(&mut self, buffer: &mut [u8], answers: &mut dyn Answer) -> bool {
        let bytes = match self.stream.read(buffer) {
            Ok(0) => return false,
            Ok(bytes) => bytes,
            Err(error) => return error.kind() == ErrorKind::WouldBlock,
        };
        let read = buffer.get(..bytes).unwrap_or_default();
        self.out.clear();
        let is_open = if self.input.is_empty() {
            let (taken, is_open) = answer_all(read, answers, &mut self.out);
            self.input.extend_from_slice(read.get(taken..).unwrap_or_default());
            is_open
        } else {
            self.input.extend_from_slice(read);
            let (taken, is_open) = answer_all(&self.input, answers, &mut self.out);
            self.input.drain(..taken);
            is_open
        };
        // A client that does not read is not what is measured: its connection ends.
        self.stream.write_all(&self.out).is_ok() && is_open
    }
}

fn answer_all(bytes: &[u8], answers: &mut dyn Answer, out: &mut Vec<u8>) -> (usize, bool) {
    let mut taken = 0;
    loop {
        match answer::message(bytes.get(taken..).unwrap_or_default()) {
            Ok(Some((message, size))) => {
                taken += size;
                if !answers.answer(&message, out) {
                    return (taken, false);
                }
            }
            Ok(None) => return (taken, true),
            Err(_) => return (taken, false),
        }
    }
}

/// One entry for every search, success for the rest.
pub struct Fixed {
    entry: Vec<u8>,
}

impl Default for Fixed {
    fn default() -> Self {
        let mut entry = Vec::new();
        encode_entry(&mut entry, &data::person(0));
        Self { entry }
    }
}

impl Answer for Fixed {
    fn answer(&mut self, message: &Message<'_>, out: &mut Vec<u8>) -> bool {
        match message.tag {
            0x42 => return false,
            0x63 => {
                request::message(out, message.id, &self.entry);
                done(out, message.id, answer::SEARCH_DONE, 0);
            }
            // RFC 4511 has the tag of the answer behind the request's, but for delete.
            0x4a => done(out, message.id, answer::DELETE, 0),
            tag => done(out, message.id, tag.wrapping_add(1), 0),
        }
        true
    }
}

/// An LDAPResult.
pub fn done(out: &mut Vec<u8>, id: u32, tag: u8, code: u8) {
    request::message(out, id, &[tag, 7, 0x0a, 1, code, 0x04, 0, 0x04, 0]);
}

/// A SearchResultEntry, without the message around it.
pub fn encode_entry(out: &mut Vec<u8>, entry: &Entry) {
    element(out, answer::ENTRY, |out| {
        octets(out, 0x04, entry.dn.as_bytes());
        element(out, 0x30, |out| {
            for (name, values) in &entry.attributes {
                element(out, 0x30, |out| {
                    octets(out, 0x04, name.as_bytes());
                    element(out, 0x31, |out| {
                        values.iter().for_each(|value| octets(out, 0x04, value.as_bytes()));
                    });
                });
            }
        });
    });
}

/// Equality searches that the echo server answers as it must.
pub struct EchoWork {
    request: Vec<u8>,
    expected: Expected,
}

impl Default for EchoWork {
    fn default() -> Self {
        let mut request = Vec::new();
        let filter = |out: &mut Vec<u8>| request::equal(out, "uid", "user0");
        request::search(&mut request, data::SUFFIX, Scope::Subtree, filter, &[]);
        let mut sum = answer::EntrySum::new(data::person_dn(0).as_bytes());
        for (name, values) in data::person(0).attributes {
            let name = answer::name_hash(name.as_bytes());
            values.iter().for_each(|value| sum.value(name, value.as_bytes()));
        }
        let content = Content::Sum { entries: 1, sum: sum.finish() };
        Self { request, expected: Expected { tag: answer::SEARCH_DONE, code: 0, content } }
    }
}

impl Work for EchoWork {
    fn name(&self) -> String {
        "echo".to_owned()
    }

    fn request(&self, _: Turn, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.request);
    }

    fn expected(&self, _: Turn) -> Expected {
        self.expected
    }
}

/// The generator against an echo server in a process of its own.
#[derive(Clone, Debug)]
pub struct Ceiling {
    /// CPU of the echo server for each operation.
    pub server_cpu_us: f64,
    pub measured: Measured,
}

/// Starts `PROGRAM echo`, the program being this one, and puts it under load.
pub fn ceiling(connections: usize, depth: usize, duration: Duration) -> Result<Ceiling> {
    let program = std::env::current_exe().context("where this program is")?;
    let process = Process::start(pinned(&program, SERVER_CORE).arg("echo"))?;
    let load = Load {
        endpoint: Endpoint::parse(&format!("ldap://{}", process.at), None)?,
        bind: None,
        connections,
        depth,
        duration,
        warm_up: Duration::from_millis(200),
        operations_max: None,
    };
    let mut clock = Clock { pid: process.child.id(), begin: 0, spent: 0 };
    let measured = load::run_watched(&load, &EchoWork::default(), None, &mut clock)?;
    ensure!(measured.operations > 0, "the echo server answered nothing");
    let server_cpu_us = clock.spent as f64 / 1e3 / measured.operations as f64;
    Ok(Ceiling { server_cpu_us, measured })
}

/// The line that an echo server begins with, before its address.
pub const READY: &str = "echo on ";

/// Listens on loopback, says where, and serves until its standard input ends.
pub fn run(port: u16) -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).with_context(|| {
        format!("port {port} cannot be listened on: choose another with --port")
    })?;
    println!("{READY}{}", listener.local_addr()?);
    static STOP: AtomicBool = AtomicBool::new(false);
    std::thread::spawn(|| {
        let _ = std::io::stdin().lock().read_to_end(&mut Vec::new());
        STOP.store(true, Ordering::Relaxed);
    });
    serve(&listener, &STOP, &mut Fixed::default())
}

/// An echo server that ends with its owner: its standard input does.
struct Process {
    child: Child,
    at: SocketAddr,
}

impl Process {
    fn start(command: &mut Command) -> Result<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        let stdout = child.stdout.take().context("standard output")?;
        BufReader::new(stdout).read_line(&mut line)?;
        let at = line.trim().strip_prefix(READY).and_then(|at| at.parse().ok());
        match at {
            Some(at) => Ok(Self { child, at }),
            None => {
                child.kill()?;
                child.wait()?;
                anyhow::bail!("the echo server did not say where it listens, but `{line}`")
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads the server's CPU clock when the interval begins and ends.
struct Clock {
    pid: u32,
    begin: u64,
    spent: u64,
}

impl Watch for Clock {
    fn begins(&mut self) {
        self.begin = cpu_ns(self.pid);
    }

    fn ends(&mut self) {
        self.spent = cpu_ns(self.pid).saturating_sub(self.begin);
    }
}

/// Time on a core, of all threads of a process.
fn cpu_ns(pid: u32) -> u64 {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let time = |task: std::fs::DirEntry| -> Option<u64> {
        let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse().ok()
    };
    tasks.filter_map(time).sum()
}
