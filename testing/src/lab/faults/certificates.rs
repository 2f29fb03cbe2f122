//! Certificates with one fault, shown by every TLS there is.

use std::sync::{Arc, OnceLock};

use anyhow::Result;

use crate::lab::certificates::{ALL, GOOD, Material, Variant, revocations};
use crate::lab::listeners::{self, Listener};
use crate::lab::stacks::{self, Slapd, backend};
use crate::lab::{Fault, Lab, Setup};

/// Which faults each can show: all, but where it says why not.
pub(super) fn faults() -> Vec<Fault> {
    let mut all = Vec::new();
    for variant in ALL {
        // GnuTLS sorts what it is given before it sends it, and does not use a short key.
        if !["disordered", "short-key"].contains(&variant.id) {
            all.push(fault(variant, "slapd", slapd));
        }
        all.push(fault(variant, "nginx", nginx));
        // The rest of OpenSSL is the same.
        if ["expired", "not-yet", "subject-only", "issuing-not-sent"].contains(&variant.id) {
            all.push(fault(variant, "stunnel", stunnel));
        }
        // Each one is a process of Java's size.
        let some = ["expired", "other-name", "subject-only", "issuing-not-sent", "other-ca"];
        if some.contains(&variant.id) || ["sha1", "clients-only"].contains(&variant.id) {
            all.push(fault(variant, "java", java));
        }
    }
    all.extend(published());
    for (stack, serve) in [("slapd", before_itself as Shown), ("nginx", before_itself_nginx)] {
        all.push(
            Fault::new("signed-itself", stack, "TRUST-CA", move |lab| serve(lab, false))
                .mended(move |lab| serve(lab, true)),
        );
    }
    all
}

type Shown = fn(&Lab, bool) -> Result<Setup>;

/// A certificate that signed itself, and whether it is trusted.
fn itself(lab: &Lab, is_trusted: bool) -> Result<Material> {
    let material = Variant::by_itself(lab)?;
    let ca = if is_trusted { material.own.clone() } else { material.ca.clone() };
    Ok(Material { ca, ..material })
}

fn before_itself(lab: &Lab, is_trusted: bool) -> Result<Setup> {
    let material = itself(lab, is_trusted)?;
    let how = Slapd { material: Some(&material), ..Slapd::default() };
    Ok(stacks::slapd(lab, &how)?.looked_at(&material))
}

fn before_itself_nginx(lab: &Lab, is_trusted: bool) -> Result<Setup> {
    let (material, behind) = (itself(lab, is_trusted)?, backend(lab)?);
    Ok(stacks::nginx(lab, &material, behind.ldap, "")?.with(behind).looked_at(&material))
}

/// What certificates point to, on a web server: lists of what was revoked, the CA above.
fn published() -> Vec<Fault> {
    vec![
        Fault::new("revoked", "slapd", "REVOKED", |lab| listed(lab, Some((true, 2))))
            .mended(|lab| listed(lab, Some((false, 2)))),
        Fault::new("revoked-in-version-1", "slapd", "REVOKED", |lab| listed(lab, Some((true, 1))))
            .mended(|lab| listed(lab, Some((false, 1)))),
        Fault::new("no-list", "slapd", "REVOCATION", |lab| listed(lab, None))
            .mended(|lab| listed(lab, Some((false, 2)))),
        Fault::new("issuing-not-sent-but-published", "slapd", "TRUST-CHAIN", |lab| {
            let content = Arc::new(OnceLock::new());
            let web = Listener::start(listeners::publishes(Arc::clone(&content)))?;
            let more = format!("authorityInfoAccess=caIssuers;URI:http://{}/ca.crt\n", web.address);
            let material = Variant::named("issuing-not-sent").make_with(lab, &more)?;
            let issuing = std::fs::read(material.own.with_file_name("issuing.pem"))?;
            let _ = content.set(issuing);
            let how = Slapd { material: Some(&material), ..Slapd::default() };
            Ok(stacks::slapd(lab, &how)?.looked_at(&material).holding(web))
        })
        .mended(|lab| slapd(lab, &GOOD)),
    ]
}

/// slapd, whose certificate has been revoked or not, in a list of this version; or there is none.
fn listed(lab: &Lab, list: Option<(bool, u8)>) -> Result<Setup> {
    let content = Arc::new(OnceLock::new());
    let web = Listener::start(listeners::publishes(Arc::clone(&content)))?;
    let more = format!("crlDistributionPoints=URI:http://{}/list.crl\n", web.address);
    let material = GOOD.make_with(lab, &more)?;
    if let Some((is_revoked, version)) = list {
        let _ = content.set(revocations(&material, is_revoked, version)?);
    }
    let how = Slapd { material: Some(&material), ..Slapd::default() };
    Ok(stacks::slapd(lab, &how)?.looked_at(&material).and(&["--revocation"]).holding(web))
}

type Serve = fn(&Lab, &Variant) -> Result<Setup>;

/// The fix of each is another certificate: the good one.
fn fault(variant: &'static Variant, stack: &'static str, serve: Serve) -> Fault {
    let seed = move |lab: &Lab| serve(lab, variant);
    Fault::new(variant.id, stack, variant.cause, seed).mended(move |lab| serve(lab, &GOOD))
}

fn slapd(lab: &Lab, variant: &Variant) -> Result<Setup> {
    let material = variant.make(lab)?;
    // Weak ones are served by those who do not mind.
    let how = Slapd { material: Some(&material), ..Slapd::default() };
    Ok(stacks::slapd(lab, &how)?.looked_at(&material))
}

fn nginx(lab: &Lab, variant: &Variant) -> Result<Setup> {
    let material = variant.make(lab)?;
    let behind = backend(lab)?;
    Ok(stacks::nginx(lab, &material, behind.ldap, "")?.with(behind).looked_at(&material))
}

fn stunnel(lab: &Lab, variant: &Variant) -> Result<Setup> {
    let material = variant.make(lab)?;
    let behind = backend(lab)?;
    Ok(stacks::stunnel(lab, &material, behind.ldap, "")?.with(behind).looked_at(&material))
}

fn java(lab: &Lab, variant: &Variant) -> Result<Setup> {
    let material = variant.make(lab)?;
    Ok(stacks::java(lab, &material, &[])?.looked_at(&material))
}
