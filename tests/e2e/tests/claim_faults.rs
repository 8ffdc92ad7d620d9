//! What fails, and who lies, while an account is claimed: lost replies, processes that are killed, replays, a
//! host that leads to another issuer, witnesses that are stopped, and a clone of the machine. Whoever is
//! right arrives at the same state in the end, and no key is released to anybody else.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking"
)]

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

use chancery_e2e::{
    Claimant, Customer, Fate, Finished, ForeignIssuer, Issuer, LONG, Passing, Proxy, SHORT,
    Service, eventually, is_alive, signal,
};
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Shared by the tests that do no damage; each has its own tenant.
static SERVICE: LazyLock<Service> = LazyLock::new(Service::lasting);

/// More answers than a claim has.
const ANSWERS_MAX: u64 = 40;

fn firm<'a>(service: &'a Service, slug: &'static str) -> (Customer<'a>, Issuer) {
    let issuer = Issuer::of(service);
    let customer = Customer::with_issuer(service, slug, &format!("{slug}.example"), &issuer);
    (customer, issuer)
}

/// What the log proves of somebody, as the admin's command shows it.
fn proved(customer: &Customer<'_>, name: &str) -> Value {
    let address = customer.address(name);
    let finished = customer.tries(&["keys", "lookup", &address, "--json"]);
    finished.json()
}

fn account_key(customer: &Customer<'_>, home: &str) -> Option<Vec<u8>> {
    fs::read(customer.path(home).join("account.key")).ok()
}

#[test]
fn a_reply_that_is_lost_anywhere_leaves_a_claim_that_is_repeated_to_the_same_state() {
    let (customer, issuer) = firm(&SERVICE, "lossy");
    customer.signs(&["idp", "trust", "--all"]);
    let mut scim = customer.scim("okta");
    let (mut open, mut taken) = (0, 0);
    let mut claimed = 0;
    for answer in 1..ANSWERS_MAX {
        let name = format!("member{answer}");
        let id = customer.person(&mut scim, &name);
        let proxy = Proxy::cutting(SERVICE.ready().address(), answer);
        let address = proxy.address().to_string();
        let claiming = customer.claiming(&id, &name, &["--address", &address]);
        let first = claiming.sign_in(&issuer, &name);
        let made = account_key(&customer, &name);
        let is_claimed = proved(&customer, &name)["state"] == "confirmed";
        // The same command again, now with all its answers.
        let repeated = customer.claims(&issuer, &id, &name, &name);
        claimed += 1;
        assert_eq!(repeated["state"], "confirmed", "{answer}");
        if made.is_some() {
            assert_eq!(account_key(&customer, &name), made, "{answer}: other keys");
        }
        let proved = proved(&customer, &name);
        assert_eq!(proved["fingerprint"], repeated["fingerprint"], "{answer}");
        assert_eq!(proved["key_version"], 2, "{answer}");
        if first.code == Some(0) {
            // No answer was left to be lost.
            assert!(open > 0 && taken > 0, "{open} lost before, {taken} after");
            assert_eq!(customer.log_count("account claimed"), claimed);
            let clean = customer.signs(&["log", "audit"]);
            assert!(clean.stdout.contains("CLEAN"), "{}", clean.stdout);
            return;
        }
        assert_eq!(first.code, Some(1), "{answer}: {first:?}");
        if is_claimed {
            taken += 1;
        } else {
            open += 1;
        }
    }
    panic!("a claim of more than {ANSWERS_MAX} answers");
}

#[test]
fn what_was_sent_once_does_nothing_a_second_time() {
    let (customer, issuer) = firm(&SERVICE, "replayed");
    customer.signs(&["idp", "trust", "--all"]);
    let mut scim = customer.scim("okta");
    let (ada, bob) = (
        customer.person(&mut scim, "ada"),
        customer.person(&mut scim, "bob"),
    );
    let mut client = SERVICE.anonymous();
    let owner = Claimant::new(&mut client, "replayed", &ada);
    let challenge = owner.challenge(&mut client);
    let token = issuer.token("ada", &owner.nonce(&challenge));
    let body = owner.body(&challenge, Some(&token));
    let first = owner.send(&mut client, &body).expect(200);
    let size = customer.log().lines().count();
    // By whoever recorded it, on a connection of their own: the same answer, and nothing happens.
    let again = owner.send(&mut SERVICE.anonymous(), &body).expect(200);
    assert_eq!(again.json()["handle"], first.json()["handle"]);
    assert_eq!(again.json()["key_version"], first.json()["key_version"]);
    assert_eq!(customer.log().lines().count(), size);
    // The challenge is used, for anybody.
    let other = Claimant::new(&mut client, "replayed", &bob);
    let token = issuer.token("bob", &other.nonce(&challenge));
    let refused = other.send(&mut client, &other.body(&challenge, Some(&token)));
    refused.expect(403);
    let fresh = other.challenge(&mut client);
    let token = issuer.token("bob", &other.nonce(&fresh));
    let good = other.body(&fresh, Some(&token));
    other.send(&mut client, &good).expect(200);
    // Once the admins have taken the keys back, an old claim brings none of them again.
    let fingerprint = owner.fingerprint();
    assert_eq!(proved(&customer, "ada")["fingerprint"], json!(fingerprint));
    customer.signs(&["user", "reset", &customer.address("ada")]);
    owner.send(&mut client, &body).expect(403);
    let pending = proved(&customer, "ada");
    assert_eq!(pending["state"], "provisioned and not claimed yet");
    assert_ne!(pending["fingerprint"], json!(fingerprint));
    let off = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{"op": "replace", "path": "active", "value": false}]});
    scim.patch(&format!("/Users/{bob}"), &off).expect(200);
    other.send(&mut client, &good).expect(403);
    assert_eq!(customer.log_count("account claimed"), 2);
}

/// A proxy that kills a process when the next question has been sent, or when its answer is on its way.
struct Trap {
    proxy: Proxy,
    is_set: Arc<AtomicBool>,
}

impl Trap {
    fn new(service: &Service, victim: u32, at_question: bool) -> Self {
        let is_set = Arc::new(AtomicBool::new(false));
        let trap = Arc::clone(&is_set);
        let proxy = Proxy::before(service.ready().address(), move |passing| {
            let is_here = matches!(passing, Passing::Question(_)) == at_question;
            if is_here && trap.swap(false, Ordering::AcqRel) {
                signal(victim, Signal::KILL);
                return Fate::Lose;
            }
            Fate::Pass
        });
        Self { proxy, is_set }
    }
}

/// Claims while a process is killed right after the claim was sent, and repeats the command.
fn claims_while_one_is_killed(
    service: &Service,
    customer: &Customer<'_>,
    issuer: &Issuer,
    (id, name): (&str, &str),
    (victim, at_question): (u32, bool),
) {
    let before = service.ready().pids();
    let trap = Trap::new(service, victim, at_question);
    let address = trap.proxy.address().to_string();
    let mut claiming = customer.claiming(id, name, &["--address", &address]);
    let redirect = issuer.sign_in(&claiming.authorization_url(), name);
    // What the command says next to the service is the claim.
    trap.is_set.store(true, Ordering::Release);
    claiming.lead_back(&redirect);
    let interrupted = claiming.finish();
    assert!(!trap.is_set.load(Ordering::Acquire), "{interrupted:?}");
    let made = account_key(customer, name).unwrap();
    service.await_recovery(&before);
    let state = proved(customer, name)["state"].clone();
    assert!(
        at_question || state == "confirmed",
        "{state}: {interrupted:?}"
    );
    // A service that has just come back may answer 503 once more: the outcome is not known yet, and the claim is repeated.
    let repeated = eventually("the claim to be repeated", LONG, || {
        let finished = customer.claiming(id, name, &[]).sign_in(issuer, name);
        let again = finished.code == Some(1) && finished.text().contains("status 503");
        assert!(again || finished.code == Some(0), "{finished:?}");
        (!again).then(|| finished.json())
    });
    assert_eq!(account_key(customer, name).unwrap(), made);
    let proved = proved(customer, name);
    assert_eq!(proved["state"], "confirmed");
    assert_eq!(proved["fingerprint"], repeated["fingerprint"]);
    assert_eq!(proved["key_version"], 2);
}

/// Where the host leads those who ask for the issuer.
fn lead_to(service: &Service, authority: &Issuer, target: &Issuer) {
    let name = authority.url.strip_prefix("https://").unwrap();
    let address = target.address().to_string();
    service.change_host(|host| host["issuers"][name] = json!(address));
}

fn unavailable(finished: &Finished) {
    assert_eq!(finished.code, Some(1), "{finished:?}");
    assert!(finished.text().contains("503"), "{finished:?}");
}

/// A host that leads to a server of its own gets no key counted and nobody confirmed.
fn refuses_another_server(service: &Service, customer: &Customer<'_>, issuer: &Issuer, id: &str) {
    let folder = TempDir::new().unwrap();
    let foreign = ForeignIssuer::start(folder.path());
    lead_to(service, issuer, &foreign.issuer);
    unavailable(&customer.tries(&["idp", "trust", "--all"]));
    let mut client = service.anonymous();
    let claimant = Claimant::new(&mut client, customer.slug(), id);
    for signer in [issuer, &foreign.issuer] {
        let challenge = claimant.challenge(&mut client);
        let token = signer.token("ada", &claimant.nonce(&challenge));
        let body = claimant.body(&challenge, Some(&token));
        let answer = claimant.send(&mut client, &body);
        assert!(matches!(answer.status, 403 | 503), "{}", answer.text());
    }
    assert_eq!(customer.log_count("policy changed"), 0, "no key was seen");
    assert_eq!(customer.log_count("account claimed"), 0);
    lead_to(service, issuer, issuer);
}

#[test]
fn a_claim_outlives_the_processes_and_a_host_that_lies() {
    let service = Service::new();
    let issuer = Issuer::of(&service);
    // Nothing that was fetched for the tenant `demo` is used for this one.
    let another = service.ready().text("ca_file").to_owned();
    let authorities = [issuer.ca_file.as_str(), &another];
    let domain = "fragile.example";
    let customer = Customer::believing(&service, "fragile", domain, &issuer, &authorities);
    let mut scim = customer.scim("okta");
    let people: Vec<String> = ["ada", "bob", "eve"]
        .map(|name| customer.person(&mut scim, name))
        .to_vec();
    refuses_another_server(&service, &customer, &issuer, &people[0]);
    eventually("the issuer to be asked again", SHORT, || {
        let trusted = customer.tries(&["idp", "trust", "--all"]);
        (trusted.code == Some(0)).then_some(())
    });
    let pids = service.ready().pids();
    let kill = |person: usize, name: &str, victim: u32, at_question: bool| {
        let who = (people[person].as_str(), name);
        claims_while_one_is_killed(&service, &customer, &issuer, who, (victim, at_question));
    };
    kill(0, "ada", pids.runtime, true);
    kill(1, "bob", pids.host, true);
    kill(2, "eve", service.ready().pids().runtime, false);
    assert_eq!(customer.log_count("account claimed"), 3);
    without_a_quorum_no_key_is_released(&service, &customer, &people);
    let clean = customer.signs(&["log", "audit"]);
    assert!(clean.stdout.contains("CLEAN"), "{}", clean.stdout);
    assert!(service.end().success());
}

/// A key goes out behind a quorum that is newer than the question.
fn without_a_quorum_no_key_is_released(
    service: &Service,
    customer: &Customer<'_>,
    people: &[String],
) {
    let mut scim = customer.scim("entra");
    let members: Vec<Value> = people.iter().map(|id| json!({"value": id})).collect();
    let group = json!({"displayName": "Engineering", "members": members});
    scim.post("/Groups", &group).expect(201);
    let ask = || customer.member("ada", &["group", "key", "Engineering"]);
    let witnesses = service.ready().pids().witnesses;
    for witness in &witnesses[..2] {
        signal(*witness, Signal::STOP);
    }
    unavailable(&ask());
    let kept = fs::read_dir(customer.path("ada").join("groups"));
    assert_eq!(kept.map_or(0, Iterator::count), 0, "a key was released");
    for witness in &witnesses[..2] {
        signal(*witness, Signal::CONT);
    }
    eventually("the key", LONG, || (ask().code == Some(0)).then_some(()));
}

/// Copies a folder's files and folders, and no sockets.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    fs::set_permissions(to, fs::metadata(from).unwrap().permissions()).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else if path.is_file() {
            fs::copy(&path, &target).unwrap();
        }
    }
}

/// A machine as it was at one moment, started a second time.
fn clone_of(service: &Service, folder: &Arc<TempDir>) -> Service {
    let pids = service.ready().pids();
    for pid in pids.all() {
        signal(pid, Signal::STOP);
    }
    let data = folder.path().join("data");
    copy(service.data(), &data);
    for pid in pids.all() {
        signal(pid, Signal::CONT);
    }
    // Two issuers cannot have one port; nobody asks the second one for anything.
    fs::remove_file(data.join("issuer/port")).unwrap();
    Service::start(folder, &[])
}

#[test]
fn a_stale_clone_of_the_machine_releases_no_key() {
    let service = Service::new();
    let (customer, issuer) = firm(&service, "cloned");
    customer.signs(&["idp", "trust", "--all"]);
    let mut scim = customer.scim("okta");
    let (ada, bob) = (
        customer.person(&mut scim, "ada"),
        customer.person(&mut scim, "bob"),
    );
    customer.claims(&issuer, &ada, "ada", "ada");
    customer.claims(&issuer, &bob, "bob", "bob");
    let group = json!({"displayName": "Engineering", "members": [{"value": ada}, {"value": bob}]});
    let group = scim.post("/Groups", &group).expect(201).json();
    let folder = Arc::new(TempDir::with_prefix("chancery-e2e-").unwrap());
    let clone = clone_of(&service, &folder);
    let there = clone.ready().address().to_string();
    let ask = |address: &[&str]| {
        let command = ["group", "key", "Engineering"];
        customer.member("bob", &[&command[..], address].concat())
    };
    // With witnesses that were cloned, too, it could: whoever controls a quorum of them controls time.
    let cloned = ask(&["--address", &there]);
    assert_eq!(cloned.code, Some(0), "{cloned:?}");
    fs::remove_dir_all(customer.path("bob").join("groups")).unwrap();
    // Bob is removed from the group, which the true witnesses have seen.
    let path = format!("/Groups/{}", group["id"].as_str().unwrap());
    let remove = json!({"op": "remove", "path": format!("members[value eq \"{bob}\"]")});
    let patch = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [remove]});
    scim.patch(&path, &patch).expect(200);
    assert_eq!(ask(&[]).code, Some(1));
    // The clone's host has nobody but them to ask.
    let theirs = fs::read(service.data().join("host/host.json")).unwrap();
    let theirs: Value = serde_json::from_slice(&theirs).unwrap();
    clone.change_host(|host| host["egress"] = theirs["egress"].clone());
    let pids = clone.ready().pids();
    for witness in &pids.witnesses {
        signal(*witness, Signal::STOP);
    }
    // It has no key for anybody, learns from the witnesses that the log has gone on without it, and stops.
    eventually("the clone's end", LONG, || {
        let refused = ask(&["--address", &there]);
        assert_eq!(refused.code, Some(1), "{refused:?}");
        (!is_alive(pids.runtime)).then_some(())
    });
    for witness in &pids.witnesses {
        signal(*witness, Signal::CONT);
    }
    let log = clone.await_end();
    assert!(log.contains("rolled_back"), "{log}");
    let kept = fs::read_dir(customer.path("bob").join("groups"));
    assert_eq!(kept.map_or(0, Iterator::count), 0, "a key was released");
    let key = customer.member_json("ada", &["group", "key", "Engineering"]);
    assert_eq!(key["epoch"], 2);
    assert!(service.end().success());
}
