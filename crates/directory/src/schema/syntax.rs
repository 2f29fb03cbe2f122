//! The syntaxes (RFC 4517 §3.3, RFC 4523, RFC 4530 and some of OpenLDAP's), by OID.

use super::{InvalidValue, Schema, forms};

macro_rules! syntaxes {
    ($($variant:ident $oid:literal $description:literal;)*) => {
        /// Which bytes are values of an attribute.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Syntax {
            $(#[doc = concat!($description, ", ", $oid)] $variant,)*
            /// Declared by a schema file, not known to the code: position in the schema's list.
            Other(u32),
        }

        const TABLE: &[(Syntax, &str, &str)] =
            &[$((Syntax::$variant, $oid, $description),)*];
    };
}

syntaxes! {
    AttributeTypeDescription "1.3.6.1.4.1.1466.115.121.1.3" "Attribute Type Description";
    Audio "1.3.6.1.4.1.1466.115.121.1.4" "Audio";
    Binary "1.3.6.1.4.1.1466.115.121.1.5" "Binary";
    BitString "1.3.6.1.4.1.1466.115.121.1.6" "Bit String";
    Boolean "1.3.6.1.4.1.1466.115.121.1.7" "Boolean";
    Certificate "1.3.6.1.4.1.1466.115.121.1.8" "Certificate";
    CertificateList "1.3.6.1.4.1.1466.115.121.1.9" "Certificate List";
    CertificatePair "1.3.6.1.4.1.1466.115.121.1.10" "Certificate Pair";
    CountryString "1.3.6.1.4.1.1466.115.121.1.11" "Country String";
    DistinguishedName "1.3.6.1.4.1.1466.115.121.1.12" "DN";
    DataQuality "1.3.6.1.4.1.1466.115.121.1.13" "Data Quality";
    DeliveryMethod "1.3.6.1.4.1.1466.115.121.1.14" "Delivery Method";
    DirectoryString "1.3.6.1.4.1.1466.115.121.1.15" "Directory String";
    DitContentRuleDescription "1.3.6.1.4.1.1466.115.121.1.16" "DIT Content Rule Description";
    DitStructureRuleDescription "1.3.6.1.4.1.1466.115.121.1.17" "DIT Structure Rule Description";
    DsaQuality "1.3.6.1.4.1.1466.115.121.1.19" "DSA Quality";
    EnhancedGuide "1.3.6.1.4.1.1466.115.121.1.21" "Enhanced Guide";
    FacsimileTelephoneNumber "1.3.6.1.4.1.1466.115.121.1.22" "Facsimile Telephone Number";
    Fax "1.3.6.1.4.1.1466.115.121.1.23" "Fax";
    GeneralizedTime "1.3.6.1.4.1.1466.115.121.1.24" "Generalized Time";
    Guide "1.3.6.1.4.1.1466.115.121.1.25" "Guide";
    Ia5String "1.3.6.1.4.1.1466.115.121.1.26" "IA5 String";
    Integer "1.3.6.1.4.1.1466.115.121.1.27" "INTEGER";
    Jpeg "1.3.6.1.4.1.1466.115.121.1.28" "JPEG";
    MatchingRuleDescription "1.3.6.1.4.1.1466.115.121.1.30" "Matching Rule Description";
    MatchingRuleUseDescription "1.3.6.1.4.1.1466.115.121.1.31" "Matching Rule Use Description";
    NameAndOptionalUid "1.3.6.1.4.1.1466.115.121.1.34" "Name And Optional UID";
    NameFormDescription "1.3.6.1.4.1.1466.115.121.1.35" "Name Form Description";
    NumericString "1.3.6.1.4.1.1466.115.121.1.36" "Numeric String";
    ObjectClassDescription "1.3.6.1.4.1.1466.115.121.1.37" "Object Class Description";
    Oid "1.3.6.1.4.1.1466.115.121.1.38" "OID";
    OtherMailbox "1.3.6.1.4.1.1466.115.121.1.39" "Other Mailbox";
    OctetString "1.3.6.1.4.1.1466.115.121.1.40" "Octet String";
    PostalAddress "1.3.6.1.4.1.1466.115.121.1.41" "Postal Address";
    ProtocolInformation "1.3.6.1.4.1.1466.115.121.1.42" "Protocol Information";
    PresentationAddress "1.3.6.1.4.1.1466.115.121.1.43" "Presentation Address";
    PrintableString "1.3.6.1.4.1.1466.115.121.1.44" "Printable String";
    SubtreeSpecification "1.3.6.1.4.1.1466.115.121.1.45" "SubtreeSpecification";
    SupportedAlgorithm "1.3.6.1.4.1.1466.115.121.1.49" "Supported Algorithm";
    TelephoneNumber "1.3.6.1.4.1.1466.115.121.1.50" "Telephone Number";
    TeletexTerminalIdentifier "1.3.6.1.4.1.1466.115.121.1.51" "Teletex Terminal Identifier";
    TelexNumber "1.3.6.1.4.1.1466.115.121.1.52" "Telex Number";
    UtcTime "1.3.6.1.4.1.1466.115.121.1.53" "UTC Time";
    LdapSyntaxDescription "1.3.6.1.4.1.1466.115.121.1.54" "LDAP Syntax Description";
    SubstringAssertion "1.3.6.1.4.1.1466.115.121.1.58" "Substring Assertion";
    CertificateExactAssertion "1.3.6.1.1.15.1" "X.509 Certificate Exact Assertion";
    CertificateListExactAssertion "1.3.6.1.1.15.5" "X.509 Certificate List Exact Assertion";
    Uuid "1.3.6.1.1.16.1" "UUID";
    NisNetgroupTriple "1.3.6.1.1.1.0.0" "RFC2307 NIS Netgroup Triple";
    BootParameter "1.3.6.1.1.1.0.1" "RFC2307 Boot Parameter";
    Csn "1.3.6.1.4.1.4203.666.11.2.1" "CSN";
    CsnSid "1.3.6.1.4.1.4203.666.11.2.4" "CSN SID";
    AuthorizationRule "1.3.6.1.4.1.4203.666.2.7" "OpenLDAP authz";
    AttributeCertificate "1.3.6.1.4.1.4203.666.11.10.2.1" "X.509 AttributeCertificate";
    PrivateKeyInfo "1.2.840.113549.1.8.1.1" "PKCS#8 PrivateKeyInfo";
    Rdn "1.2.36.79672281.1.5.0" "RDN";
}

impl Syntax {
    pub(super) fn all() -> impl Iterator<Item = Syntax> {
        TABLE.iter().map(|row| row.0)
    }

    pub(super) fn find(oid: &str) -> Option<Syntax> {
        TABLE.iter().find(|row| row.1 == oid).map(|row| row.0)
    }

    fn row(self) -> Option<&'static (Syntax, &'static str, &'static str)> {
        TABLE.iter().find(|row| row.0 == self)
    }

    /// The OID of a syntax the code knows; the empty string for a file's own.
    pub(super) fn known_oid(self) -> &'static str {
        self.row().map_or("", |row| row.1)
    }

    pub fn oid(self, schema: &Schema) -> &str {
        match self {
            Syntax::Other(at) => schema.other_syntaxes.get(at as usize).map_or("", |s| &s.oid),
            known => known.known_oid(),
        }
    }

    pub fn description(self, schema: &Schema) -> &str {
        let Syntax::Other(at) = self else { return self.row().map_or("", |row| row.2) };
        let declared = schema.other_syntaxes.get(at as usize);
        declared.and_then(|syntax| syntax.description.as_deref()).unwrap_or_default()
    }

    /// Whether `value` is a value of this syntax. Declared but unknown syntaxes take any bytes.
    pub fn check(self, schema: &Schema, value: &[u8]) -> Result<(), InvalidValue> {
        forms::check(self, schema, value)
    }

    /// Whether values travel as `;binary` (RFC 4522 §3, RFC 4523 §2).
    pub fn requires_binary_transfer(self) -> bool {
        use Syntax::{Certificate, CertificateList, CertificatePair, SupportedAlgorithm};
        matches!(self, Certificate | CertificateList | CertificatePair | SupportedAlgorithm)
            || self == Syntax::AttributeCertificate
    }

    /// Whether values are text for people (RFC 4512 §4.1.5, the opposite of X-NOT-HUMAN-READABLE).
    pub fn is_human_readable(self) -> bool {
        use Syntax::{Audio, Binary, Fax, Jpeg, OctetString, Other, PrivateKeyInfo};
        !self.requires_binary_transfer()
            && !matches!(
                self,
                Audio | Binary | Fax | Jpeg | OctetString | PrivateKeyInfo | Other(_)
            )
    }
}
