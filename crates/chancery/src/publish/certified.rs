//! What the certificate has to say of the published names.

use std::sync::Arc;

use pki::judge::names::ServedName;
use time::OffsetDateTime;

use super::publisher::Certified;
use crate::arguments::Common;
use crate::certificates::{self, Certificates, Looking};
use crate::config::{Config, Overrides};
use crate::opening;

/// The running server's, chosen from its sources as they are now.
pub(crate) struct Serving {
    pub(crate) common: Common,
    pub(crate) overrides: Overrides,
    pub(crate) certificates: Arc<Certificates>,
}

impl Certified for Serving {
    fn refusals(&self, names: &[ServedName], now: OffsetDateTime) -> Vec<String> {
        match opening::load(&self.common, &self.overrides) {
            Ok(config) => refusals(&config, names, now),
            Err(error) => vec![format!("{error:#}")],
        }
    }

    fn is_ready(&self) -> bool {
        self.certificates.is_ready()
    }

    fn uncovered(&self, names: &[ServedName]) -> Vec<String> {
        let Some(served) = self.certificates.served() else { return Vec::new() };
        let is_covered =
            |name: &&ServedName| served.names.iter().any(|own| name.is_covered_by(own));
        names.iter().filter(|name| !is_covered(name)).map(ToString::to_string).collect()
    }
}

/// Why no certificate may be served under these names; empty where one may.
pub(crate) fn refusals(config: &Config, names: &[ServedName], now: OffsetDateTime) -> Vec<String> {
    let looking = Looking { names: names.to_vec(), ..Looking::from(config) };
    let why = certificates::why(&looking, now);
    if why.choice.candidates.iter().any(|one| one.judgement.passes()) {
        return Vec::new();
    }
    let unread = why.unread.iter().map(|one| format!("the certificate: {}", one.what));
    let refused = why.choice.candidates.iter().flat_map(|one| {
        let findings = one.judgement.findings.iter();
        let refusing = findings.filter(|finding| finding.level == pki::judge::Level::Refused);
        refusing.map(|finding| {
            let (rule, found, fix) = (finding.rule.id(), &finding.found, &finding.fix);
            format!("the certificate from {}: {rule}: {found}; {fix}", one.source)
        })
    });
    let all: Vec<String> = unread.chain(refused).collect();
    match all.is_empty() {
        true => vec!["the certificate: no source has one; see `chancery cert why`".to_owned()],
        false => all,
    }
}
