//! What people sign.

use chancery_dsse::Envelope;
use chancery_dsse::SigningKey;

use crate::accepted;

/// The type of the envelopes in the corpus.
pub const ENVELOPE_TYPE: &str = "application/vnd.chancery.fuzz+json";

/// The one payload that the corpus's keys have signed.
pub const ENVELOPE_PAYLOAD: &[u8] = b"{\"signed\":\"once\"}";

/// The two keys that have signed it.
#[must_use]
pub fn envelope_keys() -> [SigningKey; 2] {
    [[21; 32], [22; 32]].map(SigningKey::from_seed)
}

/// An envelope that is read is written and read again by the same bytes; only the payload that the two keys have signed is ever
/// believed, and only as its own type.
pub fn envelope(bytes: &[u8]) -> bool {
    accepted(Envelope::parse(bytes), |envelope| {
        let text = envelope.to_json();
        let again = Envelope::parse(&text).map(|envelope| envelope.to_json());
        assert_eq!(again.as_ref(), Ok(&text), "another envelope");
        assert_verifies_once(&envelope);
    })
}

fn assert_verifies_once(envelope: &Envelope) {
    let keys = envelope_keys().map(|key| key.public_key());
    for threshold in [1, 2] {
        accepted(
            envelope.verify(ENVELOPE_TYPE, &keys, threshold),
            |verified| {
                assert_eq!(verified.payload(), ENVELOPE_PAYLOAD, "a forged payload");
                assert!(verified.signers().len() >= threshold);
            },
        );
    }
    assert!(envelope.verify("application/other+json", &keys, 1).is_err());
    assert!(envelope.verify(ENVELOPE_TYPE, &keys, 0).is_err());
    assert!(envelope.verify(ENVELOPE_TYPE, &keys, 3).is_err());
}
