//! RFC 4515 filter text to BER, without any judgement: what the text says is what is sent.

use anyhow::{Context, Result, bail};

use super::ber::{boolean, element, octets};

/// Encodes a filter such as `(&(cn=a*)(!(sn=b)))`.
pub fn encode(text: &str) -> Result<Vec<u8>> {
    let mut rest = text;
    let bytes = filter(&mut rest).with_context(|| format!("in filter {text}"))?;
    if !rest.is_empty() {
        bail!("text after filter {text}: {rest}");
    }
    Ok(bytes)
}

fn filter(rest: &mut &str) -> Result<Vec<u8>> {
    expect(rest, '(')?;
    let first = rest.chars().next().context("empty filter")?;
    let bytes = match first {
        '&' | '|' => {
            *rest = rest.get(1..).unwrap_or_default();
            let mut parts = Vec::new();
            while rest.starts_with('(') {
                parts.extend(filter(rest)?);
            }
            element(if first == '&' { 0xa0 } else { 0xa1 }, &parts)
        }
        '!' => {
            *rest = rest.get(1..).unwrap_or_default();
            element(0xa2, &filter(rest)?)
        }
        _ => {
            let end = rest.find(')').context("no closing parenthesis")?;
            let (item_text, tail) = rest.split_at(end);
            *rest = tail;
            item(item_text)?
        }
    };
    expect(rest, ')')?;
    Ok(bytes)
}

fn expect(rest: &mut &str, wanted: char) -> Result<()> {
    match rest.strip_prefix(wanted) {
        Some(tail) => *rest = tail,
        None => bail!("expected {wanted} at {rest}"),
    }
    Ok(())
}

fn item(text: &str) -> Result<Vec<u8>> {
    let (left, value) = text.split_once('=').context("no = in filter")?;
    if let Some(name) = left.strip_suffix('>') {
        return assertion(0xa5, name, value);
    }
    if let Some(name) = left.strip_suffix('<') {
        return assertion(0xa6, name, value);
    }
    if let Some(name) = left.strip_suffix('~') {
        return assertion(0xa8, name, value);
    }
    if let Some(left) = left.strip_suffix(':') {
        return extensible(left, value);
    }
    match value {
        "*" => Ok(element(0x87, left.as_bytes())),
        _ if value.contains('*') => substrings(left, value),
        _ => assertion(0xa3, left, value),
    }
}

fn assertion(tag: u8, name: &str, value: &str) -> Result<Vec<u8>> {
    let mut body = octets(name.as_bytes());
    body.extend(octets(&unescape(value)?));
    Ok(element(tag, &body))
}

fn substrings(name: &str, value: &str) -> Result<Vec<u8>> {
    let pieces: Vec<&str> = value.split('*').collect();
    let last = pieces.len() - 1;
    let mut list = Vec::new();
    for (place, piece) in pieces.iter().enumerate().filter(|(_, piece)| !piece.is_empty()) {
        let tag = if place == 0 {
            0x80
        } else if place == last {
            0x82
        } else {
            0x81
        };
        list.extend(element(tag, &unescape(piece)?));
    }
    let mut body = octets(name.as_bytes());
    body.extend(element(0x30, &list));
    Ok(element(0xa4, &body))
}

/// `attribute:dn:rule` in front of `:=`, every part optional.
fn extensible(left: &str, value: &str) -> Result<Vec<u8>> {
    let mut parts = left.split(':');
    let name = parts.next().unwrap_or_default();
    let mut rule = None;
    let mut dn = false;
    for part in parts {
        if part.eq_ignore_ascii_case("dn") { dn = true } else { rule = Some(part) }
    }
    let mut body = Vec::new();
    if let Some(rule) = rule {
        body.extend(element(0x81, rule.as_bytes()));
    }
    if !name.is_empty() {
        body.extend(element(0x82, name.as_bytes()));
    }
    body.extend(element(0x83, &unescape(value)?));
    if dn {
        let flag = boolean(true);
        body.extend(element(0x84, flag.get(2..).unwrap_or_default()));
    }
    Ok(element(0xa9, &body))
}

/// `\xx` is one octet (RFC 4515 §3).
pub fn unescape(text: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut parts = text.split('\\');
    bytes.extend(parts.next().unwrap_or_default().as_bytes());
    for part in parts {
        let digits = part.get(..2).context("two hex digits after a backslash")?;
        bytes.push(u8::from_str_radix(digits, 16)?);
        bytes.extend(part.get(2..).unwrap_or_default().as_bytes());
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_choice_has_its_tag() {
        for (text, tag) in [
            ("(&)", 0xa0),
            ("(|)", 0xa1),
            ("(!(cn=a))", 0xa2),
            ("(cn=a)", 0xa3),
            ("(cn=a*b)", 0xa4),
            ("(cn>=a)", 0xa5),
            ("(cn<=a)", 0xa6),
            ("(cn=*)", 0x87),
            ("(cn~=a)", 0xa8),
            ("(cn:dn:2.5.13.2:=a)", 0xa9),
        ] {
            assert_eq!(encode(text).unwrap()[0], tag, "{text}");
        }
        assert!(encode("(cn=a").is_err());
        assert!(encode("(cn=a)x").is_err());
    }

    #[test]
    fn escapes_are_octets() {
        assert_eq!(unescape("a\\2a\\c3\\a9b").unwrap(), b"a*\xc3\xa9b");
        assert!(unescape("\\2").is_err());
    }

    proptest::proptest! {
        #[test]
        fn an_escaped_value_is_sent_as_it_was(value: Vec<u8>) {
            let text: String = value.iter().map(|byte| format!("\\{byte:02x}")).collect();
            assert_eq!(unescape(&text).unwrap(), value);
            let sent = encode(&format!("(cn={text})")).unwrap();
            assert!(sent.ends_with(&value));
        }
    }
}
