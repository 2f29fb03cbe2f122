//! The way from a server's certificate up to one that is trusted, as all clients find it.

use time::OffsetDateTime;
use x509_parser::error::X509Error;
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::X509Certificate;
use x509_parser::public_key::PublicKey;

use super::super::Link;
use crate::certificate::subject_key_identifier;
use crate::name::hex;

/// How the way ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// At a root that is trusted, or may be where trust is not known.
    Root,
    /// The server's own certificate is the one that is trusted.
    Itself,
    /// At one that is trusted and that another has signed.
    Between,
    /// At one that signed itself and is not trusted.
    Untrusted,
    /// The issuer of the last is neither sent nor trusted.
    Missing,
    /// The issuer of the last is not sent, and who is trusted is not known.
    Unknown,
}

pub(super) struct Path<'l, 'c> {
    /// The server's own first, the root as well where it is there.
    pub(super) links: Vec<&'l Link<'c>>,
    pub(super) end: End,
    /// One that has ended was sent before the one of the same name that is on the way.
    pub(super) passed_over: Option<&'l Link<'c>>,
    /// An issuer is written in other letters than its own certificate has.
    pub(super) respelled: Option<&'l Link<'c>>,
}

impl<'l, 'c> Path<'l, 'c> {
    pub(super) fn find(
        own: &'l Link<'c>,
        sent: &'l [Link<'c>],
        roots: Option<&'l [Link<'c>]>,
        now: OffsetDateTime,
    ) -> Path<'l, 'c> {
        let trusted = roots.unwrap_or_default();
        let end = End::Unknown;
        let mut path = Path { links: vec![own], end, passed_over: None, respelled: None };
        while let Some(below) = path.links.last().copied() {
            let is_own = path.links.len() == 1;
            let is_trusted = trusted.iter().any(|root| is_same(root, below));
            let top = match (is_trusted, signed_itself(below), is_own) {
                (true, true, true) => Some(End::Itself),
                (true, true, false) => Some(End::Root),
                (false, true, true) if roots.is_none() => Some(End::Itself),
                (false, true, false) if roots.is_none() => Some(End::Root),
                (false, true, _) => Some(End::Untrusted),
                (_, false, _) => None,
            };
            // Who is trusted may itself be below another who is.
            let above = path.issuer(below, trusted, now);
            let above = match is_trusted {
                true => above,
                false => above.or_else(|| path.issuer(below, sent, now)),
            };
            path.end = match (top, above) {
                (Some(end), _) => end,
                (None, Some(above)) => {
                    path.step(below, above, sent, now);
                    continue;
                }
                (None, None) if is_trusted && is_own => End::Itself,
                (None, None) if is_trusted => End::Between,
                (None, None) if roots.is_none() => End::Unknown,
                (None, None) => End::Missing,
            };
            break;
        }
        path
    }

    /// An issuer that is not on the way yet. Of several, the one that is valid.
    fn issuer(
        &self,
        below: &Link<'_>,
        among: &'l [Link<'c>],
        now: OffsetDateTime,
    ) -> Option<&'l Link<'c>> {
        let is_new = |link: &&Link<'_>| !self.links.iter().any(|known| is_same(known, link));
        let all = || among.iter().filter(is_new).filter(|above| issued(below, above));
        let mut valid = all().filter(|above| above.summary.is_valid_at(now));
        let exact = all().find(|above| is_spelled_alike(below, above));
        valid.find(|above| is_spelled_alike(below, above)).or(exact).or_else(|| all().next())
    }

    fn step(
        &mut self,
        below: &'l Link<'c>,
        above: &'l Link<'c>,
        sent: &'l [Link<'c>],
        now: OffsetDateTime,
    ) {
        if !is_spelled_alike(below, above) {
            self.respelled = Some(above);
        }
        let mut before = sent.iter().take_while(|one| !is_same(one, above));
        let is_on_the_way = sent.iter().any(|one| is_same(one, above));
        let ended = before.find(|one| issued(below, one) && !one.summary.is_valid_at(now));
        self.passed_over = self.passed_over.or(ended.filter(|_| is_on_the_way));
        self.links.push(above);
    }

    pub(super) fn own(&self) -> &'l Link<'c> {
        // There is always the server's own: it is what the way begins with.
        #[allow(clippy::indexing_slicing, reason = "never empty")]
        self.links[0]
    }

    /// The CAs between the server's own and the root, with their depth.
    pub(super) fn between(&self) -> impl Iterator<Item = (usize, &'l Link<'c>)> {
        let count = self.links.len() - usize::from(self.root().is_some());
        self.links.iter().copied().enumerate().take(count).skip(1)
    }

    /// The one at the top with its depth, where it is not the server's own.
    pub(super) fn root(&self) -> Option<(usize, &'l Link<'c>)> {
        let depth = self.links.len() - 1;
        let is_root = matches!(self.end, End::Root | End::Untrusted) && depth > 0;
        self.links.last().filter(|_| is_root).map(|link| (depth, *link))
    }

    /// Those whose signatures are looked at.
    pub(super) fn signed(&self) -> impl Iterator<Item = &'l Link<'c>> {
        let is_between = self.end == End::Between;
        let count = self.links.len() - usize::from(self.root().is_some() || is_between);
        self.links.iter().copied().take(count)
    }
}

fn is_same(one: &Link<'_>, other: &Link<'_>) -> bool {
    one.summary.thumbprint == other.summary.thumbprint
}

fn issued(below: &Link<'_>, above: &Link<'_>) -> bool {
    let is_named = below.summary.issuer.to_lowercase() == above.summary.subject.to_lowercase();
    is_named && signed(below, &above.parsed)
}

fn is_spelled_alike(below: &Link<'_>, above: &Link<'_>) -> bool {
    above.parsed.subject().as_raw() == below.parsed.issuer().as_raw()
}

pub(super) fn signed_itself(link: &Link<'_>) -> bool {
    link.is_self_issued() && signed(link, &link.parsed)
}

/// Where the algorithm is one that cannot be verified here, the identifiers of the keys decide.
fn signed(below: &Link<'_>, above: &X509Certificate<'_>) -> bool {
    match below.parsed.verify_signature(Some(above.public_key())) {
        Ok(()) => true,
        Err(X509Error::SignatureVerificationError) if is_verifiable(below, above) => false,
        Err(_) => match (authority_key(&below.parsed), subject_key_identifier(above)) {
            (Some(wanted), Some(own)) => wanted == own,
            _ => true,
        },
    }
}

/// RSA keys of other lengths, and RSASSA-PSS with other salts, fail without being tried.
fn is_verifiable(below: &Link<'_>, above: &X509Certificate<'_>) -> bool {
    const RSASSA_PSS: &str = "1.2.840.113549.1.1.10";
    if below.parsed.signature_algorithm.algorithm.to_id_string() == RSASSA_PSS {
        return false;
    }
    match above.public_key().parsed() {
        Ok(PublicKey::RSA(rsa)) => (2048..=8192).contains(&rsa.key_size()),
        _ => true,
    }
}

fn authority_key(link: &X509Certificate<'_>) -> Option<String> {
    link.iter_extensions().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::AuthorityKeyIdentifier(key) => {
            key.key_identifier.as_ref().map(|identifier| hex(identifier.0))
        }
        _ => None,
    })
}
