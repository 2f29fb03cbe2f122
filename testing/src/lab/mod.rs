//! The fault lab: servers that are wrong in one known way, what the doctor says of each, and
//! whether what it advises mends it.
//!
//! - [`certificates`]: chains with one fault each. [`stacks`]: servers that show them, of as many
//!   TLS implementations as can be had. [`network`]: machines, packet filters, name servers.
//!   [`listeners`]: what no product can be had for.
//! - [`fixes`]: what must have been advised for the lab to have applied it.
//! - [`capture`]: what goes over the wire. [`others`]: the same faults, looked at with tools that
//!   people have.
//! - [`faults`]: the tables. Each fault has the true cause, whatever the doctor says today.

use std::any::Any;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::Value;
use tempfile::TempDir;

use crate::namespaces::Machine;
use crate::peers::chancery::binary;
use crate::process::{Finished, run, run_checked};

pub mod capture;
pub mod certificates;
pub mod faults;
pub mod fixes;
pub mod listeners;
pub mod network;
pub mod others;
pub mod stacks;

/// The name that applications use, and what it is below.
pub const NAME: &str = "dc1.corp.example";
pub const SUFFIX: &str = "dc=corp,dc=example";
/// Of the administrator of every directory here.
pub const PASSWORD: &str = "Passw0rd-of-the-lab";

/// What the faults share.
pub struct Lab {
    pub folder: TempDir,
    pub keys: certificates::Keys,
    java: OnceLock<Java>,
    ds389: Mutex<Option<stacks::ds389::Template>>,
    samba: Mutex<Option<stacks::samba::Template>>,
}

/// The small directory in Java, compiled.
#[derive(Clone, Debug)]
pub struct Java {
    pub classes: PathBuf,
    /// Java's settings for weak things: none is put away.
    pub security: PathBuf,
}

impl Lab {
    pub fn new() -> Result<Lab> {
        let folder = tempfile::Builder::new().prefix("lab-").tempdir()?;
        // Servers that give up their rights still have to reach their files.
        std::fs::set_permissions(
            folder.path(),
            std::os::unix::fs::PermissionsExt::from_mode(0o755),
        )?;
        let keys = certificates::Keys::make(folder.path())?;
        let (java, ds389, samba) = Default::default();
        Ok(Lab { folder, keys, java, ds389, samba })
    }

    /// What 389 DS is copied from; whoever comes first makes it, and others wait.
    pub fn ds389(&self) -> Result<stacks::ds389::Template> {
        once(&self.ds389, || stacks::ds389::template(self))
    }

    pub fn samba(&self) -> Result<stacks::samba::Template> {
        once(&self.samba, || stacks::samba::template(self))
    }

    pub fn java(&self) -> Result<Java> {
        if let Some(java) = self.java.get() {
            return Ok(java.clone());
        }
        let classes = self.folder("classes")?;
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/Directory.java");
        run_checked(Command::new("javac").arg("-d").arg(&classes).arg(source))?;
        let security = classes.join("java.security");
        std::fs::write(
            &security,
            "jdk.tls.disabledAlgorithms=NULL\njdk.certpath.disabledAlgorithms=MD2\n",
        )?;
        Ok(self.java.get_or_init(|| Java { classes, security }).clone())
    }

    /// A folder of its own for one server.
    pub fn folder(&self, what: &str) -> Result<PathBuf> {
        static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let folder = self.folder.path().join(format!("{what}-{number}"));
        std::fs::create_dir(&folder)?;
        Ok(folder)
    }
}

fn once<T: Clone>(held: &Mutex<Option<T>>, make: impl Fn() -> Result<T>) -> Result<T> {
    let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(made) = &*held {
        return Ok(made.clone());
    }
    let made = make()?;
    *held = Some(made.clone());
    Ok(made)
}

/// A server that stands, and how the doctor is asked about it.
#[derive(Default)]
pub struct Setup {
    /// What is given to `chancery doctor`.
    pub arguments: Vec<String>,
    /// Where the doctor runs; on this machine, where there is none.
    pub from: Option<Arc<Machine>>,
    pub environment: Vec<(String, String)>,
    /// What must live as long.
    pub held: Vec<Box<dyn Any + Send>>,
}

impl Setup {
    pub fn asked(arguments: &[&str]) -> Setup {
        let arguments = arguments.iter().map(|one| (*one).to_owned()).collect();
        Setup { arguments, ..Setup::default() }
    }

    #[must_use]
    pub fn and(mut self, arguments: &[&str]) -> Setup {
        self.arguments.extend(arguments.iter().map(|one| (*one).to_owned()));
        self
    }

    /// The doctor under another clock than everybody else's, as libfaketime writes it.
    #[must_use]
    pub fn under_clock(mut self, time: &str) -> Setup {
        let set = [
            ("LD_PRELOAD", certificates::FAKETIME),
            ("FAKETIME", time),
            // Only what time it is changes, not how it passes.
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ];
        self.environment.extend(set.map(|(name, value)| (name.to_owned(), value.to_owned())));
        self
    }

    #[must_use]
    pub fn holding(mut self, held: impl Any + Send) -> Setup {
        self.held.push(Box::new(held));
        self
    }

    /// Asks the doctor, for its findings.
    pub fn look(&self) -> Result<Finished> {
        self.run(&["--json"])
    }

    /// Asks the doctor, for what a person reads.
    pub fn read(&self) -> Result<Finished> {
        self.run(&[])
    }

    fn run(&self, more: &[&str]) -> Result<Finished> {
        let mut command = match &self.from {
            Some(machine) => machine.command(&binary().display().to_string()),
            None => Command::new(binary()),
        };
        command.arg("doctor").args(&self.arguments).args(more);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        run(&mut command)
    }
}

type Seed = Box<dyn Fn(&Lab) -> Result<Setup> + Send + Sync>;

/// One fault: how it is made, what it is called, and what is done about it.
pub struct Fault {
    pub id: String,
    /// Whose TLS it is.
    pub stack: &'static str,
    /// The true cause.
    pub cause: &'static str,
    seed: Seed,
    /// The server as it is after what the fix says was done.
    mended: Option<Seed>,
    /// Needs root and network namespaces.
    pub has_machines: bool,
}

impl Fault {
    pub fn new(
        id: impl Into<String>,
        stack: &'static str,
        cause: &'static str,
        seed: impl Fn(&Lab) -> Result<Setup> + Send + Sync + 'static,
    ) -> Fault {
        let (id, seed) = (id.into(), Box::new(seed));
        Fault { id, stack, cause, seed, mended: None, has_machines: false }
    }

    /// What is there once the fix that is printed was applied.
    #[must_use]
    pub fn mended(
        mut self,
        mended: impl Fn(&Lab) -> Result<Setup> + Send + Sync + 'static,
    ) -> Fault {
        self.mended = Some(Box::new(mended));
        self
    }

    #[must_use]
    pub fn on_machines(mut self) -> Fault {
        self.has_machines = true;
        self
    }

    /// Makes it and hands it over, for other tools.
    pub fn stand(&self, lab: &Lab) -> Result<Setup> {
        (self.seed)(lab).with_context(|| format!("{} ({})", self.id, self.stack))
    }
}

/// What the doctor made of a fault.
pub struct Judged {
    pub id: String,
    pub stack: &'static str,
    pub cause: &'static str,
    /// Codes, the first cause first.
    pub said: Vec<String>,
    /// The first finding in words.
    pub words: String,
    pub fixes: Vec<String>,
    pub took: Duration,
    /// Whether nothing is broken once it was mended, where it was.
    pub is_green: Option<bool>,
    pub after: Vec<String>,
}

impl Judged {
    /// At which place the true cause stands.
    pub fn rank(&self) -> Option<usize> {
        self.said.iter().position(|code| code == self.cause)
    }

    pub fn line(&self) -> String {
        let rank = self.rank().map_or("-".to_owned(), |rank| (rank + 1).to_string());
        let green = match self.is_green {
            None => "not mended".to_owned(),
            Some(true) => "green".to_owned(),
            Some(false) => format!("still {}", self.after.join(" ")),
        };
        let (id, stack, cause) = (&self.id, self.stack, self.cause);
        let (said, took) = (self.said.join(" "), self.took.as_millis());
        format!("{rank} {stack:9} {id:32} {cause:17} said {said} | {green} | {took} ms")
    }
}

/// The codes of the findings, and how the first reads.
fn findings(said: &Finished) -> Result<Vec<Value>> {
    let value: Value = serde_json::from_str(&said.stdout)
        .with_context(|| format!("{}{}", said.stdout, said.stderr))?;
    Ok(value.get("findings").and_then(Value::as_array).cloned().unwrap_or_default())
}

fn text(finding: &Value, field: &str) -> String {
    finding.get(field).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// A machine with many at work is slow, and no fault of the server's.
const PATIENT: &[&str] = &["--timeout", "6"];

/// Makes the fault, asks, mends it, asks again.
pub fn judge(lab: &Lab, fault: &Fault) -> Result<Judged> {
    let setup = fault.stand(lab)?.and(PATIENT);
    let started = Instant::now();
    let said = setup.look()?;
    let took = started.elapsed();
    let found = findings(&said).with_context(|| fault.id.clone())?;
    drop(setup);
    let codes = |found: &[Value]| found.iter().map(|one| text(one, "code")).collect::<Vec<_>>();
    let mut judged = Judged {
        id: fault.id.clone(),
        stack: fault.stack,
        cause: fault.cause,
        said: codes(&found),
        words: found.first().map(|one| text(one, "cause")).unwrap_or_default(),
        fixes: Vec::new(),
        took,
        is_green: None,
        after: Vec::new(),
    };
    let fixes = found.first().and_then(|one| one.get("fixes")).and_then(Value::as_array);
    let fixes = fixes.into_iter().flatten().filter_map(Value::as_str);
    judged.fixes = fixes.map(str::to_owned).collect();
    if let Some(mended) = &fault.mended {
        let setup = mended(lab).with_context(|| format!("mending {}", fault.id))?;
        let said = setup.and(PATIENT).look()?;
        let found = findings(&said)?;
        let is_advised = fixes::is_advised(fault.cause, &judged.fixes);
        judged.is_green = Some(is_advised && matches!(said.code, Some(0 | 1)));
        judged.after = codes(&found);
        if !is_advised {
            judged.after.insert(0, format!("not advised: {:?}", judged.fixes));
        }
    }
    Ok(judged)
}

/// Every fault, several at a time; what could not be stood up is an error of the lab.
pub fn judge_all(lab: &Lab, faults: &[Fault], threads: usize) -> Vec<Result<Judged>> {
    each(faults, threads, |fault| judge(lab, fault))
}

/// What is done with each, several at a time, in their order.
fn each<T: Send>(faults: &[Fault], threads: usize, act: impl Fn(&Fault) -> T + Sync) -> Vec<T> {
    let next = std::sync::atomic::AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let place = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    let Some(fault) = faults.get(place) else { return };
                    let one = act(fault);
                    done.lock().unwrap_or_else(PoisonError::into_inner).push((place, one));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, one)| one).collect()
}
