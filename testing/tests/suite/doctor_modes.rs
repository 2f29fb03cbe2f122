//! The modes of `chancery doctor`, and where its answers go.

mod bundle;
mod configs;
mod differences;
mod fleet;
mod offline;
mod outputs;
mod own;
mod redacted;
mod vantages;

use std::path::Path;
use std::process::Command;

use pki::InHouseCa;
use testing::peers::Server;
use testing::peers::chancery::{binary, serve, start_command};
use testing::process::{Finished, run};
use time::{Duration, OffsetDateTime};

fn doctor(arguments: &[&str]) -> Finished {
    run(Command::new(binary()).arg("doctor").args(arguments)).unwrap()
}

fn json(said: &Finished) -> serde_json::Value {
    serde_json::from_str(&said.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", said.stdout, said.stderr))
}

/// What it says first.
fn first(said: &Finished) -> String {
    said.stdout.split_whitespace().nth(1).unwrap_or_default().to_owned()
}

/// A directory whose certificate is for these names, of a CA of its own, which is written there.
fn directory(ca_name: &str, names: &[&str], ca_file: &Path) -> Server {
    let folder = tempfile::Builder::new().prefix("chancery-").tempdir().unwrap();
    let (now, year) = (OffsetDateTime::now_utc(), Duration::days(365));
    let made = InHouseCa::create(ca_name, now, year, [7; 16]).unwrap();
    std::fs::write(ca_file, &made.cert_pem).unwrap();
    let ca = InHouseCa::open(&made).unwrap();
    let issued = ca.issue_server(names, now, year, [8; 16]).unwrap();
    let file = folder.path().join("both.pem");
    std::fs::write(&file, format!("{}{}", issued.chain_pem, *issued.key_pem)).unwrap();
    private(&file);
    let config = folder.path().join("chancery.toml");
    std::fs::write(&config, format!("[tls]\ncertificate = '{}'\n", file.display())).unwrap();
    let data = folder.path().join("data");
    let mut command = serve(&data);
    command.arg("--config").arg(&config);
    start_command(folder, &data, command).unwrap()
}

fn private(file: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).unwrap();
}
