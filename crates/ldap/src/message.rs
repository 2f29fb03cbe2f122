//! `LDAPMessage` and the requests inside it, decoded in place: everything borrows the read buffer.

use std::fmt;

use crate::ber::{DecodeError, DecodeErrorKind};
use crate::filter::Filter;
use crate::response::ResponseOperation;
use crate::result::ResultCode;

pub(crate) mod decode;
pub(crate) mod encode;
pub mod tag;

pub use encode::encode_request;

/// `maxInt INTEGER ::= 2147483647 -- (2^^31 - 1)` (RFC 4511 §4.1.1).
pub const MAX_INT: u32 = 2_147_483_647;

/// RFC 4511 §4.1.1.1: 0 is the server's own (unsolicited notifications), a request has 1 or more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageId(pub u32);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    pub id: MessageId,
    pub request: Request<'a>,
    pub controls: Vec<Control<'a>>,
}

/// How much of anything one message may hold. Each is checked before memory is allocated for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeLimits {
    /// Filters inside filters, the outermost counted as 1. Default 64.
    pub filter_depth_max: usize,
    /// Filters and substring pieces in one filter, all levels together. Default 4096.
    pub filter_nodes_max: usize,
    /// Selectors in a search's attribute list. Default 4096.
    pub attributes_max: usize,
    /// Controls of one message. Default 64.
    pub controls_max: usize,
    /// Changes in one modify request. Default 50 000.
    pub modifications_max: usize,
    /// Attributes of one add request. Default 10 000.
    pub attributes_per_add_max: usize,
    /// Values in one add or modify request, all attributes together. Default 1 000 000.
    pub values_max: usize,
}

impl Default for DecodeLimits {
    fn default() -> DecodeLimits {
        DecodeLimits {
            filter_depth_max: 64,
            filter_nodes_max: 4096,
            attributes_max: 4096,
            controls_max: 64,
            modifications_max: 50_000,
            attributes_per_add_max: 10_000,
            values_max: 1_000_000,
        }
    }
}

/// Why a message could not be decoded, with as much of its envelope as could be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeFailure {
    pub error: DecodeError,
    pub id: Option<MessageId>,
    /// The tag of the protocol operation.
    pub operation: Option<u8>,
}

impl DecodeFailure {
    /// The response that tells the client, if the session may go on. RFC 4511 §4.1.1: a notice of
    /// disconnection and the end of the session where the envelope cannot be parsed, the operation
    /// is not a request, or the encoding itself is broken; an answer to the request otherwise.
    pub fn answer(&self) -> Option<(MessageId, ResponseOperation)> {
        if self.error.kind.is_structural() {
            return None;
        }
        Some((self.id?, ResponseOperation::answering(self.operation?)?))
    }

    /// The result code that fits.
    pub fn result_code(&self) -> ResultCode {
        match self.error.kind {
            DecodeErrorKind::UnknownAuthentication => ResultCode::AUTH_METHOD_NOT_SUPPORTED,
            DecodeErrorKind::TooMany(_) => ResultCode::ADMIN_LIMIT_EXCEEDED,
            _ => ResultCode::PROTOCOL_ERROR,
        }
    }
}

impl fmt::Display for DecodeFailure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(out)
    }
}

impl std::error::Error for DecodeFailure {}

impl From<DecodeFailure> for DecodeError {
    fn from(failure: DecodeFailure) -> DecodeError {
        failure.error
    }
}

/// RFC 4511 §4.1.11.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Control<'a> {
    pub oid: &'a str,
    pub critical: bool,
    pub value: Option<&'a [u8]>,
}

/// Everything a client may ask. The server's one `match` is over this.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request<'a> {
    Bind(BindRequest<'a>),
    Unbind,
    Search(SearchRequest<'a>),
    Modify(ModifyRequest<'a>),
    Add(AddRequest<'a>),
    Delete(DeleteRequest<'a>),
    ModifyDn(ModifyDnRequest<'a>),
    Compare(CompareRequest<'a>),
    Abandon(MessageId),
    Extended(ExtendedRequest<'a>),
}

impl Request<'_> {
    /// The kind of response that ends this request; none for unbind and abandon.
    pub fn response_operation(&self) -> Option<ResponseOperation> {
        Some(match self {
            Request::Bind(_) => ResponseOperation::Bind,
            Request::Search(_) => ResponseOperation::SearchDone,
            Request::Modify(_) => ResponseOperation::Modify,
            Request::Add(_) => ResponseOperation::Add,
            Request::Delete(_) => ResponseOperation::Delete,
            Request::ModifyDn(_) => ResponseOperation::ModifyDn,
            Request::Compare(_) => ResponseOperation::Compare,
            Request::Extended(_) => ResponseOperation::Extended,
            Request::Unbind | Request::Abandon(_) => return None,
        })
    }
}

#[derive(Clone, PartialEq, Eq)]
pub struct BindRequest<'a> {
    pub version: u8,
    pub name: &'a str,
    pub authentication: Authentication<'a>,
}

/// Its `Debug` never prints a secret.
#[derive(Clone, PartialEq, Eq)]
pub enum Authentication<'a> {
    Simple(&'a [u8]),
    Sasl { mechanism: &'a str, credentials: Option<&'a [u8]> },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    Base,
    OneLevel,
    Subtree,
    /// draft-sermersheim-ldap-subordinate-scope: everything below the base, without it.
    Subordinates,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DerefAliases {
    Never,
    InSearching,
    FindingBase,
    Always,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchRequest<'a> {
    pub base: &'a str,
    pub scope: Scope,
    pub deref: DerefAliases,
    /// 0 is "no limit asked for".
    pub size_limit: u32,
    pub time_limit_seconds: u32,
    pub types_only: bool,
    pub filter: Filter<'a>,
    pub attributes: Vec<&'a str>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModifyRequest<'a> {
    pub dn: &'a str,
    pub changes: Vec<Modification<'a>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModifyOperation {
    Add,
    Delete,
    Replace,
    /// RFC 4525.
    Increment,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Modification<'a> {
    pub operation: ModifyOperation,
    pub attribute: Attribute<'a>,
}

/// An attribute description with its values, also as `PartialAttribute` (values may be empty). Its
/// `Debug` prints how many there are: they may be passwords.
#[derive(Clone, PartialEq, Eq)]
pub struct Attribute<'a> {
    pub description: &'a str,
    pub values: Vec<&'a [u8]>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddRequest<'a> {
    pub dn: &'a str,
    pub attributes: Vec<Attribute<'a>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteRequest<'a> {
    pub dn: &'a str,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModifyDnRequest<'a> {
    pub dn: &'a str,
    pub new_rdn: &'a str,
    pub delete_old_rdn: bool,
    pub new_superior: Option<&'a str>,
}

/// Its `Debug` never prints the value, which may be a password.
#[derive(Clone, PartialEq, Eq)]
pub struct CompareRequest<'a> {
    pub dn: &'a str,
    pub attribute: &'a str,
    pub value: &'a [u8],
}

#[derive(Clone, PartialEq, Eq)]
pub struct ExtendedRequest<'a> {
    pub oid: &'a str,
    pub value: Option<&'a [u8]>,
}

impl fmt::Debug for BindRequest<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "BindRequest({:?}, {:?})", self.name, self.authentication)
    }
}

impl fmt::Debug for Authentication<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Authentication::Simple(_) => out.write_str("Simple(secret)"),
            Authentication::Sasl { mechanism, .. } => write!(out, "Sasl({mechanism:?}, secret)"),
        }
    }
}

impl fmt::Debug for Attribute<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Attribute({:?}, {} values)", self.description, self.values.len())
    }
}

impl fmt::Debug for CompareRequest<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "CompareRequest({:?}, {:?}, secret)", self.dn, self.attribute)
    }
}

/// Extended values may hold passwords (RFC 3062), so they are not printed either.
impl fmt::Debug for ExtendedRequest<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "ExtendedRequest({:?})", self.oid)
    }
}

#[cfg(test)]
pub(crate) mod tests;
