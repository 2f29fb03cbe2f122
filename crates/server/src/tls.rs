//! Placeholder.

use rustls::ServerConnection;

/// The subject of the client's certificate.
pub fn client_subject(_connection: &ServerConnection) -> Option<String> {
    None
}
