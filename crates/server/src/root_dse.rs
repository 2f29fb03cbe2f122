//! The root DSE (RFC 4512 §5.1): what this server is and can, as seen from one connection.

use directory::{GivenEntry, NewAttribute};
use ldap::oid::{extended, feature};

use crate::controls;

/// Where the schema is published (RFC 4512 §4.2).
pub(crate) const SUBSCHEMA: &str = "cn=schema";

/// What depends on the connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Offers {
    pub(crate) start_tls: bool,
    pub(crate) external: bool,
    pub(crate) plain: bool,
    /// Whether the program around the server takes signing requests.
    pub(crate) enrol: bool,
}

impl Offers {
    pub(crate) fn mechanisms(self) -> impl Iterator<Item = &'static str> {
        let external = self.external.then_some("EXTERNAL");
        external.into_iter().chain(self.plain.then_some("PLAIN"))
    }

    fn extensions(self) -> impl Iterator<Item = &'static str> {
        let always = [extended::CANCEL, extended::PASSWORD_MODIFY, extended::WHO_AM_I];
        let enrol = self.enrol.then_some(extended::ENROL);
        self.start_tls.then_some(extended::START_TLS).into_iter().chain(always).chain(enrol)
    }
}

const FEATURES: &[&str] = &[
    feature::MODIFY_INCREMENT,
    feature::ALL_OPERATIONAL_ATTRIBUTES,
    feature::OBJECT_CLASS_ATTRIBUTES,
    feature::TRUE_FALSE_FILTERS,
    feature::LANGUAGE_TAGS,
    feature::LANGUAGE_RANGES,
];

/// Its attributes are operational, so returned only when asked for (RFC 4512 §5.1), but for
/// `objectClass`.
pub(crate) fn entry(suffixes: &[String], offers: Offers) -> GivenEntry {
    let mut attributes = vec![
        attribute("objectClass", ["top"]),
        attribute("namingContexts", suffixes.iter().map(String::as_str)),
        attribute("subschemaSubentry", [SUBSCHEMA]),
        attribute("supportedControl", controls::supported()),
        attribute("supportedExtension", offers.extensions()),
        attribute("supportedFeatures", FEATURES.iter().copied()),
        attribute("supportedLDAPVersion", ["3"]),
        attribute("supportedSASLMechanisms", offers.mechanisms()),
        attribute("vendorName", ["Chancery"]),
        attribute("vendorVersion", [env!("CARGO_PKG_VERSION")]),
        attribute("entryDN", [""]),
        attribute("structuralObjectClass", ["top"]),
    ];
    // An attribute has at least one value (RFC 4512 §2.2).
    attributes.retain(|attribute| !attribute.values.is_empty());
    GivenEntry { dn: String::new(), attributes }
}

fn attribute<'v>(description: &str, values: impl IntoIterator<Item = &'v str>) -> NewAttribute {
    let values = values.into_iter().map(|value| value.as_bytes().to_vec()).collect();
    NewAttribute { description: description.to_owned(), values }
}

/// Whether this name is the schema's, however it is written.
pub(crate) fn is_subschema(name: &str) -> bool {
    // Asked of every search, and hardly any name ends so.
    let ending = name.trim_end().as_bytes().last_chunk::<6>();
    if !ending.is_some_and(|ending| ending.eq_ignore_ascii_case(b"schema")) {
        return false;
    }
    name.split_once('=').is_some_and(|(attribute, value)| {
        let attribute = attribute.trim();
        let known = ["cn", "commonname", "2.5.4.3"];
        known.iter().any(|known| known.eq_ignore_ascii_case(attribute))
            && value.trim().eq_ignore_ascii_case("schema")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(entry: &GivenEntry, name: &str) -> Vec<String> {
        let found = entry.attributes.iter().find(|a| a.description == name);
        let texts = found.map(|a| a.values.iter().map(|v| String::from_utf8(v.clone()).unwrap()));
        texts.map(Iterator::collect).unwrap_or_default()
    }

    #[test]
    fn offers_depend_on_the_connection() {
        let nothing = entry(&[], Offers::default());
        assert!(values(&nothing, "supportedSASLMechanisms").is_empty());
        assert!(!values(&nothing, "supportedExtension").contains(&extended::START_TLS.to_owned()));
        let all = Offers { start_tls: true, external: true, plain: true, enrol: true };
        let everything = entry(&["dc=example".to_owned()], all);
        assert_eq!(values(&everything, "supportedSASLMechanisms"), ["EXTERNAL", "PLAIN"]);
        assert!(
            values(&everything, "supportedExtension").contains(&extended::START_TLS.to_owned())
        );
        assert!(values(&everything, "supportedExtension").contains(&extended::ENROL.to_owned()));
        assert_eq!(values(&everything, "namingContexts"), ["dc=example"]);
    }

    #[test]
    fn the_schema_has_one_name() {
        for name in ["cn=schema", "CN = Schema", "2.5.4.3=schema"] {
            assert!(is_subschema(name), "{name}");
        }
        for name in ["", "cn=schemas", "cn=schema,dc=x", "o=schema"] {
            assert!(!is_subschema(name), "{name}");
        }
    }
}
