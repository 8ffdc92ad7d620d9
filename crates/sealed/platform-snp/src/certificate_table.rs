//! The certificate table that the host gives with a report: GHCB specification (AMD 56421), SNP Extended Guest Request.
//!
//! ```text
//! table = entry* | 24 zero bytes
//! entry = GUID (16, RFC 4122 byte order) | le32 offset from the table's beginning | le32 length
//! ```
//! The contents are DER by the specification; real hosts hand out PEM. Everything here is the host's choice and untrusted.

use chancery_platform::{COLLATERAL_SIZE_MAX, CertificateTable, PlatformError, read_pem};

/// Largest table that is read: five entries of the largest size with room for unknown ones.
pub(crate) const TABLE_SIZE_MAX: usize = 512 * 1024;

/// Most entries that are read; the specification names seven.
const ENTRIES_MAX: usize = 32;

const GUID_ARK: [u8; 16] = [
    0xc0, 0xb4, 0x06, 0xa4, 0xa8, 0x03, 0x49, 0x52, 0x97, 0x43, 0x3f, 0xb6, 0x01, 0x4c, 0xd0, 0xae,
];
const GUID_ASK: [u8; 16] = [
    0x4a, 0xb7, 0xb3, 0x79, 0xbb, 0xac, 0x4f, 0xe4, 0xa0, 0x2f, 0x05, 0xae, 0xf3, 0x27, 0xc7, 0x82,
];
const GUID_VCEK: [u8; 16] = [
    0x63, 0xda, 0x75, 0x8d, 0xe6, 0x64, 0x45, 0x64, 0xad, 0xc5, 0xf4, 0xb9, 0x3b, 0xe8, 0xac, 0xcd,
];
const GUID_CRL: [u8; 16] = [
    0x92, 0xf8, 0x1b, 0xc3, 0x58, 0x11, 0x4d, 0x3d, 0x97, 0xff, 0xd1, 0x9f, 0x88, 0xdc, 0x67, 0xea,
];

/// Reads a certificate table. Entries of other kinds (such as VLEK certificates, which no policy of ours accepts) are skipped, and so
/// are those whose content is empty, larger than [`COLLATERAL_SIZE_MAX`], or neither DER nor one PEM block: one that a host wrote badly
/// does not take a good one away.
///
/// # Errors
/// [`PlatformError::Malformed`] if the table has no end, an entry lies outside it, or a kind is there twice.
pub fn parse_certificate_table(bytes: &[u8]) -> Result<CertificateTable, PlatformError> {
    let mut table = CertificateTable::default();
    if bytes.is_empty() {
        return Ok(table);
    }
    if bytes.len() > TABLE_SIZE_MAX {
        return Err(PlatformError::Malformed);
    }
    let (entries, _) = bytes.as_chunks::<24>();
    for entry in entries.iter().take(ENTRIES_MAX) {
        let (guid, offset, length) = split_entry(entry);
        let slot = match guid {
            [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] => return Ok(table),
            GUID_VCEK => &mut table.vcek,
            GUID_ASK => &mut table.ask,
            GUID_ARK => &mut table.ark,
            GUID_CRL => &mut table.crl,
            _ => continue,
        };
        let content = usize::try_from(offset)
            .ok()
            .zip(usize::try_from(length).ok())
            .and_then(|(start, length)| bytes.get(start..start.checked_add(length)?))
            .ok_or(PlatformError::Malformed)?;
        let Some(der) = to_der(content) else {
            continue;
        };
        if slot.replace(der).is_some() {
            return Err(PlatformError::Malformed);
        }
    }
    Err(PlatformError::Malformed) // no zero entry ended the table
}

fn split_entry(entry: &[u8; 24]) -> ([u8; 16], u32, u32) {
    let [
        g0,
        g1,
        g2,
        g3,
        g4,
        g5,
        g6,
        g7,
        g8,
        g9,
        g10,
        g11,
        g12,
        g13,
        g14,
        g15,
        o0,
        o1,
        o2,
        o3,
        l0,
        l1,
        l2,
        l3,
    ] = *entry;
    (
        [
            g0, g1, g2, g3, g4, g5, g6, g7, g8, g9, g10, g11, g12, g13, g14, g15,
        ],
        u32::from_le_bytes([o0, o1, o2, o3]),
        u32::from_le_bytes([l0, l1, l2, l3]),
    )
}

/// The DER of a content that is DER or one PEM block.
fn to_der(content: &[u8]) -> Option<Vec<u8>> {
    if content.len() > COLLATERAL_SIZE_MAX {
        return None;
    }
    if content.first() == Some(&0x30) {
        return Some(content.to_vec());
    }
    let mut blocks = read_pem(content, 1).ok()?;
    blocks.pop().map(|block| block.der)
}

#[cfg(test)]
mod tests {
    use super::*;

    const AUXBLOB: &[u8] = include_bytes!("../vectors/genoa-v3-vcek-01-tsm/auxblob.bin");
    const VCEK: &[u8] = include_bytes!("../vectors/genoa-v3-vcek-01-tsm/vek.der");

    #[test]
    fn reads_the_pem_table_of_a_genuine_host() {
        let table = parse_certificate_table(AUXBLOB).unwrap();
        assert_eq!(table.vcek.as_deref(), Some(VCEK));
        assert_eq!(table.ask.unwrap().first(), Some(&0x30));
        assert_eq!(table.ark.unwrap().first(), Some(&0x30));
        assert_eq!(table.crl, None);
    }

    fn table(entries: &[([u8; 16], &[u8])]) -> Vec<u8> {
        let mut offset = 24 * (entries.len() + 1);
        let mut bytes = Vec::new();
        for (guid, content) in entries {
            bytes.extend_from_slice(guid);
            bytes.extend_from_slice(&u32::try_from(offset).unwrap().to_le_bytes());
            bytes.extend_from_slice(&u32::try_from(content.len()).unwrap().to_le_bytes());
            offset += content.len();
        }
        bytes.extend_from_slice(&[0; 24]);
        for (_, content) in entries {
            bytes.extend_from_slice(content);
        }
        bytes
    }

    #[test]
    fn reads_der_and_skips_unknown_kinds() {
        let unknown = [0xee; 16];
        let bytes = table(&[
            (unknown, b"anything"),
            (GUID_VCEK, VCEK),
            (GUID_CRL, b"\x30\x00"),
        ]);
        let read = parse_certificate_table(&bytes).unwrap();
        assert_eq!(read.vcek.as_deref(), Some(VCEK));
        assert_eq!(read.crl.as_deref(), Some(&b"\x30\x00"[..]));
        assert_eq!(read.ask, None);
    }

    #[test]
    fn an_empty_answer_is_an_empty_table() {
        assert_eq!(
            parse_certificate_table(b""),
            Ok(CertificateTable::default())
        );
        assert_eq!(
            parse_certificate_table(&[0; 24]),
            Ok(CertificateTable::default())
        );
    }

    #[test]
    fn refuses_a_table_without_an_end() {
        let bytes = table(&[(GUID_VCEK, VCEK)]);
        assert_eq!(
            parse_certificate_table(&bytes[..24]),
            Err(PlatformError::Malformed)
        );
        let many: Vec<([u8; 16], &[u8])> = vec![([0xee; 16], &b""[..]); 40];
        assert_eq!(
            parse_certificate_table(&table(&many)),
            Err(PlatformError::Malformed)
        );
    }

    #[test]
    fn refuses_an_entry_outside_the_table_or_wrapping() {
        let mut bytes = table(&[(GUID_VCEK, VCEK)]);
        bytes.pop();
        assert_eq!(
            parse_certificate_table(&bytes),
            Err(PlatformError::Malformed)
        );
        let mut wrapping = table(&[(GUID_VCEK, VCEK)]);
        wrapping[16..24].copy_from_slice(&[0xff; 8]);
        assert_eq!(
            parse_certificate_table(&wrapping),
            Err(PlatformError::Malformed)
        );
    }

    #[test]
    fn refuses_a_kind_that_is_there_twice() {
        let bytes = table(&[(GUID_ASK, b"\x30\x00"), (GUID_ASK, b"\x30\x00")]);
        assert_eq!(
            parse_certificate_table(&bytes),
            Err(PlatformError::Malformed)
        );
    }

    #[test]
    fn skips_contents_that_are_neither_der_nor_one_pem_block_and_keeps_the_rest() {
        let two = b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n\
            -----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
        let key = b"-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n";
        let mixed = b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END X509 CRL-----\n";
        let broken = b"-----BEGIN CERTIFICATE-----\nMAA\n-----END CERTIFICATE-----\n";
        let large = vec![0x30; COLLATERAL_SIZE_MAX + 1];
        for content in [
            &b""[..],
            b"text",
            b"\xff\xfe",
            two,
            key,
            mixed,
            broken,
            &large,
        ] {
            let bytes = table(&[(GUID_ASK, content), (GUID_VCEK, VCEK), (GUID_ARK, content)]);
            let expected = CertificateTable {
                vcek: Some(VCEK.to_vec()),
                ..CertificateTable::default()
            };
            assert_eq!(parse_certificate_table(&bytes), Ok(expected));
        }
        let good = b"-----BEGIN CERTIFICATE-----\r\nMAA=\r\n-----END CERTIFICATE-----\r\n\0";
        let read = parse_certificate_table(&table(&[(GUID_VCEK, good)])).unwrap();
        assert_eq!(read.vcek.as_deref(), Some(&b"\x30\x00"[..]));
    }

    #[test]
    fn refuses_a_genuine_table_cut_anywhere() {
        for length in 1..AUXBLOB.len() {
            assert_eq!(
                parse_certificate_table(&AUXBLOB[..length]),
                Err(PlatformError::Malformed),
                "{length}"
            );
        }
    }
}
