//! What really goes over the wire: tcpdump on a machine, and the bytes of each connection towards
//! the server put together again.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::namespaces::Machine;
use crate::peers::missing::Peer;
use crate::process::Process;

pub fn peer() -> Peer {
    Peer::program("tcpdump", "/usr/bin/tcpdump")
}

/// Content by the number of its first byte.
type Parts = Vec<(u32, Vec<u8>)>;

/// tcpdump at the network card of a machine.
pub struct Capture {
    process: Process,
    file: PathBuf,
}

/// What one connection carried towards the server.
#[derive(Debug)]
pub struct Stream {
    /// The server's port.
    pub port: u16,
    pub bytes: Vec<u8>,
}

impl Capture {
    pub fn start(machine: &Machine, folder: &Path) -> Result<Capture> {
        let file = folder.join("wire.pcap");
        let mut command = machine.command("/usr/bin/tcpdump");
        command.args(["-Z", "root", "-i", "eth0", "-U", "--immediate-mode", "-w"]);
        command.arg(&file).arg("tcp");
        let mut process = Process::start("tcpdump", folder, command)?;
        process.wait_until("its network card", |process| {
            process.output().contains("listening on").then_some(())
        })?;
        Ok(Capture { process, file })
    }

    /// Ends it; everything that was sent to one of the server's ports, by connection.
    pub fn streams(mut self) -> Result<Vec<Stream>> {
        self.process.terminate()?;
        let bytes = fs::read(&self.file)?;
        let mut found: BTreeMap<(u16, u16), Parts> = BTreeMap::new();
        for packet in packets(&bytes).context("the capture is cut off")? {
            let Some(segment) = segment(packet) else { continue };
            // The lower port is the server's: those of clients are given out further above.
            if segment.to < segment.from {
                let parts = found.entry((segment.to, segment.from)).or_default();
                parts.push((segment.number, segment.content.to_vec()));
            }
        }
        let streams = found.into_iter();
        Ok(streams.map(|((port, _), parts)| Stream { port, bytes: joined(parts) }).collect())
    }
}

/// The packets of a file of libpcap's, in this machine's byte order.
fn packets(mut bytes: &[u8]) -> Result<Vec<&[u8]>> {
    let mut all = Vec::new();
    bytes = bytes.get(24..).context("no head")?;
    while !bytes.is_empty() {
        let length = bytes.get(8..12).context("no length")?;
        let length = u32::from_le_bytes(length.try_into()?) as usize;
        all.push(bytes.get(16..16 + length).context("no packet")?);
        bytes = bytes.get(16 + length..).unwrap_or_default();
    }
    if all.is_empty() {
        bail!("no packet was seen");
    }
    Ok(all)
}

struct Segment<'a> {
    from: u16,
    to: u16,
    number: u32,
    content: &'a [u8],
}

/// TCP over IPv4 in an Ethernet frame.
fn segment(frame: &[u8]) -> Option<Segment<'_>> {
    let packet = frame.get(14..)?;
    let head = usize::from(packet.first()? & 0x0f) * 4;
    let total = usize::from(u16::from_be_bytes([*packet.get(2)?, *packet.get(3)?]));
    let tcp = packet.get(head..total)?;
    let port = |at: usize| Some(u16::from_be_bytes([*tcp.get(at)?, *tcp.get(at + 1)?]));
    let number = u32::from_be_bytes(tcp.get(4..8)?.try_into().ok()?);
    // A SYN counts as one byte before the content.
    let is_syn = tcp.get(13)? & 0x02 != 0;
    let content = tcp.get(usize::from(tcp.get(12)? >> 4) * 4..)?;
    let number = if is_syn { number.wrapping_add(1) } else { number };
    Some(Segment { from: port(0)?, to: port(2)?, number, content })
}

/// In their order; what was sent twice is there once.
fn joined(parts: Parts) -> Vec<u8> {
    let Some(start) = parts.first().map(|(number, _)| *number) else { return Vec::new() };
    let place = |number: u32| number.wrapping_sub(start) as usize;
    let mut bytes = Vec::new();
    let mut parts: Vec<_> = parts.into_iter().map(|(number, part)| (place(number), part)).collect();
    parts.sort();
    for (place, part) in parts {
        let known = bytes.len().saturating_sub(place);
        bytes.extend_from_slice(part.get(known..).unwrap_or_default());
    }
    bytes
}

/// Whether this is nothing but TLS records. The last may be cut: a connection that is given up, or
/// a capture that ends, leaves it so.
pub fn is_tls(mut bytes: &[u8]) -> bool {
    while let Some(head) = bytes.first_chunk::<5>() {
        let [kind, major, minor, high, low] = *head;
        let length = 5 + usize::from(u16::from_be_bytes([high, low]));
        let is_record = (20..=24).contains(&kind) && major == 3 && minor <= 4;
        if !is_record || length > 5 + 16_640 {
            return false;
        }
        bytes = bytes.get(length..).unwrap_or_default();
    }
    bytes.len() < 5
}

/// The operations of the LDAP messages in this; none where it is something else.
pub fn operations(mut bytes: &[u8]) -> Option<Vec<u8>> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let Ok(ldap::ber::Frame::Complete { length }) = ldap::ber::frame(bytes, 1 << 20) else {
            return None;
        };
        let message = bytes.get(..length)?;
        let head = match message.get(1)? {
            long if *long >= 0x80 => 2 + usize::from(long & 0x7f),
            _ => 2,
        };
        // The message id is one integer; what follows it is the operation.
        let id = usize::from(*message.get(head + 1)?);
        all.push(*message.get(head + 2 + id)?);
        bytes = bytes.get(length..)?;
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_joined_in_order_and_once() {
        let parts = vec![(10, b"ab".to_vec()), (14, b"ef".to_vec()), (12, b"cd".to_vec())];
        assert_eq!(joined(parts), b"abcdef");
        let again = vec![(10, b"ab".to_vec()), (10, b"abcd".to_vec()), (12, b"cd".to_vec())];
        assert_eq!(joined(again), b"abcd");
    }

    #[test]
    fn what_is_tls_and_what_is_ldap() {
        assert!(is_tls(&[22, 3, 1, 0, 1, 1, 21, 3, 3, 0, 2, 1, 0]));
        assert!(!is_tls(&[0x30, 12, 2, 1, 1, 0x60, 7]) && is_tls(&[22, 3, 1, 0, 9, 1]));
        let bind = [0x30, 12, 2, 1, 1, 0x60, 7, 2, 1, 3, 4, 0, 0x80, 0];
        assert_eq!(operations(&bind), Some(vec![0x60]));
        assert_eq!(operations(&[22, 3, 1]), None);
    }
}
