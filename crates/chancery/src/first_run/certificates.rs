//! The in-house CA and the server's certificate for `localhost`, this host's name and the loopback
//! addresses.

use anyhow::Result;
use time::OffsetDateTime;

use crate::ca::{Ca, own};
use crate::config::Config;

/// Makes what is missing, and renews what ran out while nobody served. Where that fails and there
/// is a certificate that is good, it only warns: the CA's duty goes on trying.
pub(super) fn make(config: &Config) -> Result<()> {
    make_at(config, OffsetDateTime::now_utc())
}

fn make_at(config: &Config, now: OffsetDateTime) -> Result<()> {
    let ca = Ca::at(&config.data);
    if let Err(error) = provide(config, &ca, now) {
        let Some(leaf) = own::there(&config.data).filter(|leaf| leaf.is_valid_at(now)) else {
            return Err(error);
        };
        let until = leaf.not_after;
        tracing::warn!(%until, "serving with the certificate that is there: {error:#}");
    }
    if ca.exists()
        && ca.signer().is_ok()
        && let Err(error) = ca.renew_list_when_due(now)
    {
        tracing::warn!("the list of revoked certificates could not be made anew: {error:#}");
    }
    ca.announce(now);
    Ok(())
}

fn provide(config: &Config, ca: &Ca, now: OffsetDateTime) -> Result<()> {
    let (chain, key) = own::files(&config.data);
    // Certificates that somebody put here need no CA.
    if !ca.exists() && chain.exists() && key.exists() {
        return Ok(());
    }
    let founded = ca.found(&host_name(), now);
    own::renew(&config.data, &own::names(config), now, false)?;
    founded
}

/// Every name by which a client on this machine may reach the server. libldap puts the host's own
/// name in the place of `localhost`, so that must be among them.
pub(crate) fn usual_names() -> Vec<String> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    let host = host_name();
    let is_dns = |name: &str| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
        !name.is_empty() && name.len() <= 253 && name.bytes().all(fits)
    };
    for name in [host.clone(), format!("{host}.{}", domain_name())] {
        let name = name.trim_end_matches('.').to_lowercase();
        if is_dns(&name) && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

pub(crate) fn host_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    if name.is_empty() { "localhost".to_owned() } else { name }
}

/// The domain that `/etc/hosts` or the resolver gives this host; empty where there is none.
fn domain_name() -> String {
    let resolver = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let search = resolver.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        matches!(words.next(), Some("domain" | "search")).then(|| words.next()).flatten()
    });
    search.unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    use time::Duration;
    use time::macros::datetime;

    use super::*;
    use crate::config::Overrides;

    const NOW: OffsetDateTime = datetime!(2027-03-01 12:00 UTC);

    fn config(data: &Path) -> Config {
        let text = format!("data = \"{}\"\n", data.display());
        Config::from_text(&text, None, &Overrides::default()).unwrap()
    }

    #[test]
    fn a_certificate_that_is_good_serves_whatever_the_ca_cannot_do() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path());
        let ca = Ca::at(folder.path());
        make_at(&config, NOW).unwrap();
        // It has room for everything but a new certificate and a new list.
        let issued = ca.folder().join("issued");
        fs::remove_dir_all(&issued).unwrap();
        fs::write(&issued, "no folder").unwrap();
        fs::remove_file(ca.crl_pem()).unwrap();
        fs::create_dir(ca.crl_pem()).unwrap();
        make_at(&config, NOW + Duration::days(70)).unwrap();
        fs::remove_file(&issued).unwrap();
        fs::set_permissions(ca.issuing_key(), Permissions::from_mode(0o644)).unwrap();
        make_at(&config, NOW + Duration::days(70)).unwrap();
        for end in [Duration::days(91), Duration::days(-1)] {
            let said = make_at(&config, NOW + end).unwrap_err().to_string();
            assert!(said.contains("issuing.key holds a private key and others can"), "{said}");
        }
        fs::remove_file(own::files(folder.path()).1).unwrap();
        assert!(make_at(&config, NOW).is_err());
        fs::set_permissions(ca.issuing_key(), Permissions::from_mode(0o600)).unwrap();
        make_at(&config, NOW).unwrap();
        assert!(own::there(folder.path()).unwrap().is_valid_at(NOW));
    }
}
