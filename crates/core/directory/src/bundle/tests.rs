use alloc::string::{String, ToString as _};
use alloc::vec;

use chancery_tlog::proof::UnverifiedProof;
use chancery_tlog::{
    Checkpoint, CosignerKey, Error as LogError, MerkleTree, Policy, SignerKey, TreeHead,
};

use super::*;
use crate::details::{ActSecret, Opens};
use crate::digest::{Handle, TenantId, commit};
use crate::entry::{EntryType, SubjectKind, SubjectState, Validity};
use crate::head::{EpochKind, head_chain, head_opening, map_key, updates_digest};
use crate::prefix::{PrefixTree, ProofError, Terminal};
use crate::record::{KeySource, NameKind, name_input, name_label, tenant_handle};
use crate::tenant::{Draft, LogState};
use crate::testing::{check_strict, shown};
use crate::vrf::{SecretKey, VrfError};

const ORIGIN: &str = "demo.example/atl/root/v1";
const TENANT: TenantId = TenantId([9; 16]);
const USER: Handle = Handle([0x51; 32]);
const NAME: &str = "ada@demo.example";
const TIME_S: u64 = 1_700_000_000;
const SECRET: ActSecret = ActSecret([7; 32]);

/// A deployment with one tenant, whose log has one user.
struct World {
    log_key: SignerKey,
    witnesses: Vec<CosignerKey>,
    policy: Policy,
    root_log: MerkleTree,
    leaf: EpochLeaf,
    map: PrefixTree,
    head: TenantHead,
    older: TenantHead,
    state_root: StateRoot,
    tree: MerkleTree,
    entries: Vec<Entry>,
    state: LogState,
    vrf: SecretKey,
    record: KeyRecord,
}

fn policy(witnesses: &[CosignerKey]) -> Policy {
    let mut text = String::new();
    for (index, witness) in witnesses.iter().enumerate() {
        text += &std::format!("witness w{index} {}\n", witness.verifier());
    }
    text += "group g 2 w0 w1 w2\nquorum g\n";
    Policy::parse(&text).unwrap()
}

fn draft(kind: EntryType, actor: Handle, subject: Handle) -> Draft {
    let mut draft = Draft::new(kind, actor, subject, TIME_S * 1000);
    draft.authz_hash = Digest([0xaa; 32]);
    draft
}

fn key_record() -> KeyRecord {
    KeyRecord {
        tenant: TENANT,
        handle: USER,
        key_version: 2,
        source: KeySource::UserDevice,
        enc_pk: vec![1; 40],
        sig_pk: vec![2; 32],
        not_before_ms: 0,
        activation_commit: Digest::ZERO,
    }
}

fn witnesses() -> Vec<CosignerKey> {
    (0..3)
        .map(|n: u8| {
            let name = std::format!("w{n}.example");
            CosignerKey::from_seed(&name, &[20 + n; 32]).unwrap()
        })
        .collect()
}

fn empty_leaf() -> EpochLeaf {
    EpochLeaf {
        kind: EpochKind::Epoch,
        epoch: 0,
        time_ms: TIME_S * 1000,
        map_root: Digest::ZERO,
        updates: updates_digest(&[]).0,
        n_updates: 0,
        instance_key: Digest([6; 32]),
        policy_hash: Digest([6; 32]),
        detail: Vec::new(),
    }
}

impl World {
    fn new() -> Self {
        let vrf = SecretKey::from_seed(&[3; 32]).unwrap();
        let record = key_record();
        let (tenant, instance, delegation) =
            (tenant_handle(&TENANT), Handle([1; 32]), Handle([2; 32]));
        let mut state = LogState::new();
        let mut tree = MerkleTree::new();
        let mut genesis = draft(EntryType::Genesis, instance, tenant);
        genesis.key_commit = commit("vrf", &SECRET.opening(Opens::Vrf), &vrf.public().to_bytes());
        let mut granted = draft(EntryType::DelegationGranted, tenant, delegation);
        granted.object_commit = Validity {
            not_before_ms: 0,
            not_after_ms: u64::MAX,
        }
        .to_object_commit();
        let mut provisioned = draft(EntryType::UserProvisioned, delegation, USER);
        provisioned.key_commit = Digest([4; 32]);
        let mut confirmed = draft(EntryType::KeyConfirmed, USER, USER);
        confirmed.key_commit = record.commit(&SECRET.opening(Opens::Key(&USER))).unwrap();

        let mut entries = Vec::new();
        let append = |state: &mut LogState, tree: &mut MerkleTree, draft: &Draft| {
            let entry = state.append(draft).unwrap();
            tree.append(hash(&entry.leaf_hash()));
            entry
        };
        let close = |state: &mut LogState, tree: &mut MerkleTree| {
            let root = state.seal_state_root(TIME_S * 1000, 0).unwrap();
            tree.append(hash(&root.leaf_hash()));
            root
        };
        for draft in [&genesis, &granted] {
            entries.push(append(&mut state, &mut tree, draft));
        }
        close(&mut state, &mut tree);
        let older = TenantHead::first(TENANT, tree.size(), Digest(tree.root().0));
        entries.push(append(&mut state, &mut tree, &provisioned));
        let label = name_label(&vrf.evaluate(&name_input(NameKind::UserName, NAME)));
        let name = DirName {
            handle: USER,
            binding: 1,
            since: 3,
        };
        let value = name.value(&SECRET.opening(Opens::Name(&USER)));
        state.name_bind(label, value).unwrap();
        entries.push(append(&mut state, &mut tree, &confirmed));
        let state_root = close(&mut state, &mut tree);
        let head = older.next(tree.size(), Digest(tree.root().0));

        let mut world = Self {
            policy: policy(&witnesses()),
            log_key: SignerKey::from_seed(ORIGIN, &[8; 32]).unwrap(),
            witnesses: witnesses(),
            root_log: MerkleTree::new(),
            leaf: empty_leaf(),
            map: PrefixTree::new(),
            head,
            older,
            state_root,
            tree,
            entries,
            state,
            vrf,
            record,
        };
        // Another tenant.
        world.map.set([0x80; 32], Digest([5; 32])).unwrap();
        world.publish();
        world.publish();
        world
    }

    /// Puts the head into the map and a leaf about it into the root log.
    fn publish(&mut self) {
        let value = self.head.map_value(&self.map_opening());
        self.map.set(map_key(&TENANT), value).unwrap();
        self.leaf.epoch = self.root_log.size();
        self.leaf.map_root = self.map.root();
        self.root_log.append(hash(&self.leaf.leaf_hash().unwrap()));
    }

    fn map_opening(&self) -> Opening {
        head_opening(&[11; 32], self.head.version)
    }

    fn label(&self, name: &str) -> [u8; 32] {
        name_label(&self.vrf.evaluate(&name_input(NameKind::UserName, name)))
    }

    fn vrf_shown(&mut self) -> ShownVrf {
        let tenant = tenant_handle(&TENANT);
        ShownVrf {
            public: self.vrf.public().to_bytes(),
            opening: SECRET.opening(Opens::Vrf),
            tenant: *self.state.subject(&tenant).unwrap(),
            path: self.state.prove_subject(&tenant),
        }
    }

    fn extra(&mut self, shown: Shown) -> BundleExtra {
        BundleExtra {
            leaf: self.leaf.clone(),
            map_opening: self.map_opening(),
            head: self.head,
            map_path: self.map.prove(&map_key(&TENANT)),
            state_root: self.state_root,
            state_root_path: self.path(self.state_root.index),
            shown,
        }
    }

    fn path(&self, index: u64) -> Vec<Hash> {
        self.tree.inclusion(index, self.tree.size()).unwrap()
    }

    fn user(&mut self) -> BundleExtra {
        let label = self.label(NAME);
        let shown = Shown::User(Box::new(ShownUser {
            vrf: self.vrf_shown(),
            name: DirName {
                handle: USER,
                binding: 1,
                since: 3,
            },
            name_opening: SECRET.opening(Opens::Name(&USER)),
            vrf_proof: self.vrf.prove(&name_input(NameKind::UserName, NAME)).0,
            name_path: self.state.prove_name(&label),
            state: *self.state.subject(&USER).unwrap(),
            state_path: self.state.prove_subject(&USER),
            record: self.record.clone(),
            key_opening: SECRET.opening(Opens::Key(&USER)),
        }));
        self.extra(shown)
    }

    fn receipt(&mut self, at: usize) -> BundleExtra {
        let entry = self.entries[at];
        let shown = Shown::Receipt(Box::new(ShownReceipt {
            entry,
            index: entry.index,
            path: self.path(entry.index),
        }));
        self.extra(shown)
    }

    fn absence(&mut self, name: &str) -> BundleExtra {
        let label = self.label(name);
        let shown = Shown::Absent(Box::new(ShownAbsence {
            vrf: self.vrf_shown(),
            vrf_proof: self.vrf.prove(&name_input(NameKind::UserName, name)).0,
            name_path: self.state.prove_name(&label),
        }));
        self.extra(shown)
    }

    fn checkpoint(&self, cosigners: usize, time_s: u64) -> String {
        let (size, root) = (self.root_log.size(), self.root_log.root());
        let head = TreeHead::new(ORIGIN, size, root).unwrap();
        let mut note = Checkpoint::sign(head, &self.log_key)
            .unwrap()
            .note()
            .clone();
        for witness in self.witnesses.iter().take(cosigners) {
            note.push(witness.cosign(note.text(), time_s).unwrap())
                .unwrap();
        }
        note.encode().as_str().to_string()
    }

    fn bundle(&self, extra: &BundleExtra) -> Vec<u8> {
        self.bundle_at(extra.encode().unwrap(), self.root_log.size() - 1, TIME_S)
    }

    fn bundle_at(&self, extra: Vec<u8>, index: u64, time_s: u64) -> Vec<u8> {
        let path = self
            .root_log
            .inclusion(index, self.root_log.size())
            .unwrap();
        UnverifiedProof::new(Some(extra), index, path, self.checkpoint(2, time_s))
            .unwrap()
            .encode()
            .as_bytes()
            .to_vec()
    }

    fn trust(&self) -> Trust<'_> {
        Trust {
            origin: ORIGIN,
            log_key: self.log_key.verifier(),
            policy: &self.policy,
            tenant: TENANT,
        }
    }

    fn check(&self, extra: &BundleExtra, question: Question<'_>) -> Result<Verified, BundleError> {
        verify(&self.trust(), &self.bundle(extra), NOW, None, question)
    }
}

const NOW: Freshness = Freshness {
    now_ms: TIME_S * 1000 + 60_000,
    age_ms_max: 900_000,
};

fn refused(result: Result<Verified, BundleError>) -> BundleError {
    result.unwrap_err()
}

#[test]
fn an_honest_lookup_proves_state_and_key() {
    let mut world = World::new();
    let extra = world.user();
    let verified = world.check(&extra, Question::User(NAME)).unwrap();
    assert_eq!((verified.epoch(), verified.head()), (1, &world.head));
    assert_eq!(verified.time_floor_ms(), TIME_S * 1000);
    assert_eq!(verified.state_root(), &world.state_root);
    assert_eq!(verified.continuity(), Continuity::First);
    let Proved::User(user) = verified.proved() else {
        panic!("a user was asked for");
    };
    assert_eq!(user.state(), world.state.subject(&USER).unwrap());
    assert_eq!(user.confirmed(), Ok(&world.record));
    assert_eq!((user.name().since, user.record()), (3, &world.record));
}

#[test]
fn an_honest_receipt_proves_each_entry() {
    let mut world = World::new();
    for at in 0..4 {
        let (extra, entry) = (world.receipt(at), world.entries[at]);
        let verified = world.check(&extra, Question::Receipt(entry.index)).unwrap();
        assert_eq!(verified.proved(), &Proved::Receipt(entry));
    }
}

#[test]
fn an_honest_absence_proves_that_a_name_is_free() {
    let mut world = World::new();
    let extra = world.absence("bob@demo.example");
    let verified = world
        .check(&extra, Question::Absent("bob@demo.example"))
        .unwrap();
    assert_eq!(verified.proved(), &Proved::Absent);
}

#[test]
fn every_kind_has_one_encoding() {
    let mut world = World::new();
    for extra in [
        world.user(),
        world.receipt(2),
        world.absence("bob@demo.example"),
    ] {
        check_strict(&extra.encode().unwrap(), BundleExtra::decode, |value| {
            value.encode().unwrap()
        });
    }
    let mut bytes = world.receipt(2).encode().unwrap();
    bytes[1] = 4;
    assert_eq!(
        BundleExtra::decode(&bytes),
        Err(DecodeError::UnknownCode {
            field: "bundle kind",
            code: 4
        })
    );
}

#[test]
fn no_flipped_byte_of_any_kind_is_believed() {
    let mut world = World::new();
    let index = world.entries[2].index;
    let free = "bob@demo.example";
    let cases = [
        (world.user(), Question::User(NAME)),
        (world.receipt(2), Question::Receipt(index)),
        (world.absence(free), Question::Absent(free)),
    ];
    let last = world.root_log.size() - 1;
    for (extra, question) in cases {
        let bytes = extra.encode().unwrap();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 0x10;
            let bundle = world.bundle_at(changed, last, TIME_S);
            assert!(
                verify(&world.trust(), &bundle, NOW, None, question).is_err(),
                "byte {at} of {question:?} is not bound"
            );
        }
    }
}

#[test]
fn refuses_a_malformed_proof_and_one_without_extra_data() {
    let mut world = World::new();
    let extra = world.user();
    let ask = Question::User(NAME);
    let whole = world.bundle(&extra);
    let cut = verify(&world.trust(), &whole[..40], NOW, None, ask);
    assert_eq!(refused(cut), BundleError::Proof(LogError::Line));
    let path = world.root_log.inclusion(1, 2).unwrap();
    let bare = UnverifiedProof::new(None, 1, path, world.checkpoint(2, TIME_S)).unwrap();
    let bare = verify(&world.trust(), bare.encode().as_bytes(), NOW, None, ask);
    assert_eq!(refused(bare), BundleError::ExtraMissing);
    let bytes = extra.encode().unwrap();
    let bundle = world.bundle_at(bytes[..bytes.len() - 1].to_vec(), 1, TIME_S);
    let cut = verify(&world.trust(), &bundle, NOW, None, ask);
    assert_eq!(refused(cut), BundleError::Extra(DecodeError::Truncated));
}

#[test]
fn refuses_another_log_another_key_and_a_missing_quorum() {
    let mut world = World::new();
    let extra = world.user();
    let bundle = world.bundle(&extra);
    let ask = Question::User(NAME);
    let other = SignerKey::from_seed(ORIGIN, &[99; 32]).unwrap();
    let trust = Trust {
        log_key: other.verifier(),
        ..world.trust()
    };
    let error = refused(verify(&trust, &bundle, NOW, None, ask));
    assert_eq!(error, BundleError::Checkpoint(LogError::SignatureMissing));
    let trust = Trust {
        origin: "other.example/atl/root/v1",
        ..world.trust()
    };
    let error = refused(verify(&trust, &bundle, NOW, None, ask));
    assert_eq!(error, BundleError::Checkpoint(LogError::OriginMismatch));
    let path = world.root_log.inclusion(1, 2).unwrap();
    let extra = Some(extra.encode().unwrap());
    let alone = UnverifiedProof::new(extra, 1, path, world.checkpoint(1, TIME_S)).unwrap();
    let error = refused(verify(
        &world.trust(),
        alone.encode().as_bytes(),
        NOW,
        None,
        ask,
    ));
    assert_eq!(error, BundleError::Checkpoint(LogError::QuorumMissing));
}

#[test]
fn refuses_a_leaf_that_is_not_in_the_log_not_there_or_not_the_newest() {
    let mut world = World::new();
    let ask = Question::User(NAME);
    let mut extra = world.user();
    extra.leaf.time_ms += 1;
    let error = refused(world.check(&extra, ask));
    assert_eq!(error, BundleError::Checkpoint(LogError::RootMismatch));

    // An old map under a fresh checkpoint: the leaf before the last.
    let mut extra = world.user();
    extra.leaf.epoch = 0;
    let bundle = world.bundle_at(extra.encode().unwrap(), 0, TIME_S);
    let error = refused(verify(&world.trust(), &bundle, NOW, None, ask));
    assert_eq!(error, BundleError::NotNewest);

    // A leaf whose own index is another than its place.
    world.leaf.epoch = 7;
    world
        .root_log
        .append(hash(&world.leaf.leaf_hash().unwrap()));
    let extra = world.user();
    assert_eq!(
        refused(world.check(&extra, ask)),
        BundleError::EpochMismatch
    );
}

#[test]
fn refuses_what_is_older_than_the_use_allows() {
    let mut world = World::new();
    let extra = world.user();
    let bundle = world.bundle(&extra);
    let at = |now_ms| Freshness {
        now_ms,
        age_ms_max: 900_000,
    };
    let ask = Question::User(NAME);
    let last = TIME_S * 1000 + 900_000;
    assert!(verify(&world.trust(), &bundle, at(last), None, ask).is_ok());
    let error = refused(verify(&world.trust(), &bundle, at(last + 1), None, ask));
    assert_eq!(error, BundleError::Stale { age_ms: 900_001 });
    // A client whose clock is behind the witnesses is served.
    assert!(verify(&world.trust(), &bundle, at(0), None, ask).is_ok());
}

#[test]
fn refuses_heads_that_the_map_does_not_hold() {
    let mut world = World::new();
    let ask = Question::User(NAME);
    let mut foreign = world.user();
    foreign.head.tenant = TenantId([8; 16]);
    assert_eq!(
        refused(world.check(&foreign, ask)),
        BundleError::ForeignTenant
    );

    let mut other = world.user();
    other.head = world.older;
    assert_eq!(refused(world.check(&other, ask)), BundleError::HeadMismatch);
    let mut opening = world.user();
    opening.map_opening = Opening([0; 32]);
    assert_eq!(
        refused(world.check(&opening, ask)),
        BundleError::HeadMismatch
    );

    let mut path = world.user();
    path.map_path.siblings.clear();
    let error = BundleError::MapPath(ProofError::RootMismatch);
    assert_eq!(refused(world.check(&path, ask)), error);

    world.map.remove(&map_key(&TENANT));
    world.leaf.epoch = world.root_log.size();
    world.leaf.map_root = world.map.root();
    world
        .root_log
        .append(hash(&world.leaf.leaf_hash().unwrap()));
    let absent = world.user();
    assert_eq!(
        refused(world.check(&absent, ask)),
        BundleError::TenantAbsent
    );
}

#[test]
fn refuses_a_first_head_whose_chain_begins_elsewhere() {
    let mut world = World::new();
    for version in [0, 1] {
        world.head.version = version;
        world.publish();
        let extra = world.user();
        let error = refused(world.check(&extra, Question::User(NAME)));
        assert_eq!(error, BundleError::ChainBroken);
    }
    world.head.chain = head_chain(&Digest::ZERO, world.head.size, &world.head.root);
    world.publish();
    let extra = world.user();
    assert!(world.check(&extra, Question::User(NAME)).is_ok());
}

#[test]
fn heads_extend_the_remembered_one_or_are_refused() {
    let mut world = World::new();
    let extra = world.user();
    let bundle = world.bundle(&extra);
    let (older, head) = (world.older, world.head);
    let against = |version, chain| {
        let remembered = Some(Remembered { version, chain });
        let question = Question::User(NAME);
        verify(&world.trust(), &bundle, NOW, remembered, question).map(|v| v.continuity())
    };
    assert_eq!(against(2, head.chain), Ok(Continuity::Same));
    assert_eq!(against(1, older.chain), Ok(Continuity::Next));
    assert_eq!(
        against(0, Digest::ZERO),
        Ok(Continuity::Undecided { between: 1 })
    );
    assert_eq!(against(2, older.chain), Err(BundleError::Forked));
    assert_eq!(against(1, head.chain), Err(BundleError::Forked));
    assert_eq!(against(3, head.chain), Err(BundleError::RolledBack));
}

#[test]
fn refuses_a_state_root_that_is_not_the_last_leaf() {
    let mut world = World::new();
    let ask = Question::User(NAME);
    let mut other = world.user();
    other.state_root.index -= 1;
    assert_eq!(
        refused(world.check(&other, ask)),
        BundleError::StateRootIndex
    );
    let mut other = world.user();
    other.state_root.dir_root = Digest([1; 32]);
    let error = BundleError::StateRootPath(LogError::RootMismatch);
    assert_eq!(refused(world.check(&other, ask)), error);
}

#[test]
fn refuses_an_answer_to_another_question() {
    let mut world = World::new();
    let (user, receipt) = (world.user(), world.receipt(2));
    let error = BundleError::OtherQuestion;
    assert_eq!(refused(world.check(&user, Question::Absent(NAME))), error);
    assert_eq!(refused(world.check(&user, Question::Receipt(0))), error);
    assert_eq!(refused(world.check(&receipt, Question::User(NAME))), error);
    assert_eq!(
        refused(world.check(&receipt, Question::Receipt(0))),
        BundleError::OtherEntry
    );
}

#[test]
fn refuses_a_receipt_of_another_entry_or_place() {
    let mut world = World::new();
    let mut change = |change: &dyn Fn(&mut ShownReceipt)| {
        let mut extra = world.receipt(2);
        if let Shown::Receipt(receipt) = &mut extra.shown {
            change(receipt);
        }
        refused(world.check(&extra, Question::Receipt(3)))
    };
    assert_eq!(
        change(&|receipt| receipt.index = 4),
        BundleError::OtherEntry
    );
    assert_eq!(
        change(&|receipt| receipt.entry.index = 4),
        BundleError::OtherEntry
    );
    assert_eq!(
        change(&|receipt| receipt.entry.actor = Handle([1; 32])),
        BundleError::EntryPath(LogError::RootMismatch)
    );
    assert_eq!(
        change(&|receipt| receipt.path.clear()),
        BundleError::EntryPath(LogError::ProofLength)
    );
}

/// Changes one honest lookup and gives what is said about it.
fn lookup_changed(change: impl Fn(&mut ShownUser)) -> BundleError {
    let mut world = World::new();
    let mut extra = world.user();
    if let Shown::User(user) = &mut extra.shown {
        change(user);
    }
    refused(world.check(&extra, Question::User(NAME)))
}

#[test]
fn refuses_another_vrf_key_than_the_tenant_committed_to() {
    let other = SecretKey::from_seed(&[4; 32]).unwrap();
    let public = other.public().to_bytes();
    assert_eq!(
        lookup_changed(|user| user.vrf.public = public),
        BundleError::VrfKeyMismatch
    );
    assert_eq!(
        lookup_changed(|user| user.vrf.opening = Opening([0; 32])),
        BundleError::VrfKeyMismatch
    );
    assert_eq!(
        lookup_changed(|user| user.vrf.tenant.key_commit = Digest([1; 32])),
        BundleError::TenantStateMismatch
    );
    assert_eq!(
        lookup_changed(|user| user.vrf.tenant.handle = USER),
        BundleError::TenantStateMismatch
    );
    assert_eq!(
        lookup_changed(|user| user.vrf.path.siblings.clear()),
        BundleError::TenantStatePath(ProofError::RootMismatch)
    );
}

#[test]
fn refuses_a_vrf_key_that_is_none_though_committed_to() {
    let mut world = World::new();
    let mut draft = draft(
        EntryType::Rekey,
        tenant_handle(&TENANT),
        tenant_handle(&TENANT),
    );
    draft.key_commit = commit("vrf", &SECRET.opening(Opens::Vrf), &[0xff; 32]);
    world.state.append(&draft).unwrap();
    world.state_root = world.state.seal_state_root(TIME_S * 1000, 0).unwrap();
    for digest in [
        Digest([1; 32]), // stands in for the Rekey leaf, which nobody asks for
        world.state_root.leaf_hash(),
    ] {
        world.tree.append(hash(&digest));
    }
    world.head = world
        .head
        .next(world.tree.size(), Digest(world.tree.root().0));
    world.publish();
    let mut extra = world.user();
    if let Shown::User(user) = &mut extra.shown {
        user.vrf.public = [0xff; 32];
    }
    let error = refused(world.check(&extra, Question::User(NAME)));
    assert_eq!(error, BundleError::VrfKey(VrfError::PublicKey));
    // The key before it is no longer the tenant's.
    let old = world.user();
    let error = refused(world.check(&old, Question::User(NAME)));
    assert_eq!(error, BundleError::VrfKeyMismatch);
}

#[test]
fn refuses_a_lookup_of_another_name() {
    let mut world = World::new();
    let extra = world.user();
    let error = refused(world.check(&extra, Question::User("eve@demo.example")));
    assert_eq!(error, BundleError::VrfProof(VrfError::Challenge));
    let mut absent = world.user();
    let name = "eve@demo.example";
    let (proof, label) = (
        world.vrf.prove(&name_input(NameKind::UserName, name)).0,
        world.label(name),
    );
    if let Shown::User(user) = &mut absent.shown {
        user.vrf_proof = proof;
        user.name_path = world.state.prove_name(&label);
    }
    let error = refused(world.check(&absent, Question::User(name)));
    assert_eq!(error, BundleError::NameAbsent);
}

#[test]
fn refuses_names_that_the_directory_does_not_hold() {
    assert_eq!(
        lookup_changed(|user| user.name.since = 4),
        BundleError::NameMismatch
    );
    assert_eq!(
        lookup_changed(|user| user.name_opening = Opening([0; 32])),
        BundleError::NameMismatch
    );
    assert_eq!(
        lookup_changed(|user| user.name_path.siblings.clear()),
        BundleError::NamePath(ProofError::RootMismatch)
    );
    let mut world = World::new();
    let taken = world.absence(NAME);
    let error = refused(world.check(&taken, Question::Absent(NAME)));
    assert_eq!(error, BundleError::NamePresent);
    let mut hidden = world.absence(NAME);
    if let Shown::Absent(absence) = &mut hidden.shown {
        absence.name_path.terminal = Terminal::Missing;
    }
    let error = refused(world.check(&hidden, Question::Absent(NAME)));
    assert_eq!(error, BundleError::NamePath(ProofError::RootMismatch));
}

#[test]
fn refuses_states_that_are_not_the_named_users_or_not_the_directorys() {
    assert_eq!(
        lookup_changed(|user| user.state.handle = Handle([2; 32])),
        BundleError::OtherSubject
    );
    assert_eq!(
        lookup_changed(|user| user.state.kind = SubjectKind::Group),
        BundleError::NotUser
    );
    assert_eq!(
        lookup_changed(|user| user.state.state = SubjectState::Provisioned),
        BundleError::StateMismatch
    );
    assert_eq!(
        lookup_changed(|user| user.state_path.siblings.clear()),
        BundleError::StatePath(ProofError::RootMismatch)
    );
}

#[test]
fn refuses_a_subject_that_the_directory_has_no_more() {
    let mut world = World::new();
    let ghost = Handle([0x99; 32]);
    let label = world.label("ghost@demo.example");
    let name = DirName {
        handle: ghost,
        binding: 1,
        since: 0,
    };
    let value = name.value(&SECRET.opening(Opens::Name(&ghost)));
    world.state.name_bind(label, value).unwrap();
    world
        .state
        .append(&{
            let mut one = draft(
                EntryType::UserProvisioned,
                Handle([2; 32]),
                Handle([0x98; 32]),
            );
            one.key_commit = Digest([1; 32]);
            one
        })
        .unwrap();
    world.tree.append(Hash([1; 32]));
    world.state_root = world.state.seal_state_root(TIME_S * 1000, 0).unwrap();
    world.tree.append(hash(&world.state_root.leaf_hash()));
    world.head = world
        .head
        .next(world.tree.size(), Digest(world.tree.root().0));
    world.publish();
    let mut extra = world.user();
    if let Shown::User(user) = &mut extra.shown {
        user.name = name;
        user.name_opening = SECRET.opening(Opens::Name(&ghost));
        user.vrf_proof = world
            .vrf
            .prove(&name_input(NameKind::UserName, "ghost@demo.example"))
            .0;
        user.name_path = world.state.prove_name(&label);
        user.state.handle = ghost;
        user.state_path = world.state.prove_subject(&ghost);
    }
    let error = refused(world.check(&extra, Question::User("ghost@demo.example")));
    assert_eq!(error, BundleError::StateAbsent);
}

#[test]
fn refuses_keys_that_the_state_does_not_commit_to() {
    assert_eq!(
        lookup_changed(|user| user.record.sig_pk[0] ^= 1),
        BundleError::KeyMismatch
    );
    assert_eq!(
        lookup_changed(|user| user.key_opening = Opening([0; 32])),
        BundleError::KeyMismatch
    );
}

#[test]
fn refuses_a_committed_key_of_another_tenant_subject_or_version() {
    let foreign = [
        KeyRecord {
            tenant: TenantId([1; 16]),
            ..key_record()
        },
        KeyRecord {
            handle: Handle([1; 32]),
            ..key_record()
        },
        KeyRecord {
            key_version: 7,
            ..key_record()
        },
    ];
    for record in foreign {
        let mut world = World::new();
        let mut rotated = draft(EntryType::KeyRotated, USER, USER);
        rotated.key_commit = record.commit(&SECRET.opening(Opens::Key(&USER))).unwrap();
        world.state.append(&rotated).unwrap();
        world.tree.append(Hash([1; 32]));
        world.state_root = world.state.seal_state_root(TIME_S * 1000, 0).unwrap();
        world.tree.append(hash(&world.state_root.leaf_hash()));
        world.head = world
            .head
            .next(world.tree.size(), Digest(world.tree.root().0));
        world.publish();
        world.record = record;
        let extra = world.user();
        let error = refused(world.check(&extra, Question::User(NAME)));
        assert_eq!(error, BundleError::KeyForeign);
    }
}

#[test]
fn only_a_confirmed_user_has_a_key_to_wrap_to() {
    let mut world = World::new();
    let suspended = draft(EntryType::Suspended, Handle([2; 32]), USER);
    let entry = world.state.append(&suspended).unwrap();
    world.tree.append(hash(&entry.leaf_hash()));
    world.state_root = world.state.seal_state_root(TIME_S * 1000, 0).unwrap();
    world.tree.append(hash(&world.state_root.leaf_hash()));
    world.head = world
        .head
        .next(world.tree.size(), Digest(world.tree.root().0));
    world.publish();
    let extra = world.user();
    let verified = world.check(&extra, Question::User(NAME)).unwrap();
    let Proved::User(user) = verified.proved() else {
        panic!("a user was asked for");
    };
    assert_eq!(user.state().state, SubjectState::SuspendedConfirmed);
    assert_eq!(user.confirmed(), Err(BundleError::NotConfirmed));
}

#[test]
fn errors_say_which_step_failed() {
    let stale = BundleError::Stale { age_ms: 5 };
    assert_eq!(
        shown(stale),
        "proof is 5 ms old, which is too old for this use"
    );
    assert_eq!(
        shown(BundleError::Forked),
        "head does not extend the remembered one"
    );
    let path = BundleError::NamePath(ProofError::RootMismatch);
    assert_eq!(
        shown(path),
        "path of the name: path does not lead to the root"
    );
}
