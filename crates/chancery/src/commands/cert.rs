//! `chancery cert`: what is to be said of a certificate before anybody meets it.

use std::fs;
use std::path::Path;

use anyhow::Result;
use pki::judge::names::ServedName;
use pki::{Judgement, Policy, Wanted, judge, pem};
use rustls::pki_types::CertificateDer;
use time::OffsetDateTime;

use crate::arguments::{Cert, CertCheck, Common};
use crate::failure::{DONE, FINDINGS, failed, usage};

pub(crate) fn run(common: &Common, cert: &Cert) -> Result<u8> {
    let Cert::Check(check) = cert;
    let judgement = if check.ca { authority(check)? } else { server(check)? };
    if common.json {
        println!("{}", serde_json::to_string_pretty(&judgement)?);
    } else {
        println!("{judgement}");
    }
    Ok(if judgement.passes() { DONE } else { FINDINGS })
}

fn server(check: &CertCheck) -> Result<Judgement> {
    let text = read(&check.chain)?;
    let chain = certificates(&check.chain, &text)?;
    let key_file = check.key.as_ref();
    let key = match key_file {
        Some(file) => Some(private_key(file, &read(file)?)?),
        // As mounts and some CAs give it: everything in one file.
        None if pem::holds_key(&text) => Some(private_key(&check.chain, &text)?),
        None => None,
    };
    let names = check.names.iter().map(|name| ServedName::parse(name).map_err(usage));
    let names = names.collect::<Result<Vec<_>>>()?;
    let mut roots = Vec::new();
    for file in &check.roots {
        roots.extend(certificates(file, &read(file)?)?);
    }
    let policy = policy(check);
    let wanted =
        Wanted { names: &names, roots: &roots, renews_itself: check.renews_itself, policy };
    Ok(judge::judge_server(&chain, key.as_ref(), &wanted, OffsetDateTime::now_utc()))
}

fn authority(check: &CertCheck) -> Result<Judgement> {
    let chain = certificates(&check.chain, &read(&check.chain)?)?;
    match chain.as_slice() {
        [one] => Ok(judge::judge_authority(one, &policy(check), OffsetDateTime::now_utc())),
        several => Err(usage(format!(
            "{} holds {} certificates; --ca judges one: split them, or leave --ca out to judge a \
             server's chain",
            check.chain.display(),
            several.len()
        ))),
    }
}

fn policy(check: &CertCheck) -> Policy {
    Policy { lifetime_days_min: check.days, ..Policy::default() }
}

fn read(file: &Path) -> Result<Vec<u8>> {
    fs::read(file).map_err(|error| failed(format!("{}: {error}", file.display())))
}

fn certificates(file: &Path, text: &[u8]) -> Result<Vec<CertificateDer<'static>>> {
    pem::certificates(text).map_err(|error| failed(format!("{}: {error}", file.display())))
}

fn private_key(file: &Path, text: &[u8]) -> Result<rustls::pki_types::PrivateKeyDer<'static>> {
    pem::private_key(text).map_err(|error| failed(format!("{}: {error}", file.display())))
}
