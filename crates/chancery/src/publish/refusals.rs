//! What stands against opening a publication: all of it at once, each with what would be right.

use server::network::{Exposure, Scope};

use super::publication::Publication;

/// What the rules themselves say against it; the certificate is judged elsewhere.
pub(crate) fn refusals(wanted: &Publication) -> Vec<String> {
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
