//! The rules of a directory whose operator wrote none.

use super::rule::AccessRules;
use super::text::RuleText;

/// What people may change about themselves.
const CONTACT: [&str; 12] = [
    "displayName",
    "homePhone",
    "jpegPhoto",
    "l",
    "labeledURI",
    "mobile",
    "postalAddress",
    "postalCode",
    "preferredLanguage",
    "st",
    "street",
    "telephoneNumber",
];

impl AccessRules {
    /// The administrator manages; everybody may sign in and change their own password and contact
    /// attributes; who is signed in reads people and groups without secrets; nobody else anything.
    pub fn defaults(suffix: &str, admin_dn: &str) -> Vec<RuleText> {
        let tree = format!("subtree \"{suffix}\"");
        vec![
            RuleText::new(&format!("entry \"{admin_dn}\""), &["manage"]),
            RuleText::new("self", &["auth", "write"]).on(&tree).attributes(&["@secrets"]),
            RuleText::new("anyone", &["auth"]).on(&tree).attributes(&["@secrets"]),
            RuleText::new("self", &["read", "write"]).on(&tree).attributes(&CONTACT),
            RuleText::new("signed-in", &["read"]).on(&tree),
        ]
    }
}
