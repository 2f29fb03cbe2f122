//! Who the other side proved to be during the handshake.

use rustls::CommonState;

/// The subject of the client's certificate as RFC 4514 text, leaf first: what SASL EXTERNAL
/// (RFC 4513 §5.2.3) maps to an entry. `None` without a client certificate, or before the
/// handshake is done. rustls keeps only certificates that the verifier accepted.
#[must_use]
pub fn client_subject(connection: &CommonState) -> Option<String> {
    if connection.is_handshaking() {
        return None;
    }
    let leaf = connection.peer_certificates()?.first()?;
    let subject = pki::Summary::parse(leaf).ok()?.subject;
    // An empty name is no identity.
    Some(subject).filter(|subject| !subject.is_empty())
}
