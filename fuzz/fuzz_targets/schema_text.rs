//! Any text is a description or is refused; one that is printed reads back as itself.
#![no_main]

use ldap::schema_text::{
    AttributeTypeDescription, MatchingRuleDescription, MatchingRuleUseDescription,
    ObjectClassDescription, SchemaFile, SyntaxDescription,
};
use libfuzzer_sys::fuzz_target;

macro_rules! check {
    ($text:expr, $($kind:ty),*) => {$(
        if let Ok(parsed) = <$kind>::parse($text) {
            let printed = parsed.to_string();
            assert_eq!(<$kind>::parse(&printed), Ok(parsed), "{printed}");
        }
    )*};
}

fuzz_target!(|text: &str| {
    check!(
        text,
        AttributeTypeDescription,
        ObjectClassDescription,
        MatchingRuleDescription,
        MatchingRuleUseDescription,
        SyntaxDescription
    );
    let _ = SchemaFile::parse(text, "fuzz");
});
