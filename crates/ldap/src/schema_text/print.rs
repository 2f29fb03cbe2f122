//! Descriptions printed in the order and form of RFC 4512 §4.1, as clients of the subschema read.

use std::fmt::{Display, Formatter, Result, Write};

use super::*;

impl Display for AttributeTypeDescription {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        begin(out, &self.oid, &self.names, self.description.as_deref(), self.obsolete)?;
        word(out, "SUP", self.superior.as_deref())?;
        word(out, "EQUALITY", self.equality.as_deref())?;
        word(out, "ORDERING", self.ordering.as_deref())?;
        word(out, "SUBSTR", self.substring.as_deref())?;
        word(out, "SYNTAX", self.syntax.as_deref())?;
        if let (Some(length), Some(_)) = (self.length, &self.syntax) {
            write!(out, "{{{length}}}")?;
        }
        flag(out, "SINGLE-VALUE", self.single_value)?;
        flag(out, "COLLECTIVE", self.collective)?;
        flag(out, "NO-USER-MODIFICATION", self.no_user_modification)?;
        if self.usage != Usage::default() {
            word(out, "USAGE", Some(self.usage.name()))?;
        }
        end(out, &self.extensions)
    }
}

impl Display for ObjectClassDescription {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        begin(out, &self.oid, &self.names, self.description.as_deref(), self.obsolete)?;
        oids(out, "SUP", &self.superiors)?;
        match self.kind {
            ClassKind::Abstract => out.write_str(" ABSTRACT")?,
            // The default, and yet always written: readers that guess guess wrong.
            ClassKind::Structural => out.write_str(" STRUCTURAL")?,
            ClassKind::Auxiliary => out.write_str(" AUXILIARY")?,
        }
        oids(out, "MUST", &self.must)?;
        oids(out, "MAY", &self.may)?;
        end(out, &self.extensions)
    }
}

impl Display for MatchingRuleDescription {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        begin(out, &self.oid, &self.names, self.description.as_deref(), self.obsolete)?;
        word(out, "SYNTAX", Some(&self.syntax))?;
        end(out, &self.extensions)
    }
}

impl Display for MatchingRuleUseDescription {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        begin(out, &self.oid, &self.names, self.description.as_deref(), self.obsolete)?;
        oids(out, "APPLIES", &self.applies)?;
        end(out, &self.extensions)
    }
}

impl Display for SyntaxDescription {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        begin(out, &self.oid, &[], self.description.as_deref(), false)?;
        end(out, &self.extensions)
    }
}

fn begin(
    out: &mut Formatter<'_>,
    oid: &str,
    names: &[String],
    description: Option<&str>,
    obsolete: bool,
) -> Result {
    write!(out, "( {oid}")?;
    quoted_list(out, "NAME", names)?;
    if let Some(text) = description {
        out.write_str(" DESC ")?;
        quoted(out, text)?;
    }
    flag(out, "OBSOLETE", obsolete)
}

fn end(out: &mut Formatter<'_>, extensions: &Extensions) -> Result {
    for (name, values) in extensions {
        match values.as_slice() {
            [] => write!(out, " {name} ( )")?,
            values => quoted_list(out, name, values)?,
        }
    }
    out.write_str(" )")
}

fn flag(out: &mut Formatter<'_>, keyword: &str, set: bool) -> Result {
    if set { write!(out, " {keyword}") } else { Ok(()) }
}

fn word(out: &mut Formatter<'_>, keyword: &str, value: Option<&str>) -> Result {
    value.map_or(Ok(()), |value| write!(out, " {keyword} {value}"))
}

fn oids(out: &mut Formatter<'_>, keyword: &str, oids: &[String]) -> Result {
    match oids {
        [] => Ok(()),
        [one] => write!(out, " {keyword} {one}"),
        many => write!(out, " {keyword} ( {} )", many.join(" $ ")),
    }
}

fn quoted_list(out: &mut Formatter<'_>, keyword: &str, values: &[String]) -> Result {
    match values {
        [] => Ok(()),
        [one] => {
            write!(out, " {keyword} ")?;
            quoted(out, one)
        }
        many => {
            write!(out, " {keyword} (")?;
            for value in many {
                out.write_char(' ')?;
                quoted(out, value)?;
            }
            out.write_str(" )")
        }
    }
}

/// RFC 4512 `qdstring`.
fn quoted(out: &mut Formatter<'_>, text: &str) -> Result {
    out.write_char('\'')?;
    for sign in text.chars() {
        match sign {
            '\'' => out.write_str("\\27")?,
            '\\' => out.write_str("\\5C")?,
            _ => out.write_char(sign)?,
        }
    }
    out.write_char('\'')
}
