//! What stands against opening a publication: all of it at once, each with what would be right.

use server::network::{Exposure, Scope};

use super::publication::{Publication, SCOPES};

/// What the rules themselves say against it, where they are not those that are known.
pub(crate) fn of_rules(known: &Publication, wanted: &Publication) -> Vec<String> {
    if known.external == wanted.external && known.rules == wanted.rules {
        return Vec::new();
    }
    let exposure = match exposure(wanted, Scope::External) {
        Ok(Some(exposure)) => exposure,
        Ok(None) => return Vec::new(),
        Err(error) => return vec![error],
    };
    let accepts = wanted.external.as_ref().is_some_and(|door| door.accept_open_to_everyone);
    let port = wanted.external.as_ref().map_or(0, |door| door.address.port());
    match exposure {
        Exposure::Nobody => vec![format!(
            "the external listener lets nobody in on port {port}: write a `[[publish.rule]]` that \
             allows those who are to reach it"
        )],
        Exposure::Everyone { .. } if !accepts => vec![format!(
            "the external listener {}: narrow the rules, or write `accept-open-to-everyone = true` \
             in [publish.external] if that is meant",
            sentence(exposure)
        )],
        Exposure::Everyone { .. } | Exposure::Some => Vec::new(),
    }
}

/// Whether clients will be shown the certificate where they were not before, or under other names.
pub(crate) fn shows_certificate_anew(known: &Publication, wanted: &Publication) -> bool {
    let is_new = |scope| match (known.door(scope), wanted.door(scope)) {
        (Some(known), Some(wanted)) => known.address != wanted.address,
        (None, Some(_)) => true,
        (_, None) => false,
    };
    let has_new_name = wanted.names.iter().any(|name| !known.names.contains(name));
    SCOPES.into_iter().any(is_new) || (wanted.is_open() && has_new_name)
}

/// How open a listener is; none where it is not wanted.
pub(crate) fn exposure(wanted: &Publication, scope: Scope) -> Result<Option<Exposure>, String> {
    let admission = wanted.admission(scope)?;
    Ok(admission.map(|(_, admission)| Exposure::of(&admission.rules)))
}

/// What comes after "the listener".
pub(crate) fn sentence(exposure: Exposure) -> String {
    match exposure {
        Exposure::Nobody => "lets nobody in".to_owned(),
        Exposure::Some => "lets in those whom its rules name".to_owned(),
        Exposure::Everyone { family, percent } => {
            format!(
                "is open to everyone: its rules let in {percent} % of the public {family} addresses"
            )
        }
    }
}
