//! What certificates point to: an issuer's certificate, a list of what was revoked. Over http only,
//! as CAs publish them: what comes is believed for its signature, not for its way here.

use std::time::Duration;

use bytes::Bytes;
use http::header::HOST;
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::rt::TokioIo;
use rustls::pki_types::CertificateDer;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A chain in PKCS #7 stays far below it.
const ANSWER_BYTES_MAX: usize = 64 << 10;
const ADDRESS_CHARACTERS_MAX: usize = 2048;

/// What is published there: DER, PEM or PKCS #7. The whole takes no longer than `patience`.
pub(crate) async fn fetch(
    url: &str,
    patience: Duration,
) -> Result<Vec<CertificateDer<'static>>, String> {
    let content = get(url, ANSWER_BYTES_MAX, patience).await?;
    pki::collection::parse(&content).map_err(|error| format!("{}: {error}", shown(url)))
}

/// What is there, whatever it is.
pub(crate) async fn get(url: &str, most: usize, patience: Duration) -> Result<Bytes, String> {
    let wrong = |why: String| format!("{}: {why}", shown(url));
    let uri = aimed(url).map_err(wrong)?;
    let answered = timeout(patience, body(&uri, most)).await;
    answered
        .map_err(|_| wrong(format!("no whole answer in {} s", patience.as_secs_f32())))?
        .map_err(|error| wrong(error.to_string()))
}

fn shown(url: &str) -> String {
    url.chars().take(200).collect()
}

/// Only http: https would need a chain to find a chain, and ldap is asked of directories.
fn aimed(url: &str) -> Result<Uri, String> {
    if url.len() > ADDRESS_CHARACTERS_MAX {
        return Err("the address is too long".to_owned());
    }
    let uri: Uri = url.parse().map_err(|error| format!("this is no address: {error}"))?;
    match (uri.scheme_str(), uri.host()) {
        (Some("http"), Some(_)) => Ok(uri),
        _ => Err("only http:// is fetched".to_owned()),
    }
}

type Said = Box<dyn std::error::Error + Send + Sync>;

async fn body(uri: &Uri, most: usize) -> Result<Bytes, Said> {
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let port = uri.port_u16().unwrap_or(80);
    let stream = TcpStream::connect((host, port))
        .await
        .map_err(|error| format!("cannot connect to {host} port {port}: {error}"))?;
    let authority = uri.authority().map_or("", |one| one.as_str());
    // A name and a password in an address are nobody's business here.
    let authority = authority.rsplit('@').next().unwrap_or_default();
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let request = Request::get(path).header(HOST, authority).body(Empty::<Bytes>::new())?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let driver = tokio::spawn(connection);
    let response = sender.send_request(request).await?;
    if response.status() != StatusCode::OK {
        driver.abort();
        return Err(format!("it answers {}", response.status()).into());
    }
    let body = Limited::new(response.into_body(), most).collect().await;
    driver.abort();
    Ok(body?.to_bytes())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    /// What is made of one answer of a server that says just this.
    fn fetched(answer: Vec<u8>) -> Result<usize, String> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/ca.crt", listener.local_addr().unwrap());
        let served = std::thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            let mut asked = [0; 1024];
            let count = socket.read(&mut asked).unwrap();
            let _ = socket.write_all(&answer);
            String::from_utf8_lossy(&asked[..count]).into_owned()
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let found = runtime.block_on(fetch(&url, Duration::from_secs(20)));
        assert!(served.join().unwrap().starts_with("GET /ca.crt HTTP/1.1\r\nhost: 127.0.0.1:"));
        found.map(|all| all.len())
    }

    fn answer(status: &str, body: &[u8]) -> Vec<u8> {
        let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n", body.len());
        [head.as_bytes(), body].concat()
    }

    #[test]
    fn what_is_published_is_read_and_nothing_else_is_taken() {
        let key = rcgen::KeyPair::generate().unwrap();
        let made = rcgen::CertificateParams::new(["a.example".to_owned()]).unwrap();
        let made = made.self_signed(&key).unwrap();
        assert_eq!(fetched(answer("200 OK", made.der())), Ok(1));
        let both = made.pem().repeat(2);
        assert_eq!(fetched(answer("200 OK", both.as_bytes())), Ok(2));
        let large = vec![b'x'; ANSWER_BYTES_MAX + 1];
        for (answer, why) in [
            (answer("404 Not Found", b""), "404"),
            (answer("302 Found", b""), "302"),
            (answer("200 OK", b"<html>"), "no certificate"),
            (answer("200 OK", &large), "limit"),
            (b"nonsense".to_vec(), "ca.crt: "),
        ] {
            let error = fetched(answer).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn only_http_is_fetched() {
        let long = format!("http://a/{}", "x".repeat(ADDRESS_CHARACTERS_MAX));
        for url in ["https://a.example/", "ldap:///CN=a", "file:///etc/passwd", "ca.crt", &long] {
            assert!(aimed(url).is_err(), "{url}");
        }
        assert!(aimed("http://[::1]:80/a").is_ok());
    }
}
