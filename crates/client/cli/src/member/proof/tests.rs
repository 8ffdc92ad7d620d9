use super::*;
use crate::files::tests::Folder;
use crate::member::OsEntropy;
use chancery_client::HeadsError;
use chancery_directory::bundle::{BundleExtra, Shown, ShownAbsence, ShownUser, ShownVrf};
use chancery_directory::head::{head_opening, map_key};
use chancery_directory::record::{NameKind, handle_key, name_input, name_label, tenant_handle};
use chancery_directory::vrf::SecretKey;
use chancery_directory::{
    DirName, DirState, EpochKind, EpochLeaf, Handle, KeySource, Opening, PrefixTree, StateRoot,
    SubjectKind, TenantHead,
};
use chancery_keyset::Keyset;
use chancery_session::RememberedHead;
use chancery_session::deployment::DeploymentParts;
use chancery_tlog::proof::UnverifiedProof;
use chancery_tlog::{Checkpoint, CosignerKey, Hash, MerkleTree, SignerKey, TreeHead};

const ORIGIN: &str = "demo.example/log";
const TENANT: [u8; 16] = [9; 16];
const USER: Handle = Handle([0x51; 32]);
const NAME: &str = "ada@demo.example";
const NOBODY: &str = "bob@demo.example";
const OPENING: Opening = Opening([7; 32]);

/// A root log with one tenant whose directory has one user.
struct World {
    log_key: SignerKey,
    witness: CosignerKey,
    keyset: PublicKeyset,
    state: SubjectState,
    /// Heads that the tenant had before.
    heads: Vec<TenantHead>,
    /// Leaves of the root log before the newest.
    leaves_before: u64,
    age_s: u64,
}

impl World {
    fn new() -> Self {
        let keyset = Keyset::generate(&mut OsEntropy).unwrap();
        Self {
            log_key: SignerKey::from_seed(ORIGIN, &[1; 32]).unwrap(),
            witness: CosignerKey::from_seed("w.example", &[2; 32]).unwrap(),
            keyset: keyset.public().clone(),
            state: SubjectState::Confirmed,
            heads: Vec::new(),
            leaves_before: 5,
            age_s: 3,
        }
    }

    fn deployment(&self) -> Deployment {
        let release = chancery_dsse::SigningKey::from_seed([3; 32]);
        Deployment::new(DeploymentParts {
            deployment_id: [7; 32],
            log_origin: ORIGIN.to_owned(),
            log_key: self.log_key.verifier().to_string(),
            witness_policy: format!("witness w {}\nquorum w\n", self.witness.verifier()),
            release_keys: vec![release.public_key().to_bytes()],
            release_threshold: 1,
            tls_roots_pem: "no certificate".to_owned(),
            base: "https://localhost:1".to_owned(),
            mode: chancery_verify::Mode::Amd,
        })
        .unwrap()
    }

    fn dir_state(&self) -> DirState {
        DirState {
            handle: USER,
            kind: SubjectKind::User,
            state: self.state,
            key_version: 2,
            key_commit: self.record().commit(&OPENING).unwrap(),
            first: 2,
            last: 4,
            seq: 2,
            chain: Digest([8; 32]),
        }
    }

    fn record(&self) -> KeyRecord {
        KeyRecord {
            tenant: TenantId(TENANT),
            handle: USER,
            key_version: 2,
            source: KeySource::UserDevice,
            enc_pk: self.keyset.kem().to_vec(),
            sig_pk: self.keyset.signing().to_vec(),
            not_before_ms: 0,
            activation_commit: Digest::ZERO,
        }
    }

    /// What stands in the directory about the user, what about the name of nobody, and its root.
    fn shown(&self) -> (ShownUser, ShownAbsence, Digest) {
        let vrf = SecretKey::from_seed(&[3; 32]).unwrap();
        let public = vrf.public().to_bytes();
        let tenant_state = DirState {
            handle: tenant_handle(&TenantId(TENANT)),
            kind: SubjectKind::Tenant,
            state: SubjectState::Active,
            key_version: 1,
            key_commit: chancery_directory::commit("vrf", &OPENING, &public),
            ..self.dir_state()
        };
        let name = DirName {
            handle: USER,
            binding: 1,
            since: 2,
        };
        let input = name_input(NameKind::UserName, NAME);
        let label = name_label(&vrf.evaluate(&input));
        let mut tree = PrefixTree::new();
        tree.set(handle_key(&tenant_state.handle), tenant_state.value())
            .unwrap();
        tree.set(handle_key(&USER), self.dir_state().value())
            .unwrap();
        tree.set(label, name.value(&OPENING)).unwrap();
        let user = ShownUser {
            vrf: ShownVrf {
                public,
                opening: OPENING,
                tenant: tenant_state,
                path: tree.prove(&handle_key(&tenant_state.handle)),
            },
            name,
            name_opening: OPENING,
            vrf_proof: vrf.prove(&input).0,
            name_path: tree.prove(&label),
            state: self.dir_state(),
            state_path: tree.prove(&handle_key(&USER)),
            record: self.record(),
            key_opening: OPENING,
        };
        let input = name_input(NameKind::UserName, NOBODY);
        let absence = ShownAbsence {
            vrf: user.vrf.clone(),
            vrf_proof: vrf.prove(&input).0,
            name_path: tree.prove(&name_label(&vrf.evaluate(&input))),
        };
        (user, absence, tree.root())
    }

    /// What a lookup of the user brings.
    fn found(&mut self) -> FoundUser {
        let (user, _, dir_root) = self.shown();
        FoundUser {
            id: "04040404-0404-0404-0404-040404040404".to_owned(),
            user_name: "Ada@demo.example".to_owned(),
            handle: USER.0,
            proof: self.publish(Shown::User(Box::new(user)), dir_root),
        }
    }

    /// The proof that a lookup of nobody brings.
    fn absent(&mut self) -> String {
        let (_, absence, dir_root) = self.shown();
        self.publish(Shown::Absent(Box::new(absence)), dir_root)
    }

    /// Shows something under a new head of the tenant, in a new leaf of the root log.
    fn publish(&mut self, shown: Shown, dir_root: Digest) -> String {
        let size = self.heads.last().map_or(6, |head| head.size + 2);
        let state_root = StateRoot {
            index: size - 1,
            time_ms: 0,
            batch: 0,
            entries: 1,
            time_floor_ms: 0,
            dir_root,
            dir_update: Digest::ZERO,
        };
        let mut tenant_tree = MerkleTree::new();
        for _entry in 0..size - 1 {
            tenant_tree.append(Hash([0; 32]));
        }
        tenant_tree.append(Hash(state_root.leaf_hash().0));
        let root = Digest(tenant_tree.root().0);
        let head = match self.heads.last() {
            Some(head) => head.next(size, root),
            None => TenantHead::first(TenantId(TENANT), size, root),
        };
        self.heads.push(head);
        let map_opening = head_opening(&[11; 32], head.version);
        let mut map = PrefixTree::new();
        map.set(map_key(&TenantId(TENANT)), head.map_value(&map_opening))
            .unwrap();
        let extra = BundleExtra {
            leaf: self.leaf(map.root()),
            map_opening,
            head,
            map_path: map.prove(&map_key(&TenantId(TENANT))),
            state_root,
            state_root_path: tenant_tree.inclusion(size - 1, size).unwrap(),
            shown,
        };
        let proof = self.proof(&extra);
        self.leaves_before += 1;
        proof
    }

    fn leaf(&self, map_root: Digest) -> EpochLeaf {
        EpochLeaf {
            kind: EpochKind::Epoch,
            epoch: self.leaves_before,
            time_ms: 0,
            map_root,
            updates: Digest::ZERO,
            n_updates: 1,
            instance_key: Digest([6; 32]),
            policy_hash: Digest([6; 32]),
            detail: Vec::new(),
        }
    }

    fn proof(&self, extra: &BundleExtra) -> String {
        let mut log = MerkleTree::new();
        for _leaf in 0..self.leaves_before {
            log.append(Hash([0; 32]));
        }
        log.append(Hash(extra.leaf.leaf_hash().unwrap().0));
        let head = TreeHead::new(ORIGIN, log.size(), log.root()).unwrap();
        let mut note = Checkpoint::sign(head, &self.log_key)
            .unwrap()
            .note()
            .clone();
        let time_s = now_ms() / 1000 - self.age_s;
        let cosignature = self.witness.cosign(note.text(), time_s).unwrap();
        note.push(cosignature).unwrap();
        let index = self.leaves_before;
        let path = log.inclusion(index, log.size()).unwrap();
        let checkpoint = note.encode().as_str().to_owned();
        UnverifiedProof::new(Some(extra.encode().unwrap()), index, path, checkpoint)
            .unwrap()
            .encode()
    }
}

fn store(folder: &Folder) -> HeadStore {
    let store = HeadStore::new(&folder.path("heads.json"), [7; 32]);
    let head = RememberedHead {
        size: 6,
        root: [0; 32],
        policy_version: 1,
        floors_version: 1,
    };
    store.lock().unwrap().advance(head).unwrap();
    store
}

fn look(world: &World, found: &FoundUser, heads: Option<&HeadStore>) -> Result<Proven, CliError> {
    let deployment = world.deployment();
    verify_lookup(found, "ADA@demo.example", pinned(&deployment, heads))
}

fn pinned<'a>(deployment: &'a Deployment, heads: Option<&'a HeadStore>) -> Pinned<'a> {
    Pinned {
        deployment,
        tenant: TENANT,
        heads,
    }
}

fn failed_check(result: Result<Proven, CliError>) -> &'static str {
    match result.unwrap_err() {
        CliError::Member(error) => match *error {
            MemberError::ProofRefused { check, .. } => check,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

#[test]
fn proves_a_key_from_the_pinned_log_down() {
    let mut world = World::new();
    let found = world.found();
    let proven = look(&world, &found, None).unwrap();
    assert_eq!(proven.keyset, world.keyset);
    assert_eq!((proven.handle, proven.key_version), (USER.0, 2));
    assert_eq!((proven.index, proven.is_usable()), (4, true));
    let names: Vec<&str> = proven.rows.iter().map(|row| row.check).collect();
    assert_eq!(names, STEPS.map(|(check, _)| check));
    assert_eq!(proven.not_checked.len(), 1);
    assert!(proven.time_ms + 60_000 > now_ms());
}

#[test]
fn remembers_the_tenants_head_and_refuses_what_lies_behind_it() {
    let folder = Folder::new();
    let store = store(&folder);
    let mut world = World::new();
    let old = world.found();
    let new = world.found();
    assert!(look(&world, &old, Some(&store)).is_ok());
    let proven = look(&world, &new, Some(&store)).unwrap();
    assert_eq!(proven.not_checked, Vec::<String>::new());
    assert!(
        proven.rows[3].got.contains("the next after"),
        "{:?}",
        proven.rows
    );
    assert!(look(&world, &new, Some(&store)).is_ok());
    assert_eq!(
        failed_check(look(&world, &old, Some(&store))),
        "tenant_head"
    );
    let seen = *store.lock().unwrap().tenant(&TENANT).unwrap();
    assert_eq!((seen.version, seen.size), (2, 8));
    // Heads between the remembered one and the shown one are for the audit.
    world.found();
    let later = world.found();
    let proven = look(&world, &later, Some(&store)).unwrap();
    assert!(
        proven.not_checked[0].contains("1 heads"),
        "{:?}",
        proven.not_checked
    );
}

#[test]
fn refuses_a_second_history_of_the_tenant() {
    let folder = Folder::new();
    let store = store(&folder);
    let (mut one, mut other) = (World::new(), World::new());
    let (seen, shown) = (one.found(), other.found());
    assert!(look(&one, &seen, Some(&store)).is_ok());
    assert_eq!(
        failed_check(look(&other, &shown, Some(&store))),
        "tenant_head"
    );
}

#[test]
fn refuses_a_tenant_whose_log_did_not_grow_with_its_heads() {
    let folder = Folder::new();
    let store = store(&folder);
    let mut world = World::new();
    let first = world.found();
    assert!(look(&world, &first, Some(&store)).is_ok());
    world.heads.last_mut().unwrap().size = 1;
    let smaller = world.found();
    let refused = look(&world, &smaller, Some(&store)).unwrap_err();
    let CliError::Client(error) = refused else {
        panic!("{refused:?}");
    };
    assert!(matches!(
        *error,
        ClientError::Heads(HeadsError::TenantNotForward { .. })
    ));
}

#[test]
fn refuses_a_root_log_that_is_smaller_than_the_remembered_one() {
    let folder = Folder::new();
    let store = store(&folder);
    let mut world = World::new();
    world.leaves_before = 4;
    let found = world.found();
    assert!(look(&world, &found, None).is_ok());
    assert_eq!(
        failed_check(look(&world, &found, Some(&store))),
        "root_log_leaf"
    );
    assert!(store.lock().unwrap().tenant(&TENANT).is_none());
}

#[test]
fn refuses_old_proofs_other_logs_other_tenants_and_no_proof() {
    let mut world = World::new();
    let found = world.found();
    let mut stale = World::new();
    stale.age_s = AGE_MS_MAX / 1000 + 60;
    let old = stale.found();
    assert_eq!(failed_check(look(&stale, &old, None)), "proof_age");
    let mut foreign = World::new();
    foreign.log_key = SignerKey::from_seed(ORIGIN, &[9; 32]).unwrap();
    assert_eq!(failed_check(look(&foreign, &found, None)), "root_log_leaf");
    let deployment = world.deployment();
    let other = Pinned {
        tenant: [8; 16],
        ..pinned(&deployment, None)
    };
    let other = verify_lookup(&found, NAME, other);
    assert_eq!(failed_check(other), "tenant_head");
    let none = FoundUser {
        proof: "no proof".to_owned(),
        ..found
    };
    assert_eq!(failed_check(look(&world, &none, None)), "proof_form");
}

#[test]
fn refuses_an_answer_about_another_person() {
    let mut world = World::new();
    let deployment = world.deployment();
    let good = world.found();
    let look =
        |found: &FoundUser, user: &str| verify_lookup(found, user, pinned(&deployment, None));
    assert!(look(&good, &good.id).is_ok());
    for user in ["bob@demo.example", "05050505-0404-0404-0404-040404040404"] {
        assert!(
            matches!(look(&good, user), Err(CliError::AnswerUnexpected { .. })),
            "{user}"
        );
    }
    // The service tells another name of this id than the proof is of.
    let renamed = FoundUser {
        user_name: "bob@demo.example".to_owned(),
        ..world.found()
    };
    assert_eq!(
        failed_check(look(&renamed, &renamed.id)),
        "name_state_and_key"
    );
    let moved = FoundUser {
        handle: [1; 32],
        ..world.found()
    };
    assert!(matches!(
        look(&moved, NAME),
        Err(CliError::Member(error)) if matches!(*error, MemberError::KeysDiffer { what: "handle" })
    ));
}

#[test]
fn proves_every_state_and_calls_only_one_usable() {
    for (state, usable) in [
        (SubjectState::Confirmed, true),
        (SubjectState::Provisioned, false),
        (SubjectState::SuspendedConfirmed, false),
    ] {
        let mut world = World::new();
        world.state = state;
        let found = world.found();
        let proven = look(&world, &found, None).unwrap();
        assert_eq!((proven.state, proven.is_usable()), (state, usable));
    }
}

#[test]
fn refuses_a_record_that_is_no_keyset_of_ours() {
    let world = World::new();
    assert!(keyset(&world.record()).is_ok());
    let mut short = world.record();
    short.enc_pk.pop();
    assert!(keyset(&short).is_err());
    let mut no_key = world.record();
    no_key.sig_pk = vec![0; 32];
    assert!(keyset(&no_key).is_err());
}

#[test]
fn proves_that_nobody_has_a_name_and_nothing_about_ids() {
    let folder = Folder::new();
    let store = store(&folder);
    let mut world = World::new();
    let deployment = world.deployment();
    let proof = world.absent();
    let at = pinned(&deployment, Some(&store));
    let time_ms = verify_absence(&proof, "BOB@demo.example", at).unwrap();
    assert!(time_ms + 60_000 > now_ms());
    assert_eq!(store.lock().unwrap().tenant(&TENANT).unwrap().version, 1);
    for (name, proof) in [(NAME, proof.clone()), (NOBODY, world.found().proof)] {
        let refused = verify_absence(&proof, name, pinned(&deployment, None));
        let CliError::Member(error) = refused.unwrap_err() else {
            panic!("{name}");
        };
        assert!(matches!(*error, MemberError::ProofRefused { .. }), "{name}");
    }
    let id = "05050505-0404-0404-0404-040404040404";
    assert!(matches!(
        verify_absence(&proof, id, at),
        Err(CliError::Member(error)) if matches!(*error, MemberError::AccessRefused { .. })
    ));
    let mut found = world.found();
    found.proof = world.absent();
    assert_eq!(
        failed_check(look(&world, &found, None)),
        "name_state_and_key"
    );
}
