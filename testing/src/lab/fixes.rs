//! What a fix has to say for the lab to have applied it: words of which one must have been printed
//! with the first finding. Whoever mends by what was not advised shows nothing.

/// By cause: what the lab does about it, in the words of the advice.
const ADVICE: &[(&str, &[&str])] = &[
    ("DNS", &["record", "/etc/hosts", "use a server's name: ldaps://dc1.corp.example"]),
    ("TCP-FILTERED", &["allow TCP 636"]),
    ("TCP-REFUSED", &["let it listen for LDAPS", "allow this client"]),
    ("TCP-UNREACHABLE", &["route", "allow TCP 636"]),
    ("ONE-BAD-NODE", &["out of DNS", "allow TCP 636", "issue a new one"]),
    ("SCHEME-MIX", &["ldaps://", "give the server a certificate"]),
    ("NO-LDAPS-CERT", &["give the server a certificate"]),
    ("TLS-VERSION", &["enable TLS 1.2", "ECDHE"]),
    ("TLS-FAILED", &["restart"]),
    ("MTU", &["MTU", "middlebox"]),
    ("SNI", &["default", "add this one"]),
    ("MTLS", &["not demand one"]),
    ("TRUST-CHAIN", &["send the whole chain"]),
    ("TRUST-CA", &["trust it"]),
    ("CERT-EXPIRED", &["issue a new one"]),
    ("EXPIRY", &["renew"]),
    ("CLOCK", &["clock"]),
    ("NAME-MISMATCH", &["issued anew", "use ldaps://dc1.corp.example"]),
    ("REVOKED", &["new certificate"]),
    ("REVOCATION", &["publish the list"]),
    ("CBT", &["simple bind", "channel binding"]),
    ("CERT-NO-SAN", &["DNS:dc1.corp.example"]),
    ("EKU", &["server authentication"]),
    ("WEAK-CRYPTO", &["issued anew", "ECDHE"]),
    ("CHAIN-ORDER", &["server's certificate first"]),
    ("CERT-OTHER", &["issue", "use the CA's own"]),
    ("WRONG-CERT", &["certificates of one CA"]),
    ("LDAP", &["another service"]),
    ("AUTH", &["password", "whole DN"]),
    ("AUTH-SUBCODE", &["password", "administrator", "sign in"]),
    (
        "SIGNING-REQUIRED",
        &["StartTLS before it signs in", "let the directory take binds", "let TLS end at"],
    ),
    ("CLEAR-PASSWORDS", &["StartTLS before it signs in"]),
    ("SEARCH-SHAPE", &["base", "pages", "read", "sign in first"]),
    ("REFERRAL", &["search further below"]),
    ("IDLE-DROP", &["raise it"]),
];

/// Whether what the lab does about the cause was among what was printed.
pub fn is_advised(cause: &str, printed: &[String]) -> bool {
    let words = ADVICE.iter().find(|(one, _)| *one == cause).map_or(&[][..], |(_, words)| words);
    printed.iter().any(|fix| words.iter().any(|word| fix.contains(word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_printed_is_not_advised() {
        let printed = vec!["let the server send the whole chain".to_owned()];
        assert!(is_advised("TRUST-CHAIN", &printed));
        assert!(!is_advised("TRUST-CA", &printed));
        assert!(!is_advised("TRUST-CHAIN", &[]));
        assert!(!is_advised("SOMETHING", &printed));
    }
}
