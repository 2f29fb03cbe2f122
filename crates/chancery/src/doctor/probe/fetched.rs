//! What the certificates that were seen point to: issuers that were not sent, and, where that is
//! wanted, lists of what was revoked.

use pki::authority::revocation;
use pki::collection;
use pki::elsewhere::Elsewhere;
use pki::{Revocations, Summary, pem};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer};
use rustls::{CertificateError, Error};

use super::Asked;
use crate::doctor::aia;
use crate::doctor::facts::{Completed, Fetched, Node, Revocation, Tls};

/// No chain of a directory is longer.
const STEPS_MAX: usize = 4;
const URLS_MAX: usize = 4;
const LIST_BYTES_MAX: usize = 16 << 20;

fn chain_where(
    nodes: &[Node],
    wanted: impl Fn(&Tls) -> bool,
) -> Option<Vec<CertificateDer<'static>>> {
    let mut seen = nodes.iter().filter_map(|node| node.tls.as_ref());
    let chain = seen.find(|tls| wanted(tls) && !tls.chain.is_empty())?.certificates();
    Some(chain)
}

/// Follows the issuers from the last certificate that was sent up.
pub(super) async fn completed(asked: &Asked, nodes: &[Node]) -> Option<Completed> {
    let mut chain = chain_where(nodes, |tls| tls.issuer_unknown)?;
    let mut completed = Completed::default();
    for _ in 0..STEPS_MAX {
        let top = chain.last()?;
        let Ok(summary) = Summary::parse(top) else { break };
        if summary.subject == summary.issuer {
            break;
        }
        let urls = Elsewhere::of(top).unwrap_or_default().issuers;
        let Some(issuer) = issuer(asked, top, &urls, &mut completed).await else { break };
        chain.push(issuer);
        let judged = asked.trust.judge(&chain, &asked.target.name, Vec::new());
        let unknown = Error::InvalidCertificate(CertificateError::UnknownIssuer);
        if judged != Err(unknown) {
            completed.is_trusted = true;
            break;
        }
    }
    (!completed.fetched.is_empty()).then_some(completed)
}

async fn issuer(
    asked: &Asked,
    below: &CertificateDer<'_>,
    urls: &[String],
    completed: &mut Completed,
) -> Option<CertificateDer<'static>> {
    for url in urls.iter().filter(|url| url.starts_with("http://")).take(URLS_MAX) {
        let said = aia::fetch(url, asked.patience).await.and_then(|found| {
            let is_it = |der: &CertificateDer<'_>| collection::is_issued_by(below, der);
            found.into_iter().find(is_it).ok_or_else(|| "it holds another certificate".to_owned())
        });
        let (certificate, error) = match &said {
            Ok(der) => (Some(Tls::encode(der)), None),
            Err(error) => (None, Some(error.clone())),
        };
        completed.fetched.push(Fetched { url: url.clone(), certificate, error });
        if let Ok(der) = said {
            return Some(der);
        }
    }
    None
}

/// What the lists say of the certificate that was shown. A list is believed where an issuer of
/// the chain has signed it.
pub(super) async fn revocation(asked: &Asked, nodes: &[Node]) -> Option<Revocation> {
    if !asked.asks_revocation {
        return None;
    }
    let chain = chain_where(nodes, |_| true)?;
    let leaf = chain.first()?;
    let urls = Elsewhere::of(leaf).unwrap_or_default().revocation_lists;
    let mut found = Revocation { urls, ..Revocation::default() };
    for url in found.urls.iter().filter(|url| url.starts_with("http://")).take(URLS_MAX) {
        let read =
            aia::get(url, LIST_BYTES_MAX, asked.patience).await.and_then(|bytes| list(&bytes));
        let (der, list) = match read {
            Ok(read) => read,
            Err(error) => {
                found.errors.push(error);
                continue;
            }
        };
        let read = der.clone();
        match asked.trust.judge(&chain, &asked.target.name, vec![der]) {
            Err(Error::InvalidCertificate(CertificateError::Revoked)) => {
                found.revoked = Some(when(&list, leaf));
            }
            // A list that our verification does not take, such as one of version 1, may be right.
            Err(error @ (Error::InvalidCertRevocationList(_) | Error::General(_))) => {
                if !is_by_an_issuer(&chain, &read) {
                    found.errors.push(format!("{url}: {error}"));
                    continue;
                }
                if is_in(&list, leaf) {
                    found.revoked = Some(when(&list, leaf));
                }
            }
            // What else is wrong with the certificate is told elsewhere.
            Ok(()) | Err(_) => {}
        }
        found.read = Some(url.clone());
        break;
    }
    Some(found)
}

fn list(bytes: &[u8]) -> Result<(CertificateRevocationListDer<'static>, Revocations), String> {
    let in_pem = pem::revocation_lists(bytes).ok().and_then(|lists| lists.into_iter().next());
    let der = in_pem.unwrap_or_else(|| CertificateRevocationListDer::from(bytes.to_vec()));
    let list = Revocations::parse(&der)?;
    Ok((der, list))
}

fn is_by_an_issuer(chain: &[CertificateDer<'_>], list: &CertificateRevocationListDer<'_>) -> bool {
    chain.iter().skip(1).any(|issuer| revocation::is_signed_by(list, issuer))
}

fn is_in(list: &Revocations, leaf: &CertificateDer<'_>) -> bool {
    let serial = Summary::parse(leaf).map(|leaf| leaf.serial);
    serial.is_ok_and(|serial| list.revoked.iter().any(|one| one.serial == serial))
}

fn when(list: &Revocations, leaf: &CertificateDer<'_>) -> String {
    let serial = Summary::parse(leaf).map(|leaf| leaf.serial).unwrap_or_default();
    let one = list.revoked.iter().find(|one| one.serial == serial);
    one.map_or_else(String::new, |one| format!("{}, {}", one.at.date(), one.reason))
}
