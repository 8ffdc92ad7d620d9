//! Which certificates and lists fit a report: pure, over whatever was handed in.
//!
//! The rules are those by which a client walks the same chain (`chancery-verify`, stages *chain*, *bind* and *signature*), asked
//! piece by piece, so that a wrong piece from one source does not hide a right one from another. Nothing rests on the
//! outcome but which pieces are shown: a client appraises them again.

use chancery_evidence::{
    BasicConstraints, Certificate, Crl, KeyUsage, ProductLine, PublicKey, Report, SignerInfo,
    SigningKey, Tcb, TcbComponents, VekIdentity,
};
use chancery_verify::{Anchor, CrlNumbers, Evidence, Mode, RootKey};
use ring::digest::{SHA256, digest};
use ring::signature::{ECDSA_P384_SHA384_FIXED, RSA_PSS_2048_8192_SHA384, UnparsedPublicKey};

use super::pool::Pool;

/// What a chain must look like.
#[derive(Debug)]
pub(crate) struct Rules {
    /// What stands in certificate names between `ARK-` or `SEV-` and the product line.
    pub(crate) infix: &'static str,
    /// The roots that count; of an emulated processor none is known here, and any that fits by its names is taken.
    pub(crate) roots: Option<Vec<RootKey>>,
    /// Whether AMD's intermediate and root certificates, which this program has, are of use.
    pub(crate) is_amd: bool,
    /// Whether the release policy makes clients ask for a revocation list.
    pub(crate) is_list_needed: bool,
    /// The least number that clients accept of each root's list.
    pub(crate) list_numbers_min: CrlNumbers,
}

impl Rules {
    /// The rules of an anchor.
    pub(crate) fn of<A: Anchor>(is_list_needed: bool, list_numbers_min: CrlNumbers) -> Self {
        Self {
            infix: A::COMMON_NAME_INFIX,
            roots: match A::MODE {
                Mode::Amd => Some(chancery_verify::Amd.roots().to_vec()),
                Mode::Emulated => None,
            },
            is_amd: A::MODE == Mode::Amd,
            is_list_needed,
            list_numbers_min,
        }
    }

    fn admits_root(&self, root: &Certificate<'_>, line: ProductLine) -> bool {
        let pinned = self.roots.as_ref().is_none_or(|roots| {
            roots.iter().any(|key| {
                key.line() == line
                    && digest(&SHA256, root.der()).as_ref() == key.certificate_sha256().as_slice()
            })
        });
        let authority = (
            BasicConstraints { path_length: None },
            KeyUsage::CertificatesAndCrls,
        );
        pinned
            && root.subject().common_name() == format!("ARK-{}{line}", self.infix)
            && root.issuer() == root.subject()
            && root.authority() == Ok(authority)
            && is_signed_by(root, root.signed(), root.signature())
    }

    fn admits_intermediate(
        &self,
        root: &Certificate<'_>,
        intermediate: &Certificate<'_>,
        line: ProductLine,
    ) -> bool {
        let authority = (
            BasicConstraints {
                path_length: Some(0),
            },
            KeyUsage::Certificates,
        );
        intermediate.subject().common_name() == format!("SEV-{}{line}", self.infix)
            && intermediate.issuer() == root.subject()
            && matches!(intermediate.key(), PublicKey::Rsa4096(_))
            && intermediate.authority() == Ok(authority)
            && is_signed_by(root, intermediate.signed(), intermediate.signature())
    }
}

/// The chip and the firmware whose certificate is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chip {
    pub(crate) line: ProductLine,
    /// CHIP_ID; of Turin the last 56 bytes are zero.
    pub(crate) id: [u8; 64],
    /// REPORTED_TCB, from which the key was derived.
    pub(crate) tcb: TcbComponents,
}

/// CHIP_ID and REPORTED_TCB of a report: which key signed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Level {
    chip_id: [u8; 64],
    reported_tcb: Tcb,
}

/// A report whose signature is to be explained.
#[derive(Debug)]
pub(crate) struct Subject(Report);

impl Subject {
    /// Reads a report.
    pub(crate) fn of(report: &[u8]) -> Option<Self> {
        Report::parse(report).ok().map(Self)
    }

    /// What its collateral is kept under.
    pub(crate) fn level(&self) -> Level {
        let fields = self.0.fields();
        Level {
            chip_id: fields.chip_id,
            reported_tcb: fields.reported_tcb,
        }
    }

    /// The lines that the report may be of: reports of version 2 do not say.
    pub(crate) fn lines(&self) -> &'static [ProductLine] {
        match self.0.fields().version.cpuid() {
            None => &[ProductLine::Milan, ProductLine::Genoa, ProductLine::Turin],
            Some(cpuid) => match cpuid.line() {
                Some(ProductLine::Milan) => &[ProductLine::Milan],
                Some(ProductLine::Genoa) => &[ProductLine::Genoa],
                Some(ProductLine::Turin) => &[ProductLine::Turin],
                None => &[],
            },
        }
    }

    /// What to ask for; none if the report names no chip, or was not signed by a chip's own key.
    pub(crate) fn chip(&self) -> Option<Chip> {
        match self.lines() {
            [line] => self.chip_of(*line),
            _ => None,
        }
    }

    fn chip_of(&self, line: ProductLine) -> Option<Chip> {
        let fields = self.0.fields();
        let signed_by_chip = fields.signer_info.signing_key() == Some(SigningKey::Vcek)
            && !fields.signer_info.has(SignerInfo::MASK_CHIP_KEY);
        let chip = Chip {
            line,
            id: fields.chip_id,
            tcb: fields.reported_tcb.components(line)?,
        };
        (signed_by_chip && chip.id != [0; 64]).then_some(chip)
    }

    /// Whether `leaf` is a certificate of the very key that signed the report, for the chip and firmware that it names.
    fn is_signed_by_key_of(&self, leaf: &Certificate<'_>, chip: &Chip) -> bool {
        let Ok(extensions) = leaf.vek(chip.line) else {
            return false;
        };
        let PublicKey::P384(key) = leaf.key() else {
            return false;
        };
        extensions.identity == VekIdentity::Chip(chip.id)
            && extensions.tcb == chip.tcb
            && leaf.subject().common_name() == "SEV-VCEK"
            && UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, key)
                .verify(self.0.signed(), self.0.signature())
                .is_ok()
    }
}

/// A part of collateral.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Piece {
    /// The certificate of the chip's key at its firmware level.
    Vcek,
    /// The intermediate certificate, or the root, that the chip's certificate hangs below.
    Chain,
    /// As [`Self::Chain`]: there are an intermediate and a root, which the root's newest list revokes.
    Unrevoked,
    /// A revocation list of the root that is in force.
    RevocationList,
}

impl Piece {
    /// The stable code in the journal.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Vcek => "vcek_missing",
            Self::Chain => "chain_missing",
            Self::Unrevoked => "chain_revoked",
            Self::RevocationList => "revocation_list_missing",
        }
    }
}

/// When a revocation list was made and when the next one is due, in milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ListLife {
    pub(crate) from_ms: u64,
    pub(crate) to_ms: u64,
}

impl ListLife {
    /// Whether half of the time has passed: AMD's lists live for weeks, so that there is as long to get the next one.
    pub(crate) const fn is_refresh_due(self, now_ms: u64) -> bool {
        now_ms >= self.from_ms.midpoint(self.to_ms)
    }
}

/// What was found for a report. Each part fits by itself; `is_chained` says that they also hang together, and `is_revoked` that they
/// would but for the list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    ark: Option<Vec<u8>>,
    ask: Option<Vec<u8>>,
    vcek: Option<Vec<u8>>,
    list: Option<(Vec<u8>, ListLife)>,
    is_chained: bool,
    is_revoked: bool,
}

impl Found {
    /// The first part that is missing.
    pub(crate) fn missing(&self, rules: &Rules) -> Option<Piece> {
        if self.vcek.is_none() {
            Some(Piece::Vcek)
        } else if self.is_revoked {
            Some(Piece::Unrevoked)
        } else if !self.is_chained {
            Some(Piece::Chain)
        } else if rules.is_list_needed && self.list.is_none() {
            Some(Piece::RevocationList)
        } else {
            None
        }
    }

    /// Life of the list that was found.
    pub(crate) fn list_life(&self) -> Option<ListLife> {
        self.list.as_ref().map(|(_, life)| *life)
    }

    /// Whether there is a certificate of the chip's key.
    pub(crate) fn has_vcek(&self) -> bool {
        self.vcek.is_some()
    }

    /// With the parts of `other` that are missing here.
    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            ark: self.ark.or(other.ark),
            ask: self.ask.or(other.ask),
            vcek: self.vcek.or(other.vcek),
            list: self.list.or(other.list),
            ..self
        }
    }

    /// The parts alone.
    pub(crate) fn pieces(&self) -> Pool {
        let mut pool = Pool::default();
        for certificate in [&self.vcek, &self.ask, &self.ark].into_iter().flatten() {
            pool.add_certificate(certificate);
        }
        if let Some((list, _)) = &self.list {
            pool.add_list(list);
        }
        pool
    }

    /// `report` with everything that belongs to it.
    ///
    /// # Errors
    /// What is missing.
    pub(crate) fn staple(self, report: Vec<u8>, rules: &Rules) -> Result<Evidence, Piece> {
        if let Some(piece) = self.missing(rules) {
            return Err(piece);
        }
        Ok(Evidence {
            report,
            vcek: self.vcek.ok_or(Piece::Vcek)?,
            ask: self.ask.ok_or(Piece::Chain)?,
            ark: self.ark.ok_or(Piece::Chain)?,
            crl: self.list.map(|(list, _)| list).unwrap_or_default(),
        })
    }
}

/// Finds what fits `subject` at `now_ms` (milliseconds since the Unix epoch).
pub(crate) fn find(rules: &Rules, pool: &Pool, subject: &Subject, now_ms: u64) -> Found {
    let certificates: Vec<Certificate<'_>> = pool
        .certificates()
        .filter_map(|der| Certificate::parse(der).ok())
        .filter(|one| (one.not_before_ms()..=one.not_after_ms()).contains(&now_ms))
        .collect();
    let lists: Vec<List<'_>> = pool
        .lists()
        .filter_map(|der| {
            let parsed = Crl::parse(der).ok()?;
            Some(List { der, parsed })
        })
        .filter(|List { parsed, .. }| {
            (parsed.this_update_ms()..=parsed.next_update_ms()).contains(&now_ms)
        })
        .collect();
    let mut best = Found::default();
    for line in subject.lines() {
        let leaves: Vec<&Certificate<'_>> = match subject.chip_of(*line) {
            Some(chip) => certificates
                .iter()
                .filter(|leaf| subject.is_signed_by_key_of(leaf, &chip))
                .collect(),
            None => Vec::new(),
        };
        if let Some(leaf) = leaves.first()
            && best.vcek.is_none()
        {
            best.vcek = Some(leaf.der().to_vec());
        }
        for root in &certificates {
            if !rules.admits_root(root, *line) {
                continue;
            }
            let found = below(rules, root, *line, &certificates, &leaves, &lists);
            if found.is_chained {
                return found;
            }
            if best.ark.is_none() || (found.is_revoked && !best.is_revoked) {
                best = Found {
                    vcek: best.vcek,
                    ..found
                };
            }
        }
    }
    best
}

struct List<'a> {
    der: &'a [u8],
    parsed: Crl<'a>,
}

/// What fits below one root.
fn below(
    rules: &Rules,
    root: &Certificate<'_>,
    line: ProductLine,
    certificates: &[Certificate<'_>],
    leaves: &[&Certificate<'_>],
    lists: &[List<'_>],
) -> Found {
    let list = lists
        .iter()
        .filter(|List { parsed, .. }| {
            parsed.issuer() == root.subject()
                && number_of(parsed) >= rules.list_numbers_min.of(line)
                && is_signed_by(root, parsed.signed(), parsed.signature())
        })
        .max_by_key(|list| list.parsed.this_update_ms());
    let is_revoked = |serial: &[u8]| list.is_some_and(|list| list.parsed.revokes(serial));
    let mut found = Found {
        ark: Some(root.der().to_vec()),
        list: list.map(|list| {
            let life = ListLife {
                from_ms: list.parsed.this_update_ms(),
                to_ms: list.parsed.next_update_ms(),
            };
            (list.der.to_vec(), life)
        }),
        ..Found::default()
    };
    let is_root_revoked = is_revoked(root.serial());
    for intermediate in certificates {
        if !rules.admits_intermediate(root, intermediate, line) {
            continue;
        }
        let leaf = leaves.iter().find(|leaf| {
            leaf.issuer() == intermediate.subject()
                && is_signed_by(intermediate, leaf.signed(), leaf.signature())
        });
        if is_root_revoked || is_revoked(intermediate.serial()) {
            found.is_revoked |= leaf.is_some();
            continue;
        }
        if found.ask.is_none() || leaf.is_some() {
            found.ask = Some(intermediate.der().to_vec());
        }
        if let Some(leaf) = leaf {
            found.vcek = Some(leaf.der().to_vec());
            found.is_chained = true;
            found.is_revoked = false;
            break;
        }
    }
    found
}

/// A list's number; one that needs more than 64 bits counts as the largest.
fn number_of(list: &Crl<'_>) -> u64 {
    let number = list.number().iter().try_fold(0_u64, |number, byte| {
        number.checked_mul(256)?.checked_add(u64::from(*byte))
    });
    number.unwrap_or(u64::MAX)
}

fn is_signed_by(issuer: &Certificate<'_>, signed: &[u8], signature: &[u8]) -> bool {
    match issuer.key() {
        PublicKey::Rsa4096(key) => UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA384, key)
            .verify(signed, signature)
            .is_ok(),
        PublicKey::P384(_) => false,
    }
}

#[cfg(test)]
mod tests;
