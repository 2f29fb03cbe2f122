//! Everything a server sends, written straight into an output buffer; and, for clients, the same
//! decoded in place.

use crate::ber::tag::{INTEGER, OCTET_STRING, SEQUENCE, SET};
use crate::ber::{
    begin, length_of_integer, length_of_tlv, write_enumerated, write_header, write_integer,
    write_octets,
};
use crate::message::encode::{length_of_controls, write_controls};
use crate::message::{Control, MessageId, tag};
use crate::oid;
use crate::result::ResultCode;

mod attributes;
mod decode;

pub use attributes::{Attributes, PartialAttribute, Values};
pub(crate) use decode::search_result_entry;
pub use decode::{
    BindResponse, ExtendedResponse, IntermediateResponse, Outcome, Response, ResponseMessage,
    SearchResultEntry,
};

/// A control that goes with a response; the same as one that came with a request.
pub type ResponseControl<'a> = Control<'a>;

/// The responses that end an operation, all of them an `LDAPResult` under their own tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseOperation {
    Bind,
    SearchDone,
    Modify,
    Add,
    Delete,
    ModifyDn,
    Compare,
    Extended,
}

impl ResponseOperation {
    pub fn tag(self) -> u8 {
        match self {
            ResponseOperation::Bind => tag::BIND_RESPONSE,
            ResponseOperation::SearchDone => tag::SEARCH_RESULT_DONE,
            ResponseOperation::Modify => tag::MODIFY_RESPONSE,
            ResponseOperation::Add => tag::ADD_RESPONSE,
            ResponseOperation::Delete => tag::DELETE_RESPONSE,
            ResponseOperation::ModifyDn => tag::MODIFY_DN_RESPONSE,
            ResponseOperation::Compare => tag::COMPARE_RESPONSE,
            ResponseOperation::Extended => tag::EXTENDED_RESPONSE,
        }
    }

    /// What answers the request with this tag; none where it is unbind, abandon or no request.
    pub fn answering(request: u8) -> Option<ResponseOperation> {
        Some(match request {
            tag::BIND_REQUEST => ResponseOperation::Bind,
            tag::SEARCH_REQUEST => ResponseOperation::SearchDone,
            tag::MODIFY_REQUEST => ResponseOperation::Modify,
            tag::ADD_REQUEST => ResponseOperation::Add,
            tag::DELETE_REQUEST => ResponseOperation::Delete,
            tag::MODIFY_DN_REQUEST => ResponseOperation::ModifyDn,
            tag::COMPARE_REQUEST => ResponseOperation::Compare,
            tag::EXTENDED_REQUEST => ResponseOperation::Extended,
            _ => return None,
        })
    }
}

/// ```text
/// LDAPResult ::= SEQUENCE {
///      resultCode         ENUMERATED { ... },
///      matchedDN          LDAPDN,
///      diagnosticMessage  LDAPString,
///      referral           [3] Referral OPTIONAL }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LdapResult<'a> {
    pub code: ResultCode,
    pub matched: &'a str,
    pub message: &'a str,
    /// Left out when empty.
    pub referrals: &'a [&'a str],
}

impl<'a> LdapResult<'a> {
    pub const SUCCESS: LdapResult<'static> = LdapResult::new(ResultCode::SUCCESS, "");

    /// A result without a matched name or referrals.
    pub const fn new(code: ResultCode, message: &'a str) -> LdapResult<'a> {
        LdapResult { code, matched: "", message, referrals: &[] }
    }
}

/// The response that ends an operation, without the parts only bind and extended responses have.
pub fn write_result(
    out: &mut Vec<u8>,
    id: MessageId,
    operation: ResponseOperation,
    result: &LdapResult<'_>,
    controls: &[ResponseControl<'_>],
) {
    write_message(out, id, operation.tag(), controls, |out| write_result_fields(out, result));
}

/// ```text
/// BindResponse ::= [APPLICATION 1] SEQUENCE {
///      COMPONENTS OF LDAPResult,
///      serverSaslCreds    [7] OCTET STRING OPTIONAL }
/// ```
pub fn write_bind_result(
    out: &mut Vec<u8>,
    id: MessageId,
    result: &LdapResult<'_>,
    server_sasl_credentials: Option<&[u8]>,
    controls: &[ResponseControl<'_>],
) {
    write_message(out, id, tag::BIND_RESPONSE, controls, |out| {
        write_result_fields(out, result);
        write_optional(out, tag::SERVER_SASL_CREDENTIALS, server_sasl_credentials);
    });
}

/// ```text
/// ExtendedResponse ::= [APPLICATION 24] SEQUENCE {
///      COMPONENTS OF LDAPResult,
///      responseName     [10] LDAPOID OPTIONAL,
///      responseValue    [11] OCTET STRING OPTIONAL }
/// ```
pub fn write_extended(
    out: &mut Vec<u8>,
    id: MessageId,
    result: &LdapResult<'_>,
    name: Option<&str>,
    value: Option<&[u8]>,
    controls: &[ResponseControl<'_>],
) {
    write_message(out, id, tag::EXTENDED_RESPONSE, controls, |out| {
        write_result_fields(out, result);
        write_optional(out, tag::RESPONSE_NAME, name.map(str::as_bytes));
        write_optional(out, tag::RESPONSE_VALUE, value);
    });
}

/// ```text
/// IntermediateResponse ::= [APPLICATION 25] SEQUENCE {
///      responseName     [0] LDAPOID OPTIONAL,
///      responseValue    [1] OCTET STRING OPTIONAL }
/// ```
pub fn write_intermediate(
    out: &mut Vec<u8>,
    id: MessageId,
    name: Option<&str>,
    value: Option<&[u8]>,
    controls: &[ResponseControl<'_>],
) {
    write_message(out, id, tag::INTERMEDIATE_RESPONSE, controls, |out| {
        write_optional(out, tag::INTERMEDIATE_NAME, name.map(str::as_bytes));
        write_optional(out, tag::INTERMEDIATE_VALUE, value);
    });
}

/// RFC 4511 §4.4.1: the last thing said on a session, under message id 0.
pub fn write_notice_of_disconnection(out: &mut Vec<u8>, code: ResultCode, message: &str) {
    let result = LdapResult::new(code, message);
    let name = Some(oid::extended::NOTICE_OF_DISCONNECTION);
    write_extended(out, MessageId(0), &result, name, None, &[]);
}

/// `SearchResultReference ::= [APPLICATION 19] SEQUENCE SIZE (1..MAX) OF uri URI`.
pub fn write_reference(
    out: &mut Vec<u8>,
    id: MessageId,
    uris: &[&str],
    controls: &[ResponseControl<'_>],
) {
    write_message(out, id, tag::SEARCH_RESULT_REFERENCE, controls, |out| {
        for uri in uris {
            write_octets(out, OCTET_STRING, uri.as_bytes());
        }
    });
}

/// ```text
/// SearchResultEntry ::= [APPLICATION 4] SEQUENCE {
///      objectName      LDAPDN,
///      attributes      PartialAttributeList }
/// PartialAttributeList ::= SEQUENCE OF partialAttribute PartialAttribute
/// ```
/// `attributes` are slices that hold whole `PartialAttribute` elements, any number in each, as
/// [`write_attribute`] makes them. They are copied once; every length is known beforehand.
pub fn write_entry(
    out: &mut Vec<u8>,
    id: MessageId,
    dn: &[u8],
    attributes: &[&[u8]],
    controls: &[ResponseControl<'_>],
) {
    let list = attributes.iter().map(|slice| slice.len()).sum();
    let entry = length_of_tlv(dn.len()) + length_of_tlv(list);
    let message =
        length_of_integer(i64::from(id.0)) + length_of_tlv(entry) + length_of_controls(controls);
    out.reserve(length_of_tlv(message));
    write_header(out, SEQUENCE, message);
    write_integer(out, INTEGER, i64::from(id.0));
    write_entry_operation(out, dn, attributes);
    write_controls(controls, out);
}

/// The `SearchResultEntry` alone, as it is also the value of read-entry controls (RFC 4527).
pub(crate) fn write_entry_operation(out: &mut Vec<u8>, dn: &[u8], attributes: &[&[u8]]) {
    let list = attributes.iter().map(|slice| slice.len()).sum();
    write_header(out, tag::SEARCH_RESULT_ENTRY, length_of_tlv(dn.len()) + length_of_tlv(list));
    write_octets(out, OCTET_STRING, dn);
    write_header(out, SEQUENCE, list);
    for slice in attributes {
        out.extend_from_slice(slice);
    }
}

/// ```text
/// PartialAttribute ::= SEQUENCE {
///      type       AttributeDescription,
///      vals       SET OF value AttributeValue }
/// ```
/// Goes through `values` twice: for the length and for the bytes.
pub fn write_attribute<'v, I>(out: &mut Vec<u8>, description: &[u8], values: I)
where
    I: IntoIterator<Item = &'v [u8]> + Clone,
{
    let set = values.clone().into_iter().map(|value| length_of_tlv(value.len())).sum();
    write_attribute_header(out, description, set);
    for value in values {
        write_octets(out, OCTET_STRING, value);
    }
}

/// What of a `PartialAttribute` stands in front of its values, which take `values_length` octets as
/// OCTET STRING elements.
pub fn write_attribute_header(out: &mut Vec<u8>, description: &[u8], values_length: usize) {
    write_header(out, SEQUENCE, length_of_tlv(description.len()) + length_of_tlv(values_length));
    write_octets(out, OCTET_STRING, description);
    write_header(out, SET, values_length);
}

/// The envelope around what `content` writes.
fn write_message(
    out: &mut Vec<u8>,
    id: MessageId,
    operation: u8,
    controls: &[ResponseControl<'_>],
    content: impl FnOnce(&mut Vec<u8>),
) {
    let envelope = begin(out, SEQUENCE);
    write_integer(out, INTEGER, i64::from(id.0));
    let nested = begin(out, operation);
    content(out);
    nested.end(out);
    write_controls(controls, out);
    envelope.end(out);
}

fn write_result_fields(out: &mut Vec<u8>, result: &LdapResult<'_>) {
    write_enumerated(out, result.code.0);
    write_octets(out, OCTET_STRING, result.matched.as_bytes());
    write_octets(out, OCTET_STRING, result.message.as_bytes());
    if !result.referrals.is_empty() {
        let referral = begin(out, tag::REFERRAL);
        for uri in result.referrals {
            write_octets(out, OCTET_STRING, uri.as_bytes());
        }
        referral.end(out);
    }
}

fn write_optional(out: &mut Vec<u8>, tag: u8, content: Option<&[u8]>) {
    if let Some(content) = content {
        write_octets(out, tag, content);
    }
}

#[cfg(test)]
mod tests;
