//! Members claim their accounts after a sign-in at the test issuer, and keys are looked up.

use std::time::Duration;

use base64ct::{Base64, Base64UrlUnpadded, Encoding as _};
use chancery_authority::ActName;
use chancery_claim::{
    ClaimContext, ClaimId, ClaimNonce, ClaimRequest, ProviderConfiguration, configuration_url,
};
use chancery_issuer::{Browser, Form, encode_form, login};
use chancery_json::{Limits, Object, Value};
use chancery_keyset::Keyset;
use chancery_sealing::{Entropy, EntropyError, ExpandedEntropy, Key};
use indicatif::ProgressBar;
use ring::rand::{SecureRandom as _, SystemRandom};
use sha2::{Digest as _, Sha256};

use crate::attested::{Link, answer};
use crate::bench::measure::number;
use crate::bench::plan::Plan;
use crate::bench::report::table;
use crate::bench::series::{Meter, Series};
use crate::error::DevError;
use crate::files;
use crate::ready::Ready;

/// How many members claim unless it is said.
pub(crate) const CLAIMS: u64 = 20;
/// The service confirms a claim within this time.
const GOAL: Duration = Duration::from_secs(1);
/// Where nobody listens: the code is read from the address that the issuer leads to.
const REDIRECT_URI: &str = "http://127.0.0.1:1/callback";

/// What claims and look-ups took.
#[derive(Clone, Debug, Default)]
pub(crate) struct Claims {
    /// From the claim with its ID token to the confirmed answer.
    pub(crate) claims: Series,
    /// From the question for a key to its proof.
    pub(crate) lookups: Series,
    /// Bytes of each proof, in ascending order.
    proof_bytes: Vec<u64>,
}

impl Claims {
    fn proof_bytes_p50(&self) -> u64 {
        let middle = self.proof_bytes.len() / 2;
        self.proof_bytes.get(middle).copied().unwrap_or(0)
    }

    /// For people.
    pub(crate) fn to_text(&self) -> String {
        let row = |name: &str, series: &Series| {
            let mut row = vec![name.to_owned()];
            row.extend(series.cells());
            row
        };
        let rows = [
            row("claim", &self.claims),
            row("look a key up", &self.lookups),
        ];
        let head = ["member", "ops", "p50 ms", "p95 ms", "runtime µs"];
        format!(
            "{}\na claim is measured from its ID token to the confirmed answer, without the sign-in \
             (goal: p95 under {} s)\na key's proof has {} bytes",
            table(&head, &rows),
            GOAL.as_secs(),
            self.proof_bytes_p50()
        )
    }

    /// For programs.
    pub(crate) fn to_json(&self) -> Object {
        Object::new()
            .with(
                "claim",
                self.claims
                    .to_json()
                    .with("p95_ms_goal", number(GOAL.as_secs_f64() * 1000.0)),
            )
            .with(
                "lookup",
                self.lookups
                    .to_json()
                    .with("proof_bytes_p50", self.proof_bytes_p50()),
            )
    }
}

/// Members of the demo tenant, as many as are wanted.
pub(crate) struct Claimants<'a> {
    link: Link,
    issuer: IssuerClient,
    plan: &'a Plan,
    meter: Meter,
    entropy: ExpandedEntropy,
}

impl<'a> Claimants<'a> {
    /// Connects to the service and asks the issuer where to sign in.
    pub(crate) async fn open(
        ready: &Ready,
        plan: &'a Plan,
        meter: Meter,
    ) -> Result<Self, DevError> {
        let tenant = ready.tenant.as_ref().ok_or(DevError::Value {
            option: "--ready-file",
            allowed: "of an `up` that made a tenant",
        })?;
        let mut seed = [0; 32];
        SystemRandom::new()
            .fill(&mut seed)
            .map_err(|ring::error::Unspecified| {
                DevError::System(std::io::Error::other("the random source failed"))
            })?;
        Ok(Self {
            link: Link::open(ready, tenant).await?,
            issuer: IssuerClient::open(ready).await?,
            plan,
            meter,
            entropy: ExpandedEntropy::new(Key::from_bytes(seed)),
        })
    }

    /// Lets the first `count` users claim, then looks their keys up.
    pub(crate) async fn measure(
        &mut self,
        count: u64,
        bar: &ProgressBar,
    ) -> Result<Claims, DevError> {
        let mut result = Claims::default();
        for number in 0..count {
            let (took, cpu_ns) = self.claim(number).await?;
            result.claims.push(took, cpu_ns);
            bar.inc(1);
        }
        for number in 0..count {
            let body = Object::new().with("user", self.id(number)?);
            let asking = self.link.act(ActName::KeysLookup, &body);
            let (asked, cpu_ns) = self.meter.run(asking).await;
            let (response, took) = asked?;
            let step = "looking a key up";
            let found = answer(step, &response)?;
            let proof = found.get("proof").and_then(Value::as_str);
            let proof = proof.ok_or(DevError::ApiAnswer { step })?;
            result.lookups.push(took, cpu_ns);
            result.proof_bytes.extend(u64::try_from(proof.len()));
        }
        result.proof_bytes.sort_unstable();
        bar.finish_and_clear();
        Ok(result)
    }

    fn id(&self, number: u64) -> Result<&'a str, DevError> {
        let index = usize::try_from(number).ok();
        let id = index.and_then(|index| self.plan.user_ids.get(index));
        id.map(String::as_str)
            .ok_or_else(|| DevError::Load("there are fewer users than claims".to_owned()))
    }

    /// One member with new keys; with what the claim alone took.
    async fn claim(&mut self, number: u64) -> Result<(Duration, Option<u64>), DevError> {
        let step = "asking for a challenge";
        let (challenge, _) = self.link.post("claim/challenge", &Object::new()).await?;
        let challenge = answer(step, &challenge)?;
        let challenge = challenge.get("challenge").and_then(Value::as_str);
        let challenge = challenge
            .and_then(|text| Base64::decode_vec(text).ok())
            .ok_or(DevError::ApiAnswer { step })?;
        let (request, nonce) = self.request(number, challenge)?;
        let user = self.plan.external_id(number);
        let token = self
            .issuer
            .id_token(&user, &nonce, &mut self.entropy)
            .await?;
        let body = claim_body(&request, &token);
        let (answered, cpu_ns) = self.meter.run(self.link.post("claim", &body)).await;
        let (response, took) = answered?;
        let step = "a claim";
        let told = answer(step, &response)?;
        if told.get("state").and_then(Value::as_str) != Some("confirmed") {
            return Err(DevError::ApiAnswer { step });
        }
        Ok((took, cpu_ns))
    }

    /// New keys, and what claims an account for them.
    fn request(
        &mut self,
        number: u64,
        challenge: Vec<u8>,
    ) -> Result<(ClaimRequest, ClaimNonce), DevError> {
        let genesis = self.link.genesis();
        let context = ClaimContext {
            deployment: *genesis.genesis().deployment.as_bytes(),
            tenant: *genesis.tenant().as_bytes(),
            genesis: *genesis.hash(),
        };
        let claim = ClaimId::parse(self.id(number)?).map_err(|error| claim_error(&error))?;
        let mut keyset =
            || Keyset::generate(&mut self.entropy).map_err(|_keyset| DevError::Primitive);
        let (account, device) = (keyset()?, keyset()?);
        let mut request = ClaimRequest {
            challenge,
            claim,
            account: account.public().clone(),
            device: device.public().clone(),
            signature: [0; 64],
        };
        let nonce = request
            .nonce(&context)
            .map_err(|error| claim_error(&error))?;
        request.signature = account.signing_key().sign(&nonce.statement());
        Ok((request, nonce))
    }
}

fn claim_error(error: &chancery_claim::Error) -> DevError {
    DevError::Load(format!("a claim cannot be made: {error}"))
}

fn claim_body(request: &ClaimRequest, id_token: &str) -> Object {
    let base64 = |bytes: &[u8]| Base64::encode_string(bytes);
    Object::new()
        .with("claim", request.claim.to_string())
        .with("challenge", base64(&request.challenge))
        .with("account", base64(&request.account.encode()))
        .with("device", base64(&request.device.encode()))
        .with("device_name", "bench")
        .with("signature", base64(&request.signature))
        .with("id_token", id_token)
}

/// A native application of the test issuer, with a person whose password is known.
struct IssuerClient {
    ca_pem: String,
    browser: Browser,
    configuration: ProviderConfiguration,
    client_id: String,
    password: String,
}

impl IssuerClient {
    async fn open(ready: &Ready) -> Result<Self, DevError> {
        let issuer = &ready.issuer;
        let password = issuer.password.clone().ok_or(DevError::Value {
            option: "--claims",
            allowed: "0, because this issuer lets nobody in with one password",
        })?;
        let ca_pem = files::read(&issuer.ca_file)?;
        let ca_pem = String::from_utf8_lossy(&ca_pem).into_owned();
        let mut browser = Browser::new(&ca_pem).map_err(|error| failed(&error))?;
        let url = configuration_url(&issuer.url).map_err(|error| failed(&error))?;
        let told = browser
            .get(url.as_str())
            .await
            .map_err(|error| failed(&error))?;
        let configuration = ProviderConfiguration::parse(&told.body, &issuer.url)
            .map_err(|error| failed(&error))?;
        Ok(Self {
            ca_pem,
            browser,
            configuration,
            client_id: issuer.client_id.clone(),
            password,
        })
    }

    /// An ID token of `user` for `nonce`, by the code flow with PKCE.
    async fn id_token(
        &mut self,
        user: &str,
        nonce: &ClaimNonce,
        entropy: &mut ExpandedEntropy,
    ) -> Result<String, DevError> {
        let mut draw = || -> Result<String, EntropyError> {
            let mut bytes = [0; 32];
            entropy.fill(&mut bytes)?;
            Ok(Base64UrlUnpadded::encode_string(&bytes))
        };
        let state = draw().map_err(|_entropy| DevError::Primitive)?;
        let verifier = draw().map_err(|_entropy| DevError::Primitive)?;
        let query = encode_form(&[
            ("response_type", "code"),
            ("client_id", &self.client_id),
            ("redirect_uri", REDIRECT_URI),
            ("scope", "openid"),
            ("state", &state),
            ("nonce", &nonce.to_text()),
            (
                "code_challenge",
                &Base64UrlUnpadded::encode_string(&Sha256::digest(&verifier)),
            ),
            ("code_challenge_method", "S256"),
        ]);
        let endpoint = self.configuration.authorization_endpoint().as_str();
        let url = format!("{endpoint}?{query}");
        let led = login(&self.ca_pem, &url, user, &self.password)
            .await
            .map_err(|error| failed(&error))?;
        let code = code(&led, &state).ok_or_else(|| failed(&"it led back without a code"))?;
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("redirect_uri", REDIRECT_URI),
            ("client_id", &self.client_id),
            ("code_verifier", &verifier),
        ];
        let endpoint = self.configuration.token_endpoint().as_str();
        let told = self
            .browser
            .post(endpoint, &fields)
            .await
            .map_err(|error| failed(&error))?;
        token(&told.body).ok_or_else(|| failed(&format!("status {}", told.status)))
    }
}

fn failed(reason: &impl std::fmt::Display) -> DevError {
    DevError::Load(format!("the identity provider: {reason}"))
}

/// The code in the address to which the issuer led back.
fn code(redirect: &str, state: &str) -> Option<String> {
    let query = redirect.strip_prefix(REDIRECT_URI)?.strip_prefix('?')?;
    let form = Form::parse(query.as_bytes())?;
    let code = form.value("code").map(str::to_owned);
    code.filter(|_| form.value("state") == Some(state))
}

fn token(body: &[u8]) -> Option<String> {
    let answer = Value::parse(body, &Limits::DOCUMENT).ok()?;
    let token = answer.as_object()?.get("id_token")?.as_str()?;
    Some(token.to_owned())
}

/// How many claims are asked for, of users that there are.
pub(crate) fn count(asked: Option<u64>, create_only: bool, ready: &Ready, users: u64) -> u64 {
    let is_possible = ready.tenant.is_some() && ready.issuer.password.is_some();
    let by_default = if create_only || !is_possible {
        0
    } else {
        CLAIMS
    };
    asked.unwrap_or(by_default).min(users)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ready::tests::ready;

    #[test]
    fn claims_by_default_where_a_sign_in_is_possible() {
        let mut ready = ready();
        assert_eq!(count(None, false, &ready, 1000), CLAIMS);
        assert_eq!(count(None, false, &ready, 5), 5);
        assert_eq!(count(None, true, &ready, 1000), 0);
        assert_eq!(count(Some(50), true, &ready, 1000), 50);
        assert_eq!(count(Some(0), false, &ready, 1000), 0);
        ready.issuer.password = None;
        assert_eq!(count(None, false, &ready, 1000), 0);
    }

    #[test]
    fn a_code_counts_with_the_state_that_was_sent() {
        let led = format!("{REDIRECT_URI}?code=c%20d&state=s&iss=x");
        assert_eq!(code(&led, "s").as_deref(), Some("c d"));
        assert_eq!(code(&led, "t"), None);
        assert_eq!(
            code("http://127.0.0.1:2/callback?code=c&state=s", "s"),
            None
        );
        assert_eq!(code(&format!("{REDIRECT_URI}?error=x&state=s"), "s"), None);
        assert_eq!(token(br#"{"id_token":"t"}"#).as_deref(), Some("t"));
        assert_eq!(token(br#"{"error":"invalid_grant"}"#), None);
    }

    #[test]
    fn says_what_a_claim_and_a_proof_cost_beside_the_goal() {
        let mut claims = Claims {
            proof_bytes: vec![100, 200, 300],
            ..Claims::default()
        };
        claims
            .claims
            .push(Duration::from_millis(12), Some(3_000_000));
        let text = claims.to_text();
        assert!(
            text.contains("claim            1   12.00   12.00        3000"),
            "{text}"
        );
        assert!(text.contains("goal: p95 under 1 s"), "{text}");
        assert!(text.contains("200 bytes"), "{text}");
        let json = String::from_utf8(claims.to_json().to_bytes()).unwrap();
        assert!(json.contains(r#""p95_ms_goal":1000.0"#), "{json}");
        assert!(json.contains(r#""proof_bytes_p50":200"#), "{json}");
    }
}
