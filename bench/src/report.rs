//! A report in Markdown from the results that were kept: what to reach and whether it is, every
//! figure of every server, where we lose, and how all of it was configured.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::compare::goals::{self, Judged, OURS};
use crate::compare::results::{Cell, Results, Sample, median};
use crate::compare::rows::{ROWS, Row};
use crate::machine::Memory;
use crate::plot;

/// Renders comparisons, the smallest first, and perhaps the plots of [`crate::plot`].
pub fn render(results: &[Results], grown: &[Results], plots: &[(String, String)]) -> String {
    let mut sorted: Vec<&Results> = results.iter().collect();
    sorted.sort_by_key(|results| results.people);
    let mut out = String::from(INTRODUCTION);
    for results in &sorted {
        scale(&mut out, results);
    }
    growth(&mut out, grown, plots);
    configurations(&mut out, &sorted);
    out
}

const INTRODUCTION: &str = "# Results

Written by `chancery-bench`; not edited. [README.md](README.md) says how to repeat it, and what each
row does. Every figure is a median over alternating runs. CPU is the server's, for each operation,
by the kernel's account of the process; times are microseconds as the generator sees them. Every
answer was checked: result code, number of entries, a checksum of the content.
";

fn scale(out: &mut String, results: &Results) {
    let _ = writeln!(out, "\n## {} people\n", grouped(results.people));
    machine(out, results);
    out.push_str("\n### To reach\n\n| work | load | to reach | found | |\n|---|---|---|---|---|\n");
    for (name, load, judged) in judged(results) {
        let mark = match judged.met {
            Some(true) => "met",
            Some(false) => "**missed**",
            None => "open",
        };
        let _ =
            writeln!(out, "| {name} | {load} | {} | {} | {mark} |", judged.wanted, judged.found);
    }
    figures(out, results);
    servers(out, results);
    losses(out, results);
}

fn judged(results: &Results) -> Vec<(String, String, Judged)> {
    let mut all = Vec::new();
    for row in ROWS {
        if results.rows.iter().any(|measured| measured.key == row.key) {
            let judge = |goal: &goals::Goal| goal.judge(row, results);
            let each = row.goals.iter().map(judge);
            all.extend(each.map(|judged| (row.title.to_owned(), row.load(), judged)));
        }
    }
    let servers = goals::of_servers(results).into_iter();
    all.extend(servers.map(|(name, judged)| (name.to_owned(), String::new(), judged)));
    all
}

fn machine(out: &mut String, results: &Results) {
    let machine = &results.machine;
    let _ = writeln!(
        out,
        "{} UTC; {}, {} cores (servers on one, the generator on the other), {:.0} GiB; {}, Linux {}. \
         {} entries, {} MiB of LDIF; {} runs of {} s for each row and server.",
        machine.date,
        machine.processor,
        machine.cores,
        machine.memory_gib,
        machine.system,
        machine.kernel,
        grouped(results.entries),
        results.ldif_bytes >> 20,
        results.runs,
        results.seconds,
    );
    let versions = results.peers.iter().map(|peer| match &peer.failure {
        None => format!("{}: {}", peer.name, peer.version),
        Some(why) => format!("{}: not measured ({})", peer.name, one_line(why)),
    });
    let _ = writeln!(out, "\n{}.", versions.collect::<Vec<_>>().join("; "));
    if !machine.counts_instructions {
        out.push_str("\nThis machine does not count instructions, so that column is left out.\n");
    }
    let floors = &results.floors;
    let _ = writeln!(
        out,
        "\nBare floors: a page written and `fdatasync` {:.0} µs (99 % within {:.0} µs){}.",
        floors.sync_p50_us,
        floors.sync_p99_us,
        match floors.sign_us.zip(floors.x25519_us) {
            Some((sign, exchange)) =>
                format!("; a P-256 signature {sign:.1} µs, an X25519 operation {exchange:.1} µs"),
            None => String::new(),
        },
    );
    if floors.echo.is_empty() {
        return;
    }
    out.push_str("\n| echo server, no LDAP | CPU µs | per second | generator's CPU µs |\n");
    out.push_str("|---|--:|--:|--:|\n");
    for echo in &floors.echo {
        let _ = writeln!(
            out,
            "| {}×{} | {:.1} | {} | {:.1} |",
            echo.connections,
            echo.depth,
            echo.cpu_us,
            grouped(echo.per_second as u64),
            echo.client_cpu_us
        );
    }
}

fn figures(out: &mut String, results: &Results) {
    let counts = results.machine.counts_instructions;
    let (name, rule) = if counts { (" instructions |", "--:|") } else { ("", "") };
    let _ = writeln!(
        out,
        "\n### Every figure\n\nRatios say how many times better chancery is: below 1 it loses.\n\n\
         | work | load | server | per second | CPU µs |{name} p50 | p99 | p99.9 | rate | CPU |\n\
         |---|---|---|--:|--:|{rule}--:|--:|--:|--:|--:|"
    );
    for row in ROWS {
        for peer in &results.peers {
            let Some(cell) = results.cell(row.key, &peer.name) else { continue };
            figure_line(out, results, row, cell);
        }
    }
}

fn figure_line(out: &mut String, results: &Results, row: &Row, cell: &Cell) {
    let counts = results.machine.counts_instructions;
    let of = |figure: fn(&Sample) -> f64| median(cell.samples.iter().map(figure));
    let _ = write!(out, "| {} | {} | {} |", row.title, row.load(), cell.peer);
    let Some(per_second) = of(|sample| sample.per_second) else {
        let why = cell.failure.as_deref().unwrap_or("not measured");
        let columns = if counts { 8 } else { 7 };
        let _ = writeln!(out, " {} {}", one_line(why), "|".repeat(columns));
        return;
    };
    let cpu = of(|sample| sample.cpu_us).unwrap_or_default();
    let _ = write!(out, " {} | {} |", rate(per_second), short(cpu));
    if counts {
        let instructions = median(cell.samples.iter().filter_map(|sample| sample.instructions));
        let _ = write!(out, " {} |", instructions.map_or("".to_owned(), short));
    }
    for figure in [
        (|sample| sample.p50_us) as fn(&Sample) -> f64,
        |sample| sample.p99_us,
        |sample| sample.p999_us,
    ] {
        let _ = write!(out, " {} |", of(figure).map_or(String::new(), short));
    }
    let ratios = (cell.peer != OURS).then(|| {
        let rate = results.figure(row.key, OURS, |sample| sample.per_second)? / per_second;
        let cpu = cpu / results.figure(row.key, OURS, |sample| sample.cpu_us)?;
        Some(format!(" {rate:.2} | {cpu:.2} |"))
    });
    let _ = writeln!(out, "{}", ratios.flatten().unwrap_or_else(|| " | |".to_owned()));
    if let Some(why) = &cell.failure {
        let ended = format!("{} runs, then: {}", cell.samples.len(), one_line(why));
        let _ = writeln!(out, "| | | {} | {ended} |", cell.peer);
    }
}

/// What is measured once for each server.
fn servers(out: &mut String, results: &Results) {
    let present: Vec<_> = results.peers.iter().filter(|peer| peer.failure.is_none()).collect();
    let names = present.iter().map(|peer| format!(" {} |", peer.name)).collect::<String>();
    let rule = "--:|".repeat(present.len());
    let _ = writeln!(out, "\n### Servers\n\n| |{names}\n|---|{rule}");
    let mib = |bytes: u64| format!("{:.0}", bytes as f64 / f64::from(1 << 20));
    let memory = |memory: Option<Memory>, of: fn(&Memory) -> u64| {
        memory.as_ref().map_or(String::new(), |memory| mib(of(memory)))
    };
    let mut line = |name: &str, of: &dyn Fn(&crate::compare::results::Peer) -> String| {
        let cells = present.iter().map(|peer| format!(" {} |", of(peer))).collect::<String>();
        let _ = writeln!(out, "| {name} |{cells}");
    };
    line("import, seconds", &|peer| short(peer.import_seconds));
    line("disk, MiB", &|peer| mib(peer.disk_bytes));
    line("start to first answer, ms", &|peer| {
        median(peer.start_ms.iter().copied()).map_or(String::new(), short)
    });
    line("resident after reading, MiB", &|peer| memory(peer.memory_read, |m| m.resident));
    line("anonymous after reading, MiB", &|peer| memory(peer.memory_read, |m| m.anonymous));
    line("resident at the end, MiB", &|peer| memory(peer.memory, |m| m.resident));
    line("anonymous at the end, MiB", &|peer| memory(peer.memory, |m| m.anonymous));
    line("idle LDAPS connections", &|peer| match &peer.idle {
        Some(idle) => match &idle.failure {
            None => format!("{}: {} MiB more", grouped(idle.connections as u64), mib(idle.bytes)),
            Some(why) => one_line(why),
        },
        None => String::new(),
    });
}

/// Each row in which another server does better in something, and each figure that is missed.
fn losses(out: &mut String, results: &Results) {
    out.push_str("\n### Where we lose\n\n");
    let mut lines = Vec::new();
    for row in ROWS {
        for peer in results.peers.iter().filter(|peer| peer.name != OURS) {
            let name = format!("{}, {}", row.title, row.load());
            lines.extend(lost(results, row, &peer.name).map(|how| format!("- {name}: {how}\n")));
        }
    }
    for (name, load, judged) in judged(results) {
        if judged.met == Some(false) {
            let load = if load.is_empty() { load } else { format!(", {load}") };
            let what = format!("to reach {}, found {}", judged.wanted, judged.found);
            lines.push(format!("- {name}{load}: {what}\n"));
        }
    }
    match lines.is_empty() {
        true => out.push_str("In no row of these.\n"),
        false => out.extend(lines),
    }
}

fn lost(results: &Results, row: &Row, peer: &str) -> Option<String> {
    let ratio = |of: fn(&Sample) -> f64| {
        Some(results.figure(row.key, OURS, of)? / results.figure(row.key, peer, of)?)
    };
    let rate = ratio(|sample| sample.per_second)?;
    let cpu = ratio(|sample| sample.cpu_us)?;
    let p99 = ratio(|sample| sample.p99_us)?;
    let mut parts = Vec::new();
    if rate < 1.0 {
        parts.push(format!("{rate:.2}× the operations a second"));
    }
    for (value, name) in [(cpu, "CPU"), (p99, "p99")] {
        if value > 1.0 {
            parts.push(format!("{value:.2}× the {name}"));
        }
    }
    (!parts.is_empty()).then(|| format!("{} of {peer}", parts.join(", ")))
}

/// The row whose growth is judged: an indexed search, and what it has to reach.
const GROWTH_GOAL: (&str, f64) = ("search-all-16x1", 1.5);

fn growth(out: &mut String, grown: &[Results], plots: &[(String, String)]) {
    if plots.is_empty() {
        return;
    }
    out.push_str(
        "\n## As work grows\n\nServer CPU for each operation, over the number of people.\n",
    );
    out.push_str(
        "\n| work | load | from the fewest to the most people, chancery | |\n|---|---|--:|---|\n",
    );
    for row in ROWS.iter().filter(|row| row.growth) {
        let Some(times) = plot::growth(row, grown) else { continue };
        let (goal, most) = GROWTH_GOAL;
        let mark = match (row.key == goal, times <= most) {
            (false, _) => String::new(),
            (true, true) => format!("to reach ≤ {most}×: met"),
            (true, false) => format!("to reach ≤ {most}×: **missed**"),
        };
        let _ = writeln!(out, "| {} | {} | {times:.2}× | {mark} |", row.title, row.load());
    }
    for (title, file) in plots {
        let _ = write!(out, "\n![{title}]({file})\n");
    }
}

fn configurations(out: &mut String, results: &[&Results]) {
    let mut shown: BTreeMap<&str, &str> = BTreeMap::new();
    for peer in results.iter().flat_map(|results| &results.peers) {
        if !peer.configuration.is_empty() {
            shown.insert(&peer.name, &peer.configuration);
        }
    }
    out.push_str(
        "\n## Configurations\n\nOf the largest comparison; ports are chosen at each run.\n",
    );
    for (name, text) in shown {
        let _ = write!(out, "\n### {name}\n\n```text\n{}\n```\n", text.trim());
    }
}

/// Three digits that count.
fn short(value: f64) -> String {
    match value {
        value if value >= 100.0 => grouped(value.round() as u64),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

/// Slow work keeps its digits.
fn rate(value: f64) -> String {
    if value >= 100.0 { grouped(value.round() as u64) } else { format!("{value:.2}") }
}

/// Thousands apart, as in `100 000`.
fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

/// What stands in a cell of a table.
fn one_line(text: &str) -> String {
    const CHARACTERS_MAX: usize = 160;
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "/");
    line.chars().take(CHARACTERS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::results::{Peer, RowResult};

    fn cell(peer: &str, per_second: f64, cpu_us: f64) -> Cell {
        let sample = Sample { per_second, cpu_us, p99_us: 90.0, ..Sample::default() };
        Cell { peer: peer.to_owned(), samples: vec![sample; 3], failure: None }
    }

    fn results(ours: (f64, f64), theirs: (f64, f64)) -> Results {
        let peer = |name: &str| Peer { name: name.to_owned(), ..Peer::default() };
        let cells = vec![cell("chancery", ours.0, ours.1), cell("slapd", theirs.0, theirs.1)];
        let row = RowResult { key: "search-all-16x8-ldaps".to_owned(), cells };
        Results {
            people: 100_000,
            peers: vec![peer("chancery"), peer("slapd")],
            rows: vec![row],
            ..Results::default()
        }
    }

    #[test]
    fn a_goal_is_met_by_figures_only() {
        for (ours, theirs, expected) in [
            ((40_000.0, 10.0), (10_000.0, 60.0), ["1/6.0 (10.0 of 60.0 µs) | met", "4.0× (40000"]),
            ((20_000.0, 10.1), (10_000.0, 60.0), ["µs) | **missed**", "10000 /s) | **missed**"]),
        ] {
            let text = render(&[results(ours, theirs)], &[], &[]);
            for part in expected {
                assert!(text.contains(part), "{part} in\n{text}");
            }
        }
    }

    #[test]
    fn losing_is_told() {
        let won = render(&[results((40_000.0, 1.0), (10_000.0, 60.0))], &[], &[]);
        let lost = render(&[results((5_000.0, 70.0), (10_000.0, 60.0))], &[], &[]);
        assert!(!won.contains("× the CPU of slapd"), "{won}");
        let line = "- equality search, all attributes, 16×8 LDAPS: 0.50× the operations a second, \
                    1.17× the CPU of slapd";
        assert!(lost.contains(line), "{lost}");
    }

    #[test]
    fn a_failure_stands_in_the_table() {
        let mut results = results((1.0, 1.0), (1.0, 1.0));
        results.rows[0].cells[1] = Cell {
            peer: "slapd".to_owned(),
            samples: Vec::new(),
            failure: Some("result 53,\nnot 0".to_owned()),
        };
        let text = render(&[results], &[], &[]);
        assert!(text.contains("| slapd | result 53, not 0 |"), "{text}");
        assert!(text.contains("| not measured | open |"), "{text}");
    }

    #[test]
    fn numbers_are_for_people() {
        for (value, expected) in
            [(0.5, "0.50"), (9.876, "9.88"), (57.26, "57.3"), (123.4, "123"), (45678.0, "45 678")]
        {
            assert_eq!(short(value), expected);
        }
        assert_eq!(grouped(1_000_000), "1 000 000");
    }
}
