//! TLS as this server speaks it: 1.2 and 1.3, resumption, a certificate that can be replaced while
//! connections live, and client certificates for SASL EXTERNAL where a CA for them is configured.
//!
//! All calls into rustls that make a server are in this folder. [`files`] reads what an operator
//! put on disk and refuses keys that others can read.

mod files;
mod peer;
mod policy;
mod serving;
mod stream;

#[cfg(test)]
mod tests;

pub use files::{ChainAndKey, FileRefused, load, read_key_file};
pub use peer::client_certificate;
pub use policy::{PolicyRefused, TlsFloor, TlsPolicy};
pub use serving::{CertificateRefused, ClientCertificates, ListenerTls, ServingTls, TlsRefused};
pub(crate) use stream::{TlsStream, accept};
