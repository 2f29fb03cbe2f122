//! Chancery itself: its configuration, `chancery import`, `chancery serve`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use testing::ports;
use testing::process::run_checked;

use crate::data::{ADMINISTRATOR, PASSWORD, SUFFIX};
use crate::peers::{Bench, Kind, Prepared, timed, unpinned};

/// `CHANCERY_BIN`, or the program built beside this one.
pub(super) fn binary() -> PathBuf {
    if let Some(given) = std::env::var_os("CHANCERY_BIN") {
        return given.into();
    }
    let exe = std::env::current_exe().unwrap_or_default();
    // Tests and examples are one folder deeper.
    let beside = exe.ancestors().skip(1).take(2).map(|folder| folder.join("chancery"));
    beside.into_iter().find(|path| path.is_file()).unwrap_or_else(|| "chancery".into())
}

pub(super) fn prepare(bench: &Bench, folder: &Path) -> Result<Prepared> {
    let [ldap, ldaps] = ports::free::<2>()?;
    let (data, file) = (folder.join("data"), folder.join("chancery.toml"));
    let configuration = configuration(ldap, ldaps);
    let places = format!(
        "data = \"{}\"\n{}\n[tls]\ncertificate = \"{}\"\nkey = \"{}\"\n",
        data.display(),
        configuration,
        bench.server.certificate.display(),
        bench.server.key.display(),
    );
    fs::write(&file, places)?;
    let mut import = unpinned(binary());
    import.arg("import").arg(&bench.ldif).arg("--config").arg(&file);
    let import = timed(&mut import)?;
    let mut version = std::process::Command::new(binary());
    Ok(Prepared {
        kind: Kind::Chancery,
        version: run_checked(version.arg("--version"))?.trim().to_owned(),
        configuration,
        import,
        disk: vec![data.clone()],
        ldap,
        ldaps,
        ca: bench.ca.certificate.clone(),
        administrator: ADMINISTRATOR.to_owned(),
        password: PASSWORD.to_owned(),
        program: binary(),
        arguments: vec!["serve".into(), "--config".into(), file.into()],
        folder: folder.to_owned(),
        pinned: bench.pinned,
        instance: None,
    })
}

/// Everything that is not a default; certificates and the data folder come with it.
fn configuration(ldap: u16, ldaps: u16) -> String {
    format!(
        r#"suffixes = ["{SUFFIX}"]
administrator = "{ADMINISTRATOR}"
anonymous = "search"

[[listen]]
address = "127.0.0.1:{ldap}"
mode = "starttls"

[[listen]]
address = "127.0.0.1:{ldaps}"
mode = "ldaps"

[limits]
connections = 20000
connections-per-address = 20000
idle-time = "1 h"
idle-time-before-bind = "1 h"

[passwords]
rehash = false

[log]
level = "error"
audit = "off"

[[access]]
who = 'entry "{ADMINISTRATOR}"'
may = "manage"

[[access]]
who = "anyone"
may = "auth"
attributes = "@secrets"

[[access]]
who = "anyone"
may = "read"
"#
    )
}
