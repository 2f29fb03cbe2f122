//! Which clients would accept the certificate that was seen.

use pki::judge::families::{self, Acceptance, Sent};
use pki::judge::names::ServedName;
use time::OffsetDateTime;

use super::facts::{Facts, Tls};

#[derive(Clone, Debug)]
pub(crate) struct Accepting {
    pub(crate) verdicts: Vec<Acceptance>,
    /// Whom clients trust is not known: it was verified with all that the system has.
    is_trust_open: bool,
    /// The one that Samba makes for itself.
    is_of_samba: bool,
}

/// Of the first node that was refused, or else of the first; nothing where no certificate came.
pub(crate) fn of(facts: &Facts, now: OffsetDateTime) -> Option<Accepting> {
    let seen = || facts.nodes.iter().filter_map(|node| node.tls.as_ref());
    let mut sent = seen().filter(|tls| !tls.chain.is_empty());
    let tls = seen().find(|tls| tls.refused.is_some() && !tls.chain.is_empty());
    let tls = tls.or_else(|| sent.next())?;
    let name = ServedName::parse(&facts.name).ok()?;
    let chain = tls.certificates();
    let roots = roots(facts, tls);
    let sent = Sent { chain: &chain, name: &name, roots: roots.as_deref() };
    let verdicts = families::acceptance(&sent, now);
    let is_of_samba = chain.first().is_some_and(families::is_made_by_samba);
    let is_trust_open = roots.is_none();
    (!verdicts.is_empty()).then_some(Accepting { verdicts, is_trust_open, is_of_samba })
}

/// The system's CAs are not listed: of them only is known whether they were enough.
fn roots(facts: &Facts, tls: &Tls) -> Option<Vec<rustls::pki_types::CertificateDer<'static>>> {
    let given = facts.trust.roots();
    (!given.is_empty() || tls.issuer_unknown).then_some(given)
}

impl Accepting {
    /// One line, and one with the reasons where somebody refuses.
    pub(crate) fn lines(&self) -> Vec<String> {
        let (who, why) = families::in_words(&self.verdicts);
        let what = if self.is_of_samba { " Samba's own certificate" } else { "" };
        let open = if self.is_trust_open { ", where its CA is trusted" } else { "" };
        let mut lines = vec![format!("i would accept{what}{open}: {who}")];
        if !why.is_empty() {
            lines.push(format!("  {why}"));
        }
        lines
    }
}
