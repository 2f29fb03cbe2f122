//! `chancery cert`: what is to be said of a certificate before anybody meets it, and PFX files.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use anyhow::Result;
use pki::judge::families::{self, Acceptance, Sent};
use pki::judge::names::ServedName;
use pki::pfx::{self, Writing};
use pki::{
    Credential, Finding, Judgement, Level, Pfx, PfxRefused, Policy, Rule, Wanted, judge, pem,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde::Serialize;
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
    let now = OffsetDateTime::now_utc();
    let (judgement, accepting) =
        if check.ca { (authority(check, now)?, Vec::new()) } else { server(check, now)? };
    if common.json {
        let mut all = serde_json::to_value(&judgement)?;
        if let Some(all) = all.as_object_mut().filter(|_| !check.ca) {
            all.insert("acceptance".to_owned(), serde_json::to_value(&accepting)?);
        }
        println!("{}", serde_json::to_string_pretty(&all)?);
    } else {
        println!("{judgement}");
        accepting.iter().for_each(|one| println!("{}", one.lines()));
    }
    Ok(if judgement.passes() { DONE } else { FINDINGS })
}

/// What files hold, PEM or PFX.
struct Held {
    chain: Vec<CertificateDer<'static>>,
    key: Option<PrivateKeyDer<'static>>,
    /// What is to be said of the files themselves.
    findings: Vec<Finding>,
}

/// Who would accept it under one of its names.
#[derive(Serialize)]
struct Accepting {
    name: String,
    by: Vec<Acceptance>,
    /// No roots are given to judge it by.
    #[serde(skip)]
    is_trust_open: bool,
}

impl Accepting {
    fn lines(&self) -> String {
        let (who, why) = families::in_words(&self.by);
        let open = if self.is_trust_open { ", where its CA is trusted" } else { "" };
        let why = if why.is_empty() { why } else { format!("\n  {why}") };
        format!("{} would be accepted by{open}: {who}{why}", self.name)
    }
}

fn server(check: &CertCheck, now: OffsetDateTime) -> Result<(Judgement, Vec<Accepting>)> {
    let held = held(&check.chain, check.key.as_deref(), &check.password)?;
    let names = check.names.iter().map(|name| ServedName::parse(name).map_err(usage));
    let names = names.collect::<Result<Vec<_>>>()?;
    let mut roots = Vec::new();
    for file in &check.roots {
        roots.extend(certificates(file, &read(file)?.bytes)?);
    }
    let policy = policy(check);
    let wanted =
        Wanted { names: &names, roots: &roots, renews_itself: check.renews_itself, policy };
    let mut judgement = judge::judge_server(&held.chain, held.key.as_ref(), &wanted, now);
    judgement.findings.extend(held.findings);
    let given = (!check.roots.is_empty()).then_some(roots.as_slice());
    let accepting = names.iter().map(|name| {
        let by = families::acceptance(&Sent { chain: &held.chain, name, roots: given }, now);
        Accepting { name: name.to_string(), by, is_trust_open: given.is_none() }
    });
    let accepting = accepting.filter(|one| !one.by.is_empty()).collect();
    Ok((judgement, accepting))
}

fn held(chain: &Path, key: Option<&Path>, password: &PasswordFrom) -> Result<Held> {
    let content = read(chain)?;
    if !is_pem(&content.bytes) {
        return held_by_pfx(chain, &content, key, password);
    }
    let certificates = certificates(chain, &content.bytes)?;
    let holds_key = pem::holds_key(&content.bytes);
    let other = key.filter(|file| *file != chain);
    let other = other.map(|file| read(file).map(|read| (file, read))).transpose()?;
    let key = match &other {
        Some((file, read)) => Some(private_key(file, &read.bytes)?),
        // As mounts and some CAs give it: everything in one file.
        None if key.is_some() || holds_key => Some(private_key(chain, &content.bytes)?),
        None => None,
    };
    let with_keys = holds_key.then_some((chain, &content)).into_iter();
    let with_keys = with_keys.chain(other.as_ref().map(|(file, read)| (*file, read)));
    let findings = with_keys.filter_map(|(file, read)| exposed(file, read, &certificates));
    Ok(Held { key, findings: findings.collect(), chain: certificates })
}

fn held_by_pfx(
    file: &Path,
    read: &Content,
    key: Option<&Path>,
    password: &PasswordFrom,
) -> Result<Held> {
    let content: &[u8] = &read.bytes;
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
    let of_file = exposed(file, read, &pfx.chain);
    let findings = of_file.into_iter().chain([pfx::finding(&pfx)]).collect();
    // As different from a key that is missing beside PEM: another export is what helps.
    if pfx.key.is_none() {
        return Err(refused(PfxRefused::NoKey));
    }
    Ok(Held { chain: pfx.chain, key: pfx.key, findings })
}

/// Anything that says BEGIN is for the PEM reader, and so is what is empty.
fn is_pem(content: &[u8]) -> bool {
    content.is_empty() || content.windows(11).any(|part| part == b"-----BEGIN ")
}

fn converted(convert: &CertConvert) -> Result<u8> {
    let source = held(&convert.chain, convert.key.as_deref(), &convert.password)?;
    // A new file with the same key would hide that.
    if let Some(bad) = source.findings.iter().find(|one| one.rule == Rule::KeyExposed) {
        return Err(failed(format!("{}; {}", bad.found, bad.fix)));
    }
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

fn authority(check: &CertCheck, now: OffsetDateTime) -> Result<Judgement> {
    let chain = certificates(&check.chain, &read(&check.chain)?.bytes)?;
    match chain.as_slice() {
        [one] => Ok(judge::judge_authority(one, &policy(check), now)),
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

/// A file, and its mode where that says who can read it.
struct Content {
    bytes: Zeroizing<Vec<u8>>,
    mode: Option<u32>,
}

fn read(file: &Path) -> Result<Content> {
    let cannot = |error: std::io::Error| failed(format!("{}: {error}", file.display()));
    let mut bytes = Zeroizing::new(Vec::new());
    let opened = File::open(file).map_err(cannot)?;
    let metadata = opened.metadata().map_err(cannot)?;
    opened.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(failed(format!("{} is larger than a certificate can be", file.display())));
    }
    // A pipe from a shell's process substitution has a mode that means nothing.
    let mode = metadata.is_file().then(|| metadata.mode() & 0o7777);
    Ok(Content { bytes, mode })
}

/// No server takes a key that others can read.
fn exposed(file: &Path, read: &Content, chain: &[CertificateDer<'_>]) -> Option<Finding> {
    let mode = read.mode.filter(|mode| mode & 0o077 != 0)?;
    let subject = chain.first().and_then(|leaf| pki::Summary::parse(leaf).ok());
    let file = file.display();
    Some(Finding {
        rule: Rule::KeyExposed,
        level: Level::Refused,
        certificate: 0,
        subject: subject.map(|one| one.subject).unwrap_or_default(),
        found: format!("{file} holds a private key and others can read it (mode {mode:04o})"),
        expected: "a key that only its owner can read".to_owned(),
        fix: format!("run: chmod 600 {file}, and make a new key if others could have read it"),
    })
}

fn certificates(file: &Path, text: &[u8]) -> Result<Vec<CertificateDer<'static>>> {
    pem::certificates(text).map_err(|error| failed(format!("{}: {error}", file.display())))
}

fn private_key(file: &Path, text: &[u8]) -> Result<PrivateKeyDer<'static>> {
    pem::private_key(text).map_err(|error| failed(format!("{}: {error}", file.display())))
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    fn exposed_files(chain: &Path, key: Option<&Path>, password: &PasswordFrom) -> Vec<String> {
        let held = held(chain, key, password).unwrap();
        assert!(held.key.is_some());
        let exposed = held.findings.into_iter().filter(|one| one.rule == Rule::KeyExposed);
        exposed.inspect(|one| assert_eq!(one.level, Level::Refused)).map(|one| one.found).collect()
    }

    #[test]
    fn a_key_that_others_can_read_is_found_and_not_converted() {
        let folder = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let made = CertificateParams::new(vec!["a.test".to_owned()]).unwrap();
        let pem = made.self_signed(&key).unwrap().pem();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("chain.pem"), &pem).unwrap();
        fs::write(at("key.pem"), key.serialize_pem()).unwrap();
        fs::write(at("both.pem"), format!("{pem}{}", key.serialize_pem())).unwrap();
        let both = fs::read(at("both.pem")).unwrap();
        let credential = Credential::from_pem(&both, &both).unwrap();
        write_new(&at("password"), b"secret").unwrap();
        let password =
            PasswordFrom { password_file: Some(at("password")), ..PasswordFrom::default() };
        let bytes = pfx::encode(&credential, "secret", Writing::Aes).unwrap();
        fs::write(at("file.pfx"), bytes).unwrap();
        for mode in [0o644, 0o640, 0o600] {
            for name in ["key.pem", "both.pem", "file.pfx"] {
                fs::set_permissions(at(name), Permissions::from_mode(mode)).unwrap();
            }
            let is_bad = usize::from(mode != 0o600);
            for (chain, key, files) in [
                ("chain.pem", Some("key.pem"), 1),
                ("both.pem", None, 1),
                ("both.pem", Some("both.pem"), 1),
                ("both.pem", Some("key.pem"), 2),
                ("file.pfx", None, 1),
            ] {
                let found = exposed_files(&at(chain), key.map(at).as_deref(), &password);
                assert_eq!(found.len(), files * is_bad, "{mode:o} {chain} {key:?}: {found:?}");
                let convert = CertConvert {
                    chain: at(chain),
                    key: key.map(at),
                    output: at(&format!("{mode:o}-{chain}-{}.out", key.unwrap_or_default())),
                    password: password.clone(),
                    encryption: "aes".to_owned(),
                };
                let said = converted(&convert).err().map(|error| error.to_string());
                let said = said.unwrap_or_default();
                assert_eq!(said.contains("others can read it"), is_bad == 1, "{said}");
            }
        }
    }
}
