//! Listeners: the configured addresses, or sockets that systemd opened (LISTEN_FDS).

use std::path::PathBuf;

use anyhow::Result;
use listenfd::ListenFd;
use server::{Endpoint, Listen, LocalEndpoint};

use crate::config::{Address, Config, ListenMode, Listener};
use crate::failure::failed;

/// The local socket's file is for its owner only: whoever may open it and is the server's own user
/// may do everything.
const LOCAL_MODE: u32 = 0o600;

/// With socket activation, the sockets handed over serve LDAPS in place of the configured
/// addresses.
pub(super) fn listeners(config: &Config) -> Result<Vec<Listen>> {
    let mut handed = ListenFd::from_env();
    let mut listeners = Vec::new();
    for index in 0..handed.len() {
        let socket = handed.take_tcp_listener(index).map_err(|error| {
            failed(format!("socket {index} handed over by systemd is not a TCP listener: {error}"))
        })?;
        listeners.extend(socket.map(|socket| Listen::Ldaps(Endpoint::Opened(socket))));
    }
    let is_activated = !listeners.is_empty();
    for listener in &config.listeners {
        if !(is_activated && listener.mode == ListenMode::Ldaps) {
            listeners.push(listen(listener));
        }
    }
    Ok(listeners)
}

fn listen(listener: &Listener) -> Listen {
    match (&listener.address, listener.mode) {
        (Address::Internet(address), ListenMode::StartTls) => {
            Listen::StartTls(Endpoint::Address(*address))
        }
        (Address::Internet(address), _) => Listen::Ldaps(Endpoint::Address(*address)),
        (Address::Path(path), _) => {
            Listen::Local(LocalEndpoint::Path { path: PathBuf::from(path), mode: LOCAL_MODE })
        }
    }
}
