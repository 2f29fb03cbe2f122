//! The CAs that an application's file names: PEM, DER, a folder, a PKCS #12 trust store.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use pki::{Pfx, PfxRefused, collection, pem};
use rustls::pki_types::CertificateDer;

use super::{Setting, Store};
use crate::doctor::rules::Finding;

const BYTES_MAX: u64 = 16 << 20;
const FILES_MAX: usize = 1000;

/// What the stores hold, and what is to be said of them.
#[derive(Debug, Default)]
pub(crate) struct Stocked {
    pub(crate) certificates: Vec<CertificateDer<'static>>,
    pub(crate) findings: Vec<Finding>,
}

/// Reads them; files that are named relatively are looked for beside the application's file.
pub(crate) fn read(stores: &[Store], beside: &Path, password: Option<&str>) -> Stocked {
    let mut all = Stocked::default();
    for store in stores {
        let (setting, read) = match store {
            Store::File(setting) => (setting, of_file(&at(setting, beside), password)),
            Store::Folder(setting) => (setting, of_folder(&at(setting, beside))),
        };
        match read {
            Ok((certificates, doubt)) => {
                all.certificates.extend(certificates);
                all.findings.extend(doubt.map(|doubt| {
                    let fix = format!("openssl rehash {}", setting.value);
                    setting.finding(doubt).warning().likely().fix(fix)
                }));
            }
            Err(Refused { why, fix }) => {
                let cause = format!("the CAs that it names cannot be read: {why}");
                let finding = setting.finding(cause).seen("the system's CAs were used here");
                all.findings.push(finding.fix(fix));
            }
        }
    }
    all
}

fn at(setting: &Setting, beside: &Path) -> PathBuf {
    beside.join(&setting.value)
}

struct Refused {
    why: String,
    fix: String,
}

type Held = (Vec<CertificateDer<'static>>, Option<String>);

fn refused(why: impl ToString, fix: impl Into<String>) -> Refused {
    Refused { why: why.to_string(), fix: fix.into() }
}

fn content(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut content = Vec::new();
    File::open(path)?.take(BYTES_MAX).read_to_end(&mut content)?;
    Ok(content)
}

fn of_file(path: &Path, password: Option<&str>) -> Result<Held, Refused> {
    /// What `keytool` wrote until Java 9, and with `-storetype JCEKS`.
    const JKS: [u8; 4] = [0xfe, 0xed, 0xfe, 0xed];
    const JCEKS: [u8; 4] = [0xce, 0xce, 0xce, 0xce];
    let content = content(path).map_err(|error| {
        refused(error, "write the path of a file that the application can read")
    })?;
    let shown = path.display();
    if content.starts_with(&JKS) || content.starts_with(&JCEKS) {
        return Err(refused(
            "it is a Java key store (JKS), which only Java reads",
            format!(
                "make a copy in PKCS #12: keytool -importkeystore -srckeystore {shown} \
                 -destkeystore NEW.p12 -deststoretype PKCS12"
            ),
        ));
    }
    if let Ok(found) = pem::certificates(&content).or_else(|_| collection::parse(&content)) {
        return Ok((found, None));
    }
    let opened = Pfx::decode(&content, password).map_err(|error| match error {
        PfxRefused::PasswordMissing | PfxRefused::WrongPassword => {
            refused(error, "give the password of the trust store: --store-password-file FILE")
        }
        PfxRefused::NotAPfx { .. } => {
            refused("it holds no certificate", "write the CA's certificate into it, in PEM")
        }
        other => refused(other, "export the CAs in PEM, and name that file"),
    })?;
    Ok((opened.chain, None))
}

/// Every file of a folder. OpenSSL finds a certificate there by the hash in the file's name only.
fn of_folder(path: &Path) -> Result<Held, Refused> {
    let fix = "write the path of a folder of PEM files";
    let entries = fs::read_dir(path).map_err(|error| refused(error, fix))?;
    let (mut found, mut has_hash) = (Vec::new(), false);
    for entry in entries.filter_map(Result::ok).take(FILES_MAX) {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_file = fs::metadata(entry.path()).is_ok_and(|one| one.is_file());
        let read = is_file.then(|| content(&entry.path()).ok()).flatten();
        let held = read.and_then(|content| pem::certificates(&content).ok());
        if let Some(certificates) = held {
            has_hash |= is_hash(&name);
            found.extend(certificates);
        }
    }
    match found.is_empty() {
        true => Err(refused("there is no certificate in the folder", fix)),
        false => {
            let doubt = "no file in the folder is named by a hash: OpenSSL finds none of them";
            Ok((found, (!has_hash).then(|| doubt.to_owned())))
        }
    }
}

/// As `openssl rehash` names it: eight digits, a dot, a number.
fn is_hash(name: &str) -> bool {
    name.split_once('.').is_some_and(|(hash, number)| {
        hash.len() == 8
            && hash.bytes().all(|one| one.is_ascii_hexdigit())
            && number.bytes().all(|one| one.is_ascii_digit())
    })
}
