use super::*;

use std::format;
use std::string::ToString;
use std::vec;

use chancery_tlog::CosignerKey;
use chancery_tlog::SignerKey;

fn parts() -> DeploymentParts {
    let log = SignerKey::from_seed("demo.example/atl/root/v1", &[1; 32]).unwrap();
    let witness = CosignerKey::from_seed("witness.example", &[2; 32]).unwrap();
    DeploymentParts {
        deployment_id: [3; 32],
        log_origin: "demo.example/atl/root/v1".to_string(),
        log_key: log.verifier().to_string(),
        witness_policy: format!("witness w1 {}\nquorum w1\n", witness.verifier()),
        release_keys: vec![
            chancery_dsse::SigningKey::from_seed([4; 32])
                .public_key()
                .to_bytes(),
        ],
        release_threshold: 1,
        tls_roots_pem: "-----BEGIN CERTIFICATE-----\n".to_string(),
        base: "https://localhost:8443".to_string(),
        mode: Mode::Emulated,
    }
}

#[test]
fn reads_what_it_writes() {
    let deployment = Deployment::new(parts()).unwrap();
    let read = Deployment::from_json(&deployment.to_json()).unwrap();
    assert_eq!(read.parts, parts());
    assert_eq!(read.mode(), Mode::Emulated);
    assert_eq!(read.release_keys().len(), 1);
}

#[test]
fn refuses_each_missing_unknown_and_duplicate_member() {
    let text = String::from_utf8(Deployment::new(parts()).unwrap().to_json()).unwrap();
    for name in [
        "version",
        "deployment_id",
        "log_origin",
        "log_key",
        "witness_policy",
        "release_keys",
        "release_threshold",
        "tls_roots_pem",
        "base",
        "mode",
    ] {
        let renamed = text.replacen(&format!("\"{name}\":"), "\"surplus\":", 1);
        assert_ne!(renamed, text);
        assert!(Deployment::from_json(renamed.as_bytes()).is_err(), "{name}");
        let twice = text.replacen('{', &format!("{{\"{name}\":1,"), 1);
        assert!(Deployment::from_json(twice.as_bytes()).is_err(), "{name}");
    }
    let more = text.replacen('{', "{\"surplus\":1,", 1);
    assert!(Deployment::from_json(more.as_bytes()).is_err());
    let version = text.replacen("\"version\":1", "\"version\":2", 1);
    assert_eq!(
        Deployment::from_json(version.as_bytes()).map(|_| ()),
        Err(DeploymentError::Version)
    );
}

#[test]
fn refuses_members_that_break_their_rule() {
    type Change = fn(&mut DeploymentParts);
    let cases: [(Change, &str); 8] = [
        (|p| p.release_threshold = 0, "release_threshold"),
        (|p| p.release_threshold = 2, "release_threshold"),
        (|p| p.release_keys.push(p.release_keys[0]), "release_keys"),
        (|p| p.release_keys[0] = [0xff; 32], "release_keys"),
        (|p| p.base = "http://localhost".to_string(), "base"),
        (|p| p.log_origin.clear(), "log_origin"),
        (|p| p.log_origin = "a b".to_string(), "log_origin"),
        (|p| p.tls_roots_pem.clear(), "tls_roots_pem"),
    ];
    for (change, member) in cases {
        let mut parts = parts();
        change(&mut parts);
        let error = Deployment::new(parts).map(|_| ()).unwrap_err();
        assert_eq!(error, DeploymentError::Value { member });
    }
    let bad_key = DeploymentParts {
        log_key: "x".to_string(),
        ..parts()
    };
    assert!(matches!(
        Deployment::new(bad_key),
        Err(DeploymentError::LogKey(_))
    ));
    let none = DeploymentParts {
        witness_policy: "quorum none\n".to_string(),
        ..parts()
    };
    assert!(matches!(
        Deployment::new(none),
        Err(DeploymentError::WitnessPolicy(_))
    ));
}
