//! What is wrong with the directory behind TLS that stands, or beside it.

use super::{Finding, Layer};
use crate::doctor::facts::{Facts, Idle, Ldap, Node};

pub(super) fn findings(facts: &Facts, node: &Node) -> Vec<Finding> {
    let mut found: Vec<Finding> = Vec::new();
    if let Some(ldap) = &node.ldap {
        let asked = node.tls.as_ref().filter(|tls| tls.asked_for_certificate);
        match (&ldap.error, asked) {
            // Some take the handshake without one, and hang up behind it.
            (Some(error), Some(tls)) => {
                found.push(super::tls::client_certificate(tls).seen(error.clone()));
            }
            _ => found.extend(answer(ldap)),
        }
    }
    found.extend(node.idle.as_ref().and_then(idle));
    found.extend(in_the_clear(facts, node));
    found
}

fn answer(ldap: &Ldap) -> Option<Finding> {
    if let Some(error) = &ldap.error {
        let cause = "TLS stands, but nothing answers as a directory";
        let fix = "see whether another service listens on this port";
        return Some(Finding::new("LDAP", Layer::Ldap, cause).seen(error.clone()).fix(fix));
    }
    let cause = "lengths are written in more bytes than they need, as Active Directory does";
    ldap.has_long_lengths.then(|| {
        Finding::new("BER-QUIRK", Layer::Ldap, cause)
            .seen("allowed by BER; some load balancers and small clients cannot read it")
            .fix("if a middlebox or client fails after the bind, upgrade it, or pass TCP through")
            .note()
    })
}

fn idle(idle: &Idle) -> Option<Finding> {
    let ended = idle.ended.as_ref()?;
    let cause = format!("the connection is dropped after {} s of silence", idle.seconds);
    Some(
        Finding::new("IDLE-DROP", Layer::Ldap, cause)
            .seen(ended.clone())
            .fix("let the application's pool close what is idle before that, and try again once")
            .fix("or raise it: idletimeout, nsslapd-idletimeout, AD's MaxConnIdleTime, firewalls"),
    )
}

/// What an application meets that signs in without TLS.
fn in_the_clear(facts: &Facts, node: &Node) -> Option<Finding> {
    let refused = node.clear()?.sign_in.as_ref()?;
    let name = &facts.name;
    let said = format!("result {}: {}", refused.code.unwrap_or_default(), refused.message);
    let fix = format!("let the application use ldaps://{name}, or StartTLS before it signs in");
    let one = |code, cause: &str| Finding::new(code, Layer::SignIn, cause).seen(said.clone());
    Some(match refused.code {
        // strongerAuthRequired, confidentialityRequired
        Some(8 | 13) => one("SIGNING-REQUIRED", "a sign-in without TLS is refused").fix(fix),
        // unwillingToPerform: 389 DS below its minimum of protection.
        Some(53) => one("SIGNING-REQUIRED", "a sign-in without TLS is refused").likely().fix(fix),
        _ => one("CLEAR-PASSWORDS", "passwords are taken without TLS, and seen by the network")
            .fix(fix)
            .fix("let the server demand it: LDAP signing (AD), security simple_bind (OpenLDAP)")
            .warning(),
    })
}
