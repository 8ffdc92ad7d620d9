//! `ATTESTATION_REPORT`, 1184 bytes, all integers little-endian
//! (SEV Secure Nested Paging Firmware ABI Specification, AMD publication 56860).

mod encode;
#[cfg(test)]
mod tests;

use core::fmt;

use alloc::boxed::Box;

use crate::bits::GuestPolicy;
use crate::bits::PlatformInfo;
use crate::bits::SignerInfo;
use crate::product::CpuId;
use crate::product::FirmwareVersion;
use crate::product::ProductLine;
use crate::product::Tcb;

pub use self::encode::encode_report;

/// The length of a report in bytes; every version has the same.
pub const REPORT_SIZE: usize = 1184;

/// The length in bytes of the part that the signature covers.
pub const SIGNED_SIZE: usize = 0x2a0;

/// `VMPL` of a report that the host asked for (`SNP_HV_REPORT_REQ`): it proves nothing about the guest.
const VMPL_HOST_REQUESTED: u32 = 0xffff_ffff;

/// The lowest privilege level that exists.
const VMPL_MAX: u32 = 3;

/// ECDSA P-384 with SHA-384.
const SIGNATURE_ALGORITHM: u32 = 1;

/// The order of P-384, big-endian (FIPS 186-4, D.1.2.4).
const P384_ORDER: [u8; 48] = [
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xc7, 0x63, 0x4d, 0x81, 0xf4, 0x37, 0x2d, 0xdf,
    0x58, 0x1a, 0x0d, 0xb2, 0x48, 0xb0, 0xa7, 0x7a, 0xec, 0xec, 0x19, 0x6a, 0xcc, 0xc5, 0x29, 0x73,
];

/// The two mitigation vectors of report version 5. They are bit sets, not numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "two fields of a fixed layout")]
pub struct MitigationVectors {
    /// Mitigations verified when the guest was launched.
    pub launch: u64,
    /// Mitigations verified now.
    pub current: u64,
}

/// The report's version, with the fields that only it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a new version must break every match"
)]
pub enum ReportVersion {
    /// Version 2: no processor identification, so the leaf certificate decides the TCB's layout.
    V2,
    /// Version 3.
    V3(CpuId),
    /// Version 4: the layout of version 3.
    V4(CpuId),
    /// Version 5.
    V5(CpuId, MitigationVectors),
}

impl ReportVersion {
    /// The number in the report.
    #[must_use]
    pub const fn number(self) -> u32 {
        match self {
            Self::V2 => 2,
            Self::V3(_) => 3,
            Self::V4(_) => 4,
            Self::V5(..) => 5,
        }
    }

    /// The processor, from version 3.
    #[must_use]
    pub const fn cpuid(self) -> Option<CpuId> {
        match self {
            Self::V2 => None,
            Self::V3(cpuid) | Self::V4(cpuid) | Self::V5(cpuid, _) => Some(cpuid),
        }
    }

    /// The mitigation vectors, from version 5.
    #[must_use]
    pub const fn mitigation(self) -> Option<MitigationVectors> {
        match self {
            Self::V2 | Self::V3(_) | Self::V4(_) => None,
            Self::V5(_, vectors) => Some(vectors),
        }
    }
}

/// Every field of the signed part. The signature algorithm is always 1 and therefore not a field.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the encoder's input: every field of a fixed layout"
)]
pub struct ReportFields {
    /// Version, with CPUID and mitigation vectors where the version has them.
    pub version: ReportVersion,
    /// `GUEST_SVN` of the ID block, zero without one.
    pub guest_svn: u32,
    /// `POLICY`.
    pub policy: GuestPolicy,
    /// `FAMILY_ID` of the ID block.
    pub family_id: [u8; 16],
    /// `IMAGE_ID` of the ID block.
    pub image_id: [u8; 16],
    /// `VMPL`, 0 to 3.
    pub vmpl: u32,
    /// `CURRENT_TCB`.
    pub current_tcb: Tcb,
    /// `PLATFORM_INFO`.
    pub platform_info: PlatformInfo,
    /// `SIGNER_INFO`.
    pub signer_info: SignerInfo,
    /// `REPORT_DATA`: what the guest asked to have signed.
    pub report_data: [u8; 64],
    /// `MEASUREMENT`: the launch digest.
    pub measurement: [u8; 48],
    /// `HOST_DATA`: set by the host at launch and fixed then.
    pub host_data: [u8; 32],
    /// `ID_KEY_DIGEST`, zero without an ID block.
    pub id_key_digest: [u8; 48],
    /// `AUTHOR_KEY_DIGEST`, zero without an author key.
    pub author_key_digest: [u8; 48],
    /// `REPORT_ID`: constant for one launch.
    pub report_id: [u8; 32],
    /// `REPORT_ID_MA`: all 0xff without a migration agent.
    pub report_id_ma: [u8; 32],
    /// `REPORTED_TCB`: what the VCEK is derived from.
    pub reported_tcb: Tcb,
    /// `CHIP_ID`; zero when masked.
    pub chip_id: [u8; 64],
    /// `COMMITTED_TCB`: firmware cannot go below it.
    pub committed_tcb: Tcb,
    /// Version of the running firmware.
    pub current_firmware: FirmwareVersion,
    /// Version of the committed firmware.
    pub committed_firmware: FirmwareVersion,
    /// `LAUNCH_TCB`.
    pub launch_tcb: Tcb,
}

/// The first rule that a report breaks, in the order of the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReportError {
    /// It is not [`REPORT_SIZE`] bytes long.
    Length {
        /// Its length.
        got: usize,
    },
    /// Its version is not 2 to 5.
    Version {
        /// Its version.
        got: u32,
    },
    /// A reserved bit of `POLICY` has the wrong value.
    PolicyReserved {
        /// All of `POLICY`.
        got: u64,
    },
    /// The host asked for this report.
    HostRequested,
    /// `VMPL` is above 3.
    Vmpl {
        /// Its value.
        got: u32,
    },
    /// `SIGNATURE_ALGO` is not 1.
    SignatureAlgorithm {
        /// Its value.
        got: u32,
    },
    /// A reserved bit of `SIGNER_INFO` is set, or its signing key is undefined.
    SignerInfo {
        /// All of `SIGNER_INFO`.
        got: u32,
    },
    /// A reserved range is not zero.
    Reserved {
        /// Where the range begins.
        offset: usize,
    },
    /// From version 3: the processor is of no known product line.
    CpuId {
        /// The processor.
        got: CpuId,
    },
    /// From version 3: a TCB has a reserved byte set in the layout of its product line.
    TcbReserved {
        /// Where the TCB begins.
        offset: usize,
    },
    /// `r` or `s` of the signature is zero, not below the group order, or longer than 48 bytes.
    SignatureRange,
}

impl fmt::Display for ReportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { got } => write!(f, "report is {got} bytes long, not {REPORT_SIZE}"),
            Self::Version { got } => write!(f, "report version {got} is not 2 to 5"),
            Self::PolicyReserved { got } => {
                write!(f, "a reserved bit of the guest policy {got:#x} is wrong")
            }
            Self::HostRequested => f.write_str("the host asked for this report"),
            Self::Vmpl { got } => write!(f, "privilege level {got} does not exist"),
            Self::SignatureAlgorithm { got } => write!(f, "signature algorithm {got} is not 1"),
            Self::SignerInfo { got } => write!(f, "signer info {got:#x} is not defined"),
            Self::Reserved { offset } => {
                write!(f, "the reserved range at {offset:#x} is not zero")
            }
            Self::CpuId { got } => {
                write!(f, "processor {:#x}/{:#x} is unknown", got.family, got.model)
            }
            Self::TcbReserved { offset } => {
                write!(f, "the TCB at {offset:#x} has a reserved byte set")
            }
            Self::SignatureRange => f.write_str("the signature is out of range"),
        }
    }
}

impl core::error::Error for ReportError {}

/// A report that met every rule of its own format. Its signature is **not** checked here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    fields: ReportFields,
    signed: Box<[u8; SIGNED_SIZE]>,
    signature: Box<[u8; 96]>,
}

impl Report {
    /// Parses exactly one report of version 2 to 5.
    ///
    /// # Errors
    /// The first rule that is broken, in the order of the bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, ReportError> {
        if bytes.len() != REPORT_SIZE {
            return Err(ReportError::Length { got: bytes.len() });
        }
        let mut cursor = Cursor {
            rest: bytes,
            offset: 0,
        };
        let signed = Box::new(cursor.peek::<SIGNED_SIZE>()?);
        let fields = parse_fields(&mut cursor)?;
        let signature = Box::new(parse_signature(&mut cursor)?);
        Ok(Self {
            fields,
            signed,
            signature,
        })
    }

    /// What the report claims.
    #[must_use]
    pub const fn fields(&self) -> &ReportFields {
        &self.fields
    }

    /// The received bytes that the signature covers.
    #[must_use]
    pub const fn signed(&self) -> &[u8; SIGNED_SIZE] {
        &self.signed
    }

    /// `r` and `s`, 48 bytes each, big-endian.
    #[must_use]
    pub const fn signature(&self) -> &[u8; 96] {
        &self.signature
    }
}

/// Reads fixed-size fields one after another and knows where it is.
struct Cursor<'a> {
    rest: &'a [u8],
    offset: usize,
}

impl Cursor<'_> {
    fn peek<const N: usize>(&self) -> Result<[u8; N], ReportError> {
        self.rest
            .first_chunk::<N>()
            .copied()
            .ok_or(ReportError::Length { got: self.offset })
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], ReportError> {
        match self.rest.split_first_chunk::<N>() {
            Some((field, rest)) => {
                self.rest = rest;
                self.offset = self.offset.saturating_add(N);
                Ok(*field)
            }
            None => Err(ReportError::Length { got: self.offset }),
        }
    }

    fn u32(&mut self) -> Result<u32, ReportError> {
        Ok(u32::from_le_bytes(self.take()?))
    }

    fn u64(&mut self) -> Result<u64, ReportError> {
        Ok(u64::from_le_bytes(self.take()?))
    }

    fn zeros<const N: usize>(&mut self) -> Result<(), ReportError> {
        let offset = self.offset;
        if self.take::<N>()? == [0; N] {
            Ok(())
        } else {
            Err(ReportError::Reserved { offset })
        }
    }

    /// A TCB, checked against the line's layout when the line is known.
    fn tcb(&mut self, line: Option<ProductLine>) -> Result<Tcb, ReportError> {
        let offset = self.offset;
        let tcb = Tcb::from_bytes(self.take()?);
        check_tcb(tcb, line, offset)?;
        Ok(tcb)
    }

    fn firmware(&mut self) -> Result<FirmwareVersion, ReportError> {
        let [build, minor, major] = self.take()?;
        self.zeros::<1>()?;
        Ok(FirmwareVersion {
            major,
            minor,
            build,
        })
    }
}

fn check_tcb(tcb: Tcb, line: Option<ProductLine>, offset: usize) -> Result<(), ReportError> {
    match line {
        Some(line) if tcb.components(line).is_none() => Err(ReportError::TcbReserved { offset }),
        Some(_) | None => Ok(()),
    }
}

fn parse_fields(cursor: &mut Cursor<'_>) -> Result<ReportFields, ReportError> {
    let version = cursor.u32()?;
    if !(2..=5).contains(&version) {
        return Err(ReportError::Version { got: version });
    }
    let guest_svn = cursor.u32()?;
    let policy = parse_policy(cursor)?;
    let family_id = cursor.take()?;
    let image_id = cursor.take()?;
    let vmpl = parse_vmpl(cursor)?;
    let algorithm = cursor.u32()?;
    if algorithm != SIGNATURE_ALGORITHM {
        return Err(ReportError::SignatureAlgorithm { got: algorithm });
    }
    let current_tcb_offset = cursor.offset;
    let current_tcb = cursor.tcb(None)?;
    let platform_info = PlatformInfo::from_bits(cursor.u64()?);
    let signer_info = parse_signer_info(cursor)?;
    cursor.zeros::<4>()?;
    let report_data = cursor.take()?;
    let measurement = cursor.take()?;
    let host_data = cursor.take()?;
    let id_key_digest = cursor.take()?;
    let author_key_digest = cursor.take()?;
    let report_id = cursor.take()?;
    let report_id_ma = cursor.take()?;
    let reported_tcb_offset = cursor.offset;
    let reported_tcb = cursor.tcb(None)?;
    let cpuid = parse_cpuid(cursor, version)?;
    let line = cpuid.and_then(CpuId::line);
    check_tcb(current_tcb, line, current_tcb_offset)?;
    check_tcb(reported_tcb, line, reported_tcb_offset)?;
    let chip_id = cursor.take()?;
    let committed_tcb = cursor.tcb(line)?;
    let current_firmware = cursor.firmware()?;
    let committed_firmware = cursor.firmware()?;
    let launch_tcb = cursor.tcb(line)?;
    let version = parse_version_tail(cursor, version, cpuid)?;
    cursor.zeros::<152>()?;
    Ok(ReportFields {
        version,
        guest_svn,
        policy,
        family_id,
        image_id,
        vmpl,
        current_tcb,
        platform_info,
        signer_info,
        report_data,
        measurement,
        host_data,
        id_key_digest,
        author_key_digest,
        report_id,
        report_id_ma,
        reported_tcb,
        chip_id,
        committed_tcb,
        current_firmware,
        committed_firmware,
        launch_tcb,
    })
}

fn parse_policy(cursor: &mut Cursor<'_>) -> Result<GuestPolicy, ReportError> {
    let policy = GuestPolicy::from_bits(cursor.u64()?);
    let zero = policy.bits() & GuestPolicy::RESERVED_ZERO == 0;
    if zero && policy.has(GuestPolicy::RESERVED_ONE) {
        Ok(policy)
    } else {
        Err(ReportError::PolicyReserved { got: policy.bits() })
    }
}

fn parse_vmpl(cursor: &mut Cursor<'_>) -> Result<u32, ReportError> {
    match cursor.u32()? {
        VMPL_HOST_REQUESTED => Err(ReportError::HostRequested),
        vmpl if vmpl > VMPL_MAX => Err(ReportError::Vmpl { got: vmpl }),
        vmpl => Ok(vmpl),
    }
}

fn parse_signer_info(cursor: &mut Cursor<'_>) -> Result<SignerInfo, ReportError> {
    let signer = SignerInfo::from_bits(cursor.u32()?);
    let defined = signer.signing_key().is_some();
    if defined && signer.bits() & SignerInfo::RESERVED_ZERO == 0 {
        Ok(signer)
    } else {
        Err(ReportError::SignerInfo { got: signer.bits() })
    }
}

/// The 24 bytes at 0x188: zero in version 2; family, model, stepping and 21 zero bytes from version 3.
fn parse_cpuid(cursor: &mut Cursor<'_>, version: u32) -> Result<Option<CpuId>, ReportError> {
    if version < 3 {
        cursor.zeros::<24>()?;
        return Ok(None);
    }
    let [family, model, stepping] = cursor.take()?;
    let cpuid = CpuId {
        family,
        model,
        stepping,
    };
    if cpuid.line().is_none() {
        return Err(ReportError::CpuId { got: cpuid });
    }
    cursor.zeros::<21>()?;
    Ok(Some(cpuid))
}

/// The 16 bytes at 0x1f8: mitigation vectors in version 5, zero before.
fn parse_version_tail(
    cursor: &mut Cursor<'_>,
    version: u32,
    cpuid: Option<CpuId>,
) -> Result<ReportVersion, ReportError> {
    match (version, cpuid) {
        (5, Some(cpuid)) => {
            let launch = cursor.u64()?;
            let current = cursor.u64()?;
            Ok(ReportVersion::V5(
                cpuid,
                MitigationVectors { launch, current },
            ))
        }
        (4, Some(cpuid)) => cursor.zeros::<16>().map(|()| ReportVersion::V4(cpuid)),
        (3, Some(cpuid)) => cursor.zeros::<16>().map(|()| ReportVersion::V3(cpuid)),
        (2, None) => cursor.zeros::<16>().map(|()| ReportVersion::V2),
        (got, _) => Err(ReportError::Version { got }),
    }
}

/// `r` and `s`: 72 bytes each, little-endian, of which 48 are significant; then 368 zero bytes.
fn parse_signature(cursor: &mut Cursor<'_>) -> Result<[u8; 96], ReportError> {
    let r = parse_scalar(cursor)?;
    let s = parse_scalar(cursor)?;
    cursor.zeros::<368>()?;
    let mut signature = [0; 96];
    for (to, from) in signature.iter_mut().zip(r.iter().chain(&s)) {
        *to = *from;
    }
    Ok(signature)
}

fn parse_scalar(cursor: &mut Cursor<'_>) -> Result<[u8; 48], ReportError> {
    let mut scalar: [u8; 48] = cursor.take()?;
    let padding: [u8; 24] = cursor.take()?;
    scalar.reverse();
    if padding == [0; 24] && scalar != [0; 48] && scalar < P384_ORDER {
        Ok(scalar)
    } else {
        Err(ReportError::SignatureRange)
    }
}
