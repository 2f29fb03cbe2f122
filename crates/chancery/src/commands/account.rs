//! `chancery account`: whether an account is locked, and unlocking it.

use anyhow::Result;
use serde_json::Value;

use crate::arguments::{Account, Common};
use crate::failure::{DONE, FINDINGS};
use crate::local::manage;
use crate::opening;
use crate::steward::Asked;

pub(crate) fn run(common: &Common, account: &Account) -> Result<u8> {
    let config = opening::load(common, &common.overrides())?;
    let (asked, tell): (_, fn(&Value) -> String) = match account {
        Account::Status { dn } => (Asked::Account { dn: dn.clone() }, standing),
        Account::Unlock { dn } => (Asked::Unlock { dn: dn.clone() }, unlocked),
    };
    let answer = manage(&config.data, &asked)?;
    match common.json {
        true => println!("{answer}"),
        false => println!("{}", tell(&answer)),
    }
    Ok(if field(&answer, "locked") == true { FINDINGS } else { DONE })
}

fn standing(answer: &Value) -> String {
    let dn = text(field(answer, "dn"));
    let failures = field(answer, "failures").as_array().map_or(0, Vec::len);
    let count = match failures {
        0 => "no failures count".to_owned(),
        1 => "1 failure counts".to_owned(),
        many => format!("{many} failures count"),
    };
    if field(answer, "locked") != true {
        return format!("{dn} is not locked; {count}");
    }
    let since = match field(answer, "since").as_str() {
        Some(since) => format!(" since {since}"),
        None => " by an administrator".to_owned(),
    };
    let until = match field(answer, "until").as_str() {
        Some(until) => format!(" until {until}"),
        None => ", and not unlocked by time".to_owned(),
    };
    format!("{dn} is locked{since}{until}; {count}\nunlock it with: chancery account unlock '{dn}'")
}

fn unlocked(answer: &Value) -> String {
    let dn = text(field(answer, "dn"));
    match field(answer, "unlocked") == true {
        true => format!("{dn} is unlocked"),
        false => format!("{dn} was not locked"),
    }
}

pub(super) fn field<'v>(answer: &'v Value, name: &str) -> &'v Value {
    answer.get(name).unwrap_or(&Value::Null)
}

pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
