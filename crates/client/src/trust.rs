//! Which CAs may vouch for a server, and who this client is. There is no way to trust anybody.

use std::sync::Arc;

use pki::judge::names::ServedName;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, UnixTime};
use rustls::{ClientConfig, RootCertStore};

use crate::connect::server_name;
use crate::error::Error;

/// The CAs that may vouch for a server.
#[derive(Clone, Debug)]
pub struct Trust {
    pub(crate) roots: Arc<RootCertStore>,
}

impl Trust {
    /// Those that the operating system trusts.
    pub fn system() -> Result<Trust, Error> {
        let found = rustls_native_certs::load_native_certs();
        let why = found.errors.first().map_or("the system's store is empty".into(), |error| {
            format!("the system's store cannot be read: {error}")
        });
        Trust::of(found.certs, &why)
    }

    /// Exactly these.
    pub fn given(cas: Vec<CertificateDer<'static>>) -> Result<Trust, Error> {
        Trust::of(cas, "no CA certificate is given")
    }

    /// Whether a chain that is at hand would be taken for this name now, and by these lists of
    /// what was revoked, where there are any. No connection comes of it.
    pub fn judge(
        &self,
        chain: &[CertificateDer<'_>],
        name: &ServedName,
        lists: Vec<CertificateRevocationListDer<'static>>,
    ) -> Result<(), rustls::Error> {
        self.judge_at(chain, name, lists, UnixTime::now())
    }

    /// The same for another moment.
    pub fn judge_at(
        &self,
        chain: &[CertificateDer<'_>],
        name: &ServedName,
        lists: Vec<CertificateRevocationListDer<'static>>,
        at: UnixTime,
    ) -> Result<(), rustls::Error> {
        let general = |error: &dyn std::fmt::Display| rustls::Error::General(error.to_string());
        let roots = Arc::clone(&self.roots);
        let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider())
            .with_crls(lists)
            .only_check_end_entity_revocation()
            .allow_unknown_revocation_status()
            .build()
            .map_err(|error| general(&error))?;
        let Some((leaf, above)) = chain.split_first() else {
            return Err(rustls::Error::NoCertificatesPresented);
        };
        let name = server_name(name).map_err(|error| general(&error))?;
        verifier.verify_server_cert(leaf, above, &name, &[], at).map(drop)
    }

    fn of(cas: Vec<CertificateDer<'static>>, otherwise: &str) -> Result<Trust, Error> {
        let mut roots = RootCertStore::empty();
        let (added, _) = roots.add_parsable_certificates(cas);
        if added == 0 {
            return Err(Error::NoTrust(otherwise.to_owned()));
        }
        Ok(Trust { roots: Arc::new(roots) })
    }
}

/// The certificate by which this client says who it is.
#[derive(Debug)]
pub struct Identity {
    pub chain: Vec<CertificateDer<'static>>,
    pub key: PrivateKeyDer<'static>,
}

/// A configuration that verifies chain and name, and resumes nothing: a resumed session shows no
/// chain.
pub(crate) fn tls(trust: &Trust, identity: Option<Identity>) -> Result<ClientConfig, Error> {
    let verifier = WebPkiServerVerifier::builder_with_provider(trust.roots.clone(), provider())
        .build()
        .map_err(|error| Error::NoTrust(error.to_string()))?;
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::NoTrust(error.to_string()))?
        .with_webpki_verifier(verifier);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => builder
            .with_client_auth_cert(identity.chain, identity.key)
            .map_err(|error| Error::Identity(error.to_string()))?,
    };
    config.resumption = rustls::client::Resumption::disabled();
    Ok(config)
}

pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}
