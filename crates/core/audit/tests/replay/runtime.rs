//! A runtime for tests: it writes what it is told to write, also what no honest one would.

use std::collections::{BTreeMap, BTreeSet};

use base64ct::{Base64, Base64UrlUnpadded, Encoding as _};
use chancery_audit::{Audit, Audited, Roster, Shown, ShownGroup, ShownUser, Verdict};
use chancery_authority::{
    Act, ActName, Admin, AdminSet, BurstLimits, Delegation, DeploymentId, Domain, Genesis,
    IdMapping, IdentityProvider, ManagedGroups, Mode, OnDelete, ReleaseRule, Scope, ScopeSet,
    TenantSlug,
};
use chancery_claim::{
    ClaimContext, ClaimEvidence, ClaimId, ClaimProof, ClaimRequest, Jwk, Succession,
    UnsignedEvidence,
};
use chancery_directory::bundle::{self, Freshness, Question, Trust, Verified};
use chancery_directory::head::{EpochKind, head_opening, map_key, updates_digest};
use chancery_directory::record::{NameKind, member_leaf, name_input, name_label, tenant_handle};
use chancery_directory::vrf::SecretKey;
use chancery_directory::{
    ActSecret, BundleExtra, Details, Digest, DirName, Draft, Entry, EntryType, EpochLeaf, Exhibit,
    GroupDelta, Handle, KeyRecord, KeySource, LogState, NameMove, Opens, Origin, PrefixTree,
    TenantHead, TenantId, Validity, commit,
};
use chancery_dsse::{Envelope, SigningKey};
use chancery_json::{Object, Value};
use chancery_keyset::{Keyset, KeysetSeed};
use chancery_scim::{Catalogue, FoldedName, UserDocument};
use chancery_tlog::proof::UnverifiedProof;
use chancery_tlog::{Checkpoint, CosignerKey, MerkleTree, Policy, SignerKey, TreeHead, leaf_hash};
use sha2::{Digest as _, Sha256};

pub(crate) const DEPLOYMENT: [u8; 32] = [0xd0; 32];
pub(crate) const START_MS: u64 = 1_700_000_000_000;
pub(crate) const DAY_MS: u64 = 86_400_000;
const ISSUER: &str = "https://id.demo.example";
const ORIGIN: &str = "demo.example/atl/root/v1";

/// What an entry commits to as its key.
pub(crate) enum Key {
    None,
    Record(KeyRecord),
    Vrf,
}

/// What an entry commits to as its object.
#[derive(Clone, Copy)]
pub(crate) enum Object_ {
    None,
    Clear(Digest),
    Document,
    Members,
}

/// One entry to write.
pub(crate) struct Do {
    pub(crate) kind: EntryType,
    pub(crate) actor: Handle,
    pub(crate) subject: Handle,
    pub(crate) key: Key,
    pub(crate) object: Object_,
}

/// A name to move.
#[derive(Clone, Copy)]
pub(crate) enum Move {
    Bind([u8; 32], Handle),
    Release([u8; 32]),
}

/// One act to write.
pub(crate) struct Script {
    pub(crate) steps: Vec<Do>,
    pub(crate) details: Details,
    pub(crate) document: Vec<u8>,
    pub(crate) evidence: Vec<u8>,
    pub(crate) request: Vec<u8>,
    pub(crate) names: Vec<Move>,
}

impl Script {
    pub(crate) fn new(details: Details) -> Self {
        Self {
            steps: Vec::new(),
            details,
            document: Vec::new(),
            evidence: Vec::new(),
            request: Vec::new(),
            names: Vec::new(),
        }
    }

    pub(crate) fn step(mut self, kind: EntryType, actor: Handle, subject: Handle) -> Self {
        let object = if kind == EntryType::GroupMemberChanged {
            Object_::Members
        } else {
            Object_::None
        };
        self.steps.push(Do {
            kind,
            actor,
            subject,
            key: Key::None,
            object,
        });
        self
    }

    pub(crate) fn key(mut self, key: Key) -> Self {
        self.steps.last_mut().unwrap().key = key;
        self
    }

    pub(crate) fn object(mut self, object: Object_) -> Self {
        self.steps.last_mut().unwrap().object = object;
        self
    }

    pub(crate) fn document(mut self, document: impl Into<Vec<u8>>) -> Self {
        self.document = document.into();
        self
    }

    pub(crate) fn signed(mut self, (evidence, request): (Vec<u8>, Vec<u8>)) -> Self {
        self.evidence = evidence;
        self.request = request;
        self
    }

    pub(crate) fn moves(mut self, one: Move) -> Self {
        self.names.push(one);
        self
    }
}

pub(crate) struct User {
    pub(crate) handle: Handle,
    pub(crate) id: ClaimId,
    pub(crate) label: [u8; 32],
    pub(crate) version: u32,
    pub(crate) document: Vec<u8>,
    pub(crate) keyset: Keyset,
    pub(crate) device: Option<Keyset>,
    pub(crate) groups: BTreeSet<String>,
}

pub(crate) struct Group {
    pub(crate) handle: Handle,
    pub(crate) epoch: u32,
    pub(crate) fingerprint: [u8; 32],
    pub(crate) document: Vec<u8>,
}

pub(crate) struct Runtime {
    pub(crate) log: LogState,
    pub(crate) leaves: Vec<Vec<u8>>,
    pub(crate) exhibits: Vec<Exhibit>,
    pub(crate) now_ms: u64,
    pub(crate) tenant: TenantId,
    pub(crate) instance: Handle,
    pub(crate) delegation: Handle,
    pub(crate) delegation_hash: Digest,
    pub(crate) token: Handle,
    pub(crate) users: BTreeMap<String, User>,
    pub(crate) groups: BTreeMap<String, Group>,
    pub(crate) members: BTreeMap<Handle, BTreeSet<Handle>>,
    pub(crate) issuer: SigningKey,
    genesis_hash: [u8; 32],
    vrf: SecretKey,
    tree: MerkleTree,
    head: Option<TenantHead>,
    /// The first leaf and the last one, as they were written.
    ends: [Vec<u8>; 2],
    bindings: BTreeMap<[u8; 32], u32>,
    counter: u64,
    sequence: u64,
}

pub(crate) fn admin(seed: u8) -> SigningKey {
    SigningKey::from_seed([seed; 32])
}

pub(crate) fn names(list: &[&str]) -> BTreeSet<String> {
    list.iter().map(|name| (*name).to_string()).collect()
}

fn domains() -> BTreeSet<Domain> {
    ["demo.example", "demo.test"]
        .iter()
        .map(|text| Domain::parse(text).unwrap())
        .collect()
}

pub(crate) fn admin_set(seeds: &[u8], threshold: usize) -> AdminSet {
    let admins = seeds.iter().map(|seed| Admin {
        name: format!("admin {seed}"),
        key: admin(*seed).public_key(),
    });
    AdminSet::new(admins.collect(), threshold).unwrap()
}

fn genesis() -> Genesis {
    let recovery = Keyset::from_seed(KeysetSeed::from_bytes([9; 64])).unwrap();
    Genesis {
        deployment: DeploymentId::from_bytes(DEPLOYMENT),
        slug: TenantSlug::parse("demo").unwrap(),
        created_ms: START_MS,
        nonce: [7; 32],
        admins: admin_set(&[1, 2, 3], 2),
        recovery_key: recovery.public().clone(),
        domains: domains(),
        idp: Some(IdentityProvider {
            issuer: ISSUER.into(),
            client_id: "chancery".into(),
            mapping: IdMapping::SubToExternalId,
            tls_roots: Vec::new(),
        }),
        protected_groups: names(&["Owners"]),
        protected_accounts: names(&["root@demo.example"]),
        release_rule: ReleaseRule::FollowDeployment,
        witness_policy_sha256: [5; 32],
    }
}

pub(crate) fn terms(tenant: TenantId, serial: u64) -> Delegation {
    let demo = domains().into_iter().take(1).collect();
    Delegation {
        tenant: chancery_authority::TenantId::from_bytes(tenant.0),
        serial,
        not_before_ms: START_MS,
        not_after_ms: START_MS + 300 * DAY_MS,
        scopes: ScopeSet::all(),
        domains: demo,
        allow_user_names_without_domain: false,
        managed_groups: ManagedGroups::All,
        // The first delegation lets automation make the group that the later ones hold to be sensitive.
        sensitive_groups: if serial == 1 {
            names(&[])
        } else {
            names(&["Finance"])
        },
        protected_groups: names(&["Board"]),
        protected_accounts: names(&["ceo@demo.example"]),
        limits: BurstLimits {
            window_s: 3600,
            suspensions: 50,
            deletions: 20,
            grants: 1000,
            emptied_groups: 1,
        },
        credential_life_max_s: 90 * 86_400,
        on_delete: OnDelete::EraseAfterDays(30),
        id_mapping: Some(IdMapping::SubToExternalId),
        mode: Mode::Apply,
        pilot: None,
    }
}

pub(crate) fn user_document(name: &str, active: bool) -> Vec<u8> {
    let local = name.split('@').next().unwrap();
    let body = format!(
        r#"{{"userName":"{name}","externalId":"ext-{local}","active":{active},"emails":[{{"value":"{name}"}}]}}"#
    );
    UserDocument::parse_create(body.as_bytes(), Catalogue::STANDARD)
        .unwrap()
        .to_canonical()
}

pub(crate) fn group_document(name: &str) -> Vec<u8> {
    let body = format!(r#"{{"displayName":"{name}"}}"#);
    let (group, _) =
        chancery_scim::GroupDocument::parse_create(body.as_bytes(), Catalogue::STANDARD).unwrap();
    group.to_canonical()
}

impl Runtime {
    /// A tenant with genesis, the issuer's key, a delegation and a credential.
    pub(crate) fn new() -> Self {
        Self::of(&genesis())
    }

    /// A tenant that has no identity provider.
    pub(crate) fn without_provider() -> Self {
        let mut genesis = genesis();
        genesis.idp = None;
        Self::of(&genesis)
    }

    fn of(genesis: &Genesis) -> Self {
        let envelope = genesis.sign(&[&admin(1), &admin(2)]).unwrap();
        let verified = Genesis::verify(&envelope).unwrap();
        let tenant = TenantId(*verified.tenant().as_bytes());
        let mut runtime = Self {
            log: LogState::new(),
            leaves: Vec::new(),
            exhibits: Vec::new(),
            now_ms: START_MS,
            tenant,
            instance: Handle([0x11; 32]),
            delegation: Handle::ZERO,
            delegation_hash: Digest::ZERO,
            token: Handle::ZERO,
            users: BTreeMap::new(),
            groups: BTreeMap::new(),
            members: BTreeMap::new(),
            issuer: SigningKey::from_seed([0x77; 32]),
            genesis_hash: *verified.hash(),
            vrf: SecretKey::from_seed(&[3; 32]).unwrap(),
            tree: MerkleTree::new(),
            head: None,
            ends: [Vec::new(), Vec::new()],
            bindings: BTreeMap::new(),
            counter: 0,
            sequence: 0,
        };
        let script = Script::new(Details::new(Origin::Runtime))
            .step(EntryType::Genesis, runtime.instance, runtime.admins())
            .key(Key::Vrf)
            .document(envelope.to_json());
        runtime.perform(script);
        runtime.log_issuer_key();
        let mut terms = terms(tenant, 1);
        if genesis.idp.is_none() {
            terms.id_mapping = None;
        }
        runtime.delegate(&terms);
        runtime.issue_token(ScopeSet::all(), 60);
        runtime.close();
        runtime
    }

    pub(crate) fn admins(&self) -> Handle {
        tenant_handle(&self.tenant)
    }

    pub(crate) fn fresh(&mut self) -> [u8; 32] {
        self.counter += 1;
        Sha256::digest(self.counter.to_be_bytes()).into()
    }

    pub(crate) fn keyset(&mut self) -> Keyset {
        let (one, two) = (self.fresh(), self.fresh());
        let mut seed = [0; 64];
        seed[..32].copy_from_slice(&one);
        seed[32..].copy_from_slice(&two);
        Keyset::from_seed(KeysetSeed::from_bytes(seed)).unwrap()
    }

    pub(crate) fn record(&self, handle: Handle, version: u32, keyset: &Keyset) -> KeyRecord {
        KeyRecord {
            tenant: self.tenant,
            handle,
            key_version: version,
            source: KeySource::Enclave,
            enc_pk: keyset.public().kem().to_vec(),
            sig_pk: keyset.public().signing().to_vec(),
            not_before_ms: self.now_ms,
            activation_commit: Digest::ZERO,
        }
    }

    pub(crate) fn label(&self, name: &str) -> [u8; 32] {
        let folded = FoldedName::lookup(name);
        name_label(
            &self
                .vrf
                .evaluate(&name_input(NameKind::UserName, folded.as_str())),
        )
    }

    /// Writes an act: entries, names, private part.
    pub(crate) fn perform(&mut self, script: Script) -> u64 {
        let Script {
            steps,
            mut details,
            document,
            evidence,
            request,
            names,
        } = script;
        let part = |bytes: &[u8]| {
            if bytes.is_empty() {
                Digest::ZERO
            } else {
                Digest(Sha256::digest(bytes).into())
            }
        };
        details.document = part(&document);
        details.evidence = part(&evidence);
        let secret = ActSecret(self.fresh());
        let body = details.encode().unwrap();
        let first = self.log.next_index();
        let count = u32::try_from(steps.len()).unwrap();
        let mut records = Vec::new();
        for step in steps {
            let mut draft = Draft::new(step.kind, step.actor, step.subject, self.now_ms);
            draft.body_commit = commit("body", &secret.opening(Opens::Body), &body);
            draft.authz_hash = details.authz_hash();
            draft.key_commit = self.key_commit(&step, &secret, &mut records);
            draft.object_commit = self.object_commit(&step, &secret, &document);
            let entry = self.log.append(&draft).unwrap();
            self.push(entry.encode().to_vec());
        }
        let names = names
            .into_iter()
            .map(|one| self.move_name(one, &secret, first))
            .collect();
        self.exhibits.push(Exhibit {
            withheld: false,
            first,
            entries: count,
            secret,
            body,
            document,
            evidence,
            request,
            records,
            names,
        });
        first
    }

    fn key_commit(&self, step: &Do, secret: &ActSecret, records: &mut Vec<Vec<u8>>) -> Digest {
        match &step.key {
            Key::None => Digest::ZERO,
            Key::Record(record) => {
                records.push(record.encode().unwrap());
                let opening = secret.opening(Opens::Key(&step.subject));
                record.commit(&opening).unwrap()
            }
            Key::Vrf => {
                let public = self.vrf.public().to_bytes();
                records.push(public.to_vec());
                commit("vrf", &secret.opening(Opens::Vrf), &public)
            }
        }
    }

    fn object_commit(&self, step: &Do, secret: &ActSecret, document: &[u8]) -> Digest {
        match step.object {
            Object_::None => Digest::ZERO,
            Object_::Clear(digest) => digest,
            Object_::Document => {
                let digest: [u8; 32] = Sha256::digest(document).into();
                commit(
                    "object",
                    &secret.opening(Opens::Object(&step.subject)),
                    &digest,
                )
            }
            Object_::Members => {
                let mut tree = PrefixTree::new();
                for member in self.members.get(&step.subject).into_iter().flatten() {
                    let (key, value) = member_leaf(member);
                    tree.set(key, value).unwrap();
                }
                let opening = secret.opening(Opens::Members(&step.subject));
                commit("members", &opening, &tree.root().0)
            }
        }
    }

    fn move_name(&mut self, one: Move, secret: &ActSecret, since: u64) -> NameMove {
        match one {
            Move::Bind(label, handle) => {
                let binding = self.bindings.entry(label).or_insert(0);
                *binding += 1;
                let name = DirName {
                    handle,
                    binding: *binding,
                    since,
                };
                let value = name.value(&secret.opening(Opens::Name(&handle)));
                self.log.name_bind(label, value).unwrap();
                NameMove {
                    label,
                    value: Some(value),
                }
            }
            Move::Release(label) => {
                self.log.name_release(label).unwrap();
                NameMove { label, value: None }
            }
        }
    }

    pub(crate) fn push(&mut self, leaf: Vec<u8>) {
        self.tree.append(leaf_hash(&leaf));
        self.leaves.push(leaf);
    }

    /// Ends the batch.
    pub(crate) fn close(&mut self) {
        let root = self.log.seal_state_root(self.now_ms, 0).unwrap();
        self.push(root.encode().to_vec());
        self.ends = [self.leaves[0].clone(), root.encode().to_vec()];
        let (size, root) = (self.tree.size(), Digest(self.tree.root().0));
        self.head = Some(match &self.head {
            Some(head) => head.next(size, root),
            None => TenantHead::first(self.tenant, size, root),
        });
    }

    // --- what admins sign

    pub(crate) fn signed(&mut self, act: ActName, body: &str) -> (Vec<u8>, Vec<u8>) {
        self.signed_by(act, body, &[&admin(1), &admin(2)])
    }

    pub(crate) fn signed_by(
        &mut self,
        act: ActName,
        body: &str,
        keys: &[&SigningKey],
    ) -> (Vec<u8>, Vec<u8>) {
        self.sequence += 1;
        let signed = Act {
            deployment: DeploymentId::from_bytes(DEPLOYMENT),
            tenant: chancery_authority::TenantId::from_bytes(self.tenant.0),
            act,
            sequence: self.sequence,
            expires_ms: self.now_ms + 60_000,
            body_sha256: Sha256::digest(body).into(),
            exporter: [1; 32],
        };
        (signed.sign(keys).unwrap().to_json(), body.into())
    }

    /// The runtime has seen the issuer's key, and the admins let it count at once.
    pub(crate) fn log_issuer_key(&mut self) {
        self.see_issuer_key(self.now_ms + DAY_MS);
        let signed = self.signed(ActName::IssuerTrust, "{}");
        let script = Script::new(Details::new(Origin::Admins))
            .step(EntryType::PolicyChanged, self.admins(), self.admins())
            .object(Object_::Document)
            .document(self.issuer_keys(self.now_ms))
            .signed(signed);
        self.perform(script);
    }

    /// The runtime has seen the issuer's key, which counts from this time on.
    pub(crate) fn see_issuer_key(&mut self, from_ms: u64) {
        let script = Script::new(Details::new(Origin::Runtime))
            .step(EntryType::PolicyChanged, self.instance, self.admins())
            .object(Object_::Document)
            .document(self.issuer_keys(from_ms));
        self.perform(script);
    }

    fn issuer_keys(&self, from_ms: u64) -> String {
        let thumbprint = hex::encode(self.jwk().thumbprint().as_bytes());
        format!(r#"{{"thumbprints":["{thumbprint}"],"trusted_from_ms":[{from_ms}]}}"#)
    }

    pub(crate) fn jwk(&self) -> Jwk {
        let x = Base64UrlUnpadded::encode_string(&self.issuer.public_key().to_bytes());
        Jwk::parse(format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}"}}"#).as_bytes()).unwrap()
    }

    pub(crate) fn delegate(&mut self, terms: &Delegation) -> u64 {
        let paper = terms.sign(&[&admin(1), &admin(2)]).unwrap();
        self.delegate_paper(terms, &paper)
    }

    pub(crate) fn delegate_paper(&mut self, terms: &Delegation, paper: &Envelope) -> u64 {
        let handle = Handle(self.fresh());
        let validity = Validity {
            not_before_ms: terms.not_before_ms,
            not_after_ms: terms.not_after_ms,
        };
        let json = String::from_utf8(paper.to_json()).unwrap();
        let signed = self.signed(
            ActName::DelegationPut,
            &format!(r#"{{"delegation":{json}}}"#),
        );
        let script = Script::new(Details::new(Origin::Admins))
            .step(EntryType::DelegationGranted, self.admins(), handle)
            .object(Object_::Clear(validity.to_object_commit()))
            .document(json)
            .signed(signed);
        self.delegation = handle;
        self.delegation_hash = Digest(Sha256::digest(paper.unverified_payload()).into());
        self.perform(script)
    }

    pub(crate) fn issue_token(&mut self, scopes: ScopeSet, days: u64) -> u64 {
        self.issue_token_with(scopes, days, "")
    }

    /// A credential whose document has more members after the first three.
    pub(crate) fn issue_token_with(&mut self, scopes: ScopeSet, days: u64, more: &str) -> u64 {
        self.issue_token_asked((ActName::TokenIssue, "{}"), scopes, days, more)
    }

    /// The same, asked for by another request.
    pub(crate) fn issue_token_asked(
        &mut self,
        (name, request): (ActName, &str),
        scopes: ScopeSet,
        days: u64,
        more: &str,
    ) -> u64 {
        let handle = Handle(self.fresh());
        let validity = Validity {
            not_before_ms: self.now_ms,
            not_after_ms: self.now_ms + days * DAY_MS,
        };
        let scopes: Vec<String> = scopes.iter().map(|one| format!("\"{one}\"")).collect();
        let scopes = scopes.join(",");
        let signed = self.signed(name, request);
        let document = format!(
            r#"{{"label":"okta","scopes":[{scopes}],"delegation":"{}"{more}}}"#,
            self.delegation_hash
        );
        let script = Script::new(Details::new(Origin::Admins))
            .step(EntryType::TokenIssued, self.delegation, handle)
            .object(Object_::Clear(validity.to_object_commit()))
            .document(document)
            .signed(signed);
        self.token = handle;
        self.perform(script)
    }

    // --- what automation does

    pub(crate) fn automation(&self) -> Details {
        Details {
            delegation: self.delegation_hash,
            credential: self.token,
            ..Details::new(Origin::Credential)
        }
    }

    /// The user of a provisioning that is still to be written, and its script.
    pub(crate) fn provisioning(&mut self, name: &str) -> Script {
        let keyset = self.keyset();
        self.provisioning_with(name, &keyset)
    }

    /// The same with a pending keyset that was made before.
    pub(crate) fn provisioning_with(&mut self, name: &str, keyset: &Keyset) -> Script {
        let handle = Handle(self.fresh());
        let mut id = [0; 16];
        id.copy_from_slice(&self.fresh()[..16]);
        let label = self.label(name);
        let document = user_document(name, true);
        let record = self.record(handle, 1, keyset);
        let script = Script::new(self.automation())
            .step(EntryType::UserProvisioned, self.delegation, handle)
            .key(Key::Record(record))
            .document(document.clone())
            .moves(Move::Bind(label, handle));
        let user = User {
            handle,
            id: ClaimId::from_bytes(id),
            label,
            version: 1,
            document,
            keyset: copy_of(keyset),
            device: None,
            groups: BTreeSet::new(),
        };
        self.users.insert(name.into(), user);
        script
    }

    pub(crate) fn create(&mut self, name: &str) -> u64 {
        let script = self.provisioning(name);
        self.perform(script)
    }

    pub(crate) fn handle(&self, name: &str) -> Handle {
        self.users[name].handle
    }

    pub(crate) fn group(&self, name: &str) -> Handle {
        self.groups[name].handle
    }

    pub(crate) fn create_group(&mut self, name: &str) -> u64 {
        let handle = Handle(self.fresh());
        let keyset = self.keyset();
        let document = group_document(name);
        let script = Script::new(self.automation())
            .step(EntryType::GroupCreated, self.delegation, handle)
            .key(Key::Record(self.record(handle, 1, &keyset)))
            .document(document.clone());
        let group = Group {
            handle,
            epoch: 1,
            fingerprint: *keyset.public().fingerprint().as_bytes(),
            document,
        };
        self.groups.insert(name.into(), group);
        self.members.insert(handle, BTreeSet::new());
        self.perform(script)
    }

    /// The next epoch's key of a group.
    pub(crate) fn epoch(&mut self, name: &str) -> Key {
        let keyset = self.keyset();
        let group = self.groups.get_mut(name).unwrap();
        group.epoch += 1;
        group.fingerprint = *keyset.public().fingerprint().as_bytes();
        let (handle, epoch) = (group.handle, group.epoch);
        Key::Record(self.record(handle, epoch, &keyset))
    }

    /// Joins and leaves in a group, in the state of this runtime alone.
    pub(crate) fn regrouped(&mut self, name: &str, added: &[&str], removed: &[&str]) -> GroupDelta {
        let group = self.group(name);
        let handles =
            |list: &[&str]| -> Vec<Handle> { list.iter().map(|user| self.handle(user)).collect() };
        let (added_handles, removed_handles) = (handles(added), handles(removed));
        let members = self.members.get_mut(&group).unwrap();
        members.extend(added_handles.iter().copied());
        for handle in &removed_handles {
            members.remove(handle);
        }
        for user in added {
            let groups = &mut self.users.get_mut(*user).unwrap().groups;
            groups.insert(name.into());
        }
        for user in removed {
            let groups = &mut self.users.get_mut(*user).unwrap().groups;
            groups.remove(name);
        }
        GroupDelta {
            group,
            added: added_handles,
            removed: removed_handles,
        }
    }

    /// The script of a change of members by `actor`.
    pub(crate) fn regrouping(
        &mut self,
        mut details: Details,
        actor: Handle,
        (name, added, removed): (&str, &[&str], &[&str]),
    ) -> Script {
        details.groups = vec![self.regrouped(name, added, removed)];
        let group = self.group(name);
        let script = Script::new(details).step(EntryType::GroupMemberChanged, actor, group);
        if removed.is_empty() {
            return script;
        }
        let key = self.epoch(name);
        script
            .step(EntryType::GroupEpochStarted, actor, group)
            .key(key)
    }

    pub(crate) fn regroup(&mut self, name: &str, added: &[&str], removed: &[&str]) -> u64 {
        let (details, actor) = (self.automation(), self.delegation);
        let document = self.groups[name].document.clone();
        let script = self
            .regrouping(details, actor, (name, added, removed))
            .document(document);
        self.perform(script)
    }

    /// Suspension, or departure if the name is released with it.
    pub(crate) fn leaving(&mut self, details: Details, actor: Handle, name: &str) -> Script {
        let handle = self.handle(name);
        let groups = self.users[name].groups.clone();
        let mut script = Script::new(details).step(EntryType::Suspended, actor, handle);
        for group in groups {
            let delta = self.regrouped(&group, &[], &[name]);
            script.details.groups.push(delta);
            let group_handle = self.group(&group);
            let key = self.epoch(&group);
            script = script
                .step(EntryType::GroupMemberChanged, actor, group_handle)
                .step(EntryType::GroupEpochStarted, actor, group_handle)
                .key(key);
        }
        script
    }

    pub(crate) fn suspend(&mut self, name: &str) -> u64 {
        let (details, actor) = (self.automation(), self.delegation);
        let script = self
            .leaving(details, actor, name)
            .document(user_document(name, false));
        self.perform(script)
    }

    pub(crate) fn reactivate(&mut self, name: &str) -> u64 {
        let script = Script::new(self.automation())
            .step(EntryType::Reactivated, self.delegation, self.handle(name))
            .document(user_document(name, true));
        self.perform(script)
    }

    pub(crate) fn depart(&mut self, name: &str) -> u64 {
        let (details, actor) = (self.automation(), self.delegation);
        let label = self.users[name].label;
        let script = self
            .leaving(details, actor, name)
            .moves(Move::Release(label));
        self.perform(script)
    }

    pub(crate) fn rename(&mut self, name: &str, next: &str) -> u64 {
        let mut user = self.users.remove(name).unwrap();
        let old = user.label;
        user.label = self.label(next);
        user.document = user_document(next, true);
        user.version += 1;
        user.keyset = self.keyset();
        let record = self.record(user.handle, user.version, &user.keyset);
        let script = Script::new(self.automation())
            .step(EntryType::NameChanged, self.delegation, user.handle)
            .step(EntryType::KeyRotated, self.delegation, user.handle)
            .key(Key::Record(record))
            .document(user.document.clone())
            .moves(Move::Release(old))
            .moves(Move::Bind(user.label, user.handle));
        self.users.insert(next.into(), user);
        self.perform(script)
    }

    /// The timer's erasure of a user, whose acts are withheld from here on.
    pub(crate) fn erase(&mut self, name: &str) -> u64 {
        let handle = self.handle(name);
        let script = Script::new(Details::new(Origin::Runtime)).step(
            EntryType::Erased,
            self.instance,
            handle,
        );
        let index = self.perform(script);
        self.withhold(&handle);
        self.users.remove(name);
        index
    }

    /// Withholds the private parts of every act with an entry about this subject.
    pub(crate) fn withhold(&mut self, subject: &Handle) {
        for exhibit in &mut self.exhibits {
            let first = usize::try_from(exhibit.first).unwrap();
            let count = usize::try_from(exhibit.entries).unwrap();
            let leaves = &self.leaves[first..first + count];
            let about = |leaf: &Vec<u8>| Entry::decode(leaf).unwrap().subject == *subject;
            if leaves.iter().any(about) {
                let names = exhibit.names.clone();
                *exhibit = Exhibit::withheld(exhibit.first, exhibit.entries, names);
            }
        }
    }

    // --- claims

    pub(crate) fn context(&self) -> ClaimContext {
        ClaimContext {
            deployment: DEPLOYMENT,
            tenant: self.tenant.0,
            genesis: self.genesis_hash,
        }
    }

    /// A member's request with fresh keys, and those keys: account, then device.
    pub(crate) fn claim_request(&mut self, name: &str) -> (ClaimRequest, Keyset, Keyset) {
        let (account, device) = (self.keyset(), self.keyset());
        let mut request = ClaimRequest {
            challenge: b"challenge".to_vec(),
            claim: self.users[name].id,
            account: account.public().clone(),
            device: device.public().clone(),
            signature: [0; 64],
        };
        let nonce = request.nonce(&self.context()).unwrap();
        request.signature = account.signing_key().sign(&nonce.statement());
        (request, account, device)
    }

    /// An ID token of the issuer for this request and person.
    pub(crate) fn id_token(&self, request: &ClaimRequest, person: &str) -> ClaimProof {
        let now_s = self.now_ms / 1000;
        let payload = Object::new()
            .with("iss", ISSUER)
            .with("sub", person)
            .with("aud", "chancery")
            .with("exp", now_s + 300)
            .with("iat", now_s)
            .with("nonce", request.nonce(&self.context()).unwrap().to_text())
            .to_bytes();
        let header = Base64UrlUnpadded::encode_string(br#"{"alg":"EdDSA","typ":"JWT"}"#);
        let signed = format!("{header}.{}", Base64UrlUnpadded::encode_string(&payload));
        let signature = self.issuer.sign(signed.as_bytes());
        let signature = Base64UrlUnpadded::encode_string(&signature);
        ClaimProof::IdToken {
            token: format!("{signed}.{signature}"),
            key: Box::new(self.jwk()),
        }
    }

    /// The evidence of a claim, with the pending key's signature.
    pub(crate) fn evidence(
        &self,
        name: &str,
        request: ClaimRequest,
        proof: ClaimProof,
    ) -> ClaimEvidence {
        let user = &self.users[name];
        let new = request.account.fingerprint();
        let unsigned = UnsignedEvidence::new(request, proof);
        let succession = Succession {
            tenant: self.tenant.0,
            subject: user.handle.0,
            old: user.keyset.public().fingerprint(),
            new,
            evidence: unsigned.digest(),
        };
        let signature = user.keyset.signing_key().sign(&succession.statement());
        unsigned.signed(signature)
    }

    /// The entries of a claim: the new key, and the end of the pending one.
    pub(crate) fn confirming(
        &mut self,
        name: &str,
        (origin, actor): (Origin, Handle),
        account: Keyset,
        device: Option<Keyset>,
    ) -> Script {
        let user = self.users.get_mut(name).unwrap();
        user.version += 1;
        user.keyset = account;
        user.device = device;
        let user = &self.users[name];
        let mut record = self.record(user.handle, user.version, &user.keyset);
        record.source = KeySource::UserDevice;
        Script::new(Details::new(origin))
            .step(EntryType::KeyConfirmed, actor, user.handle)
            .key(Key::Record(record))
    }

    pub(crate) fn claim(&mut self, name: &str) -> u64 {
        let (request, account, device) = self.claim_request(name);
        let person = format!("ext-{}", name.split('@').next().unwrap());
        let proof = self.id_token(&request, &person);
        let evidence = self.evidence(name, request, proof).to_bytes();
        let handle = self.handle(name);
        let devices = Self::device_list(&[&device]);
        let script = self
            .confirming(name, (Origin::Claim, handle), account, Some(device))
            .step(EntryType::KeyDestroyed, handle, handle)
            .step(EntryType::DeviceChanged, handle, handle)
            .object(Object_::Document)
            .document(devices)
            .signed((evidence, Vec::new()));
        self.perform(script)
    }

    pub(crate) fn claim_confirmed(&mut self, name: &str) -> u64 {
        let (request, account, device) = self.claim_request(name);
        let body = format!(r#"{{"user":"{name}","code":"0000-0000"}}"#);
        let (act, body) = self.signed(ActName::ClaimConfirm, &body);
        let proof = ClaimProof::Confirmation {
            act: Envelope::parse(&act).unwrap(),
            body,
        };
        let evidence = self.evidence(name, request, proof).to_bytes();
        let (admins, handle) = (self.admins(), self.handle(name));
        let devices = Self::device_list(&[&device]);
        let instance = self.instance;
        let script = self
            .confirming(
                name,
                (Origin::ConfirmedClaim, admins),
                account,
                Some(device),
            )
            .step(EntryType::KeyDestroyed, instance, handle)
            .step(EntryType::DeviceChanged, admins, handle)
            .object(Object_::Document)
            .document(devices)
            .signed((evidence, Vec::new()));
        self.perform(script)
    }

    /// The member's own rotation of the account keyset.
    pub(crate) fn rotating(&mut self, name: &str) -> Script {
        let next = self.keyset();
        let (tenant, user) = (self.tenant.0, &self.users[name]);
        let succession = Succession {
            tenant,
            subject: user.handle.0,
            old: user.keyset.public().fingerprint(),
            new: next.public().fingerprint(),
            evidence: [0; 32],
        };
        let statement = succession.statement();
        let text = |bytes: &[u8]| Value::from(Base64::encode_string(bytes));
        let body = Object::new()
            .with("member", format!("{}", user.id))
            .with("account", text(&next.public().encode()))
            .with(
                "old_signature",
                text(&user.keyset.signing_key().sign(&statement)),
            )
            .with("new_signature", text(&next.signing_key().sign(&statement)))
            .with("wraps", Vec::<Value>::new())
            .to_bytes();
        let device = user.device.as_ref().unwrap().signing_key();
        let handle = user.handle;
        let body = String::from_utf8(body).unwrap();
        let signed = self.signed_by(ActName::KeysetRotate, &body, &[&device]);
        let user = self.users.get_mut(name).unwrap();
        user.version += 1;
        user.keyset = next;
        let user = &self.users[name];
        let mut record = self.record(handle, user.version, &user.keyset);
        record.source = KeySource::UserDevice;
        Script::new(Details::new(Origin::Member))
            .step(EntryType::KeyRotated, handle, handle)
            .key(Key::Record(record))
            .signed(signed)
    }

    /// The member's list of these devices, as a document.
    pub(crate) fn device_list(devices: &[&Keyset]) -> Vec<u8> {
        let list: Vec<Value> = devices
            .iter()
            .map(|device| {
                let id = hex::encode(device.public().fingerprint().as_bytes());
                Object::new()
                    .with("id", id)
                    .with("name", "phone")
                    .with("public", Base64::encode_string(&device.public().encode()))
                    .into()
            })
            .collect();
        Object::new().with("devices", list).to_bytes()
    }

    // --- the audit

    pub(crate) fn audited(&self) -> Audited {
        Audited {
            deployment: DEPLOYMENT,
            tenant: self.tenant,
        }
    }

    /// The witnessed head of the log as it is.
    pub(crate) fn head(&self) -> Verified {
        let head = self.head.unwrap();
        let log_key = SignerKey::from_seed(ORIGIN, &[8; 32]).unwrap();
        let witness = CosignerKey::from_seed("w.example", &[20; 32]).unwrap();
        let text = format!("witness w {}\nquorum w\n", witness.verifier());
        let policy = Policy::parse(&text).unwrap();
        let opening = head_opening(&[11; 32], head.version);
        let mut map = PrefixTree::new();
        map.set(map_key(&self.tenant), head.map_value(&opening))
            .unwrap();
        let leaf = EpochLeaf {
            kind: EpochKind::Epoch,
            epoch: 0,
            time_ms: self.now_ms,
            map_root: map.root(),
            updates: updates_digest(&[]).0,
            n_updates: 0,
            instance_key: Digest([6; 32]),
            policy_hash: Digest([6; 32]),
            detail: Vec::new(),
        };
        let mut root_log = MerkleTree::new();
        root_log.append(chancery_tlog::Hash(leaf.leaf_hash().unwrap().0));
        let tree_head = TreeHead::new(ORIGIN, 1, root_log.root()).unwrap();
        let mut note = Checkpoint::sign(tree_head, &log_key)
            .unwrap()
            .note()
            .clone();
        note.push(witness.cosign(note.text(), self.now_ms / 1000).unwrap())
            .unwrap();
        let path = |index| self.tree.inclusion(index, head.size).unwrap();
        let [genesis, state_root] = &self.ends;
        let extra = BundleExtra {
            leaf,
            map_opening: opening,
            head,
            map_path: map.prove(&map_key(&self.tenant)),
            state_root: chancery_directory::StateRoot::decode(state_root).unwrap(),
            state_root_path: path(head.size - 1),
            shown: bundle::Shown::Receipt(Box::new(bundle::ShownReceipt {
                entry: Entry::decode(genesis).unwrap(),
                index: 0,
                path: path(0),
            })),
        };
        let text = UnverifiedProof::new(
            Some(extra.encode().unwrap()),
            0,
            Vec::new(),
            note.encode().as_str().to_string(),
        )
        .unwrap()
        .encode();
        let trust = Trust {
            origin: ORIGIN,
            log_key: log_key.verifier(),
            policy: &policy,
            tenant: self.tenant,
        };
        let freshness = Freshness {
            now_ms: self.now_ms,
            age_ms_max: DAY_MS,
        };
        bundle::verify(
            &trust,
            text.as_bytes(),
            freshness,
            None,
            Question::Receipt(0),
        )
        .unwrap()
    }

    pub(crate) fn audit(&self) -> Verdict {
        self.audit_with(None, None)
    }

    pub(crate) fn audit_with(&self, roster: Option<&Roster>, shown: Option<&Shown>) -> Verdict {
        let mut audit = Audit::new(self.audited());
        for exhibit in &self.exhibits {
            audit.exhibit(exhibit.clone());
        }
        for leaf in &self.leaves {
            audit.leaf(leaf);
        }
        audit.finish(&self.head(), roster, shown)
    }

    /// What an honest service says now.
    pub(crate) fn shown(&self) -> Shown {
        let users = self.users.iter().map(|(name, user)| ShownUser {
            handle: user.handle,
            user_name: name.clone(),
            state: self.log.subject(&user.handle).unwrap().state,
            fingerprint: *user.keyset.public().fingerprint().as_bytes(),
        });
        let groups = self.groups.values().map(|group| ShownGroup {
            handle: group.handle,
            epoch: group.epoch,
            fingerprint: group.fingerprint,
            members: self.members[&group.handle].iter().copied().collect(),
        });
        Shown {
            users: users.collect(),
            groups: groups.collect(),
        }
    }
}

fn copy_of(keyset: &Keyset) -> Keyset {
    Keyset::from_seed(KeysetSeed::from_bytes(*keyset.seed().expose())).unwrap()
}

/// Scopes by name, for credentials that may do less.
pub(crate) fn scopes(list: &[Scope]) -> ScopeSet {
    list.iter().copied().collect()
}
