//! LDAP on streams that somebody else accepted: in-memory pipes, other transports, a whole session
//! in one process.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use directory::{Directory, Lens, Protection};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, watch};

use crate::connection;
use crate::listener::StartError;
use crate::session::{Peer, Proof, Session, Shared};
use crate::settings::ServerSettings;
use crate::start::shared;

/// A server without listeners and without threads for connections. StartTLS is not offered: what
/// protects a stream is known to whoever made it.
#[derive(Debug)]
pub struct Service {
    shared: Arc<Shared>,
    connections: AtomicU64,
    /// Never sent: each conversation ends when its client ends it.
    stop: watch::Sender<bool>,
}

impl Service {
    /// `settings.listeners`, `tls` and `workers` do not count here.
    pub fn new(directory: Directory, settings: ServerSettings) -> Result<Service, StartError> {
        let shared = Arc::new(shared(directory, settings)?);
        Ok(Service { shared, connections: AtomicU64::new(0), stop: watch::Sender::new(false) })
    }

    /// Serves one connection to its end. Needs a tokio runtime with time.
    pub async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
        address: Option<IpAddr>,
        protection: Protection,
    ) -> io::Result<()> {
        let connection = self.connections.fetch_add(1, Ordering::Relaxed) + 1;
        let peer = Peer {
            connection,
            address,
            via: None,
            protection,
            proof: Proof::Nothing,
            start_tls: false,
        };
        let (sender, mut events) = mpsc::unbounded_channel();
        let mut session = Session::new(Arc::clone(&self.shared), Lens::default(), peer, sender);
        connection::run(stream, &mut session, &mut events, self.stop.subscribe().into()).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;
    use crate::testing::{directory, encoded, extended};

    #[tokio::test]
    async fn a_conversation_in_memory() {
        let service = Service::new(directory(0), ServerSettings::default()).unwrap();
        let (mut client, stream) = duplex(1024);
        let request = encoded(1, &extended(ldap::oid::extended::WHO_AM_I, None), &[]);
        client.write_all(&request).await.unwrap();
        client.shutdown().await.unwrap();
        service.serve(stream, None, Protection::Tls).await.unwrap();
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.unwrap();
        let message = ldap::response::ResponseMessage::decode(&answer).unwrap();
        assert_eq!(message.id.0, 1);
    }
}
