//! Which rule decides about an address, as `publish test` prints it.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};
use server::network::{Admission, Scope};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Decision {
    pub(crate) listener: String,
    pub(crate) address: SocketAddr,
    /// `allow` or `deny`.
    pub(crate) verdict: String,
    pub(crate) rule: String,
    pub(crate) priority: u16,
    /// Such connections come from a balancer, which says the address.
    pub(crate) behind: Vec<String>,
}

/// What becomes of a connection from `client`.
pub(crate) fn decision(
    scope: Scope,
    listening: SocketAddr,
    admission: &Admission,
    client: IpAddr,
) -> Decision {
    let rule = admission.rules.judge(client);
    Decision {
        listener: scope.to_string(),
        address: listening,
        verdict: rule.verdict.to_string(),
        rule: rule.name.clone(),
        priority: rule.priority,
        behind: admission.balancers.iter().map(ToString::to_string).collect(),
    }
}
