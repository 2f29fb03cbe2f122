//! What to write where, so that a client trusts the CA and finds the server.

use std::net::IpAddr;

use anyhow::Result;
use pki::judge::names::ServedName;
use server::network::Scope;

use crate::arguments::Client;
use crate::ca::own;
use crate::config::{Address, Config, ListenMode};
use crate::failure::usage;
use crate::publish::publication::is_on;
use crate::publish::record::Record;

/// How the server is reached from outside.
pub(super) struct Reached {
    name: ServedName,
    port: u16,
    suffix: String,
}

impl Reached {
    pub(super) fn of(config: &Config, name: Option<&str>) -> Result<Reached> {
        // What goes into lines that people paste is a name, and nothing else.
        let checked =
            |name| ServedName::parse(name).map_err(|error| usage(format!("--name: {error}")));
        let asked = name.map(checked).transpose()?;
        let usual = || own::names(config).first().and_then(|name| ServedName::parse(name).ok());
        let name = asked.or_else(|| config.publish.names.first().cloned()).or_else(usual);
        Ok(Reached {
            name: name.unwrap_or_else(|| ServedName::Dns("localhost".to_owned())),
            port: published_port(config)?.or_else(|| listening_port(config)).unwrap_or(636),
            suffix: config.suffixes.first().cloned().unwrap_or_default(),
        })
    }

    fn uri(&self) -> String {
        let name = match &self.name {
            ServedName::Ip(IpAddr::V6(address)) => format!("[{address}]"),
            other => other.to_string(),
        };
        match self.port {
            636 => format!("ldaps://{name}"),
            port => format!("ldaps://{name}:{port}"),
        }
    }
}

/// Of the listener that is open to others, where one is: the external before the internal.
fn published_port(config: &Config) -> Result<Option<u16>> {
    let switches = Record::load(&config.data)?.switches;
    let open = |scope: &Scope| is_on(config, &switches, *scope);
    let mut scopes = [Scope::External, Scope::Internal].into_iter().filter(open);
    Ok(scopes.find_map(|scope| config.published.of(scope).address).map(|address| address.port()))
}

fn listening_port(config: &Config) -> Option<u16> {
    config.listeners.iter().find_map(|listener| match &listener.address {
        Address::Internet(address) if listener.mode == ListenMode::Ldaps => Some(address.port()),
        _ => None,
    })
}

/// Every text begins by getting the CA into a file.
pub(super) fn lines(client: Client, reached: &Reached) -> String {
    let text = match client {
        Client::Openldap => OPENLDAP,
        Client::Sssd => SSSD,
        Client::Java => JAVA,
        Client::Windows => WINDOWS,
        Client::Containers => CONTAINERS,
        Client::Debian => DEBIAN,
        Client::Redhat => REDHAT,
        Client::Node => NODE,
        Client::Python => PYTHON,
    };
    text.replace("{uri}", &reached.uri())
        .replace("{name}", &reached.name.to_string())
        .replace("{port}", &reached.port.to_string())
        .replace("{base}", &reached.suffix)
}

const OPENLDAP: &str = "\
# chancery ca export --pem > /etc/ldap/chancery-ca.pem
# In /etc/ldap/ldap.conf (Red Hat: /etc/openldap/ldap.conf):
URI         {uri}
BASE        {base}
TLS_CACERT  /etc/ldap/chancery-ca.pem
TLS_REQCERT demand
";

const SSSD: &str = "\
# chancery ca export --pem > /etc/sssd/chancery-ca.pem
# In /etc/sssd/sssd.conf (mode 0600), then: systemctl restart sssd
[sssd]
services = nss, pam
domains = chancery

[domain/chancery]
id_provider = ldap
auth_provider = ldap
ldap_uri = {uri}
ldap_search_base = {base}
ldap_tls_cacert = /etc/sssd/chancery-ca.pem
ldap_tls_reqcert = demand
";

const JAVA: &str = "\
# One truststore for the program alone, which leaves the other CAs out:
#   chancery ca export --pkcs12 chancery-ca.p12 --password-file PASSWORD
java -Djavax.net.ssl.trustStore=chancery-ca.p12 -Djavax.net.ssl.trustStoreType=PKCS12 \\
     -Djavax.net.ssl.trustStorePassword=PASSWORD ...
# Or beside the CAs that this Java trusts already:
#   chancery ca export --pem > chancery-ca.pem
keytool -importcert -noprompt -cacerts -storepass changeit -alias chancery-ca -file chancery-ca.pem
# In JNDI:
#   java.naming.provider.url={uri}/{base}
";

const WINDOWS: &str = "\
rem chancery ca export --pem > chancery-ca.crt, copied to the machine. As an administrator:
certutil -addstore -f Root chancery-ca.crt
rem The same in PowerShell:
rem   Import-Certificate -FilePath chancery-ca.crt -CertStoreLocation Cert:\\LocalMachine\\Root
rem For a whole domain: Group Policy, Computer Configuration, Policies, Windows Settings,
rem Security Settings, Public Key Policies, Trusted Root Certification Authorities, Import.
rem To try it: ldp.exe, Connection, Connect: server {name}, port {port}, SSL.
";

const CONTAINERS: &str = "\
# chancery ca export --pem > chancery-ca.crt
# In a Dockerfile, Debian or Ubuntu:
COPY chancery-ca.crt /usr/local/share/ca-certificates/chancery-ca.crt
RUN update-ca-certificates
# Alpine: the same two lines, after: RUN apk add --no-cache ca-certificates
# In Kubernetes, without a new image:
#   kubectl create configmap chancery-ca --from-file=chancery-ca.crt
# and in the pod, for programs that use OpenLDAP's library:
#   env:          [{ name: LDAPTLS_CACERT, value: /etc/chancery-ca/chancery-ca.crt }]
#   volumeMounts: [{ name: chancery-ca, mountPath: /etc/chancery-ca, readOnly: true }]
#   volumes:      [{ name: chancery-ca, configMap: { name: chancery-ca } }]
";

const DEBIAN: &str = "\
# chancery ca export --pem > chancery-ca.crt, copied to the machine. As root:
install -m 0644 chancery-ca.crt /usr/local/share/ca-certificates/chancery-ca.crt
update-ca-certificates
";

const REDHAT: &str = "\
# chancery ca export --pem > chancery-ca.pem, copied to the machine. As root:
install -m 0644 chancery-ca.pem /etc/pki/ca-trust/source/anchors/chancery-ca.pem
update-ca-trust
";

const NODE: &str = "\
# chancery ca export --pem > chancery-ca.pem
NODE_EXTRA_CA_CERTS=chancery-ca.pem node ...
# Or in the program (ldapts): new Client({ url: '{uri}', tlsOptions: { ca: [pem] } })
";

const PYTHON: &str = "\
# chancery ca export --pem > chancery-ca.pem
# ldap3:
#   tls = Tls(validate=ssl.CERT_REQUIRED, ca_certs_file='chancery-ca.pem')
#   Server('{name}', port={port}, use_ssl=True, tls=tls)
# python-ldap:
#   connection = ldap.initialize('{uri}')
#   connection.set_option(ldap.OPT_X_TLS_CACERTFILE, 'chancery-ca.pem')
#   connection.set_option(ldap.OPT_X_TLS_REQUIRE_CERT, ldap.OPT_X_TLS_DEMAND)
#   connection.set_option(ldap.OPT_X_TLS_NEWCTX, 0)
";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Overrides;

    fn uri(text: &str, name: Option<&str>) -> Result<String> {
        let folder = tempfile::tempdir()?;
        let text = format!("data = \"{}\"\n{text}", folder.path().display());
        let config = Config::from_text(&text, None, &Overrides::default())?;
        Ok(Reached::of(&config, name)?.uri())
    }

    #[test]
    fn the_port_is_the_one_that_is_open_to_clients() {
        let listen = "[[listen]]\naddress = \"127.0.0.1:1636\"\nmode = \"ldaps\"\n\
                      [publish]\nnames = [\"ldap.example.com\"]\n";
        let open = |scope: &str, port: u16| {
            format!(
                "[publish.{scope}]\nenabled = true\naddress = \"192.0.2.1:{port}\"\n\
                 accept-open-to-everyone = true\n"
            )
        };
        let closed = "[publish.external]\naddress = \"192.0.2.1:4636\"\n";
        for (text, expected) in [
            (listen.to_owned(), "ldaps://ldap.example.com:1636"),
            (format!("{listen}{closed}"), "ldaps://ldap.example.com:1636"),
            (format!("{listen}{}", open("internal", 2636)), "ldaps://ldap.example.com:2636"),
            (format!("{listen}{}", open("external", 636)), "ldaps://ldap.example.com"),
            (
                format!("{listen}{}{}", open("internal", 2636), open("external", 3636)),
                "ldaps://ldap.example.com:3636",
            ),
        ] {
            assert_eq!(uri(&text, None).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_name_goes_into_no_line() {
        for (name, expected) in [
            ("ldap.example.com", Some("ldaps://ldap.example.com")),
            ("192.0.2.1", Some("ldaps://192.0.2.1")),
            ("2001:db8::1", Some("ldaps://[2001:db8::1]")),
            ("", None),
            ("..", None),
            ("a/b", None),
            ("a..b", None),
            ("a\nTLS_REQCERT never", None),
            ("a b", None),
        ] {
            let text = "[[listen]]\naddress = \"127.0.0.1:636\"\nmode = \"ldaps\"\n";
            match (uri(text, Some(name)), expected) {
                (Ok(found), Some(expected)) => assert_eq!(found, expected),
                (Err(error), None) => assert!(error.to_string().starts_with("--name: "), "{error}"),
                (found, _) => panic!("{name:?}: {found:?}"),
            }
        }
    }
}
