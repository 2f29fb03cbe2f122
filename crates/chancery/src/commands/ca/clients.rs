//! What to write where, so that a client trusts the CA and finds the server.

use crate::arguments::Client;
use crate::ca::own;
use crate::config::{Address, Config, ListenMode};

/// How the server is reached from outside.
pub(super) struct Reached {
    name: String,
    port: u16,
    suffix: String,
}

impl Reached {
    pub(super) fn of(config: &Config, name: Option<&str>) -> Reached {
        let port = config.listeners.iter().find_map(|listener| match &listener.address {
            Address::Internet(address) if listener.mode == ListenMode::Ldaps => {
                Some(address.port())
            }
            _ => None,
        });
        let published = config.publish.names.first().map(ToString::to_string);
        let name = name.map(str::to_owned).or(published);
        let usual = || own::names(config).into_iter().next().unwrap_or_default();
        Reached {
            name: name.unwrap_or_else(usual),
            port: port.unwrap_or(636),
            suffix: config.suffixes.first().cloned().unwrap_or_default(),
        }
    }

    fn uri(&self) -> String {
        match self.port {
            636 => format!("ldaps://{}", self.name),
            port => format!("ldaps://{}:{port}", self.name),
        }
    }
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
        .replace("{name}", &reached.name)
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
