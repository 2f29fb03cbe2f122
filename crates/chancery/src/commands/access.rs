//! `chancery access`: which rule decides, and the rules themselves.

use std::net::IpAddr;

use anyhow::Result;
use directory::{Protection, Subject, Who};
use serde_json::json;

use crate::arguments::{Access, Common};
use crate::failure::{DONE, failed, of_directory, usage};
use crate::opening;

pub(crate) fn run(common: &Common, access: &Access) -> Result<u8> {
    match access {
        Access::Explain { who, dn, attribute, from } => {
            explain(common, who, dn, attribute.as_deref(), *from)
        }
        Access::Rules => rules(common),
    }
}

fn explain(
    common: &Common,
    who: &str,
    dn: &str,
    attribute: Option<&str>,
    from: Option<IpAddr>,
) -> Result<u8> {
    let config = opening::load(common, &common.overrides())?;
    let directory = opening::reading(&config)?;
    let operator = Subject { who: Who::Operator, address: None, protection: Protection::Local };
    let who = match who {
        "anonymous" => Who::Anonymous,
        name => {
            let view = directory.view(&operator).map_err(failed)?;
            view.who_named(name).map_err(failed)?.ok_or_else(|| {
                usage(format!(
                    "there is no entry '{name}'; WHO is `anonymous` or the name of an entry"
                ))
            })?
        }
    };
    let subject = Subject { who, address: from, protection: Protection::Tls };
    let view = directory.view(&subject).map_err(failed)?;
    let explanation =
        view.explain_access(dn, attribute).map_err(|error| failed(of_directory(&error)))?;
    if common.json {
        println!("{}", json!({ "decision": explanation.to_string() }));
    } else {
        println!("{explanation}");
    }
    Ok(DONE)
}

fn rules(common: &Common) -> Result<u8> {
    let config = opening::load(common, &common.overrides())?;
    for (index, rule) in config.access.iter().enumerate() {
        println!("{:>3}  {rule}", index + 1);
    }
    Ok(DONE)
}
