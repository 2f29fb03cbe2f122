//! Every object identifier that Chancery speaks on the wire, by name.

/// Controls (RFC 4511 §4.1.11).
pub mod control {
    /// Simple paged results, RFC 2696.
    pub const PAGED_RESULTS: &str = "1.2.840.113556.1.4.319";
    /// Assertion, RFC 4528.
    pub const ASSERTION: &str = "1.3.6.1.1.12";
    /// Pre-read, RFC 4527.
    pub const PRE_READ: &str = "1.3.6.1.1.13.1";
    /// Post-read, RFC 4527.
    pub const POST_READ: &str = "1.3.6.1.1.13.2";
    /// ManageDsaIT, RFC 3296.
    pub const MANAGE_DSA_IT: &str = "2.16.840.1.113730.3.4.2";
    /// Tree delete, draft-armijo-ldap-treedelete.
    pub const TREE_DELETE: &str = "1.2.840.113556.1.4.805";
    /// Permissive modify, Active Directory's.
    pub const PERMISSIVE_MODIFY: &str = "1.2.840.113556.1.4.1413";
    /// Don't use copy, RFC 6171.
    pub const DONT_USE_COPY: &str = "1.3.6.1.1.22";
    /// Relax rules, draft-zeilenga-ldap-relax: lets an administrator set operational attributes.
    pub const RELAX_RULES: &str = "1.3.6.1.4.1.4203.666.5.12";
}

/// Extended operations (RFC 4511 §4.12).
pub mod extended {
    /// StartTLS, RFC 4511 §4.14.
    pub const START_TLS: &str = "1.3.6.1.4.1.1466.20037";
    /// Who am I?, RFC 4532.
    pub const WHO_AM_I: &str = "1.3.6.1.4.1.4203.1.11.3";
    /// Password Modify, RFC 3062.
    pub const PASSWORD_MODIFY: &str = "1.3.6.1.4.1.4203.1.11.1";
    /// Cancel, RFC 3909.
    pub const CANCEL: &str = "1.3.6.1.1.8";
    /// A request of one of Chancery's own commands: JSON, for the operator only.
    pub const MANAGE: &str = "2.25.306158910841215312956110719643808338881";
    /// Certificate enrolment: a template's name, a line feed, a signing request; PEM is answered.
    pub const ENROL: &str = "2.25.9043160933254766473319378082597890002";
    /// Notice of Disconnection, RFC 4511 §4.4.1.
    pub const NOTICE_OF_DISCONNECTION: &str = "1.3.6.1.4.1.1466.20036";
}

/// Features (RFC 4512 §5.1.4).
pub mod feature {
    /// Modify-increment, RFC 4525.
    pub const MODIFY_INCREMENT: &str = "1.3.6.1.1.14";
    /// All operational attributes (`+`), RFC 3673.
    pub const ALL_OPERATIONAL_ATTRIBUTES: &str = "1.3.6.1.4.1.4203.1.5.1";
    /// Attributes of an object class (`@class`), RFC 4529.
    pub const OBJECT_CLASS_ATTRIBUTES: &str = "1.3.6.1.4.1.4203.1.5.2";
    /// Absolute true and false filters, RFC 4526.
    pub const TRUE_FALSE_FILTERS: &str = "1.3.6.1.4.1.4203.1.5.3";
    /// Language tag options, RFC 3866.
    pub const LANGUAGE_TAGS: &str = "1.3.6.1.4.1.4203.1.5.4";
    /// Language range options, RFC 3866.
    pub const LANGUAGE_RANGES: &str = "1.3.6.1.4.1.4203.1.5.5";
}

/// RFC 4512 §1.4 `numericoid`: at least two numbers, no leading zeros.
pub fn is_numericoid(text: &str) -> bool {
    let is_number = |part: &str| {
        let digits = part.bytes().all(|byte| byte.is_ascii_digit());
        digits && !part.is_empty() && (part == "0" || !part.starts_with('0'))
    };
    text.contains('.') && text.split('.').all(is_number)
}

/// RFC 4512 §1.4 `descr`, and the underscore that real schemas put into names all the same.
pub fn is_descr(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}
