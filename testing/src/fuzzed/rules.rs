//! Access rules as a person writes them.

use std::sync::OnceLock;

use directory::access::RuleText;
use directory::{Directory, Settings};

/// Lines of one rule, `who`, `may`, `on`, `where`, `attributes` and `from` in this order, items of
/// a list apart by `|`. Any text is a rule or is refused with a sentence.
pub fn access_rules(text: &str) {
    let mut lines = text.lines();
    let mut list = || -> Vec<String> {
        let items = lines.next().unwrap_or_default().split('|');
        items.filter(|item| !item.is_empty()).map(str::to_owned).collect()
    };
    let (who, may, on, filters, attributes, from) =
        (list(), list(), list(), list(), list(), list());
    let filter = filters.into_iter().next();
    let attributes = (!attributes.is_empty()).then_some(attributes);
    let rule = RuleText { who, may, on, filter, attributes, from };
    if let Err(errors) = directory().replace_access(&[rule]) {
        assert!(errors.iter().all(|error| !error.what.is_empty() && !error.right.is_empty()));
        assert!(!errors.is_empty());
    }
}

fn directory() -> &'static Directory {
    static DIRECTORY: OnceLock<Directory> = OnceLock::new();
    DIRECTORY.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        Directory::open(folder.path(), Settings::default()).unwrap()
    })
}
