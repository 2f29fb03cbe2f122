//! What every changed entry must obey: syntaxes of new values, the schema as a whole, naming.

use std::sync::Arc;

use ldap::dn::Rdn;
use ldap::result::ResultCode;
use smallvec::SmallVec;

use crate::access::Rights;
use crate::catalogue::Described;
use crate::change::NewAttribute;
use crate::change::apply::Explained;
use crate::change::prepare::Preparing;
use crate::change::prepare::links::Links;
use crate::change::prepare::obeying::Shape;
use crate::entry::{Entry, equality_key};
use crate::refusal::{Error, Refusal};
use crate::schema::check::{EntryToCheck, check_entry};
use crate::schema::{AttributeDescription, AttributeType, Schema};
use crate::store::{EntryId, PostingKey};

impl Preparing<'_, '_> {
    pub(crate) fn schema(&self) -> &Schema {
        self.tree.schema()
    }

    /// Explains one attribute of a request and checks the syntax of its values.
    pub(crate) fn explain<'r>(
        &self,
        attribute: &'r NewAttribute,
        operation: ldap::message::ModifyOperation,
    ) -> Result<Explained<'r>, Error> {
        let described = self.tree.catalogue.describe(&attribute.description)?;
        self.check_description(&described, &attribute.description)?;
        let deletes = operation == ldap::message::ModifyOperation::Delete;
        let kind = described.attribute_type(self.schema());
        for value in attribute.values.iter().filter(|_| !deletes && !described.secret) {
            check_value(self.schema(), &described, kind, value)?;
        }
        Ok(Explained { operation, described, values: &attribute.values })
    }

    fn check_description(&self, described: &Described, text: &str) -> Result<(), Refusal> {
        let storable = AttributeDescription::parse(self.schema(), text)
            .is_ok_and(|description| description.is_storable());
        if storable && crate::catalogue::COMPUTED.contains(&described.type_key.as_str()) {
            return Err(not_changeable(described));
        }
        // RFC 4522 §3: other syntaxes have no BER form, so the description is not recognized.
        let binary = described.options.iter().any(|option| option == "binary");
        let kind = described.attribute_type(self.schema());
        if binary && kind.is_some_and(|kind| !kind.syntax.requires_binary_transfer()) {
            return Err(Refusal::new(
                ResultCode::UNDEFINED_ATTRIBUTE_TYPE,
                format!("'{text}': values of this attribute have no ';binary' form"),
            ));
        }
        if !storable {
            return Err(Refusal::new(
                ResultCode::UNDEFINED_ATTRIBUTE_TYPE,
                format!("'{text}' cannot be stored: language ranges only ask for attributes"),
            ));
        }
        Ok(())
    }

    /// Attributes that only the server writes; a manager may, with the relax control.
    pub(crate) fn check_changeable(
        &self,
        described: &Described,
        rights: Rights,
    ) -> Result<(), Refusal> {
        let kind = described.attribute_type(self.schema());
        let changeable = kind.is_none_or(|kind| !kind.no_user_modification);
        if changeable || self.relaxes(rights) {
            return Ok(());
        }
        Err(not_changeable(described))
    }

    /// Whether the relax control is in force: it is for managers.
    pub(crate) fn relaxes(&self, rights: Rights) -> bool {
        self.controls.relax && rights.allows(Rights::MANAGE)
    }

    /// The schema on the result as a whole; gives the name of the structural class.
    /// `before` is the entry as it was, where there was one; `rdns` is its relative name.
    pub(crate) fn check_schema(
        &self,
        before: Option<&Entry>,
        (entry, rdns): (&Entry, &[Rdn]),
        links: &Links<'_, '_>,
        relaxes: bool,
    ) -> Result<&str, Error> {
        let schema = self.schema();
        let mut linked: Vec<(&AttributeType, usize)> = Vec::new();
        for described in &links.attributes() {
            if let Some(kind) = described.attribute_type(schema) {
                let count = links.count(described, 2)?;
                if count > 0 {
                    linked.push((kind, count));
                }
            }
        }
        let classes = entry.values("objectclass");
        let rdn_types = rdns.iter().flat_map(|rdn| &rdn.values);
        let rdn_types: SmallVec<[&AttributeType; 4]> =
            rdn_types.filter_map(|part| schema.attribute_type(&part.attribute)).collect();
        let shape = Shape::of(entry, &linked, &classes, &rdn_types, relaxes);
        if let Some(structural) = self.obeying.structural(self.tree.schema(), &shape) {
            return Ok(class_name(schema, structural));
        }
        let held = entry.attributes.iter().filter_map(|attribute| {
            Some((attribute.described.attribute_type(schema)?, attribute.values.len()))
        });
        let present: Vec<_> = held.chain(linked).collect();
        let mut to_check =
            EntryToCheck { classes: &classes, attributes: &present, rdn_types: &rdn_types };
        let excused = match before {
            Some(before) => self.excused(before, &classes, links, &present)?,
            None => Vec::new(),
        };
        if excused.is_empty() {
            let structural = check_entry(schema, &to_check, relaxes)?.structural;
            self.obeying.remember(self.tree.schema(), shape, structural);
            return Ok(class_name(schema, structural));
        }
        let present = [present.as_slice(), &excused].concat();
        to_check.attributes = &present;
        Ok(class_name(schema, check_entry(schema, &to_check, relaxes)?.structural))
    }

    /// A group whose last member was deleted has none, although its class requires one. That is not
    /// the fault of whoever changes something else about it later, so what was missing before may
    /// be missing still, as long as the classes stay.
    fn excused<'s>(
        &'s self,
        before: &Entry,
        classes: &[&[u8]],
        links: &Links<'_, '_>,
        present: &[(&'s AttributeType, usize)],
    ) -> Result<Vec<(&'s AttributeType, usize)>, Error> {
        let schema = self.schema();
        if before.values("objectclass") != classes {
            return Ok(Vec::new());
        }
        let mut excused: Vec<(&AttributeType, usize)> = Vec::new();
        let names = classes.iter().filter_map(|name| std::str::from_utf8(name).ok());
        let required = names.filter_map(|name| schema.object_class(name)).flat_map(|it| &it.must);
        for kind in required.filter_map(|index| schema.attribute_type_at(*index)) {
            let mut there = present.iter().chain(&excused);
            let is_missing = !there.any(|(held, _)| held.index == kind.index);
            if kind.is_link() && is_missing {
                let described = self.tree.catalogue.describe(&kind.name)?;
                if links.was_empty(&described)? {
                    excused.push((kind, 1));
                }
            }
        }
        Ok(excused)
    }

    /// An entryUUID that a manager brought must be nobody else's (as far as its index tells).
    pub(crate) fn check_uuid(&self, entry: &Entry, own: Option<EntryId>) -> Result<(), Error> {
        let Some(held) = entry.find("entryuuid") else {
            let message = "every entry has an entryUUID; it can be replaced but not removed";
            return Err(Refusal::new(ResultCode::CONSTRAINT_VIOLATION, message).into());
        };
        let Some(attribute) = self.tree.catalogue.id("entryuuid") else { return Ok(()) };
        let rule = held.described.attribute_type(self.schema()).and_then(|kind| kind.equality);
        for value in held.values.iter() {
            let key = equality_key(self.schema(), rule, value);
            let mut posting = self.tree.reader.posting(&PostingKey::equality(attribute, &key))?;
            while let Some(block) = posting.next_block()? {
                if block.iter().any(|id| Some(id) != own) {
                    let message = "another entry has this entryUUID";
                    return Err(Refusal::new(ResultCode::CONSTRAINT_VIOLATION, message).into());
                }
            }
        }
        Ok(())
    }

    /// Sets an attribute that the server itself keeps, given the key of its type.
    pub(crate) fn stamp(&self, entry: &mut Entry, key: &str, value: &str) -> Result<(), Refusal> {
        entry.set_one(self.tree.catalogue.describe(key)?, value.as_bytes());
        Ok(())
    }

    pub(crate) fn stamp_modified(&self, entry: &mut Entry) -> Result<(), Refusal> {
        let time = crate::clock::generalized_time(self.stamp.time_ms);
        self.stamp(entry, "modifiersname", self.author())?;
        self.stamp(entry, "modifytimestamp", &time)
    }
}

fn class_name(schema: &Schema, index: u32) -> &str {
    schema.object_class_at(index).map(|class| class.name.as_str()).unwrap_or_default()
}

fn not_changeable(described: &Described) -> Refusal {
    Refusal::new(
        ResultCode::CONSTRAINT_VIOLATION,
        format!("'{}' is kept by the server and cannot be set", described.text),
    )
}

fn check_value(
    schema: &Schema,
    described: &Arc<Described>,
    kind: Option<&AttributeType>,
    value: &[u8],
) -> Result<(), Refusal> {
    let Some(kind) = kind else { return Ok(()) };
    kind.syntax.check(schema, value).map_err(|invalid| {
        Refusal::new(
            ResultCode::INVALID_ATTRIBUTE_SYNTAX,
            format!("a value of '{}' does not fit its syntax: {invalid}", described.text),
        )
    })
}

/// The RDNs that a node's text is made of: one, or several for a suffix.
pub(crate) fn parse_rdn(text: &str) -> Result<Vec<Rdn>, Refusal> {
    Ok(crate::names::parse(text)?.rdns)
}

/// Adds the values of the entry's name that it does not have (RFC 4511 §4.7).
pub(crate) fn add_naming_values(
    preparing: &Preparing<'_, '_>,
    entry: &mut Entry,
    rdns: &[Rdn],
) -> Result<(), Error> {
    let schema = preparing.schema();
    check_distinct(schema, rdns)?;
    // Only the leaf RDN names the entry itself; a suffix's other RDNs name what is above it.
    for part in rdns.first().iter().flat_map(|rdn| &rdn.values) {
        let described = preparing.tree.catalogue.describe(&part.attribute)?;
        let kind = described.attribute_type(schema);
        check_names(&described, kind)?;
        check_value(schema, &described, kind, &part.value)?;
        let rule = kind.and_then(|kind| kind.equality);
        let key = equality_key(schema, rule, &part.value);
        let mut values =
            entry.find(&described.key).map(|held| held.values.to_vec()).unwrap_or_default();
        if !values.iter().any(|value| equality_key(schema, rule, value) == key) {
            values.push(part.value.clone());
            entry.set(described, values);
        }
    }
    Ok(())
}

/// X.501 §9.3: the values of an RDN are of different types.
fn check_distinct(schema: &Schema, rdns: &[Rdn]) -> Result<(), Refusal> {
    let leaf = rdns.first().map(|rdn| rdn.values.as_slice()).unwrap_or_default();
    let mut kinds: Vec<_> = leaf
        .iter()
        .filter_map(|part| schema.attribute_type(&part.attribute))
        .map(|kind| kind.index)
        .collect();
    kinds.sort_unstable();
    if kinds.windows(2).all(|pair| pair.first() != pair.last()) {
        return Ok(());
    }
    let message = "each attribute may stand only once in an entry's relative name";
    Err(Refusal::new(ResultCode::INVALID_DN_SYNTAX, message))
}

/// What may stand in a name: nothing that the server keeps, that is secret, or that is a name
/// itself.
pub(crate) fn check_names(
    described: &Described,
    kind: Option<&AttributeType>,
) -> Result<(), Refusal> {
    let kept = kind.is_some_and(|kind| kind.no_user_modification)
        || crate::catalogue::COMPUTED.contains(&described.type_key.as_str());
    let what = if described.link {
        "holds names of entries"
    } else if kept {
        "is kept by the server"
    } else if described.secret {
        "is secret, and names are not"
    } else if !described.options.is_empty() {
        "has options" // RFC 4512 §2.3.2: an RDN is of bare types
    } else {
        return Ok(());
    };
    let message = format!("'{}' {what}, so it cannot name an entry", described.text);
    Err(Refusal::new(ResultCode::NAMING_VIOLATION, message))
}

/// Refuses a modification that took a value of the entry's own name (RFC 4511 §4.6).
pub(crate) fn check_name_kept(
    preparing: &Preparing<'_, '_>,
    entry: &Entry,
    rdns: &[Rdn],
) -> Result<(), Error> {
    let schema = preparing.schema();
    for part in rdns.first().iter().flat_map(|rdn| &rdn.values) {
        let described = preparing.tree.catalogue.describe(&part.attribute)?;
        let held = entry.values(&described.key);
        if held.contains(&part.value.as_slice()) {
            continue; // as it is written in the name: no rule need be asked
        }
        let rule = described.attribute_type(schema).and_then(|kind| kind.equality);
        let key = equality_key(schema, rule, &part.value);
        if !held.iter().any(|value| equality_key(schema, rule, value) == key) {
            return Err(Refusal::new(
                ResultCode::NOT_ALLOWED_ON_RDN,
                format!(
                    "'{}' is part of the entry's name; rename the entry instead",
                    described.text
                ),
            )
            .into());
        }
    }
    Ok(())
}
