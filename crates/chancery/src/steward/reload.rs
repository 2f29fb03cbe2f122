//! What SIGHUP and `chancery reload` read again, part by part, and what needs a restart.

use anyhow::Result;
use time::OffsetDateTime;

use super::{Steward, publish};
use crate::alerts::delivery;
use crate::ca::{Ca, own};
use crate::certificates::{Looking, Outcome};
use crate::config::Config;
use crate::failure::failed;
use crate::opening;

/// Takes over everything that can change while the server runs. The error says which part was wrong
/// and which were taken over before it.
pub(super) fn read_again(steward: &Steward) -> Result<Vec<&'static str>> {
    let mut parts = Parts::default();
    let config = opening::load(&steward.common, &steward.overrides);
    let config = parts.done("configuration", config)?;
    parts.done("alerts", delivery::open(&config.alerts).map(|it| steward.alerts.deliver_by(it)))?;
    parts.done("schema", steward.directory.reload_schema().map_err(failed))?;
    let access = steward.directory.replace_access(&config.access);
    parts.done("access rules", access.map_err(|errors| failed(config.access_error(&errors))))?;
    steward.directory.replace_lockout(opening::lockout(&config));
    steward.door.replace_policy(opening::door(&config));
    steward.certificate_rules.replace(config.certificate_rules.clone());
    let now = OffsetDateTime::now_utc();
    parts.done("TLS settings", steward.listeners.update(&config, now))?;
    steward.ca.follow(&config);
    let own = own_certificate(&config, now);
    // None waits for another: a published listener may close while a certificate is bad.
    let certificate = served(steward.certificates.look(Looking::from(&config), now));
    let published = publish::reload(&steward.publisher, &config, now);
    parts.done("the server's own certificate", own)?;
    parts.done("certificate", certificate)?;
    parts.done("publishing", published.map_err(failed))?;
    Ok(needs_restart(&steward.started_with, &config))
}

/// Names that the configuration has now and the in-house certificate does not cover: another one is
/// made before anybody judges it.
fn own_certificate(config: &Config, now: OffsetDateTime) -> Result<()> {
    let ca = Ca::at(&config.data);
    // No CA, or somebody's who signs elsewhere.
    let Some(names) = own::wanted(config).filter(|_| ca.exists() && ca.signer().is_ok()) else {
        return Ok(());
    };
    own::renew(&config.data, &names, now, false).map(drop)
}

/// What was found is served, or there is a sentence why not.
pub(super) fn served(outcome: Outcome) -> Result<()> {
    match outcome {
        Outcome::Replaced | Outcome::Unchanged => Ok(()),
        Outcome::Kept(why) => Err(failed(format!("the certificate that is served stays: {why}"))),
        Outcome::None(why) => Err(failed(format!("no certificate passes: {why}"))),
    }
}

#[derive(Default)]
struct Parts(Vec<&'static str>);

impl Parts {
    fn done<T>(&mut self, part: &'static str, result: Result<T>) -> Result<T> {
        match result {
            Ok(value) => {
                self.0.push(part);
                Ok(value)
            }
            Err(error) => {
                // The file as a whole is no part that was taken over.
                let before = self.0.iter().skip(1).copied().collect::<Vec<_>>().join(", ");
                let before = match before.is_empty() {
                    true => String::new(),
                    false => format!(" (reloaded before it: {before})"),
                };
                Err(failed(format!(
                    "{part} not reloaded, the old stays in force{before}: {error:#}"
                )))
            }
        }
    }
}

/// Settings that are read at the start only and are other ones now.
fn needs_restart(old: &Config, new: &Config) -> Vec<&'static str> {
    let places = |config: &Config| -> Vec<_> {
        config.listeners.iter().map(|one| (one.address.clone(), one.mode)).collect()
    };
    [
        ("data", old.data != new.data),
        ("suffixes", old.suffixes != new.suffixes),
        ("administrator", old.administrator != new.administrator),
        ("anonymous", old.anonymous != new.anonymous),
        ("[[listen]] address and mode", places(old) != places(new)),
        ("[limits]", old.limits != new.limits),
        ("[passwords]", old.passwords != new.passwords),
        ("[indexes]", old.indexes != new.indexes),
        ("[schema] files", old.schema_files != new.schema_files),
        ("[change-log]", old.change_log != new.change_log),
        ("[store]", old.store != new.store),
        ("[log]", old.log != new.log),
        ("[shutdown]", old.shutdown_grace != new.shutdown_grace),
    ]
    .into_iter()
    .filter_map(|(section, is_other)| is_other.then_some(section))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Overrides;

    #[test]
    fn what_needs_a_restart_is_named_and_the_rest_is_not() {
        let config = |text: &str| Config::from_text(text, None, &Overrides::default()).unwrap();
        let old = config("");
        for (text, expected) in [
            ("", &[][..]),
            ("anonymous = 'none'\n[limits]\nconnections = 7", &["anonymous", "[limits]"]),
            ("[[listen]]\naddress = '127.0.0.1:7'", &["[[listen]] address and mode"]),
            ("[log]\naudit = 'off'", &["[log]"]),
            ("[tls]\nfloor = '1.3'\n[[certificate-map]]\nfrom = 'dns'\nto = 'cn'", &[]),
            ("[lockout]\nfailures = 9\n[publish]\nnames = ['a.example']", &[]),
        ] {
            assert_eq!(needs_restart(&old, &config(text)), expected, "{text}");
        }
    }

    #[test]
    fn an_error_names_its_part_and_those_before_it() {
        let mut parts = Parts::default();
        parts.done("configuration", Ok(())).unwrap();
        parts.done("schema", Ok(())).unwrap();
        let said = parts.done("certificate", Err::<(), _>(failed("it is bad"))).unwrap_err();
        let expected = "certificate not reloaded, the old stays in force (reloaded before it: \
                        schema): it is bad";
        assert_eq!(said.to_string(), expected);
    }
}
