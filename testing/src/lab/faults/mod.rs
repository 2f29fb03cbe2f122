//! The tables, from the ground up.

use super::Fault;

mod certificates;
mod directories;
mod domain;
mod handshakes;
mod healthy;
mod names;
mod network;
mod nss;

pub use directories::password;
pub use healthy::healthy;

/// Every fault of the lab.
pub fn all() -> Vec<Fault> {
    let mut all = Vec::new();
    all.extend(certificates::faults());
    all.extend(network::faults());
    all.extend(names::faults());
    all.extend(handshakes::faults());
    all.extend(directories::faults());
    all.extend(nss::faults());
    all.extend(domain::faults());
    all
}
