//! `chancery ca issue`: a certificate for a signing request that somebody brought.

use std::io::Read;
use std::path::Path;

use anyhow::Result;
use serde_json::json;
use time::OffsetDateTime;

use crate::arguments::{CaIssue, Common};
use crate::ca::Ca;
use crate::ca::audit::text;
use crate::ca::files::{Readers, replace};
use crate::ca::issue::{ByOperator, Issuing, NoCertificate};
use crate::config::Config;
use crate::failure::{DONE, FINDINGS, failed, usage};
use crate::opening;

pub(super) fn run(
    common: &Common,
    config: &Config,
    ca: &Ca,
    asked: &CaIssue,
    now: OffsetDateTime,
) -> Result<u8> {
    let request = read(&asked.csr)?;
    // Only names of entries need the directory, and a server may have it open.
    let directory = asked.entry.is_some().then(|| opening::reading(config)).transpose()?;
    if let (Some(dn), Some(directory)) = (&asked.entry, &directory) {
        check_entry(directory, dn)?;
    }
    let issuing = Issuing { ca, directory: directory.as_ref(), now };
    let by = ByOperator { entry: asked.entry.as_deref(), any_name: asked.any_name };
    // Before anything is issued: a slip must not cost a key that lies there.
    if let Some(path) = asked.output.as_ref().filter(|path| path.exists()) {
        return Err(failed(format!("{} is there already; name a new file", path.display())));
    }
    let certificate = match issuing.by_operator(&asked.template, &request, by) {
        Ok(certificate) => certificate,
        Err(NoCertificate::Failed(error)) => return Err(error),
        Err(NoCertificate::Refused(reasons)) => {
            refused(common, asked, &reasons)?;
            return Ok(FINDINGS);
        }
        Err(NoCertificate::NotTheirs(reason) | NoCertificate::TooMany(reason)) => {
            refused(common, asked, &[reason])?;
            return Ok(FINDINGS);
        }
    };
    if let Some(path) = &asked.output {
        replace(path, certificate.chain_pem.as_bytes(), Readers::Everybody)?;
    }
    let one = &certificate.summary;
    if common.json {
        println!(
            "{}",
            serde_json::to_string_pretty(&json!({
                "serial": one.serial,
                "thumbprint": one.thumbprint,
                "subject": one.subject,
                "names": one.names.iter().map(ToString::to_string).collect::<Vec<_>>(),
                "not-after": text(one.not_after),
                "chain": certificate.chain_pem,
            }))?
        );
        return Ok(DONE);
    }
    match &asked.output {
        Some(path) => {
            println!(
                "{}: {}, serial {}, until {}",
                path.display(),
                one.subject,
                one.serial,
                one.not_after.date()
            );
        }
        None => print!("{}", certificate.chain_pem),
    }
    Ok(DONE)
}

fn refused(common: &Common, asked: &CaIssue, reasons: &[String]) -> Result<()> {
    if common.json {
        println!("{}", serde_json::to_string_pretty(&json!({ "refused": reasons }))?);
        return Ok(());
    }
    eprintln!("chancery: no certificate of the template {}:", asked.template);
    for reason in reasons {
        eprintln!("  {reason}");
    }
    if !asked.any_name && reasons.iter().any(|reason| reason.starts_with("the name ")) {
        eprintln!("as the operator you may say --any-name, or --for DN for names of an entry");
    }
    if asked.entry.is_none() && reasons.iter().any(|reason| reason.contains("holder of an entry")) {
        eprintln!("say whose it is: --for DN");
    }
    Ok(())
}

fn check_entry(directory: &directory::Directory, dn: &str) -> Result<()> {
    let operator = directory::Subject {
        who: directory::Who::Operator,
        address: None,
        protection: directory::Protection::Local,
    };
    let view = directory.view(&operator).map_err(failed)?;
    match view.who_named(dn).map_err(failed)? {
        Some(_) => Ok(()),
        None => Err(usage(format!("--for: there is no entry '{dn}'"))),
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let cannot = |error: std::io::Error| failed(format!("cannot read {}: {error}", path.display()));
    let mut content = Vec::new();
    let most = pki::request::BYTES_MAX as u64 + 1;
    if path == Path::new("-") {
        std::io::stdin().take(most).read_to_end(&mut content).map_err(cannot)?;
    } else {
        let file = std::fs::File::open(path).map_err(cannot)?;
        file.take(most).read_to_end(&mut content).map_err(cannot)?;
    }
    Ok(content)
}
