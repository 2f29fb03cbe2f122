//! Asking a name server and telling it: messages over UDP and TCP, with limits in time and size.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::tsig::TsigError;
use hickory_proto::rr::{Name, RecordType, TSigner};

/// How long one exchange may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// A datagram may get lost; so often a question is asked.
const ATTEMPTS: usize = 3;
/// What we say we can take in one datagram (the DNS flag day of 2020: no fragments).
const PAYLOAD_BYTES: u16 = 1232;

/// Why there is no answer. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoAnswer {
    #[error(
        "{server} does not answer: {what}; is it the right address, and is port 53 open from here?"
    )]
    Silent { server: SocketAddr, what: String },
    #[error("{server} answers something that is no DNS message: {what}")]
    Garbled { server: SocketAddr, what: String },
    #[error("the question cannot be written: {0}")]
    Unwritable(String),
    #[error("{server} refuses ({code}): {advice}")]
    Refused { server: SocketAddr, code: ResponseCode, advice: String },
    #[error("{server}: {what}; nothing is known of what it did: ask with `chancery dns plan`")]
    Unsigned { server: SocketAddr, what: String },
}

/// A question about one name and kind; the answer may be "there is none".
pub(crate) fn ask(
    server: SocketAddr,
    name: &Name,
    kind: RecordType,
    recursive: bool,
) -> Result<Message, NoAnswer> {
    let mut message = Message::query();
    message.metadata.recursion_desired = recursive;
    message.add_query(Query::query(name.clone(), kind));
    let mut edns = Edns::new();
    edns.set_max_payload(PAYLOAD_BYTES);
    message.set_edns(edns);
    let bytes = message.to_vec().map_err(|error| NoAnswer::Unwritable(error.to_string()))?;
    let answer = datagram(server, &bytes, &message)?;
    let answer = match answer.metadata.truncation {
        true => decode(server, &over_tcp(server, &bytes)?, &message)?,
        false => answer,
    };
    match answer.metadata.response_code {
        ResponseCode::NoError | ResponseCode::NXDomain => Ok(answer),
        code => {
            let advice = advice_for_question(code, name);
            Err(NoAnswer::Refused { server, code, advice })
        }
    }
}

fn advice_for_question(code: ResponseCode, name: &Name) -> String {
    match code {
        ResponseCode::Refused => format!(
            "it does not answer questions about {name} from this address; \
             name a server that is responsible for it, or let this one answer us"
        ),
        ResponseCode::ServFail => {
            format!("it failed to find out about {name}; its own log says why")
        }
        _ => format!("it was asked about {name}"),
    }
}

fn datagram(server: SocketAddr, bytes: &[u8], question: &Message) -> Result<Message, NoAnswer> {
    let silent = |error: io::Error| NoAnswer::Silent { server, what: error.to_string() };
    let any: SocketAddr = match server {
        SocketAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
        SocketAddr::V6(_) => ([0u16; 8], 0).into(),
    };
    // A new port each time, and only datagrams of this server: guessing an answer stays hard.
    let socket = UdpSocket::bind(any).map_err(silent)?;
    socket.connect(server).map_err(silent)?;
    socket.set_read_timeout(Some(PATIENCE / 2)).map_err(silent)?;
    let mut last = NoAnswer::Silent { server, what: "no time to ask".to_owned() };
    let mut buffer = vec![0; usize::from(u16::MAX)];
    for _ in 0..ATTEMPTS {
        let answered = socket.send(bytes).and_then(|_| socket.recv(&mut buffer));
        match answered {
            Ok(count) => match decode(server, buffer.get(..count).unwrap_or_default(), question) {
                Ok(answer) => return Ok(answer),
                Err(error) => last = error,
            },
            Err(error) => last = NoAnswer::Silent { server, what: said(&error) },
        }
    }
    Err(last)
}

fn said(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => "no answer in time".to_owned(),
        io::ErrorKind::ConnectionRefused => "nobody listens there".to_owned(),
        _ => error.to_string(),
    }
}

/// RFC 1035 §4.2.2: each message behind its length.
fn over_tcp(server: SocketAddr, bytes: &[u8]) -> Result<Vec<u8>, NoAnswer> {
    let exchange = || -> io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect_timeout(&server, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let length = u16::try_from(bytes.len())
            .map_err(|_| io::Error::other("the message is longer than 65535 bytes"))?;
        let mut framed = length.to_be_bytes().to_vec();
        framed.extend_from_slice(bytes);
        stream.write_all(&framed)?;
        let mut length = [0; 2];
        stream.read_exact(&mut length)?;
        let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut answer)?;
        Ok(answer)
    };
    exchange().map_err(|error| NoAnswer::Silent { server, what: said(&error) })
}

fn decode(server: SocketAddr, bytes: &[u8], question: &Message) -> Result<Message, NoAnswer> {
    let garbled = |what: String| NoAnswer::Garbled { server, what };
    let answer = Message::from_vec(bytes).map_err(|error| garbled(error.to_string()))?;
    let (asked, said) = (&question.metadata, &answer.metadata);
    if said.id != asked.id || said.message_type != MessageType::Response {
        return Err(garbled("it belongs to another question".to_owned()));
    }
    // An update's answer need not repeat the zone (RFC 2136 §3.8).
    if asked.op_code == OpCode::Query && answer.queries != question.queries {
        return Err(garbled("it is about another name".to_owned()));
    }
    Ok(answer)
}

/// Sends a signed update and verifies who answers. `now` is in seconds since 1970.
pub(crate) fn update(
    server: SocketAddr,
    mut message: Message,
    key: &TSigner,
    now: u64,
) -> Result<(), NoAnswer> {
    let unwritable = |error: &dyn std::fmt::Display| NoAnswer::Unwritable(error.to_string());
    message.finalize(key, now).map_err(|error| unwritable(&error))?;
    let bytes = message.to_vec().map_err(|error| unwritable(&error))?;
    let mac = message.signature().map(|signature| signature.data.mac.clone()).unwrap_or_default();
    let raw = over_tcp(server, &bytes)?;
    let answer = decode(server, &raw, &message)?;
    let code = answer.metadata.response_code;
    let refused = |advice: String| Err(NoAnswer::Refused { server, code, advice });
    let error = answer.signature().and_then(|signature| signature.data.error);
    // RFC 8945 §5.2: these two come unsigned, as the server cannot or must not sign them.
    match error {
        Some(TsigError::BadKey) => return refused(bad_key(key)),
        Some(TsigError::BadSig) => return refused(bad_signature(key)),
        _ => {}
    }
    verify(server, &raw, key, &mac, now, error)?;
    match (error, code) {
        (Some(TsigError::BadTime), _) => refused(bad_time(&answer, now)),
        (Some(error), _) => refused(format!("its answer says {error:?} of our signature")),
        (None, ResponseCode::NoError) => Ok(()),
        (None, code) => refused(advice_for_update(code, &message)),
    }
}

/// An answer counts only when the holder of the key gave it, to this very request.
fn verify(
    server: SocketAddr,
    raw: &[u8],
    key: &TSigner,
    mac: &[u8],
    now: u64,
    error: Option<TsigError>,
) -> Result<(), NoAnswer> {
    let unsigned = |what: String| NoAnswer::Unsigned { server, what };
    let (_, _, when) = key
        .verify_message_byte(raw, Some(mac), true)
        .map_err(|error| unsigned(format!("its answer is not signed with our key ({error})")))?;
    // With BADTIME the clocks are known to differ, and the sentence about it says so.
    if error != Some(TsigError::BadTime) && !when.contains(&now) {
        return Err(unsigned("its answer is older or newer than our clock allows".to_owned()));
    }
    Ok(())
}

fn bad_key(key: &TSigner) -> String {
    format!(
        "it does not know a key named {} with {}, or has no rule that lets it change the zone (Knot \
         says both in one word); compare our key file and the zone with its configuration",
        key.signer_name(),
        key.algorithm()
    )
}

fn bad_signature(key: &TSigner) -> String {
    format!(
        "it knows the key {} with another secret; copy the secret from its configuration",
        key.signer_name()
    )
}

/// RFC 8945 §5.2.3: the server's own time stands in the other data.
fn bad_time(answer: &Message, now: u64) -> String {
    let other = answer.signature().map(|signature| signature.data.other.clone());
    let theirs =
        other.unwrap_or_default().iter().fold(0u64, |sum, byte| sum << 8 | u64::from(*byte));
    let apart = theirs.abs_diff(now);
    let which = if theirs > now { "behind" } else { "ahead of" };
    format!("our clock is {apart} seconds {which} its own; set both by a time server and try again")
}

fn advice_for_update(code: ResponseCode, message: &Message) -> String {
    let zone = message.queries.first().map(|query| query.name().to_string()).unwrap_or_default();
    match code {
        ResponseCode::Refused => format!(
            "it does not let this key change {zone}; allow it there \
             (BIND: update-policy or allow-update, Knot: an acl with action update)"
        ),
        ResponseCode::NotAuth | ResponseCode::NotZone => format!(
            "it is not the server of the zone {zone}, or a name of ours lies outside it; \
             `dns.zone` must be a zone that the server holds, and not a name inside one"
        ),
        ResponseCode::NXRRSet | ResponseCode::YXRRSet | ResponseCode::YXDomain => {
            "somebody changed the records since they were read, so nothing was written; \
             look at `chancery dns plan` and try again"
                .to_owned()
        }
        ResponseCode::ServFail => {
            format!("it failed to write the zone {zone}; its own log says why (often file rights)")
        }
        ResponseCode::NotImp => "it takes no updates (RFC 2136); write the records by hand: \
                                 `chancery dns print`"
            .to_owned(),
        _ => format!("it was told to change {zone}"),
    }
}
