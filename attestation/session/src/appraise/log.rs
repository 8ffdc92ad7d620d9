//! Step 6: the witnessed log of the pinned deployment holds this node.

use alloc::format;
use alloc::string::String;
use alloc::string::ToString;

use chancery_directory::DeploymentGenesis;
use chancery_directory::EpochKind;
use chancery_directory::EpochLeaf;
use chancery_tlog::CosignedCheckpoint;
use chancery_tlog::Error as LogError;
use chancery_tlog::Hash;
use chancery_tlog::UnverifiedCheckpoint;
use chancery_tlog::leaf_hash;
use chancery_tlog::verify_consistency;
use chancery_tlog::verify_inclusion;

use super::Walk;
use super::recorder::Recorder;
use super::recorder::Stop;
use crate::attested::RememberedHead;
use crate::exchange::LoggedLeaf;
use crate::rows::SessionCheck;
use crate::statement::Head;

/// What the log says of this node.
pub(crate) struct Logged {
    pub(crate) checkpoint: CosignedCheckpoint,
    /// The head to remember; none while it is not proved to extend the remembered one.
    pub(crate) head: Option<RememberedHead>,
    /// SHA-256 of the release policy, as the node's entries name it.
    pub(crate) policy_sha256: [u8; 32],
}

/// Checks the checkpoint and the entries.
pub(crate) fn check(walk: &Walk<'_>, recorder: &mut Recorder) -> Result<Logged, Stop> {
    let note = walk.response.checkpoint.as_bytes();
    let checkpoint = recorder.decoded(SessionCheck::CheckpointQuorum, cosigned(walk, note))?;
    let got = format!(
        "{} witnesses, size {}",
        checkpoint.cosigners().len(),
        checkpoint.size()
    );
    recorder.require(
        SessionCheck::CheckpointQuorum,
        "a quorum of the pinned policy",
        got,
        true,
    )?;

    let served = Head {
        size: checkpoint.size(),
        root: checkpoint.root().0,
    };
    let same = walk.session.checkpoint == served;
    let (expected, got) = (show(served), show(walk.session.checkpoint));
    recorder.require(SessionCheck::SessionCheckpoint, expected, got, same)?;

    check_genesis(walk, &checkpoint, recorder)?;
    let boot = check_boot(walk, &checkpoint, recorder)?;
    let policy_sha256 = check_node(walk, &boot, &checkpoint, recorder)?;
    let head = check_remembered(walk, &checkpoint, recorder)?;
    Ok(Logged {
        checkpoint,
        head,
        policy_sha256,
    })
}

pub(crate) fn cosigned(walk: &Walk<'_>, note: &[u8]) -> Result<CosignedCheckpoint, LogError> {
    let received = UnverifiedCheckpoint::parse(note)?;
    let deployment = walk.deployment;
    let policy = deployment.witness_policy();
    policy.check(&received, deployment.log_origin(), deployment.log_key())
}

fn show(head: Head) -> String {
    format!("size {}, root {}", head.size, hex::encode(head.root))
}

/// A leaf that is in the checkpoint's tree, of the wanted kind and self-consistent.
fn included(
    check: SessionCheck,
    logged: &LoggedLeaf,
    kind: EpochKind,
    checkpoint: &CosignedCheckpoint,
    recorder: &mut Recorder,
) -> Result<EpochLeaf, Stop> {
    let proof = verify_inclusion(
        &leaf_hash(&logged.leaf),
        logged.index,
        checkpoint.size(),
        &logged.proof,
        checkpoint.root(),
    );
    recorder.decoded(check, proof)?;
    let leaf = recorder.decoded(check, EpochLeaf::decode(&logged.leaf))?;
    if leaf.kind == kind && leaf.epoch == logged.index {
        return Ok(leaf);
    }
    let expected = format!("{kind:?} at its own index");
    let got = format!(
        "{:?} of epoch {} at index {}",
        leaf.kind, leaf.epoch, logged.index
    );
    recorder.require(check, expected, got, false)?;
    Err(Stop)
}

fn check_genesis(
    walk: &Walk<'_>,
    checkpoint: &CosignedCheckpoint,
    recorder: &mut Recorder,
) -> Result<(), Stop> {
    const CHECK: SessionCheck = SessionCheck::GenesisEntry;
    let logged = &walk.response.genesis;
    let leaf = included(CHECK, logged, EpochKind::Genesis, checkpoint, recorder)?;
    let genesis = recorder.decoded(CHECK, DeploymentGenesis::decode(&leaf.detail))?;
    let id = recorder.decoded(CHECK, genesis.deployment_id())?;
    let deployment = walk.deployment;
    let same = logged.index == 0
        && id.0 == deployment.deployment_id()
        && genesis.log_origin == deployment.log_origin()
        && genesis.log_key == deployment.log_key_text()
        && genesis.config_digest.0 == walk.node.config_digest;
    let show = |index: u64, id: &[u8], configuration: &[u8]| {
        let (id, configuration) = (hex::encode(id), hex::encode(configuration));
        format!("leaf {index} is {id} of configuration {configuration}")
    };
    let expected = show(0, &deployment.deployment_id(), &walk.node.config_digest);
    let got = show(logged.index, &id.0, &genesis.config_digest.0);
    recorder.require(CHECK, expected, got, same)
}

fn check_boot(
    walk: &Walk<'_>,
    checkpoint: &CosignedCheckpoint,
    recorder: &mut Recorder,
) -> Result<EpochLeaf, Stop> {
    const CHECK: SessionCheck = SessionCheck::BootEntry;
    let logged = &walk.response.boot;
    let leaf = included(CHECK, logged, EpochKind::Boot, checkpoint, recorder)?;
    let node = &walk.node;
    let same = logged.index == node.boot_index && leaf.detail == node.boot_nonce;
    let show = |index: u64, nonce: &[u8]| format!("leaf {index}, nonce {}", hex::encode(nonce));
    let expected = show(node.boot_index, &node.boot_nonce);
    recorder.require(CHECK, expected, show(logged.index, &leaf.detail), same)?;
    Ok(leaf)
}

/// The entry of the node statement, made by the instance that made the boot entry. Gives the policy that both name.
fn check_node(
    walk: &Walk<'_>,
    boot: &EpochLeaf,
    checkpoint: &CosignedCheckpoint,
    recorder: &mut Recorder,
) -> Result<[u8; 32], Stop> {
    const CHECK: SessionCheck = SessionCheck::NodeEntry;
    let logged = &walk.response.node;
    let leaf = included(
        CHECK,
        logged,
        EpochKind::NodeStatement,
        checkpoint,
        recorder,
    )?;
    let same = leaf.detail == walk.node_sha256
        && logged.index > walk.node.boot_index
        && leaf.instance_key == boot.instance_key
        && leaf.policy_hash == boot.policy_hash;
    let expected = format!(
        "{} after the boot entry, of its instance and policy",
        hex::encode(walk.node_sha256)
    );
    let got = format!(
        "{} at leaf {}, instance {}, policy {}",
        hex::encode(&leaf.detail),
        logged.index,
        hex::encode(leaf.instance_key.0),
        hex::encode(leaf.policy_hash.0)
    );
    recorder.require(CHECK, expected, got, same)?;
    Ok(leaf.policy_hash.0)
}

/// A log that is shorter than remembered, or another one of the same size, is refused with or without a proof.
fn check_remembered(
    walk: &Walk<'_>,
    checkpoint: &CosignedCheckpoint,
    recorder: &mut Recorder,
) -> Result<Option<RememberedHead>, Stop> {
    const CHECK: SessionCheck = SessionCheck::CheckpointExtends;
    let (size, root) = (checkpoint.size(), checkpoint.root());
    let served = RememberedHead {
        size,
        root: root.0,
        policy_version: 0,
        floors_version: 0,
    };
    let got = show(Head { size, root: root.0 });
    let Some(known) = walk.remembered else {
        recorder.skip(CHECK, "none remembered", got);
        return Ok(Some(served));
    };
    let head = known.head;
    let expected = format!(
        "extends {}",
        show(Head {
            size: head.size,
            root: head.root
        })
    );
    if size < head.size || (size == head.size && root.0 != head.root) {
        recorder.require(CHECK, expected, got, false)?;
        return Err(Stop);
    }
    let proof = match (&known.consistency, size == head.size) {
        (_, true) => Some([].as_slice()),
        (Some(proof), false) => Some(proof.as_slice()),
        (None, false) => None,
    };
    let Some(proof) = proof else {
        recorder.skip(CHECK, expected, format!("{got}; no consistency proof"));
        return Ok(None);
    };
    let proved = verify_consistency(head.size, &Hash(head.root), size, root, proof);
    let result = proved
        .as_ref()
        .map_or_else(|error| error.to_string(), |()| got);
    recorder.require(CHECK, expected, result, proved.is_ok())?;
    Ok(Some(served))
}
