//! One act's private part, as an entitled reader gets it beside the log (trust-log page, section 9).

use alloc::vec::Vec;

use crate::codec::{DecodeError, Reader, put_bytes16, put_bytes32, put_count, within};
use crate::details::{ActSecret, DETAILS_SIZE_MAX};
use crate::digest::Digest;
use crate::tenant::NAME_CHANGES_MAX;

/// Longest document, evidence and request, in bytes each: a request body of a megabyte is the most
/// that the runtime takes in, and an envelope around it is longer by a third.
pub const PART_SIZE_MAX: usize = 2 * 1024 * 1024;

/// Most key records of one act: a user who leaves starts an epoch in each group.
pub const RECORDS_MAX: usize = 65_535;

/// Longest key record: handles, two public keys of at most 4096 bytes.
pub const RECORD_SIZE_MAX: usize = 8_400;

/// Longest encoding of an exhibit.
pub const EXHIBIT_SIZE_MAX: usize = 512 * 1024 * 1024;

const VERSION: u8 = 1;
const PART_BOUNDS: (usize, usize) = (0, PART_SIZE_MAX);
const RECORD_BOUNDS: (usize, usize) = (1, RECORD_SIZE_MAX);

/// A name leaf that an act bound or released.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NameMove {
    /// The VRF label.
    pub label: [u8; 32],
    /// `Commit("name", o, DirName)`; `None` if the name was released.
    pub value: Option<Digest>,
}

/// One act's private part: what its commitments open to, and what it rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exhibit {
    /// Whether an erased subject's part is gone: no secret, and of the lists only the names.
    pub withheld: bool,
    /// Index of the act's first entry.
    pub first: u64,
    /// How many entries it has; they follow each other.
    pub entries: u32,
    /// The openings of its commitments derive from this.
    pub secret: ActSecret,
    /// The encoded [`crate::Details`].
    pub body: Vec<u8>,
    /// The document after the act; empty if there is none.
    pub document: Vec<u8>,
    /// What the act rests on; empty if nothing but a credential or the runtime.
    pub evidence: Vec<u8>,
    /// The request that the evidence signs, where it names a subject; may be empty.
    pub request: Vec<u8>,
    /// What the key commitments of its entries open to, in the entries' order: key records, or the
    /// VRF public key of Genesis and Rekey.
    pub records: Vec<Vec<u8>>,
    /// The name leaves that it moved, in order.
    pub names: Vec<NameMove>,
}

impl Exhibit {
    /// What is left of an act after its subject was erased.
    #[must_use]
    pub const fn withheld(first: u64, entries: u32, names: Vec<NameMove>) -> Self {
        Self {
            withheld: true,
            first,
            entries,
            secret: ActSecret::ZERO,
            body: Vec::new(),
            document: Vec::new(),
            evidence: Vec::new(),
            request: Vec::new(),
            records: Vec::new(),
            names,
        }
    }

    /// The exhibit's bytes.
    ///
    /// # Errors
    /// [`DecodeError`] for what no reader accepts: a part too long, no entries, a withheld exhibit
    /// that holds more than names.
    pub fn encode(&self) -> Result<Vec<u8>, DecodeError> {
        self.check()?;
        let mut out = Vec::with_capacity(self.body.len().saturating_add(4096));
        out.extend_from_slice(&[VERSION, u8::from(self.withheld)]);
        out.extend_from_slice(&self.first.to_be_bytes());
        out.extend_from_slice(&self.entries.to_be_bytes());
        out.extend_from_slice(&self.secret.0);
        put_bytes32(&mut out, "body", &self.body, (0, DETAILS_SIZE_MAX))?;
        put_bytes32(&mut out, "document", &self.document, PART_BOUNDS)?;
        put_bytes32(&mut out, "evidence", &self.evidence, PART_BOUNDS)?;
        put_bytes32(&mut out, "request", &self.request, PART_BOUNDS)?;
        put_count(&mut out, "records", self.records.len(), (0, RECORDS_MAX))?;
        for record in &self.records {
            put_bytes16(&mut out, "record", record, RECORD_BOUNDS)?;
        }
        put_count(&mut out, "names", self.names.len(), (0, NAME_CHANGES_MAX))?;
        for name in &self.names {
            if name.value == Some(Digest::ZERO) {
                return Err(DecodeError::NotCanonical { field: "name" });
            }
            out.extend_from_slice(&name.label);
            out.push(u8::from(name.value.is_some()));
            out.extend_from_slice(&name.value.unwrap_or(Digest::ZERO).0);
        }
        Ok(out)
    }

    /// Reads an exhibit.
    ///
    /// # Errors
    /// [`DecodeError`] unless the bytes are exactly one exhibit.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        within("exhibit", bytes.len(), (0, EXHIBIT_SIZE_MAX))?;
        let mut reader = Reader::new(bytes);
        reader.version()?;
        let exhibit = Self {
            withheld: flag(&mut reader, "withheld")?,
            first: reader.u64()?,
            entries: reader.u32()?,
            secret: ActSecret(reader.array()?),
            body: reader.bytes32("body", (0, DETAILS_SIZE_MAX))?.to_vec(),
            document: reader.bytes32("document", PART_BOUNDS)?.to_vec(),
            evidence: reader.bytes32("evidence", PART_BOUNDS)?.to_vec(),
            request: reader.bytes32("request", PART_BOUNDS)?.to_vec(),
            records: take_records(&mut reader)?,
            names: take_names(&mut reader)?,
        };
        reader.finish()?;
        exhibit.check()?;
        Ok(exhibit)
    }

    /// What holds of every exhibit, whoever makes it.
    fn check(&self) -> Result<(), DecodeError> {
        let ends = self.first.checked_add(u64::from(self.entries));
        if self.entries == 0 || ends.is_none() {
            return Err(DecodeError::NotCanonical { field: "entries" });
        }
        let holds = [&self.body, &self.document, &self.evidence, &self.request]
            .iter()
            .any(|part| !part.is_empty());
        let holds = holds || !self.secret.is_zero() || !self.records.is_empty();
        if self.withheld && holds {
            return Err(DecodeError::NotCanonical { field: "withheld" });
        }
        Ok(())
    }

    /// A page of exhibits: each behind its length, `uint32`.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn encode_page(exhibits: &[Self]) -> Result<Vec<u8>, DecodeError> {
        let mut out = Vec::new();
        for exhibit in exhibits {
            let bytes = exhibit.encode()?;
            put_bytes32(&mut out, "exhibit", &bytes, (1, EXHIBIT_SIZE_MAX))?;
        }
        Ok(out)
    }

    /// Reads a page of exhibits.
    ///
    /// # Errors
    /// [`DecodeError`] unless the bytes are exactly a sequence of exhibits.
    pub fn decode_page(bytes: &[u8]) -> Result<Vec<Self>, DecodeError> {
        let mut reader = Reader::new(bytes);
        let mut exhibits = Vec::new();
        while !reader.is_empty() {
            let one = reader.bytes32("exhibit", (1, EXHIBIT_SIZE_MAX))?;
            exhibits.push(Self::decode(one)?);
        }
        Ok(exhibits)
    }
}

fn flag(reader: &mut Reader<'_>, field: &'static str) -> Result<bool, DecodeError> {
    match reader.u8()? {
        0 => Ok(false),
        1 => Ok(true),
        code => Err(DecodeError::UnknownCode { field, code }),
    }
}

fn take_records(reader: &mut Reader<'_>) -> Result<Vec<Vec<u8>>, DecodeError> {
    // Nothing is reserved by the count alone, which the bytes need not bear out.
    (0..reader.count("records", (0, RECORDS_MAX))?)
        .map(|_| reader.bytes16("record", RECORD_BOUNDS).map(<[u8]>::to_vec))
        .collect()
}

fn take_names(reader: &mut Reader<'_>) -> Result<Vec<NameMove>, DecodeError> {
    (0..reader.count("names", (0, NAME_CHANGES_MAX))?)
        .map(|_| take_name(reader))
        .collect()
}

fn take_name(reader: &mut Reader<'_>) -> Result<NameMove, DecodeError> {
    let label = reader.array()?;
    let has_value = flag(reader, "has_value")?;
    let value = Digest(reader.array()?);
    // Zero means released, in the list of changes as here.
    if has_value == value.is_zero() {
        return Err(DecodeError::NotCanonical { field: "name" });
    }
    Ok(NameMove {
        label,
        value: has_value.then_some(value),
    })
}

#[cfg(test)]
mod tests;
