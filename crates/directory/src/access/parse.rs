//! From rule text to compiled rules. Every fault of every rule is listed at once.

use std::collections::BTreeSet;

use super::attributes::{AttributeSet, Classes, SECRETS, is_secret};
use super::mask::RULES_MAX;
use super::network::Network;
use super::rights::Rights;
use super::rule::{AccessRules, NameIndex, Place, PlaceScope, Rule, RuleFilter, WhoTerm};
use super::text::{RuleError, RuleText};

/// What the rules ask about the schema. A type's *key* is its lower-case primary name.
pub trait Vocabulary {
    /// The key of an attribute type, by any of its names or its OID, in any case.
    fn attribute(&self, name: &str) -> Option<String>;
    /// The keys of all types below this one, at any depth.
    fn subtypes(&self, key: &str) -> Vec<String>;
    /// Whether the type's values are names of entries.
    fn is_name_valued(&self, key: &str) -> bool;
    /// The keys of all attributes an object class and those above it require or allow.
    fn class_attributes(&self, class: &str) -> Option<Vec<String>>;
    /// The keys of all operational attributes.
    fn operational_attributes(&self) -> Vec<String>;
    /// `Err` says what is wrong with the name.
    fn check_name(&self, dn: &str) -> Result<(), String>;
    /// `Err` says what is wrong with the RFC 4515 filter.
    fn check_filter(&self, filter: &str) -> Result<(), String>;
}

const WHO_RIGHT: &str = "write `anyone`, `anonymous`, `signed-in`, `self`, `entry \"DN\"`, \
    `group \"DN\"`, `role \"DN\"`, `subtree \"DN\"` or `value-of ATTRIBUTE`";
const ON_RIGHT: &str = "write `everything`, `entry \"DN\"`, `children \"DN\"`, `subtree \"DN\"` or \
    `below \"DN\"`";
const MAY_RIGHT: &str = "write `none`, `auth`, `compare`, `search`, `read`, `add`, `write`, \
    `delete` or `manage`";
const NAME_RIGHT: &str = "write the name as RFC 4514 has it, in double quotes, \
    such as \"uid=anna,ou=people,dc=example,dc=com\"";
const ATTRIBUTE_RIGHT: &str = "write attribute types, `@secrets`, `@CLASS`, `*`, `+`, `entry`, \
    `all` or `all except A, B`";

impl AccessRules {
    pub fn parse(
        texts: &[RuleText],
        vocabulary: &impl Vocabulary,
    ) -> Result<AccessRules, Vec<RuleError>> {
        let mut parser = Parser::new(vocabulary);
        for (index, text) in texts.iter().enumerate() {
            parser.rule = index;
            let rule = parser.rule(text);
            parser.rules.push(rule);
        }
        if texts.len() > RULES_MAX {
            parser.rule = RULES_MAX;
            parser.fault("access", format!("there are {} rules", texts.len()), TOO_MANY);
        }
        parser.finish()
    }
}

const TOO_MANY: &str = "at most 256 are allowed; lists in `who`, `on` and `attributes` save rules";

struct Parser<'v, V> {
    vocabulary: &'v V,
    rule: usize,
    rules: Vec<Rule>,
    names: Vec<String>,
    filters: Vec<RuleFilter>,
    errors: Vec<RuleError>,
}

impl<'v, V: Vocabulary> Parser<'v, V> {
    fn new(vocabulary: &'v V) -> Parser<'v, V> {
        let (rules, names, filters, errors) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Parser { vocabulary, rule: 0, rules, names, filters, errors }
    }

    fn finish(self) -> Result<AccessRules, Vec<RuleError>> {
        if !self.errors.is_empty() {
            return Err(self.errors);
        }
        let classes = Classes::new(&self.rules, &self.vocabulary.operational_attributes());
        Ok(AccessRules { rules: self.rules, names: self.names, filters: self.filters, classes })
    }

    fn fault(&mut self, field: &'static str, what: impl Into<String>, right: impl Into<String>) {
        let (what, right) = (what.into(), right.into());
        self.errors.push(RuleError { rule: self.rule, field, what, right });
    }

    fn rule(&mut self, text: &RuleText) -> Rule {
        let rights = self.rights(&text.may);
        Rule {
            text: text.clone(),
            who: self.who(&text.who),
            rights,
            on: self.places(&text.on),
            filter: text.filter.as_deref().and_then(|filter| self.filter(filter)),
            attributes: self.attributes(text.attributes.as_deref(), rights),
            from: text.from.iter().filter_map(|network| self.network(network)).collect(),
        }
    }

    fn rights(&mut self, words: &[String]) -> Rights {
        let mut rights = Rights::NONE;
        for word in words {
            match Rights::named(word) {
                Some(Rights::NONE) if words.len() > 1 => {
                    self.fault("may", "`none` beside other rights", "write `none` alone");
                }
                Some(named) => rights = rights.with(named),
                None => self.fault("may", format!("there is no right `{word}`"), MAY_RIGHT),
            }
        }
        if words.is_empty() {
            self.fault("may", "it is empty", MAY_RIGHT);
        }
        rights
    }

    fn who(&mut self, terms: &[String]) -> Vec<WhoTerm> {
        if terms.is_empty() {
            self.fault("who", "it is empty", WHO_RIGHT);
        }
        terms.iter().filter_map(|term| self.who_term(term)).collect()
    }

    fn who_term(&mut self, text: &str) -> Option<WhoTerm> {
        let (word, rest) = split_word(text);
        match (word, rest) {
            ("anyone", "") => Some(WhoTerm::Anyone),
            ("anonymous", "") => Some(WhoTerm::Anonymous),
            ("signed-in", "") => Some(WhoTerm::SignedIn),
            ("self", "") => Some(WhoTerm::Oneself),
            ("entry", _) => self.name("who", rest).map(WhoTerm::Entry),
            ("group", _) => self.name("who", rest).map(WhoTerm::Group),
            ("role", _) => self.name("who", rest).map(WhoTerm::Role),
            ("subtree", _) => self.name("who", rest).map(WhoTerm::Subtree),
            ("value-of", _) => self.value_of(rest),
            _ => {
                self.fault("who", format!("`{text}` is not an asker"), WHO_RIGHT);
                None
            }
        }
    }

    fn value_of(&mut self, name: &str) -> Option<WhoTerm> {
        let Some(key) = self.vocabulary.attribute(name) else {
            self.unknown_attribute("who", name);
            return None;
        };
        if !self.vocabulary.is_name_valued(&key) {
            let right = "use one whose values are DNs, such as manager or owner";
            self.fault("who", format!("values of `{name}` are not names of entries"), right);
            return None;
        }
        Some(WhoTerm::ValueOf(key))
    }

    fn unknown_attribute(&mut self, field: &'static str, name: &str) {
        let what = format!("the schema has no attribute type `{name}`");
        self.fault(field, what, "correct the name, or load the schema file that defines it");
    }

    /// A name in double quotes. What is between the first and the last quote is the name, so a
    /// quote inside it needs no other escape than RFC 4514's.
    fn name(&mut self, field: &'static str, quoted: &str) -> Option<NameIndex> {
        let inner = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        let Some(dn) = inner else {
            self.fault(field, format!("`{quoted}` is not a name in quotes"), NAME_RIGHT);
            return None;
        };
        if let Err(what) = self.vocabulary.check_name(dn) {
            self.fault(field, format!("`{dn}` is not a name: {what}"), NAME_RIGHT);
            return None;
        }
        let known = self.names.iter().position(|name| name == dn);
        Some(NameIndex(known.unwrap_or_else(|| {
            self.names.push(dn.to_owned());
            self.names.len() - 1
        })))
    }

    /// Places; none at all is everywhere, which `everything` says aloud.
    fn places(&mut self, texts: &[String]) -> Vec<Place> {
        if texts.iter().any(|text| text == "everything") {
            if texts.len() > 1 {
                self.fault("on", "`everything` beside other places", "write `everything` alone");
            }
            return Vec::new();
        }
        texts.iter().filter_map(|text| self.place(text)).collect()
    }

    fn place(&mut self, text: &str) -> Option<Place> {
        let (word, rest) = split_word(text);
        let scope = match word {
            "entry" => PlaceScope::Entry,
            "children" => PlaceScope::Children,
            "subtree" => PlaceScope::Subtree,
            "below" => PlaceScope::Below,
            _ => {
                self.fault("on", format!("`{text}` is not a place"), ON_RIGHT);
                return None;
            }
        };
        Some(Place { scope, name: self.name("on", rest)? })
    }

    fn filter(&mut self, text: &str) -> Option<usize> {
        if let Err(what) = self.vocabulary.check_filter(text) {
            let right = "write a filter as RFC 4515 has it, such as (objectClass=person)";
            self.fault("where", format!("`{text}` is not a filter: {what}"), right);
            return None;
        }
        let index = self.filters.len();
        self.filters.push(RuleFilter { index, text: text.to_owned() });
        Some(index)
    }

    fn network(&mut self, text: &str) -> Option<Network> {
        Network::parse(text)
            .map_err(|what| {
                let right = "write a network such as 10.0.0.0/8 or 2001:db8::/32, or `local`";
                self.fault("from", what, right);
            })
            .ok()
    }

    fn attributes(&mut self, items: Option<&[String]>, rights: Rights) -> AttributeSet {
        // Who manages all means secrets too; and "none" must never leave a secret to a later rule.
        let secrets = rights == Rights::MANAGE || rights.is_none();
        let Some(items) = items else {
            return AttributeSet { secrets, ..AttributeSet::everything() };
        };
        if items.is_empty() {
            self.fault("attributes", "it is empty", "leave it out, or name attributes");
        }
        let mut set = AttributeSet { secrets, ..AttributeSet::default() };
        for item in items {
            self.attribute_item(item, &mut set);
        }
        set
    }

    fn attribute_item(&mut self, item: &str, set: &mut AttributeSet) {
        if let Some(list) = item.strip_prefix("all except ") {
            self.all_except(list, set);
            return;
        }
        match item {
            "entry" => set.entry = true,
            "*" => set.user = true,
            "+" => set.operational = true,
            "all" => (set.entry, set.user, set.operational) = (true, true, true),
            _ => {
                let keep_secrets = set.secrets || !item.starts_with('@') || item == "@secrets";
                let keys = self.keys(item).into_iter();
                set.named.extend(keys.filter(|key| keep_secrets || !is_secret(key)));
            }
        }
    }

    fn all_except(&mut self, list: &str, set: &mut AttributeSet) {
        if set.user || set.operational {
            let right = "write one `all except A, B`, with everything it excepts";
            self.fault("attributes", "`all except` beside `*`, `+` or `all`", right);
        }
        let excepted: BTreeSet<String> =
            list.split(',').flat_map(|name| self.keys(name.trim())).collect();
        set.except.extend(excepted);
        (set.entry, set.user, set.operational) = (true, true, true);
    }

    /// The keys an item stands for: an attribute type with its subtypes, or a set behind an `@`.
    fn keys(&mut self, item: &str) -> Vec<String> {
        if item == "@secrets" {
            return SECRETS.iter().map(|&key| key.to_owned()).collect();
        }
        if let Some(class) = item.strip_prefix('@') {
            return self.vocabulary.class_attributes(class).unwrap_or_else(|| {
                let what = format!("the schema has no object class `{class}`");
                self.fault("attributes", what, ATTRIBUTE_RIGHT);
                Vec::new()
            });
        }
        if item.contains(';') {
            let right = "write the type alone; it stands for all its options";
            self.fault("attributes", format!("`{item}` has options"), right);
            return Vec::new();
        }
        self.type_keys(item)
    }

    fn type_keys(&mut self, name: &str) -> Vec<String> {
        if let Some(key) = self.vocabulary.attribute(name) {
            let mut keys = self.vocabulary.subtypes(&key);
            keys.push(key);
            return keys;
        }
        let lower = name.to_ascii_lowercase();
        if is_secret(&lower) {
            return vec![lower];
        }
        self.unknown_attribute("attributes", name);
        Vec::new()
    }
}

fn split_word(text: &str) -> (&str, &str) {
    let text = text.trim();
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (word, rest.trim())
}
