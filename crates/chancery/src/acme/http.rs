//! HTTPS to the ACME server: one request to a connection, with limits in time and size, trusting
//! the CAs that are configured. Remembers when the server asked us to come again.

use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;
use http::header::{HOST, HeaderValue, RETRY_AFTER};
use http::{Request, Response};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient, Problem};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::problem::sentence;
use crate::failure::{failed, usage};

/// How long one request may take, from looking the name up to the last byte.
const PATIENCE: Duration = Duration::from_secs(30);
/// Chains and orders are far smaller.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// A client; clones share what they remember.
#[derive(Clone)]
pub(crate) struct Https {
    tls: TlsConnector,
    again_after: Arc<Mutex<Option<Duration>>>,
}

type Said = Box<dyn std::error::Error + Send + Sync>;

impl Https {
    pub(crate) fn new(ca: Option<&Path>) -> Result<Https> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(failed)?
            .with_root_certificates(roots(ca)?)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Https { tls: TlsConnector::from(Arc::new(config)), again_after: Arc::default() })
    }

    /// What the last refusal said about when to come again; taken once.
    pub(crate) fn take_again_after(&self) -> Option<Duration> {
        self.again_after.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// One GET, for what is no part of the protocol proper.
    pub(crate) async fn get(&self, url: &str) -> Result<Bytes> {
        let shown = |error: &dyn std::fmt::Display| failed(format!("{url}: {error}"));
        let request = Request::get(url).body(BodyWrapper::default()).map_err(|e| shown(&e))?;
        let (parts, body) = self.ask(request).await.map_err(|error| shown(&error))?;
        if parts.status.is_success() {
            return Ok(body);
        }
        let status = parts.status;
        Err(match serde_json::from_slice::<Problem>(&body) {
            Ok(problem) => shown(&format!("it answers {status}: {}", sentence(&problem))),
            Err(_) => shown(&format!("it answers {status}")),
        })
    }

    async fn ask(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Result<(http::response::Parts, Bytes), Said> {
        let answered = tokio::time::timeout(PATIENCE, self.exchange(request)).await;
        let response = answered.map_err(|_| format!("no answer in {} s", PATIENCE.as_secs()))??;
        let (parts, body) = response;
        if parts.status.as_u16() >= 400 {
            let said = parts.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
            let again = said.and_then(|text| again_after(text, OffsetDateTime::now_utc()));
            *self.again_after.lock().unwrap_or_else(PoisonError::into_inner) = again;
        }
        Ok((parts, body))
    }

    async fn exchange(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Result<(http::response::Parts, Bytes), Said> {
        let (host, port, request) = aimed(request)?;
        let stream = TcpStream::connect((host.as_str(), port))
            .await
            .map_err(|error| format!("cannot connect to {host} port {port}: {error}"))?;
        let name = ServerName::try_from(host.clone())?;
        let stream = self.tls.connect(name, stream).await.map_err(|error| {
            format!("TLS with {host}: {error}; `acme.ca` names the CAs of a private ACME server")
        })?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let driver = tokio::spawn(connection);
        let response: Response<Incoming> = sender.send_request(request).await?;
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await?.to_bytes();
        driver.abort();
        Ok((parts, body))
    }
}

/// Host and port, and the request as HTTP/1.1 has it: the path in the line, the host in a header.
type Aimed = (String, u16, Request<BodyWrapper<Bytes>>);

fn aimed(mut request: Request<BodyWrapper<Bytes>>) -> Result<Aimed, Said> {
    let uri = request.uri().clone();
    if uri.scheme_str() != Some("https") {
        return Err(format!("{uri} is not an https:// address").into());
    }
    let authority = uri.authority().ok_or("the address has no host")?;
    let header = HeaderValue::from_str(authority.as_str())?;
    let host = authority.host().trim_matches(['[', ']']).to_owned();
    let port = authority.port_u16().unwrap_or(443);
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    *request.uri_mut() = path.parse()?;
    request.headers_mut().insert(HOST, header);
    Ok((host, port, request))
}

fn roots(ca: Option<&Path>) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    match ca {
        Some(file) => {
            let wrong = |error: &dyn std::fmt::Display| {
                usage(format!("acme.ca: {}: {error}", file.display()))
            };
            let pem = std::fs::read(file).map_err(|error| wrong(&error))?;
            for certificate in pki::pem::certificates(&pem).map_err(|error| wrong(&error))? {
                roots.add(certificate).map_err(|error| wrong(&error))?;
            }
        }
        None => {
            let found = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(found.certs);
            if roots.is_empty() {
                return Err(failed(
                    "this machine trusts no CA at all, so the ACME server cannot be verified; \
                     install its CA certificates (Debian: ca-certificates), or write `acme.ca`",
                ));
            }
        }
    }
    Ok(roots)
}

/// RFC 9110 §10.2.3: seconds or a date.
fn again_after(text: &str, now: OffsetDateTime) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = OffsetDateTime::parse(text, &Rfc2822).ok()?;
    Some(Duration::try_from(at - now).unwrap_or(Duration::ZERO))
}

impl HttpClient for Https {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let this = self.clone();
        Box::pin(async move {
            let (parts, body) = this.ask(request).await.map_err(Error::Other)?;
            Ok(BytesResponse { parts, body: Box::new(body) })
        })
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_time_to_come_again_is_read_in_both_forms() {
        let now = datetime!(2026-11-27 06:00:00 UTC);
        for (text, expected) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Fri, 27 Nov 2026 07:00:00 GMT", Some(3600)),
            ("Fri, 27 Nov 2026 05:00:00 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
        ] {
            assert_eq!(again_after(text, now), expected.map(Duration::from_secs), "{text}");
        }
    }

    #[test]
    fn a_request_is_aimed_at_its_host() {
        for (url, host, port, path) in [
            ("https://ca.example/dir?x=1", "ca.example", 443, "/dir?x=1"),
            ("https://ca.example:14000", "ca.example", 14000, "/"),
            ("https://[2001:db8::1]:8443/a", "2001:db8::1", 8443, "/a"),
        ] {
            let request = Request::get(url).body(BodyWrapper::default()).unwrap();
            let (to, at, request) = aimed(request).unwrap();
            assert_eq!((to.as_str(), at, request.uri().to_string().as_str()), (host, port, path));
        }
        let plain = Request::get("http://ca.example/").body(BodyWrapper::default()).unwrap();
        assert!(aimed(plain).is_err());
    }
}
