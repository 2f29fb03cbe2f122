//! Listeners: the configured addresses, or sockets that systemd opened (LISTEN_FDS).

use std::path::PathBuf;

use anyhow::Result;
use listenfd::ListenFd;
use server::{Endpoint, Listen, LocalEndpoint};

use crate::certificates::ListenersTls;
use crate::config::{Address, Config, ListenMode};
use crate::failure::failed;

/// The local socket's file is for its owner only: whoever may open it and is the server's own user
/// may do everything.
const LOCAL_MODE: u32 = 0o600;

/// The listeners that open at once, and those that wait for a certificate. With socket activation,
/// the sockets handed over serve LDAPS in place of the configured addresses.
pub(super) fn listeners(
    config: &Config,
    tls: &ListenersTls,
    is_ready: bool,
) -> Result<(Vec<Listen>, Vec<Listen>)> {
    let mut handed = ListenFd::from_env();
    let mut secure = Vec::new();
    for index in 0..handed.len() {
        let socket = handed.take_tcp_listener(index).map_err(|error| {
            failed(format!("socket {index} handed over by systemd is not a TCP listener: {error}"))
        })?;
        let endpoint = socket.map(Endpoint::Opened);
        let first = config.listeners.iter().find(|one| one.mode == ListenMode::Ldaps);
        let tls = first.map_or_else(|| tls.general(), |first| tls.of(first))?;
        secure.extend(endpoint.map(|endpoint| Listen::Ldaps(endpoint, tls)));
    }
    let is_activated = !secure.is_empty();
    let mut local = Vec::new();
    for listener in &config.listeners {
        match (&listener.address, listener.mode) {
            (Address::Internet(_), ListenMode::Ldaps) if is_activated => {}
            (Address::Internet(address), mode) => {
                let (endpoint, tls) = (Endpoint::Address(*address), tls.of(listener)?);
                secure.push(match mode {
                    ListenMode::StartTls => Listen::StartTls(endpoint, tls),
                    _ => Listen::Ldaps(endpoint, tls),
                });
            }
            (Address::Path(path), _) => {
                let endpoint = LocalEndpoint::Path { path: PathBuf::from(path), mode: LOCAL_MODE };
                local.push(Listen::Local(endpoint));
            }
        }
    }
    if !is_ready {
        return Ok((local, secure));
    }
    secure.extend(local);
    Ok((secure, Vec::new()))
}
