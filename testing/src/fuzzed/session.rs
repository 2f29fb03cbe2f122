//! A whole session: bytes from a client, a real directory, answers.

use std::cell::RefCell;
use std::sync::Arc;

use directory::access::RuleText;
use directory::password::Hasher;
use directory::store::StoreOptions;
use directory::{
    Change, ChangeControls, ChangeRequest, Directory, NewAttribute, Protection, Settings, Subject,
    Who,
};
use ldap::ber::{Frame, frame};
use ldap::response::ResponseMessage;
use server::{Anonymous, Limits, ServerSettings, Service};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::runtime::Runtime;

const SUFFIX: &str = "dc=example,dc=com";

/// So many sessions meet the same tree; then it is made anew, so that it stays small.
const SESSIONS_OF_A_TREE: u32 = 1000;

/// What the client and the server can hold between them: small, so that both have to wait.
const PIPE: usize = 4096;

struct World {
    runtime: Runtime,
    service: Arc<Service>,
    sessions: u32,
}

/// The first byte says how the stream is protected, the second into what pieces the rest is cut.
/// Whatever comes: the session ends, and all it said is whole messages.
pub fn session(bytes: &[u8]) {
    let [protection, piece, rest @ ..] = bytes else { return };
    let protection = if protection & 1 == 0 { Protection::Tls } else { Protection::None };
    let piece = if *piece == 0 { rest.len().max(1) } else { usize::from(*piece) };
    thread_local!(static WORLD: RefCell<Option<World>> = const { RefCell::new(None) });
    WORLD.with_borrow_mut(|world| {
        if world.as_ref().is_none_or(|world| world.sessions == SESSIONS_OF_A_TREE) {
            *world = None;
        }
        let world = world.get_or_insert_with(world_anew);
        world.sessions += 1;
        let answers = world.runtime.block_on(converse(&world.service, protection, rest, piece));
        check(&answers);
    });
}

async fn converse(
    service: &Service,
    protection: Protection,
    bytes: &[u8],
    piece: usize,
) -> Vec<u8> {
    let (client, stream) = duplex(PIPE);
    let (mut reads, writes) = tokio::io::split(client);
    let mut answers = Vec::new();
    let (served, read, ()) = tokio::join!(
        service.serve(stream, None, protection),
        reads.read_to_end(&mut answers),
        say(writes, bytes, piece),
    );
    // The server may have hung up while it was still being talked to.
    let _ = (served, read);
    answers
}

async fn say(mut writes: tokio::io::WriteHalf<DuplexStream>, bytes: &[u8], piece: usize) {
    for part in bytes.chunks(piece) {
        if writes.write_all(part).await.is_err() {
            return;
        }
    }
    let _ = writes.shutdown().await;
}

fn check(mut answers: &[u8]) {
    while !answers.is_empty() {
        let Ok(Frame::Complete { length }) = frame(answers, usize::MAX) else {
            panic!("half a message: {answers:02x?}");
        };
        let (message, rest) = answers.split_at(length);
        if let Err(error) = ResponseMessage::decode(message) {
            panic!("an answer that cannot be read: {error} {message:02x?}");
        }
        answers = rest;
    }
}

fn world_anew() -> World {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let limits = Limits { search_entries: 100, page_entries: 10, ..Limits::default() };
    let settings = ServerSettings {
        anonymous: Anonymous::Search,
        password_threads: 1,
        limits,
        ..ServerSettings::default()
    };
    let service = Arc::new(Service::new(tree(), settings).unwrap());
    World { runtime, service, sessions: 0 }
}

/// Everybody may do everything here: what is behind the access rules is to be reached.
fn tree() -> Directory {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings {
        access: vec![RuleText::new("anyone", &["manage"]).attributes(&["all"])],
        hasher: Hasher::new(8, 1, 1).unwrap(),
        store: StoreOptions { map_bytes_max: 1 << 28, ..StoreOptions::default() },
        ..Settings::default()
    };
    let directory = Directory::open(folder.path(), settings).unwrap();
    let people = [("eva", "eve"), ("adam", "adam"), ("zoë", "zoe")];
    add(&directory, SUFFIX, &[("objectClass", "domain"), ("dc", "example")]);
    for (cn, uid) in people {
        let dn = format!("uid={uid},{SUFFIX}");
        let class = ("objectClass", "inetOrgPerson");
        let secret = ("userPassword", "correct horse");
        add(&directory, &dn, &[class, ("uid", uid), ("cn", cn), ("sn", "Example"), secret]);
    }
    let member = format!("uid=eve,{SUFFIX}");
    let group = [("objectClass", "groupOfNames"), ("cn", "all"), ("member", member.as_str())];
    add(&directory, &format!("cn=all,{SUFFIX}"), &group);
    directory
}

fn add(directory: &Directory, dn: &str, attributes: &[(&str, &str)]) {
    let attributes =
        attributes.iter().map(|(name, value)| NewAttribute::new(*name, [*value])).collect();
    let request = ChangeRequest {
        subject: Subject { who: Who::Operator, address: None, protection: Protection::Local },
        change: Change::Add { dn: dn.to_owned(), attributes },
        controls: ChangeControls::default(),
    };
    directory.submit_and_wait(request).unwrap();
}
