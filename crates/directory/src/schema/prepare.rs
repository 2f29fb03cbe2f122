//! String preparation (RFC 4518): transcode, map, normalize, prohibit, and insignificant
//! characters.
//!
//! Plain ASCII, which is nearly everything, goes through one pass without a table.

use unicode_normalization::UnicodeNormalization;

use super::InvalidValue;
use super::matching::Piece;

/// Whether letter case is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Case {
    Ignore,
    Exact,
}

/// Which characters mean nothing (RFC 4518 §2.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Insignificant {
    /// How many spaces stand between words, and those at the ends.
    Spaces(Ends),
    /// All spaces, as in numeric strings.
    AllSpaces,
    /// All spaces and hyphens, as in telephone numbers.
    SpacesAndHyphens,
}

/// Which ends of a text are the ends of the value, and so take a space (RFC 4518 §2.6.1). OpenLDAP
/// trims the ends and keeps one space between words: there `foo *` does not find `foo`, and `* *`
/// finds only values with a space inside. By the RFC, and here, both find more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ends {
    pub(super) first: bool,
    pub(super) last: bool,
}

impl Ends {
    pub(super) const BOTH: Ends = Ends { first: true, last: true };

    pub(super) fn of(position: Piece) -> Ends {
        Ends { first: position == Piece::Initial, last: position == Piece::Final }
    }
}

/// Appends the prepared form of `value`.
pub(super) fn prepare(
    value: &[u8],
    case: Case,
    insignificant: Insignificant,
    out: &mut Vec<u8>,
) -> Result<(), InvalidValue> {
    if value.iter().all(|byte| matches!(byte, 0x20..=0x7e)) {
        write_ascii(value, case, insignificant, out);
        return Ok(());
    }
    let text = std::str::from_utf8(value).map_err(|_| not_utf8())?;
    let prepared = map_and_normalize(text, case);
    if let Some(character) = prepared.chars().find(|&character| is_prohibited(character)) {
        let number = u32::from(character);
        let what =
            format!("holds U+{number:04X}, which strings to compare may not (RFC 4518 §2.4)");
        return Err(InvalidValue::new(what));
    }
    write_text(&prepared, insignificant, out);
    Ok(())
}

pub(super) fn not_utf8() -> InvalidValue {
    InvalidValue::new("is not UTF-8 text")
}

fn write_ascii(value: &[u8], case: Case, insignificant: Insignificant, out: &mut Vec<u8>) {
    let fold = |byte: u8| if case == Case::Ignore { byte.to_ascii_lowercase() } else { byte };
    match insignificant {
        // One word, which most values are.
        Insignificant::Spaces(ends) if !value.is_empty() && !value.contains(&b' ') => {
            out.reserve(value.len() + 2);
            out.extend(ends.first.then_some(b' '));
            out.extend(value.iter().map(|&byte| fold(byte)));
            out.extend(ends.last.then_some(b' '));
        }
        Insignificant::Spaces(ends) => {
            let mut writer = Words::new(ends, out);
            for &byte in value {
                if byte == b' ' { writer.space() } else { writer.byte(fold(byte)) }
            }
            writer.finish();
        }
        Insignificant::AllSpaces => {
            let kept = value.iter().filter(|&&byte| byte != b' ').map(|&byte| fold(byte));
            extend_or_space(kept, out);
        }
        Insignificant::SpacesAndHyphens => {
            let kept = value.iter().filter(|&&byte| byte != b' ' && byte != b'-');
            extend_or_space(kept.map(|&byte| fold(byte)), out);
        }
    }
}

/// What remains of nothing is one space (RFC 4518 §2.6.2, §2.6.3).
fn extend_or_space(kept: impl Iterator<Item = u8>, out: &mut Vec<u8>) {
    let before = out.len();
    out.extend(kept);
    if out.len() == before {
        out.push(b' ');
    }
}

/// Writes words with two spaces between them and one at each end of the value.
struct Words<'o> {
    out: &'o mut Vec<u8>,
    ends: Ends,
    begun: bool,
    spaces: bool,
}

impl<'o> Words<'o> {
    fn new(ends: Ends, out: &'o mut Vec<u8>) -> Words<'o> {
        Words { out, ends, begun: false, spaces: false }
    }

    fn space(&mut self) {
        self.spaces = true;
    }

    fn byte(&mut self, byte: u8) {
        self.before_character();
        self.out.push(byte);
    }

    fn character(&mut self, character: char) {
        self.before_character();
        self.out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    }

    fn before_character(&mut self) {
        match (self.begun, self.spaces) {
            (true, true) => self.out.extend_from_slice(b"  "),
            (false, true) => self.out.push(b' '),
            (false, false) if self.ends.first => self.out.push(b' '),
            _ => {}
        }
        (self.begun, self.spaces) = (true, false);
    }

    fn finish(self) {
        if !self.begun {
            // Nothing but spaces: two in a value, one in a piece of an assertion.
            let spaces: &[u8] = if self.ends == Ends::BOTH { b"  " } else { b" " };
            self.out.extend_from_slice(spaces);
        } else if self.spaces || self.ends.last {
            self.out.push(b' ');
        }
    }
}

/// RFC 4518 §2.6 does not take a space before a combining mark for a space. OpenLDAP does, and so
/// do we: it would tell names apart that are one name there.
fn write_text(text: &str, insignificant: Insignificant, out: &mut Vec<u8>) {
    match insignificant {
        Insignificant::Spaces(ends) => {
            let mut writer = Words::new(ends, out);
            for character in text.chars() {
                if character == ' ' { writer.space() } else { writer.character(character) }
            }
            writer.finish();
        }
        Insignificant::AllSpaces => write_without(text, |_| false, out),
        Insignificant::SpacesAndHyphens => write_without(text, is_hyphen, out),
    }
}

fn write_without(text: &str, dropped: fn(char) -> bool, out: &mut Vec<u8>) {
    let before = out.len();
    for character in text.chars() {
        if character != ' ' && !dropped(character) {
            out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
    if out.len() == before {
        out.push(b' ');
    }
}

fn is_hyphen(character: char) -> bool {
    matches!(
        character,
        '-' | '\u{58a}' | '\u{2010}' | '\u{2011}' | '\u{2212}' | '\u{fe63}' | '\u{ff0d}'
    )
}

/// RFC 4518 §2.2 and §2.3. Folding and normalizing twice is what the mapping of RFC 3454 B.2 was
/// derived from: some characters have capitals only in their compatibility forms.
fn map_and_normalize(text: &str, case: Case) -> String {
    let mapped = text.chars().filter_map(map);
    match case {
        Case::Exact => mapped.nfkc().collect(),
        Case::Ignore => undotted(mapped.flat_map(fold).nfkc().flat_map(fold).nfkc().collect()),
    }
}

/// The dotted capital I folds to i and a dot above; OpenLDAP takes it for a plain i, so the dot
/// goes.
fn undotted(mut text: String) -> String {
    const DOTTED: &str = "i\u{307}";
    while text.contains(DOTTED) {
        text = text.replace(DOTTED, "i").nfkc().collect();
    }
    text
}

/// RFC 4518 §2.2: characters that become nothing or a space.
fn map(character: char) -> Option<char> {
    match character {
        '\t'..='\r' | '\u{85}' => Some(' '),
        '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{2028}' | '\u{2029}' => Some(' '),
        '\u{202f}' | '\u{205f}' | '\u{3000}' => Some(' '),
        '\0'..='\u{8}' | '\u{e}'..='\u{1f}' | '\u{7f}'..='\u{9f}' => None,
        '\u{ad}' | '\u{34f}' | '\u{6dd}' | '\u{70f}' | '\u{1806}' => None,
        '\u{180b}'..='\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' => None,
        '\u{2060}'..='\u{2063}' | '\u{206a}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' => None,
        '\u{feff}' | '\u{fff9}'..='\u{fffc}' | '\u{1d173}'..='\u{1d17a}' => None,
        '\u{e0001}' | '\u{e0020}'..='\u{e007f}' => None,
        other => Some(other),
    }
}

/// Full case folding: lower case of upper case of lower case, which joins sharp s with `ss`, final
/// sigma with sigma, long s with s. The dotless i stays itself, as it has no folding.
fn fold(character: char) -> impl Iterator<Item = char> {
    let dotless = character == '\u{131}';
    let folded = character.to_lowercase().flat_map(char::to_uppercase).flat_map(char::to_lowercase);
    dotless.then_some(character).into_iter().chain(folded.filter(move |_| !dotless))
}

/// RFC 4518 §2.4, but unassigned code points are allowed: what Unicode 3.2 did not know is in use.
fn is_prohibited(character: char) -> bool {
    let number = u32::from(character);
    matches!(character, '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..='\u{10ffff}' | '\u{fffd}')
        || matches!(number, 0xfdd0..=0xfdef)
        || number & 0xfffe == 0xfffe
}
