//! `chancery cert`: what is to be said of a certificate before anybody meets it, and PFX files.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use anyhow::Result;
use pki::judge::names::ServedName;
use pki::pfx::{self, Writing};
use pki::{Credential, Finding, Judgement, Pfx, PfxRefused, Policy, Wanted, judge, pem};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::Value;
use time::OffsetDateTime;
use zeroize::Zeroizing;

use crate::arguments::{Cert, CertCheck, CertConvert, Common};
use crate::certificates::{self, Looking};
use crate::failure::{DONE, FINDINGS, failed, usage};
use crate::local::{is_served, manage};
use crate::opening;
use crate::password::PasswordFrom;
use crate::steward::Asked;

pub(crate) fn run(common: &Common, cert: &Cert) -> Result<u8> {
    match cert {
        Cert::Check(check) => checked(common, check),
        Cert::Why => why(common),
        Cert::Convert(convert) => converted(convert),
    }
}

/// Asks the running server; without one, says what would be served.
fn why(common: &Common) -> Result<u8> {
    let config = opening::load(common, &common.overrides())?;
    let (text, why, is_served) = if is_served(&config.data) {
        let answer = manage(&config.data, &Asked::CertificateWhy)?;
        let text = answer.get("text").and_then(Value::as_str).unwrap_or_default().to_owned();
        (text, answer.get("why").cloned().unwrap_or_default(), true)
    } else {
        let why = certificates::why(&Looking::from(&config), OffsetDateTime::now_utc());
        (why.to_string(), serde_json::to_value(&why)?, false)
    };
    if common.json {
        println!("{}", serde_json::to_string_pretty(&why)?);
    } else {
        let about = if is_served { "served now" } else { "no server runs; what it would serve" };
        println!("{about}:\n\n{text}");
    }
    let candidates = why.get("candidates").and_then(Value::as_array);
    let is_chosen = |one: &Value| one.get("verdict").and_then(Value::as_str) == Some("chosen");
    let has_chosen = candidates.is_some_and(|all| all.iter().any(is_chosen));
    Ok(if has_chosen { DONE } else { FINDINGS })
}

fn checked(common: &Common, check: &CertCheck) -> Result<u8> {
    let judgement = if check.ca { authority(check)? } else { server(check)? };
    if common.json {
        println!("{}", serde_json::to_string_pretty(&judgement)?);
    } else {
        println!("{judgement}");
    }
    Ok(if judgement.passes() { DONE } else { FINDINGS })
}

/// What files hold, PEM or PFX.
struct Held {
    chain: Vec<CertificateDer<'static>>,
    key: Option<PrivateKeyDer<'static>>,
    /// What is to be said of the file itself.
    finding: Option<Finding>,
}

fn server(check: &CertCheck) -> Result<Judgement> {
    let held = held(&check.chain, check.key.as_deref(), &check.password)?;
    let names = check.names.iter().map(|name| ServedName::parse(name).map_err(usage));
    let names = names.collect::<Result<Vec<_>>>()?;
    let mut roots = Vec::new();
    for file in &check.roots {
        roots.extend(certificates(file, &read(file)?)?);
    }
    let policy = policy(check);
    let wanted =
        Wanted { names: &names, roots: &roots, renews_itself: check.renews_itself, policy };
    let now = OffsetDateTime::now_utc();
    let mut judgement = judge::judge_server(&held.chain, held.key.as_ref(), &wanted, now);
    judgement.findings.extend(held.finding);
    Ok(judgement)
}

fn held(chain: &Path, key: Option<&Path>, password: &PasswordFrom) -> Result<Held> {
    let content = read(chain)?;
    if !is_pem(&content) {
        return held_by_pfx(chain, &content, key, password);
    }
    let key = match key {
        Some(file) => Some(private_key(file, &read_key(file)?)?),
        // As mounts and some CAs give it: everything in one file.
        None if pem::holds_key(&content) => Some(private_key(chain, &content)?),
        None => None,
    };
    Ok(Held { chain: certificates(chain, &content)?, key, finding: None })
}

fn held_by_pfx(
    file: &Path,
    content: &[u8],
    key: Option<&Path>,
    password: &PasswordFrom,
) -> Result<Held> {
    let refused = |error: PfxRefused| failed(format!("{}: {error}", file.display()));
    // Asked for on the terminal only where the file is encrypted.
    let is_given = password.password_file.is_some() || password.password_fd.is_some();
    let open = match is_given {
        true => None,
        false => Some(Pfx::decode(content, None)),
    };
    let pfx = match open {
        Some(Ok(pfx)) => pfx,
        Some(Err(error)) if error != PfxRefused::PasswordMissing => return Err(refused(error)),
        _ => {
            let given = password.read(&format!("password of {}", file.display()))?;
            let text = given.as_ref().map(|text| text.as_str());
            Pfx::decode(content, text).map_err(|error| match error {
                PfxRefused::PasswordMissing => usage(format!(
                    "{}: {error}; give --password-file FILE or --password-fd NUMBER",
                    file.display()
                )),
                error => refused(error),
            })?
        }
    };
    if key.is_some() {
        return Err(usage(format!(
            "{} is a PFX file, which holds its key itself: leave --key out",
            file.display()
        )));
    }
    let finding = Some(pfx::finding(&pfx));
    // As different from a key that is missing beside PEM: another export is what helps.
    if pfx.key.is_none() {
        return Err(refused(PfxRefused::NoKey));
    }
    Ok(Held { chain: pfx.chain, key: pfx.key, finding })
}

/// Anything that says BEGIN is for the PEM reader, and so is what is empty.
fn is_pem(content: &[u8]) -> bool {
    content.is_empty() || content.windows(11).any(|part| part == b"-----BEGIN ")
}

fn converted(convert: &CertConvert) -> Result<u8> {
    let source =
        Held { finding: None, ..held(&convert.chain, convert.key.as_deref(), &convert.password)? };
    let Some(key) = source.key else {
        return Err(usage(format!(
            "{} holds no private key: give --key FILE",
            convert.chain.display()
        )));
    };
    let credential = Credential::new(source.chain, key).map_err(failed)?;
    let password = convert.password.require("password for the new file")?;
    let writing = if convert.encryption == "3des" { Writing::TripleDes } else { Writing::Aes };
    let bytes = pfx::encode(&credential, &password, writing).map_err(failed)?;
    write_new(&convert.output, &bytes)?;
    println!("{}: {} certificates and the key", convert.output.display(), credential.chain.len());
    Ok(DONE)
}

/// A new file for its owner only, whole or not at all.
pub(super) fn write_new(path: &Path, bytes: &[u8]) -> Result<()> {
    let cannot =
        |error: std::io::Error| failed(format!("cannot write {}: {error}", path.display()));
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(path).map_err(cannot)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(|error| {
        let _ = fs::remove_file(path);
        cannot(error)
    })
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

/// What is larger is the wrong file.
const FILE_BYTES_MAX: u64 = pfx::BYTES_MAX as u64;

fn read(file: &Path) -> Result<Zeroizing<Vec<u8>>> {
    let cannot = |error: std::io::Error| failed(format!("{}: {error}", file.display()));
    let mut content = Zeroizing::new(Vec::new());
    let opened = File::open(file).map_err(cannot)?;
    opened.take(FILE_BYTES_MAX + 1).read_to_end(&mut content).map_err(cannot)?;
    if content.len() as u64 > FILE_BYTES_MAX {
        return Err(failed(format!("{} is larger than a certificate can be", file.display())));
    }
    Ok(content)
}

fn read_key(file: &Path) -> Result<Zeroizing<Vec<u8>>> {
    let mode = fs::metadata(file).map(|metadata| metadata.mode()).unwrap_or_default();
    if mode & 0o077 != 0 {
        // It is judged all the same: this is about the certificate, and the server refuses it.
        eprintln!(
            "chancery: {} can be read by others (mode {:04o}), so no server takes it; run: chmod \
             600 {}",
            file.display(),
            mode & 0o7777,
            file.display()
        );
    }
    read(file)
}

fn certificates(file: &Path, text: &[u8]) -> Result<Vec<CertificateDer<'static>>> {
    pem::certificates(text).map_err(|error| failed(format!("{}: {error}", file.display())))
}

fn private_key(file: &Path, text: &[u8]) -> Result<PrivateKeyDer<'static>> {
    pem::private_key(text).map_err(|error| failed(format!("{}: {error}", file.display())))
}
