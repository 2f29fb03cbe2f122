//! What a comparison found, as it is kept beside the report: enough to write the report anew.

use serde::{Deserialize, Serialize};

use crate::machine::{Floors, Machine, Memory};

/// One comparison at one size.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Results {
    pub machine: Machine,
    pub floors: Floors,
    pub people: u64,
    pub entries: u64,
    pub ldif_bytes: u64,
    pub runs: usize,
    pub seconds: f64,
    pub peers: Vec<Peer>,
    pub rows: Vec<RowResult>,
}

/// One server: what it is and what is measured once.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Peer {
    pub name: String,
    pub version: String,
    pub configuration: String,
    /// Why it could not take part.
    pub failure: Option<String>,
    pub import_seconds: f64,
    pub disk_bytes: u64,
    /// From starting the process to the first answer, milliseconds; each start.
    pub start_ms: Vec<f64>,
    /// After the searches, before the first write.
    pub memory_read: Option<Memory>,
    /// At the end.
    pub memory: Option<Memory>,
    pub idle: Option<Idle>,
}

/// Many connections that say nothing.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Idle {
    pub connections: usize,
    /// What they added to the resident memory.
    pub bytes: u64,
    pub open_seconds: f64,
    pub failure: Option<String>,
}

/// One kind of work on all servers.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct RowResult {
    pub key: String,
    pub cells: Vec<Cell>,
}

/// One kind of work on one server.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Cell {
    pub peer: String,
    pub samples: Vec<Sample>,
    /// Why there are no, or not all, samples.
    pub failure: Option<String>,
}

/// One run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Sample {
    pub operations: u64,
    pub per_second: f64,
    pub entries_per_second: f64,
    /// Server CPU, for each operation.
    pub cpu_us: f64,
    /// Server instructions, for each operation.
    pub instructions: Option<f64>,
    pub p50_us: f64,
    pub p99_us: f64,
    pub p999_us: f64,
    /// CPU of the generator, for each operation.
    pub client_cpu_us: f64,
    /// Operations a second of the work beside it.
    pub beside_per_second: Option<f64>,
}

impl Results {
    pub fn peer(&self, name: &str) -> Option<&Peer> {
        self.peers.iter().find(|peer| peer.name == name)
    }

    pub fn cell(&self, key: &str, peer: &str) -> Option<&Cell> {
        let row = self.rows.iter().find(|row| row.key == key)?;
        row.cells.iter().find(|cell| cell.peer == peer)
    }

    /// The median over the runs of one figure.
    pub fn figure(&self, key: &str, peer: &str, of: fn(&Sample) -> f64) -> Option<f64> {
        let cell = self.cell(key, peer)?;
        median(cell.samples.iter().map(of))
    }
}

/// The middle one; of an even number, the middle of the two in the middle.
pub fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = values.get(middle).copied()?;
    if values.len() % 2 == 1 {
        return Some(upper);
    }
    let lower = values.get(middle.checked_sub(1)?).copied()?;
    Some(f64::midpoint(lower, upper))
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn the_median_is_in_the_middle() {
        for (values, expected) in [
            (vec![], None),
            (vec![3.0], Some(3.0)),
            (vec![9.0, 1.0, 2.0], Some(2.0)),
            (vec![4.0, 1.0, 2.0, 100.0], Some(3.0)),
        ] {
            assert_eq!(median(values.iter().copied()), expected, "{values:?}");
        }
    }
}
