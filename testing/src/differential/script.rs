//! The text form of a differential test: one request per line, its values indented below it.

use std::fmt;

use anyhow::{Context, Result, bail};
use base64::Engine as _;

use crate::peers::Subject;
use crate::wire::Answer;

/// One request with what is expected of it.
#[derive(Clone, Debug)]
pub struct Step {
    pub line: usize,
    /// The request line as written, for messages.
    pub text: String,
    pub verb: String,
    pub arguments: Vec<String>,
    /// `@name=value` words.
    pub options: Vec<(String, String)>,
    pub lines: Vec<ValueLine>,
    pub expected: Expected,
}

/// An indented line: for `add` the sign is empty, for `modify` one of `+ - = ^ ,`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueLine {
    pub sign: String,
    pub attribute: String,
    pub value: Option<Vec<u8>>,
}

/// Result code and number of entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub code: i64,
    pub entries: Option<usize>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Both answer the same; the outcome is noted so that a reader sees it.
    Same(Option<Outcome>),
    Differs {
        slapd: Outcome,
        chancery: Outcome,
        reason: String,
    },
}

impl Outcome {
    pub fn of(answer: &Answer) -> Outcome {
        let count = answer.entries.len();
        Outcome { code: answer.code, entries: (count > 0).then_some(count) }
    }

    pub fn admits(&self, got: &Outcome) -> bool {
        self.code == got.code && self.entries.unwrap_or(0) == got.entries.unwrap_or(0)
    }

    fn parse(text: &str) -> Result<Outcome> {
        let (code, entries) = match text.trim().split_once('/') {
            Some((code, entries)) => (code, Some(entries.parse()?)),
            None => (text.trim(), None),
        };
        Ok(Outcome { code: code.parse().with_context(|| format!("outcome {text}"))?, entries })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.entries {
            Some(entries) => write!(out, "{}/{entries}", self.code),
            None => write!(out, "{}", self.code),
        }
    }
}

impl Expected {
    /// What this subject has to answer, when it is noted.
    pub fn outcome(&self, subject: Subject) -> Option<&Outcome> {
        match (self, subject) {
            (Expected::Same(outcome), _) => outcome.as_ref(),
            (Expected::Differs { slapd, .. }, Subject::Slapd) => Some(slapd),
            (Expected::Differs { chancery, .. }, Subject::Chancery) => Some(chancery),
        }
    }

    /// `0/3` or `slapd 0/3, chancery 50: reason`.
    fn parse(text: &str) -> Result<Expected> {
        let Some(rest) = text.trim().strip_prefix("slapd ") else {
            return Ok(Expected::Same(Some(Outcome::parse(text)?)));
        };
        let (slapd, rest) = rest.split_once(", chancery ").context("`slapd X, chancery Y: why`")?;
        let (chancery, reason) = rest.split_once(": ").context("a difference needs a reason")?;
        Ok(Expected::Differs {
            slapd: Outcome::parse(slapd)?,
            chancery: Outcome::parse(chancery)?,
            reason: reason.trim().to_owned(),
        })
    }
}

/// Parses a script; every `$NAME` of `variables` is replaced first.
pub fn parse(script: &str, variables: &[(&str, &str)]) -> Result<Vec<Step>> {
    let mut steps: Vec<Step> = Vec::new();
    for (index, raw) in script.lines().enumerate() {
        let number = index + 1;
        let line = variables
            .iter()
            .fold(raw.to_owned(), |line, (name, value)| line.replace(&format!("${name}"), value));
        parse_line(&line, raw, number, &mut steps).with_context(|| format!("line {number}"))?;
    }
    Ok(steps)
}

fn parse_line(line: &str, raw: &str, number: usize, steps: &mut Vec<Step>) -> Result<()> {
    if line.trim().is_empty() || line.trim_start().starts_with('#') {
        return Ok(());
    }
    if !line.starts_with(' ') {
        steps.push(request_line(line, raw, number)?);
        return Ok(());
    }
    let step = steps.last_mut().context("an indented line before any request")?;
    match line.trim_start().strip_prefix("=> ") {
        Some(expected) => step.expected = Expected::parse(expected)?,
        None => step.lines.push(value_line(line.trim_start())?),
    }
    Ok(())
}

fn request_line(line: &str, raw: &str, number: usize) -> Result<Step> {
    let mut words = words(line)?.into_iter();
    let verb = words.next().context("no verb")?;
    let mut step = Step {
        line: number,
        text: raw.trim().to_owned(),
        verb,
        arguments: Vec::new(),
        options: Vec::new(),
        lines: Vec::new(),
        expected: Expected::Same(None),
    };
    for word in words {
        match word.strip_prefix('@') {
            Some(option) if step.verb != "search" || is_ours(option) => {
                let (name, value) = option.split_once('=').unwrap_or((option, ""));
                step.options.push((name.to_owned(), value.to_owned()));
            }
            _ => step.arguments.push(word),
        }
    }
    Ok(step)
}

/// In a search, `@person` is an attribute list's object class (RFC 4529) unless it is listed here.
fn is_ours(option: &str) -> bool {
    option.split('=').next().is_some_and(|name| super::request::OPTIONS.contains(&name))
}

/// Words are separated by blanks; `"…"` keeps blanks and is otherwise literal.
fn words(line: &str) -> Result<Vec<String>> {
    let mut words: Vec<String> = Vec::new();
    let (mut quoted, mut open) = (false, false);
    for character in line.chars() {
        match character {
            '"' => (quoted, open) = (!quoted, if open { true } else { start(&mut words) }),
            ' ' if !quoted => open = false,
            _ => {
                if !open {
                    open = start(&mut words);
                }
                if let Some(word) = words.last_mut() {
                    word.push(character);
                }
            }
        }
    }
    if quoted {
        bail!("a quote is not closed");
    }
    Ok(words)
}

fn start(words: &mut Vec<String>) -> bool {
    words.push(String::new());
    true
}

/// `[sign] attribute[: value | :: base64]`. `<empty>` is an empty value, `<a*500>` 500 times `a`.
fn value_line(line: &str) -> Result<ValueLine> {
    if line == "," {
        return Ok(ValueLine { sign: ",".to_owned(), attribute: String::new(), value: None });
    }
    let (sign, rest) = match line.split_once(' ') {
        Some((sign @ ("+" | "-" | "=" | "^"), rest)) => (sign, rest),
        _ => ("", line),
    };
    let made = |attribute: &str, value| ValueLine {
        sign: sign.to_owned(),
        attribute: attribute.trim().to_owned(),
        value,
    };
    if let Some((attribute, value)) = rest.split_once(":: ") {
        let bytes = base64::engine::general_purpose::STANDARD.decode(value.trim())?;
        return Ok(made(attribute, Some(bytes)));
    }
    Ok(match rest.split_once(": ") {
        Some((attribute, value)) => made(attribute, Some(literal(value)?)),
        None => made(rest.trim_end_matches(':'), None),
    })
}

fn literal(value: &str) -> Result<Vec<u8>> {
    let inner = value.strip_prefix('<').and_then(|value| value.strip_suffix('>'));
    match inner.map(|inner| (inner, inner.split_once('*'))) {
        Some(("empty", _)) => Ok(Vec::new()),
        Some((_, Some((text, times)))) => Ok(text.repeat(times.parse()?).into_bytes()),
        _ => Ok(value.as_bytes().to_vec()),
    }
}

/// Writes `outcomes` (by line number) behind the requests that are expected to be the same on
/// both sides; what is annotated as different stays as it is.
pub fn with_outcomes(script: &str, steps: &[Step], outcomes: &[Outcome]) -> String {
    let mut text = String::new();
    let mut open: Option<&Outcome> = None;
    for (index, line) in script.lines().enumerate() {
        let begins = steps.iter().position(|step| step.line == index + 1);
        if begins.is_some() || line.trim().is_empty() || line.trim_start().starts_with('#') {
            flush(&mut text, open.take());
        }
        if let Some(place) = begins {
            let same =
                steps.get(place).is_some_and(|step| matches!(step.expected, Expected::Same(_)));
            open = outcomes.get(place).filter(|_| same);
        }
        if open.is_none() || !line.trim_start().starts_with("=> ") {
            text += line;
            text.push('\n');
        }
    }
    flush(&mut text, open);
    text
}

fn flush(text: &mut String, outcome: Option<&Outcome>) {
    if let Some(outcome) = outcome {
        *text += &format!("  => {outcome}\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRIPT: &str = "# comment\nsearch \"ou=a b,$S\" sub (cn=*) cn @person @size=3\n  => 0/3\n\
                          modify cn=x\n  + mail: a: b\n  - mail\n  = o: <x*3>\n  ,\n  + sn: <empty>\n  \
                          => slapd 0, chancery 50: because\n";

    #[test]
    fn a_script_is_read() {
        let steps = parse(SCRIPT, &[("S", "dc=com")]).unwrap();
        assert_eq!(steps[0].arguments, ["ou=a b,dc=com", "sub", "(cn=*)", "cn", "@person"]);
        assert_eq!(steps[0].options, [("size".to_owned(), "3".to_owned())]);
        assert_eq!(steps[0].expected, Expected::Same(Some(Outcome { code: 0, entries: Some(3) })));
        let values: Vec<_> = steps[1].lines.iter().map(|line| line.value.clone()).collect();
        let some = |text: &str| Some(text.as_bytes().to_vec());
        assert_eq!(values, [some("a: b"), None, some("xxx"), None, some("")]);
        assert!(
            matches!(&steps[1].expected, Expected::Differs { reason, .. } if reason == "because")
        );
    }

    #[test]
    fn outcomes_replace_only_what_is_the_same() {
        let steps = parse(SCRIPT, &[("S", "dc=com")]).unwrap();
        let outcome = Outcome { code: 4, entries: None };
        let text = with_outcomes(SCRIPT, &steps, &[outcome.clone(), outcome]);
        assert_eq!(text, SCRIPT.replace("=> 0/3", "=> 4"));
    }

    #[test]
    fn a_difference_needs_a_reason() {
        assert!(parse("whoami\n  => slapd 0, chancery 1\n", &[]).is_err());
    }
}
