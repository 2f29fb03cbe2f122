//! Java properties: JNDI's own, and Spring's.

use std::collections::BTreeMap;

use super::{Plain, Setting, Store, Use, Written, is_secret, unverified};

const OURS: &[&str] = &["java.naming.", "javax.net.ssl.", "com.sun.jndi.ldap.", "spring.ldap."];

pub(super) fn parse(file: &str, text: &str) -> Written {
    let mut settings: BTreeMap<String, Setting> = BTreeMap::new();
    let mut written = Written::default();
    for (number, line) in logical(text) {
        let (name, value) = split(&line);
        let is_ours = OURS.iter().any(|start| name.starts_with(start));
        if is_secret(&name) || !is_ours {
            continue;
        }
        let place = format!("{file}:{number}");
        settings.insert(name.clone(), Setting { place, name, value });
    }
    let mut one = Use::default();
    servers(&settings, &mut one, &mut written.faults);
    let named = |name: &str| settings.get(name).filter(|one| !one.value.is_empty());
    let first = |names: &[&str]| names.iter().find_map(|name| named(name));
    if let Some(base) = first(&["spring.ldap.base"]) {
        one.base = Some(base.value.clone());
    }
    let who = first(&["java.naming.security.principal", "spring.ldap.username"]);
    one.sign_in = who.map(|setting| setting.value.clone());
    one.stores.extend(named("javax.net.ssl.trustStore").cloned().map(Store::File));
    one.findings.extend(doubts(&settings));
    let is_used = |setting: &&Setting| !setting.name.starts_with("java.naming.factory.");
    one.used = settings.values().filter(is_used).cloned().collect();
    written.uses.push(one);
    written
}

fn servers(settings: &BTreeMap<String, Setting>, one: &mut Use, faults: &mut Vec<String>) {
    let protocol = settings.get("java.naming.security.protocol");
    let plain = match protocol.is_some_and(|protocol| protocol.is("ssl")) {
        true => Plain::Tls,
        false => Plain::Clear,
    };
    for name in ["java.naming.provider.url", "spring.ldap.urls"] {
        let Some(setting) = settings.get(name) else { continue };
        let uris = setting.value.split([' ', ',']).filter(|uri| !uri.is_empty());
        // A base may follow, and commas in it: what is no address belongs to the one before.
        let mut whole: Vec<String> = Vec::new();
        for part in uris {
            match whole.last_mut() {
                Some(last) if !part.contains("://") => *last = format!("{last},{part}"),
                _ => whole.push(part.to_owned()),
            }
        }
        for uri in whole {
            let (_, rest) = uri.split_once("://").unwrap_or_default();
            if let Some((_, base)) = rest.split_once('/')
                && !base.is_empty()
            {
                one.base.get_or_insert_with(|| base.replace("%20", " "));
            }
            one.server(setting, &uri, plain, faults);
        }
    }
}

/// What leads into trouble although every line can be read.
fn doubts(settings: &BTreeMap<String, Setting>) -> Vec<super::Finding> {
    let named = |name: &str| settings.get(name);
    let mut found = Vec::new();
    let unnamed = "com.sun.jndi.ldap.object.disableEndpointIdentification";
    if let Some(setting) = named(unnamed).filter(|one| one.is("true") || one.value.is_empty()) {
        found.push(unverified(setting, "take the line out: names are compared without it"));
    }
    if let Some(setting) = named("java.naming.ldap.factory.socket") {
        let cause = "a class of the application decides which certificates are believed";
        let fix = "see what it does, or take the line out and name the CA in a trust store";
        found.push(setting.finding(cause).warning().likely().fix(fix));
    }
    let is_pooled = |one: &&Setting| one.is("true");
    let pool = named("com.sun.jndi.ldap.connect.pool").filter(is_pooled);
    let protocol = named("com.sun.jndi.ldap.connect.pool.protocol");
    let has_tls = protocol.is_some_and(|one| one.value.contains("ssl"));
    if let (Some(setting), false) = (pool, has_tls) {
        let cause = "only connections without TLS are pooled: each sign-in makes a new one";
        let fix = "set com.sun.jndi.ldap.connect.pool.protocol to \"plain ssl\", for the whole JVM";
        found.push(setting.finding(cause).warning().fix(fix));
    }
    found
}

/// Lines with their number, those that end with a backslash joined with the next.
fn logical(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut goes_on = false;
    for (line, number) in text.lines().zip(1..) {
        let line = line.trim_start();
        if !goes_on && (line.is_empty() || line.starts_with(['#', '!'])) {
            continue;
        }
        let slashes = line.chars().rev().take_while(|one| *one == '\\').count();
        let more = slashes % 2 == 1;
        let part = if more { line.strip_suffix('\\').unwrap_or(line) } else { line };
        match lines.last_mut() {
            Some((_, last)) if goes_on => last.push_str(part),
            _ => lines.push((number, part.to_owned())),
        }
        goes_on = more;
    }
    lines
}

/// Name and value, by the first `=`, `:` or blank that is not escaped.
fn split(line: &str) -> (String, String) {
    let mut is_escaped = false;
    let end = line.char_indices().find(|(_, one)| {
        let ends = !is_escaped && (matches!(one, '=' | ':') || one.is_whitespace());
        is_escaped = *one == '\\' && !is_escaped;
        ends
    });
    let (name, rest) = line.split_at(end.map_or(line.len(), |(at, _)| at));
    let rest = rest.trim_start();
    let rest = rest.strip_prefix(['=', ':']).unwrap_or(rest).trim();
    (unescaped(name), unescaped(rest))
}

fn unescaped(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text.chars();
    while let Some(one) = rest.next() {
        if one != '\\' {
            out.push(one);
            continue;
        }
        match rest.next() {
            Some('u') => {
                let digits: String = rest.by_ref().take(4).collect();
                let code = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32);
                out.push(code.unwrap_or('\u{fffd}'));
            }
            Some('t') => out.push('\t'),
            Some('n') => out.push('\n'),
            Some(other) => out.push(other),
            None => {}
        }
    }
    out
}
