//! The account at the CA: made once, with the terms agreed to, and kept.

use anyhow::Result;
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use instant_acme::{Account, ExternalAccountKey, NewAccount};
use serde::Deserialize;

use super::http::Https;
use super::problem::{Trouble, said};
use super::shelf::Shelf;
use crate::config::{Acme, ExternalAccount};
use crate::durable;
use crate::failure::{failed, usage};

/// What a CA says about itself (RFC 8555 §7.1.1).
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Meta {
    #[serde(default)]
    pub(crate) terms_of_service: Option<String>,
    #[serde(default)]
    pub(crate) external_account_required: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Directory {
    // Not used here: without it, it is no directory.
    #[serde(rename = "newOrder")]
    _new_order: String,
    #[serde(default)]
    renewal_info: Option<String>,
    #[serde(default)]
    meta: Meta,
}

/// The CA as its directory describes it.
#[derive(Clone, Debug)]
pub(crate) struct Authority {
    pub(crate) meta: Meta,
    /// Whether it suggests when to renew (RFC 9773).
    pub(crate) suggests: bool,
}

pub(crate) async fn authority(https: &Https, acme: &Acme) -> Result<Authority> {
    let body = https.get(&acme.directory).await?;
    let directory: Directory = serde_json::from_slice(&body).map_err(|_| {
        failed(format!(
            "{} is no ACME directory; write the address that the CA's documentation gives",
            acme.directory
        ))
    })?;
    Ok(Authority { meta: directory.meta, suggests: directory.renewal_info.is_some() })
}

/// The one that is kept, or a new one.
pub(crate) async fn open(
    https: &Https,
    acme: &Acme,
    authority: &Authority,
    shelf: &Shelf,
) -> Result<Account, Trouble> {
    let builder = Account::builder_with_http(Box::new(https.clone()));
    if let Some(credentials) = shelf.account(&acme.directory)? {
        let opened = builder.from_credentials(credentials).await;
        return opened.map_err(|error| said("does not open our account", error));
    }
    let agreed = agreement(acme, &authority.meta)?;
    let external = external_key(acme, &authority.meta)?;
    let contact: Vec<&str> = acme.contact.iter().map(String::as_str).collect();
    let new = NewAccount {
        contact: &contact,
        terms_of_service_agreed: agreed,
        only_return_existing: false,
    };
    let created = builder.create(&new, acme.directory.clone(), external.as_ref()).await;
    let (account, credentials) = created.map_err(|error| said("makes no account", error))?;
    shelf.store_account(&acme.directory, credentials)?;
    Ok(account)
}

/// Terms are agreed to by a person, in writing.
fn agreement(acme: &Acme, meta: &Meta) -> Result<bool> {
    match (&meta.terms_of_service, acme.agree_to_terms) {
        (_, true) => Ok(true),
        (None, false) => Ok(false),
        (Some(terms), false) => Err(usage(format!(
            "the CA has terms: read {terms}, and if you agree write `agree-to-terms = true` in \
             [acme]"
        ))),
    }
}

fn external_key(acme: &Acme, meta: &Meta) -> Result<Option<ExternalAccountKey>> {
    match &acme.external_account {
        Some(external) => read_external_key(external).map(Some),
        None if meta.external_account_required => Err(usage(
            "the CA wants an account that exists there already: get the identifier and the key of \
             it, and write them as `eab-key-id` and `eab-key` in [acme]",
        )),
        None => Ok(None),
    }
}

fn read_external_key(external: &ExternalAccount) -> Result<ExternalAccountKey> {
    let text = durable::read_secret(&external.key)?;
    let text = std::str::from_utf8(&text).unwrap_or_default().trim().trim_end_matches('=');
    let key = BASE64_URL_SAFE_NO_PAD.decode(text).ok().filter(|key| !key.is_empty());
    let key = key.map(zeroize::Zeroizing::new).ok_or_else(|| {
        usage(format!("{}: the key is not base64url, as the CA gives it", external.key.display()))
    })?;
    Ok(ExternalAccountKey::new(external.id.clone(), &key))
}
