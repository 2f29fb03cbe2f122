//! What stands over the file: the environment, and over that the command line.

use std::path::PathBuf;

/// Settings from outside the file. Empty means: as the file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Overrides {
    /// `--data`, `CHANCERY_DATA`; relative to the current folder.
    pub(crate) data: Option<PathBuf>,
    /// `--suffix`, `CHANCERY_SUFFIX`: this one instead of the file's.
    pub(crate) suffix: Option<String>,
    /// `--listen`, `CHANCERY_LISTEN`: instead of the file's LDAPS listeners.
    pub(crate) listen: Vec<String>,
    /// `--listen-starttls`, `CHANCERY_LISTEN_STARTTLS`: instead of the file's StartTLS listeners.
    pub(crate) listen_starttls: Vec<String>,
    /// `CHANCERY_LOG`: the log level.
    pub(crate) log_level: Option<String>,
}

impl Overrides {
    /// From environment variables; `lookup` is `|name| std::env::var(name).ok()`.
    pub(crate) fn from_environment(lookup: impl Fn(&str) -> Option<String>) -> Overrides {
        let look = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let list = |name: &str| {
            let text = look(name).unwrap_or_default();
            text.split(',')
                .map(str::trim)
                .filter(|item| !item.is_empty())
                .map(str::to_owned)
                .collect()
        };
        Overrides {
            data: look("CHANCERY_DATA").map(PathBuf::from),
            suffix: look("CHANCERY_SUFFIX"),
            listen: list("CHANCERY_LISTEN"),
            listen_starttls: list("CHANCERY_LISTEN_STARTTLS"),
            log_level: look("CHANCERY_LOG"),
        }
    }

    /// These, and where they say nothing, the others.
    #[must_use]
    pub(crate) fn over(self, other: Overrides) -> Overrides {
        let list = |mine: Vec<String>, other| if mine.is_empty() { other } else { mine };
        Overrides {
            data: self.data.or(other.data),
            suffix: self.suffix.or(other.suffix),
            listen: list(self.listen, other.listen),
            listen_starttls: list(self.listen_starttls, other.listen_starttls),
            log_level: self.log_level.or(other.log_level),
        }
    }
}
