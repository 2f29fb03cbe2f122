//! The configuration the program uses: checked as a whole, paths made whole, defaults filled in.

use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use directory::access::{AccessRules, Network, RuleError, RuleText};
use ldap::dn::Dn;
use pki::judge::names::ServedName;
use server::CertificateRule;
use server::tls::{TlsFloor, TlsPolicy};
use toml::de::DeValue;

use super::alerts::AlertChannels;
use super::fault::{ConfigError, Faults};
use super::outside::{self, Acme, Dns};
use super::overrides::Overrides;
use super::published::{Published, published};
use super::raw::{
    self, Access, CertificateMap, ChangeLog, Indexes, Limits, Listen, Lockout, Passwords, Raw,
    Store, Top,
};
use super::read::{ReadFile, read};
use super::value::{self, Anonymous, ClientCertificates, Level, ListenMode, LogFormat, Value};

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Config {
    /// The file it came from.
    pub(crate) file: Option<PathBuf>,
    pub(crate) data: PathBuf,
    /// At least one.
    pub(crate) suffixes: Vec<String>,
    /// The administrator's DN.
    pub(crate) administrator: String,
    pub(crate) anonymous: Anonymous,
    /// At least one; the local socket in the data folder is always among them.
    pub(crate) listeners: Vec<Listener>,
    pub(crate) tls: Tls,
    pub(crate) certificate_rules: Vec<CertificateRule>,
    pub(crate) publish: Publish,
    pub(crate) dns: Dns,
    /// None: nothing is ordered.
    pub(crate) acme: Option<Acme>,
    pub(crate) published: Published,
    pub(crate) limits: Limits,
    pub(crate) passwords: Passwords,
    pub(crate) lockout: Lockout,
    /// Of `lockout`, as networks.
    pub(crate) gateways: Vec<Network>,
    pub(crate) indexes: Indexes,
    /// Beyond the `schema` folder of the data folder.
    pub(crate) schema_files: Vec<PathBuf>,
    pub(crate) change_log: ChangeLog,
    pub(crate) store: Store,
    pub(crate) log: Log,
    pub(crate) alerts: AlertChannels,
    pub(crate) shutdown_grace: Duration,
    /// The file's rules, or the default ones.
    pub(crate) access: Vec<RuleText>,
    /// Where each rule of the file stands; empty for the default ones.
    pub(super) access_places: Vec<(usize, usize)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listener {
    pub(crate) address: Address,
    pub(crate) mode: ListenMode,
    pub(crate) tls: ListenerTls,
}

/// TLS as one listener speaks it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct ListenerTls {
    /// The CAs of the client certificates that are accepted; none: no client certificates.
    pub(crate) client_ca: Option<PathBuf>,
    /// Nobody connects without one.
    pub(crate) needs_client_certificate: bool,
    pub(crate) policy: TlsPolicy,
}

/// The settings of which it is made, wherever they stand.
pub(super) struct WrittenTls<'r> {
    pub(super) client_certificates: ClientCertificates,
    pub(super) client_ca: Option<&'r PathBuf>,
    pub(super) tls_floor: Option<value::TlsFloor>,
    pub(super) ciphers: Option<&'r Vec<String>>,
}

impl WrittenTls<'_> {
    /// Where it says nothing, `general` does. The faults: a setting, and what would be right.
    pub(super) fn resolve(
        &self,
        folder: &Path,
        general: &TlsPolicy,
        mut fault: impl FnMut(&str, String),
    ) -> ListenerTls {
        let policy = TlsPolicy {
            floor: self.tls_floor.map_or(general.floor, floor),
            suites: self.ciphers.unwrap_or(&general.suites).clone(),
        };
        if let Err(refused) = policy.check() {
            fault("ciphers", refused.to_string());
        }
        let is_wanted = self.client_certificates != ClientCertificates::Off;
        match (is_wanted, self.client_ca) {
            (true, None) => {
                let what = "write the file of the CAs that issue the certificates";
                fault("client-ca", what.to_owned());
            }
            (false, Some(_)) => {
                let what = "write \"optional\" or \"required\", or leave `client-ca` out";
                fault("client-certificates", what.to_owned());
            }
            _ => {}
        }
        let client_ca = self.client_ca.filter(|_| is_wanted).map(|path| folder.join(path));
        let needs_client_certificate =
            self.client_certificates == ClientCertificates::Required && client_ca.is_some();
        ListenerTls { client_ca, needs_client_certificate, policy }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    Internet(SocketAddr),
    Path(PathBuf),
}

/// Where certificates come from, and how TLS is spoken where a listener says nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tls {
    /// Empty: the in-house CA.
    pub(crate) sources: Vec<Source>,
    pub(crate) lifetime_days: i64,
    pub(crate) renews_itself: bool,
    pub(crate) policy: TlsPolicy,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The key may be in the same file.
    Files {
        certificate: PathBuf,
        key: Option<PathBuf>,
    },
    Folder(PathBuf),
    Pfx {
        file: PathBuf,
        password_file: Option<PathBuf>,
    },
}

/// How clients reach this server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Publish {
    /// May be empty.
    pub(crate) names: Vec<ServedName>,
    pub(crate) address: Option<IpAddr>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Log {
    pub(crate) level: Level,
    pub(crate) format: LogFormat,
    pub(crate) audit: Audit,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Audit {
    Off,
    StandardError,
    File(PathBuf),
}

/// The name of the local socket in the data folder.
const LOCAL_SOCKET: &str = "ldapi";

impl Config {
    /// Reads and checks the file, if there is one, under the overrides. All faults are listed.
    pub(crate) fn load(file: Option<&Path>, overrides: &Overrides) -> Result<Config, ConfigError> {
        let text = match file {
            Some(path) => {
                std::fs::read_to_string(path).map_err(|error| unreadable(path, &error))?
            }
            None => String::new(),
        };
        Config::from_text(&text, file, overrides)
    }

    /// The same for a text that is already read; relative paths start where `file` is.
    pub(crate) fn from_text(
        text: &str,
        file: Option<&Path>,
        overrides: &Overrides,
    ) -> Result<Config, ConfigError> {
        let mut faults = Faults::new(text);
        let read = read(text, &mut faults);
        let folder = file.and_then(Path::parent).unwrap_or(Path::new(""));
        let config = Resolver { folder, overrides, faults: &mut faults }.resolve(read, file);
        if faults.list.is_empty() {
            return Ok(config);
        }
        Err(ConfigError { file: file.map(Path::to_owned), faults: faults.list })
    }

    /// Faults found in the access rules against the schema, with their places in the file.
    pub(crate) fn access_error(&self, errors: &[RuleError]) -> ConfigError {
        let faults = errors.iter().map(|error| super::Fault {
            at: self.access_places.get(error.rule).copied(),
            key: format!("access[{}].{}", error.rule + 1, error.field),
            what: format!("{}; {}", error.what, error.right),
        });
        ConfigError { file: self.file.clone(), faults: faults.collect() }
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> ConfigError {
    let what = format!("cannot be read: {error}; name another with --config, or leave it out");
    let fault = super::Fault { at: None, key: String::new(), what };
    ConfigError { file: Some(path.to_owned()), faults: vec![fault] }
}

struct Resolver<'a, 't> {
    /// Where relative paths of the file start.
    folder: &'a Path,
    overrides: &'a Overrides,
    faults: &'a mut Faults<'t>,
}

impl Resolver<'_, '_> {
    fn resolve(mut self, read: ReadFile, file: Option<&Path>) -> Config {
        let ReadFile { raw, listen_spans, access_spans, rule_spans } = read;
        let data = self.data(&raw.top);
        let suffixes = self.suffixes(&raw.top);
        let administrator = self.administrator(&raw.top, &suffixes);
        let tls = self.tls(&raw.tls);
        let listeners = self.listeners(&raw.listen, &listen_spans, &data, &tls.policy);
        let access = access_rules(&raw.access, &suffixes, &administrator);
        self.check_rules(&raw.access, &access_spans);
        let access_places = access_spans.iter().map(|span| self.faults.place(span.start)).collect();
        let publish = self.publish(&raw.publish);
        let dns = outside::dns(&raw.dns, &publish, self.folder, self.faults);
        let acme = outside::acme(&raw.acme, &publish, &dns, self.folder, self.faults);
        Config {
            file: file.map(Path::to_owned),
            certificate_rules: certificate_rules(&raw.certificate_map),
            publish,
            dns,
            acme,
            published: published(
                &raw,
                &rule_spans,
                &listeners,
                (self.folder, &tls.policy),
                self.faults,
            ),
            schema_files: raw.schema.files.iter().map(|path| self.folder.join(path)).collect(),
            log: self.log(&raw),
            alerts: AlertChannels::resolve(&raw.alerts, self.folder, self.faults),
            data,
            suffixes,
            administrator,
            anonymous: raw.top.anonymous,
            listeners,
            tls,
            limits: raw.limits,
            passwords: raw.passwords,
            gateways: self.gateways(&raw.lockout),
            lockout: raw.lockout,
            indexes: raw.indexes,
            change_log: raw.change_log,
            store: raw.store,
            shutdown_grace: raw.shutdown.grace,
            access,
            access_places,
        }
    }

    fn data(&self, top: &Top) -> PathBuf {
        self.overrides.data.clone().unwrap_or_else(|| self.folder.join(&top.data))
    }

    fn suffixes(&mut self, top: &Top) -> Vec<String> {
        let one = self.overrides.suffix.as_ref().map(|suffix| vec![suffix.clone()]);
        let suffixes = one.unwrap_or_else(|| top.suffixes.clone());
        if suffixes.is_empty() {
            self.faults.without_place("suffixes", "write at least one");
        }
        for (index, suffix) in suffixes.iter().enumerate() {
            self.check_name("suffixes", suffix);
            let same = |other: &String| other.eq_ignore_ascii_case(suffix);
            if suffixes.iter().take(index).any(same) {
                self.faults.without_place("suffixes", format!("`{suffix}` is there twice"));
            }
        }
        suffixes
    }

    fn check_name(&mut self, key: &str, dn: &str) {
        let what = match Dn::parse(dn) {
            Ok(dn) if dn.is_empty() => "it is empty".to_owned(),
            Ok(_) => return,
            Err(error) => error.to_string(),
        };
        let right = "write one as RFC 4514 has it, such as \"dc=example,dc=com\"";
        self.faults.without_place(key, format!("`{dn}` is not a name: {what}; {right}"));
    }

    fn administrator(&mut self, top: &Top, suffixes: &[String]) -> String {
        if let Some(dn) = &top.administrator {
            self.check_name("administrator", dn);
            return dn.clone();
        }
        format!("cn=admin,{}", suffixes.first().map_or("", String::as_str))
    }

    fn listeners(
        &mut self,
        listens: &[Listen],
        spans: &[Range<usize>],
        data: &Path,
        policy: &TlsPolicy,
    ) -> Vec<Listener> {
        let mut listeners = Vec::new();
        for (index, (listen, span)) in listens.iter().zip(spans).enumerate() {
            let key = format!("listen[{}]", index + 1);
            let listener = self.listener(listen, &key, span, policy);
            if let Some(listener) = listener.filter(|_| !self.is_overridden(listen.mode)) {
                self.push(&mut listeners, listener, &key);
            }
        }
        for (mode, key, list) in [
            (ListenMode::Ldaps, "--listen", &self.overrides.listen),
            (ListenMode::StartTls, "--listen-starttls", &self.overrides.listen_starttls),
        ] {
            for text in list {
                match text.parse() {
                    Ok(address) => {
                        let listener = Listener::internet(address, mode, policy.clone());
                        self.push(&mut listeners, listener, key)
                    }
                    Err(_) => self.faults.without_place(key, not_an_address(text)),
                }
            }
        }
        if !listeners.iter().any(|listener| listener.mode != ListenMode::Ldapi) {
            listeners.push(Listener::internet(
                SocketAddr::from(([127, 0, 0, 1], 6636)),
                ListenMode::Ldaps,
                policy.clone(),
            ));
        }
        let local = Listener::local(data.join(LOCAL_SOCKET));
        if !listeners.contains(&local) {
            listeners.push(local);
        }
        listeners
    }

    fn is_overridden(&self, mode: ListenMode) -> bool {
        match mode {
            ListenMode::Ldaps => !self.overrides.listen.is_empty(),
            ListenMode::StartTls => !self.overrides.listen_starttls.is_empty(),
            ListenMode::Ldapi => false,
        }
    }

    fn push(&mut self, listeners: &mut Vec<Listener>, listener: Listener, key: &str) {
        // Port 0 is another port each time.
        let fixed = !matches!(listener.address, Address::Internet(address) if address.port() == 0);
        if fixed && listeners.iter().any(|other| other.address == listener.address) {
            self.faults.without_place(key, "another listener has the same address");
        }
        listeners.push(listener);
    }

    fn listener(
        &mut self,
        listen: &Listen,
        key: &str,
        span: &Range<usize>,
        policy: &TlsPolicy,
    ) -> Option<Listener> {
        let mut fault = |setting: &str, what: String| {
            self.faults.at(span.clone(), &format!("{key}.{setting}"), what);
        };
        if listen.mode == ListenMode::Ldapi {
            if listen.client_certificates != ClientCertificates::Off {
                let what = "a local socket has no TLS; leave it out";
                fault("client-certificates", what.to_owned());
            }
            return Some(Listener::local(self.folder.join(&listen.address)));
        }
        let Ok(address) = listen.address.parse() else {
            fault("address", not_an_address(&listen.address));
            return None;
        };
        let written = WrittenTls {
            client_certificates: listen.client_certificates,
            client_ca: listen.client_ca.as_ref(),
            tls_floor: listen.tls_floor,
            ciphers: listen.ciphers.as_ref(),
        };
        let tls = written.resolve(self.folder, policy, fault);
        Some(Listener { address: Address::Internet(address), mode: listen.mode, tls })
    }

    /// What the rest of a rule means, only the schema can tell.
    fn check_rules(&mut self, rules: &[Access], spans: &[Range<usize>]) {
        for (index, (rule, span)) in rules.iter().zip(spans).enumerate() {
            for (key, words) in [("who", &rule.who), ("may", &rule.may)] {
                if words.0.is_empty() {
                    let key = format!("access[{}].{key}", index + 1);
                    self.faults.at(span.clone(), &key, "it is missing; every rule needs it");
                }
            }
        }
    }

    fn gateways(&mut self, lockout: &Lockout) -> Vec<Network> {
        let mut networks = Vec::new();
        for text in &lockout.gateways {
            match Network::parse(text) {
                Ok(network) => networks.push(network),
                Err(what) => {
                    let right = "write an address or a network, such as 10.0.0.0/8";
                    self.faults.without_place("lockout.gateways", format!("{what}; {right}"));
                }
            }
        }
        networks
    }

    fn tls(&mut self, tls: &raw::Tls) -> Tls {
        let own = |path: &PathBuf| self.folder.join(path);
        let mut sources = Vec::new();
        if let Some(certificate) = &tls.certificate {
            let key = tls.key.as_ref().map(own);
            sources.push(Source::Files { certificate: own(certificate), key });
        }
        sources.extend(tls.folder.as_ref().map(|folder| Source::Folder(own(folder))));
        sources.extend(tls.pfx.as_ref().map(|file| Source::Pfx {
            file: own(file),
            password_file: tls.pfx_password_file.as_ref().map(own),
        }));
        if tls.key.is_some() && tls.certificate.is_none() {
            self.faults.without_place("tls.certificate", "write the certificate of the key");
        }
        if tls.pfx_password_file.is_some() && tls.pfx.is_none() {
            self.faults.without_place("tls.pfx", "write the PFX file of the password");
        }
        let policy = TlsPolicy { floor: floor(tls.floor), suites: tls.ciphers.clone() };
        self.check_policy(&policy, "tls.ciphers");
        let (lifetime_days, renews_itself) = (i64::from(tls.lifetime_days), tls.renews_itself);
        Tls { sources, lifetime_days, renews_itself, policy }
    }

    fn check_policy(&mut self, policy: &TlsPolicy, key: &str) {
        if let Err(refused) = policy.check() {
            self.faults.without_place(key, refused.to_string());
        }
    }

    fn publish(&mut self, publish: &raw::Publish) -> Publish {
        let mut names = Vec::new();
        for name in &publish.names {
            match ServedName::parse(name) {
                Ok(name) if names.contains(&name) => {
                    self.faults.without_place("publish.names", format!("`{name}` is there twice"));
                }
                Ok(name) => names.push(name),
                Err(error) => self.faults.without_place("publish.names", error.to_string()),
            }
        }
        let address = publish.address.as_ref().and_then(|text| match text.parse() {
            Ok(address) => Some(address),
            Err(_) => {
                let what = format!("`{text}` is not an IP address; write one without a port");
                self.faults.without_place("publish.address", what);
                None
            }
        });
        Publish { names, address }
    }

    fn log(&mut self, raw: &Raw) -> Log {
        let mut level = raw.log.level;
        if let Some(word) = &self.overrides.log_level {
            match Level::read(&DeValue::String(word.as_str().into())) {
                Some(given) => level = given,
                None => self.faults.without_place("CHANCERY_LOG", format!("write {}", Level::FORM)),
            }
        }
        let audit = match raw.log.audit.as_str() {
            "off" => Audit::Off,
            "stderr" => Audit::StandardError,
            path => Audit::File(self.folder.join(path)),
        };
        Log { level, format: raw.log.format, audit }
    }
}

fn not_an_address(text: &str) -> String {
    format!(
        "`{text}` is not an address; write an IP address and a port, such as 127.0.0.1:6636 or [::]:636"
    )
}

impl Listener {
    fn internet(address: SocketAddr, mode: ListenMode, policy: TlsPolicy) -> Listener {
        let tls = ListenerTls { policy, ..ListenerTls::default() };
        Listener { address: Address::Internet(address), mode, tls }
    }

    fn local(path: PathBuf) -> Listener {
        let (address, mode) = (Address::Path(path), ListenMode::Ldapi);
        Listener { address, mode, tls: ListenerTls::default() }
    }
}

fn floor(floor: value::TlsFloor) -> TlsFloor {
    match floor {
        value::TlsFloor::Tls12 => TlsFloor::Tls12,
        value::TlsFloor::Tls13 => TlsFloor::Tls13,
    }
}

/// Without rules there is the one that the file's definition has as its default.
fn certificate_rules(rules: &[CertificateMap]) -> Vec<CertificateRule> {
    if rules.is_empty() {
        let from = server::CertificatePart::Subject;
        return vec![CertificateRule { issuer: None, from, to: None }];
    }
    rules.iter().map(certificate_rule).collect()
}

fn certificate_rule(rule: &CertificateMap) -> CertificateRule {
    use server::CertificatePart as Part;
    let from = match rule.from {
        value::CertificatePart::Subject => Part::Subject,
        value::CertificatePart::CommonName => Part::CommonName,
        value::CertificatePart::Email => Part::Email,
        value::CertificatePart::Dns => Part::Dns,
        value::CertificatePart::UserPrincipal => Part::UserPrincipal,
        value::CertificatePart::Thumbprint => Part::Thumbprint,
    };
    CertificateRule { issuer: rule.issuer.clone(), from, to: rule.to.clone() }
}

fn access_rules(rules: &[Access], suffixes: &[String], administrator: &str) -> Vec<RuleText> {
    if rules.is_empty() {
        let all = suffixes.iter().flat_map(|suffix| AccessRules::defaults(suffix, administrator));
        let mut rules: Vec<RuleText> = Vec::new();
        all.for_each(|rule| {
            if !rules.contains(&rule) {
                rules.push(rule)
            }
        });
        return rules;
    }
    rules.iter().cloned().map(rule_text).collect()
}

fn rule_text(rule: Access) -> RuleText {
    RuleText {
        who: rule.who.0,
        may: rule.may.0,
        // Nothing said is everywhere, so both ways to say it are one rule.
        on: if rule.on.0 == ["everything"] { Vec::new() } else { rule.on.0 },
        filter: rule.r#where,
        attributes: rule.attributes.map(|words| words.0),
        from: rule.from.0,
    }
}
