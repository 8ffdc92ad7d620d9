#![expect(
    clippy::arithmetic_side_effects,
    reason = "offsets of the tests' own constants"
)]

mod edges;
mod generated;
mod pki;
mod suite;

use std::format;
use std::fs;
use std::string::String;
use std::vec::Vec;

use chancery_evidence::FirmwareVersion;
use chancery_evidence::GuestPolicy;
use chancery_evidence::ProductLine;
use chancery_evidence::ReportFields;
use chancery_evidence::TcbComponents;

use super::*;
use crate::check::Outcome;
use crate::floors::CrlNumbers;
use crate::floors::Floor;
use crate::floors::FloorRule;
use crate::floors::Processors;

const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../vectors");

fn read(path: &str) -> Vec<u8> {
    fs::read(format!("{VECTORS}/{path}")).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn failed_names(refusal: &Refusal) -> Vec<&'static str> {
    refusal.failed().map(|row| row.check.name()).collect()
}
