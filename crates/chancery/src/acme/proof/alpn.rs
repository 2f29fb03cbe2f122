//! tls-alpn-01: a certificate that proves one name, shown to those who ask for `acme-tls/1` only.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::Proof;
use crate::failure::failed;

const PATIENCE: Duration = Duration::from_secs(5);
const VISITORS_MAX: usize = 32;
/// RFC 8737 §3.
const PROTOCOL: &[u8] = b"acme-tls/1";

/// Open until it is dropped.
pub(crate) struct Door {
    proofs: Arc<Proofs>,
    task: JoinHandle<()>,
}

impl Drop for Door {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// By name.
#[derive(Debug, Default)]
struct Proofs(Mutex<HashMap<String, Arc<CertifiedKey>>>);

impl ResolvesServerCert for Proofs {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let is_ca = hello.alpn()?.eq([PROTOCOL]);
        let name = hello.server_name().filter(|_| is_ca)?.to_ascii_lowercase();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&name).cloned()
    }
}

impl Door {
    pub(super) fn open(listener: TcpListener) -> Result<Door> {
        let proofs = Arc::new(Proofs::default());
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(failed)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&proofs) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        let task = tokio::spawn(welcome(listener, TlsAcceptor::from(Arc::new(config))));
        Ok(Door { proofs, task })
    }

    pub(super) fn show(&self, proof: &Proof) -> Result<()> {
        let made = pki::proof::certificate(&proof.name, &proof.digest).map_err(failed)?;
        let key = aws_lc_rs::sign::any_supported_type(&made.key).map_err(failed)?;
        let certified = Arc::new(CertifiedKey::new(made.chain, key));
        let mut proofs = self.proofs.0.lock().unwrap_or_else(PoisonError::into_inner);
        proofs.insert(proof.name.clone(), certified);
        Ok(())
    }
}

async fn welcome(listener: TcpListener, acceptor: TlsAcceptor) {
    let room = Arc::new(Semaphore::new(VISITORS_MAX));
    loop {
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    // RFC 8737 §3: the handshake is all, nothing is said afterwards.
                    let _ = tokio::time::timeout(PATIENCE, acceptor.accept(stream)).await;
                    drop(place);
                });
            }
            Err(_) => tokio::task::yield_now().await,
        }
    }
}
