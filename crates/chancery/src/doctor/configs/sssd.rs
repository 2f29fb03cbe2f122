//! `sssd.conf`: one use for each domain (sssd-ldap(5)).

use std::collections::BTreeMap;

use super::{Plain, Setting, Store, Use, Written, is_secret, no_store, unverified};

pub(super) fn parse(file: &str, text: &str) -> Written {
    let mut written = Written::default();
    let mut domain: Option<String> = None;
    let mut settings: BTreeMap<String, Setting> = BTreeMap::new();
    for (line, number) in text.lines().zip(1..) {
        let line = line.trim();
        let place = format!("{file}:{number}");
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(section) = line.strip_prefix('[') {
            finish(file, domain.take(), &mut settings, &mut written);
            match section.strip_suffix(']') {
                Some(name) => domain = name.strip_prefix("domain/").map(str::to_owned),
                None => written.faults.push(format!("{place}: a section has no ] at its end")),
            }
            continue;
        }
        let Some((name, value)) = line.split_once('=') else {
            written.faults.push(format!("{place}: no setting; right is NAME = VALUE"));
            continue;
        };
        let (name, value) = (name.trim().to_owned(), value.trim().to_owned());
        if domain.is_some() && !is_secret(&name) {
            settings.insert(name.clone(), Setting { place, name, value });
        }
    }
    finish(file, domain, &mut settings, &mut written);
    written
}

fn finish(
    file: &str,
    domain: Option<String>,
    settings: &mut BTreeMap<String, Setting>,
    written: &mut Written,
) {
    let settings = std::mem::take(settings);
    let Some(domain) = domain else { return };
    let named = |name: &str| settings.get(name).filter(|one| !one.value.is_empty());
    let mut one = Use::default();
    let starts = named("ldap_id_use_start_tls");
    let plain = match starts.is_some_and(|one| one.is("true")) {
        true => Plain::StartTls,
        false => Plain::Lookups,
    };
    for setting in ["ldap_uri", "ldap_backup_uri"].into_iter().filter_map(named) {
        for uri in setting.value.split(',').map(str::trim).filter(|uri| !uri.is_empty()) {
            if uri == "_srv_" {
                let cause = "servers are found by DNS, and not looked at here";
                let fix = format!("look at all of them: chancery doctor --fleet {domain}");
                one.findings.push(setting.finding(cause).warning().fix(fix));
            } else {
                one.server(setting, uri, plain, &mut written.faults);
            }
        }
    }
    let is_of_ad = named("ldap_schema").is_some_and(|schema| schema.is("ad"));
    let kind = if is_of_ad { "user" } else { "posixAccount" };
    one.filter = Some(format!("(objectClass={kind})"));
    one.base = named("ldap_search_base").map(|base| {
        // BASE?SCOPE?FILTER, and more of them.
        base.value.split('?').next().unwrap_or_default().to_owned()
    });
    one.sign_in = named("ldap_default_bind_dn").map(|name| name.value.clone());
    one.is_anonymous = one.sign_in.is_none();
    one.stores.extend(named("ldap_tls_cacert").cloned().map(Store::File));
    one.stores.extend(named("ldap_tls_cacertdir").cloned().map(Store::Folder));
    doubts(&settings, &mut one, &mut written.faults);
    if one.stores.is_empty() && !one.targets.is_empty() {
        one.findings.push(no_store(&format!("[domain/{domain}] of {file}"), "ldap_tls_cacert"));
    }
    let used = [
        "ldap_uri",
        "ldap_backup_uri",
        "ldap_search_base",
        "ldap_schema",
        "ldap_tls_cacert",
        "ldap_tls_cacertdir",
        "ldap_tls_reqcert",
        "ldap_id_use_start_tls",
        "ldap_default_bind_dn",
    ];
    one.used.extend(used.into_iter().filter_map(named).cloned());
    written.uses.push(one);
}

/// What is dangerous although it can be read.
fn doubts(settings: &BTreeMap<String, Setting>, one: &mut Use, faults: &mut Vec<String>) {
    if let Some(setting) = settings.get("ldap_tls_reqcert") {
        match setting.value.to_ascii_lowercase().as_str() {
            "never" | "allow" => {
                one.findings.push(unverified(setting, "write ldap_tls_reqcert = demand"));
            }
            "try" | "demand" | "hard" => {}
            _ => faults.push(format!(
                "{}: ldap_tls_reqcert = {}: right is never, allow, try, demand or hard",
                setting.place, setting.value
            )),
        }
    }
    if let Some(setting) = settings.get("ldap_auth_disable_tls_never_use_in_production")
        && setting.is("true")
    {
        let cause = "the passwords of all who sign in go in the clear";
        one.findings.push(setting.finding(cause).fix("take the line out"));
    }
}
