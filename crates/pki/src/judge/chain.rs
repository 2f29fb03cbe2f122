//! The certificates above the server's own: order, issuers, validity, constraints (RFC 5280 §6).

use rustls::pki_types::CertificateDer;
use time::OffsetDateTime;
use x509_parser::extensions::{GeneralName, GeneralSubtree, ParsedExtension};
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::signature_algorithm::SignatureAlgorithm;

use super::names::is_within;
use super::{Finding, Level, Link, Policy, Rule, Wanted, day, issuer_text, leaf, words};
use crate::certificate::AlternativeName;
use crate::elsewhere::Elsewhere;

pub(super) fn judge(
    own: &Link<'_>,
    links: &[Link<'_>],
    wanted: &Wanted<'_>,
    now: OffsetDateTime,
    findings: &mut Vec<Finding>,
) {
    for link in links {
        findings.extend(validity(link, now));
        findings.extend(signature(link));
    }
    let path = path(own, links);
    for (depth, pair) in path.windows(2).enumerate() {
        if let [below, above] = pair {
            findings.extend(issues(below, above, depth));
            findings.extend(leaf::public_key(above, &wanted.policy));
        }
    }
    findings.extend(path.iter().skip(1).flat_map(|above| constraints(own, above)));
    findings.extend(order(&path));
    findings.extend(completeness(own, &path, wanted.roots));
    findings.extend(surplus(&path, links));
}

/// What is judged of a CA by itself.
pub(super) fn judge_authority(
    link: &Link<'_>,
    policy: &Policy,
    now: OffsetDateTime,
    findings: &mut Vec<Finding>,
) {
    findings.extend(validity(link, now));
    findings.extend(signature(link));
    findings.extend(leaf::public_key(link, policy));
    findings.extend(is_authority(link));
}

fn validity(link: &Link<'_>, now: OffsetDateTime) -> Option<Finding> {
    let (from, until) = (link.summary.not_before, link.summary.not_after);
    let expected = format!("a time between {} and {}", day(from), day(until));
    if now < from {
        let found = format!("today is {}, it begins at {}", day(now), day(from));
        let fix = "set this machine's clock, or wait";
        return Some(link.finding(Rule::NotYetValid, Level::Refused, words(found, expected, fix)));
    }
    if now > until {
        let found = format!("today is {}, it ended at {}", day(now), day(until));
        let fix = "issue a new one; where the date of today is wrong, set this machine's clock";
        return Some(link.finding(Rule::Expired, Level::Refused, words(found, expected, fix)));
    }
    None
}

/// Signature algorithms by OID, and how weak ones are called.
const WEAK: [(&str, &str); 3] = [
    ("1.2.840.113549.1.1.4", "MD5 and RSA"),
    ("1.2.840.113549.1.1.5", "SHA-1 and RSA"),
    ("1.2.840.10045.4.1", "SHA-1 and ECDSA"),
];
const RSASSA_PSS: &str = "1.2.840.113549.1.1.10";
const SHA_1: &str = "1.3.14.3.2.26";

fn signature(link: &Link<'_>) -> Option<Finding> {
    let algorithm = &link.parsed.signature_algorithm;
    let oid = algorithm.algorithm.to_id_string();
    let is_weak_pss = matches!(
        SignatureAlgorithm::try_from(algorithm),
        Ok(SignatureAlgorithm::RSASSA_PSS(params))
            if params.hash_algorithm_oid().to_id_string() == SHA_1
    );
    let weak = WEAK.iter().find(|(weak, _)| *weak == oid).map(|(_, name)| *name);
    let weak = weak.or(is_weak_pss.then_some("SHA-1 and RSASSA-PSS"));
    // Nobody verifies what a root says of itself.
    if let Some(weak) = weak.filter(|_| !link.is_self_issued()) {
        let found = format!("signed with {weak}");
        let fix = "have it issued anew by a CA that signs with SHA-256";
        let words = words(found, "a signature with SHA-256 or better", fix);
        return Some(link.finding(Rule::SignatureWeak, Level::Refused, words));
    }
    if oid == RSASSA_PSS {
        let fix = "nothing, unless the service refuses it; then issue with RSA PKCS #1 or ECDSA";
        let expected = "RSA PKCS #1 or ECDSA, which every service takes";
        let words = words("signed with RSASSA-PSS", expected, fix);
        return Some(link.finding(Rule::SignaturePss, Level::Note, words));
    }
    None
}

/// From the server's own certificate upwards, whatever order they were sent in. Of several with
/// the issuer's name the one whose key fits is taken.
fn path<'l, 'c>(own: &'l Link<'c>, links: &'l [Link<'c>]) -> Vec<&'l Link<'c>> {
    let mut path = vec![own];
    while let Some(below) = path.last().copied() {
        if below.is_self_issued() && signed_by(below, &below.parsed) {
            break;
        }
        let named = |above: &&Link<'c>| {
            above.parsed.subject().as_raw() == below.parsed.issuer().as_raw()
                && !path.iter().any(|known| known.place == above.place)
        };
        let fits = links.iter().filter(named).find(|above| signed_by(below, &above.parsed));
        let Some(above) = fits.or_else(|| links.iter().find(named)) else { break };
        path.push(above);
    }
    path
}

fn signed_by(below: &Link<'_>, above: &X509Certificate<'_>) -> bool {
    below.parsed.verify_signature(Some(above.public_key())).is_ok()
}

/// `above` as the issuer of `below`, with `depth` CAs between it and the server's certificate.
fn issues(below: &Link<'_>, above: &Link<'_>, depth: usize) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(is_authority(above));
    if !signed_by(below, &above.parsed) && !is_unverifiable(below) {
        let found = format!("its signature was not made with the key of {}", above.summary.subject);
        let expected = "the certificate of the CA that signed it";
        let fix = "send the issuer's certificate of this time: a CA that got a new key has an old \
                   certificate under the same name";
        findings.push(below.finding(
            Rule::ChainBroken,
            Level::Refused,
            words(found, expected, fix),
        ));
    }
    let limit = above.parsed.basic_constraints().ok().flatten();
    let limit = limit.and_then(|constraints| constraints.value.path_len_constraint);
    if limit.is_some_and(|limit| depth > limit as usize) {
        let found = format!("{depth} CAs below it, and a path length of {}", limit.unwrap_or(0));
        let fix = "have the certificate issued by a CA that may stand so deep";
        let words = words(found, "no more CAs below it than it allows", fix);
        findings.push(above.finding(Rule::PathLength, Level::Refused, words));
    }
    findings
}

/// Signatures with algorithms that are too old to be verified here are found by another rule.
fn is_unverifiable(link: &Link<'_>) -> bool {
    signature(link).is_some()
}

fn is_authority(link: &Link<'_>) -> Option<Finding> {
    let signs = link.parsed.key_usage().ok().flatten();
    let signs = signs.is_none_or(|usage| usage.value.key_cert_sign());
    let found = match (link.summary.is_ca, signs) {
        (true, true) => return None,
        (false, _) => "basic constraints without CA:TRUE",
        (true, false) => "key usage without keyCertSign",
    };
    let fix = "use the CA's own certificate, not that of a server";
    let words = words(found, "a CA: CA:TRUE, and keyCertSign if key usages are listed", fix);
    Some(link.finding(Rule::IssuerNotCa, Level::Refused, words))
}

/// RFC 5280 §4.2.1.10, for the kinds of names that servers have.
fn constraints(own: &Link<'_>, above: &Link<'_>) -> Vec<Finding> {
    let finding = |name: &AlternativeName| {
        let found = format!("{name}, which {} may not issue for", above.summary.subject);
        let fix = "have it issued by a CA that may, or leave that name out";
        let expected = "only names that the CA's name constraints allow";
        own.finding(Rule::NameConstraint, Level::Refused, words(found, expected, fix))
    };
    forbidden(own.summary.names.iter(), above).into_iter().map(finding).collect()
}

/// Those of the names that `above` may not issue for.
pub(super) fn forbidden<'n>(
    names: impl Iterator<Item = &'n AlternativeName>,
    above: &Link<'_>,
) -> Vec<&'n AlternativeName> {
    let constraints =
        above.parsed.extensions().iter().find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::NameConstraints(constraints) => Some(constraints),
            _ => None,
        });
    let Some(constraints) = constraints else { return Vec::new() };
    let permitted = constraints.permitted_subtrees.as_deref().unwrap_or_default();
    let excluded = constraints.excluded_subtrees.as_deref().unwrap_or_default();
    let is_forbidden = |name: &&AlternativeName| {
        let of_kind: Vec<_> = permitted.iter().filter(|tree| is_of_kind(name, tree)).collect();
        excluded.iter().any(|tree| is_in(name, tree))
            || (!of_kind.is_empty() && !of_kind.iter().any(|tree| is_in(name, tree)))
    };
    names.filter(is_forbidden).collect()
}

fn is_of_kind(name: &AlternativeName, tree: &GeneralSubtree<'_>) -> bool {
    matches!(
        (name, &tree.base),
        (AlternativeName::Dns(_), GeneralName::DNSName(_))
            | (AlternativeName::Ip(_), GeneralName::IPAddress(_))
    )
}

fn is_in(name: &AlternativeName, tree: &GeneralSubtree<'_>) -> bool {
    match (name, &tree.base) {
        (AlternativeName::Dns(name), GeneralName::DNSName(subtree)) => {
            is_within(name.strip_prefix("*.").unwrap_or(name), subtree)
        }
        (AlternativeName::Ip(address), GeneralName::IPAddress(network)) => {
            let octets = match address {
                std::net::IpAddr::V4(four) => four.octets().to_vec(),
                std::net::IpAddr::V6(six) => six.octets().to_vec(),
            };
            let (base, mask) = network.split_at(network.len() / 2);
            base.len() == octets.len()
                && octets
                    .iter()
                    .zip(base)
                    .zip(mask)
                    .all(|((own, base), mask)| own & mask == base & mask)
        }
        _ => false,
    }
}

fn order(path: &[&Link<'_>]) -> Option<Finding> {
    let misplaced = path.iter().enumerate().find(|(at, link)| *at != link.place);
    let (_, link) = misplaced?;
    let order: Vec<String> = path.iter().map(|link| (link.place + 1).to_string()).collect();
    let found = format!("it stands at place {}", link.place + 1);
    let expected = format!("the order {} of what is there now", order.join(", "));
    let fix = "write the server's certificate first, then its issuer, then the issuer's issuer";
    Some(link.finding(Rule::ChainOrder, Level::Warning, words(found, expected, fix)))
}

fn completeness(
    own: &Link<'_>,
    path: &[&Link<'_>],
    roots: &[CertificateDer<'_>],
) -> Option<Finding> {
    let top = path.last()?;
    if top.is_self_issued() || roots.iter().any(|root| is_issuer(root, top)) {
        return None;
    }
    let issuer = issuer_text(top);
    let found = format!("nothing above {}: its issuer {issuer} is not sent", top.summary.subject);
    let at = Elsewhere::in_certificate(&top.parsed)
        .issuers
        .first()
        .map(|url| format!(", it is at {url}"))
        .unwrap_or_default();
    let fix = format!(
        "append the certificate of {issuer}{at}; not needed where it is a root that \
                       every client trusts"
    );
    let expected = "every certificate up to one that clients trust";
    Some(own.finding(Rule::ChainIncomplete, Level::Warning, words(found, expected, fix)))
}

fn is_issuer(root: &CertificateDer<'_>, link: &Link<'_>) -> bool {
    let Ok((_, root)) = X509Certificate::from_der(root) else { return false };
    root.subject().as_raw() == link.parsed.issuer().as_raw() && signed_by(link, &root)
}

/// Where the issuer's certificate can be had.
pub(super) fn issuer_address(link: &Link<'_>) -> Option<String> {
    Elsewhere::in_certificate(&link.parsed).issuers.into_iter().next()
}

/// What is sent and leads nowhere, or is known to whoever trusts it.
fn surplus(path: &[&Link<'_>], links: &[Link<'_>]) -> Vec<Finding> {
    let leads = |link: &&Link<'_>| !path.iter().any(|on_path| on_path.place == link.place);
    let mut findings: Vec<Finding> = links
        .iter()
        .filter(leads)
        .map(|link| {
            let fix = "leave it out: every client receives it at every connection";
            let words = words("it is not on the way up", "only certificates that are", fix);
            link.finding(Rule::ChainSurplus, Level::Note, words)
        })
        .collect();
    let root = path.last().filter(|top| path.len() > 1 && top.is_self_issued());
    findings.extend(root.map(|root| {
        let fix = "leave it out: whoever trusts it has it, and nobody trusts it for being sent";
        let words = words("the root is sent as well", "the chain up to the root", fix);
        root.finding(Rule::ChainSurplus, Level::Note, words)
    }));
    findings
}
