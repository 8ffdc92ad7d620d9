//! Runs the target `policy` of `chancery-fuzz-targets`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    chancery_fuzz_targets::policy(bytes);
});
