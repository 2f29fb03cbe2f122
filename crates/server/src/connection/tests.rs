//! Whole connections over a pipe in memory.

use directory::Protection;
use ldap::message::{DeleteRequest, Scope};
use ldap::oid;
use proptest::prelude::*;
use tokio::task::LocalSet;

use super::*;
use crate::in_flight::Finished;
use crate::limits::Limits;
use crate::testing::{
    Client, EVA, PASSWORD, SUFFIX, bind, directory, encoded, extended, peer, pipelined, search,
    shared,
};

const PIPE: usize = 64 * 1024;

fn who_am_i() -> ldap::message::Request<'static> {
    extended(oid::extended::WHO_AM_I, None)
}

#[tokio::test]
async fn requests_behind_a_bind_wait_for_it_and_are_answered_as_who_it_made() {
    LocalSet::new()
        .run_until(async {
            let shared = shared(directory(0), Limits::default());
            let client = Client::connect(shared, peer(Protection::Tls), PIPE);
            let bytes = pipelined(&[
                who_am_i(),
                bind(EVA, PASSWORD),
                who_am_i(),
                search(EVA, Scope::Base),
                bind(EVA, b"wrong"),
                who_am_i(),
            ]);
            assert_eq!(
                client.ask(&bytes).await,
                [
                    "1 extended success",
                    "2 bind success",
                    &format!("3 extended success dn:{EVA}"),
                    &format!("4 entry {EVA}"),
                    "4 search success",
                    "5 bind invalidCredentials",
                    "6 extended success",
                ]
            );
        })
        .await;
}

/// The runtime lets a task take so much in one go and no more (128 of anything), and what is asked
/// for one more says "not yet" without remembering who asked.
#[tokio::test]
async fn a_flood_of_news_leaves_nobody_waiting() {
    LocalSet::new()
        .run_until(async {
            let shared = shared(directory(0), Limits::default());
            let mut client = Client::connect(shared, peer(Protection::Tls), PIPE);
            client.send(&encoded(1, &bind(EVA, PASSWORD), &[])).await;
            assert_eq!(client.line().await.unwrap(), "1 bind success");
            let dn = format!("uid=nobody,{SUFFIX}");
            let delete = ldap::message::Request::Delete(DeleteRequest { dn: &dn });
            let mut ids = 2..;
            for size in 100..140 {
                // Nobody woken, it would be the alarm that brings the answer. A machine that
                // stands still for so long does not do so three times.
                let mut waited = true;
                for id in ids.by_ref().take(3) {
                    for _ in 0..size {
                        let lost = Err(crate::session::lost().into());
                        let finished = Box::new(Finished::Changed(lost));
                        client.news.send(Event { serial: u64::MAX, finished }).unwrap();
                    }
                    tokio::task::yield_now().await;
                    let asked = Instant::now();
                    // Its answer is news as well, from the writer's thread.
                    client.send(&encoded(id, &delete, &[])).await;
                    assert_eq!(client.line().await.unwrap(), format!("{id} delete noSuchObject"));
                    waited &= asked.elapsed() >= RESTS_AFTER * 9 / 10;
                    if !waited {
                        break;
                    }
                }
                assert!(!waited, "after {size} the answer waits for the alarm");
            }
        })
        .await;
}

#[tokio::test]
async fn bytes_may_arrive_one_by_one() {
    LocalSet::new()
        .run_until(async {
            let shared = shared(directory(0), Limits::default());
            let mut client = Client::connect(shared, peer(Protection::Tls), 1);
            for byte in pipelined(&[who_am_i(), bind(EVA, PASSWORD)]) {
                client.send(&[byte]).await;
            }
            client.no_more().await;
            assert_eq!(client.lines().await, ["1 extended success", "2 bind success"]);
        })
        .await;
}

#[tokio::test]
async fn garbage_costs_one_connection_after_what_was_whole_is_answered() {
    LocalSet::new()
        .run_until(async {
            let shared = shared(directory(0), Limits::default());
            let other = Client::connect(shared.clone(), peer(Protection::Tls), PIPE);
            let indefinite = [&pipelined(&[who_am_i()])[..], &[0x30, 0x80, 0, 0]].concat();
            let too_large = [0x30, 0x84, 0x7f, 0, 0, 0];
            let half = [&pipelined(&[who_am_i()])[..], b"\x30\x05\x02\x01"].concat();
            for (bytes, expected) in [
                (&b"GET / HTTP/1.1\r\n"[..], &["0 extended protocolError"][..]),
                (&indefinite, &["1 extended success", "0 extended protocolError"]),
                (&too_large, &["0 extended protocolError"]),
                (&half, &["1 extended success", "0 extended protocolError"]),
                // A response, which no client may send.
                (
                    b"\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00",
                    &["0 extended protocolError"],
                ),
            ] {
                let client = Client::connect(shared.clone(), peer(Protection::Tls), PIPE);
                assert_eq!(client.ask(bytes).await, expected, "{bytes:02x?}");
            }
            assert_eq!(other.ask(&pipelined(&[who_am_i()])).await, ["1 extended success"]);
        })
        .await;
}

#[tokio::test]
async fn a_good_envelope_around_a_bad_request_keeps_the_session() {
    LocalSet::new()
        .run_until(async {
            let shared = shared(directory(0), Limits::default());
            let client = Client::connect(shared, peer(Protection::Tls), PIPE);
            // A delete whose name is not UTF-8.
            let mut bytes = vec![0x30, 0x06, 0x02, 0x01, 0x07, 0x4a, 0x01, 0xff];
            bytes.extend(encoded(8, &who_am_i(), &[]));
            let lines = client.ask(&bytes).await;
            assert_eq!(lines, ["7 delete protocolError", "8 extended success"]);
        })
        .await;
}

#[tokio::test]
async fn messages_are_smaller_before_a_bind() {
    LocalSet::new()
        .run_until(async {
            let limits = Limits { message_bytes_before_bind: 100, ..Limits::default() };
            let shared = shared(directory(0), limits);
            let long = format!("cn={}", "x".repeat(200));
            let delete =
                encoded(1, &ldap::message::Request::Delete(DeleteRequest { dn: &long }), &[]);
            let client = Client::connect(shared.clone(), peer(Protection::Tls), PIPE);
            assert_eq!(client.ask(&delete).await, ["0 extended protocolError"]);
            let client = Client::connect(shared, peer(Protection::Tls), PIPE);
            let bytes = [encoded(9, &bind(EVA, PASSWORD), &[]), delete].concat();
            assert_eq!(client.ask(&bytes).await, ["9 bind success", "1 delete noSuchObject"]);
        })
        .await;
}

#[tokio::test]
async fn a_slow_reader_gets_everything_and_holds_up_nobody() {
    LocalSet::new()
        .run_until(async {
            let limits = Limits { output_bytes: 2_000, search_step: 10, ..Limits::default() };
            let shared = shared(directory(500), limits);
            let mut slow = Client::connect(shared.clone(), peer(Protection::Tls), 100);
            slow.send(&pipelined(&[bind(EVA, PASSWORD)])).await;
            assert_eq!(slow.line().await.unwrap(), "1 bind success");
            slow.send(&encoded(2, &search(SUFFIX, Scope::Subtree), &[])).await;
            slow.send(&encoded(3, &who_am_i(), &[])).await;
            // Nothing is taken by the slow one while the other is served.
            let other = Client::connect(shared, peer(Protection::Tls), PIPE);
            assert_eq!(other.ask(&pipelined(&[who_am_i()])).await, ["1 extended success"]);
            slow.no_more().await;
            let lines = slow.lines().await;
            let entries = lines.iter().filter(|line| line.starts_with("2 entry")).count();
            assert_eq!(entries, 502);
            assert!(lines.contains(&"2 search success".to_owned()));
            assert!(lines.contains(&format!("3 extended success dn:{EVA}")));
        })
        .await;
}

#[tokio::test]
async fn more_changes_than_may_be_in_flight_are_all_answered() {
    LocalSet::new()
        .run_until(async {
            let limits = Limits { operations_in_flight: 2, ..Limits::default() };
            let shared = shared(directory(0), limits);
            let mut client = Client::connect(shared, peer(Protection::Tls), 64);
            client.send(&encoded(1, &bind(EVA, PASSWORD), &[])).await;
            for id in 2..100 {
                let delete = DeleteRequest { dn: "cn=nobody,dc=example,dc=com" };
                client.send(&encoded(id, &ldap::message::Request::Delete(delete), &[])).await;
            }
            client.no_more().await;
            let mut lines = client.lines().await;
            assert_eq!(lines.remove(0), "1 bind success");
            assert_eq!(lines.len(), 98);
            assert!(lines.iter().all(|line| line.ends_with("delete noSuchObject")), "{lines:?}");
        })
        .await;
}

#[tokio::test]
async fn a_reader_that_takes_nothing_is_cut_off() {
    tokio::time::pause();
    LocalSet::new()
        .run_until(async {
            let limits = Limits { output_bytes: 2_000, ..Limits::default() };
            let shared = shared(directory(100), limits);
            let mut client = Client::connect(shared, peer(Protection::Tls), 100);
            client.send(&pipelined(&[bind(EVA, PASSWORD)])).await;
            assert_eq!(client.line().await.unwrap(), "1 bind success");
            client.send(&encoded(2, &search(SUFFIX, Scope::Subtree), &[])).await;
            let ended = (&mut client.served).await.unwrap();
            assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::TimedOut);
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_gets_a_notice() {
    LocalSet::new()
        .run_until(async {
            let shared = shared(directory(0), Limits::default());
            let mut client = Client::connect(shared, peer(Protection::Tls), PIPE);
            let before = Instant::now();
            assert_eq!(client.lines().await, ["0 extended unavailable"]);
            assert!(before.elapsed() >= Duration::from_secs(60));
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_rest_between_any_two_bytes_changes_nothing() {
    LocalSet::new()
        .run_until(async {
            let shared = shared(directory(0), Limits::default());
            let mut client = Client::connect(shared, peer(Protection::Tls), PIPE);
            let message = pipelined(&[who_am_i()]);
            for at in [0, 1, 7, message.len()] {
                let (first, second) = message.split_at(at);
                client.send(first).await;
                tokio::time::advance(2 * RESTS_AFTER).await;
                client.send(second).await;
                assert_eq!(client.line().await.unwrap(), "1 extended success", "{at}");
            }
        })
        .await;
}

#[test]
fn only_what_is_empty_is_given_back() {
    let mut input = Input::new();
    input.make_room(10);
    input.end = 10;
    input.rest();
    assert_eq!(input.unhandled().len(), 10);
    input.consume(10);
    input.rest();
    assert_eq!(input.buffer.capacity(), 0);
    input.make_room(5);
    assert_eq!(input.buffer.len(), FIRST_BUFFER);
}

#[tokio::test]
async fn stopping_answers_what_is_in_flight_and_says_goodbye() {
    LocalSet::new()
        .run_until(async {
            let shared = shared(directory(0), Limits::default());
            let mut client = Client::connect(shared, peer(Protection::Tls), PIPE);
            client.send(&pipelined(&[who_am_i(), bind(EVA, PASSWORD)])).await;
            assert_eq!(client.line().await.unwrap(), "1 extended success");
            client.stop.send(true).unwrap();
            assert_eq!(client.lines().await, ["2 bind success", "0 extended unavailable"]);
        })
        .await;
}

#[tokio::test]
async fn start_tls_hands_the_stream_back_and_takes_nothing_said_too_early() {
    LocalSet::new()
        .run_until(async {
            let shared = shared(directory(0), Limits::default());
            let start_tls = extended(oid::extended::START_TLS, None);
            let mut client = Client::connect(shared.clone(), peer(Protection::None), PIPE);
            client.send(&pipelined(&[bind(EVA, PASSWORD)])).await;
            assert_eq!(client.line().await.unwrap(), "1 bind confidentialityRequired");
            client.send(&encoded(2, &start_tls, &[])).await;
            assert_eq!(client.line().await.unwrap(), "2 extended success");
            assert!(matches!((&mut client.served).await.unwrap().unwrap(), Ending::StartTls(_)));

            let client = Client::connect(shared, peer(Protection::None), PIPE);
            let injected = pipelined(&[start_tls, who_am_i()]);
            assert_eq!(client.ask(&injected).await, ["1 extended protocolError"]);
        })
        .await;
}

#[test]
fn a_claimed_length_reserves_nothing() {
    let mut input = Input::new();
    for expected in [FIRST_BUFFER, READ_BUFFER, 2 * READ_BUFFER] {
        input.make_room(16 * 1024 * 1024);
        assert_eq!(input.buffer.len(), expected);
        input.end = expected;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever comes: answers, at most one notice as the last word, and an end.
    #[test]
    fn flipped_bits_end_in_answers_or_one_notice(
        flips in proptest::collection::vec((any::<prop::sample::Index>(), 0_u8..8), 1..6)
    ) {
        let mut bytes = pipelined(&[
            bind(EVA, b""),
            search("", Scope::Base),
            who_am_i(),
            search("cn=schema", Scope::Base),
            ldap::message::Request::Abandon(ldap::message::MessageId(2)),
        ]);
        for (at, bit) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let lines = LocalSet::new().block_on(&runtime, async {
            let shared = shared(directory(0), Limits::default());
            Client::connect(shared, peer(Protection::Tls), PIPE).ask(&bytes).await
        });
        let notices = lines.iter().filter(|line| line.starts_with("0 ")).count();
        prop_assert!(notices <= 1);
        prop_assert!(notices == 0 || lines.last().unwrap().starts_with("0 "));
    }
}
