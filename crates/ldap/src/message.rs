//! `LDAPMessage` and the requests inside it, decoded in place: everything borrows the read buffer.

use std::fmt;

use crate::filter::Filter;

/// RFC 4511 §4.1.1.1: 0 is the server's own (unsolicited notifications), a request has 1 or more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageId(pub u32);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    pub id: MessageId,
    pub request: Request<'a>,
    pub controls: Vec<Control<'a>>,
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

/// An attribute description with its values, also as `PartialAttribute` (values may be empty).
#[derive(Clone, Debug, PartialEq, Eq)]
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

#[derive(Clone, Debug, PartialEq, Eq)]
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

/// Extended values may hold passwords (RFC 3062), so they are not printed either.
impl fmt::Debug for ExtendedRequest<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "ExtendedRequest({:?})", self.oid)
    }
}
