//! Where a name leads according to name servers that somebody has named.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Result;
use client::NameServers;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::facts::{Facts, Resolved};
use super::probe::{Asked, probe, since};
use crate::failure::failed;

/// Asks these instead of the system; without any, the system.
pub(crate) async fn look(mut asked: Asked, servers: Option<&NameServers>) -> Result<Facts> {
    let is_open = asked.target.literal().is_none() && asked.addresses.is_empty();
    if let (Some(servers), true) = (servers, is_open) {
        asked.resolved = Some(resolve(&asked, servers).await);
    }
    probe(&asked).await
}

/// Looks at all of them at once; in their order.
pub(crate) async fn all(many: Vec<Asked>, servers: Option<&NameServers>) -> Result<Vec<Facts>> {
    let mut looking = JoinSet::new();
    for (place, asked) in many.into_iter().enumerate() {
        let servers = servers.cloned();
        looking.spawn(async move { (place, look(asked, servers.as_ref()).await) });
    }
    let mut found = BTreeMap::new();
    while let Some(done) = looking.join_next().await {
        let (place, facts) = done.map_err(failed)?;
        found.insert(place, facts?);
    }
    Ok(found.into_values().collect())
}

async fn resolve(asked: &Asked, servers: &NameServers) -> Resolved {
    /// Two rounds of two seconds, and a little more.
    const PATIENCE: Duration = Duration::from_secs(5);
    let started = Instant::now();
    let name = asked.target.name.to_string();
    let answered = timeout(PATIENCE, servers.addresses(&name)).await;
    let ms = since(started);
    match answered {
        Err(_) => Resolved::Failed { error: format!("no answer in {ms} ms"), ms },
        Ok(Err(error)) => Resolved::Failed { error: error.to_string(), ms },
        Ok(Ok(mut addresses)) => {
            addresses.sort();
            addresses.dedup();
            Resolved::Found { addresses, ms }
        }
    }
}
