//! Whose signature is not known, or what is missing in between.

use pki::Summary;

use super::{Finding, Layer};
use crate::doctor::facts::{Facts, Ldap};

pub(super) fn finding(facts: &Facts, chain: &[Summary]) -> Finding {
    let Some(top) = chain.last() else {
        return Finding::new("TRUST-CA", Layer::Certificate, "no certificate can be read");
    };
    if let Some(found) = completed(facts, chain) {
        return found;
    }
    let sent = format!("sent: {} certificate(s), the last signed by {}", chain.len(), top.issuer);
    let known = format!("trusted: {}", facts.trust.source);
    if top.issuer == top.subject {
        let cause = format!("{} is not trusted here, and signed itself", top.subject);
        return Finding::new("TRUST-CA", Layer::Certificate, cause)
            .seen(sent)
            .seen(known)
            .seen(format!("SHA-256 {}", top.thumbprint))
            .fix("get its certificate from those who run it, and compare the SHA-256")
            .fix(TRUST);
    }
    let is_kin = |subject: &String| shares_an_organisation(subject, &top.issuer);
    let kin = facts.trust.subjects.iter().find(|subject| is_kin(subject));
    match kin {
        Some(root) if chain.len() == 1 => {
            let cause = format!("the server does not send its intermediate CA {}", top.issuer);
            Finding::new("TRUST-CHAIN", Layer::Certificate, cause)
                .likely()
                .seen(sent)
                .seen(format!("trusted and of the same organisation: {root}"))
                .fix("let the server send the whole chain: its own, then the intermediate CA's")
        }
        _ => {
            let cause = format!("the CA {} is not trusted here", top.issuer);
            let found = Finding::new("TRUST-CA", Layer::Certificate, cause).seen(sent).seen(known);
            with_where_to_trust(found, facts, &top.issuer)
        }
    }
}

/// How the commonest clients are told, and never to look away.
const TRUST: &str = "trust it: TLS_CACERT FILE in /etc/ldap/ldap.conf (OpenLDAP's clients), keytool \
                     -importcert -cacerts -file FILE (Java), update-ca-certificates (Debian)";

fn with_where_to_trust(found: Finding, facts: &Facts, issuer: &str) -> Finding {
    let roots = facts.nodes.iter().filter_map(|node| node.clear()?.root.as_ref());
    let is_ad = roots.into_iter().any(Ldap::is_active_directory);
    let found = match is_ad {
        true => found.fix(format!(
            "get the certificate of {issuer}: certutil -ca.cert FILE on the CA, or below \
             CN=Certification Authorities,CN=Public Key Services,CN=Services of the configuration"
        )),
        false => found.fix(format!(
            "get the certificate of {issuer} from those who run it, and try it: --ca FILE"
        )),
    };
    found.fix(TRUST)
}

/// What is certain, since what was missing was found and completes it.
fn completed(facts: &Facts, chain: &[Summary]) -> Option<Finding> {
    let completed = facts.completed.as_ref().filter(|one| one.is_trusted)?;
    let top = chain.last()?;
    let urls = completed.fetched.iter().filter(|one| one.certificate.is_some());
    let urls: Vec<&str> = urls.map(|one| one.url.as_str()).collect();
    let cause = format!("the server does not send its intermediate CA {}", top.issuer);
    Some(
        Finding::new("TRUST-CHAIN", Layer::Certificate, cause)
            .seen(format!(
                "sent: {} certificate(s), the last signed by {}",
                chain.len(),
                top.issuer
            ))
            .seen(format!("with what is at {} it leads to a trusted CA", urls.join(", ")))
            .fix(
                "let the server send the whole chain: its own, then the intermediate CA's; on a \
                  domain controller put that into the Intermediate store",
            )
            .fix("chancery doctor TARGET --bundle FILE writes the whole chain"),
    )
}

/// The same `O=`, or the same innermost `DC=`.
pub(super) fn shares_an_organisation(one: &str, other: &str) -> bool {
    let parts = |text: &str| -> Vec<String> {
        let parts = text.split(',').map(|part| part.trim().to_ascii_lowercase());
        parts.filter(|part| part.starts_with("o=") || part.starts_with("dc=")).collect()
    };
    let (one, other) = (parts(one), parts(other));
    !one.is_empty() && one == other
}
