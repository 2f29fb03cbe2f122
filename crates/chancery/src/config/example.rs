//! `chancery.example.toml` and `docs/reference/configuration.md`, printed from the definitions the
//! file is read by.

use std::fmt::Write;

use directory::access::{AccessRules, RuleText};

use super::raw::SECTIONS;
use super::setting::{Section, Setting};

const ABOUT: &str = "\
# Every setting of Chancery with its default. Generated; `chancery` needs none of it to start.
# To change a setting, take the `#` from its line and from the line of its section.
# Later sources win: this file, the environment (CHANCERY_DATA, CHANCERY_SUFFIX, CHANCERY_LISTEN,
# CHANCERY_LISTEN_STARTTLS, CHANCERY_LOG), the command line.
";

const ABOUT_REFERENCE: &str = "\
# Configuration

Every setting of `chancery.toml`. This page and `chancery.example.toml` are generated from the
definitions the server reads the file by. Unknown settings are errors.

Later sources win: the file, then the environment (`CHANCERY_DATA`, `CHANCERY_SUFFIX`,
`CHANCERY_LISTEN`, `CHANCERY_LISTEN_STARTTLS`, `CHANCERY_LOG`), then the command line (`--data`,
`--suffix`, `--listen`, `--listen-starttls`).

Sizes are written as a whole number and `B`, `KiB`, `MiB`, `GiB` or `TiB`; durations as a whole
number and `ms`, `s`, `min`, `h` or `days`.
";

/// The text of `chancery.example.toml`. Settings are commented out, without a space after the
/// `#`; words have one.
pub(crate) fn example() -> String {
    let mut out = ABOUT.to_owned();
    for section in &SECTIONS {
        out.push('\n');
        comment(&mut out, section.about);
        if section.header == "access" {
            access(&mut out, section);
            continue;
        }
        header(&mut out, section);
        section.settings.iter().for_each(|setting| example_setting(&mut out, setting));
    }
    out
}

fn comment(out: &mut String, about: &[&str]) {
    about.iter().for_each(|line| line_of(out, &format!("#{line}")));
}

fn line_of(out: &mut String, line: &str) {
    out.push_str(line.trim_end());
    out.push('\n');
}

fn header(out: &mut String, section: &Section) {
    // What is only shown must not begin a section when the settings are taken out of comments.
    let is_shown = section.repeated && section.settings.iter().all(|one| one.default.is_empty());
    match (section.header, section.repeated) {
        ("", _) => {}
        (header, _) if is_shown => line_of(out, &format!("# [[{header}]]")),
        (header, true) => line_of(out, &format!("#[[{header}]]")),
        (header, false) => line_of(out, &format!("#[{header}]")),
    }
}

fn example_setting(out: &mut String, setting: &Setting) {
    out.push('\n');
    comment(out, setting.about);
    if let Some(bounds) = bounds(setting) {
        line_of(out, &format!("# {bounds}."));
    }
    let key = setting.key();
    match setting.default {
        "" => line_of(out, &format!("# {key} = {}", quoted(setting.sample))),
        default => line_of(out, &format!("#{key} = {}", quoted(&wrapped(default)))),
    }
}

/// Definitions hold single quotes, which need no escape in Rust; files read better with double.
fn quoted(toml: &str) -> String {
    toml.replace('\'', "\"")
}

/// A long list on several lines, each commented out.
fn wrapped(toml: &str) -> String {
    let Some(items) = toml.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) else {
        return toml.to_owned();
    };
    if toml.len() < 80 {
        return toml.to_owned();
    }
    let mut out = "[\n#".to_owned();
    let mut width = 0;
    for item in items.split(", ") {
        if width + item.len() > 90 {
            out.push_str("\n#");
            width = 0;
        }
        let _ = write!(out, "{}{item},", if width == 0 { "    " } else { " " });
        width += item.len() + 2;
    }
    out + "\n#]"
}

fn bounds(setting: &Setting) -> Option<String> {
    let (min, max) = setting.bounds?;
    Some(format!("From {} to {}", (setting.say)(min), (setting.say)(max)))
}

/// The access section shows the default rules rather than one rule of defaults.
fn access(out: &mut String, section: &Section) {
    for setting in section.settings {
        line_of(out, &format!("#\n# {}:", setting.key()));
        setting.about.iter().for_each(|line| line_of(out, &format!("#    {}", line.trim())));
    }
    for rule in AccessRules::defaults("dc=example,dc=com", "cn=admin,dc=example,dc=com") {
        out.push('\n');
        rule_lines(&rule).iter().for_each(|line| line_of(out, &format!("#{line}")));
    }
}

fn rule_lines(rule: &RuleText) -> Vec<String> {
    let mut lines = vec!["[[access]]".to_owned()];
    let mut words = |key: &str, words: &[String]| match words {
        [] => {}
        [one] => lines.push(format!("{key} = {}", string(one))),
        many => {
            let many: Vec<String> = many.iter().map(|word| string(word)).collect();
            lines.push(format!("{key} = {}", wrapped(&format!("[{}]", many.join(", ")))));
        }
    };
    words("who", &rule.who);
    words("may", &rule.may);
    words("on", &rule.on);
    words("where", rule.filter.as_slice());
    words("attributes", rule.attributes.as_deref().unwrap_or_default());
    words("from", &rule.from);
    lines
}

/// A TOML string, in the quotes the text does not hold.
fn string(text: &str) -> String {
    if text.contains('"') { format!("'{text}'") } else { format!("\"{text}\"") }
}

/// The text of `docs/reference/configuration.md`.
pub(crate) fn reference() -> String {
    let mut out = ABOUT_REFERENCE.to_owned();
    for section in &SECTIONS {
        let title = match (section.header, section.repeated) {
            ("", _) => "Before the first section".to_owned(),
            (header, true) => format!("`[[{header}]]`"),
            (header, false) => format!("`[{header}]`"),
        };
        let _ = write!(out, "\n## {title}\n\n{}\n\n", paragraph(section.about));
        out.push_str("| setting | takes | default | meaning |\n|---|---|---|---|\n");
        section.settings.iter().for_each(|setting| out.push_str(&row(setting)));
    }
    out
}

fn paragraph(about: &[&str]) -> String {
    about.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}

fn row(setting: &Setting) -> String {
    let default = match setting.default {
        "" => "absent".to_owned(),
        default => format!("`{}`", quoted(default)),
    };
    let bounds = bounds(setting).map(|bounds| format!(". {bounds}")).unwrap_or_default();
    let meaning = paragraph(setting.about).replace('|', "\\|");
    format!("| `{}` | {}{bounds} | {default} | {meaning} |\n", setting.key(), setting.form)
}
