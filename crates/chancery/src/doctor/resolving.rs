//! Where a name leads according to name servers that somebody has named.

use std::time::{Duration, Instant};

use anyhow::Result;
use client::NameServers;
use tokio::time::timeout;

use super::facts::{Facts, Resolved};
use super::probe::{Asked, probe, since};

/// Asks these instead of the system; without any, the system.
pub(crate) async fn look(mut asked: Asked, servers: Option<&NameServers>) -> Result<Facts> {
    let is_open = asked.target.literal().is_none() && asked.addresses.is_empty();
    if let (Some(servers), true) = (servers, is_open) {
        asked.resolved = Some(resolve(&asked, servers).await);
    }
    probe(&asked).await
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
