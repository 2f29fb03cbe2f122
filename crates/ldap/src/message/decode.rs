//! Requests from bytes. Above each decoder stands the ASN.1 of RFC 4511 that it obeys.

use super::{
    AddRequest, Attribute, Authentication, BindRequest, CompareRequest, Control, DecodeFailure,
    DecodeLimits, DeleteRequest, DerefAliases, ExtendedRequest, Message, MessageId, Modification,
    ModifyDnRequest, ModifyOperation, ModifyRequest, Request, Scope, SearchRequest, tag,
};
use crate::ber::tag::{BOOLEAN, ENUMERATED, INTEGER, OCTET_STRING, SEQUENCE, SET};
use crate::ber::{DecodeError, DecodeErrorKind, Reader};
use crate::filter::Filter;

type Decoded<T> = Result<T, DecodeError>;

impl<'a> Message<'a> {
    /// Decodes one whole message, as [`crate::ber::frame`] delimits it.
    pub fn decode(bytes: &'a [u8], limits: &DecodeLimits) -> Result<Message<'a>, DecodeFailure> {
        let (mut id, mut operation) = (None, None);
        message(bytes, limits, &mut id, &mut operation).map_err(|error| DecodeFailure {
            error,
            id,
            operation,
        })
    }
}

/// ```text
/// LDAPMessage ::= SEQUENCE {
///      messageID       MessageID,
///      protocolOp      CHOICE { ... },
///      controls       [0] Controls OPTIONAL }
/// ```
/// `id` and `operation` are set as soon as they are known, so that a failure can be answered.
fn message<'a>(
    bytes: &'a [u8],
    limits: &DecodeLimits,
    id: &mut Option<MessageId>,
    operation: &mut Option<u8>,
) -> Decoded<Message<'a>> {
    let mut outer = Reader::new(bytes);
    let mut envelope = outer.nested(SEQUENCE)?;
    outer.finish()?;
    let known_id = request_id(&mut envelope)?;
    *id = Some(known_id);
    if envelope.is_empty() {
        return Err(envelope.error(DecodeErrorKind::Missing("the protocol operation")));
    }
    let at = envelope.offset();
    let (tag, content) = envelope.element()?;
    *operation = Some(tag);
    let request = request(tag, content, at, limits)?;
    let controls = controls(&mut envelope, limits.controls_max)?;
    envelope.ignore_rest()?;
    Ok(Message { id: known_id, request, controls })
}

/// `MessageID ::= INTEGER (0 .. maxInt)`; RFC 4511 §4.1.1.1: a request's is not zero.
fn request_id(reader: &mut Reader<'_>) -> Decoded<MessageId> {
    let at = reader.offset();
    match message_id(reader)? {
        MessageId(0) => {
            Err(DecodeErrorKind::Invalid("the message id of a request must not be 0").at(at))
        }
        id => Ok(id),
    }
}

pub(crate) fn message_id(reader: &mut Reader<'_>) -> Decoded<MessageId> {
    reader.unsigned(INTEGER, super::MAX_INT).map(MessageId)
}

fn request<'a>(
    tag: u8,
    content: Reader<'a>,
    at: usize,
    limits: &DecodeLimits,
) -> Decoded<Request<'a>> {
    Ok(match tag {
        tag::SEARCH_REQUEST => Request::Search(search(content, limits)?),
        tag::BIND_REQUEST => Request::Bind(bind(content)?),
        tag::UNBIND_REQUEST => Request::Unbind,
        tag::MODIFY_REQUEST => Request::Modify(modify(content, limits)?),
        tag::ADD_REQUEST => Request::Add(add(content, limits)?),
        tag::DELETE_REQUEST => Request::Delete(DeleteRequest { dn: content.into_text()? }),
        tag::MODIFY_DN_REQUEST => Request::ModifyDn(modify_dn(content)?),
        tag::COMPARE_REQUEST => Request::Compare(compare(content)?),
        tag::ABANDON_REQUEST => Request::Abandon(abandon(content)?),
        tag::EXTENDED_REQUEST => Request::Extended(extended(content)?),
        _ => return Err(DecodeErrorKind::UnknownChoice("the request operations").at(at)),
    })
}

/// ```text
/// Controls ::= SEQUENCE OF control Control
/// ```
pub(crate) fn controls<'a>(envelope: &mut Reader<'a>, max: usize) -> Decoded<Vec<Control<'a>>> {
    let Some(mut list) = envelope.optional(tag::CONTROLS)? else { return Ok(Vec::new()) };
    let mut controls = Vec::with_capacity(list.count(max, "controls")?);
    while !list.is_empty() {
        controls.push(control(list.nested(SEQUENCE)?)?);
    }
    Ok(controls)
}

/// ```text
/// Control ::= SEQUENCE {
///      controlType             LDAPOID,
///      criticality             BOOLEAN DEFAULT FALSE,
///      controlValue            OCTET STRING OPTIONAL }
/// ```
fn control(mut reader: Reader<'_>) -> Decoded<Control<'_>> {
    let oid = numeric_oid(&mut reader, OCTET_STRING)?;
    let critical = reader.peek() == Some(BOOLEAN) && reader.boolean(BOOLEAN)?;
    let value = reader.optional(OCTET_STRING)?.map(|value| value.rest());
    reader.ignore_rest()?;
    Ok(Control { oid, critical, value })
}

/// ```text
/// BindRequest ::= [APPLICATION 0] SEQUENCE {
///      version                 INTEGER (1 ..  127),
///      name                    LDAPDN,
///      authentication          AuthenticationChoice }
/// ```
fn bind(mut reader: Reader<'_>) -> Decoded<BindRequest<'_>> {
    let at = reader.offset();
    let version = u8::try_from(reader.unsigned(INTEGER, 127)?).unwrap_or(0);
    if version == 0 {
        return Err(DecodeErrorKind::IntegerOutOfRange.at(at));
    }
    let name = reader.text(OCTET_STRING)?;
    let authentication = authentication(&mut reader)?;
    reader.ignore_rest()?;
    Ok(BindRequest { version, name, authentication })
}

/// ```text
/// AuthenticationChoice ::= CHOICE {
///      simple                  [0] OCTET STRING,
///                              -- 1 and 2 reserved
///      sasl                    [3] SaslCredentials,
///      ...  }
/// SaslCredentials ::= SEQUENCE {
///      mechanism               LDAPString,
///      credentials             OCTET STRING OPTIONAL }
/// ```
fn authentication<'a>(reader: &mut Reader<'a>) -> Decoded<Authentication<'a>> {
    if reader.is_empty() {
        return Err(reader.error(DecodeErrorKind::Missing("the authentication choice")));
    }
    let at = reader.offset();
    match reader.element()? {
        (tag::SIMPLE, password) => Ok(Authentication::Simple(password.rest())),
        (tag::SASL, mut sasl) => {
            let mechanism = sasl.text(OCTET_STRING)?;
            let credentials = sasl.optional(OCTET_STRING)?.map(|value| value.rest());
            sasl.ignore_rest()?;
            Ok(Authentication::Sasl { mechanism, credentials })
        }
        _ => Err(DecodeErrorKind::UnknownAuthentication.at(at)),
    }
}

/// ```text
/// SearchRequest ::= [APPLICATION 3] SEQUENCE {
///      baseObject      LDAPDN,
///      scope           ENUMERATED { baseObject (0), singleLevel (1), wholeSubtree (2), ... },
///      derefAliases    ENUMERATED { neverDerefAliases (0), derefInSearching (1),
///                                   derefFindingBaseObj (2), derefAlways (3) },
///      sizeLimit       INTEGER (0 ..  maxInt),
///      timeLimit       INTEGER (0 ..  maxInt),
///      typesOnly       BOOLEAN,
///      filter          Filter,
///      attributes      AttributeSelection }
/// ```
fn search<'a>(mut reader: Reader<'a>, limits: &DecodeLimits) -> Decoded<SearchRequest<'a>> {
    let base = reader.text(OCTET_STRING)?;
    let scope = scope(&mut reader)?;
    let deref = deref_aliases(&mut reader)?;
    let size_limit = reader.unsigned(INTEGER, super::MAX_INT)?;
    let time_limit_seconds = reader.unsigned(INTEGER, super::MAX_INT)?;
    let types_only = reader.boolean(BOOLEAN)?;
    let filter = Filter::decode(&mut reader, limits)?;
    let attributes = attribute_selection(reader.nested(SEQUENCE)?, limits)?;
    reader.ignore_rest()?;
    Ok(SearchRequest {
        base,
        scope,
        deref,
        size_limit,
        time_limit_seconds,
        types_only,
        filter,
        attributes,
    })
}

fn scope(reader: &mut Reader<'_>) -> Decoded<Scope> {
    let at = reader.offset();
    match reader.integer(ENUMERATED)? {
        0 => Ok(Scope::Base),
        1 => Ok(Scope::OneLevel),
        2 => Ok(Scope::Subtree),
        3 => Ok(Scope::Subordinates),
        _ => Err(DecodeErrorKind::UnknownChoice("the search scope").at(at)),
    }
}

fn deref_aliases(reader: &mut Reader<'_>) -> Decoded<DerefAliases> {
    let at = reader.offset();
    match reader.integer(ENUMERATED)? {
        0 => Ok(DerefAliases::Never),
        1 => Ok(DerefAliases::InSearching),
        2 => Ok(DerefAliases::FindingBase),
        3 => Ok(DerefAliases::Always),
        _ => Err(DecodeErrorKind::UnknownChoice("derefAliases").at(at)),
    }
}

/// ```text
/// AttributeSelection ::= SEQUENCE OF selector LDAPString
/// ```
/// Selectors that are not attribute descriptions (`*`, `+`, `1.1`, `@class`, or anything new) are
/// kept: RFC 4511 §4.5.1.8 has the server ignore what it does not recognize.
pub(crate) fn attribute_selection<'a>(
    mut list: Reader<'a>,
    limits: &DecodeLimits,
) -> Decoded<Vec<&'a str>> {
    let mut selectors =
        Vec::with_capacity(list.count(limits.attributes_max, "selected attributes")?);
    while !list.is_empty() {
        selectors.push(list.text(OCTET_STRING)?);
    }
    Ok(selectors)
}

/// ```text
/// ModifyRequest ::= [APPLICATION 6] SEQUENCE {
///      object          LDAPDN,
///      changes         SEQUENCE OF change SEQUENCE {
///           operation       ENUMERATED { add (0), delete (1), replace (2), ... },
///           modification    PartialAttribute } }
/// ```
fn modify<'a>(mut reader: Reader<'a>, limits: &DecodeLimits) -> Decoded<ModifyRequest<'a>> {
    let dn = reader.text(OCTET_STRING)?;
    let mut list = reader.nested(SEQUENCE)?;
    let mut changes = Vec::with_capacity(list.count(limits.modifications_max, "modifications")?);
    let mut values_left = limits.values_max;
    while !list.is_empty() {
        let mut change = list.nested(SEQUENCE)?;
        let operation = modify_operation(&mut change)?;
        let attribute = attribute(change.nested(SEQUENCE)?, &mut values_left)?;
        change.ignore_rest()?;
        changes.push(Modification { operation, attribute });
    }
    reader.ignore_rest()?;
    Ok(ModifyRequest { dn, changes })
}

/// RFC 4525 adds `increment (3)`.
fn modify_operation(reader: &mut Reader<'_>) -> Decoded<ModifyOperation> {
    let at = reader.offset();
    match reader.integer(ENUMERATED)? {
        0 => Ok(ModifyOperation::Add),
        1 => Ok(ModifyOperation::Delete),
        2 => Ok(ModifyOperation::Replace),
        3 => Ok(ModifyOperation::Increment),
        _ => Err(DecodeErrorKind::UnknownChoice("the modify operation").at(at)),
    }
}

/// ```text
/// PartialAttribute ::= SEQUENCE {
///      type       AttributeDescription,
///      vals       SET OF value AttributeValue }
/// ```
fn attribute<'a>(mut reader: Reader<'a>, values_left: &mut usize) -> Decoded<Attribute<'a>> {
    let description = description(&mut reader, OCTET_STRING)?;
    let mut set = reader.nested(SET)?;
    let count = set.count(*values_left, "attribute values")?;
    *values_left -= count;
    let mut values = Vec::with_capacity(count);
    while !set.is_empty() {
        values.push(set.octets(OCTET_STRING)?);
    }
    reader.ignore_rest()?;
    Ok(Attribute { description, values })
}

/// ```text
/// AddRequest ::= [APPLICATION 8] SEQUENCE {
///      entry           LDAPDN,
///      attributes      AttributeList }
/// AttributeList ::= SEQUENCE OF attribute Attribute
/// Attribute ::= PartialAttribute(WITH COMPONENTS { ..., vals (SIZE(1..MAX))})
/// ```
fn add<'a>(mut reader: Reader<'a>, limits: &DecodeLimits) -> Decoded<AddRequest<'a>> {
    let dn = reader.text(OCTET_STRING)?;
    let mut list = reader.nested(SEQUENCE)?;
    let count = list.count(limits.attributes_per_add_max, "attributes to be added")?;
    let mut attributes = Vec::with_capacity(count);
    let mut values_left = limits.values_max;
    while !list.is_empty() {
        let at = list.offset();
        let attribute = attribute(list.nested(SEQUENCE)?, &mut values_left)?;
        if attribute.values.is_empty() {
            return Err(DecodeErrorKind::Invalid("an attribute to be added has no value").at(at));
        }
        attributes.push(attribute);
    }
    reader.ignore_rest()?;
    Ok(AddRequest { dn, attributes })
}

/// ```text
/// ModifyDNRequest ::= [APPLICATION 12] SEQUENCE {
///      entry           LDAPDN,
///      newrdn          RelativeLDAPDN,
///      deleteoldrdn    BOOLEAN,
///      newSuperior     [0] LDAPDN OPTIONAL }
/// ```
fn modify_dn(mut reader: Reader<'_>) -> Decoded<ModifyDnRequest<'_>> {
    let dn = reader.text(OCTET_STRING)?;
    let new_rdn = reader.text(OCTET_STRING)?;
    let delete_old_rdn = reader.boolean(BOOLEAN)?;
    let new_superior = reader.optional(tag::NEW_SUPERIOR)?.map(Reader::into_text).transpose()?;
    reader.ignore_rest()?;
    Ok(ModifyDnRequest { dn, new_rdn, delete_old_rdn, new_superior })
}

/// ```text
/// CompareRequest ::= [APPLICATION 14] SEQUENCE {
///      entry           LDAPDN,
///      ava             AttributeValueAssertion }
/// AttributeValueAssertion ::= SEQUENCE {
///      attributeDesc   AttributeDescription,
///      assertionValue  AssertionValue }
/// ```
fn compare(mut reader: Reader<'_>) -> Decoded<CompareRequest<'_>> {
    let dn = reader.text(OCTET_STRING)?;
    let mut assertion = reader.nested(SEQUENCE)?;
    let attribute = description(&mut assertion, OCTET_STRING)?;
    let value = assertion.octets(OCTET_STRING)?;
    assertion.ignore_rest()?;
    reader.ignore_rest()?;
    Ok(CompareRequest { dn, attribute, value })
}

/// `AbandonRequest ::= [APPLICATION 16] MessageID`: the content is the integer's own.
fn abandon(content: Reader<'_>) -> Decoded<MessageId> {
    content.into_unsigned(super::MAX_INT).map(MessageId)
}

/// ```text
/// ExtendedRequest ::= [APPLICATION 23] SEQUENCE {
///      requestName      [0] LDAPOID,
///      requestValue     [1] OCTET STRING OPTIONAL }
/// ```
fn extended(mut reader: Reader<'_>) -> Decoded<ExtendedRequest<'_>> {
    let oid = numeric_oid(&mut reader, tag::REQUEST_NAME)?;
    let value = reader.optional(tag::REQUEST_VALUE)?.map(|value| value.rest());
    reader.ignore_rest()?;
    Ok(ExtendedRequest { oid, value })
}

/// `LDAPOID ::= OCTET STRING -- Constrained to <numericoid> [RFC4512]`.
fn numeric_oid<'a>(reader: &mut Reader<'a>, tag: u8) -> Decoded<&'a str> {
    let at = reader.offset();
    let oid = reader.text(tag)?;
    if oid.is_empty() || !oid.bytes().all(|octet| octet.is_ascii_digit() || octet == b'.') {
        return Err(DecodeErrorKind::Invalid("an object identifier must be digits and dots").at(at));
    }
    Ok(oid)
}

/// `AttributeDescription ::= LDAPString -- Constrained to <attributedescription> [RFC4512]`. Any
/// text is let pass: one that is no description is one that the schema does not know, which each
/// operation answers in its own way (undefinedAttributeType, Undefined, no attribute).
#[inline]
pub(crate) fn description<'a>(reader: &mut Reader<'a>, tag: u8) -> Decoded<&'a str> {
    reader.text(tag)
}

/// The characters of RFC 4512 §2.5, not its whole grammar: the schema decides what exists. An
/// underscore is tolerated because attribute types with one are in use.
pub(crate) fn is_description(text: &str) -> bool {
    let allowed =
        |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.' | b';' | b'_');
    !text.is_empty() && text.bytes().all(allowed)
}
