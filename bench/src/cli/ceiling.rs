//! `echo` and `ceiling`: the generator against a server that does nothing.

use anyhow::Result;
use clap::Args;

#[derive(Debug, Args)]
pub(super) struct Echo {}

#[derive(Debug, Args)]
pub(super) struct Arguments {}

pub(super) fn echo(_: &Echo) -> Result<()> {
    Ok(())
}

pub(super) fn run(_: &Arguments) -> Result<()> {
    Ok(())
}
