use super::*;
use crate::testing::{check_strict, vector_hex};

fn genesis() -> DeploymentGenesis {
    DeploymentGenesis {
        service: "demo.chancery.example".into(),
        log_origin: "demo.chancery.example/atl/root/v1".into(),
        log_key: "demo.chancery.example/atl/root/v1+00000000+AQ==".into(),
        config_digest: Digest([27; 32]),
        nonce: [28; 32],
    }
}

#[test]
fn genesis_has_the_bytes_of_the_second_implementation() {
    assert_eq!(
        genesis().encode().unwrap(),
        vector_hex("deployment_genesis")
    );
    assert_eq!(
        genesis().deployment_id().unwrap().0.to_vec(),
        vector_hex("deployment_id")
    );
}

#[test]
fn genesis_has_one_encoding() {
    check_strict(
        &genesis().encode().unwrap(),
        DeploymentGenesis::decode,
        |value| value.encode().unwrap(),
    );
}

#[test]
fn every_field_changes_the_deployment() {
    let id = genesis().deployment_id().unwrap();
    let others = [
        DeploymentGenesis {
            service: "demo.chancery.exampla".into(),
            ..genesis()
        },
        DeploymentGenesis {
            log_origin: "x".into(),
            ..genesis()
        },
        DeploymentGenesis {
            log_key: "x".into(),
            ..genesis()
        },
        DeploymentGenesis {
            config_digest: Digest([1; 32]),
            ..genesis()
        },
        DeploymentGenesis {
            nonce: [1; 32],
            ..genesis()
        },
    ];
    for other in others {
        assert_ne!(other.deployment_id().unwrap(), id);
    }
}

#[test]
fn refuses_malformed_texts_by_name() {
    let blank = DeploymentGenesis {
        service: "a b".into(),
        ..genesis()
    };
    assert_eq!(
        blank.encode(),
        Err(DecodeError::NotVisibleAscii { field: "service" })
    );
    let newline = DeploymentGenesis {
        log_origin: "a\nb".into(),
        ..genesis()
    };
    assert_eq!(
        newline.encode(),
        Err(DecodeError::NotVisibleAscii {
            field: "log_origin"
        })
    );
    let accent = DeploymentGenesis {
        log_key: "caf\u{e9}".into(),
        ..genesis()
    };
    assert_eq!(
        accent.encode(),
        Err(DecodeError::NotVisibleAscii { field: "log_key" })
    );
    let empty = DeploymentGenesis {
        service: String::new(),
        ..genesis()
    };
    let refusal = DecodeError::LengthOutOfRange {
        field: "service",
        length: 0,
    };
    assert_eq!(empty.encode(), Err(refusal));
    let long = DeploymentGenesis {
        service: "a".repeat(256),
        ..genesis()
    };
    let refusal = DecodeError::LengthOutOfRange {
        field: "service",
        length: 256,
    };
    assert_eq!(long.encode(), Err(refusal));
    let long = DeploymentGenesis {
        log_key: "a".repeat(2048),
        ..genesis()
    };
    let refusal = DecodeError::LengthOutOfRange {
        field: "log_key",
        length: 2048,
    };
    assert_eq!(long.encode(), Err(refusal));
}

#[test]
fn refuses_another_purpose_and_blank_bytes_on_the_wire() {
    let mut bytes = genesis().encode().unwrap();
    bytes[1] ^= 1;
    assert_eq!(
        DeploymentGenesis::decode(&bytes),
        Err(DecodeError::WrongPurpose)
    );
    let mut bytes = genesis().encode().unwrap();
    bytes[30] = b' ';
    let refusal = DecodeError::NotVisibleAscii { field: "service" };
    assert_eq!(DeploymentGenesis::decode(&bytes), Err(refusal));
}

#[test]
fn the_largest_genesis_fits_the_detail_of_a_leaf() {
    let largest = DeploymentGenesis {
        service: "a".repeat(NAME_SIZE_MAX),
        log_origin: "a".repeat(NAME_SIZE_MAX),
        log_key: "a".repeat(LOG_KEY_SIZE_MAX),
        ..genesis()
    };
    assert!(largest.encode().unwrap().len() <= crate::head::DETAIL_SIZE_MAX);
}
