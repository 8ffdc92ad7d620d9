//! An honest runtime, processor, log and witnesses, each part of which a test can spoil.

use std::format;
use std::fs;
use std::string::ToString;
use std::vec;

use chancery_directory::DeploymentGenesis;
use chancery_directory::Digest as LogDigest;
use chancery_directory::EpochKind;
use chancery_directory::EpochLeaf;
use chancery_dsse::Envelope;
use chancery_evidence::CpuId;
use chancery_evidence::FirmwareVersion;
use chancery_evidence::GuestPolicy;
use chancery_evidence::MitigationVectors;
use chancery_evidence::PlatformInfo;
use chancery_evidence::ProductLine;
use chancery_evidence::ReportFields;
use chancery_evidence::ReportVersion;
use chancery_evidence::SignerInfo;
use chancery_evidence::TcbComponents;
use chancery_evidence::encode_report;
use chancery_tlog::Checkpoint;
use chancery_tlog::CosignerKey;
use chancery_tlog::MerkleTree;
use chancery_tlog::SignerKey;
use chancery_tlog::TreeHead;
use chancery_tlog::leaf_hash;
use chancery_verify::CrlNumbers;
use chancery_verify::Evidence;
use chancery_verify::Floor;
use chancery_verify::FloorRule;
use chancery_verify::Processors;
use chancery_verify::RELEASE_POLICY_TYPE;
use chancery_verify::Release;
use chancery_verify::ReleasePolicy;
use chancery_verify::RootKey;
use chancery_verify::TCB_FLOORS_TYPE;
use chancery_verify::TcbFloors;
use ed25519_dalek::Signer;
use ed25519_dalek::SigningKey;
use ring::rand::SystemRandom;
use ring::signature::ECDSA_P384_SHA384_FIXED_SIGNING;
use ring::signature::EcdsaKeyPair;

use super::super::*;
use crate::binding::epoch_signature_message;
use crate::binding::report_data_node;
use crate::binding::report_data_session;
use crate::deployment::DeploymentParts;
use crate::exchange::LoggedLeaf;
use crate::exchange::ProofMode;
use crate::exchange::SessionProof;
use crate::node::Beacon;
use crate::node::CertificateUsage;
use crate::node::ServedCertificate;
use crate::statement::Head;
use crate::statement::Role;

const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../vectors/test-pki");
const ORIGIN: &str = "demo.example/atl/root/v1";
const LINE: ProductLine = ProductLine::Turin;

/// 2026-07-01T00:00:00Z.
pub(super) const NOW_MS: u64 = 1_782_864_000_000;

fn read(name: &str) -> Vec<u8> {
    fs::read(format!("{VECTORS}/{name}.der")).unwrap()
}

/// The anchor of the test PKI.
#[derive(Debug)]
pub(super) struct TestAnchor([RootKey; 1]);

impl TestAnchor {
    fn load() -> Self {
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

/// Everything before it is signed. Digests that follow from other parts are filled in by [`World::build`] unless a test
/// takes them over by `keep`.
pub(super) struct World {
    pub(super) mode: Mode,
    pub(super) proof_mode: ProofMode,
    pub(super) node: NodeStatement,
    pub(super) session: SessionStatement,
    pub(super) fields: ReportFields,
    pub(super) policy: ReleasePolicy,
    pub(super) floors: TcbFloors,
    pub(super) genesis: DeploymentGenesis,
    pub(super) extra_leaves: u64,
    pub(super) checkpoint_time_s: u64,
    pub(super) beacon_time_s: u64,
    pub(super) witnesses_cosigning: usize,
    pub(super) observed_server_name: String,
    pub(super) tls_rows: Vec<SessionRow>,
    pub(super) remembered: Option<Remembered>,
    /// Last changes, after honest values were filled in and before signing.
    pub(super) spoil_node: fn(&mut NodeStatement),
    pub(super) spoil_session: fn(&mut SessionStatement),
    pub(super) spoil_observed: fn(&mut Channel),
    pub(super) spoil_leaves: fn(&mut [EpochLeaf]),
    /// After everything was signed.
    pub(super) spoil_response: fn(&mut AttestResponse),
    pub(super) spoil_deployment: fn(&mut DeploymentParts),
}

impl World {
    pub(super) fn new() -> Self {
        let log = log_key();
        Self {
            mode: Mode::Emulated,
            proof_mode: ProofMode::Epoch,
            node: node_statement(),
            session: session_statement(),
            fields: fields(),
            policy: policy(),
            floors: floors(),
            genesis: DeploymentGenesis {
                service: "demo.example".to_string(),
                log_origin: ORIGIN.to_string(),
                log_key: log.verifier().to_string(),
                config_digest: LogDigest([0x33; 32]),
                nonce: [0x77; 32],
            },
            extra_leaves: 0,
            checkpoint_time_s: NOW_MS / 1000 - 60,
            beacon_time_s: NOW_MS / 1000 - 300,
            witnesses_cosigning: 3,
            observed_server_name: "localhost".to_string(),
            tls_rows: tls_rows(),
            remembered: None,
            spoil_node: |_| {},
            spoil_session: |_| {},
            spoil_observed: |_| {},
            spoil_leaves: |_| {},
            spoil_response: |_| {},
            spoil_deployment: |_| {},
        }
    }

    /// The session and the head to remember; the world must not have grown without a proof.
    pub(super) fn appraise(
        &self,
    ) -> Result<(AttestedSession<TestAnchor>, RememberedHead), SessionRefusal> {
        match self.outcome()? {
            SessionOutcome::Attested(session, head) => Ok((*session, head)),
            SessionOutcome::ProofNeeded(needed) => panic!("{needed:?}"),
        }
    }

    pub(super) fn outcome(&self) -> Result<SessionOutcome<TestAnchor>, SessionRefusal> {
        let (deployment, response, observed) = self.build();
        let anchor = TestAnchor::load();
        let remembered = self.remembered.as_ref();
        appraise_session(
            &deployment,
            &anchor,
            &response,
            &observed,
            remembered,
            NOW_MS,
        )
    }

    /// The log up to the boot entry: genesis and boot.
    fn first_leaves(&self) -> Vec<EpochLeaf> {
        let genesis = self.genesis.encode().unwrap();
        let mut leaves = vec![
            epoch_leaf(EpochKind::Genesis, 0, genesis),
            epoch_leaf(EpochKind::Boot, 1, self.node.boot_nonce.to_vec()),
        ];
        leaves[1].policy_hash = self.policy_hash();
        leaves
    }

    fn policy_hash(&self) -> LogDigest {
        LogDigest(Sha256::digest(self.policy.to_json().unwrap()).into())
    }

    fn leaves(&self, node_sha256: [u8; 32]) -> Vec<EpochLeaf> {
        let mut leaves = self.first_leaves();
        leaves.push(epoch_leaf(
            EpochKind::NodeStatement,
            2,
            node_sha256.to_vec(),
        ));
        leaves[2].policy_hash = self.policy_hash();
        for _ in 0..self.extra_leaves {
            let index = u64::try_from(leaves.len()).unwrap();
            leaves.push(epoch_leaf(EpochKind::Epoch, index, vec![]));
        }
        (self.spoil_leaves)(&mut leaves);
        leaves
    }

    pub(super) fn consistency(&self, old: u64) -> Vec<Hash> {
        let (node, _) = self.finished_node();
        let tree = tree(&self.leaves(node.sha256().unwrap()));
        tree.consistency(old, tree.size()).unwrap()
    }

    /// The node statement with an honest beacon and policy, and the beacon's note.
    fn finished_node(&self) -> (NodeStatement, String) {
        let mut node = self.node.clone();
        let beacon_tree = tree(&self.first_leaves());
        node.beacon.size = beacon_tree.size();
        node.beacon.root = beacon_tree.root().0;
        node.deployment_id = self.genesis.deployment_id().unwrap().0;
        node.policy_version = self.policy.version;
        node.policy_sha256 = Sha256::digest(self.policy.to_json().unwrap()).into();
        (self.spoil_node)(&mut node);
        let note = note(&beacon_tree, self.beacon_time_s, self.witnesses_cosigning);
        (node, note)
    }

    pub(super) fn build(&self) -> (Deployment, AttestResponse, Channel) {
        let (node, beacon) = self.finished_node();
        let node_statement = node.encode().unwrap();
        let node_sha256 = node.sha256().unwrap();
        let leaves = self.leaves(node_sha256);
        let tree = tree(&leaves);
        let mut session = self.session.clone();
        session.node_sha256 = node_sha256;
        session.checkpoint = Head {
            size: tree.size(),
            root: tree.root().0,
        };
        let mut observed = Channel {
            nonce: session.nonce,
            exporter: session.exporter,
            leaf_spki_sha256: session.leaf_spki_sha256,
            server_name: self.observed_server_name.clone(),
            alpn: session.alpn.clone(),
            tls_rows: self.tls_rows.clone(),
        };
        (self.spoil_session)(&mut session);
        (self.spoil_observed)(&mut observed);
        let release_key = chancery_dsse::SigningKey::from_seed([4; 32]);
        let policy = self.policy.to_json().unwrap();
        let policy = Envelope::sign(RELEASE_POLICY_TYPE, &policy, &[&release_key]).unwrap();
        let floors = self.floors.to_json().unwrap();
        let floors = Envelope::sign(TCB_FLOORS_TYPE, &floors, &[&release_key]).unwrap();
        let logged = |index: u64| LoggedLeaf {
            index,
            leaf: leaves[usize::try_from(index).unwrap()].encode().unwrap(),
            proof: tree.inclusion(index, tree.size()).unwrap(),
        };
        let mut response = AttestResponse {
            node_statement,
            node_evidence: self.evidence(report_data_node::<TestAnchor>(&node).unwrap()),
            session_statement: session.encode().unwrap(),
            session_proof: self.session_proof(&session),
            release_policy: policy.to_json(),
            tcb_floors: floors.to_json(),
            checkpoint: note(&tree, self.checkpoint_time_s, self.witnesses_cosigning),
            beacon,
            genesis: logged(0),
            boot: logged(1),
            node: logged(2),
        };
        (self.spoil_response)(&mut response);
        (self.deployment(), response, observed)
    }

    fn deployment(&self) -> Deployment {
        let mut parts = DeploymentParts {
            deployment_id: self.genesis.deployment_id().unwrap().0,
            log_origin: ORIGIN.to_string(),
            log_key: log_key().verifier().to_string(),
            witness_policy: witness_policy(),
            release_keys: vec![
                chancery_dsse::SigningKey::from_seed([4; 32])
                    .public_key()
                    .to_bytes(),
            ],
            release_threshold: 1,
            tls_roots_pem: "-----BEGIN CERTIFICATE-----\n".to_string(),
            base: "https://localhost:8443".to_string(),
            mode: self.mode,
        };
        (self.spoil_deployment)(&mut parts);
        Deployment::new(parts).unwrap()
    }

    fn session_proof(&self, session: &SessionStatement) -> SessionProof {
        match self.proof_mode {
            ProofMode::Epoch => {
                let message = epoch_signature_message(session).unwrap();
                SessionProof::Epoch(epoch_key().sign(&message).to_bytes())
            }
            ProofMode::Hardware => {
                let report_data = report_data_session::<TestAnchor>(session).unwrap();
                SessionProof::Hardware(self.evidence(report_data))
            }
        }
    }

    pub(super) fn evidence(&self, report_data: [u8; 64]) -> Evidence {
        let fields = ReportFields {
            report_data,
            ..self.fields.clone()
        };
        evidence(&fields)
    }
}

pub(super) fn evidence(fields: &ReportFields) -> Evidence {
    let random = SystemRandom::new();
    let key = read("vcek-key");
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &key, &random).unwrap();
    let signed = fields.encode_signed();
    let signature = key.sign(&random, &signed).unwrap();
    Evidence {
        report: encode_report(&signed, signature.as_ref().try_into().unwrap()).to_vec(),
        vcek: read("turin-vcek"),
        ask: read("turin-ask"),
        ark: read("turin-ark"),
        crl: read("turin-crl"),
    }
}

pub(super) fn epoch_key() -> SigningKey {
    SigningKey::from_bytes(&[5; 32])
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

pub(super) fn tree(leaves: &[EpochLeaf]) -> MerkleTree {
    let mut tree = MerkleTree::new();
    for leaf in leaves {
        tree.append(leaf_hash(&leaf.encode().unwrap()));
    }
    tree
}

pub(super) fn note(tree: &MerkleTree, time_s: u64, cosigners: usize) -> String {
    let head = TreeHead::new(ORIGIN, tree.size(), tree.root()).unwrap();
    let mut note = Checkpoint::sign(head, &log_key()).unwrap().note().clone();
    for number in 0..u8::try_from(cosigners).unwrap() {
        let cosignature = witness(number).cosign(note.text(), time_s).unwrap();
        note.push(cosignature).unwrap();
    }
    note.encode()
}

fn epoch_leaf(kind: EpochKind, epoch: u64, detail: Vec<u8>) -> EpochLeaf {
    EpochLeaf {
        kind,
        epoch,
        time_ms: NOW_MS,
        map_root: LogDigest([0; 32]),
        updates: LogDigest([0; 32]),
        n_updates: 0,
        instance_key: LogDigest([0; 32]),
        policy_hash: LogDigest([0; 32]),
        detail,
    }
}

pub(super) fn tls_rows() -> Vec<SessionRow> {
    [
        SessionCheck::TlsVersion,
        SessionCheck::TlsFullHandshake,
        SessionCheck::TlsLeaf,
    ]
    .map(|check| SessionRow::new(check, "required", "seen", Outcome::Passed))
    .into()
}

fn node_statement() -> NodeStatement {
    NodeStatement {
        mode: Mode::Emulated,
        deployment_id: [0; 32],
        log_origin: ORIGIN.to_string(),
        log_key_id: Sha256::digest(log_key().verifier().to_string().as_bytes()).into(),
        release_id: "test".to_string(),
        policy_version: 0,
        policy_sha256: [0; 32],
        epoch_key: epoch_key().verifying_key().to_bytes(),
        hpke_kem: 0x647a,
        hpke_key: vec![6; 1216],
        certificates: vec![ServedCertificate {
            host_name: "localhost".to_string(),
            spki_sha256: [0x99; 32],
            usage: CertificateUsage::TlsServer,
        }],
        acme_accounts: vec![],
        config_digest: [0x33; 32],
        boot_index: 1,
        boot_nonce: [0x88; 32],
        beacon: Beacon {
            size: 0,
            root: [0; 32],
            time_ms: NOW_MS - 300_000,
        },
        not_after_ms: NOW_MS + 30 * 60_000,
    }
}

fn session_statement() -> SessionStatement {
    SessionStatement {
        mode: Mode::Emulated,
        role: Role::Server,
        node_sha256: [0; 32],
        nonce: [0xaa; 32],
        exporter: [0xbb; 32],
        leaf_spki_sha256: [0x99; 32],
        server_name: "localhost".to_string(),
        alpn: "http/1.1".to_string(),
        checkpoint: Head {
            size: 0,
            root: [0; 32],
        },
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
    let cpuid = CpuId {
        family: 0x1a,
        model: 2,
        stepping: 1,
    };
    let mut chip_id = [0; 64];
    chip_id[..8].copy_from_slice(&[2, 3, 4, 5, 6, 7, 8, 9]);
    ReportFields {
        version: ReportVersion::V5(
            cpuid,
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
        measurement: [0x22; 48],
        host_data: [0x33; 32],
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
        id: "test".to_string(),
        version: "1".to_string(),
        measurement: fields.measurement,
    }];
    policy.host_data = vec![fields.host_data];
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
            name: "test".to_string(),
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
