//! What is published, as a value: two listeners, the rules in front of them, the names they are
//! reached by. Comes from the configuration and the switches, goes into `publish.json`.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use pki::judge::names::ServedName;
use serde::{Deserialize, Serialize};
use server::network::{Admission, Prefix, Rule, RuleTable, Scope, Verdict};
use server::tls::TlsFloor;

use crate::config::{Config, ListenerTls};

/// Both listeners, in the order in which they are shown.
pub(crate) const SCOPES: [Scope; 2] = [Scope::Internal, Scope::External];

/// What is served, or what is wanted. Nothing open has neither rules nor names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Publication {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) internal: Option<Door>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) external: Option<Door>,
    pub(crate) cut: bool,
    pub(crate) names: Vec<String>,
    /// By priority.
    pub(crate) rules: Vec<WrittenRule>,
}

/// One open listener.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Door {
    pub(crate) address: SocketAddr,
    pub(crate) proxy_from: Vec<String>,
    pub(crate) accept_open_to_everyone: bool,
    /// TLS, where it is not what there is without any setting.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) tls: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct WrittenRule {
    pub(crate) name: String,
    pub(crate) priority: u16,
    pub(crate) source: Vec<String>,
    /// `allow` or `deny`.
    pub(crate) verdict: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) port: Option<u16>,
    /// `internal` or `external`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) listener: Option<String>,
}

/// What commands have switched, by listener.
pub(crate) type Switches = BTreeMap<String, Switch>;

/// Holds for as long as the file says what it said then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Switch {
    pub(crate) on: bool,
    /// `enabled` in the file when it was switched.
    pub(crate) file: bool,
}

impl Publication {
    /// What the file and the switches want.
    pub(crate) fn wanted(config: &Config, switches: &Switches) -> Result<Publication, String> {
        let (internal, external) = (
            wanted_door(config, switches, Scope::Internal)?,
            wanted_door(config, switches, Scope::External)?,
        );
        if internal.is_none() && external.is_none() {
            // Whether closing ends sessions is still said.
            return Ok(Publication { cut: config.published.cut, ..Publication::default() });
        }
        let published = &config.published;
        Ok(Publication {
            internal,
            external,
            cut: published.cut,
            names: config.publish.names.iter().map(ToString::to_string).collect(),
            rules: published.rules.rules().iter().map(WrittenRule::from).collect(),
        })
    }

    /// Both listeners as if they were switched on, where they have an address.
    pub(crate) fn drafted(config: &Config) -> Publication {
        let published = &config.published;
        Publication {
            internal: door(config, Scope::Internal),
            external: door(config, Scope::External),
            cut: published.cut,
            names: config.publish.names.iter().map(ToString::to_string).collect(),
            rules: published.rules.rules().iter().map(WrittenRule::from).collect(),
        }
    }

    pub(crate) fn door(&self, scope: Scope) -> Option<&Door> {
        match scope {
            Scope::Internal => self.internal.as_ref(),
            Scope::External => self.external.as_ref(),
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.internal.is_some() || self.external.is_some()
    }

    pub(crate) fn served_names(&self) -> Vec<ServedName> {
        self.names.iter().filter_map(|name| ServedName::parse(name).ok()).collect()
    }

    /// The rules as the server judges by them. They were checked before they were written.
    pub(crate) fn table(&self) -> Result<RuleTable, String> {
        let rules: Result<Vec<Rule>, String> = self.rules.iter().map(WrittenRule::rule).collect();
        RuleTable::check(rules?).map_err(|faults| {
            let said = faults.iter().map(|fault| format!("{}: {}", fault.field, fault.what));
            said.collect::<Vec<_>>().join("; ")
        })
    }

    /// Where a listener is to be and whom it is to let in.
    pub(crate) fn admission(
        &self,
        scope: Scope,
    ) -> Result<Option<(SocketAddr, Admission)>, String> {
        let Some(door) = self.door(scope) else { return Ok(None) };
        let balancers: Result<Vec<Prefix>, String> =
            door.proxy_from.iter().map(|text| text.parse().map_err(|e| format!("{e}"))).collect();
        let rules = self.table()?.of(scope, door.address.port());
        Ok(Some((door.address, Admission { rules, balancers: balancers? })))
    }
}

/// Whether a listener is to be open.
pub(crate) fn is_on(config: &Config, switches: &Switches, scope: Scope) -> bool {
    let file = config.published.of(scope).enabled;
    switches.get(&scope.to_string()).filter(|own| own.file == file).map_or(file, |own| own.on)
}

fn wanted_door(config: &Config, switches: &Switches, scope: Scope) -> Result<Option<Door>, String> {
    if !is_on(config, switches, scope) {
        return Ok(None);
    }
    door(config, scope).map(Some).ok_or_else(|| {
        format!("the {scope} listener has no address: write `address` in [publish.{scope}]")
    })
}

fn door(config: &Config, scope: Scope) -> Option<Door> {
    let own = config.published.of(scope);
    Some(Door {
        address: own.address?,
        proxy_from: own.balancers.iter().map(ToString::to_string).collect(),
        accept_open_to_everyone: own.accepts_everyone,
        tls: spoken(&own.tls),
    })
}

/// In words, so that a plan can show them: they come in force from the file.
fn spoken(tls: &ListenerTls) -> Vec<String> {
    let mut words = Vec::new();
    if tls.policy.floor == TlsFloor::Tls13 {
        words.push("TLS 1.3 only".to_owned());
    }
    if !tls.policy.suites.is_empty() {
        words.push(format!("ciphers {}", tls.policy.suites.join(" ")));
    }
    if let Some(ca) = &tls.client_ca {
        let mode = if tls.needs_client_certificate { "required" } else { "optional" };
        words.push(format!("client certificates of {} {mode}", ca.display()));
    }
    words
}

impl From<&Rule> for WrittenRule {
    fn from(rule: &Rule) -> WrittenRule {
        WrittenRule {
            name: rule.name.clone(),
            priority: rule.priority,
            source: rule.sources.iter().map(ToString::to_string).collect(),
            verdict: rule.verdict.to_string(),
            port: rule.port,
            listener: rule.scope.map(|scope| scope.to_string()),
        }
    }
}

impl WrittenRule {
    fn rule(&self) -> Result<Rule, String> {
        let sources: Result<Vec<Prefix>, String> =
            self.source.iter().map(|text| text.parse().map_err(|e| format!("{e}"))).collect();
        let unknown = |word: &str| format!("rule {}: `{word}` is no word of rules", self.name);
        Ok(Rule {
            name: self.name.clone(),
            priority: self.priority,
            sources: sources?,
            port: self.port,
            scope: match self.listener.as_deref() {
                None => None,
                Some("internal") => Some(Scope::Internal),
                Some("external") => Some(Scope::External),
                Some(other) => return Err(unknown(other)),
            },
            verdict: match self.verdict.as_str() {
                "allow" => Verdict::Allow,
                "deny" => Verdict::Deny,
                other => return Err(unknown(other)),
            },
        })
    }

    /// `allow 192.0.2.0/24 on port 636 of the external listener`.
    pub(crate) fn sentence(&self) -> String {
        let mut text = format!("{} {}", self.verdict, self.source.join(", "));
        if let Some(port) = self.port {
            text += &format!(" on port {port}");
        }
        if let Some(listener) = &self.listener {
            text += &format!(" of the {listener} listener");
        }
        text
    }
}
