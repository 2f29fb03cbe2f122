//! Certificates that are special in one way each, and how OpenSSL makes them.

/// A server's certificate, the CA that issues it, what is sent and what is trusted.
#[derive(Clone, Copy)]
pub(super) struct Case {
    pub(super) what: &'static str,
    /// The name that clients ask for.
    pub(super) name: &'static str,
    /// The key of the server, by its name in `authorities`.
    pub(super) key: &'static str,
    pub(super) subject: &'static str,
    /// Extensions of the server's certificate; `V1` makes one without any.
    pub(super) own: &'static str,
    /// Further arguments of `openssl x509 -req` for the server's certificate.
    pub(super) sign: &'static [&'static str],
    /// The authorities (of `authorities`) that are sent behind it, in this order.
    pub(super) sent: &'static [&'static str],
    /// Who issues it; `own` signs itself.
    pub(super) issuer: &'static str,
    /// What clients trust; `own` is the server's certificate itself.
    pub(super) trusted: &'static str,
}

pub(super) const V1: &str = "";
pub(super) const NAME: &str = "ldap.example.com";

const NO_NAMES: &str = "basicConstraints=critical,CA:FALSE\nkeyUsage=digitalSignature,keyEncipherment\n\
     extendedKeyUsage=serverAuth\n";

/// An ordinary certificate with these alternative names.
macro_rules! named {
    ($names:literal) => {
        concat!(
            "basicConstraints=critical,CA:FALSE\nkeyUsage=digitalSignature,keyEncipherment\n\
             extendedKeyUsage=serverAuth\nsubjectAltName=",
            $names,
            "\n"
        )
    };
}

/// The name, and these other extensions.
macro_rules! with {
    ($extensions:literal) => {
        concat!("subjectAltName=DNS:ldap.example.com\n", $extensions, "\n")
    };
}

const GOOD: Case = Case {
    what: "good",
    name: NAME,
    key: "p256",
    subject: "/O=Example/CN=ldap.example.com",
    own: named!("DNS:ldap.example.com"),
    sign: &[],
    sent: &["issuing"],
    issuer: "issuing",
    trusted: "root",
};

const OWN: Case = Case { issuer: "own", sent: &[], trusted: "own", ..GOOD };

pub(super) const CASES: &[Case] = &[
    GOOD,
    // Names.
    Case { what: "CN only", own: NO_NAMES, ..GOOD },
    Case { what: "CN, another DNS name", own: named!("DNS:other.example.com"), ..GOOD },
    Case { what: "CN, and only an address", own: named!("IP:127.0.0.1"), ..GOOD },
    Case { what: "CN, and only a mail address", own: named!("email:a@example.com"), ..GOOD },
    Case {
        what: "CN, and only a UPN",
        own: named!("otherName:1.3.6.1.4.1.311.20.2.3;UTF8:dc1@example.com"),
        ..GOOD
    },
    Case { what: "CN, and only a URI", own: named!("URI:ldaps://ldap.example.com"), ..GOOD },
    Case { what: "CN in capitals", subject: "/CN=LDAP.Example.COM", own: NO_NAMES, ..GOOD },
    Case { what: "wildcard in the CN only", subject: "/CN=*.example.com", own: NO_NAMES, ..GOOD },
    Case {
        what: "two CNs, the first fits",
        subject: "/CN=ldap.example.com/CN=other",
        own: NO_NAMES,
        ..GOOD
    },
    Case {
        what: "two CNs, the last fits",
        subject: "/CN=other/CN=ldap.example.com",
        own: NO_NAMES,
        ..GOOD
    },
    Case { what: "another CN only", subject: "/CN=other.example.com", own: NO_NAMES, ..GOOD },
    Case {
        what: "other DNS name, no CN",
        subject: "/O=Example",
        own: named!("DNS:other.example.com"),
        ..GOOD
    },
    Case { what: "wildcard", own: named!("DNS:*.example.com"), ..GOOD },
    Case {
        what: "wildcard for two labels",
        name: "a.b.example.com",
        own: named!("DNS:*.example.com"),
        ..GOOD
    },
    Case {
        what: "two wildcards",
        name: "a.b.example.com",
        own: named!("DNS:*.*.example.com"),
        ..GOOD
    },
    Case {
        what: "wildcard for no label",
        name: "example.com",
        own: named!("DNS:*.example.com"),
        ..GOOD
    },
    Case { what: "wildcard, label begins", own: named!("DNS:ld*.example.com"), ..GOOD },
    Case { what: "wildcard, label ends", own: named!("DNS:*ap.example.com"), ..GOOD },
    Case { what: "wildcard, label both", own: named!("DNS:l*p.example.com"), ..GOOD },
    Case { what: "wildcard in the middle", own: named!("DNS:ldap.*.com"), ..GOOD },
    Case { what: "wildcard below the top", name: "example.com", own: named!("DNS:*.com"), ..GOOD },
    Case { what: "wildcard alone", name: "dc1", own: named!("DNS:*"), ..GOOD },
    Case { what: "one label", name: "dc1", own: named!("DNS:dc1"), ..GOOD },
    Case {
        what: "one label in the CN only",
        name: "dc1",
        subject: "/CN=dc1",
        own: NO_NAMES,
        ..GOOD
    },
    Case { what: "capitals", own: named!("DNS:LDAP.Example.COM"), ..GOOD },
    Case { what: "dot at the end", own: named!("DNS:ldap.example.com."), ..GOOD },
    Case { what: "dot at the beginning", own: named!("DNS:.example.com"), ..GOOD },
    Case {
        what: "underscore",
        name: "my_dc.example.com",
        own: named!("DNS:my_dc.example.com"),
        ..GOOD
    },
    Case {
        what: "underscore in the CN only",
        name: "my_dc.example.com",
        subject: "/CN=my_dc.example.com",
        own: NO_NAMES,
        ..GOOD
    },
    Case {
        what: "underscore under a wildcard",
        name: "my_dc.example.com",
        own: named!("DNS:*.example.com"),
        ..GOOD
    },
    Case { what: "address", name: "127.0.0.1", own: named!("IP:127.0.0.1"), ..GOOD },
    Case { what: "address of version 6", name: "::1", own: named!("IP:::1"), ..GOOD },
    Case { what: "address as a DNS name", name: "127.0.0.1", own: named!("DNS:127.0.0.1"), ..GOOD },
    Case {
        what: "address in the CN only",
        name: "127.0.0.1",
        subject: "/CN=127.0.0.1",
        own: NO_NAMES,
        ..GOOD
    },
    Case {
        what: "address in the CN, another in the names",
        name: "127.0.0.1",
        subject: "/CN=127.0.0.1",
        own: named!("IP:192.0.2.1"),
        ..GOOD
    },
    Case {
        what: "address in the CN, a DNS name",
        name: "127.0.0.1",
        subject: "/CN=127.0.0.1",
        own: named!("DNS:ldap.example.com"),
        ..GOOD
    },
    Case { what: "another address", name: "127.0.0.1", own: named!("IP:192.0.2.1"), ..GOOD },
    Case {
        what: "address under a wildcard",
        name: "127.0.0.1",
        own: named!("DNS:*.0.0.1"),
        ..GOOD
    },
    Case {
        what: "no subject, names critical",
        subject: "/",
        own: named!("critical,DNS:ldap.example.com"),
        ..GOOD
    },
    Case { what: "no subject, names not critical", subject: "/", ..GOOD },
    // Validity.
    Case { what: "expired", sign: &["past"], ..GOOD },
    Case { what: "not valid yet", sign: &["future"], ..GOOD },
    Case { what: "CA expired", issuer: "expired", sent: &["expired"], ..GOOD },
    Case { what: "CA not valid yet", issuer: "future", sent: &["future"], ..GOOD },
    Case {
        what: "root expired",
        issuer: "root-expired",
        sent: &[],
        trusted: "root-expired",
        ..GOOD
    },
    // The chain.
    Case {
        what: "root not valid yet",
        issuer: "root-future",
        sent: &[],
        trusted: "root-future",
        ..GOOD
    },
    Case { what: "issued by the root", issuer: "root", sent: &[], ..GOOD },
    Case { what: "intermediate missing", sent: &[], ..GOOD },
    Case {
        what: "intermediate missing, address inside",
        sent: &[],
        own: with!("authorityInfoAccess=caIssuers;URI:http://127.0.0.1:9/issuing.crt"),
        ..GOOD
    },
    Case { what: "root sent as well", sent: &["issuing", "root"], ..GOOD },
    Case { what: "root sent before the intermediate", sent: &["root", "issuing"], ..GOOD },
    Case { what: "two intermediates", issuer: "deeper", sent: &["deeper", "issuing"], ..GOOD },
    Case {
        what: "two intermediates the wrong way",
        issuer: "deeper",
        sent: &["issuing", "deeper"],
        ..GOOD
    },
    Case { what: "surplus behind", sent: &["issuing", "rsa2048"], ..GOOD },
    Case { what: "surplus in between", sent: &["rsa2048", "issuing"], ..GOOD },
    Case { what: "another root trusted", trusted: "root-other", ..GOOD },
    Case { what: "another root of the name trusted", trusted: "root-twin", ..GOOD },
    Case { what: "another CA of the name sent", sent: &["issuing-twin"], ..GOOD },
    Case { what: "both CAs of the name sent", sent: &["issuing-twin", "issuing"], ..GOOD },
    Case { what: "intermediate trusted", trusted: "issuing", ..GOOD },
    Case { what: "intermediate trusted, not sent", trusted: "issuing", sent: &[], ..GOOD },
    Case { what: "not self-signed, trusted itself", trusted: "own", ..GOOD },
    Case { what: "root in other letters trusted", trusted: "root-capitals", ..GOOD },
    Case { what: "expired root sent, its renewal trusted", sent: &["issuing", "root-old"], ..GOOD },
    Case { what: "root crossed by another", sent: &["issuing", "root-crossed"], ..GOOD },
    Case {
        what: "root crossed by another that is trusted",
        sent: &["issuing", "root-crossed"],
        trusted: "root-other",
        ..GOOD
    },
    Case { what: "expired cross of the root", sent: &["issuing", "root-crossed-old"], ..GOOD },
    Case { what: "expired CA and its renewal sent", sent: &["issuing-old", "issuing"], ..GOOD },
    Case {
        what: "renewal of a CA and the expired one sent",
        sent: &["issuing", "issuing-old"],
        ..GOOD
    },
    // By itself.
    Case { what: "self-signed", subject: "/CN=self-signed", ..OWN },
    Case {
        what: "self-signed, not trusted",
        subject: "/CN=self-signed and strange",
        trusted: "root",
        ..OWN
    },
    Case {
        what: "self-signed, a CA",
        subject: "/CN=self-signed CA",
        own: with!(
            "basicConstraints=critical,CA:TRUE\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid"
        ),
        ..OWN
    },
    Case {
        what: "self-signed, a CA for signing",
        subject: "/CN=self-signed CA for signing",
        own: with!("basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign"),
        ..OWN
    },
    Case {
        what: "self-signed, nothing but the name",
        subject: "/CN=self-signed and bare",
        own: with!(""),
        ..OWN
    },
    Case { what: "self-signed, version 1", own: V1, ..OWN },
    Case {
        what: "self-signed, for clients only",
        subject: "/CN=self-signed client",
        own: with!("extendedKeyUsage=clientAuth"),
        ..OWN
    },
    Case {
        what: "self-signed, expired",
        subject: "/CN=self-signed and expired",
        sign: &["past"],
        ..OWN
    },
    Case {
        what: "self-signed, SHA-1",
        subject: "/CN=self-signed with SHA-1",
        sign: &["-sha1"],
        ..OWN
    },
    // What it is for.
    Case {
        what: "self-signed, MD5",
        subject: "/CN=self-signed with MD5",
        key: "rsa2048",
        sign: &["-md5"],
        ..OWN
    },
    Case {
        what: "self-signed, RSA 1024",
        subject: "/CN=self-signed with 1024",
        key: "rsa1024",
        ..OWN
    },
    Case {
        what: "self-signed, critical extension",
        subject: "/CN=self-signed and critical",
        own: with!("1.2.3.4.5=critical,ASN1:NULL"),
        ..OWN
    },
    Case {
        what: "self-signed, to encrypt only",
        subject: "/CN=self-signed and encrypts",
        key: "rsa2048",
        own: with!("keyUsage=keyEncipherment"),
        ..OWN
    },
    Case {
        what: "self-signed, another name",
        subject: "/CN=self-signed elsewhere",
        own: named!("DNS:other.example.com"),
        ..OWN
    },
    Case { what: "for clients only", own: with!("extendedKeyUsage=clientAuth"), ..GOOD },
    Case { what: "for anything", own: with!("extendedKeyUsage=anyExtendedKeyUsage"), ..GOOD },
    Case {
        what: "for clients and anything",
        own: with!("extendedKeyUsage=clientAuth,anyExtendedKeyUsage"),
        ..GOOD
    },
    Case {
        what: "for server-gated cryptography",
        own: with!("extendedKeyUsage=msSGC,nsSGC"),
        ..GOOD
    },
    Case { what: "no purposes", own: with!("basicConstraints=CA:FALSE"), ..GOOD },
    Case {
        what: "to encrypt only, RSA",
        key: "rsa2048",
        own: with!("keyUsage=keyEncipherment"),
        ..GOOD
    },
    Case {
        what: "to sign only, RSA",
        key: "rsa2048",
        own: with!("keyUsage=digitalSignature"),
        ..GOOD
    },
    Case { what: "to agree on keys only", own: with!("keyUsage=critical,keyAgreement"), ..GOOD },
    Case { what: "to encrypt only, EC", own: with!("keyUsage=keyEncipherment"), ..GOOD },
    Case {
        what: "not to be denied only, RSA",
        key: "rsa2048",
        own: with!("keyUsage=nonRepudiation"),
        ..GOOD
    },
    Case {
        what: "to agree on keys only, RSA",
        key: "rsa2048",
        own: with!("keyUsage=keyAgreement"),
        ..GOOD
    },
    Case { what: "for nsSGC", own: with!("extendedKeyUsage=nsSGC"), ..GOOD },
    Case { what: "for msSGC", own: with!("extendedKeyUsage=msSGC"), ..GOOD },
    Case {
        what: "for servers, critical",
        own: with!("extendedKeyUsage=critical,serverAuth"),
        ..GOOD
    },
    Case { what: "to sign certificates only", own: with!("keyUsage=critical,keyCertSign"), ..GOOD },
    Case { what: "a CA as the server", own: with!("basicConstraints=critical,CA:TRUE"), ..GOOD },
    Case { what: "no basicConstraints", own: with!("keyUsage=digitalSignature"), ..GOOD },
    Case { what: "version 1", own: V1, ..GOOD },
    // The CA.
    Case {
        what: "CA without basicConstraints",
        issuer: "unconstrained",
        sent: &["unconstrained"],
        ..GOOD
    },
    Case { what: "CA that is none", issuer: "no-ca", sent: &["no-ca"], ..GOOD },
    Case { what: "CA of version 1", issuer: "v1", sent: &["v1"], ..GOOD },
    Case { what: "CA that may not sign", issuer: "no-signing", sent: &["no-signing"], ..GOOD },
    Case { what: "CA for clients only", issuer: "clients", sent: &["clients"], ..GOOD },
    Case { what: "CA for servers only", issuer: "servers", sent: &["servers"], ..GOOD },
    Case { what: "CA for anything", issuer: "anything", sent: &["anything"], ..GOOD },
    Case {
        what: "root for clients only",
        issuer: "root-clients",
        sent: &[],
        trusted: "root-clients",
        ..GOOD
    },
    Case {
        what: "root without basicConstraints",
        issuer: "root-bare",
        sent: &[],
        trusted: "root-bare",
        ..GOOD
    },
    Case {
        what: "root without anything",
        issuer: "root-nothing",
        sent: &[],
        trusted: "root-nothing",
        ..GOOD
    },
    Case {
        what: "root that is no CA",
        issuer: "root-none",
        sent: &[],
        trusted: "root-none",
        ..GOOD
    },
    Case {
        what: "root that may not sign",
        issuer: "root-no-signing",
        sent: &[],
        trusted: "root-no-signing",
        ..GOOD
    },
    Case {
        what: "root with a critical extension",
        issuer: "root-critical",
        sent: &[],
        trusted: "root-critical",
        ..GOOD
    },
    Case { what: "CA for other names", issuer: "org", sent: &["org"], ..GOOD },
    Case { what: "CA for these names", issuer: "com", sent: &["com"], ..GOOD },
    Case {
        what: "CA for these names, CN only",
        issuer: "com",
        sent: &["com"],
        own: NO_NAMES,
        ..GOOD
    },
    Case {
        what: "CA for other names, CN only",
        issuer: "org",
        sent: &["org"],
        own: NO_NAMES,
        ..GOOD
    },
    Case { what: "CA not for these names", issuer: "not-com", sent: &["not-com"], ..GOOD },
    Case { what: "CA for some addresses", issuer: "no-addresses", sent: &["no-addresses"], ..GOOD },
    Case {
        what: "CA for other addresses",
        name: "127.0.0.1",
        issuer: "no-addresses",
        sent: &["no-addresses"],
        own: named!("IP:127.0.0.1"),
        ..GOOD
    },
    Case {
        what: "root for other names",
        issuer: "root-constrained",
        sent: &[],
        trusted: "root-constrained",
        ..GOOD
    },
    Case {
        what: "path too long for the root",
        issuer: "below-pathlen",
        sent: &["below-pathlen"],
        trusted: "root-pathlen",
        ..GOOD
    },
    Case {
        what: "path too long for a CA",
        issuer: "too-deep",
        sent: &["too-deep", "pathlen"],
        ..GOOD
    },
    Case { what: "CA with a critical extension", issuer: "critical", sent: &["critical"], ..GOOD },
    Case { what: "CA that demands policies", issuer: "policies", sent: &["policies"], ..GOOD },
    Case {
        what: "CA that demands policies, which are there",
        issuer: "policies",
        sent: &["policies"],
        own: with!("certificatePolicies=1.2.3.4"),
        ..GOOD
    },
    Case { what: "policies, critical", own: with!("certificatePolicies=critical,1.2.3.4"), ..GOOD },
    Case { what: "root of version 1", issuer: "root-v1", sent: &[], trusted: "root-v1", ..GOOD },
    // Signatures and keys.
    Case { what: "SHA-1", sign: &["-sha1"], ..GOOD },
    Case { what: "SHA-1 and RSA", issuer: "rsa2048", sent: &["rsa2048"], sign: &["-sha1"], ..GOOD },
    Case { what: "SHA-1 at the CA", issuer: "sha1", sent: &["sha1"], ..GOOD },
    Case {
        what: "SHA-1 at the root",
        issuer: "root-sha1",
        sent: &[],
        trusted: "root-sha1",
        ..GOOD
    },
    Case {
        what: "SHA-1 at the root, which is sent",
        issuer: "root-sha1",
        sent: &["root-sha1"],
        trusted: "root-sha1",
        ..GOOD
    },
    Case { what: "MD5", issuer: "rsa2048", sent: &["rsa2048"], sign: &["-md5"], ..GOOD },
    Case { what: "SHA-224", sign: &["-sha224"], ..GOOD },
    Case { what: "SHA-512", sign: &["-sha512"], ..GOOD },
    Case {
        what: "RSASSA-PSS",
        issuer: "rsa2048",
        sent: &["rsa2048"],
        sign: &["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"],
        ..GOOD
    },
    Case {
        what: "RSASSA-PSS with SHA-1",
        issuer: "rsa2048",
        sent: &["rsa2048"],
        sign: &["-sha1", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:20"],
        ..GOOD
    },
    Case {
        what: "RSASSA-PSS with a long salt",
        issuer: "rsa2048",
        sent: &["rsa2048"],
        sign: &["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:max"],
        ..GOOD
    },
    Case { what: "ECDSA on P-521", issuer: "p521", sent: &["p521"], ..GOOD },
    Case {
        what: "ECDSA on P-521 with SHA-512",
        issuer: "p521",
        sent: &["p521"],
        sign: &["-sha512"],
        ..GOOD
    },
    Case { what: "Ed25519 at the CA", issuer: "ed25519", sent: &["ed25519"], ..GOOD },
    Case { what: "Ed448 at the CA", issuer: "ed448", sent: &["ed448"], ..GOOD },
    Case { what: "P-224 at the CA", issuer: "p224", sent: &["p224"], ..GOOD },
    Case { what: "brainpoolP256r1 at the CA", issuer: "brainpool", sent: &["brainpool"], ..GOOD },
    Case { what: "secp256k1 at the CA", issuer: "secp256k1", sent: &["secp256k1"], ..GOOD },
    Case { what: "RSASSA-PSS key at the CA", issuer: "pss2048", sent: &["pss2048"], ..GOOD },
    Case {
        what: "RSASSA-PSS key at the root",
        issuer: "root-pss",
        sent: &[],
        trusted: "root-pss",
        ..GOOD
    },
    Case { what: "key RSA 768", key: "rsa768", ..GOOD },
    Case { what: "key RSA 768 at the CA", issuer: "rsa768", sent: &["rsa768"], ..GOOD },
    Case {
        what: "key RSA 768 at the root",
        issuer: "root-rsa768",
        sent: &[],
        trusted: "root-rsa768",
        ..GOOD
    },
    Case { what: "key RSA 1024", key: "rsa1024", ..GOOD },
    Case { what: "key RSA 1024 at the CA", issuer: "rsa1024", sent: &["rsa1024"], ..GOOD },
    Case {
        what: "key RSA 1024 at the root",
        issuer: "root-rsa1024",
        sent: &[],
        trusted: "root-rsa1024",
        ..GOOD
    },
    Case { what: "key RSA 2048", key: "rsa2048", ..GOOD },
    Case {
        what: "key RSA 2048 at the root",
        issuer: "root-rsa2048",
        sent: &[],
        trusted: "root-rsa2048",
        ..GOOD
    },
    Case { what: "key RSA 8192", key: "rsa8192", ..GOOD },
    Case { what: "key RSA 8200", key: "rsa8200", ..GOOD },
    Case { what: "key RSASSA-PSS", key: "pss2048", ..GOOD },
    Case { what: "key P-224", key: "p224", ..GOOD },
    Case { what: "key P-384", key: "p384", ..GOOD },
    Case { what: "key P-521", key: "p521", ..GOOD },
    Case { what: "key secp256k1", key: "secp256k1", ..GOOD },
    Case { what: "key brainpoolP256r1", key: "brainpool", ..GOOD },
    Case { what: "key Ed25519", key: "ed25519", ..GOOD },
    Case { what: "key Ed448", key: "ed448", ..GOOD },
    // Other.
    Case { what: "critical extension", own: with!("1.2.3.4.5=critical,ASN1:NULL"), ..GOOD },
    Case { what: "unknown extension", own: with!("1.2.3.4.5=ASN1:NULL"), ..GOOD },
    Case { what: "negative serial number", sign: &["-set_serial", "-5"], ..GOOD },
    Case { what: "serial number 0", sign: &["-set_serial", "0"], ..GOOD },
    Case {
        what: "serial number of 21 bytes",
        sign: &["-set_serial", "0x0102030405060708090a0b0c0d0e0f101112131415"],
        ..GOOD
    },
    Case { what: "until 2500", sign: &["-days", "170000"], ..GOOD },
    Case {
        what: "issuer and serial number of its CA",
        issuer: "root-samba",
        sent: &[],
        trusted: "root-samba",
        sign: &["-set_serial", "1669925227"],
        ..GOOD
    },
    // As Samba makes it at its first start.
    Case {
        what: "Samba",
        name: "dc1.corp.example",
        key: "rsa4096",
        subject: "/O=Samba Administration/OU=Samba - temporary autogenerated HOST certificate/CN=DC1.corp.example",
        own: "basicConstraints=critical,CA:FALSE\nextendedKeyUsage=serverAuth\nsubjectKeyIdentifier=hash\n",
        issuer: "root-samba",
        sent: &[],
        trusted: "root-samba",
        sign: &["-set_serial", "1669925227"],
    },
    Case {
        what: "Samba, its CA not trusted",
        name: "dc1.corp.example",
        key: "rsa4096",
        subject: "/O=Samba Administration/OU=Samba - temporary autogenerated HOST certificate/CN=DC1.corp.example",
        own: "basicConstraints=critical,CA:FALSE\nextendedKeyUsage=serverAuth\nsubjectKeyIdentifier=hash\n",
        issuer: "root-samba",
        sent: &[],
        sign: &["-set_serial", "1669925227"],
        ..GOOD
    },
];
