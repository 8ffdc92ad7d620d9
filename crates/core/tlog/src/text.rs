//! Canonical numbers.

use crate::Error;
use crate::TREE_SIZE_MAX;

/// Reads ASCII decimal without sign and leading zeroes, at most 2^63 - 1.
pub(crate) fn parse_decimal(text: &str) -> Result<u64, Error> {
    let canonical = match text.as_bytes() {
        [b'0'] => true,
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    match text.parse() {
        Ok(number) if canonical && number <= TREE_SIZE_MAX => Ok(number),
        Ok(_) | Err(_) => Err(Error::Number),
    }
}
