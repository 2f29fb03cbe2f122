//! Makes the certificates of the cases, and serves them.

use std::path::Path;
use std::process::Command;

use testing::ports;
use testing::process::{Process, run_checked};

use super::authorities::{AUTHORITIES, KEYS};
use super::cases::Case;

/// All keys and authorities, once for all cases.
pub(super) fn authorities(at: &Path) {
    // The longest take seconds each.
    std::thread::scope(|scope| {
        for (name, arguments) in KEYS {
            scope.spawn(move || {
                let file = format!("{name}.key");
                openssl(at, &[&["genpkey", "-out", &file, "-algorithm"], *arguments].concat());
            });
        }
    });
    for one in AUTHORITIES {
        let issuer = AUTHORITIES.iter().find(|issuer| issuer.name == one.issuer).unwrap();
        let signer = (one.name != issuer.name).then_some((issuer.name, issuer.key));
        let made = Made { name: one.name, subject: one.subject, key: one.key, signer };
        sign(at, &made, one.extensions, one.sign);
    }
}

/// The certificate of a case as `NAME.pem`, what is sent behind it as `NAME.chain`. Answers the
/// file of what clients trust.
pub(super) fn certificate(at: &Path, name: &str, case: &Case) -> String {
    let issuer = AUTHORITIES.iter().find(|issuer| issuer.name == case.issuer);
    let signer = issuer.map(|issuer| (issuer.name, issuer.key));
    let made = Made { name, subject: case.subject, key: case.key, signer };
    sign(at, &made, case.own, case.sign);
    let read = |name: &&str| std::fs::read_to_string(at.join(format!("{name}.pem"))).unwrap();
    let chain: String = case.sent.iter().map(read).collect();
    std::fs::write(at.join(format!("{name}.chain")), chain).unwrap();
    let trusted = if case.trusted == "own" { name } else { case.trusted };
    format!("{trusted}.pem")
}

struct Made<'m> {
    name: &'m str,
    subject: &'m str,
    key: &'m str,
    /// Name and key of who signs it; nobody else where there is none.
    signer: Option<(&'m str, &'m str)>,
}

fn sign(at: &Path, made: &Made<'_>, extensions: &str, more: &[&str]) {
    let [request, out, texts] = ["csr", "pem", "ext"].map(|end| format!("{}.{end}", made.name));
    let key = format!("{}.key", made.key);
    openssl(at, &["req", "-new", "-key", &key, "-subj", made.subject, "-out", &request]);
    let mut command = match more {
        ["future"] => shifted("+30d"),
        ["past"] => shifted("-60d"),
        _ => Command::new("openssl"),
    };
    command.current_dir(at).args(["x509", "-req", "-in", &request, "-out", &out]);
    match made.signer {
        Some((name, key)) => {
            let (pem, key) = (format!("{name}.pem"), format!("{key}.key"));
            command.args(["-CA", &pem, "-CAkey", &key, "-CAcreateserial"]);
        }
        None => {
            command.args(["-signkey", &key]);
        }
    }
    // Without extensions it is of version 1.
    if !extensions.is_empty() {
        std::fs::write(at.join(&texts), extensions).unwrap();
        command.args(["-extfile", &texts]);
    }
    if !more.contains(&"-days") {
        command.args(["-days", "30"]);
    }
    if !matches!(more, ["future" | "past"]) {
        command.args(more);
    }
    run_checked(&mut command).unwrap();
}

/// OpenSSL at another time.
fn shifted(by: &str) -> Command {
    let mut command = Command::new("faketime");
    command.args(["-f", by, "openssl"]);
    command
}

fn openssl(at: &Path, arguments: &[&str]) {
    run_checked(Command::new("openssl").current_dir(at).args(arguments)).unwrap();
}

/// OpenSSL's server, which sends what it is told to and minds nothing.
pub(super) fn serve(at: &Path, name: &str, case: &Case) -> (Process, u16) {
    let [port] = ports::free().unwrap();
    let mut command = Command::new("openssl");
    command.current_dir(at).args(["s_server", "-accept", &format!("127.0.0.1:{port}")]);
    let [own, chain] = ["pem", "chain"].map(|end| format!("{name}.{end}"));
    command.args(["-cert", &own, "-key", &format!("{}.key", case.key), "-quiet", "-no_dhe"]);
    command.args(["-cipher", "ALL:@SECLEVEL=0"]);
    if !case.sent.is_empty() {
        command.args(["-cert_chain", &chain]);
    }
    (Process::start(&format!("server-{name}"), at, command).unwrap(), port)
}
