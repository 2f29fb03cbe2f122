//! One order, from the names to a chain and a key (RFC 8555 §7.4).

use std::time::Duration;

use instant_acme::{
    Account, AuthorizationStatus, CertificateIdentifier, ChallengeHandle, ChallengeType,
    Identifier, NewOrder, Order, OrderStatus, RetryPolicy,
};
use zeroize::Zeroizing;

use super::problem::{Trouble, said, sentence};
use super::proof::{Proof, Stand, challenge_type};
use crate::config::Acme;

/// How long a CA may take to look at the proofs, and to issue.
const PATIENCE: RetryPolicy = RetryPolicy::new()
    .initial_delay(Duration::from_millis(250))
    .backoff(1.5)
    .timeout(Duration::from_secs(180));

/// What a CA gave, not yet judged.
pub(crate) struct Given {
    pub(crate) chain_pem: String,
    /// Made for this order.
    pub(crate) key_pem: Zeroizing<String>,
}

pub(crate) async fn order(
    account: &Account,
    acme: &Acme,
    replaces: Option<CertificateIdentifier<'_>>,
    stand: &mut Stand,
) -> Result<Given, Trouble> {
    let names: Vec<Identifier> = acme.names.iter().cloned().map(Identifier::Dns).collect();
    let mut order = new_order(account, &names, replaces).await?;
    let kind = challenge_type(acme.challenge);
    show_proofs(&mut order, &kind, stand).await?;
    stand.settle().await?;
    call_the_ca(&mut order, &kind).await?;
    let status = order.poll_ready(&PATIENCE).await;
    match status {
        Ok(OrderStatus::Ready) => {}
        Ok(_) | Err(instant_acme::Error::Api(_)) => return Err(refused(&mut order, status).await),
        Err(error) => return Err(said("looks at the proofs", error)),
    }
    let key_pem = order.finalize().await;
    let key_pem = Zeroizing::new(key_pem.map_err(|error| said("does not issue", error))?);
    let chain_pem = order.poll_certificate(&PATIENCE).await;
    let chain_pem = chain_pem.map_err(|error| said("does not give the certificate", error))?;
    Ok(Given { chain_pem, key_pem })
}

async fn new_order(
    account: &Account,
    names: &[Identifier],
    replaces: Option<CertificateIdentifier<'_>>,
) -> Result<Order, Trouble> {
    if let Some(replaces) = replaces {
        match account.new_order(&NewOrder::new(names).replaces(replaces)).await {
            // RFC 9773 §5: without the field it is an order like any other.
            Err(instant_acme::Error::Api(problem)) => {
                tracing::debug!("the CA does not take this as a renewal: {problem}");
            }
            Err(instant_acme::Error::Other(_)) => {}
            other => return other.map_err(|error| said("takes no order", error)),
        }
    }
    let order = account.new_order(&NewOrder::new(names)).await;
    order.map_err(|error| said("takes no order", error))
}

async fn show_proofs(
    order: &mut Order,
    kind: &ChallengeType,
    stand: &mut Stand,
) -> Result<(), Trouble> {
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization.map_err(|error| said("shows no challenge", error))?;
        // A name that was proven lately need not be proven again.
        if authorization.status != AuthorizationStatus::Pending {
            continue;
        }
        let name = name(authorization.identifier().identifier)?;
        let offered: Vec<String> =
            authorization.challenges.iter().map(|one| word(&one.r#type)).collect();
        let Some(challenge) = authorization.challenge(kind.clone()) else {
            return Err(Trouble::new(format!(
                "the CA does not offer {} for {name}, but {}; write one of these as \
                 `acme.challenge`",
                word(kind),
                offered.join(", ")
            )));
        };
        stand.show(&proof(name, &challenge))?;
    }
    Ok(())
}

fn name(identifier: &Identifier) -> Result<String, Trouble> {
    match identifier {
        Identifier::Dns(name) => Ok(name.to_ascii_lowercase()),
        other => Err(Trouble::new(format!("the CA asks to prove {other:?}, which is no name"))),
    }
}

fn proof(name: String, challenge: &ChallengeHandle<'_>) -> Proof {
    let authorization = challenge.key_authorization();
    Proof {
        name,
        token: challenge.token.clone(),
        key_authorization: authorization.as_str().to_owned(),
        digest: authorization.digest().as_ref().to_vec(),
        dns_value: authorization.dns_value(),
    }
}

fn word(kind: &ChallengeType) -> String {
    match kind {
        ChallengeType::Http01 => "http-01".to_owned(),
        ChallengeType::TlsAlpn01 => "tls-alpn-01".to_owned(),
        ChallengeType::Dns01 => "dns-01".to_owned(),
        ChallengeType::Unknown(word) => word.clone(),
        other => format!("{other:?}"),
    }
}

/// Only when everything is in place: a CA looks once and remembers that it found nothing.
async fn call_the_ca(order: &mut Order, kind: &ChallengeType) -> Result<(), Trouble> {
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization.map_err(|error| said("shows no challenge", error))?;
        if authorization.status != AuthorizationStatus::Pending {
            continue;
        }
        if let Some(mut challenge) = authorization.challenge(kind.clone()) {
            challenge.set_ready().await.map_err(|error| said("does not look", error))?;
        }
    }
    Ok(())
}

/// The order knows that it failed, its challenges know why.
async fn refused(order: &mut Order, status: Result<OrderStatus, instant_acme::Error>) -> Trouble {
    let mut reasons = Vec::new();
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        let _ = authorization.refresh().await;
        let name = authorization.identifier().to_string();
        for problem in authorization.challenges.iter().filter_map(|one| one.error.as_ref()) {
            reasons.push(format!("{name}: {}", sentence(problem)));
        }
    }
    match (reasons.is_empty(), status) {
        (false, _) => Trouble::new(format!("the CA was not convinced: {}", reasons.join("; "))),
        (true, Err(error)) => said("refuses the order", error),
        (true, Ok(status)) => Trouble::new(format!("the CA ended the order as {status:?}")),
    }
}
