//! What is understood of each kind of file, and what is said against it.

use super::*;
use crate::doctor::rules::{Confidence, Severity};

struct Read {
    targets: Vec<String>,
    causes: Vec<String>,
    uses: Vec<Use>,
}

/// What is made of a file that can be read.
fn read(kind: Kind, text: &str) -> Read {
    let written = parse(kind, "file", text);
    assert_eq!(written.faults, [""; 0], "{text}");
    let all = || written.uses.iter();
    let targets = all().flat_map(|one| &one.targets).map(|(_, target)| {
        let scheme = if target.security == Security::Ldaps { "ldaps" } else { "ldap" };
        format!("{scheme}://{}:{}", target.name, target.port)
    });
    let causes = all().flat_map(|one| &one.findings).map(|one| {
        let severity = if one.severity == Severity::Error { "error" } else { "warning" };
        format!("{severity} {}", one.cause)
    });
    Read { targets: targets.collect(), causes: causes.collect(), uses: written.uses }
}

#[test]
fn a_good_file_of_each_kind_has_nothing_against_it() {
    let sssd = "[sssd]\ndomains = corp\n[domain/corp]\nldap_uri = ldaps://a.example\n\
                ldap_search_base = dc=a?subtree?\nldap_tls_cacert = ca.pem\n\
                ldap_default_bind_dn = cn=s\nldap_default_authtok = hush\n";
    let apache = "LDAPTrustedGlobalCert CA_BASE64 \"ca.pem\"\n<Location /x>\n\
                  AuthLDAPURL \"ldaps://a.example/dc=a?uid?sub?(objectClass=*)\"\n\
                  AuthLDAPBindDN \"cn=s\"\nAuthLDAPBindPassword hush\n</Location>\n";
    let java = "java.naming.provider.url=ldap\\://a.example\\:636/dc=a\n\
                java.naming.security.protocol = ssl\njavax.net.ssl.trustStore: ca.pem\n\
                java.naming.security.principal cn=s\njava.naming.security.credentials=hush\n\
                javax.net.ssl.trustStorePassword=hush\nother.setting=1\n";
    let ldap = "# a comment\nURI\tldaps://a.example\nBASE dc=a\nTLS_CACERT ca.pem\n\
                BINDDN cn=s\nbindpw hush\nSIZELIMIT 12\nTLS_REQCERT demand\n";
    for (kind, text) in
        [(Kind::Sssd, sssd), (Kind::Apache, apache), (Kind::Java, java), (Kind::Ldap, ldap)]
    {
        let found = read(kind, text);
        assert_eq!(found.targets, ["ldaps://a.example:636"], "{kind:?}");
        assert_eq!(found.causes, [""; 0], "{kind:?}");
        let [one] = found.uses.as_slice() else { panic!("{kind:?}") };
        assert_eq!(one.base.as_deref(), Some("dc=a"), "{kind:?}");
        assert_eq!(one.sign_in.as_deref(), Some("cn=s"), "{kind:?}");
        let [Store::File(store)] = one.stores.as_slice() else { panic!("{kind:?}") };
        assert_eq!(store.value, "ca.pem");
        assert!(!format!("{:?}", found.uses).contains("hush"), "{kind:?}: a password was kept");
        assert_eq!(Kind::guess("x.conf", text), Some(kind), "by its content");
    }
    assert_eq!(Kind::guess("ldap.conf", "BASE dc=a"), Some(Kind::Ldap));
    assert_eq!(Kind::guess("app.properties", ""), Some(Kind::Java));
    assert_eq!(Kind::guess("some.txt", "nothing"), None);
}

#[test]
fn what_is_dangerous_or_odd_is_said() {
    let ldap = |more: &str| format!("TLS_CACERT ca\nURI {more}\n");
    let sssd = |more: &str| format!("[domain/c]\nldap_tls_cacert=ca\n{more}\n");
    let apache = |url: &str| format!("LDAPTrustedGlobalCert CA_BASE64 ca\nAuthLDAPURL {url}\n");
    let java = |more: &str| format!("java.naming.provider.url=ldaps://a.example\n{more}\n");
    let production = "ldap_uri = ldaps://a\nldap_auth_disable_tls_never_use_in_production = true";
    let (never, mixed) = ("ldaps://a.example\nTLS_REQCERT never", "ldaps://a.example:389");
    let cases = [
        (Kind::Ldap, ldap(never), "error any server is believed"),
        (Kind::Ldap, ldap(&never.replace("never", "allow")), "error any server is believed"),
        (Kind::Ldap, "URI ldaps://a.example\n".to_owned(), "warning file names no CA"),
        (Kind::Ldap, ldap("ldap://a.example"), "warning in the clear to a.example, unless"),
        (Kind::Ldap, ldap(mixed), "error ldaps:// on port 389 is a mix-up"),
        (Kind::Ldap, ldap("ldaps://a\nTLS_CACRT x"), "warning TLS_CACRT is no setting of ldap"),
        (Kind::Ldap, ldap("ldapi:///"), "warning a local socket"),
        (Kind::Sssd, sssd("ldap_uri = ldap://a.example"), "error what is looked up goes to a.ex"),
        (Kind::Sssd, sssd(production), "error the passwords of all who sign in go in the clear"),
        (Kind::Sssd, sssd("ldap_uri = _srv_"), "warning servers are found by DNS"),
        (
            Kind::Sssd,
            sssd("ldap_uri = ldaps://a.example\nldap_tls_reqcert = never"),
            "error any server is believed",
        ),
        (Kind::Apache, apache("\"ldap://a.example/dc=a\""), "error passwords and answers go to"),
        (
            Kind::Apache,
            apache("ldaps://a.example/dc=a") + "LDAPVerifyServerCert off\n",
            "error any server is believed",
        ),
        (
            Kind::Java,
            "spring.ldap.urls=ldap://a.example:389\n".to_owned(),
            "error passwords and answers go to a.example in the clear",
        ),
        (
            Kind::Java,
            java("com.sun.jndi.ldap.object.disableEndpointIdentification=true"),
            "error any server is believed",
        ),
        (
            Kind::Java,
            java("com.sun.jndi.ldap.connect.pool=true"),
            "warning only connections without TLS are pooled",
        ),
        (
            Kind::Java,
            java("java.naming.ldap.factory.socket=a.Trusting"),
            "warning a class of the application decides",
        ),
    ];
    for (kind, text, expected) in cases {
        let found = read(kind, &text);
        let [only] = found.causes.as_slice() else { panic!("{text}: {:?}", found.causes) };
        assert!(only.starts_with(expected), "{text}: {only}");
    }
}

#[test]
fn several_servers_and_ways_to_tls() {
    let two = ["ldaps://a.example:636", "ldaps://b.example:6636"];
    let starttls = ["ldap://a.example:389"];
    let cases: [(Kind, &str, &[&str]); 8] = [
        (Kind::Ldap, "URI ldaps://a.example ldaps://b.example:6636\nTLS_CACERT ca", &two),
        (
            Kind::Sssd,
            "[domain/c]\nldap_uri=ldaps://a.example\nldap_tls_cacert=ca\n\
                      ldap_backup_uri = ldaps://b.example:6636\n",
            &two,
        ),
        (
            Kind::Sssd,
            "[domain/c]\nldap_uri=ldap://a.example\nldap_id_use_start_tls=True\n\
                      ldap_tls_cacert=ca",
            &starttls,
        ),
        (
            Kind::Apache,
            "LDAPTrustedGlobalCert CA_DER ca\n\
                        AuthLDAPURL \"ldaps://a.example b.example:6636/dc=a\"",
            &two,
        ),
        (
            Kind::Apache,
            "LDAPTrustedGlobalCert CA_DER ca\nLDAPTrustedMode TLS\n\
                        AuthLDAPURL ldap://a.example/dc=a",
            &starttls,
        ),
        (
            Kind::Apache,
            "LDAPTrustedGlobalCert CA_DER ca\n\
                        AuthLDAPURL \\\n  \"ldap://a.example/dc=a\" STARTTLS",
            &starttls,
        ),
        (Kind::Java, "spring.ldap.urls=ldaps://a.example,ldaps://b.example:6636", &two),
        (
            Kind::Java,
            "java.naming.provider.url=ldaps://a.example/dc=a,dc=b \\\n  \
                      ldaps://b.example:6636",
            &two,
        ),
    ];
    for (kind, text, targets) in cases {
        let found = read(kind, text);
        assert_eq!(
            (found.targets.as_slice(), found.causes.len()),
            (&targets.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>()[..], 0),
            "{text}"
        );
    }
    let java = read(Kind::Java, "java.naming.provider.url=ldaps://a.example/dc=a,dc=b");
    assert_eq!(java.uses[0].base.as_deref(), Some("dc=a,dc=b"));
    let apache = "LDAPTrustedGlobalCert CA_DER ca\n\
                  AuthLDAPURL ldaps://a.example/dc=a%20b?mail,cn?one?objectClass=person";
    let one = read(Kind::Apache, apache).uses.remove(0);
    assert_eq!(one.base.as_deref(), Some("dc=a b"));
    assert_eq!(one.filter.as_deref(), Some("(&(objectClass=person)(mail=*))"));
    let domains = "[domain/one]\nldap_uri=ldaps://a.example\nldap_tls_cacert=x\n\
                   [nss]\nldap_uri=ldaps://no.example\n[domain/two]\nldap_uri=ldaps://b.example\n";
    let found = read(Kind::Sssd, domains);
    assert_eq!(found.targets, ["ldaps://a.example:636", "ldaps://b.example:636"]);
    let [only] = found.causes.as_slice() else { panic!("{:?}", found.causes) };
    assert!(only.contains("[domain/two] of file names no CA"), "{only}");
    assert_eq!(found.uses[1].findings[0].confidence, Confidence::Likely);
}

#[test]
fn what_nobody_can_read_is_named_with_its_line() {
    for (kind, text, fault) in [
        (Kind::Ldap, "\nURI", "file:2: URI has no value"),
        (Kind::Ldap, "URI https://a.example", "file:1: URI: 'https://a.example' is no address"),
        (Kind::Ldap, "URI ldap://u:hush@a.example", "file:1: URI: an address with a user's name"),
        (Kind::Ldap, "TLS_REQCERT sometimes", "file:1: TLS_REQCERT sometimes: right is never"),
        (Kind::Ldap, "BASE dc=a", "file: it names no server; right is a line such as URI"),
        (Kind::Sssd, "[domain/a", "file:1: a section has no ] at its end"),
        (Kind::Sssd, "[domain/a]\nnonsense", "file:2: no setting; right is NAME = VALUE"),
        (Kind::Apache, "AuthLDAPURL ldaps://a/b MAYBE", "file:1: mode MAYBE: right is NONE"),
        (Kind::Apache, "AuthLDAPURL nonsense", "file:1: AuthLDAPURL is no such address"),
        (Kind::Apache, "AuthLDAPURL ldaps://a/b?c?deep", "file:1: scope deep: right is sub"),
        (Kind::Java, "spring.ldap.urls=ldaps://a:x", "file:1: spring.ldap.urls: 'x' is no port"),
        (Kind::Java, "other=1", "file: it names no server"),
    ] {
        let faults = parse(kind, "file", text).faults;
        let [only] = faults.as_slice() else { panic!("{text}: {faults:?}") };
        assert!(only.starts_with(fault) && !only.contains("hush"), "{text}: {only}");
    }
}
