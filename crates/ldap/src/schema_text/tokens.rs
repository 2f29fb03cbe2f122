//! The pieces of an RFC 4512 §4.1 description: parentheses, `$`, quoted strings, words.

use super::SchemaSyntaxError;
use super::macros::Macros;
use crate::oid::{is_descr, is_numericoid};

pub(super) type Parsed<T> = Result<T, SchemaSyntaxError>;

pub(super) fn fail<T>(offset: usize, what: impl Into<String>) -> Parsed<T> {
    Err(SchemaSyntaxError { offset, what: what.into() })
}

/// One piece, and where it began.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'a> {
    pub(super) offset: usize,
    pub(super) kind: TokenKind<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenKind<'a> {
    Open,
    Close,
    Dollar,
    /// Between `'`s, escapes still in place.
    Quoted(&'a str),
    Word(&'a str),
    End,
}

impl TokenKind<'_> {
    fn shown(self) -> String {
        match self {
            TokenKind::Open => "`(`".to_owned(),
            TokenKind::Close => "`)`".to_owned(),
            TokenKind::Dollar => "`$`".to_owned(),
            TokenKind::Quoted(text) => format!("`'{text}'`"),
            TokenKind::Word(text) => format!("`{text}`"),
            TokenKind::End => "the end".to_owned(),
        }
    }
}

pub(super) struct Tokens<'a> {
    text: &'a str,
    at: usize,
    macros: &'a Macros,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(text: &'a str, macros: &'a Macros) -> Tokens<'a> {
        Tokens { text, at: 0, macros }
    }

    pub(super) fn next(&mut self) -> Parsed<Token<'a>> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let trimmed = rest.trim_ascii_start();
        let offset = self.at + (rest.len() - trimmed.len());
        let (kind, length) = match trimmed.as_bytes().first() {
            None => (TokenKind::End, 0),
            Some(b'(') => (TokenKind::Open, 1),
            Some(b')') => (TokenKind::Close, 1),
            Some(b'$') => (TokenKind::Dollar, 1),
            Some(b'\'') => {
                let inner = trimmed.get(1..).unwrap_or_default();
                let Some((inner, _)) = inner.split_once('\'') else {
                    return fail(offset, "this `'` is never closed");
                };
                (TokenKind::Quoted(inner), inner.len() + 2)
            }
            Some(_) => {
                let word = trimmed.split([' ', '\t', '\r', '\n', '\x0c', '(', ')', '$', '\'']);
                let word = word.take(1).next().unwrap_or_default();
                (TokenKind::Word(word), word.len())
            }
        };
        self.at = offset + length;
        Ok(Token { offset, kind })
    }

    fn peek(&mut self) -> Parsed<Token<'a>> {
        let at = self.at;
        let token = self.next();
        self.at = at;
        token
    }

    pub(super) fn expect(&mut self, kind: TokenKind<'_>, why: &str) -> Parsed<()> {
        let token = self.next()?;
        if token.kind == kind {
            return Ok(());
        }
        fail(token.offset, format!("{why}, not {}", token.kind.shown()))
    }

    /// RFC 4512 `oid`: a name or numbers. Sun's and 389's exports quote it, so quotes are let be.
    pub(super) fn oid(&mut self, what: &str) -> Parsed<String> {
        let token = self.next()?;
        self.checked_oid(token, what)
    }

    fn checked_oid(&self, token: Token<'a>, what: &str) -> Parsed<String> {
        match token.kind {
            TokenKind::Word(text) | TokenKind::Quoted(text)
                if is_descr(text) || is_numericoid(text) =>
            {
                Ok(text.to_owned())
            }
            other => fail(
                token.offset,
                format!("{what} must be a name or a numeric OID, not {}", other.shown()),
            ),
        }
    }

    /// The OID a description is about, or a syntax: where `objectidentifier` macros may stand.
    pub(super) fn defined_oid(&mut self, what: &str) -> Parsed<String> {
        let token = self.next()?;
        if let TokenKind::Word(text) | TokenKind::Quoted(text) = token.kind {
            match self.macros.expand(text) {
                Ok(Some(expanded)) => return Ok(expanded),
                Ok(None) => {}
                Err(why) => return fail(token.offset, why),
            }
        }
        self.checked_oid(token, what)
    }

    /// RFC 4512 `oids`: one, or several between parentheses with `$` between them.
    pub(super) fn oids(&mut self, what: &str) -> Parsed<Vec<String>> {
        let first = self.next()?;
        if first.kind != TokenKind::Open {
            return Ok(vec![self.checked_oid(first, what)?]);
        }
        let mut oids = Vec::new();
        loop {
            let token = self.next()?;
            match token.kind {
                // Some servers leave the `$` out, or put one more than needed.
                TokenKind::Close => return Ok(oids),
                TokenKind::Dollar => {}
                _ => oids.push(self.checked_oid(token, what)?),
            }
        }
    }

    /// RFC 4512 `noidlen`: a syntax and perhaps `{length}`.
    pub(super) fn syntax(&mut self) -> Parsed<(String, Option<u32>)> {
        let token = self.next()?;
        let (TokenKind::Word(text) | TokenKind::Quoted(text)) = token.kind else {
            let shown = token.kind.shown();
            return fail(token.offset, format!("SYNTAX must be a numeric OID, not {shown}"));
        };
        let (name, length) = match text.split_once('{') {
            None => (text, None),
            Some((name, length)) => match length.strip_suffix('}').map(str::parse::<u32>) {
                Some(Ok(length)) => (name, Some(length)),
                _ => return fail(token.offset, format!("`{text}`: a length is written `{{64}}`")),
            },
        };
        match self.macros.expand(name) {
            Ok(Some(expanded)) => return Ok((expanded, length)),
            Ok(None) => {}
            Err(why) => return fail(token.offset, why),
        }
        let token = Token { offset: token.offset, kind: TokenKind::Word(name) };
        Ok((self.checked_oid(token, "SYNTAX")?, length))
    }

    /// RFC 4512 `qdescrs`: the NAME of a definition.
    pub(super) fn names(&mut self) -> Parsed<Vec<String>> {
        let first = self.next()?;
        if first.kind != TokenKind::Open {
            return Ok(vec![name(first)?]);
        }
        let mut names = Vec::new();
        loop {
            let token = self.next()?;
            match token.kind {
                TokenKind::Close => return Ok(names),
                _ => names.push(name(token)?),
            }
        }
    }

    /// RFC 4512 `qdstring`.
    pub(super) fn string(&mut self, what: &str) -> Parsed<String> {
        let token = self.next()?;
        quoted(token, what)
    }

    /// RFC 4512 `qdstrings`, the values of an extension.
    pub(super) fn strings(&mut self, what: &str) -> Parsed<Vec<String>> {
        let first = self.next()?;
        if first.kind != TokenKind::Open {
            return Ok(vec![quoted(first, what)?]);
        }
        let mut strings = Vec::new();
        while self.peek()?.kind != TokenKind::Close {
            strings.push(self.string(what)?);
        }
        self.next()?;
        Ok(strings)
    }

    /// A bare word that is not quoted, such as a USAGE.
    pub(super) fn word(&mut self, what: &str) -> Parsed<Token<'a>> {
        let token = self.next()?;
        match token.kind {
            TokenKind::Word(_) => Ok(token),
            other => fail(token.offset, format!("{what} must be a word, not {}", other.shown())),
        }
    }
}

fn name(token: Token<'_>) -> Parsed<String> {
    match token.kind {
        TokenKind::Quoted(text) | TokenKind::Word(text) if is_descr(text) => Ok(text.to_owned()),
        other => fail(
            token.offset,
            format!("a NAME is letters, digits and hyphens in `'`s, not {}", other.shown()),
        ),
    }
}

fn quoted(token: Token<'_>, what: &str) -> Parsed<String> {
    match token.kind {
        TokenKind::Quoted(text) => Ok(unescaped(text)),
        other => fail(token.offset, format!("{what} must be text in `'`s, not {}", other.shown())),
    }
}

/// RFC 4512 `dstring`: `\27` is `'` and `\5C` is `\`. Any other backslash is taken as it stands, as
/// schemas written before RFC 4512 do not escape it.
fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        let (sign, skipped) = match after.get(..2) {
            Some("27") => ('\'', 2),
            Some("5c" | "5C") => ('\\', 2),
            _ => ('\\', 0),
        };
        out.push(sign);
        rest = after.get(skipped..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}
