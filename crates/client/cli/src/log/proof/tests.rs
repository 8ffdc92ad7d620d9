use super::*;
use crate::files::tests::Folder;
use chancery_client::Deployment;
use chancery_directory::bundle::ShownReceipt;
use chancery_directory::head::{EpochKind, map_key, updates_digest};
use chancery_directory::{
    Digest, EntryType, EpochLeaf, Handle, Opening, PrefixTree, StateRoot, SubjectState, TenantHead,
};
use chancery_session::deployment::DeploymentParts;
use chancery_tlog::{Checkpoint, CosignerKey, Hash, MerkleTree, SignerKey, TreeHead};

const ORIGIN: &str = "demo.example/log";
pub(in crate::log) const TENANT: TenantId = TenantId([9; 16]);
const TIME_S: u64 = 1_700_000_000;

fn log_key() -> SignerKey {
    SignerKey::from_seed(ORIGIN, &[1; 32]).unwrap()
}

fn witness() -> CosignerKey {
    CosignerKey::from_seed("w.example", &[2; 32]).unwrap()
}

pub(in crate::log) fn deployment() -> Deployment {
    let release = chancery_dsse::SigningKey::from_seed([3; 32]);
    Deployment::new(DeploymentParts {
        deployment_id: [7; 32],
        log_origin: ORIGIN.to_owned(),
        log_key: log_key().verifier().to_string(),
        witness_policy: format!("witness w {}\nquorum w\n", witness().verifier()),
        release_keys: vec![release.public_key().to_bytes()],
        release_threshold: 1,
        tls_roots_pem: "no certificate".to_owned(),
        base: "https://localhost:1".to_owned(),
        mode: chancery_verify::Mode::Amd,
    })
    .unwrap()
}

fn hash(digest: Digest) -> Hash {
    Hash(digest.0)
}

pub(in crate::log) fn entry() -> Entry {
    Entry {
        kind: EntryType::Suspended,
        index: 0,
        time_ms: TIME_S * 1000,
        actor: Handle([1; 32]),
        subject: Handle([0x51; 32]),
        prev_subject: u64::MAX,
        subject_seq: 1,
        new_state: SubjectState::SuspendedConfirmed,
        key_commit: Digest::ZERO,
        object_commit: Digest::ZERO,
        body_commit: Digest::ZERO,
        authz_hash: Digest::ZERO,
    }
}

/// A root log of one leaf over a tenant's log of one entry; `cosigned` or not.
pub(in crate::log) fn bundle(cosigned: bool) -> String {
    let entry = entry();
    let state_root = StateRoot {
        index: 1,
        time_ms: TIME_S * 1000,
        batch: 0,
        entries: 1,
        time_floor_ms: 0,
        dir_root: Digest::ZERO,
        dir_update: Digest::ZERO,
    };
    let mut tree = MerkleTree::new();
    tree.append(hash(entry.leaf_hash()));
    tree.append(hash(state_root.leaf_hash()));
    let head = TenantHead::first(TENANT, tree.size(), Digest(tree.root().0));
    let map_opening = Opening([4; 32]);
    let mut map = PrefixTree::new();
    map.set(map_key(&TENANT), head.map_value(&map_opening))
        .unwrap();
    let leaf = EpochLeaf {
        kind: EpochKind::Epoch,
        epoch: 0,
        time_ms: TIME_S * 1000,
        map_root: map.root(),
        updates: updates_digest(&[]).0,
        n_updates: 0,
        instance_key: Digest([6; 32]),
        policy_hash: Digest([6; 32]),
        detail: Vec::new(),
    };
    let mut root_log = MerkleTree::new();
    root_log.append(hash(leaf.leaf_hash().unwrap()));
    let extra = BundleExtra {
        leaf,
        map_opening,
        head,
        map_path: map.prove(&map_key(&TENANT)),
        state_root,
        state_root_path: tree.inclusion(1, 2).unwrap(),
        shown: Shown::Receipt(Box::new(ShownReceipt {
            entry,
            index: 0,
            path: tree.inclusion(0, 2).unwrap(),
        })),
    };
    let tree_head = TreeHead::new(ORIGIN, 1, root_log.root()).unwrap();
    let mut note = Checkpoint::sign(tree_head, &log_key())
        .unwrap()
        .note()
        .clone();
    if cosigned {
        note.push(witness().cosign(note.text(), TIME_S).unwrap())
            .unwrap();
    }
    let path = root_log.inclusion(0, 1).unwrap();
    let checkpoint = note.encode().as_str().to_owned();
    UnverifiedProof::new(Some(extra.encode().unwrap()), 0, path, checkpoint)
        .unwrap()
        .encode()
}

#[test]
fn proves_an_entry_from_the_pinned_log_alone() {
    let path = Path::new("proof");
    let receipt = check(&deployment(), bundle(true).as_bytes(), path, None).unwrap();
    let outcome = told(&receipt, None);
    assert!(outcome.text.starts_with("HOLDS"), "{}", outcome.text);
    assert!(outcome.text.contains("user suspended"));
    assert!(
        outcome
            .text
            .contains("compare it with the one that you mean")
    );
    assert!(outcome.text.contains("existed at 2023-11-14T22:13:20Z"));
    let known = check(&deployment(), bundle(true).as_bytes(), path, Some(TENANT)).unwrap();
    assert!(
        told(&known, Some(TENANT))
            .text
            .contains("the one whose genesis you keep")
    );
}

#[test]
fn refuses_a_proof_without_witnesses_of_another_tenant_or_changed() {
    let path = Path::new("proof");
    let reason = |bundle: &str, tenant| match check(&deployment(), bundle.as_bytes(), path, tenant)
    {
        Err(CliError::ProofInvalid { source, .. }) => *source,
        other => panic!("{other:?}"),
    };
    assert!(matches!(
        reason(&bundle(false), None),
        BundleError::Checkpoint(_)
    ));
    assert_eq!(
        reason(&bundle(true), Some(TenantId([8; 16]))),
        BundleError::ForeignTenant
    );
    assert!(matches!(reason("no proof", None), BundleError::Proof(_)));
    let error = CliError::ProofInvalid {
        path: path.to_owned(),
        source: Box::new(BundleError::ForeignTenant),
    };
    assert_eq!(error.to_string(), "the proof in proof does not hold");
    assert_eq!(error.causes().len(), 1);
}

#[test]
fn verifies_a_file_without_any_connection() {
    let folder = Folder::new();
    std::fs::write(folder.path("deployment.json"), deployment().to_json()).unwrap();
    std::fs::write(folder.path("proof"), bundle(true)).unwrap();
    let args = LogVerifyArgs {
        file: folder.path("proof"),
        context: crate::ContextArgs {
            deployment: Some(folder.path("deployment.json")),
            ..crate::ContextArgs::default()
        },
    };
    let outcome = verify_file(&args, &Environment::default()).unwrap();
    assert!(outcome.holds);
    let json = String::from_utf8(outcome.json.to_bytes()).unwrap();
    assert!(
        json.starts_with(r#"{"verdict":"holds","index":0,"kind":"Suspended","#),
        "{json}"
    );
}
