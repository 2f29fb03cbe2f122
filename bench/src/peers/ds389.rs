//! 389 Directory Server: an instance of its own, made by `dscreate`, started by us, and removed.
//!
//! `dscreate` means to start the instance by systemd. Where there is none it fails at that last
//! step; what it leaves is complete but for the backend and the administrator's password, which
//! are set here. Programs of the package write below `/etc/dirsrv` and `/var`, so it needs root.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use testing::ports;
use testing::process::{run, run_checked};

use crate::data::{self, PASSWORD, SUFFIX};
use crate::peers::{Bench, Kind, Prepared, Running, timed, unpinned};

const PROGRAM: &str = "/usr/sbin/ns-slapd";
const ADMINISTRATOR: &str = "cn=Directory Manager";
/// A salt for the administrator's hash; nothing depends on it.
const SALT: u64 = 389;
/// What an entry takes in the entry cache, with room to spare.
const CACHED_ENTRY_BYTES: u64 = 8192;
const ENTRY_CACHE_BYTES_MIN: u64 = 512 << 20;

/// An instance on this machine; removed when dropped.
#[derive(Debug)]
pub(super) struct Instance {
    name: String,
}

impl Instance {
    fn create(folder: &Path, ldap: u16, ldaps: u16) -> Result<Instance> {
        remove_left_over();
        let instance = Instance { name: format!("bench{}", std::process::id()) };
        let file = folder.join("instance.inf");
        let text = format!(
            "[general]\nfull_machine_name = localhost\nstrict_host_checking = False\n\
             start = False\n[slapd]\ninstance_name = {}\nport = {ldap}\nsecure_port = {ldaps}\n\
             root_password = {PASSWORD}\nself_sign_cert = False\n",
            instance.name
        );
        fs::write(&file, text)?;
        let said = run(Command::new("dscreate").arg("from-file").arg(&file))?;
        let settings = instance.settings();
        ensure!(settings.exists(), "dscreate: {}{}", said.stdout, said.stderr);
        let text = fs::read_to_string(&settings)?.replace("\n ", "");
        let hash = data::hash(PASSWORD, SALT);
        let with_password = text.lines().map(|line| match line.starts_with("nsslapd-rootpw:") {
            true => format!("nsslapd-rootpw: {hash}\n"),
            false => format!("{line}\n"),
        });
        fs::write(&settings, with_password.collect::<String>())?;
        Ok(instance)
    }

    fn configuration(&self) -> PathBuf {
        format!("/etc/dirsrv/slapd-{}", self.name).into()
    }

    fn settings(&self) -> PathBuf {
        self.configuration().join("dse.ldif")
    }

    /// A place that the server may read from after it gave up its rights.
    fn files(&self) -> PathBuf {
        format!("/var/lib/dirsrv/slapd-{}", self.name).into()
    }

    fn import_certificates(&self, bench: &Bench) -> Result<()> {
        let mut ca = Command::new("dsctl");
        ca.args([&self.name, "tls", "import-ca"]).arg(&bench.ca.certificate).arg("Bench-CA");
        run_checked(&mut ca)?;
        let mut server = Command::new("dsctl");
        server.args([&self.name, "tls", "import-server-key-cert"]);
        run_checked(server.arg(&bench.server.certificate).arg(&bench.server.key)).map(drop)
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        let _ = run(Command::new("dsctl").args([&self.name, "remove", "--do-it"]));
        for folder in ["/etc/dirsrv", "/var/lib/dirsrv", "/var/log/dirsrv", "/run/lock/dirsrv"] {
            let _ = fs::remove_dir_all(format!("{folder}/slapd-{}", self.name));
        }
        let _ = fs::remove_file(format!("/etc/default/dirsrv-{}", self.name));
    }
}

/// Instances of comparisons that were ended from outside.
fn remove_left_over() {
    let folders = fs::read_dir("/etc/dirsrv").into_iter().flatten().flatten();
    for name in folders.filter_map(|folder| folder.file_name().into_string().ok()) {
        let Some(pid) = name.strip_prefix("slapd-bench").and_then(|pid| pid.parse::<u32>().ok())
        else {
            continue;
        };
        if !Path::new(&format!("/proc/{pid}")).exists() {
            drop(Instance { name: format!("bench{pid}") });
        }
    }
}

pub(super) fn prepare(bench: &Bench, folder: &Path) -> Result<Prepared> {
    let [ldap, ldaps] = ports::free::<2>()?;
    let instance = Instance::create(folder, ldap, ldaps)?;
    instance.import_certificates(bench)?;
    let configuration = configuration(bench, ldaps);
    let mut prepared = Prepared {
        kind: Kind::Ds389,
        version: version()?,
        import: std::time::Duration::ZERO,
        disk: vec![instance.files().join("db")],
        ldap,
        ldaps,
        ca: bench.ca.certificate.clone(),
        administrator: ADMINISTRATOR.to_owned(),
        password: PASSWORD.to_owned(),
        program: PROGRAM.into(),
        arguments: vec!["-D".into(), instance.configuration().into(), "-d".into(), "0".into()],
        folder: folder.to_owned(),
        pinned: bench.pinned,
        configuration: configuration.join("\n"),
        instance: Some(instance),
    };
    prepared.configure(&configuration)?;
    prepared.import(bench)?;
    prepared.configure(&[access()])?;
    prepared.configuration.push_str(&format!("\n{}", access()));
    Ok(prepared)
}

impl Prepared {
    /// Runs the server for as long as it takes to change its configuration.
    fn configure(&self, changes: &[String]) -> Result<()> {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments);
        let process = testing::process::Process::start("389ds-first", &self.folder, command)?;
        let mut running = Running { process, start: std::time::Duration::ZERO };
        running.process.wait_for_port(self.ldap).with_context(|| self.errors())?;
        for (number, change) in changes.iter().enumerate() {
            let file = self.folder.join(format!("change{number}.ldif"));
            fs::write(&file, change)?;
            let mut modify = Command::new("ldapmodify");
            modify.args(["-x", "-H", &self.uri(false), "-D", ADMINISTRATOR, "-w", PASSWORD, "-f"]);
            run_checked(modify.arg(&file)).context("configuring 389 DS")?;
        }
        running.stop()
    }

    /// The end of the instance's own log: it says little on its standard error.
    fn errors(&self) -> String {
        let name = self.instance.as_ref().map_or("", |instance| &instance.name);
        let log = fs::read_to_string(format!("/var/log/dirsrv/slapd-{name}/errors"));
        let log = log.unwrap_or_default();
        let lines: Vec<&str> = log.lines().filter(|line| line.contains("ERR")).collect();
        lines.iter().rev().take(3).rev().copied().collect::<Vec<_>>().join("\n")
    }

    fn import(&mut self, bench: &Bench) -> Result<()> {
        let instance = self.instance.as_ref().context("an instance")?;
        let copy = instance.files().join("ldif/data.ldif");
        fs::copy(&bench.ldif_member_of, &copy)?;
        let mut import = unpinned(PROGRAM);
        import.args(["ldif2db", "-D"]).arg(instance.configuration()).args(["-n", "userRoot", "-i"]);
        self.import = timed(import.arg(&copy)).context("ldif2db")?;
        Ok(fs::remove_file(&copy)?)
    }
}

fn version() -> Result<String> {
    let told = run(Command::new(PROGRAM).arg("-v"))?;
    let line = told.stdout.lines().find(|line| line.contains("389-Directory")).unwrap_or("389 DS");
    Ok(line.replace("389-Directory/", "389 DS ").trim().to_owned())
}

fn set(text: &mut String, settings: &[(&str, &str)]) {
    for (name, value) in settings {
        let _ = writeln!(text, "replace: {name}\n{name}: {value}\n-");
    }
    text.push('\n');
}

/// As steps, because the second is refused before the first has been done.
fn configuration(bench: &Bench, ldaps: u16) -> Vec<String> {
    let cache = (bench.data.entries() * CACHED_ENTRY_BYTES).max(ENTRY_CACHE_BYTES_MIN);
    let (cache, names) = (cache.to_string(), (cache / 4).to_string());
    let mut first = "dn: cn=config\nchangetype: modify\n".to_owned();
    set(
        &mut first,
        &[
            ("nsslapd-accesslog-logging-enabled", "off"),
            ("nsslapd-securitylog-logging-enabled", "off"),
            ("nsslapd-security", "on"),
            ("nsslapd-securePort", &ldaps.to_string()),
            ("nsslapd-allow-hashed-passwords", "on"),
            ("nsslapd-enable-upgrade-hash", "off"),
            ("nsslapd-sizelimit", "-1"),
            ("nsslapd-timelimit", "-1"),
            ("nsslapd-threadnumber", "4"),
            // `memberOf` without one more object class on everybody, so that answers are the same.
            ("nsslapd-schemacheck", "off"),
            ("nsslapd-maxbersize", "209715200"),
        ],
    );
    let ldbm = "dn: cn=config,cn=ldbm database,cn=plugins,cn=config\nchangetype: modify\n";
    first.push_str(ldbm);
    set(&mut first, &[("nsslapd-cache-autosize", "0")]);
    let mut second = ldbm.to_owned();
    let limits = [
        ("nsslapd-dbcachesize", "1073741824"),
        ("nsslapd-lookthroughlimit", "-1"),
        ("nsslapd-rangelookthroughlimit", "-1"),
        ("nsslapd-idlistscanlimit", "2147483646"),
    ];
    set(&mut second, &limits);
    let _ = write!(
        second,
        "dn: cn=userRoot,cn=ldbm database,cn=plugins,cn=config\nchangetype: add\n\
         objectClass: top\nobjectClass: extensibleObject\nobjectClass: nsBackendInstance\n\
         cn: userRoot\nnsslapd-suffix: {SUFFIX}\nnsslapd-cachememsize: {cache}\n\
         nsslapd-dncachememsize: {names}\n\n\
         dn: cn={},cn=mapping tree,cn=config\nchangetype: add\nobjectClass: top\n\
         objectClass: extensibleObject\nobjectClass: nsMappingTree\ncn: {SUFFIX}\n\
         nsslapd-state: backend\nnsslapd-backend: userRoot\n\n",
        SUFFIX.replace('=', "\\3D").replace(',', "\\2C"),
    );
    indexes(&mut second);
    vec![first, second]
}

/// What differs from the default indexes, so that all have the same.
fn indexes(text: &mut String) {
    let dn = |name: &str| {
        format!("dn: cn={name},cn=index,cn=userRoot,cn=ldbm database,cn=plugins,cn=config\n")
    };
    for (name, kinds) in [("displayName", "eq sub"), ("employeeNumber", "eq")] {
        text.push_str(&dn(name));
        text.push_str("changetype: add\nobjectClass: top\nobjectClass: nsIndex\n");
        let _ = writeln!(text, "cn: {name}\nnsSystemIndex: false");
        for kind in kinds.split(' ') {
            let _ = writeln!(text, "nsIndexType: {kind}");
        }
        text.push('\n');
    }
    for (name, kinds) in [
        ("uid", "eq sub"),
        ("cn", "eq sub"),
        ("sn", "eq sub"),
        ("givenName", "eq sub"),
        ("telephoneNumber", "eq"),
        ("uidNumber", "eq pres"),
        ("gidNumber", "eq pres"),
    ] {
        text.push_str(&dn(name));
        text.push_str("changetype: modify\nreplace: nsIndexType\n");
        for kind in kinds.split(' ') {
            let _ = writeln!(text, "nsIndexType: {kind}");
        }
        if name == "uidNumber" {
            text.push_str("-\nadd: nsMatchingRule\nnsMatchingRule: integerOrderingMatch\n");
        }
        text.push_str("-\n\n");
    }
}

/// Everybody reads all but passwords. `memberOf` is an ordinary attribute here: searched, but not
/// returned, as on the others it is only when it is asked for.
fn access() -> String {
    format!(
        "dn: {SUFFIX}\nchangetype: modify\nreplace: aci\n\
         aci: (targetattr != \"userPassword || aci || memberOf\")(version 3.0; acl \"read\"; \
         allow (read, search, compare) userdn = \"ldap:///anyone\";)\n\
         aci: (targetattr = \"memberOf\")(version 3.0; acl \"search\"; \
         allow (search, compare) userdn = \"ldap:///anyone\";)\n-\n"
    )
}
