use super::*;
use alloc::string::String;
use alloc::vec;

use crate::sample::{self, edited, field_fault, key};

const NOW_MS: u64 = 1_705_000_000_000;
const BODY: &[u8] = b"{\"user\":\"anna@demo.example\"}";
const EXPORTER: [u8; 32] = [0xe0; 32];

fn act() -> Act {
    Act {
        deployment: DeploymentId::from_bytes([0xd0; 32]),
        tenant: TenantId::from_bytes([0x70; 16]),
        act: ActName::UserSuspend,
        sequence: 10,
        expires_ms: NOW_MS + 60_000,
        body_sha256: Sha256::digest(BODY).into(),
        exporter: EXPORTER,
    }
}

/// What the service expects, with keys 1 and 2 of which one must sign.
struct Service {
    keys: Vec<PublicKey>,
    threshold: usize,
    last_sequences: BTreeMap<KeyId, u64>,
}

impl Service {
    fn new() -> Self {
        Self {
            keys: vec![key(1).public_key(), key(2).public_key()],
            threshold: 1,
            last_sequences: BTreeMap::from([(key(1).id(), 9)]),
        }
    }

    fn expected(&self) -> Expected<'_> {
        Expected {
            deployment: DeploymentId::from_bytes([0xd0; 32]),
            tenant: TenantId::from_bytes([0x70; 16]),
            act: ActName::UserSuspend,
            keys: &self.keys,
            threshold: self.threshold,
            last_sequences: &self.last_sequences,
            now_ms: NOW_MS,
            exporter: &EXPORTER,
            body: BODY,
        }
    }
}

fn refusal(act: &Act, expected: &Expected<'_>) -> Error {
    verify_act(&act.sign(&[&key(1)]).unwrap(), expected).unwrap_err()
}

#[test]
fn accepts_what_matches_in_every_part() {
    let service = Service::new();
    let verified = verify_act(&act().sign(&[&key(1)]).unwrap(), &service.expected()).unwrap();
    assert_eq!(verified.act(), ActName::UserSuspend);
    assert_eq!(verified.sequence(), 10);
    assert_eq!(verified.signers(), [key(1).id()]);
    let hash: [u8; 32] = Sha256::digest(act().to_payload()).into();
    assert_eq!(verified.hash(), &hash);
}

#[test]
fn has_one_encoding_that_is_written_in_the_specification() {
    let expected = "{\"version\":1,\"deployment\":\"d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0\",\"tenant\":\"70707070707070707070707070707070\",\"act\":\"user.suspend\",\"sequence\":10,\"expires_ms\":1705000060000,\"body_sha256\":\"SHA\",\"exporter\":\"4ODg4ODg4ODg4ODg4ODg4ODg4ODg4ODg4ODg4ODg4OA=\"}"
        .replace("SHA", &hex::encode(act().body_sha256));
    assert_eq!(String::from_utf8(act().to_payload()).unwrap(), expected);
}

#[test]
fn refuses_missing_unknown_and_duplicate_members_with_their_place() {
    sample::assert_strict(&act().to_payload(), |bytes| Act::from_json(bytes).err());
}

#[test]
fn refuses_every_flipped_bit_of_a_signature() {
    let service = Service::new();
    sample::assert_every_signature_bit_counts(&act().sign(&[&key(1)]).unwrap(), |envelope| {
        verify_act(envelope, &service.expected()).err()
    });
}

#[test]
fn refuses_too_few_and_foreign_signers() {
    let mut service = Service::new();
    let foreign = act().sign(&[&key(7)]).unwrap();
    let refused = |valid, threshold| {
        Error::Envelope(chancery_dsse::Error::BelowThreshold { valid, threshold })
    };
    assert_eq!(
        verify_act(&foreign, &service.expected()).unwrap_err(),
        refused(0, 1)
    );
    service.threshold = 2;
    assert_eq!(refusal(&act(), &service.expected()), refused(1, 2));
    let both = act().sign(&[&key(1), &key(2)]).unwrap();
    assert_eq!(
        verify_act(&both, &service.expected())
            .unwrap()
            .signers()
            .len(),
        2
    );
    service.threshold = 0;
    assert_eq!(
        refusal(&act(), &service.expected()),
        Error::Envelope(chancery_dsse::Error::ThresholdZero)
    );
}

#[test]
fn refuses_another_payload_type() {
    let service = Service::new();
    let payload = act().to_payload();
    let envelope = Envelope::sign("application/other+json", &payload, &[&key(1)]).unwrap();
    assert_eq!(
        verify_act(&envelope, &service.expected()).unwrap_err(),
        Error::Envelope(chancery_dsse::Error::WrongPayloadType)
    );
}

#[test]
fn refuses_another_deployment_tenant_and_act() {
    let service = Service::new();
    let expected = service.expected();
    let deployment = Act {
        deployment: DeploymentId::from_bytes([1; 32]),
        ..act()
    };
    assert_eq!(refusal(&deployment, &expected), Error::ForeignDeployment);
    let tenant = Act {
        tenant: TenantId::from_bytes([1; 16]),
        ..act()
    };
    assert_eq!(refusal(&tenant, &expected), Error::ForeignTenant);
    for other in ActName::ALL
        .iter()
        .filter(|name| **name != ActName::UserSuspend)
    {
        assert_eq!(
            refusal(
                &Act {
                    act: *other,
                    ..act()
                },
                &expected
            ),
            Error::OtherAct
        );
    }
}

#[test]
fn refuses_an_expired_act_and_one_that_lives_too_long() {
    let service = Service::new();
    let at = |now_ms| Expected {
        now_ms,
        ..service.expected()
    };
    let expires_ms = act().expires_ms;
    assert!(verify_act(&act().sign(&[&key(1)]).unwrap(), &at(expires_ms - 1)).is_ok());
    for now_ms in [expires_ms, expires_ms + 1, u64::MAX] {
        assert_eq!(refusal(&act(), &at(now_ms)), Error::Expired { expires_ms });
    }
    let expires_ms_max = NOW_MS + ACT_LIFE_MS_MAX;
    let longest = Act {
        expires_ms: expires_ms_max,
        ..act()
    };
    assert!(verify_act(&longest.sign(&[&key(1)]).unwrap(), &at(NOW_MS)).is_ok());
    let longer = Act {
        expires_ms: expires_ms_max + 1,
        ..act()
    };
    assert_eq!(
        refusal(&longer, &at(NOW_MS)),
        Error::ExpiresTooLate { expires_ms_max }
    );
}

#[test]
fn refuses_another_connection_and_another_body() {
    let service = Service::new();
    for bit in 0..256 {
        let mut exporter = EXPORTER;
        exporter[bit / 8] ^= 1 << (bit % 8);
        let expected = Expected {
            exporter: &exporter,
            ..service.expected()
        };
        assert_eq!(refusal(&act(), &expected), Error::OtherConnection);
    }
    for body in [
        &b""[..],
        b"{\"user\":\"ann@demo.example\"}",
        b"{\"user\":\"anna@demo.example\"} ",
    ] {
        let expected = Expected {
            body,
            ..service.expected()
        };
        assert_eq!(refusal(&act(), &expected), Error::OtherBody);
    }
}

#[test]
fn refuses_a_replayed_sequence_of_any_signer() {
    let mut service = Service::new();
    for last_sequence in [10, 11, u64::MAX] {
        service.last_sequences = BTreeMap::from([(key(1).id(), last_sequence)]);
        assert_eq!(
            refusal(&act(), &service.expected()),
            Error::Replayed {
                key: key(1).id(),
                last_sequence
            }
        );
    }
    // Key 2 has used 10; it does not help that key 1 has not.
    service.last_sequences = BTreeMap::from([(key(1).id(), 9), (key(2).id(), 10)]);
    let both = act().sign(&[&key(1), &key(2)]).unwrap();
    assert_eq!(
        verify_act(&both, &service.expected()).unwrap_err(),
        Error::Replayed {
            key: key(2).id(),
            last_sequence: 10
        }
    );
    // Another key's sequence numbers are its own.
    assert!(verify_act(&act().sign(&[&key(1)]).unwrap(), &service.expected()).is_ok());
}

#[test]
fn refuses_signed_bytes_that_are_not_the_one_encoding() {
    let service = Service::new();
    let text = edited(&act().to_payload(), "\"sequence\":10", "\"sequence\": 10");
    let envelope = Envelope::sign(ACT_PAYLOAD_TYPE, text.as_bytes(), &[&key(1)]).unwrap();
    assert_eq!(
        verify_act(&envelope, &service.expected()).unwrap_err(),
        Error::NotCanonical
    );
}

#[test]
fn refuses_values_outside_their_form_with_their_place() {
    let payload = act().to_payload();
    for (from, to, pointer, fault) in [
        (
            "\"version\":1",
            "\"version\":2",
            "/version",
            FieldFault::UnknownVersion,
        ),
        (
            "\"user.suspend\"",
            "\"user.Suspend\"",
            "/act",
            FieldFault::UnknownWord,
        ),
        (
            "\"sequence\":10",
            "\"sequence\":0",
            "/sequence",
            FieldFault::OutOfRange,
        ),
        (
            "\"sequence\":10",
            "\"sequence\":9007199254740992",
            "/sequence",
            FieldFault::OutOfRange,
        ),
        ("4OA=\"", "4OB=\"", "/exporter", FieldFault::Base64),
        ("4OA=\"", "4OA\"", "/exporter", FieldFault::Base64),
        (
            "\"70707070707070707070707070707070\"",
            "\"7070\"",
            "/tenant",
            FieldFault::Hex,
        ),
    ] {
        let error = Act::from_json(edited(&payload, from, to).as_bytes()).unwrap_err();
        assert_eq!(error, field_fault(pointer, fault), "{to}");
    }
    assert_eq!(
        Act {
            sequence: 0,
            ..act()
        }
        .sign(&[&key(1)])
        .unwrap_err(),
        field_fault("/sequence", FieldFault::OutOfRange)
    );
}

#[test]
fn every_act_has_its_own_word() {
    for name in ActName::ALL {
        assert_eq!(ActName::parse(name.name()), Some(*name));
        assert_eq!(
            ActName::ALL
                .iter()
                .filter(|other| other.name() == name.name())
                .count(),
            1
        );
    }
    assert_eq!(ActName::parse("user"), None);
}
