//! Which versions and cipher suites a listener speaks.

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::{CipherSuite, SupportedCipherSuite, SupportedProtocolVersion};

const BOTH: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];
const NEW: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13];

/// The oldest version that is spoken. Nothing before 1.2 can be had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsFloor {
    #[default]
    Tls12,
    Tls13,
}

impl TlsFloor {
    pub(super) fn versions(self) -> &'static [&'static SupportedProtocolVersion] {
        match self {
            TlsFloor::Tls12 => BOTH,
            TlsFloor::Tls13 => NEW,
        }
    }
}

/// What a listener's handshakes are made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsPolicy {
    pub floor: TlsFloor,
    /// Names of cipher suites, as the IANA writes them; empty is every one there is.
    pub suites: Vec<String>,
}

/// Why a policy cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyRefused {
    #[error("there is no cipher suite {name:?} here; there are {there_are}")]
    NoSuchSuite { name: String, there_are: String },
    #[error(
        "none of the cipher suites is one of TLS 1.3, which is the oldest version to be spoken; add one such \
         as TLS13_AES_128_GCM_SHA256, or lower the version"
    )]
    NothingLeft,
}

impl TlsPolicy {
    /// Whether it can be had.
    pub fn check(&self) -> Result<(), PolicyRefused> {
        self.provider().map(|_| ())
    }

    /// Within each version AES-128 with SHA-256 comes first: processors compute SHA-256 in hardware
    /// and SHA-384 not, and a handshake is a long chain of hashes. The others stay for who insists
    /// on them.
    pub(super) fn provider(&self) -> Result<Arc<CryptoProvider>, PolicyRefused> {
        let mut provider = aws_lc_rs::default_provider();
        let there = provider.cipher_suites.clone();
        for name in &self.suites {
            if !there.iter().any(|suite| is_named(suite, name)) {
                let there_are: Vec<_> = there.iter().map(name_of).collect();
                let there_are = there_are.join(", ");
                return Err(PolicyRefused::NoSuchSuite { name: name.clone(), there_are });
            }
        }
        if !self.suites.is_empty() {
            let is_wanted =
                |suite: &SupportedCipherSuite| self.suites.iter().any(|name| is_named(suite, name));
            provider.cipher_suites.retain(is_wanted);
        }
        let is_new = |suite: &SupportedCipherSuite| suite.tls13().is_some();
        if self.floor == TlsFloor::Tls13 && !provider.cipher_suites.iter().any(is_new) {
            return Err(PolicyRefused::NothingLeft);
        }
        // Stable: what is not moved keeps the library's order.
        provider.cipher_suites.sort_by_key(rank);
        Ok(Arc::new(provider))
    }
}

fn rank(suite: &SupportedCipherSuite) -> u8 {
    match suite.suite() {
        CipherSuite::TLS13_AES_128_GCM_SHA256
        | CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
        | CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 => 0,
        _ => 1,
    }
}

fn name_of(suite: &SupportedCipherSuite) -> String {
    format!("{:?}", suite.suite())
}

/// The suites of TLS 1.3 are written with and without the version in their names.
fn is_named(suite: &SupportedCipherSuite, name: &str) -> bool {
    let own = name_of(suite);
    own.eq_ignore_ascii_case(name)
        || own.strip_prefix("TLS13_").is_some_and(|rest| {
            name.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("TLS_"))
                && name.get(4..).is_some_and(|name| name.eq_ignore_ascii_case(rest))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suites(floor: TlsFloor, names: &[&str]) -> Result<Vec<String>, String> {
        let suites = names.iter().map(|name| (*name).to_owned()).collect();
        let provider = TlsPolicy { floor, suites }.provider().map_err(|error| error.to_string())?;
        Ok(provider.cipher_suites.iter().map(name_of).collect())
    }

    #[test]
    fn suites_by_name() {
        let all = suites(TlsFloor::Tls12, &[]).unwrap();
        assert_eq!(all.len(), 9);
        assert!(all[0].contains("AES_128_GCM_SHA256"));
        let two = ["tls_aes_256_gcm_sha384", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"];
        assert_eq!(
            suites(TlsFloor::Tls12, &two).unwrap(),
            ["TLS13_AES_256_GCM_SHA384", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"]
        );
        let refused = suites(TlsFloor::Tls12, &["TLS_RSA_WITH_RC4_128_SHA"]).unwrap_err();
        assert!(refused.contains("RC4") && refused.contains("TLS13_AES_128"), "{refused}");
        let old = ["TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"];
        assert!(suites(TlsFloor::Tls13, &old).unwrap_err().contains("TLS 1.3"));
    }
}
