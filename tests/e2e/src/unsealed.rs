//! The keys that live in the runtime alone, unsealed as the emulated processor's owner can: from the chip's
//! seed and the store. On hardware nobody can.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use chancery_authority::DeploymentId;
use chancery_emulated_sp::{Chip, Guest, Machine};
use chancery_engine::{
    Custody, LeafContext, ROOT_PURPOSE, ROOT_STREAM, Recovered, Recovery, RootAnchor, RootKey,
    Settings, root_origin,
};
use chancery_platform::{DerivedKeyRequest, SecureProcessor as _};
use chancery_scim::Catalogue;
use chancery_sealing::{Key, open};
use rusqlite::Connection;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::programs::program;
use crate::scan::Needle;

/// Where the private scalar of a P-256 key stands in its PKCS#8 form (RFC 5958, RFC 5915).
const SCALAR: std::ops::Range<usize> = 36..68;

/// A key of the service, by its name in messages.
fn needle(name: &str, key: &Key) -> Needle {
    Needle::new(name, key.expose())
}

/// The key of the certificate that a runtime serves.
#[must_use]
pub fn leaf_key(data: &Path) -> PrivateKeyDer<'static> {
    let (_, recovered) = recovered(data);
    let key = recovered.tls.leaf_key.expose().to_vec();
    PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key))
}

/// Every private key that the store's state holds or derives.
#[must_use]
pub fn private_keys(data: &Path) -> Vec<Needle> {
    let (mut needles, recovered) = recovered(data);
    for (name, key) in [
        ("TLS authority key", &recovered.tls.authority_key),
        ("TLS leaf key", &recovered.tls.leaf_key),
    ] {
        needles.push(Needle::new(name, key.expose().get(SCALAR).unwrap()));
    }
    let tenant = recovered.view.tenant_of_slug("demo").unwrap();
    let key = tenant.secrets.key();
    needles.extend([
        needle("tenant storage key", key.expose()),
        needle("tenant journal key", &key.journal_key()),
        needle("VRF secret", &key.vrf_seed()),
        needle("map key", &key.map_key()),
    ]);
    let mut keysets = 0;
    let mut keyset = |name: &str, handle: &[u8; 32], sealed: &[u8]| {
        let seed = key.open_keyset(handle, sealed).unwrap();
        let (kem, signing) = seed.split_at(32);
        keysets += 1;
        [kem, signing].map(|half| Needle::new(name, half))
    };
    for user in tenant.registry.users().in_order() {
        if let Custody::Pending(pending) = &user.custody {
            let sealed = &pending.sealed_seed;
            needles.extend(keyset("pending keyset", &user.handle, sealed));
        }
    }
    for group in tenant.registry.groups().in_order() {
        for epoch in tenant.registry.epochs(group.id) {
            needles.extend(keyset("group key", &group.handle, &epoch.sealed_seed));
        }
    }
    assert!(keysets > 1, "a user and a group with a keyset");
    needles
}

/// The root and what it derives, and the state that it opens. The service may be running.
fn recovered(data: &Path) -> (Vec<Needle>, Recovered<()>) {
    let store = Connection::open(data.join("host").join("store.sqlite3")).unwrap();
    // One view of the store, whatever is appended meanwhile.
    store.execute_batch("BEGIN").unwrap();
    let stored = records(&store, &ROOT_STREAM);
    let (anchor, rest) = stored.split_first().unwrap();
    let root = root(data, anchor);
    let needles = vec![
        needle("deployment root", root.expose()),
        needle("log signing key", &root.log_seed()),
        needle("root journal key", &root.journal_key()),
        needle("token digest key", &root.token_key()),
    ];
    let settings = Settings {
        deployment: DeploymentId::from_bytes([0; 32]),
        admission_keys: Vec::new(),
        token_key: root.token_key(),
        dangerous_any_domain: false,
        catalogue: Catalogue::STANDARD,
    };
    let context = LeafContext {
        instance_key: [0; 32],
        policy_hash: [0; 32],
    };
    let origin = root_origin("demo.chancery.example");
    let mut recovery: Recovery<()> =
        Recovery::begin(root, anchor, &origin, context, settings).unwrap();
    for record in rest {
        recovery.root_record(record).unwrap();
    }
    for stream in recovery.expected_streams() {
        for record in records(&store, &stream.stream) {
            recovery.tenant_record(&stream.tenant, &record).unwrap();
        }
    }
    (needles, recovery.finish().unwrap())
}

/// The deployment root: opened with the key that the processor derives for this image on this chip.
fn root(data: &Path, anchor: &[u8]) -> RootKey {
    let anchor = RootAnchor::decode(anchor).unwrap();
    let chip = Chip::open(&data.join("emulated-sp"), None, 0).unwrap();
    let image = fs::read(program("chancery-runtime-dev")).unwrap();
    let configuration = fs::read(data.join("host").join("configuration.json")).unwrap();
    let guest = Guest::measure(&image, &configuration).unwrap();
    let level = chip.product().level();
    let machine = Machine::launch(Arc::new(chip), level, guest, Arc::new(|| 0)).unwrap();
    let request = DerivedKeyRequest::sealing(anchor.guest_svn, anchor.tcb_version);
    let key = machine.derived_key(&request).unwrap();
    let root = open(
        &key,
        ROOT_PURPOSE,
        &anchor.configuration,
        &anchor.sealed_root,
    )
    .unwrap();
    RootKey::from_key(Key::from_bytes(root.as_slice().try_into().unwrap()))
}

fn records(store: &Connection, stream: &[u8]) -> Vec<Vec<u8>> {
    let mut rows = store
        .prepare(
            "SELECT body FROM record WHERE stream = (SELECT number FROM stream WHERE id = ?1)
             ORDER BY sequence",
        )
        .unwrap();
    rows.query_map([stream], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect()
}
