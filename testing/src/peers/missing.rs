//! What happens when a peer is not installed: loudly skipped, or a failure where peers are
//! required.

use std::path::{Path, PathBuf};

/// Something a test needs that this crate does not build.
#[derive(Clone, Debug)]
pub struct Peer {
    pub name: String,
    /// Present when this file is.
    pub file: PathBuf,
    /// What the reader can do about it.
    pub remedy: String,
}

impl Peer {
    /// A program that `testing/peers.sh` installs.
    pub fn program(name: &str, file: impl AsRef<Path>) -> Peer {
        Peer {
            name: name.to_owned(),
            file: file.as_ref().to_owned(),
            remedy: "./check peers installs it".to_owned(),
        }
    }
}

/// True when every peer is there. Otherwise says so loudly and answers false, so that the test
/// returns at once; with `CHANCERY_REQUIRE_PEERS=1` (as in `.ci/run`) it fails instead.
pub fn present(test: &str, peers: &[Peer]) -> bool {
    let required = std::env::var("CHANCERY_REQUIRE_PEERS").is_ok_and(|value| value == "1");
    match skip_line(test, peers) {
        None => true,
        #[allow(clippy::panic, reason = "this is how a test fails")]
        Some(line) if required => panic!("{line}, and CHANCERY_REQUIRE_PEERS=1"),
        Some(line) => {
            eprintln!("{line}");
            false
        }
    }
}

fn skip_line(test: &str, peers: &[Peer]) -> Option<String> {
    let peer = peers.iter().find(|peer| !peer.file.exists())?;
    Some(format!("SKIPPED: test {test} needs {} ({})", peer.name, peer.remedy))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_missing_peer_is_named() {
        let here = Peer::program("sh", "/bin/sh");
        let gone = Peer::program("unobtainium", "/nowhere/unobtainium");
        assert_eq!(skip_line("t", std::slice::from_ref(&here)), None);
        assert_eq!(
            skip_line("t", &[here, gone]).unwrap(),
            "SKIPPED: test t needs unobtainium (./check peers installs it)"
        );
    }
}
