//! OpenLDAP's slapd, started on an empty back-mdb database for one test.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::certificates::{self, Certificate};
use crate::peers::{SUFFIX, Server, Subject, port};
use crate::ports;
use crate::process::{Process, run_checked};

const PASSWORD: &str = "a secret for the suite";
const SCHEMA: [&str; 5] = ["core", "cosine", "inetorgperson", "nis", "dyngroup"];
/// Starting again with new ports when somebody took one in between (see [`ports::free`]).
const ATTEMPTS: usize = 3;

/// Starts slapd with the suffix entry loaded.
pub fn start() -> Result<Server> {
    let folder = tempfile::Builder::new().prefix("slapd-").tempdir()?;
    let ca = certificates::authority(folder.path())?;
    let tls = certificates::server(folder.path(), &ca)?;
    let admin = format!("cn=admin,{SUFFIX}");
    let client = certificates::client(folder.path(), &admin, &ca)?;
    fs::write(folder.path().join("admin.password"), PASSWORD)?;
    configure(folder.path(), &admin, &ca, &tls)?;
    load(folder.path(), &base_entries(&admin))?;
    let (process, ldap, ldaps, ldapi) = listen(folder.path())?;
    Ok(Server {
        process,
        subject: Subject::Slapd,
        ldaps,
        ldap,
        ldapi,
        ca: ca.certificate,
        admin,
        password_file: folder.path().join("admin.password"),
        client: Some(client),
        folder,
    })
}

fn listen(folder: &Path) -> Result<(Process, String, String, String)> {
    let socket = folder.join("ldapi").display().to_string().replace('/', "%2F");
    let mut last = None;
    for _ in 0..ATTEMPTS {
        let [plain, secure] = ports::free::<2>()?;
        let ldap = format!("ldap://localhost:{plain}");
        let ldaps = format!("ldaps://localhost:{secure}");
        let ldapi = format!("ldapi://{socket}");
        let urls = format!("ldap://127.0.0.1:{plain} ldaps://127.0.0.1:{secure} {ldapi}");
        let mut command = Command::new("/usr/sbin/slapd");
        // -d keeps it in the foreground; level 0 keeps it quiet.
        command.args(["-d", "0", "-h", &urls, "-f"]).arg(folder.join("slapd.conf"));
        let mut process = Process::start("slapd", folder, command)?;
        match process.wait_for_port(port(&ldaps)) {
            Ok(()) => return Ok((process, ldap, ldaps, ldapi)),
            Err(error) => last = Some(error),
        }
    }
    match last {
        Some(error) => Err(error),
        None => bail!("no attempt was made"),
    }
}

fn configure(folder: &Path, admin: &str, ca: &Certificate, tls: &Certificate) -> Result<()> {
    let data = folder.join("db");
    fs::create_dir(&data)?;
    let mut text = String::new();
    for name in SCHEMA {
        writeln!(text, "include /etc/ldap/schema/{name}.schema")?;
    }
    write!(
        text,
        "modulepath /usr/lib/ldap\nmoduleload back_mdb\nmoduleload memberof\nmoduleload refint\n\
         pidfile {here}/slapd.pid\nargsfile {here}/slapd.args\n\
         TLSCACertificateFile {ca}\nTLSCertificateFile {cert}\nTLSCertificateKeyFile {key}\n\
         TLSVerifyClient try\n\
         authz-regexp gidNumber=[0-9]+[+]uidNumber=[0-9]+,cn=peercred,cn=external,cn=auth {admin}\n\
         database mdb\nsuffix {SUFFIX}\nrootdn {admin}\nrootpw \"{PASSWORD}\"\n\
         directory {data}\nmaxsize 1073741824\ndbnosync\n\
         index objectClass,cn,sn,uid,mail,member eq\n\
         access to attrs=userPassword by self write by anonymous auth by * none\n\
         access to * by self write by users read by anonymous none\n\
         overlay memberof\noverlay refint\nrefint_attributes member owner manager seeAlso\n",
        here = folder.display(),
        ca = ca.certificate.display(),
        cert = tls.certificate.display(),
        key = tls.key.display(),
        data = data.display(),
    )?;
    fs::write(folder.join("slapd.conf"), text).context("slapd.conf")
}

fn base_entries(admin: &str) -> String {
    format!(
        "dn: {SUFFIX}\nobjectClass: domain\ndc: example\n\n\
         dn: {admin}\nobjectClass: organizationalRole\ncn: admin\n"
    )
}

/// Loads LDIF while slapd is not running.
fn load(folder: &Path, ldif: &str) -> Result<()> {
    let file = folder.join("base.ldif");
    fs::write(&file, ldif)?;
    run_checked(
        Command::new("/usr/sbin/slapadd")
            .arg("-f")
            .arg(folder.join("slapd.conf"))
            .arg("-l")
            .arg(&file),
    )?;
    Ok(())
}
