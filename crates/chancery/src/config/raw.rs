//! Every section and setting of `chancery.toml`, as it is written. The documentation in here is
//! what `chancery.example.toml` and the reference print.

use std::path::PathBuf;
use std::time::Duration;

use super::read::SectionReader;
use super::setting::{Section, Setting, section};
use super::value::{
    AcmeChallenge, Anonymous, Bytes, CertificatePart, ClientCertificates, Level, ListenMode,
    LogFormat, MailSecurity, RuleListener, RuleVerdict, TlsFloor, Value, Words,
};

/// Sections that may stand more than once.
const MANY: bool = true;
const ONCE: bool = false;

/// All sections, in the order in which they are printed.
pub(super) const SECTIONS: [Section; 21] = [
    Top::SECTION,
    Listen::SECTION,
    Tls::SECTION,
    CertificateMap::SECTION,
    Publish::SECTION,
    PublishInternal::SECTION,
    PublishExternal::SECTION,
    PublishRule::SECTION,
    Dns::SECTION,
    Acme::SECTION,
    Limits::SECTION,
    Passwords::SECTION,
    Lockout::SECTION,
    Indexes::SECTION,
    SchemaFiles::SECTION,
    ChangeLog::SECTION,
    Store::SECTION,
    Log::SECTION,
    Alerts::SECTION,
    Shutdown::SECTION,
    Access::SECTION,
];

/// The whole file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Raw {
    pub(crate) top: Top,
    pub(crate) listen: Vec<Listen>,
    pub(crate) tls: Tls,
    pub(crate) certificate_map: Vec<CertificateMap>,
    pub(crate) publish: Publish,
    pub(crate) publish_internal: PublishInternal,
    pub(crate) publish_external: PublishExternal,
    pub(crate) publish_rules: Vec<PublishRule>,
    pub(crate) dns: Dns,
    pub(crate) acme: Acme,
    pub(crate) limits: Limits,
    pub(crate) passwords: Passwords,
    pub(crate) lockout: Lockout,
    pub(crate) indexes: Indexes,
    pub(crate) schema: SchemaFiles,
    pub(crate) change_log: ChangeLog,
    pub(crate) store: Store,
    pub(crate) log: Log,
    pub(crate) alerts: Alerts,
    pub(crate) shutdown: Shutdown,
    pub(crate) access: Vec<Access>,
}

section! {
    /// Paths are relative to the folder of this file.
    ONCE "" => Top {
        /// The folder that holds everything the server keeps. It is created at the first start.
        data: PathBuf = "'chancery-data'";
        /// The names at the top of the trees this server holds.
        suffixes: Vec<String> = "['dc=example,dc=com']";
        /// The entry that the default access rules let manage everything, created at the first
        /// start. When absent: `cn=admin` below the first suffix.
        administrator: Option<String> = "" or "'cn=admin,dc=example,dc=com'";
        /// What somebody who has not signed in may do at most: `none`; read the root DSE and the
        /// schema (`root-dse`); or what the access rules say (`search`).
        anonymous: Anonymous = "'root-dse'";
    }
}

section! {
    /// One place to listen on. Without any: LDAPS on 127.0.0.1:6636. The local socket `ldapi` in
    /// the data folder is always open as well, for the `chancery` commands of the folder's owner.
    MANY "listen" => Listen {
        /// An IP address with a port, `[::]:636` for all; for `ldapi` the path of a socket.
        address: String = "'127.0.0.1:6636'";
        /// `ldaps`: TLS from the first byte. `starttls`: plain until the client asks for TLS, and
        /// no secret is accepted before that. `ldapi`: a local socket, whose peers are known by
        /// their user.
        mode: ListenMode = "'ldaps'";
        /// Whether clients may sign in with a certificate (SASL EXTERNAL): `off`, `optional`, or
        /// `required`, without which there is no connection.
        client_certificates: ClientCertificates = "'off'";
        /// The CAs, in PEM, whose client certificates are accepted.
        client_ca: Option<PathBuf> = "" or "'clients-ca.pem'";
        /// The oldest version of TLS here, where it is not the one of `[tls]`.
        tls_floor: Option<TlsFloor> = "" or "'1.3'";
        /// The cipher suites here, where they are not those of `[tls]`.
        ciphers: Option<Vec<String>> = "" or "['TLS13_AES_256_GCM_SHA384']";
    }
}

section! {
    /// The server's certificate, and how TLS is spoken. Each source that is named gives candidates,
    /// of which the best is served (`chancery cert why`); files are followed and read again when
    /// they change. Without a source: a certificate of the in-house CA in the data folder.
    ONCE "tls" => Tls {
        /// The certificate and those above it, in PEM, the server's own first.
        certificate: Option<PathBuf> = "" or "'/etc/chancery/server.pem'";
        /// Its private key, in PEM, readable by the server's user only. When absent: it is in the
        /// same file.
        key: Option<PathBuf> = "" or "'/etc/chancery/server.key'";
        /// A folder of certificates and keys in PEM, whatever their names, as certificate mounts
        /// and ACME clients make it.
        folder: Option<PathBuf> = "" or "'/etc/chancery/tls'";
        /// A PFX (PKCS #12) file with certificate and key.
        pfx: Option<PathBuf> = "" or "'/etc/chancery/server.pfx'";
        /// The file that holds its password, readable by the server's user only.
        pfx_password_file: Option<PathBuf> = "" or "'/etc/chancery/server.pfx.password'";
        /// Days a certificate should still be valid; fewer are a warning.
        lifetime_days: u32 = "90" in (0, 3650);
        /// Whether something renews these files in time, so that few days left are no warning.
        renews_itself: bool = "false";
        /// The oldest version of TLS that is spoken: `1.2` or `1.3`.
        floor: TlsFloor = "'1.2'";
        /// The cipher suites that are spoken, by their IANA names. When empty: all there are, none
        /// of which is weak.
        ciphers: Vec<String> = "[]";
    }
}

section! {
    /// How a client certificate becomes an entry (SASL EXTERNAL). The first rule that finds one
    /// decides; without rules, the certificate's subject is the entry's name. Where none finds one,
    /// or one finds several, signing in fails (`invalidCredentials`).
    MANY "certificate-map" => CertificateMap {
        /// Only for certificates of this CA: its subject. When absent: of any that is accepted.
        issuer: Option<String> = "" or "'CN=Example Issuing CA,O=Example'";
        /// What of the certificate is looked for: `subject`, `common-name`, `email`, `dns`,
        /// `user-principal` (Active Directory's), or `thumbprint` (SHA-256, in lower-case
        /// hexadecimal).
        from: CertificatePart = "'subject'";
        /// The attribute in which one entry has it. When absent: it is the entry's name.
        to: Option<String> = "" or "'mail'";
    }
}

section! {
    /// How clients reach this server.
    ONCE "publish" => Publish {
        /// The names that clients use: certificates are issued for them and must cover them, and
        /// DNS records are made for them. When empty: `localhost` and this host's name.
        names: Vec<String> = "[]";
        /// The address that these names stand for outside.
        address: Option<String> = "" or "'203.0.113.10'";
        /// Whether sessions end that the network rules let in no longer, when the rules change. As
        /// it is, they stay until their client ends them.
        cut: bool = "false";
    }
}

section! {
    /// LDAPS for those inside, under the network rules below; private addresses are let in where no
    /// rule says otherwise. `chancery publish` switches it as well: `docs/reference/publishing.md`.
    ONCE "publish.internal" => PublishInternal {
        /// Whether it is open.
        enabled: bool = "false";
        /// Where it listens: an IP address with a port.
        address: Option<String> = "" or "'10.0.0.5:636'";
        /// The networks of the balancers in front of it. With any, connections come from them only,
        /// and each must begin with a PROXY protocol header, version 1 or 2.
        proxy_from: Words = "[]";
        /// It does not open while its rules let everybody in, unless this is `true`.
        accept_open_to_everyone: bool = "false";
        /// Whether clients may sign in with a certificate: `off`, `optional`, or `required`.
        client_certificates: ClientCertificates = "'off'";
        /// The CAs, in PEM, whose client certificates are accepted.
        client_ca: Option<PathBuf> = "" or "'clients-ca.pem'";
        /// The oldest version of TLS here, where it is not the one of `[tls]`.
        tls_floor: Option<TlsFloor> = "" or "'1.3'";
        /// The cipher suites here, where they are not those of `[tls]`.
        ciphers: Option<Vec<String>> = "" or "['TLS13_AES_256_GCM_SHA384']";
    }
}

section! {
    /// LDAPS for those outside, under the network rules below; nobody is let in where no rule says
    /// so.
    ONCE "publish.external" => PublishExternal {
        /// Whether it is open.
        enabled: bool = "false";
        /// Where it listens: an IP address with a port.
        address: Option<String> = "" or "'0.0.0.0:636'";
        /// As above.
        proxy_from: Words = "[]";
        /// It does not open while its rules let everybody in, unless this is `true`.
        accept_open_to_everyone: bool = "false";
        /// Whether clients may sign in with a certificate: `off`, `optional`, or `required`.
        client_certificates: ClientCertificates = "'off'";
        /// The CAs, in PEM, whose client certificates are accepted.
        client_ca: Option<PathBuf> = "" or "'clients-ca.pem'";
        /// The oldest version of TLS here, where it is not the one of `[tls]`.
        tls_floor: Option<TlsFloor> = "" or "'1.3'";
        /// The cipher suites here, where they are not those of `[tls]`.
        ciphers: Option<Vec<String>> = "" or "['TLS13_AES_256_GCM_SHA384']";
    }
}

section! {
    /// The network rules of the two listeners above: judged before the first byte of TLS, in order
    /// of their priorities, the first that matches decides.
    MANY "publish.rule" => PublishRule {
        /// Its name: letters, digits and `-`, `_`, `.`. Always needed.
        name: Option<String> = "" or "'office'";
        /// Lower comes first; no two rules have the same. Always needed.
        priority: Option<u32> = "" or "200" in (100, 4096);
        /// The networks that it speaks of, IPv4 or IPv6. Always needed.
        source: Option<Words> = "" or "['192.0.2.0/24', '2001:db8::/32']";
        /// `allow` or `deny`. Always needed.
        verdict: Option<RuleVerdict> = "" or "'allow'";
        /// Only for the listener with this port.
        port: Option<u32> = "" or "636" in (1, 65_535);
        /// Only for this listener, `internal` or `external`.
        listener: Option<RuleListener> = "" or "'external'";
    }
}

section! {
    /// DNS records for the names of `[publish]`: printed, written by dynamic update (RFC 2136), and
    /// looked up as clients do. Described in `docs/reference/dns.md`.
    ONCE "dns" => Dns {
        /// The name server that takes updates of the zone: an IP address, with a port if it is not
        /// 53.
        server: Option<String> = "" or "'192.0.2.53'";
        /// The zone it holds, in which the names are.
        zone: Option<String> = "" or "'example.com'";
        /// The key that signs updates (TSIG), as `tsig-keygen` prints it, or its secret alone in
        /// base64; readable by the server's user only.
        key: Option<PathBuf> = "" or "'/etc/chancery/dns.key'";
        /// The name of the key, where the file holds the secret alone.
        key_name: Option<String> = "" or "'chancery'";
        /// Its algorithm, where the file holds the secret alone. When absent: `hmac-sha256`.
        key_algorithm: Option<String> = "" or "'hmac-sha512'";
        /// How long others may remember the records.
        ttl: Duration = "'5 min'" in (1_000, 604_800_000);
        /// The addresses that the names stand for. When empty: `publish.address`.
        addresses: Vec<String> = "[]";
        /// The services that clients find by SRV records: `ldaps`, `ldap` (StartTLS), or none.
        services: Words = "'ldaps'";
        /// The domain in which they look. When absent: the zone.
        domain: Option<String> = "" or "'example.com'";
        /// The port outside for LDAPS.
        port: u32 = "636" in (1, 65_535);
        /// The port outside for StartTLS.
        starttls_port: u32 = "389" in (1, 65_535);
        /// Servers that look names up as clients' do: the view from outside.
        resolvers: Vec<String> = "[]";
        /// The zone's name servers. When empty: the ones that the first of the resolvers names.
        name_servers: Vec<String> = "[]";
        /// How long a record that was written may take to reach all name servers of the zone.
        propagation: Duration = "'2 min'" in (1_000, 3_600_000);
    }
}

section! {
    /// Certificates from a CA that speaks ACME (RFC 8555), ordered and renewed by the server.
    /// Described in `docs/reference/acme.md`.
    ONCE "acme" => Acme {
        /// The CA's directory. Without one nothing is ordered.
        directory: Option<String> = "" or "'https://acme-v02.api.letsencrypt.org/directory'";
        /// Whether you agree to the CA's terms, whose address `chancery acme status` shows.
        agree_to_terms: bool = "false";
        /// Where the CA writes to about this account.
        contact: Vec<String> = "[]";
        /// The names in the certificate; `*.example.com` needs `dns-01`. When empty:
        /// `publish.names`.
        names: Vec<String> = "[]";
        /// How the CA is shown that the names are ours.
        challenge: AcmeChallenge = "'http-01'";
        /// Where that is shown, while an order is pending. When absent: port 80 for `http-01`, 443
        /// for `tls-alpn-01`, of all addresses.
        listen: Option<String> = "" or "'[::]:8080'";
        /// CAs, in PEM, that the ACME server's own certificate is verified with. When absent: those
        /// that this machine trusts.
        ca: Option<PathBuf> = "" or "'acme-ca.pem'";
        /// The identifier of an external account (RFC 8555 §7.3.4), where the CA asks for one.
        eab_key_id: Option<String> = "" or "'kid-1'";
        /// Its key, in base64url; readable by the server's user only.
        eab_key: Option<PathBuf> = "" or "'/etc/chancery/eab.key'";
        /// Orders in one hour. Beyond: the next waits, and is not lost.
        orders_per_hour: u32 = "5" in (1, 1_000);
    }
}

section! {
    /// Every named maximum. Behind each: what a client is told that reaches it.
    ONCE "limits" => Limits {
        /// Connections in total. Beyond: closed at once.
        connections: u32 = "10000" in (1, 1_000_000);
        /// Connections from one address; the local socket does not count. Beyond: closed at once.
        connections_per_address: u32 = "1000" in (1, 1_000_000);
        /// Connections from one IPv4 /24 or IPv6 /64, which one host may hold as a whole; those
        /// from this machine do not count. Beyond: closed at once.
        connections_per_network: u32 = "4000" in (1, 1_000_000);
        /// One message before a successful bind. Beyond: protocolError, and closed.
        message_bytes_before_bind: Bytes = "'256 KiB'" in (1 << 10, 1 << 30);
        /// One message after it. Beyond: protocolError, and closed.
        message_bytes: Bytes = "'16 MiB'" in (1 << 10, 1 << 30);
        /// Operations of one connection at work. At the limit nothing more is read from it.
        operations_in_flight: u32 = "64" in (1, 10_000);
        /// Answers that wait for a slow reader. At the limit its searches rest.
        output_bytes: Bytes = "'64 KiB'" in (1 << 12, 1 << 30);
        /// Filters inside filters. Beyond: adminLimitExceeded.
        filter_depth: u32 = "64" in (1, 256);
        /// Parts of one filter, all levels together. Beyond: adminLimitExceeded.
        filter_nodes: u32 = "4096" in (1, 1_000_000);
        /// Attributes in one search's list. Beyond: adminLimitExceeded.
        requested_attributes: u32 = "4096" in (1, 1_000_000);
        /// Controls of one request. Beyond: adminLimitExceeded.
        controls: u32 = "64" in (1, 10_000);
        /// Changes in one modify. Beyond: adminLimitExceeded.
        modifications: u32 = "50000" in (1, 10_000_000);
        /// Attributes of one added entry. Beyond: adminLimitExceeded.
        attributes_per_add: u32 = "10000" in (1, 1_000_000);
        /// Values in one add or modify. Beyond: adminLimitExceeded.
        values: u32 = "1000000" in (1, 100_000_000);
        /// Bytes of a password. Beyond: invalidCredentials, constraintViolation when setting one.
        password_bytes: Bytes = "'1 KiB'" in (64, 1024);
        /// Entries of one search, 0 for no limit. Beyond: sizeLimitExceeded.
        search_entries: u32 = "0";
        /// Entries of one page. A larger page that is asked for is answered with one of this size.
        page_entries: u32 = "10000" in (1, 1_000_000);
        /// How long one search may take, "0s" for no limit. Beyond: timeLimitExceeded.
        search_time: Duration = "'1 h'";
        /// Entries one search may look at, 0 for no limit. Beyond: adminLimitExceeded.
        search_lookthrough: u32 = "0";
        /// Entries a search looks at before other connections of its thread get their turn.
        search_step: u32 = "2000" in (1, 1_000_000);
        /// Until the TLS handshake must be over. Beyond: closed.
        handshake_time: Duration = "'10s'" in (100, 600_000);
        /// Silence of a connection without work. Beyond: a notice (unavailable), and closed.
        idle_time: Duration = "'15 min'" in (1_000, 31_536_000_000);
        /// The same before a successful bind, where only whole messages count as a sign of life.
        idle_time_before_bind: Duration = "'1 min'" in (1_000, 31_536_000_000);
        /// How long a reader may take nothing while answers wait. Beyond: closed.
        write_stall_time: Duration = "'1 min'" in (1_000, 86_400_000);
        /// Changes that wait for the writer. Beyond: busy.
        write_queue: u32 = "4096" in (1, 1_000_000);
        /// Characters of a name, a filter or a message in the audit log; the rest is cut.
        audit_text: u32 = "1024" in (64, 1_000_000);
    }
}

section! {
    /// How new passwords are hashed (Argon2id) and how many at a time.
    ONCE "passwords" => Passwords {
        /// Memory of one hash.
        memory: Bytes = "'19 MiB'" in (1 << 20, 1 << 30);
        /// Passes over that memory.
        passes: u32 = "2" in (1, 64);
        /// Lanes of one hash.
        lanes: u32 = "1" in (1, 16);
        /// Threads that hash and verify; 0 is one for each core.
        threads: u32 = "0" in (0, 1024);
        /// Passwords that wait for one of them. Beyond: busy.
        queue: u32 = "256" in (1, 100_000);
        /// Whether a password stored in another scheme or at another cost is hashed anew at the
        /// next successful bind.
        rehash: bool = "true";
        /// How long a successful bind spares the next with the same password the slow hashing. Any
        /// change of the stored password ends it at once; "0s" is never.
        remember: Duration = "'5 min'" in (0, 43_200_000);
    }
}

section! {
    /// What wrong passwords do to an account, and to where they come from. Described in
    /// `docs/reference/lockout.md`.
    ONCE "lockout" => Lockout {
        /// So many wrong passwords within `window` lock an account; 0 locks none.
        failures: u32 = "5" in (0, 1_000);
        /// How long a wrong password counts.
        window: Duration = "'2 min'" in (1_000, 86_400_000);
        /// How long an account stays locked; "0s" is until an administrator unlocks it, which lets
        /// an attacker lock everybody out for good.
        duration: Duration = "'30 min'" in (0, 31_536_000_000);
        /// So many wrong passwords of one address, or three times as many of its network (/24, or
        /// /64 in IPv6), and none from there is looked at any more; answers come later from a
        /// quarter of it on. 0 counts none.
        source_failures: u32 = "20" in (0, 1_000_000);
        /// Each time this has passed, an address is forgiven one of them, a network two.
        source_forgiven_each: Duration = "'1 min'" in (100, 86_400_000);
        /// Addresses and networks of programs through which many people sign in: there, failures
        /// count for the accounts only.
        gateways: Vec<String> = "[]";
    }
}

section! {
    /// Which attributes have which index. A difference to the last start is built or dropped at
    /// the next.
    ONCE "indexes" => Indexes {
        /// For `(a=v)`, `(a>=v)` and `(a<=v)`.
        equality: Vec<String> = "['objectClass', 'entryUUID', 'cn', 'sn', 'givenName', 'displayName', 'uid', 'mail', 'telephoneNumber', 'employeeNumber', 'ou', 'o', 'dc', 'uidNumber', 'gidNumber', 'memberUid']";
        /// For `(a=*v*)`.
        substring: Vec<String> = "['cn', 'sn', 'givenName', 'displayName', 'uid', 'mail']";
        /// For `(a=*)`.
        presence: Vec<String> = "['mail', 'uidNumber', 'gidNumber']";
    }
}

section! {
    /// The schema beyond what is shipped.
    ONCE "schema" => SchemaFiles {
        /// Files in RFC 4512 text, OpenLDAP's `.schema` or LDIF form, read after those in the
        /// `schema` folder of the data folder.
        files: Vec<PathBuf> = "[]";
    }
}

section! {
    /// The record of all changes. It is trimmed by whichever of the two is reached first.
    ONCE "change-log" => ChangeLog {
        /// How long changes are kept.
        keep_age: Duration = "'30 days'" in (60_000, 315_360_000_000);
        /// How much room they may take.
        keep_size: Bytes = "'1 GiB'" in (1 << 20, 1 << 40);
    }
}

section! {
    /// The file that holds the directory.
    ONCE "store" => Store {
        /// Address space reserved for it, which is the largest size it can reach. It costs nothing
        /// until it is used.
        map_bytes_max: Bytes = "'1 TiB'" in (1 << 24, 1 << 46);
    }
}

section! {
    /// What the server writes about itself, to standard error.
    ONCE "log" => Log {
        /// The least important message that is written.
        level: Level = "'info'";
        /// Lines for people, or one JSON object a line.
        format: LogFormat = "'text'";
        /// Where the audit events go, one for each operation: `stderr`, the path of a file, or
        /// `off`. Writing an event costs about as much as answering a small search.
        audit: String = "'stderr'";
    }
}

section! {
    /// Where alerts go besides the log, `chancery status` and `chancery alerts`. What they are:
    /// `docs/reference/alerts.md`.
    ONCE "alerts" => Alerts {
        /// Where they are posted to as JSON. `http://` only to this machine.
        webhook: Option<String> = "" or "'https://alerts.example.com/chancery'";
        /// The CAs, in PEM, that its certificate is verified against; without, the machine's own.
        webhook_ca: Option<PathBuf> = "" or "'/etc/chancery/webhook-ca.pem'";
        /// A file with a bearer token in one line, readable by the server's user only.
        webhook_secret: Option<PathBuf> = "" or "'/etc/chancery/webhook.token'";
        /// How long a post may take.
        webhook_time: Duration = "'10s'" in (100, 120_000);
        /// The mail server, with a port or without.
        mail_server: Option<String> = "" or "'mail.example.com:587'";
        /// `starttls`, which the server must offer; `tls` from the first byte; or `none`, only to
        /// this machine and without a password.
        mail_security: MailSecurity = "'starttls'";
        /// The CAs, in PEM, that its certificate is verified against; without, the machine's own.
        mail_ca: Option<PathBuf> = "" or "'/etc/chancery/mail-ca.pem'";
        /// The user to sign in as.
        mail_user: Option<String> = "" or "'chancery'";
        /// A file with the user's password in its first line, readable by the server's user only.
        mail_password: Option<PathBuf> = "" or "'/etc/chancery/mail.password'";
        /// The address that mail comes from.
        mail_from: Option<String> = "" or "'chancery@example.com'";
        /// Who gets it.
        mail_to: Vec<String> = "[]";
    }
}

section! {
    /// How the server stops.
    ONCE "shutdown" => Shutdown {
        /// How long operations at work may take to end.
        grace: Duration = "'10s'" in (0, 3_600_000);
    }
}

section! {
    /// The access rules: the first that matches decides alone, and what no rule allows is denied.
    /// Rules in this file replace the default ones, which stand below. They are described in
    /// `docs/reference/access.md`.
    MANY "access" => Access {
        /// The askers: `anyone`, `anonymous`, `signed-in`, `self`, `entry "DN"`, `group "DN"`,
        /// `role "DN"`, `subtree "DN"`, `value-of ATTRIBUTE`. A list is any of them.
        /// Always needed.
        who: Words = "[]";
        /// The rights: `none`, `auth`, `compare`, `search`, `read`, `add`, `write`, `delete`,
        /// `manage`. A list is all of them. Always needed.
        may: Words = "[]";
        /// The entries: `everything`, `entry "DN"`, `children "DN"`, `subtree "DN"`, `below "DN"`.
        /// A list is any of them.
        on: Words = "'everything'";
        /// A filter the entry must satisfy.
        r#where: Option<String> = "" or "'(objectClass=person)'";
        /// The attributes: types, `@secrets`, `@CLASS`, `*`, `+`, `entry`, `all`,
        /// `all except A, B`. When absent: the entry itself and all its attributes but secrets.
        attributes: Option<Words> = "" or "['mail', 'telephoneNumber']";
        /// The client's network: `10.0.0.0/8`, one address, or `local` for the local socket.
        from: Words = "[]";
    }
}
