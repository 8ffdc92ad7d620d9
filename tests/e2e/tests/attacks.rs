//! Who stands between a client and its runtime hears the attestation request and nothing else.
//!
//! Relay, stolen leaf key, replay, diversion, downgrade, ticket resumption, second runtime with the same
//! image, stale beacon, revoked release: each is played on the wire between real processes. The clients are
//! `chancery-dev verify` and `vendor-app`, which has a request to make; both must refuse by the very check
//! that the attack is about. That nothing of the request left is seen on both sides of the attacker: in
//! what it could read, and in what the genuine runtimes say that they answered.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail by panicking"
)]

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use base64ct::{Base64, Encoding as _};
use chancery_authority::KeyFile;
use chancery_dsse::{Envelope, SigningKey};
use chancery_e2e::{
    Answer, Client, ClientHello, Finished, Heard, Identity, Impostor, Request, SHORT,
    SUPPORTED_VERSIONS, Service, Tap, Terms, Tls, eventually, refused, run, signal,
};
use chancery_verify::{RELEASE_POLICY_TYPE, ReleasePolicy, open_release_policy};
use rustix::process::Signal;
use rustls::HandshakeKind;
use serde_json::{Value, json};
use tempfile::TempDir;

/// The runtime that clients pin, and one of the same image in a deployment of its own.
static SERVICE: LazyLock<Service> = LazyLock::new(Service::lasting);
static OTHER: LazyLock<Service> = LazyLock::new(Service::lasting);

/// One attack at a time, because requests are counted.
static TURN: Mutex<()> = Mutex::new(());

const ATTEST: &str = "POST /.well-known/chancery/v1/attest HTTP/1.1";
/// The file beside the pins that names the emulated processor's root.
const ROOTS_FILE: &str = "emulated-roots.json";
const EPOCH: [&str; 0] = [];
const HARDWARE: [&str; 1] = ["--hardware"];

/// What genuine runtimes have answered since an attack began. While there is one, there is no other.
struct Witnessed<'a> {
    services: Vec<&'a Service>,
    before: Vec<Counts>,
    _turn: MutexGuard<'static, ()>,
}

/// How many requests of each class a service has answered.
type Counts = BTreeMap<String, u64>;

impl Witnessed<'static> {
    /// The pinned runtime and the other one, in this order.
    fn begin() -> Self {
        Self::over(vec![&SERVICE, &OTHER])
    }
}

impl<'a> Witnessed<'a> {
    fn over(services: Vec<&'a Service>) -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        Self {
            before: counted(&services),
            services,
            _turn: turn,
        }
    }

    /// Sees that the runtimes answered so many requests for attestation each, and none of any other class.
    fn attested_alone(&self, attest: &[u64]) {
        self.answered(attest, 0);
    }

    /// The same, but for so many requests of an application that the first of them answered.
    fn answered(&self, attest: &[u64], application: u64) {
        for (number, after) in counted(&self.services).into_iter().enumerate() {
            for (class, count) in after {
                let grown = count - self.before[number][&class];
                let expected = match class.as_str() {
                    "attest" => attest[number],
                    "attested" if number == 0 => application,
                    // The look at the counters is one itself.
                    "scim_read" => continue,
                    _ => 0,
                };
                assert_eq!(grown, expected, "{class} of runtime {number}");
            }
        }
    }
}

fn published(service: &Service) -> Counts {
    let (_, metrics) = service.status("/metrics");
    let classes: Counts = metrics
        .lines()
        .filter_map(|line| {
            let line = line.strip_prefix("chancery_requests_total{class=\"")?;
            let (class, count) = line.split_once("\"} ")?;
            Some((class.to_owned(), count.parse().ok()?))
        })
        .collect();
    assert_eq!(classes.len(), 6, "{metrics}");
    classes
}

/// Counts that are not older than this call: a runtime tells its host once a second.
fn counted(services: &[&Service]) -> Vec<Counts> {
    let reads = services.iter().map(|service| {
        let before = published(service)["scim_read"];
        service.await_answer();
        before
    });
    let reads: Vec<u64> = reads.collect();
    let both = services.iter().zip(reads);
    both.map(|(service, before)| {
        eventually("a newer count", SHORT, || {
            Some(published(service)).filter(|counts| counts["scim_read"] > before)
        })
    })
    .collect()
}

/// Pins of a client, and where it is led.
struct Target {
    pins: String,
    address: SocketAddr,
    _folder: Option<TempDir>,
}

impl Target {
    /// What the deployment's own clients pin.
    fn genuine(address: SocketAddr) -> Self {
        let pins = SERVICE.ready().text("deployment_file").to_owned();
        Self {
            pins,
            address,
            _folder: None,
        }
    }

    fn with(address: SocketAddr, change: impl FnOnce(&mut Value)) -> Self {
        let folder = TempDir::new().unwrap();
        Self {
            pins: SERVICE.pins_with(folder.path(), change),
            address,
            _folder: Some(folder),
        }
    }

    /// A client that believes an attacker's authority: by mistake, by force or by a stolen key of it.
    fn believing(address: SocketAddr, authority_pem: &str) -> Self {
        Self::with(address, |pins| pins["tls_roots_pem"] = json!(authority_pem))
    }

    fn run(&self, program: &str, first: &[&str], options: &[&str]) -> Finished {
        let address = self.address.to_string();
        let target = ["--deployment", &self.pins, "--address", &address];
        run(program, &[first, &target, options].concat())
    }

    fn verify(&self, options: &[&str]) -> Finished {
        self.run("chancery-dev", &["verify", "--json"], options)
    }

    fn app(&self, options: &[&str]) -> Finished {
        self.run("vendor-app", &[], options)
    }

    /// Both programs refuse at one and the same check of the appraisal.
    fn is_refused(&self, options: &[&str], check: &str) {
        assert_eq!(refused(&self.verify(options)), [check]);
        let refusals = self.app_is_refused(options);
        for refusal in refusals {
            assert_eq!(refusal["checks"], json!([check]), "{refusal}");
        }
    }

    /// `verify` names a check that comes before the appraisal, and the app says the same in words.
    fn is_refused_early(&self, options: &[&str], check: &str, reason: &str) {
        assert_eq!(refused(&self.verify(options)), [check]);
        for refusal in self.app_is_refused(options) {
            assert_eq!(refusal["checks"], json!([]), "{refusal}");
            assert_eq!(refusal["reason"], reason, "{refusal}");
        }
    }

    fn app_is_refused(&self, options: &[&str]) -> Vec<Value> {
        let finished = self.app(options);
        assert_eq!(finished.code, Some(1), "{finished:?}");
        let report = finished.json();
        assert_eq!(report["answers"], json!([]), "{report}");
        let refusals = report["refusals"].as_array().unwrap().clone();
        assert!(!refusals.is_empty(), "{report}");
        refusals
    }
}

/// Sees that a connection carried one attestation request of exactly this form, and nothing else.
fn carried_the_attestation_request_alone(heard: &Heard) {
    let [request] = heard.requests.as_slice() else {
        panic!("{:?}", heard.requests);
    };
    let whole = [request.head.as_bytes(), &request.body].concat();
    assert_eq!(heard.plaintext, whole, "nothing but the request");
    let port = SERVICE.ready().address().port();
    let expected = format!(
        "{ATTEST}\r\nhost: localhost:{port}\r\naccept: application/json, application/problem+json\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        request.body.len()
    );
    assert_eq!(request.head, expected);
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    let members: Vec<&String> = body.as_object().unwrap().keys().collect();
    assert_eq!(members, ["mode", "nonce", "version"]);
    assert_eq!(
        Base64::decode_vec(body["nonce"].as_str().unwrap())
            .unwrap()
            .len(),
        32
    );
}

/// The same for every connection of so many.
fn heard_attestation_alone(impostor: &Impostor, connections: usize) {
    let heard = impostor.heard();
    assert_eq!(heard.len(), connections);
    for one in &heard {
        carried_the_attestation_request_alone(one);
    }
}

/// Sees that an impostor read nothing at all, however often it was called.
fn heard_nothing(impostor: &Impostor, connections: usize) {
    let heard = impostor.heard();
    assert_eq!(heard.len(), connections);
    for one in &heard {
        assert!(one.plaintext.is_empty(), "{one:?}");
        assert!(ClientHello::parse(&one.wire).is_some(), "it was spoken to");
    }
}

/// Asks a genuine runtime to attest, as anybody may, and gives its answer.
fn attestation(service: &Service, mode: &str) -> Answer {
    let nonce = Base64::encode_string(&[7; 32]);
    let body = json!({"version": 1, "nonce": nonce, "mode": mode});
    let path = "/.well-known/chancery/v1/attest";
    let json = [("content-type", "application/json")];
    let answer = service
        .anonymous()
        .request("POST", path, &json, body.to_string().as_bytes());
    answer.expect(200)
}

#[test]
fn both_clients_are_answered_when_nobody_attacks() {
    for mode in [&EPOCH[..], &HARDWARE] {
        let witnessed = Witnessed::begin();
        let tap = Tap::tcp(SERVICE.ready().address());
        let target = Target::genuine(tap.address());
        assert_eq!(target.verify(mode).code, Some(0));
        let app = target.app(mode);
        assert_eq!(app.code, Some(0), "{app:?}");
        let passed = app.json()["answers"][0]["checks_passed"].as_u64().unwrap();
        assert!(passed > 80, "{app:?}");
        witnessed.answered(&[2, 0], 1);
    }
}

#[test]
fn relay_a_trusted_certificate_in_front_of_a_genuine_runtime() {
    for (service, expected, attested) in [
        (&*SERVICE, "session_exporter", [4, 0]),
        (&*OTHER, "node_deployment", [0, 4]),
    ] {
        let witnessed = Witnessed::begin();
        let (identity, authority) = Identity::invented();
        let impostor = Impostor::relaying(service, &identity);
        let target = Target::believing(impostor.address(), &authority);
        for mode in [&EPOCH[..], &HARDWARE] {
            target.is_refused(mode, expected);
        }
        heard_attestation_alone(&impostor, 4);
        witnessed.attested_alone(&attested);

        // Every command appraises first: an admin's signed act reaches no impostor either.
        let ready_file = SERVICE.ready_file().to_owned();
        let issue = [
            "token",
            "issue",
            "--label",
            "stolen",
            "--ready-file",
            &ready_file,
        ];
        let issued = target.run("chancery-dev", &issue, &[]);
        assert_eq!(issued.code, Some(1), "{issued:?}");
        heard_attestation_alone(&impostor, 5);
    }
}

#[test]
fn relay_a_certificate_that_nobody_trusts_hears_nothing() {
    let witnessed = Witnessed::begin();
    let (identity, _) = Identity::invented();
    let impostor = Impostor::relaying(&SERVICE, &identity);
    let target = Target::genuine(impostor.address());
    target.is_refused_early(&[], "tls_leaf", "tls refused the server");
    heard_nothing(&impostor, 2);
    witnessed.attested_alone(&[0, 0]);
}

#[test]
fn stolen_leaf_key_is_worth_an_attestation_request() {
    let identity = Identity::stolen(&SERVICE);
    for (service, expected, attested) in [
        (&*SERVICE, "session_exporter", [4, 0]),
        // The thief has a runtime of his own, of the very same image, behind the stolen name.
        (&*OTHER, "node_deployment", [0, 4]),
    ] {
        let witnessed = Witnessed::begin();
        let impostor = Impostor::relaying(service, &identity);
        let target = Target::genuine(impostor.address());
        for mode in [&EPOCH[..], &HARDWARE] {
            target.is_refused(mode, expected);
        }
        heard_attestation_alone(&impostor, 4);
        witnessed.attested_alone(&attested);
    }
}

#[test]
fn replay_an_answer_to_somebody_else() {
    let identity = Identity::stolen(&SERVICE);
    for (mode, word) in [(&EPOCH[..], "epoch"), (&HARDWARE, "hardware")] {
        let witnessed = Witnessed::begin();
        let recorded = attestation(&SERVICE, word);
        let impostor = Impostor::new(&SERVICE, &identity, Terms::Modern, move |_, _| {
            Some(recorded.clone())
        });
        Target::genuine(impostor.address()).is_refused(mode, "session_nonce");
        heard_attestation_alone(&impostor, 2);
        witnessed.attested_alone(&[1, 0]);
    }
}

#[test]
fn diversion_to_another_runtime_ends_in_the_handshake() {
    let witnessed = Witnessed::begin();
    let tap = Tap::tcp(OTHER.ready().address());
    let target = Target::genuine(tap.address());
    target.is_refused_early(&[], "tls_leaf", "tls refused the server");
    assert!(tap.recording.size() > 0, "the other one was spoken to");
    witnessed.attested_alone(&[0, 0]);
}

#[test]
fn diversion_after_the_handshake_breaks_the_connection() {
    let witnessed = Witnessed::begin();
    let tap = Tap::splice(SERVICE.ready().address(), OTHER.ready().address());
    let target = Target::genuine(tap.address());
    let reason = "http failed on this connection";
    target.is_refused_early(&[], "attest_response", reason);
    assert!(tap.recording.size() > 0, "the other one was spoken to");
    witnessed.attested_alone(&[0, 0]);
}

#[test]
fn second_runtime_of_the_same_image_is_refused_by_each_pin() {
    let theirs = PathBuf::from(OTHER.ready().text("deployment_file"));
    let their_roots = theirs.with_file_name(ROOTS_FILE);
    let theirs: Value = serde_json::from_slice(&fs::read(theirs).unwrap()).unwrap();
    let mut confused = vec!["tls_roots_pem"];
    // Whoever is talked out of one pin is still kept safe by the next, until none is left.
    for (check, next) in [
        ("node_deployment", &["deployment_id"][..]),
        ("node_log", &["log_origin", "log_key"]),
        ("policy_signed", &["release_keys"]),
        ("root_pinned", &[ROOTS_FILE]),
        ("checkpoint_quorum", &["witness_policy"]),
        ("", &[]),
    ] {
        let witnessed = Witnessed::begin();
        let target = Target::with(OTHER.ready().address(), |pins| {
            for member in confused.iter().filter(|member| **member != ROOTS_FILE) {
                pins[member] = theirs[member].clone();
            }
        });
        if confused.contains(&ROOTS_FILE) {
            let roots = PathBuf::from(&target.pins).with_file_name(ROOTS_FILE);
            fs::copy(&their_roots, roots).unwrap();
        }
        if check.is_empty() {
            let accepted = target.verify(&[]);
            assert_eq!(accepted.code, Some(0), "{accepted:?}");
            witnessed.attested_alone(&[0, 1]);
        } else {
            target.is_refused(&[], check);
            witnessed.attested_alone(&[0, 2]);
        }
        confused.extend(next);
    }
}

#[test]
fn downgrade_to_an_older_tls_hears_nothing() {
    let identity = Identity::stolen(&SERVICE);
    for (terms, check) in [
        (Terms::OldVersion, "tls_version"),
        (Terms::OldGroup, "tls_full_handshake"),
    ] {
        let witnessed = Witnessed::begin();
        let impostor = Impostor::new(&SERVICE, &identity, terms, |client, request| {
            request.relay(client)
        });
        let target = Target::genuine(impostor.address());
        target.is_refused_early(&[], check, "tls refused the server");
        heard_nothing(&impostor, 2);
        witnessed.attested_alone(&[0, 0]);
    }
}

#[test]
fn downgrade_to_a_weaker_proof_is_noticed() {
    let witnessed = Witnessed::begin();
    let identity = Identity::stolen(&SERVICE);
    let impostor = Impostor::new(&SERVICE, &identity, Terms::Modern, |client, request| {
        let mut body: Value = serde_json::from_slice(&request.body).ok()?;
        assert_eq!(body["mode"], "hardware");
        body["mode"] = json!("epoch");
        weaker(request, &body).relay(client)
    });
    let target = Target::genuine(impostor.address());
    let reason = "the session was proved by epoch where hardware was asked for";
    target.is_refused_early(&HARDWARE, "session_proof_mode", reason);
    heard_attestation_alone(&impostor, 2);
    witnessed.attested_alone(&[2, 0]);
}

/// The same request with another body.
fn weaker(request: &Request, body: &Value) -> Request {
    let body = body.to_string().into_bytes();
    let length = |length: usize| format!("content-length: {length}\r\n");
    let head = request
        .head
        .replace(&length(request.body.len()), &length(body.len()));
    Request { head, body }
}

#[test]
fn ticket_resumption_is_never_offered() {
    let identity = Identity::stolen(&SERVICE);
    let witnessed = Witnessed::begin();
    let impostor = Impostor::new(&SERVICE, &identity, Terms::Resumption, |client, request| {
        request.relay(client)
    });
    let target = Target::genuine(impostor.address());
    for refusal in target.app_is_refused(&["--times", "3"]) {
        assert_eq!(refusal["checks"], json!(["session_exporter"]));
    }
    heard_attestation_alone(&impostor, 3);
    let heard = impostor.heard();
    for one in &heard {
        assert_eq!(one.handshake, Some(HandshakeKind::Full));
        offers_nothing_but_a_full_handshake(&one.hello());
    }
    let nonces = |one: &Heard| one.requests[0].body.clone();
    assert!(nonces(&heard[0]) != nonces(&heard[1]) && nonces(&heard[1]) != nonces(&heard[2]));
    witnessed.attested_alone(&[3, 0]);

    // This server does resume: an ordinary client goes on where it was.
    let roots = fs::read(SERVICE.ready().text("ca_file")).unwrap();
    let ordinary = Client::new(impostor.address(), &roots, Tls::V13);
    for _ in 0..2 {
        let path = "/.well-known/chancery/v1/deployment";
        ordinary.again().get(path).expect(200);
    }
    let heard = impostor.heard();
    assert_eq!(heard[4].handshake, Some(HandshakeKind::Resumed));
    assert!(heard[4].hello().resumes());
}

/// What a client sends that has nothing to resume and wants no older version.
fn offers_nothing_but_a_full_handshake(hello: &ClientHello) {
    assert!(!hello.resumes(), "{hello:?}");
    let tls_1_3_alone = [2, 0x03, 0x04];
    assert_eq!(hello.extensions[&SUPPORTED_VERSIONS], tls_1_3_alone);
}

#[test]
fn ticket_resumption_each_connection_to_the_genuine_runtime_is_attested_anew() {
    let witnessed = Witnessed::begin();
    let tap = Tap::tcp(SERVICE.ready().address());
    let app = Target::genuine(tap.address()).app(&["--times", "3"]);
    assert_eq!(app.code, Some(0), "{app:?}");
    witnessed.answered(&[3, 0], 3);
    let hellos: Vec<ClientHello> = tap
        .recording
        .lanes()
        .iter()
        .filter_map(|lane| ClientHello::parse(lane))
        .collect();
    assert_eq!(hellos.len(), 3);
    for hello in &hellos {
        offers_nothing_but_a_full_handshake(hello);
    }
    assert!(hellos[0].random != hellos[1].random && hellos[1].random != hellos[2].random);
}

/// Witnesses that do not run, until this is dropped.
struct Stopped(Vec<u32>);

impl Stopped {
    fn all(service: &Service) -> Self {
        let witnesses = service.ready().pids().witnesses;
        for pid in &witnesses {
            signal(*pid, Signal::STOP);
        }
        Self(witnesses)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        for pid in &self.0 {
            signal(*pid, Signal::CONT);
        }
    }
}

#[test]
fn stale_beacon_a_runtime_that_is_cut_off_from_its_witnesses_is_refused_in_time() {
    let witnessed = Witnessed::begin();
    let target = Target::genuine(SERVICE.ready().address());
    let stopped = Stopped::all(&SERVICE);
    // What the runtime shows stays what it is now; the client comes later and later.
    let now = target.app(&["--minutes-later", "0"]);
    assert_eq!(now.code, Some(0), "{now:?}");
    for (minutes, check) in [("16", "checkpoint_age"), ("61", "beacon_age")] {
        for refusal in target.app_is_refused(&["--minutes-later", minutes]) {
            assert_eq!(refusal["checks"], json!([check]));
        }
    }
    drop(stopped);
    witnessed.answered(&[3, 0], 1);
}

/// Who signs a deployment's release policies.
struct Vendor {
    key: SigningKey,
    policy_file: PathBuf,
}

impl Vendor {
    fn of(service: &Service) -> Self {
        let key = fs::read(service.data().join("release").join("release.key")).unwrap();
        let Ok(KeyFile::Ed25519(seed)) = KeyFile::from_json(&key) else {
            panic!("no release key");
        };
        Self {
            key: seed.signing_key(),
            policy_file: service.data().join("host").join("release-policy.json"),
        }
    }

    /// The policy that the host holds.
    fn held(&self) -> Vec<u8> {
        fs::read(&self.policy_file).unwrap()
    }

    /// Gives the host another one.
    fn hands_out(&self, envelope: &[u8]) {
        let new = self.policy_file.with_extension("new");
        fs::write(&new, envelope).unwrap();
        fs::rename(new, &self.policy_file).unwrap();
    }

    /// The next policy, which no longer lists the measurement that runs, signed by `key`.
    fn revocation(&self, key: &SigningKey) -> Vec<u8> {
        let held = open_release_policy(&self.held(), &[self.key.public_key()], 1).unwrap();
        let mut policy: ReleasePolicy = held.policy().clone();
        policy.version += 1;
        for release in &mut policy.releases {
            release.measurement[0] ^= 1;
        }
        let payload = policy.to_json().unwrap();
        let envelope = Envelope::sign(RELEASE_POLICY_TYPE, &payload, &[key]).unwrap();
        envelope.to_json()
    }
}

#[test]
fn revoked_release_is_refused_under_the_policy_that_revokes_it() {
    let identity = Identity::stolen(&SERVICE);
    let vendor = Vendor::of(&SERVICE);
    let forger = SigningKey::from_seed([9; 32]);
    for (policy, check) in [
        (vendor.revocation(&vendor.key), "measurement"),
        (vendor.revocation(&forger), "policy_signed"),
    ] {
        let witnessed = Witnessed::begin();
        let policy = Base64::encode_string(&policy);
        let impostor = Impostor::new(
            &SERVICE,
            &identity,
            Terms::Modern,
            move |client, request| {
                let mut answer = request.relay(client)?;
                let mut body = answer.json();
                assert!(body["release_policy"].is_string());
                body["release_policy"] = json!(policy);
                answer.body = body.to_string().into_bytes();
                Some(answer)
            },
        );
        let target = Target::genuine(impostor.address());
        for mode in [&EPOCH[..], &HARDWARE] {
            target.is_refused(mode, check);
        }
        heard_attestation_alone(&impostor, 4);
        witnessed.attested_alone(&[4, 0]);
    }
}

#[test]
fn revoked_release_an_older_policy_is_refused_by_who_has_seen_a_newer_one() {
    let folder = Arc::new(TempDir::new().unwrap());
    let service = Service::start(&folder, &[]);
    let vendor = Vendor::of(&service);
    let (first, second) = (vendor.held(), vendor.revocation(&vendor.key));
    assert!(service.end().success());
    // The second policy revokes the release; the third, which `up` signs when it finds the second, lists
    // what runs now.
    vendor.hands_out(&second);
    let service = Service::start(&folder, &[]);
    let states = ["verify.json", "app.json"].map(|name| {
        let path = folder.path().join(name);
        path.to_str().unwrap().to_owned()
    });
    let options = |number: usize| ["--state", states[number].as_str()];
    let target = |service: &Service| Target {
        pins: service.ready().text("deployment_file").to_owned(),
        address: service.ready().address(),
        _folder: None,
    };
    assert_eq!(target(&service).verify(&options(0)).code, Some(0));
    assert_eq!(target(&service).app(&options(1)).code, Some(0));
    for state in &states {
        let heads: Value = serde_json::from_slice(&fs::read(state).unwrap()).unwrap();
        assert_eq!(heads["policy_version"], 3, "{heads}");
    }
    assert!(service.end().success());

    // The host starts the runtime with the first policy again, which the vendor did sign.
    vendor.hands_out(&first);
    let service = Service::start(&folder, &[]);
    let old = target(&service);
    let witnessed = Witnessed::over(vec![&service]);
    assert_eq!(refused(&old.verify(&options(0))), ["policy_version"]);
    for refusal in old.app_is_refused(&options(1)) {
        assert_eq!(refusal["checks"], json!(["policy_version"]));
    }
    witnessed.attested_alone(&[2]);
    // Who remembers nothing cannot know.
    let newcomer = old.app(&[]);
    assert_eq!(newcomer.code, Some(0), "{newcomer:?}");

    // A release that is revoked does not even start.
    vendor.hands_out(&second);
    signal(service.ready().pids().runtime, Signal::KILL);
    let said = service.await_end();
    assert!(said.contains("policy"), "{said}");
}
