//! `chancery config`: an example, the reference page, a check.

use anyhow::Result;

use crate::arguments::{Common, Config as Which};
use crate::config;
use crate::failure::DONE;
use crate::opening;

pub(crate) fn run(common: &Common, which: &Which) -> Result<u8> {
    match which {
        Which::Example => print!("{}", config::example()),
        Which::Reference => print!("{}", config::reference()),
        Which::Check => {
            let config = opening::load(common, &common.overrides())?;
            opening::settings(&config)?;
            match &config.file {
                Some(file) => println!("{}: nothing wrong", file.display()),
                None => println!("no configuration file: the defaults are in force"),
            }
        }
    }
    Ok(DONE)
}
