//! Revocation lists: canonical, dated as written, and revoking what they list alone.

use chancery_evidence::Crl;

use crate::accepted;
use crate::der::canonical;
use crate::time::assert_stands_in;

/// An accepted list is the one DER encoding of its elements, and each serial number that it revokes stands in it.
pub fn crl(bytes: &[u8]) -> bool {
    accepted(Crl::parse(bytes), |crl| assert_is_in_order(&crl, bytes))
}

fn assert_is_in_order(crl: &Crl<'_>, bytes: &[u8]) {
    assert_eq!(canonical(bytes).as_deref(), Some(bytes), "another encoding");
    let signed = crl.signed();
    assert!(bytes.windows(signed.len()).any(|window| window == signed));
    assert!(bytes.ends_with(crl.signature()));
    assert_eq!(crl.signature().len(), 512);
    assert_stands_in(crl.this_update_ms(), signed);
    assert_stands_in(crl.next_update_ms(), signed);
    let number = crl.number();
    let minimal = number.len() == 1 || number.first() != Some(&0);
    assert!(minimal, "a leading zero");
    for serial in [&[2, 0, 1][..], &[0], &[1, 0, 1], &[0xff; 20]] {
        let stands = signed.windows(serial.len()).any(|window| window == serial);
        assert!(
            stands || !crl.revokes(serial),
            "revokes what it does not list"
        );
    }
    assert!(
        !crl.revokes(&[]) && !crl.revokes(&[0xff; 21]),
        "no such serial number"
    );
}
