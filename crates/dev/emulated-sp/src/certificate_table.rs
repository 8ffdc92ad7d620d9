//! The certificate table that a host hands to its guests: GHCB specification (AMD 56421), SNP Extended Guest Request. The guest's
//! end reads it with the parser of real hardware, `chancery_platform_snp::parse_certificate_table`.
//!
//! ```text
//! table = entry* | 24 zero bytes | contents
//! entry = GUID (16, RFC 4122 byte order) | le32 offset from the table's beginning | le32 length
//! ```

use base64ct::{Base64, Encoding as _};

/// Bytes of an entry.
const ENTRY_SIZE: usize = 24;

/// Letters in a line of a PEM block (RFC 7468, section 2).
const PEM_LINE: usize = 64;

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

/// How a host writes certificates into its table. The specification says DER; hosts are seen to write PEM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateForm {
    /// DER.
    Der,
    /// PEM (RFC 7468).
    Pem,
}

impl CertificateForm {
    /// The word of the state file and of the command line.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Der => "der",
            Self::Pem => "pem",
        }
    }

    /// The form that a word names.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Der, Self::Pem]
            .into_iter()
            .find(|form| form.word() == word)
    }

    fn write(self, label: &str, der: &[u8]) -> Vec<u8> {
        match self {
            Self::Der => der.to_vec(),
            Self::Pem => pem(label, der).into_bytes(),
        }
    }
}

/// Which certificates a host keeps for its guests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableContents {
    /// Root, intermediate, leaf and revocation list.
    All,
    /// Without the list, as hosts are seen to do.
    WithoutCrl,
    /// Nothing, as a host that was given nothing.
    Nothing,
}

impl TableContents {
    /// The word of the state file and of the command line.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::WithoutCrl => "without-crl",
            Self::Nothing => "nothing",
        }
    }

    /// The contents that a word names.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::All, Self::WithoutCrl, Self::Nothing]
            .into_iter()
            .find(|contents| contents.word() == word)
    }
}

/// What a host can hand out, each in DER.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostCertificates {
    pub(crate) ark: Vec<u8>,
    pub(crate) ask: Vec<u8>,
    pub(crate) vcek: Vec<u8>,
    pub(crate) crl: Vec<u8>,
}

impl HostCertificates {
    /// The table's bytes, none at all for a host that keeps nothing; `None` if it is larger than 4 GiB.
    pub(crate) fn to_table(
        &self,
        form: CertificateForm,
        contents: TableContents,
    ) -> Option<Vec<u8>> {
        let written = [
            (GUID_ARK, "CERTIFICATE", &self.ark),
            (GUID_ASK, "CERTIFICATE", &self.ask),
            (GUID_VCEK, "CERTIFICATE", &self.vcek),
            (GUID_CRL, "X509 CRL", &self.crl),
        ];
        let count = match contents {
            TableContents::All => 4,
            TableContents::WithoutCrl => 3,
            TableContents::Nothing => return Some(Vec::new()),
        };
        let written = written.into_iter().take(count);
        let contents: Vec<([u8; 16], Vec<u8>)> = written
            .map(|(guid, label, der)| (guid, form.write(label, der)))
            .collect();
        let mut offset = contents.len().checked_add(1)?.checked_mul(ENTRY_SIZE)?;
        let mut table = Vec::new();
        for (guid, content) in &contents {
            table.extend_from_slice(guid);
            table.extend_from_slice(&u32::try_from(offset).ok()?.to_le_bytes());
            table.extend_from_slice(&u32::try_from(content.len()).ok()?.to_le_bytes());
            offset = offset.checked_add(content.len())?;
        }
        table.extend_from_slice(&[0; ENTRY_SIZE]);
        for (_, content) in &contents {
            table.extend_from_slice(content);
        }
        Some(table)
    }
}

/// One PEM block, its lines ended by LF.
fn pem(label: &str, der: &[u8]) -> String {
    let mut text = format!("-----BEGIN {label}-----\n");
    for (at, letter) in Base64::encode_string(der).chars().enumerate() {
        if at > 0 && at.is_multiple_of(PEM_LINE) {
            text.push('\n');
        }
        text.push(letter);
    }
    text.push_str(&format!("\n-----END {label}-----\n"));
    text
}

#[cfg(test)]
mod tests {
    use chancery_platform::CertificateTable;
    use chancery_platform_snp::parse_certificate_table;

    use super::*;

    /// The table of a genuine host.
    const GENUINE: &[u8] = include_bytes!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../../attestation/vectors/reports/genoa-v3-vcek-01-tsm/auxblob.bin"
    ));

    #[test]
    fn writes_the_table_of_a_genuine_host_byte_for_byte() {
        let read = parse_certificate_table(GENUINE).unwrap();
        let certificates = HostCertificates {
            ark: read.ark.unwrap(),
            ask: read.ask.unwrap(),
            vcek: read.vcek.unwrap(),
            crl: vec![0x30, 0],
        };
        let table = certificates.to_table(CertificateForm::Pem, TableContents::WithoutCrl);
        assert_eq!(table.as_deref(), Some(GENUINE));
    }

    #[test]
    fn the_parser_of_real_hardware_reads_both_forms() {
        let certificates = HostCertificates {
            ark: vec![0x30; 1000],
            ask: vec![0x30; 48],
            vcek: vec![0x30; 49],
            crl: vec![0x30, 0],
        };
        for form in [CertificateForm::Der, CertificateForm::Pem] {
            let table = |contents| certificates.to_table(form, contents).unwrap();
            let read = |contents| parse_certificate_table(&table(contents)).unwrap();
            let without_crl = read(TableContents::WithoutCrl);
            assert_eq!(without_crl.crl, None);
            assert_eq!(without_crl.vcek.as_ref(), Some(&certificates.vcek));
            assert_eq!(read(TableContents::Nothing), CertificateTable::default());
            let read = read(TableContents::All);
            assert_eq!(read.ark.as_ref(), Some(&certificates.ark));
            assert_eq!(read.ask.as_ref(), Some(&certificates.ask));
            assert_eq!(read.vcek.as_ref(), Some(&certificates.vcek));
            assert_eq!(read.crl.as_ref(), Some(&certificates.crl));
            assert_eq!(CertificateForm::from_word(form.word()), Some(form));
        }
        assert_eq!(CertificateForm::from_word("p7b"), None);
        for contents in [
            TableContents::All,
            TableContents::WithoutCrl,
            TableContents::Nothing,
        ] {
            assert_eq!(TableContents::from_word(contents.word()), Some(contents));
        }
        assert_eq!(TableContents::from_word("some"), None);
    }
}
