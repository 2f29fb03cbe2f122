//! Ports that are mixed up, versions and suites that nobody has in common, client certificates,
//! server names in the handshake.

use anyhow::Result;

use crate::lab::certificates::{GOOD, GOOD_RSA, Material, Variant};
use crate::lab::listeners::{self, Listener};
use crate::lab::stacks::{self, Served, Slapd, backend, haproxy};
use crate::lab::{Fault, Lab, NAME, Setup};

pub(super) fn faults() -> Vec<Fault> {
    let mut all = mutual();
    all.extend(versions());
    all.extend(names());
    all.extend(mixed());
    all.extend(mocks());
    all
}

fn slapd(lab: &Lab, variant: &Variant, global: &str) -> Result<Setup> {
    let material = variant.make(lab)?;
    let how = Slapd { material: Some(&material), global, ..Slapd::default() };
    Ok(stacks::slapd(lab, &how)?.looked_at(&material))
}

/// nginx or stunnel before a directory, with lines made for the material.
fn before(
    lab: &Lab,
    variant: &Variant,
    serve: fn(&Lab, &Material, u16, &str) -> Result<Served>,
    more: impl Fn(&Material) -> String,
) -> Result<Setup> {
    let material = variant.make(lab)?;
    let behind = backend(lab)?;
    let more = more(&material);
    Ok(serve(lab, &material, behind.ldap, &more)?.with(behind).looked_at(&material))
}

fn nginx(lab: &Lab, variant: &Variant, more: &str) -> Result<Setup> {
    before(lab, variant, stacks::nginx, |_| more.to_owned())
}

fn stunnel(lab: &Lab, variant: &Variant, more: &str) -> Result<Setup> {
    before(lab, variant, stacks::stunnel, |_| more.to_owned())
}

fn java(lab: &Lab, variant: &Variant, more: &[&str]) -> Result<Setup> {
    let material = variant.make(lab)?;
    Ok(stacks::java(lab, &material, more)?.looked_at(&material))
}

/// The fix that is taken of the two: the server does not demand one.
fn mutual() -> Vec<Fault> {
    let ca = |material: &Material| material.ca.display().to_string();
    let nginx_ca = move |material: &Material| {
        format!("ssl_verify_client on; ssl_client_certificate {};", ca(material))
    };
    let nginx_old =
        move |material: &Material| format!("{} ssl_protocols TLSv1.2;", nginx_ca(material));
    let stunnel_ca = move |material: &Material| {
        format!("requireCert = yes\nverifyChain = yes\nCAfile = {}", ca(material))
    };
    vec![
        Fault::new("client-certificates", "slapd", "MTLS", |lab| {
            slapd(lab, &GOOD, "TLSVerifyClient demand")
        })
        .mended(|lab| slapd(lab, &GOOD, "TLSVerifyClient never")),
        Fault::new("client-certificates", "nginx", "MTLS", move |lab| {
            before(lab, &GOOD, stacks::nginx, nginx_ca)
        })
        .mended(|lab| nginx(lab, &GOOD, "")),
        Fault::new("client-certificates-1.2", "nginx", "MTLS", move |lab| {
            before(lab, &GOOD, stacks::nginx, nginx_old)
        })
        .mended(|lab| nginx(lab, &GOOD, "")),
        Fault::new("client-certificates", "stunnel", "MTLS", move |lab| {
            before(lab, &GOOD, stacks::stunnel, stunnel_ca)
        })
        .mended(|lab| stunnel(lab, &GOOD, "")),
        Fault::new("client-certificates", "java", "MTLS", |lab| java(lab, &GOOD, &["need"]))
            .mended(|lab| java(lab, &GOOD, &[])),
    ]
}

fn versions() -> Vec<Fault> {
    const OLD_GNUTLS: &str = "TLSCipherSuite NORMAL:-VERS-ALL:+VERS-TLS1.1";
    const RSA_GNUTLS: &str = "TLSCipherSuite NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+RSA";
    const OLD_NGINX: &str = "ssl_protocols TLSv1.1; ssl_ciphers DEFAULT@SECLEVEL=0;";
    const RSA_NGINX: &str = "ssl_protocols TLSv1.2; ssl_ciphers AES128-SHA@SECLEVEL=0;";
    let fault =
        |id: &str, stack, seed: fn(&Lab) -> Result<Setup>, good: fn(&Lab) -> Result<Setup>| {
            Fault::new(id, stack, "TLS-VERSION", seed).mended(good)
        };
    let weak = |material: &Material| {
        let file = weak_parameters(material);
        format!(
            "ssl_protocols TLSv1.2; ssl_ciphers DHE-RSA-AES128-GCM-SHA256@SECLEVEL=0; \
             ssl_dhparam {file};"
        )
    };
    vec![
        fault("tls-1.1", "slapd", |lab| slapd(lab, &GOOD, OLD_GNUTLS), |lab| slapd(lab, &GOOD, "")),
        fault("tls-1.1", "nginx", |lab| nginx(lab, &GOOD, OLD_NGINX), |lab| nginx(lab, &GOOD, "")),
        fault(
            "tls-1.0",
            "stunnel",
            |lab| stunnel(lab, &GOOD, "sslVersion = TLSv1"),
            |lab| stunnel(lab, &GOOD, ""),
        ),
        fault(
            "tls-1.1",
            "java",
            |lab| java(lab, &GOOD, &["protocols=TLSv1.1"]),
            |lab| java(lab, &GOOD, &[]),
        ),
        fault(
            "rsa-key-exchange",
            "slapd",
            |lab| slapd(lab, &GOOD_RSA, RSA_GNUTLS),
            |lab| slapd(lab, &GOOD_RSA, ""),
        ),
        fault(
            "rsa-key-exchange",
            "nginx",
            |lab| nginx(lab, &GOOD_RSA, RSA_NGINX),
            |lab| nginx(lab, &GOOD_RSA, ""),
        ),
        Fault::new("short-dh", "nginx", "WEAK-CRYPTO", move |lab| {
            before(lab, &GOOD_RSA, stacks::nginx, weak)
        })
        .mended(|lab| nginx(lab, &GOOD_RSA, "")),
    ]
}

/// A prime of 1024 bits, which OpenSSL takes minutes to find: this one is RFC 2409's second group.
fn weak_parameters(material: &Material) -> String {
    const PEM: &str = "-----BEGIN DH PARAMETERS-----\n\
        MIGHAoGBAP//////////yQ/aoiFowjTExmKLgNwc0SkCTgiKZ8x0Agu+pjsTmyJR\n\
        Sgh5jjQE3e+VGbPNOkMbMCsKbfJfFDdP4TVtbVHCReSFtXZiXn7G9ExC6aY37WsL\n\
        /1y29Aa37e44a/taiZ+lrp8kEXxLH+ZJKGZR7OZTgf//////////AgEC\n\
        -----END DH PARAMETERS-----\n";
    let file = material.key.with_file_name("dh.pem");
    // What cannot be written shows when nginx does not start.
    let _ = std::fs::write(&file, PEM);
    file.display().to_string()
}

fn names() -> Vec<Fault> {
    let by_name = |lab: &Lab| -> Result<Setup> {
        let (default, named) = (Variant::named("other-name").make(lab)?, GOOD.make(lab)?);
        let behind = backend(lab)?;
        let more = format!(
            "[named]\nsni = ldaps:{NAME}\ncert = {}\nkey = {}\nconnect = 127.0.0.1:{}",
            named.chain.display(),
            named.key.display(),
            behind.ldap
        );
        Ok(stacks::stunnel(lab, &default, behind.ldap, &more)?.with(behind).looked_at(&named))
    };
    vec![
        Fault::new("other-default", "stunnel", "SNI", by_name)
            .mended(|lab| stunnel(lab, &GOOD, "")),
        Fault::new("strict-name", "haproxy", "SNI", |lab| {
            let (material, behind) = (Variant::named("other-name").make(lab)?, backend(lab)?);
            let served = haproxy(lab, &material, behind.ldap, "strict-sni")?;
            Ok(served.with(behind).looked_at(&material))
        })
        .mended(|lab| {
            let (material, behind) = (GOOD.make(lab)?, backend(lab)?);
            let served = haproxy(lab, &material, behind.ldap, "strict-sni")?;
            Ok(served.with(behind).looked_at(&material))
        }),
    ]
}

/// slapd asked at one of its ports in one of its schemes.
fn asked(lab: &Lab, scheme: &str, is_clear_port: bool, has_tls: bool) -> Result<Setup> {
    let material = GOOD.make(lab)?;
    let how = Slapd { material: has_tls.then_some(&material), ..Slapd::default() };
    let served = stacks::slapd(lab, &how)?;
    let port = if is_clear_port { served.ldap } else { served.ldaps };
    let (target, address) = (format!("{scheme}://{NAME}:{port}"), format!("127.0.0.1:{port}"));
    let ca = material.ca.display().to_string();
    let mut setup = Setup::asked(&[&target, "--address", &address, "--ca", &ca]);
    setup.held = served.held;
    Ok(setup)
}

fn mixed() -> Vec<Fault> {
    vec![
        Fault::new("ldaps-on-389", "slapd", "SCHEME-MIX", |lab| asked(lab, "ldaps", true, true))
            .mended(|lab| asked(lab, "ldap", true, true)),
        Fault::new("starttls-on-636", "slapd", "SCHEME-MIX", |lab| asked(lab, "ldap", false, true))
            .mended(|lab| asked(lab, "ldaps", false, true)),
        Fault::new("no-starttls", "slapd", "SCHEME-MIX", |lab| asked(lab, "ldap", true, false))
            .mended(|lab| asked(lab, "ldap", true, true)),
        Fault::new("no-certificate", "slapd", "NO-LDAPS-CERT", |lab| {
            stacks::slapd_without_certificate(lab)
        })
        .mended(|lab| slapd(lab, &GOOD, "")),
        // GnuTLS does not use a key that it finds too short, and hangs up.
        Fault::new("a-key-nobody-uses", "slapd", "NO-LDAPS-CERT", |lab| {
            slapd(lab, &Variant::named("short-key"), "")
        })
        .mended(|lab| slapd(lab, &GOOD, "")),
    ]
}

/// Listeners of ours, where no product does it; the mended one is a real server.
fn mocks() -> Vec<Fault> {
    let mock = |id: &str, cause, serve: fn(std::net::TcpStream)| {
        Fault::new(id, "mock", cause, move |lab| {
            let material = GOOD.make(lab)?;
            let listener = Listener::start(serve)?;
            let port = listener.address.port();
            let served = Served { ldap: 0, ldaps: port, held: vec![Box::new(listener)] };
            Ok(served.looked_at(&material))
        })
        .mended(|lab| slapd(lab, &GOOD, ""))
    };
    vec![
        mock("resets-on-hello", "NO-LDAPS-CERT", listeners::resets),
        mock("closes-on-hello", "NO-LDAPS-CERT", listeners::closes),
        mock("says-nothing", "TLS-FAILED", listeners::says_nothing),
        mock("a-web-server", "SCHEME-MIX", listeners::speaks_http),
        Fault::new("no-directory-behind", "stunnel", "LDAP", |lab| {
            let (material, web) = (GOOD.make(lab)?, Listener::start(listeners::speaks_http)?);
            let mut served = stacks::stunnel(lab, &material, web.address.port(), "")?;
            served.held.push(Box::new(web));
            Ok(served.looked_at(&material))
        })
        .mended(|lab| stunnel(lab, &GOOD, "")),
        Fault::new("long-lengths", "stunnel", "BER-QUIRK", |lab| {
            let (material, behind) = (GOOD.make(lab)?, backend(lab)?);
            let between = Listener::start(listeners::lengthens(behind.ldap))?;
            let mut served = stacks::stunnel(lab, &material, between.address.port(), "")?;
            served.held.push(Box::new(between));
            Ok(served.with(behind).looked_at(&material))
        }),
    ]
}
