//! The values of the subschema entry (RFC 4512 §4.2).

use ldap::schema_text::{
    Extensions, MatchingRuleDescription, MatchingRuleUseDescription, SyntaxDescription,
};

use super::{MatchingRule, RuleKind, Schema};

/// The text values of the subschema entry's attributes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubschemaValues {
    pub attribute_types: Vec<String>,
    pub object_classes: Vec<String>,
    pub matching_rules: Vec<String>,
    pub matching_rule_use: Vec<String>,
    pub ldap_syntaxes: Vec<String>,
}

pub(super) fn subschema(schema: &Schema) -> SubschemaValues {
    SubschemaValues {
        attribute_types: schema.attribute_types().map(|t| t.description.to_string()).collect(),
        object_classes: schema.object_classes().map(|c| c.description.to_string()).collect(),
        matching_rules: schema.matching_rules().map(|r| rule(r).to_string()).collect(),
        matching_rule_use: rule_uses(schema),
        ldap_syntaxes: schema.syntaxes().map(|s| syntax(schema, s).to_string()).collect(),
    }
}

fn rule(rule: MatchingRule) -> MatchingRuleDescription {
    MatchingRuleDescription {
        oid: rule.oid().to_owned(),
        names: vec![rule.name().to_owned()],
        syntax: rule.assertion_syntax_oid().to_owned(),
        ..Default::default()
    }
}

fn syntax(schema: &Schema, syntax: super::Syntax) -> SyntaxDescription {
    SyntaxDescription {
        oid: syntax.oid(schema).to_owned(),
        description: Some(syntax.description(schema).to_owned()),
        extensions: marks(syntax),
    }
}

/// What OpenLDAP marks its syntaxes with and browsers look at.
fn marks(syntax: super::Syntax) -> Extensions {
    let mark = |name: &str| (name.to_owned(), vec!["TRUE".to_owned()]);
    let mut marks = Vec::new();
    if syntax.requires_binary_transfer() {
        marks.push(mark("X-BINARY-TRANSFER-REQUIRED"));
    }
    if !syntax.is_human_readable() {
        marks.push(mark("X-NOT-HUMAN-READABLE"));
    }
    marks
}

/// RFC 4512 §4.1.4: which types a rule may be used with in an extensible match.
fn rule_uses(schema: &Schema) -> Vec<String> {
    let describe = |rule: MatchingRule| {
        let applies: Vec<String> = schema
            .attribute_types()
            .filter(|attribute| rule.applies_to(attribute.syntax))
            .map(|attribute| attribute.name.clone())
            .collect();
        let description = MatchingRuleUseDescription {
            oid: rule.oid().to_owned(),
            names: vec![rule.name().to_owned()],
            applies,
            ..Default::default()
        };
        (!description.applies.is_empty()).then(|| description.to_string())
    };
    schema
        .matching_rules()
        .filter(|rule| rule.kind() != RuleKind::Substring)
        .filter_map(describe)
        .collect()
}
