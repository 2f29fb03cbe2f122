//! What stands after the colon (RFC 2849 `value-spec`): text, `: base64` or `< url`.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::LdifValue;

type Value<T> = Result<T, String>;

/// The value in `after`, all that follows the first colon.
pub(super) fn borrowed(after: &[u8]) -> Value<LdifValue<'_>> {
    let (form, start) = form(after);
    let text = after.get(start..).unwrap_or_default();
    match form {
        Form::Text => Ok(LdifValue::Inline(Cow::Borrowed(text))),
        Form::Base64 => decoded(text),
        Form::Url => match std::str::from_utf8(text) {
            Ok(url) => checked_url(Cow::Borrowed(url)),
            Err(_) => Err(NOT_UTF8.to_owned()),
        },
    }
}

/// The same for a line that had to be put together: what follows `colon` becomes the value.
pub(super) fn owned(mut line: Vec<u8>, colon: usize) -> Value<LdifValue<'static>> {
    let (form, start) = form(line.get(colon..).unwrap_or_default());
    line.drain(..(colon + start).min(line.len()));
    match form {
        Form::Text => Ok(LdifValue::Inline(Cow::Owned(line))),
        Form::Base64 => decoded(&line),
        Form::Url => match String::from_utf8(line) {
            Ok(url) => checked_url(Cow::Owned(url)),
            Err(_) => Err(NOT_UTF8.to_owned()),
        },
    }
}

enum Form {
    Text,
    Base64,
    Url,
}

/// The form, and where the value begins: RFC 2849 `FILL` is any number of spaces.
fn form(after: &[u8]) -> (Form, usize) {
    let (form, skipped) = match after.first() {
        Some(b':') => (Form::Base64, 1),
        Some(b'<') => (Form::Url, 1),
        _ => (Form::Text, 0),
    };
    let rest = after.iter().skip(skipped);
    (form, skipped + rest.take_while(|&&byte| byte == b' ').count())
}

fn decoded(text: &[u8]) -> Value<LdifValue<'static>> {
    match STANDARD.decode(text) {
        Ok(bytes) => Ok(LdifValue::Inline(Cow::Owned(bytes))),
        Err(why) => Err(format!("is not base64, which `::` announces: {why}")),
    }
}

/// A stray carriage return would be part of the file name that is then looked for in vain.
fn checked_url(url: Cow<'_, str>) -> Value<LdifValue<'_>> {
    match url.contains(|sign: char| sign.is_ascii_control()) {
        true => Err("is a URL with a control character in it".to_owned()),
        false => Ok(LdifValue::Url(url)),
    }
}

const NOT_UTF8: &str = "is not UTF-8";

/// The value as text, for the lines that hold names and keywords.
pub(super) fn text<'a>(description: &str, value: LdifValue<'a>) -> Value<Cow<'a, str>> {
    let text = match value {
        LdifValue::Inline(Cow::Borrowed(bytes)) => {
            std::str::from_utf8(bytes).map(Cow::Borrowed).ok()
        }
        LdifValue::Inline(Cow::Owned(bytes)) => String::from_utf8(bytes).map(Cow::Owned).ok(),
        LdifValue::Url(_) => return Err(format!("`{description}` cannot be read from a URL")),
    };
    text.ok_or_else(|| format!("the value of `{description}` {NOT_UTF8}"))
}
