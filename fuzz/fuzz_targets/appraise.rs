//! Runs the target `appraise` of `chancery-fuzz-targets`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    chancery_fuzz_targets::appraise(bytes);
});
