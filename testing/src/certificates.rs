//! A throw-away certificate authority, made with the `openssl` command as an outsider would.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::process::{run, run_checked};

/// A certificate and its private key, both PEM files.
#[derive(Clone, Debug)]
pub struct Certificate {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// Makes a self-signed CA: `folder/ca.pem` and `folder/ca.key`.
pub fn authority(folder: &Path) -> Result<Certificate> {
    let ca = Certificate { certificate: folder.join("ca.pem"), key: folder.join("ca.key") };
    run_checked(
        Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"])
            .args(["-nodes", "-days", "2", "-subj", "/CN=Suite CA", "-keyout"])
            .arg(&ca.key)
            .arg("-out")
            .arg(&ca.certificate)
            .args(["-addext", "keyUsage=critical,keyCertSign,cRLSign"]),
    )?;
    Ok(ca)
}

/// A server certificate for `localhost`, the loopback addresses and this host's names: libldap
/// verifies against the host's full name when it is asked to connect to `localhost`.
pub fn server(folder: &Path, ca: &Certificate) -> Result<Certificate> {
    let mut names = "DNS:localhost,IP:127.0.0.1,IP:::1".to_owned();
    for name in host_names() {
        names += &format!(",DNS:{name}");
    }
    let extensions = format!(
        "basicConstraints=critical,CA:FALSE\nextendedKeyUsage=serverAuth\nsubjectAltName={names}\n"
    );
    issue(folder, "server", "/CN=localhost", &extensions, ca)
}

/// The short and the full name of this host, as far as it has them.
fn host_names() -> Vec<String> {
    let ask = |flag| run(Command::new("hostname").arg(flag)).ok();
    let answers = ["-s", "-f"].into_iter().filter_map(ask);
    let names = answers.map(|answer| answer.stdout.trim().to_owned());
    names.filter(|name| !name.is_empty() && name != "localhost").collect()
}

/// A client certificate whose subject is the LDAP name `dn` (plain RDNs, no escapes).
pub fn client(folder: &Path, dn: &str, ca: &Certificate) -> Result<Certificate> {
    let extensions = "basicConstraints=critical,CA:FALSE\nextendedKeyUsage=clientAuth\n";
    issue(folder, "client", &subject(dn), extensions, ca)
}

/// X.500 writes the root first, LDAP writes it last (RFC 4514 §2.1).
fn subject(dn: &str) -> String {
    dn.split(',').rev().fold(String::new(), |subject, rdn| {
        let (kind, value) = rdn.split_once('=').unwrap_or((rdn, ""));
        format!("{subject}/{}={value}", kind.to_uppercase())
    })
}

fn issue(
    folder: &Path,
    name: &str,
    subject: &str,
    extensions: &str,
    ca: &Certificate,
) -> Result<Certificate> {
    let file = |suffix: &str| folder.join(format!("{name}.{suffix}"));
    let made = Certificate { certificate: file("pem"), key: file("key") };
    fs::write(file("ext"), extensions)?;
    run_checked(
        Command::new("openssl")
            .args(["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"])
            .args(["-subj", subject, "-keyout"])
            .arg(&made.key)
            .arg("-out")
            .arg(file("csr")),
    )?;
    run_checked(
        Command::new("openssl")
            .args(["x509", "-req", "-days", "2", "-in"])
            .arg(file("csr"))
            .arg("-CA")
            .arg(&ca.certificate)
            .arg("-CAkey")
            .arg(&ca.key)
            .args(["-CAcreateserial", "-extfile"])
            .arg(file("ext"))
            .arg("-out")
            .arg(&made.certificate),
    )?;
    Ok(made)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_root_comes_first_in_x500() {
        assert_eq!(super::subject("cn=admin,dc=example,dc=com"), "/DC=com/DC=example/CN=admin");
    }
}
