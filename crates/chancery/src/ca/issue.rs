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
use super::{Ca, serial};
use crate::failure::{failed, of_directory};

/// A certificate that was issued.
#[derive(Debug)]
pub(crate) struct Certificate {
    pub(crate) summary: Summary,
    /// It and the issuing CA, in PEM.
    pub(crate) chain_pem: String,
}

/// Why there is none. Each is in the log.
#[derive(Debug)]
pub(crate) enum NoCertificate {
    /// A correct "no", with every reason.
    Refused(Vec<String>),
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
        let made = self.asked(template, request, |template, request, urls| {
            let values = |attribute: &str, value: &str| self.has(by.entry, attribute, value);
            let entry = by.entry.map(subject_of).transpose();
            let entry = entry.map_err(|reason| vec![reason])?;
            let requester = Requester { entry, has: &values, any_name: by.any_name };
            template.grant(request, &requester, urls).map_err(|reasons| texts(&reasons))
        });
        let overruled = if by.any_name { "names beyond the template were allowed" } else { "" };
        self.decided(template, &asker, made, overruled)
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
        let made = self.asked(template, request, |template, request, urls| {
            self.may_enrol(requester, template)?;
            let dn = match &requester.who {
                Who::Entry { dn, .. } => Some(&**dn),
                _ => None,
            };
            let values = |attribute: &str, value: &str| self.has(dn, attribute, value);
            let entry = dn.map(subject_of).transpose().map_err(|reason| vec![reason])?;
            let requester = Requester { entry, has: &values, any_name: false };
            template.grant(request, &requester, urls).map_err(|reasons| texts(&reasons))
        });
        self.decided(template, &asker, made, "")
    }

    /// From bytes and a template's name to a decision about both.
    fn asked(
        &self,
        name: &str,
        request: &[u8],
        grant: impl FnOnce(&Template, &SigningRequest, &[String]) -> Result<Wish, Vec<String>>,
    ) -> Result<(Wish, SigningRequest), NoCertificate> {
        let reviewed = self.ca.reviewed(self.now)?;
        let refused = |reason: String| NoCertificate::Refused(vec![reason]);
        let Some(template) = reviewed.templates.named(name) else {
            let known: Vec<&str> =
                reviewed.templates.template.iter().map(|one| one.name.as_str()).collect();
            let shown: String = name.chars().take(64).collect();
            return Err(refused(format!(
                "there is no template {shown:?}; there are: {}",
                known.join(", ")
            )));
        };
        if reviewed.off.contains(&template.name) {
            return Err(refused(format!(
                "the template {name} is off, because it is dangerous: chancery ca template lint \
                 says why"
            )));
        }
        let request =
            SigningRequest::decode(request).map_err(|error| refused(error.to_string()))?;
        let wish = grant(template, &request, &reviewed.templates.crl.urls);
        Ok((wish.map_err(NoCertificate::Refused)?, request))
    }

    /// Signs and keeps, or logs the refusal.
    fn decided(
        &self,
        template: &str,
        asker: &Asker,
        made: Result<(Wish, SigningRequest), NoCertificate>,
        overruled: &str,
    ) -> Result<Certificate, NoCertificate> {
        let event = |deed| {
            let shown: String = template.chars().take(64).collect();
            Event::new(deed, asker, self.now).of(&shown)
        };
        let (wish, request) = match made {
            Ok(made) => made,
            Err(NoCertificate::Refused(reasons)) => {
                self.ca.record(&event(Deed::Refused).because(reasons.join("; ")))?;
                return Err(NoCertificate::Refused(reasons));
            }
            Err(failed) => return Err(failed),
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

    fn may_enrol(&self, requester: &Subject, template: &Template) -> Result<(), Vec<String>> {
        let no = |reason: String| Err(vec![reason]);
        let Some(directory) = self.directory else {
            return no("there is no directory to ask".to_owned());
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
            Ok(true) if template.approval => no(format!(
                "the template {} is issued by the operator only; give them the request: chancery \
                 ca issue --template {} --csr FILE",
                template.name, template.name
            )),
            Ok(true) => Ok(()),
            Ok(false) => no(format!("you may not enrol for the template {}", template.name)),
            Err(reason) => no(format!("enrol of the template {}: {reason}", template.name)),
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
    Asker { who, from }
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
