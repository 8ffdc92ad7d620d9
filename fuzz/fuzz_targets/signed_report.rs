//! Runs the target `signed_report` of `chancery-fuzz-targets`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    chancery_fuzz_targets::signed_report(bytes);
});
