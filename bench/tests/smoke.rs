//! The comparison on a tiny tree: every row runs on us and on slapd, and every answer is right.

use bench::compare::{self, Options};
use bench::peers::Kind;
use testing::peers::missing::{self, Peer};

/// Enough for groups, substrings and pages; loaded in a moment.
const PEOPLE: u64 = 1200;
const OPERATIONS: u64 = 20;

#[test]
fn every_row_runs_on_us_and_on_slapd() {
    let chancery = Peer {
        name: "the chancery binary".to_owned(),
        file: Kind::Chancery.program(),
        remedy: "cargo build -p chancery builds it".to_owned(),
    };
    let slapd = Peer::program("slapd", Kind::Slapd.program());
    if !missing::present("every_row_runs_on_us_and_on_slapd", &[chancery, slapd]) {
        return;
    }
    let folder = tempfile::Builder::new().prefix("bench-").tempdir().unwrap();
    let options = Options {
        people: PEOPLE,
        runs: 1,
        seconds: 1.0,
        peers: vec![Kind::Chancery, Kind::Slapd],
        only: Vec::new(),
        growth: false,
        idle_connections: 20,
        starts: 1,
        floors: false,
        operations_max: Some(OPERATIONS),
    };
    let results = compare::compare(&options, folder.path(), &mut |_| (), &mut |_| ()).unwrap();
    let mut failures = Vec::new();
    for peer in &results.peers {
        failures.extend(peer.failure.as_ref().map(|why| format!("{}: {why}", peer.name)));
        assert!(peer.import_seconds > 0.0 && peer.disk_bytes > 0, "{peer:?}");
        assert!(peer.idle.as_ref().unwrap().failure.is_none(), "{:?}", peer.idle);
    }
    for row in &results.rows {
        for cell in &row.cells {
            let failure =
                cell.failure.as_ref().map(|why| format!("{} {}: {why}", row.key, cell.peer));
            failures.extend(failure);
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
    let text = bench::report::render(&[results], &[], &[]);
    assert!(text.contains("| durable modify | 64×1 LDAPS | slapd |"), "{text}");
}
