//! Passwords in changes: hashed (and, where an old one is named, verified) before the change enters
//! the queue, because hashing is slow by intent and its salt must be decided before the change has
//! a place in the order.

use ldap::message::ModifyOperation;
use ldap::result::ResultCode;

use crate::change::{Change, ChangeRequest, NewAttribute};
use crate::password::{self, Hasher, SALT_LENGTH};
use crate::refusal::Refusal;

fn is_password(attribute: &NewAttribute) -> bool {
    let name = attribute.description.split(';').next().unwrap_or_default();
    name.eq_ignore_ascii_case("userPassword") || name == "2.5.4.35"
}

fn attributes(change: &mut Change) -> Vec<(ModifyOperation, &mut NewAttribute)> {
    match change {
        Change::Add { attributes, .. } => {
            attributes.iter_mut().map(|one| (ModifyOperation::Add, one)).collect()
        }
        Change::Modify { modifications, .. } => {
            modifications.iter_mut().map(|one| (one.operation, &mut one.attribute)).collect()
        }
        _ => Vec::new(),
    }
}

/// The passwords in the clear that a change carries; with any, it must be settled before it is
/// submitted.
pub(crate) fn clear_passwords(change: &Change) -> Vec<&[u8]> {
    let attributes: Vec<&NewAttribute> = match change {
        Change::Add { attributes, .. } => attributes.iter().collect(),
        Change::Modify { modifications, .. } => {
            modifications.iter().map(|one| &one.attribute).collect()
        }
        _ => Vec::new(),
    };
    let passwords = attributes.into_iter().filter(|attribute| is_password(attribute));
    let values = passwords.flat_map(|attribute| &attribute.values);
    values.map(Vec::as_slice).filter(|value| !password::is_hash(value)).collect()
}

/// Each costs a hash, before anybody has asked whether the change is allowed.
fn refuse_too_many(change: &Change) -> Result<(), Refusal> {
    let count = clear_passwords(change).len();
    if count <= password::MAX_VALUES {
        return Ok(());
    }
    let most = password::MAX_VALUES;
    let message = format!("{count} passwords in one change; at most {most} are hashed");
    Err(Refusal::new(ResultCode::CONSTRAINT_VIOLATION, message))
}

/// Hashes new passwords. A deletion that names an old password is turned into one of the stored
/// value it verifies against; `stored` gives the entry's values.
pub(crate) fn settle(
    request: &mut ChangeRequest,
    hasher: &Hasher,
    mut salt: impl FnMut() -> [u8; SALT_LENGTH],
    stored: &[Vec<u8>],
) -> Result<(), Refusal> {
    refuse_too_many(&request.change)?;
    for (operation, attribute) in attributes(&mut request.change) {
        if !is_password(attribute) {
            continue;
        }
        for value in &mut attribute.values {
            if password::is_hash(value) {
                continue;
            }
            if operation == ModifyOperation::Delete {
                if let Some(old) =
                    stored.iter().find(|old| password::verify(old, password::cleartext(value)))
                {
                    *value = old.clone();
                }
                continue;
            }
            let hashed = hasher.hash(password::cleartext(value), &salt()).map_err(|error| {
                Refusal::new(ResultCode::CONSTRAINT_VIOLATION, error.to_string())
            })?;
            *value = hashed;
        }
    }
    Ok(())
}
