//! What of an entry is answered: the requested attributes that the asker may read, as slices of the
//! stored bytes, with only links and computed attributes composed.

use ldap::response::{write_attribute, write_attribute_header};
use smallvec::SmallVec;

use crate::catalogue::Described;
use crate::permits::Permits;
use crate::refusal::Fault;
use crate::ruling::Kind;
use crate::schema::AttributeDescription;
use crate::search::evaluate::computed_value;
use crate::search::filter::ValueSource;
use crate::search::links::{NameWriter, has_links, print_links};
use crate::search::printed::Printed;
use crate::store::AttributeId;
use crate::tree::{Candidate, Tree};

/// The computed operational attributes, in the order in which they are answered.
const COMPUTED: [(&str, &str, ValueSource); 5] = [
    ("entrydn", "entryDN", ValueSource::EntryDn),
    ("subschemasubentry", "subschemaSubentry", ValueSource::SubschemaSubentry),
    ("hassubordinates", "hasSubordinates", ValueSource::HasSubordinates),
    ("numsubordinates", "numSubordinates", ValueSource::NumSubordinates),
    ("memberof", "memberOf", ValueSource::MemberOf),
];

/// The attribute list of a request, explained once per search.
#[derive(Debug, Default)]
pub(crate) struct Selection {
    all_user: bool,
    all_operational: bool,
    types_only: bool,
    /// Descriptions asked for by name or through `@class`: their numbers now.
    ids: Vec<AttributeId>,
    /// Bare types asked for, as indices of the schema, for what is computed or not stored.
    computed: SmallVec<[&'static str; 2]>,
    names: Vec<(u32, Vec<String>)>,
}

impl Selection {
    pub(crate) fn new(tree: &Tree<'_>, attributes: &[&str], types_only: bool) -> Selection {
        let mut selection = Selection { types_only, ..Selection::default() };
        if attributes.is_empty() {
            selection.all_user = true;
        }
        for attribute in attributes {
            match *attribute {
                "*" => selection.all_user = true,
                "+" => selection.all_operational = true,
                // RFC 4511 §4.5.1.8: "1.1" asks for none, and is ignored beside others.
                "1.1" => {}
                name => match name.strip_prefix('@') {
                    Some(class) => selection.add_class(tree, class),
                    None => selection.add_name(tree, name),
                },
            }
        }
        selection
    }

    fn add_name(&mut self, tree: &Tree<'_>, name: &str) {
        let Ok(wanted) = AttributeDescription::parse(tree.schema(), name) else { return };
        self.ids.extend(tree.catalogue.subtypes(&wanted));
        let key = wanted.attribute_type.key.as_str();
        self.computed
            .extend(COMPUTED.iter().map(|(key, ..)| *key).filter(|computed| *computed == key));
        self.names.push((wanted.attribute_type.index, wanted.options.clone()));
    }

    /// RFC 4529: every attribute that the class requires or allows.
    fn add_class(&mut self, tree: &Tree<'_>, class: &str) {
        let schema = tree.schema().clone();
        let name = class.split(';').next().unwrap_or_default();
        let Some(class) = schema.object_class(name) else { return };
        if class.name.eq_ignore_ascii_case("extensibleObject") {
            self.all_user = true;
        }
        for index in class.must.iter().chain(&class.may) {
            if let Some(kind) = schema.attribute_type_at(*index) {
                self.add_name(tree, &kind.name);
            }
        }
    }

    fn asks_for(&self, id: AttributeId, described: &Described) -> bool {
        let class = if described.operational { self.all_operational } else { self.all_user };
        class || self.ids.contains(&id)
    }

    fn asks_for_any_user(&self) -> bool {
        self.all_user || !self.ids.is_empty()
    }

    fn asks_for_any_operational(&self) -> bool {
        self.all_operational || !self.ids.is_empty()
    }

    fn asks_for_any_computed(&self) -> bool {
        self.all_operational || !self.computed.is_empty()
    }

    fn asks_for_computed(&self, key: &str) -> bool {
        self.all_operational || self.computed.contains(&key)
    }

    /// For entries that are not stored.
    pub(crate) fn asks_for_given(&self, tree: &Tree<'_>, described: &Described) -> bool {
        let class = if described.operational { self.all_operational } else { self.all_user };
        let schema = tree.schema();
        class
            || self.names.iter().any(|(wanted, options)| {
                let kinds = (described.attribute_type(schema), schema.attribute_type_at(*wanted));
                let (Some(kind), Some(wanted)) = kinds else { return false };
                (kind.index == wanted.index || schema.is_subtype(kind, wanted))
                    && options.iter().all(|option| described.options.contains(option))
            })
    }

    pub(crate) fn types_only(&self) -> bool {
        self.types_only
    }
}

/// Pieces of one entry's attributes: slices of the store, what was composed, and what is kept.
pub(crate) struct Projection<'t> {
    stored: SmallVec<[&'t [u8]; 8]>,
    composed: Vec<u8>,
    /// Values of large groups, and how much of `composed` stands in front of them.
    printed: SmallVec<[(usize, Printed); 1]>,
}

impl<'t> Projection<'t> {
    fn push(&mut self, slice: Option<&'t [u8]>) {
        if let Some(slice) = slice {
            self.stored.push(slice);
        }
    }

    /// The pieces in answering order.
    pub(crate) fn slices(&self) -> SmallVec<[&[u8]; 8]> {
        let mut slices: SmallVec<[&[u8]; 8]> = SmallVec::from_slice(&self.stored);
        let mut begin = 0;
        for (end, values) in &self.printed {
            slices.push(self.composed.get(begin..*end).unwrap_or_default());
            slices.push(values);
            begin = *end;
        }
        slices.extend(self.composed.get(begin..).filter(|rest| !rest.is_empty()));
        slices
    }
}

/// Projects one entry.
pub(crate) fn project<'t>(
    candidate: &Candidate<'_, 't>,
    selection: &Selection,
    rights: &impl Permits,
) -> Result<Projection<'t>, Fault> {
    let mut projection =
        Projection { stored: SmallVec::new(), composed: Vec::new(), printed: SmallVec::new() };
    if selection.types_only {
        types_of_stored(candidate, selection, rights, &mut projection)?;
    } else {
        copy_stored(candidate, selection, rights, &mut projection)?;
    }
    let flags = candidate.record.flags();
    if flags.has_links || flags.has_loose {
        compose_links(candidate, selection, rights, &mut projection)?;
    }
    compose_computed(candidate, selection, rights, &mut projection.composed)?;
    Ok(projection)
}

/// Rows that stand side by side are answered as one slice.
fn copy_stored<'t>(
    candidate: &Candidate<'_, 't>,
    selection: &Selection,
    rights: &impl Permits,
    projection: &mut Projection<'t>,
) -> Result<(), Fault> {
    let record = &candidate.record;
    let mut readable = Readable { tree: candidate.tree, selection, rights, decided: 0, allowed: 0 };
    if selection.asks_for_any_user() {
        copy_rows(record.user_wire(), record.user_starts(), &mut readable, projection)?;
    }
    if selection.asks_for_any_operational() {
        let wire = record.operational_wire();
        copy_rows(wire, record.operational_starts(), &mut readable, projection)?;
    }
    Ok(())
}

fn copy_rows<'t>(
    wire: &'t [u8],
    rows: impl Iterator<Item = (AttributeId, usize)>,
    readable: &mut Readable<'_, '_, impl Permits>,
    projection: &mut Projection<'t>,
) -> Result<(), Fault> {
    let mut run = None;
    for (attribute, at) in rows {
        if readable.holds(attribute)? {
            run.get_or_insert(at);
        } else if let Some(begin) = run.take() {
            projection.push(wire.get(begin..at));
        }
    }
    projection.push(run.and_then(|begin| wire.get(begin..)));
    Ok(())
}

/// What of one entry is asked for and may be read.
struct Readable<'r, 't, P> {
    tree: &'r Tree<'t>,
    selection: &'r Selection,
    rights: &'r P,
    /// A bit for each class of attributes of which all are asked for and was decided about ...
    decided: u64,
    /// ... and may be read.
    allowed: u64,
}

impl<P: Permits> Readable<'_, '_, P> {
    #[inline(always)] // for each attribute of each answered entry
    fn holds(&mut self, attribute: AttributeId) -> Result<bool, Fault> {
        match self.tree.kinds.of(attribute) {
            Some(kind) if self.decided & kind.bit != 0 => Ok(self.allowed & kind.bit != 0),
            Some(kind) => self.decide(attribute, kind),
            None => self.decide_new(attribute),
        }
    }

    #[cold]
    fn decide(&mut self, attribute: AttributeId, kind: Kind) -> Result<bool, Fault> {
        let selection = self.selection;
        let all = if kind.operational { selection.all_operational } else { selection.all_user };
        if !all && !selection.ids.contains(&attribute) {
            return Ok(false);
        }
        let allowed = self.rights.may_read_class(kind.class)?;
        if all {
            self.decided |= kind.bit;
            self.allowed |= if allowed { kind.bit } else { 0 };
        }
        Ok(allowed)
    }

    /// Of a number that the batch at hand has given out.
    #[cold]
    fn decide_new(&self, attribute: AttributeId) -> Result<bool, Fault> {
        match self.tree.catalogue.described(attribute) {
            Some(described) if self.selection.asks_for(attribute, described) => {
                self.rights.may_read(described)
            }
            _ => Ok(false),
        }
    }
}

fn types_of_stored(
    candidate: &Candidate<'_, '_>,
    selection: &Selection,
    rights: &impl Permits,
    projection: &mut Projection<'_>,
) -> Result<(), Fault> {
    for row in candidate.record.rows() {
        let Some(described) = candidate.described(row.attribute) else { continue };
        if selection.asks_for(row.attribute, described) && rights.may_read(described)? {
            write_type(&described.text, &mut projection.composed);
        }
    }
    Ok(())
}

fn write_type(text: &str, out: &mut Vec<u8>) {
    write_attribute(out, text.as_bytes(), std::iter::empty());
}

/// Prints the rows of `links` and `loose`, attribute by attribute, with present names.
fn compose_links(
    candidate: &Candidate<'_, '_>,
    selection: &Selection,
    rights: &impl Permits,
    projection: &mut Projection<'_>,
) -> Result<(), Fault> {
    let tree = candidate.tree;
    let mut writer = NameWriter::new(tree);
    let mut values = Vec::new();
    for (id, described) in tree.catalogue.iter().filter(|(_, described)| described.link) {
        if !selection.asks_for(id, described) || !rights.may_read(described)? {
            continue;
        }
        let composed = &mut projection.composed;
        if selection.types_only {
            if has_links(candidate, id)? {
                write_type(&described.text, composed);
            }
            continue;
        }
        values.clear();
        match print_links(candidate, id, &mut writer, &mut values)? {
            Some(printed) => {
                write_attribute_header(composed, described.text.as_bytes(), printed.len());
                projection.printed.push((composed.len(), printed));
            }
            None => write_values(&described.text, &values, composed),
        }
    }
    Ok(())
}

/// An attribute of printed values, if there are any.
fn write_values(text: &str, values: &[u8], out: &mut Vec<u8>) {
    if !values.is_empty() {
        write_attribute_header(out, text.as_bytes(), values.len());
        out.extend_from_slice(values);
    }
}

fn compose_computed(
    candidate: &Candidate<'_, '_>,
    selection: &Selection,
    rights: &impl Permits,
    out: &mut Vec<u8>,
) -> Result<(), Fault> {
    if !selection.asks_for_any_computed() {
        return Ok(());
    }
    for (key, text, source) in COMPUTED {
        if !selection.asks_for_computed(key) || !rights.may_read_type(key)? {
            continue;
        }
        if source == ValueSource::MemberOf {
            compose_member_of(candidate, text, selection.types_only, out)?;
            continue;
        }
        let value = computed_value(source, candidate)?;
        let values = (!selection.types_only).then_some(value.as_bytes());
        write_attribute(out, text.as_bytes(), values);
    }
    Ok(())
}

fn compose_member_of(
    candidate: &Candidate<'_, '_>,
    text: &str,
    types_only: bool,
    out: &mut Vec<u8>,
) -> Result<(), Fault> {
    let groups = candidate.tree.groups_of(candidate.id)?;
    if types_only && !groups.is_empty() {
        write_type(text, out);
        return Ok(());
    }
    let mut writer = NameWriter::new(candidate.tree);
    let mut values = Vec::new();
    for group in groups {
        writer.write(group, &[], &mut values)?;
    }
    write_values(text, &values, out);
    Ok(())
}
