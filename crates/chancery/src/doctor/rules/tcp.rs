//! Ports that do not open.

use super::{Finding, Layer};
use crate::doctor::facts::{Facts, Node, Tcp};

pub(super) fn finding(facts: &Facts, node: &Node) -> Option<Finding> {
    let port = facts.port;
    let one = |code, cause: String| Finding::new(code, Layer::Tcp, cause);
    let found = match &node.tcp {
        Tcp::Open { .. } => return None,
        Tcp::Refused => one("TCP-REFUSED", format!("nothing listens on port {port}"))
            .seen("the machine answered, and refused the connection")
            .fix("start the directory, or let it listen for LDAPS: nothing does on this port")
            .fix(format!("see what listens there: ss -ltn 'sport = :{port}'"))
            .fix("if it does listen there, a firewall rejects: allow this client in its rules"),
        Tcp::Reset => one("TCP-REFUSED", format!("port {port} resets connections"))
            .seen("a reset came instead of an answer")
            .fix("a firewall on the way or at the server rejects it: allow this client there"),
        Tcp::TimedOut { ms } => {
            one("TCP-FILTERED", format!("no answer from port {port}: filtered, or no machine"))
                .seen(format!("{ms} ms without any answer; a closed port would have refused"))
                .fix(format!("allow TCP {port} from this client, in all firewalls between"))
        }
        Tcp::Unreachable { error } => {
            one("TCP-UNREACHABLE", "there is no way to the address".to_owned())
                .seen(error.clone())
                .fix("see the route, or an IPv6 address that this network does not carry")
                .fix(format!("a firewall may say so too: allow TCP {port} from this client"))
        }
    };
    Some(beside(found, node))
}

/// Other ports of the same address tell a machine that is away from one that is up.
fn beside(found: Finding, node: &Node) -> Finding {
    let open = node.siblings.iter().filter(|one| matches!(one.tcp, Tcp::Open { .. }));
    let open: Vec<String> = open.map(|one| one.port.to_string()).collect();
    if open.is_empty() {
        return found;
    }
    let found = found.seen(format!("the machine is up: port {} is open there", open.join(", ")));
    match (&node.tcp, node.clear().and_then(|clear| clear.root.as_ref())) {
        (Tcp::Refused, Some(root)) if root.is_active_directory() => found
            .seen("the directory runs without LDAPS; a domain controller listens on 636 even so"),
        (Tcp::Refused, Some(_)) => {
            found.seen("the directory runs: LDAPS is not switched on in its configuration")
        }
        _ => found,
    }
}
