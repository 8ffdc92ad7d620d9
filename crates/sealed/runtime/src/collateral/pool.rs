//! Certificates and lists from anywhere, none of them believed, and their form as a file.

use chancery_platform::{CertificateTable, PemError, PemLabel, read_pem, write_pem};

/// Most certificates, and most lists, that are looked at at a time: a file may serve every chip of a fleet at several firmware
/// levels, and each certificate that claims to be the chip's costs a signature check.
pub(crate) const POOL_SIZE_MAX: usize = 256;

/// Most bytes of a file: that many certificates of 2 KiB in base64.
const FILE_SIZE_MAX: usize = 1024 * 1024;

/// Certificates and lists, DER, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pool {
    certificates: Vec<Vec<u8>>,
    lists: Vec<Vec<u8>>,
}

impl Pool {
    /// What came beside a report.
    pub(crate) fn of_table(table: &CertificateTable) -> Self {
        let mut pool = Self::default();
        for certificate in [&table.vcek, &table.ask, &table.ark].into_iter().flatten() {
            pool.add_certificate(certificate);
        }
        if let Some(list) = &table.crl {
            pool.add_list(list);
        }
        pool
    }

    /// Reads a file: PEM blocks, certificates and revocation lists in any order.
    ///
    /// # Errors
    /// [`PemError`].
    pub(crate) fn read(file: &[u8]) -> Result<Self, PemError> {
        if file.len() > FILE_SIZE_MAX {
            return Err(PemError);
        }
        let mut pool = Self::default();
        for block in read_pem(file, POOL_SIZE_MAX)? {
            match block.label {
                PemLabel::Certificate => pool.add_certificate(&block.der),
                PemLabel::RevocationList => pool.add_list(&block.der),
            }
        }
        Ok(pool)
    }

    /// The file that [`Pool::read`] reads.
    pub(crate) fn write(&self) -> String {
        let certificates = self
            .certificates()
            .map(|certificate| (PemLabel::Certificate, certificate));
        let lists = self.lists().map(|list| (PemLabel::RevocationList, list));
        write_pem(certificates.chain(lists))
    }

    /// Adds a certificate if it is new and there is room.
    pub(crate) fn add_certificate(&mut self, der: &[u8]) {
        add(&mut self.certificates, der);
    }

    /// Adds a list if it is new and there is room.
    pub(crate) fn add_list(&mut self, der: &[u8]) {
        add(&mut self.lists, der);
    }

    /// These and those of `other`, as far as there is room.
    pub(crate) fn with(mut self, other: &Self) -> Self {
        for certificate in &other.certificates {
            self.add_certificate(certificate);
        }
        for list in &other.lists {
            self.add_list(list);
        }
        self
    }

    /// Whether every list of `other` is one of these.
    pub(crate) fn holds_lists_of(&self, other: &Self) -> bool {
        other.lists.iter().all(|list| self.lists.contains(list))
    }

    pub(crate) fn certificates(&self) -> impl Iterator<Item = &[u8]> {
        self.certificates.iter().map(Vec::as_slice)
    }

    pub(crate) fn lists(&self) -> impl Iterator<Item = &[u8]> {
        self.lists.iter().map(Vec::as_slice)
    }
}

fn add(all: &mut Vec<Vec<u8>>, der: &[u8]) {
    if all.len() < POOL_SIZE_MAX && !all.iter().any(|known| known == der) {
        all.push(der.to_vec());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_holds_what_was_written() {
        let mut pool = Pool::default();
        pool.add_certificate(b"one");
        pool.add_certificate(b"two");
        pool.add_certificate(b"one");
        pool.add_list(b"list");
        let text = pool.write();
        assert_eq!(text.matches("BEGIN CERTIFICATE").count(), 2);
        assert_eq!(text.matches("BEGIN X509 CRL").count(), 1);
        assert_eq!(Pool::read(text.as_bytes()), Ok(pool));
        assert_eq!(Pool::read(b""), Ok(Pool::default()));
        assert_eq!(Pool::read(b"garbage"), Err(PemError));
        assert_eq!(Pool::read(&[b' '; FILE_SIZE_MAX + 1]), Err(PemError));
    }

    #[test]
    fn takes_no_more_than_its_limit_from_all_sources_together() {
        let mut pool = Pool::default();
        let mut other = Pool::default();
        for number in 0..POOL_SIZE_MAX {
            pool.add_list(&number.to_be_bytes());
            other.add_list(&[number.to_be_bytes(), [1; 8]].concat());
        }
        assert_eq!(pool.with(&other).lists().count(), POOL_SIZE_MAX);
    }
}
