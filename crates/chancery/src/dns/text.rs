//! The records as text for whoever writes them: a zone file, a hosts file, any provider's form.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Serialize;

use super::records::{Line, RecordSet, Value, bare};

/// How `chancery dns print` writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// Lines of a zone file (RFC 1035), to be included or pasted.
    Zone,
    /// Lines of /etc/hosts, for a test on one machine; remove them afterwards.
    Hosts,
    /// One JSON object, for any provider's tool.
    Json,
}

#[derive(Serialize)]
struct Records {
    records: Vec<Line>,
}

pub(crate) fn print(sets: &[RecordSet], format: Format) -> anyhow::Result<String> {
    Ok(match format {
        Format::Zone => lines(sets.iter().map(RecordSet::to_string)),
        Format::Hosts => hosts(sets),
        Format::Json => {
            let records = sets.iter().map(RecordSet::to_line).collect();
            serde_json::to_string_pretty(&Records { records })?
        }
    })
}

fn lines(lines: impl Iterator<Item = String>) -> String {
    lines.collect::<Vec<_>>().join("\n")
}

/// An address with all its names; what a hosts file cannot say is said in a comment.
fn hosts(sets: &[RecordSet]) -> String {
    let mut names: BTreeMap<IpAddr, Vec<String>> = BTreeMap::new();
    let mut comments = Vec::new();
    for set in sets {
        for value in &set.values {
            match value {
                Value::Address(address) if !set.name.is_wildcard() => {
                    names.entry(*address).or_default().push(bare(&set.name));
                }
                _ => comments.push(format!(
                    "# not for a hosts file: {} {}",
                    bare(&set.name),
                    set.kind
                )),
            }
        }
    }
    let named = names.into_iter().map(|(address, names)| format!("{address} {}", names.join(" ")));
    lines(named.chain(comments))
}

#[cfg(test)]
mod tests {
    use super::super::records::{Published, absolute, wanted};
    use super::*;

    #[test]
    fn every_format_says_the_same() {
        let sets = wanted(&Published {
            names: ["a.example.com", "b.example.com", "*.example.com"]
                .map(|name| absolute(name).unwrap())
                .into(),
            addresses: vec!["192.0.2.1".parse().unwrap()],
            domain: Some(absolute("example.com").unwrap()),
            services: vec![("ldaps".to_owned(), 636)],
            ttl: 60,
        });
        for (format, expected) in [
            (
                Format::Zone,
                "*.example.com. 60 IN A 192.0.2.1\n\
                 _ldaps._tcp.example.com. 60 IN SRV 0 100 636 a.example.com.\n\
                 a.example.com. 60 IN A 192.0.2.1\n\
                 b.example.com. 60 IN A 192.0.2.1",
            ),
            (
                Format::Hosts,
                "192.0.2.1 a.example.com b.example.com\n\
                 # not for a hosts file: *.example.com A\n\
                 # not for a hosts file: _ldaps._tcp.example.com SRV",
            ),
        ] {
            assert_eq!(print(&sets, format).unwrap(), expected);
        }
        let json: serde_json::Value =
            serde_json::from_str(&print(&sets, Format::Json).unwrap()).unwrap();
        assert_eq!(json["records"][1]["type"], "SRV");
        assert_eq!(json["records"][2]["values"][0], "192.0.2.1");
    }
}
