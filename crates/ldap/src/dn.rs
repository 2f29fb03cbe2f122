//! Distinguished names as text (RFC 4514): parsing, printing, taking apart. Comparing names needs
//! the schema and is done in `directory`.

/// A name, leaf first, as it is written. The empty name is the root DSE's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Dn {
    pub rdns: Vec<Rdn>,
}

/// One or more attribute values that together name an entry among its siblings.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rdn {
    pub values: Vec<AttributeValue>,
}

/// `type=value`. The value is the decoded one: no escapes; `#hex` values hold the BER's content.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AttributeValue {
    pub attribute: String,
    pub value: Vec<u8>,
}
