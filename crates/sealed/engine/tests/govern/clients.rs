//! OAuth clients: credentials that are shown by a secret or by signatures.

use std::sync::Arc;

use chancery_authority::{ActName, ClientSecret, Token};
use chancery_claim::Jwk;
use chancery_directory::EntryType;
use chancery_engine::{Answer, Credential, CredentialForm, Refusal};
use chancery_json::Value;
use chancery_testkit::{World, user_json};

use super::{hex, registry, restarted, signed, tenant, user};

/// Keys of RFC 8037 appendix A.1 and RFC 7515 appendix A.3.1.
const ED: &str =
    r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
const EC: &str = r#"{"kty":"EC","crv":"P-256","kid":"next","alg":"ES256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;

fn world(seed: u64) -> World {
    tenant(seed, |_| ())
}

/// Issues a client; `client` is the signed member.
fn issue(world: &mut World, client: &str) -> Result<(Arc<Credential>, Option<String>), Refusal> {
    let body = format!(
        r#"{{"scopes":["users.read","users.create"],"life_s":600,"label":"idp","client":{client}}}"#
    );
    made(signed(world, ActName::TokenIssue, &body)?)
}

fn rotate(
    world: &mut World,
    old: &Credential,
    more: &str,
) -> Result<(Arc<Credential>, Option<String>), Refusal> {
    let id = hex(&old.handle);
    let body = format!(r#"{{"id":"{id}","life_s":600,"overlap_s":60{more}}}"#);
    made(signed(world, ActName::TokenRotate, &body)?)
}

fn made(answer: Answer) -> Result<(Arc<Credential>, Option<String>), Refusal> {
    match answer {
        Answer::Credential {
            credential, secret, ..
        } => Ok((credential, secret.map(|secret| secret.0.to_string()))),
        other => panic!("{other:?}"),
    }
}

fn keys(all: &[&str]) -> String {
    format!(r#"{{"keys":[{}]}}"#, all.join(","))
}

fn known(world: &World, client: &Credential) -> Credential {
    Credential::clone(registry(world).credential(&client.handle).unwrap())
}

#[test]
fn a_client_has_a_secret_that_is_no_bearer_token_or_keys_and_no_secret() {
    let mut world = world(501);
    let (client, secret) = issue(&mut world, r#""secret""#).unwrap();
    let secret = secret.unwrap();
    assert!(Token::parse(&secret).is_err());
    let parsed = ClientSecret::parse(&secret).unwrap();
    assert_eq!(parsed.digest(&world.token_key()).as_bytes(), &client.digest);
    assert_eq!(client.form, CredentialForm::Secret);
    let (keyed, secret) = issue(&mut world, &keys(&[ED, EC])).unwrap();
    assert_eq!((secret, keyed.digest), (None, [0; 32]));
    let stored: Vec<Jwk> = keyed.form.keys().collect();
    assert_eq!(stored[0], Jwk::parse(ED.as_bytes()).unwrap());
    assert_eq!(stored[1], Jwk::parse(EC.as_bytes()).unwrap());
    assert_eq!(stored[1].key_id(), Some("next"));
    // Neither is found as a bearer token is.
    assert_eq!(world.view.credential(&client.digest), None);
    assert_eq!(world.view.credential(&[0; 32]), None);
}

#[test]
fn a_client_acts_within_its_scopes_until_it_ends_also_after_a_restart() {
    for (seed, client) in [(502, String::from(r#""secret""#)), (503, keys(&[ED]))] {
        let mut world = world(seed);
        let (client, _) = issue(&mut world, &client).unwrap();
        let mut world = restarted(&world);
        assert_eq!(known(&world, &client), *client);
        world.credential = client.handle;
        let ada = user(&mut world, "ada");
        assert!(matches!(
            world.patch_user(ada, super::SUSPEND),
            Err(Refusal::CredentialScope { .. })
        ));
        let revoke = format!(r#"{{"id":"{}"}}"#, hex(&client.handle));
        signed(&mut world, ActName::TokenRevoke, &revoke).unwrap();
        assert_eq!(
            world.create_user(&user_json("bob")),
            Err(Refusal::Unauthorized)
        );
        let world = restarted(&world);
        let ended = known(&world, &client);
        assert!(ended.revoked);
        assert_eq!(ended.form, client.form);
    }
}

#[test]
fn a_client_ends_with_its_life() {
    let mut world = world(504);
    let (client, _) = issue(&mut world, &keys(&[ED])).unwrap();
    world.credential = client.handle;
    world.now_ms = client.not_after_ms - 1;
    user(&mut world, "ada");
    world.now_ms += 1;
    assert_eq!(
        world.create_user(&user_json("bob")),
        Err(Refusal::Unauthorized)
    );
}

#[test]
fn a_rotation_keeps_the_form_or_takes_the_one_that_is_signed() {
    let mut world = world(505);
    let (first, old_secret) = issue(&mut world, r#""secret""#).unwrap();
    let (second, new_secret) = rotate(&mut world, &first, "").unwrap();
    assert_eq!(second.form, CredentialForm::Secret);
    assert!(new_secret.is_some() && new_secret != old_secret);
    assert_ne!(second.handle, first.handle);
    let ending = known(&world, &first);
    assert_eq!(ending.form, CredentialForm::Secret);
    assert_eq!(ending.not_after_ms, world.now_ms + 60_000);
    let more = format!(r#","client":{}"#, keys(&[ED]));
    let (third, none) = rotate(&mut world, &second, &more).unwrap();
    assert_eq!(none, None);
    assert_eq!(third.form.keys().count(), 1);
    let (fourth, _) = rotate(&mut world, &third, "").unwrap();
    assert_eq!(fourth.form, third.form);
    assert_eq!(
        (&fourth.label, &fourth.scopes),
        (&first.label, &first.scopes)
    );
    // A bearer token is followed by a client without a gap.
    let bearer = world.credential;
    let bearer = Credential::clone(registry(&world).credential(&bearer).unwrap());
    let (client, _) = rotate(&mut world, &bearer, r#","client":"secret""#).unwrap();
    assert_eq!(client.form, CredentialForm::Secret);
    user(&mut world, "ada");
    let world = restarted(&world);
    assert_eq!(known(&world, &first).form, CredentialForm::Secret);
    assert_eq!(known(&world, &third).form, fourth.form);
    assert_eq!(known(&world, &bearer).form, CredentialForm::Bearer);
}

#[test]
fn refuses_clients_without_a_usable_public_key() {
    let mut world = world(506);
    let private = ED.replacen(
        '{',
        r#"{"d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","#,
        1,
    );
    let encrypts = EC.replacen('{', r#"{"use":"enc","#, 1);
    let many: Vec<String> = (1..=5).map(ed25519).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    for client in [
        String::from(r#""bearer""#),
        String::from("null"),
        String::from("true"),
        String::from("[]"),
        String::from("{}"),
        keys(&[]),
        keys(&[ED, ED]),
        keys(&[&private]),
        keys(&[ED, &encrypts]),
        keys(&[r#"{"kty":"oct","k":"AAAA"}"#]),
        keys(&many),
        ED.to_owned(),
        keys(&[ED]).replacen('{', r#"{"more":1,"#, 1),
    ] {
        assert!(
            matches!(
                issue(&mut world, &client),
                Err(Refusal::Value {
                    member: "client",
                    ..
                })
            ),
            "{client}"
        );
    }
    assert!(issue(&mut world, &keys(&many[1..])).is_ok());
}

/// The public keys of five seeds.
fn ed25519(seed: u8) -> String {
    use base64ct::{Base64UrlUnpadded, Encoding as _};
    let key = chancery_dsse::SigningKey::from_seed([seed; 32]).public_key();
    let x = Base64UrlUnpadded::encode_string(&key.to_bytes());
    format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}"}}"#)
}

#[test]
fn clients_count_to_the_same_limit_as_bearer_tokens_and_are_listed_with_them() {
    let mut world = world(507);
    let (client, _) = issue(&mut world, &keys(&[ED, EC])).unwrap();
    for _ in 2..64 {
        issue(&mut world, r#""secret""#).unwrap();
    }
    assert_eq!(
        issue(&mut world, r#""secret""#).unwrap_err(),
        Refusal::CredentialTerms
    );
    assert_eq!(world.issue_token(60).unwrap_err(), Refusal::CredentialTerms);
    let Answer::Credentials(all) = signed(&mut world, ActName::TokenList, "{}").unwrap() else {
        panic!("no list")
    };
    assert_eq!(all.len(), 64);
    let listed = all
        .iter()
        .find(|one| one.credential.handle == client.handle)
        .unwrap();
    let thumbprints: Vec<Value> = [ED, EC]
        .iter()
        .map(|key| Jwk::parse(key.as_bytes()).unwrap().thumbprint())
        .map(|thumbprint| Value::from(thumbprint.to_string()))
        .collect();
    assert_eq!(
        listed.credential.form.described(),
        Some(Value::from(thumbprints))
    );
}

#[test]
fn a_client_is_logged_as_a_token_is() {
    let mut world = world(508);
    let before = super::log(&mut world).len();
    let (client, _) = issue(&mut world, r#""secret""#).unwrap();
    let revoke = format!(r#"{{"id":"{}"}}"#, hex(&client.handle));
    signed(&mut world, ActName::TokenRevoke, &revoke).unwrap();
    let entries = super::log(&mut world);
    let new: Vec<(EntryType, [u8; 32])> = entries[before..]
        .iter()
        .map(|entry| (entry.kind, entry.subject.0))
        .collect();
    assert_eq!(
        new,
        [
            (EntryType::TokenIssued, client.handle),
            (EntryType::TokenRevoked, client.handle)
        ]
    );
}
