//! Listeners that do one wrong thing. They stand where no product can be had that does it, and
//! say so in the faults that use them (`mock`).

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Result;
use rustix::net::sockopt::set_socket_linger;

/// Ends with the process, or when it is dropped and somebody comes once more.
pub struct Listener {
    pub address: SocketAddr,
    is_over: Arc<AtomicBool>,
}

impl Listener {
    pub fn start(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Result<Listener> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let (is_over, serve) = (Arc::new(AtomicBool::new(false)), Arc::new(serve));
        let over = Arc::clone(&is_over);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                let serve = Arc::clone(&serve);
                std::thread::spawn(move || serve(stream));
            }
        });
        Ok(Listener { address, is_over })
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
    }
}

fn first(stream: &mut TcpStream) {
    let _ = stream.read(&mut [0; 4096]);
}

/// As a domain controller without a certificate does it.
pub fn resets(mut stream: TcpStream) {
    first(&mut stream);
    let _ = set_socket_linger(&stream, Some(Duration::ZERO));
}

pub fn closes(mut stream: TcpStream) {
    first(&mut stream);
}

pub fn says_nothing(mut stream: TcpStream) {
    let mut buffer = [0; 4096];
    while matches!(stream.read(&mut buffer), Ok(1..)) {}
}

pub fn speaks_http(mut stream: TcpStream) {
    first(&mut stream);
    let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
}

/// A web server that has one file, once it has it.
pub fn publishes(
    content: Arc<std::sync::OnceLock<Vec<u8>>>,
) -> impl Fn(TcpStream) + Send + Sync + 'static {
    move |mut stream| {
        first(&mut stream);
        let (status, body) = match content.get() {
            Some(body) => ("200 OK", body.as_slice()),
            None => ("404 Not Found", &b""[..]),
        };
        let length = body.len();
        let head =
            format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
        let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
    }
}

/// Before a directory: what it answers is passed on with the lengths of all messages written in
/// five bytes, as Active Directory writes them.
pub fn lengthens(to: u16) -> impl Fn(TcpStream) + Send + Sync + 'static {
    move |client| {
        let Ok(server) = TcpStream::connect(("127.0.0.1", to)) else { return };
        let (Ok(mut asked), Ok(mut asking)) = (client.try_clone(), server.try_clone()) else {
            return;
        };
        std::thread::spawn(move || {
            let _ = std::io::copy(&mut asked, &mut asking);
            let _ = asking.shutdown(std::net::Shutdown::Write);
        });
        pass_on(server, client);
    }
}

fn pass_on(mut server: TcpStream, mut client: TcpStream) {
    let (mut read, mut buffer) = (Vec::new(), [0; 4096]);
    while let Ok(count @ 1..) = server.read(&mut buffer) {
        read.extend_from_slice(buffer.get(..count).unwrap_or_default());
        while let Ok(ldap::ber::Frame::Complete { length }) = ldap::ber::frame(&read, 1 << 20) {
            let message: Vec<u8> = read.drain(..length).collect();
            let header = match message.get(1) {
                Some(long) if *long >= 0x80 => 2 + usize::from(long & 0x7f),
                _ => 2,
            };
            let content = message.get(header..).unwrap_or_default();
            let size = u32::try_from(content.len()).unwrap_or_default().to_be_bytes();
            let out = [&[0x30, 0x84][..], &size, content].concat();
            if client.write_all(&out).is_err() {
                return;
            }
        }
    }
}
