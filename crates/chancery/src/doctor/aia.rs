//! Files that certificates point to: over plain HTTP, as everybody publishes them. Nothing that
//! comes back is trusted for having come: its signature is what counts.

use std::time::Duration;

use bytes::Bytes;
use http::header::{HOST, HeaderValue};
use http::{Request, Uri};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::rt::TokioIo;
use pki::elsewhere;
use rustls::pki_types::CertificateDer;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Lists of what was revoked are the largest of them.
const ANSWER_BYTES_MAX: usize = 16 << 20;

type Said = Box<dyn std::error::Error + Send + Sync>;

/// The certificates behind this address.
pub(crate) async fn fetch(
    url: &str,
    patience: Duration,
) -> Result<Vec<CertificateDer<'static>>, String> {
    elsewhere::certificates(&get(url, patience).await?)
}

/// What is behind this address.
pub(crate) async fn get(url: &str, patience: Duration) -> Result<Bytes, String> {
    match timeout(patience, exchange(url)).await {
        Err(_) => Err(format!("{url}: no answer within {} s", patience.as_secs())),
        Ok(answer) => answer.map_err(|error| format!("{url}: {error}")),
    }
}

async fn exchange(url: &str) -> Result<Bytes, Said> {
    let uri: Uri = url.parse()?;
    if uri.scheme_str() != Some("http") {
        return Err("only http:// can be fetched from".into());
    }
    let authority = uri.authority().ok_or("the address has no host")?;
    let host = authority.host().trim_matches(['[', ']']);
    let stream = TcpStream::connect((host, authority.port_u16().unwrap_or(80))).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let driver = tokio::spawn(connection);
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let request = Request::get(path)
        .header(HOST, HeaderValue::from_str(authority.as_str())?)
        .body(Empty::<Bytes>::new())?;
    let response = sender.send_request(request).await?;
    if !response.status().is_success() {
        return Err(format!("it answers {}", response.status()).into());
    }
    let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await?.to_bytes();
    driver.abort();
    Ok(body)
}
