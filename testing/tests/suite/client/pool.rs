//! Several sessions of the client, with slapd and with mocks that end at the wrong moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use client::{Connector, Credentials, Error, Pool, Query, Secret, Service, Settings};
use client::{Security, Target, Trust};
use ldap::message::{Request, Scope};
use ldap::response::{LdapResult, ResponseOperation, write_entry, write_result};
use testing::peers::missing::{Peer, present};
use testing::peers::{SUFFIX, Server, Subject, port};

use super::mock::{Answers, MockServer};
use super::{Scene, block_on, target};

fn slapd(test: &str) -> Option<Server> {
    let openssl = Peer::program("openssl", "/usr/bin/openssl");
    let is_here = present(test, &[Subject::Slapd.program(), openssl]);
    is_here.then(|| Subject::Slapd.start().unwrap())
}

/// Over these servers in this order, bound as the administrator that they share.
pub(super) fn pool_of(servers: &[&Server], settle: impl Fn(&mut Settings)) -> Pool {
    let read = |server: &&Server| std::fs::read(&server.ca).unwrap();
    let pem: Vec<u8> = servers.iter().flat_map(read).collect();
    let trust = Trust::given(pki::pem::certificates(&pem).unwrap()).unwrap();
    let first = servers.first().unwrap();
    let password = Secret::new(first.password().unwrap());
    let mut settings = Settings::new(Credentials::Simple { name: first.admin.clone(), password });
    settle(&mut settings);
    let targets = servers.iter().map(|server| Target::parse(&server.ldaps).unwrap());
    Pool::new(Connector::new(&trust, None).unwrap(), Service::in_order(targets), settings)
}

#[test]
fn sessions_are_bounded_and_lent_as_they_were_bound() {
    let Some(server) = slapd("a pool of the client") else { return };
    block_on(async {
        let pool = pool_of(&[&server], |settings| {
            settings.most = 2;
            settings.wait = Duration::from_millis(50);
        });
        let admin = format!("dn:{}", server.admin);
        let (one, two) = (pool.lend().await.unwrap(), pool.lend().await.unwrap());
        assert_eq!(two.who_am_i().await.unwrap(), admin);
        let third = pool.lend().await.unwrap_err();
        assert!(matches!(third, Error::AllLent { most: 2, .. }), "{third}");
        drop(two);
        let two = pool.lend().await.unwrap();
        // Bound as somebody else, it is of no use to the next.
        two.bind_anonymous().await.unwrap();
        drop(two);
        assert_eq!(pool.lend().await.unwrap().who_am_i().await.unwrap(), admin);
        // Nor is one that somebody keeps.
        let kept = one.clone();
        drop(one);
        kept.bind_anonymous().await.unwrap();
        let lent = (pool.lend().await.unwrap(), pool.lend().await.unwrap());
        assert_eq!(lent.0.who_am_i().await.unwrap(), admin);
        assert_eq!(lent.1.who_am_i().await.unwrap(), admin);
    });
}

#[test]
fn a_wrong_password_is_tried_at_one_server_only() {
    let Some(server) = slapd("a refused pool") else { return };
    let Some(other) = slapd("a refused pool") else { return };
    block_on(async {
        let pool = pool_of(&[&server, &other], |settings| {
            let (name, password) = (server.admin.clone(), Secret::new("wrong"));
            settings.credentials = Credentials::Simple { name, password };
        });
        let error = pool.lend().await.unwrap_err();
        assert!(matches!(error, Error::Refused { .. }), "{error}");
    });
}

#[test]
fn another_server_is_taken_when_one_is_stopped() {
    let Some(mut first) = slapd("failover of the client") else { return };
    let Some(second) = slapd("failover of the client") else { return };
    block_on(async {
        let pool = pool_of(&[&first, &second], |_| {});
        assert!(pool.read(SUFFIX, &["dc"]).await.unwrap().is_some());
        let at = |uri: &str| port(uri);
        // DNS names others anew: what is idle goes, and what is lent goes when it comes back.
        let lent = pool.lend().await.unwrap();
        let named = |server: &Server| Service::in_order([Target::parse(&server.ldaps).unwrap()]);
        pool.serve_from(named(&second));
        drop(lent);
        assert_eq!(pool.lend().await.unwrap().peer().address.port(), at(&second.ldaps));
        let both = [&first, &second].map(|server| Target::parse(&server.ldaps).unwrap());
        pool.serve_from(named(&first));
        assert_eq!(pool.lend().await.unwrap().peer().address.port(), at(&first.ldaps));
        pool.serve_from(Service::in_order(both));
        assert_eq!(pool.lend().await.unwrap().peer().address.port(), at(&first.ldaps));
        // The idle session does not know yet: the runtime has had no turn since.
        first.process.kill().unwrap();
        assert!(pool.read(SUFFIX, &["dc"]).await.unwrap().is_some());
        assert_eq!(pool.lend().await.unwrap().peer().address.port(), at(&second.ldaps));
        assert_eq!(pool.read("dc=nowhere", &[]).await.unwrap(), None);
    });
    drop(second);
    block_on(async {
        let pool = pool_of(&[&first], |_| {});
        assert!(matches!(pool.lend().await.unwrap_err(), Error::Dial { .. }));
    });
}

/// A mock that counts its searches and writes and ends after each; `entries` come before that.
fn ending(scene: &Scene, entries: usize, finishes: bool) -> (MockServer, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&count);
    let answers: Answers = Box::new(move |message, out| {
        if matches!(message.request, Request::Unbind) {
            return false;
        }
        seen.fetch_add(1, Ordering::SeqCst);
        for _ in 0..entries {
            write_entry(out, message.id, SUFFIX.as_bytes(), &[], &[]);
        }
        if finishes {
            let operation = ResponseOperation::SearchDone;
            write_result(out, message.id, operation, &LdapResult::SUCCESS, &[]);
        }
        finishes
    });
    (scene.start(None, answers), count)
}

fn pool_of_mocks(scene: &Scene, mocks: &[&MockServer]) -> Pool {
    let target = |mock: &&MockServer| target("localhost", mock.address, Security::Ldaps);
    let connector = Connector::new(&super::trust(&scene.ca.certificate), None).unwrap();
    let settings = Settings { most: 1, ..Settings::new(Credentials::Anonymous) };
    Pool::new(connector, Service::in_order(mocks.iter().map(target)), settings)
}

fn everything() -> Query {
    Query::new(SUFFIX, Scope::Subtree, "(objectClass=*)").unwrap()
}

#[test]
fn a_search_is_tried_once_more_where_nothing_was_delivered() {
    let Some(scene) = Scene::new("repeated searches") else { return };
    // What the first and the second deliver, whether the second finishes, what is found, and who
    // was asked how often.
    for (first, second, finishes, found, asked) in [
        (0, 3, true, Some(3), [1, 1, 0]),
        (2, 3, true, None, [1, 0, 0]),
        (0, 0, false, None, [1, 1, 0]),
    ] {
        let (one, of_one) = ending(&scene, first, false);
        let (two, of_two) = ending(&scene, second, finishes);
        let (three, of_three) = ending(&scene, 0, true);
        block_on(async {
            let pool = pool_of_mocks(&scene, &[&one, &two, &three]);
            match (pool.found(everything(), 10).await, found) {
                (Ok(entries), Some(count)) => assert_eq!(entries.len(), count),
                (Err(Error::Ended(_)), None) => {}
                (other, _) => panic!("{other:?}"),
            }
        });
        assert_eq!([of_one, of_two, of_three].map(|count| count.load(Ordering::SeqCst)), asked);
    }
}

#[test]
fn a_write_is_never_repeated() {
    let Some(scene) = Scene::new("writes of a pool") else { return };
    let (one, of_one) = ending(&scene, 0, false);
    let (two, of_two) = ending(&scene, 0, true);
    block_on(async {
        let pool = pool_of_mocks(&scene, &[&one, &two]);
        let lent = pool.lend().await.unwrap();
        let error = lent.delete(SUFFIX, &[]).await.unwrap_err();
        assert!(matches!(error, Error::Ended(_)), "{error}");
        drop(lent);
        // What has ended is not lent again.
        assert_eq!(pool.found(everything(), 1).await.unwrap(), []);
    });
    assert_eq!([of_one, of_two].map(|count| count.load(Ordering::SeqCst)), [1, 1]);
}
