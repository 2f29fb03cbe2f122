//! Requests to bytes: what the client, the tests and the benchmarks send.

use super::{
    AddRequest, Attribute, Authentication, BindRequest, CompareRequest, Control, DerefAliases,
    ExtendedRequest, Message, MessageId, ModifyDnRequest, ModifyOperation, ModifyRequest, Request,
    Scope, SearchRequest, tag,
};
use crate::ber::tag::{BOOLEAN, INTEGER, OCTET_STRING, SEQUENCE, SET};
use crate::ber::{
    begin, length_of_tlv, write_boolean, write_enumerated, write_header, write_integer,
    write_octets,
};

impl Message<'_> {
    /// Appends this message to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        encode_request(self.id, &self.request, &self.controls, out);
    }
}

/// Appends one request to `out`.
pub fn encode_request(
    id: MessageId,
    request: &Request<'_>,
    controls: &[Control<'_>],
    out: &mut Vec<u8>,
) {
    let envelope = begin(out, SEQUENCE);
    write_integer(out, INTEGER, i64::from(id.0));
    match request {
        Request::Bind(bind) => write_bind(bind, out),
        Request::Unbind => write_octets(out, tag::UNBIND_REQUEST, &[]),
        Request::Search(search) => write_search(search, out),
        Request::Modify(modify) => write_modify(modify, out),
        Request::Add(add) => write_add(add, out),
        Request::Delete(delete) => write_octets(out, tag::DELETE_REQUEST, delete.dn.as_bytes()),
        Request::ModifyDn(modify_dn) => write_modify_dn(modify_dn, out),
        Request::Compare(compare) => write_compare(compare, out),
        Request::Abandon(id) => write_integer(out, tag::ABANDON_REQUEST, i64::from(id.0)),
        Request::Extended(extended) => write_extended(extended, out),
    }
    write_controls(controls, out);
    envelope.end(out);
}

/// `controls [0] Controls OPTIONAL`: nothing is written where there are none.
pub(crate) fn write_controls(controls: &[Control<'_>], out: &mut Vec<u8>) {
    if controls.is_empty() {
        return;
    }
    write_header(out, tag::CONTROLS, controls.iter().map(length_of_control).sum());
    for control in controls {
        write_header(out, SEQUENCE, length_of_control_content(control));
        write_octets(out, OCTET_STRING, control.oid.as_bytes());
        // RFC 4511 §5.1 (4): values equal to their default are not encoded.
        if control.critical {
            write_boolean(out, BOOLEAN, true);
        }
        if let Some(value) = control.value {
            write_octets(out, OCTET_STRING, value);
        }
    }
}

/// How many octets [`write_controls`] writes.
pub(crate) fn length_of_controls(controls: &[Control<'_>]) -> usize {
    if controls.is_empty() {
        return 0;
    }
    length_of_tlv(controls.iter().map(length_of_control).sum())
}

fn length_of_control(control: &Control<'_>) -> usize {
    length_of_tlv(length_of_control_content(control))
}

fn length_of_control_content(control: &Control<'_>) -> usize {
    length_of_tlv(control.oid.len())
        + if control.critical { length_of_tlv(1) } else { 0 }
        + control.value.map_or(0, |value| length_of_tlv(value.len()))
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    write_octets(out, OCTET_STRING, text.as_bytes());
}

fn write_bind(bind: &BindRequest<'_>, out: &mut Vec<u8>) {
    let operation = begin(out, tag::BIND_REQUEST);
    write_integer(out, INTEGER, i64::from(bind.version));
    write_text(bind.name, out);
    match &bind.authentication {
        Authentication::Simple(password) => write_octets(out, tag::SIMPLE, password),
        Authentication::Sasl { mechanism, credentials } => {
            let sasl = begin(out, tag::SASL);
            write_text(mechanism, out);
            if let Some(credentials) = credentials {
                write_octets(out, OCTET_STRING, credentials);
            }
            sasl.end(out);
        }
    }
    operation.end(out);
}

fn write_search(search: &SearchRequest<'_>, out: &mut Vec<u8>) {
    let operation = begin(out, tag::SEARCH_REQUEST);
    write_text(search.base, out);
    write_enumerated(out, scope_number(search.scope));
    write_enumerated(out, deref_number(search.deref));
    write_integer(out, INTEGER, i64::from(search.size_limit));
    write_integer(out, INTEGER, i64::from(search.time_limit_seconds));
    write_boolean(out, BOOLEAN, search.types_only);
    search.filter.encode(out);
    write_attribute_selection(&search.attributes, out);
    operation.end(out);
}

fn scope_number(scope: Scope) -> u32 {
    match scope {
        Scope::Base => 0,
        Scope::OneLevel => 1,
        Scope::Subtree => 2,
        Scope::Subordinates => 3,
    }
}

fn deref_number(deref: DerefAliases) -> u32 {
    match deref {
        DerefAliases::Never => 0,
        DerefAliases::InSearching => 1,
        DerefAliases::FindingBase => 2,
        DerefAliases::Always => 3,
    }
}

pub(crate) fn write_attribute_selection(selectors: &[&str], out: &mut Vec<u8>) {
    let list = begin(out, SEQUENCE);
    for selector in selectors {
        write_text(selector, out);
    }
    list.end(out);
}

fn write_modify(modify: &ModifyRequest<'_>, out: &mut Vec<u8>) {
    let operation = begin(out, tag::MODIFY_REQUEST);
    write_text(modify.dn, out);
    let changes = begin(out, SEQUENCE);
    for change in &modify.changes {
        let one = begin(out, SEQUENCE);
        write_enumerated(out, modify_number(change.operation));
        write_attribute(&change.attribute, out);
        one.end(out);
    }
    changes.end(out);
    operation.end(out);
}

fn modify_number(operation: ModifyOperation) -> u32 {
    match operation {
        ModifyOperation::Add => 0,
        ModifyOperation::Delete => 1,
        ModifyOperation::Replace => 2,
        ModifyOperation::Increment => 3,
    }
}

fn write_attribute(attribute: &Attribute<'_>, out: &mut Vec<u8>) {
    let one = begin(out, SEQUENCE);
    write_text(attribute.description, out);
    let values = begin(out, SET);
    for value in &attribute.values {
        write_octets(out, OCTET_STRING, value);
    }
    values.end(out);
    one.end(out);
}

fn write_add(add: &AddRequest<'_>, out: &mut Vec<u8>) {
    let operation = begin(out, tag::ADD_REQUEST);
    write_text(add.dn, out);
    let attributes = begin(out, SEQUENCE);
    for attribute in &add.attributes {
        write_attribute(attribute, out);
    }
    attributes.end(out);
    operation.end(out);
}

fn write_modify_dn(modify_dn: &ModifyDnRequest<'_>, out: &mut Vec<u8>) {
    let operation = begin(out, tag::MODIFY_DN_REQUEST);
    write_text(modify_dn.dn, out);
    write_text(modify_dn.new_rdn, out);
    write_boolean(out, BOOLEAN, modify_dn.delete_old_rdn);
    if let Some(superior) = modify_dn.new_superior {
        write_octets(out, tag::NEW_SUPERIOR, superior.as_bytes());
    }
    operation.end(out);
}

fn write_compare(compare: &CompareRequest<'_>, out: &mut Vec<u8>) {
    let operation = begin(out, tag::COMPARE_REQUEST);
    write_text(compare.dn, out);
    let assertion = begin(out, SEQUENCE);
    write_text(compare.attribute, out);
    write_octets(out, OCTET_STRING, compare.value);
    assertion.end(out);
    operation.end(out);
}

fn write_extended(extended: &ExtendedRequest<'_>, out: &mut Vec<u8>) {
    let operation = begin(out, tag::EXTENDED_REQUEST);
    write_octets(out, tag::REQUEST_NAME, extended.oid.as_bytes());
    if let Some(value) = extended.value {
        write_octets(out, tag::REQUEST_VALUE, value);
    }
    operation.end(out);
}
