//! `chancery restore`: a data folder from a backup, verified before and checked after.

use anyhow::Result;
use directory::transfer::backup::restore;

use crate::arguments::{Common, Restore};
use crate::failure::{DONE, failed};
use crate::opening;

pub(crate) fn run(common: &Common, arguments: &Restore) -> Result<u8> {
    let config = opening::load(common, &common.overrides())?;
    let bytes = restore(&arguments.folder, &config.data).map_err(failed)?;
    println!(
        "restored {} MiB from {} to {}; checking it",
        bytes.div_ceil(1 << 20),
        arguments.folder.display(),
        config.data.display()
    );
    match super::check::directory(common, &config)? {
        DONE => Ok(DONE),
        code => Ok(code),
    }
}
