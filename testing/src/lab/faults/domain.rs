//! A domain controller, as Samba has it: its own certificate, what it says of sign-ins, its clock.

use anyhow::Result;

use super::directories::password;
use crate::lab::certificates::{FAKETIME, GOOD, Variant};
use crate::lab::stacks::samba::{self, ADMIN, Settings};
use crate::lab::{Fault, Lab, PASSWORD, SUFFIX, Setup};

pub(super) fn faults() -> Vec<Fault> {
    let mut all = certificates();
    all.extend(sign_ins());
    all.extend(others());
    all.into_iter().map(Fault::on_machines).collect()
}

fn served(lab: &Lab, variant: &Variant, global: &str, more: &[&str]) -> Result<Setup> {
    let material = variant.make(lab)?;
    let how = Settings { material: Some(&material), global, changes: "" };
    Ok(samba::serve(lab, &how)?.looked_at(more))
}

fn good(lab: &Lab) -> Result<Setup> {
    served(lab, &GOOD, "", &[])
}

const CERTIFICATES: &[&str] = &[
    "expired",
    "not-yet",
    "other-name",
    "domain-name",
    "clients-only",
    "issuing-not-sent",
    "other-ca",
    "sha1",
];

fn certificates() -> Vec<Fault> {
    let mut all: Vec<Fault> = CERTIFICATES
        .iter()
        .map(|id| {
            let variant = Variant::named(id);
            Fault::new(*id, "samba", variant.cause, move |lab| served(lab, &variant, "", &[]))
                .mended(good)
        })
        .collect();
    all.push(
        Fault::new("the-certificate-of-its-own", "samba", "CERT-NO-SAN", |lab| {
            Ok(samba::serve(lab, &Settings::default())?.looked_at(&[]))
        })
        .mended(good),
    );
    all.push(
        Fault::new("tls-switched-off", "samba", "TCP-REFUSED", |lab| {
            served(lab, &GOOD, "tls enabled = no", &[])
        })
        .mended(good),
    );
    all
}

fn signed_in(lab: &Lab, who: &str, secret: &str) -> Result<Setup> {
    let file = password(lab, secret)?.display().to_string();
    let how = ["--as", who, "--password-file", &file];
    let what = ["--base", "CN=Users,DC=corp,DC=example", "--filter", "(cn=anna)"];
    served(lab, &GOOD, "", &[how, what].concat())
}

/// The fix is another person's work: here, that of somebody who may sign in.
fn sign_ins() -> Vec<Fault> {
    let fault = |id: &str, cause, who: &'static str, secret: &'static str| {
        Fault::new(id, "samba", cause, move |lab| signed_in(lab, who, secret))
            .mended(|lab| signed_in(lab, ADMIN, PASSWORD))
    };
    vec![
        fault("wrong-password", "AUTH-SUBCODE", samba::ANNA, "wrong"),
        fault("nobody-of-that-name", "AUTH-SUBCODE", "nobody@corp.example", PASSWORD),
        fault("disabled", "AUTH-SUBCODE", samba::DISABLED, PASSWORD),
        fault("account-expired", "AUTH-SUBCODE", samba::EXPIRED, PASSWORD),
        fault("must-change-password", "AUTH-SUBCODE", samba::MUST_CHANGE, PASSWORD),
        fault("locked-out", "AUTH-SUBCODE", samba::LOCKED, PASSWORD),
        fault("password-ended", "AUTH-SUBCODE", samba::PASSWORD_ENDED, PASSWORD),
        fault("only-elsewhere", "AUTH-SUBCODE", samba::ONLY_ELSEWHERE, PASSWORD),
        fault("not-at-this-hour", "AUTH-SUBCODE", samba::NEVER_AT_THIS_HOUR, PASSWORD),
    ]
}

/// How long a domain lets a silent connection be: two seconds.
const IDLE: &str = "dn: CN=Default Query Policy,CN=Query-Policies,CN=Directory Service,\
    CN=Windows NT,CN=Services,CN=Configuration,DC=corp,DC=example\nchangetype: modify\n\
    replace: lDAPAdminLimits\nlDAPAdminLimits: MaxConnIdleTime=2\n";

fn others() -> Vec<Fault> {
    let searched = |lab: &Lab, base: &str| -> Result<Setup> {
        let file = password(lab, PASSWORD)?.display().to_string();
        let how = ["--as", ADMIN, "--password-file", &file];
        let what = ["--base", base, "--filter", "(objectClass=user)"];
        served(lab, &GOOD, "", &[how, what].concat())
    };
    let at = |lab: &Lab, time: &str| -> Result<Setup> {
        let mut setup = good(lab)?;
        if !time.is_empty() {
            let set = [
                ("LD_PRELOAD", FAKETIME),
                ("FAKETIME", time),
                ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
            ];
            let set = set.map(|(name, value)| (name.to_owned(), value.to_owned()));
            setup.environment.extend(set);
        }
        Ok(setup)
    };
    let idle = |lab: &Lab, changes: &str| -> Result<Setup> {
        let material = GOOD.make(lab)?;
        let how = Settings { material: Some(&material), global: "", changes };
        Ok(samba::serve(lab, &how)?.looked_at(&["--idle", "5"]))
    };
    vec![
        Fault::new("idle-policy", "samba", "IDLE-DROP", move |lab| idle(lab, IDLE))
            .mended(move |lab| idle(lab, "")),
        Fault::new("tls-1.1", "samba", "TLS-VERSION", |lab| {
            served(lab, &GOOD, "tls priority = NORMAL:-VERS-ALL:+VERS-TLS1.1", &[])
        })
        .mended(good),
        Fault::new("references-of-a-domain", "samba", "REFERRAL", move |lab| searched(lab, SUFFIX))
            .mended(move |lab| searched(lab, "CN=Users,DC=corp,DC=example")),
        Fault::new("searches-as-nobody", "samba", "SEARCH-SHAPE", |lab| {
            served(lab, &GOOD, "", &["--base", SUFFIX, "--filter", "(cn=anna)"])
        })
        .mended(move |lab| searched(lab, "CN=Users,DC=corp,DC=example")),
        Fault::new("signs-in-without-tls", "samba", "SIGNING-REQUIRED", |lab| {
            served(lab, &GOOD, "", &["--in-the-clear"])
        })
        .mended(good),
        Fault::new("a-clock-two-years-ahead", "samba", "CLOCK", move |lab| at(lab, "+800d"))
            .mended(move |lab| at(lab, "")),
        Fault::new("a-clock-a-day-behind", "samba", "CLOCK", move |lab| at(lab, "-25h"))
            .mended(move |lab| at(lab, "")),
        Fault::new("a-clock-ten-minutes-ahead", "samba", "CLOCK", move |lab| at(lab, "+10m"))
            .mended(move |lab| at(lab, "")),
    ]
}
