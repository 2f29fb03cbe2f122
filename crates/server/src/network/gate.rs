//! What stands in the accept path of one listener: its rules, its balancers, and what it has
//! turned away. Rules are replaced while connections come in.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::Instant;

use super::prefix::Prefix;
use super::proxy::{Client, Header, V2_BYTES_MAX, header};
use super::rules::{ListenerRules, Rule, Scope, Verdict};

/// Lines about connections turned away in one [`LOG_WINDOW`]; the rest is only counted.
const LOG_LINES_MAX: u32 = 20;
const LOG_WINDOW: Duration = Duration::from_secs(10);

/// Whom a listener lets in, and which balancers it believes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admission {
    pub rules: ListenerRules,
    /// With any, connections come from these only, and each begins with a PROXY header.
    pub balancers: Vec<Prefix>,
}

/// The gate of one listener.
#[derive(Debug)]
pub struct Gate {
    scope: Scope,
    admission: ArcSwap<Admission>,
    /// Moves when sessions that no longer match are to end.
    cuts: watch::Sender<u64>,
    admitted: AtomicU64,
    denied: AtomicU64,
    quiet: Mutex<Quiet>,
    /// Sockets of this program that are on their way in.
    pub(super) expected: Mutex<Vec<SocketAddr>>,
}

/// What a gate has counted since its listener was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GateCounts {
    pub admitted: u64,
    /// By a rule, or for want of a balancer's word.
    pub denied: u64,
}

impl Gate {
    #[must_use]
    pub fn new(scope: Scope, admission: Admission) -> Arc<Gate> {
        Arc::new(Gate {
            scope,
            admission: ArcSwap::from_pointee(admission),
            cuts: watch::Sender::new(0),
            admitted: AtomicU64::new(0),
            denied: AtomicU64::new(0),
            quiet: Mutex::default(),
            expected: Mutex::default(),
        })
    }

    #[must_use]
    pub fn scope(&self) -> Scope {
        self.scope
    }

    #[must_use]
    pub fn admission(&self) -> Arc<Admission> {
        self.admission.load_full()
    }

    /// In force from the next connection on. `cut`: sessions that are no longer let in end as well;
    /// otherwise they stay.
    pub fn replace(&self, admission: Admission, cut: bool) {
        self.admission.store(Arc::new(admission));
        if cut {
            self.cuts.send_modify(|version| *version += 1);
        }
    }

    #[must_use]
    pub fn counts(&self) -> GateCounts {
        GateCounts {
            admitted: self.admitted.load(Ordering::Relaxed),
            denied: self.denied.load(Ordering::Relaxed),
        }
    }

    /// The way in for a connection that was just accepted. None: to be closed without a word.
    pub(crate) fn arrive(self: &Arc<Gate>, from: SocketAddr) -> Option<Passage> {
        let peer = from.ip().to_canonical();
        // Before anything is judged: a change after that must be noticed.
        let cuts = self.cuts.subscribe();
        let admission = self.admission.load();
        let passage =
            |address, via| Passage { gate: Arc::clone(self), cuts: cuts.clone(), address, via };
        if self.expects(from) {
            return Some(passage(peer, None));
        }
        if admission.balancers.is_empty() {
            return self.let_in(&admission.rules, peer, None).then(|| passage(peer, None));
        }
        if admission.balancers.iter().any(|network| network.holds(peer)) {
            return Some(passage(peer, Some(peer)));
        }
        self.turn_away(peer, None, "no balancer of this listener (proxy-from)");
        None
    }

    fn let_in(&self, rules: &ListenerRules, address: IpAddr, via: Option<IpAddr>) -> bool {
        let rule = rules.judge(address);
        if rule.verdict == Verdict::Allow {
            self.admitted.fetch_add(1, Ordering::Relaxed);
            return true;
        }
        self.turn_away(address, via, &rule.label());
        false
    }

    fn turn_away(&self, address: IpAddr, via: Option<IpAddr>, rule: &str) {
        self.denied.fetch_add(1, Ordering::Relaxed);
        let mut quiet = self.quiet.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(unsaid) = quiet.may_speak(Instant::now()) else { return };
        tracing::warn!(
            %address,
            balancer = via.map(tracing::field::display),
            listener = %self.scope,
            rule,
            not_logged_before = unsaid,
            "a connection was denied"
        );
    }
}

/// Whoever can open connections can fill a log: so many lines in a while, then a number.
#[derive(Debug, Default)]
struct Quiet {
    since: Option<Instant>,
    said: u32,
    unsaid: u64,
}

impl Quiet {
    /// Whether a line may be written now, and how many were not before it.
    fn may_speak(&mut self, now: Instant) -> Option<u64> {
        let is_over = |since: Instant| now.saturating_duration_since(since) >= LOG_WINDOW;
        if self.since.is_none_or(is_over) {
            (self.since, self.said) = (Some(now), 0);
        }
        if self.said >= LOG_LINES_MAX {
            self.unsaid += 1;
            return None;
        }
        self.said += 1;
        Some(std::mem::take(&mut self.unsaid))
    }
}

/// One connection's way through a gate, kept for as long as it lives.
#[derive(Clone, Debug)]
pub(crate) struct Passage {
    gate: Arc<Gate>,
    cuts: watch::Receiver<u64>,
    /// The client's; the balancer's until its header is read.
    pub(crate) address: IpAddr,
    /// The balancer.
    pub(crate) via: Option<IpAddr>,
}

impl Passage {
    /// Reads the balancer's header and judges the address in it. Takes no byte of the client's.
    pub(crate) async fn read_header(&mut self, stream: &mut TcpStream) -> io::Result<()> {
        let client = match read_header(stream).await {
            Ok(client) => client,
            // A connection that was opened and closed: how simple health checks look.
            Err(error) if error.kind() == ErrorKind::ConnectionAborted => return Err(error),
            Err(error) => {
                let what = format!("no PROXY header: {error}");
                self.gate.turn_away(self.address, self.via, &what);
                return Err(error);
            }
        };
        match client {
            Client::At(address) => self.address = address.ip(),
            Client::Unknown => {}
            // Whoever may claim any address needs no rule for its own health checks.
            Client::Itself => {
                self.gate.admitted.fetch_add(1, Ordering::Relaxed);
                return Ok(());
            }
        }
        let admission = self.gate.admission.load_full();
        match self.gate.let_in(&admission.rules, self.address, self.via) {
            true => Ok(()),
            false => Err(ErrorKind::PermissionDenied.into()),
        }
    }

    /// Whether a rule may have changed its mind since [`Passage::mark_seen`].
    pub(crate) fn may_be_over(&self) -> bool {
        !matches!(self.cuts.has_changed(), Ok(false))
    }

    pub(crate) fn mark_seen(&mut self) {
        self.cuts.mark_unchanged();
    }

    /// Waits until this connection is no longer let in; the rule that says so.
    pub(crate) async fn over(mut self) -> Rule {
        loop {
            // An error means that the gate is gone, and then nothing changes any more.
            if self.cuts.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
            let admission = self.gate.admission.load_full();
            let rule = admission.rules.judge(self.address);
            if rule.verdict == Verdict::Deny {
                return rule.clone();
            }
        }
    }
}

/// Looks without taking, and takes only what belongs to the header.
async fn read_header(stream: &mut TcpStream) -> io::Result<Client> {
    let mut bytes = Vec::new();
    loop {
        let taken = bytes.len();
        bytes.resize(V2_BYTES_MAX.max(taken), 0);
        let ahead = bytes.get_mut(taken..).unwrap_or_default();
        let count = stream.peek(ahead).await?;
        if count == 0 && taken == 0 {
            return Err(ErrorKind::ConnectionAborted.into());
        }
        if count == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        bytes.truncate(taken + count);
        let found =
            header(&bytes).map_err(|fault| io::Error::new(ErrorKind::InvalidData, fault))?;
        let end = match found {
            Header::Complete { length, .. } => length,
            Header::Incomplete => bytes.len(),
        };
        bytes.truncate(end);
        stream.read_exact(bytes.get_mut(taken..).unwrap_or_default()).await?;
        if let Header::Complete { client, .. } = found {
            return Ok(client);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    use super::*;
    use crate::network::RuleTable;

    fn rule(name: &str, priority: u16, source: &str, verdict: Verdict) -> Rule {
        let sources = vec![source.parse().unwrap()];
        Rule { name: name.to_owned(), priority, sources, port: None, scope: None, verdict }
    }

    fn admission(rules: Vec<Rule>, balancers: &[&str]) -> Admission {
        let rules = RuleTable::check(rules).unwrap().of(Scope::External, 636);
        Admission { rules, balancers: balancers.iter().map(|text| text.parse().unwrap()).collect() }
    }

    fn office() -> Rule {
        rule("office", 200, "192.0.2.0/24", Verdict::Allow)
    }

    fn peer(text: &str) -> SocketAddr {
        SocketAddr::new(address(text), 4000)
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn without_balancers_the_peer_is_judged_and_with_them_only_they_are_heard() {
        let gate = Gate::new(Scope::External, admission(vec![office()], &[]));
        assert_eq!(gate.arrive(peer("192.0.2.7")).unwrap().via, None);
        assert!(gate.arrive(peer("198.51.100.7")).is_none());
        assert_eq!(gate.counts(), GateCounts { admitted: 1, denied: 1 });
        gate.replace(admission(vec![office()], &["10.0.0.5/32"]), false);
        let balanced = gate.arrive(peer("10.0.0.5")).unwrap();
        assert_eq!(balanced.via, Some(address("10.0.0.5")));
        assert!(gate.arrive(peer("192.0.2.7")).is_none(), "allowed, but no balancer");
    }

    #[tokio::test]
    async fn a_session_ends_when_it_is_cut_and_stays_otherwise() {
        let gate = Gate::new(Scope::External, admission(vec![office()], &[]));
        let passage = gate.arrive(peer("192.0.2.7")).unwrap();
        let mut over = Box::pin(passage.clone().over());
        let mut is_over = || {
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            over.as_mut().poll(&mut context).map(|rule| rule.name)
        };
        gate.replace(admission(vec![], &[]), false);
        assert!(is_over().is_pending() && !passage.may_be_over(), "it stays");
        gate.replace(admission(vec![office()], &[]), true);
        assert!(passage.may_be_over());
        assert!(is_over().is_pending(), "it is let in");
        gate.replace(admission(vec![], &[]), true);
        let std::task::Poll::Ready(rule) = is_over() else { panic!("it is over") };
        assert_eq!(rule, "default-deny");
    }

    #[tokio::test]
    async fn a_header_in_pieces_is_read_to_its_last_byte_and_no_further() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut balancer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut stream, _) = listener.accept().await.unwrap();
        let gate = Gate::new(Scope::External, admission(vec![office()], &["127.0.0.1"]));
        let mut passage = gate.arrive(peer("127.0.0.1")).unwrap();
        let read = async {
            passage.read_header(&mut stream).await.unwrap();
            let mut client = [0; 3];
            stream.read_exact(&mut client).await.unwrap();
            (passage.address, passage.via, client)
        };
        let write = async {
            for piece in ["PRO", "XY TCP4 192.0.2.7 127", ".0.0.1 1 636\r", "\n\x16\x03\x01"] {
                balancer.write_all(piece.as_bytes()).await.unwrap();
                tokio::task::yield_now().await;
            }
        };
        let ((client, via, first), ()) = tokio::join!(read, write);
        assert_eq!((client, via), (address("192.0.2.7"), Some(address("127.0.0.1"))));
        assert_eq!(&first, b"\x16\x03\x01");
    }

    #[tokio::test]
    async fn the_address_in_the_header_is_judged_and_nonsense_is_not() {
        for (sent, expected) in [
            ("PROXY TCP4 192.0.2.7 127.0.0.1 1 636\r\n", None),
            ("PROXY TCP4 198.51.100.7 127.0.0.1 1 636\r\n", Some(ErrorKind::PermissionDenied)),
            // Somebody, and the balancer's own address is not let in.
            ("PROXY UNKNOWN\r\n", Some(ErrorKind::PermissionDenied)),
            // Its own health checks: with a word, and without.
            ("\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", None),
            ("", Some(ErrorKind::ConnectionAborted)),
            ("\x16\x03\x01\x02\x00", Some(ErrorKind::InvalidData)),
            ("PROXY TCP4 192", Some(ErrorKind::UnexpectedEof)),
        ] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let mut balancer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            balancer.write_all(sent.as_bytes()).await.unwrap();
            balancer.shutdown().await.unwrap();
            let (mut stream, _) = listener.accept().await.unwrap();
            let gate = Gate::new(Scope::External, admission(vec![office()], &["127.0.0.1"]));
            let mut passage = gate.arrive(peer("127.0.0.1")).unwrap();
            let read = passage.read_header(&mut stream).await;
            assert_eq!(read.err().map(|error| error.kind()), expected, "{sent:?}");
            let is_denied = expected.is_some() && !sent.is_empty();
            assert_eq!(gate.counts().denied, u64::from(is_denied), "{sent:?}");
        }
    }

    #[test]
    fn a_flood_is_counted_and_not_written() {
        let mut quiet = Quiet::default();
        let begin = Instant::now();
        let said = (0..100).filter(|_| quiet.may_speak(begin).is_some()).count();
        assert_eq!(said, 20);
        assert_eq!(quiet.may_speak(begin + LOG_WINDOW), Some(80));
        assert_eq!(quiet.may_speak(begin + LOG_WINDOW), Some(0));
    }
}
