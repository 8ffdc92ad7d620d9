//! Values of options that take more than a text.

use chancery_release::VcpuModel;

/// A number as `0x` and hexadecimal digits, or decimal, as `sev-snp-measure` reads it.
pub(super) fn parse_number(text: &str) -> Result<u64, String> {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    let number = match digits {
        // A sign, which the parser would take, is none of the forms.
        Some(digits) if !digits.starts_with('+') => u64::from_str_radix(digits, 16),
        Some(_) | None => text.parse(),
    };
    number.map_err(|_form| "a number such as 0x1 is wanted".to_owned())
}

/// SEV_FEATURES, with the `0x` that tells them from a decimal number.
pub(super) fn parse_features(text: &str) -> Result<u64, String> {
    let prefixed = text.starts_with("0x") || text.starts_with("0X");
    let number = prefixed.then(|| parse_number(text).ok()).flatten();
    number.ok_or_else(|| "0x and hexadecimal digits are wanted, such as 0x1".to_owned())
}

/// A CPUID signature.
pub(super) fn parse_signature(text: &str) -> Result<VcpuModel, String> {
    let eax = parse_number(text)?;
    u32::try_from(eax)
        .map(VcpuModel::with_signature)
        .map_err(|_range| "a number of 32 bits is wanted, such as 0xa10f10".to_owned())
}

/// A processor model of QEMU.
pub(super) fn parse_model(text: &str) -> Result<VcpuModel, String> {
    VcpuModel::named(text).ok_or_else(|| {
        "a model of QEMU is wanted, such as EPYC-v4, EPYC-Milan, EPYC-Genoa or EPYC-Turin; give \
         others by --vcpu-sig"
            .to_owned()
    })
}

/// 32 bytes in hexadecimal.
pub(super) fn parse_sha256(text: &str) -> Result<[u8; 32], String> {
    parse_hex(text)
}

/// 48 bytes in hexadecimal.
pub(super) fn parse_sha384(text: &str) -> Result<[u8; 48], String> {
    parse_hex(text)
}

/// 64 bytes in hexadecimal.
pub(super) fn parse_report_data(text: &str) -> Result<[u8; 64], String> {
    parse_hex(text)
}

fn parse_hex<const N: usize>(text: &str) -> Result<[u8; N], String> {
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes)
        .map_err(|_form| format!("{} hexadecimal digits are wanted", N.saturating_mul(2)))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_numbers_as_hexadecimal_and_decimal_and_nothing_else() {
        for (text, number) in [("0x21", 0x21), ("0XfF", 255), ("33", 33), ("0", 0)] {
            assert_eq!(parse_number(text), Ok(number), "{text}");
        }
        for text in ["", "0x", "0x+1", "ff", "-1", "0x10000000000000000", " 1"] {
            assert!(parse_number(text).is_err(), "{text}");
        }
        assert_eq!(parse_features("0x21"), Ok(0x21));
        for text in ["21", "1", "0x", "", "0x+1", "33"] {
            let refused = parse_features(text).unwrap_err();
            assert!(refused.starts_with("0x and hexadecimal"), "{text}");
        }
        assert!(parse_signature("0x100000000").is_err());
        assert_eq!(
            parse_signature("0xffffffff"),
            Ok(VcpuModel::with_signature(u32::MAX))
        );
    }

    #[test]
    fn reads_models_that_qemu_has() {
        assert_eq!(
            parse_model("EPYC-Turin").unwrap().name(),
            Some("EPYC-Turin")
        );
        assert!(
            parse_model("epyc-turin")
                .unwrap_err()
                .contains("--vcpu-sig")
        );
    }

    #[test]
    fn reads_hexadecimal_of_one_length() {
        assert_eq!(parse_sha256(&"aB".repeat(32)), Ok([0xab; 32]));
        assert_eq!(parse_sha384(&"01".repeat(48)), Ok([1; 48]));
        for text in ["", "00", &"0g".repeat(64), &"00".repeat(65)] {
            let refused = parse_report_data(text).unwrap_err();
            assert_eq!(refused, "128 hexadecimal digits are wanted");
        }
    }
}
