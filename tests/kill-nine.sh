#!/bin/sh
# Kills runtime, host, secure processor or two of them in the middle of a load, fifty times (or $1 times).
# After each kill the service must come back by itself; at the end every acknowledged user must be there
# once and none twice. A failure names its seed: CHANCERY_KILL_SEED=… tests/kill-nine.sh repeats the run.
set -eu
cd "$(dirname "$0")/.."
cargo build --workspace --bins --locked
CHANCERY_KILL_CYCLES="${1:-50}" exec cargo test --locked -p chancery-e2e --test kill -- --nocapture
