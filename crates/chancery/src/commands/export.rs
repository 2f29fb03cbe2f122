//! `chancery export`: the directory as LDIF, beside a running server or without one.

use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;

use anyhow::Result;
use directory::transfer::export::{ExportError, ExportOptions, export};

use crate::arguments::{Common, Export};
use crate::commands::progress::Progress;
use crate::failure::{DONE, failed};
use crate::opening;

pub(crate) fn run(common: &Common, arguments: &Export) -> Result<u8> {
    let config = opening::load(common, &common.overrides())?;
    let directory = opening::reading(&config)?;
    let options = ExportOptions { base: arguments.base.as_deref(), user_only: arguments.user_only };
    let mut out: Box<dyn Write> = match &arguments.output {
        None => Box::new(BufWriter::new(io::stdout().lock())),
        // It holds password hashes.
        Some(path) => Box::new(BufWriter::new(
            OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(path)
                .map_err(|error| failed(format!("cannot create {}: {error}", path.display())))?,
        )),
    };
    let mut progress = Progress::new();
    let written = export(&directory, &options, &mut out, &mut |step| {
        progress.show(|| format!("exporting: {} entries", step.entries));
    });
    progress.clear();
    match written {
        Ok(entries) => {
            if arguments.output.is_some() {
                eprintln!("exported {entries} entries");
            }
            Ok(DONE)
        }
        // Whoever read from us has enough, as `head` does.
        Err(ExportError::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(DONE),
        Err(error) => Err(failed(error)),
    }
}
