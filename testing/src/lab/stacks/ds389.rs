//! 389 Directory Server (NSS): an instance that `dscreate` makes once, copied into a folder of its
//! own for each server. `dscreate` fails at its last step where there is no systemd; what it
//! leaves is whole.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::Served;
use crate::lab::certificates::Material;
use crate::lab::{Lab, PASSWORD};
use crate::peers::missing::Peer;
use crate::ports;
use crate::process::{Process, run, run_checked};

pub const ADMIN: &str = "cn=Directory Manager";

pub fn peers() -> Vec<Peer> {
    vec![
        Peer::program("ns-slapd", "/usr/sbin/ns-slapd"),
        Peer::program("pk12util", "/usr/bin/pk12util"),
        Peer::program("certutil", "/usr/bin/certutil"),
    ]
}

/// What `dscreate` made, as it is copied.
#[derive(Clone, Debug)]
pub struct Template(PathBuf);

/// `dscreate` writes where packages do; what it wrote there is taken away again.
pub fn template(lab: &Lab) -> Result<Template> {
    let folder = lab.folder("389-template")?;
    let name = format!("lab{}", std::process::id());
    let text = format!(
        "[general]\nfull_machine_name = localhost\nstrict_host_checking = False\nstart = False\n\
         [slapd]\ninstance_name = {name}\nport = 389\nsecure_port = 636\n\
         root_password = {PASSWORD}\nself_sign_cert = False\n"
    );
    fs::write(folder.join("instance.inf"), text)?;
    let said = run(Command::new("dscreate").arg("from-file").arg(folder.join("instance.inf")))?;
    let made = PathBuf::from(format!("/etc/dirsrv/slapd-{name}"));
    ensure!(made.join("dse.ldif").exists(), "dscreate: {}{}", said.stdout, said.stderr);
    let copied = copy(&made, &folder.join("config"));
    let settings = fs::read_to_string(made.join("dse.ldif"))?.replace("\n ", "");
    for root in ["/etc/dirsrv", "/var/lib/dirsrv", "/var/log/dirsrv", "/run/lock/dirsrv"] {
        let _ = fs::remove_dir_all(format!("{root}/slapd-{name}"));
    }
    let _ = fs::remove_file(format!("/etc/default/dirsrv-{name}"));
    copied?;
    let mut hash = Command::new("/usr/sbin/slappasswd");
    let hash = run_checked(hash.args(["-n", "-h", "{SSHA}", "-s", PASSWORD]))?;
    let settings = with_password(&relocatable(&settings, &name), &hash);
    fs::write(folder.join("config/dse.ldif"), settings)?;
    Ok(Template(folder))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    run_checked(Command::new("cp").arg("-r").arg(from).arg(to)).map(drop)
}

/// The administrator's is not set yet where the last step failed.
fn with_password(settings: &str, hash: &str) -> String {
    let line = |line: &str| match line.starts_with("nsslapd-rootpw:") {
        true => format!("nsslapd-rootpw: {hash}\n"),
        false => format!("{line}\n"),
    };
    settings.lines().map(line).collect()
}

/// Every path below one word that a copy replaces.
fn relocatable(settings: &str, name: &str) -> String {
    let moved = [
        ("/etc/dirsrv/slapd-", "@/config"),
        ("/var/lib/dirsrv/slapd-", "@/lib"),
        ("/var/log/dirsrv/slapd-", "@/log"),
        ("/run/lock/dirsrv/slapd-", "@/lock"),
    ];
    let mut settings = settings.to_owned();
    for (from, to) in moved {
        settings = settings.replace(&format!("{from}{name}"), to);
    }
    settings
        .replace(&format!("/run/slapd-{name}.socket"), "@/run/socket")
        .replace("nsslapd-rundir: /run/dirsrv", "nsslapd-rundir: @/run")
        .replace("nsslapd-localuser: dirsrv", "nsslapd-localuser: root")
}

/// What differs from an instance as `dscreate` makes it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Settings {
    /// Lines of `cn=config`.
    pub config: &'static str,
    /// Lines of `cn=encryption,cn=config`.
    pub encryption: &'static str,
    /// Listens in the clear only.
    pub without_tls: bool,
}

pub fn serve(lab: &Lab, material: &Material, how: Settings) -> Result<Served> {
    let Template(template) = lab.ds389()?;
    let folder = lab.folder("389")?;
    for part in ["lib/ldif", "lib/bak", "lib/db", "log", "lock", "run"] {
        fs::create_dir_all(folder.join(part))?;
    }
    copy(&template.join("config"), &folder.join("config"))?;
    let [ldap, ldaps] = ports::free::<2>()?;
    let security = if how.without_tls { "off" } else { "on" };
    let ports = format!(
        "nsslapd-port: {ldap}\nnsslapd-secureport: {ldaps}\nnsslapd-security: {security}\n\
         nsslapd-listenhost: 127.0.0.1\nnsslapd-securelistenhost: 127.0.0.1\n{}",
        how.config
    );
    let settings = fs::read_to_string(template.join("config/dse.ldif"))?;
    let settings = settings
        .replace("@/", &format!("{}/", folder.display()))
        .replace("nsslapd-port: 389\n", &format!("{}\n", ports.trim_end()))
        .replace("nsSSLClientAuth: allowed\n", &format!("{}\n", encryption(how)));
    fs::write(folder.join("config/dse.ldif"), settings)?;
    import(&folder, material)?;
    let mut command = Command::new("/usr/sbin/ns-slapd");
    command.args(["-d", "0", "-D"]).arg(folder.join("config"));
    let mut process = Process::start("ns-slapd", &folder, command)?;
    let port = if how.without_tls { ldap } else { ldaps };
    process
        .wait_for_port(port)
        .with_context(|| fs::read_to_string(folder.join("log/errors")).unwrap_or_default())?;
    Ok(Served { ldap, ldaps, held: vec![Box::new(process)] })
}

fn encryption(how: Settings) -> String {
    match how.encryption {
        "" => "nsSSLClientAuth: allowed".to_owned(),
        lines => lines.trim_end().to_owned(),
    }
}

/// Into NSS's database, which has the password that `dscreate` gave it.
fn import(folder: &Path, material: &Material) -> Result<()> {
    let (store, config) = (folder.join("own.p12"), folder.join("config"));
    let mut pack = Command::new("openssl");
    pack.args(["pkcs12", "-export", "-passout", "pass:secret", "-name", "Server-Cert", "-in"]);
    run_checked(
        pack.arg(&material.chain).arg("-inkey").arg(&material.key).arg("-out").arg(&store),
    )?;
    let mut own = Command::new("pk12util");
    own.args(["-W", "secret", "-i"]).arg(&store).arg("-d").arg(&config);
    run_checked(own.arg("-k").arg(config.join("pwdfile.txt")))?;
    let mut ca = Command::new("certutil");
    ca.args(["-A", "-n", "CA", "-t", "CT,,", "-i"]).arg(&material.ca).arg("-d").arg(&config);
    run_checked(ca.arg("-f").arg(config.join("pwdfile.txt"))).map(drop)
}
