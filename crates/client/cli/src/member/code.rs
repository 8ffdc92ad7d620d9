//! How bytes, short codes and names are written.

use base64ct::{Base64, Encoding as _};
use chancery_claim::ShortCode;

use crate::error::CliError;

/// Longest name of a device, in bytes; the service takes no longer one.
const DEVICE_NAME_SIZE_MAX: usize = 64;

/// Base64 (RFC 4648 section 4).
pub(crate) fn base64(bytes: &[u8]) -> String {
    Base64::encode_string(bytes)
}

/// A code in letters that can be read from across a desk.
pub(crate) fn in_large(code: &ShortCode) -> String {
    let spaced: Vec<String> = code.to_string().chars().map(String::from).collect();
    let line = format!("   {}   ", spaced.join(" "));
    let width = line.chars().count();
    let (edge, blank) = ("═".repeat(width), " ".repeat(width));
    format!("    ╔{edge}╗\n    ║{blank}║\n    ║{line}║\n    ║{blank}║\n    ╚{edge}╝")
}

/// Whether a text can be a device's name: one line, not too long, no white space at its ends.
pub(crate) fn is_device_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= DEVICE_NAME_SIZE_MAX
        && text.trim() == text
        && !text.chars().any(char::is_control)
}

/// The name of a device from an option.
pub(crate) fn device_name<'a>(text: &'a str, option: &'static str) -> Result<&'a str, CliError> {
    is_device_name(text)
        .then_some(text)
        .ok_or(CliError::ValueInvalid {
            option,
            allowed: "a name of 1 to 64 bytes in one line",
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_a_code_in_large() {
        let code = ShortCode::parse("04HM-ASW9").unwrap();
        let large = in_large(&code);
        assert!(large.contains("║   0 4 H M - A S W 9   ║"), "{large}");
        let widths: Vec<usize> = large.lines().map(|line| line.chars().count()).collect();
        assert!(widths.iter().all(|width| *width == widths[0]), "{large}");
    }

    #[test]
    fn refuses_names_of_devices_that_are_none() {
        assert_eq!(
            device_name("Ada's laptop", "--name").unwrap(),
            "Ada's laptop"
        );
        assert!(device_name(&"a".repeat(64), "--name").is_ok());
        for name in ["", " a", "a ", "a\nb", "a\u{1b}b", &"a".repeat(65)] {
            assert!(device_name(name, "--name").is_err(), "{name:?}");
        }
    }
}
