//! The implementations themselves: each makes a handshake, and says whether it accepts.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::net::{IpAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use pki::pem;
use rustls::client::WebPkiServerVerifier;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use testing::process::{Finished, run, run_checked};

/// A case as it is served.
pub(super) struct Served {
    pub(super) what: &'static str,
    pub(super) name: &'static str,
    pub(super) port: u16,
    /// File of the CAs that are trusted.
    pub(super) trusted: String,
    /// Name of its own files, without the ending.
    pub(super) file: String,
}

/// Nothing where it was accepted; otherwise what was said against it.
pub(super) type Said = Option<String>;

fn said(finished: Finished, wanted: &[&str]) -> Said {
    let all = format!("{}\n{}", finished.stdout, finished.stderr);
    let line = all.lines().find(|line| wanted.iter().any(|word| line.contains(word)));
    let line = line.map(|line| line.trim().to_owned());
    (!finished.success()).then(|| line.unwrap_or(all))
}

/// With the security level that an application or a distribution may set.
pub(super) fn openssl(at: &Path, served: &Served, level: u8) -> Said {
    let mut command = Command::new("openssl");
    let target = format!("127.0.0.1:{}", served.port);
    command.current_dir(at).args(["s_client", "-connect", &target, "-CAfile", &served.trusted]);
    command.args(["-no-CApath", "-no-CAstore", "-verify_return_error", "-brief"]);
    command.args(["-cipher", &format!("DEFAULT:@SECLEVEL={level}")]);
    let name = if served.name.parse::<IpAddr>().is_ok() {
        command.args(["-noservername", "-verify_ip"])
    } else {
        command.args(["-servername", served.name, "-verify_hostname"])
    };
    said(run(name.arg(served.name)).unwrap(), &["verify error", "error:"])
}

pub(super) fn gnutls(at: &Path, served: &Served) -> Said {
    let mut command = Command::new("gnutls-cli");
    command.current_dir(at).args(["--x509cafile", &served.trusted, "--verify-hostname"]);
    command.args([served.name, "--port", &served.port.to_string(), "127.0.0.1"]);
    said(run(&mut command).unwrap(), &["Status:", "***", "*** "])
}

/// A database for each file of CAs, so that none is trusted by another's case.
pub(super) fn nss_databases<'s>(at: &Path, all: impl Iterator<Item = &'s Served>) {
    let certutil = |arguments: &[&str]| {
        run_checked(Command::new("certutil").current_dir(at).args(arguments)).unwrap();
    };
    std::fs::create_dir(at.join("nss-empty")).unwrap();
    certutil(&["-N", "--empty-password", "-d", "sql:nss-empty"]);
    for file in all.map(|served| &served.trusted).collect::<BTreeSet<_>>() {
        let folder = format!("nss-{file}");
        std::fs::create_dir(at.join(&folder)).unwrap();
        for part in ["cert9.db", "key4.db", "pkcs11.txt"] {
            std::fs::copy(at.join("nss-empty").join(part), at.join(&folder).join(part)).unwrap();
        }
        let database = format!("sql:{folder}");
        certutil(&["-A", "-n", file, "-t", "CT,,", "-i", file, "-d", &database]);
    }
}

pub(super) fn nss(at: &Path, served: &Served) -> Said {
    let database = format!("sql:nss-{}", served.trusted);
    let mut command = Command::new("tstclnt");
    command.current_dir(at).args(["-d", &database, "-h", "127.0.0.1", "-Q", "-a", served.name]);
    command.args(["-p", &served.port.to_string()]);
    said(run(&mut command).unwrap(), &["SEC_ERROR", "SSL_ERROR"])
}

/// Java and Go: one process for all cases, as they take long to start.
pub(super) fn many(mut command: Command) -> BTreeMap<String, Said> {
    let text = run_checked(&mut command).unwrap();
    let lines = text.lines().filter_map(|line| line.split_once('\t'));
    let said = |said: &str| (said != "accepted").then(|| said.to_owned());
    lines.map(|(what, text)| (what.to_owned(), said(text))).collect()
}

/// As our own client makes it.
pub(super) fn rustls(at: &Path, served: &Served) -> Said {
    shake(at, served).err().map(|error| error.to_string())
}

fn shake(at: &Path, served: &Served) -> anyhow::Result<()> {
    let mut roots = RootCertStore::empty();
    for one in pem::certificates(&std::fs::read(at.join(&served.trusted))?)? {
        roots.add(one)?;
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(roots.into(), provider.clone());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_webpki_verifier(verifier.build()?)
        .with_no_client_auth();
    let name = ServerName::try_from(served.name)?;
    let mut connection = ClientConnection::new(config.into(), name)?;
    let mut socket = TcpStream::connect(("127.0.0.1", served.port))?;
    socket.set_read_timeout(Some(Duration::from_secs(10)))?;
    while connection.is_handshaking() {
        connection.complete_io(&mut socket)?;
    }
    connection.send_close_notify();
    connection.complete_io(&mut socket)?;
    Ok(socket.flush()?)
}
