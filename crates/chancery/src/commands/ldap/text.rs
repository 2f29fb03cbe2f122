//! What others wrote, made safe for a terminal; object identifiers by name.

use ldap::oid::{control, extended, feature};

/// Control characters, and those that turn the direction of text, as escapes.
pub(super) fn safe(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for one in text.chars() {
        match one {
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                out.extend(one.escape_unicode());
            }
            _ if one.is_control() => out.extend(one.escape_default()),
            _ => out.push(one),
        }
    }
    out
}

const NAMES: &[(&str, &str)] = &[
    (control::PAGED_RESULTS, "paged results"),
    (control::ASSERTION, "assertion"),
    (control::PRE_READ, "pre-read"),
    (control::POST_READ, "post-read"),
    (control::MANAGE_DSA_IT, "ManageDsaIT"),
    (control::TREE_DELETE, "tree delete"),
    (control::PERMISSIVE_MODIFY, "permissive modify"),
    (control::DONT_USE_COPY, "don't use copy"),
    (control::RELAX_RULES, "relax rules"),
    (extended::START_TLS, "StartTLS"),
    (extended::WHO_AM_I, "who am I?"),
    (extended::PASSWORD_MODIFY, "password modify"),
    (extended::CANCEL, "cancel"),
    (extended::MANAGE, "Chancery's commands"),
    (extended::ENROL, "Chancery's enrolment"),
    (feature::MODIFY_INCREMENT, "modify-increment"),
    (feature::ALL_OPERATIONAL_ATTRIBUTES, "all operational attributes"),
    (feature::OBJECT_CLASS_ATTRIBUTES, "attributes of a class"),
    (feature::TRUE_FALSE_FILTERS, "true and false filters"),
    (feature::LANGUAGE_TAGS, "language tags"),
    (feature::LANGUAGE_RANGES, "language ranges"),
    ("1.2.840.113556.1.4.473", "server-side sort"),
    ("1.2.840.113556.1.4.800", "Active Directory"),
    ("1.2.840.113556.1.4.841", "DirSync"),
];

pub(super) fn name_of(oid: &str) -> Option<&'static str> {
    NAMES.iter().find(|(known, _)| *known == oid).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_the_terminal_but_text() {
        for (text, expected) in [
            ("Zoë", "Zoë"),
            ("\u{1b}[2J", "\\u{1b}[2J"),
            ("a\nb\u{9b}", "a\\nb\\u{9b}"),
            ("\u{202e}x", "\\u{202e}x"),
        ] {
            assert_eq!(safe(text), expected);
        }
        assert_eq!(name_of("1.3.6.1.4.1.1466.20037"), Some("StartTLS"));
    }
}
