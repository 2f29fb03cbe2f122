//! Alerts as JSON in an HTTPS POST, verified against the machine's CAs or those in a file. Plain
//! HTTP only to this machine.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, USER_AGENT};
use http::{HeaderValue, Request, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::delivery::{Delivers, host};
use super::outbox::{Channel, Message};
use super::text;
use crate::config::WebhookTo;
use crate::durable::read_secret;

/// What a receiver answers is of no interest, but is read to its end.
const ANSWER_BYTES_MAX: usize = 64 << 10;

pub(super) struct Webhook {
    url: Uri,
    /// None: plain HTTP.
    tls: Option<TlsConnector>,
    authorization: Option<HeaderValue>,
    patience: Duration,
}

impl Webhook {
    pub(super) fn open(to: &WebhookTo) -> Result<Webhook> {
        let url: Uri = to.url.parse().context("this is no URL")?;
        let authority = url.host().context("the URL has no host")?;
        let tls = match url.scheme_str() {
            Some("https") => Some(connector(to.ca.as_deref())?),
            Some("http") if is_here(authority) => None,
            Some("http") => bail!(
                "http:// carries alerts in the clear, and is for this machine only (127.0.0.1, \
                 [::1], localhost); write https://"
            ),
            _ => bail!("write a URL that begins with https://"),
        };
        let authorization = match &to.secret {
            None => None,
            Some(file) => Some(bearer(file)?),
        };
        Ok(Webhook { url, tls, authorization, patience: to.patience })
    }

    async fn post(&self, body: Vec<u8>) -> Result<()> {
        let name = self.url.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let port = self.url.port_u16().unwrap_or(if self.tls.is_some() { 443 } else { 80 });
        let stream = TcpStream::connect((name.as_str(), port))
            .await
            .with_context(|| format!("cannot connect to {name} port {port}"))?;
        let request = self.request(body)?;
        match &self.tls {
            None => exchange(stream, request).await,
            Some(tls) => {
                let server = ServerName::try_from(name.clone())?;
                let stream = tls.connect(server, stream).await;
                exchange(stream.with_context(|| format!("TLS with {name}"))?, request).await
            }
        }
    }

    fn request(&self, body: Vec<u8>) -> Result<Request<Full<Bytes>>> {
        let authority = self.url.authority().map(|authority| {
            let text = authority.as_str();
            // What is before an @ is no part of the name.
            text.rsplit_once('@').map_or(text, |(_, host)| host)
        });
        let path = self.url.path_and_query().map_or("/", |path| path.as_str());
        let mut request = Request::post(path)
            .header(HOST, authority.unwrap_or_default())
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, concat!("chancery/", env!("CARGO_PKG_VERSION")))
            .body(Full::new(Bytes::from(body)))?;
        if let Some(authorization) = &self.authorization {
            request.headers_mut().insert(AUTHORIZATION, authorization.clone());
        }
        Ok(request)
    }
}

impl Delivers for Webhook {
    fn channel(&self) -> Channel {
        Channel::Webhook
    }

    fn deliver(&self, message: &Message) -> Result<()> {
        let body = body(message, &host()).to_string().into_bytes();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let posted = runtime.block_on(async {
            match tokio::time::timeout(self.patience, self.post(body)).await {
                Ok(result) => result,
                Err(_) => bail!("no answer within {} s", self.patience.as_secs_f32()),
            }
        });
        // A name server that does not answer must not hold this up for longer.
        runtime.shutdown_background();
        posted
    }
}

async fn exchange<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    request: Request<Full<Bytes>>,
) -> Result<()> {
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let driver = tokio::spawn(connection);
    let response = sender.send_request(request).await?;
    let (parts, body) = response.into_parts();
    // An endless answer is cut, and does not undo that the message was taken.
    let _ = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
    driver.abort();
    ensure!(parts.status.is_success(), "it answers {}", parts.status);
    Ok(())
}

/// What a receiver gets; documented in `docs/reference/alerts.md`.
fn body(message: &Message, host: &str) -> Value {
    let notices = message.notices.iter().map(|notice| {
        json!({
            "event": notice.event.name(),
            "id": notice.id,
            "cause": notice.cause,
            "level": notice.level.name(),
            "what": notice.what,
            "fix": notice.fix,
            "since": text(notice.since),
        })
    });
    json!({
        "host": host,
        "version": env!("CARGO_PKG_VERSION"),
        "message": message.number,
        "at": text(message.at),
        "alerts": notices.collect::<Vec<_>>(),
    })
}

fn is_here(host: &str) -> bool {
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

fn bearer(file: &Path) -> Result<HeaderValue> {
    let secret = read_secret(file)?;
    let line = std::str::from_utf8(&secret).unwrap_or_default().trim();
    ensure!(!line.is_empty(), "{} holds no secret in its first line", file.display());
    let mut value = HeaderValue::from_str(&format!("Bearer {line}"))
        .with_context(|| format!("{} holds more than one line of text", file.display()))?;
    value.set_sensitive(true);
    Ok(value)
}

fn connector(ca: Option<&Path>) -> Result<TlsConnector> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots(ca)?)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

fn roots(ca: Option<&Path>) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    let Some(file) = ca else {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        ensure!(
            !roots.is_empty(),
            "this machine trusts no CA at all; install its CA certificates (Debian: \
             ca-certificates), or write `webhook-ca`"
        );
        return Ok(roots);
    };
    let pem = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    for certificate in pki::pem::certificates(&pem).with_context(|| file.display().to_string())? {
        roots.add(certificate).with_context(|| file.display().to_string())?;
    }
    Ok(roots)
}
