//! The first entries: the suffix, the administrator, and a small tree to try things on.

use std::path::Path;

use anyhow::Result;
use directory::password::{GENERATED_LENGTH, generate};
use directory::{
    Change, ChangeControls, ChangeRequest, Directory, NewAttribute, Protection, Subject, Who,
};
use ldap::dn::Dn;

use super::{random, write_new};
use crate::config::Config;
use crate::failure::{failed, of_directory};

fn add(directory: &Directory, dn: &str, attributes: Vec<NewAttribute>) -> Result<()> {
    let request = ChangeRequest {
        subject: Subject { who: Who::Operator, address: None, protection: Protection::Local },
        change: Change::Add { dn: dn.to_owned(), attributes },
        controls: ChangeControls::default(),
    };
    match directory.submit_and_wait(request) {
        Ok(_) => Ok(()),
        Err(error) => Err(failed(format!("cannot create '{dn}': {}", of_directory(&error)))),
    }
}

fn attribute(name: &str, values: &[&str]) -> NewAttribute {
    NewAttribute::new(name, values.iter().copied())
}

/// One entry for each suffix, of the class that its name asks for.
pub(super) fn suffixes(config: &Config, directory: &Directory) -> Result<()> {
    for suffix in &config.suffixes {
        let name = Dn::parse(suffix).map_err(failed)?;
        let leaf = name.rdns.first().and_then(|rdn| rdn.values.first());
        let kind = leaf.map(|value| value.attribute.to_lowercase()).unwrap_or_default();
        let class = match kind.as_str() {
            "dc" => "domain",
            "o" => "organization",
            "ou" => "organizationalUnit",
            "c" => "country",
            "l" | "st" => "locality",
            "cn" => "applicationProcess",
            _ => {
                return Err(failed(format!(
                    "no entry can be made for the suffix '{suffix}'; begin it with dc, o, ou, c or l, \
                     or load one with `chancery import`"
                )));
            }
        };
        add(directory, suffix, vec![attribute("objectClass", &[class])])?;
    }
    Ok(())
}

/// The administrator with a random password, kept in a file of the data folder. A start that was
/// cut short may have left the file alone; one who deleted the entry later does not want it back.
pub(super) fn administrator(config: &Config, directory: &Directory) -> Result<()> {
    let file = config.data.join("admin.password");
    let is_begun = directory.entry_count().map_err(failed)? <= config.suffixes.len() as u64;
    if exists(directory, &config.administrator)? || (file.exists() && !is_begun) {
        return Ok(());
    }
    let password = if file.exists() { read(&file)? } else { String::new() };
    let password = if password.is_empty() { new_password(&file)? } else { password };
    add(
        directory,
        &config.administrator,
        vec![
            attribute("objectClass", &["organizationalRole", "simpleSecurityObject"]),
            attribute("description", &["may manage everything"]),
            attribute("userPassword", &[&password]),
        ],
    )
}

fn read(file: &Path) -> Result<String> {
    std::fs::read_to_string(file)
        .map_err(|error| failed(format!("cannot read {}: {error}", file.display())))
}

/// Written without a newline, so that `ldapsearch -y` can read it.
fn new_password(file: &Path) -> Result<String> {
    let password = generate(&random::<GENERATED_LENGTH>());
    // One that is empty was cut short as well.
    let _ = std::fs::remove_file(file);
    write_new(file, password.as_bytes(), false)?;
    Ok(password.to_string())
}

fn exists(directory: &Directory, dn: &str) -> Result<bool> {
    let subject = Subject { who: Who::Operator, address: None, protection: Protection::Local };
    let view = directory.view(&subject).map_err(failed)?;
    Ok(view.who_named(dn).map_err(failed)?.is_some())
}

pub(super) fn is_untried(config: &Config, directory: &Directory) -> Result<bool> {
    let Some(suffix) = config.suffixes.first() else { return Ok(false) };
    let named = |uid: &str| exists(directory, &format!("uid={uid},ou=people,{suffix}"));
    Ok(named("anna")? && !named("you")?)
}

/// A few people, groups, and a group in a group.
pub(super) fn example(config: &Config, directory: &Directory) -> Result<()> {
    let Some(suffix) = config.suffixes.first() else { return Ok(()) };
    for unit in ["people", "groups"] {
        let class = attribute("objectClass", &["organizationalUnit"]);
        add(directory, &format!("ou={unit},{suffix}"), vec![class])?;
    }
    let people = [
        ("anna", "Anna", "Lindqvist", "Engineering"),
        ("bilal", "Bilal", "Haddad", "Engineering"),
        ("chiara", "Chiara", "Moretti", "Operations"),
        ("daniel", "Daniel", "Okafor", "Operations"),
    ];
    for (uid, given, family, department) in people {
        let mut attributes = vec![
            attribute("objectClass", &["inetOrgPerson"]),
            attribute("cn", &[&format!("{given} {family}")]),
            attribute("sn", &[family]),
            attribute("givenName", &[given]),
            attribute("mail", &[&format!("{uid}@example.com")]),
            attribute("departmentNumber", &[department]),
        ];
        if uid != "anna" {
            attributes.push(attribute("manager", &[&format!("uid=anna,ou=people,{suffix}")]));
        }
        add(directory, &format!("uid={uid},ou=people,{suffix}"), attributes)?;
    }
    let groups = [
        ("engineering", vec!["uid=anna,ou=people", "uid=bilal,ou=people"]),
        ("operations", vec!["uid=chiara,ou=people", "uid=daniel,ou=people"]),
        ("everyone", vec!["cn=engineering,ou=groups", "cn=operations,ou=groups"]),
    ];
    for (name, members) in groups {
        let members: Vec<String> =
            members.into_iter().map(|member| format!("{member},{suffix}")).collect();
        let attributes =
            vec![attribute("objectClass", &["groupOfNames"]), NewAttribute::new("member", members)];
        add(directory, &format!("cn={name},ou=groups,{suffix}"), attributes)?;
    }
    Ok(())
}
