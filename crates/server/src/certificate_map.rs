//! From a client's certificate to an entry: rules in order, the first that finds one decides.

use std::sync::Arc;

use arc_swap::ArcSwap;
use directory::{Error, Holder, Refusal, View, Who};
use ldap::dn::Dn;
use ldap::result::ResultCode;
use pki::Summary;
use pki::certificate::AlternativeName;

/// One way from a certificate to an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateRule {
    /// Only certificates that this CA issued; its subject as RFC 4514 text.
    pub issuer: Option<String>,
    pub from: CertificatePart,
    /// The attribute in which the entry has it; none: it is the entry's name.
    pub to: Option<String>,
}

/// The rules in force; replaced as a whole, for the next sign-in. Cheap to clone.
#[derive(Clone, Debug)]
pub struct CertificateRules(Arc<ArcSwap<Vec<CertificateRule>>>);

impl Default for CertificateRules {
    /// The subject is the entry's name.
    fn default() -> CertificateRules {
        CertificateRules::new(defaults())
    }
}

impl CertificateRules {
    #[must_use]
    pub fn new(rules: Vec<CertificateRule>) -> CertificateRules {
        CertificateRules(Arc::new(ArcSwap::from_pointee(rules)))
    }

    pub fn replace(&self, rules: Vec<CertificateRule>) {
        self.0.store(Arc::new(rules));
    }

    pub(crate) fn in_force(&self) -> Arc<Vec<CertificateRule>> {
        self.0.load_full()
    }
}

/// What of a certificate is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificatePart {
    Subject,
    CommonName,
    /// The alternative names of these kinds.
    Email,
    Dns,
    UserPrincipal,
    /// SHA-256 over the certificate, lower-case hexadecimal.
    Thumbprint,
}

fn defaults() -> Vec<CertificateRule> {
    vec![CertificateRule { issuer: None, from: CertificatePart::Subject, to: None }]
}

impl CertificateRule {
    fn speaks_of(&self, certificate: &Summary) -> bool {
        let own = |issuer: &String| issuer.eq_ignore_ascii_case(&certificate.issuer);
        self.issuer.as_ref().is_none_or(own)
    }
}

impl CertificatePart {
    fn values(self, certificate: &Summary) -> Vec<String> {
        let names = |wanted: fn(&AlternativeName) -> Option<&String>| {
            certificate.names.iter().filter_map(wanted).cloned().collect()
        };
        match self {
            CertificatePart::Subject => vec![certificate.subject.clone()],
            CertificatePart::CommonName => common_name(&certificate.subject).into_iter().collect(),
            CertificatePart::Thumbprint => vec![certificate.thumbprint.clone()],
            CertificatePart::Email => names(|name| match name {
                AlternativeName::Email(name) => Some(name),
                _ => None,
            }),
            CertificatePart::Dns => names(|name| match name {
                AlternativeName::Dns(name) => Some(name),
                _ => None,
            }),
            CertificatePart::UserPrincipal => names(|name| match name {
                AlternativeName::UserPrincipal(name) => Some(name),
                _ => None,
            }),
        }
    }
}

fn common_name(subject: &str) -> Option<String> {
    let name = Dn::parse(subject).ok()?;
    let mut parts = name.rdns.iter().flat_map(|rdn| &rdn.values);
    let common = parts.find(|part| part.attribute.eq_ignore_ascii_case("cn"))?;
    String::from_utf8(common.value.clone()).ok()
}

/// Who signs in with this certificate. Where no rule finds an entry, and one says that the subject
/// is a name, it is the bare name, if that lies in no tree of this server. RFC 4513 §5.2.3.3: where
/// no identity comes of it, the bind fails (invalidCredentials).
pub(crate) fn who(
    rules: &[CertificateRule],
    certificate: &Summary,
    view: &View<'_>,
) -> Result<Who, Error> {
    let mut bare = None;
    for rule in rules.iter().filter(|rule| rule.speaks_of(certificate)) {
        match entry(rule, certificate, view)? {
            Holder::One(who) => return Ok(who),
            // Two entries are as good as none: a guess would sign in somebody else.
            Holder::Several => {
                tracing::warn!(
                    subject = certificate.subject,
                    "a client certificate names two entries and signs in nobody"
                );
                return Err(no_one().into());
            }
            Holder::Nobody if rule.to.is_none() => {
                bare = bare.or_else(|| values(rule, certificate).into_iter().next());
            }
            Holder::Nobody => {}
        }
    }
    let bare = bare.ok_or_else(no_one)?;
    if has_entry_above(&bare, view)? {
        let message = "the entry of this certificate is not here any more";
        return Err(Refusal::new(ResultCode::INVALID_CREDENTIALS, message).into());
    }
    Ok(Who::Name(Arc::from(bare)))
}

/// Which it is, the server's log says.
pub(crate) fn no_one() -> Refusal {
    let message = "the certificate signs nobody in: by the rules of this server it names no entry, \
                   or more than one";
    Refusal::new(ResultCode::INVALID_CREDENTIALS, message)
}

/// The entry that one rule finds.
fn entry(rule: &CertificateRule, certificate: &Summary, view: &View<'_>) -> Result<Holder, Error> {
    let mut found = Holder::Nobody;
    for value in values(rule, certificate) {
        let holder = match &rule.to {
            Some(attribute) => view.who_with(attribute, &value)?,
            None => view.who_named(&value)?.map_or(Holder::Nobody, Holder::One),
        };
        found = match (found, holder) {
            (found, Holder::Nobody) => found,
            (Holder::Nobody, holder) => holder,
            (found, holder) if found == holder => found,
            _ => Holder::Several,
        };
    }
    Ok(found)
}

fn values(rule: &CertificateRule, certificate: &Summary) -> Vec<String> {
    let mut values = rule.from.values(certificate);
    values.retain(|value| !value.is_empty());
    values
}

/// Whether the name lies in a tree of this server: whoever it names must then have an entry, and
/// does not outlive it.
fn has_entry_above(name: &str, view: &View<'_>) -> Result<bool, Error> {
    let mut above = Dn::parse(name).ok().and_then(|name| name.parent());
    while let Some(name) = above.filter(|name| !name.is_empty()) {
        if view.who_named(&name.to_string())?.is_some() {
            return Ok(true);
        }
        above = name.parent();
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{EVA, certificate, directory, server};

    fn rule(from: CertificatePart, to: Option<&str>) -> CertificateRule {
        CertificateRule { issuer: None, from, to: to.map(str::to_owned) }
    }

    #[test]
    fn the_first_rule_that_finds_one_decides() {
        use CertificatePart::{CommonName, Dns, Email, Subject, Thumbprint, UserPrincipal};
        let directory = directory(3);
        let operator = server();
        let view = directory.view(&operator).unwrap();
        let email = |name: &str| AlternativeName::Email(name.to_owned());
        let upn = |name: &str| AlternativeName::UserPrincipal(name.to_owned());
        let named =
            |subject: &str, names: Vec<AlternativeName>| Summary { names, ..certificate(subject) };
        let by_uid = |from| vec![rule(from, Some("uid"))];
        let elsewhere = vec![CertificateRule {
            issuer: Some("CN=Another CA".to_owned()),
            ..rule(CommonName, Some("uid"))
        }];
        for (rules, certificate, expected) in [
            (defaults(), named(EVA, vec![]), EVA),
            (defaults(), named("CN=nobody", vec![]), "bare CN=nobody"),
            (by_uid(CommonName), named("CN=eva,O=Example", vec![]), EVA),
            (by_uid(CommonName), named("O=Example", vec![]), "refused"),
            (by_uid(Email), named("CN=x", vec![email("eva")]), EVA),
            (by_uid(Email), named("CN=x", vec![email("eva"), email("p00001")]), "refused"),
            (by_uid(Email), named("CN=x", vec![email("eva"), email("nobody")]), EVA),
            (by_uid(UserPrincipal), named("CN=x", vec![upn("eva")]), EVA),
            (by_uid(Dns), named("CN=x", vec![email("eva")]), "refused"),
            (by_uid(Thumbprint), named("CN=eva", vec![]), "refused"),
            (elsewhere, named("CN=eva", vec![]), "refused"),
            (
                vec![rule(Email, Some("uid")), rule(Subject, None)],
                named("CN=x", vec![email("nobody")]),
                "bare CN=x",
            ),
            // All of them have this name: no later rule makes up for that.
            (
                vec![rule(CommonName, Some("objectClass")), rule(Subject, None)],
                named("CN=person", vec![]),
                "refused",
            ),
        ] {
            let found = match who(&rules, &certificate, &view) {
                Ok(Who::Entry { dn, .. }) => dn.to_string(),
                Ok(Who::Name(name)) => format!("bare {name}"),
                Err(Error::Refused(no)) if no.code == ResultCode::INVALID_CREDENTIALS => {
                    "refused".to_owned()
                }
                other => panic!("{other:?}"),
            };
            assert_eq!(found, expected, "{rules:?} {certificate:?}");
        }
    }
}
