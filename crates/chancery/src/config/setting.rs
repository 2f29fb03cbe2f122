//! What a section of the configuration is made of. The macro makes the type that holds the values,
//! the code that reads it and the table the documentation is printed from out of one definition.

/// One `[section]` of the file, or one `[[section]]` where it may stand more than once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Section {
    /// Empty for the settings before the first section.
    pub(super) header: &'static str,
    pub(super) repeated: bool,
    pub(super) about: &'static [&'static str],
    pub(super) settings: &'static [Setting],
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Setting {
    /// The field's name in Rust.
    pub(super) field: &'static str,
    pub(super) about: &'static [&'static str],
    /// TOML, with single quotes around strings; empty when the setting is absent by default.
    pub(super) default: &'static str,
    /// TOML to show for a setting that is absent by default.
    pub(super) sample: &'static str,
    /// What kind of value it takes, in words.
    pub(super) form: &'static str,
    /// Smallest and largest, in the value's own unit.
    pub(super) bounds: Option<(u64, u64)>,
    /// Prints a number of that unit as one writes it.
    pub(super) say: fn(u64) -> String,
}

impl Setting {
    /// The key in the file.
    pub(super) fn key(&self) -> String {
        self.field.trim_start_matches("r#").replace('_', "-")
    }
}

macro_rules! section {
    (@setting $field:ident, $type:ty, [$($about:literal)*], $default:literal,
     [$($sample:literal)?], [$($bounds:expr)?]) => {
        Setting {
            field: stringify!($field),
            about: &[$($about),*],
            default: $default,
            sample: concat!("" $(, $sample)?),
            form: <$type as Value>::FORM,
            bounds: section!(@bounds $($bounds)?),
            say: <$type as Value>::say,
        }
    };
    (@bounds) => { None };
    (@bounds $bounds:expr) => { Some($bounds) };
    ($(#[doc = $intro:literal])* $repeated:ident $header:literal => $name:ident {
        $($(#[doc = $about:literal])* $field:ident: $type:ty = $default:literal
            $(or $sample:literal)? $(in $bounds:expr)?;)*
    }) => {
        $(#[doc = $intro])*
        #[derive(Clone, Debug, PartialEq)]
        pub(crate) struct $name {
            $($(#[doc = $about])* pub(crate) $field: $type,)*
        }

        impl $name {
            pub(super) const SECTION: Section = Section {
                header: $header,
                repeated: $repeated,
                about: &[$($intro),*],
                settings: &[$(
                    section!(@setting $field, $type, [$($about)*], $default,
                        [$($sample)?], [$($bounds)?])
                ),*],
            };

            /// Takes what the table holds; what it lacks, or holds wrongly, is the default.
            pub(super) fn read(reader: &mut SectionReader<'_, '_, '_>) -> Self {
                Self {
                    $($field: reader.setting::<$type>(
                        const { &section!(@setting $field, $type, [$($about)*], $default,
                            [$($sample)?], [$($bounds)?]) }
                    ),)*
                }
            }
        }
    };
}
pub(super) use section;
