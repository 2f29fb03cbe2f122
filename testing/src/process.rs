//! A child process that is ended by its own pid when dropped, with its output kept in a file.

use std::fs::{self, File};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How long a peer may take to come up. Generous: a loaded build machine is not a failure.
pub const START_DEADLINE: Duration = Duration::from_secs(60);

/// How often a condition is looked at while waiting for it.
const POLL: Duration = Duration::from_millis(20);

/// A running child. Output of both streams goes to files in the folder given to [`Process::start`].
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Process {
    /// Starts `command`; its output is in `folder/name.out` and `folder/name.err`.
    pub fn start(name: &str, folder: &Path, mut command: Command) -> Result<Process> {
        let stdout = folder.join(format!("{name}.out"));
        let stderr = folder.join(format!("{name}.err"));
        let child = command
            .stdin(Stdio::null())
            .stdout(File::create(&stdout)?)
            .stderr(File::create(&stderr)?)
            .spawn()
            .with_context(|| format!("cannot start {command:?}"))?;
        Ok(Process { name: name.to_owned(), child, stdout, stderr })
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Everything the child wrote so far, for failure messages.
    pub fn output(&self) -> String {
        let read = |path| String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned();
        format!(
            "--- {} stdout\n{}--- stderr\n{}",
            self.name,
            read(&self.stdout),
            read(&self.stderr)
        )
    }

    /// Waits until stdout holds a line for which `wanted` has an answer.
    pub fn wait_for_line<T>(&mut self, wanted: impl Fn(&str) -> Option<T>) -> Result<T> {
        self.wait_until("the expected line on stdout", |process| {
            let text = fs::read(&process.stdout).unwrap_or_default();
            String::from_utf8_lossy(&text).lines().find_map(&wanted)
        })
    }

    /// Waits until something accepts TCP connections on this loopback port.
    pub fn wait_for_port(&mut self, port: u16) -> Result<()> {
        self.wait_until(&format!("port {port}"), |_| {
            TcpStream::connect(("127.0.0.1", port)).ok().map(drop)
        })
    }

    /// Polls `ready` until it answers, the child ends, or the deadline passes.
    pub fn wait_until<T>(
        &mut self,
        what: &str,
        ready: impl Fn(&Process) -> Option<T>,
    ) -> Result<T> {
        let deadline = Instant::now() + START_DEADLINE;
        loop {
            if let Some(answer) = ready(self) {
                return Ok(answer);
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended ({status}) before {what}\n{}", self.name, self.output());
            }
            if Instant::now() > deadline {
                bail!("{} took too long to show {what}\n{}", self.name, self.output());
            }
            std::thread::sleep(POLL);
        }
    }

    /// Sends SIGTERM and waits for the end, as an operator would.
    pub fn terminate(&mut self) -> Result<ExitStatus> {
        self.signal("TERM")?;
        let deadline = Instant::now() + START_DEADLINE;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            std::thread::sleep(POLL);
        }
        bail!("{} did not stop after SIGTERM\n{}", self.name, self.output())
    }

    /// Ends the child without warning, as a crash or a power cut would end it.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Sends one signal to this child, by its pid and only while it is still ours.
    pub fn signal(&mut self, signal: &str) -> Result<()> {
        if self.child.try_wait()?.is_none() {
            let pid = self.pid().to_string();
            Command::new("kill").args(["-s", signal, &pid]).status()?;
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // SIGTERM first: servers with children of their own (apache2, sssd) take them along.
        let _ = self.signal("TERM");
        let deadline = Instant::now() + Duration::from_secs(5);
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
            std::thread::sleep(POLL);
        }
        let _ = self.kill();
    }
}

/// What a finished command said.
#[derive(Debug)]
pub struct Finished {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Finished {
    pub fn success(&self) -> bool {
        self.code == Some(0)
    }
}

/// Runs a command to its end. A command that cannot be started is an error, a non-zero exit is not.
pub fn run(command: &mut Command) -> Result<Finished> {
    let output =
        command.stdin(Stdio::null()).output().with_context(|| format!("cannot run {command:?}"))?;
    Ok(Finished {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// Runs a command that has to succeed; answers its stdout.
pub fn run_checked(command: &mut Command) -> Result<String> {
    let finished = run(command)?;
    if !finished.success() {
        bail!("{command:?} ended with {finished:#?}");
    }
    Ok(finished.stdout)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_line_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let script = shell("echo starting; echo listening on 42; exec sleep 60");
        let mut process = Process::start("echo", folder.path(), script).unwrap();
        let port = process
            .wait_for_line(|line| line.strip_prefix("listening on ")?.parse::<u16>().ok())
            .unwrap();
        assert_eq!(port, 42);
        assert!(!process.terminate().unwrap().success());
    }

    #[test]
    fn an_early_end_is_reported_with_the_output() {
        let folder = tempfile::tempdir().unwrap();
        let mut process =
            Process::start("dies", folder.path(), shell("echo no room >&2; exit 3")).unwrap();
        let error = process.wait_for_line(|_| None::<()>).unwrap_err().to_string();
        assert!(error.contains("no room") && error.contains("exit status: 3"), "{error}");
    }

    #[test]
    fn dropping_ends_the_child() {
        let folder = tempfile::tempdir().unwrap();
        let process = Process::start("sleep", folder.path(), shell("exec sleep 60")).unwrap();
        let alive = PathBuf::from(format!("/proc/{}", process.pid()));
        assert!(alive.exists());
        drop(process);
        assert!(!alive.exists());
    }
}
