use core::fmt;

/// Why a key set, token, provider configuration, statement or evidence was not believed. The fault is
/// the peer's in every case; no variant holds text that a peer chose.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// Not the JSON that it should be.
    Json(chancery_json::Error),
    /// A key set with more than [`crate::KEYS_MAX`] keys.
    TooManyKeys,
    /// A key set with one key or one `kid` twice.
    DuplicateKey,
    /// A published key with a private or symmetric member.
    PrivateMember,
    /// A member of a key that is not canonical base64url of a value of the right form.
    KeyForm {
        /// The member's name.
        member: &'static str,
    },
    /// A key of a type, curve, size, use or algorithm that is not accepted for signatures.
    KeyUnsupported,
    /// A token longer than [`crate::TOKEN_SIZE_MAX`].
    TokenTooLarge,
    /// Not three non-empty parts of canonical base64url without padding.
    TokenForm,
    /// A signature algorithm other than RS256, PS256, ES256 and EdDSA.
    AlgorithmRefused,
    /// A header with `crit`.
    CriticalHeader,
    /// A header whose `typ` is none that is expected.
    TokenType,
    /// No trusted key fits the header's `kid` and `alg`.
    UnknownKey,
    /// The signature is not of a trusted key that fits.
    TokenSignature,
    /// `iss` or `issuer` is not the expected issuer.
    OtherIssuer,
    /// `aud` does not name the expected client.
    OtherAudience,
    /// `sub` is not the client that the assertion is for.
    OtherSubject,
    /// `exp` is further ahead than [`crate::ASSERTION_LIFE_S_MAX`] allows.
    LivesTooLong,
    /// `iat` is not after the time up to which assertions may have been used without the caller knowing.
    IssuedTooEarly,
    /// `azp` is not the expected client, or is missing beside several audiences.
    OtherAuthorizedParty,
    /// The time in `exp` has passed.
    Expired {
        /// That time, in seconds since the Unix epoch.
        expires_s: u64,
    },
    /// `iat` lies in the future.
    IssuedInFuture,
    /// `nbf` lies in the future.
    NotYetValid,
    /// `nonce` is not the expected one: another challenge, tenant, person or key.
    OtherNonce,
    /// A claim that is needed is missing, empty, too long or has control characters.
    ClaimForm {
        /// The claim's name.
        claim: &'static str,
    },
    /// `email_verified` is not `true`.
    EmailUnverified,
    /// A member that is no acceptable `https` URL.
    UrlForm,
    /// A challenge that is empty or longer than [`crate::CHALLENGE_SIZE_MAX`].
    ChallengeSize,
    /// Not a UUID in lower-case hexadecimal digits.
    ClaimIdForm,
    /// Not a short code.
    CodeForm,
    /// A member of evidence that has the right type and is not what it should be.
    EvidenceForm {
        /// The member's name.
        member: &'static str,
    },
    /// Evidence larger than [`crate::EVIDENCE_SIZE_MAX`].
    EvidenceTooLarge,
    /// Evidence that is not the one encoding of what it says.
    NotCanonical,
    /// Evidence without an ID token, where one was to be checked.
    NoIdToken,
    /// A signature in evidence that does not verify.
    Signature(SignedBy),
}

/// Whose signature a refusal is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignedBy {
    /// The new account key, over the claim statement.
    Account,
    /// The pending key that the claim replaces, over the succession.
    Pending,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Json(_) => "not the expected JSON",
            Self::TooManyKeys => "too many keys in the key set",
            Self::DuplicateKey => "a key or key id is there twice",
            Self::PrivateMember => "a published key has a private member",
            Self::KeyForm { member } => return write!(f, "malformed `{member}` of a key"),
            Self::KeyUnsupported => "unsupported key",
            Self::TokenTooLarge => "token too large",
            Self::TokenForm => "not a compact signed token",
            Self::AlgorithmRefused => "signature algorithm refused",
            Self::CriticalHeader => "token header with critical members",
            Self::TokenType => "token of another type",
            Self::UnknownKey => "no trusted key fits the token",
            Self::TokenSignature => "signature of the token does not verify",
            Self::OtherIssuer => "another issuer",
            Self::OtherAudience => "token for another client",
            Self::OtherAuthorizedParty => "token with another authorized party",
            Self::OtherSubject => "token about another client",
            Self::LivesTooLong => "token lives too long",
            Self::IssuedTooEarly => "token was issued too early",
            Self::Expired { .. } => "token has expired",
            Self::IssuedInFuture => "token was issued in the future",
            Self::NotYetValid => "token is not valid yet",
            Self::OtherNonce => "token with another nonce",
            Self::ClaimForm { claim } => return write!(f, "missing or malformed claim `{claim}`"),
            Self::EmailUnverified => "email address is not verified",
            Self::UrlForm => "not an acceptable https URL",
            Self::ChallengeSize => "challenge of a wrong size",
            Self::ClaimIdForm => "not a UUID",
            Self::CodeForm => "not a short code",
            Self::EvidenceForm { member } => return write!(f, "malformed `{member}` of evidence"),
            Self::EvidenceTooLarge => "evidence too large",
            Self::NotCanonical => "evidence is not canonical",
            Self::NoIdToken => "evidence without an id token",
            Self::Signature(SignedBy::Account) => "the account key's signature does not verify",
            Self::Signature(SignedBy::Pending) => "the pending key's signature does not verify",
        };
        f.write_str(text)
    }
}

impl core::error::Error for Error {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        if let Self::Json(source) = self {
            Some(source)
        } else {
            None
        }
    }
}

impl From<chancery_json::Error> for Error {
    fn from(source: chancery_json::Error) -> Self {
        Self::Json(source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::error::Error as _;
    use std::collections::BTreeSet;
    use std::string::{String, ToString as _};

    const ALL: [Error; 37] = [
        Error::OtherSubject,
        Error::LivesTooLong,
        Error::IssuedTooEarly,
        Error::TooManyKeys,
        Error::DuplicateKey,
        Error::PrivateMember,
        Error::KeyForm { member: "n" },
        Error::KeyUnsupported,
        Error::TokenTooLarge,
        Error::TokenForm,
        Error::AlgorithmRefused,
        Error::CriticalHeader,
        Error::TokenType,
        Error::UnknownKey,
        Error::TokenSignature,
        Error::OtherIssuer,
        Error::OtherAudience,
        Error::OtherAuthorizedParty,
        Error::Expired { expires_s: 7 },
        Error::IssuedInFuture,
        Error::NotYetValid,
        Error::OtherNonce,
        Error::ClaimForm { claim: "sub" },
        Error::EmailUnverified,
        Error::UrlForm,
        Error::ChallengeSize,
        Error::ClaimIdForm,
        Error::CodeForm,
        Error::EvidenceForm { member: "account" },
        Error::EvidenceTooLarge,
        Error::NotCanonical,
        Error::NoIdToken,
        Error::Signature(SignedBy::Account),
        Error::Signature(SignedBy::Pending),
        Error::KeyForm { member: "e" },
        Error::ClaimForm { claim: "oid" },
        Error::EvidenceForm { member: "device" },
    ];

    #[test]
    fn each_refusal_has_words_of_its_own_and_only_json_has_a_source() {
        let texts: BTreeSet<String> = ALL.iter().map(Error::to_string).collect();
        assert_eq!(texts.len(), ALL.len());
        for text in texts {
            assert!(!text.is_empty() && !text.ends_with('.'), "{text}");
        }
        assert!(ALL.iter().all(|error| error.source().is_none()));
        let json = crate::JwkSet::parse(b"{}").unwrap_err();
        assert_eq!(json.to_string(), "not the expected JSON");
        assert!(json.source().is_some());
    }

    /// The numbers that `docs/spec/claim.md` names.
    #[test]
    fn limits_are_those_of_the_specification() {
        assert_eq!(crate::ASSERTION_LIFE_S_MAX, 3600);
        assert_eq!(crate::ASSERTION_SKEW_S, 10);
        assert_eq!(crate::CHALLENGE_SIZE_MAX, 1_024);
        assert_eq!(crate::CLOCK_SKEW_S, 60);
        assert_eq!(crate::CONFIGURATION_SIZE_MAX, 65_536);
        assert_eq!(crate::EVIDENCE_SIZE_MAX, 65_536);
        assert_eq!(crate::JWK_SET_SIZE_MAX, 262_144);
        assert_eq!(crate::JWK_SIZE_MAX, 32_768);
        assert_eq!(crate::KEYS_MAX, 64);
        assert_eq!(crate::TOKEN_SIZE_MAX, 16_384);
        assert_eq!(crate::URL_LENGTH_MAX, 2_048);
    }
}
