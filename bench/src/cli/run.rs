//! `run`: one workload against any LDAP URI.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use crate::data::Data;
use crate::load::{self, Beside, Endpoint, Load, Measured, Unwatched, Work};
use crate::request::Scope;
use crate::workloads::{self, Question};

/// Either a workload on the data that `chancery-bench data` writes, or searches of your own:
///
///   chancery-bench run search-all --uri ldap://127.0.0.1:3890 --entries 100000
///
///   chancery-bench run --uri ldaps://directory.example.com --ca ca.pem
///       --bind uid=reader,dc=example,dc=com --password-file secret
///       --base dc=example,dc=com --filter '(uid={})' --values uids.txt
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Arguments {
    /// Name of a workload (`chancery-bench list`), or `idle`; not with --filter
    #[arg(required_unless_present = "filter", conflicts_with = "filter")]
    workload: Option<String>,
    /// ldap://HOST:PORT, ldaps://HOST:PORT or ldapi://PATH
    #[arg(long)]
    uri: String,
    /// Certificates (PEM) that the server's must come from; always verified
    #[arg(long)]
    ca: Option<PathBuf>,
    /// Sign in with this name on each connection; anonymous without
    #[arg(long, value_name = "DN", requires = "secret")]
    bind: Option<String>,
    /// The password; better in --password-file, where nobody sees it in the list of processes
    #[arg(long, group = "secret")]
    password: Option<String>,
    /// A file whose first line is the password
    #[arg(long, group = "secret", value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Connections; each workload has a sensible number
    #[arg(long, short = 'c')]
    connections: Option<usize>,
    /// Requests in flight on each connection
    #[arg(long, short = 'd', default_value_t = 1)]
    depth: usize,
    /// Length of the measured interval
    #[arg(long, short = 's', default_value_t = 5.0)]
    seconds: f64,
    /// Work before it
    #[arg(long, default_value_t = 1.0, value_name = "SECONDS")]
    warm_up: f64,
    /// End after so many operations
    #[arg(long, value_name = "NUMBER")]
    operations_max: Option<u64>,
    /// People in the loaded data, as given to `chancery-bench data`
    #[arg(long, default_value_t = 100_000)]
    entries: u64,
    /// Other connections that modify meanwhile; only the workload's latency is reported
    #[arg(long, default_value_t = 0, value_name = "CONNECTIONS")]
    writers: usize,
    /// Who the writers are; as --bind without
    #[arg(long, value_name = "DN", requires = "writers_password")]
    writers_bind: Option<String>,
    #[arg(long, hide_short_help = true)]
    writers_password: Option<String>,
    /// A filter in which `{}` stands for a line of --values
    #[arg(long, requires = "base")]
    filter: Option<String>,
    /// Where --filter searches
    #[arg(long, value_name = "DN")]
    base: Option<String>,
    #[arg(long, value_enum, default_value_t = ScopeName::Sub)]
    scope: ScopeName,
    /// What --filter asks for, separated by commas; everything without
    #[arg(long, value_delimiter = ',')]
    attributes: Vec<String>,
    /// One value a line for `{}`
    #[arg(long, value_name = "FILE")]
    values: Option<PathBuf>,
    /// One JSON object instead of a text
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ScopeName {
    Base,
    One,
    Sub,
}

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    ensure!(arguments.seconds > 0.0 && arguments.warm_up >= 0.0, "seconds must be positive");
    let load = load(arguments)?;
    if arguments.workload.as_deref() == Some("idle") {
        return idle(&load, arguments.json);
    }
    let work = work(arguments)?;
    let writing = workloads::named("modify", Data::new(arguments.entries), fresh_number())?;
    let beside = (arguments.writers > 0).then(|| Beside {
        work: &*writing,
        connections: arguments.writers,
        depth: 1,
        bind: match (&arguments.writers_bind, &arguments.writers_password) {
            (Some(dn), Some(password)) => Some((dn.clone(), password.clone())),
            _ => load.bind.clone(),
        },
    });
    let measured = load::run_watched(&load, &*work, beside, &mut Unwatched)?;
    match arguments.json {
        true => println!("{}", as_json(&work.name(), &load, &measured)),
        false => print!("{}", as_text(&work.name(), &load, &measured)),
    }
    Ok(())
}

fn load(arguments: &Arguments) -> Result<Load> {
    let workload = arguments.workload.as_deref().filter(|name| *name != "idle");
    let usual = workload.map(workloads::find).transpose()?.map_or(16, |found| found.connections);
    Ok(Load {
        endpoint: Endpoint::parse(&arguments.uri, arguments.ca.as_deref())?,
        bind: arguments
            .bind
            .clone()
            .map(|dn| Ok::<_, anyhow::Error>((dn, password(arguments)?)))
            .transpose()?,
        connections: arguments.connections.unwrap_or(usual),
        depth: arguments.depth,
        duration: Duration::from_secs_f64(arguments.seconds),
        warm_up: Duration::from_secs_f64(arguments.warm_up),
        operations_max: arguments.operations_max,
    })
}

fn password(arguments: &Arguments) -> Result<String> {
    if let Some(file) = &arguments.password_file {
        let text = std::fs::read_to_string(file)
            .with_context(|| format!("{}: the password cannot be read", file.display()))?;
        return Ok(text.lines().next().unwrap_or_default().to_owned());
    }
    Ok(arguments.password.clone().unwrap_or_default())
}

fn work(arguments: &Arguments) -> Result<Box<dyn Work>> {
    let Some(filter) = &arguments.filter else {
        let name = arguments.workload.as_deref().unwrap_or_default();
        return workloads::named(name, Data::new(arguments.entries), fresh_number());
    };
    let values = match &arguments.values {
        Some(file) => std::fs::read_to_string(file)
            .with_context(|| format!("{}: the values cannot be read", file.display()))?,
        None => String::new(),
    };
    let values: Vec<String> =
        values.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
    let question = Question {
        base: arguments.base.clone().unwrap_or_default(),
        scope: match arguments.scope {
            ScopeName::Base => Scope::Base,
            ScopeName::One => Scope::One,
            ScopeName::Sub => Scope::Subtree,
        },
        filter: filter.clone(),
        attributes: arguments.attributes.clone(),
    };
    workloads::questions(&question, &values)
}

/// A number that no earlier run had: entries that an interrupted run left do not get in the way.
fn fresh_number() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn idle(load: &Load, as_json: bool) -> Result<()> {
    let seconds = load::hold(load, &mut Announce { connections: load.connections, as_json })?;
    let rate = load.connections as f64 / seconds;
    match as_json {
        true => println!(
            "{}",
            json!({ "workload": "idle", "connections": load.connections,
            "open_seconds": seconds })
        ),
        false => println!("opened in {seconds:.2} s, {rate:.0} a second; all stayed open"),
    }
    Ok(())
}

struct Announce {
    connections: usize,
    as_json: bool,
}

impl load::Watch for Announce {
    fn begins(&mut self) {
        if !self.as_json {
            println!("{} connections are open", self.connections);
        }
    }
}

pub(super) fn as_json(name: &str, load: &Load, measured: &Measured) -> Value {
    let latency = |histogram: &load::Histogram| {
        json!({
            "p50_us": histogram.p50_us(),
            "p99_us": histogram.p99_us(),
            "p999_us": histogram.p999_us(),
            "max_us": histogram.max_us(),
        })
    };
    let mut value = json!({
        "workload": name,
        "connections": load.connections,
        "depth": load.depth,
        "seconds": measured.seconds,
        "operations": measured.operations,
        "operations_per_second": measured.per_second(),
        "resumed": measured.resumed,
        "entries": measured.entries,
        "bytes_received": measured.bytes_received,
        "latency": latency(&measured.latency),
        "client_cpu_us": measured.client_cpu_us(),
        "checksum": format!("{:016x}", measured.checksum),
    });
    if measured.issued_beside > 0 {
        value["beside"] = json!({
            "operations": measured.operations_beside,
            "latency": latency(&measured.latency_beside),
        });
    }
    value
}

pub(super) fn as_text(name: &str, load: &Load, measured: &Measured) -> String {
    let latency = |histogram: &load::Histogram| {
        format!(
            "{:.0} µs half, {:.0} µs 99 %, {:.0} µs 99.9 %, {:.0} µs the longest",
            histogram.p50_us(),
            histogram.p99_us(),
            histogram.p999_us(),
            histogram.max_us()
        )
    };
    let per_operation = measured.operations.max(1) as f64;
    let mut text = format!(
        "{name}: {} connections × {} in flight, {:.2} s, every answer as expected\n\
         \x20 operations  {:.0} a second ({} in all)\n\
         \x20 answers     {:.1} entries and {:.0} octets for each\n\
         \x20 latency     {}\n\
         \x20 generator   {:.2} µs of CPU for each, {:.0} % of its core\n",
        load.connections,
        load.depth,
        measured.seconds,
        measured.per_second(),
        measured.operations,
        measured.entries as f64 / per_operation,
        measured.bytes_received as f64 / per_operation,
        latency(&measured.latency),
        measured.client_cpu_us(),
        measured.client_cpu_seconds / measured.seconds * 100.0,
    );
    if measured.resumed > 0 {
        text.push_str(&format!("  resumed     {} handshakes\n", measured.resumed));
    }
    if measured.issued_beside > 0 {
        let rate = measured.operations_beside as f64 / measured.seconds;
        text.push_str(&format!(
            "  beside it   {rate:.0} a second; {}\n",
            latency(&measured.latency_beside)
        ));
    }
    text
}
