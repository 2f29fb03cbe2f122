//! Certificate templates: what the in-house CA issues to whom, as text that people review.
//!
//! - [`patterns`]: the names a template allows. [`lint`]: mistakes that hand over a domain.
//! - [`Template::grant`]: a request against its template; everything wrong with it at once.

pub mod lint;
pub mod patterns;

use std::ops::Range;

use serde::{Deserialize, Serialize};
use time::Duration;

use crate::authority::{KeyUsage, Wish};
use crate::certificate::AlternativeName;
use crate::request::{KeyKind, SigningRequest};
use patterns::NamePattern;

/// The file of templates.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Templates {
    /// The list of revoked certificates.
    pub crl: CrlSettings,
    pub template: Vec<Template>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct CrlSettings {
    /// Where clients can have it; goes into every certificate.
    pub urls: Vec<String>,
    /// How long one list is good. It is made anew at half of that.
    pub days: u16,
}

impl Default for CrlSettings {
    fn default() -> CrlSettings {
        CrlSettings { urls: Vec::new(), days: 14 }
    }
}

/// Where the subject of a certificate comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SubjectFrom {
    /// The name of the requester's entry.
    #[default]
    Entry,
    /// The first of the names, as a common name.
    FirstName,
    /// Whatever the request says.
    Request,
}

/// Kinds of keys as templates name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AllowedKey {
    P256,
    P384,
    P521,
    Ed25519,
    Rsa,
}

/// One template.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Template {
    pub name: String,
    /// Extended key usages: `serverAuth`, `clientAuth`, … or an OID.
    #[serde(default)]
    pub purposes: Vec<String>,
    #[serde(default = "digital_signature")]
    pub key_usage: Vec<KeyUsage>,
    #[serde(default = "usual_keys")]
    pub keys: Vec<AllowedKey>,
    #[serde(default = "rsa_bits_min")]
    pub rsa_bits_min: usize,
    #[serde(default)]
    pub subject: SubjectFrom,
    /// Patterns of the names that may be asked for.
    #[serde(default)]
    pub names: Vec<NamePattern>,
    /// Who may enrol over LDAPS, in the words of access rules. The operator always may.
    #[serde(default)]
    pub enrol: Vec<String>,
    /// Only the operator issues; whoever is named in `enrol` is told so.
    #[serde(default)]
    pub approval: bool,
    /// Certificates for one requester in 24 hours.
    #[serde(default = "per_day")]
    pub per_day: u16,
    pub lifetime_days: u16,
    #[serde(default)]
    pub renew_before_days: Option<u16>,
    /// Here only so that it can be refused.
    #[serde(default)]
    pub ca: bool,
}

fn digital_signature() -> Vec<KeyUsage> {
    vec![KeyUsage::DigitalSignature]
}

fn usual_keys() -> Vec<AllowedKey> {
    vec![AllowedKey::P256, AllowedKey::P384, AllowedKey::Rsa]
}

fn rsa_bits_min() -> usize {
    2048
}

fn per_day() -> u16 {
    10
}

/// Templates in one file.
pub const TEMPLATES_MAX: usize = 100;

/// What is wrong with the text of templates.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct TemplateFault {
    pub line: usize,
    pub what: String,
}

impl Templates {
    pub fn parse(text: &str) -> Result<Templates, TemplateFault> {
        let templates: Templates = toml::from_str(text).map_err(|error| TemplateFault {
            line: line(text, error.span()),
            what: error.message().to_owned(),
        })?;
        let fault = |what: String| Err(TemplateFault { line: 1, what });
        if templates.template.len() > TEMPLATES_MAX {
            return fault(format!("more than {TEMPLATES_MAX} templates"));
        }
        for template in &templates.template {
            if let Some(what) = template.fault() {
                let quoted = format!("\"{}\"", template.name);
                let at = text.find(&quoted).map(|at| at..at);
                return Err(TemplateFault { line: line(text, at), what });
            }
        }
        if templates.crl.days == 0 || templates.crl.days > 365 {
            return fault("crl.days: from 1 to 365".to_owned());
        }
        if let Some(url) = templates.crl.urls.iter().find(|url| !is_url(url)) {
            return fault(format!(
                "crl.urls: {url:?} is no URL that begins with http:// or ldap://"
            ));
        }
        Ok(templates)
    }

    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Template> {
        self.template.iter().find(|template| template.name == name)
    }
}

fn is_url(url: &str) -> bool {
    let begins = ["http://", "https://", "ldap://", "ldaps://"];
    url.is_ascii() && !url.contains(' ') && begins.iter().any(|begin| url.starts_with(begin))
}

fn line(text: &str, span: Option<Range<usize>>) -> usize {
    let before = span.and_then(|span| text.get(..span.start)).unwrap_or_default();
    before.matches('\n').count() + 1
}

/// Why a request is not granted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotGranted {
    #[error("the key is {found}; the template allows {allowed}")]
    Key { found: KeyKind, allowed: String },
    #[error("the name {name} is not among those the template allows: {allowed}")]
    Name { name: String, allowed: String },
    #[error("the request has no name; put at least one into its subjectAltName")]
    NoName,
    #[error("the purpose {purpose} is not one of the template's: {allowed}")]
    Purpose { purpose: String, allowed: String },
    #[error("the key usage {usage} is not one of the template's: {allowed}")]
    Usage { usage: String, allowed: String },
    #[error("the request asks for a CA certificate, which no template gives")]
    Authority,
    #[error("the request asks for the extension {oid}, which no template gives; leave it out")]
    Extension { oid: String },
    #[error("the certificate is for the holder of an entry, and you signed in as none")]
    NoEntry,
    #[error("the request's subject is empty, and the template takes the subject from it")]
    NoSubject,
    #[error("the subject cannot be written into a certificate: {0}")]
    Subject(String),
}

/// Who asks, as far as names go.
pub struct Requester<'r> {
    /// The RDNs of the entry's name, leaf first, as DER of a certificate's subject.
    pub entry: Option<Vec<u8>>,
    /// Whether this attribute of the entry has this value.
    pub has: &'r dyn Fn(&str, &str) -> bool,
    /// The operator said that names need not be those of the template.
    pub any_name: bool,
}

impl Template {
    /// Faults of one template that its text shows.
    fn fault(&self) -> Option<String> {
        let name = &self.name;
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
            return Some(format!(
                "the template name {name:?}: letters, digits, - and _ are allowed, at most 64"
            ));
        }
        if self.lifetime_days == 0 {
            return Some(format!("{name}: lifetime-days must be at least 1"));
        }
        if self.per_day == 0 {
            return Some(format!(
                "{name}: per-day must be at least 1; enrol = [] lets nobody enrol"
            ));
        }
        if self.keys.is_empty() {
            return Some(format!("{name}: keys is empty; right is keys = [\"p256\", \"rsa\"]"));
        }
        let bad = self.purposes.iter().find(|purpose| !is_purpose(purpose))?;
        Some(format!(
            "{name}: {bad:?} is no purpose; right is serverAuth, clientAuth, or an OID such as \
             1.3.6.1.5.5.7.3.17"
        ))
    }

    #[must_use]
    pub fn lifetime(&self) -> Duration {
        Duration::days(self.lifetime_days.into())
    }

    /// How long before the end a certificate of it is renewed: a third of its life where nothing
    /// is said.
    #[must_use]
    pub fn renew_before(&self) -> Duration {
        match self.renew_before_days {
            Some(days) => Duration::days(days.into()),
            None => self.lifetime() / 3,
        }
    }

    /// What a certificate for this request says; or everything that is wrong with the request.
    /// Nothing that was asked for is left out silently.
    pub fn grant(
        &self,
        request: &SigningRequest,
        requester: &Requester<'_>,
        crl_urls: &[String],
    ) -> Result<Wish, Vec<NotGranted>> {
        let mut refused = Vec::new();
        if !self.allows_key(request.key) {
            refused.push(NotGranted::Key { found: request.key, allowed: self.allowed_keys() });
        }
        self.judge_extensions(request, &mut refused);
        let names = self.asked_names(request);
        for name in names.iter().filter(|name| !self.allows_name(name, requester)) {
            let allowed = listed(&self.names);
            refused.push(NotGranted::Name { name: name.to_string(), allowed });
        }
        if names.is_empty() && self.needs_name() {
            refused.push(NotGranted::NoName);
        }
        let subject = self.subject(request, &names, requester);
        match subject {
            Ok(subject) if refused.is_empty() => Ok(Wish {
                subject,
                names,
                purposes: self.purposes.clone(),
                key_usages: self.usages_for(request.key),
                lifetime: self.lifetime(),
                crl_urls: crl_urls.to_vec(),
            }),
            Ok(_) => Err(refused),
            Err(NotGranted::NoName) if refused.contains(&NotGranted::NoName) => Err(refused),
            Err(fault) => {
                refused.push(fault);
                Err(refused)
            }
        }
    }

    /// RSA keys are asked to decipher by old clients (TLS 1.2 without forward secrecy), and keys of
    /// curves cannot.
    fn usages_for(&self, key: KeyKind) -> Vec<KeyUsage> {
        let is_rsa = matches!(key, KeyKind::Rsa { .. });
        let fits = |usage: &&KeyUsage| is_rsa || **usage != KeyUsage::KeyEncipherment;
        self.key_usage.iter().filter(fits).copied().collect()
    }

    fn judge_extensions(&self, request: &SigningRequest, refused: &mut Vec<NotGranted>) {
        for purpose in request.purposes.iter().filter(|asked| !self.purposes.contains(asked)) {
            let allowed = listed(&self.purposes);
            refused.push(NotGranted::Purpose { purpose: purpose.clone(), allowed });
        }
        for usage in request.key_usages.iter().filter(|asked| !self.key_usage.contains(asked)) {
            let (usage, allowed) = (usage.to_string(), listed(&self.key_usage));
            refused.push(NotGranted::Usage { usage, allowed });
        }
        if request.is_ca {
            refused.push(NotGranted::Authority);
        }
        let others = request.others.iter().map(|oid| NotGranted::Extension { oid: oid.clone() });
        refused.extend(others);
    }

    /// Old tools put the name of a server into the subject alone.
    fn asked_names(&self, request: &SigningRequest) -> Vec<AlternativeName> {
        let is_server = self.purposes.iter().any(|purpose| purpose == "serverAuth");
        match (&request.common_name, request.names.is_empty()) {
            (Some(name), true) if is_server => vec![match name.parse() {
                Ok(address) => AlternativeName::Ip(address),
                Err(_) => AlternativeName::Dns(name.clone()),
            }],
            _ => request.names.clone(),
        }
    }

    fn needs_name(&self) -> bool {
        self.purposes.iter().any(|purpose| purpose == "serverAuth")
            || self.subject == SubjectFrom::FirstName
    }

    fn allows_name(&self, name: &AlternativeName, requester: &Requester<'_>) -> bool {
        let is_known =
            !matches!(name, AlternativeName::UserPrincipal(_) | AlternativeName::Other(_));
        is_known
            && (requester.any_name
                || self.names.iter().any(|pattern| pattern.allows(name, requester.has)))
    }

    fn subject(
        &self,
        request: &SigningRequest,
        names: &[AlternativeName],
        requester: &Requester<'_>,
    ) -> Result<Vec<u8>, NotGranted> {
        match self.subject {
            SubjectFrom::Entry => requester.entry.clone().ok_or(NotGranted::NoEntry),
            SubjectFrom::Request if request.subject.is_empty() => Err(NotGranted::NoSubject),
            SubjectFrom::Request => Ok(request.subject_der.clone()),
            SubjectFrom::FirstName => {
                let first = names.first().ok_or(NotGranted::NoName)?.to_string();
                crate::authority::server_subject(&first)
                    .map_err(|error| NotGranted::Subject(error.to_string()))
            }
        }
    }

    fn allows_key(&self, key: KeyKind) -> bool {
        let allowed = |one| self.keys.contains(&one);
        match key {
            KeyKind::P256 => allowed(AllowedKey::P256),
            KeyKind::P384 => allowed(AllowedKey::P384),
            KeyKind::P521 => allowed(AllowedKey::P521),
            KeyKind::Ed25519 => allowed(AllowedKey::Ed25519),
            KeyKind::Rsa { bits } => allowed(AllowedKey::Rsa) && bits >= self.rsa_bits_min,
        }
    }

    fn allowed_keys(&self) -> String {
        let word = |key: &AllowedKey| match key {
            AllowedKey::P256 => "EC P-256".to_owned(),
            AllowedKey::P384 => "EC P-384".to_owned(),
            AllowedKey::P521 => "EC P-521".to_owned(),
            AllowedKey::Ed25519 => "Ed25519".to_owned(),
            AllowedKey::Rsa => format!("RSA of at least {} bits", self.rsa_bits_min),
        };
        self.keys.iter().map(word).collect::<Vec<_>>().join(", ")
    }
}

fn listed<T: ToString>(all: &[T]) -> String {
    match all {
        [] => "none".to_owned(),
        some => some.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    }
}

fn is_purpose(purpose: &str) -> bool {
    let known = [
        "any",
        "serverAuth",
        "clientAuth",
        "codeSigning",
        "emailProtection",
        "timeStamping",
        "OCSPSigning",
    ];
    let arcs: Vec<&str> = purpose.split('.').collect();
    known.contains(&purpose)
        || (arcs.len() > 2 && arcs.iter().all(|arc| arc.parse::<u64>().is_ok()))
}

#[cfg(test)]
mod tests;
