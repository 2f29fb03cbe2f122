//! The two ways an operation can fail: a correct "no" for the client, and a fault of our own.

use ldap::result::ResultCode;

/// A correct "no": what the client is told. Its text says what was wrong and what would be right,
/// and never whether an entry exists that the client may not see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub code: ResultCode,
    /// The nearest existing entry above the name, where the client may see it (RFC 4511 §4.1.9).
    pub matched: String,
    pub message: String,
    /// Where to ask instead; only with `ResultCode::REFERRAL`.
    pub referrals: Vec<String>,
}

impl Refusal {
    pub fn new(code: ResultCode, message: impl Into<String>) -> Refusal {
        Refusal { code, matched: String::new(), message: message.into(), referrals: Vec::new() }
    }

    /// The same refusal, naming the nearest existing entry.
    pub fn with_matched(self, matched: impl Into<String>) -> Refusal {
        Refusal { matched: matched.into(), ..self }
    }
}

/// A fault of ours: the client gets `other` and an identifier, the log gets the whole chain.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("the store failed while {doing}: {source}")]
    Store { doing: &'static str, source: heed::Error },
    #[error("the stored data is damaged: {what}")]
    Damaged { what: String },
    #[error("no room on the disk for more data")]
    Full,
    #[error("a write could not be made durable, so no more writes are accepted until a restart")]
    Poisoned,
    #[error("{doing}: {source}")]
    Disk { doing: String, source: std::io::Error },
}

/// What an operation on the directory fails with.
#[derive(Debug)]
pub enum Error {
    Refused(Refusal),
    Fault(Fault),
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Error {
        Error::Refused(refusal)
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Error {
        Error::Fault(fault)
    }
}
