//! The node against a secure processor that fails.

use std::sync::atomic::{AtomicU32, Ordering};

use chancery_platform::DerivedKeyRequest;
use chancery_testkit::Seeded;
use chancery_verify::Amd;

use super::*;
use crate::clock::{SystemClock, TrustedTime};
use crate::collateral::{CollateralParts, KdsFailure};
use crate::metrics::Metrics;
use crate::status::Status;
use crate::transport::Unix;

/// Answers each call from a list of errors, then well.
struct Failing {
    reports: Mutex<Vec<PlatformError>>,
    certificates: Mutex<Vec<PlatformError>>,
    asked: AtomicU32,
}

impl SecureProcessor for Failing {
    fn report(&self, report_data: &[u8; 64]) -> Result<Vec<u8>, PlatformError> {
        self.asked.fetch_add(1, Ordering::AcqRel);
        match self.reports.lock().unwrap().pop() {
            Some(error) => Err(error),
            None => Ok(report_data.to_vec()),
        }
    }

    fn certificates(&self) -> Result<CertificateTable, PlatformError> {
        match self.certificates.lock().unwrap().pop() {
            Some(error) => Err(error),
            None => Ok(CertificateTable {
                vcek: Some(vec![1]),
                ..CertificateTable::default()
            }),
        }
    }

    fn derived_key(&self, _request: &DerivedKeyRequest) -> Result<Key, PlatformError> {
        Err(PlatformError::Refused)
    }
}

fn node(reports: &[PlatformError], certificates: &[PlatformError]) -> (Node, Arc<Failing>) {
    let processor = Arc::new(Failing {
        reports: Mutex::new(reports.to_vec()),
        certificates: Mutex::new(certificates.to_vec()),
        asked: AtomicU32::new(0),
    });
    let transport = Arc::new(Unix {
        host: "absent/host.sock".into(),
        ingress: "absent/ingress.sock".into(),
    });
    let collateral = Collateral::new::<Amd>(CollateralParts {
        transport,
        clock: Arc::new(SystemClock::new()),
        time: Arc::new(TrustedTime::default()),
        status: Arc::new(Status::new(Arc::new(Metrics::default()))),
        kds_egress: None,
        kds_roots: Vec::new(),
        entropy: Box::new(Seeded::new(1)),
        is_list_needed: true,
        list_numbers_min: chancery_verify::CrlNumbers::ANY,
    });
    let parts = NodeParts {
        purposes: Purposes::of::<Amd>(),
        processor: Arc::<Failing>::clone(&processor),
        collateral: collateral.unwrap(),
        log: Arc::new(Mutex::new(
            RootLog::new("log.example", &Key::from_bytes([1; 32])).unwrap(),
        )),
        deployment: [0; 32],
        host_names: vec![String::from("scim.example")],
        policy_envelope: Vec::new(),
        floors_envelope: Vec::new(),
        policy_version: 1,
        policy_sha256: [0; 32],
        release_id: String::from("release"),
        configuration_sha256: [0; 32],
        hpke: Keyset::generate(&mut Seeded::new(2)).unwrap(),
        boot_nonce: [0; 32],
        document: Vec::new(),
    };
    (Node::new(parts), processor)
}

async fn ask(node: &Node) -> Result<(Vec<u8>, CertificateTable), PlatformError> {
    let turn = node.turns.of_runtime().await.unwrap();
    node.report([7; 64], turn).await
}

/// Whether the service would end now.
async fn is_lost(node: &Node) -> bool {
    tokio::select! {
        biased;
        () = node.processor_lost() => true,
        () = tokio::task::yield_now() => false,
    }
}

#[tokio::test]
async fn a_processor_that_is_lost_ends_the_service_and_one_that_is_busy_does_not() {
    for error in [
        PlatformError::Busy,
        PlatformError::Refused,
        PlatformError::Interfered,
        PlatformError::Malformed,
        PlatformError::System,
        PlatformError::Lost,
        PlatformError::Absent,
    ] {
        let (node, processor) = node(&[error], &[]);
        assert!(!is_lost(&node).await);
        assert_eq!(ask(&node).await, Err(error));
        assert_eq!(is_lost(&node).await, error.is_final(), "{error:?}");
        assert!(ask(&node).await.is_ok());
        assert_eq!(is_lost(&node).await, error.is_final(), "for good");
        assert_eq!(processor.asked.load(Ordering::Acquire), 2);
    }
}

#[tokio::test]
async fn a_table_that_cannot_be_read_is_an_empty_one_unless_the_processor_is_lost() {
    let (malformed, _) = node(&[], &[PlatformError::Malformed]);
    let (report, table) = ask(&malformed).await.unwrap();
    assert_eq!((report, table), (vec![7; 64], CertificateTable::default()));
    assert!(!is_lost(&malformed).await);
    let (lost, _) = node(&[], &[PlatformError::Lost]);
    assert_eq!(ask(&lost).await, Err(PlatformError::Lost));
    assert!(is_lost(&lost).await);
}

#[test]
fn what_went_wrong_is_a_code_in_the_journal() {
    let error = NodeError::from(PlatformError::Lost);
    assert_eq!(error.to_string(), "no evidence: processor_lost");
    let error = NodeError::from(CollateralError::Report);
    assert_eq!(error.to_string(), "collateral: not_a_report");
}

#[test]
fn only_a_revoked_chain_withdraws_the_statement() {
    let made_ms = 1_000;
    for (piece, is_withdrawn) in [
        (Piece::Vcek, false),
        (Piece::Chain, false),
        (Piece::RevocationList, false),
        (Piece::Unrevoked, true),
    ] {
        let (node, _) = node(&[], &[]);
        *node.current.write().unwrap() = Some(Arc::new(Current {
            statement: Vec::new(),
            sha256: [0; 32],
            evidence: Evidence {
                report: Vec::new(),
                vcek: Vec::new(),
                ask: Vec::new(),
                ark: Vec::new(),
                crl: Vec::new(),
            },
            epoch_key: SigningKey::from_seed([1; 32]),
            beacon: String::new(),
            index: 0,
            made_ms,
        }));
        assert!(!node.is_renewal_due(made_ms));
        let kds = KdsFailure::Off;
        node.withdraw_if_revoked(&CollateralError::Missing { piece, kds });
        assert_eq!(node.current().is_none(), is_withdrawn, "{piece:?}");
        assert_eq!(node.is_renewal_due(made_ms), is_withdrawn);
    }
}
