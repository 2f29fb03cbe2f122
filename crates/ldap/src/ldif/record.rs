//! The lines of one record put together (RFC 2849 `ldif-attrval-record`, `ldif-change-record`).

use std::borrow::Cow;

use super::lines::excerpt;
use super::value::{self, text};
use super::*;
use crate::oid::is_numericoid;

type Parsed<T> = Result<T, LdifError>;

impl<'a> Record<'a> {
    /// Reads the text of one record, whose first line has the number `line`. `None` if there are
    /// only comments, or the `version` that opens a file.
    pub fn parse(bytes: &'a [u8], line: u32) -> Result<Option<Record<'a>>, LdifError> {
        let mut lines = Lines::new(bytes, line);
        let Some(mut first) = attribute(&mut lines)? else { return Ok(None) };
        if is(&first, "version") {
            check_version(first)?;
            match attribute(&mut lines)? {
                Some(second) => first = second,
                None => return Ok(None),
            }
        }
        if !is(&first, "dn") {
            return fail(
                first.line,
                format!("a record begins with `dn: …`, not with `{}`", first.description),
            );
        }
        let line = first.line;
        let dn = line_text(first)?;
        let (controls, kind) = body(&mut lines, line)?;
        Ok(Some(Record { line, dn, controls, kind }))
    }
}

fn attribute<'a>(lines: &mut Lines<'a>) -> Parsed<Option<LdifAttribute<'a>>> {
    lines.next()?.map(|line| line.attribute()).transpose()
}

fn is(line: &LdifAttribute<'_>, description: &str) -> bool {
    line.description.eq_ignore_ascii_case(description)
}

fn line_text(line: LdifAttribute<'_>) -> Parsed<Cow<'_, str>> {
    text(&line.description, line.value).or_else(|what| fail(line.line, what))
}

fn check_version(line: LdifAttribute<'_>) -> Parsed<()> {
    let number = line.line;
    match line_text(line)?.trim() {
        "1" => Ok(()),
        other => {
            let shown = excerpt(other.as_bytes());
            fail(number, format!("LDIF version `{shown}` is not known; there is only version 1"))
        }
    }
}

type Body<'a> = (Vec<LdifControl<'a>>, RecordKind<'a>);

/// Everything below the `dn`.
fn body<'a>(lines: &mut Lines<'a>, dn_line: u32) -> Parsed<Body<'a>> {
    let mut controls = Vec::new();
    loop {
        match attribute(lines)? {
            Some(line) if is(&line, "control") => controls.push(control(line)?),
            Some(line) if is(&line, "changetype") => {
                return Ok((controls, change(line, lines)?));
            }
            Some(line) if controls.is_empty() => {
                return Ok((controls, RecordKind::Content(attributes(Some(line), lines)?)));
            }
            line => {
                let number = line.map_or(dn_line, |line| line.line);
                return match controls.is_empty() {
                    true => Ok((controls, RecordKind::Content(Vec::new()))),
                    false => fail(number, "`changetype: …` must follow the `control` lines"),
                };
            }
        }
    }
}

fn attributes<'a>(
    first: Option<LdifAttribute<'a>>,
    lines: &mut Lines<'a>,
) -> Parsed<Vec<LdifAttribute<'a>>> {
    let mut attributes = Vec::with_capacity(16);
    attributes.extend(first);
    while let Some(line) = attribute(lines)? {
        attributes.push(line);
    }
    match attributes.iter().find(|line| is(line, "dn") || is(line, "changetype")) {
        Some(line) if is(line, "dn") => {
            fail(line.line, "a second `dn`; an empty line must stand between two records")
        }
        Some(line) => fail(line.line, "`changetype` must stand right below `dn`"),
        None => Ok(attributes),
    }
}

fn change<'a>(changetype: LdifAttribute<'a>, lines: &mut Lines<'a>) -> Parsed<RecordKind<'a>> {
    let number = changetype.line;
    let name = line_text(changetype)?;
    match name.trim().to_ascii_lowercase().as_str() {
        "add" => Ok(RecordKind::Add(attributes(None, lines)?)),
        "delete" => match lines.next()? {
            None => Ok(RecordKind::Delete),
            Some(line) => fail(line.number, "nothing may follow `changetype: delete`"),
        },
        "modify" => Ok(RecordKind::Modify(modifications(lines)?)),
        "modrdn" | "moddn" => modify_dn(lines, number),
        other => {
            let shown = excerpt(other.as_bytes());
            let known = "add, delete, modify, modrdn or moddn";
            fail(number, format!("changetype `{shown}` is not known; it may be {known}"))
        }
    }
}

fn modifications<'a>(lines: &mut Lines<'a>) -> Parsed<Vec<LdifModification<'a>>> {
    let mut modifications = Vec::new();
    while let Some(line) = lines.next()? {
        if line.is_separator() {
            return fail(line.number, "this `-` ends nothing; one stands after each block");
        }
        modifications.push(modification(line.attribute()?, lines)?);
    }
    Ok(modifications)
}

/// One block, up to its `-`, which the last block may leave out.
fn modification<'a>(
    head: LdifAttribute<'a>,
    lines: &mut Lines<'a>,
) -> Parsed<LdifModification<'a>> {
    let line = head.line;
    let Some(operation) = operation(&head.description) else {
        let shown = head.description;
        let known = "`add`, `delete`, `replace` or `increment`";
        return fail(line, format!("`{shown}` where {known} must begin a change"));
    };
    let description = trimmed_end(line_text(head)?);
    let mut values = Vec::new();
    while let Some(line) = lines.next()? {
        if line.is_separator() {
            break;
        }
        let line = line.attribute()?;
        if !is(&line, &description) {
            let (found, meant) = (&line.description, excerpt(description.as_bytes()));
            let what = format!("`{found}` where `{meant}` must stand; a `-` ends the values of it");
            return fail(line.line, what);
        }
        values.push(line.value);
    }
    Ok(LdifModification { line, operation, description, values })
}

/// Nothing that names an attribute ends in a space, but lines written by hand do.
fn trimmed_end(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim_end()),
        Cow::Owned(text) => Cow::Owned(text.trim_end().to_owned()),
    }
}

fn operation(name: &str) -> Option<ModifyOperation> {
    match name.to_ascii_lowercase().as_str() {
        "add" => Some(ModifyOperation::Add),
        "delete" => Some(ModifyOperation::Delete),
        "replace" => Some(ModifyOperation::Replace),
        "increment" => Some(ModifyOperation::Increment),
        _ => None,
    }
}

fn modify_dn<'a>(lines: &mut Lines<'a>, number: u32) -> Parsed<RecordKind<'a>> {
    let (mut new_rdn, mut delete_old_rdn, mut new_superior) = (None, None, None);
    while let Some(line) = attribute(lines)? {
        let number = line.line;
        match line.description.to_ascii_lowercase().as_str() {
            "newrdn" if new_rdn.is_none() => new_rdn = Some(line_text(line)?),
            "deleteoldrdn" if delete_old_rdn.is_none() => {
                delete_old_rdn = Some(zero_or_one(line)?);
            }
            "newsuperior" if new_superior.is_none() => new_superior = Some(line_text(line)?),
            other => {
                let known = "newrdn, deleteoldrdn and newsuperior, once each";
                return fail(number, format!("`{other}` here; a rename has {known}"));
            }
        }
    }
    match (new_rdn, delete_old_rdn) {
        (Some(new_rdn), Some(delete_old_rdn)) => {
            Ok(RecordKind::ModifyDn { new_rdn, delete_old_rdn, new_superior })
        }
        (None, _) => fail(number, "a rename needs `newrdn: …`"),
        (_, None) => fail(number, "a rename needs `deleteoldrdn: 0` or `deleteoldrdn: 1`"),
    }
}

fn zero_or_one(line: LdifAttribute<'_>) -> Parsed<bool> {
    let number = line.line;
    match line_text(line)?.trim() {
        "0" => Ok(false),
        "1" => Ok(true),
        _ => fail(number, "`deleteoldrdn` is 0 (keep the old value) or 1 (delete it)"),
    }
}

/// RFC 2849 `control`. Rare, so what it holds is simply copied.
fn control<'a>(line: LdifAttribute<'a>) -> Parsed<LdifControl<'a>> {
    let number = line.line;
    let LdifValue::Inline(bytes) = line.value else {
        return fail(number, "`control` cannot be read from a URL");
    };
    let (head, after) = match bytes.iter().position(|&byte| byte == b':') {
        Some(colon) => (bytes.get(..colon), bytes.get(colon + 1..)),
        None => (Some(bytes.as_ref()), None),
    };
    let head = String::from_utf8_lossy(head.unwrap_or_default());
    let mut words = head.split_ascii_whitespace();
    let (oid, critical) = match (words.next(), words.next(), words.next()) {
        (Some(oid), None, _) => (oid, false),
        (Some(oid), Some("true"), None) => (oid, true),
        (Some(oid), Some("false"), None) => (oid, false),
        _ => return fail(number, "a control is `control: OID [true|false][: value]`"),
    };
    if !is_numericoid(oid) {
        return fail(number, format!("`{}` is not a numeric OID", excerpt(oid.as_bytes())));
    }
    let value = match after.map(|after| value::owned(after.to_vec(), 0)).transpose() {
        Ok(value) => value,
        Err(what) => return fail(number, format!("the value of `control` {what}")),
    };
    Ok(LdifControl { line: number, oid: oid.to_owned(), critical, value })
}
