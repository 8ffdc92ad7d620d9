//! A tenant for the tests of this crate.

use alloc::collections::BTreeSet;
use alloc::string::{String, ToString as _};
use alloc::vec;

use chancery_dsse::{Envelope, SigningKey};
use chancery_json::ErrorKind;
use chancery_keyset::{Keyset, KeysetSeed};
use chancery_sealing::{Entropy, EntropyError};

use crate::admin::{Admin, AdminSet};
use crate::delegation::{BurstLimits, Delegation, ManagedGroups, Mode, OnDelete, Pilot};
use crate::error::{Error, FieldFault};
use crate::genesis::{Genesis, IdMapping, IdentityProvider, ReleaseRule, TenantAuthority};
use crate::name::{DeploymentId, Domain, TenantId, TenantSlug};
use crate::scope::{Scope, ScopeSet};

pub(crate) struct Counting(pub(crate) u8);

impl Entropy for Counting {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        for byte in out {
            self.0 = self.0.wrapping_add(1);
            *byte = self.0;
        }
        Ok(())
    }
}

pub(crate) fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed([seed; 32])
}

pub(crate) fn admins(seeds: &[u8], threshold: usize) -> AdminSet {
    let admins = seeds
        .iter()
        .map(|seed| Admin {
            name: alloc::format!("admin {seed}"),
            key: key(*seed).public_key(),
        })
        .collect();
    AdminSet::new(admins, threshold).unwrap()
}

pub(crate) fn names(list: &[&str]) -> BTreeSet<String> {
    list.iter().map(|name| (*name).to_string()).collect()
}

pub(crate) fn domains(list: &[&str]) -> BTreeSet<Domain> {
    list.iter()
        .map(|text| Domain::parse(text).unwrap())
        .collect()
}

/// Admins 1, 2 and 3, of whom two must sign.
pub(crate) fn genesis() -> Genesis {
    let recovery = Keyset::from_seed(KeysetSeed::from_bytes([9; 64])).unwrap();
    Genesis {
        deployment: DeploymentId::from_bytes([0xd0; 32]),
        slug: TenantSlug::parse("demo").unwrap(),
        created_ms: 1_700_000_000_000,
        nonce: [7; 32],
        admins: admins(&[1, 2, 3], 2),
        recovery_key: recovery.public().clone(),
        domains: domains(&["demo.example", "demo.test"]),
        idp: Some(IdentityProvider {
            issuer: "https://id.demo.example/realm".to_string(),
            client_id: "chancery".to_string(),
            mapping: IdMapping::SubToExternalId,
            tls_roots: vec![vec![1, 2, 3]],
        }),
        protected_groups: names(&["Owners"]),
        protected_accounts: names(&["root@demo.example"]),
        release_rule: ReleaseRule::FollowDeployment,
        witness_policy_sha256: [5; 32],
    }
}

pub(crate) fn authority() -> TenantAuthority {
    Genesis::verify(&genesis().sign(&[&key(1), &key(2)]).unwrap())
        .unwrap()
        .authority()
}

pub(crate) fn tenant() -> TenantId {
    authority().tenant()
}

pub(crate) fn delegation() -> Delegation {
    Delegation {
        tenant: tenant(),
        serial: 1,
        not_before_ms: 1_700_000_000_000,
        not_after_ms: 1_710_000_000_000,
        scopes: ScopeSet::from_iter([Scope::UsersRead, Scope::UsersCreate]),
        domains: domains(&["demo.example"]),
        allow_user_names_without_domain: false,
        managed_groups: ManagedGroups::Listed(names(&["Sales", "Finance"])),
        sensitive_groups: names(&["Finance"]),
        protected_groups: names(&["Board"]),
        protected_accounts: names(&["ceo@demo.example"]),
        limits: BurstLimits {
            window_s: 3600,
            suspensions: 50,
            deletions: 20,
            grants: 1000,
            emptied_groups: 1,
        },
        credential_life_max_s: 7_776_000,
        on_delete: OnDelete::EraseAfterDays(30),
        id_mapping: Some(IdMapping::SubToExternalId),
        mode: Mode::Apply,
        pilot: Some(Pilot {
            users: names(&["ada@demo.example"]),
            groups: names(&["Sales"]),
        }),
    }
}

/// What `from_json` says about `text` after `from` was replaced by `to`, which must occur once.
pub(crate) fn edited(payload: &[u8], from: &str, to: &str) -> String {
    let text = core::str::from_utf8(payload).unwrap();
    assert_eq!(text.matches(from).count(), 1, "{from} in {text}");
    text.replace(from, to)
}

pub(crate) fn json_fault(error: Error) -> (ErrorKind, String) {
    let Error::Json(error) = error else {
        panic!("no JSON fault: {error:?}");
    };
    (error.kind(), error.pointer().to_string())
}

pub(crate) fn field_fault(pointer: &str, fault: FieldFault) -> Error {
    Error::field(pointer, fault)
}

/// Runs a reader against every way in which the members of its document can be wrong: each member
/// missing, an unknown one beside each, each one twice.
pub(crate) fn assert_strict(payload: &[u8], read: impl Fn(&[u8]) -> Option<Error>) {
    assert_eq!(read(payload), None);
    let text = core::str::from_utf8(payload).unwrap();
    let value = chancery_json::Value::parse(payload, &chancery_json::Limits::DOCUMENT).unwrap();
    let mut places = vec![(value.clone(), String::new())];
    let mut objects = vec![];
    while let Some((value, pointer)) = places.pop() {
        match value {
            chancery_json::Value::Object(object) => {
                for (name, inner) in object.iter() {
                    places.push((inner.clone(), alloc::format!("{pointer}/{name}")));
                }
                objects.push((object, pointer));
            }
            chancery_json::Value::Array(items) => {
                for (index, item) in items.into_iter().enumerate() {
                    places.push((item, alloc::format!("{pointer}/{index}")));
                }
            }
            chancery_json::Value::Null
            | chancery_json::Value::Bool(_)
            | chancery_json::Value::Number(_)
            | chancery_json::Value::String(_) => {}
        }
    }
    for (object, pointer) in objects {
        let original = String::from_utf8(object.to_bytes()).unwrap();
        assert_eq!(text.matches(&original).count(), 1, "{original}");
        let replaced = |with: &[u8]| {
            let with = core::str::from_utf8(with).unwrap();
            read(text.replace(&original, with).as_bytes()).unwrap()
        };
        let unknown = object.clone().with("unknown", true);
        assert_eq!(
            json_fault(replaced(&unknown.to_bytes())),
            (
                ErrorKind::UnknownMember,
                alloc::format!("{pointer}/unknown")
            )
        );
        for (name, _) in object.iter() {
            let mut without = object.clone();
            without.remove(name).unwrap();
            assert_eq!(
                json_fault(replaced(&without.to_bytes())),
                (ErrorKind::MissingMember, alloc::format!("{pointer}/{name}"))
            );
            let twice = original.replacen('{', &alloc::format!("{{\"{name}\":null,"), 1);
            let (kind, place) = json_fault(replaced(twice.as_bytes()));
            assert_eq!(kind, ErrorKind::DuplicateMember, "{pointer}/{name}");
            assert!(place.starts_with(&pointer), "{place}");
        }
    }
}

/// Asserts that each single-bit change of the first signature is refused.
pub(crate) fn assert_every_signature_bit_counts(
    envelope: &Envelope,
    verify: impl Fn(&Envelope) -> Option<Error>,
) {
    use base64ct::{Base64, Encoding as _};
    assert_eq!(verify(envelope), None);
    let text = String::from_utf8(envelope.to_json()).unwrap();
    let (_, tail) = text.split_once("\"sig\":\"").unwrap();
    let (encoded, _) = tail.split_once('"').unwrap();
    let signature = Base64::decode_vec(encoded).unwrap();
    for bit in 0..512 {
        let mut changed = signature.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let changed = text.replace(encoded, &Base64::encode_string(&changed));
        let error = verify(&Envelope::parse(changed.as_bytes()).unwrap());
        assert!(
            matches!(
                error,
                Some(Error::Envelope(chancery_dsse::Error::BadSignature { .. }))
            ),
            "bit {bit}: {error:?}"
        );
    }
}
