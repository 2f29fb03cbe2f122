//! Why something did not work, in words that name the layer it failed at.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ldap::ber::DecodeError;
use ldap::filter::FilterSyntaxError;

use crate::entry::Answer;
use crate::session::ScramError;

#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    #[error("{name} has no address: {why}")]
    Unresolved { name: String, why: Arc<io::Error> },
    #[error("cannot connect to {address}: {why}")]
    Dial { address: SocketAddr, why: Arc<io::Error> },
    #[error("{address} did not answer within {after:?}")]
    DialTimedOut { address: SocketAddr, after: Duration },
    /// Nothing was sent that must not be seen.
    #[error("the TLS handshake with {name} at {address} failed: {why}")]
    Handshake { name: String, address: SocketAddr, why: Arc<io::Error> },
    #[error("the TLS handshake with {name} at {address} was not done within {after:?}")]
    HandshakeTimedOut { name: String, address: SocketAddr, after: Duration },
    #[error("{address} does not offer StartTLS: {why}")]
    NoStartTls { address: SocketAddr, why: String },
    /// A correct "no" of the server.
    #[error("{operation}: {answer}")]
    Refused { operation: &'static str, answer: Box<Answer> },
    #[error("{operation} was not answered within {after:?}")]
    TimedOut { operation: &'static str, after: Duration },
    #[error("the connection ended: {0}")]
    Ended(Arc<Ended>),
    #[error("the server sent what is no answer: {0}")]
    Malformed(DecodeError),
    #[error("{operation} was answered by something else")]
    Unexpected { operation: &'static str },
    #[error("'{filter}' is no search filter: {why}")]
    Filter { filter: String, why: FilterSyntaxError },
    #[error("{attribute} of {dn} came in ranges that do not fit together: {why}")]
    Ranges { dn: String, attribute: String, why: String },
    #[error("more than {most} bytes came while the values of one entry were read: ask in pages")]
    Overrun { most: usize },
    #[error("more than {most} entries were found")]
    TooMany { most: usize },
    #[error("all {most} sessions of the pool are lent, and none came back within {after:?}")]
    AllLent { most: usize, after: Duration },
    #[error("no server can be used: {}", listed(.0))]
    NoServer(Vec<Error>),
    #[error("a bind with an empty password is anonymous (RFC 4513 5.1.2): give a password")]
    EmptyPassword,
    #[error("SCRAM: {0}")]
    Scram(#[from] ScramError),
    #[error("no CA is trusted: {0}")]
    NoTrust(String),
    #[error("the client certificate cannot be used: {0}")]
    Identity(String),
}

fn listed(errors: &[Error]) -> String {
    if errors.is_empty() {
        return "none is known".to_owned();
    }
    errors.iter().map(Error::to_string).collect::<Vec<_>>().join("; ")
}

/// How a connection ended.
#[derive(Debug)]
pub enum Ended {
    /// It was said why.
    Notice(Answer),
    /// The peer closed it.
    Closed,
    /// A reset, a TLS alert, a network that went away.
    Broken(io::Error),
    Malformed(DecodeError),
    TooLarge {
        max: usize,
    },
    /// This side has closed it.
    Here,
}

impl fmt::Display for Ended {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ended::Notice(answer) => write!(out, "the server says {answer}"),
            Ended::Closed => out.write_str("the server closed it"),
            Ended::Broken(error) => write!(out, "{error}"),
            Ended::Malformed(error) => write!(out, "the server sent no LDAP: {error}"),
            Ended::TooLarge { max } => write!(out, "a message is larger than {max} bytes"),
            Ended::Here => out.write_str("it was closed on this side"),
        }
    }
}
