//! Servers that show a given chain, each with its own TLS: slapd (GnuTLS), nginx and stunnel
//! (OpenSSL) before slapd, a small one in Java (JSSE); [`ds389`] (NSS) and [`samba`] by themselves.

use std::any::Any;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::certificates::Material;
use super::{Lab, NAME, PASSWORD, SUFFIX, Setup};
use crate::namespaces::Machine;
use crate::peers::missing::Peer;
use crate::ports;
use crate::process::{Process, run_checked};

pub mod ds389;
pub mod samba;

/// The administrator of slapd's database.
pub fn admin() -> String {
    format!("cn=admin,{SUFFIX}")
}

/// A server that stands.
pub struct Served {
    pub ldap: u16,
    pub ldaps: u16,
    pub held: Vec<Box<dyn Any + Send>>,
}

impl Served {
    /// The doctor asked about it by its name.
    pub fn looked_at(self, material: &Material) -> Setup {
        let (target, address) =
            (format!("ldaps://{NAME}:{}", self.ldaps), format!("127.0.0.1:{}", self.ldaps));
        let ca = material.ca.display().to_string();
        let mut setup = Setup::asked(&[&target, "--address", &address, "--ca", &ca]);
        setup.held = self.held;
        setup
    }

    #[must_use]
    pub fn with(mut self, other: Served) -> Served {
        self.held.extend(other.held);
        self
    }
}

pub fn peers() -> Vec<Peer> {
    let mut all = vec![
        Peer::program("slapd", "/usr/sbin/slapd"),
        Peer::program("openssl", "/usr/bin/openssl"),
        Peer::program("nginx", "/usr/sbin/nginx"),
        Peer::program("nginx's stream module", "/usr/lib/nginx/modules/ngx_stream_module.so"),
        Peer::program("haproxy", "/usr/sbin/haproxy"),
        Peer::program("stunnel", "/usr/bin/stunnel4"),
        Peer::program("faketime", super::certificates::FAKETIME),
        Peer::program("javac", "/usr/bin/javac"),
        Peer::program("dnsmasq", "/usr/sbin/dnsmasq"),
        Peer::program("nft", "/usr/sbin/nft"),
    ];
    all.extend(ds389::peers());
    all.extend(samba::peers());
    all
}

/// How slapd is set up.
#[derive(Default)]
pub struct Slapd<'a> {
    /// Without it there is no TLS at all.
    pub material: Option<&'a Material>,
    pub global: &'a str,
    pub database: &'a str,
    /// Entries beside the suffix and the administrator.
    pub ldif: &'a str,
    /// Where it runs; there it listens everywhere, on the usual ports.
    pub machine: Option<&'a Machine>,
}

pub fn slapd(lab: &Lab, how: &Slapd<'_>) -> Result<Served> {
    let folder = lab.folder("slapd")?;
    configure(&folder, how)?;
    let ldif = format!(
        "dn: {SUFFIX}\nobjectClass: domain\ndc: corp\n\n\
         dn: {}\nobjectClass: organizationalRole\ncn: admin\n\n{}",
        admin(),
        how.ldif
    );
    fs::write(folder.join("base.ldif"), ldif)?;
    let config = folder.join("slapd.conf");
    let mut load = Command::new("/usr/sbin/slapadd");
    run_checked(load.arg("-f").arg(&config).arg("-l").arg(folder.join("base.ldif")))?;
    let (address, [ldap, ldaps]) = match how.machine {
        Some(_) => ("0.0.0.0", [389, 636]),
        None => ("127.0.0.1", ports::free::<2>()?),
    };
    let mut urls = format!("ldap://{address}:{ldap}");
    if how.material.is_some() {
        let _ = write!(urls, " ldaps://{address}:{ldaps}");
    }
    let mut command = match how.machine {
        Some(machine) => machine.command("/usr/sbin/slapd"),
        None => Command::new("/usr/sbin/slapd"),
    };
    command.args(["-d", "0", "-h", &urls, "-f"]).arg(&config);
    let mut process = Process::start("slapd", &folder, command)?;
    wait(&mut process, how.machine, ldap)?;
    Ok(Served { ldap, ldaps, held: vec![Box::new(process)] })
}

/// Until it listens, wherever it runs.
pub fn wait(process: &mut Process, machine: Option<&Machine>, port: u16) -> Result<()> {
    match machine {
        None => process.wait_for_port(port),
        Some(machine) => process.wait_until(&format!("port {port}"), |_| {
            machine.connect(([127, 0, 0, 1], port).into()).ok().map(drop)
        }),
    }
}

fn configure(folder: &Path, how: &Slapd<'_>) -> Result<()> {
    fs::create_dir(folder.join("db"))?;
    let here = folder.display();
    let mut text = String::new();
    for name in ["core", "cosine", "inetorgperson"] {
        writeln!(text, "include /etc/ldap/schema/{name}.schema")?;
    }
    writeln!(text, "modulepath /usr/lib/ldap\nmoduleload back_mdb\npidfile {here}/slapd.pid")?;
    writeln!(text, "argsfile {here}/slapd.args")?;
    if let Some(material) = how.material {
        let (chain, key, ca) =
            (material.chain.display(), material.key.display(), material.ca.display());
        writeln!(text, "TLSCertificateFile {chain}\nTLSCertificateKeyFile {key}")?;
        writeln!(text, "TLSCACertificateFile {ca}")?;
    }
    writeln!(text, "{}\ndatabase mdb\nsuffix {SUFFIX}\nrootdn {}", how.global, admin())?;
    writeln!(text, "rootpw {PASSWORD}\ndirectory {here}/db\ndbnosync\n{}", how.database)?;
    fs::write(folder.join("slapd.conf"), text).context("slapd.conf")
}

/// A directory without TLS, for those that put TLS before it.
pub fn backend(lab: &Lab) -> Result<Served> {
    slapd(lab, &Slapd::default())
}

/// nginx in front of a port; `more` are further directives of its server.
pub fn nginx(lab: &Lab, material: &Material, behind: u16, more: &str) -> Result<Served> {
    let folder = lab.folder("nginx")?;
    let [port] = ports::free::<1>()?;
    let (here, chain, key) = (folder.display(), material.chain.display(), material.key.display());
    let weak = if more.contains("ssl_ciphers") { "" } else { "ssl_ciphers DEFAULT@SECLEVEL=0;" };
    let text = format!(
        "load_module /usr/lib/nginx/modules/ngx_stream_module.so;\n\
         daemon off;\nmaster_process off;\npid {here}/pid;\nerror_log {here}/error.log;\n\
         events {{ worker_connections 512; }}\nstream {{ server {{\n\
         listen 127.0.0.1:{port} ssl;\nssl_certificate {chain};\nssl_certificate_key {key};\n\
         {weak}\nproxy_pass 127.0.0.1:{behind};\n{more}\n}} }}\n"
    );
    fs::write(folder.join("nginx.conf"), text)?;
    let mut command = Command::new("/usr/sbin/nginx");
    command.arg("-p").arg(&folder).arg("-e").arg(folder.join("error.log"));
    command.arg("-c").arg(folder.join("nginx.conf"));
    let mut process = Process::start("nginx", &folder, command)?;
    process.wait_for_port(port)?;
    Ok(Served { ldap: behind, ldaps: port, held: vec![Box::new(process)] })
}

/// stunnel in front of a port; `more` are further lines of its service.
pub fn stunnel(lab: &Lab, material: &Material, behind: u16, more: &str) -> Result<Served> {
    let folder = lab.folder("stunnel")?;
    let [port] = ports::free::<1>()?;
    let (chain, key) = (material.chain.display(), material.key.display());
    let weak = if more.contains("ciphers") { "" } else { "ciphers = DEFAULT:@SECLEVEL=0\n" };
    let text = format!(
        "foreground = yes\npid =\nsyslog = no\n[ldaps]\naccept = 127.0.0.1:{port}\n\
         connect = 127.0.0.1:{behind}\ncert = {chain}\nkey = {key}\nsecurityLevel = 0\n\
         {weak}{more}\n"
    );
    fs::write(folder.join("stunnel.conf"), text)?;
    let mut command = Command::new("/usr/bin/stunnel4");
    command.arg(folder.join("stunnel.conf"));
    let mut process = Process::start("stunnel", &folder, command)?;
    process.wait_for_port(port)?;
    Ok(Served { ldap: behind, ldaps: port, held: vec![Box::new(process)] })
}

/// The small directory in Java; `more` are further arguments of it.
pub fn java(lab: &Lab, material: &Material, more: &[&str]) -> Result<Served> {
    let folder = lab.folder("java")?;
    let [port] = ports::free::<1>()?;
    let store = folder.join("keys.p12");
    let mut pack = Command::new("openssl");
    pack.args(["pkcs12", "-export", "-passout", "pass:secret", "-name", "own", "-in"]);
    pack.arg(&material.chain).arg("-inkey").arg(&material.key).arg("-out").arg(&store);
    run_checked(&mut pack)?;
    let mut command = Command::new("java");
    // As small as a test of many needs it, and with what Java has put away since.
    command.args(["-Xshare:auto", "-XX:TieredStopAtLevel=1", "-Xmx64m"]);
    command.arg(format!("-Djava.security.properties={}", lab.java()?.security.display()));
    command.arg("-cp").arg(&lab.java()?.classes).arg("Directory").arg(port.to_string());
    command.arg(&store).args(more);
    let mut process = Process::start("java", &folder, command)?;
    let listens = process.wait_for_line(|line| line.contains("listening").then_some(()));
    if let Err(error) = listens {
        bail!("the directory in Java: {error}");
    }
    Ok(Served { ldap: 0, ldaps: port, held: vec![Box::new(process)] })
}

/// haproxy in front of a port; `more` are further words of its `bind`.
pub fn haproxy(lab: &Lab, material: &Material, behind: u16, more: &str) -> Result<Served> {
    let folder = lab.folder("haproxy")?;
    let [port] = ports::free::<1>()?;
    let both = fs::read_to_string(&material.chain)? + &fs::read_to_string(&material.key)?;
    fs::write(folder.join("both.pem"), both)?;
    let text = format!(
        "global\n maxconn 64\ndefaults\n mode tcp\n timeout connect 5s\n timeout client 30s\n \
         timeout server 30s\nfrontend ldaps\n bind 127.0.0.1:{port} ssl crt {}/both.pem {more}\n \
         default_backend ldap\nbackend ldap\n server one 127.0.0.1:{behind}\n",
        folder.display()
    );
    fs::write(folder.join("haproxy.cfg"), text)?;
    let mut command = Command::new("/usr/sbin/haproxy");
    command.arg("-db").arg("-f").arg(folder.join("haproxy.cfg"));
    let mut process = Process::start("haproxy", &folder, command)?;
    process.wait_for_port(port)?;
    Ok(Served { ldap: behind, ldaps: port, held: vec![Box::new(process)] })
}

/// slapd that is told to listen for LDAPS and has nothing to show.
pub fn slapd_without_certificate(lab: &Lab) -> Result<Setup> {
    let material = super::certificates::GOOD.make(lab)?;
    let folder = lab.folder("slapd")?;
    configure(&folder, &Slapd::default())?;
    let [ldaps] = ports::free::<1>()?;
    let mut command = Command::new("/usr/sbin/slapd");
    let url = format!("ldaps://127.0.0.1:{ldaps}");
    command.args(["-d", "0", "-h", &url, "-f"]).arg(folder.join("slapd.conf"));
    let mut process = Process::start("slapd", &folder, command)?;
    process.wait_for_port(ldaps)?;
    let served = Served { ldap: 0, ldaps, held: vec![Box::new(process)] };
    Ok(served.looked_at(&material))
}
