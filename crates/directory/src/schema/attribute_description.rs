//! A type with its options, as it stands in requests and entries (RFC 4512 §2.5, RFC 3866).

use std::fmt;

use super::{AttributeType, Schema};

/// An attribute type and options: lower case, sorted, each once.
#[derive(Clone, Debug)]
pub struct AttributeDescription<'s> {
    pub attribute_type: &'s AttributeType,
    pub options: Vec<String>,
}

/// Why a text does not describe an attribute.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DescriptionError {
    #[error("attribute type '{name}' is not in the schema; see attributeTypes in cn=schema")]
    UnknownType { name: String },
    #[error("'{text}' is no attribute description; right is a name or OID, as in 'cn;lang-de'")]
    Malformed { text: String },
    #[error("'{option}' is no attribute option; options are letters, digits and hyphens")]
    BadOption { option: String },
    #[error("option '{option}' is not known; known are 'binary' and language tags, 'lang-…'")]
    UnknownOption { option: String },
}

/// The most options one description may have.
pub(super) const MAX_OPTIONS: usize = 16;

impl<'s> AttributeDescription<'s> {
    pub fn parse(schema: &'s Schema, text: &str) -> Result<Self, DescriptionError> {
        let has_options = text.as_bytes().contains(&b';');
        let (name, options) = match has_options.then(|| text.split_once(';')).flatten() {
            None => (text, Vec::new()),
            Some((name, options)) => (name, parse_options(options)?),
        };
        let attribute_type = schema.attribute_type(name).ok_or_else(|| unknown(name))?;
        Ok(AttributeDescription { attribute_type, options })
    }

    /// Whether values of this description answer a request for `requested` (RFC 4512 §2.5.3): its
    /// type is the same or a subtype, and it has all of the requested options. A requested language
    /// range (`lang-de-`, RFC 3866 §2.2) is met by each language tag that begins like it. `binary`
    /// asks for a way of transfer and selects nothing (RFC 4522 §3).
    pub fn is_subtype_of(&self, requested: &AttributeDescription<'_>) -> bool {
        self.attribute_type.ancestors.contains(&requested.attribute_type.index)
            && requested.options.iter().all(|wanted| wanted == "binary" || self.has_option(wanted))
    }

    fn has_option(&self, wanted: &str) -> bool {
        let Some(range) = wanted.strip_suffix('-').filter(|_| wanted.starts_with("lang-")) else {
            return self.options.iter().any(|option| option == wanted);
        };
        // `lang-` alone is every language; `lang-de-` is `lang-de` and all below it.
        self.options.iter().any(|option| option == range || option.starts_with(wanted))
    }

    /// Whether it may stand in an entry: a language range only selects.
    pub fn is_storable(&self) -> bool {
        self.options.iter().all(|option| !option.ends_with('-'))
    }

    /// The same without `binary`: as the attribute is kept, since OpenLDAP and AD take
    /// `userCertificate` and `userCertificate;binary` for one attribute.
    pub fn without_binary(mut self) -> Self {
        self.options.retain(|option| option != "binary");
        self
    }

    /// `;binary` (RFC 4522): a request about transfer, not a part of what is named.
    pub fn is_binary(&self) -> bool {
        self.options.iter().any(|option| option == "binary")
    }
}

fn unknown(name: &str) -> DescriptionError {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    if !name.is_empty() && name.len() <= 256 && name.bytes().all(legal) {
        return DescriptionError::UnknownType { name: name.to_owned() };
    }
    DescriptionError::Malformed { text: name.chars().take(64).collect() }
}

fn parse_options(text: &str) -> Result<Vec<String>, DescriptionError> {
    let mut options = Vec::new();
    for option in text.split(';').take(MAX_OPTIONS + 1) {
        options.push(parse_option(option)?);
    }
    if options.len() > MAX_OPTIONS {
        return Err(DescriptionError::BadOption { option: text.chars().take(64).collect() });
    }
    options.sort_unstable();
    options.dedup();
    Ok(options)
}

fn parse_option(option: &str) -> Result<String, DescriptionError> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if option.is_empty() || option.len() > 64 || !option.bytes().all(legal) {
        let option = option.chars().take(64).collect();
        return Err(DescriptionError::BadOption { option });
    }
    let option = option.to_ascii_lowercase();
    // RFC 4512 §2.5.2: unrecognized options make the description unrecognized. `x-` is private use.
    let known = option == "binary" || option.starts_with("lang-") || option.starts_with("x-");
    if known { Ok(option) } else { Err(DescriptionError::UnknownOption { option }) }
}

impl fmt::Display for AttributeDescription<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.attribute_type.name)?;
        self.options.iter().try_for_each(|option| write!(out, ";{option}"))
    }
}
