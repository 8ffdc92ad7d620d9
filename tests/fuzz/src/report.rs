//! The report against a second reading of the ABI table (AMD publication 56860), by offset.

use std::ops::Range;

use chancery_evidence::REPORT_SIZE;
use chancery_evidence::Report;
use chancery_evidence::SIGNED_SIZE;
use chancery_evidence::encode_report;

use crate::accepted;

/// The order of P-384 (FIPS 186-4, D.1.2.4), as a report would hold it: little-endian.
pub(crate) const ORDER_LE: [u8; 48] = [
    0x73, 0x29, 0xc5, 0xcc, 0x6a, 0x19, 0xec, 0xec, 0x7a, 0xa7, 0xb0, 0x48, 0xb2, 0x0d, 0x1a, 0x58,
    0xdf, 0x2d, 0x37, 0xf4, 0x81, 0x4d, 0x63, 0xc7, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
];

/// Where a `TCB_VERSION` stands.
const TCBS: [usize; 4] = [0x38, 0x180, 0x1e0, 0x1f0];

/// A report is accepted exactly if it obeys the table, and an accepted one encodes to its own bytes.
pub fn report(bytes: &[u8]) -> bool {
    let parsed = Report::parse(bytes);
    let same = parsed.is_ok() == obeys(bytes);
    assert!(same, "the table and the parser differ: {parsed:?}");
    accepted(parsed, |report| {
        let signed = report.fields().encode_signed();
        assert_eq!(&signed, report.signed(), "another signed part");
        assert_eq!(bytes.get(..SIGNED_SIZE), Some(&signed[..]));
        let whole = encode_report(&signed, report.signature());
        assert_eq!(bytes, whole, "another encoding");
    })
}

pub(crate) fn part(bytes: &[u8], range: Range<usize>) -> &[u8] {
    bytes.get(range).unwrap_or_default()
}

pub(crate) fn number(bytes: &[u8], range: Range<usize>) -> u64 {
    let digits = part(bytes, range).iter().rev();
    digits.fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn zero(bytes: &[u8], range: Range<usize>) -> bool {
    part(bytes, range).iter().all(|byte| *byte == 0)
}

/// The ABI table.
pub(crate) fn obeys(bytes: &[u8]) -> bool {
    if bytes.len() != REPORT_SIZE {
        return false;
    }
    let version = number(bytes, 0..4);
    let policy = number(bytes, 0x08..0x10);
    let signer = number(bytes, 0x48..0x4c);
    (2..=5).contains(&version)
        && policy >> 26 == 0
        && policy >> 17 & 1 == 1
        && number(bytes, 0x30..0x34) <= 3
        && number(bytes, 0x34..0x38) == 1
        && signer >> 5 == 0
        && [0, 1, 7].contains(&(signer >> 2))
        && [
            0x4c..0x50,
            0x1eb..0x1ec,
            0x1ef..0x1f0,
            0x208..0x2a0,
            0x330..0x4a0,
        ]
        .into_iter()
        .all(|reserved| zero(bytes, reserved))
        && (version == 5 || zero(bytes, 0x1f8..0x208))
        && processor_obeys(bytes, version)
        && scalar_obeys(bytes, 0x2a0)
        && scalar_obeys(bytes, 0x2e8)
}

/// Version 2 says nothing of the processor, so that its certificate decides how a TCB is laid out.
fn processor_obeys(bytes: &[u8], version: u64) -> bool {
    if version == 2 {
        return zero(bytes, 0x188..0x1a0);
    }
    let reserved = match (number(bytes, 0x188..0x189), number(bytes, 0x189..0x18a)) {
        (0x19, 0x00..=0x1f | 0xa0..=0xaf) => 2..6,
        (0x1a, 0x00..=0x1f) => 4..7,
        _ => return false,
    };
    zero(bytes, 0x18b..0x1a0)
        && TCBS.iter().all(|tcb| {
            let in_tcb = part(bytes, *tcb..tcb.saturating_add(8));
            zero(in_tcb, reserved.clone())
        })
}

fn scalar_obeys(bytes: &[u8], at: usize) -> bool {
    let field = part(bytes, at..at.saturating_add(72));
    let scalar = part(field, 0..48);
    !zero(scalar, 0..48) && scalar.iter().rev().lt(ORDER_LE.iter().rev()) && zero(field, 48..72)
}
