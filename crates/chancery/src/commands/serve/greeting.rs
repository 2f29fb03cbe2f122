//! What a person sees when the server is up: where it listens, which files matter, what to try.

use std::io::Write;
use std::path::Path;

use server::{Listening, ListeningAddress, Mode, Server};

use crate::certificates::Certificates;
use crate::config::Config;
use crate::publish::Publisher;

/// `println!` that goes on when whoever read it has gone: the server serves others.
macro_rules! say {
    ($($text:tt)*) => {
        // There is nobody left to tell.
        drop(writeln!(std::io::stdout(), $($text)*))
    };
}

/// `untried`: the example tree is there, as it was made.
pub(super) fn print(
    config: &Config,
    untried: bool,
    server: &Server,
    certificates: &Certificates,
    publisher: &Publisher,
) {
    say!("chancery {} serves {}", env!("CARGO_PKG_VERSION"), config.suffixes.join(" and "));
    match certificates.served() {
        Some(served) => say!(
            "certificate until {} for {}",
            served.not_after.date(),
            served.names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        ),
        None => say!(
            "no certificate yet: LDAPS comes up when one passes (`chancery cert why` says more)"
        ),
    }
    let mut ldaps = None;
    for listening in server.addresses() {
        print_listening(listening);
        if let (ListeningAddress::Internet(address), Mode::Ldaps) =
            (&listening.address, listening.mode)
        {
            ldaps.get_or_insert(*address);
        }
    }
    for (scope, address, _) in publisher.gates() {
        say!("listening on ldaps://{address} ({scope}, under rules)");
    }
    let data = &config.data;
    say!("data           {}", data.display());
    if config.tls.sources.is_empty() {
        say!("CA to trust    {}", data.join("ca.pem").display());
    }
    let password = data.join("admin.password");
    if password.exists() {
        say!("administrator  {} (password in {})", config.administrator, password.display());
    }
    if let (true, Some(address)) = (untried, ldaps) {
        print_examples(config, address.port());
    }
}

/// One line for each place where it listens.
pub(super) fn print_listening(listening: &Listening) {
    say!("listening on {}", uri(listening));
}

pub(super) fn uri(listening: &Listening) -> String {
    match (&listening.address, listening.mode) {
        (ListeningAddress::Internet(address), Mode::Ldaps) => format!("ldaps://{address}"),
        (ListeningAddress::Internet(address), _) => format!("ldap://{address}"),
        (ListeningAddress::Path(path), _) => local_uri(path),
    }
}

/// Three commands that work as they stand, for a first start with the example tree.
fn print_examples(config: &Config, port: u16) {
    let suffix = config.suffixes.first().map_or("", String::as_str);
    let (ca, password) = (config.data.join("ca.pem"), config.data.join("admin.password"));
    let common = format!(
        "-H ldaps://127.0.0.1:{port} -x -D {} -y {}",
        quoted(&config.administrator),
        quoted(&password.display().to_string())
    );
    let ca = quoted(&ca.display().to_string());
    say!(
        "\nTry these (from the package ldap-utils):\n\n\
         LDAPTLS_CACERT={ca} ldapsearch {common} -b {base} '(memberOf=cn=engineering,ou=groups,{suffix})'\n\n\
         LDAPTLS_CACERT={ca} ldapadd {common} <<'END'\n\
         dn: uid=you,ou=people,{suffix}\n\
         objectClass: inetOrgPerson\n\
         cn: You\n\
         sn: Yourself\n\
         END\n\n\
         LDAPTLS_CACERT={ca} ldappasswd {common} -s 'correct horse battery' {you}\n",
        base = quoted(suffix),
        you = quoted(&format!("uid=you,ou=people,{suffix}")),
    );
}

/// `ldapi://` with the path percent-encoded, as ldap-utils take it.
fn local_uri(path: &Path) -> String {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut uri = "ldapi://".to_owned();
    for byte in absolute.display().to_string().bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    uri
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._/=,:@%+".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}
