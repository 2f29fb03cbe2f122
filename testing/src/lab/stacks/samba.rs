//! A Samba domain controller (GnuTLS), provisioned once and copied for each, on a machine of its
//! own: it needs the ports that it has.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use anyhow::Result;

use super::wait;
use crate::lab::certificates::{FAKETIME, Material};
use crate::lab::{Lab, NAME, PASSWORD, Setup};
use crate::namespaces::{Cable, Machine};
use crate::peers::missing::Peer;
use crate::process::{Process, run_checked};

pub const ADMIN: &str = "administrator@corp.example";
const ADDRESS: &str = "10.78.0.1";

pub fn peers() -> Vec<Peer> {
    vec![
        Peer::program("samba", "/usr/sbin/samba"),
        Peer::program("samba-tool", "/usr/bin/samba-tool"),
        Peer::program("samba-ad-provision", "/usr/share/samba/setup/ad-schema"),
        Peer::program("ldbmodify", "/usr/bin/ldbmodify"),
    ]
}

/// A provisioned domain with the people below.
#[derive(Clone, Debug)]
pub struct Template(PathBuf);

/// People by what keeps them from signing in; all have [`PASSWORD`].
pub const DISABLED: &str = "disabled@corp.example";
pub const EXPIRED: &str = "expired@corp.example";
pub const MUST_CHANGE: &str = "mustchange@corp.example";
pub const LOCKED: &str = "locked@corp.example";
pub const NEVER_AT_THIS_HOUR: &str = "nohours@corp.example";
pub const ELSEWHERE_ONLY: &str = "elsewhere@corp.example";
pub const PASSWORD_TOO_OLD: &str = "tooold@corp.example";
pub const ANNA: &str = "anna@corp.example";

pub fn template(lab: &Lab) -> Result<Template> {
    let folder = lab.folder("samba-template")?;
    let target = folder.join("dc");
    let mut provision = tool(&["domain", "provision", "--realm=CORP.EXAMPLE", "--domain=CORP"]);
    provision.args(["--server-role=dc", "--dns-backend=NONE", "--host-name=dc1"]);
    provision.arg(format!("--adminpass={PASSWORD}"));
    run_checked(provision.arg(format!("--targetdir={}", target.display())))?;
    let database = target.join("private/sam.ldb").display().to_string();
    let at = |arguments: &[&str]| -> Result<()> {
        run_checked(tool(arguments).args(["-H", &database])).map(drop)
    };
    // A try too many locks: the threshold of a new domain is none.
    let policy = ["domain", "passwordsettings", "set", "--account-lockout-threshold=3"];
    at(&[&policy[..], &["--max-pwd-age=42"]].concat())?;
    for name in ["anna", "disabled", "expired", "locked", "nohours", "elsewhere"] {
        at(&["user", "create", name, PASSWORD])?;
    }
    // Long ago: the day on which a password ends counts from when it was set.
    let mut before = tool(&["user", "create", "tooold", PASSWORD, "-H", &database]);
    run_checked(before.env("LD_PRELOAD", FAKETIME).env("FAKETIME", "-400d"))?;
    at(&["user", "create", "mustchange", PASSWORD, "--must-change-at-next-login"])?;
    at(&["user", "disable", "disabled"])?;
    let changes = "dn: CN=expired,CN=Users,DC=corp,DC=example\nchangetype: modify\n\
         replace: accountExpires\naccountExpires: 130000000000000000\n\n\
         dn: CN=nohours,CN=Users,DC=corp,DC=example\nchangetype: modify\n\
         replace: logonHours\nlogonHours:: AAAAAAAAAAAAAAAAAAAAAAAAAAAA\n\n\
         dn: CN=elsewhere,CN=Users,DC=corp,DC=example\nchangetype: modify\n\
         replace: userWorkstations\nuserWorkstations: ANOTHER\n\n"
        .to_owned();
    let changes = changes + &locked_now();
    fs::write(folder.join("changes.ldif"), changes)?;
    let mut modify = Command::new("ldbmodify");
    run_checked(modify.args(["-H", &database]).arg(folder.join("changes.ldif")))?;
    Ok(Template(target))
}

fn tool(arguments: &[&str]) -> Command {
    let mut command = Command::new("samba-tool");
    command.args(arguments);
    command
}

/// The time in tenths of microseconds since 1601, as AD writes it.
fn locked_now() -> String {
    let now = time::OffsetDateTime::now_utc().unix_timestamp() + 11_644_473_600;
    format!(
        "dn: CN=locked,CN=Users,DC=corp,DC=example\nchangetype: modify\n\
         replace: lockoutTime\nlockoutTime: {}\n-\nreplace: badPwdCount\nbadPwdCount: 3\n",
        now * 10_000_000
    )
}

/// How one domain controller differs from what `provision` makes.
#[derive(Default)]
pub struct Settings<'a> {
    /// Without one it makes its own.
    pub material: Option<&'a Material>,
    /// Lines of `[global]`.
    pub global: &'a str,
    /// What an administrator does before it runs, by `samba-tool`: one command a line.
    pub commands: &'a str,
    /// And by `ldbmodify`.
    pub changes: &'a str,
}

/// A domain controller that runs.
pub struct Controller {
    _process: Process,
    pub folder: PathBuf,
    /// What it made for itself, or what was given.
    pub ca: PathBuf,
    pub machine: Arc<Machine>,
    _cable: Cable,
}

pub fn serve(lab: &Lab, how: &Settings<'_>) -> Result<Controller> {
    let Template(template) = lab.samba()?;
    let folder = lab.folder("samba")?.join("dc");
    run_checked(Command::new("cp").arg("-a").arg(&template).arg(&folder))?;
    let (here, there) = (folder.display().to_string(), template.display().to_string());
    let config = folder.join("etc/smb.conf");
    let text = fs::read_to_string(&config)?.replace(&there, &here);
    // Nothing but LDAP: the rest takes seconds to start, and nobody asks it.
    let services =
        text.lines().map(|line| match line.trim_start().starts_with("server services") {
            true => format!("server services = ldap\n{}\npid directory = {here}\n", how.global),
            false => format!("{line}\n"),
        });
    fs::write(&config, services.collect::<String>().replace("/var/log/samba", &here))?;
    administered(&folder, how)?;
    let tls = folder.join("private/tls");
    if let Some(material) = how.material {
        for (from, to) in
            [(&material.chain, "cert.pem"), (&material.key, "key.pem"), (&material.ca, "ca.pem")]
        {
            fs::copy(from, tls.join(to))?;
        }
        let own = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        fs::set_permissions(tls.join("key.pem"), own)?;
    }
    let cable = Cable::new()?;
    let machine = Arc::new(cable.machine("samba", &[ADDRESS])?);
    let mut command = machine.command("/usr/sbin/samba");
    command.args(["-i", "--debug-stdout", "-s"]).arg(&config);
    let mut process = Process::start("samba", &folder, command)?;
    wait(&mut process, Some(&machine), 389)?;
    if !how.global.contains("tls enabled = no") {
        wait(&mut process, Some(&machine), 636)?;
    }
    let ca = how.material.map_or_else(|| tls.join("ca.pem"), |material| material.ca.clone());
    Ok(Controller { _process: process, folder, ca, machine, _cable: cable })
}

fn administered(folder: &Path, how: &Settings<'_>) -> Result<()> {
    let database = folder.join("private/sam.ldb").display().to_string();
    for line in how.commands.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        run_checked(tool(&words).args(["-H", &database]))?;
    }
    if !how.changes.is_empty() {
        let file = folder.join("changes.ldif");
        fs::write(&file, how.changes)?;
        run_checked(Command::new("ldbmodify").args(["-H", &database]).arg(&file))?;
    }
    Ok(())
}

impl Controller {
    /// The doctor on the same machine.
    pub fn asked(&self, more: &[&str]) -> Setup {
        let (target, ca) = (format!("ldaps://{NAME}"), self.ca.display().to_string());
        let mut setup = Setup::asked(&[&target, "--address", ADDRESS, "--ca", &ca]).and(more);
        setup.from = Some(Arc::clone(&self.machine));
        setup
    }

    pub fn looked_at(self, more: &[&str]) -> Setup {
        self.asked(more).holding(self)
    }

    /// How many wrong passwords are counted for somebody.
    pub fn bad_passwords(&self, cn: &str) -> Result<u32> {
        let database = self.folder.join("private/sam.ldb");
        let mut search = Command::new("ldbsearch");
        search.arg("-H").arg(database).args([&format!("(cn={cn})"), "badPwdCount"]);
        let said = run_checked(&mut search)?;
        let count = said.lines().find_map(|line| line.strip_prefix("badPwdCount: "));
        Ok(count.and_then(|count| count.trim().parse().ok()).unwrap_or_default())
    }
}
