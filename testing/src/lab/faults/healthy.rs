//! Servers that are well: nothing may be said against them.

use crate::lab::certificates::{GOOD, GOOD_RSA, Variant};
use crate::lab::stacks::{self, Slapd, backend};
use crate::lab::{Fault, Lab, Setup};
use crate::peers::chancery;

/// Each with its own TLS, in versions and keys of several kinds.
pub fn healthy() -> Vec<Fault> {
    let mut all = Vec::new();
    for (id, variant) in [("ecdsa", GOOD), ("rsa", GOOD_RSA)] {
        all.push(slapd(format!("{id}-1.3"), variant, ""));
        let only = "TLSCipherSuite NORMAL:-VERS-ALL:+VERS-TLS1.2";
        all.push(slapd(format!("{id}-1.2"), variant, only));
        for version in ["TLSv1.2", "TLSv1.3"] {
            all.push(nginx(format!("{id}-{version}"), variant, version));
        }
        all.push(java(format!("{id}-1.3"), variant));
        all.push(ds389(format!("{id}-1.3"), variant));
        all.push(domain(format!("{id}-1.3"), variant));
    }
    all.push(own());
    all
}

fn slapd(id: String, variant: Variant, global: &'static str) -> Fault {
    Fault::new(id, "slapd", "", move |lab: &Lab| {
        let material = variant.make(lab)?;
        let how = Slapd { material: Some(&material), global, ..Slapd::default() };
        Ok(stacks::slapd(lab, &how)?.looked_at(&material))
    })
}

fn nginx(id: String, variant: Variant, version: &'static str) -> Fault {
    Fault::new(id, "nginx", "", move |lab: &Lab| {
        let material = variant.make(lab)?;
        let behind = backend(lab)?;
        let more = format!("ssl_protocols {version};");
        Ok(stacks::nginx(lab, &material, behind.ldap, &more)?.with(behind).looked_at(&material))
    })
}

fn java(id: String, variant: Variant) -> Fault {
    Fault::new(id, "java", "", move |lab: &Lab| {
        let material = variant.make(lab)?;
        Ok(stacks::java(lab, &material, &[])?.looked_at(&material))
    })
}

fn ds389(id: String, variant: Variant) -> Fault {
    Fault::new(id, "389", "", move |lab: &Lab| {
        let material = variant.make(lab)?;
        let served = stacks::ds389::serve(lab, &material, stacks::ds389::Settings::default())?;
        Ok(served.looked_at(&material))
    })
}

fn domain(id: String, variant: Variant) -> Fault {
    Fault::new(id, "samba", "", move |lab: &Lab| {
        let material = variant.make(lab)?;
        let how = stacks::samba::Settings { material: Some(&material), ..Default::default() };
        Ok(stacks::samba::serve(lab, &how)?.looked_at(&[]))
    })
    .on_machines()
}

/// As it stands after its first start.
fn own() -> Fault {
    Fault::new("first-start", "own", "", |_: &Lab| {
        let server = chancery::start()?;
        let ca = server.ca.display().to_string();
        Ok(Setup::asked(&[&server.ldaps, "--ca", &ca]).holding(server))
    })
}
