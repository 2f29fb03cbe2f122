//! Entries printed as they come: `search`, `tree`, `rootdse`.

use anyhow::Result;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use client::{Entry, Found, Query, Session};
use ldap::ldif;
use ldap::message::Scope;
use serde_json::{Map, Value, json};

use super::{signed_in, text, told};
use crate::arguments::{Common, Peer, Search, Tree};
use crate::failure::DONE;

pub(super) async fn search(common: &Common, search: &Search) -> Result<u8> {
    let scope = match search.scope.as_str() {
        "base" => Scope::Base,
        "one" => Scope::OneLevel,
        _ => Scope::Subtree,
    };
    let mut query = Query::new(&search.base, scope, &search.filter).map_err(told)?;
    query.attributes.clone_from(&search.attributes);
    query.page = (search.page > 0).then_some(search.page);
    let session = signed_in(&search.peer).await?;
    let mut entries = session.search(query).await.map_err(told)?;
    let mut count = 0;
    while let Some(found) = entries.next().await.map_err(told)? {
        match found {
            Found::Entry(_) if search.limit == Some(count) => {
                eprintln!("chancery: stopped after --limit {count}; there is more");
                return Ok(DONE);
            }
            Found::Entry(entry) => {
                count += 1;
                print_entry(common.json, &entry);
            }
            Found::Reference(uris) if common.json => println!("{}", json!({ "reference": uris })),
            Found::Reference(uris) => {
                for uri in uris {
                    println!("# reference: {}\n", text::safe(&uri));
                }
            }
        }
    }
    Ok(DONE)
}

fn print_entry(is_json: bool, entry: &Entry) {
    if is_json {
        println!("{}", as_json(entry));
        return;
    }
    let mut out = Vec::new();
    ldif::write_dn(&mut out, &entry.dn);
    for attribute in &entry.attributes {
        for value in &attribute.values {
            ldif::write_attribute(&mut out, &text::safe(&attribute.description), value);
        }
    }
    println!("{}", String::from_utf8_lossy(&out));
}

/// Values that are no text as `{"base64": …}`.
fn as_json(entry: &Entry) -> Value {
    let value = |bytes: &Vec<u8>| match std::str::from_utf8(bytes) {
        Ok(text) => json!(text),
        Err(_) => json!({ "base64": STANDARD.encode(bytes) }),
    };
    let attributes = entry
        .attributes
        .iter()
        .map(|one| (one.description.clone(), Value::Array(one.values.iter().map(value).collect())));
    json!({ "dn": entry.dn, "attributes": attributes.collect::<Map<_, _>>() })
}

pub(super) async fn root_dse(common: &Common, peer: &Peer) -> Result<u8> {
    let mut entry = signed_in(peer).await?.root_dse().await.map_err(told)?;
    entry.attributes.sort_by_key(|one| one.description.to_ascii_lowercase());
    if common.json {
        println!("{}", as_json(&entry));
        return Ok(DONE);
    }
    for attribute in &entry.attributes {
        println!("{}", text::safe(&attribute.description));
        for value in &attribute.values {
            let value = String::from_utf8_lossy(value);
            match text::name_of(&value) {
                Some(name) => println!("  {value}  {name}"),
                None => println!("  {}", text::safe(&value)),
            }
        }
    }
    Ok(DONE)
}

/// One level per search, depth first.
pub(super) async fn tree(tree: &Tree) -> Result<u8> {
    let session = signed_in(&tree.peer).await?;
    let mut waiting: Vec<(String, usize)> = match &tree.base {
        Some(base) => vec![(base.clone(), 0)],
        None => {
            let root = session.root_dse().await.map_err(told)?;
            let contexts = root.values("namingContexts").iter().rev();
            contexts.map(|name| (String::from_utf8_lossy(name).into_owned(), 0)).collect()
        }
    };
    let (mut count, mut is_whole) = (0, true);
    while let Some((dn, depth)) = waiting.pop() {
        if count == tree.limit {
            eprintln!("chancery: stopped after --limit {count}; there is more");
            break;
        }
        count += 1;
        let name = if depth == 0 { &dn } else { first_rdn(&dn) };
        println!("{:1$}{2}", "", depth * 2, text::safe(name));
        if depth == tree.depth {
            continue;
        }
        // One more than is printed, so that it is said that there is more.
        match children(&session, &dn, tree.limit - count + 1).await {
            Ok(below) => waiting.extend(below.into_iter().rev().map(|dn| (dn, depth + 1))),
            // What one may not see below one entry says nothing about the others.
            Err(error @ client::Error::Refused { .. }) if depth > 0 => {
                let (dn, why) = (text::safe(&dn), text::safe(&error.to_string()));
                eprintln!("chancery: below {dn}: {why}");
                is_whole = false;
            }
            Err(error) => return Err(told(error)),
        }
    }
    if !is_whole {
        eprintln!("chancery: the tree is not whole; sign in as somebody who may see all of it");
    }
    Ok(DONE)
}

async fn children(session: &Session, dn: &str, most: usize) -> Result<Vec<String>, client::Error> {
    let query = Query::new(dn, Scope::OneLevel, "(objectClass=*)")?;
    let mut entries = session.search(query.attributes(&["1.1"]).paged(500)).await?;
    let mut below = Vec::new();
    while let Some(found) = entries.next().await? {
        if below.len() == most {
            break;
        }
        if let Found::Entry(entry) = found {
            below.push(entry.dn);
        }
    }
    Ok(below)
}

/// Up to the first comma that is not escaped.
fn first_rdn(dn: &str) -> &str {
    let mut is_escaped = false;
    let end = dn.find(|one| {
        let is_end = one == ',' && !is_escaped;
        is_escaped = one == '\\' && !is_escaped;
        is_end
    });
    end.and_then(|end| dn.get(..end)).unwrap_or(dn)
}
