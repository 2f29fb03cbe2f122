//! dns-01: TXT records, written by dynamic update, and seen at every name server before the CA is
//! told.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Result;
use hickory_proto::rr::Name;

use super::Proof;
use crate::acme::clock::Clock;
use crate::config::Config;
use crate::dns::desk::primary;
use crate::dns::records::{Kind, Value, absolute, bare};
use crate::dns::update::{Primary, check_zone, current};
use crate::dns::verify::name_servers;
use crate::failure::{failed, usage};

/// Nobody needs to remember a proof.
const TTL: u32 = 60;
/// The first wait before looking again; it doubles up to the longest.
const LOOK_AGAIN: Duration = Duration::from_millis(200);
const LOOK_AGAIN_LONGEST: Duration = Duration::from_secs(5);

pub(crate) struct Notices {
    primary: Primary,
    /// The primary, and everybody else who is asked about the zone.
    servers: Vec<SocketAddr>,
    patience: Duration,
    clock: Clock,
    shown: Vec<(Name, String)>,
}

/// RFC 8555 §8.4.
fn place(name: &str) -> Result<Name> {
    absolute(&format!("_acme-challenge.{name}")).map_err(usage)
}

impl Notices {
    pub(super) fn open(config: &Config, names: &[String], clock: Clock) -> Result<Notices> {
        let primary = primary(config)?;
        for name in names {
            let place = place(name.trim_start_matches("*."))?;
            if !primary.zone.zone_of(&place) {
                return Err(usage(format!(
                    "{name} is outside the zone {}, where dns-01 writes its proof; leave it out of \
                     `acme.names`, or prove it by another challenge",
                    bare(&primary.zone)
                )));
            }
        }
        check_zone(primary.server, &primary.zone)?;
        let mut servers = vec![primary.server];
        let others = name_servers(&config.dns).into_iter();
        servers.extend(others.filter(|server| *server != primary.server));
        let patience = config.dns.propagation;
        Ok(Notices { primary, servers, patience, clock, shown: Vec::new() })
    }

    pub(super) fn show(&mut self, proof: &Proof) -> Result<()> {
        let name = place(&proof.name)?;
        // Taken away again even if it is unknown whether it was written.
        self.shown.push((name.clone(), proof.dns_value.clone()));
        self.primary.add_text(&name, &proof.dns_value, TTL, self.clock.now())
    }

    pub(super) async fn settle(&self) -> Result<()> {
        let deadline = Instant::now() + self.patience;
        let mut wait = LOOK_AGAIN;
        loop {
            let Some(missing) = self.missing() else { return Ok(()) };
            if Instant::now() + wait > deadline {
                return Err(failed(format!(
                    "the proof is written, and after {} s {missing}; the CA would not see it \
                     either: see why that server has an older copy, or raise `dns.propagation`",
                    self.patience.as_secs()
                )));
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(LOOK_AGAIN_LONGEST);
        }
    }

    /// Who does not show which proof yet.
    fn missing(&self) -> Option<String> {
        for server in &self.servers {
            for (name, text) in &self.shown {
                let what = match current(*server, [(name.clone(), Kind::Txt)]) {
                    Err(error) => error.to_string(),
                    Ok(found) => {
                        let sets = found.values();
                        let text = Value::Text(text.clone());
                        if sets.flat_map(|set| &set.values).any(|value| *value == text) {
                            continue;
                        }
                        format!("{server} does not show it at {}", bare(name))
                    }
                };
                return Some(what);
            }
        }
        None
    }

    /// All are tried; the first that stays is told of.
    pub(super) fn close(self) -> Result<()> {
        let mut result = Ok(());
        for (name, text) in &self.shown {
            if let Err(error) = self.primary.remove_text(name, text, self.clock.now()) {
                let what = format!("the proof at {} could not be removed: {error:#}", bare(name));
                result = result.and(Err(failed(what)));
            }
        }
        result
    }
}
