//! The body of a claim.

use base64ct::{Base64, Encoding as _};
use chancery_claim::{ClaimId, ClaimRequest};
use chancery_engine::DEVICE_NAME_BYTES_MAX;
use chancery_json::{Element, Fields, Limits, Value};
use chancery_keyset::PublicKeyset;

/// What a member sent.
pub(super) struct Sent {
    pub(super) request: ClaimRequest,
    pub(super) device_name: String,
    pub(super) id_token: Option<String>,
}

/// Reads the body of a claim.
///
/// # Errors
/// What is wrong, in words for whoever sent it.
pub(super) fn read(body: &[u8]) -> Result<Sent, String> {
    let mut fields = Fields::parse(body, &Limits::DOCUMENT).map_err(|error| error.describe())?;
    let mut take = |name: &'static str| fields.take(name).map_err(|error| error.describe());
    let claim = take("claim")?;
    let challenge = bytes(take("challenge")?, "challenge")?;
    let account = keyset(take("account")?, "account")?;
    let device = keyset(take("device")?, "device")?;
    let device_name = take("device_name")?
        .into_str()
        .map_err(|error| error.describe())?;
    let signature = bytes(take("signature")?, "signature")?
        .try_into()
        .map_err(|_length| String::from("signature must be 64 bytes in base64"))?;
    let id_token = match take("id_token")?.into_value() {
        Value::Null => None,
        Value::String(text) => Some(text),
        _ => return Err(String::from("id_token must be a text or null")),
    };
    fields.finish().map_err(|error| error.describe())?;
    if device_name.len() > DEVICE_NAME_BYTES_MAX {
        return Err(format!(
            "device_name is longer than {DEVICE_NAME_BYTES_MAX} bytes"
        ));
    }
    let claim = claim.into_str().map_err(|error| error.describe())?;
    let claim = ClaimId::parse(&claim)
        .map_err(|_form| String::from("claim must be a UUID in lower case"))?;
    Ok(Sent {
        request: ClaimRequest {
            challenge,
            claim,
            account,
            device,
            signature,
        },
        device_name,
        id_token,
    })
}

fn bytes(element: Element, name: &str) -> Result<Vec<u8>, String> {
    let text = element.into_str().map_err(|error| error.describe())?;
    Base64::decode_vec(&text).map_err(|_form| format!("{name} must be base64"))
}

fn keyset(element: Element, name: &str) -> Result<PublicKeyset, String> {
    PublicKeyset::decode(&bytes(element, name)?)
        .map_err(|_keyset| format!("{name} is no public keyset"))
}
