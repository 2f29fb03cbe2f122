//! `ldap.conf` and `.ldaprc` (ldap.conf(5)): what everything on libldap reads.

use super::{Plain, Setting, Store, Use, Written, is_secret, no_store, unverified};

/// What ldap.conf(5) knows beyond what is used here.
const OTHERS: &[&str] = &[
    "deref",
    "keepalive_idle",
    "keepalive_interval",
    "keepalive_probes",
    "network_timeout",
    "referrals",
    "sizelimit",
    "timelimit",
    "timeout",
    "tcp_user_timeout",
    "socket_bind_addresses",
    "tls_cert",
    "tls_key",
    "tls_cipher_suite",
    "tls_protocol_min",
    "tls_randfile",
    "tls_reqsan",
    "tls_crlcheck",
    "tls_crlfile",
    "tls_ecname",
    "tls_pin",
    "tls_peerkey_hash",
];

pub(super) fn parse(file: &str, text: &str) -> Written {
    let mut written = Written::default();
    let mut one = Use::default();
    for (line, number) in text.lines().zip(1..) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let place = format!("{file}:{number}");
        let (name, value) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let (name, value) = (name.to_owned(), value.trim().to_owned());
        if is_secret(&name) {
            continue;
        }
        if value.is_empty() {
            written.faults.push(format!("{place}: {name} has no value; right is {name} VALUE"));
            continue;
        }
        let setting = Setting { place, name, value };
        take(&mut one, setting, &mut written.faults);
    }
    if one.stores.is_empty() && !one.targets.is_empty() {
        one.findings.push(no_store(file, "TLS_CACERT"));
    }
    written.uses.push(one);
    written
}

fn take(one: &mut Use, setting: Setting, faults: &mut Vec<String>) {
    match setting.name.to_ascii_lowercase().as_str() {
        "uri" => {
            // The last line counts, as for the library.
            one.targets.clear();
            for uri in setting.value.split_whitespace() {
                // Whether StartTLS is asked for stands in the application.
                one.server(&setting, uri, Plain::Unsaid, faults);
            }
        }
        "host" | "port" => {
            let finding = setting.finding(
                "HOST and PORT are of another time, and newer libraries \
                                           pass over them",
            );
            one.findings.push(finding.warning().fix("write URI ldaps://NAME"));
        }
        "base" => one.base = Some(setting.value.clone()),
        "binddn" => one.sign_in = Some(setting.value.clone()),
        "tls_cacert" => one.stores.push(Store::File(setting.clone())),
        "tls_cacertdir" => one.stores.push(Store::Folder(setting.clone())),
        "tls_reqcert" if setting.is("never") || setting.is("allow") => {
            one.findings.push(unverified(&setting, "write TLS_REQCERT demand"));
        }
        "tls_reqcert" if ["try", "demand", "hard"].iter().any(|word| setting.is(word)) => {}
        "tls_reqcert" => faults.push(format!(
            "{}: TLS_REQCERT {}: right is never, allow, try, demand or hard",
            setting.place, setting.value
        )),
        name if OTHERS.contains(&name)
            || name.starts_with("sasl_")
            || name.starts_with("gssapi_") =>
        {
            return;
        }
        _ => {
            let cause = format!("{} is no setting of ldap.conf, and is passed over", setting.name);
            one.findings.push(setting.finding(cause).warning().fix("see man ldap.conf"));
            return;
        }
    }
    one.used.push(setting);
}
