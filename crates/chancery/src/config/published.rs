//! The published listeners and their network rules: read into the types that the server judges by.

use std::net::SocketAddr;
use std::ops::Range;
use std::path::Path;

use server::network::{Prefix, Rule, RuleTable, Scope, Verdict};
use server::tls::TlsPolicy;

use super::fault::Faults;
use super::raw::{PublishRule, Raw};
use super::resolved::{Address, Listener, ListenerTls, WrittenTls};
use super::value::{RuleListener, RuleVerdict, Words};

/// The two listeners as the file wants them.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Published {
    /// Sessions that changed rules let in no longer end.
    pub(crate) cut: bool,
    pub(crate) internal: PublishedListener,
    pub(crate) external: PublishedListener,
    pub(crate) rules: RuleTable,
}

#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct PublishedListener {
    pub(crate) enabled: bool,
    /// There where it is enabled. The port is never 0.
    pub(crate) address: Option<SocketAddr>,
    pub(crate) balancers: Vec<Prefix>,
    pub(crate) accepts_everyone: bool,
    pub(crate) tls: ListenerTls,
}

impl Published {
    pub(crate) fn of(&self, scope: Scope) -> &PublishedListener {
        match scope {
            Scope::Internal => &self.internal,
            Scope::External => &self.external,
        }
    }
}

pub(super) fn published(
    raw: &Raw,
    rule_spans: &[Range<usize>],
    listeners: &[Listener],
    (folder, policy): (&Path, &TlsPolicy),
    faults: &mut Faults<'_>,
) -> Published {
    let (internal, external) = (&raw.publish_internal, &raw.publish_external);
    let mut tls = |scope: Scope, written: WrittenTls<'_>| {
        written.resolve(folder, policy, |setting, what| {
            faults.without_place(&format!("publish.{scope}.{setting}"), what);
        })
    };
    let tls = (
        tls(
            Scope::Internal,
            WrittenTls {
                client_certificates: internal.client_certificates,
                client_ca: internal.client_ca.as_ref(),
                tls_floor: internal.tls_floor,
                ciphers: internal.ciphers.as_ref(),
            },
        ),
        tls(
            Scope::External,
            WrittenTls {
                client_certificates: external.client_certificates,
                client_ca: external.client_ca.as_ref(),
                tls_floor: external.tls_floor,
                ciphers: external.ciphers.as_ref(),
            },
        ),
    );
    let own = Published {
        cut: raw.publish.cut,
        internal: PublishedListener {
            enabled: internal.enabled,
            address: address(internal.address.as_deref(), Scope::Internal, faults),
            balancers: balancers(&internal.proxy_from, Scope::Internal, faults),
            accepts_everyone: internal.accept_open_to_everyone,
            tls: tls.0,
        },
        external: PublishedListener {
            enabled: external.enabled,
            address: address(external.address.as_deref(), Scope::External, faults),
            balancers: balancers(&external.proxy_from, Scope::External, faults),
            accepts_everyone: external.accept_open_to_everyone,
            tls: tls.1,
        },
        rules: rules(&raw.publish_rules, rule_spans, faults),
    };
    for (scope, written) in
        [(Scope::Internal, &internal.address), (Scope::External, &external.address)]
    {
        if own.of(scope).enabled && written.is_none() {
            let what = "write where it listens, an IP address with a port";
            faults.without_place(&format!("publish.{scope}.address"), what);
        }
        let taken = |address| listeners.iter().any(|one| one.address == Address::Internet(address));
        if own.of(scope).address.is_some_and(taken) {
            let what = "a `[[listen]]` has the same address; without any there is one on \
                 127.0.0.1:6636";
            faults.without_place(&format!("publish.{scope}.address"), what);
        }
    }
    if own.internal.address.is_some() && own.internal.address == own.external.address {
        let what = "the internal listener has the same address; give one of them another";
        faults.without_place("publish.external.address", what);
    }
    own
}

fn address(text: Option<&str>, scope: Scope, faults: &mut Faults<'_>) -> Option<SocketAddr> {
    let text = text?;
    let address = text.parse().ok().filter(|address: &SocketAddr| address.port() != 0);
    if address.is_none() {
        let what = format!(
            "`{text}` is not an address that clients can know; write an IP address and a port, \
             such as 10.0.0.5:636 or [::]:636"
        );
        faults.without_place(&format!("publish.{scope}.address"), what);
    }
    address
}

fn balancers(words: &Words, scope: Scope, faults: &mut Faults<'_>) -> Vec<Prefix> {
    let key = format!("publish.{scope}.proxy-from");
    let mut networks = Vec::new();
    for word in &words.0 {
        match word.parse::<Prefix>() {
            Ok(network) if network.length() == 0 => {
                let what = format!(
                    "`{word}` is everybody, and whoever may send a PROXY header may claim any \
                     address; write the balancers' own addresses"
                );
                faults.without_place(&key, what);
            }
            Ok(network) => networks.push(network),
            Err(fault) => faults.without_place(&key, fault.to_string()),
        }
    }
    networks
}

fn rules(raw: &[PublishRule], spans: &[Range<usize>], faults: &mut Faults<'_>) -> RuleTable {
    let before = faults.list.len();
    let mut rules = Vec::new();
    for (index, (rule, span)) in raw.iter().zip(spans).enumerate() {
        let key = format!("publish.rule[{}]", index + 1);
        rules.extend(rule_of(rule, &key, span, faults));
    }
    // Rules that are not there would be missed below.
    if faults.list.len() > before {
        return RuleTable::default();
    }
    RuleTable::check(rules).unwrap_or_else(|found| {
        for fault in found {
            let span = spans.get(fault.rule).cloned().unwrap_or_default();
            let key = format!("publish.rule[{}].{}", fault.rule + 1, fault.field);
            faults.at(span, &key, fault.what);
        }
        RuleTable::default()
    })
}

fn rule_of(
    raw: &PublishRule,
    key: &str,
    span: &Range<usize>,
    faults: &mut Faults<'_>,
) -> Option<Rule> {
    let mut fault = |field: &str, what: String| {
        faults.at(span.clone(), &format!("{key}.{field}"), what);
    };
    let is_there = [
        ("name", raw.name.is_some()),
        ("priority", raw.priority.is_some()),
        ("source", raw.source.is_some()),
        ("verdict", raw.verdict.is_some()),
    ];
    for (field, _) in is_there.iter().filter(|(_, is_there)| !is_there) {
        fault(field, "it is missing; every rule needs it".to_owned());
    }
    let mut sources = Vec::new();
    for word in raw.source.iter().flat_map(|words| &words.0) {
        match word.parse() {
            Ok(source) => sources.push(source),
            Err(wrong) => fault("source", format!("{wrong}")),
        }
    }
    Some(Rule {
        name: raw.name.clone()?,
        priority: u16::try_from(raw.priority?).ok()?,
        sources: raw.source.as_ref().map(|_| sources)?,
        port: raw.port.and_then(|port| u16::try_from(port).ok()),
        scope: raw.listener.map(|listener| match listener {
            RuleListener::Internal => Scope::Internal,
            RuleListener::External => Scope::External,
        }),
        verdict: match raw.verdict? {
            RuleVerdict::Allow => Verdict::Allow,
            RuleVerdict::Deny => Verdict::Deny,
        },
    })
}
