//! How the program ends: an error is one line that says what to do next, and an exit code that
//! scripts can rely on (docs/reference/commands.md).

use std::any::Any;
use std::process::ExitCode;
use std::{fmt, panic};

/// Everything went well, or `check` found nothing.
pub(crate) const DONE: u8 = 0;
/// The command ran and found something wrong with the data (`check`, rejected records).
pub(crate) const FINDINGS: u8 = 1;
/// The command line or the configuration is wrong. clap uses the same.
pub(crate) const USAGE: u8 = 2;
/// The command could not do its work.
pub(crate) const FAILED: u8 = 3;

/// Nobody read its output to the end: as a shell has it for a process that SIGPIPE ended.
pub(crate) const CLOSED_PIPE: u8 = 141;

/// A failure with an exit code of its own.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: u8,
    pub(crate) message: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

pub(crate) fn usage(message: impl fmt::Display) -> anyhow::Error {
    Failure { code: USAGE, message: message.to_string() }.into()
}

pub(crate) fn failed(message: impl fmt::Display) -> anyhow::Error {
    Failure { code: FAILED, message: message.to_string() }.into()
}

/// Prints an error once and gives the exit code.
pub(crate) fn report(result: anyhow::Result<u8>) -> ExitCode {
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("chancery: {error:#}");
            ExitCode::from(error.downcast_ref::<Failure>().map_or(FAILED, |failure| failure.code))
        }
    }
}

/// Runs a command until whoever reads its output has gone (`| head -1`): then there is nothing more
/// to do and nobody to tell.
pub(crate) fn while_somebody_reads(command: impl FnOnce() -> ExitCode) -> ExitCode {
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |panicked| {
        if !is_closed_pipe(panicked.payload()) {
            usual(panicked);
        }
    }));
    match panic::catch_unwind(panic::AssertUnwindSafe(command)) {
        Ok(code) => code,
        Err(payload) if is_closed_pipe(&*payload) => ExitCode::from(CLOSED_PIPE),
        Err(payload) => panic::resume_unwind(payload),
    }
}

/// What `println!` panics with.
fn is_closed_pipe(payload: &(dyn Any + Send)) -> bool {
    let text = payload.downcast_ref::<String>();
    text.is_some_and(|text| {
        text.starts_with("failed printing to std") && text.contains("Broken pipe")
    })
}

/// What the directory says, as one line.
pub(crate) fn of_directory(error: &directory::Error) -> String {
    match error {
        directory::Error::Refused(refusal) => format!("{} ({})", refusal.message, refusal.code),
        directory::Error::Fault(fault) => fault.to_string(),
    }
}
