//! Filters from and to text (RFC 4515).

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use super::{Assertion, Extensible, Filter, Substrings};
use crate::message::DecodeLimits;
use crate::message::decode::is_description;

/// Why a text is not a filter, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FilterSyntaxError {
    /// In bytes, from the beginning of the text.
    pub offset: usize,
    /// A sentence.
    pub what: &'static str,
}

impl fmt::Display for FilterSyntaxError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} (at byte {})", self.what, self.offset)
    }
}

impl std::error::Error for FilterSyntaxError {}

type Parsed<T> = Result<T, FilterSyntaxError>;

impl<'a> Filter<'a> {
    /// Parses one filter, parentheses included. Its depth and size are limited as on the wire.
    pub fn parse(text: &'a str, limits: &DecodeLimits) -> Result<Filter<'a>, FilterSyntaxError> {
        let mut parser = Parser {
            text,
            at: 0,
            depth_left: limits.filter_depth_max,
            nodes_left: limits.filter_nodes_max,
        };
        let filter = parser.filter()?;
        if parser.at < text.len() {
            return parser.fail("text follows the end of the filter");
        }
        Ok(filter)
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth_left: usize,
    nodes_left: usize,
}

impl<'a> Parser<'a> {
    fn fail<T>(&self, what: &'static str) -> Parsed<T> {
        Err(FilterSyntaxError { offset: self.at, what })
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.rest().bytes().next()
    }

    fn take(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    /// Takes everything up to the first byte for which `stop` holds.
    fn until(&mut self, stop: impl Fn(u8) -> bool) -> &'a str {
        let rest = self.rest();
        let length = rest.bytes().position(stop).unwrap_or(rest.len());
        self.at += length;
        rest.get(..length).unwrap_or_default()
    }

    fn spend(&mut self) -> Parsed<()> {
        match self.nodes_left.checked_sub(1) {
            Some(left) => {
                self.nodes_left = left;
                Ok(())
            }
            None => self.fail("the filter has more parts than are allowed"),
        }
    }

    /// `filter = LPAREN filtercomp RPAREN`
    fn filter(&mut self) -> Parsed<Filter<'a>> {
        if self.depth_left == 0 {
            return self.fail("filters are nested deeper than is allowed");
        }
        self.spend()?;
        if !self.take("(") {
            return self.fail("a filter must begin with '('");
        }
        self.depth_left -= 1;
        let filter = match self.peek() {
            Some(b'&') => Filter::And(self.list()?),
            Some(b'|') => Filter::Or(self.list()?),
            Some(b'!') => {
                self.at += 1;
                Filter::Not(Box::new(self.filter()?))
            }
            _ => self.item()?,
        };
        self.depth_left += 1;
        if !self.take(")") {
            return self.fail("a filter must end with ')'");
        }
        Ok(filter)
    }

    /// `filterlist = *filter` (RFC 4526), after the operator.
    fn list(&mut self) -> Parsed<Vec<Filter<'a>>> {
        self.at += 1;
        let mut filters = Vec::new();
        while self.peek() == Some(b'(') {
            filters.push(self.filter()?);
        }
        Ok(filters)
    }

    /// `item = simple / present / substring / extensible`
    fn item(&mut self) -> Parsed<Filter<'a>> {
        let start = self.at;
        let attribute = self.until(|byte| b"=~<>:()".contains(&byte));
        if self.peek() == Some(b':') {
            return self.extensible(attribute, start);
        }
        check_description(attribute, start)?;
        if self.take("=") {
            return self.equality_like(attribute);
        }
        let make = match self.peek() {
            Some(b'~') => Filter::Approx,
            Some(b'>') => Filter::GreaterOrEqual,
            Some(b'<') => Filter::LessOrEqual,
            _ => return self.fail("an attribute must be followed by '=', '~=', '>=', '<=' or ':'"),
        };
        self.at += 1;
        if !self.take("=") {
            return self.fail("'~', '>' and '<' must be followed by '='");
        }
        Ok(make(Assertion { attribute, value: self.value()? }))
    }

    /// What may follow `attribute=`: a value, `*`, or pieces with `*` between.
    fn equality_like(&mut self, attribute: &'a str) -> Parsed<Filter<'a>> {
        let first = self.piece()?;
        match self.peek() {
            Some(b'*') => {}
            _ => return Ok(Filter::Equality(Assertion { attribute, value: first })),
        }
        self.at += 1;
        if first.is_empty() && matches!(self.peek(), Some(b')') | None) {
            return Ok(Filter::Present(attribute));
        }
        let initial = Some(first).filter(|piece| !piece.is_empty());
        let mut substrings = Substrings { attribute, initial, any: Vec::new(), last: None };
        loop {
            let at = self.at;
            let piece = self.piece()?;
            self.spend()?;
            let more = self.take("*");
            match (piece.is_empty(), more) {
                (true, true) => {
                    let what = "two '*' must have something between them";
                    return Err(FilterSyntaxError { offset: at, what });
                }
                (false, true) => substrings.any.push(piece),
                (empty, false) => {
                    substrings.last = Some(piece).filter(|_| !empty);
                    return Ok(Filter::Substrings(substrings));
                }
            }
        }
    }

    /// ```text
    /// extensible = ( attr [dnattrs] [matchingrule] COLON EQUALS assertionvalue )
    ///            / ( [dnattrs] matchingrule COLON EQUALS assertionvalue )
    /// ```
    fn extensible(&mut self, attribute: &'a str, start: usize) -> Parsed<Filter<'a>> {
        let attribute = Some(attribute).filter(|attribute| !attribute.is_empty());
        if let Some(attribute) = attribute {
            check_description(attribute, start)?;
        }
        let (mut rule, mut dn_attributes) = (None, false);
        while !self.take(":=") {
            if !self.take(":") {
                return self.fail("an extensible match must have ':=' before its value");
            }
            let at = self.at;
            let name = self.until(|byte| b":=()".contains(&byte));
            check_description(name, at)?;
            if rule.is_none() && !dn_attributes && name.eq_ignore_ascii_case("dn") {
                dn_attributes = true;
            } else if rule.replace(name).is_some() {
                let what = "an extensible match must have one matching rule";
                return Err(FilterSyntaxError { offset: at, what });
            }
        }
        if attribute.is_none() && rule.is_none() {
            return self.fail("an extensible match must have an attribute or a matching rule");
        }
        let value = self.value()?;
        Ok(Filter::Extensible(Extensible { rule, attribute, value, dn_attributes }))
    }

    /// A value in which `*` has no meaning and must be escaped.
    fn value(&mut self) -> Parsed<Cow<'a, [u8]>> {
        let value = self.piece()?;
        if self.peek() == Some(b'*') {
            return self.fail("'*' must be written as '\\2a' here");
        }
        Ok(value)
    }

    /// `assertionvalue`, up to a `*` or the closing parenthesis.
    fn piece(&mut self) -> Parsed<Cow<'a, [u8]>> {
        let plain = self.until(|byte| b"*()\\\0".contains(&byte)).as_bytes();
        if self.peek() != Some(b'\\') {
            self.end_of_piece()?;
            return Ok(Cow::Borrowed(plain));
        }
        let mut value = plain.to_vec();
        while self.peek() == Some(b'\\') {
            value.push(self.escape()?);
            value.extend_from_slice(self.until(|byte| b"*()\\\0".contains(&byte)).as_bytes());
        }
        self.end_of_piece()?;
        Ok(Cow::Owned(value))
    }

    fn end_of_piece(&self) -> Parsed<()> {
        match self.peek() {
            Some(b'(') => self.fail("'(' in a value must be written as '\\28'"),
            Some(0) => self.fail("a zero byte in a value must be written as '\\00'"),
            _ => Ok(()),
        }
    }

    /// `escaped = ESC HEX HEX`
    fn escape(&mut self) -> Parsed<u8> {
        let digits = self.rest().as_bytes().get(1..3).and_then(|pair| match pair {
            [high, low] => Some(hex_digit(*high)? << 4 | hex_digit(*low)?),
            _ => None,
        });
        match digits {
            Some(octet) => {
                self.at += 3;
                Ok(octet)
            }
            None => self.fail("'\\' must be followed by two hexadecimal digits"),
        }
    }
}

fn hex_digit(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

fn check_description(text: &str, offset: usize) -> Parsed<()> {
    if is_description(text) {
        return Ok(());
    }
    let what = if text.is_empty() {
        "an attribute or matching rule must be named here"
    } else {
        "the name of an attribute or matching rule has a character that none may have"
    };
    Err(FilterSyntaxError { offset, what })
}

/// RFC 4515 text that [`Filter::parse`] reads back.
impl fmt::Display for Filter<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_char('(')?;
        match self {
            Filter::And(filters) => print_list(out, '&', filters)?,
            Filter::Or(filters) => print_list(out, '|', filters)?,
            Filter::Not(filter) => write!(out, "!{filter}")?,
            Filter::Equality(assertion) => print_assertion(out, "=", assertion)?,
            Filter::Substrings(substrings) => print_substrings(out, substrings)?,
            Filter::GreaterOrEqual(assertion) => print_assertion(out, ">=", assertion)?,
            Filter::LessOrEqual(assertion) => print_assertion(out, "<=", assertion)?,
            Filter::Present(attribute) => write!(out, "{attribute}=*")?,
            Filter::Approx(assertion) => print_assertion(out, "~=", assertion)?,
            Filter::Extensible(extensible) => print_extensible(out, extensible)?,
        }
        out.write_char(')')
    }
}

fn print_list(out: &mut fmt::Formatter<'_>, operator: char, filters: &[Filter<'_>]) -> fmt::Result {
    out.write_char(operator)?;
    filters.iter().try_for_each(|filter| write!(out, "{filter}"))
}

fn print_assertion(
    out: &mut fmt::Formatter<'_>,
    operator: &str,
    assertion: &Assertion<'_>,
) -> fmt::Result {
    write!(out, "{}{operator}", assertion.attribute)?;
    print_value(out, &assertion.value)
}

fn print_substrings(out: &mut fmt::Formatter<'_>, substrings: &Substrings<'_>) -> fmt::Result {
    write!(out, "{}=", substrings.attribute)?;
    print_value(out, substrings.initial.as_deref().unwrap_or_default())?;
    out.write_char('*')?;
    for any in &substrings.any {
        print_value(out, any)?;
        out.write_char('*')?;
    }
    print_value(out, substrings.last.as_deref().unwrap_or_default())
}

fn print_extensible(out: &mut fmt::Formatter<'_>, extensible: &Extensible<'_>) -> fmt::Result {
    out.write_str(extensible.attribute.unwrap_or_default())?;
    if extensible.dn_attributes {
        out.write_str(":dn")?;
    }
    if let Some(rule) = extensible.rule {
        write!(out, ":{rule}")?;
    }
    out.write_str(":=")?;
    print_value(out, &extensible.value)
}

/// Escapes what RFC 4515 §3 says must be, every octet that is not UTF-8, and control characters,
/// so that a printed filter stays on its line.
fn print_value(out: &mut fmt::Formatter<'_>, value: &[u8]) -> fmt::Result {
    for chunk in value.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '*' | '(' | ')' | '\\' | '\0'..='\x1f' | '\x7f' => {
                    write!(out, "\\{:02x}", u32::from(character))?;
                }
                _ => out.write_char(character)?,
            }
        }
        for octet in chunk.invalid() {
            write!(out, "\\{octet:02x}")?;
        }
    }
    Ok(())
}
