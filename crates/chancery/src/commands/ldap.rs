//! `chancery ldap`: looking around any directory with the client of ours.

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::Result;
use client::subcode::Subcode;
use client::{Connector, Entry, Error, Found, Query, Secret, Session, Target, Trust};
use ldap::ldif;
use ldap::message::Scope;
use pki::pem;
use serde_json::{Map, Value, json};

use super::doctor;
use crate::arguments::{Common, LdapCommand, LdapCompare, LdapPlace, LdapScope, LdapSearch};
use crate::failure::{DONE, FINDINGS, failed, usage};

pub(crate) fn run(common: &Common, command: &LdapCommand) -> Result<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match command {
            LdapCommand::Search(search) => searched(common, search).await,
            LdapCommand::Compare(compare) => compared(compare).await,
            LdapCommand::Whoami(place) => who_am_i(place).await,
            LdapCommand::Rootdse(place) => root_dse(common, place).await,
            LdapCommand::Bind(place) => bound(place).await,
        }
    })
}

/// What a person does next. A "no" of the server is a finding, not a failure of this program.
fn ended(error: &Error) -> Result<u8> {
    match error {
        Error::Refused { answer, .. } => {
            eprintln!("chancery: {}", harmless(&error.to_string()));
            if let Some(known) = Subcode::of(&answer.message) {
                eprintln!("  Active Directory means: {}; {}", known.means, known.fix);
            }
            Ok(FINDINGS)
        }
        Error::Filter { .. } | Error::EmptyPassword => Err(usage(error)),
        Error::Handshake { name, .. } => Err(failed(format!(
            "{error}\n  nothing was sent; see why: chancery doctor ldaps://{name}"
        ))),
        other => Err(failed(harmless(&other.to_string()))),
    }
}

macro_rules! answered {
    ($asked:expr) => {
        match $asked {
            Ok(answer) => answer,
            Err(error) => return ended(&error),
        }
    };
}

async fn session(place: &LdapPlace) -> Result<Result<Session, Error>> {
    let target = Target::parse(&place.target).map_err(usage)?;
    let trust = match &place.ca {
        None => Trust::system().map_err(failed)?,
        Some(file) => given(file)?,
    };
    let address = place.address.as_deref();
    let address = address.map(|text| doctor::address(text, target.port)).transpose()?;
    // Asked for before the connection: a server does not wait for people.
    let sign_in = match &place.sign_in {
        None => None,
        Some(name) => {
            let password = place.password.require(&format!("password of {name}"))?;
            Some((name.as_str(), Secret::new(password.as_bytes())))
        }
    };
    Ok(connected(&target, &trust, address, sign_in).await)
}

async fn connected(
    target: &Target,
    trust: &Trust,
    address: Option<SocketAddr>,
    sign_in: Option<(&str, Secret)>,
) -> Result<Session, Error> {
    let connector = Connector::new(trust, None)?;
    let session = match address {
        None => connector.connect(target).await?,
        Some(address) => connector.connect_to(target, address).await?,
    };
    if let Some((name, password)) = sign_in {
        session.bind(name, &password).await?;
    }
    Ok(session)
}

fn given(file: &Path) -> Result<Trust> {
    let wrong = |error: &dyn std::fmt::Display| usage(format!("{}: {error}", file.display()));
    let text = std::fs::read(file).map_err(|error| wrong(&error))?;
    let certificates = pem::certificates(&text).map_err(|error| wrong(&error))?;
    Trust::given(certificates).map_err(|error| wrong(&error))
}

async fn searched(common: &Common, search: &LdapSearch) -> Result<u8> {
    let scope = match search.scope {
        LdapScope::Base => Scope::Base,
        LdapScope::One => Scope::OneLevel,
        LdapScope::Sub => Scope::Subtree,
    };
    let attributes: Vec<&str> = search.attributes.iter().map(String::as_str).collect();
    let query = answered!(Query::new(&search.base, scope, &search.filter));
    let query = query.attributes(&attributes);
    let query = if search.page == 0 { query } else { query.paged(search.page) };
    let session = answered!(session(&search.place).await?);
    let mut entries = answered!(session.search(query).await);
    let mut count = 0;
    while let Some(found) = answered!(entries.next().await) {
        match found {
            Found::Reference(uris) => {
                eprintln!("chancery: not followed: {}", harmless(&uris.join(" ")));
            }
            Found::Entry(_) if search.limit != 0 && count == search.limit => {
                eprintln!("chancery: there is more: --limit {}", search.limit);
                break;
            }
            Found::Entry(entry) => {
                count += 1;
                print(common, &entry)?;
            }
        }
    }
    Ok(DONE)
}

/// LDIF holds everything that is no plain text in base64, so a terminal is safe from it.
fn print(common: &Common, entry: &Entry) -> Result<()> {
    if common.json {
        println!("{}", object(entry));
        return Ok(());
    }
    let mut out = Vec::new();
    ldif::write_dn(&mut out, &entry.dn);
    for attribute in &entry.attributes {
        for value in &attribute.values {
            ldif::write_attribute(&mut out, &attribute.description, value);
        }
    }
    out.push(b'\n');
    let written = std::io::stdout().write_all(&out);
    written.map_err(|error| failed(format!("cannot write: {error}")))
}

/// Values that are no text are given in base64, under the name with `;base64`.
fn object(entry: &Entry) -> Value {
    use base64::Engine;
    let encode = |value: &[u8]| base64::engine::general_purpose::STANDARD.encode(value);
    let mut attributes = Map::new();
    for one in &entry.attributes {
        let texts = one.values.iter().map(|value| std::str::from_utf8(value));
        let (name, values) = match texts.collect::<Result<Vec<_>, _>>() {
            Ok(texts) => (one.description.clone(), json!(texts)),
            Err(_) => {
                let all: Vec<String> = one.values.iter().map(|value| encode(value)).collect();
                (format!("{};base64", one.description), json!(all))
            }
        };
        attributes.insert(name, values);
    }
    json!({ "dn": entry.dn, "attributes": attributes })
}

async fn compared(compare: &LdapCompare) -> Result<u8> {
    let session = answered!(session(&compare.place).await?);
    let (dn, attribute, value) = (&compare.dn, &compare.attribute, compare.value.as_bytes());
    let is_so = answered!(session.compare(dn, attribute, value).await);
    println!("{is_so}");
    Ok(if is_so { DONE } else { FINDINGS })
}

async fn who_am_i(place: &LdapPlace) -> Result<u8> {
    let session = answered!(session(place).await?);
    let who = answered!(session.who_am_i().await);
    println!("{}", if who.is_empty() { "nobody".to_owned() } else { harmless(&who) });
    Ok(DONE)
}

async fn root_dse(common: &Common, place: &LdapPlace) -> Result<u8> {
    let session = answered!(session(place).await?);
    let mut entry = answered!(session.root_dse().await);
    entry.attributes.sort_by(|one, other| one.description.cmp(&other.description));
    print(common, &entry)?;
    Ok(DONE)
}

async fn bound(place: &LdapPlace) -> Result<u8> {
    let session = answered!(session(place).await?);
    let peer = session.peer();
    let who = place.sign_in.as_deref().unwrap_or("nobody");
    println!("{} at {} takes {who}", peer.name, peer.address);
    Ok(DONE)
}

/// Without control characters: servers may say anything.
fn harmless(text: &str) -> String {
    let plain = |one: char| if one.is_control() && one != '\n' { '\u{fffd}' } else { one };
    text.chars().map(plain).collect()
}
