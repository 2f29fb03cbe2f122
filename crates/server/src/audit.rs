//! One event per operation on the `audit` target: who, from where, what, result, cost. No secrets.

use directory::access::SECRETS;
use directory::{Subject, Who};
use ldap::filter::{Assertion, Extensible, Filter, Substrings};
use ldap::message::{MessageId, Request, Scope};
use ldap::result::ResultCode;
use std::borrow::Cow;
use std::net::IpAddr;
use tokio::time::Instant;

/// `userPassword` and `authPassword` by number: what is secret under a name is so under any.
const BY_NUMBER: [&str; 2] = ["2.5.4.35", "1.3.6.1.4.1.4203.1.3.4"];

const MASK: &[u8] = b"***";

/// What is remembered of an operation until it ends. Texts are empty while nobody listens.
#[derive(Debug)]
pub(crate) struct Record {
    started: Instant,
    operation: &'static str,
    name: String,
    detail: String,
    pub(crate) entries: u64,
    pub(crate) bytes: u64,
}

/// From which connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin<'a> {
    pub(crate) connection: u64,
    pub(crate) message: MessageId,
    pub(crate) subject: &'a Subject,
    /// The balancer it came through.
    pub(crate) via: Option<IpAddr>,
}

fn is_listened_to() -> bool {
    tracing::enabled!(target: "audit", tracing::Level::INFO)
}

impl Record {
    pub(crate) fn start(request: &Request<'_>, now: Instant, text_max: usize) -> Record {
        let (operation, name) = operation_and_name(request);
        let (name, detail) = match is_listened_to() {
            true => (cut(name, text_max), cut(&detail(request), text_max)),
            false => (String::new(), String::new()),
        };
        Record { started: now, operation, name, detail, entries: 0, bytes: 0 }
    }

    pub(crate) fn end(&self, origin: Origin<'_>, code: ResultCode, message: &str) {
        if !is_listened_to() {
            return;
        }
        let subject = origin.subject;
        tracing::info!(
            target: "audit",
            connection = origin.connection,
            message = origin.message.0,
            who = %who(&subject.who),
            address = subject.address.map(tracing::field::display),
            via = origin.via.map(tracing::field::display),
            operation = self.operation,
            dn = self.name,
            detail = self.detail,
            code = code.0,
            result = code.name().unwrap_or("?"),
            diagnostic = message,
            entries = self.entries,
            bytes = self.bytes,
            microseconds = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX),
        );
    }

    /// The same for an operation that ends without a response.
    pub(crate) fn end_abandoned(&self, origin: Origin<'_>) {
        self.end(origin, ResultCode::CANCELED, "abandoned by the client");
    }
}

/// The authorization identity (RFC 4513 §5.2.1.8), empty for nobody.
pub(crate) fn who(who: &Who) -> Cow<'_, str> {
    match who {
        Who::Anonymous => Cow::Borrowed(""),
        Who::Entry { dn, .. } => Cow::Owned(format!("dn:{dn}")),
        Who::Name(name) => Cow::Owned(format!("dn:{name}")),
        Who::Operator => Cow::Borrowed("u:operator"),
    }
}

fn operation_and_name<'r>(request: &Request<'r>) -> (&'static str, &'r str) {
    match request {
        Request::Bind(bind) => ("bind", bind.name),
        Request::Unbind => ("unbind", ""),
        Request::Search(search) => ("search", search.base),
        Request::Modify(modify) => ("modify", modify.dn),
        Request::Add(add) => ("add", add.dn),
        Request::Delete(delete) => ("delete", delete.dn),
        Request::ModifyDn(modify_dn) => ("modifyDN", modify_dn.dn),
        Request::Compare(compare) => ("compare", compare.dn),
        Request::Abandon(_) => ("abandon", ""),
        Request::Extended(_) => ("extended", ""),
    }
}

fn detail(request: &Request<'_>) -> String {
    match request {
        Request::Bind(bind) => format!("{:?}", bind.authentication),
        Request::Search(search) => format!(
            "{} {} {}",
            scope_name(search.scope),
            masked(&search.filter),
            search.attributes.join(",")
        ),
        Request::Modify(modify) => {
            let changes = modify.changes.iter();
            let words = changes.map(|c| format!("{:?}:{}", c.operation, c.attribute.description));
            words.collect::<Vec<_>>().join(" ")
        }
        Request::ModifyDn(modify_dn) => match modify_dn.new_superior {
            Some(superior) => format!("to {} under {superior}", modify_dn.new_rdn),
            None => format!("to {}", modify_dn.new_rdn),
        },
        Request::Compare(compare) => compare.attribute.to_owned(),
        Request::Extended(extended) => extended.oid.to_owned(),
        Request::Abandon(id) => id.0.to_string(),
        Request::Unbind | Request::Add(_) | Request::Delete(_) => String::new(),
    }
}

fn scope_name(scope: Scope) -> &'static str {
    match scope {
        Scope::Base => "base",
        Scope::OneLevel => "one",
        Scope::Subtree => "sub",
        Scope::Subordinates => "subordinates",
    }
}

fn cut(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

fn is_secret(attribute: &str) -> bool {
    let base = attribute.split(';').next().unwrap_or_default().trim();
    SECRETS.iter().chain(&BY_NUMBER).any(|secret| secret.eq_ignore_ascii_case(base))
}

/// The same filter without the values of secret attributes.
fn masked<'f>(filter: &'f Filter<'_>) -> Filter<'f> {
    let mask = |attribute: &str, value: &'f [u8]| -> Cow<'f, [u8]> {
        Cow::Borrowed(if is_secret(attribute) { MASK } else { value })
    };
    let assertion = |assertion: &'f Assertion<'_>| Assertion {
        attribute: assertion.attribute,
        value: mask(assertion.attribute, &assertion.value),
    };
    match filter {
        Filter::And(all) => Filter::And(all.iter().map(masked).collect()),
        Filter::Or(any) => Filter::Or(any.iter().map(masked).collect()),
        Filter::Not(inner) => Filter::Not(Box::new(masked(inner))),
        Filter::Equality(inner) => Filter::Equality(assertion(inner)),
        Filter::GreaterOrEqual(inner) => Filter::GreaterOrEqual(assertion(inner)),
        Filter::LessOrEqual(inner) => Filter::LessOrEqual(assertion(inner)),
        Filter::Approx(inner) => Filter::Approx(assertion(inner)),
        Filter::Present(attribute) => Filter::Present(attribute),
        Filter::Substrings(inner) => {
            let piece = |value: &'f Cow<'_, [u8]>| mask(inner.attribute, value);
            Filter::Substrings(Substrings {
                attribute: inner.attribute,
                initial: inner.initial.as_ref().map(piece),
                any: inner.any.iter().map(piece).collect(),
                last: inner.last.as_ref().map(piece),
            })
        }
        Filter::Extensible(inner) => Filter::Extensible(Extensible {
            rule: inner.rule,
            attribute: inner.attribute,
            // Without an attribute the rule applies to all of them, secret ones included.
            value: mask(inner.attribute.unwrap_or("userPassword"), &inner.value),
            dn_attributes: inner.dn_attributes,
        }),
    }
}

#[cfg(test)]
mod tests;
