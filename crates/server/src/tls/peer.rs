//! Who the other side proved to be during the handshake.

use pki::Summary;
use rustls::CommonState;

/// What the client's certificate says: SASL EXTERNAL (RFC 4513 §5.2.3) maps it to an entry. `None`
/// without a client certificate, or before the handshake is done. rustls keeps only certificates
/// that the verifier accepted.
#[must_use]
pub fn client_certificate(connection: &CommonState) -> Option<Summary> {
    if connection.is_handshaking() {
        return None;
    }
    let leaf = connection.peer_certificates()?.first()?;
    Summary::parse(leaf).ok()
}
