//! Mistakes in templates that hand over a domain: whoever may enrol becomes whoever they like. The
//! family is known from AD CS as "ESC1" and following.

use std::fmt;

use serde::Serialize;
use time::OffsetDateTime;

use super::{AllowedKey, SubjectFrom, Template, Templates};
use crate::authority::KeyUsage;
use crate::certificate::Summary;
use crate::judge::Level;

/// Identifiers that stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LintRule {
    SubjectFromRequester,
    PurposeAny,
    PurposeAgent,
    CaFromTemplate,
    EnrolEverybody,
    NamesEverything,
    NamesFree,
    ClientWithFreeNames,
    PurposeMixed,
    KeyWeak,
    KeyUsageMissing,
    LifetimePastIssuer,
    LifetimeLong,
    RenewalImpossible,
    RenewalLate,
    NameRepeated,
    NamesNone,
}

impl LintRule {
    pub const ALL: [(LintRule, &'static str); 17] = [
        (LintRule::SubjectFromRequester, "subject-from-requester"),
        (LintRule::PurposeAny, "purpose-any"),
        (LintRule::PurposeAgent, "purpose-agent"),
        (LintRule::CaFromTemplate, "ca-from-template"),
        (LintRule::EnrolEverybody, "enrol-everybody"),
        (LintRule::NamesEverything, "names-everything"),
        (LintRule::NamesFree, "names-free"),
        (LintRule::ClientWithFreeNames, "client-with-free-names"),
        (LintRule::PurposeMixed, "purpose-mixed"),
        (LintRule::KeyWeak, "key-weak"),
        (LintRule::KeyUsageMissing, "key-usage-missing"),
        (LintRule::LifetimePastIssuer, "lifetime-past-issuer"),
        (LintRule::LifetimeLong, "lifetime-long"),
        (LintRule::RenewalImpossible, "renewal-impossible"),
        (LintRule::RenewalLate, "renewal-late"),
        (LintRule::NameRepeated, "name-repeated"),
        (LintRule::NamesNone, "names-none"),
    ];
}

impl fmt::Display for LintRule {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = LintRule::ALL.iter().find(|(rule, _)| rule == self);
        out.write_str(found.map_or("", |(_, id)| id))
    }
}

/// One thing about one template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LintFinding {
    pub rule: LintRule,
    pub level: Level,
    pub template: String,
    pub found: String,
    pub expected: String,
    pub fix: String,
}

impl fmt::Display for LintFinding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Refused => "refused",
            Level::Warning => "warning",
            Level::Note => "note",
        };
        writeln!(out, "{level}: {} (template {})", self.rule, self.template)?;
        writeln!(out, "  found     {}", self.found)?;
        writeln!(out, "  expected  {}", self.expected)?;
        write!(out, "  fix       {}", self.fix)
    }
}

/// Clients that refuse what lives longer: 398 days since 2020, 200 since March 2026.
const SERVER_DAYS_MAX: u16 = 398;

/// A user's certificate that lives longer is a password that is never changed.
const CLIENT_DAYS_MAX: u16 = 730;

/// Purposes that sign somebody in: in TLS, by smart card, by Kerberos.
const SIGNING_IN: [&str; 3] = ["clientAuth", "1.3.6.1.4.1.311.20.2.2", "1.3.6.1.5.2.3.4"];

/// Whoever holds one may ask for certificates in the name of others.
const AGENT: &str = "1.3.6.1.4.1.311.20.2.1";

/// Everything that is to be said, the heaviest first. The issuer is the CA that would sign.
#[must_use]
pub fn lint(
    templates: &Templates,
    issuer: Option<&Summary>,
    now: OffsetDateTime,
) -> Vec<LintFinding> {
    let mut findings = Vec::new();
    for (at, template) in templates.template.iter().enumerate() {
        let before = templates.template.iter().take(at);
        let mut lint = Lint { template, findings: &mut findings };
        if before.into_iter().any(|other| other.name == template.name) {
            lint.repeated();
        }
        lint.purposes();
        lint.who();
        lint.names();
        lint.keys();
        lint.lifetime(issuer, now);
    }
    findings.sort_by_key(|one| (std::cmp::Reverse(one.level), one.template.clone(), one.rule));
    findings
}

/// The templates that something of level "refused" was found about: they are off.
#[must_use]
pub fn refused(findings: &[LintFinding]) -> Vec<String> {
    let mut names: Vec<String> = findings
        .iter()
        .filter(|finding| finding.level == Level::Refused)
        .map(|finding| finding.template.clone())
        .collect();
    names.sort();
    names.dedup();
    names
}

struct Lint<'l> {
    template: &'l Template,
    findings: &'l mut Vec<LintFinding>,
}

impl Lint<'_> {
    fn add(&mut self, rule: LintRule, level: Level, found: String, expected: &str, fix: &str) {
        self.findings.push(LintFinding {
            rule,
            level,
            template: self.template.name.clone(),
            found,
            expected: expected.to_owned(),
            fix: fix.to_owned(),
        });
    }

    fn has(&self, purpose: &str) -> bool {
        self.template.purposes.iter().any(|one| one == purpose)
    }

    fn is_any(&self) -> bool {
        self.template.purposes.is_empty() || self.has("any")
    }

    fn signs_in(&self) -> bool {
        self.is_any() || SIGNING_IN.iter().any(|purpose| self.has(purpose))
    }

    /// Nobody but the operator gets one.
    fn is_closed(&self) -> bool {
        self.template.enrol.is_empty() || self.template.approval
    }

    fn repeated(&mut self) {
        self.add(
            LintRule::NameRepeated,
            Level::Refused,
            format!("two templates are called {}", self.template.name),
            "one template of each name",
            "rename one, or remove it",
        );
    }

    fn purposes(&mut self) {
        let template = self.template;
        if self.is_any() {
            let found = match template.purposes.is_empty() {
                true => "purposes is empty, which means every purpose".to_owned(),
                false => "purposes holds `any`".to_owned(),
            };
            let (expected, fix) =
                ("the purposes one by one", "write purposes = [\"serverAuth\"] or what is meant");
            self.add(LintRule::PurposeAny, Level::Refused, found, expected, fix);
        }
        if self.has(AGENT) {
            let found = format!("the purpose {AGENT}: asking for certificates of others");
            let (expected, fix) =
                ("no enrolment agents", "take it out; the operator issues for others");
            self.add(LintRule::PurposeAgent, Level::Refused, found, expected, fix);
        }
        let signs = [KeyUsage::KeyCertSign, KeyUsage::CrlSign];
        if template.ca || template.key_usage.iter().any(|usage| signs.contains(usage)) {
            let found = match template.ca {
                true => "ca = true".to_owned(),
                false => "a key usage that signs certificates or revocation lists".to_owned(),
            };
            let expected = "certificates that are no CA's";
            let fix = "take it out; whoever had one could issue anything to anybody";
            self.add(LintRule::CaFromTemplate, Level::Refused, found, expected, fix);
        }
        if self.has("serverAuth") && SIGNING_IN.iter().any(|purpose| self.has(purpose)) {
            let found = "one certificate for a server and for signing in".to_owned();
            let expected = "a template for each";
            let fix = "split it, so that a server's stolen key signs nobody in";
            self.add(LintRule::PurposeMixed, Level::Warning, found, expected, fix);
        }
        if template.subject == SubjectFrom::Request && self.signs_in() {
            // The operator who types it in knows whom it is for.
            let level = if self.is_closed() { Level::Warning } else { Level::Refused };
            let found =
                "subject = \"request\" in a certificate that signs its holder in".to_owned();
            let expected = "subject = \"entry\"";
            let fix = "whoever may enrol can become anybody; take the subject from the entry";
            self.add(LintRule::SubjectFromRequester, level, found, expected, fix);
        }
    }

    fn who(&mut self) {
        let everybody = ["anyone", "anonymous", "signed-in"];
        let word = self.template.enrol.iter().find(|word| everybody.contains(&word.trim()));
        let Some(word) = word else { return };
        let own = self.template.subject == SubjectFrom::Entry
            && !self.template.names.iter().any(super::NamePattern::is_open);
        // A certificate that says nothing but who one is harms nobody.
        let level = if own && word == "signed-in" { Level::Warning } else { Level::Refused };
        let found = format!("enrol holds `{word}`");
        let expected = "entries, groups, roles or subtrees, or `self`";
        let fix =
            "name who needs one: enrol = ['group \"cn=servers,ou=groups,dc=example,dc=com\"']";
        self.add(LintRule::EnrolEverybody, level, found, expected, fix);
    }

    fn names(&mut self) {
        let (template, is_closed) = (self.template, self.is_closed());
        let all: Vec<String> = template
            .names
            .iter()
            .filter(|name| name.is_everything())
            .map(ToString::to_string)
            .collect();
        if !all.is_empty() {
            let level = if is_closed { Level::Warning } else { Level::Refused };
            let found = format!("names holds {}", all.join(", "));
            let expected = "names below a domain of yours, or of the requester's entry";
            let fix = "write names = [\"entry:host\"] or names = [\"dns:*.example.com\"]";
            self.add(LintRule::NamesEverything, level, found, expected, fix);
        }
        let open: Vec<String> =
            template.names.iter().filter(|name| name.is_open()).map(ToString::to_string).collect();
        if !open.is_empty() && !is_closed && !self.signs_in() {
            let found = format!("{} may be asked for without approval", open.join(", "));
            let expected = "names of the requester's entry, or approval = true";
            let fix = "each who may enrol can stand in for every such host; write names = \
                       [\"entry:host\"], or approval = true";
            self.add(LintRule::NamesFree, Level::Warning, found, expected, fix);
        }
        if !open.is_empty() && self.signs_in() {
            let level = if is_closed { Level::Warning } else { Level::Refused };
            let found = format!("a certificate that signs in, with {}", open.join(", "));
            let expected = "no names, or names of the requester's entry";
            let fix = "services that go by the alternative name would take the holder for another; \
                       write names = [\"entry:mail\"] or none";
            self.add(LintRule::ClientWithFreeNames, level, found, expected, fix);
        }
        if template.names.is_empty() && self.has("serverAuth") && !template.enrol.is_empty() {
            let found = "a server's certificate, and no name may be in it".to_owned();
            let expected = "at least one pattern";
            let fix = "write names = [\"entry:host\"]; as it is every request is refused";
            self.add(LintRule::NamesNone, Level::Note, found, expected, fix);
        }
    }

    fn keys(&mut self) {
        let template = self.template;
        if template.keys.contains(&AllowedKey::Rsa) && template.rsa_bits_min < 2048 {
            let found = format!("rsa-bits-min = {}", template.rsa_bits_min);
            let (expected, fix) = ("2048 or more", "leave it out, or write rsa-bits-min = 2048");
            self.add(LintRule::KeyWeak, Level::Refused, found, expected, fix);
        }
        let for_tls = self.has("serverAuth") || self.has("clientAuth");
        if for_tls && !template.key_usage.contains(&KeyUsage::DigitalSignature) {
            let found = "key-usage without digitalSignature".to_owned();
            let expected = "digitalSignature, with which a TLS handshake is signed";
            let fix = "write key-usage = [\"digitalSignature\"]";
            self.add(LintRule::KeyUsageMissing, Level::Refused, found, expected, fix);
        }
    }

    fn lifetime(&mut self, issuer: Option<&Summary>, now: OffsetDateTime) {
        let template = self.template;
        let days = template.lifetime_days;
        if let Some(issuer) = issuer.filter(|one| now + template.lifetime() > one.not_after) {
            let left = (issuer.not_after - now).whole_days().max(0);
            let found = format!("lifetime-days = {days}, and the issuer has {left} days left");
            let expected = "a shorter life than the issuer's";
            let fix = "certificates are cut off at the issuer's end: shorten it, or renew the CA \
                       (chancery ca status)";
            self.add(LintRule::LifetimePastIssuer, Level::Warning, found, expected, fix);
        }
        let max = if self.has("serverAuth") { SERVER_DAYS_MAX } else { CLIENT_DAYS_MAX };
        if days > max {
            let found = format!("lifetime-days = {days}");
            let expected = format!("{max} days or fewer");
            let fix = "shorten it: clients refuse servers' certificates that live longer, and a \
                       stolen key is good as long";
            self.add(LintRule::LifetimeLong, Level::Warning, found, &expected, fix);
        }
        let before = template.renew_before().whole_days();
        if before >= i64::from(days) {
            let found = format!("renewed {before} days before its end, and it lives {days}");
            let fix = "write a smaller renew-before-days, or leave it out";
            self.add(LintRule::RenewalImpossible, Level::Refused, found, "less than it lives", fix);
        } else if before * 10 < i64::from(days) {
            let found = format!("renewed {before} days before its end, of {days}");
            let expected = "at least a tenth of its life";
            let fix = "leave renew-before-days out: a third is left for what may go wrong";
            self.add(LintRule::RenewalLate, Level::Warning, found, expected, fix);
        }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2027-03-01 12:00 UTC);

    const GOOD: &str = r#"
[[template]]
name = "server"
purposes = ["serverAuth"]
key-usage = ["digitalSignature", "keyEncipherment"]
subject = "first-name"
names = ["entry:host"]
enrol = ['group "cn=servers,dc=example,dc=com"']
lifetime-days = 90
"#;

    fn found(text: &str) -> Vec<(String, Level)> {
        let templates = Templates::parse(text).unwrap();
        let of = |one: LintFinding| (one.rule.to_string(), one.level);
        lint(&templates, None, NOW).into_iter().map(of).collect()
    }

    #[test]
    fn a_good_template_has_nothing_to_say_against_it() {
        assert_eq!(found(GOOD), []);
        let client = GOOD
            .replace("serverAuth", "clientAuth")
            .replace("first-name", "entry")
            .replace(r#"'group "cn=servers,dc=example,dc=com"'"#, "'self'");
        assert_eq!(found(&client), []);
    }

    const CLIENT: &str = "purposes = [\"clientAuth\"]";
    const SERVER: &str = "purposes = [\"serverAuth\"]";
    const NAMES: &str = "names = [\"entry:host\"]";
    const SUBJECT: &str = "subject = \"first-name\"";
    const ASKED: &str = "subject = \"request\"";
    const ENROL: &str = "enrol = ['group \"cn=servers,dc=example,dc=com\"']";

    /// What is changed about the good one, and what is found then.
    type Mistake = (&'static [(&'static str, &'static str)], &'static [(&'static str, Level)]);

    const REFUSED: Level = Level::Refused;
    const WARNING: Level = Level::Warning;

    const MISTAKES: &[Mistake] = &[
        (&[(SERVER, CLIENT), (SUBJECT, ASKED)], &[("subject-from-requester", REFUSED)]),
        (
            &[(SERVER, CLIENT), (SUBJECT, ASKED), (ENROL, "")],
            &[("subject-from-requester", WARNING)],
        ),
        (&[(SUBJECT, ASKED)], &[]),
        (&[(SERVER, "purposes = []")], &[("purpose-any", REFUSED)]),
        (
            &[(SERVER, "purposes = [\"any\"]"), (SUBJECT, ASKED)],
            &[("subject-from-requester", REFUSED), ("purpose-any", REFUSED)],
        ),
        (&[("\"serverAuth\"", "\"1.3.6.1.4.1.311.20.2.1\"")], &[("purpose-agent", REFUSED)]),
        (&[("lifetime-days", "ca = true\nlifetime-days")], &[("ca-from-template", REFUSED)]),
        (&[("\"keyEncipherment\"", "\"keyCertSign\"")], &[("ca-from-template", REFUSED)]),
        (&[("\"serverAuth\"", "\"serverAuth\", \"clientAuth\"")], &[("purpose-mixed", WARNING)]),
        (&[(ENROL, "enrol = [\"signed-in\"]")], &[("enrol-everybody", REFUSED)]),
        (
            &[(ENROL, "enrol = [\"signed-in\"]"), (SERVER, CLIENT), (SUBJECT, "")],
            &[("enrol-everybody", WARNING)],
        ),
        (
            &[(ENROL, "enrol = [\"anyone\"]"), (SERVER, CLIENT), (SUBJECT, "")],
            &[("enrol-everybody", REFUSED)],
        ),
        (
            &[(NAMES, "names = [\"dns:**\"]")],
            &[("names-everything", REFUSED), ("names-free", WARNING)],
        ),
        (&[(NAMES, "names = [\"dns:**\"]"), (ENROL, "")], &[("names-everything", WARNING)]),
        (&[(NAMES, "names = [\"dns:*.example.com\"]")], &[("names-free", WARNING)]),
        (&[(NAMES, "names = [\"dns:*.example.com\"]\napproval = true")], &[]),
        (
            &[(NAMES, "names = [\"dns:*.example.com\"]"), (SERVER, CLIENT), (SUBJECT, "")],
            &[("client-with-free-names", REFUSED)],
        ),
        (&[(NAMES, "names = []")], &[("names-none", Level::Note)]),
        (&[(NAMES, "names = []"), (ENROL, "")], &[]),
        (&[("lifetime-days", "rsa-bits-min = 1024\nlifetime-days")], &[("key-weak", REFUSED)]),
        (&[("\"digitalSignature\", ", "")], &[("key-usage-missing", REFUSED)]),
        (&[("= 90", "= 399")], &[("lifetime-long", WARNING)]),
        (&[("= 90", "= 90\nrenew-before-days = 90")], &[("renewal-impossible", REFUSED)]),
        (&[("= 90", "= 90\nrenew-before-days = 8")], &[("renewal-late", WARNING)]),
    ];

    #[test]
    fn each_mistake_and_its_cure() {
        let mut seen = vec!["name-repeated", "lifetime-past-issuer"];
        for (changes, expected) in MISTAKES {
            let mut text = GOOD.to_owned();
            for (old, new) in *changes {
                assert!(text.contains(old), "{old}");
                text = text.replace(old, new);
            }
            let told = found(&text);
            let told: Vec<(&str, Level)> =
                told.iter().map(|(rule, level)| (rule.as_str(), *level)).collect();
            assert_eq!(told, *expected, "{text}");
            seen.extend(expected.iter().map(|(rule, _)| *rule));
        }
        for (_, id) in LintRule::ALL {
            assert!(seen.contains(&id), "{id} has no case");
        }
    }

    #[test]
    fn what_is_seen_across_templates_and_beside_the_issuer() {
        assert_eq!(found(&format!("{GOOD}{GOOD}")), [("name-repeated".to_owned(), Level::Refused)]);
        let templates = Templates::parse(GOOD).unwrap();
        let mut issuer = Summary {
            subject: "CN=CA".to_owned(),
            issuer: "CN=CA".to_owned(),
            serial: "40".to_owned(),
            thumbprint: String::new(),
            not_before: NOW,
            not_after: NOW + time::Duration::days(89),
            names: Vec::new(),
            is_ca: true,
            purposes: Vec::new(),
            public_key: Vec::new(),
        };
        let said = lint(&templates, Some(&issuer), NOW);
        assert_eq!(said.len(), 1);
        assert!(said[0].to_string().contains("lifetime-past-issuer (template server)"));
        assert_eq!(refused(&said), Vec::<String>::new());
        issuer.not_after = NOW + time::Duration::days(91);
        assert_eq!(lint(&templates, Some(&issuer), NOW), []);
    }
}
