//! The CAs above a server's certificate, whoever has them: as they were sent, from a file, from
//! where a certificate says that its issuer's is.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pki::elsewhere::Elsewhere;
use pki::{Summary, collection};
use rustls::pki_types::CertificateDer;

use super::aia;
use super::facts::{Facts, Tls};

/// No chain of a directory is longer.
const STEPS_MAX: usize = 8;
const URLS_MAX: usize = 4;

/// A CA of the chain, and who had it.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) certificate: CertificateDer<'static>,
    pub(crate) summary: Summary,
    pub(crate) from: String,
}

/// From the one that issued the server's certificate up.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bundle {
    pub(crate) links: Vec<Link>,
    /// The CA whose certificate nobody has.
    pub(crate) missing: Option<String>,
    /// What was tried in vain.
    pub(crate) in_vain: Vec<String>,
}

/// The chain that the server has shown.
pub(crate) fn shown(facts: &Facts) -> Vec<CertificateDer<'static>> {
    let mut seen = facts.nodes.iter().filter_map(|node| node.tls.as_ref());
    seen.find(|tls| !tls.chain.is_empty()).map(Tls::certificates).unwrap_or_default()
}

/// Each with the words that say where it is from.
pub(crate) type Known = Vec<(CertificateDer<'static>, String)>;

/// Follows the issuers up to one that issued itself.
pub(crate) async fn assemble(
    leaf: &CertificateDer<'static>,
    mut known: Known,
    patience: Duration,
) -> Bundle {
    let mut bundle = Bundle::default();
    let mut below = leaf.clone();
    for _ in 0..STEPS_MAX {
        let Ok(summary) = Summary::parse(&below) else { break };
        if summary.subject == summary.issuer {
            return bundle;
        }
        let is_it =
            |(der, _): &&(CertificateDer<'static>, String)| collection::is_issued_by(&below, der);
        let mut found = known.iter().find(is_it).cloned();
        if found.is_none() {
            known.extend(fetched(&below, patience, &mut bundle.in_vain).await);
            found = known.iter().find(is_it).cloned();
        }
        let link = found.and_then(|(certificate, from)| {
            let summary = Summary::parse(&certificate).ok()?;
            Some(Link { certificate, summary, from })
        });
        let Some(link) = link else {
            bundle.missing = Some(summary.issuer);
            return bundle;
        };
        below = link.certificate.clone();
        bundle.links.push(link);
    }
    bundle
}

async fn fetched(
    below: &CertificateDer<'_>,
    patience: Duration,
    in_vain: &mut Vec<String>,
) -> Known {
    let urls = Elsewhere::of(below).unwrap_or_default().issuers;
    for url in urls.iter().filter(|url| url.starts_with("http://")).take(URLS_MAX) {
        match aia::fetch(url, patience).await {
            Ok(found) => {
                return found.into_iter().map(|der| (der, format!("from {url}"))).collect();
            }
            Err(error) => in_vain.push(error),
        }
    }
    Vec::new()
}

impl Bundle {
    /// PEM, in the order of the chain.
    pub(crate) fn pem(&self) -> String {
        let mut out = String::new();
        for link in &self.links {
            out.push_str("-----BEGIN CERTIFICATE-----\n");
            let text = STANDARD.encode(&link.certificate);
            let mut rest = text.as_str();
            while !rest.is_empty() {
                let (line, more) = rest.split_at(rest.len().min(64));
                out.push_str(line);
                out.push('\n');
                rest = more;
            }
            out.push_str("-----END CERTIFICATE-----\n");
        }
        out
    }
}

/// A thumbprint as people compare it.
pub(crate) fn thumbprint(summary: &Summary) -> String {
    let mut out = String::new();
    for (place, digit) in summary.thumbprint.to_ascii_uppercase().chars().enumerate() {
        if place > 0 && place % 2 == 0 {
            out.push(':');
        }
        out.push(digit);
    }
    out
}
