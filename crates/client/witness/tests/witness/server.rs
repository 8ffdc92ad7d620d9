//! The protocol over a socket.

use std::io::Read as _;
use std::io::Write as _;
use std::net::TcpStream;
use std::sync::Arc;

use chancery_tlog::SignerKey;
use chancery_tlog::UnverifiedCheckpoint;
use chancery_tlog::VerifierKey;
use chancery_tlog::cosign::cosigned_by;
use chancery_tlog::witness::REQUEST_BYTES_MAX;
use chancery_tlog::witness::monitoring_path;

use crate::harness::Client;
use crate::harness::Folder;
use crate::harness::Log;
use crate::harness::Running;

fn started() -> (Folder, Log, Running) {
    let (folder, log) = (Folder::new(), Log::new("log.example", 40));
    folder.follow(&[&log]);
    let witness = Running::start(&folder).unwrap();
    (folder, log, witness)
}

#[test]
fn cosigns_growth_on_one_connection() {
    let (_folder, log, witness) = started();
    let mut client = witness.client();
    client.cosigned(&log, 0, 5, &witness.vkey);
    client.cosigned(&log, 5, 17, &witness.vkey);
    client.cosigned(&log, 17, 40, &witness.vkey);
}

#[test]
fn a_repeated_head_gets_a_fresh_time_and_no_write() {
    let (folder, log, witness) = started();
    let mut client = witness.client();
    let first = client.cosigned(&log, 0, 5, &witness.vkey);
    let stored = std::fs::read(folder.head_file()).unwrap();
    let second = client.cosigned(&log, 5, 5, &witness.vkey);
    assert!(second > first);
    assert_eq!(std::fs::read(folder.head_file()).unwrap(), stored);
}

#[test]
fn refuses_rollback_and_tells_its_size() {
    let (_folder, log, witness) = started();
    let mut client = witness.client();
    client.cosigned(&log, 0, 17, &witness.vkey);
    for (old, new) in [(0, 5), (5, 17), (5, 30), (0, 40)] {
        let answer = client.add(&log.request(old, new));
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (409, "17\n"),
            "{old} {new}"
        );
        assert_eq!(answer.media_type, "text/x.tlog.size");
    }
    client.cosigned(&log, 17, 18, &witness.vkey);
}

#[test]
fn refuses_another_history() {
    let (_folder, log, witness) = started();
    let mut fork = Log::new("log.example", 10);
    fork.grow(30, "forged");
    let mut client = witness.client();
    client.cosigned(&log, 0, 17, &witness.vkey);
    assert_eq!(client.add(&fork.request(17, 17)).status, 422);
    assert_eq!(client.add(&fork.request(17, 40)).status, 422);
    client.cosigned(&log, 17, 17, &witness.vkey);
}

#[test]
fn refuses_what_the_protocol_refuses() {
    let (_folder, log, witness) = started();
    let mut client = witness.client();
    assert_eq!(client.add("").status, 400);
    assert_eq!(
        client
            .add(&log.request(0, 5).replacen("old 0", "old 00", 1))
            .status,
        400
    );
    assert_eq!(client.add(&log.request(6, 5)).status, 400);
    let mut stranger = Log::new("log.example", 40);
    stranger.key = SignerKey::from_seed("log.example", &[2; 32]).unwrap();
    assert_eq!(client.add(&stranger.request(0, 5)).status, 403);
    assert_eq!(
        client
            .add(&Log::new("other.example", 5).request(0, 5))
            .status,
        404
    );
    assert_eq!(client.send("GET", "/add-checkpoint", "").status, 405);
    let path = monitoring_path("log.example");
    assert_eq!(client.send("POST", &path, "").status, 405);
    assert_eq!(client.send("GET", &path, "").status, 404);
    for path in [
        "/",
        "/checkpoint",
        &path.to_uppercase(),
        &format!("{path}/"),
        "//add-checkpoint",
    ] {
        assert_eq!(client.send("GET", path, "").status, 404, "{path}");
    }
    client.cosigned(&log, 0, 5, &witness.vkey);
}

#[test]
fn refuses_bodies_above_the_limit_announced_or_not() {
    let (_folder, log, witness) = started();
    let length = REQUEST_BYTES_MAX + 1;
    let announced = format!("content-length: {length}\r\n\r\n");
    let body = " ".repeat(length);
    let chunked = format!("transfer-encoding: chunked\r\n\r\n{length:x}\r\n{body}");
    // The end of the chunk is left out, so that the witness leaves nothing unread behind.
    for rest in [announced, chunked] {
        let mut stream = TcpStream::connect(witness.address).unwrap();
        let request = format!("POST /add-checkpoint HTTP/1.1\r\nhost: w\r\n{rest}");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(answer, *b"HTTP/1.1 413");
    }
    witness.client().cosigned(&log, 0, 5, &witness.vkey);
}

#[test]
fn refuses_a_checkpoint_that_does_not_fit_its_store() {
    let (_folder, log, witness) = started();
    let checkpoint = log.checkpoint(5);
    let text = format!("{}{}\n", checkpoint.note().text(), "x".repeat(5000));
    let note = log.key.sign(&text).unwrap();
    let mut client = witness.client();
    let answer = client.add(&format!("old 0\n\n{text}\n{note}"));
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains("larger than its limit"), "{answer:?}");
    client.cosigned(&log, 0, 5, &witness.vkey);
}

#[test]
fn a_client_that_hangs_up_changes_nothing() {
    let (_folder, log, witness) = started();
    let body = log.request(0, 5);
    let mut stream = TcpStream::connect(witness.address).unwrap();
    let head = format!(
        "POST /add-checkpoint HTTP/1.1\r\nhost: w\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream
        .write_all(&body.as_bytes()[..body.len() - 1])
        .unwrap();
    drop(stream);
    witness.client().cosigned(&log, 0, 7, &witness.vkey);
}

#[test]
fn the_newest_head_is_served_with_both_signatures() {
    let (_folder, log, witness) = started();
    let mut client = witness.client();
    client.cosigned(&log, 0, 5, &witness.vkey);
    let submitted = client.cosigned(&log, 5, 17, &witness.vkey);
    let answer = client.send("GET", &monitoring_path("log.example"), "");
    assert_eq!(
        (answer.status, answer.media_type.as_str()),
        (200, "text/plain; charset=utf-8")
    );
    let read = UnverifiedCheckpoint::parse(answer.body.as_bytes()).unwrap();
    let head = read.verify("log.example", log.key.verifier()).unwrap();
    assert_eq!(
        (head.size(), *head.root()),
        (17, log.tree.root_at(17).unwrap())
    );
    let key = VerifierKey::parse(&witness.vkey).unwrap();
    assert!(cosigned_by(head.note(), &key).unwrap().unwrap() > submitted);
}

#[test]
fn of_racing_writers_one_wins() {
    let (_folder, log, witness) = started();
    let log = Arc::new(log);
    witness.client().cosigned(&log, 0, 1, &witness.vkey);
    let writers: Vec<_> = (2..18)
        .map(|new| {
            let (log, address) = (Arc::clone(&log), witness.address);
            std::thread::spawn(move || Client::new(address).add(&log.request(1, new)).status)
        })
        .collect();
    let mut statuses: Vec<u16> = writers.into_iter().map(|w| w.join().unwrap()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses[0], 200);
    assert_eq!(statuses[1..], [409; 15]);
}

#[test]
fn follows_a_log_that_is_added_while_it_runs() {
    let (folder, log, witness) = started();
    let added = Log::new("added.example", 9);
    let mut client = witness.client();
    client.cosigned(&log, 0, 5, &witness.vkey);
    assert_eq!(client.add(&added.request(0, 9)).status, 404);
    folder.follow(&[&log, &added]);
    client.cosigned(&added, 0, 9, &witness.vkey);
    client.cosigned(&log, 5, 6, &witness.vkey);
}

#[test]
fn a_bad_logs_file_takes_nothing_away() {
    let (folder, log, witness) = started();
    let added = Log::new("added.example", 9);
    let mut client = witness.client();
    client.cosigned(&log, 0, 5, &witness.vkey);
    for text in [
        "",
        "{}",
        r#"{"version":2,"logs":[]}"#,
        r#"{"version":1,"logs":[],"more":0}"#,
    ] {
        folder.write_logs(text);
        assert_eq!(client.add(&added.request(0, 9)).status, 404, "{text}");
        client.cosigned(&log, 5, 5, &witness.vkey);
    }
    std::fs::remove_file(folder.logs()).unwrap();
    assert_eq!(client.add(&added.request(0, 9)).status, 404);
    // A changed key of a known origin: the whole file is refused, the old key stays.
    let mut rekeyed = Log::new("log.example", 40);
    rekeyed.key = SignerKey::from_seed("log.example", &[2; 32]).unwrap();
    folder.follow(&[&rekeyed, &added]);
    assert_eq!(client.add(&added.request(0, 9)).status, 404);
    assert_eq!(client.add(&rekeyed.request(5, 6)).status, 403);
    client.cosigned(&log, 5, 6, &witness.vkey);
    folder.follow(&[&log, &added]);
    client.cosigned(&added, 0, 9, &witness.vkey);
}

#[test]
fn ends_although_every_place_is_taken_and_more_wait() {
    const CONNECTIONS_MAX: usize = 256;
    let (_folder, log, witness) = started();
    let mut served: Vec<Client> = (0..CONNECTIONS_MAX).map(|_| witness.client()).collect();
    for client in &mut served {
        assert_eq!(client.send("GET", "/", "").status, 404);
    }
    let mut waiting = witness.client();
    waiting.write("GET / HTTP/1.1\r\nhost: w\r\n\r\n");
    // A place that becomes free is taken by who waits.
    drop(served.pop());
    assert_eq!(waiting.answer().status, 404);
    let _also_waiting = witness.client();
    served[0].cosigned(&log, 0, 5, &witness.vkey);
    drop(witness);
}
