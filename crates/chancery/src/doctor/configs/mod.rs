//! What an application really uses: its own file, read as it reads it.
//!
//! - [`libldap`]: `ldap.conf`. [`sssd`]: `sssd.conf`. [`apache`]: `mod_authnz_ldap`. [`java`]:
//!   properties. [`stores`]: the CAs that such a file names.
//!
//! Passwords are passed over by name, before anything looks at their value.

mod apache;
mod java;
mod libldap;
mod sssd;
pub(crate) mod stores;

use client::target::NotATarget;
use client::{Security, Target};

use super::rules::{Finding, Layer};

/// No such file comes near this.
pub(crate) const BYTES_MAX: u64 = 1 << 20;
/// More servers than these in one file are not looked at.
pub(crate) const SERVERS_MAX: usize = 32;

/// Whose file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    /// `ldap.conf` or `.ldaprc`: ldapsearch, PHP, Python, everything on libldap.
    Ldap,
    /// `sssd.conf`.
    Sssd,
    /// Apache's `mod_authnz_ldap`.
    Apache,
    /// Java properties: JNDI, Spring.
    Java,
}

impl Kind {
    /// By what only one of them holds, then by the name.
    pub(crate) fn guess(name: &str, text: &str) -> Option<Kind> {
        let has = |word: &str| text.lines().any(|line| line.trim_start().starts_with(word));
        let lower = text.to_ascii_lowercase();
        let has_lower = |word| lower.lines().any(|line| line.trim_start().starts_with(word));
        if has("[domain/") || has("[sssd]") {
            Some(Kind::Sssd)
        } else if has_lower("authldap") || has_lower("ldaptrusted") || has_lower("ldapverify") {
            Some(Kind::Apache)
        } else if name.ends_with(".properties")
            || ["java.naming.", "spring.ldap.", "com.sun.jndi."].into_iter().any(has)
        {
            Some(Kind::Java)
        } else if name.ends_with("ldap.conf")
            || name.ends_with("ldaprc")
            || has_lower("uri ")
            || has_lower("uri\t")
        {
            Some(Kind::Ldap)
        } else {
            None
        }
    }
}

/// A line that was used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Setting {
    /// File and line, as `ldap.conf:3`.
    pub(crate) place: String,
    pub(crate) name: String,
    pub(crate) value: String,
}

impl Setting {
    pub(crate) fn told(&self) -> String {
        format!("from {} {} {}", self.place, self.name, self.value)
    }

    /// A finding about this line.
    pub(crate) fn finding(&self, cause: impl Into<String>) -> Finding {
        Finding::new("CONFIG", Layer::Config, cause).seen(self.told())
    }

    fn is(&self, word: &str) -> bool {
        self.value.eq_ignore_ascii_case(word)
    }
}

/// Whose word a CA's certificate is taken from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Store {
    File(Setting),
    Folder(Setting),
}

/// One use of a directory: what is asked, where, as whom.
#[derive(Clone, Debug, Default)]
pub(crate) struct Use {
    pub(crate) targets: Vec<(Setting, Target)>,
    pub(crate) base: Option<String>,
    pub(crate) filter: Option<String>,
    pub(crate) sign_in: Option<String>,
    /// It is known to search without signing in.
    pub(crate) is_anonymous: bool,
    pub(crate) stores: Vec<Store>,
    pub(crate) used: Vec<Setting>,
    pub(crate) findings: Vec<Finding>,
}

/// What a file says. Faults are what nobody can read, each with its line.
#[derive(Clone, Debug, Default)]
pub(crate) struct Written {
    pub(crate) uses: Vec<Use>,
    pub(crate) faults: Vec<String>,
}

pub(crate) fn parse(kind: Kind, name: &str, text: &str) -> Written {
    let mut written = match kind {
        Kind::Ldap => libldap::parse(name, text),
        Kind::Sssd => sssd::parse(name, text),
        Kind::Apache => apache::parse(name, text),
        Kind::Java => java::parse(name, text),
    };
    written.uses.retain(|one| !one.targets.is_empty() || !one.findings.is_empty());
    if written.uses.is_empty() && written.faults.is_empty() {
        written.faults.push(format!("{name}: it names no server; {}", named_by(kind)));
    }
    written
}

fn named_by(kind: Kind) -> &'static str {
    match kind {
        Kind::Ldap => "right is a line such as URI ldaps://dc1.corp.example",
        Kind::Sssd => "right is ldap_uri = ldaps://dc1.corp.example below [domain/NAME]",
        Kind::Apache => {
            "right is AuthLDAPURL \"ldaps://dc1.corp.example/dc=corp,dc=example?uid?sub\""
        }
        Kind::Java => "right is java.naming.provider.url or spring.ldap.urls",
    }
}

/// How TLS begins on an `ldap://` address, as other settings have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plain {
    /// StartTLS is demanded.
    StartTls,
    /// LDAPS all the same.
    Tls,
    /// There is none.
    Clear,
    /// There is none for what is looked up; sign-ins of users begin with StartTLS all the same.
    Lookups,
    /// That stands elsewhere.
    Unsaid,
}

impl Use {
    /// Takes an address of a server. What cannot be meant is a finding: the application fails by
    /// it, too.
    fn server(&mut self, setting: &Setting, uri: &str, plain: Plain, faults: &mut Vec<String>) {
        let place = &setting.place;
        // A name and a password in an address are no part of it, and are not repeated.
        if uri.contains('@') {
            let what = "an address with a user's name in it; write ldaps://NAME";
            return faults.push(format!("{place}: {}: {what}", setting.name));
        }
        let lower = uri.to_ascii_lowercase();
        if lower.starts_with("ldapi:") {
            let cause = "a local socket, which needs no TLS, is not looked at";
            return self.findings.push(setting.finding(cause).warning());
        }
        let shown = Setting { value: uri.to_owned(), ..setting.clone() };
        let tried = match (plain, lower.strip_prefix("ldap://")) {
            (Plain::Tls, Some(rest)) => Target::parse(&format!("ldaps://{rest}")),
            _ => Target::parse(uri),
        };
        match tried {
            Ok(target) => {
                if target.security == Security::StartTls {
                    self.findings.extend(in_the_clear(&shown, &target, plain));
                }
                self.targets.push((shown, target));
            }
            Err(mixed @ (NotATarget::LdapOn636(_) | NotATarget::LdapsOn389(_))) => {
                let fix = "LDAPS is ldaps:// on port 636; StartTLS is ldap:// on port 389";
                self.findings.push(shown.finding(mixed.to_string()).fix(fix));
            }
            Err(error) => faults.push(format!("{place}: {}: {error}", setting.name)),
        }
    }
}

fn in_the_clear(setting: &Setting, target: &Target, plain: Plain) -> Option<Finding> {
    let name = &target.name;
    let fix = format!("write ldaps://{name}");
    match plain {
        Plain::StartTls | Plain::Tls => None,
        Plain::Clear => {
            let cause = format!("passwords and answers go to {name} in the clear");
            Some(setting.finding(cause).fix(fix))
        }
        Plain::Lookups => {
            let cause = format!("what is looked up goes to {name} in the clear, sign-in included");
            Some(setting.finding(cause).fix("or write ldap_id_use_start_tls = true").fix(fix))
        }
        Plain::Unsaid => {
            let cause = format!("in the clear to {name}, unless the application asks for StartTLS");
            Some(setting.finding(cause).warning().likely().fix(fix))
        }
    }
}

/// Verification that is switched off, in whichever words.
fn unverified(setting: &Setting, right: &str) -> Finding {
    setting
        .finding("any server is believed: certificates are not verified")
        .fix(right.to_owned())
        .fix("what is said below is what the verification would have said")
}

/// There are more servers than are looked at.
pub(crate) fn left_out(setting: &Setting, more: usize) -> Finding {
    let cause = format!("{more} servers are not looked at: no more than {SERVERS_MAX} are");
    setting.finding(cause).warning().fix("look at them by themselves: chancery doctor NAME")
}

/// Without a CA of its own: the build of the library decides.
fn no_store(place: &str, name: &str) -> Finding {
    let cause = format!("{place} names no CA: which ones are believed is up to the library");
    Finding::new("CONFIG", Layer::Config, cause)
        .warning()
        .likely()
        .seen("the system's CAs were used here")
        .fix(format!("write {name} with the file of the CA that issued the certificate"))
}

/// A name whose value is a secret, whatever it is called in detail.
fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["password", "passwd", "authtok", "bindpw", "credentials", "secret", "rootpw"]
        .iter()
        .any(|word| name.contains(word))
}

#[cfg(test)]
mod tests;
