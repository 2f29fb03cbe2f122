//! `chancery ca export`: the CA's certificate in the form in which a client wants to have it.

use std::fs;
use std::path::Path;

use anyhow::Result;
use pki::trust;
use rustls::pki_types::CertificateDer;
use serde_json::json;
use time::OffsetDateTime;

use super::clients::{self, Reached};
use crate::arguments::{CaExport, Common};
use crate::ca::files::{Readers, read_text, replace};
use crate::ca::{Ca, summary};
use crate::commands::cert::write_new;
use crate::config::Config;
use crate::failure::{DONE, failed};

/// The name of the certificate inside a truststore.
const ALIAS: &str = "chancery-ca";

pub(super) fn run(
    common: &Common,
    config: &Config,
    ca: &Ca,
    asked: &CaExport,
    now: OffsetDateTime,
) -> Result<u8> {
    // Before anything is written.
    let reached = asked.client.map(|_| Reached::of(config, asked.name.as_deref())).transpose()?;
    let path = ca.root_pem();
    let pem = read_text(&path)?;
    let certificates = pki::pem::certificates(pem.as_bytes())
        .map_err(|error| failed(format!("{}: {error}", path.display())))?;
    let mut written = Vec::new();
    if let Some(folder) = &asked.hash_dir {
        written.extend(hash_folder(folder, &certificates)?);
    }
    let named = || {
        let names =
            (1..).map(|at| if at == 1 { ALIAS.to_owned() } else { format!("{ALIAS}-{at}") });
        names.zip(certificates.iter().cloned()).collect::<Vec<_>>()
    };
    if asked.pkcs12.is_some() || asked.jks.is_some() {
        let password = asked.password.require("password for the truststore")?;
        if let Some(file) = &asked.pkcs12 {
            write_new(file, &trust::pkcs12(&named(), &password).map_err(failed)?)?;
            written.push(file.display().to_string());
        }
        if let Some(file) = &asked.jks {
            write_new(file, &trust::jks(&named(), &password, now).map_err(failed)?)?;
            written.push(file.display().to_string());
        }
    }
    if common.json {
        return told_as_json(ca, &pem, &written);
    }
    for file in &written {
        println!("wrote {file}");
    }
    if let (Some(client), Some(reached)) = (asked.client, reached) {
        print!("{}", clients::lines(client, &reached));
    }
    let is_nothing_else = written.is_empty() && asked.client.is_none();
    if asked.pem || is_nothing_else {
        print!("{pem}");
    }
    if is_nothing_else && !asked.pem {
        eprintln!(
            "This is the CA that clients must trust. For the lines to write: chancery ca export \
             --for openldap (or sssd, java, windows, containers, debian, redhat, node, python)"
        );
    }
    Ok(DONE)
}

fn told_as_json(ca: &Ca, pem: &str, written: &[String]) -> Result<u8> {
    let root = summary(&ca.root_pem())?;
    let told = json!({
        "subject": root.subject,
        "thumbprint": root.thumbprint,
        "not-after": crate::ca::audit::text(root.not_after),
        "pem": pem,
        "written": written,
    });
    println!("{}", serde_json::to_string_pretty(&told)?);
    Ok(DONE)
}

/// `HASH.0`, or the next number where another certificate has that.
fn hash_folder(folder: &Path, certificates: &[CertificateDer<'_>]) -> Result<Vec<String>> {
    let cannot = |error: std::io::Error| failed(format!("{}: {error}", folder.display()));
    fs::create_dir_all(folder).map_err(cannot)?;
    let mut written = Vec::new();
    for der in certificates {
        let hash = trust::subject_hash(der).map_err(failed)?;
        let text = pki::pem::certificate_text(der);
        for number in 0..100 {
            let path = folder.join(format!("{hash}.{number}"));
            match path.exists().then(|| read_text(&path)).transpose()? {
                Some(there) if there != text => continue,
                Some(_) => {}
                None => replace(&path, text.as_bytes(), Readers::Everybody)?,
            }
            written.push(path.display().to_string());
            break;
        }
    }
    Ok(written)
}
