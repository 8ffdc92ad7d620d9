//! The root's revocation list.

use alloc::format;
use alloc::string::ToString;

use chancery_evidence::Certificate;
use chancery_evidence::Crl;
use chancery_evidence::ProductLine;

use super::super::Inputs;
use super::super::rows::Failed;
use super::super::rows::Rows;
use super::is_signed_by;
use crate::check::CheckId;
use crate::check::Stage;

const WAIVED: &str = "waived by dangerous_allow_unchecked_revocation";

/// What the list is about.
pub(crate) struct Revocation<'a> {
    pub(crate) root: &'a Certificate<'a>,
    pub(crate) intermediate: &'a Certificate<'a>,
    pub(crate) line: ProductLine,
}

impl Revocation<'_> {
    /// A list that is there is always checked for form, issuer, signature, number and content. Only its absence or age can be
    /// waived.
    pub(crate) fn check(
        &self,
        bytes: &[u8],
        inputs: &Inputs<'_>,
        rows: &mut Rows,
    ) -> Result<(), Failed> {
        if bytes.is_empty() && inputs.policy.dangerous_allow_unchecked_revocation {
            rows.skip(
                CheckId::RevocationPresent,
                "a revocation list",
                format!("none; {WAIVED}"),
            );
            return Ok(());
        }
        let present = if bytes.is_empty() { "none" } else { "present" };
        rows.require(
            CheckId::RevocationPresent,
            "a revocation list",
            present,
            !bytes.is_empty(),
        )?;
        let crl = match Crl::parse(bytes) {
            Ok(crl) => crl,
            Err(error) => {
                let got = error.to_string();
                rows.note(CheckId::RevocationEncoding, "one list", got, false);
                return Err(Failed(Stage::Chain));
            }
        };
        rows.note(CheckId::RevocationEncoding, "one list", "well formed", true);
        self.check_issuer(&crl, rows)?;
        check_freshness(&crl, inputs, rows)?;
        let min = inputs.floors.crl_numbers_min.of(self.line);
        let number = number(&crl);
        rows.require(
            CheckId::RevocationNumber,
            format!("at least {min}"),
            number.to_string(),
            number >= min,
        )?;
        // Serial numbers mean something only together with their issuer: the list's issuer is the root, as is that of the
        // intermediate. A leaf's serial number, always zero, is never looked up.
        let revoked = crl.revokes(self.intermediate.serial()) || crl.revokes(self.root.serial());
        let got = if revoked { "revoked" } else { "not revoked" };
        rows.require(CheckId::IntermediateRevoked, "not revoked", got, !revoked)
    }

    fn check_issuer(&self, crl: &Crl<'_>, rows: &mut Rows) -> Result<(), Failed> {
        let issued = crl.issuer() == self.root.subject();
        let issuer = self.root.subject().common_name();
        rows.require(
            CheckId::RevocationIssuer,
            issuer,
            crl.issuer().common_name(),
            issued,
        )?;
        let valid = is_signed_by(self.root, crl.signed(), crl.signature());
        let got = if valid { "valid" } else { "invalid" };
        let expected = format!("valid by {issuer}");
        rows.require(CheckId::RevocationSignature, expected, got, valid)
    }
}

fn check_freshness(crl: &Crl<'_>, inputs: &Inputs<'_>, rows: &mut Rows) -> Result<(), Failed> {
    let (from, to, now_ms) = (crl.this_update_ms(), crl.next_update_ms(), inputs.now_ms);
    let fresh = (from..=to).contains(&now_ms);
    let expected = format!("{from} to {to} ms");
    if !fresh && inputs.policy.dangerous_allow_unchecked_revocation {
        let got = format!("{now_ms} ms; {WAIVED}");
        rows.skip(CheckId::RevocationFreshness, expected, got);
        Ok(())
    } else {
        let got = format!("{now_ms} ms");
        rows.require(CheckId::RevocationFreshness, expected, got, fresh)
    }
}

/// The list's number; one that needs more than 64 bits counts as the largest.
fn number(crl: &Crl<'_>) -> u64 {
    let mut number = 0_u64;
    for byte in crl.number() {
        let shifted = number.checked_mul(256);
        let Some(next) = shifted.and_then(|shifted| shifted.checked_add(u64::from(*byte))) else {
            return u64::MAX;
        };
        number = next;
    }
    number
}
