//! The same faults, looked at with the tools that people have: `openssl s_client`, `ldapsearch`,
//! testssl.sh and sslyze. A tool has named a cause when a line of what it says does; which words
//! those are stands here, by cause, and the same words count for each of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::{Fault, Lab, Setup, each};
use crate::peers::chancery::target_folder;
use crate::peers::missing::Peer;
use crate::process::{Finished, run};

pub const TOOLS: [&str; 4] = ["openssl", "ldapsearch", SLOW, "sslyze"];
const SLOW: &str = "testssl.sh";

pub fn peers() -> Vec<Peer> {
    vec![
        Peer::program("ldapsearch", "/usr/bin/ldapsearch"),
        Peer::program("testssl.sh", "/usr/bin/testssl"),
        Peer::program("sslyze", sslyze()),
        Peer::program("unshare", "/usr/bin/unshare"),
    ]
}

fn sslyze() -> PathBuf {
    target_folder().join("peers/venv/bin/sslyze")
}

/// What is asked, taken from what the doctor is asked.
#[derive(Debug, Default)]
struct Asked {
    scheme: String,
    name: String,
    port: u16,
    /// Instead of what the name resolves to.
    addresses: Vec<(String, u16)>,
    ca: String,
    sign_in: Option<(String, String)>,
    search: Option<(String, String)>,
    is_clear: bool,
}

impl Asked {
    fn of(setup: &Setup) -> Asked {
        let mut asked = Asked::default();
        let (mut base, mut filter, mut who, mut file) = Default::default();
        let mut addresses = Vec::new();
        let mut words = setup.arguments.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--in-the-clear" => asked.is_clear = true,
                "--revocation" => {}
                option if option.starts_with("--") => {
                    let value = words.next().cloned().unwrap_or_default();
                    match option {
                        "--address" => addresses.push(value),
                        "--ca" => asked.ca = value,
                        "--as" => who = value,
                        "--password-file" => file = value,
                        "--base" => base = value,
                        "--filter" => filter = value,
                        // How long it waits and what it expects are the doctor's own.
                        _ => {}
                    }
                }
                target => asked.target(target),
            }
        }
        // What signs in in the clear does it at the port for that.
        if asked.is_clear && (asked.scheme.as_str(), asked.port) == ("ldaps", 636) {
            asked.target(&format!("ldap://{}", asked.name.clone()));
        }
        let port = asked.port;
        let socket = |text: &String| match text.parse::<std::net::SocketAddr>() {
            Ok(both) => (both.ip().to_string(), both.port()),
            Err(_) => (text.clone(), port),
        };
        asked.addresses = addresses.iter().map(socket).collect();
        asked.sign_in = (!who.is_empty()).then_some((who, file));
        asked.search = (!base.is_empty()).then_some((base, filter));
        asked
    }

    fn target(&mut self, text: &str) {
        let (scheme, rest) = text.split_once("://").unwrap_or(("ldaps", text));
        let (name, port) = rest.split_once(':').unwrap_or((rest, ""));
        let usual = if scheme == "ldap" { 389 } else { 636 };
        self.scheme = scheme.to_owned();
        self.name = name.to_owned();
        self.port = port.parse().unwrap_or(usual);
    }

    /// Where a tool is pointed, one run for each: an address and port, or the name.
    fn places(&self) -> Vec<(Option<String>, u16)> {
        match self.addresses.as_slice() {
            [] => vec![(None, self.port)],
            some => some.iter().map(|(ip, port)| (Some(ip.clone()), *port)).collect(),
        }
    }
}

/// What a tool says of a fault that stands, at every address of it.
pub fn said(lab: &Lab, setup: &Setup, tool: &str) -> Result<String> {
    let asked = Asked::of(setup);
    let mut all = String::new();
    for (address, port) in asked.places() {
        let arguments = match tool {
            "openssl" => openssl(&asked, address.as_deref(), port),
            "ldapsearch" => ldapsearch(&asked, port),
            SLOW => testssl(&asked, address.as_deref(), port),
            _ => sslyze_of(&asked, address.as_deref(), port),
        };
        let mut command = wrapped(lab, setup, &asked, address.as_deref(), &arguments)?;
        command.env("LDAPTLS_CACERT", &asked.ca).env("LDAPTLS_REQCERT", "demand");
        command.envs(setup.environment.iter().map(|(name, value)| (name, value)));
        let finished = run(&mut command)?;
        all += &format!("$ {}\n{}{}\n", arguments.join(" "), finished.stdout, finished.stderr);
    }
    Ok(all)
}

/// Where the fault is, and with the name in `/etc/hosts` where the doctor was given an address:
/// not every tool can be pointed elsewhere.
fn wrapped(
    lab: &Lab,
    setup: &Setup,
    asked: &Asked,
    address: Option<&str>,
    arguments: &[String],
) -> Result<Command> {
    let bind = "mount --bind \"$1\" /etc/hosts && shift && exec \"$@\"";
    let mut words: Vec<String> = Vec::new();
    if let Some(address) = address {
        let hosts = lab.folder("hosts")?.join("hosts");
        fs::write(&hosts, format!("127.0.0.1 localhost\n{address} {}\n", asked.name))?;
        words.extend(["unshare", "-m", "sh", "-c", bind, "sh"].map(str::to_owned));
        words.push(hosts.display().to_string());
    }
    words.extend_from_slice(arguments);
    let (program, rest) = words.split_first().map_or(("true", &[][..]), |(one, rest)| (one, rest));
    let mut command = match &setup.from {
        Some(machine) => machine.command(program),
        None => Command::new(program),
    };
    command.args(rest);
    Ok(command)
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

fn openssl(asked: &Asked, address: Option<&str>, port: u16) -> Vec<String> {
    let (name, host) = (&asked.name, address.unwrap_or(&asked.name));
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let is_address = name.parse::<std::net::IpAddr>().is_ok();
    let check = if is_address { "-verify_ip" } else { "-verify_hostname" };
    let mut all = words("timeout -k 1 10 openssl s_client -verify_return_error");
    all.extend(["-connect".to_owned(), format!("{host}:{port}")]);
    all.extend([check.to_owned(), name.clone()]);
    if !is_address {
        all.extend(["-servername".to_owned(), name.clone()]);
    }
    if !asked.ca.is_empty() {
        all.extend(["-CAfile".to_owned(), asked.ca.clone()]);
    }
    if asked.scheme == "ldap" {
        all.extend(words("-starttls ldap"));
    }
    all
}

fn ldapsearch(asked: &Asked, port: u16) -> Vec<String> {
    let mut all = words("timeout -k 1 10 ldapsearch -d 1 -x -o nettimeout=8 -H");
    all.push(format!("{}://{}:{port}", asked.scheme, asked.name));
    if asked.scheme == "ldap" && !asked.is_clear {
        all.push("-ZZ".to_owned());
    }
    match &asked.sign_in {
        Some((who, file)) => all.extend(["-D", who, "-y", file].map(str::to_owned)),
        // As the doctor does it there: somebody whom nobody knows.
        None if asked.is_clear => all.extend(words("-D cn=nobody,dc=corp,dc=example -w nothing")),
        None => {}
    }
    match &asked.search {
        Some((base, filter)) => all.extend(["-b", base, filter].map(str::to_owned)),
        None => all.extend(["-b", "", "-s", "base"].map(str::to_owned)),
    }
    all
}

fn testssl(asked: &Asked, address: Option<&str>, port: u16) -> Vec<String> {
    let mut all = words("timeout -k 1 300 testssl --warnings off --color 0 --nodns none");
    all.extend(words("--connect-timeout 5 --openssl-timeout 5 --protocols --server-defaults"));
    if !asked.ca.is_empty() {
        all.extend(["--add-ca".to_owned(), asked.ca.clone()]);
    }
    if let Some(address) = address {
        all.extend(["--ip".to_owned(), address.to_owned()]);
    }
    if asked.scheme == "ldap" {
        all.extend(words("--starttls ldap"));
    }
    all.push(format!("{}:{port}", asked.name));
    all
}

fn sslyze_of(asked: &Asked, address: Option<&str>, port: u16) -> Vec<String> {
    let mut all = words("timeout -k 1 60");
    all.push(sslyze().display().to_string());
    all.extend(words("--certinfo --tlsv1 --tlsv1_1 --tlsv1_2 --tlsv1_3 --mozilla_config=disable"));
    if !asked.ca.is_empty() {
        all.extend(["--certinfo_ca_file".to_owned(), asked.ca.clone()]);
    }
    if asked.scheme == "ldap" {
        all.extend(words("--starttls ldap"));
    }
    let there = address.map(|ip| format!("{{{ip}}}")).unwrap_or_default();
    all.push(format!("{}:{port}{there}", asked.name));
    all
}

/// Words of which one must stand in what a tool says. Single spaces, small letters.
const NAMED: &[(&str, &[&str])] = &[
    (
        "DNS",
        &[
            "name or service not known",
            "no address associated",
            "temporary failure in name resolution",
            "could not resolve",
            "can't resolve",
            "cannot resolve",
            "no ipv4/ipv6 address",
            "no ipv4 address",
            "link-local",
            "nxdomain",
        ],
    ),
    ("TCP-REFUSED", &["refused", "rejected the connection"]),
    (
        "TCP-FILTERED",
        &["timed out", "connection timeout", "connect timeout", "filtered", "firewalled"],
    ),
    ("TCP-UNREACHABLE", &["unreachable", "no route to host"]),
    (
        "ONE-BAD-NODE",
        &[
            "refused",
            "rejected the connection",
            "timed out",
            "connection timeout",
            "connect timeout",
            "unreachable",
            "no route to host",
            "has expired",
            "(expired)",
            "not valid at validation time",
        ],
    ),
    ("WRONG-CERT", &["different certificate", "another certificate", "certificates differ"]),
    ("MTU", &["mtu", "fragment", "packet size"]),
    ("SNI", &["unrecognized name", "unrecognized_name", "without sni", "no sni", "sni mandatory"]),
    (
        "SCHEME-MIX",
        &[
            "wrong version number",
            "tls/ssl enabled",
            "not a tls",
            "not tls",
            "does not speak tls",
            "tls already",
            "unsupported extended operation",
            "starttls not supported",
            "didn't support starttls",
            "does not support starttls",
            "tls was rejected",
        ],
    ),
    ("NO-LDAPS-CERT", &["no peer certificate available", "no certificate"]),
    (
        "TLS-VERSION",
        &[
            "protocol version",
            "unsupported protocol",
            "no protocols available",
            "no shared cipher",
            "no ciphers",
            "tls 1.2 not offered",
            "tls 1.2 cipher suites: attempted to connect using 156 cipher suites; the server rejected",
        ],
    ),
    ("TLS-FAILED", &["handshake failed", "timed out", "connection timeout", "connect timeout"]),
    (
        "MTLS",
        &[
            "certificate required",
            "client certificate required",
            "acceptable client certificate ca names",
            "client authentication required",
            "requires a client certificate",
            "requested optional client certificate",
            "required client certificate",
            "client auth",
        ],
    ),
    (
        "TRUST-CHAIN",
        &[
            "unable to verify the first certificate",
            "unable to get local issuer",
            "chain incomplete",
            "incomplete chain",
            "missing intermediate",
            "candidates exhausted",
            "issuer is unknown",
        ],
    ),
    (
        "TRUST-CA",
        &[
            "unable to get local issuer",
            "unable to get issuer",
            "self-signed",
            "self signed",
            "unknown ca",
            "not trusted",
            "untrusted",
            "issuer is unknown",
            "chain incomplete",
        ],
    ),
    ("CERT-EXPIRED", &["expired", "not valid at validation time"]),
    (
        "CLOCK",
        &[
            "not yet valid",
            "not valid yet",
            "not yet activated",
            "not valid at validation time",
            "clock is",
        ],
    ),
    ("EXPIRY", &["expires <", "will expire", "expires in", "expires soon"]),
    (
        "NAME-MISMATCH",
        &[
            "hostname mismatch",
            "ip address mismatch",
            "does not match",
            "not match",
            "no match",
            "no matching subjectaltname",
        ],
    ),
    (
        "CERT-NO-SAN",
        &["san) missing", "no subject alternative", "no subjectaltname", "no san", "without san"],
    ),
    (
        "EKU",
        &[
            "purpose",
            "required eku not found",
            "key usage violation",
            "not for servers",
            "extended key usage does not",
        ],
    ),
    (
        "WEAK-CRYPTO",
        &[
            "too small",
            "too weak",
            "insecure algorithm",
            "with sha1",
            "sha1 signature",
            "forbidden signature algorithm",
            "signature algorithm: sha1",
            "1024 bits",
            "key size: 1024",
        ],
    ),
    (
        "CHAIN-ORDER",
        &["out of order", "ordering problem", "wrong order", "order is wrong", "chain order: not"],
    ),
    (
        "CERT-OTHER",
        &[
            "invalid ca",
            "permitted subtree",
            "name constraint",
            "path length",
            "not a ca",
            "is a ca",
            "basicconstraints.ca must",
        ],
    ),
    ("REVOKED", &["certificate revoked", "is revoked", "has been revoked", "revoked certificate"]),
    ("LDAP", &["decoding error", "not an ldap", "no ldap"]),
    ("AUTH", &["invalid credentials", "invalid dn"]),
    (
        "AUTH-SUBCODE",
        &[
            "account disabled",
            "account is disabled",
            "locked out",
            "account is locked",
            "account has expired",
            "password has expired",
            "must be changed",
            "logon hours",
        ],
    ),
    (
        "SIGNING-REQUIRED",
        &["strong(er) authentication required", "confidentiality required", "ssf not met"],
    ),
    ("CLEAR-PASSWORDS", &["in the clear", "cleartext", "clear text", "unencrypted"]),
    (
        "SEARCH-SHAPE",
        &[
            "no such object",
            "size limit exceeded",
            "insufficient access",
            "authentication required",
            "without authentication",
            "inappropriate authentication",
        ],
    ),
    ("REFERRAL", &["search reference", "ref: ldap", "referral"]),
    ("IDLE-DROP", &["idle timeout", "idle time", "was idle"]),
    ("BER-QUIRK", &["non-minimal", "long form", "length encoding"]),
    ("REVOCATION", &["unable to get certificate crl", "crl download failed", "no crl"]),
    ("CBT", &["channel binding"]),
];

/// Whether a tool has named the cause.
pub fn has_named(fault: &Fault, said: &str) -> bool {
    // What it was asked is not what it says.
    let lines = said.lines().filter(|line| !line.starts_with("$ "));
    let lines: Vec<&str> = lines.flat_map(str::split_whitespace).collect();
    let text = lines.join(" ").to_ascii_lowercase();
    let is_wrong = fault.id.contains("wrong-password") || fault.id.contains("nobody");
    let words = NAMED.iter().find(|(cause, _)| *cause == fault.cause);
    let words = words.map_or(&[][..], |(_, words)| words);
    let is_there = words.iter().any(|word| text.contains(word));
    // That the credentials are wrong is the whole truth where they are.
    is_there || (fault.cause == "AUTH-SUBCODE" && is_wrong && text.contains("invalid credentials"))
}

/// What was said of one fault, in files: what is there is not asked again.
struct Kept<'a> {
    folder: &'a Path,
    fault: &'a Fault,
    /// testssl.sh takes a minute: of the same fault on several stacks it is shown one.
    is_shown_to_slow: bool,
    /// Nothing is asked any more: the table is made of what is there.
    is_all: bool,
}

/// What all said of a fault.
struct Said {
    /// Whether the doctor had the true cause first.
    is_first: bool,
    /// One for each of [`TOOLS`] that was asked.
    said: Vec<Option<String>>,
}

impl Kept<'_> {
    fn file(&self, tool: &str) -> PathBuf {
        let Fault { cause, stack, id, .. } = self.fault;
        self.folder.join(format!("{cause}-{stack}-{id}-{tool}.txt"))
    }

    fn all(&self, lab: &Lab) -> Result<Said> {
        let mut standing = None;
        let doctor = self.one(lab, "doctor", &mut standing)?;
        let mut said = Vec::new();
        for tool in TOOLS {
            let is_there = self.file(tool).exists();
            let is_asked = is_there || !self.is_all && (tool != SLOW || self.is_shown_to_slow);
            said.push(match is_asked {
                true => Some(self.one(lab, tool, &mut standing)?),
                false => None,
            });
        }
        let doctor = Finished { code: None, stdout: doctor, stderr: String::new() };
        let found = super::findings(&doctor)?;
        let code = found.first().map(|one| super::text(one, "code"));
        Ok(Said { is_first: code.as_deref() == Some(self.fault.cause), said })
    }

    fn one(&self, lab: &Lab, tool: &str, standing: &mut Option<Setup>) -> Result<String> {
        let file = self.file(tool);
        if let Ok(text) = fs::read_to_string(&file) {
            return Ok(text);
        }
        let setup = match standing.take() {
            Some(setup) => setup,
            None => self.fault.stand(lab)?,
        };
        let text = match tool {
            "doctor" => setup.look()?.stdout,
            tool => said(lab, &setup, tool)?,
        };
        *standing = Some(setup);
        fs::write(file, &text)?;
        Ok(text)
    }
}

/// How many faults a tool has named, and of how many that it was shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Named {
    count: usize,
    of: usize,
}

impl Named {
    fn add(&mut self, is_named: Option<bool>) {
        self.count += usize::from(is_named == Some(true));
        self.of += usize::from(is_named.is_some());
    }
}

/// The doctor's, then one for each of [`TOOLS`].
type Row = [Named; 1 + TOOLS.len()];

/// How many faults of each cause a tool has named; the doctor's are those that it named first.
#[derive(Debug, Default)]
pub struct Comparison {
    rows: BTreeMap<&'static str, Row>,
}

impl Comparison {
    /// Stands up each fault once and lets all look at it.
    pub fn made(lab: &Lab, faults: &[Fault], kept: &Path, threads: usize) -> Result<Comparison> {
        let is_shown_to_slow = |fault: &Fault| {
            let same = |one: &&Fault| (one.cause, &one.id) == (fault.cause, &fault.id);
            faults.iter().find(same).is_some_and(|first| std::ptr::eq(first, fault))
        };
        // `CHANCERY_LAB_KEPT=1`: for a table of a run that was ended.
        let is_all = std::env::var_os("CHANCERY_LAB_KEPT").is_some();
        let all = each(faults, threads, |fault| -> Result<Vec<Option<bool>>> {
            let is_shown_to_slow = is_shown_to_slow(fault);
            let kept = Kept { folder: kept, fault, is_shown_to_slow, is_all };
            if is_all && !kept.file("doctor").exists() {
                return Ok(vec![None; 1 + TOOLS.len()]);
            }
            let all = kept.all(lab)?;
            let named = |said: &Option<String>| said.as_ref().map(|said| has_named(fault, said));
            let doctor = std::iter::once(Some(all.is_first));
            let named: Vec<Option<bool>> = doctor.chain(all.said.iter().map(named)).collect();
            println!("{named:?} {} {} {}", fault.cause, fault.stack, fault.id);
            Ok(named)
        });
        let mut table = Comparison::default();
        for (fault, named) in faults.iter().zip(all) {
            let row = table.rows.entry(fault.cause).or_default();
            for (cell, is_named) in row.iter_mut().zip(named?) {
                cell.add(is_named);
            }
        }
        Ok(table)
    }

    /// Of how many faults it is made.
    pub fn count(&self) -> usize {
        let doctors = self.rows.values().filter_map(|row| row.first());
        doctors.map(|cell| cell.of).sum()
    }

    /// In Markdown: named / shown.
    pub fn text(&self) -> String {
        let mut text = format!("| cause | doctor, first | {} |\n", TOOLS.join(" | "));
        text += &format!("|---|{}\n", "---|".repeat(1 + TOOLS.len()));
        let mut all = Row::default();
        for (cause, row) in &self.rows {
            text += &line(&format!("`{cause}`"), row);
            for (sum, cell) in all.iter_mut().zip(row) {
                sum.count += cell.count;
                sum.of += cell.of;
            }
        }
        text + &line("all", &all)
    }
}

fn line(head: &str, row: &Row) -> String {
    let cells: Vec<String> = row.iter().map(|cell| format!("{}/{}", cell.count, cell.of)).collect();
    format!("| {head} | {} |\n", cells.join(" | "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_is_what_the_doctor_is_asked() {
        let setup = Setup::asked(&["ldap://dc1.corp.example", "--address", "192.0.2.1:3389"]);
        let setup = setup.and(&["--ca", "/ca.pem", "--base", "dc=x", "--filter", "(a=b)"]);
        let asked = Asked::of(&setup);
        assert_eq!((asked.scheme.as_str(), asked.port), ("ldap", 389));
        assert_eq!(asked.places(), [(Some("192.0.2.1".to_owned()), 3389)]);
        assert_eq!(asked.search, Some(("dc=x".to_owned(), "(a=b)".to_owned())));
        let said = ldapsearch(&asked, 3389).join(" ");
        assert!(said.ends_with("-H ldap://dc1.corp.example:3389 -ZZ -b dc=x (a=b)"), "{said}");
    }

    #[test]
    fn a_cause_is_named_by_words_of_the_tool_and_not_of_the_question() {
        let fault = Fault::new("expired", "slapd", "CERT-EXPIRED", |_| Ok(Setup::default()));
        assert!(has_named(&fault, "verify error:num=10:certificate\n has  expired\n"));
        assert!(!has_named(&fault, "$ openssl s_client -CAfile expired.pem\nsomething else\n"));
        let fault = Fault::new("x", "slapd", "MTU", |_| Ok(Setup::default()));
        assert!(!has_named(&fault, "Can't contact LDAP server (-1)"));
    }
}
