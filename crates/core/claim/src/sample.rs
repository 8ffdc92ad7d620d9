//! What the tests share: the example keys of RFC 7515 and RFC 8037, and tokens signed with them.

use std::format;
use std::string::String;
use std::vec::Vec;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use chancery_dsse::SigningKey;
use ring::rand::SystemRandom;
use ring::rsa::KeyPair;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
};

use crate::jwk::{Algorithm, Jwk};

/// Modulus of the key of RFC 7515 appendix A.2.1.
pub(crate) const RSA_N: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt\
    0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSX\
    ndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5\
    IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";

/// The private key of RFC 7515 appendix A.2.1 as RSAPrivateKey of RFC 8017, in base64url.
const RSA_PRIVATE: &str = "MIIEowIBAAKCAQEAofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qP\
    CJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0\
    LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qC\
    o5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRW\
    yuXpoQIDAQABAoIBABKucaRpzQorw35SbEUAVx8dYXUdZOlJcHtiWQ-dC6V8ljxAHj_PLyzTveyI5QO_xkObCyjI\
    L303l2cfUhPu2MFaJdjVzqACXuOrLot_eSFvxjvqVidTtAZExqFRJ9mylUVAoLvhowVWmC1On95fZCXxTUtxNEG1\
    Xcc7m0rtzJKs45J-N_V9DP1edYH6USyPSWGp6wuA-KgHRnKKVf9GRx80JQY7nVNkL17eHoTWEwga-lwi0FEoW9Y7\
    lDtWXYmKBWhUE-U8PGxlJf8f40493HDw1WRQ_aSLoS4QTp3rn7gYgeHEvfJdkkf0UMhlknlo53M09EFPdadQ4TlU\
    bjqKc50CgYEA4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH_5IB3jw3bcxGn6QLvnEtfdUdiYrqBdss1l58BQ3Khoo\
    KeQTa9AB0Hw_Py5PJdTJNPY8cQn7ouZ2KKDcmnPGBY5t7yLc1QlQ5xHdwW1VhvKn-nXqhJTBgIPgtldC-KDV5z-y\
    2XDwGUcCgYEAuQPEfgmVtjL0Uyyx88GZFF1fOunH3-7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYsp1ZSe7zF\
    YHj7C6ul7TjeLQeZD_YwD66t62wDmpe_HlB-TnBA-njbglfIsRLtXlnDzQkv5dTltRJ11BKBBypeeF6689rjcJID\
    Ez9RWdcCgYAHAp9XcCSrn8wVkMVkKdb7DOX4IKjzdahm-ctDAJN4O_y7OW5FKebvUjdAIt2GuoTZ71iTG-7F0F-l\
    P88jtjP4U4qe7VHoewl4MKOfXZKTe-YCS1XbNvfgwJ3Ltyl1OH9hWvu2yza7q-d5PCsDzqtm27kxuvULVeya-TEd\
    AB1ijQKBgQCH_3r6YrVH_uCWGy6bzV1nGNOdjKc9tmkfOJmN54dxdixdpozCQ6U4OxZrsj3FcOhHBsqAHvX2uuYj\
    agqvo3cOj1TRqNocX40omfCCMx3bD1yPPf_6TI2XECva_ggqEY2mYzmIiA5LVVmc5nrybr-lssFKneeyxN2Wq93S\
    0iJMdQKBgCGHewxzoa1r8ZMD0LETNrToK423K377UCYqXfg5XMclbrjPbEC3YI1ZNqMtuhdBJqUnBi6tjKMF-34X\
    f0CUN8ncuXGO2CAYvO8PdyCixHX52ybaDjy1FtCE6yUXjoKNXKvUm7MWGsAYH6f4IegOetN5NvmUMFStCSkh7ixZ\
    LkN1";

/// The key of RFC 7515 appendix A.3.1.
pub(crate) const EC_X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
pub(crate) const EC_Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
const EC_D: &str = "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI";

/// The key of RFC 8037 appendix A.1.
pub(crate) const ED_X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
const ED_D: &str = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";

pub(crate) const ALGORITHMS: [Algorithm; 4] = [
    Algorithm::Rs256,
    Algorithm::Ps256,
    Algorithm::Es256,
    Algorithm::EdDsa,
];

pub(crate) fn decode(text: &str) -> Vec<u8> {
    Base64UrlUnpadded::decode_vec(text).unwrap()
}

pub(crate) fn encode(bytes: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(bytes)
}

/// The public key that an algorithm's tokens are signed with, with more members put in before its own.
pub(crate) fn jwk_text(algorithm: Algorithm, more: &str) -> String {
    match algorithm {
        Algorithm::Rs256 | Algorithm::Ps256 => {
            format!(r#"{{{more}"kty":"RSA","n":"{RSA_N}","e":"AQAB"}}"#)
        }
        Algorithm::Es256 => {
            format!(r#"{{{more}"kty":"EC","crv":"P-256","x":"{EC_X}","y":"{EC_Y}"}}"#)
        }
        Algorithm::EdDsa => format!(r#"{{{more}"kty":"OKP","crv":"Ed25519","x":"{ED_X}"}}"#),
    }
}

pub(crate) fn jwk(algorithm: Algorithm) -> Jwk {
    Jwk::parse(jwk_text(algorithm, "").as_bytes()).unwrap()
}

pub(crate) fn signature(algorithm: Algorithm, message: &[u8]) -> Vec<u8> {
    let random = SystemRandom::new();
    match algorithm {
        Algorithm::Rs256 | Algorithm::Ps256 => {
            let key = KeyPair::from_der(&decode(RSA_PRIVATE)).unwrap();
            let mut signature = std::vec![0; key.public().modulus_len()];
            if algorithm == Algorithm::Ps256 {
                key.sign(&RSA_PSS_SHA256, &random, message, &mut signature)
                    .unwrap();
            } else {
                key.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
                    .unwrap();
            }
            signature
        }
        Algorithm::Es256 => {
            let point = [&[4], decode(EC_X).as_slice(), &decode(EC_Y)].concat();
            let key = EcdsaKeyPair::from_private_key_and_public_key(
                &ECDSA_P256_SHA256_FIXED_SIGNING,
                &decode(EC_D),
                &point,
                &random,
            );
            key.unwrap()
                .sign(&random, message)
                .unwrap()
                .as_ref()
                .to_vec()
        }
        Algorithm::EdDsa => SigningKey::from_seed(decode(ED_D).try_into().unwrap())
            .sign(message)
            .to_vec(),
    }
}

/// A compact token over any header and payload, signed with the sample key of `algorithm`.
pub(crate) fn token(algorithm: Algorithm, header: &str, payload: &str) -> String {
    let signed = format!(
        "{}.{}",
        encode(header.as_bytes()),
        encode(payload.as_bytes())
    );
    let signature = signature(algorithm, signed.as_bytes());
    format!("{signed}.{}", encode(&signature))
}

/// Repeatable bytes for inputs that must not panic: xorshift of 64 bits.
pub(crate) struct Noise(pub(crate) u64);

impl Noise {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(
            self.next()
                .checked_rem(u64::try_from(bound).unwrap())
                .unwrap(),
        )
        .unwrap()
    }
}
