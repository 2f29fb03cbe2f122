//! Searches in data that is not ours: the first answer for each value is the reference.

use anyhow::{Context, Result, ensure};
use ldap::filter::Filter;
use ldap::message::DecodeLimits;

use super::Table;
use crate::answer;
use crate::load::{Content, Expected, Work};
use crate::request::{self, Scope};

/// What is asked of a directory whose content nobody told us.
#[derive(Clone, Debug)]
pub struct Question {
    pub base: String,
    pub scope: Scope,
    /// A filter in which `{}` stands for a value.
    pub filter: String,
    /// All user attributes when empty.
    pub attributes: Vec<String>,
}

/// One search for each value.
pub fn questions(question: &Question, values: &[String]) -> Result<Box<dyn Work>> {
    let empty = [String::new()];
    let values = match question.filter.contains("{}") {
        true => values,
        false => &empty,
    };
    ensure!(!values.is_empty(), "`{{}}` in the filter needs values: one a line in `--values FILE`");
    let attributes: Vec<&str> = question.attributes.iter().map(String::as_str).collect();
    let mut table = Table::new(format!("search {}", question.filter));
    for (at, value) in values.iter().enumerate() {
        let text = question.filter.replace("{}", &escaped(value));
        let filter = Filter::parse(&text, &DecodeLimits::default())
            .with_context(|| format!("`{text}` is no filter"))?;
        let expected = Expected { tag: answer::SEARCH_DONE, code: 0, content: Content::First(at) };
        table.push(expected, |out| {
            let encode = |out: &mut Vec<u8>| filter.encode(out);
            request::search(out, &question.base, question.scope, encode, &attributes);
        });
    }
    Ok(Box::new(table))
}

/// RFC 4515 §3: what a filter would take for its own.
fn escaped(value: &str) -> String {
    let mut out = String::new();
    for c in value.chars() {
        match c {
            '*' | '(' | ')' | '\\' | '\0' => out.push_str(&format!("\\{:02x}", c as u32)),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn values_cannot_become_filters() {
        for (value, expected) in [("user1", "user1"), ("a*)(b=\\", "a\\2a\\29\\28b=\\5c")] {
            assert_eq!(escaped(value), expected);
        }
    }
}
