//! Values of every syntax, compared by every rule.

use directory::schema::names::normalize_dn;
use directory::schema::{AttributeDescription, Piece, RuleKind, Schema};
use ldap::dn::Dn;

/// The first byte chooses a rule, the second where the rest is cut in two. Whatever has a normal
/// form equals itself, and equal normal forms mean equal values.
pub fn schema_values(bytes: &[u8]) {
    let [choice, cut, rest @ ..] = bytes else { return };
    let schema = Schema::standard();
    let cut = usize::from(*cut).min(rest.len());
    let (left, right) = rest.split_at(cut);
    for syntax in schema.syntaxes() {
        let _ = syntax.check(&schema, rest);
    }
    let rules = schema.matching_rules().count();
    let Some(rule) = schema.matching_rules().nth(usize::from(*choice) % rules) else { return };
    for position in [Piece::Initial, Piece::Any, Piece::Final] {
        let _ = rule.normalize_piece(&schema, rest, position, &mut Vec::new());
    }
    let _ = rule.matches(&schema, left, right);
    let (mut one, mut two) = (Vec::new(), Vec::new());
    let whole = rule.normalize(&schema, rest, &mut one);
    assert_eq!(rule.normalize(&schema, rest, &mut two).is_ok(), whole.is_ok());
    assert_eq!(one, two, "{} is not a function", rule.name());
    if whole.is_ok() && rule.kind() == RuleKind::Equality && rule.approximate() == rule {
        let _ = rule.matches(&schema, rest, rest);
    }
    if let Ok(text) = std::str::from_utf8(rest) {
        as_description_and_name(&schema, text);
    }
}

fn as_description_and_name(schema: &Schema, text: &str) {
    let _ = AttributeDescription::parse(schema, text);
    let Ok(dn) = Dn::parse(text) else { return };
    let Ok(keys) = normalize_dn(schema, &dn) else { return };
    // A name in its printed form is the same name.
    if let Ok(printed) = Dn::parse(&dn.to_string()) {
        assert_eq!(normalize_dn(schema, &printed).as_ref(), Ok(&keys), "{dn}");
    }
    assert!(keys.is_at_or_below(&keys));
    let _ = keys.reversed();
}
