//! Asking name servers: UDP, then TCP where the answer does not fit, with limits in time and size.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::SRV;
use hickory_proto::rr::{DNSClass, Name, RData, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use super::{DiscoveryError, at_port_53};

/// How long one server has for one try.
const PATIENCE: Duration = Duration::from_secs(2);
/// A datagram may get lost: so often all servers are asked.
const ROUNDS: usize = 2;
/// No more of the system's are asked than the C library would.
const SERVERS_MAX: usize = 3;
/// What we say we can take in one datagram (the DNS flag day of 2020: no fragments).
const PAYLOAD_BYTES: u16 = 1232;
/// So many aliases are followed inside an answer.
const ALIASES_MAX: usize = 8;

/// Whom to ask.
#[derive(Clone, Debug)]
pub struct NameServers(Vec<SocketAddr>);

impl NameServers {
    /// Those of `/etc/resolv.conf`.
    pub fn system() -> Result<NameServers, DiscoveryError> {
        let text = std::fs::read_to_string(Path::new("/etc/resolv.conf"))
            .map_err(DiscoveryError::NoResolvConf)?;
        Ok(NameServers(in_resolv_conf(&text)))
    }

    /// Exactly these.
    pub fn given(servers: Vec<SocketAddr>) -> Result<NameServers, DiscoveryError> {
        match servers.is_empty() {
            true => Err(DiscoveryError::NoNameServers),
            false => Ok(NameServers(servers)),
        }
    }

    /// The SRV records of a name; none where there is no such name.
    pub(super) async fn services(&self, name: &Name) -> Result<Vec<SRV>, DiscoveryError> {
        self.records(name, RecordType::SRV, |data| match data {
            RData::SRV(service) => Some(service.clone()),
            _ => None,
        })
        .await
    }

    /// The addresses of a name as DNS has them, whatever else this machine knows.
    pub async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, DiscoveryError> {
        let name = host(name)?;
        let (four, six) = tokio::join!(
            self.records(&name, RecordType::A, |data| match data {
                RData::A(address) => Some(IpAddr::V4(address.0)),
                _ => None,
            }),
            self.records(&name, RecordType::AAAA, |data| match data {
                RData::AAAA(address) => Some(IpAddr::V6(address.0)),
                _ => None,
            })
        );
        let mut all = four?;
        all.extend(six?);
        Ok(all)
    }

    /// The names that an address is said to have.
    pub async fn names_of(&self, address: IpAddr) -> Result<Vec<String>, DiscoveryError> {
        let name = Name::from(address);
        self.records(&name, RecordType::PTR, |data| match data {
            RData::PTR(name) => Some(name.0.to_ascii().trim_end_matches('.').to_owned()),
            _ => None,
        })
        .await
    }

    async fn records<T>(
        &self,
        name: &Name,
        kind: RecordType,
        take: impl Fn(&RData) -> Option<T>,
    ) -> Result<Vec<T>, DiscoveryError> {
        let mut what = Vec::new();
        for _ in 0..ROUNDS {
            what.clear();
            for &server in &self.0 {
                match ask(server, name, kind).await {
                    Ok(answer) => return Ok(records(&answer, name, take)),
                    Err(why) => what.push(format!("{server}: {why}")),
                }
            }
        }
        Err(DiscoveryError::Silent { question: name.to_string(), what: what.join("; ") })
    }
}

/// resolv.conf(5). Without a server it means the one on this machine.
fn in_resolv_conf(text: &str) -> Vec<SocketAddr> {
    let address = |line: &str| {
        let mut words = line.split_whitespace();
        let is_server = words.next() == Some("nameserver");
        let address = words.next().filter(|_| is_server)?;
        address.parse::<IpAddr>().ok().map(at_port_53)
    };
    let mut servers: Vec<SocketAddr> = text.lines().filter_map(address).collect();
    servers.truncate(SERVERS_MAX);
    if servers.is_empty() {
        servers.push(at_port_53([127, 0, 0, 1].into()));
    }
    servers
}

fn host(text: &str) -> Result<Name, DiscoveryError> {
    let mut name = Name::from_ascii(text)
        .map_err(|why| DiscoveryError::Unwritable { domain: text.to_owned(), why })?;
    // What is meant is the whole name: nothing is searched below other domains.
    name.set_fqdn(true);
    Ok(name)
}

async fn ask(server: SocketAddr, name: &Name, kind: RecordType) -> Result<Message, String> {
    let mut question = Message::query();
    let mut id = [0; 2];
    getrandom::fill(&mut id).map_err(|why| format!("the system gives no random bytes ({why})"))?;
    question.metadata.id = u16::from_le_bytes(id);
    question.metadata.recursion_desired = true;
    question.add_query(Query::query(name.clone(), kind));
    let mut edns = Edns::new();
    edns.set_max_payload(PAYLOAD_BYTES);
    question.set_edns(edns);
    let bytes = question.to_vec().map_err(|why| why.to_string())?;
    let mut answer = in_time(datagram(server, &bytes, &question)).await?;
    if answer.metadata.truncation {
        let whole = in_time(over_tcp(server, &bytes)).await?;
        answer = decode(&whole, &question)?;
    }
    match answer.metadata.response_code {
        ResponseCode::NoError | ResponseCode::NXDomain => Ok(answer),
        code => Err(format!("it answers {code}")),
    }
}

async fn in_time<T>(exchange: impl Future<Output = io::Result<T>>) -> Result<T, String> {
    match timeout(PATIENCE, exchange).await {
        Err(_) => Err(format!("no answer within {PATIENCE:?}")),
        Ok(Err(why)) if why.kind() == io::ErrorKind::ConnectionRefused => {
            Err("nobody listens there".to_owned())
        }
        Ok(exchanged) => exchanged.map_err(|why| why.to_string()),
    }
}

/// What is no answer to this question is passed over: anybody can send a datagram.
async fn datagram(server: SocketAddr, bytes: &[u8], question: &Message) -> io::Result<Message> {
    let any: SocketAddr = match server {
        SocketAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
        SocketAddr::V6(_) => ([0u16; 8], 0).into(),
    };
    // A new port each time, and only datagrams of this server: guessing an answer stays hard.
    let socket = UdpSocket::bind(any).await?;
    socket.connect(server).await?;
    socket.send(bytes).await?;
    let mut buffer = vec![0; usize::from(u16::MAX)];
    loop {
        let count = socket.recv(&mut buffer).await?;
        if let Ok(answer) = decode(buffer.get(..count).unwrap_or_default(), question) {
            return Ok(answer);
        }
    }
}

/// RFC 1035 §4.2.2: each message behind its length.
async fn over_tcp(server: SocketAddr, bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(bytes.len())
        .map_err(|_| io::Error::other("the message is longer than 65535 bytes"))?;
    let mut framed = length.to_be_bytes().to_vec();
    framed.extend_from_slice(bytes);
    stream.write_all(&framed).await?;
    let mut answer = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}

fn decode(bytes: &[u8], question: &Message) -> Result<Message, String> {
    let answer = Message::from_vec(bytes).map_err(|why| format!("no DNS message ({why})"))?;
    let said = &answer.metadata;
    let is_answer = said.message_type == MessageType::Response && said.op_code == OpCode::Query;
    if !is_answer || said.id != question.metadata.id || answer.queries != question.queries {
        return Err("it answers another question".to_owned());
    }
    Ok(answer)
}

/// The records of the name itself or of what it is an alias of; nothing else that came along.
fn records<T>(answer: &Message, name: &Name, take: impl Fn(&RData) -> Option<T>) -> Vec<T> {
    let mut owner = name;
    for _ in 0..ALIASES_MAX {
        let alias = answer.answers.iter().find_map(|record| match &record.data {
            RData::CNAME(to) if record.name == *owner => Some(&to.0),
            _ => None,
        });
        let Some(to) = alias else { break };
        owner = to;
    }
    let records = answer.answers.iter().filter(|record| record.dns_class == DNSClass::IN);
    let owned = records.filter(|record| record.name == *owner);
    owned.filter_map(|record| take(&record.data)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hickory_proto::rr::Record;
    use hickory_proto::rr::rdata::CNAME;

    fn name(text: &str) -> Name {
        Name::from_ascii(text).unwrap()
    }

    fn question() -> Message {
        let mut question = Message::query();
        question.add_query(Query::query(name("_ldap._tcp.corp.example."), RecordType::SRV));
        question
    }

    #[test]
    fn servers_are_read_as_the_c_library_does() {
        let text = "# nameserver 192.0.2.9\nsearch corp.example\nnameserver 192.0.2.1\n\
                    nameserver\t2001:db8::1 # second\nnameserver nonsense\noptions rotate\n";
        let expected: [SocketAddr; 2] =
            ["192.0.2.1:53".parse().unwrap(), "[2001:db8::1]:53".parse().unwrap()];
        assert_eq!(in_resolv_conf(text), expected);
        assert_eq!(in_resolv_conf(""), ["127.0.0.1:53".parse().unwrap()]);
        assert_eq!(in_resolv_conf(&"nameserver 192.0.2.1\n".repeat(9)).len(), SERVERS_MAX);
    }

    #[test]
    fn an_answer_is_to_this_question() {
        let asked = question();
        let good = asked.clone().into_response();
        assert!(decode(&good.to_vec().unwrap(), &asked).is_ok());
        let mut other_id = good.clone();
        other_id.metadata.id = asked.metadata.id.wrapping_add(1);
        let mut other_name = good.clone();
        other_name.queries = vec![Query::query(name("corp.example."), RecordType::SRV)];
        for wrong in [&asked, &other_id, &other_name] {
            let error = decode(&wrong.to_vec().unwrap(), &asked).unwrap_err();
            assert!(error.contains("another question"), "{error}");
        }
        assert!(decode(b"short", &asked).unwrap_err().contains("no DNS message"));
    }

    #[test]
    fn only_records_of_the_name_count() {
        let asked = name("_ldap._tcp.corp.example.");
        let service = |owner: &str, port| {
            let data = RData::SRV(SRV::new(0, 0, port, name("dc.corp.example.")));
            Record::from_rdata(name(owner), 60, data)
        };
        let alias = |from: &str, to: &str| {
            Record::from_rdata(name(from), 60, RData::CNAME(CNAME(name(to))))
        };
        let mut answer = question().into_response();
        answer.add_answer(service("_LDAP._tcp.corp.example.", 1));
        answer.add_answer(service("other.corp.example.", 2));
        let ports = |answer: &Message| -> Vec<u16> {
            records(answer, &asked, |data| match data {
                RData::SRV(service) => Some(service.port),
                _ => None,
            })
        };
        assert_eq!(ports(&answer), [1]);
        answer.add_answer(alias("_ldap._tcp.corp.example.", "other.corp.example."));
        assert_eq!(ports(&answer), [2]);
        answer.add_answer(alias("other.corp.example.", "_ldap._tcp.corp.example."));
        assert!(ports(&answer).len() <= 1);
    }
}
