//! Alerts by e-mail: SMTP with STARTTLS or TLS from the first byte. In the clear only to this
//! machine, and never with a password.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use lettre::message::{Mailbox, header::ContentType};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{SmtpTransport, Transport};

use super::board::{Event, Notice};
use super::delivery::{Delivers, host};
use super::outbox::{Channel, Message};
use super::text;
use crate::config::{MailSecurity, MailTo};
use crate::durable::read_secret;

const PATIENCE: Duration = Duration::from_secs(30);

pub(super) struct Mail {
    transport: SmtpTransport,
    from: Mailbox,
    to: Vec<Mailbox>,
}

impl Mail {
    pub(super) fn open(mail: &MailTo) -> Result<Mail> {
        let (name, port) = split(&mail.server, mail.security)?;
        let tls = match mail.security {
            MailSecurity::Starttls => Tls::Required(parameters(&name, mail.ca.as_deref())?),
            MailSecurity::Tls => Tls::Wrapper(parameters(&name, mail.ca.as_deref())?),
            MailSecurity::None => {
                let here = name.parse::<std::net::IpAddr>().map(|address| address.is_loopback());
                ensure!(
                    here.unwrap_or(name == "localhost"),
                    "mail in the clear is for this machine only; write `mail-security = \"starttls\"`"
                );
                ensure!(mail.user.is_none(), "a password is never sent in the clear");
                Tls::None
            }
        };
        let mut builder = SmtpTransport::builder_dangerous(&name).port(port).tls(tls);
        if let Some(user) = &mail.user {
            let file = mail.password.as_deref().context("`mail-user` needs `mail-password`")?;
            builder = builder.credentials(Credentials::new(user.clone(), password(file)?));
        }
        let address = |text: &String| -> Result<Mailbox> {
            text.parse().with_context(|| format!("`{text}` is no mail address"))
        };
        Ok(Mail {
            transport: builder.hello_name(ClientId::Domain(host())).timeout(Some(PATIENCE)).build(),
            from: address(&mail.from)?,
            to: mail.to.iter().map(address).collect::<Result<_>>()?,
        })
    }
}

impl Delivers for Mail {
    fn channel(&self) -> Channel {
        Channel::Mail
    }

    fn deliver(&self, message: &Message) -> Result<()> {
        let host = host();
        let mut letter = lettre::Message::builder()
            .from(self.from.clone())
            .subject(subject(&message.notices, &host))
            .header(ContentType::TEXT_PLAIN)
            .date(std::time::SystemTime::from(message.at))
            // The same for each attempt, so that a second copy is known as one.
            .message_id(Some(format!(
                "<{}.{}.chancery@{host}>",
                message.number,
                message.at.unix_timestamp()
            )));
        for to in &self.to {
            letter = letter.to(to.clone());
        }
        let letter = letter.body(body(message, &host))?;
        self.transport.send(&letter)?;
        Ok(())
    }
}

/// Host and port; the port is that of the kind of connection where none is written.
fn split(server: &str, security: MailSecurity) -> Result<(String, u16)> {
    let default = match security {
        MailSecurity::Starttls => 587,
        MailSecurity::Tls => 465,
        MailSecurity::None => 25,
    };
    let (name, port) = match server.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') || name.ends_with(']') => {
            (name, port.parse().ok().context("write the server as NAME or NAME:PORT")?)
        }
        _ => (server, default),
    };
    if name.is_empty() {
        bail!("write the server as NAME or NAME:PORT");
    }
    Ok((name.trim_matches(['[', ']']).to_owned(), port))
}

fn parameters(name: &str, ca: Option<&Path>) -> Result<TlsParameters> {
    let mut builder = TlsParameters::builder(name.to_owned());
    if let Some(file) = ca {
        let pem = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        // lettre takes whatever it can read; ours says what it cannot.
        for certificate in
            pki::pem::certificates(&pem).with_context(|| file.display().to_string())?
        {
            builder = builder.add_root_certificate(Certificate::from_der(certificate.to_vec())?);
        }
        builder = builder.certificate_store(CertificateStore::None);
    }
    Ok(builder.build_rustls()?)
}

fn password(file: &Path) -> Result<String> {
    let secret = read_secret(file)?;
    let line = std::str::from_utf8(&secret).unwrap_or_default().lines().next().unwrap_or_default();
    ensure!(!line.is_empty(), "{} holds no password in its first line", file.display());
    Ok(line.to_owned())
}

/// The worst of them is what somebody reads first.
fn subject(notices: &[Notice], host: &str) -> String {
    let first = notices.iter().max_by_key(|notice| (notice.event != Event::Cleared, notice.level));
    let more = match notices.len() {
        0 | 1 => String::new(),
        count => format!(" and {} more", count - 1),
    };
    let first = first.map(|notice| match notice.event {
        Event::Cleared | Event::Test => format!("{} {}", notice.event.name(), notice.id),
        Event::Reminder => format!("{} {}, still", notice.level.name(), notice.id),
        Event::Raised | Event::Worse => format!("{} {}", notice.level.name(), notice.id),
    });
    format!("[chancery {host}] {}{more}", first.unwrap_or_default())
}

fn body(message: &Message, host: &str) -> String {
    let mut out = String::new();
    for notice in &message.notices {
        let Notice { event, id, cause, level, what, fix, since } = notice;
        out.push_str(&format!("{}: {id} ({}), {what}.\n", event.name(), level.name()));
        if !cause.is_empty() {
            out.push_str(&format!("    cause: {cause}\n"));
        }
        if *event != Event::Cleared {
            out.push_str(&format!("    what to do: {fix}\n"));
        }
        out.push_str(&format!("    since: {}\n\n", text(*since)));
    }
    out.push_str(&format!(
        "-- \nchancery {} on {host}, {}, message {}; `chancery alerts` shows what holds now\n",
        env!("CARGO_PKG_VERSION"),
        text(message.at),
        message.number
    ));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers() {
        for (text, security, expected) in [
            ("mail.example.com", MailSecurity::Starttls, Some(("mail.example.com", 587))),
            ("mail.example.com", MailSecurity::Tls, Some(("mail.example.com", 465))),
            ("127.0.0.1", MailSecurity::None, Some(("127.0.0.1", 25))),
            ("mail.example.com:2525", MailSecurity::Tls, Some(("mail.example.com", 2525))),
            ("[::1]:25", MailSecurity::None, Some(("::1", 25))),
            ("::1", MailSecurity::None, Some(("::1", 25))),
            ("mail.example.com:smtp", MailSecurity::Tls, None),
            (":25", MailSecurity::Tls, None),
        ] {
            let found = split(text, security).ok();
            let expected = expected.map(|(name, port)| (name.to_owned(), port));
            assert_eq!(found, expected, "{text}");
        }
    }
}
