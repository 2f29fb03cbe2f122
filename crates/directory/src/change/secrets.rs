//! Passwords in changes: hashed (and, where an old one is named, verified) before the change enters the
//! queue, because hashing is slow by intent and its salt must be decided before the change has a place in the order.

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

/// Whether a change carries passwords that must be settled before it is submitted.
pub(crate) fn needs_settling(change: &Change) -> bool {
    let plain = |attribute: &NewAttribute| {
        is_password(attribute) && attribute.values.iter().any(|value| !password::is_hash(value))
    };
    match change {
        Change::Add { attributes, .. } => attributes.iter().any(plain),
        Change::Modify { modifications, .. } => {
            modifications.iter().any(|one| plain(&one.attribute))
        }
        _ => false,
    }
}

/// Hashes new passwords. A deletion that names an old password is turned into one of the stored value it
/// verifies against; `stored` gives the entry's values.
pub(crate) fn settle(
    request: &mut ChangeRequest,
    hasher: &Hasher,
    mut salt: impl FnMut() -> [u8; SALT_LENGTH],
    stored: &[Vec<u8>],
) -> Result<(), Refusal> {
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
