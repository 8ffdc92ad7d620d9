use super::*;
use alloc::string::String;
use alloc::vec;

use crate::sample::{self, edited, field_fault, key};

const NOW_MS: u64 = 1_705_000_000_000;

fn admission() -> Admission {
    Admission {
        deployment: deployment(),
        slug: TenantSlug::parse("demo").unwrap(),
        expires_ms: NOW_MS + 1,
        nonce: [7; 32],
    }
}

fn deployment() -> DeploymentId {
    DeploymentId::from_bytes([0xd0; 32])
}

fn keys() -> Vec<PublicKey> {
    vec![key(1).public_key(), key(2).public_key()]
}

#[test]
fn believes_either_admission_key_until_the_expiry() {
    for signer in [1, 2] {
        let envelope = admission().sign(&[&key(signer)]).unwrap();
        let verified = Admission::verify(&envelope, &keys(), deployment(), NOW_MS).unwrap();
        assert_eq!(verified.admission(), &admission());
        let expires_ms = NOW_MS + 1;
        assert_eq!(
            Admission::verify(&envelope, &keys(), deployment(), expires_ms).unwrap_err(),
            Error::Expired { expires_ms }
        );
    }
}

#[test]
fn has_one_encoding_that_is_written_in_the_specification() {
    let text = "{\"version\":1,\"deployment\":\"d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0\",\"slug\":\"demo\",\"expires_ms\":1705000000001,\"nonce\":\"0707070707070707070707070707070707070707070707070707070707070707\"}";
    assert_eq!(String::from_utf8(admission().to_payload()).unwrap(), text);
    sample::assert_strict(text.as_bytes(), |bytes| Admission::from_json(bytes).err());
    let slug = edited(text.as_bytes(), "\"demo\"", "\"d\"");
    assert_eq!(
        Admission::from_json(slug.as_bytes()).unwrap_err(),
        field_fault("/slug", FieldFault::SlugForm)
    );
}

#[test]
fn refuses_foreign_keys_deployments_types_and_encodings() {
    let verify = |envelope: &Envelope| {
        Admission::verify(envelope, &keys(), deployment(), NOW_MS).unwrap_err()
    };
    assert_eq!(
        verify(&admission().sign(&[&key(3)]).unwrap()),
        Error::Envelope(chancery_dsse::Error::BelowThreshold {
            valid: 0,
            threshold: 1
        })
    );
    let elsewhere = Admission {
        deployment: DeploymentId::from_bytes([1; 32]),
        ..admission()
    };
    assert_eq!(
        verify(&elsewhere.sign(&[&key(1)]).unwrap()),
        Error::ForeignDeployment
    );
    let payload = admission().to_payload();
    assert_eq!(
        verify(&Envelope::sign("application/other+json", &payload, &[&key(1)]).unwrap()),
        Error::Envelope(chancery_dsse::Error::WrongPayloadType)
    );
    let spaced = edited(&payload, "\"slug\":", "\"slug\": ");
    assert_eq!(
        verify(&Envelope::sign(ADMISSION_PAYLOAD_TYPE, spaced.as_bytes(), &[&key(1)]).unwrap()),
        Error::NotCanonical
    );
}

#[test]
fn refuses_every_flipped_bit_of_a_signature() {
    sample::assert_every_signature_bit_counts(&admission().sign(&[&key(1)]).unwrap(), |envelope| {
        Admission::verify(envelope, &keys(), deployment(), NOW_MS).err()
    });
}
