//! Names that lead nowhere or to the wrong place, with a real name server; and names that the
//! certificate is not for.

use anyhow::Result;

use crate::lab::certificates::GOOD;
use crate::lab::network::{NOBODY, OUTSIDE, SERVER, Two};
use crate::lab::{Fault, Lab, NAME, Setup};

/// What the client asks, and what DNS and its own files say.
struct Case {
    id: &'static str,
    cause: &'static str,
    /// Lines of dnsmasq; none is no name server at all.
    names: Option<&'static str>,
    hosts: &'static str,
    asked: &'static [&'static str],
    /// The same, once the fix was applied.
    mended: (&'static str, &'static [&'static str]),
}

const GOOD_NAME: &str = "host-record=dc1.corp.example,10.77.0.2";
const TARGET: &[&str] = &["ldaps://dc1.corp.example"];

const CASES: &[Case] = &[
    Case {
        id: "no-record",
        cause: "DNS",
        names: Some("host-record=other.corp.example,10.77.0.2"),
        hosts: "",
        asked: TARGET,
        mended: (GOOD_NAME, TARGET),
    },
    Case {
        id: "only-link-local",
        cause: "DNS",
        names: Some("host-record=dc1.corp.example,169.254.7.7"),
        hosts: "",
        asked: TARGET,
        mended: (GOOD_NAME, TARGET),
    },
    Case {
        id: "link-local-beside-good",
        cause: "DNS",
        names: Some(
            "host-record=dc1.corp.example,10.77.0.2\nhost-record=dc1.corp.example,169.254.7.7",
        ),
        hosts: "",
        asked: TARGET,
        mended: (GOOD_NAME, TARGET),
    },
    Case {
        id: "the-client-itself",
        cause: "DNS",
        names: Some("host-record=dc1.corp.example,127.0.0.1"),
        hosts: "",
        asked: TARGET,
        mended: (GOOD_NAME, TARGET),
    },
    Case {
        id: "no-address-at-all",
        cause: "DNS",
        names: Some("host-record=dc1.corp.example,0.0.0.0"),
        hosts: "",
        asked: TARGET,
        mended: (GOOD_NAME, TARGET),
    },
    Case {
        id: "only-link-local-ipv6",
        cause: "DNS",
        names: Some("host-record=dc1.corp.example,fe80::7"),
        hosts: "",
        asked: TARGET,
        mended: (GOOD_NAME, TARGET),
    },
    Case {
        id: "only-a-text",
        cause: "DNS",
        names: Some("txt-record=dc1.corp.example,moved"),
        hosts: "",
        asked: TARGET,
        mended: (GOOD_NAME, TARGET),
    },
    Case {
        id: "stale-beside-good",
        cause: "ONE-BAD-NODE",
        names: Some(
            "host-record=dc1.corp.example,10.77.0.2\nhost-record=dc1.corp.example,10.77.0.9",
        ),
        hosts: "",
        asked: TARGET,
        mended: (GOOD_NAME, TARGET),
    },
    Case {
        id: "hosts-file-against-dns",
        cause: "DNS",
        names: Some(GOOD_NAME),
        hosts: "10.77.0.9 dc1.corp.example",
        asked: TARGET,
        mended: (GOOD_NAME, TARGET),
    },
    Case {
        id: "a-domain",
        cause: "DNS",
        names: Some(
            "host-record=dc1.corp.example,10.77.0.2\n\
             srv-host=_ldap._tcp.corp.example,dc1.corp.example,389",
        ),
        hosts: "",
        asked: &["ldaps://corp.example"],
        mended: (GOOD_NAME, TARGET),
    },
    Case {
        id: "inside-seen-outside",
        cause: "DNS",
        names: Some(GOOD_NAME),
        hosts: "",
        asked: &["ldaps://dc1.corp.example", "--expect", "outside"],
        mended: (
            "host-record=dc1.corp.example,198.51.100.2",
            &["ldaps://dc1.corp.example", "--expect", "outside"],
        ),
    },
    Case {
        id: "outside-seen-inside",
        cause: "DNS",
        names: Some("host-record=dc1.corp.example,198.51.100.2"),
        hosts: "",
        asked: &["ldaps://dc1.corp.example", "--expect", "inside"],
        mended: (GOOD_NAME, &["ldaps://dc1.corp.example", "--expect", "inside"]),
    },
    Case {
        id: "another-address-than-expected",
        cause: "DNS",
        names: Some("host-record=dc1.corp.example,10.77.0.3"),
        hosts: "",
        asked: &["ldaps://dc1.corp.example", "--expect", "10.77.0.2"],
        mended: (GOOD_NAME, &["ldaps://dc1.corp.example", "--expect", "10.77.0.2"]),
    },
    Case {
        id: "no-name-server-answers",
        cause: "DNS",
        names: None,
        hosts: "",
        asked: TARGET,
        mended: (GOOD_NAME, TARGET),
    },
    Case {
        id: "an-alias",
        cause: "NAME-MISMATCH",
        names: Some(
            "host-record=dc1.corp.example,10.77.0.2\ncname=ldap.corp.example,dc1.corp.example",
        ),
        hosts: "",
        asked: &["ldaps://ldap.corp.example"],
        mended: (GOOD_NAME, TARGET),
    },
    Case {
        id: "an-address",
        cause: "NAME-MISMATCH",
        names: Some(GOOD_NAME),
        hosts: "",
        asked: &["ldaps://10.77.0.2"],
        mended: (GOOD_NAME, TARGET),
    },
    Case {
        id: "a-short-name",
        cause: "NAME-MISMATCH",
        names: Some(GOOD_NAME),
        hosts: "10.77.0.2 dc1",
        asked: &["ldaps://dc1"],
        mended: (GOOD_NAME, TARGET),
    },
    Case {
        id: "the-domain-as-the-server",
        cause: "NAME-MISMATCH",
        names: Some("host-record=dc1.corp.example,10.77.0.2\nhost-record=corp.example,10.77.0.2"),
        hosts: "",
        asked: &["ldaps://corp.example"],
        mended: (GOOD_NAME, TARGET),
    },
];

pub(super) fn faults() -> Vec<Fault> {
    let fault = |case: &'static Case| {
        Fault::new(case.id, "slapd", case.cause, |lab: &Lab| {
            stand(lab, case.names, case.hosts, case.asked)
        })
        .mended(|lab: &Lab| {
            let (names, asked) = case.mended;
            stand(lab, Some(names), "", asked)
        })
        .on_machines()
    };
    CASES.iter().map(fault).collect()
}

fn stand(lab: &Lab, names: Option<&str>, hosts: &str, asked: &[&str]) -> Result<Setup> {
    // The tables are written with what these are.
    debug_assert!(NAME == "dc1.corp.example" && SERVER == "10.77.0.2" && NOBODY == "10.77.0.9");
    debug_assert_eq!(OUTSIDE, "198.51.100.2");
    let material = GOOD.make(lab)?;
    let mut two = Two::new(lab)?;
    let held = two.directory(lab, Some(&material))?;
    match names {
        Some(lines) => two.names(lines)?,
        None => {
            two.resolves(&format!("nameserver {NOBODY}\noptions timeout:1 attempts:1\n"), "")?
        }
    }
    if !hosts.is_empty() {
        two.resolves(&format!("nameserver {SERVER}\noptions timeout:1 attempts:1\n"), hosts)?;
    }
    Ok(two.looked_at(asked, &material, held))
}
