//! The entry record: a small table in front of the attributes' wire bytes (RFC 4511 §4.1.7).

use std::ops::Range;

use super::{AttributeId, EntryId, fault::damaged, keys::Fields, keys::utf8};
use crate::refusal::Fault;

const VERSION: u8 = 1;
const ROW_BYTES: usize = 8;
/// Where the parent's number stands.
const PARENT: Range<usize> = 8..16;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OCTET_STRING: u8 = 0x04;

/// What an entry has beyond its record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EntryFlags {
    /// It has rows in `links`.
    pub has_links: bool,
    /// It has rows in `loose`.
    pub has_loose: bool,
}

impl EntryFlags {
    fn to_byte(self) -> u8 {
        u8::from(self.has_links) | u8::from(self.has_loose) << 1
    }

    fn from_byte(byte: u8) -> EntryFlags {
        EntryFlags { has_links: byte & 1 != 0, has_loose: byte & 2 != 0 }
    }
}

/// One attribute of an entry: its number and its whole `PartialAttribute`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row<'t> {
    pub attribute: AttributeId,
    pub wire: &'t [u8],
}

impl<'t> Row<'t> {
    /// The description as it is sent.
    pub fn description(&self) -> &'t [u8] {
        description(self.wire)
    }

    /// The values in the order in which they were added.
    pub fn values(&self) -> Values<'t> {
        values(self.wire)
    }
}

/// An entry as stored. Reading it copies nothing.
#[derive(Clone, Copy, Debug)]
pub struct EntryRecord<'t> {
    parent: EntryId,
    flags: EntryFlags,
    user_rows: usize,
    rdn: &'t str,
    table: &'t [[u8; ROW_BYTES]],
    wire: &'t [u8],
}

impl<'t> EntryRecord<'t> {
    /// Checks what has a fixed place; the table's offsets are checked as they are used and by
    /// [`EntryRecord::verify`].
    pub fn parse(bytes: &'t [u8]) -> Result<EntryRecord<'t>, Fault> {
        let mut fields = Fields::new(bytes, "entries");
        let [version, flags] = *fields.array()?;
        if version != VERSION {
            return Err(damaged(format!("an entry record has the unknown version {version}")));
        }
        let rows = usize::from(fields.u16_le()?);
        let user_rows = usize::from(fields.u16_le()?);
        let rdn_bytes = usize::from(fields.u16_le()?);
        let parent = EntryId(fields.u64_le()?);
        let wire_bytes = fields.u32_le()? as usize;
        let rdn = utf8(fields.bytes(rdn_bytes)?, "entries")?;
        let (table, _) = fields.bytes(rows * ROW_BYTES)?.as_chunks();
        let wire = fields.bytes(wire_bytes)?;
        fields.end()?;
        if user_rows > rows {
            return Err(damaged("an entry record has more user rows than rows"));
        }
        Ok(EntryRecord { parent, flags: EntryFlags::from_byte(flags), user_rows, rdn, table, wire })
    }

    pub fn parent(&self) -> EntryId {
        self.parent
    }

    pub fn flags(&self) -> EntryFlags {
        self.flags
    }

    /// The RDN as written; of a suffix, all its RDNs.
    pub fn rdn(&self) -> &'t str {
        self.rdn
    }

    /// All attributes: user attributes, then operational ones.
    pub fn rows(&self) -> impl Iterator<Item = Row<'t>> + use<'t> {
        rows_of(self.table, self.table, self.wire, 0)
    }

    pub fn user_rows(&self) -> impl Iterator<Item = Row<'t>> + use<'t> {
        let (user, _) = self.split();
        rows_of(user, self.table, self.wire, 0)
    }

    pub fn operational_rows(&self) -> impl Iterator<Item = Row<'t>> + use<'t> {
        let (_, operational) = self.split();
        rows_of(operational, self.table, self.wire, self.user_rows)
    }

    /// Where each user attribute begins in [`EntryRecord::user_wire`].
    pub fn user_starts(&self) -> impl Iterator<Item = (AttributeId, usize)> + use<'t> {
        self.split().0.iter().map(|row| (attribute_of(row), offset_of(row)))
    }

    /// Where each operational attribute begins in [`EntryRecord::operational_wire`].
    pub fn operational_starts(&self) -> impl Iterator<Item = (AttributeId, usize)> + use<'t> {
        let base = self.operational_offset();
        let start = move |row| offset_of(row).saturating_sub(base);
        self.split().1.iter().map(move |row| (attribute_of(row), start(row)))
    }

    /// The user attributes as they are sent.
    pub fn user_wire(&self) -> &'t [u8] {
        self.wire.get(..self.operational_offset()).unwrap_or_default()
    }

    /// The operational attributes as they are sent.
    pub fn operational_wire(&self) -> &'t [u8] {
        self.wire.get(self.operational_offset()..).unwrap_or_default()
    }

    /// The row of an attribute, where the entry has it.
    pub fn row(&self, attribute: AttributeId) -> Option<Row<'t>> {
        self.find(attribute).map(|wire| Row { attribute, wire })
    }

    /// All attributes as they are sent, user attributes first.
    pub fn wire(&self) -> &'t [u8] {
        self.wire
    }

    pub fn row_count(&self) -> usize {
        self.table.len()
    }

    /// Each attribute, and where its `PartialAttribute` lies in [`EntryRecord::wire`].
    pub fn places(&self) -> impl Iterator<Item = (AttributeId, Range<usize>)> + use<'t> {
        let (table, wire) = (self.table, self.wire);
        table.iter().enumerate().filter_map(move |(index, row)| {
            let place = place_of(table, wire.len(), index);
            wire.get(place.clone()).map(|_| (attribute_of(row), place))
        })
    }

    /// The `PartialAttribute` of an attribute, where the entry has it.
    pub fn find(&self, attribute: AttributeId) -> Option<&'t [u8]> {
        let wanted = attribute.0.to_le_bytes();
        let index = self.table.iter().position(|row| row.starts_with(&wanted))?;
        wire_of(self.table, self.wire, index)
    }

    /// The values of an attribute; none where the entry does not have it.
    pub fn values(&self, attribute: AttributeId) -> Values<'t> {
        self.find(attribute).map_or(Values { rest: &[] }, values)
    }

    /// What is wrong with the record beyond what [`EntryRecord::parse`] refuses.
    pub fn verify(&self) -> Result<(), &'static str> {
        let mut next = 0;
        for (index, row) in self.table.iter().enumerate() {
            if offset_of(row) != next {
                return Err("an attribute does not begin where the one before it ends");
            }
            let wire = wire_of(self.table, self.wire, index)
                .ok_or("an attribute's offset is outside the record")?;
            verify_partial_attribute(wire)?;
            next += wire.len();
        }
        if next != self.wire.len() {
            return Err("there are bytes behind the last attribute");
        }
        Ok(())
    }

    fn split(&self) -> (&'t [[u8; ROW_BYTES]], &'t [[u8; ROW_BYTES]]) {
        self.table.split_at_checked(self.user_rows).unwrap_or((self.table, &[]))
    }

    fn operational_offset(&self) -> usize {
        self.table.get(self.user_rows).map_or(self.wire.len(), offset_of)
    }
}

fn offset_of(row: &[u8; ROW_BYTES]) -> usize {
    let [_, _, _, _, offset @ ..] = *row;
    u32::from_le_bytes(offset) as usize
}

fn attribute_of(row: &[u8; ROW_BYTES]) -> AttributeId {
    let [attribute @ .., _, _, _, _] = *row;
    AttributeId(u32::from_le_bytes(attribute))
}

fn wire_of<'t>(table: &[[u8; ROW_BYTES]], wire: &'t [u8], index: usize) -> Option<&'t [u8]> {
    wire.get(place_of(table, wire.len(), index))
}

fn place_of(table: &[[u8; ROW_BYTES]], wire_bytes: usize, index: usize) -> Range<usize> {
    let begin = table.get(index).map_or(wire_bytes, offset_of);
    begin..table.get(index + 1).map_or(wire_bytes, offset_of)
}

/// Rows whose offsets are outside the record are passed over: only damage makes them.
fn rows_of<'t>(
    part: &'t [[u8; ROW_BYTES]],
    table: &'t [[u8; ROW_BYTES]],
    wire: &'t [u8],
    first: usize,
) -> impl Iterator<Item = Row<'t>> {
    part.iter().enumerate().filter_map(move |(index, row)| {
        let wire = wire_of(table, wire, first + index)?;
        Some(Row { attribute: attribute_of(row), wire })
    })
}

/// Puts a place into a record that was built before its place was known.
pub fn settle(record: &mut [u8], parent: EntryId, flags: EntryFlags) -> Result<(), Fault> {
    let short = || damaged("an entry record is too short");
    *record.get_mut(1).ok_or_else(short)? = flags.to_byte();
    let field = record.get_mut(PARENT).ok_or_else(short)?;
    field.copy_from_slice(&parent.0.to_le_bytes());
    Ok(())
}

/// The description in a `PartialAttribute`, as it is sent.
pub fn description(wire: &[u8]) -> &[u8] {
    partial_attribute(wire).map_or(&[], |(description, _)| description)
}

/// The values of a `PartialAttribute`. Ends early where the bytes are damaged.
pub fn values(wire: &[u8]) -> Values<'_> {
    Values { rest: partial_attribute(wire).map_or(&[], |(_, values)| values) }
}

#[derive(Clone, Debug)]
pub struct Values<'t> {
    rest: &'t [u8],
}

impl<'t> Iterator for Values<'t> {
    type Item = &'t [u8];

    fn next(&mut self) -> Option<&'t [u8]> {
        let (value, rest) = take(self.rest, OCTET_STRING)?;
        self.rest = rest;
        Some(value)
    }
}

/// The description and the contents of the set of values.
fn partial_attribute(wire: &[u8]) -> Option<(&[u8], &[u8])> {
    let (contents, _) = take(wire, SEQUENCE)?;
    let (description, rest) = take(contents, OCTET_STRING)?;
    let (values, _) = take(rest, SET)?;
    Some((description, values))
}

/// Takes one element of this tag off the front: its contents and what is behind it.
fn take(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&[found, first], rest) = bytes.split_first_chunk::<2>()?;
    if found != tag {
        return None;
    }
    if first < 0x80 {
        return rest.split_at_checked(usize::from(first));
    }
    let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
    if digits.is_empty() || digits.len() > 4 {
        return None;
    }
    let length = digits.iter().fold(0, |length, &digit| length << 8 | usize::from(digit));
    rest.split_at_checked(length)
}

fn verify_partial_attribute(wire: &[u8]) -> Result<(), &'static str> {
    let broken = "an attribute is not a whole PartialAttribute";
    let (contents, behind) = take(wire, SEQUENCE).ok_or(broken)?;
    let (description, rest) = take(contents, OCTET_STRING).ok_or(broken)?;
    let (set, after) = take(rest, SET).ok_or(broken)?;
    if !behind.is_empty() || !after.is_empty() || description.is_empty() {
        return Err(broken);
    }
    let mut values = Values { rest: set };
    let mut seen: Vec<&[u8]> = values.by_ref().collect();
    if !values.rest.is_empty() {
        return Err(broken);
    }
    if seen.is_empty() {
        return Err("an attribute has no value");
    }
    seen.sort_unstable();
    match seen.is_sorted_by(|a, b| a < b) {
        true => Ok(()),
        false => Err("an attribute has the same value twice"),
    }
}

/// The entry does not fit the record's fields. Limits elsewhere refuse such entries earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the entry is too large to be stored: at most 65535 attributes, 65535 bytes of RDN, 4 GiB")]
pub struct TooLarge;

/// Builds an entry record from values. User and operational attributes may come in any order;
/// within each kind their order is kept.
#[derive(Clone, Debug)]
pub struct EntryBuilder<'a> {
    parent: EntryId,
    rdn: &'a str,
    flags: EntryFlags,
    user: Part,
    operational: Part,
}

#[derive(Clone, Debug, Default)]
struct Part {
    rows: Vec<(AttributeId, usize)>,
    wire: Vec<u8>,
}

impl Part {
    fn push<V: AsRef<[u8]>>(
        &mut self,
        id: AttributeId,
        description: &str,
        values: impl IntoIterator<Item = V, IntoIter: Clone>,
    ) {
        self.rows.push((id, self.wire.len()));
        write_partial_attribute(description, values, &mut self.wire);
    }

    fn push_wire(&mut self, id: AttributeId, wire: &[u8]) {
        self.rows.push((id, self.wire.len()));
        self.wire.extend_from_slice(wire);
    }
}

impl<'a> EntryBuilder<'a> {
    pub fn new(parent: EntryId, rdn: &'a str) -> EntryBuilder<'a> {
        let (user, operational) = (Part::default(), Part::default());
        EntryBuilder { parent, rdn, flags: EntryFlags::default(), user, operational }
    }

    pub fn flags(mut self, flags: EntryFlags) -> Self {
        self.flags = flags;
        self
    }

    /// Makes room for about this much beforehand.
    pub fn reserve(&mut self, rows: usize, wire_bytes: usize) {
        self.user.rows.reserve(rows);
        self.user.wire.reserve(wire_bytes);
        self.operational.rows.reserve(rows.min(8));
    }

    pub fn set_flags(&mut self, flags: EntryFlags) {
        self.flags = flags;
    }

    /// Adds a user attribute with its values, at least one.
    pub fn user<V: AsRef<[u8]>>(
        &mut self,
        id: AttributeId,
        description: &str,
        values: impl IntoIterator<Item = V, IntoIter: Clone>,
    ) -> &mut Self {
        self.user.push(id, description, values);
        self
    }

    /// Adds an operational attribute with its values, at least one.
    pub fn operational<V: AsRef<[u8]>>(
        &mut self,
        id: AttributeId,
        description: &str,
        values: impl IntoIterator<Item = V, IntoIter: Clone>,
    ) -> &mut Self {
        self.operational.push(id, description, values);
        self
    }

    /// Adds a user attribute that is unchanged from another record: its whole `PartialAttribute`.
    pub fn user_wire(&mut self, id: AttributeId, wire: &[u8]) -> &mut Self {
        self.user.push_wire(id, wire);
        self
    }

    /// Adds an operational attribute that is unchanged from another record.
    pub fn operational_wire(&mut self, id: AttributeId, wire: &[u8]) -> &mut Self {
        self.operational.push_wire(id, wire);
        self
    }

    pub fn build(&self) -> Result<Vec<u8>, TooLarge> {
        let EntryBuilder { parent, rdn, flags, user, operational } = self;
        let rows = count(user.rows.len() + operational.rows.len())?;
        let wire_bytes = user.wire.len() + operational.wire.len();
        let mut record = Vec::with_capacity(20 + rdn.len() + usize::from(rows) * 8 + wire_bytes);
        record.extend_from_slice(&[VERSION, flags.to_byte()]);
        record.extend_from_slice(&rows.to_le_bytes());
        record.extend_from_slice(&count(user.rows.len())?.to_le_bytes());
        record.extend_from_slice(&count(rdn.len())?.to_le_bytes());
        record.extend_from_slice(&parent.0.to_le_bytes());
        record.extend_from_slice(&u32::try_from(wire_bytes).map_err(|_| TooLarge)?.to_le_bytes());
        record.extend_from_slice(rdn.as_bytes());
        write_table(&user.rows, 0, &mut record);
        write_table(&operational.rows, user.wire.len(), &mut record);
        record.extend_from_slice(&user.wire);
        record.extend_from_slice(&operational.wire);
        Ok(record)
    }
}

fn count(number: usize) -> Result<u16, TooLarge> {
    u16::try_from(number).map_err(|_| TooLarge)
}

/// The offsets fit: the length of the whole has been checked.
fn write_table(rows: &[(AttributeId, usize)], base: usize, record: &mut Vec<u8>) {
    for (id, offset) in rows {
        record.extend_from_slice(&id.0.to_le_bytes());
        record.extend_from_slice(&((base + offset) as u32).to_le_bytes());
    }
}

/// Appends a whole `PartialAttribute`.
pub fn write_partial_attribute<V: AsRef<[u8]>>(
    description: &str,
    values: impl IntoIterator<Item = V, IntoIter: Clone>,
    out: &mut Vec<u8>,
) {
    let values = values.into_iter();
    let set: usize = values.clone().map(|value| element_bytes(value.as_ref().len())).sum();
    let contents = element_bytes(description.len()) + element_bytes(set);
    write_header(SEQUENCE, contents, out);
    write_header(OCTET_STRING, description.len(), out);
    out.extend_from_slice(description.as_bytes());
    write_header(SET, set, out);
    for value in values {
        write_header(OCTET_STRING, value.as_ref().len(), out);
        out.extend_from_slice(value.as_ref());
    }
}

fn length_digits(length: usize) -> usize {
    match length {
        0..0x80 => 0,
        0x80..0x100 => 1,
        0x100..0x1_0000 => 2,
        0x1_0000..0x100_0000 => 3,
        _ => 4,
    }
}

fn element_bytes(length: usize) -> usize {
    2 + length_digits(length) + length
}

/// Lengths are written in the fewest bytes. More than four cannot be: records are below 4 GiB.
fn write_header(tag: u8, length: usize, out: &mut Vec<u8>) {
    let digits = length_digits(length);
    out.push(tag);
    if digits == 0 {
        return out.push(length as u8);
    }
    out.push(0x80 | digits as u8);
    let bytes = (length as u32).to_be_bytes();
    out.extend_from_slice(bytes.get(4 - digits..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    #[test]
    fn a_record_gives_back_what_was_put_in() {
        let mut builder = EntryBuilder::new(EntryId(7), "cn=Ada");
        builder.user(AttributeId(2), "cn", ["Ada"]).operational(AttributeId(9), "entryUUID", ["u"]);
        builder.user(AttributeId(3), "sn", ["Lovelace", "King"]);
        let bytes =
            builder.flags(EntryFlags { has_links: true, has_loose: false }).build().unwrap();
        let record = EntryRecord::parse(&bytes).unwrap();
        assert_eq!((record.parent(), record.rdn()), (EntryId(7), "cn=Ada"));
        assert!(record.flags().has_links && !record.flags().has_loose);
        assert_eq!(record.rows().map(|row| row.attribute.0).collect::<Vec<_>>(), [2, 3, 9]);
        assert_eq!(record.user_rows().map(|row| row.attribute.0).collect::<Vec<_>>(), [2, 3]);
        assert_eq!(record.operational_rows().map(|row| row.attribute.0).collect::<Vec<_>>(), [9]);
        assert_eq!(record.values(AttributeId(3)).collect::<Vec<_>>(), [&b"Lovelace"[..], b"King"]);
        assert_eq!(record.values(AttributeId(4)).count(), 0);
        assert_eq!(record.user_wire()[..10], *b"0\x0b\x04\x02cn1\x05\x04\x03");
        assert!(record.operational_wire().ends_with(b"u"));
        assert_eq!(record.rows().next().unwrap().description(), b"cn");
        assert_eq!(record.verify(), Ok(()));
    }

    #[test]
    fn damage_is_refused_or_named() {
        let mut builder = EntryBuilder::new(EntryId(1), "cn=a");
        let bytes = builder.user(AttributeId(1), "cn", ["a"]).build().unwrap();
        for end in 0..bytes.len() {
            assert!(EntryRecord::parse(&bytes[..end]).is_err(), "{end}");
        }
        assert!(EntryRecord::parse(&[bytes.clone(), vec![0]].concat()).is_err());
        let mut version = bytes.clone();
        version[0] = 2;
        assert!(EntryRecord::parse(&version).is_err());
        for (values, wrong) in [(vec!["a", "a"], "the same value twice"), (vec![], "has no value")]
        {
            let mut builder = EntryBuilder::new(EntryId(1), "cn=a");
            let bytes = builder.user(AttributeId(1), "cn", values).build().unwrap();
            let found = EntryRecord::parse(&bytes).unwrap().verify().unwrap_err();
            assert!(found.contains(wrong), "{found}");
        }
    }

    #[test]
    fn too_large_entries_do_not_build() {
        let rdn = "x".repeat(65536);
        assert_eq!(EntryBuilder::new(EntryId(1), &rdn).build(), Err(TooLarge));
    }

    proptest! {
        #[test]
        fn values_of_all_lengths(
            lengths in vec(prop_oneof![0usize..300, 65_000usize..66_000], 1..5),
        ) {
            let values: Vec<Vec<u8>> = lengths.iter().map(|&length| vec![5; length]).collect();
            let mut builder = EntryBuilder::new(EntryId(1), "cn=a");
            builder.user(AttributeId(1), "description", &values);
            let bytes = builder.operational(AttributeId(2), "x", &values).build().unwrap();
            let record = EntryRecord::parse(&bytes).unwrap();
            for id in [1, 2] {
                prop_assert!(record.values(AttributeId(id)).eq(values.iter().map(Vec::as_slice)));
            }
        }

        #[test]
        fn any_bytes_are_read_without_panic(
            bytes in vec(any::<u8>(), 0..200), at in 0usize..60, to: u8
        ) {
            let mut builder = EntryBuilder::new(EntryId(1), "cn=a");
            builder.user(AttributeId(1), "cn", ["a", "b"]);
            let mut built = builder.operational(AttributeId(2), "x", ["c"]).build().unwrap();
            if let Some(byte) = built.get_mut(at) { *byte = to; }
            for bytes in [bytes, built] {
                let Ok(record) = EntryRecord::parse(&bytes) else { continue };
                let _ = record.verify();
                let _ = (record.user_wire(), record.operational_wire());
                let _ = record.rows().map(|row| row.values().count()).sum::<usize>();
                let _ = record.operational_rows().chain(record.user_rows()).count();
            }
        }
    }
}
