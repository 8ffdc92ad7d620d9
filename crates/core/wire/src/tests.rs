//! Round trips, truncations, mutations and limits of every message.
#![expect(clippy::arithmetic_side_effects, reason = "small numbers of a test")]

use alloc::vec;
use alloc::vec::Vec;
use core::fmt::Debug;
use std::collections::BTreeSet;

use crate::*;

fn stream(byte: u8) -> StreamId {
    StreamId([byte; 16])
}

fn name(text: &str) -> EgressName {
    EgressName::new(text).unwrap()
}

fn authority(text: &str) -> Authority {
    Authority::new(text).unwrap()
}

/// What a check does with one message of each kind.
trait Check {
    fn run<T: Message + PartialEq + Debug>(&mut self, message: &T);
}

/// Applies `check` to at least one message of every variant.
fn every_message(check: &mut impl Check) {
    for open in [
        StreamOpen::Blobs,
        StreamOpen::Store,
        StreamOpen::Egress {
            name: name("witness-1"),
        },
        StreamOpen::Telemetry,
        StreamOpen::Issuer {
            authority: authority("id.demo.example:443"),
        },
    ] {
        check.run(&open);
    }
    check.run(&IngressOpen {
        listener: Listener::Public,
    });
    for reply in [
        EgressReply::Connected,
        EgressReply::UnknownName,
        EgressReply::Refused,
        EgressReply::TimedOut,
    ] {
        check.run(&reply);
    }
    for blob in [
        BlobName::Configuration,
        BlobName::ReleasePolicy,
        BlobName::Collateral,
        BlobName::TcbFloors,
    ] {
        check.run(&BlobRequest { name: blob });
    }
    check.run(&BlobReply::Found(b"{}".to_vec()));
    check.run(&BlobReply::Absent);
    every_store_message(check);
    let counters = Counters {
        users: 10_000,
        cpu_us: u64::MAX,
        ..Counters::default()
    };
    for health in every_health() {
        check.run(&Telemetry {
            health,
            counters,
            deployment: None,
            collateral: None,
        });
    }
    check.run(&Telemetry {
        health: Health::Serving,
        counters,
        deployment: Some(b"{}".to_vec()),
        collateral: Some(b"pem".to_vec()),
    });
}

fn every_store_message(check: &mut impl Check) {
    let record = |sequence, body: &[u8]| NewRecord {
        stream: stream(3),
        sequence,
        body: RecordBody(body.to_vec()),
    };
    for operation in [
        StoreOperation::Append {
            fence: 9,
            records: vec![record(0, b"a"), record(300, b"")],
        },
        StoreOperation::Read {
            stream: stream(1),
            from: u64::MAX,
            bytes_max: 4096,
        },
        StoreOperation::Streams,
        StoreOperation::Fence { epoch: 77 },
    ] {
        check.run(&StoreRequest {
            id: 1 << 40,
            operation,
        });
    }
    for result in [
        Ok(StoreAnswer::Appended),
        Ok(StoreAnswer::Records(vec![
            RecordBody(vec![1, 2, 3]),
            RecordBody(vec![]),
        ])),
        Ok(StoreAnswer::Streams(vec![StreamHead {
            stream: stream(2),
            length: 5,
        }])),
        Ok(StoreAnswer::Fenced),
        Err(StoreFault::Conflict {
            stream: stream(4),
            length: 6,
        }),
        Err(StoreFault::Fenced { epoch: 8 }),
        Err(StoreFault::Full),
        Err(StoreFault::Unavailable),
        Err(StoreFault::TooLarge),
    ] {
        check.run(&StoreReply { id: 2, result });
    }
}

fn every_health() -> Vec<Health> {
    let mut all = vec![
        Health::Starting,
        Health::WaitingForWitnesses,
        Health::Serving,
        Health::Unreachable,
        Health::WaitingForCollateral,
    ];
    all.extend(RefusalCode::ALL.map(Health::Refused));
    all
}

struct RoundTrip;

impl Check for RoundTrip {
    fn run<T: Message + PartialEq + Debug>(&mut self, message: &T) {
        let frame = encode(message).unwrap();
        let mut decoder = Decoder::new();
        decoder.push(&frame).unwrap();
        assert_eq!(decoder.pull::<T>().unwrap().as_ref(), Some(message));
        assert_eq!(decoder.buffered(), 0);
    }
}

#[test]
fn every_message_survives_a_round_trip() {
    every_message(&mut RoundTrip);
}

struct Truncations;

impl Check for Truncations {
    fn run<T: Message + PartialEq + Debug>(&mut self, message: &T) {
        let frame = encode(message).unwrap();
        let body = &frame[LENGTH_SIZE..];
        for end in 0..body.len() {
            let error = decode_body::<T>(&body[..end]).unwrap_err();
            assert_eq!(
                error,
                WireError::Truncated,
                "cut to {end} of {}",
                body.len()
            );
        }
        for end in 0..frame.len() {
            let mut decoder = Decoder::new();
            decoder.push(&frame[..end]).unwrap();
            assert_eq!(
                decoder.pull::<T>(),
                Ok(None),
                "a frame cut to {end} bytes is not yet there"
            );
        }
    }
}

#[test]
fn refuses_every_truncation_of_every_message() {
    every_message(&mut Truncations);
}

struct Mutations {
    changed_accepted: usize,
    refused: usize,
}

impl Check for Mutations {
    fn run<T: Message + PartialEq + Debug>(&mut self, message: &T) {
        let frame = encode(message).unwrap();
        let body = &frame[LENGTH_SIZE..];
        let header = 2 + T::PURPOSE.len();
        for at in 0..body.len() {
            for flip in [0x01, 0x02, 0x10, 0x80, 0xff] {
                let mut mutated = body.to_vec();
                mutated[at] ^= flip;
                match decode_body::<T>(&mutated) {
                    Ok(_) => {
                        assert!(at >= header, "a changed header was accepted");
                        self.changed_accepted += 1;
                    }
                    Err(_) => self.refused += 1,
                }
            }
        }
    }
}

#[test]
fn mutated_frames_never_panic_and_changed_headers_are_refused() {
    let mut mutations = Mutations {
        changed_accepted: 0,
        refused: 0,
    };
    every_message(&mut mutations);
    assert!(mutations.refused > 1000);
    assert!(
        mutations.changed_accepted > 0,
        "values carry no checksum: sealing is not ours"
    );
}

#[test]
fn random_bytes_never_panic() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let valid = encode(&StoreRequest {
        id: 1,
        operation: StoreOperation::Streams,
    })
    .unwrap();
    for _ in 0..20_000 {
        let mut body = valid[LENGTH_SIZE..LENGTH_SIZE + 2 + StoreRequest::PURPOSE.len()].to_vec();
        for _ in 0..next() % 40 {
            body.push(next().to_le_bytes()[0]);
        }
        let _ignored = decode_body::<StoreRequest>(&body).is_ok();
        let mut decoder = Decoder::with_limit(OPEN_SIZE_MAX);
        if decoder.push(&body).is_ok() {
            let _ignored = decoder.pull::<StreamOpen>().is_ok();
        }
    }
}

struct Others;

impl Check for Others {
    fn run<T: Message + PartialEq + Debug>(&mut self, message: &T) {
        let body = &encode(message).unwrap()[LENGTH_SIZE..];
        if T::PURPOSE == BlobRequest::PURPOSE {
            assert!(decode_body::<BlobRequest>(body).is_ok());
        } else {
            assert_eq!(
                decode_body::<BlobRequest>(body),
                Err(WireError::WrongPurpose {
                    expected: BlobRequest::PURPOSE
                })
            );
        }
        let mut newer = body.to_vec();
        newer[1 + T::PURPOSE.len()] = T::VERSION + 1;
        assert_eq!(
            decode_body::<T>(&newer).unwrap_err(),
            WireError::WrongVersion {
                expected: T::VERSION,
                found: T::VERSION + 1
            }
        );
        let mut longer = body.to_vec();
        longer.push(0);
        assert_eq!(
            decode_body::<T>(&longer).unwrap_err(),
            WireError::TrailingBytes { count: 1 }
        );
    }
}

#[test]
fn refuses_another_purpose_another_version_and_trailing_bytes() {
    every_message(&mut Others);
}

#[test]
fn purposes_are_distinct() {
    struct Purposes(BTreeSet<&'static str>, BTreeSet<&'static str>);
    impl Check for Purposes {
        fn run<T: Message + PartialEq + Debug>(&mut self, _: &T) {
            self.0.insert(T::PURPOSE);
            self.1.insert(core::any::type_name::<T>());
        }
    }
    let mut purposes = Purposes(BTreeSet::new(), BTreeSet::new());
    every_message(&mut purposes);
    assert_eq!(purposes.0.len(), 8);
    assert_eq!(purposes.1.len(), purposes.0.len());
}

#[test]
fn frame_bytes_are_as_specified() {
    let frame = encode(&StoreRequest {
        id: 300,
        operation: StoreOperation::Streams,
    })
    .unwrap();
    let mut expected = vec![0, 0, 0, 32, 27];
    expected.extend_from_slice(b"chancery/host/store-request");
    expected.extend_from_slice(&[1, 0xac, 0x02, 2]);
    assert_eq!(frame, expected);
}

fn conflict(length: u64) -> StoreFault {
    StoreFault::Conflict {
        stream: stream(0xab),
        length,
    }
}

/// Messages that `docs/spec/host-protocol.md` shows as bytes.
fn specified_examples() -> Vec<(&'static str, Vec<u8>)> {
    let record = NewRecord {
        stream: stream(0xab),
        sequence: 300,
        body: RecordBody(vec![1, 2, 3]),
    };
    let append = StoreOperation::Append {
        fence: 5,
        records: vec![record],
    };
    let read = StoreOperation::Read {
        stream: stream(0xab),
        from: 0,
        bytes_max: 65_536,
    };
    let open = |open: StreamOpen| encode(&open).unwrap();
    let request = |id, operation| encode(&StoreRequest { id, operation }).unwrap();
    let reply = |id, result| encode(&StoreReply { id, result }).unwrap();
    let conflict = conflict(301);
    let records = StoreAnswer::Records(vec![RecordBody(vec![1, 2, 3]), RecordBody(vec![])]);
    vec![
        ("StreamOpen::Store", open(StreamOpen::Store)),
        (
            "StreamOpen::Egress, name \"witness-1\"",
            open(StreamOpen::Egress {
                name: name("witness-1"),
            }),
        ),
        (
            "StreamOpen::Issuer, authority \"id.example:443\"",
            open(StreamOpen::Issuer {
                authority: authority("id.example:443"),
            }),
        ),
        (
            "IngressOpen",
            encode(&IngressOpen {
                listener: Listener::Public,
            })
            .unwrap(),
        ),
        (
            "EgressReply::TimedOut",
            encode(&EgressReply::TimedOut).unwrap(),
        ),
        (
            "BlobRequest for ReleasePolicy",
            encode(&BlobRequest {
                name: BlobName::ReleasePolicy,
            })
            .unwrap(),
        ),
        (
            "BlobReply::Found, bytes 7b 7d",
            encode(&BlobReply::Found(b"{}".to_vec())).unwrap(),
        ),
        ("StoreRequest 7: Append of one record", request(7, append)),
        ("StoreRequest 8: Read", request(8, read)),
        (
            "StoreRequest 300: Streams",
            request(300, StoreOperation::Streams),
        ),
        (
            "StoreReply 7: Appended",
            reply(7, Ok(StoreAnswer::Appended)),
        ),
        ("StoreReply 7: Conflict", reply(7, Err(conflict))),
        ("StoreReply 8: Records", reply(8, Ok(records))),
    ]
}

#[test]
fn the_specification_shows_the_bytes_that_the_codec_makes() {
    let specification = include_str!("../../../../docs/spec/host-protocol.md");
    for (name, bytes) in specified_examples() {
        let hex: std::string::String = bytes.iter().map(|b| std::format!("{b:02x}")).collect();
        let line = std::format!("| {name} | `{hex}` |\n");
        assert!(
            specification.contains(&line),
            "the specification lacks this line:\n{line}"
        );
    }
}

#[test]
fn the_specification_names_every_purpose() {
    struct Listed(&'static str);
    impl Check for Listed {
        fn run<T: Message + PartialEq + Debug>(&mut self, _: &T) {
            let cell = std::format!("| `{}` |", T::PURPOSE);
            assert!(self.0.contains(&cell), "{cell}");
            let has_changed = [StreamOpen::PURPOSE, Telemetry::PURPOSE].contains(&T::PURPOSE);
            assert_eq!(T::VERSION, if has_changed { 2 } else { 1 });
        }
    }
    every_message(&mut Listed(include_str!(
        "../../../../docs/spec/host-protocol.md"
    )));
}

#[test]
fn cuts_a_stream_into_frames_however_it_is_split() {
    let first = encode(&BlobReply::Found(vec![7; 300])).unwrap();
    let second = encode(&BlobReply::Absent).unwrap();
    let mut bytes = first.clone();
    bytes.extend_from_slice(&second);
    bytes.extend_from_slice(b"raw");
    for chunk_size in [1, 2, 3, 5, 64, bytes.len()] {
        let mut decoder = Decoder::new();
        let mut seen = Vec::new();
        for chunk in bytes.chunks(chunk_size) {
            decoder.push(chunk).unwrap();
            while seen.len() < 2 {
                let Some(reply) = decoder.pull::<BlobReply>().unwrap() else {
                    break;
                };
                seen.push(reply);
            }
        }
        assert_eq!(seen, [BlobReply::Found(vec![7; 300]), BlobReply::Absent]);
        assert_eq!(decoder.into_rest(), b"raw");
    }
}

#[test]
fn refuses_an_oversized_length_before_its_body_arrives() {
    let mut decoder = Decoder::new();
    let size_max = 16 * 1024 * 1024;
    assert_eq!(
        decoder.push(&(FRAME_SIZE_MAX + 1).to_be_bytes()),
        Err(WireError::Oversized {
            size: size_max + 1,
            size_max
        })
    );
    let mut small = Decoder::with_limit(OPEN_SIZE_MAX);
    assert_eq!(
        small.push(&[0, 0, 2, 1]),
        Err(WireError::Oversized {
            size: 513,
            size_max: 512
        })
    );
    let mut largest = Decoder::new();
    assert_eq!(largest.push(&FRAME_SIZE_MAX.to_be_bytes()), Ok(()));
    assert_eq!(largest.pull_body(), Ok(None));
}

#[test]
fn refuses_pushes_that_are_never_pulled() {
    let mut decoder = Decoder::with_limit(16);
    let frame = [0, 0, 0, 1, 0];
    let mut pushed = 0;
    let error = loop {
        match decoder.push(&frame) {
            Ok(()) => pushed += frame.len(),
            Err(error) => break error,
        }
    };
    assert_eq!(error, WireError::Backlog);
    assert!(pushed <= 16 + LENGTH_SIZE + PUSH_SIZE_MAX);
}

#[test]
fn refuses_to_encode_a_frame_over_the_limit() {
    let body = RecordBody(vec![0; RECORD_SIZE_MAX]);
    let record = |sequence| NewRecord {
        stream: stream(0),
        sequence,
        body: body.clone(),
    };
    let append = |count| StoreRequest {
        id: 0,
        operation: StoreOperation::Append {
            fence: 0,
            records: (0..count).map(record).collect(),
        },
    };
    assert!(encode(&append(1)).is_ok());
    assert!(matches!(
        encode(&append(2)),
        Err(WireError::Oversized { .. })
    ));
}

#[test]
fn refuses_values_over_their_limits() {
    let too_long = BlobReply::Found(vec![0; BLOB_SIZE_MAX + 1]);
    let frame = encode(&too_long).unwrap();
    assert_eq!(
        decode_body::<BlobReply>(&frame[LENGTH_SIZE..]),
        Err(WireError::Malformed)
    );

    let many = vec![RecordBody(Vec::new()); BATCH_RECORDS_MAX + 1];
    let frame = encode(&StoreReply {
        id: 0,
        result: Ok(StoreAnswer::Records(many)),
    })
    .unwrap();
    assert_eq!(
        decode_body::<StoreReply>(&frame[LENGTH_SIZE..]),
        Err(WireError::Malformed)
    );

    let most = vec![RecordBody(Vec::new()); BATCH_RECORDS_MAX];
    let frame = encode(&StoreReply {
        id: 0,
        result: Ok(StoreAnswer::Records(most)),
    })
    .unwrap();
    assert!(decode_body::<StoreReply>(&frame[LENGTH_SIZE..]).is_ok());

    let telemetry = |deployment: usize, collateral: usize| {
        let telemetry = Telemetry {
            health: Health::Starting,
            counters: Counters::default(),
            deployment: Some(vec![0; deployment]),
            collateral: Some(vec![0; collateral]),
        };
        let frame = encode(&telemetry).unwrap();
        decode_body::<Telemetry>(&frame[LENGTH_SIZE..]).map(|decoded| decoded == telemetry)
    };
    let (document, file) = (DEPLOYMENT_SIZE_MAX, COLLATERAL_FILE_SIZE_MAX);
    assert_eq!(telemetry(document, file), Ok(true));
    assert_eq!(telemetry(document + 1, file), Err(WireError::Malformed));
    assert_eq!(telemetry(document, file + 1), Err(WireError::Malformed));
}

#[test]
fn the_longest_list_of_streams_fits_a_frame() {
    let head = StreamHead {
        stream: stream(0xff),
        length: u64::MAX,
    };
    let reply = StoreReply {
        id: 0,
        result: Ok(StoreAnswer::Streams(vec![head; STREAMS_MAX])),
    };
    let frame = encode(&reply).unwrap();
    assert_eq!(decode_body::<StoreReply>(&frame[LENGTH_SIZE..]), Ok(reply));
}

#[test]
fn refuses_egress_names_that_are_not_names() {
    for text in [
        "",
        "A",
        "witness_1",
        "127.0.0.1:80",
        "a b",
        "é",
        &"a".repeat(65),
    ] {
        assert_eq!(EgressName::new(text), Err(InvalidEgressName), "{text:?}");
    }
    assert_eq!(name(&"a".repeat(64)).as_str().len(), EGRESS_NAME_SIZE_MAX);

    let frame = encode(&StreamOpen::Egress {
        name: name("witness-1"),
    })
    .unwrap();
    let mut body = frame[LENGTH_SIZE..].to_vec();
    *body.last_mut().unwrap() = b'/';
    assert_eq!(decode_body::<StreamOpen>(&body), Err(WireError::Malformed));
}

/// The longest host, and the longest port behind it.
fn longest_authority() -> Authority {
    let label = "a".repeat(63);
    let host = [label.as_str(), &label, &label, &"a".repeat(61)].join(".");
    authority(&std::format!("{host}:65535"))
}

#[test]
fn the_longest_opening_frames_fit_their_limit() {
    assert_eq!(longest_authority().as_str().len(), AUTHORITY_SIZE_MAX);
    for open in [
        StreamOpen::Egress {
            name: name(&"a".repeat(EGRESS_NAME_SIZE_MAX)),
        },
        StreamOpen::Issuer {
            authority: longest_authority(),
        },
    ] {
        let mut decoder = Decoder::with_limit(OPEN_SIZE_MAX);
        decoder.push(&encode(&open).unwrap()).unwrap();
        assert_eq!(decoder.pull::<StreamOpen>(), Ok(Some(open)));
    }
}

#[test]
fn refuses_authorities_that_are_not_host_and_port() {
    for text in [
        "id.example:443",
        "localhost:1",
        "127.0.0.1:65535",
        "xn--bcher-kva.example:8443",
    ] {
        assert_eq!(authority(text).as_str(), text);
    }
    let long_label = std::format!("{}.example:443", "a".repeat(64));
    let long_host = std::format!("a{}", longest_authority().as_str());
    for text in [
        "",
        ":",
        ":443",
        "id.example",
        "id.example:",
        "id.example:0",
        "id.example:0443",
        "id.example:+443",
        "id.example:65536",
        "id.example:443:1",
        "id.example:443 ",
        "ID.example:443",
        "id..example:443",
        "id.example.:443",
        "-id.example:443",
        "id-.example:443",
        "id_x.example:443",
        "user@id.example:443",
        "[::1]:443",
        "é.example:443",
        "id.example/:443",
        &long_label,
        &long_host,
    ] {
        assert_eq!(Authority::new(text), Err(InvalidAuthority), "{text:?}");
    }

    let frame = encode(&StreamOpen::Issuer {
        authority: authority("id.example:443"),
    })
    .unwrap();
    let mut body = frame[LENGTH_SIZE..].to_vec();
    *body.last_mut().unwrap() = b'/';
    assert_eq!(decode_body::<StreamOpen>(&body), Err(WireError::Malformed));
}

#[test]
fn health_codes_are_distinct_and_sentences_are_sentences() {
    let all = every_health();
    let codes: BTreeSet<_> = all.iter().map(|health| health.code()).collect();
    assert_eq!(codes.len(), all.len());
    for health in all {
        assert!(
            health
                .code()
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b == b'_')
        );
        assert!(health.sentence().ends_with('.') && !health.sentence().contains("  "));
        assert_eq!(health.is_serving(), health == Health::Serving);
    }
}

#[test]
fn metrics_are_well_formed_and_families_are_contiguous() {
    let mut families: Vec<&str> = Vec::new();
    let mut samples = BTreeSet::new();
    for metric in Counters::METRICS {
        assert!(metric.family.starts_with("chancery_"));
        assert!(!metric.family.ends_with("_total"), "the kind adds it");
        match metric.unit {
            Unit::Bytes => assert!(metric.family.ends_with("_bytes")),
            Unit::Microseconds => assert!(metric.family.ends_with("_seconds")),
            Unit::None => {
                assert!(!metric.family.ends_with("_bytes") && !metric.family.ends_with("_seconds"));
            }
        }
        assert!(metric.help.ends_with('.') && !metric.help.contains(['\n', '\\', '"']));
        if families.last() != Some(&metric.family) {
            assert!(
                !families.contains(&metric.family),
                "{} is split",
                metric.family
            );
            families.push(metric.family);
        }
        let is_count = metric.kind == MetricKind::SummaryCount;
        assert!(
            samples.insert((metric.family, metric.label, is_count)),
            "{metric:?} twice"
        );
    }
}

#[test]
fn values_follow_the_order_of_the_metrics() {
    let counters = Counters {
        users: 41,
        uptime_us: 42,
        ..Counters::default()
    };
    let values = counters.values();
    let at = |family| {
        Counters::METRICS
            .iter()
            .position(|m| m.family == family)
            .unwrap()
    };
    assert_eq!(values[at("chancery_users")], 41);
    assert_eq!(values[at("chancery_runtime_uptime_seconds")], 42);
    assert_eq!(values.iter().sum::<u64>(), 83);
}
