//! OAuth clients: how one is asked for, and what its admin has to give to the identity provider.

use std::path::Path;

use chancery_claim::{Error, JwkSet};
use chancery_json::{Limits, Object, Value};

use super::given_out;
use crate::api::text;
use crate::args::token::ClientArgs;
use crate::context::Context;
use crate::error::CliError;
use crate::files::read_document;
use crate::output::{Outcome, aligned, printable};

/// Most keys of one client.
const KEYS_MAX: usize = 4;

/// The member of the signed act that asks for a client, if one is asked for.
pub(super) fn asked(args: &ClientArgs) -> Result<Option<Value>, CliError> {
    match &args.oauth_jwk {
        Some(path) => public_keys(path, &read_document(path)?).map(Some),
        None => Ok(args.oauth_secret.then(|| Value::from("secret"))),
    }
}

/// The token endpoint, which is the audience of assertions as well.
pub(super) fn endpoint(context: &Context) -> Result<String, CliError> {
    let base = context.deployment.base().trim_end_matches('/');
    Ok(format!(
        "{base}/t/{}/oauth2/token",
        context.tenant()?.as_str()
    ))
}

/// The public keys of a JWK or a JWK set, without what nobody needs to sign.
fn public_keys(path: &Path, bytes: &[u8]) -> Result<Value, CliError> {
    let invalid = |reason: String| CliError::EditInvalid {
        path: path.to_owned(),
        reason,
    };
    if bytes.starts_with(b"-----BEGIN") {
        return Err(invalid(String::from(
            "this is PEM; what is needed is the public key as a JWK or JWK set",
        )));
    }
    let document =
        Value::parse(bytes, &Limits::DOCUMENT).map_err(|error| invalid(error.describe()))?;
    let is_set = document
        .as_object()
        .is_some_and(|set| set.get("keys").is_some());
    let set = if is_set {
        document
    } else {
        Value::from(Object::new().with("keys", vec![document]))
    };
    let set = JwkSet::parse(&set.to_bytes()).map_err(|error| {
        invalid(match error {
            Error::PrivateMember => String::from(
                "it holds a private key, which must stay with the identity provider: give its public part alone",
            ),
            other => other.to_string(),
        })
    })?;
    if set.skipped() > 0 {
        return Err(invalid(String::from(
            "a key in it is none for signatures by RS256, PS256, ES256 or EdDSA",
        )));
    }
    if !(1..=KEYS_MAX).contains(&set.keys().len()) {
        return Err(invalid(format!("it must hold 1 to {KEYS_MAX} keys")));
    }
    let keys: Result<Vec<Value>, _> = set
        .keys()
        .iter()
        .map(|key| Value::parse(&key.named(), &Limits::DOCUMENT))
        .collect();
    let keys = keys.map_err(|error| invalid(error.describe()))?;
    Ok(Value::from(Object::new().with("keys", keys)))
}

/// How a credential of a list is shown.
pub(super) fn kind(client: Option<&Value>) -> Result<String, CliError> {
    match client {
        None => Ok(String::from("bearer")),
        Some(Value::String(word)) => Ok(printable(word)),
        Some(Value::Array(keys)) if keys.len() == 1 => Ok(String::from("1 key")),
        Some(Value::Array(keys)) => Ok(format!("{} keys", keys.len())),
        Some(_) => Err(CliError::AnswerUnexpected { what: "client" }),
    }
}

/// What the admin of a new client has to know.
pub(super) fn issued(
    answer: &Object,
    kind: &Value,
    (out, endpoint): (Option<&Path>, &str),
    (json, expires): (Object, (&'static str, String)),
) -> Result<Outcome, CliError> {
    let id = text(answer, "id")?;
    let json = json
        .with("client_id", id)
        .with("token_endpoint", endpoint)
        .with("client", kind.clone());
    let mut rows = vec![
        ("client id", printable(id)),
        ("token endpoint", printable(endpoint)),
        ("grant", String::from("client credentials; no scope")),
    ];
    let (json, next) = if let Some(thumbprints) = kind.as_array() {
        for thumbprint in thumbprints {
            let shown = thumbprint.as_str().map(printable);
            rows.push(("key", shown.unwrap_or_default()));
        }
        rows.push(("audience", printable(endpoint)));
        (
            json.with("audience", endpoint),
            "Set the identity provider to private_key_jwt with the key above. What it signs has the client id as iss and sub, the \
             audience as aud, an exp at most an hour ahead, an iat, and another jti each time.",
        )
    } else {
        let (json, place) = given_out(answer, "client_secret", out, json)?;
        rows.push(("client secret", place));
        (
            json,
            "This is the only time that the secret is given out. Paste it into the identity provider with client id and token \
             endpoint.",
        )
    };
    rows.push(expires);
    let words = format!(
        "{}\n\n{next} It fetches access tokens of an hour itself. End it, and all of them, with `token revoke {}`.",
        aligned(&rows),
        printable(id)
    );
    Ok(Outcome::done(words, json))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::tests::Folder;

    const ED: &str = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","x5c":["AA"]}"#;
    const EC: &str = r#"{"kty":"EC","crv":"P-256","kid":"k1","alg":"ES256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;
    const ENDPOINT: &str = "https://scim.example/t/demo/oauth2/token";

    fn read(text: &str) -> Result<Value, CliError> {
        public_keys(Path::new("keys.json"), text.as_bytes())
    }

    fn refused(text: &str) -> String {
        read(text).unwrap_err().to_string()
    }

    #[test]
    fn signs_the_public_keys_of_a_jwk_or_a_set_and_nothing_beside_them() {
        let one = read(ED).unwrap();
        let text = String::from_utf8(one.to_bytes()).unwrap();
        assert_eq!(
            text,
            r#"{"keys":[{"crv":"Ed25519","kty":"OKP","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#
        );
        let two = read(&format!(r#"{{"keys":[{ED},{EC}]}}"#)).unwrap();
        let text = String::from_utf8(two.to_bytes()).unwrap();
        assert!(text.contains(r#""alg":"ES256","kid":"k1""#), "{text}");
    }

    #[test]
    fn refuses_private_keys_and_says_so() {
        let private = ED.replacen('{', r#"{"d":"AAAA","#, 1);
        for text in [private.clone(), format!(r#"{{"keys":[{EC},{private}]}}"#)] {
            assert!(refused(&text).contains("holds a private key"), "{text}");
        }
        assert!(refused(r#"{"kty":"oct","k":"AAAA"}"#).contains("holds a private key"));
    }

    #[test]
    fn refuses_what_are_no_keys_for_signatures() {
        for (text, words) in [
            ("-----BEGIN PUBLIC KEY-----", "this is PEM"),
            ("{", "JSON"),
            ("[]", ""),
            (r#"{"keys":[]}"#, "1 to 4 keys"),
            (
                &ED.replacen('{', r#"{"use":"enc","#, 1),
                "none for signatures",
            ),
            (&format!(r#"{{"keys":[{ED},{ED}]}}"#), "twice"),
        ] {
            let reason = refused(text);
            assert!(
                reason.contains("keys.json") && reason.contains(words),
                "{reason}"
            );
        }
    }

    fn answer() -> Object {
        Object::new()
            .with("id", "4f1c")
            .with("not_after_ms", 1000_u64)
    }

    #[test]
    fn says_what_an_identity_provider_with_a_secret_is_given() {
        let answer = answer()
            .with("client", "secret")
            .with("client_secret", "chs_x");
        let outcome = super::super::issued(&answer, None, ENDPOINT).unwrap();
        for part in [
            "4f1c",
            "chs_x",
            ENDPOINT,
            "1970-01-01T00:00:01Z",
            "token revoke 4f1c",
        ] {
            assert!(outcome.text.contains(part), "{part}: {}", outcome.text);
        }
        let json = |name| outcome.json.get(name).and_then(Value::as_str);
        assert_eq!(json("client_id"), Some("4f1c"));
        assert_eq!(json("client_secret"), Some("chs_x"));
        assert_eq!(json("token_endpoint"), Some(ENDPOINT));
        let folder = Folder::new();
        let path = folder.path("secret");
        let outcome = super::super::issued(&answer, Some(&path), ENDPOINT).unwrap();
        let shown = String::from_utf8(outcome.json.to_bytes()).unwrap() + &outcome.text;
        assert!(!shown.contains("chs_x"), "{shown}");
        let kept = crate::files::read_secret(&path).unwrap();
        assert_eq!(kept.as_slice(), b"chs_x\n");
    }

    #[test]
    fn says_what_an_identity_provider_with_keys_has_to_sign() {
        let keys = vec![Value::from("aa11"), Value::from("bb22")];
        let answer = answer().with("client", keys);
        let outcome = super::super::issued(&answer, None, ENDPOINT).unwrap();
        for part in ["4f1c", "aa11", "bb22", ENDPOINT, "private_key_jwt", "jti"] {
            assert!(outcome.text.contains(part), "{part}: {}", outcome.text);
        }
        let audience = outcome.json.get("audience").and_then(Value::as_str);
        assert_eq!(audience, Some(ENDPOINT));
        assert_eq!(kind(answer.get("client")).unwrap(), "2 keys");
        assert!(kind(Some(&Value::Bool(true))).is_err());
    }
}
