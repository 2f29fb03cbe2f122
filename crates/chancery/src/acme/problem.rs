//! What an ACME server says (RFC 8555 §6.7), each kind with a next step.

use std::fmt;
use std::time::Duration;

use instant_acme::{Error, Problem};

use crate::failure::{Failure, USAGE};

/// Why there is no certificate, for a person; and when it makes sense to try again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub(crate) what: String,
    /// The server's own wish.
    pub(crate) again_after: Option<Duration>,
    /// The configuration is wrong, and trying again changes nothing.
    pub(crate) is_ours: bool,
}

impl fmt::Display for Trouble {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.what)
    }
}

impl std::error::Error for Trouble {}

impl Trouble {
    pub(crate) fn new(what: impl fmt::Display) -> Trouble {
        Trouble { what: what.to_string(), again_after: None, is_ours: false }
    }
}

impl From<anyhow::Error> for Trouble {
    fn from(error: anyhow::Error) -> Trouble {
        let failure = error.downcast_ref::<Failure>();
        let is_ours = failure.is_some_and(|failure| failure.code == USAGE);
        Trouble { is_ours, ..Trouble::new(format!("{error:#}")) }
    }
}

/// `doing` completes "the ACME server ... ", such as "takes no order".
pub(crate) fn said(doing: &str, error: Error) -> Trouble {
    Trouble::new(match error {
        Error::Api(problem) => format!("the ACME server {doing}: {}", sentence(&problem)),
        Error::Timeout(_) => format!(
            "the ACME server {doing} and has not decided in time; it is tried again, and its status \
             page may say why"
        ),
        // The client's own words for an answer that is no ACME.
        Error::Json(error) => format!(
            "the ACME server {doing}, in words that are not ACME ({error}); is `acme.directory` the \
             address of a directory?"
        ),
        other => format!("the ACME server {doing}: {other}"),
    })
}

/// The kind's next step, the server's words, and those about single names.
pub(crate) fn sentence(problem: &Problem) -> String {
    let kind = problem.r#type.as_deref().unwrap_or_default();
    let kind = kind.strip_prefix("urn:ietf:params:acme:error:").unwrap_or(kind);
    let mut text = problem.detail.clone().unwrap_or_else(|| "it gives no reason".to_owned());
    for part in &problem.subproblems {
        let detail = part.detail.as_deref().unwrap_or("no reason given");
        text += &match &part.identifier {
            Some(instant_acme::Identifier::Dns(name)) => format!("; {name}: {detail}"),
            _ => format!("; {detail}"),
        };
    }
    let text: String = text.chars().filter(|c| !c.is_control()).take(1000).collect();
    match next_step(kind) {
        Some(step) => format!("{text} ({kind}); {step}"),
        None if kind.is_empty() => text,
        None => format!("{text} ({kind})"),
    }
}

/// RFC 8555 §6.7, RFC 8737, RFC 9773 §5.
fn next_step(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "accountDoesNotExist" => {
            "it does not know our account: remove it from acme/account.json, and a new one is made"
        }
        "alreadyReplaced" => "the certificate was renewed from elsewhere: order again",
        "badCSR" => "it does not like the names or the key that we ask for: compare `acme.names`",
        "badNonce" => "it refused fresh numbers several times: try again",
        "badPublicKey" | "badSignatureAlgorithm" => {
            "it does not take P-256 keys: use another CA, and tell us"
        }
        "caa" => "a CAA record forbids this CA: add one for it, or remove the record",
        "connection" => {
            "it could not reach the challenge: open the port from outside to `acme.listen`, and see \
             that the names lead here (chancery dns verify)"
        }
        "dns" => "it could not look the name up: chancery dns verify shows what the outside sees",
        "externalAccountRequired" => {
            "it wants an account that exists there: get its key and write `eab-key-id` and `eab-key`"
        }
        "incorrectResponse" => {
            "something else answers there instead of us: see where the names and the port lead"
        }
        "invalidContact" | "unsupportedContact" => {
            "write `acme.contact` as mailto:somebody@example.com"
        }
        "malformed" | "orderNotReady" | "serverInternal" => {
            "try again, and look at its status page"
        }
        "rateLimited" => {
            "it is asked too often: it is tried again when it allows, and ordering by hand makes it \
             worse"
        }
        "rejectedIdentifier" | "unsupportedIdentifier" => {
            "it issues nothing for that name: leave it out of `acme.names`, or use another CA"
        }
        "tls" => {
            "it could not speak TLS with us for tls-alpn-01: nothing may end TLS between the \
             outside and `acme.listen`"
        }
        "unauthorized" => {
            "it did not find our proof there: see where the names and the port lead, or, for \
             dns-01, whether all name servers of the zone show the record"
        }
        "userActionRequired" => "its terms changed: read them, and agree on its site",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_problem_has_a_next_step() {
        // All of RFC 8555 §6.7 that an order can meet, tls of RFC 8737, alreadyReplaced of 9773.
        for kind in [
            "accountDoesNotExist",
            "alreadyReplaced",
            "badCSR",
            "badNonce",
            "badPublicKey",
            "badSignatureAlgorithm",
            "caa",
            "connection",
            "dns",
            "externalAccountRequired",
            "incorrectResponse",
            "invalidContact",
            "malformed",
            "orderNotReady",
            "rateLimited",
            "rejectedIdentifier",
            "serverInternal",
            "tls",
            "unauthorized",
            "unsupportedContact",
            "unsupportedIdentifier",
            "userActionRequired",
        ] {
            let json = format!(
                "{{\"type\":\"urn:ietf:params:acme:error:{kind}\",\"detail\":\"its words\"}}"
            );
            let problem: Problem = serde_json::from_str(&json).unwrap();
            let text = sentence(&problem);
            let expected = format!("its words ({kind}); ");
            assert!(text.starts_with(&expected) && text.len() > expected.len(), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_with_each_name_is_said() {
        let problem: Problem = serde_json::from_str(
            r#"{"type":"urn:ietf:params:acme:error:malformed","detail":"some names","subproblems":[
               {"detail":"no\u001b[2J","identifier":{"type":"dns","value":"a.b"}}]}"#,
        )
        .unwrap();
        let text = sentence(&problem);
        assert!(text.starts_with("some names; a.b: no[2J (malformed)"), "{text}");
    }
}
