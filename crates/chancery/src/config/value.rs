//! How values are written: sizes, durations, words, lists.

use std::path::PathBuf;
use std::time::Duration;

use toml::de::DeValue;

/// Something a setting can hold.
pub(super) trait Value: Sized {
    /// The kind of value, in words; completes "write ...".
    const FORM: &'static str;
    fn read(value: &DeValue<'_>) -> Option<Self>;
    /// The value as a number, where it can have bounds.
    fn number(&self) -> Option<u64> {
        None
    }
    /// A number of the same unit as one writes it.
    fn say(number: u64) -> String {
        number.to_string()
    }
    /// For settings that may be absent.
    fn absent() -> Option<Self> {
        None
    }
}

/// A number of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Bytes(pub(crate) u64);

const SIZE_UNITS: [(&str, u64); 5] =
    [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// In milliseconds. The first spelling of each is the one that is printed.
const TIME_UNITS: [(&str, u64); 12] = [
    ("days", 86_400_000),
    ("d", 86_400_000),
    ("day", 86_400_000),
    ("h", 3_600_000),
    ("hour", 3_600_000),
    ("hours", 3_600_000),
    ("min", 60_000),
    ("m", 60_000),
    ("minutes", 60_000),
    ("s", 1_000),
    ("seconds", 1_000),
    ("ms", 1),
];

/// `8 MiB`: a whole number and a unit, with or without a space between.
fn quantity(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits)?;
    let (_, factor) = units.iter().find(|(name, _)| *name == unit.trim_start())?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

/// In the largest unit that divides it.
fn say_quantity(number: u64, units: &[(&str, u64)]) -> String {
    let fits = |(_, factor): &&(&str, u64)| number != 0 && number.is_multiple_of(*factor);
    match units.iter().find(fits).or(units.last()) {
        Some((unit, factor)) => format!("{} {unit}", number / factor),
        None => number.to_string(),
    }
}

fn integer(value: &DeValue<'_>) -> Option<u64> {
    let integer = value.as_integer()?;
    u64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

impl Value for Bytes {
    const FORM: &'static str = "a size such as \"8 MiB\"";
    fn read(value: &DeValue<'_>) -> Option<Bytes> {
        let quantity = value.as_str().and_then(|text| quantity(text, &SIZE_UNITS));
        quantity.or_else(|| integer(value)).map(Bytes)
    }
    fn number(&self) -> Option<u64> {
        Some(self.0)
    }
    fn say(number: u64) -> String {
        say_quantity(number, &SIZE_UNITS)
    }
}

impl Value for Duration {
    const FORM: &'static str = "a duration such as \"30s\", \"15 min\", \"2 h\" or \"30 days\"";
    fn read(value: &DeValue<'_>) -> Option<Duration> {
        quantity(value.as_str()?, &TIME_UNITS).map(Duration::from_millis)
    }
    fn number(&self) -> Option<u64> {
        u64::try_from(self.as_millis()).ok()
    }
    fn say(number: u64) -> String {
        say_quantity(number, &TIME_UNITS)
    }
}

impl Value for u32 {
    const FORM: &'static str = "a whole number";
    fn read(value: &DeValue<'_>) -> Option<u32> {
        integer(value).and_then(|number| u32::try_from(number).ok())
    }
    fn number(&self) -> Option<u64> {
        Some(u64::from(*self))
    }
}

impl Value for bool {
    const FORM: &'static str = "true or false";
    fn read(value: &DeValue<'_>) -> Option<bool> {
        value.as_bool()
    }
}

impl Value for String {
    const FORM: &'static str = "a string";
    fn read(value: &DeValue<'_>) -> Option<String> {
        value.as_str().map(str::to_owned)
    }
}

impl Value for PathBuf {
    const FORM: &'static str = "a path";
    fn read(value: &DeValue<'_>) -> Option<PathBuf> {
        value.as_str().filter(|path| !path.is_empty()).map(PathBuf::from)
    }
}

impl<T: Value> Value for Vec<T> {
    const FORM: &'static str = "a list of strings";
    fn read(value: &DeValue<'_>) -> Option<Vec<T>> {
        value.as_array()?.iter().map(|item| T::read(item.get_ref())).collect()
    }
}

impl<T: Value> Value for Option<T> {
    const FORM: &'static str = T::FORM;
    fn read(value: &DeValue<'_>) -> Option<Option<T>> {
        T::read(value).map(Some)
    }
    fn number(&self) -> Option<u64> {
        self.as_ref()?.number()
    }
    fn say(number: u64) -> String {
        T::say(number)
    }
    fn absent() -> Option<Option<T>> {
        Some(None)
    }
}

/// One string, or a list of strings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Words(pub(crate) Vec<String>);

impl Value for Words {
    const FORM: &'static str = "a string or a list of strings";
    fn read(value: &DeValue<'_>) -> Option<Words> {
        let one = value.as_str().map(|word| vec![word.to_owned()]);
        one.or_else(|| Vec::read(value)).map(Words)
    }
}

macro_rules! words {
    ($(#[$meta:meta])* $name:ident, $form:literal {
        $($(#[$about:meta])* $variant:ident = $word:literal,)*
    }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum $name {
            $($(#[$about])* $variant,)*
        }

        impl Value for $name {
            const FORM: &'static str = $form;
            fn read(value: &DeValue<'_>) -> Option<$name> {
                match value.as_str()? {
                    $($word => Some($name::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

words! {
    /// What somebody who has not signed in may do at most.
    Anonymous, "\"none\", \"root-dse\" or \"search\"" {
        None = "none",
        RootDse = "root-dse",
        Search = "search",
    }
}

words! {
    /// How a CA is shown that a name is ours.
    AcmeChallenge, "\"http-01\", \"tls-alpn-01\" or \"dns-01\"" {
        Http01 = "http-01",
        TlsAlpn01 = "tls-alpn-01",
        Dns01 = "dns-01",
    }
}

words! {
    ListenMode, "\"ldaps\", \"starttls\" or \"ldapi\"" {
        Ldaps = "ldaps",
        StartTls = "starttls",
        Ldapi = "ldapi",
    }
}

words! {
    ClientCertificates, "\"off\", \"optional\" or \"required\"" {
        Off = "off",
        Optional = "optional",
        Required = "required",
    }
}

words! {
    TlsFloor, "\"1.2\" or \"1.3\"" {
        Tls12 = "1.2",
        Tls13 = "1.3",
    }
}

words! {
    CertificatePart,
    "\"subject\", \"common-name\", \"email\", \"dns\", \"user-principal\" or \"thumbprint\"" {
        Subject = "subject",
        CommonName = "common-name",
        Email = "email",
        Dns = "dns",
        UserPrincipal = "user-principal",
        Thumbprint = "thumbprint",
    }
}

words! {
    Level, "\"error\", \"warn\", \"info\", \"debug\" or \"trace\"" {
        Error = "error",
        Warn = "warn",
        Info = "info",
        Debug = "debug",
        Trace = "trace",
    }
}

words! {
    LogFormat, "\"text\" or \"json\"" {
        Text = "text",
        Json = "json",
    }
}

words! {
    /// What a network rule says.
    RuleVerdict, "\"allow\" or \"deny\"" {
        Allow = "allow",
        Deny = "deny",
    }
}

words! {
    /// Which listener it speaks of.
    RuleListener, "\"internal\" or \"external\"" {
        Internal = "internal",
        External = "external",
    }
}

words! {
    MailSecurity, "\"starttls\", \"tls\" or \"none\"" {
        Starttls = "starttls",
        Tls = "tls",
        None = "none",
    }
}
