//! Step 5: the session statement is signed by the appraised runtime and is about this very connection.

use alloc::format;

use chancery_verify::Anchor;
use chancery_verify::Verdict;
use chancery_verify::appraise;
use ed25519_dalek::Signature;
use ed25519_dalek::VerifyingKey;
use subtle::ConstantTimeEq;

use super::Walk;
use super::policy::Rules;
use super::recorder::Recorder;
use super::recorder::Stop;
use crate::binding::epoch_signature_message;
use crate::binding::report_data_session;
use crate::exchange::SessionProof;
use crate::node::CertificateUsage;
use crate::rows::SessionCheck;
use crate::rows::SessionRow;
use crate::statement::ABSENT;
use crate::statement::Role;

pub(crate) fn check<A: Anchor>(
    walk: &Walk<'_>,
    anchor: &A,
    rules: &Rules,
    verdict: &Verdict<A>,
    recorder: &mut Recorder,
) -> Result<(), Stop> {
    check_proof(walk, anchor, rules, verdict, recorder)?;
    let (session, observed) = (&walk.session, walk.observed);
    let digests = [
        (
            SessionCheck::SessionNode,
            &walk.node_sha256,
            &session.node_sha256,
        ),
        (SessionCheck::SessionNonce, &observed.nonce, &session.nonce),
        (
            SessionCheck::SessionExporter,
            &observed.exporter,
            &session.exporter,
        ),
        (
            SessionCheck::SessionLeaf,
            &observed.leaf_spki_sha256,
            &session.leaf_spki_sha256,
        ),
    ];
    for (check, expected, got) in digests {
        let same = bool::from(expected.ct_eq(got));
        let (expected, got) = shown(check, expected, got);
        recorder.require(check, expected, got, same)?;
    }
    let (expected, got) = (Role::Server.name(), session.role.name());
    recorder.require(
        SessionCheck::SessionRole,
        expected,
        got,
        session.role == Role::Server,
    )?;
    let texts = [
        (
            SessionCheck::SessionServerName,
            &observed.server_name,
            &session.server_name,
        ),
        (SessionCheck::SessionAlpn, &observed.alpn, &session.alpn),
    ];
    for (check, expected, got) in texts {
        recorder.require(check, expected.as_str(), got.as_str(), expected == got)?;
    }
    check_certificate(walk, recorder)
}

/// An exporter is a secret of the connection and is not shown.
fn shown(
    check: SessionCheck,
    expected: &[u8; 32],
    got: &[u8; 32],
) -> (alloc::string::String, alloc::string::String) {
    if check == SessionCheck::SessionExporter {
        return ("this connection's".into(), "(not shown)".into());
    }
    (hex::encode(expected), hex::encode(got))
}

fn check_proof<A: Anchor>(
    walk: &Walk<'_>,
    anchor: &A,
    rules: &Rules,
    verdict: &Verdict<A>,
    recorder: &mut Recorder,
) -> Result<(), Stop> {
    match &walk.response.session_proof {
        SessionProof::Epoch(signature) => {
            let message = epoch_signature_message(&walk.session);
            let message = recorder.decoded(SessionCheck::SessionStatement, message)?;
            let valid = VerifyingKey::from_bytes(&walk.node.epoch_key)
                .and_then(|key| key.verify_strict(&message, &Signature::from_bytes(signature)))
                .is_ok();
            let expected = "valid by the epoch key";
            let got = if valid { "valid" } else { "invalid" };
            recorder.require(SessionCheck::SessionSignature, expected, got, valid)
        }
        SessionProof::Hardware(evidence) => {
            let report_data = report_data_session::<A>(&walk.session);
            let report_data = recorder.decoded(SessionCheck::SessionStatement, report_data)?;
            let result = appraise(
                anchor,
                evidence,
                rules.policy.policy(),
                rules.floors.floors(),
                &report_data,
                walk.now_ms,
            );
            let rows = match &result {
                Ok(own) => own.rows(),
                Err(refusal) => refusal.rows(),
            };
            for row in rows {
                recorder.push(SessionRow::evidence(
                    row,
                    SessionCheck::SessionEvidence(row.check),
                ));
            }
            let own = result.map_err(|_refusal| Stop)?;
            // One launch has one report id; the same image launched twice is not the same runtime.
            let same = own.identity() == verdict.identity()
                && own.fields().report_id == verdict.fields().report_id
                && own.fields().measurement == verdict.fields().measurement
                && own.fields().host_data == verdict.fields().host_data;
            let expected = hex::encode(verdict.fields().report_id);
            let got = hex::encode(own.fields().report_id);
            recorder.require(SessionCheck::SessionSameLaunch, expected, got, same)
        }
    }
}

/// Without a server name the TLS layer alone ties the leaf to the host; the key must still be the node's.
fn check_certificate(walk: &Walk<'_>, recorder: &mut Recorder) -> Result<(), Stop> {
    let observed = walk.observed;
    let listed = walk.node.certificates.iter().any(|certificate| {
        let named = observed.server_name == ABSENT || certificate.host_name == observed.server_name;
        named
            && certificate.usage == CertificateUsage::TlsServer
            && certificate.spki_sha256 == observed.leaf_spki_sha256
    });
    let expected = format!("{} with this leaf key", observed.server_name);
    let got = if listed { "listed" } else { "not listed" };
    recorder.require(SessionCheck::NodeCertificate, expected, got, listed)
}
