//! The subschema subentry: the schema in force, readable over LDAP (RFC 4512 §4.2).

use crate::change::NewAttribute;
use crate::schema::Schema;
use crate::search::GivenEntry;

/// Where the schema is read.
pub const SUBSCHEMA_DN: &str = "cn=schema";

pub(crate) fn entry(schema: &Schema) -> GivenEntry {
    let values = schema.describe();
    GivenEntry {
        dn: SUBSCHEMA_DN.to_owned(),
        attributes: vec![
            NewAttribute::new("objectClass", ["top", "subentry", "subschema", "extensibleObject"]),
            NewAttribute::new("cn", ["schema"]),
            NewAttribute::new("subschemaSubentry", [SUBSCHEMA_DN]),
            NewAttribute::new("structuralObjectClass", ["subentry"]),
            NewAttribute::new("entryDN", [SUBSCHEMA_DN]),
            NewAttribute::new("ldapSyntaxes", values.ldap_syntaxes.iter().cloned()),
            NewAttribute::new("matchingRules", values.matching_rules.iter().cloned()),
            NewAttribute::new("matchingRuleUse", values.matching_rule_use.iter().cloned()),
            NewAttribute::new("attributeTypes", values.attribute_types.iter().cloned()),
            NewAttribute::new("objectClasses", values.object_classes.iter().cloned()),
        ],
    }
}
