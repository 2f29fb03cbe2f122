//! Certificates with one fault, shown by every TLS there is.

use anyhow::Result;

use crate::lab::certificates::{ALL, GOOD, Variant};
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
    all
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
