//! `chancery ldap`: look around any directory over verified TLS.

mod look;
mod text;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use client::{Connector, Error, Identity, Limits, Secret, Session, Target, Trust};
use rustls::CertificateError::{NotValidForName, NotValidForNameContext, UnknownIssuer};

use super::doctor::{address, authorities};
use crate::arguments::{Common, Ldap, Peer};
use crate::failure::{DONE, FAILED, FINDINGS, Failure, USAGE, failed, usage};

pub(crate) fn run(common: &Common, command: &Ldap) -> Result<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match command {
            Ldap::Search(search) => look::search(common, search).await,
            Ldap::Tree(tree) => look::tree(tree).await,
            Ldap::Rootdse { peer } => look::root_dse(common, peer).await,
            Ldap::Compare { peer, dn, attribute, value } => {
                let session = signed_in(peer).await?;
                let compared = session.compare(dn, attribute, value.as_bytes()).await;
                let is_so = compared.map_err(told)?;
                println!("{is_so}");
                Ok(if is_so { DONE } else { FINDINGS })
            }
            Ldap::Whoami { peer } => {
                let who = signed_in(peer).await?.who_am_i().await.map_err(told)?;
                println!("{}", if who.is_empty() { "anonymous".into() } else { text::safe(&who) });
                Ok(DONE)
            }
            Ldap::Bind { peer } => {
                let session = connected(peer).await?;
                if !sign_in(&session, peer).await? {
                    session.bind_anonymous().await.map_err(told)?;
                }
                println!("the sign-in works");
                Ok(DONE)
            }
        }
    })
}

/// A session as whoever the options name.
async fn signed_in(peer: &Peer) -> Result<Session> {
    let session = connected(peer).await?;
    sign_in(&session, peer).await?;
    Ok(session)
}

/// One attempt; false where nobody is named.
async fn sign_in(session: &Session, peer: &Peer) -> Result<bool> {
    if let Some(name) = &peer.bind_as {
        let password = peer.password.require(&format!("password of {}", text::safe(name)))?;
        session.bind(name, &Secret::new(password.as_bytes())).await.map_err(told)?;
    } else if peer.client_cert.is_some() {
        session.bind_external().await.map_err(told)?;
    } else if peer.password.password_file.is_some() || peer.password.password_fd.is_some() {
        return Err(usage("a password without a name: give --as DN"));
    } else {
        return Ok(false);
    }
    Ok(true)
}

async fn connected(peer: &Peer) -> Result<Session> {
    let target = Target::parse(&peer.target).map_err(usage)?;
    let address = peer.address.as_ref().map(|text| address(text, target.port)).transpose()?;
    let trust = match &peer.ca {
        Some(path) => Trust::given(authorities(path)?),
        None => Trust::system(),
    };
    let step = Duration::from_secs(peer.timeout);
    let limits = Limits { dial: step, handshake: step, operation: step, ..Limits::default() };
    let connector = Connector::new(&trust.map_err(told)?, identity(peer)?).map_err(told)?;
    let connector = connector.limited(limits);
    let session = match address {
        Some(address) => connector.connect_to(&target, address).await,
        None => connector.connect(&target).await,
    };
    session.map_err(told)
}

fn identity(peer: &Peer) -> Result<Option<Identity>> {
    let (Some(certificate), Some(key)) = (&peer.client_cert, &peer.client_key) else {
        return Ok(None);
    };
    let named =
        |path: &Path, why: &dyn std::fmt::Display| failed(format!("{}: {why}", path.display()));
    let metadata = fs::metadata(key).map_err(|why| named(key, &why))?;
    if metadata.is_file() && metadata.mode() & 0o077 != 0 {
        let mode = metadata.mode() & 0o7777;
        let path = key.display();
        return Err(failed(format!(
            "{path} holds a key and others can read it (mode {mode:04o}); run: chmod 600 {path}"
        )));
    }
    let chain =
        pki::pem::certificates(&read(certificate)?).map_err(|why| named(certificate, &why))?;
    let secret = zeroize::Zeroizing::new(read(key)?);
    let key = pki::pem::private_key(&secret).map_err(|why| named(key, &why))?;
    Ok(Some(Identity { chain, key }))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|why| failed(format!("cannot read {}: {why}", path.display())))
}

/// The client's error with a next step, and the exit code: 1 where the server said no.
#[allow(clippy::needless_pass_by_value, reason = "made for map_err")]
fn told(error: Error) -> anyhow::Error {
    let mut message = text::safe(&error.to_string());
    let code = match &error {
        Error::Refused { answer, .. } => {
            if let Some(known) = client::subcode::Subcode::of(&answer.message) {
                message = format!("{message} ({}; {})", known.means, known.fix);
            }
            FINDINGS
        }
        Error::Filter { .. } | Error::EmptyPassword => USAGE,
        _ => FAILED,
    };
    if let Error::Handshake { why, name, .. } = &error {
        let inner = why.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        message += match inner {
            Some(rustls::Error::InvalidCertificate(UnknownIssuer)) => {
                "; give the CA that issued the certificate: --ca FILE"
            }
            Some(rustls::Error::InvalidCertificate(
                NotValidForName | NotValidForNameContext { .. },
            )) => "; give a name that the certificate covers as TARGET, and --address to reach it",
            _ => "",
        };
        message += &format!("; nothing was sent; see why: chancery doctor {name}");
    }
    Failure { code, message }.into()
}
