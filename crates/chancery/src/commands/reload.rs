//! `chancery reload`: what SIGHUP does, with an answer.

use anyhow::Result;

use crate::arguments::Common;
use crate::failure::DONE;
use crate::local::manage;
use crate::opening;
use crate::steward::Asked;

pub(crate) fn run(common: &Common) -> Result<u8> {
    let config = opening::load(common, &common.overrides())?;
    let answer = manage(&config.data, &Asked::Reload)?;
    if common.json {
        println!("{answer}");
    } else {
        println!("reloaded schema, access rules and certificate");
    }
    Ok(DONE)
}
