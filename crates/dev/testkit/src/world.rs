//! One deployment in memory.

use std::collections::{BTreeMap, BTreeSet};

use chancery_authority::{
    Act as SignedAct, ActName, Admin, AdminSet, Admission, BurstLimits, Delegation, DeploymentId,
    Domain, Genesis, ManagedGroups, Mode, OnDelete, ReleaseRule, Scope, ScopeSet, TenantId,
    TenantSlug, Token,
};
use chancery_directory::EpochKind;
use chancery_dsse::{Envelope, SigningKey};
use chancery_engine::{
    Act, Admit, Answer, Authority, Batch, LeafContext, Ledger, Recovered, Recovery, RecoveryError,
    Refusal, RootItem, RootKey, RootLog, SecretBytes, Settings, StreamBytes, Submission, TenantAct,
    View, root_origin,
};
use chancery_keyset::{Keyset, KeysetSeed};
use chancery_scim::Catalogue;
use chancery_sealing::Key;
use sha2::{Digest as _, Sha256};

use crate::seed::Seeded;

const SERVICE: &str = "demo.chancery.example";
pub(crate) const DEPLOYMENT: [u8; 32] = [0xd0; 32];
pub(crate) const EXPORTER: [u8; 32] = [0xe0; 32];
const CONTEXT: LeafContext = LeafContext {
    instance_key: [0x11; 32],
    policy_hash: [0x22; 32],
};
/// When every world begins, in milliseconds since the Unix epoch.
const BEGIN_MS: u64 = 1_800_000_000_000;

/// One deployment in memory, with one tenant called `demo`.
#[derive(Debug)]
pub struct World {
    /// The heads.
    pub ledger: Ledger<u64>,
    /// What readers see.
    pub view: View,
    /// The root log.
    pub log: RootLog,
    /// The host's store: records by stream.
    pub store: BTreeMap<StreamBytes, Vec<Vec<u8>>>,
    /// Now, in milliseconds since the Unix epoch.
    pub now_ms: u64,
    /// The tenant, once it is admitted.
    pub tenant: TenantId,
    /// Handle of the tenant's credential, once it is issued.
    pub credential: [u8; 32],
    /// Randomness of the world.
    pub seeded: Seeded,
    root: [u8; 32],
    admin_seed: [u8; 32],
    operator_seed: [u8; 32],
    admin: SigningKey,
    operator: SigningKey,
    next_reply: u64,
    sequence: u64,
}

impl World {
    /// A deployment without tenants, founded and booted.
    #[must_use]
    pub fn found(seed: u64) -> Self {
        let mut seeded = Seeded::new(seed);
        let root = *seeded.key().expose();
        let key = || RootKey::from_key(Key::from_bytes(root));
        let (operator_seed, admin_seed) = (*seeded.key().expose(), *seeded.key().expose());
        let operator = SigningKey::from_seed(operator_seed);
        let admin = SigningKey::from_seed(admin_seed);
        let log = RootLog::new(&root_origin(SERVICE), &key().log_seed()).expect("origin");
        let mut ledger = Ledger::new(key(), 1, CONTEXT, settings(&operator, &key()));
        ledger.anchor(b"anchor".to_vec());
        ledger.note(EpochKind::Genesis, b"genesis".to_vec());
        ledger.remember(RootItem::Tls {
            authority_key: SecretBytes::new(&[1]),
            authority_certificate: vec![2],
            leaf_key: SecretBytes::new(&[3]),
        });
        ledger.begin_epoch(1, CONTEXT);
        let mut world = Self {
            ledger,
            view: View::default(),
            log,
            store: BTreeMap::new(),
            now_ms: BEGIN_MS,
            tenant: TenantId::from_bytes([0; 16]),
            credential: [0; 32],
            seeded,
            root,
            admin_seed,
            operator_seed,
            admin,
            operator,
            next_reply: 0,
            sequence: 0,
        };
        world.commit();
        world
    }

    /// A deployment whose tenant `demo` may do everything in `demo.example` for a year.
    #[must_use]
    pub fn with_tenant(seed: u64) -> Self {
        let mut world = Self::found(seed);
        world.admit("demo").expect("admission");
        world
            .delegate(1, ScopeSet::all(), 365 * 86_400)
            .expect("delegation");
        world.issue_token(86_400).expect("token");
        world
    }

    /// Closes the open batch, makes it durable, logs it and shows it to readers.
    pub fn commit(&mut self) -> BTreeMap<u64, Result<Answer, Refusal>> {
        let batch = self.close();
        self.deliver(batch)
    }

    /// Closes the open batch only: it is sealed and has reached nobody.
    pub fn close(&mut self) -> Batch<u64> {
        self.ledger
            .close(self.now_ms, self.now_ms, &mut self.seeded)
            .expect("close")
    }

    /// Makes a closed batch durable, logs it and shows it to readers.
    pub fn deliver(&mut self, batch: Batch<u64>) -> BTreeMap<u64, Result<Answer, Refusal>> {
        for record in batch.records {
            let stream = self.store.entry(record.stream).or_default();
            assert_eq!(
                u64::try_from(stream.len()).ok(),
                Some(record.sequence),
                "store sequence"
            );
            stream.push(record.body);
        }
        for leaf in &batch.leaves {
            self.log.append(leaf);
        }
        self.log.sign().expect("sign");
        self.view.apply(&batch.effects);
        batch.replies.into_iter().collect()
    }

    /// Rebuilds a world from a store, as a restart does; its seed goes on from another place.
    ///
    /// # Errors
    /// What recovery refuses.
    pub fn recover(
        &self,
        store: &BTreeMap<StreamBytes, Vec<Vec<u8>>>,
    ) -> Result<Self, RecoveryError> {
        let key = || RootKey::from_key(Key::from_bytes(self.root));
        let empty = Vec::new();
        let root_records = store.get(&chancery_engine::ROOT_STREAM).unwrap_or(&empty);
        let (anchor, records) = root_records
            .split_first()
            .ok_or(RecoveryError::Incomplete)?;
        let mut recovery: Recovery<u64> = Recovery::begin(
            key(),
            anchor,
            &root_origin(SERVICE),
            CONTEXT,
            settings(&self.operator, &key()),
        )?;
        for record in records {
            recovery.root_record(record)?;
        }
        recovery.check_streams(store.keys().copied())?;
        for expected in recovery.expected_streams() {
            for record in store.get(&expected.stream).unwrap_or(&empty) {
                recovery.tenant_record(&expected.tenant, record)?;
            }
        }
        let Recovered {
            mut ledger,
            view,
            log,
            epoch,
            ..
        } = recovery.finish()?;
        ledger.begin_epoch(epoch.saturating_add(1), CONTEXT);
        Ok(Self {
            ledger,
            view,
            log,
            store: store.clone(),
            now_ms: self.now_ms,
            tenant: self.tenant,
            credential: self.credential,
            seeded: Seeded::new(u64::from_be_bytes([1; 8])),
            root: self.root,
            admin_seed: self.admin_seed,
            operator_seed: self.operator_seed,
            admin: SigningKey::from_seed(self.admin_seed),
            operator: SigningKey::from_seed(self.operator_seed),
            next_reply: self.next_reply,
            sequence: self.sequence,
        })
    }

    /// Lets the runtime's timer run once and commits what it did; returns whether it has more to do at once.
    pub fn tick(&mut self) -> bool {
        let fresh = self.seeded.key();
        let more = self.ledger.tick(self.now_ms, &fresh);
        if self.ledger.has_open() {
            self.commit();
        }
        more
    }

    /// Submits an act without closing its batch; returns the number of its reply.
    pub fn submit(&mut self, act: Act) -> u64 {
        let reply = self.next_reply;
        self.next_reply = self.next_reply.saturating_add(1);
        self.ledger.submit(self.now_ms, Submission { act, reply });
        reply
    }

    /// Submits an act and commits its batch.
    ///
    /// # Errors
    /// The refusal.
    pub fn act(&mut self, act: Act) -> Result<Answer, Refusal> {
        let reply = self.submit(act);
        self.commit().remove(&reply).expect("a reply for each act")
    }

    /// Admits a tenant and remembers it as the world's.
    ///
    /// # Errors
    /// The refusal.
    pub fn admit(&mut self, slug: &str) -> Result<Answer, Refusal> {
        let slug = TenantSlug::parse(slug).expect("slug");
        let admission = Admission {
            deployment: DeploymentId::from_bytes(DEPLOYMENT),
            slug: slug.clone(),
            expires_ms: self.now_ms.saturating_add(60_000),
            nonce: *self.seeded.key().expose(),
        };
        let recovery = Keyset::from_seed(KeysetSeed::from_bytes([9; 64])).expect("keyset");
        let admin = Admin {
            name: String::from("admin"),
            key: self.admin.public_key(),
        };
        let genesis = Genesis {
            deployment: DeploymentId::from_bytes(DEPLOYMENT),
            slug,
            created_ms: self.now_ms,
            nonce: *self.seeded.key().expose(),
            admins: AdminSet::new(vec![admin], 1).expect("admins"),
            recovery_key: recovery.public().clone(),
            domains: BTreeSet::from([domain()]),
            idp: None,
            protected_groups: BTreeSet::from([String::from("Owners")]),
            protected_accounts: BTreeSet::new(),
            release_rule: ReleaseRule::FollowDeployment,
            witness_policy_sha256: [5; 32],
        };
        let act = Act::Admit(Box::new(Admit {
            admission: admission.sign(&[&self.operator]).expect("admission"),
            genesis: genesis.sign(&[&self.admin]).expect("genesis"),
            fresh: self.seeded.key(),
        }));
        let answer = self.act(act)?;
        if let Answer::Admitted { tenant, .. } = &answer {
            self.tenant = *tenant;
        }
        Ok(answer)
    }

    /// Puts a delegation in force from now on, for `life_s` seconds.
    ///
    /// # Errors
    /// The refusal.
    pub fn delegate(
        &mut self,
        serial: u64,
        scopes: ScopeSet,
        life_s: u64,
    ) -> Result<Answer, Refusal> {
        self.delegate_with(serial, |delegation| {
            delegation.scopes = scopes;
            delegation.not_after_ms = delegation
                .not_before_ms
                .saturating_add(life_s.saturating_mul(1000));
            delegation.credential_life_max_s = life_s;
        })
    }

    /// Puts a delegation in force that gives every scope in `demo.example` for a year, changed by
    /// `terms`.
    ///
    /// # Errors
    /// The refusal.
    pub fn delegate_with(
        &mut self,
        serial: u64,
        terms: impl FnOnce(&mut Delegation),
    ) -> Result<Answer, Refusal> {
        let mut delegation = Delegation {
            tenant: self.tenant,
            serial,
            not_before_ms: self.now_ms,
            not_after_ms: self.now_ms.saturating_add(365 * 86_400_000),
            scopes: ScopeSet::all(),
            domains: BTreeSet::from([domain()]),
            allow_user_names_without_domain: false,
            managed_groups: ManagedGroups::All,
            sensitive_groups: BTreeSet::new(),
            protected_groups: BTreeSet::new(),
            protected_accounts: BTreeSet::new(),
            limits: BurstLimits {
                window_s: 3600,
                suspensions: 50,
                deletions: 20,
                grants: 1000,
                emptied_groups: 5,
            },
            credential_life_max_s: 86_400,
            on_delete: OnDelete::Suspend,
            id_mapping: None,
            mode: Mode::Apply,
            pilot: None,
        };
        terms(&mut delegation);
        let paper = delegation
            .sign(&[&self.admin])
            .expect("delegation")
            .to_json();
        let body = [b"{\"delegation\":".as_slice(), &paper, b"}"].concat();
        self.signed(ActName::DelegationPut, body)
    }

    /// Issues a credential with every scope and remembers it as the world's.
    ///
    /// # Errors
    /// The refusal.
    pub fn issue_token(&mut self, life_s: u64) -> Result<Token, Refusal> {
        let scopes: Vec<String> = Scope::ALL
            .iter()
            .map(|scope| format!("\"{}\"", scope.name()))
            .collect();
        let body = format!(
            "{{\"scopes\":[{}],\"life_s\":{life_s},\"label\":\"test\"}}",
            scopes.join(",")
        );
        match self.signed(ActName::TokenIssue, body.into_bytes())? {
            Answer::Credential {
                credential,
                secret: Some(token),
                ..
            } => {
                self.credential = credential.handle;
                Ok(Token::parse(&token.0).expect("token"))
            }
            other => panic_on(&other),
        }
    }

    /// Has the tenant's admin sign and send an act.
    ///
    /// # Errors
    /// The refusal.
    pub fn signed(&mut self, name: ActName, body: Vec<u8>) -> Result<Answer, Refusal> {
        let sequence = self.next_sequence();
        let envelope = self.sign(name, &body, sequence);
        self.send_signed(name, envelope, body)
    }

    /// What binds records to the world's store.
    #[must_use]
    pub fn store_tag(&self) -> [u8; 32] {
        RootKey::from_key(Key::from_bytes(self.root)).store_tag()
    }

    /// Key under which the world's tokens are digested and its access tokens made.
    #[must_use]
    pub fn token_key(&self) -> Key {
        RootKey::from_key(Key::from_bytes(self.root)).token_key()
    }

    pub(crate) const fn next_sequence(&mut self) -> u64 {
        self.sequence = self.sequence.saturating_add(1);
        self.sequence
    }

    /// The tenant's admin key.
    #[must_use]
    pub fn admin_key(&self) -> SigningKey {
        SigningKey::from_seed(self.admin_seed)
    }

    /// Signs as the holder of another key from here on.
    pub fn sign_as(&mut self, seed: [u8; 32]) {
        self.admin_seed = seed;
        self.admin = SigningKey::from_seed(seed);
    }

    /// Signs an act with the tenant's admin key.
    #[must_use]
    pub fn sign(&self, name: ActName, body: &[u8], sequence: u64) -> Envelope {
        self.sign_with(&self.admin, name, body, sequence)
    }

    /// Signs an act with any key.
    #[must_use]
    pub fn sign_with(
        &self,
        key: &SigningKey,
        name: ActName,
        body: &[u8],
        sequence: u64,
    ) -> Envelope {
        let act = SignedAct {
            deployment: DeploymentId::from_bytes(DEPLOYMENT),
            tenant: self.tenant,
            act: name,
            sequence,
            expires_ms: self.now_ms.saturating_add(60_000),
            body_sha256: Sha256::digest(body).into(),
            exporter: EXPORTER,
        };
        act.sign(&[key]).expect("act")
    }

    /// Sends a signed act as it is.
    ///
    /// # Errors
    /// The refusal.
    pub fn send_signed(
        &mut self,
        name: ActName,
        envelope: Envelope,
        body: Vec<u8>,
    ) -> Result<Answer, Refusal> {
        let fresh = self.seeded.key();
        self.act(Act::Tenant {
            tenant: self.tenant,
            authority: Authority::Signed {
                envelope: Box::new(envelope),
                exporter: EXPORTER,
                body,
            },
            act: Box::new(TenantAct::Signed {
                name,
                fresh,
                claim: None,
            }),
        })
    }

    /// An act of the world's credential.
    #[must_use]
    pub fn by_token(&self, act: TenantAct) -> Act {
        Act::Tenant {
            tenant: self.tenant,
            authority: Authority::Credential {
                handle: self.credential,
            },
            act: Box::new(act),
        }
    }
}

fn settings(operator: &SigningKey, root: &RootKey) -> Settings {
    Settings {
        deployment: DeploymentId::from_bytes(DEPLOYMENT),
        admission_keys: vec![operator.public_key()],
        token_key: root.token_key(),
        dangerous_any_domain: false,
        catalogue: Catalogue::STANDARD,
    }
}

fn domain() -> Domain {
    Domain::parse("demo.example").expect("domain")
}

#[expect(
    clippy::panic,
    reason = "the engine answered something else than what was asked"
)]
pub(crate) fn panic_on(answer: &Answer) -> ! {
    panic!("unexpected answer: {answer:?}")
}
