//! Step 8: nothing is too old, by the own clock and by the witnesses' time.

use alloc::format;

use chancery_tlog::CosignedCheckpoint;

use super::Walk;
use super::limits::CHECKPOINT_AGE_MS_MAX;
use super::limits::CLOCK_SKEW_MS_MAX;
use super::limits::NODE_STATEMENT_LIFETIME_MS_MAX;
use super::log::cosigned;
use super::recorder::Recorder;
use super::recorder::Stop;
use crate::rows::SessionCheck;

const MS_PER_S: u64 = 1000;

/// At least one honest witness said at or after this time that it knew no larger tree.
const fn floor_ms(checkpoint: &CosignedCheckpoint) -> u64 {
    checkpoint.time_floor_s().saturating_mul(MS_PER_S)
}

pub(crate) fn check(
    walk: &Walk<'_>,
    checkpoint: &CosignedCheckpoint,
    recorder: &mut Recorder,
) -> Result<(), Stop> {
    let now_ms = walk.now_ms;
    check_beacon(walk, checkpoint, recorder)?;

    let witnessed_ms = floor_ms(checkpoint);
    let (earliest, latest) = window(now_ms, CHECKPOINT_AGE_MS_MAX);
    let expected = format!("{earliest} to {latest} ms");
    let fresh = (earliest..=latest).contains(&witnessed_ms);
    recorder.require(
        SessionCheck::CheckpointAge,
        expected,
        format!("{witnessed_ms} ms"),
        fresh,
    )?;

    let not_after_ms = walk.node.not_after_ms;
    let expected = format!("after {now_ms} ms and witnesses' {witnessed_ms} ms");
    let lives = not_after_ms > now_ms && not_after_ms > witnessed_ms;
    recorder.require(
        SessionCheck::NodeNotAfter,
        expected,
        format!("{not_after_ms} ms"),
        lives,
    )?;

    let latest = walk
        .node
        .beacon
        .time_ms
        .saturating_add(NODE_STATEMENT_LIFETIME_MS_MAX);
    let expected = format!("at most {latest} ms");
    let got = format!("{not_after_ms} ms");
    recorder.require(
        SessionCheck::NodeLifetime,
        expected,
        got,
        not_after_ms <= latest,
    )
}

/// The beacon's root did not exist before, so neither did the statement that names it.
fn check_beacon(
    walk: &Walk<'_>,
    checkpoint: &CosignedCheckpoint,
    recorder: &mut Recorder,
) -> Result<(), Stop> {
    let beacon = walk.node.beacon;
    let note = cosigned(walk, walk.response.beacon.as_bytes());
    let note = recorder.decoded(SessionCheck::BeaconQuorum, note)?;
    let same = note.size() == beacon.size
        && note.root().0 == beacon.root
        && beacon.size > walk.node.boot_index
        && beacon.size <= checkpoint.size();
    let expected = format!("size {}, root {}", beacon.size, hex::encode(beacon.root));
    let got = format!("size {}, root {}", note.size(), hex::encode(note.root().0));
    recorder.require(SessionCheck::BeaconQuorum, expected, got, same)?;

    let floor = floor_ms(&note);
    let expected = format!("at most {floor} ms");
    let got = format!("{} ms", beacon.time_ms);
    let covered = beacon.time_ms <= floor;
    recorder.require(SessionCheck::BeaconTime, expected, got.as_str(), covered)?;

    let (earliest, latest) = window(walk.now_ms, NODE_STATEMENT_LIFETIME_MS_MAX);
    let expected = format!("{earliest} to {latest} ms");
    let young = (earliest..=latest).contains(&beacon.time_ms);
    recorder.require(SessionCheck::BeaconAge, expected, got, young)
}

/// From `age_max` ago to a tolerated step ahead.
const fn window(now_ms: u64, age_max: u64) -> (u64, u64) {
    (
        now_ms.saturating_sub(age_max),
        now_ms.saturating_add(CLOCK_SKEW_MS_MAX),
    )
}
