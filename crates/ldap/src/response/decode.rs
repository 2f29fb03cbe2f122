//! Responses from bytes, for clients. Peers are of many makes, so more is tolerated than a server
//! tolerates: any attribute description that is UTF-8 (`member;range=0-1499`), diagnostic messages
//! in other encodings, and a known quirk of Active Directory.

use std::borrow::Cow;
use std::fmt;

use super::{Attributes, ResponseControl, ResponseOperation};
use crate::ber::tag::{ENUMERATED, OCTET_STRING, SEQUENCE};
use crate::ber::{DecodeError, DecodeErrorKind, Reader};
use crate::message::decode::{controls, message_id};
use crate::message::{DecodeLimits, MessageId, tag};
use crate::result::ResultCode;

type Decoded<T> = Result<T, DecodeError>;

/// An `LDAPMessage` from a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseMessage<'a> {
    /// 0 is an unsolicited notification.
    pub id: MessageId,
    pub response: Response<'a>,
    pub controls: Vec<ResponseControl<'a>>,
}

/// Everything a server may send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response<'a> {
    Bind(BindResponse<'a>),
    SearchEntry(SearchResultEntry<'a>),
    SearchReference(Vec<&'a str>),
    SearchDone(Outcome<'a>),
    Modify(Outcome<'a>),
    Add(Outcome<'a>),
    Delete(Outcome<'a>),
    ModifyDn(Outcome<'a>),
    Compare(Outcome<'a>),
    Extended(ExtendedResponse<'a>),
    Intermediate(IntermediateResponse<'a>),
}

/// An `LDAPResult` as it was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome<'a> {
    pub code: ResultCode,
    pub matched: &'a str,
    /// Owned only where it had to be made UTF-8.
    pub message: Cow<'a, str>,
    pub referrals: Vec<&'a str>,
}

/// Its `Debug` never prints credentials.
#[derive(Clone, PartialEq, Eq)]
pub struct BindResponse<'a> {
    pub outcome: Outcome<'a>,
    pub server_sasl_credentials: Option<&'a [u8]>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchResultEntry<'a> {
    pub dn: &'a str,
    pub attributes: Attributes<'a>,
}

/// Its `Debug` never prints the value, which may hold a generated password (RFC 3062).
#[derive(Clone, PartialEq, Eq)]
pub struct ExtendedResponse<'a> {
    pub outcome: Outcome<'a>,
    pub name: Option<&'a str>,
    pub value: Option<&'a [u8]>,
}

#[derive(Clone, PartialEq, Eq)]
pub struct IntermediateResponse<'a> {
    pub name: Option<&'a str>,
    pub value: Option<&'a [u8]>,
}

impl fmt::Debug for BindResponse<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "BindResponse({:?})", self.outcome)
    }
}

impl fmt::Debug for ExtendedResponse<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "ExtendedResponse({:?}, {:?})", self.outcome, self.name)
    }
}

impl fmt::Debug for IntermediateResponse<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "IntermediateResponse({:?})", self.name)
    }
}

impl<'a> ResponseMessage<'a> {
    /// Decodes one whole message, as [`crate::ber::frame`] delimits it.
    pub fn decode(bytes: &'a [u8]) -> Decoded<ResponseMessage<'a>> {
        let mut outer = Reader::new(bytes);
        let mut envelope = outer.nested(SEQUENCE)?;
        outer.finish()?;
        let id = message_id(&mut envelope)?;
        if envelope.is_empty() {
            return Err(envelope.error(DecodeErrorKind::Missing("the protocol operation")));
        }
        let at = envelope.offset();
        let (tag, content) = envelope.element()?;
        let mut response = response(tag, content, at)?;
        name_outside(&mut response, &mut envelope)?;
        let controls = controls(&mut envelope, DecodeLimits::default().controls_max)?;
        envelope.ignore_rest()?;
        Ok(ResponseMessage { id, response, controls })
    }
}

/// Active Directory's notice of disconnection has its responseName after the response instead of
/// inside it.
fn name_outside<'a>(response: &mut Response<'a>, envelope: &mut Reader<'a>) -> Decoded<()> {
    if let Response::Extended(extended) = response
        && extended.name.is_none()
        && let Some(name) = envelope.optional(tag::RESPONSE_NAME)?
    {
        extended.name = Some(name.into_text()?);
    }
    Ok(())
}

fn response(tag: u8, mut content: Reader<'_>, at: usize) -> Decoded<Response<'_>> {
    let reader = &mut content;
    let response = match tag {
        tag::SEARCH_RESULT_ENTRY => Response::SearchEntry(entry(reader)?),
        tag::SEARCH_RESULT_DONE => Response::SearchDone(outcome(reader)?),
        tag::SEARCH_RESULT_REFERENCE => Response::SearchReference(uris(reader)?),
        tag::BIND_RESPONSE => Response::Bind(bind(reader)?),
        tag::MODIFY_RESPONSE => Response::Modify(outcome(reader)?),
        tag::ADD_RESPONSE => Response::Add(outcome(reader)?),
        tag::DELETE_RESPONSE => Response::Delete(outcome(reader)?),
        tag::MODIFY_DN_RESPONSE => Response::ModifyDn(outcome(reader)?),
        tag::COMPARE_RESPONSE => Response::Compare(outcome(reader)?),
        tag::EXTENDED_RESPONSE => Response::Extended(extended(reader)?),
        tag::INTERMEDIATE_RESPONSE => Response::Intermediate(intermediate(reader)?),
        _ => return Err(DecodeErrorKind::UnknownChoice("the response operations").at(at)),
    };
    content.ignore_rest()?;
    Ok(response)
}

/// The ASN.1 of `LDAPResult` is at [`super::LdapResult`].
fn outcome<'a>(reader: &mut Reader<'a>) -> Decoded<Outcome<'a>> {
    let code = ResultCode(reader.unsigned(ENUMERATED, u32::MAX)?);
    let matched = reader.text(OCTET_STRING)?;
    let message = String::from_utf8_lossy(reader.octets(OCTET_STRING)?);
    let referrals = match reader.optional(tag::REFERRAL)? {
        Some(mut list) => uris(&mut list)?,
        None => Vec::new(),
    };
    Ok(Outcome { code, matched, message, referrals })
}

/// `Referral ::= SEQUENCE SIZE (1..MAX) OF uri URI`.
fn uris<'a>(list: &mut Reader<'a>) -> Decoded<Vec<&'a str>> {
    let mut uris = Vec::with_capacity(list.count(URIS_MAX, "referrals")?);
    while !list.is_empty() {
        uris.push(list.text(OCTET_STRING)?);
    }
    Ok(uris)
}

/// No sane referral names more servers than this.
const URIS_MAX: usize = 1024;

fn bind<'a>(reader: &mut Reader<'a>) -> Decoded<BindResponse<'a>> {
    let outcome = outcome(reader)?;
    let server_sasl_credentials =
        reader.optional(tag::SERVER_SASL_CREDENTIALS)?.map(|value| value.rest());
    Ok(BindResponse { outcome, server_sasl_credentials })
}

fn entry<'a>(reader: &mut Reader<'a>) -> Decoded<SearchResultEntry<'a>> {
    let dn = reader.text(OCTET_STRING)?;
    let attributes = Attributes::checked_reader(reader.nested(SEQUENCE)?)?;
    Ok(SearchResultEntry { dn, attributes })
}

/// A `SearchResultEntry` outside of a message: the value of read-entry controls (RFC 4527).
pub(crate) fn search_result_entry(bytes: &[u8]) -> Decoded<SearchResultEntry<'_>> {
    let mut outer = Reader::new(bytes);
    let mut reader = outer.nested(tag::SEARCH_RESULT_ENTRY)?;
    outer.finish()?;
    let found = entry(&mut reader)?;
    reader.ignore_rest()?;
    Ok(found)
}

fn extended<'a>(reader: &mut Reader<'a>) -> Decoded<ExtendedResponse<'a>> {
    let outcome = outcome(reader)?;
    let name = reader.optional(tag::RESPONSE_NAME)?.map(Reader::into_text).transpose()?;
    let value = reader.optional(tag::RESPONSE_VALUE)?.map(|value| value.rest());
    Ok(ExtendedResponse { outcome, name, value })
}

fn intermediate<'a>(reader: &mut Reader<'a>) -> Decoded<IntermediateResponse<'a>> {
    let name = reader.optional(tag::INTERMEDIATE_NAME)?.map(Reader::into_text).transpose()?;
    let value = reader.optional(tag::INTERMEDIATE_VALUE)?.map(|value| value.rest());
    Ok(IntermediateResponse { name, value })
}

impl<'a> Response<'a> {
    /// The result, for every response that ends an operation.
    pub fn outcome(&self) -> Option<&Outcome<'a>> {
        match self {
            Response::Bind(bind) => Some(&bind.outcome),
            Response::Extended(extended) => Some(&extended.outcome),
            Response::SearchDone(outcome)
            | Response::Modify(outcome)
            | Response::Add(outcome)
            | Response::Delete(outcome)
            | Response::ModifyDn(outcome)
            | Response::Compare(outcome) => Some(outcome),
            Response::SearchEntry(_) | Response::SearchReference(_) | Response::Intermediate(_) => {
                None
            }
        }
    }

    /// Which operation this response ends, if it ends one.
    pub fn operation(&self) -> Option<ResponseOperation> {
        Some(match self {
            Response::Bind(_) => ResponseOperation::Bind,
            Response::SearchDone(_) => ResponseOperation::SearchDone,
            Response::Modify(_) => ResponseOperation::Modify,
            Response::Add(_) => ResponseOperation::Add,
            Response::Delete(_) => ResponseOperation::Delete,
            Response::ModifyDn(_) => ResponseOperation::ModifyDn,
            Response::Compare(_) => ResponseOperation::Compare,
            Response::Extended(_) => ResponseOperation::Extended,
            Response::SearchEntry(_) | Response::SearchReference(_) | Response::Intermediate(_) => {
                return None;
            }
        })
    }
}
