//! What a server is started with.

use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::Arc;

use ldap::message::DecodeLimits;

use crate::certificate_map::CertificateRules;
use crate::door::Door;
use crate::limits::Limits;
use crate::network::Gate;
use crate::steward::Steward;
use crate::tls::ListenerTls;

/// The binary makes this from `chancery.toml`; every default is the safe one.
#[derive(Debug, Default)]
pub struct ServerSettings {
    pub listeners: Vec<Listen>,
    /// Threads that serve connections; 0 is one for each core.
    pub workers: usize,
    pub anonymous: Anonymous,
    /// Threads that hash and verify passwords; 0 is one for each core.
    pub password_threads: usize,
    /// Whether people may change their own password (RFC 3062) without giving the old one.
    pub own_password_without_old: bool,
    /// How client certificates become entries.
    pub certificate_rules: CertificateRules,
    /// The program around the server; without it, what it would do is refused.
    pub steward: Option<Arc<dyn Steward>>,
    /// Counts wrong passwords by where they come from.
    pub door: Arc<Door>,
    pub limits: Limits,
    pub decode: DecodeLimits,
}

/// What somebody who has not bound may do at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Anonymous {
    Nothing,
    /// Read the root DSE and the schema.
    #[default]
    RootDse,
    /// What the access rules say.
    Search,
}

/// One place to listen on.
#[derive(Debug)]
pub enum Listen {
    /// TLS from the first byte.
    Ldaps(Endpoint, ListenerTls),
    /// The same behind a gate that asks first who may come in.
    Published(Endpoint, Arc<Gate>, ListenerTls),
    /// Plain until the client asks for TLS; no secret is accepted before that.
    StartTls(Endpoint, ListenerTls),
    /// A socket in the file system (`ldapi://`), which knows its peer's user.
    Local(LocalEndpoint),
}

#[derive(Debug)]
pub enum Endpoint {
    /// Port 0 lets the system choose; `Server::addresses` tells which.
    Address(SocketAddr),
    /// Opened by somebody else, as in socket activation.
    Opened(TcpListener),
}

#[derive(Debug)]
pub enum LocalEndpoint {
    /// Created with this mode; a stale socket file is replaced.
    Path {
        path: PathBuf,
        mode: u32,
    },
    Opened(UnixListener),
}

/// How a listener treats its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Ldaps,
    StartTls,
    Local,
}

/// Where a running server really listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listening {
    pub mode: Mode,
    pub address: ListeningAddress,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListeningAddress {
    Internet(SocketAddr),
    Path(PathBuf),
}
