//! The only map from what the directory says to what the client is told.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use directory::{Error, Fault, Refusal};
use ldap::message::{Control, MessageId};
use ldap::response::{
    LdapResult, ResponseOperation, write_bind_result, write_extended, write_result,
};
use ldap::result::ResultCode;

/// Everything the response that ends an operation may hold.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: ResultCode,
    matched: String,
    pub(crate) message: String,
    /// What the audit is told in the place of the message.
    pub(crate) note: Option<&'static str>,
    referrals: Vec<String>,
    controls: Vec<(&'static str, Vec<u8>)>,
    /// Of an extended response; may hold a generated password.
    value: Option<Vec<u8>>,
    name: Option<&'static str>,
}

impl Answer {
    pub(crate) fn new(code: ResultCode, message: impl Into<String>) -> Answer {
        Refusal::new(code, message).into()
    }

    pub(crate) fn success() -> Answer {
        Answer::new(ResultCode::SUCCESS, "")
    }

    pub(crate) fn noted(self, note: Option<&'static str>) -> Answer {
        Answer { note, ..self }
    }

    pub(crate) fn with_control(mut self, oid: &'static str, value: Vec<u8>) -> Answer {
        self.controls.push((oid, value));
        self
    }

    pub(crate) fn with_value(self, value: Vec<u8>) -> Answer {
        Answer { value: Some(value), ..self }
    }

    pub(crate) fn with_name(self, name: &'static str) -> Answer {
        Answer { name: Some(name), ..self }
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>, id: MessageId, operation: ResponseOperation) {
        let referrals: Vec<&str> = self.referrals.iter().map(String::as_str).collect();
        let result = LdapResult {
            code: self.code,
            matched: &self.matched,
            message: &self.message,
            referrals: &referrals,
        };
        let controls: Vec<Control<'_>> = self
            .controls
            .iter()
            .map(|(oid, value)| Control { oid, critical: false, value: Some(value) })
            .collect();
        match operation {
            ResponseOperation::Bind => write_bind_result(out, id, &result, None, &controls),
            ResponseOperation::Extended => {
                write_extended(out, id, &result, self.name, self.value.as_deref(), &controls);
            }
            _ => write_result(out, id, operation, &result, &controls),
        }
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Answer {
        Answer {
            code: refusal.code,
            matched: refusal.matched,
            message: refusal.message,
            note: None,
            referrals: refusal.referrals,
            controls: Vec::new(),
            value: None,
            name: None,
        }
    }
}

impl From<Error> for Answer {
    fn from(error: Error) -> Answer {
        match error {
            Error::Refused(refusal) => refusal.into(),
            Error::Fault(fault) => told(&fault).into(),
        }
    }
}

/// The client learns an identifier and what it may do; the log learns the whole chain under it.
fn told(fault: &Fault) -> Refusal {
    let reference = new_reference();
    tracing::error!(reference, error = fault as &dyn std::error::Error, "a fault of the server");
    let (code, sentence) = match fault {
        Fault::Full => (ResultCode::UNAVAILABLE, "the disk is full, so no change is accepted"),
        Fault::Poisoned => {
            (ResultCode::UNAVAILABLE, "no change is accepted until the server is started again")
        }
        _ => (ResultCode::OTHER, "the server failed"),
    };
    Refusal::new(code, format!("{sentence}; the log tells more under {reference}"))
}

/// Unique in this run, and very likely between runs; tells nothing about the server.
fn new_reference() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{:06x}-{count:x}", since.as_secs() & 0xff_ffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_tells_a_reference_and_nothing_else() {
        let fault = Fault::Damaged { what: "page 7 of /var/lib/secret".into() };
        let answer = Answer::from(Error::Fault(fault));
        assert_eq!(answer.code, ResultCode::OTHER);
        assert!(answer.message.contains("under "), "{}", answer.message);
        assert!(!answer.message.contains("page 7"));
    }

    #[test]
    fn a_full_disk_is_unavailable_and_says_why() {
        let answer = Answer::from(Error::Fault(Fault::Full));
        assert_eq!(answer.code, ResultCode::UNAVAILABLE);
        assert!(answer.message.contains("disk is full"));
    }
}
