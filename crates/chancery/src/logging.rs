//! What is written where: messages to standard error, audit events there or to a file of their own.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Mutex;

use anyhow::{Context, Result};
use tracing_subscriber::filter::{LevelFilter, Targets, filter_fn};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::Registry;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{Audit, Level, Log, LogFormat};

/// Events of this target are audit events.
const AUDIT: &str = "audit";

type Boxed = Box<dyn Layer<Registry> + Send + Sync>;

/// Starts logging for a server.
pub(crate) fn start(log: &Log) -> Result<()> {
    let level = match log.level {
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
        Level::Trace => LevelFilter::TRACE,
    };
    // The TLS library's own messages repeat what the audit log says of a connection.
    let messages = Targets::new()
        .with_default(level)
        .with_target("rustls", level.min(LevelFilter::WARN))
        .with_target(AUDIT, LevelFilter::OFF);
    let mut layers: Vec<Boxed> = vec![to_standard_error(log.format).with_filter(messages).boxed()];
    let audits = filter_fn(|metadata| metadata.target() == AUDIT);
    match &log.audit {
        // Without a layer that takes them, audit events are not even composed.
        Audit::Off => {}
        Audit::StandardError => {
            layers.push(to_standard_error(log.format).with_filter(audits).boxed())
        }
        Audit::File(path) => {
            let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path);
            let file = file.with_context(|| {
                format!(
                    "the audit file {} cannot be opened; name another under [log]",
                    path.display()
                )
            })?;
            let layer = tracing_subscriber::fmt::layer().json().with_ansi(false);
            layers.push(layer.with_writer(Mutex::new(file)).with_filter(audits).boxed());
        }
    }
    tracing_subscriber::registry().with(layers).init();
    Ok(())
}

fn to_standard_error(format: LogFormat) -> Boxed {
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    match format {
        LogFormat::Json => layer.json().with_ansi(false).boxed(),
        LogFormat::Text => layer.with_ansi(terminal && !plain).boxed(),
    }
}
