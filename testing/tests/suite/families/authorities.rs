//! The keys and the authorities of the cases, and how OpenSSL makes them.

use super::cases::V1;

/// An authority by its name.
pub(super) struct Authority {
    pub(super) name: &'static str,
    pub(super) subject: &'static str,
    pub(super) key: &'static str,
    pub(super) extensions: &'static str,
    pub(super) sign: &'static [&'static str],
    /// Itself where it is a root.
    pub(super) issuer: &'static str,
}

/// Keys are made once, with these arguments of `openssl genpkey`.
pub(super) const KEYS: &[(&str, &[&str])] = &[
    ("p256", &["EC", "-pkeyopt", "ec_paramgen_curve:P-256"]),
    ("root", &["EC", "-pkeyopt", "ec_paramgen_curve:P-256"]),
    ("issuing", &["EC", "-pkeyopt", "ec_paramgen_curve:P-256"]),
    ("other", &["EC", "-pkeyopt", "ec_paramgen_curve:P-256"]),
    ("p224", &["EC", "-pkeyopt", "ec_paramgen_curve:P-224"]),
    ("p384", &["EC", "-pkeyopt", "ec_paramgen_curve:P-384"]),
    ("p521", &["EC", "-pkeyopt", "ec_paramgen_curve:P-521"]),
    ("secp256k1", &["EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"]),
    ("brainpool", &["EC", "-pkeyopt", "ec_paramgen_curve:brainpoolP256r1"]),
    ("ed25519", &["ED25519"]),
    ("ed448", &["ED448"]),
    ("rsa768", &["RSA", "-pkeyopt", "rsa_keygen_bits:768"]),
    ("rsa1024", &["RSA", "-pkeyopt", "rsa_keygen_bits:1024"]),
    ("rsa2048", &["RSA", "-pkeyopt", "rsa_keygen_bits:2048"]),
    // More primes are found sooner, and the public half does not tell.
    ("rsa8192", &["RSA", "-pkeyopt", "rsa_keygen_bits:8192", "-pkeyopt", "rsa_keygen_primes:5"]),
    ("rsa4096", &["RSA", "-pkeyopt", "rsa_keygen_bits:4096", "-pkeyopt", "rsa_keygen_primes:3"]),
    ("rsa8200", &["RSA", "-pkeyopt", "rsa_keygen_bits:8200", "-pkeyopt", "rsa_keygen_primes:5"]),
    ("pss2048", &["RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048"]),
];

const AUTHORITY: &str = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n\
     subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n";

const ROOT: Authority = Authority {
    name: "root",
    subject: "/O=Example/CN=Root",
    key: "root",
    extensions: AUTHORITY,
    sign: &[],
    issuer: "root",
};

const ISSUING: Authority =
    Authority { name: "issuing", subject: "/O=Example/CN=Issuing", key: "issuing", ..ROOT };

/// Roots first: each is signed by one above it in this list.
pub(super) const AUTHORITIES: &[Authority] = &[
    ROOT,
    Authority {
        name: "root-other",
        subject: "/O=Other/CN=Root",
        key: "other",
        issuer: "root-other",
        ..ROOT
    },
    Authority {
        name: "root-expired",
        subject: "/O=Example/CN=Expired Root",
        sign: &["past"],
        issuer: "root-expired",
        ..ROOT
    },
    Authority {
        name: "root-sha1",
        subject: "/O=Example/CN=SHA-1 Root",
        sign: &["-sha1"],
        issuer: "root-sha1",
        ..ROOT
    },
    Authority {
        name: "root-v1",
        subject: "/O=Example/CN=V1 Root",
        extensions: V1,
        issuer: "root-v1",
        ..ROOT
    },
    Authority {
        name: "root-rsa1024",
        subject: "/O=Example/CN=RSA 1024 Root",
        key: "rsa1024",
        issuer: "root-rsa1024",
        ..ROOT
    },
    Authority {
        name: "root-rsa2048",
        subject: "/O=Example/CN=RSA Root",
        key: "rsa2048",
        issuer: "root-rsa2048",
        ..ROOT
    },
    Authority {
        name: "root-pathlen",
        subject: "/O=Example/CN=Short Root",
        extensions: "basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\n",
        issuer: "root-pathlen",
        ..ROOT
    },
    Authority {
        name: "root-constrained",
        subject: "/O=Example/CN=Constrained Root",
        extensions: "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n\
                     nameConstraints=critical,permitted;DNS:example.org\n",
        issuer: "root-constrained",
        ..ROOT
    },
    Authority { name: "root-twin", key: "other", issuer: "root-twin", ..ROOT },
    Authority {
        name: "root-bare",
        subject: "/O=Example/CN=Bare Root",
        extensions: "keyUsage=critical,keyCertSign\n",
        issuer: "root-bare",
        ..ROOT
    },
    Authority {
        name: "root-nothing",
        subject: "/O=Example/CN=Root of nothing",
        extensions: "subjectKeyIdentifier=hash\n",
        issuer: "root-nothing",
        ..ROOT
    },
    Authority {
        name: "root-pss",
        subject: "/O=Example/CN=PSS Root",
        key: "pss2048",
        issuer: "root-pss",
        ..ROOT
    },
    Authority {
        name: "root-future",
        subject: "/O=Example/CN=Future Root",
        sign: &["future"],
        issuer: "root-future",
        ..ROOT
    },
    Authority {
        name: "root-none",
        subject: "/O=Example/CN=No Root",
        extensions: "basicConstraints=critical,CA:FALSE\nkeyUsage=digitalSignature\n",
        issuer: "root-none",
        ..ROOT
    },
    Authority {
        name: "root-no-signing",
        subject: "/O=Example/CN=Root that may not sign",
        extensions: "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,cRLSign\n",
        issuer: "root-no-signing",
        ..ROOT
    },
    Authority {
        name: "root-clients",
        subject: "/O=Example/CN=Root for clients",
        extensions: "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n\
                     extendedKeyUsage=clientAuth\n",
        issuer: "root-clients",
        ..ROOT
    },
    Authority {
        name: "root-critical",
        subject: "/O=Example/CN=Critical Root",
        extensions: "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n\
                     1.2.3.4.5=critical,ASN1:NULL\n",
        issuer: "root-critical",
        ..ROOT
    },
    Authority {
        name: "root-rsa768",
        subject: "/O=Example/CN=RSA 768 Root",
        key: "rsa768",
        issuer: "root-rsa768",
        ..ROOT
    },
    // As Samba makes it, with the serial number that its server's certificate has as well.
    Authority {
        name: "root-samba",
        key: "rsa4096",
        subject: "/O=Samba Administration/OU=Samba - temporary autogenerated CA certificate/CN=DC1.corp.example",
        extensions: "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n\
                     subjectKeyIdentifier=hash\n",
        sign: &["-set_serial", "1669925227"],
        issuer: "root-samba",
    },
    Authority {
        name: "root-capitals",
        subject: "/O=EXAMPLE/CN=ROOT",
        issuer: "root-capitals",
        ..ROOT
    },
    Authority { name: "root-old", sign: &["past"], issuer: "root-old", ..ROOT },
    Authority { name: "root-crossed", issuer: "root-other", ..ROOT },
    Authority { name: "root-crossed-old", issuer: "root-other", sign: &["past"], ..ROOT },
    ISSUING,
    Authority { name: "issuing-old", sign: &["past"], ..ISSUING },
    Authority { name: "issuing-twin", key: "other", ..ISSUING },
    Authority { name: "future", subject: "/O=Example/CN=Future", sign: &["future"], ..ISSUING },
    Authority { name: "rsa768", subject: "/O=Example/CN=RSA 768", key: "rsa768", ..ISSUING },
    Authority { name: "p224", subject: "/O=Example/CN=P-224", key: "p224", ..ISSUING },
    Authority {
        name: "brainpool",
        subject: "/O=Example/CN=brainpool",
        key: "brainpool",
        ..ISSUING
    },
    Authority {
        name: "secp256k1",
        subject: "/O=Example/CN=secp256k1",
        key: "secp256k1",
        ..ISSUING
    },
    Authority { name: "pss2048", subject: "/O=Example/CN=RSASSA-PSS", key: "pss2048", ..ISSUING },
    Authority { name: "ed448", subject: "/O=Example/CN=Ed448", key: "ed448", ..ISSUING },
    Authority {
        name: "anything",
        subject: "/O=Example/CN=For anything",
        extensions: "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n\
                     extendedKeyUsage=anyExtendedKeyUsage\n",
        ..ISSUING
    },
    Authority {
        name: "deeper",
        subject: "/O=Example/CN=Deeper",
        key: "other",
        issuer: "issuing",
        ..ROOT
    },
    Authority { name: "expired", subject: "/O=Example/CN=Expired", sign: &["past"], ..ISSUING },
    Authority { name: "sha1", subject: "/O=Example/CN=SHA-1", sign: &["-sha1"], ..ISSUING },
    Authority { name: "rsa1024", subject: "/O=Example/CN=RSA 1024", key: "rsa1024", ..ISSUING },
    Authority { name: "rsa2048", subject: "/O=Example/CN=RSA 2048", key: "rsa2048", ..ISSUING },
    Authority { name: "p521", subject: "/O=Example/CN=P-521", key: "p521", ..ISSUING },
    Authority { name: "ed25519", subject: "/O=Example/CN=Ed25519", key: "ed25519", ..ISSUING },
    Authority {
        name: "unconstrained",
        subject: "/O=Example/CN=Without basicConstraints",
        extensions: "keyUsage=critical,keyCertSign,cRLSign\n",
        ..ISSUING
    },
    Authority {
        name: "no-ca",
        subject: "/O=Example/CN=No CA",
        extensions: "basicConstraints=critical,CA:FALSE\nkeyUsage=digitalSignature\n",
        ..ISSUING
    },
    Authority { name: "v1", subject: "/O=Example/CN=V1", extensions: V1, ..ISSUING },
    Authority {
        name: "no-signing",
        subject: "/O=Example/CN=No signing",
        extensions: "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,cRLSign\n",
        ..ISSUING
    },
    Authority {
        name: "clients",
        subject: "/O=Example/CN=Clients only",
        extensions: "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n\
                     extendedKeyUsage=clientAuth\n",
        ..ISSUING
    },
    Authority {
        name: "servers",
        subject: "/O=Example/CN=Servers only",
        extensions: "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n\
                     extendedKeyUsage=serverAuth\n",
        ..ISSUING
    },
    Authority {
        name: "org",
        subject: "/O=Example/CN=For example.org",
        extensions: "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n\
                     nameConstraints=critical,permitted;DNS:example.org\n",
        ..ISSUING
    },
    Authority {
        name: "com",
        subject: "/O=Example/CN=For example.com",
        extensions: "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n\
                     nameConstraints=critical,permitted;DNS:example.com\n",
        ..ISSUING
    },
    Authority {
        name: "not-com",
        subject: "/O=Example/CN=Not for example.com",
        extensions: "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n\
                     nameConstraints=excluded;DNS:example.com\n",
        ..ISSUING
    },
    Authority {
        name: "no-addresses",
        subject: "/O=Example/CN=For 192.0.2.0",
        extensions: "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n\
                     nameConstraints=critical,permitted;IP:192.0.2.0/255.255.255.0\n",
        ..ISSUING
    },
    Authority {
        name: "below-pathlen",
        subject: "/O=Example/CN=Too deep",
        issuer: "root-pathlen",
        ..ISSUING
    },
    Authority {
        name: "pathlen",
        subject: "/O=Example/CN=Path length",
        extensions: "basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign\n",
        ..ISSUING
    },
    Authority {
        name: "too-deep",
        subject: "/O=Example/CN=Deeper than allowed",
        key: "other",
        issuer: "pathlen",
        ..ROOT
    },
    Authority {
        name: "critical",
        subject: "/O=Example/CN=Critical extension",
        extensions: "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n\
                     1.2.3.4.5=critical,ASN1:NULL\n",
        ..ISSUING
    },
    Authority {
        name: "policies",
        subject: "/O=Example/CN=Policies",
        extensions: "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n\
                     certificatePolicies=1.2.3.4\n\
                     policyConstraints=critical,requireExplicitPolicy:0\n",
        ..ISSUING
    },
];
