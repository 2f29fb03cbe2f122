//! 389 Directory Server, whose TLS is NSS.

use anyhow::Result;

use super::directories::password;
use crate::lab::certificates::{GOOD, Material, Variant};
use crate::lab::stacks::Served;
use crate::lab::stacks::ds389::{self, ADMIN, Settings};
use crate::lab::{Fault, Lab, NAME, PASSWORD, Setup};

pub(super) fn faults() -> Vec<Fault> {
    let ids = [
        "expired",
        "not-yet",
        "other-name",
        "subject-only",
        "clients-only",
        "issuing-not-sent",
        "other-ca",
        "sha1",
        "ends-soon",
        "a-ca-as-server",
    ];
    let mut all: Vec<Fault> = ids
        .into_iter()
        .map(|id| {
            let variant = Variant::named(id);
            Fault::new(id, "389", variant.cause, move |lab| {
                served(lab, &variant, Settings::default())
            })
            .mended(good)
        })
        .collect();
    all.extend(settings());
    all.extend(searches());
    all
}

fn served(lab: &Lab, variant: &Variant, how: Settings) -> Result<Setup> {
    let material = variant.make(lab)?;
    Ok(ds389::serve(lab, &material, how)?.looked_at(&material))
}

fn good(lab: &Lab) -> Result<Setup> {
    served(lab, &GOOD, Settings::default())
}

fn with_start_tls(served: Served, material: &Material, more: &[&str]) -> Setup {
    let (target, address) =
        (format!("ldap://{NAME}:{}", served.ldap), format!("127.0.0.1:{}", served.ldap));
    let ca = material.ca.display().to_string();
    let mut setup = Setup::asked(&[&target, "--address", &address, "--ca", &ca]).and(more);
    setup.held = served.held;
    setup
}

fn settings() -> Vec<Fault> {
    const DEMANDED: Settings =
        Settings { config: "", encryption: "nsSSLClientAuth: required", without_tls: false };
    const OLD: Settings = Settings {
        config: "",
        encryption: "nsSSLClientAuth: allowed\nsslVersionMin: TLS1.0\nsslVersionMax: TLS1.1\n\
                     allowWeakCipher: on\nnsSSL3Ciphers: +all",
        without_tls: false,
    };
    const SECURE: Settings =
        Settings { config: "nsslapd-require-secure-binds: on", encryption: "", without_tls: false };
    const OFF: Settings = Settings { config: "", encryption: "", without_tls: true };
    let signed_in = |lab: &Lab, secret: &str| -> Result<Setup> {
        let file = password(lab, secret)?.display().to_string();
        let how = ["--as", ADMIN, "--password-file", &file];
        Ok(good(lab)?.and(&how).and(&["--base", "cn=config", "--filter", "(cn=config)"]))
    };
    let protected = |lab: &Lab, more: &[&str]| -> Result<Setup> {
        let how = Settings { config: "nsslapd-minssf: 128", encryption: "", without_tls: false };
        let material = GOOD.make(lab)?;
        Ok(with_start_tls(ds389::serve(lab, &material, how)?, &material, more))
    };
    let in_the_clear = |lab: &Lab, more: &[&str]| -> Result<Setup> {
        let material = GOOD.make(lab)?;
        Ok(with_start_tls(ds389::serve(lab, &material, SECURE)?, &material, more))
    };
    vec![
        Fault::new("client-certificates", "389", "MTLS", |lab| served(lab, &GOOD, DEMANDED))
            .mended(good),
        Fault::new("tls-1.1", "389", "TLS-VERSION", |lab| served(lab, &GOOD, OLD)).mended(good),
        Fault::new("tls-switched-off", "389", "TCP-REFUSED", |lab| served(lab, &GOOD, OFF))
            .mended(good),
        Fault::new("ldaps-on-389", "389", "SCHEME-MIX", |lab| {
            let material = GOOD.make(lab)?;
            let served = ds389::serve(lab, &material, Settings::default())?;
            Ok(Served { ldaps: served.ldap, ..served }.looked_at(&material))
        })
        .mended(good),
        Fault::new("starttls-on-636", "389", "SCHEME-MIX", |lab| {
            let material = GOOD.make(lab)?;
            let served = ds389::serve(lab, &material, Settings::default())?;
            let served = Served { ldap: served.ldaps, ..served };
            Ok(with_start_tls(served, &material, &[]))
        })
        .mended(good),
        Fault::new("needs-protection", "389", "SIGNING-REQUIRED", move |lab| {
            protected(lab, &["--in-the-clear"])
        })
        .mended(move |lab| protected(lab, &[])),
        Fault::new("wrong-password", "389", "AUTH", move |lab| signed_in(lab, "wrong"))
            .mended(move |lab| signed_in(lab, PASSWORD)),
        Fault::new("signs-in-without-tls", "389", "SIGNING-REQUIRED", move |lab| {
            in_the_clear(lab, &["--in-the-clear"])
        })
        .mended(move |lab| in_the_clear(lab, &[])),
    ]
}

fn searches() -> Vec<Fault> {
    let searched = |lab: &Lab, base: &str| -> Result<Setup> {
        let file = password(lab, PASSWORD)?.display().to_string();
        let how = ["--as", ADMIN, "--password-file", &file];
        Ok(good(lab)?.and(&how).and(&["--base", base, "--filter", "(cn=config)"]))
    };
    vec![
        Fault::new("no-such-base", "389", "SEARCH-SHAPE", move |lab| {
            searched(lab, "cn=none,cn=config")
        })
        .mended(move |lab| searched(lab, "cn=config")),
        Fault::new("must-sign-in-first", "389", "SEARCH-SHAPE", |lab| {
            let how = Settings {
                config: "nsslapd-allow-anonymous-access: rootdse",
                ..Settings::default()
            };
            let what = ["--base", "cn=config", "--filter", "(cn=config)"];
            Ok(served(lab, &GOOD, how)?.and(&what))
        })
        .mended(move |lab| searched(lab, "cn=config")),
    ]
}
