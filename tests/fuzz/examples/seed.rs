//! Writes the first inputs of each corpus: `cargo run -p chancery-fuzz-targets --example seed -- FOLDER`.
//!
//! Reports, certificates and lists come from the attestation vectors; what has no genuine sample is made here, the same bytes each
//! time. The folder is usually `fuzz/corpus`.

#![forbid(unsafe_code)]

use std::error::Error;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use chancery_dsse::Envelope;
use chancery_evidence::GuestPolicy;
use chancery_evidence::ProductLine;
use chancery_fuzz_targets::APPRAISAL_CASES;
use chancery_fuzz_targets::ENVELOPE_PAYLOAD;
use chancery_fuzz_targets::ENVELOPE_TYPE;
use chancery_fuzz_targets::envelope_keys;
use chancery_fuzz_targets::fixture_policy;
use chancery_fuzz_targets::signed_report_seeds;
use chancery_session::AttestRequest;
use chancery_session::AttestResponse;
use chancery_session::Deployment;
use chancery_session::Head;
use chancery_session::LoggedLeaf;
use chancery_session::NodeStatement;
use chancery_session::ProofMode;
use chancery_session::Role;
use chancery_session::ServedCertificate;
use chancery_session::SessionProof;
use chancery_session::SessionStatement;
use chancery_session::deployment::DeploymentParts;
use chancery_session::{Beacon, CertificateUsage};
use chancery_tlog::{CosignerKey, Hash, SignerKey};
use chancery_verify::Evidence;
use chancery_verify::IdBlockRule;
use chancery_verify::Mode;
use chancery_verify::Release;
use chancery_verify::ReleasePolicy;
use chancery_verify::TcbFloors;

const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../attestation/vectors");
const ORIGIN: &str = "demo.example/atl/root/v1";

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let folder = std::env::args_os().nth(1).ok_or("which folder?")?;
    let corpus = Corpus(PathBuf::from(folder));
    corpus.vectors()?;
    corpus.statements()?;
    corpus.bodies()?;
    corpus.envelopes()?;
    corpus.documents()?;
    corpus.appraisals()
}

/// The folder with one folder for each target.
struct Corpus(PathBuf);

impl Corpus {
    fn put(&self, target: &str, name: &str, bytes: &[u8]) -> Outcome<()> {
        let folder = self.0.join(target);
        fs::create_dir_all(&folder)?;
        Ok(fs::write(folder.join(name), bytes)?)
    }

    /// Each report, certificate and list under the name of its path.
    fn vectors(&self) -> Outcome<()> {
        let mut waiting = vec![PathBuf::from(VECTORS)];
        while let Some(folder) = waiting.pop() {
            for entry in fs::read_dir(&folder)? {
                let path = entry?.path();
                if path.is_dir() {
                    waiting.push(path);
                    continue;
                }
                let Some(target) = target_of(&path) else {
                    continue;
                };
                let inside = path.strip_prefix(VECTORS)?.with_extension("");
                let name = inside.to_string_lossy().replace('/', "-");
                self.put(target, &name, &fs::read(&path)?)?;
            }
        }
        Ok(())
    }

    fn statements(&self) -> Outcome<()> {
        for mode in [Mode::Amd, Mode::Emulated] {
            let word = mode.word();
            let node = node_statement(mode).encode()?;
            self.put("statements", &format!("node-{word}"), &node)?;
            for (role, name) in [(Role::Server, "server"), (Role::PeerClient, "peer")] {
                let session = session_statement(mode, role).encode()?;
                self.put("statements", &format!("session-{word}-{name}"), &session)?;
            }
        }
        Ok(())
    }

    fn bodies(&self) -> Outcome<()> {
        for (mode, name) in [
            (ProofMode::Epoch, "epoch"),
            (ProofMode::Hardware, "hardware"),
        ] {
            let request = AttestRequest {
                nonce: [9; 32],
                mode,
            };
            self.put("attest", &format!("request-{name}"), &request.to_json())?;
        }
        let genuine = genuine_evidence()?;
        self.put("attest", "evidence-genuine", &genuine.encode()?)?;
        let small = small_evidence();
        self.put("attest", "evidence-small", &small.encode()?)?;
        self.put("attest", "evidence-empty", &Evidence::default().encode()?)?;
        for (proof, evidence, name) in [
            (SessionProof::Epoch([6; 64]), genuine, "response-epoch"),
            (
                SessionProof::Hardware(small.clone()),
                small,
                "response-hardware",
            ),
        ] {
            let body = response(proof, evidence)?.to_json()?;
            self.put("attest", name, &body)?;
        }
        for (mode, keys) in [(Mode::Amd, 1_u8), (Mode::Emulated, 3)] {
            let deployment = Deployment::new(deployment_parts(mode, keys)?)?;
            self.put("deployment", mode.word(), &deployment.to_json())?;
        }
        Ok(())
    }

    fn envelopes(&self) -> Outcome<()> {
        let [first, second] = envelope_keys();
        for (name, keys) in [("one", &[&first][..]), ("two", &[&first, &second])] {
            let envelope = Envelope::sign(ENVELOPE_TYPE, ENVELOPE_PAYLOAD, keys)?;
            self.put("envelope", name, &envelope.to_json())?;
        }
        let stranger = chancery_dsse::SigningKey::from_seed([23; 32]);
        let envelope = Envelope::sign("application/x", b"", &[&stranger])?;
        self.put("envelope", "stranger", &envelope.to_json())
    }

    fn documents(&self) -> Outcome<()> {
        self.put("policy", "floors", TcbFloors::shipped_json())?;
        let baseline = ReleasePolicy::baseline(1, 0, 1000);
        self.put("policy", "baseline", &baseline.to_json()?)?;
        let mut full = ReleasePolicy::baseline(2, 0, u64::from(u32::MAX) << 16);
        full.releases = vec![Release {
            id: "demo-1".to_owned(),
            version: "1.0".to_owned(),
            measurement: [0x22; 48],
        }];
        full.host_data = vec![[0x33; 32]];
        full.chip_ids = vec![[0x44; 64]];
        full.products = vec![ProductLine::Milan, ProductLine::Genoa, ProductLine::Turin];
        full.id_block = IdBlockRule::Pinned {
            id_key_digests: vec![[0x55; 48]],
            author_key_digests: vec![[0x66; 48]],
            guest_svn_min: 7,
            family_id: Some([8; 16]),
            image_id: None,
        };
        full.dangerous_guest_policy_allowed = GuestPolicy::DEBUG;
        full.guest_policy.forbidden &= !GuestPolicy::DEBUG;
        full.dangerous_vmpl_max = 3;
        full.dangerous_allow_milan = true;
        full.dangerous_allow_vlek_of = vec!["provider".to_owned()];
        full.dangerous_allow_unchecked_revocation = true;
        self.put("policy", "full", &full.to_json()?)?;
        for at in 0..APPRAISAL_CASES {
            let policy = fixture_policy(at).ok_or("no such case")?;
            self.put("policy", &format!("fixture-{at}"), &policy.to_json()?)?;
        }
        Ok(())
    }

    /// Each genuine report unchanged, with one change of each kind, and the two reports that our own key signs.
    fn appraisals(&self) -> Outcome<()> {
        for case in 0..u8::try_from(APPRAISAL_CASES)? {
            let changes: [&[u8]; 5] = [
                &[],
                &[0, 0, 0x50, 0, 1],
                &[1, 1, 9, 0, 2, 1, 1],
                &[4, 4, 2],
                &[6, 0, 0, 0, 0, 0, 0, 0, 0],
            ];
            for (at, change) in changes.iter().enumerate() {
                let script = [&[case], *change].concat();
                self.put("appraise", &format!("case-{case}-{at}"), &script)?;
            }
        }
        for (seed, name) in signed_report_seeds().iter().zip(["turin", "genoa"]) {
            self.put("signed_report", name, seed)?;
        }
        Ok(())
    }
}

fn target_of(path: &Path) -> Option<&'static str> {
    let name = path.file_name()?.to_str()?;
    let folder = path.parent()?.to_str()?;
    if name.ends_with(".crl.der") || name.ends_with("-crl.der") {
        Some("crl")
    } else if name.ends_with("-key.der") {
        None
    } else if name.ends_with(".der") {
        Some("certificate")
    } else if name == "report.bin" || folder.ends_with("reports-no-vek") && name.ends_with(".bin") {
        Some("report")
    } else {
        None
    }
}

fn genuine_evidence() -> Outcome<Evidence> {
    let read = |path: &str| fs::read(format!("{VECTORS}/{path}"));
    Ok(Evidence {
        report: read("reports/milan-v5-vcek-01-gcp/report.bin")?,
        vcek: read("reports/milan-v5-vcek-01-gcp/vek.der")?,
        ask: read("roots/milan/ask.der")?,
        ark: read("roots/milan/ark.der")?,
        crl: read("crls/milan-2026-06-22.crl.der")?,
    })
}

fn small_evidence() -> Evidence {
    Evidence {
        report: vec![1],
        vcek: vec![2],
        ask: vec![3],
        ark: vec![4],
        crl: vec![],
    }
}

fn node_statement(mode: Mode) -> NodeStatement {
    NodeStatement {
        mode,
        deployment_id: [1; 32],
        log_origin: ORIGIN.to_owned(),
        log_key_id: [2; 32],
        release_id: "demo-1".to_owned(),
        policy_version: 3,
        policy_sha256: [4; 32],
        epoch_key: [5; 32],
        hpke_kem: 0x647a,
        hpke_key: vec![6; 32],
        certificates: vec![ServedCertificate {
            host_name: "localhost".to_owned(),
            spki_sha256: [7; 32],
            usage: CertificateUsage::TlsServer,
        }],
        acme_accounts: vec![[8; 32]],
        config_digest: [9; 32],
        boot_index: 10,
        boot_nonce: [11; 32],
        beacon: Beacon {
            size: 12,
            root: [13; 32],
            time_ms: 14,
        },
        not_after_ms: 15,
    }
}

fn session_statement(mode: Mode, role: Role) -> SessionStatement {
    SessionStatement {
        mode,
        role,
        node_sha256: [1; 32],
        nonce: [2; 32],
        exporter: [3; 32],
        leaf_spki_sha256: [4; 32],
        server_name: "localhost".to_owned(),
        alpn: "http/1.1".to_owned(),
        checkpoint: Head {
            size: 5,
            root: [6; 32],
        },
    }
}

fn response(session_proof: SessionProof, node_evidence: Evidence) -> Outcome<AttestResponse> {
    let leaf = |index| LoggedLeaf {
        index,
        leaf: vec![1, 2],
        proof: vec![Hash([3; 32]), Hash([4; 32])],
    };
    Ok(AttestResponse {
        node_statement: node_statement(Mode::Emulated).encode()?,
        node_evidence,
        session_statement: session_statement(Mode::Emulated, Role::Server).encode()?,
        session_proof,
        release_policy: vec![3],
        tcb_floors: vec![4],
        checkpoint: format!("{ORIGIN}\n1\n"),
        beacon: format!("{ORIGIN}\n0\n"),
        genesis: leaf(0),
        boot: leaf(1),
        node: leaf(2),
    })
}

fn deployment_parts(mode: Mode, keys: u8) -> Outcome<DeploymentParts> {
    let log = SignerKey::from_seed(ORIGIN, &[1; 32])?;
    let witness = CosignerKey::from_seed("witness.example", &[2; 32])?;
    let release_keys = (0..keys)
        .map(|key| chancery_dsse::SigningKey::from_seed([key; 32]))
        .map(|key| key.public_key().to_bytes())
        .collect();
    Ok(DeploymentParts {
        deployment_id: [3; 32],
        log_origin: ORIGIN.to_owned(),
        log_key: log.verifier().to_string(),
        witness_policy: format!("witness w1 {}\nquorum w1\n", witness.verifier()),
        release_keys,
        release_threshold: usize::from(keys),
        tls_roots_pem: "-----BEGIN CERTIFICATE-----\n".to_owned(),
        base: "https://localhost:8443".to_owned(),
        mode,
    })
}
