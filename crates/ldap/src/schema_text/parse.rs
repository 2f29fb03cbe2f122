//! Descriptions read from text: one loop for all kinds, and what is particular to each kind.
//! Fields may come in any order, as OpenLDAP and 389 DS accept them.

use super::macros::Macros;
use super::tokens::{Parsed, TokenKind, Tokens, fail};
use super::*;

macro_rules! parsed_from_text {
    ($($kind:ty),* $(,)?) => {$(
        impl $kind {
            /// Reads `( oid … )`.
            pub fn parse(text: &str) -> Result<Self, SchemaSyntaxError> {
                description(text, &Macros::NONE)
            }
        }
    )*};
}

parsed_from_text!(
    AttributeTypeDescription,
    ObjectClassDescription,
    MatchingRuleDescription,
    MatchingRuleUseDescription,
    SyntaxDescription,
);

/// What differs from one kind of description to the next.
pub(super) trait Description: Default {
    const WHAT: &'static str;
    fn set_oid(&mut self, oid: String);
    fn extensions(&mut self) -> &mut Extensions;
    /// Reads the value of `keyword` (in capitals); `false` if this kind has no such field.
    fn field(&mut self, keyword: &str, tokens: &mut Tokens<'_>) -> Parsed<bool>;
    /// The field that must be there and is not.
    fn missing(&self) -> Option<&'static str> {
        None
    }
}

pub(super) fn description<T: Description>(text: &str, macros: &Macros) -> Parsed<T> {
    if text.len() > MAX_DESCRIPTION_BYTES {
        return fail(
            MAX_DESCRIPTION_BYTES,
            format!("a description may be {MAX_DESCRIPTION_BYTES} bytes at most"),
        );
    }
    let mut tokens = Tokens::new(text, macros);
    tokens.expect(TokenKind::Open, "a description begins with `(`")?;
    let mut parsed = T::default();
    parsed.set_oid(tokens.defined_oid("the OID after `(`")?);
    fields(&mut parsed, &mut tokens)?;
    tokens.expect(TokenKind::End, "nothing may follow the closing `)`")?;
    match parsed.missing() {
        Some(field) => fail(text.len(), format!("{} needs {field}", T::WHAT)),
        None => Ok(parsed),
    }
}

fn fields<T: Description>(parsed: &mut T, tokens: &mut Tokens<'_>) -> Parsed<()> {
    let mut seen: Vec<String> = Vec::new();
    loop {
        let token = tokens.next()?;
        let keyword = match token.kind {
            TokenKind::Close => return Ok(()),
            TokenKind::Word(word) => word.to_ascii_uppercase(),
            TokenKind::End => return fail(token.offset, "the closing `)` is missing"),
            _ => return fail(token.offset, "a keyword such as NAME or DESC must stand here"),
        };
        if keyword.starts_with("X-") {
            let TokenKind::Word(written) = token.kind else { continue };
            let values = tokens.strings(written)?;
            parsed.extensions().push((written.to_owned(), values));
            continue;
        }
        if seen.contains(&keyword) {
            return fail(token.offset, format!("{keyword} is given twice"));
        }
        if !parsed.field(&keyword, tokens)? {
            return fail(token.offset, format!("`{keyword}` is not a field of {}", T::WHAT));
        }
        seen.push(keyword);
    }
}

impl Description for AttributeTypeDescription {
    const WHAT: &'static str = "an attribute type";

    fn set_oid(&mut self, oid: String) {
        self.oid = oid;
    }

    fn extensions(&mut self) -> &mut Extensions {
        &mut self.extensions
    }

    fn field(&mut self, keyword: &str, tokens: &mut Tokens<'_>) -> Parsed<bool> {
        match keyword {
            "NAME" => self.names = tokens.names()?,
            "DESC" => self.description = Some(tokens.string(keyword)?),
            "OBSOLETE" => self.obsolete = true,
            "SUP" => self.superior = Some(tokens.oid(keyword)?),
            "EQUALITY" => self.equality = Some(tokens.oid(keyword)?),
            "ORDERING" => self.ordering = Some(tokens.oid(keyword)?),
            "SUBSTR" => self.substring = Some(tokens.oid(keyword)?),
            "SYNTAX" => {
                let (syntax, length) = tokens.syntax()?;
                (self.syntax, self.length) = (Some(syntax), length);
            }
            "SINGLE-VALUE" => self.single_value = true,
            "COLLECTIVE" => self.collective = true,
            "NO-USER-MODIFICATION" => self.no_user_modification = true,
            "USAGE" => self.usage = usage(tokens)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// RFC 4512 §4.1.2: "Each attribute type description must contain at least one of the SUP or
    /// SYNTAX fields."
    fn missing(&self) -> Option<&'static str> {
        (self.superior.is_none() && self.syntax.is_none()).then_some("SUP or SYNTAX")
    }
}

fn usage(tokens: &mut Tokens<'_>) -> Parsed<Usage> {
    let token = tokens.word("USAGE")?;
    let TokenKind::Word(word) = token.kind else { return Ok(Usage::default()) };
    let known = Usage::ALL.into_iter().find(|usage| usage.name().eq_ignore_ascii_case(word));
    match known {
        Some(usage) => Ok(usage),
        None => fail(
            token.offset,
            format!(
                "USAGE is userApplications, directoryOperation, distributedOperation or \
                 dSAOperation, not `{word}`"
            ),
        ),
    }
}

impl Description for ObjectClassDescription {
    const WHAT: &'static str = "an object class";

    fn set_oid(&mut self, oid: String) {
        self.oid = oid;
    }

    fn extensions(&mut self) -> &mut Extensions {
        &mut self.extensions
    }

    fn field(&mut self, keyword: &str, tokens: &mut Tokens<'_>) -> Parsed<bool> {
        match keyword {
            "NAME" => self.names = tokens.names()?,
            "DESC" => self.description = Some(tokens.string(keyword)?),
            "OBSOLETE" => self.obsolete = true,
            "SUP" => self.superiors = tokens.oids(keyword)?,
            "ABSTRACT" => self.kind = ClassKind::Abstract,
            "STRUCTURAL" => self.kind = ClassKind::Structural,
            "AUXILIARY" => self.kind = ClassKind::Auxiliary,
            "MUST" => self.must = tokens.oids(keyword)?,
            "MAY" => self.may = tokens.oids(keyword)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl Description for MatchingRuleDescription {
    const WHAT: &'static str = "a matching rule";

    fn set_oid(&mut self, oid: String) {
        self.oid = oid;
    }

    fn extensions(&mut self) -> &mut Extensions {
        &mut self.extensions
    }

    fn field(&mut self, keyword: &str, tokens: &mut Tokens<'_>) -> Parsed<bool> {
        match keyword {
            "NAME" => self.names = tokens.names()?,
            "DESC" => self.description = Some(tokens.string(keyword)?),
            "OBSOLETE" => self.obsolete = true,
            "SYNTAX" => self.syntax = tokens.defined_oid(keyword)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn missing(&self) -> Option<&'static str> {
        self.syntax.is_empty().then_some("SYNTAX")
    }
}

impl Description for MatchingRuleUseDescription {
    const WHAT: &'static str = "a matching rule use";

    fn set_oid(&mut self, oid: String) {
        self.oid = oid;
    }

    fn extensions(&mut self) -> &mut Extensions {
        &mut self.extensions
    }

    fn field(&mut self, keyword: &str, tokens: &mut Tokens<'_>) -> Parsed<bool> {
        match keyword {
            "NAME" => self.names = tokens.names()?,
            "DESC" => self.description = Some(tokens.string(keyword)?),
            "OBSOLETE" => self.obsolete = true,
            "APPLIES" => self.applies = tokens.oids(keyword)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn missing(&self) -> Option<&'static str> {
        self.applies.is_empty().then_some("APPLIES")
    }
}

impl Description for SyntaxDescription {
    const WHAT: &'static str = "a syntax";

    fn set_oid(&mut self, oid: String) {
        self.oid = oid;
    }

    fn extensions(&mut self) -> &mut Extensions {
        &mut self.extensions
    }

    fn field(&mut self, keyword: &str, tokens: &mut Tokens<'_>) -> Parsed<bool> {
        match keyword {
            "DESC" => self.description = Some(tokens.string(keyword)?),
            // OpenLDAP's pmi.schema has it; RFC 4512 §4.1.5 has no place for it.
            "NAME" => drop(tokens.names()?),
            _ => return Ok(false),
        }
        Ok(true)
    }
}
