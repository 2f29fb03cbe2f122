//! What the certificate has to say of the published names.

use std::sync::Arc;

use pki::judge::names::ServedName;
use time::OffsetDateTime;

use super::publisher::Certified;
use crate::certificates::{self, Certificates, Looking};
use crate::config::Config;

/// The running server's.
pub(crate) struct Serving(pub(crate) Arc<Certificates>);

impl Certified for Serving {
    fn refusals(&self, names: &[ServedName], now: OffsetDateTime) -> Vec<String> {
        of(&Looking { names: names.to_vec(), ..self.0.looking() }, now)
    }

    fn is_ready(&self) -> bool {
        self.0.is_ready()
    }

    fn uncovered(&self, names: &[ServedName]) -> Vec<String> {
        let served = self.0.served().map(|served| served.names).unwrap_or_default();
        let is_covered = |name: &&ServedName| served.iter().any(|own| name.is_covered_by(own));
        names.iter().filter(|name| !is_covered(name)).map(ToString::to_string).collect()
    }
}

/// Why no certificate may be served under these names; empty where one may.
pub(crate) fn refusals(config: &Config, names: &[ServedName], now: OffsetDateTime) -> Vec<String> {
    of(&Looking { names: names.to_vec(), ..Looking::from(config) }, now)
}

fn of(looking: &Looking, now: OffsetDateTime) -> Vec<String> {
    let why = certificates::why(looking, now);
    match why.choice.winner() {
        Some(_) => Vec::new(),
        None => why.reasons().into_iter().map(|why| format!("the certificate: {why}")).collect(),
    }
}
