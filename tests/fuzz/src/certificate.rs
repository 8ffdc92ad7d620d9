//! Certificates: canonical, of the announced shapes, and of one product line at most.

use chancery_evidence::Certificate;
use chancery_evidence::ProductLine;
use chancery_evidence::PublicKey;
use chancery_evidence::VekExtensions;
use chancery_evidence::VekIdentity;

use crate::accepted;
use crate::der::canonical;
use crate::time::assert_stands_in;

const LINES: [ProductLine; 3] = [ProductLine::Milan, ProductLine::Genoa, ProductLine::Turin];

/// An accepted certificate is the one DER encoding of its elements; its times are those that were written; it is an authority or a
/// leaf of one line, never both.
pub fn certificate(bytes: &[u8]) -> bool {
    accepted(Certificate::parse(bytes), |certificate| {
        assert_is_in_order(&certificate, bytes);
        assert_kind(&certificate);
    })
}

fn assert_is_in_order(certificate: &Certificate<'_>, bytes: &[u8]) {
    assert_eq!(certificate.der(), bytes);
    assert_eq!(canonical(bytes).as_deref(), Some(bytes), "another encoding");
    let signed = certificate.signed();
    let stands = |part: &[u8]| signed.windows(part.len()).any(|window| window == part);
    assert!(bytes.windows(signed.len()).any(|window| window == signed));
    assert!(bytes.ends_with(certificate.signature()));
    assert_eq!(certificate.signature().len(), 512);
    assert_stands_in(certificate.not_before_ms(), signed);
    assert_stands_in(certificate.not_after_ms(), signed);
    assert_serial(certificate.serial());
    for name in [certificate.issuer(), certificate.subject()] {
        let text = name.common_name();
        assert!((1..=64).contains(&text.len()));
        let visible = text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        assert!(visible && stands(name.der()), "{text:?}");
    }
    match certificate.key() {
        PublicKey::Rsa4096(key) => assert_eq!(key.len(), 526, "RSA-4096 with exponent 65537"),
        PublicKey::P384(key) => assert_eq!((key.len(), key.first()), (97, Some(&4))),
    }
}

/// Minimal and at most 20 bytes (RFC 5280 section 4.1.2.2).
fn assert_serial(serial: &[u8]) {
    assert!((1..=20).contains(&serial.len()));
    assert!(
        serial.len() == 1 || serial.first() != Some(&0),
        "a leading zero"
    );
}

fn assert_kind(certificate: &Certificate<'_>) {
    let lines = LINES.into_iter().filter(|line| {
        accepted(certificate.vek(*line), |extensions| {
            assert_extensions(*line, &extensions, certificate.signed());
        })
    });
    let leaf = lines.count();
    let authority = accepted(certificate.authority(), |_| {});
    assert!(leaf <= 1, "a leaf of two product lines");
    assert!(!(authority && leaf == 1), "an authority that is a leaf");
}

fn assert_extensions(line: ProductLine, extensions: &VekExtensions, signed: &[u8]) {
    assert!(extensions.product_name.starts_with(line.name()));
    let turin = line == ProductLine::Turin;
    assert!(turin || extensions.tcb.fmc == 0, "{line} has no FMC");
    let coded = extensions.tcb.encode(line).components(line);
    assert_eq!(coded, Some(extensions.tcb), "the TCB changes on its way");
    if let VekIdentity::Chip(chip) = extensions.identity {
        let (id, rest) = chip.split_at(line.hardware_id_size());
        assert!(rest.iter().all(|byte| *byte == 0));
        assert!(signed.windows(id.len()).any(|window| window == id));
    }
}
