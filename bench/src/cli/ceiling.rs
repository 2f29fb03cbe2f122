//! `echo` and `ceiling`: the generator against a server that does nothing.

use std::time::Duration;

use anyhow::Result;
use clap::Args;
use serde_json::json;

use crate::echo;

/// Answers every search with the same entry, without TLS and on loopback only. It ends when its
/// standard input does.
#[derive(Debug, Args)]
pub(super) struct Echo {
    /// Port on 127.0.0.1; any free one without
    #[arg(long, default_value_t = 0)]
    port: u16,
}

/// Starts an echo server in a process of its own and drives it like a directory. What the server
/// takes is the floor of this machine; what the generator takes is what it can measure at most.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Seconds for each shape of load
    #[arg(long, short = 's', default_value_t = 3.0)]
    seconds: f64,
    /// One JSON object a line instead of a table
    #[arg(long)]
    json: bool,
}

/// Connections and requests in flight on each.
const SHAPES: [(usize, usize); 4] = [(1, 1), (16, 1), (16, 8), (16, 64)];

pub(super) fn echo(arguments: &Echo) -> Result<()> {
    echo::run(arguments.port)
}

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    if !arguments.json {
        println!("load        a second   server µs   generator µs   p50 µs   p99 µs");
    }
    for (connections, depth) in SHAPES {
        let seconds = Duration::from_secs_f64(arguments.seconds.max(0.1));
        let found = echo::ceiling(connections, depth, seconds)?;
        let measured = &found.measured;
        if arguments.json {
            let value = json!({
                "connections": connections,
                "depth": depth,
                "operations_per_second": measured.per_second(),
                "server_cpu_us": found.server_cpu_us,
                "client_cpu_us": measured.client_cpu_us(),
                "p50_us": measured.latency.p50_us(),
                "p99_us": measured.latency.p99_us(),
            });
            println!("{value}");
            continue;
        }
        println!(
            "{:<9}{:>11.0}{:>12.2}{:>15.2}{:>9.0}{:>9.0}",
            format!("{connections}×{depth}"),
            measured.per_second(),
            found.server_cpu_us,
            measured.client_cpu_us(),
            measured.latency.p50_us(),
            measured.latency.p99_us()
        );
    }
    Ok(())
}
