//! LDAPS sessions in front of a directory.
//!
//! The path of a request, each step in the file of its name:
//!
//! ```text
//!   listener ──▶ worker (one thread, one runtime, connections never leave it)
//!   limits           │
//!                    ▼
//!               connection ◀──────────── events ◀──┬── the directory's writer (durable or refused)
//!        read buffer │  ▲ output buffer            └── password_pool (verified, hashed)
//!              frame │  │ one write for all that is ready
//!                    ▼  │
//!                 session ── who asks, what is in flight, one match on the operation
//!                    │
//!     controls ──▶ operations/{bind,search,compare,add,modify,modify_dn,delete,abandon,extended}
//!                    │                          │
//!          View::search, step, compare    Directory::submit
//!                    │                          │
//!                    ▼                          ▼
//!          entries straight into the      in_flight until the event comes
//!          output buffer
//!                    └──────────▶ respond (result codes) ──▶ audit (one event)
//! ```
//!
//! Back-pressure: nothing is read while `operations_in_flight` are being worked on or
//! `output_bytes` wait for the client; a search rests while the output is full, holding no
//! snapshot.

mod audit;
mod certificate_map;
mod connection;
mod controls;
mod door;
mod in_flight;
mod limits;
mod listener;
pub mod monitor;
pub mod network;
mod operations;
mod output;
mod password_pool;
mod post;
mod respond;
mod root_dse;
mod service;
mod session;
mod settings;
mod start;
mod steward;
#[cfg(test)]
mod testing;
pub mod tls;
mod worker;

pub use certificate_map::{CertificatePart, CertificateRule, CertificateRules};
pub use door::{Door, DoorPolicy, KnownSource};
pub use limits::Limits;
pub use listener::StartError;
pub use service::Service;
pub use settings::{
    Anonymous, Endpoint, Listen, Listening, ListeningAddress, LocalEndpoint, Mode, ServerSettings,
};
pub use start::{Gauge, Listeners, OpenListener, Server, Statistics};
pub use steward::Steward;
