//! What the certificate that is served says of the published names.

use pki::judge::names::ServedName;
use pki::{Judgement, Policy, Wanted, judge, pem};
use time::OffsetDateTime;

use super::publisher::Certified;
use crate::arguments::Common;
use crate::config::{Config, Overrides};
use crate::opening;

/// The running server's, judged from its files as they are now.
pub(crate) struct Serving {
    pub(crate) common: Common,
    pub(crate) overrides: Overrides,
    pub(crate) tls: server::tls::ServingTls,
}

impl Certified for Serving {
    fn refusals(&self, names: &[ServedName], now: OffsetDateTime) -> Vec<String> {
        match opening::load(&self.common, &self.overrides) {
            Ok(config) => refusals(&config, names, now),
            Err(error) => vec![format!("{error:#}")],
        }
    }

    fn uncovered(&self, names: &[ServedName]) -> Vec<String> {
        let served = self.tls.served();
        let is_covered =
            |name: &&ServedName| served.names.iter().any(|own| name.is_covered_by(own));
        names.iter().filter(|name| !is_covered(name)).map(ToString::to_string).collect()
    }
}

/// Why the certificate must not be served under these names; empty where it may.
pub(crate) fn refusals(config: &Config, names: &[ServedName], now: OffsetDateTime) -> Vec<String> {
    match judgement(config, names, now) {
        Ok(judgement) => {
            let refused = judgement.findings.iter();
            let refused = refused.filter(|finding| finding.level == judge::Level::Refused);
            refused
                .map(|one| {
                    format!("the certificate: {}: {}; {}", one.rule.id(), one.found, one.fix)
                })
                .collect()
        }
        Err(error) => vec![format!("the certificate: {error}")],
    }
}

fn judgement(
    config: &Config,
    names: &[ServedName],
    now: OffsetDateTime,
) -> Result<Judgement, String> {
    let (chain, key) = opening::certificate_files(config);
    let read = |path: &std::path::Path| {
        std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
    };
    let chain = pem::certificates(&read(&chain)?).map_err(|error| error.to_string())?;
    let key = pem::private_key(&read(&key)?).map_err(|error| error.to_string())?;
    let wanted = Wanted { names, roots: &[], renews_itself: false, policy: Policy::default() };
    Ok(judge::judge_server(&chain, Some(&key), &wanted, now))
}
