//! Whole directories in and out: loads, exports, backups, and the check against damage made on
//! purpose.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock::Clock;
use crate::store::Store;
use crate::transfer::Rejected;
use crate::transfer::check::{Finding, check};
use crate::transfer::export::{ExportOptions, export};
use crate::transfer::load::{LoadError, LoadOptions, Loaded, load};
use crate::{Directory, Settings};

mod damage;
mod foreign;
mod loads;
mod round_trips;

/// Time stands still, and chance counts.
struct StillClock;

static CHANCE: AtomicU64 = AtomicU64::new(0);

impl Clock for StillClock {
    fn now_ms(&self) -> u64 {
        1_795_253_399_999
    }

    fn random(&self, bytes: &mut [u8]) {
        let next = CHANCE.fetch_add(1, Ordering::SeqCst);
        for (byte, counted) in bytes.iter_mut().zip(next.to_le_bytes().iter().cycle()) {
            *byte = *counted;
        }
    }
}

fn settings() -> Settings {
    let store = crate::store::StoreOptions { map_bytes_max: 1 << 30, ..Default::default() };
    let hasher = crate::password::Hasher::new(8, 1, 1).unwrap();
    Settings { store, hasher, clock: std::sync::Arc::new(StillClock), ..Settings::default() }
}

const GOING_ON: LoadOptions = LoadOptions { keep_going: true, ..LoadOptions::new() };

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn load(
        &self,
        options: &LoadOptions,
        ldif: &str,
    ) -> Result<(Loaded, Vec<Rejected>), LoadError> {
        self.load_bytes(options, ldif.as_bytes())
    }

    fn load_bytes(
        &self,
        options: &LoadOptions,
        ldif: &[u8],
    ) -> Result<(Loaded, Vec<Rejected>), LoadError> {
        let settings = settings();
        let store = unlocked(|| {
            let store = match self.path().join("format").exists() {
                true => Store::open(self.path(), &settings.store),
                false => Store::create(self.path(), &settings.store),
            };
            store.map_err(|error| error.to_string())
        });
        let mut rejects = Vec::new();
        let mut reject = |rejected: &Rejected| rejects.push(rejected.clone());
        let loaded = load(store, settings, options, ldif, &mut reject, &mut |_| {})?;
        Ok((loaded, rejects))
    }

    /// Loads what must load whole, and finds nothing wrong with it.
    fn loaded(ldif: &str) -> Folder {
        let folder = Folder::new();
        let (_, rejects) = folder.load(&LoadOptions::new(), ldif).unwrap();
        assert_eq!(rejects, []);
        assert_eq!(findings(&folder.open()), []);
        folder
    }

    fn open(&self) -> Directory {
        unlocked(|| Directory::open(self.path(), settings()).map_err(|error| error.to_string()))
    }

    fn export(&self) -> String {
        exported(&self.open(), &ExportOptions { base: None, user_only: false })
    }

    /// The lines of one entry's export that begin like this.
    fn lines(&self, dn: &str, beginning: &str) -> Vec<String> {
        let options = ExportOptions { base: Some(dn), user_only: false };
        let text = exported(&self.open(), &options).replace("\n ", "");
        let entry = text.split("\n\n").nth(1).unwrap().to_owned();
        entry.lines().filter(|line| line.starts_with(beginning)).map(str::to_owned).collect()
    }
}

fn exported(directory: &Directory, options: &ExportOptions<'_>) -> String {
    let mut out = Vec::new();
    export(directory, options, &mut out, &mut |_| {}).unwrap();
    String::from_utf8(out).unwrap()
}

fn findings(directory: &Directory) -> Vec<Finding> {
    let mut findings = Vec::new();
    check(directory, &mut |finding| findings.push(finding), &mut |_| {}).unwrap();
    findings
}

/// A test beside this one that starts a program holds every open file's lock until that program
/// runs.
fn unlocked<T>(open: impl Fn() -> Result<T, String>) -> T {
    for _ in 0..100_000 {
        match open() {
            Err(error) if error.contains("in use by another process") => std::thread::yield_now(),
            opened => return opened.unwrap(),
        }
    }
    panic!("the folder stays locked")
}

/// A suffix and two units.
const TOP: &str = "\
dn: dc=example,dc=com
objectClass: domain
dc: example

dn: ou=people,dc=example,dc=com
objectClass: organizationalUnit
ou: people

dn: ou=groups,dc=example,dc=com
objectClass: organizationalUnit
ou: groups

";

fn person(name: &str) -> String {
    format!(
        "dn: uid={name},ou=people,dc=example,dc=com\nobjectClass: inetOrgPerson\n\
         cn: {name}\nsn: {name}\nuid: {name}\n\n"
    )
}
