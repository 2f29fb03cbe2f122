//! Handshakes that end, and what other greetings show of the server.

use super::{Finding, Layer};
use crate::doctor::facts::{End, Facts, Greeting, Node, Offered, Tls};

/// What OpenSSL at its level 2, and others, ask of finite-field Diffie-Hellman.
const DH_BITS_MIN: usize = 2048;

pub(super) fn finding(facts: &Facts, node: &Node, tls: &Tls) -> Option<Finding> {
    if tls.speaks_ldap == Some(true) {
        return Some(speaks_ldap(facts));
    }
    if tls.speaks_tls == Some(true) {
        let (name, port) = (&facts.name, facts.port);
        return Some(
            one("SCHEME-MIX", format!("port {port} speaks TLS from the first byte on"))
                .seen("StartTLS was not answered, and a greeting of TLS was")
                .fix(format!("use ldaps://{name}:{port}")),
        );
    }
    match &tls.end {
        End::Done => None,
        End::NotTls | End::NoStartTls { .. } => Some(not_here(facts, node, &tls.end)),
        End::TimedOut => Some(silent(node, tls)),
        End::Closed | End::Reset | End::Alert { .. } if tls.asked_for_certificate => {
            Some(client_certificate(tls))
        }
        End::Alert { alert } if alert == "UnrecognizedName" || alert == "UnrecognisedName" => {
            Some(name_refused(facts))
        }
        End::Closed | End::Reset | End::Alert { .. } => {
            Some(versions(node).unwrap_or_else(|| hung_up(node, tls)))
        }
        End::Other { error } => Some(versions(node).unwrap_or_else(|| {
            one("TLS-FAILED", format!("the handshake failed: {error}"))
                .fix("see the server's log for this moment")
        })),
    }
}

/// What stands, and will not for everybody.
pub(super) fn warnings(node: &Node) -> Vec<Finding> {
    let is_done = |offered| greeting(node, offered).is_some_and(|one| one.end == End::Done);
    let mut found = Vec::new();
    let is_well = node.tls.as_ref().is_some_and(|tls| tls.end == End::Done);
    if is_well && is_done(Offered::Tls13) && !is_done(Offered::Tls13Large) {
        let ended = greeting(node, Offered::Tls13Large).map(|one| format!("{:?}", one.end));
        found.push(
            one("MTU", "a greeting that is longer than one packet is not answered".to_owned())
                .seen("clients with post-quantum keys send such: OpenSSL 3.5, Go 1.24, browsers")
                .seen(format!("it ended: {}", ended.unwrap_or_default()))
                .fix("upgrade the middlebox before the server: it reads a greeting in one packet")
                .warning(),
        );
    }
    found
}

fn one(code: &'static str, cause: String) -> Finding {
    Finding::new(code, Layer::Tls, cause)
}

fn greeting(node: &Node, offered: Offered) -> Option<&Greeting> {
    node.greetings.iter().find(|one| one.offered == offered)
}

fn speaks_ldap(facts: &Facts) -> Finding {
    let (name, port) = (&facts.name, facts.port);
    one("SCHEME-MIX", format!("port {port} speaks LDAP in the clear, not LDAPS"))
        .seen("an LDAP request without TLS was answered")
        .fix(format!("use ldaps://{name} (port 636), or StartTLS: ldap://{name}:{port}"))
}

fn not_here(facts: &Facts, node: &Node, end: &End) -> Finding {
    let (name, port) = (&facts.name, facts.port);
    match end {
        End::NoStartTls { why } => {
            one("SCHEME-MIX", "the server does not take StartTLS".to_owned())
                .seen(why.clone())
                .fix(format!("use ldaps://{name}, or give the server a certificate"))
        }
        _ => {
            let said = node.greetings.iter().find_map(|one| one.text.as_ref());
            let found =
                one("SCHEME-MIX", format!("what listens on port {port} does not speak TLS"));
            let found = match said {
                Some(said) => found.seen(format!("it says: {said}")),
                None => found,
            };
            found.fix(format!("use the port of LDAPS: ldaps://{name}"))
        }
    }
}

/// Large packets get lost, or somebody is stuck.
fn silent(node: &Node, tls: &Tls) -> Finding {
    let late = format!("{} ms without an answer", tls.ms);
    let lower = "let the network's MTU be found: allow ICMP \"fragmentation needed\", or lower the \
                 MTU or MSS (iptables TCPMSS --clamp-mss-to-pmtu) on the way";
    if node.in_small_packets.as_ref().is_some_and(|end| *end != End::TimedOut) {
        return one("MTU", "large packets are lost on the way".to_owned())
            .seen(late)
            .seen("the same handshake in packets of 536 bytes was answered")
            .fix(lower);
    }
    let answers = node.greetings.iter().any(|one| one.end != End::TimedOut);
    let greetings = match answers {
        true => "greetings of one message were answered; the rest of the handshake was not",
        false => "nor were greetings of any version, nor one in small packets",
    };
    one("TLS-FAILED", "the handshake was begun and not answered in time".to_owned())
        .likely()
        .seen(late)
        .seen(greetings)
        .fix(
            "the server is stuck or overloaded, or a middlebox holds the bytes: restart it, and \
              try from the server itself, with --timeout 30",
        )
}

pub(super) fn client_certificate(tls: &Tls) -> Finding {
    let found = one("MTLS", "it goes away because no client certificate was shown".to_owned())
        .seen("it asked for a certificate in the handshake");
    let found = match tls.takes.len() {
        0 => found,
        count => {
            let some: Vec<&str> = tls.takes.iter().take(3).map(String::as_str).collect();
            found.seen(format!("it takes those of {count} CAs: {}", some.join("; ")))
        }
    };
    found
        .fix("give the application a client certificate of a CA that the server trusts")
        .fix("or let the server not demand one: TLSVerifyClient never (OpenLDAP)")
}

fn name_refused(facts: &Facts) -> Finding {
    one("SNI", format!("the server does not serve the name {}", facts.name))
        .seen("alert UnrecognisedName: the name in the handshake (SNI) is refused")
        .fix("use a name that it serves, or add this one where TLS ends")
}

/// The newest version that it took, where that is not ours.
fn versions(node: &Node) -> Option<Finding> {
    let done = |offered| greeting(node, offered).filter(|one| one.end == End::Done);
    if done(Offered::Tls12).is_some() || done(Offered::Tls13).is_some() {
        return None;
    }
    if let Some(old) = done(Offered::Tls12Old) {
        let suite = old.suite.clone().unwrap_or_default();
        if let Some(bits) = old.dh_bits.filter(|bits| *bits < DH_BITS_MIN) {
            return Some(
                one("WEAK-CRYPTO", format!("keys are agreed on with {bits} bits only (DHE)"))
                    .seen(format!("its suites all need it: {suite}"))
                    .fix("let the server offer ECDHE suites, or parameters of 2048 bits and more"),
            );
        }
        return Some(
            one("TLS-VERSION", "no suite is common to both".to_owned())
                .seen(format!("in TLS 1.2 it takes only {suite}, which clients have put away"))
                .fix("enable at the server ECDHE suites with AES-GCM"),
        );
    }
    let old = [(Offered::Tls11, "TLS 1.1"), (Offered::Tls10, "TLS 1.0")];
    let (_, version) = old.into_iter().find(|(offered, _)| done(*offered).is_some())?;
    Some(
        one("TLS-VERSION", format!("it speaks nothing newer than {version}"))
            .seen("TLS 1.2 and 1.3 were offered one by one, and refused")
            .fix("enable TLS 1.2 at the server"),
    )
}

fn hung_up(node: &Node, tls: &Tls) -> Finding {
    // Something was answered before: it is no server without a certificate.
    if !tls.chain.is_empty() {
        return one("TLS-FAILED", "the server broke the handshake".to_owned())
            .seen(format!("ended: {:?}", tls.end))
            .fix("see the server's log for this moment");
    }
    if let End::Alert { alert } = &tls.end {
        // GnuTLS and NSS without a key that fits say it by alerts, to all versions alike.
        let is_version = alert == "ProtocolVersion" || alert == "InsufficientSecurity";
        if is_version || alert == "HandshakeFailure" {
            return one("TLS-VERSION", "no TLS version or suite is common to both".to_owned())
                .seen(format!("alert {alert}; TLS 1.0 to 1.3 were offered"))
                .fix("enable TLS 1.2 at the server, with an ECDHE suite and AES-GCM")
                .fix("or its certificate has a key that no suite goes with: see its log");
        }
        return one("TLS-FAILED", format!("the server ended the handshake: {alert}"))
            .seen(format!("alert {alert}"))
            .fix("see the server's log for this moment");
    }
    let runs = node.clear().and_then(|clear| clear.root.as_ref());
    let is_all = node.greetings.iter().all(|one| matches!(one.end, End::Closed | End::Reset));
    let found =
        one("NO-LDAPS-CERT", "it accepts, and hangs up on the first bytes of TLS".to_owned())
            .seen(format!("ended: {:?}", tls.end).to_lowercase());
    let found = match runs {
        Some(root) if root.is_active_directory() => {
            found.seen("port 389 answers as a domain controller: only its certificate is missing")
        }
        Some(_) => found.seen("port 389 answers as a directory: only TLS is not set up"),
        None => found.likely(),
    };
    let found = if is_all { found.seen("so it does for TLS 1.0, 1.1, 1.2 and 1.3") } else { found };
    found.fix(
        "give the server a certificate with its name, serverAuth and its key; on a domain \
         controller in its Personal store, then renewServerCertificate",
    )
}
