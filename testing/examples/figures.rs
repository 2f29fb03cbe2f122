//! Figures side by side: the same LDIF and the same work for slapd and for us, one after the other,
//! on loopback over LDAPS, with the server's own CPU time per operation.
//!
//! `cargo run --release -p testing --example figures -- [ENTRIES] [--group-max MEMBERS]`
//! needs `cargo build --release -p chancery` and Debian's slapd. It prints a table; nothing here is
//! asserted, and machines are noisy: run it several times.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a tool for whoever measures")]

use std::fmt::Write as _;
use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use testing::certificates;
use testing::peers::chancery;
use testing::ports;
use testing::process::{Process, run_checked};
use testing::wire::Connection;
use testing::wire::ber::{element, enumerated, integer, octets};

const SUFFIX: &str = "dc=example,dc=com";
const PASSWORD: &str = "figures";
/// How long each piece of work runs.
const RUN: Duration = Duration::from_secs(5);

fn main() -> Result<()> {
    let entries: u64 = std::env::args().nth(1).map_or(Ok(100_000), |text| text.parse())?;
    let folder = tempfile::Builder::new().prefix("figures-").tempdir()?;
    let ldif = folder.path().join("data.ldif");
    write_ldif(&ldif, entries)?;
    println!("{entries} people, LDIF of {} MiB", fs::metadata(&ldif)?.len() >> 20);
    let ours = measure_chancery(folder.path(), &ldif, entries)?;
    let theirs = measure_slapd(folder.path(), &ldif, entries)?;
    println!("\n{:<44}{:>14}{:>14}{:>9}", "", "chancery", "slapd", "ratio");
    for (our, their) in ours.iter().zip(&theirs) {
        let ratio =
            if our.more_is_better { our.value / their.value } else { their.value / our.value };
        println!("{:<44}{:>14.1}{:>14.1}{:>8.2}x", our.name, our.value, their.value, ratio);
    }
    println!("(ratio above 1: we are better)");
    Ok(())
}

struct Figure {
    name: String,
    value: f64,
    more_is_better: bool,
}

fn figure(name: impl Into<String>, value: f64, more_is_better: bool) -> Figure {
    Figure { name: name.into(), value, more_is_better }
}

/// People of about 700 bytes, 1000 groups of 100, one of half of all.
fn write_ldif(path: &Path, people: u64) -> Result<()> {
    let mut out = BufWriter::new(fs::File::create(path)?);
    writeln!(out, "dn: {SUFFIX}\nobjectClass: domain\ndc: example\n")?;
    for unit in ["people", "groups"] {
        writeln!(out, "dn: ou={unit},{SUFFIX}\nobjectClass: organizationalUnit\nou: {unit}\n")?;
    }
    for n in 0..people {
        writeln!(
            out,
            "dn: uid=user{n},ou=people,{SUFFIX}\nobjectClass: inetOrgPerson\n\
             objectClass: organizationalPerson\nobjectClass: person\nobjectClass: top\nuid: user{n}\n\
             cn: Given{a} Family{b} {n}\nsn: Family{b}\ngivenName: Given{a}\n\
             displayName: Given{a} Family{b} {n}\nmail: user{n}@example.com\n\
             telephoneNumber: +46 8 {n:09}\nmobile: +46 70 {n:09}\nemployeeNumber: {n}\n\
             departmentNumber: {c}\ntitle: Engineer of level {a}\nroomNumber: {b}\n\
             street: Storgatan {b}\nl: Stockholm\npostalCode: {d}\n\
             userPassword: {{SSHA}}W6ph5Mm5Pz8GgiULbPgzG37mj9g5NjQ2NzQ2\n\
             description: A person made for measuring, number {n}, with text to be of a usual size\n",
            a = n % 20,
            b = n / 20 % 300,
            c = n % 50,
            d = 10_000 + n % 80_000,
        )?;
    }
    for group in 0..1000u64 {
        writeln!(
            out,
            "dn: cn=group{group},ou=groups,{SUFFIX}\nobjectClass: groupOfNames\ncn: group{group}"
        )?;
        for k in 0..100u64 {
            writeln!(
                out,
                "member: uid=user{},ou=people,{SUFFIX}",
                (group * 100 + k * 37) % people
            )?;
        }
        writeln!(out)?;
    }
    writeln!(out, "dn: cn=big,ou=groups,{SUFFIX}\nobjectClass: groupOfNames\ncn: big")?;
    for k in 0..people / 2 {
        writeln!(out, "member: uid=user{k},ou=people,{SUFFIX}")?;
    }
    writeln!(out)?;
    Ok(out.flush()?)
}

/// A server that runs, and how to talk to it.
struct Running {
    process: Process,
    port: u16,
    ca: PathBuf,
    admin: String,
    password: String,
}

impl Running {
    fn connect(&self) -> Result<Connection> {
        let mut connection = Connection::open(self.port, &self.ca)?;
        connection.bind(&self.admin, &self.password)?.expect_success("bind")?;
        Ok(connection)
    }

    /// User and system time so far, in seconds.
    fn cpu(&self) -> f64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process.pid())).unwrap();
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
        let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
        ticks / 100.0
    }

    fn resident_mib(&self, what: &str) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with(what)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
    }
}

fn measure_chancery(folder: &Path, ldif: &Path, entries: u64) -> Result<Vec<Figure>> {
    let data = folder.join("chancery");
    let begin = Instant::now();
    run_checked(Command::new(chancery::binary()).arg("import").arg(ldif).arg("--data").arg(&data))?;
    let import = begin.elapsed();
    let mut command = Command::new(chancery::binary());
    command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(&data);
    command.env("CHANCERY_LOG", "error");
    let mut process = Process::start("chancery", folder, command)?;
    let port = process.wait_for_line(|line| {
        line.strip_prefix("listening on ldaps://127.0.0.1:")
            .and_then(|port| port.trim().parse().ok())
    })?;
    let password = fs::read_to_string(data.join("admin.password"))?;
    let admin = format!("cn=admin,{SUFFIX}");
    measure(Running { process, port, ca: data.join("ca.pem"), admin, password }, import, entries)
}

fn measure_slapd(folder: &Path, ldif: &Path, entries: u64) -> Result<Vec<Figure>> {
    let ca = certificates::authority(folder)?;
    let tls = certificates::server(folder, &ca)?;
    let database = folder.join("slapd");
    fs::create_dir(&database)?;
    let configuration = folder.join("slapd.conf");
    let mut text = String::new();
    for schema in ["core", "cosine", "inetorgperson"] {
        writeln!(text, "include /etc/ldap/schema/{schema}.schema")?;
    }
    // The same indexes as ours, and everything else tuned as its documentation advises.
    write!(
        text,
        "modulepath /usr/lib/ldap\nmoduleload back_mdb\nthreads 4\n\
         TLSCACertificateFile {ca}\nTLSCertificateFile {cert}\nTLSCertificateKeyFile {key}\n\
         database mdb\nsuffix {SUFFIX}\nrootdn cn=admin,{SUFFIX}\nrootpw {PASSWORD}\ndirectory {data}\n\
         maxsize 17179869184\nindex objectClass,entryUUID,telephoneNumber,employeeNumber,ou,o,dc eq\n\
         index uid,cn,sn,givenName,displayName eq,sub\nindex mail pres,eq,sub\nindex member eq\n",
        ca = ca.certificate.display(),
        cert = tls.certificate.display(),
        key = tls.key.display(),
        data = database.display(),
    )?;
    fs::write(&configuration, text)?;
    let begin = Instant::now();
    let mut load = Command::new("/usr/sbin/slapadd");
    run_checked(load.arg("-q").arg("-f").arg(&configuration).arg("-l").arg(ldif))?;
    let import = begin.elapsed();
    let [port] = ports::free::<1>()?;
    let mut command = Command::new("/usr/sbin/slapd");
    command.args(["-d", "0", "-h", &format!("ldaps://127.0.0.1:{port}"), "-f"]).arg(&configuration);
    let mut process = Process::start("slapd", folder, command)?;
    process.wait_for_port(port)?;
    let admin = format!("cn=admin,{SUFFIX}");
    let password = PASSWORD.to_owned();
    measure(Running { process, port, ca: ca.certificate, admin, password }, import, entries)
}

fn measure(server: Running, import: Duration, entries: u64) -> Result<Vec<Figure>> {
    let mut figures = vec![figure("import, seconds", import.as_secs_f64(), false)];
    for connections in [1, 16] {
        let name = format!("equality search, {connections} connections");
        let work = |n: u64| search(&format!("user{}", n.wrapping_mul(2_654_435_761) % entries));
        run(&server, &name, connections, &work, &mut figures)?;
    }
    for connections in [1, 16, 64] {
        let name = format!("durable modify, {connections} connections");
        let work = |n: u64| {
            let user = n.wrapping_mul(2_654_435_761) % entries;
            modify(
                &format!("uid=user{user},ou=people,{SUFFIX}"),
                2,
                "description",
                &format!("changed {n}"),
            )
        };
        run(&server, &name, connections, &work, &mut figures)?;
    }
    for (group, first) in [("group7", entries / 2), ("big", entries / 2)] {
        let dn = format!("cn={group},ou=groups,{SUFFIX}");
        let name = format!("add one member to {group}");
        let work = |n: u64| {
            let member = format!("uid=user{},ou=people,{SUFFIX}", first + n % (entries / 2));
            modify(&dn, 0, "member", &member)
        };
        run(&server, &name, 1, &work, &mut figures)?;
    }
    figures.push(figure("resident, MiB", server.resident_mib("VmRSS"), false));
    figures.push(figure("resident and anonymous, MiB", server.resident_mib("RssAnon"), false));
    Ok(figures)
}

/// Runs one kind of work for a while: operations a second, and the server's CPU for each.
fn run(
    server: &Running,
    name: &str,
    connections: u64,
    work: &(dyn Fn(u64) -> Vec<u8> + Sync),
    figures: &mut Vec<Figure>,
) -> Result<()> {
    let mut open = (0..connections).map(|_| server.connect()).collect::<Result<Vec<_>>>()?;
    let (cpu, begin) = (server.cpu(), Instant::now());
    let done: Result<u64> = std::thread::scope(|scope| {
        let threads: Vec<_> = open
            .iter_mut()
            .zip(0u64..)
            .map(|(connection, thread)| {
                scope.spawn(move || -> Result<u64> {
                    let mut done = 0;
                    while begin.elapsed() < RUN {
                        let answer = connection.ask(&work(thread + done * connections), &[])?;
                        // Adding a member twice is no failure of the measurement.
                        ensure!(answer.code == 0 || answer.code == 20, "{name}: {answer:?}");
                        done += 1;
                    }
                    Ok(done)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    let (done, seconds) = (done.context("measuring")? as f64, begin.elapsed().as_secs_f64());
    figures.push(figure(format!("{name}: per second"), done / seconds, true));
    figures.push(figure(format!("{name}: CPU µs each"), (server.cpu() - cpu) / done * 1e6, false));
    Ok(())
}

/// RFC 4511 §4.5.1: the whole subtree, by uid, all attributes.
fn search(uid: &str) -> Vec<u8> {
    let mut body = octets(SUFFIX.as_bytes());
    body.extend(enumerated(2));
    body.extend(enumerated(0));
    body.extend(integer(0));
    body.extend(integer(0));
    body.extend(element(0x01, &[0]));
    let mut filter = octets(b"uid");
    filter.extend(octets(uid.as_bytes()));
    body.extend(element(0xa3, &filter));
    body.extend(element(0x30, &[]));
    element(0x63, &body)
}

/// RFC 4511 §4.6: one modification of one value; 0 adds, 2 replaces.
fn modify(dn: &str, operation: u8, attribute: &str, value: &str) -> Vec<u8> {
    let mut partial = octets(attribute.as_bytes());
    partial.extend(element(0x31, &octets(value.as_bytes())));
    let mut change = enumerated(operation.into());
    change.extend(element(0x30, &partial));
    let mut body = octets(dn.as_bytes());
    body.extend(element(0x30, &element(0x30, &change)));
    element(0x66, &body)
}
