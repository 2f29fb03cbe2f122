//! Apache: `mod_ldap` and `mod_authnz_ldap`. One use for each `AuthLDAPURL`; what holds for the
//! whole server holds for all of them.

use super::{Plain, Setting, Store, Use, Written, is_secret, no_store, unverified};

/// A block, such as `<Location>`, with what stands in it.
#[derive(Default)]
struct Block {
    url: Option<Setting>,
    sign_in: Option<Setting>,
}

#[derive(Default)]
struct Server {
    mode: Option<Setting>,
    verify: Option<Setting>,
    stores: Vec<Setting>,
}

pub(super) fn parse(file: &str, text: &str) -> Written {
    let mut written = Written::default();
    let mut server = Server::default();
    let (mut open, mut done) = (vec![Block::default()], Vec::new());
    for (number, line) in logical(text) {
        let place = format!("{file}:{number}");
        if line.starts_with("</") {
            done.extend(if open.len() > 1 { open.pop() } else { None });
            continue;
        }
        if line.starts_with('<') {
            open.push(Block::default());
            continue;
        }
        let (name, value) = line.split_once(char::is_whitespace).unwrap_or((&line, ""));
        if is_secret(name) {
            continue;
        }
        let (name, value) = (name.to_owned(), value.trim().to_owned());
        let setting = Setting { place, name, value };
        let Some(block) = open.last_mut() else { continue };
        match setting.name.to_ascii_lowercase().as_str() {
            "authldapurl" => block.url = Some(setting),
            "authldapbinddn" => block.sign_in = Some(setting),
            "ldaptrustedmode" => server.mode = Some(setting),
            "ldapverifyservercert" => server.verify = Some(setting),
            "ldaptrustedglobalcert" => server.stores.push(setting),
            _ => {}
        }
    }
    done.extend(open.into_iter().rev());
    let uses =
        done.into_iter().filter_map(|block| finish(file, &block, &server, &mut written.faults));
    let uses: Vec<Use> = uses.collect();
    written.uses = uses;
    written
}

/// Lines with their number, those that end with a backslash joined with the next.
fn logical(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut goes_on = false;
    for (line, number) in text.lines().zip(1..) {
        let (part, more) = match line.trim().strip_suffix('\\') {
            Some(part) => (part, true),
            None => (line.trim(), false),
        };
        match lines.last_mut() {
            Some((_, last)) if goes_on => last.push_str(part),
            _ => lines.push((number, part.to_owned())),
        }
        goes_on = more;
    }
    lines.retain(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    lines
}

fn finish(file: &str, block: &Block, server: &Server, faults: &mut Vec<String>) -> Option<Use> {
    let url = block.url.clone()?;
    let mut one = Use::default();
    let (inner, mode) = quoted(&url.value);
    let mode = match (mode.is_empty(), &server.mode) {
        (false, _) => mode.to_owned(),
        (true, Some(setting)) => setting.value.clone(),
        (true, None) => "none".to_owned(),
    };
    let plain = match mode.to_ascii_lowercase().as_str() {
        "none" => Plain::Clear,
        "ssl" => Plain::Tls,
        "tls" | "starttls" => Plain::StartTls,
        _ => {
            faults.push(format!("{}: mode {mode}: right is NONE, SSL, TLS or STARTTLS", url.place));
            return None;
        }
    };
    let parts = split(inner);
    let Some(parts) = parts else {
        let right = "ldaps://HOST/BASE?ATTRIBUTE?SCOPE?FILTER";
        faults.push(format!("{}: AuthLDAPURL is no such address: right is {right}", url.place));
        return None;
    };
    for host in &parts.hosts {
        one.server(&url, &format!("{}://{host}", parts.scheme), plain, faults);
    }
    one.base = Some(parts.base).filter(|base| !base.is_empty());
    one.filter = Some(parts.filter);
    if !["", "sub", "one", "base"].contains(&parts.scope.as_str()) {
        faults.push(format!("{}: scope {}: right is sub or one", url.place, parts.scope));
    }
    let unquoted = |text: &str| quoted(text).0.to_owned();
    one.sign_in = block.sign_in.as_ref().map(|setting| unquoted(&setting.value));
    one.is_anonymous = one.sign_in.is_none();
    for setting in &server.stores {
        let (kind, rest) = setting.value.split_once(char::is_whitespace).unwrap_or_default();
        if kind.eq_ignore_ascii_case("CA_BASE64") || kind.eq_ignore_ascii_case("CA_DER") {
            let value = unquoted(rest.trim());
            one.stores.push(Store::File(Setting { value, ..setting.clone() }));
        }
    }
    if let Some(setting) = server.verify.as_ref().filter(|setting| setting.is("off")) {
        one.findings.push(unverified(setting, "write LDAPVerifyServerCert On"));
    }
    if one.stores.is_empty() {
        one.findings.push(no_store(file, "LDAPTrustedGlobalCert CA_BASE64"));
    }
    one.used.push(url);
    let rest = [&block.sign_in, &server.mode, &server.verify];
    one.used.extend(rest.into_iter().flatten().cloned());
    one.used.extend(server.stores.iter().cloned());
    Some(one)
}

/// What stands in quotes, or the first word, and what follows.
fn quoted(text: &str) -> (&str, &str) {
    let text = text.trim();
    let (inner, rest) = match text.strip_prefix('"') {
        Some(rest) => rest.split_once('"').unwrap_or((rest, "")),
        None => text.split_once(char::is_whitespace).unwrap_or((text, "")),
    };
    (inner, rest.trim())
}

/// RFC 2255, with several hosts.
struct Parts {
    scheme: String,
    hosts: Vec<String>,
    base: String,
    scope: String,
    filter: String,
}

fn split(url: &str) -> Option<Parts> {
    let (scheme, rest) = url.split_once("://")?;
    let (hosts, rest) = rest.split_once('/').unwrap_or((rest, ""));
    let mut parts = rest.splitn(4, '?');
    let mut next = || parts.next().unwrap_or_default().to_owned();
    let (base, attribute, scope, filter) = (next(), next(), next(), next());
    let attribute = attribute.split(',').next().unwrap_or_default();
    let attribute = if attribute.is_empty() { "uid" } else { attribute };
    // Whom it finds in all: the filter, and whoever has the attribute.
    let filter = match filter.as_str() {
        "" | "none" => format!("({attribute}=*)"),
        plain if plain.starts_with('(') => format!("(&{plain}({attribute}=*))"),
        bare => format!("(&({bare})({attribute}=*))"),
    };
    let hosts: Vec<String> = hosts.split_whitespace().map(str::to_owned).collect();
    let is_known = ["ldap", "ldaps"].iter().any(|one| scheme.eq_ignore_ascii_case(one));
    let scope = scope.to_ascii_lowercase();
    (is_known && !hosts.is_empty()).then(|| Parts {
        scheme: scheme.to_owned(),
        hosts,
        base: percent_decoded(&base),
        scope,
        filter,
    })
}

fn percent_decoded(text: &str) -> String {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let hex = after.get(..2).filter(|_| *first == b'%');
        let hex = hex.and_then(|two| std::str::from_utf8(two).ok());
        match hex.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                out.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
