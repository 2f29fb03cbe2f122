//! The matching rules (RFC 4517 §4.2, RFC 4523, RFC 4530, bit and chain rules), by name and OID.
//!
//! Every rule compares normal forms: two values are equal when their normal forms are equal bytes,
//! and ordering rules order as the bytes do. So an index key, a name key and a comparison are one
//! thing.

use super::{InvalidValue, Schema, Syntax, component, normalize, number};

/// What a rule can be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleKind {
    Equality,
    Ordering,
    Substring,
    /// Only through an extensible match.
    Other,
}

/// Where a piece of a substring assertion stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    Initial,
    Any,
    Final,
}

macro_rules! rules {
    ($($variant:ident $oid:literal $name:literal $kind:ident $form:ident $syntax:ident;)*) => {
        /// How values are compared.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum MatchingRule {
            $(#[doc = concat!("`", $name, "`, ", $oid)] $variant,)*
        }

        const TABLE: &[Row] = &[$(Row {
            rule: MatchingRule::$variant,
            oid: $oid,
            name: $name,
            kind: RuleKind::$kind,
            form: Form::$form,
            assertion: Syntax::$syntax,
        },)*];
    };
}

struct Row {
    rule: MatchingRule,
    oid: &'static str,
    name: &'static str,
    kind: RuleKind,
    form: Form,
    assertion: Syntax,
}

/// Which normal form a rule compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Oid,
    Name,
    Rdn,
    NameAndUid,
    CaseIgnore,
    CaseExact,
    Ia5CaseIgnore,
    Ia5CaseExact,
    List,
    Numeric,
    Telephone,
    Boolean,
    Integer,
    Bits,
    Octets,
    Time,
    UtcTime,
    Uuid,
    Csn,
    CsnSid,
    OidFirst,
    IntegerFirst,
    TextFirst,
}

rules! {
    ObjectIdentifierMatch "2.5.13.0" "objectIdentifierMatch" Equality Oid Oid;
    DistinguishedNameMatch "2.5.13.1" "distinguishedNameMatch" Equality Name DistinguishedName;
    CaseIgnoreMatch "2.5.13.2" "caseIgnoreMatch" Equality CaseIgnore DirectoryString;
    CaseIgnoreOrderingMatch "2.5.13.3" "caseIgnoreOrderingMatch"
        Ordering CaseIgnore DirectoryString;
    CaseIgnoreSubstringsMatch "2.5.13.4" "caseIgnoreSubstringsMatch"
        Substring CaseIgnore SubstringAssertion;
    CaseExactMatch "2.5.13.5" "caseExactMatch" Equality CaseExact DirectoryString;
    CaseExactOrderingMatch "2.5.13.6" "caseExactOrderingMatch"
        Ordering CaseExact DirectoryString;
    CaseExactSubstringsMatch "2.5.13.7" "caseExactSubstringsMatch"
        Substring CaseExact SubstringAssertion;
    NumericStringMatch "2.5.13.8" "numericStringMatch" Equality Numeric NumericString;
    NumericStringOrderingMatch "2.5.13.9" "numericStringOrderingMatch"
        Ordering Numeric NumericString;
    NumericStringSubstringsMatch "2.5.13.10" "numericStringSubstringsMatch"
        Substring Numeric SubstringAssertion;
    CaseIgnoreListMatch "2.5.13.11" "caseIgnoreListMatch" Equality List PostalAddress;
    CaseIgnoreListSubstringsMatch "2.5.13.12" "caseIgnoreListSubstringsMatch"
        Substring List SubstringAssertion;
    BooleanMatch "2.5.13.13" "booleanMatch" Equality Boolean Boolean;
    IntegerMatch "2.5.13.14" "integerMatch" Equality Integer Integer;
    IntegerOrderingMatch "2.5.13.15" "integerOrderingMatch" Ordering Integer Integer;
    BitStringMatch "2.5.13.16" "bitStringMatch" Equality Bits BitString;
    OctetStringMatch "2.5.13.17" "octetStringMatch" Equality Octets OctetString;
    OctetStringOrderingMatch "2.5.13.18" "octetStringOrderingMatch" Ordering Octets OctetString;
    OctetStringSubstringsMatch "2.5.13.19" "octetStringSubstringsMatch"
        Substring Octets OctetString;
    TelephoneNumberMatch "2.5.13.20" "telephoneNumberMatch" Equality Telephone TelephoneNumber;
    TelephoneNumberSubstringsMatch "2.5.13.21" "telephoneNumberSubstringsMatch"
        Substring Telephone SubstringAssertion;
    UniqueMemberMatch "2.5.13.23" "uniqueMemberMatch" Equality NameAndUid NameAndOptionalUid;
    UtcTimeMatch "2.5.13.25" "uTCTimeMatch" Equality UtcTime UtcTime;
    GeneralizedTimeMatch "2.5.13.27" "generalizedTimeMatch" Equality Time GeneralizedTime;
    GeneralizedTimeOrderingMatch "2.5.13.28" "generalizedTimeOrderingMatch"
        Ordering Time GeneralizedTime;
    IntegerFirstComponentMatch "2.5.13.29" "integerFirstComponentMatch"
        Equality IntegerFirst Integer;
    ObjectIdentifierFirstComponentMatch "2.5.13.30" "objectIdentifierFirstComponentMatch"
        Equality OidFirst Oid;
    DirectoryStringFirstComponentMatch "2.5.13.31" "directoryStringFirstComponentMatch"
        Equality TextFirst DirectoryString;
    WordMatch "2.5.13.32" "wordMatch" Other CaseIgnore DirectoryString;
    KeywordMatch "2.5.13.33" "keywordMatch" Other CaseIgnore DirectoryString;
    CertificateExactMatch "2.5.13.34" "certificateExactMatch"
        Equality Octets CertificateExactAssertion;
    CertificateListExactMatch "2.5.13.38" "certificateListExactMatch"
        Equality Octets CertificateListExactAssertion;
    AttributeCertificateExactMatch "2.5.13.45" "attributeCertificateExactMatch"
        Equality Octets AttributeCertificate;
    CaseExactIa5Match "1.3.6.1.4.1.1466.109.114.1" "caseExactIA5Match"
        Equality Ia5CaseExact Ia5String;
    CaseIgnoreIa5Match "1.3.6.1.4.1.1466.109.114.2" "caseIgnoreIA5Match"
        Equality Ia5CaseIgnore Ia5String;
    CaseIgnoreIa5SubstringsMatch "1.3.6.1.4.1.1466.109.114.3" "caseIgnoreIA5SubstringsMatch"
        Substring Ia5CaseIgnore SubstringAssertion;
    CaseExactIa5SubstringsMatch "1.3.6.1.4.1.4203.1.2.1" "caseExactIA5SubstringsMatch"
        Substring Ia5CaseExact SubstringAssertion;
    UuidMatch "1.3.6.1.1.16.2" "UUIDMatch" Equality Uuid Uuid;
    UuidOrderingMatch "1.3.6.1.1.16.3" "UUIDOrderingMatch" Ordering Uuid Uuid;
    CsnMatch "1.3.6.1.4.1.4203.666.11.2.2" "CSNMatch" Equality Csn Csn;
    CsnOrderingMatch "1.3.6.1.4.1.4203.666.11.2.3" "CSNOrderingMatch" Ordering Csn Csn;
    CsnSidMatch "1.3.6.1.4.1.4203.666.11.2.5" "CSNSIDMatch" Other CsnSid CsnSid;
    AuthzMatch "1.3.6.1.4.1.4203.666.4.12" "authzMatch" Equality CaseExact AuthorizationRule;
    PrivateKeyMatch "1.3.6.1.4.1.4203.666.11.10.3.1" "privateKeyMatch"
        Equality Octets PrivateKeyInfo;
    RdnMatch "1.2.36.79672281.1.13.3" "rdnMatch" Equality Rdn Rdn;
    IntegerBitAndMatch "1.2.840.113556.1.4.803" "integerBitAndMatch" Other Integer Integer;
    IntegerBitOrMatch "1.2.840.113556.1.4.804" "integerBitOrMatch" Other Integer Integer;
    InChainMatch "1.2.840.113556.1.4.1941" "inChainMatch" Other Name DistinguishedName;
}

impl MatchingRule {
    pub(super) fn all() -> impl Iterator<Item = MatchingRule> + use<> {
        TABLE.iter().map(|row| row.rule)
    }

    pub(super) fn find(name_or_oid: &str) -> Option<MatchingRule> {
        let same =
            |row: &&Row| row.oid == name_or_oid || row.name.eq_ignore_ascii_case(name_or_oid);
        TABLE.iter().find(same).map(|row| row.rule)
    }

    #[allow(clippy::indexing_slicing, reason = "the table has a row for every variant, in order")]
    fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }

    pub fn oid(self) -> &'static str {
        self.row().oid
    }

    pub fn name(self) -> &'static str {
        self.row().name
    }

    pub fn kind(self) -> RuleKind {
        self.row().kind
    }

    pub(super) fn form(self) -> Form {
        self.row().form
    }

    pub(super) fn assertion_syntax_oid(self) -> &'static str {
        self.row().assertion.known_oid()
    }

    /// Whether both rules compare the same normal forms, so that an index of one serves the other.
    pub fn shares_normal_form(self, other: MatchingRule) -> bool {
        self.form() == other.form()
    }

    /// Appends the normal form of a value (or of an assertion, which has the same form): equal
    /// values have equal normal forms, and byte order is value order.
    pub fn normalize(
        self,
        schema: &Schema,
        value: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), InvalidValue> {
        normalize::value(self.form(), schema, value, out)
    }

    /// Appends the normal form of one piece of a substring assertion: the value matches when its
    /// normal form has the initial piece in front, the others behind each other, the final at its
    /// end.
    pub fn normalize_piece(
        self,
        schema: &Schema,
        piece: &[u8],
        position: Piece,
        out: &mut Vec<u8>,
    ) -> Result<(), InvalidValue> {
        normalize::piece(self.form(), schema, piece, position, out)
    }

    /// Whether `value` meets `assertion`, for use in extensible matches: ordering rules ask whether
    /// the value is less (RFC 4517 §4.1), substring rules take `initial*any*final`.
    /// `inChainMatch` is answered by search, which knows the links; here it compares names.
    pub fn matches(
        self,
        schema: &Schema,
        value: &[u8],
        assertion: &[u8],
    ) -> Result<bool, InvalidValue> {
        match self {
            MatchingRule::WordMatch => component::has_word(schema, value, assertion),
            MatchingRule::KeywordMatch => component::has_word(schema, value, assertion),
            MatchingRule::IntegerBitAndMatch => number::has_all_bits(value, assertion),
            MatchingRule::IntegerBitOrMatch => number::has_some_bits(value, assertion),
            _ if self.kind() == RuleKind::Substring => {
                component::has_substrings(self, schema, value, assertion)
            }
            _ => self.compares(schema, value, assertion),
        }
    }

    fn compares(
        self,
        schema: &Schema,
        value: &[u8],
        assertion: &[u8],
    ) -> Result<bool, InvalidValue> {
        let (mut left, mut right) = (Vec::new(), Vec::new());
        self.normalize(schema, value, &mut left)?;
        self.normalize(schema, assertion, &mut right)?;
        Ok(if self.kind() == RuleKind::Ordering { left < right } else { left == right })
    }

    /// The rule that answers `~=` for types with this equality rule: the equality rule itself, or
    /// for case-exact strings the case-ignoring one. Spelling is compared, not sound.
    pub fn approximate(self) -> MatchingRule {
        match self {
            MatchingRule::CaseExactMatch => MatchingRule::CaseIgnoreMatch,
            MatchingRule::CaseExactIa5Match => MatchingRule::CaseIgnoreIa5Match,
            other => other,
        }
    }

    /// Whether values of `syntax` can be compared by this rule (RFC 4512 §4.1.4).
    pub fn applies_to(self, syntax: Syntax) -> bool {
        use Syntax::{CountryString, DirectoryString, Ia5String, NumericString, PrintableString};
        let text = matches!(
            syntax,
            DirectoryString
                | PrintableString
                | CountryString
                | Ia5String
                | NumericString
                | Syntax::TelephoneNumber
        );
        match self.form() {
            Form::CaseIgnore | Form::CaseExact => {
                text && (self != MatchingRule::AuthzMatch) || syntax == self.row().assertion
            }
            Form::Ia5CaseIgnore | Form::Ia5CaseExact => syntax == Ia5String,
            Form::Numeric => syntax == NumericString,
            Form::Telephone => syntax == Syntax::TelephoneNumber,
            Form::List => syntax == Syntax::PostalAddress,
            Form::Octets => self.takes_octets(syntax),
            Form::OidFirst => is_oid_description(syntax),
            Form::IntegerFirst => syntax == Syntax::DitStructureRuleDescription,
            Form::TextFirst => false,
            Form::Name => matches!(syntax, Syntax::DistinguishedName | Syntax::NameAndOptionalUid),
            Form::CsnSid => syntax == Syntax::Csn,
            _ => syntax == self.row().assertion,
        }
    }

    fn takes_octets(self, syntax: Syntax) -> bool {
        match self {
            MatchingRule::CertificateExactMatch => syntax == Syntax::Certificate,
            MatchingRule::CertificateListExactMatch => syntax == Syntax::CertificateList,
            MatchingRule::AttributeCertificateExactMatch => syntax == Syntax::AttributeCertificate,
            MatchingRule::PrivateKeyMatch => syntax == Syntax::PrivateKeyInfo,
            _ => matches!(syntax, Syntax::OctetString | Syntax::Jpeg | Syntax::Binary),
        }
    }
}

fn is_oid_description(syntax: Syntax) -> bool {
    use Syntax::{AttributeTypeDescription, LdapSyntaxDescription, MatchingRuleDescription};
    use Syntax::{MatchingRuleUseDescription, NameFormDescription, ObjectClassDescription};
    matches!(
        syntax,
        AttributeTypeDescription
            | LdapSyntaxDescription
            | MatchingRuleDescription
            | MatchingRuleUseDescription
            | NameFormDescription
            | ObjectClassDescription
            | Syntax::DitContentRuleDescription
    )
}
