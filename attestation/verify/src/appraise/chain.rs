//! Stage 2: exactly root, intermediate and leaf, and the root's revocation list.

mod revocation;

use alloc::format;
use alloc::string::ToString;

use ring::signature::RSA_PSS_2048_8192_SHA384;
use ring::signature::UnparsedPublicKey;
use sha2::Digest;
use sha2::Sha256;

use chancery_evidence::BasicConstraints;
use chancery_evidence::Certificate;
use chancery_evidence::KeyUsage;
use chancery_evidence::ProductLine;
use chancery_evidence::PublicKey;
use chancery_evidence::VekExtensions;
use chancery_evidence::VekKind;

use self::revocation::Revocation;
use super::Inputs;
use super::rows::Failed;
use super::rows::Rows;
use crate::amd_chain::is_known_signature;
use crate::anchor::Anchor;
use crate::check::CheckId;
use crate::check::Stage;
use crate::evidence::Evidence;

/// A leaf that a root of the anchor vouches for.
pub(crate) struct Leaf<'a> {
    pub(crate) line: ProductLine,
    pub(crate) key: &'a [u8],
    pub(crate) extensions: VekExtensions,
}

pub(crate) fn run<'a, A: Anchor>(
    anchor: &A,
    evidence: &'a Evidence,
    inputs: &Inputs<'_>,
    rows: &mut Rows,
) -> Result<Leaf<'a>, Failed> {
    let root = parse(&evidence.ark, CheckId::RootEncoding, rows)?;
    let line = check_root(anchor, &root, inputs.now_ms, rows)?;
    let intermediate = parse(&evidence.ask, CheckId::IntermediateEncoding, rows)?;
    let kind = check_intermediate::<A>(&root, &intermediate, line, rows)?;
    check_validity(
        &intermediate,
        CheckId::IntermediateValidity,
        inputs.now_ms,
        rows,
    )?;
    check_signed_by(&root, &intermediate, CheckId::IntermediateSignature, rows)?;
    let leaf = parse(&evidence.vcek, CheckId::LeafEncoding, rows)?;
    let key = check_leaf(&intermediate, &leaf, kind, rows)?;
    check_validity(&leaf, CheckId::LeafValidity, inputs.now_ms, rows)?;
    check_signed_by(&intermediate, &leaf, CheckId::LeafSignature, rows)?;
    let extensions = check_extensions(&leaf, line, kind, rows)?;
    let revocation = Revocation {
        root: &root,
        intermediate: &intermediate,
        line,
    };
    revocation.check(&evidence.crl, inputs, rows)?;
    Ok(Leaf {
        line,
        key,
        extensions,
    })
}

fn parse<'a>(bytes: &'a [u8], check: CheckId, rows: &mut Rows) -> Result<Certificate<'a>, Failed> {
    match Certificate::parse(bytes) {
        Ok(certificate) => {
            rows.note(check, "one X.509 certificate", "well formed", true);
            Ok(certificate)
        }
        Err(error) => {
            rows.note(check, "one X.509 certificate", error.to_string(), false);
            Err(Failed(Stage::Chain))
        }
    }
}

fn check_root<A: Anchor>(
    anchor: &A,
    root: &Certificate<'_>,
    now_ms: u64,
    rows: &mut Rows,
) -> Result<ProductLine, Failed> {
    let digest: [u8; 32] = Sha256::digest(root.der()).into();
    let pinned = anchor
        .roots()
        .iter()
        .find(|key| *key.certificate_sha256() == digest);
    let expected = format!("a root of {} ({})", A::NAME, A::MODE.shown());
    let got = format!("sha-256 {}", hex::encode(digest));
    rows.require(CheckId::RootPinned, expected, got, pinned.is_some())?;
    let line = pinned.ok_or(Failed(Stage::Chain))?.line();

    let name = format!("ARK-{}{line}", A::COMMON_NAME_INFIX);
    let authority = (
        BasicConstraints { path_length: None },
        KeyUsage::CertificatesAndCrls,
    );
    let fits = root.subject().common_name() == name
        && root.issuer() == root.subject()
        && matches!(root.key(), PublicKey::Rsa4096(_))
        && root.authority() == Ok(authority);
    let got = root.subject().common_name();
    rows.require(
        CheckId::RootProfile,
        format!("{name}, self-issued authority"),
        got,
        fits,
    )?;
    check_validity(root, CheckId::RootValidity, now_ms, rows)?;
    check_signed_by(root, root, CheckId::RootSignature, rows)?;
    Ok(line)
}

fn check_intermediate<A: Anchor>(
    root: &Certificate<'_>,
    intermediate: &Certificate<'_>,
    line: ProductLine,
    rows: &mut Rows,
) -> Result<VekKind, Failed> {
    let infix = A::COMMON_NAME_INFIX;
    let name = intermediate.subject().common_name();
    let kind = if name == format!("SEV-{infix}{line}") {
        Some(VekKind::Vcek)
    } else if name == format!("SEV-VLEK-{infix}{line}") {
        Some(VekKind::Vlek)
    } else {
        None
    };
    let authority = (
        BasicConstraints {
            path_length: Some(0),
        },
        KeyUsage::Certificates,
    );
    let fits = intermediate.issuer() == root.subject()
        && matches!(intermediate.key(), PublicKey::Rsa4096(_))
        && intermediate.authority() == Ok(authority);
    let expected =
        format!("SEV-{infix}{line} or SEV-VLEK-{infix}{line}, authority of path length 0");
    rows.require(
        CheckId::IntermediateProfile,
        expected,
        name,
        fits && kind.is_some(),
    )?;
    kind.ok_or(Failed(Stage::Chain))
}

fn check_leaf<'a>(
    intermediate: &Certificate<'_>,
    leaf: &Certificate<'a>,
    kind: VekKind,
    rows: &mut Rows,
) -> Result<&'a [u8], Failed> {
    let name = match kind {
        VekKind::Vcek => "SEV-VCEK",
        VekKind::Vlek => "SEV-VLEK",
    };
    let named = leaf.issuer() == intermediate.subject() && leaf.subject().common_name() == name;
    let key = match leaf.key() {
        PublicKey::P384(key) if named => Some(*key),
        PublicKey::P384(_) | PublicKey::Rsa4096(_) => None,
    };
    let expected = format!(
        "{name} with a P-384 key, issued by {}",
        intermediate.subject().common_name()
    );
    let got = format!(
        "{} issued by {}",
        leaf.subject().common_name(),
        leaf.issuer().common_name()
    );
    rows.require(CheckId::LeafProfile, expected, got, key.is_some())?;
    key.ok_or(Failed(Stage::Chain))
}

fn check_extensions(
    leaf: &Certificate<'_>,
    line: ProductLine,
    kind: VekKind,
    rows: &mut Rows,
) -> Result<VekExtensions, Failed> {
    let expected = format!("AMD's extensions of a {line} leaf, each once");
    match leaf.vek(line) {
        Ok(extensions) => {
            let got = format!("{} {}", extensions.product_name, extensions.tcb);
            let fits = extensions.identity.kind() == kind;
            rows.require(CheckId::LeafExtensions, expected, got, fits)?;
            Ok(extensions)
        }
        Err(error) => {
            rows.note(CheckId::LeafExtensions, expected, error.to_string(), false);
            Err(Failed(Stage::Chain))
        }
    }
}

fn check_validity(
    certificate: &Certificate<'_>,
    check: CheckId,
    now_ms: u64,
    rows: &mut Rows,
) -> Result<(), Failed> {
    let from = certificate.not_before_ms();
    let to = certificate.not_after_ms();
    let valid = (from..=to).contains(&now_ms);
    rows.require(
        check,
        format!("{from} to {to} ms"),
        format!("{now_ms} ms"),
        valid,
    )
}

fn is_signed_by(issuer: &Certificate<'_>, signed: &[u8], signature: &[u8]) -> bool {
    match issuer.key() {
        PublicKey::Rsa4096(key) => UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA384, key)
            .verify(signed, signature)
            .is_ok(),
        PublicKey::P384(_) => false,
    }
}

fn check_signed_by(
    issuer: &Certificate<'_>,
    certificate: &Certificate<'_>,
    check: CheckId,
    rows: &mut Rows,
) -> Result<(), Failed> {
    let valid = is_known_signature(issuer.der(), certificate.der())
        || is_signed_by(issuer, certificate.signed(), certificate.signature());
    let expected = format!("valid by {}", issuer.subject().common_name());
    rows.require(
        check,
        expected,
        if valid { "valid" } else { "invalid" },
        valid,
    )
}
