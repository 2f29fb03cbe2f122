//! Which controls are honoured on which operation, and what becomes of the others.

use directory::Refusal;
use ldap::ber::DecodeError;
use ldap::control::{PagedResults, decode_assertion, decode_read_selection};
use ldap::filter::{Filter, FilterBytes};
use ldap::message::{Control, DecodeLimits};
use ldap::oid::control as oid;
use ldap::response::ResponseOperation;
use ldap::result::ResultCode;

use ResponseOperation::{Add, Compare, Delete, Modify, ModifyDn, SearchDone as Search};

/// The controls of one request, decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Controls<'a> {
    pub(crate) paged: Option<PagedResults<'a>>,
    pub(crate) assertion: Option<Filter<'a>>,
    pub(crate) pre_read: Option<Vec<&'a str>>,
    pub(crate) post_read: Option<Vec<&'a str>>,
    pub(crate) manage_dsa_it: bool,
    pub(crate) tree_delete: bool,
    pub(crate) permissive_modify: bool,
    pub(crate) relax_rules: bool,
}

/// What is honoured where; also what the root DSE advertises.
const HONOURED: &[(&str, &[ResponseOperation])] = &[
    (oid::PAGED_RESULTS, &[Search]),
    // RFC 4528 §3.
    (oid::ASSERTION, &[Add, Compare, Delete, Modify, ModifyDn, Search]),
    // RFC 4527 §3.1, §3.2.
    (oid::PRE_READ, &[Modify, Delete, ModifyDn]),
    (oid::POST_READ, &[Add, Modify, ModifyDn]),
    // RFC 3296 §3.
    (oid::MANAGE_DSA_IT, &[Add, Compare, Delete, Modify, ModifyDn, Search]),
    (oid::TREE_DELETE, &[Delete]),
    (oid::PERMISSIVE_MODIFY, &[Modify]),
    // RFC 6171 §3: everything here is the master copy.
    (oid::DONT_USE_COPY, &[Compare, Search]),
    (oid::RELAX_RULES, &[Add, Delete, Modify, ModifyDn]),
];

pub(crate) fn supported() -> impl Iterator<Item = &'static str> {
    HONOURED.iter().map(|(oid, _)| *oid)
}

fn is_honoured(oid: &str, operation: ResponseOperation) -> bool {
    HONOURED.iter().any(|(known, on)| *known == oid && on.contains(&operation))
}

/// RFC 4511 §4.1.11: a critical control that is not recognized or not appropriate for the operation
/// fails it; one that is not critical is ignored.
pub(crate) fn decode<'a>(
    controls: &[Control<'a>],
    operation: ResponseOperation,
    limits: &DecodeLimits,
) -> Result<Controls<'a>, Refusal> {
    let mut decoded = Controls::default();
    for (place, control) in controls.iter().enumerate() {
        if !is_honoured(control.oid, operation) {
            refuse_if_critical(control)?;
            continue;
        }
        if controls.iter().take(place).any(|earlier| earlier.oid == control.oid) {
            let message = format!("the control {} is there twice; send it once", control.oid);
            return Err(Refusal::new(ResultCode::PROTOCOL_ERROR, message));
        }
        decoded.add(control, limits)?;
    }
    Ok(decoded)
}

fn refuse_if_critical(control: &Control<'_>) -> Result<(), Refusal> {
    if !control.critical {
        return Ok(());
    }
    let known = supported().any(|oid| oid == control.oid);
    let reason = if known { "does not apply to this operation" } else { "is not known here" };
    let message = format!(
        "the critical control {} {reason}; leave it out or make it not critical",
        control.oid
    );
    Err(Refusal::new(ResultCode::UNAVAILABLE_CRITICAL_EXTENSION, message))
}

impl<'a> Controls<'a> {
    fn add(&mut self, control: &Control<'a>, limits: &DecodeLimits) -> Result<(), Refusal> {
        let wrong = |error| malformed(control.oid, error);
        match control.oid {
            oid::MANAGE_DSA_IT => self.manage_dsa_it = true,
            oid::TREE_DELETE => self.tree_delete = true,
            oid::PERMISSIVE_MODIFY => self.permissive_modify = true,
            oid::RELAX_RULES => self.relax_rules = true,
            oid::PAGED_RESULTS => {
                self.paged = Some(PagedResults::decode(value_of(control)?).map_err(wrong)?);
            }
            oid::ASSERTION => {
                self.assertion = Some(decode_assertion(value_of(control)?, limits).map_err(wrong)?);
            }
            oid::PRE_READ => {
                let selection = decode_read_selection(value_of(control)?, limits);
                self.pre_read = Some(selection.map_err(wrong)?);
            }
            oid::POST_READ => {
                let selection = decode_read_selection(value_of(control)?, limits);
                self.post_read = Some(selection.map_err(wrong)?);
            }
            // Don't-use-copy asks for what is always done.
            _ => {}
        }
        Ok(())
    }

    /// What the writer needs of them.
    pub(crate) fn for_change(&self) -> directory::ChangeControls {
        let owned = |selection: &Option<Vec<&str>>| {
            selection.as_ref().map(|names| names.iter().map(|&name| name.to_owned()).collect())
        };
        directory::ChangeControls {
            assertion: self.assertion.as_ref().map(FilterBytes::from_filter),
            pre_read: owned(&self.pre_read),
            post_read: owned(&self.post_read),
            manage_dsa_it: self.manage_dsa_it,
            tree_delete: self.tree_delete,
            permissive: self.permissive_modify,
            relax: self.relax_rules,
        }
    }
}

fn value_of<'a>(control: &Control<'a>) -> Result<&'a [u8], Refusal> {
    control.value.ok_or_else(|| {
        let message = format!("the control {} needs a value", control.oid);
        Refusal::new(ResultCode::PROTOCOL_ERROR, message)
    })
}

fn malformed(oid: &str, error: DecodeError) -> Refusal {
    let message = format!("the value of the control {oid} cannot be decoded: {error}");
    Refusal::new(ResultCode::PROTOCOL_ERROR, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn control(
        oid: &'static str,
        critical: bool,
        value: Option<&'static [u8]>,
    ) -> Control<'static> {
        Control { oid, critical, value }
    }

    fn decoded(controls: &[Control<'static>], on: ResponseOperation) -> Result<(), ResultCode> {
        let limits = DecodeLimits::default();
        decode(controls, on, &limits).map(|_| ()).map_err(|refusal| refusal.code)
    }

    #[test]
    fn criticality() {
        let refused = Err(ResultCode::UNAVAILABLE_CRITICAL_EXTENSION);
        let table = [
            ("1.2.3", false, Search, Ok(())),
            ("1.2.3", true, Search, refused),
            ("1.2.3", true, ResponseOperation::Bind, refused),
            (oid::TREE_DELETE, true, Delete, Ok(())),
            (oid::TREE_DELETE, true, Modify, refused),
            (oid::TREE_DELETE, false, Modify, Ok(())),
            (oid::PRE_READ, true, Add, refused),
            (oid::MANAGE_DSA_IT, true, ResponseOperation::Extended, refused),
            (oid::DONT_USE_COPY, true, Search, Ok(())),
            (oid::DONT_USE_COPY, true, Modify, refused),
        ];
        for (oid, critical, operation, expected) in table {
            let got = decoded(&[control(oid, critical, None)], operation);
            assert_eq!(got, expected, "{oid} critical={critical} on {operation:?}");
        }
    }

    #[test]
    fn duplicates_and_bad_values_are_protocol_errors() {
        let page: &[u8] = &[0x30, 5, 2, 1, 10, 4, 0];
        let paged = |value| control(oid::PAGED_RESULTS, false, value);
        assert_eq!(decoded(&[paged(Some(page))], Search), Ok(()));
        let wrong = Err(ResultCode::PROTOCOL_ERROR);
        assert_eq!(decoded(&[paged(Some(page)), paged(Some(page))], Search), wrong);
        assert_eq!(decoded(&[paged(None)], Search), wrong);
        assert_eq!(decoded(&[paged(Some(b"x"))], Search), wrong);
        let unknown = control("1.2.3", false, None);
        assert_eq!(decoded(&[unknown, unknown], Search), Ok(()));
    }

    #[test]
    fn values_arrive() {
        let limits = DecodeLimits::default();
        let page = paged_value();
        let controls = [
            Control { oid: oid::PAGED_RESULTS, critical: true, value: Some(&page) },
            Control { oid: oid::ASSERTION, critical: true, value: Some(b"\x87\x02cn") },
        ];
        let decoded = decode(&controls, Search, &limits).unwrap();
        assert_eq!(decoded.paged, Some(PagedResults { size: 3, cookie: b"c" }));
        assert_eq!(decoded.assertion, Some(Filter::Present("cn")));
    }

    fn paged_value() -> Vec<u8> {
        let mut value = Vec::new();
        PagedResults { size: 3, cookie: b"c" }.encode(&mut value);
        value
    }
}
