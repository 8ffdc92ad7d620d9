//! What a claim is refused for, and what a refusal tells: nothing. After each of them the claim is still
//! open to the right person.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking"
)]

use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use chancery_e2e::{
    Answer, Claimant, Client, Customer, Issuer, SHORT, Service, context, eventually,
};
use serde_json::{Value, json};

/// Nothing here does damage, so all share one service; each test has its own tenant.
static SERVICE: LazyLock<Service> = LazyLock::new(Service::lasting);

/// The issuer is everybody's, and its next token may be wrong: one sign-in at a time.
static ISSUER: Mutex<()> = Mutex::new(());

/// The ways in which the test issuer makes a token wrong, each in one thing alone.
const SPOILED: [&str; 13] = [
    "issuer",
    "audience",
    "authorized_party",
    "nonce",
    "no_nonce",
    "expired",
    "future",
    "no_subject",
    "alg_none",
    "alg_hs256",
    "signature",
    "unpublished_key",
    "swapped_key",
];

fn issuer_alone() -> (Issuer, MutexGuard<'static, ()>) {
    let guard = ISSUER.lock().unwrap_or_else(PoisonError::into_inner);
    (Issuer::of(&SERVICE), guard)
}

/// A right token.
fn token(user: &str, nonce: &str) -> String {
    let (issuer, _alone) = issuer_alone();
    issuer.token(user, nonce)
}

fn spoiled(how: &str, user: &str, nonce: &str) -> String {
    let (issuer, _alone) = issuer_alone();
    issuer.spoil(how, 1);
    issuer.token(user, nonce)
}

/// What of an answer could tell one refusal from another.
fn told(answer: &Answer) -> (u16, Vec<u8>, Vec<(String, String)>) {
    let of_time = |name: &str| name == "date";
    let headers = answer.headers.iter().map(|(name, value)| {
        let value = if of_time(name) { "" } else { value };
        (name.clone(), value.to_owned())
    });
    (answer.status, answer.body.clone(), headers.collect())
}

fn refused_claims() -> u64 {
    let (_, metrics) = SERVICE.status("/metrics");
    let name = "chancery_claims_total{outcome=\"refused\"} ";
    let line = metrics.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap().parse().unwrap()
}

fn firm(slug: &'static str) -> (Customer<'static>, Client) {
    let customer = Customer::with_issuer(
        &SERVICE,
        slug,
        &format!("{slug}.example"),
        &Issuer::of(&SERVICE),
    );
    customer.signs(&["idp", "trust", "--all"]);
    let scim = customer.scim("okta");
    (customer, scim)
}

/// Sends claims for one account that are all refused, and counts them.
struct Refusals<'a> {
    claimant: &'a Claimant,
    client: Client,
    answers: Vec<(String, Answer)>,
}

impl Refusals<'_> {
    fn challenge(&mut self) -> Vec<u8> {
        self.claimant.challenge(&mut self.client)
    }

    fn with_body(&mut self, what: &str, body: &Value) {
        let answer = self.claimant.send(&mut self.client, body);
        self.answers.push((what.to_owned(), answer));
    }

    fn with_token(&mut self, what: &str, challenge: &[u8], token: &str) {
        let body = self.claimant.body(challenge, Some(token));
        self.with_body(what, &body);
    }

    fn by_spoiled_tokens(&mut self) {
        for how in SPOILED {
            let challenge = self.challenge();
            let wrong = spoiled(how, "ada", &self.claimant.nonce(&challenge));
            self.with_token(how, &challenge, &wrong);
        }
    }

    /// Tokens that were made for something else than this claim.
    fn by_other_nonces(&mut self, challenge: &[u8]) {
        let another = self.challenge();
        let claimant = self.claimant;
        let elsewhere = context(&mut self.client, "demo");
        assert_ne!(elsewhere.tenant, claimant.context.tenant);
        let mut forked = claimant.context;
        forked.genesis[0] ^= 1;
        let in_context = |context| token("ada", &claimant.nonce_in(challenge, context));
        for (what, token) in [
            ("another person", token("eve", &claimant.nonce(challenge))),
            ("another challenge", token("ada", &claimant.nonce(&another))),
            ("another tenant", in_context(&elsewhere)),
            ("another genesis", in_context(&forked)),
            ("no token at all", "a.b.c".to_owned()),
            ("an empty token", String::new()),
        ] {
            self.with_token(what, challenge, &token);
        }
    }

    /// Challenges that are not this tenant's.
    fn by_other_challenges(&mut self) {
        let id = self.claimant.claim.to_string();
        let demo = Claimant::new(&mut self.client, "demo", &id);
        let foreign = demo.challenge(&mut self.client);
        for (what, challenge) in [
            ("another tenant's challenge", foreign),
            ("an invented challenge", vec![0; 56]),
        ] {
            let token = token("ada", &self.claimant.nonce(&challenge));
            self.with_token(what, &challenge, &token);
        }
    }

    /// Whoever has the token and not the keys that it is for.
    fn by_other_keys(&mut self, challenge: &[u8], good: &str) {
        let id = self.claimant.claim.to_string();
        let thief = Claimant::new(&mut self.client, "wrongs", &id);
        for member in ["signature", "device", "account"] {
            let mut body = self.claimant.body(challenge, Some(good));
            body[member] = thief.body(challenge, None)[member].clone();
            self.with_body(&format!("somebody else's {member}"), &body);
        }
    }
}

#[test]
fn a_claim_that_is_wrong_in_any_way_is_refused_alike_logged_and_still_open() {
    let (customer, mut scim) = firm("wrongs");
    let id = customer.person(&mut scim, "ada");
    customer.person(&mut scim, "eve");
    let before = refused_claims();
    let mut client = SERVICE.anonymous();
    let claimant = Claimant::new(&mut client, customer.slug(), &id);
    let mut refusals = Refusals {
        claimant: &claimant,
        client,
        answers: Vec::new(),
    };
    refusals.by_spoiled_tokens();
    let challenge = refusals.challenge();
    refusals.by_other_nonces(&challenge);
    refusals.by_other_challenges();
    let good = token("ada", &claimant.nonce(&challenge));
    refusals.by_other_keys(&challenge, &good);
    let count = refusals.answers.len();
    let (_, first) = &refusals.answers[0];
    assert_eq!(first.status, 403, "{}", first.text());
    for (what, answer) in &refusals.answers {
        assert_eq!(told(answer), told(first), "{what}: {}", answer.text());
    }
    // The right person succeeds, by the very challenge and token that others tried to use.
    let body = claimant.body(&challenge, Some(&good));
    let done = claimant
        .send(&mut refusals.client, &body)
        .expect(200)
        .json();
    assert_eq!(done["state"], "confirmed");
    eventually("every refusal in the log", SHORT, || {
        (customer.log_count("fault noted") == count).then_some(())
    });
    eventually("every refusal in the metrics", SHORT, || {
        (refused_claims() >= before + u64::try_from(count).unwrap()).then_some(())
    });
    let log = customer.log();
    let claims = log.lines().filter(|line| line.contains("account claimed"));
    assert_eq!(claims.count(), 1, "{log}");
    let clean = customer.signs(&["log", "audit"]);
    assert!(clean.stdout.contains("CLEAN"), "{}", clean.stdout);
}

#[test]
fn who_cannot_be_claimed_is_told_from_nobody() {
    let (customer, mut scim) = firm("whoever");
    let mut client = SERVICE.anonymous();
    let mut claimant = |id: &str| Claimant::new(&mut client, "whoever", id);
    let claimed = customer.person(&mut scim, "claimed");
    let suspended = customer.person(&mut scim, "suspended");
    let deleted = customer.person(&mut scim, "deleted");
    let open = customer.person(&mut scim, "open");
    let by_mail = json!({"userName": "mail@whoever.example"});
    let by_mail = scim.post("/Users", &by_mail).expect(201).json();
    let by_mail = by_mail["id"].as_str().unwrap().to_owned();
    let unknown = "2819c223-7f76-453a-919d-413861904646";
    let owner = claimant(&claimed);
    let mut client = SERVICE.anonymous();
    let challenge = owner.challenge(&mut client);
    let right = token("claimed", &owner.nonce(&challenge));
    let body = owner.body(&challenge, Some(&right));
    owner.send(&mut client, &body).expect(200);
    let off = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{"op": "replace", "path": "active", "value": false}]});
    scim.patch(&format!("/Users/{suspended}"), &off).expect(200);
    scim.delete(&format!("/Users/{deleted}")).expect(204);
    let mut answers = Vec::new();
    let mut waiting = Vec::new();
    for (what, id, user) in [
        ("unknown", unknown, "open"),
        ("suspended", &suspended, "suspended"),
        ("claimed", &claimed, "claimed"),
        ("deleted", &deleted, "deleted"),
        // An address alone is no identity: the account has no externalId.
        ("by mail", &by_mail, "mail@whoever.example"),
        ("another's", &open, "claimed"),
    ] {
        let somebody = Claimant::new(&mut client, "whoever", id);
        let challenge = somebody.challenge(&mut client);
        let token = token(user, &somebody.nonce(&challenge));
        let body = somebody.body(&challenge, Some(&token));
        answers.push((what, somebody.send(&mut client, &body)));
        // Without a token an admin would have to confirm: whom, is told to nobody either.
        let body = somebody.body(&challenge, None);
        waiting.push((what, somebody.send(&mut client, &body).expect(202)));
    }
    let (_, first) = &answers[0];
    assert_eq!(first.status, 403);
    for (what, answer) in &answers {
        assert_eq!(told(answer), told(first), "{what}: {}", answer.text());
    }
    let shape = |answer: &Answer| {
        let json = answer.json();
        let code = json["code"].as_str().unwrap();
        let body = answer.text().replace(code, "");
        let (_, _, headers) = told(answer);
        (code.len(), body, headers)
    };
    for (what, answer) in &waiting {
        assert_eq!(shape(answer), shape(&waiting[0].1), "{what}");
    }
    // Whose account it is can still have it.
    let open = Claimant::new(&mut client, "whoever", &open);
    let challenge = open.challenge(&mut client);
    let token = token("open", &open.nonce(&challenge));
    let body = open.body(&challenge, Some(&token));
    open.send(&mut client, &body).expect(200);
}

#[test]
fn a_new_key_of_the_issuer_counts_once_an_admin_has_signed_for_it() {
    let issuer = Issuer::of(&SERVICE);
    // Nothing that was fetched before the new key was there is used for this tenant.
    let another = SERVICE.ready().text("ca_file").to_owned();
    let authorities = [issuer.ca_file.as_str(), &another];
    let domain = "new-key.example";
    let customer = Customer::believing(&SERVICE, "new-key", domain, &issuer, &authorities);
    let mut scim = customer.scim("okta");
    let (ada, bob) = (
        customer.person(&mut scim, "ada"),
        customer.person(&mut scim, "bob"),
    );
    let (old, new) = {
        let (issuer, _alone) = issuer_alone();
        let keys = issuer.control("GET", "keys", &Value::Null);
        (
            keys["active"].as_str().unwrap().to_owned(),
            issuer.add_key(),
        )
    };
    let by = |key: &str, user: &str, nonce: &str| {
        let (issuer, _alone) = issuer_alone();
        issuer.activate_key(key);
        let token = issuer.token(user, nonce);
        issuer.activate_key(&old);
        token
    };
    let mut client = SERVICE.anonymous();
    let send = |claimant: &Claimant, client: &mut Client, user: &str, key: &str| {
        let challenge = claimant.challenge(client);
        let token = by(key, user, &claimant.nonce(&challenge));
        let body = claimant.body(&challenge, Some(&token));
        claimant.send(client, &body)
    };
    let first = Claimant::new(&mut client, "new-key", &ada);
    // A tenant is new, and so is every key of its issuer.
    let told = send(&first, &mut client, "ada", &old).expect(403).text();
    assert!(told.contains("chancery idp trust"), "{told}");
    let keys = customer.signs(&["idp", "show", "--json"]).json();
    let keys = keys["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 2, "{keys:?}");
    // The admin signs for one of them; which one it is, the claims show.
    let thumbprint = |index: usize| keys[index]["thumbprint"].as_str().unwrap().to_owned();
    customer.signs(&["idp", "trust", &thumbprint(0)]);
    let (trusted, waiting) = match send(&first, &mut client, "ada", &old).status {
        200 => (&old, &new),
        403 => (&new, &old),
        other => panic!("{other}"),
    };
    let second = Claimant::new(&mut client, "new-key", &bob);
    if *trusted == new {
        send(&first, &mut client, "ada", &new).expect(200);
    }
    let refused = send(&second, &mut client, "bob", waiting)
        .expect(403)
        .text();
    assert!(refused.contains("chancery idp trust"), "{refused}");
    assert_eq!(customer.log_count("account claimed"), 1);
    customer.signs(&["idp", "trust", "--all"]);
    send(&second, &mut client, "bob", waiting).expect(200);
    let clean = customer.signs(&["log", "audit"]);
    assert!(clean.stdout.contains("CLEAN"), "{}", clean.stdout);
}

#[test]
fn the_command_says_what_is_to_be_done_and_goes_on_with_the_same_keys() {
    let issuer = Issuer::of(&SERVICE);
    let customer = Customer::with_issuer(&SERVICE, "words", "words.example", &issuer);
    let mut scim = customer.scim("okta");
    let id = customer.person(&mut scim, "ada");
    let sign_in = |user: &str, spoil: Option<&str>| {
        let claiming = customer.claiming(&id, "ada", &[]);
        let (issuer, _alone) = issuer_alone();
        if let Some(how) = spoil {
            issuer.spoil(how, 1);
        }
        claiming.sign_in(&issuer, user)
    };
    let untrusted = sign_in("ada", None);
    assert_eq!(untrusted.code, Some(1), "{untrusted:?}");
    assert!(
        untrusted.text().contains("chancery idp trust"),
        "{untrusted:?}"
    );
    customer.signs(&["idp", "trust", "--all"]);
    // What was not made for this claim is not even sent.
    let before = customer.log_count("fault noted");
    for (how, word) in [("nonce", "nonce"), ("issuer", "iss"), ("audience", "aud")] {
        let foreign = sign_in("ada", Some(how));
        assert_eq!(foreign.code, Some(1), "{foreign:?}");
        assert!(foreign.text().contains(word), "{foreign:?}");
    }
    assert_eq!(customer.log_count("fault noted"), before);
    for (user, spoil) in [("eve", None), ("ada", Some("expired"))] {
        let refused = sign_in(user, spoil);
        assert_eq!(refused.code, Some(1), "{refused:?}");
        assert!(
            refused.text().contains("the claim is refused"),
            "{refused:?}"
        );
    }
    let done = sign_in("ada", None);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(done.json()["state"], "confirmed");
}
