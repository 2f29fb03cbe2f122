//! What is wrong behind TLS that stands: sign-ins, searches, idle connections, clocks.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use anyhow::Result;

use crate::lab::certificates::{GOOD, Material};
use crate::lab::stacks::{self, Slapd, admin};
use crate::lab::{Fault, Lab, NAME, PASSWORD, SUFFIX, Setup};
use crate::peers::chancery;
use crate::peers::{self, port};

pub(super) fn faults() -> Vec<Fault> {
    let mut all = sign_ins();
    all.extend(searches());
    all.extend(connections());
    all.extend(clocks());
    all.extend(own());
    all
}

/// A file that holds a password, as the doctor wants it.
pub fn password(lab: &Lab, text: &str) -> Result<PathBuf> {
    let file = lab.folder("password")?.join("password");
    std::fs::write(&file, text)?;
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600))?;
    Ok(file)
}

fn slapd(lab: &Lab, how: &Slapd<'_>, material: &Material) -> Result<Setup> {
    let how = Slapd {
        material: Some(material),
        global: how.global,
        database: how.database,
        ldif: how.ldif,
        machine: None,
    };
    Ok(stacks::slapd(lab, &how)?.looked_at(material))
}

/// What an application is: whom it signs in as, with what, and what it looks for.
struct Tries<'a> {
    who: Option<(&'a str, &'a str)>,
    base: &'a str,
    filter: &'a str,
}

fn tried(lab: &Lab, how: &Slapd<'_>, tries: &Tries<'_>) -> Result<Setup> {
    let material = GOOD.make(lab)?;
    let mut setup = slapd(lab, how, &material)?;
    if let Some((who, secret)) = tries.who {
        let file = password(lab, secret)?.display().to_string();
        setup = setup.and(&["--as", who, "--password-file", &file]);
    }
    Ok(setup.and(&["--base", tries.base, "--filter", tries.filter]))
}

fn sign_ins() -> Vec<Fault> {
    let as_admin = |lab: &Lab, who: &str, secret: &str| {
        let tries = Tries { who: Some((who, secret)), base: SUFFIX, filter: "(dc=corp)" };
        tried(lab, &Slapd::default(), &tries)
    };
    let right = move |lab: &Lab| as_admin(lab, &admin(), PASSWORD);
    vec![
        Fault::new("wrong-password", "slapd", "AUTH", move |lab| as_admin(lab, &admin(), "wrong"))
            .mended(right),
        Fault::new("nobody-of-that-name", "slapd", "AUTH", move |lab| {
            as_admin(lab, "cn=nobody,dc=corp,dc=example", PASSWORD)
        })
        .mended(right),
        // Samba knows no channel binding: what Active Directory answers, said by another.
        Fault::new("channel-binding", "java", "CBT", |lab| bound(lab, Some("80090346")))
            .mended(|lab| bound(lab, None)),
        Fault::new("tls-ends-before-it", "stunnel", "SIGNING-REQUIRED", |lab| {
            let (material, file) = (GOOD.make(lab)?, password(lab, PASSWORD)?);
            let how = Slapd { global: "security simple_bind=128", ..Slapd::default() };
            let behind = stacks::slapd(lab, &how)?;
            let served = stacks::stunnel(lab, &material, behind.ldap, "")?.with(behind);
            let (who, file) = (admin(), file.display().to_string());
            Ok(served.looked_at(&material).and(&["--as", &who, "--password-file", &file]))
        })
        .mended(move |lab| {
            let how = Slapd { global: "security simple_bind=128", ..Slapd::default() };
            let (who, filter) = (admin(), "(dc=corp)");
            let tries = Tries { who: Some((&who, PASSWORD)), base: SUFFIX, filter };
            tried(lab, &how, &tries)
        }),
        Fault::new("no-name-at-all", "slapd", "AUTH", move |lab| as_admin(lab, "admin", PASSWORD))
            .mended(right),
    ]
}

/// A sign-in that is refused with a code of Active Directory's, or not at all.
fn bound(lab: &Lab, code: Option<&str>) -> Result<Setup> {
    let (material, file) = (GOOD.make(lab)?, password(lab, PASSWORD)?.display().to_string());
    let said = code.map(|code| {
        format!(
            "bind=49,{code}: LdapErr: DSID-0C090597, comment: AcceptSecurityContext error, \
             data {code}, v4563"
        )
    });
    let served =
        stacks::java(lab, &material, &said.iter().map(String::as_str).collect::<Vec<_>>())?;
    Ok(served.looked_at(&material).and(&["--as", "anna@corp.example", "--password-file", &file]))
}

fn searches() -> Vec<Fault> {
    const ACCESS: &str = "access to * by * read";
    const PEOPLE: &str = "dn: cn=one,dc=corp,dc=example\nobjectClass: organizationalRole\ncn: one\n\n\
        dn: cn=two,dc=corp,dc=example\nobjectClass: organizationalRole\ncn: two\n\n\
        dn: cn=three,dc=corp,dc=example\nobjectClass: organizationalRole\ncn: three\n\n";
    const REFERRAL: &str = "dn: ou=elsewhere,dc=corp,dc=example\nobjectClass: referral\n\
        objectClass: extensibleObject\nou: elsewhere\n\
        ref: ldap://dc9.corp.example/ou=elsewhere,dc=corp,dc=example\n\n\
        dn: ou=here,dc=corp,dc=example\nobjectClass: organizationalUnit\nou: here\n\n";
    let searched =
        |lab: &Lab, database: &'static str, ldif: &'static str, base: &str, filter: &str| {
            let how = Slapd { database, ldif, ..Slapd::default() };
            tried(lab, &how, &Tries { who: None, base, filter })
        };
    let all = "(objectClass=*)";
    vec![
        Fault::new("no-such-base", "slapd", "SEARCH-SHAPE", move |lab| {
            searched(lab, ACCESS, "", "ou=none,dc=corp,dc=example", all)
        })
        .mended(move |lab| searched(lab, ACCESS, "", SUFFIX, all)),
        Fault::new("another-suffix", "slapd", "SEARCH-SHAPE", move |lab| {
            searched(lab, ACCESS, "", "dc=other,dc=example", all)
        })
        .mended(move |lab| searched(lab, ACCESS, "", SUFFIX, all)),
        Fault::new("finds-nothing", "slapd", "SEARCH-SHAPE", move |lab| {
            searched(lab, ACCESS, "", SUFFIX, "(sAMAccountName=anna)")
        })
        .mended(move |lab| searched(lab, ACCESS, "", SUFFIX, "(dc=corp)")),
        Fault::new("may-not-read", "slapd", "SEARCH-SHAPE", move |lab| {
            searched(lab, "access to * by users read by anonymous none", "", SUFFIX, all)
        })
        .mended(move |lab| searched(lab, ACCESS, "", SUFFIX, all)),
        Fault::new("must-sign-in-first", "slapd", "SEARCH-SHAPE", move |lab| {
            searched(lab, "require authc", "", SUFFIX, all)
        })
        .mended(move |lab| {
            let tries = Tries { who: Some((&admin(), PASSWORD)), base: SUFFIX, filter: all };
            tried(lab, &Slapd { database: "require authc", ..Slapd::default() }, &tries)
        }),
        Fault::new("size-limit", "slapd", "SEARCH-SHAPE", move |lab| {
            searched(lab, "sizelimit 2", PEOPLE, SUFFIX, all)
        })
        .mended(move |lab| searched(lab, "sizelimit 2", PEOPLE, SUFFIX, "(cn=two)")),
        Fault::new("size-limit-without-pages", "slapd", "SEARCH-SHAPE", move |lab| {
            let limits = "limits * size.soft=2 size.hard=2 size.prtotal=unlimited";
            searched(lab, limits, PEOPLE, SUFFIX, all)
        })
        .mended(move |lab| searched(lab, "sizelimit unlimited", PEOPLE, SUFFIX, all)),
        Fault::new("reference-elsewhere", "slapd", "REFERRAL", move |lab| {
            searched(lab, ACCESS, REFERRAL, SUFFIX, all)
        })
        .mended(move |lab| searched(lab, ACCESS, REFERRAL, "ou=here,dc=corp,dc=example", all)),
    ]
}

fn connections() -> Vec<Fault> {
    let idle = |lab: &Lab, global: &'static str| -> Result<Setup> {
        let material = GOOD.make(lab)?;
        let how = Slapd { global, ..Slapd::default() };
        Ok(slapd(lab, &how, &material)?.and(&["--idle", "4"]))
    };
    vec![
        Fault::new("idle-timeout", "slapd", "IDLE-DROP", move |lab| idle(lab, "idletimeout 1"))
            .mended(move |lab| idle(lab, "idletimeout 0")),
        Fault::new("signs-in-without-tls", "slapd", "SIGNING-REQUIRED", |lab| {
            in_the_clear(lab, "security simple_bind=128")
        })
        .mended(|lab| with_start_tls(lab, "security simple_bind=128")),
        Fault::new("passwords-without-tls", "slapd", "CLEAR-PASSWORDS", |lab| {
            in_the_clear(lab, "")
        })
        .mended(|lab| with_start_tls(lab, "")),
    ]
}

fn with_start_tls(lab: &Lab, global: &str) -> Result<Setup> {
    let material = GOOD.make(lab)?;
    let how = Slapd { material: Some(&material), global, ..Slapd::default() };
    let served = stacks::slapd(lab, &how)?;
    let (target, address) =
        (format!("ldap://{NAME}:{}", served.ldap), format!("127.0.0.1:{}", served.ldap));
    let ca = material.ca.display().to_string();
    let mut setup = Setup::asked(&[&target, "--address", &address, "--ca", &ca]);
    setup.held = served.held;
    Ok(setup)
}

fn in_the_clear(lab: &Lab, global: &str) -> Result<Setup> {
    Ok(with_start_tls(lab, global)?.and(&["--in-the-clear"]))
}

/// The doctor under another clock than the server's.
fn clocks() -> Vec<Fault> {
    let at = |lab: &Lab, time: &str| -> Result<Setup> {
        let material = GOOD.make(lab)?;
        let mut setup = slapd(lab, &Slapd::default(), &material)?;
        if !time.is_empty() {
            setup = setup.under_clock(time);
        }
        Ok(setup)
    };
    vec![
        Fault::new("a-clock-of-2019", "slapd", "CLOCK", move |lab| at(lab, "@2019-05-05 12:00:00"))
            .mended(move |lab| at(lab, "")),
        Fault::new("a-clock-of-1970", "slapd", "CLOCK", move |lab| at(lab, "@1970-01-02 00:00:00"))
            .mended(move |lab| at(lab, "")),
        // Nothing tells this from a certificate that has expired: it is told beside it.
        Fault::new("a-clock-two-years-ahead", "slapd", "CLOCK", move |lab| at(lab, "+800d"))
            .mended(move |lab| at(lab, "")),
    ]
}

/// Chancery itself, as it stands after its first start.
fn own() -> Vec<Fault> {
    let asked = |lab: &Lab, with_ca: bool, name: &str, clear: bool| -> Result<Setup> {
        let _ = lab;
        let server = chancery::start()?;
        let uri = if clear { &server.ldap } else { &server.ldaps };
        let (target, address) =
            (format!("ldaps://{name}:{}", port(uri)), format!("127.0.0.1:{}", port(uri)));
        let mut setup = Setup::asked(&[&target, "--address", &address]);
        if with_ca {
            setup = setup.and(&["--ca", &server.ca.display().to_string()]);
        }
        Ok(setup.holding(server))
    };
    let good = move |lab: &Lab| asked(lab, true, "localhost", false);
    let signed_in = |lab: &Lab, secret: Option<&str>, base: &str| -> Result<Setup> {
        let server = chancery::start()?;
        let secret = match secret {
            Some(secret) => secret.to_owned(),
            None => server.password()?,
        };
        let file = password(lab, &secret)?.display().to_string();
        let ca = server.ca.display().to_string();
        let setup = Setup::asked(&[&server.ldaps, "--ca", &ca, "--as", &server.admin]);
        let more = ["--password-file", &file, "--base", base, "--filter", "(objectClass=*)"];
        Ok(setup.and(&more).holding(server))
    };
    vec![
        Fault::new("its-ca-is-not-known", "own", "TRUST-CA", move |lab| {
            asked(lab, false, "localhost", false)
        })
        .mended(good),
        Fault::new("another-name", "own", "NAME-MISMATCH", move |lab| {
            asked(lab, true, NAME, false)
        })
        .mended(good),
        Fault::new("ldaps-on-389", "own", "SCHEME-MIX", move |lab| {
            asked(lab, true, "localhost", true)
        })
        .mended(good),
        Fault::new("wrong-password", "own", "AUTH", move |lab| {
            signed_in(lab, Some("wrong"), peers::SUFFIX)
        })
        .mended(move |lab| signed_in(lab, None, peers::SUFFIX)),
        Fault::new("no-such-base", "own", "SEARCH-SHAPE", move |lab| {
            signed_in(lab, None, "ou=none,dc=example,dc=com")
        })
        .mended(move |lab| signed_in(lab, None, peers::SUFFIX)),
    ]
}
