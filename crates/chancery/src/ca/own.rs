//! The server's own certificate from the in-house CA, made and renewed without being told.
//!
//! `server.key` holds the key and the chain that belongs to it, and is replaced by one rename; then
//! `server.pem`, the chain alone, follows. A reader that comes between the two finds that they do
//! not fit and takes the chain beside the key: it never has a key and a certificate of different
//! generations.

use std::path::{Path, PathBuf};

use anyhow::Result;
use pki::authority::KeyUsage;
use pki::judge::names::ServedName;
use pki::{Credential, Summary, Wish};
use server::tls::{ChainAndKey, FileRefused};
use time::{Duration, OffsetDateTime};

use super::audit::{Asker, Deed, Event};
use super::files::{Readers, replace};
use super::{Ca, serial, summary};
use crate::config::Config;
use crate::failure::failed;

/// Where templates say nothing usable.
const LIFETIME_DAYS: u16 = 90;
const RENEW_BEFORE: Duration = Duration::days(30);

/// What a look at the server's own certificate came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// There is time.
    NotDue,
    /// A new one was written.
    Renewed(Box<Summary>),
    /// Somebody put something else there: it is theirs to renew.
    NotOurs,
}

pub(crate) fn files(data: &Path) -> (PathBuf, PathBuf) {
    (data.join("server.pem"), data.join("server.key"))
}

/// Key and chain of the certificate before.
pub(crate) fn previous(data: &Path) -> PathBuf {
    data.join("server.previous")
}

/// Reads chain and key, of one generation whatever happens meanwhile. Whether they belong together
/// is for the judge to say.
pub(crate) fn load(data: &Path) -> Result<ChainAndKey, FileRefused> {
    let (chain, key) = files(data);
    let read = server::tls::load(&chain, Some(&key))?;
    if fit(&read) {
        return Ok(read);
    }
    // Only of the same CA: what somebody put here by mistake stays a fault that is told.
    let is_ours = |both: &ChainAndKey| issuer(both) == issuer(&read);
    match server::tls::load(&key, None) {
        Ok(both) if fit(&both) && is_ours(&both) => Ok(both),
        _ => Ok(read),
    }
}

fn fit((chain, key): &ChainAndKey) -> bool {
    let key = key.as_ref().map(|key| key.clone_key());
    key.is_some_and(|key| Credential::new(chain.clone(), key).is_ok())
}

fn issuer(read: &ChainAndKey) -> Option<String> {
    leaf(read).map(|leaf| leaf.issuer)
}

fn leaf((chain, _): &ChainAndKey) -> Option<Summary> {
    chain.first().and_then(|leaf| Summary::parse(leaf).ok())
}

/// What the certificate says that is there, where it can be read and has its key.
pub(crate) fn there(data: &Path) -> Option<Summary> {
    load(data).ok().filter(fit).as_ref().and_then(leaf)
}

/// Every name under which clients reach this server.
pub(crate) fn names(config: &Config) -> Vec<String> {
    match config.publish.names.as_slice() {
        [] => crate::first_run::usual_names(),
        named => {
            // Commands on this machine go on working beside the published names.
            let local = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
            let mut names: Vec<String> = named.iter().map(ToString::to_string).collect();
            let missing = local.into_iter().filter(|name| !names.contains(name));
            let missing: Vec<String> = missing.collect();
            names.extend(missing);
            names
        }
    }
}

/// The names its certificate must cover, where that comes from the in-house CA.
pub(crate) fn wanted(config: &Config) -> Option<Vec<String>> {
    config.tls.sources.is_empty().then(|| names(config))
}

/// Whether a certificate is to be replaced now. Pure; the same answer for the same time.
pub(crate) fn is_due(
    certificate: &Summary,
    names: &[String],
    renew_before: Duration,
    now: OffsetDateTime,
) -> Option<String> {
    if certificate.not_before > now {
        // Made while this machine's clock was ahead.
        return Some(format!("it begins at {}, and it is {}", certificate.not_before, now));
    }
    let left = certificate.not_after - now;
    if left <= renew_before {
        let days = left.whole_days();
        return Some(match left.is_negative() {
            true => "it has expired".to_owned(),
            false => {
                format!("{days} days are left, and it is renewed at {}", renew_before.whole_days())
            }
        });
    }
    let is_covered = |name: &&String| {
        let parsed = ServedName::parse(name);
        parsed.is_ok_and(|name| certificate.names.iter().any(|by| name.is_covered_by(by)))
    };
    let missing: Vec<&str> =
        names.iter().filter(|name| !is_covered(name)).map(String::as_str).collect();
    (!missing.is_empty()).then(|| format!("it does not cover {}", missing.join(", ")))
}

/// Renews the certificate where it is time, or where somebody asked for it.
pub(crate) fn renew(
    data: &Path,
    names: &[String],
    now: OffsetDateTime,
    is_asked: bool,
) -> Result<Outcome> {
    let ca = Ca::at(data);
    let (chain, key) = files(data);
    let there = there(data);
    let is_ours = match &there {
        Some(leaf) => is_from(&ca, leaf),
        // What cannot be read is somebody's work, and for the judge to speak of.
        None => !chain.exists() || !key.exists(),
    };
    if !is_ours {
        return Ok(Outcome::NotOurs);
    }
    let (wish, renew_before) = own_wish(&ca, names, now)?;
    let why = match &there {
        None => Some("there was none".to_owned()),
        Some(_) if is_asked => Some("somebody asked for it".to_owned()),
        Some(leaf) => is_due(leaf, names, renew_before, now),
    };
    let Some(why) = why else {
        return Ok(Outcome::NotDue);
    };
    let founded = ca.found(&crate::first_run::host_name(), now);
    let _lock = ca.lock()?;
    let signer = match (founded, ca.signer()) {
        // What cannot be made anew must not keep the one that is there from signing.
        (_, Ok(signer)) => signer,
        (Err(error), Err(_)) | (Ok(()), Err(error)) => return Err(error),
    };
    let issued = signer.issue_with_key(&wish, now, serial()).map_err(failed)?;
    let both = zeroize::Zeroizing::new(format!("{}{}", issued.key_pem.as_str(), issued.chain_pem));
    let made = Credential::from_pem(both.as_bytes(), both.as_bytes()).map_err(failed)?.leaf;
    ca.keep(&made, &issued.chain_pem)?;
    let event = Event::new(Deed::Renewed, &Asker::server(), now).of("server").about(&made);
    ca.record(&event.because(&why))?;
    keep_previous(data, &key)?;
    replace(&key, both.as_bytes(), Readers::Owner)?;
    replace(&chain, issued.chain_pem.as_bytes(), Readers::Everybody)?;
    Ok(Outcome::Renewed(Box::new(made)))
}

/// Key and chain of the one before, for the case that the new one was made under a wrong clock.
fn keep_previous(data: &Path, key: &Path) -> Result<()> {
    match server::tls::load(key, None) {
        Ok(both) if fit(&both) => {
            let text = zeroize::Zeroizing::new(std::fs::read(key)?);
            replace(&previous(data), &text, Readers::Owner)
        }
        // There was none, or its key is in a file without the chain.
        _ => Ok(()),
    }
}

/// Whether the CA of this folder signed it.
fn is_from(ca: &Ca, leaf: &Summary) -> bool {
    [ca.root_pem(), ca.issuing_pem()]
        .iter()
        .filter_map(|path| summary(path).ok())
        .any(|one| one.subject == leaf.issuer)
}

/// How long before its end the server's own certificate is renewed.
pub(super) fn renew_before(ca: &Ca, now: OffsetDateTime) -> Duration {
    own_wish(ca, &[], now).map_or(RENEW_BEFORE, |(_, before)| before)
}

/// What the certificate says and when it is renewed: as the template `server` has it. A template
/// that cannot be used must not let the server's own certificate run out.
fn own_wish(ca: &Ca, names: &[String], now: OffsetDateTime) -> Result<(Wish, Duration)> {
    let reviewed = ca.reviewed(now).ok();
    let template = reviewed.as_ref().and_then(|reviewed| {
        let is_on = !reviewed.off.iter().any(|name| name == "server");
        reviewed.templates.named("server").filter(|_| is_on)
    });
    let lifetime = template.map_or(LIFETIME_DAYS, |template| template.lifetime_days);
    let renew_before = template.map_or(RENEW_BEFORE, pki::Template::renew_before);
    let crl_urls = reviewed.as_ref().map(|one| one.templates.crl.urls.clone()).unwrap_or_default();
    let first = names.first().map_or("server", String::as_str);
    let subject = pki::authority::server_subject(first).map_err(failed)?;
    let names = names.iter().map(|name| pki::authority::served_name(name)).collect();
    let wish = Wish {
        subject,
        names,
        purposes: vec!["serverAuth".to_owned()],
        key_usages: vec![KeyUsage::DigitalSignature],
        lifetime: Duration::days(lifetime.into()),
        crl_urls,
    };
    Ok((wish, renew_before))
}
