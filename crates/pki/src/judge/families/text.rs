//! All verdicts in two lines.

use super::{Acceptance, Family};

/// More reasons than these are told by their number.
const REASONS_MAX: usize = 3;

/// Who accepts, and why the others do not: `OpenSSL ✓ (level 2 ✗) GnuTLS ✓ Go ✗`, and then
/// `Go: the name stands in the CN only`. The second is empty where all accept for good.
pub fn in_words(all: &[Acceptance]) -> (String, String) {
    let Some(first) = all.first() else { return (String::new(), String::new()) };
    if all.iter().all(|one| !one.accepts && one.reason == first.reason) {
        return (format!("nobody: {}", first.reason), String::new());
    }
    let mut families: Vec<Family> = Vec::new();
    for one in all {
        if !families.contains(&one.family) {
            families.push(one.family);
        }
    }
    let marks: Vec<String> = families.iter().map(|family| marked(*family, all)).collect();
    (marks.join(" "), reasons(all))
}

fn mark(accepts: bool) -> char {
    if accepts { '✓' } else { '✗' }
}

fn marked(family: Family, all: &[Acceptance]) -> String {
    let mut of_family = all.iter().filter(|one| one.family == family);
    let first = of_family.next().is_some_and(|one| one.accepts);
    let other = of_family.find(|one| one.accepts != first);
    match other.and_then(|one| one.level) {
        Some(level) => format!("{family} {} (level {level} {})", mark(first), mark(!first)),
        None => format!("{family} {}", mark(first)),
    }
}

/// Refusals with one reason are told together; so is what an acceptance depends on.
fn reasons(all: &[Acceptance]) -> String {
    let mut groups: Vec<(&str, Vec<String>)> = Vec::new();
    for one in all.iter().filter(|one| !one.accepts || one.depends) {
        let differs = |other: &&Acceptance| other.family == one.family && other.accepts;
        let name = match one.level.filter(|_| all.iter().any(|other| differs(&other))) {
            Some(level) => format!("{} level {level}", one.family),
            None => one.family.to_string(),
        };
        match groups.iter_mut().find(|(reason, _)| *reason == one.reason) {
            Some((_, names)) if names.contains(&name) => {}
            Some((_, names)) => names.push(name),
            None => groups.push((&one.reason, vec![name])),
        }
    }
    let told = groups.iter().take(REASONS_MAX);
    let mut told: Vec<String> =
        told.map(|(reason, names)| format!("{}: {reason}", names.join(", "))).collect();
    if let Some(more) = groups.len().checked_sub(REASONS_MAX).filter(|more| *more > 0) {
        told.push(format!("and {more} more reasons"));
    }
    told.join("; ")
}

#[cfg(test)]
mod tests {
    use super::super::Client;
    use super::*;

    fn all(accepts: impl Fn(Client) -> Result<(), &'static str>) -> Vec<Acceptance> {
        let of = |client: &Client| Acceptance {
            family: client.family(),
            level: client.level(),
            accepts: accepts(*client).is_ok(),
            reason: accepts(*client).err().unwrap_or("fits").to_owned(),
            depends: false,
            basis: client.family().basis(),
        };
        Client::ALL.iter().map(of).collect()
    }

    #[test]
    fn in_two_lines() {
        let well = "OpenSSL ✓ GnuTLS ✓ Java ✓ Go ✓ rustls ✓ Windows ✓ NSS ✓";
        assert_eq!(in_words(&all(|_| Ok(()))), (well.to_owned(), String::new()));
        assert_eq!(in_words(&all(|_| Err("old"))), ("nobody: old".to_owned(), String::new()));
        let some = in_words(&all(|client| match client {
            Client::OpenSsl2 | Client::Rustls => Err("RSA 1024"),
            Client::Go => Err("CN only"),
            _ => Ok(()),
        }));
        let marks = "OpenSSL ✓ (level 2 ✗) GnuTLS ✓ Java ✓ Go ✗ rustls ✗ Windows ✓ NSS ✓";
        let why = "OpenSSL level 2, rustls: RSA 1024; Go: CN only";
        assert_eq!(some, (marks.to_owned(), why.to_owned()));
        let both = in_words(&all(|client| match client {
            Client::OpenSsl1 | Client::OpenSsl2 => Err("SHA-1"),
            _ => Ok(()),
        }));
        assert_eq!(both.1, "OpenSSL: SHA-1");
    }
}
