//! A release server under callgrind, and one count for each path.
//!
//! Callgrind counts while one of the entrances is on the stack, thread by thread. Between two
//! phases the client asks to cancel an operation that does not exist: before that function runs,
//! callgrind writes what it has counted into the next numbered file and starts from zero, so that
//! a phase is cut to the instruction and needs no clock.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;
use testing::peers::SUFFIX;
use testing::peers::chancery::target_folder;
use testing::peers::missing::Peer;
use testing::process::{Process, run_checked};
use testing::wire::Connection;
use testing::wire::ber::{SEQUENCE, element, integer};

use crate::Counted;
use crate::paths::{ADMINISTRATOR, ENTRANCES, HotPath, PASSWORD, dn, ldif};

/// Cuts a phase: RFC 3909, which nothing else here asks for.
const CUT: &str = "server::operations::extended::cancel::run";
const CANCEL: &[u8] = b"1.3.6.1.1.8";
const NO_SUCH_OPERATION: i64 = 119;

/// What `cargo build --release -p chancery` left, unless `CHANCERY_BIN` names another.
pub(crate) fn release() -> Peer {
    let given = std::env::var_os("CHANCERY_BIN").map(PathBuf::from);
    Peer {
        name: "the optimized chancery binary".to_owned(),
        file: given.unwrap_or_else(|| target_folder().join("release/chancery")),
        remedy: "cargo build --release -p chancery builds it".to_owned(),
    }
}

/// The server that is counted, with one connection to it.
pub(crate) struct Guarded {
    connection: Connection,
    process: Process,
    folder: TempDir,
    phases: u32,
}

impl Guarded {
    pub(crate) fn start() -> Result<Guarded> {
        let folder = tempfile::Builder::new().prefix("instructions-").tempdir()?;
        let [data, config, people] =
            ["data", "chancery.toml", "people.ldif"].map(|name| folder.path().join(name));
        fs::write(&config, configuration())?;
        fs::write(&people, ldif())?;
        let mut import = Command::new(release().file);
        run_checked(configured(&mut import, "import", &config, &data).arg(&people))?;
        let mut command = valgrind(&folder.path().join("out"));
        configured(&mut command, "serve", &config, &data).args(["--listen", "127.0.0.1:0"]);
        let mut process = Process::start("chancery", folder.path(), command)?;
        let port = process.wait_for_line(|line| {
            line.strip_prefix("listening on ldaps://127.0.0.1:")?.trim().parse().ok()
        })?;
        let connection = Connection::open(port, &data.join("ca.pem"))?;
        Ok(Guarded { connection, process, folder, phases: 0 })
    }

    /// Warms the path up, counts it, and keeps what callgrind wrote about it.
    pub(crate) fn count(&mut self, path: &HotPath, kept: &Path) -> Result<Counted> {
        self.run(path, 0, path.warm_up)
            .and_then(|()| self.cut())
            .and_then(|_| self.run(path, path.warm_up, path.counted))
            .with_context(|| format!("{}\n{}", path.name, self.process.output()))?;
        let written = self.cut()?;
        let name: String = path.name.split(',').next().unwrap_or_default().replace(' ', "-");
        let kept = kept.join(format!("{name}.out"));
        fs::copy(&written, &kept)?;
        let text = fs::read_to_string(&kept)?;
        for entrance in path.entrances {
            ensure!(
                text.lines().any(|line| line.strip_suffix(entrance).is_some()),
                "{}: {entrance} was not counted: renamed, or compiled into its callers?",
                path.name
            );
        }
        Ok(Counted { path: path.name, instructions: total(&text)? / path.parts(), kept })
    }

    fn run(&mut self, path: &HotPath, first: u64, count: u64) -> Result<()> {
        if first == 0 {
            self.connection.bind(&dn(path.asker), PASSWORD)?.expect_success("bind")?;
        }
        for number in first..first + count {
            let answer = self.connection.ask(&(path.request)(number), &[])?;
            let entries = answer.entries.len() as u64;
            ensure!((answer.code, entries) == (path.code, path.entries), "{number}: {answer:?}");
        }
        Ok(())
    }

    /// Ends a phase; the file with what was counted since the one before.
    fn cut(&mut self) -> Result<PathBuf> {
        let cancel = [
            element(0x80, CANCEL),
            element(0x81, &element(SEQUENCE, &integer(i64::from(i32::MAX)))),
        ];
        let answer = self.connection.ask(&element(0x77, &cancel.concat()), &[])?;
        ensure!(answer.code == NO_SUCH_OPERATION, "cancel: {answer:?}");
        self.phases += 1;
        let file = self.folder.path().join(format!("out.{}", self.phases));
        ensure!(file.exists(), "callgrind wrote nothing before {CUT}: renamed, or inlined?");
        Ok(file)
    }
}

/// Little is logged, and no {SSHA} becomes a slower hash when somebody signs in with it.
/// Under valgrind not much address space can be reserved, and everything takes its time.
fn configuration() -> String {
    format!(
        "suffixes = ['{SUFFIX}']\nadministrator = '{}'\n\
         [limits]\nhandshake-time = '5 min'\n\
         [passwords]\nrehash = false\n\
         [store]\nmap-bytes-max = '1 GiB'\n\
         [log]\nlevel = 'error'\naudit = 'off'\n",
        dn(ADMINISTRATOR)
    )
}

fn configured<'c>(
    command: &'c mut Command,
    verb: &str,
    config: &Path,
    data: &Path,
) -> &'c mut Command {
    // What somebody has in the environment would be another configuration.
    command.env_remove("CHANCERY_LOG").env_remove("CHANCERY_CONFIG");
    command.arg(verb).arg("--config").arg(config).arg("--data").arg(data)
}

fn valgrind(out: &Path) -> Command {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--collect-atstart=no"]);
    command.arg(format!("--callgrind-out-file={}", out.display()));
    command.args(ENTRANCES.iter().map(|name| format!("--toggle-collect={name}")));
    command.arg(format!("--dump-before={CUT}")).arg(release().file);
    command
}

/// Of one file of callgrind's.
fn total(text: &str) -> Result<u64> {
    let Some(total) = text.lines().find_map(|line| line.strip_prefix("totals: ")) else {
        bail!("no total in what callgrind wrote")
    };
    total.trim().parse().with_context(|| format!("callgrind's total is '{total}'"))
}

#[test]
fn a_total_is_found() {
    for (text, expected) in [
        ("events: Ir\nfn=(1) a\n1 5\n\ntotals: 5988519\n", Some(5_988_519)),
        ("events: Ir\ntotals: 5 6\n", None),
        ("events: Ir\nsummary: 5\n", None),
    ] {
        assert_eq!(total(text).ok(), expected, "{text}");
    }
}
