//! Certificates for signing requests: of the operator, and of whoever a template names.

use anyhow::Result;
use directory::{Directory, Protection, Refusal, Subject, Who};
use ldap::dn::Dn;
use ldap::result::ResultCode;
use pki::template::{NotGranted, Requester};
use pki::{SigningRequest, Summary, Template, Wish};
use time::OffsetDateTime;

use super::audit::{Asker, Deed, Event};
use super::files::{Readers, make_folder, replace};
use super::{Ca, Reviewed, serial};
use crate::failure::{failed, of_directory};

/// A certificate that was issued.
#[derive(Debug)]
pub(crate) struct Certificate {
    pub(crate) summary: Summary,
    /// It and the issuing CA, in PEM.
    pub(crate) chain_pem: String,
}

/// Why there is none. Each is in the log, but for failures and what [`mod@super::refused`] counts.
#[derive(Debug)]
pub(crate) enum NoCertificate {
    /// A correct "no", with every reason.
    Refused(Vec<String>),
    /// The template is not there, or not for whoever asks: which of the two, the log knows and they
    /// do not learn.
    NotTheirs(String),
    /// They had as many as they may have.
    TooMany(String),
    /// Something is wrong here.
    Failed(anyhow::Error),
}

impl From<anyhow::Error> for NoCertificate {
    fn from(error: anyhow::Error) -> NoCertificate {
        NoCertificate::Failed(error)
    }
}

/// What the operator says beyond the request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ByOperator<'o> {
    /// The entry that the certificate is for.
    pub(crate) entry: Option<&'o str>,
    pub(crate) any_name: bool,
}

/// Templates and names of entries come from the directory; the operator may do without.
pub(crate) struct Issuing<'i> {
    pub(crate) ca: &'i Ca,
    pub(crate) directory: Option<&'i Directory>,
    pub(crate) now: OffsetDateTime,
}

impl Issuing<'_> {
    /// For the operator, who may use every template that is on.
    pub(crate) fn by_operator(
        &self,
        template: &str,
        request: &[u8],
        by: ByOperator<'_>,
    ) -> Result<Certificate, NoCertificate> {
        let asker = Asker::operator();
        let _lock = self.ca.lock()?;
        let made = self.for_operator(template, request, by);
        let overruled = if by.any_name { "names beyond the template were allowed" } else { "" };
        self.decided(template, &asker, made, overruled)
    }

    fn for_operator(
        &self,
        name: &str,
        request: &[u8],
        by: ByOperator<'_>,
    ) -> Result<(Wish, SigningRequest), NoCertificate> {
        let reviewed = self.ca.reviewed(self.now)?;
        let template = known(&reviewed, name)?;
        self.asked(&reviewed, template, request, by.entry, by.any_name)
    }

    /// For somebody who has signed in.
    pub(crate) fn enrol(
        &self,
        requester: &Subject,
        template: &str,
        request: &[u8],
    ) -> Result<Certificate, NoCertificate> {
        let asker = asker_of(requester);
        let _lock = self.ca.lock()?;
        let made = self.for_requester(requester, &asker, template, request);
        self.decided(template, &asker, made, "")
    }

    fn for_requester(
        &self,
        requester: &Subject,
        asker: &Asker,
        name: &str,
        request: &[u8],
    ) -> Result<(Wish, SigningRequest), NoCertificate> {
        let reviewed = self.ca.reviewed(self.now)?;
        let template = match (reviewed.templates.named(name), &requester.who) {
            (_, Who::Operator) => known(&reviewed, name)?,
            (Some(template), _) => template,
            (None, _) => return Err(NoCertificate::NotTheirs(unknown(name))),
        };
        // Before a look at the request: its faults must not tell that there is the template.
        self.may_enrol(requester, template)?;
        let dn = match &requester.who {
            Who::Entry { dn, .. } => Some(&**dn),
            _ => None,
        };
        let made = self.asked(&reviewed, template, request, dn, false)?;
        let had = self.ca.issued_lately(asker, name, self.now)?;
        if !asker.is_operator && had >= usize::from(template.per_day) {
            return Err(NoCertificate::TooMany(format!(
                "you had {had} certificates of the template {name} in the last 24 hours, and its \
                 per-day allows {}; try again later",
                template.per_day
            )));
        }
        Ok(made)
    }

    /// From bytes and a template to a decision about both.
    fn asked(
        &self,
        reviewed: &Reviewed,
        template: &Template,
        request: &[u8],
        dn: Option<&str>,
        any_name: bool,
    ) -> Result<(Wish, SigningRequest), NoCertificate> {
        let refused = |reason: String| NoCertificate::Refused(vec![reason]);
        if reviewed.off.contains(&template.name) {
            return Err(refused(format!(
                "the template {} is off, because it is dangerous: chancery ca template lint says \
                 why",
                template.name
            )));
        }
        let request =
            SigningRequest::decode(request).map_err(|error| refused(error.to_string()))?;
        let values = |attribute: &str, value: &str| self.has(dn, attribute, value);
        let entry = dn.map(subject_of).transpose().map_err(refused)?;
        let requester = Requester { entry, has: &values, any_name };
        let wish = template.grant(&request, &requester, &reviewed.templates.crl.urls);
        Ok((wish.map_err(|reasons| NoCertificate::Refused(texts(&reasons)))?, request))
    }

    /// Signs and keeps, or logs the refusal.
    fn decided(
        &self,
        template: &str,
        asker: &Asker,
        made: Result<(Wish, SigningRequest), NoCertificate>,
        overruled: &str,
    ) -> Result<Certificate, NoCertificate> {
        let event = |deed| Event::new(deed, asker, self.now).of(&shown(template));
        let (wish, request) = match made {
            Ok(made) => made,
            Err(no) => {
                if let Some(reason) = no.refusal() {
                    let event = event(Deed::Refused).because(reason);
                    self.ca.refuse(asker, &event, self.now)?;
                }
                return Err(no);
            }
        };
        let signer = self.ca.signer()?;
        let chain_pem = signer
            .issue_for(&wish, &request.public_key, self.now, serial())
            .map_err(|error| NoCertificate::Failed(failed(error)))?;
        let chain = pki::pem::certificates(chain_pem.as_bytes()).map_err(failed)?;
        let leaf = chain.first().map(|der| Summary::parse(der)).transpose().map_err(failed)?;
        let Some(summary) = leaf else {
            return Err(NoCertificate::Failed(failed("no certificate was made")));
        };
        self.ca.keep(&summary, &chain_pem)?;
        self.ca.record(&event(Deed::Issued).about(&summary).because(overruled))?;
        Ok(Certificate { summary, chain_pem })
    }

    fn may_enrol(&self, requester: &Subject, template: &Template) -> Result<(), NoCertificate> {
        let name = &template.name;
        let not_theirs = |reason: String| Err(NoCertificate::NotTheirs(reason));
        let Some(directory) = self.directory else {
            return not_theirs("there is no directory to ask".to_owned());
        };
        let named = match (&requester.who, template.enrol.as_slice()) {
            (Who::Operator, _) => return Ok(()),
            (_, []) => Ok(false),
            (_, who) => directory
                .view(requester)
                .map_err(|fault| fault.to_string())
                .and_then(|view| view.is_meant(who).map_err(|error| of_directory(&error))),
        };
        match named {
            Ok(true) if template.approval => Err(NoCertificate::Refused(vec![format!(
                "the template {name} is issued by the operator only; give them the request: \
                 chancery ca issue --template {name} --csr FILE"
            )])),
            Ok(true) => Ok(()),
            Ok(false) => not_theirs(format!("they may not enrol for the template {name}")),
            Err(reason) => not_theirs(format!("enrol of the template {name}: {reason}")),
        }
    }

    /// Whether the entry has this value, as the schema compares it.
    fn has(&self, dn: Option<&str>, attribute: &str, value: &str) -> bool {
        let (Some(directory), Some(dn)) = (self.directory, dn) else { return false };
        let operator = Subject { who: Who::Operator, address: None, protection: Protection::Local };
        let Ok(view) = directory.view(&operator) else { return false };
        view.compare(dn, attribute, value.as_bytes(), None, false).unwrap_or(false)
    }
}

impl NoCertificate {
    /// What the log says, where it was a "no".
    fn refusal(&self) -> Option<String> {
        match self {
            NoCertificate::Refused(reasons) => Some(reasons.join("; ")),
            NoCertificate::NotTheirs(reason) | NoCertificate::TooMany(reason) => {
                Some(reason.clone())
            }
            NoCertificate::Failed(_) => None,
        }
    }
}

/// The template for the operator, who may know which there are.
fn known<'t>(reviewed: &'t Reviewed, name: &str) -> Result<&'t Template, NoCertificate> {
    reviewed.templates.named(name).ok_or_else(|| {
        let all = &reviewed.templates.template;
        let known: Vec<&str> = all.iter().map(|one| one.name.as_str()).collect();
        let reason = format!("{}; there are: {}", unknown(name), known.join(", "));
        NoCertificate::Refused(vec![reason])
    })
}

fn unknown(name: &str) -> String {
    format!("there is no template {:?}", shown(name))
}

/// As much of a name as a template's can have.
pub(crate) fn shown(name: &str) -> String {
    name.chars().take(64).collect()
}

impl Ca {
    /// Every certificate stays here, for the audit.
    pub(super) fn keep(&self, certificate: &Summary, chain_pem: &str) -> Result<()> {
        let path = self.issued_file(&certificate.serial);
        if let Some(folder) = path.parent() {
            make_folder(folder)?;
        }
        replace(&path, chain_pem.as_bytes(), Readers::Owner)
    }
}

fn texts(reasons: &[NotGranted]) -> Vec<String> {
    reasons.iter().map(ToString::to_string).collect()
}

fn asker_of(requester: &Subject) -> Asker {
    let who = match &requester.who {
        Who::Entry { dn, .. } => dn.to_string(),
        Who::Name(name) => name.to_string(),
        Who::Operator => "operator".to_owned(),
        Who::Anonymous => "anonymous".to_owned(),
    };
    let from = requester.address.map_or("local".to_owned(), |address| address.to_string());
    Asker { who, from, is_operator: requester.who == Who::Operator }
}

/// The name of an entry as the subject of a certificate.
fn subject_of(dn: &str) -> Result<Vec<u8>, String> {
    let parsed = Dn::parse(dn).map_err(|error| error.to_string())?;
    let mut rdns = Vec::new();
    for rdn in &parsed.rdns {
        let mut parts = Vec::new();
        for one in &rdn.values {
            let value = std::str::from_utf8(&one.value)
                .map_err(|_| format!("the name {dn} holds bytes that are no text"))?;
            parts.push((one.attribute.as_str(), value));
        }
        rdns.push(parts);
    }
    pki::authority::subject_of(&rdns).map_err(|error| error.to_string())
}

/// The request of an extended operation: a template's name, a line feed, the signing request.
pub(crate) fn split(value: &[u8]) -> Result<(&str, &[u8]), Refusal> {
    let wrong = || {
        Refusal::new(
            ResultCode::PROTOCOL_ERROR,
            "the request value is a template's name, a line feed, and the signing request in PEM, \
             DER or base64",
        )
    };
    let at = value.iter().position(|byte| *byte == b'\n').ok_or_else(wrong)?;
    let (name, rest) = value.split_at_checked(at).ok_or_else(wrong)?;
    let name = std::str::from_utf8(name).map_err(|_| wrong())?.trim();
    let request = rest.strip_prefix(b"\n").unwrap_or(rest);
    match name.is_empty() || request.is_empty() {
        true => Err(wrong()),
        false => Ok((name, request)),
    }
}
