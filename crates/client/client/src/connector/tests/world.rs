//! An honest runtime, processor, log and witnesses, as far as an attestation response shows them. The
//! processor is the test PKI of `attestation/vectors`, at a fixed time.

use std::fs;

use chancery_directory::{DeploymentGenesis, Digest as LogDigest, EpochKind, EpochLeaf};
use chancery_dsse::Envelope;
use chancery_evidence::{
    CpuId, FirmwareVersion, GuestPolicy, MitigationVectors, PlatformInfo, ProductLine,
    ReportFields, ReportVersion, SignerInfo, TcbComponents, encode_report,
};
use chancery_session::deployment::DeploymentParts;
use chancery_session::{
    AttestRequest, AttestResponse, Beacon, CertificateUsage, Deployment, Head, LoggedLeaf,
    NodeStatement, ProofMode, Role, ServedCertificate, SessionProof, SessionStatement,
    epoch_signature_message, report_data_node, report_data_session,
};
use chancery_tlog::{Checkpoint, CosignerKey, MerkleTree, SignerKey, TreeHead, leaf_hash};
use chancery_verify::{
    Anchor, CrlNumbers, Evidence, Floor, FloorRule, Mode, Processors, RELEASE_POLICY_TYPE, Release,
    ReleasePolicy, RootKey, TCB_FLOORS_TYPE, TcbFloors,
};
use ed25519_dalek::Signer as _;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair};
use sha2::{Digest as _, Sha256};

const VECTORS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../../attestation/vectors/test-pki"
);
const ORIGIN: &str = "demo.example/atl/root/v1";
const LINE: ProductLine = ProductLine::Turin;
const MEASUREMENT: [u8; 48] = [0x22; 48];
const HOST_DATA: [u8; 32] = [0x33; 32];

/// 2026-07-01T00:00:00Z, within every validity of the test PKI.
pub(super) const NOW_MS: u64 = 1_782_864_000_000;

/// The clock of the clients under test.
pub(super) fn clock() -> u64 {
    NOW_MS
}

fn read(name: &str) -> Vec<u8> {
    fs::read(format!("{VECTORS}/{name}.der")).unwrap()
}

/// The anchor of the test PKI.
#[derive(Debug)]
pub(super) struct TestAnchor([RootKey; 1]);

impl TestAnchor {
    pub(super) fn load() -> Self {
        Self([RootKey::new(LINE, Sha256::digest(read("turin-ark")).into())])
    }
}

impl Anchor for TestAnchor {
    const NAME: &'static str = "test PKI";
    const MODE: Mode = Mode::Emulated;
    const REPORT_DATA_NODE: &'static str = "chancery-TEST/report-data/node/v1";
    const REPORT_DATA_SESSION: &'static str = "chancery-TEST/report-data/session/v1";
    const COMMON_NAME_INFIX: &'static str = "Test-";

    fn roots(&self) -> &[RootKey] {
        &self.0
    }
}

/// A runtime with a log of three entries and as many more as a test wants.
#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) spki_sha256: [u8; 32],
    pub(super) extra_leaves: u64,
    /// Another history from the fourth entry on.
    pub(super) forked: bool,
}

impl World {
    pub(super) fn new(spki_sha256: [u8; 32]) -> Self {
        Self {
            spki_sha256,
            extra_leaves: 0,
            forked: false,
        }
    }

    pub(super) fn deployment(&self, base: &str, tls_roots_pem: &str) -> Deployment {
        Deployment::new(DeploymentParts {
            deployment_id: genesis().deployment_id().unwrap().0,
            log_origin: ORIGIN.to_owned(),
            log_key: log_key().verifier().to_string(),
            witness_policy: witness_policy(),
            release_keys: vec![release_key().public_key().to_bytes()],
            release_threshold: 1,
            tls_roots_pem: tls_roots_pem.to_owned(),
            base: base.to_owned(),
            mode: Mode::Emulated,
        })
        .unwrap()
    }

    /// The answer to `request`, with the exporter that `exporter` gives for its context, after `lie`
    /// had its way with the session statement.
    pub(super) fn answer(
        &self,
        request: &AttestRequest,
        exporter: impl Fn(&[u8]) -> [u8; 32],
        lie: fn(&mut SessionStatement),
    ) -> Vec<u8> {
        let node = self.node_statement();
        let node_sha256 = node.sha256().unwrap();
        let tree = self.tree();
        let context = chancery_session::exporter_context(&request.nonce, &node_sha256);
        let mut session = SessionStatement {
            mode: Mode::Emulated,
            role: Role::Server,
            node_sha256,
            nonce: request.nonce,
            exporter: exporter(&context),
            leaf_spki_sha256: self.spki_sha256,
            server_name: "localhost".to_owned(),
            alpn: "http/1.1".to_owned(),
            checkpoint: Head {
                size: tree.size(),
                root: tree.root().0,
            },
        };
        lie(&mut session);
        let leaves = self.leaves();
        let logged = |index: u64| LoggedLeaf {
            index,
            leaf: leaves[usize::try_from(index).unwrap()].encode().unwrap(),
            proof: tree.inclusion(index, tree.size()).unwrap(),
        };
        let policy = policy().to_json().unwrap();
        let policy = Envelope::sign(RELEASE_POLICY_TYPE, &policy, &[&release_key()]).unwrap();
        let floors = floors().to_json().unwrap();
        let floors = Envelope::sign(TCB_FLOORS_TYPE, &floors, &[&release_key()]).unwrap();
        let response = AttestResponse {
            node_statement: node.encode().unwrap(),
            node_evidence: evidence(report_data_node::<TestAnchor>(&node).unwrap()),
            session_statement: session.encode().unwrap(),
            session_proof: session_proof(&session, request.mode),
            release_policy: policy.to_json(),
            tcb_floors: floors.to_json(),
            checkpoint: note(&tree, NOW_MS / 1000 - 60),
            beacon: note(&tree_of(&first_leaves()), NOW_MS / 1000 - 300),
            genesis: logged(0),
            boot: logged(1),
            node: logged(2),
        };
        response.to_json().unwrap()
    }

    pub(super) fn tree(&self) -> MerkleTree {
        tree_of(&self.leaves())
    }

    fn leaves(&self) -> Vec<EpochLeaf> {
        let node_sha256 = self.node_statement().sha256().unwrap();
        let mut leaves = first_leaves();
        leaves.push(leaf(EpochKind::NodeStatement, 2, node_sha256.to_vec()));
        for index in 3..3 + self.extra_leaves {
            let mut leaf = leaf(EpochKind::Epoch, index, vec![]);
            leaf.map_root = LogDigest([u8::from(self.forked); 32]);
            leaves.push(leaf);
        }
        leaves
    }

    fn node_statement(&self) -> NodeStatement {
        let beacon = tree_of(&first_leaves());
        NodeStatement {
            mode: Mode::Emulated,
            deployment_id: genesis().deployment_id().unwrap().0,
            log_origin: ORIGIN.to_owned(),
            log_key_id: Sha256::digest(log_key().verifier().to_string()).into(),
            release_id: "test".to_owned(),
            policy_version: 1,
            policy_sha256: Sha256::digest(policy().to_json().unwrap()).into(),
            epoch_key: epoch_key().verifying_key().to_bytes(),
            hpke_kem: 0x647a,
            hpke_key: vec![6; 1216],
            certificates: vec![ServedCertificate {
                host_name: "localhost".to_owned(),
                spki_sha256: self.spki_sha256,
                usage: CertificateUsage::TlsServer,
            }],
            acme_accounts: vec![],
            config_digest: HOST_DATA,
            boot_index: 1,
            boot_nonce: [0x88; 32],
            beacon: Beacon {
                size: beacon.size(),
                root: beacon.root().0,
                time_ms: NOW_MS - 300_000,
            },
            not_after_ms: NOW_MS + 30 * 60_000,
        }
    }
}

fn first_leaves() -> Vec<EpochLeaf> {
    vec![
        leaf(EpochKind::Genesis, 0, genesis().encode().unwrap()),
        leaf(EpochKind::Boot, 1, vec![0x88; 32]),
    ]
}

fn leaf(kind: EpochKind, epoch: u64, detail: Vec<u8>) -> EpochLeaf {
    EpochLeaf {
        kind,
        epoch,
        time_ms: NOW_MS,
        map_root: LogDigest([0; 32]),
        updates: LogDigest([0; 32]),
        n_updates: 0,
        instance_key: LogDigest([0; 32]),
        policy_hash: LogDigest(Sha256::digest(policy().to_json().unwrap()).into()),
        detail,
    }
}

fn tree_of(leaves: &[EpochLeaf]) -> MerkleTree {
    let mut tree = MerkleTree::new();
    for leaf in leaves {
        tree.append(leaf_hash(&leaf.encode().unwrap()));
    }
    tree
}

fn note(tree: &MerkleTree, time_s: u64) -> String {
    let head = TreeHead::new(ORIGIN, tree.size(), tree.root()).unwrap();
    let mut note = Checkpoint::sign(head, &log_key()).unwrap().note().clone();
    for number in 0..3 {
        note.push(witness(number).cosign(note.text(), time_s).unwrap())
            .unwrap();
    }
    note.encode()
}

fn genesis() -> DeploymentGenesis {
    DeploymentGenesis {
        service: "demo.example".to_owned(),
        log_origin: ORIGIN.to_owned(),
        log_key: log_key().verifier().to_string(),
        config_digest: LogDigest(HOST_DATA),
        nonce: [0x77; 32],
    }
}

fn release_key() -> chancery_dsse::SigningKey {
    chancery_dsse::SigningKey::from_seed([4; 32])
}

fn epoch_key() -> ed25519_dalek::SigningKey {
    ed25519_dalek::SigningKey::from_bytes(&[5; 32])
}

fn log_key() -> SignerKey {
    SignerKey::from_seed(ORIGIN, &[1; 32]).unwrap()
}

fn witness(number: u8) -> CosignerKey {
    CosignerKey::from_seed(&format!("w{number}.example"), &[10 + number; 32]).unwrap()
}

fn witness_policy() -> String {
    let lines = (0..4).map(|number| format!("witness w{number} {}\n", witness(number).verifier()));
    let witnesses: String = lines.collect();
    format!("{witnesses}group all 3 w0 w1 w2 w3\nquorum all\n")
}

fn session_proof(session: &SessionStatement, mode: ProofMode) -> SessionProof {
    match mode {
        ProofMode::Epoch => {
            let message = epoch_signature_message(session).unwrap();
            SessionProof::Epoch(epoch_key().sign(&message).to_bytes())
        }
        ProofMode::Hardware => SessionProof::Hardware(evidence(
            report_data_session::<TestAnchor>(session).unwrap(),
        )),
    }
}

fn evidence(report_data: [u8; 64]) -> Evidence {
    let random = SystemRandom::new();
    let key = read("vcek-key");
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &key, &random).unwrap();
    let signed = ReportFields {
        report_data,
        ..fields()
    }
    .encode_signed();
    let signature = key.sign(&random, &signed).unwrap();
    Evidence {
        report: encode_report(&signed, signature.as_ref().try_into().unwrap()).to_vec(),
        vcek: read("turin-vcek"),
        ask: read("turin-ask"),
        ark: read("turin-ark"),
        crl: read("turin-crl"),
    }
}

fn fields() -> ReportFields {
    let level = TcbComponents {
        fmc: 1,
        bootloader: 1,
        tee: 1,
        snp: 4,
        microcode: 81,
    };
    let level = level.encode(LINE);
    let firmware = FirmwareVersion {
        major: 1,
        minor: 55,
        build: 65,
    };
    let mut chip_id = [0; 64];
    chip_id[..8].copy_from_slice(&[2, 3, 4, 5, 6, 7, 8, 9]);
    ReportFields {
        version: ReportVersion::V5(
            CpuId {
                family: 0x1a,
                model: 2,
                stepping: 1,
            },
            MitigationVectors {
                launch: 0x3f,
                current: 0x3f,
            },
        ),
        guest_svn: 0,
        policy: GuestPolicy::from_bits(GuestPolicy::RESERVED_ONE),
        family_id: [0; 16],
        image_id: [0; 16],
        vmpl: 0,
        current_tcb: level,
        platform_info: PlatformInfo::from_bits(0x64),
        signer_info: SignerInfo::from_bits(0),
        report_data: [0; 64],
        measurement: MEASUREMENT,
        host_data: HOST_DATA,
        id_key_digest: [0; 48],
        author_key_digest: [0; 48],
        report_id: [0x55; 32],
        report_id_ma: [0xff; 32],
        reported_tcb: level,
        chip_id,
        committed_tcb: level,
        current_firmware: firmware,
        committed_firmware: firmware,
        launch_tcb: level,
    }
}

fn policy() -> ReleasePolicy {
    let fields = fields();
    let mut policy = ReleasePolicy::baseline(1, NOW_MS - 1, NOW_MS + 1);
    policy.releases = vec![Release {
        id: "test".to_owned(),
        version: "1".to_owned(),
        measurement: MEASUREMENT,
    }];
    policy.host_data = vec![HOST_DATA];
    policy.chip_ids = vec![fields.chip_id];
    policy.products = vec![LINE];
    policy
}

fn floors() -> TcbFloors {
    let fields = fields();
    TcbFloors {
        version: 1,
        issued_ms: NOW_MS - 1,
        expires_ms: NOW_MS + 1,
        crl_numbers_min: CrlNumbers::ANY,
        rules: vec![FloorRule {
            name: "test".to_owned(),
            line: LINE,
            processors: Processors::only(fields.version.cpuid().unwrap()),
            floor: Floor {
                tcb: fields.reported_tcb.components(LINE).unwrap(),
                firmware: fields.current_firmware,
                mitigation_required: 0x3f,
            },
            sources: Vec::new(),
        }],
    }
}
