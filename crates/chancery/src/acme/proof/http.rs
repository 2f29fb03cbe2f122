//! http-01: answers one kind of path and nothing else.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::Proof;

/// How long one visitor may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// A request that we answer is far shorter.
const REQUEST_BYTES_MAX: usize = 8 << 10;
/// Visitors at a time; the CA looks from a handful of places.
const VISITORS_MAX: usize = 32;

const FOLDER: &str = "/.well-known/acme-challenge/";

/// Token: key authorization.
type Answers = Arc<Mutex<HashMap<String, String>>>;

/// Open until it is dropped.
pub(crate) struct Door {
    answers: Answers,
    task: JoinHandle<()>,
}

impl Drop for Door {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Door {
    pub(super) fn open(listener: TcpListener) -> Door {
        let answers = Answers::default();
        let task = tokio::spawn(welcome(listener, Arc::clone(&answers)));
        Door { answers, task }
    }

    pub(super) fn show(&self, proof: &Proof) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.insert(proof.token.clone(), proof.key_authorization.clone());
    }
}

async fn welcome(listener: TcpListener, answers: Answers) {
    let room = Arc::new(Semaphore::new(VISITORS_MAX));
    loop {
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let answers = Arc::clone(&answers);
                tokio::spawn(async move {
                    let _ = tokio::time::timeout(PATIENCE, serve(stream, &answers)).await;
                    drop(place);
                });
            }
            // Out of file descriptors: the next visitor may find one.
            Err(_) => tokio::task::yield_now().await,
        }
    }
}

async fn serve(mut stream: TcpStream, answers: &Answers) -> std::io::Result<()> {
    let mut request = Vec::new();
    let mut buffer = [0; 1024];
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        let count = stream.read(&mut buffer).await?;
        if count == 0 || request.len() > REQUEST_BYTES_MAX {
            return Ok(());
        }
        request.extend_from_slice(buffer.get(..count).unwrap_or_default());
    }
    let answer = {
        let answers = answers.lock().unwrap_or_else(PoisonError::into_inner);
        answer(&String::from_utf8_lossy(&request), &answers)
    };
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}

/// The whole answer to a request.
fn answer(request: &str, answers: &HashMap<String, String>) -> String {
    let mut line = request.lines().next().unwrap_or_default().split(' ');
    let (method, path) = (line.next().unwrap_or_default(), line.next().unwrap_or_default());
    let found = path.strip_prefix(FOLDER).and_then(|token| answers.get(token));
    let (status, body) = match (method, found) {
        ("GET" | "HEAD", Some(body)) => ("200 OK", body.as_str()),
        _ => ("404 Not Found", ""),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/octet-stream\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n",
        body.len()
    );
    if method == "HEAD" { head } else { head + body }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_proof_is_answered() {
        let answers = HashMap::from([("token".to_owned(), "token.thumb".to_owned())]);
        for (request, code, body) in [
            ("GET /.well-known/acme-challenge/token HTTP/1.1\r\n\r\n", "200", "token.thumb"),
            ("HEAD /.well-known/acme-challenge/token HTTP/1.1\r\n\r\n", "200", ""),
            ("GET /.well-known/acme-challenge/other HTTP/1.1\r\n\r\n", "404", ""),
            ("GET /.well-known/acme-challenge/ HTTP/1.1\r\n\r\n", "404", ""),
            ("GET /.well-known/acme-challenge/../token HTTP/1.1\r\n\r\n", "404", ""),
            ("POST /.well-known/acme-challenge/token HTTP/1.1\r\n\r\n", "404", ""),
            ("GET / HTTP/1.1\r\n\r\n", "404", ""),
            ("\r\n\r\n", "404", ""),
        ] {
            let answer = answer(request, &answers);
            assert!(answer.starts_with(&format!("HTTP/1.1 {code} ")), "{request:?}: {answer}");
            assert_eq!(answer.split_once("\r\n\r\n").unwrap().1, body, "{request:?}");
        }
    }
}
