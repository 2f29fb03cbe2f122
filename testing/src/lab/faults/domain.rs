//! A domain controller, as Samba has it: its own certificate, what it says of sign-ins, its clock.

use anyhow::Result;

use super::directories::password;
use crate::lab::certificates::{GOOD, Variant};
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
    let how = Settings { material: Some(&material), global, ..Settings::default() };
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

fn signed_in(lab: &Lab, who: &str, secret: &str, commands: &str, changes: &str) -> Result<Setup> {
    let material = GOOD.make(lab)?;
    let how = Settings { material: Some(&material), global: "", commands, changes };
    let file = password(lab, secret)?.display().to_string();
    let sign_in = ["--as", who, "--password-file", &file];
    let search = ["--base", "CN=Users,DC=corp,DC=example", "--filter", "(cn=anna)"];
    Ok(samba::serve(lab, &how)?.looked_at(&[sign_in, search].concat()))
}

/// Somebody who cannot sign in, and what an administrator does about it.
struct Refused {
    id: &'static str,
    who: &'static str,
    commands: &'static str,
    changes: &'static str,
}

const REFUSED: &[Refused] = &[
    Refused {
        id: "530-not-at-this-hour",
        who: samba::NEVER_AT_THIS_HOUR,
        commands: "",
        changes: "dn: CN=nohours,CN=Users,DC=corp,DC=example\nchangetype: modify\n\
                  delete: logonHours\n",
    },
    Refused {
        id: "531-not-from-this-machine",
        who: samba::ELSEWHERE_ONLY,
        commands: "",
        changes: "dn: CN=elsewhere,CN=Users,DC=corp,DC=example\nchangetype: modify\n\
                  delete: userWorkstations\n",
    },
    Refused {
        id: "532-password-too-old",
        who: samba::PASSWORD_TOO_OLD,
        commands: "user setpassword tooold --newpassword=Passw0rd-of-the-lab",
        changes: "",
    },
    Refused {
        id: "533-disabled",
        who: samba::DISABLED,
        commands: "user enable disabled",
        changes: "",
    },
    Refused {
        id: "701-account-expired",
        who: samba::EXPIRED,
        commands: "user setexpiry expired --noexpiry",
        changes: "",
    },
    Refused {
        id: "773-must-change-password",
        who: samba::MUST_CHANGE,
        commands: "user setpassword mustchange --newpassword=Passw0rd-of-the-lab",
        changes: "",
    },
    Refused {
        id: "775-locked-out",
        who: samba::LOCKED,
        commands: "user unlock locked",
        changes: "",
    },
];

fn sign_ins() -> Vec<Fault> {
    let wrong = |id: &str, who: &'static str, secret: &'static str| {
        Fault::new(id, "samba", "AUTH-SUBCODE", move |lab| signed_in(lab, who, secret, "", ""))
            .mended(|lab| signed_in(lab, samba::ANNA, PASSWORD, "", ""))
    };
    let refused = |one: &'static Refused| {
        Fault::new(one.id, "samba", "AUTH-SUBCODE", |lab| signed_in(lab, one.who, PASSWORD, "", ""))
            .mended(|lab| signed_in(lab, one.who, PASSWORD, one.commands, one.changes))
    };
    let mut all: Vec<Fault> = REFUSED.iter().map(refused).collect();
    all.push(wrong("52e-wrong-password", samba::ANNA, "wrong"));
    all.push(wrong("52e-nobody-of-that-name", "nobody@corp.example", PASSWORD));
    all
}

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
            setup = setup.under_clock(time);
        }
        Ok(setup)
    };
    const IDLE: &str = "dn: CN=Default Query Policy,CN=Query-Policies,CN=Directory Service,\
        CN=Windows NT,CN=Services,CN=Configuration,DC=corp,DC=example\nchangetype: modify\n\
        replace: lDAPAdminLimits\nlDAPAdminLimits: MaxConnIdleTime=2\n";
    let idle = |lab: &Lab, changes: &str| -> Result<Setup> {
        let material = GOOD.make(lab)?;
        let how = Settings { material: Some(&material), changes, ..Settings::default() };
        Ok(samba::serve(lab, &how)?.looked_at(&["--idle", "5"]))
    };
    const OLD: &str = "tls priority = NORMAL:-VERS-ALL:+VERS-TLS1.1";
    vec![
        Fault::new("idle-policy", "samba", "IDLE-DROP", move |lab| idle(lab, IDLE))
            .mended(move |lab| idle(lab, "")),
        Fault::new("tls-1.1", "samba", "TLS-VERSION", |lab| served(lab, &GOOD, OLD, &[]))
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
