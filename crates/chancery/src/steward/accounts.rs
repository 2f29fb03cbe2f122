//! Accounts: whether one is locked, which are, and unlocking.

use directory::{Directory, Error, Lock, Refusal};
use ldap::result::ResultCode;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::certificate::text;

/// Locked accounts that are told by name.
const LISTED_MAX: usize = 100;

pub(super) fn account(directory: &Directory, dn: &str) -> Result<Value, Refusal> {
    let standing = directory.account(dn).map_err(refusal)?;
    Ok(json!({
        "dn": standing.dn,
        "locked": standing.lock.is_some(),
        "since": standing.lock.and_then(since),
        "until": standing.until_ms.map(rfc3339),
        "failures": standing.failures.iter().map(|at| rfc3339(*at)).collect::<Vec<_>>(),
    }))
}

pub(super) fn unlock(directory: &Directory, dn: &str) -> Result<Value, Refusal> {
    let changed = directory.unlock(dn).map_err(refusal)?;
    Ok(json!({ "dn": dn, "unlocked": changed }))
}

/// Those that are locked now.
pub(super) fn locked(directory: &Directory) -> Result<Value, Refusal> {
    let (accounts, count) =
        directory.locked_accounts(LISTED_MAX).map_err(|fault| refusal(fault.into()))?;
    let accounts = accounts.iter().map(|account| {
        json!({
            "dn": account.dn,
            "since": since(account.lock),
            "until": account.until_ms.map(rfc3339),
        })
    });
    Ok(json!({ "count": count, "accounts": accounts.collect::<Vec<_>>() }))
}

/// None where an administrator set it.
fn since(lock: Lock) -> Option<String> {
    match lock {
        Lock::Since(ms) => Some(rfc3339(ms)),
        Lock::Always => None,
    }
}

fn rfc3339(ms: u64) -> String {
    let nanoseconds = i128::from(ms / 1000) * 1_000_000_000;
    OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).map_or_else(|_| ms.to_string(), text)
}

fn refusal(error: Error) -> Refusal {
    match error {
        Error::Refused(refusal) => refusal,
        Error::Fault(fault) => Refusal::new(ResultCode::OTHER, fault.to_string()),
    }
}
