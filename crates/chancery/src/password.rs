//! Where a password comes from: a file, a descriptor, or the terminal. Never the command line,
//! which every process of the machine can read.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use crate::failure::{failed, usage};

/// No password comes near this; whatever is longer is the wrong file.
const BYTES_MAX: u64 = 4096;

#[derive(Clone, Debug, Default, Args)]
pub(crate) struct PasswordFrom {
    /// A file with the password in its first line, readable by its owner only.
    #[arg(long, value_name = "FILE", conflicts_with = "password_fd")]
    pub(crate) password_file: Option<PathBuf>,
    /// An open descriptor that gives the password, as in `--password-fd 3 3<FILE`.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) password_fd: Option<u32>,
}

impl PasswordFrom {
    /// The password; on a terminal it is asked for. None where nothing gives one.
    pub(crate) fn read(&self, prompt: &str) -> Result<Option<Zeroizing<String>>> {
        match (&self.password_file, self.password_fd) {
            (Some(path), _) => of_file(path).map(Some),
            (None, Some(number)) => {
                let path = PathBuf::from(format!("/dev/fd/{number}"));
                let file = File::open(&path).map_err(|error| {
                    usage(format!("--password-fd {number}: no such open descriptor: {error}"))
                })?;
                first_line(file, &path).map(Some)
            }
            (None, None) if io::stdin().is_terminal() => asked(prompt).map(Some),
            (None, None) => Ok(None),
        }
    }

    /// The same, where there must be one.
    pub(crate) fn require(&self, prompt: &str) -> Result<Zeroizing<String>> {
        self.read(prompt)?.ok_or_else(|| {
            usage("a password is needed: give --password-file FILE or --password-fd NUMBER")
        })
    }
}

/// Reads a file that only its owner may read.
fn of_file(path: &Path) -> Result<Zeroizing<String>> {
    let read = |error: io::Error| failed(format!("cannot read {}: {error}", path.display()));
    let file = File::open(path).map_err(read)?;
    let metadata = file.metadata().map_err(read)?;
    // A pipe from a shell's process substitution has a mode that means nothing.
    if metadata.is_file() && metadata.mode() & 0o077 != 0 {
        return Err(failed(format!(
            "{} holds a password and others can read it (mode {:04o}); run: chmod 600 {}",
            path.display(),
            metadata.mode() & 0o7777,
            path.display()
        )));
    }
    first_line(file, path)
}

fn first_line(file: impl Read, path: &Path) -> Result<Zeroizing<String>> {
    let mut line = Zeroizing::new(String::with_capacity(256));
    BufReader::new(file.take(BYTES_MAX))
        .read_line(&mut line)
        .map_err(|error| failed(format!("cannot read {}: {error}", path.display())))?;
    let length = line.trim_end_matches(['\n', '\r']).len();
    line.truncate(length);
    Ok(line)
}

/// Asks on the terminal, without showing what is typed.
fn asked(prompt: &str) -> Result<Zeroizing<String>> {
    let terminal = io::stdin();
    let before = tcgetattr(&terminal).map_err(failed)?;
    let mut silent = before.clone();
    silent.local_modes.remove(LocalModes::ECHO);
    silent.local_modes.insert(LocalModes::ECHONL);
    eprint!("{prompt}: ");
    io::stderr().flush().map_err(failed)?;
    tcsetattr(&terminal, OptionalActions::Flush, &silent).map_err(failed)?;
    let answer = first_line(terminal.lock(), Path::new("the terminal"));
    tcsetattr(&terminal, OptionalActions::Flush, &before).map_err(failed)?;
    answer
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_gives_its_first_line_if_nobody_else_can_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        for (content, mode, expected) in [
            ("secret\n", 0o600, Ok("secret")),
            ("secret\r\nmore\n", 0o600, Ok("secret")),
            (" with spaces ", 0o400, Ok(" with spaces ")),
            ("", 0o600, Ok("")),
            ("secret\n", 0o640, Err("others can read it (mode 0640); run: chmod 600")),
        ] {
            let _ = std::fs::remove_file(&path);
            std::fs::write(&path, content).unwrap();
            std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
            let from =
                PasswordFrom { password_file: Some(path.clone()), ..PasswordFrom::default() };
            match (from.read("password"), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found.unwrap().as_str(), expected),
                (Err(error), Err(part)) => {
                    let said = error.to_string();
                    assert!(said.contains(part) && !said.contains("secret"), "{said}");
                }
                (found, _) => panic!("{content:?}: {}", found.is_ok()),
            }
        }
    }

    #[test]
    fn a_descriptor_that_is_not_open_is_told() {
        let from = PasswordFrom { password_fd: Some(987), ..PasswordFrom::default() };
        let said = from.read("password").unwrap_err().to_string();
        assert!(said.contains("--password-fd 987: no such open descriptor"), "{said}");
    }
}
