use super::*;

use std::format;
use std::string::ToString;
use std::vec;

fn sample() -> TcbFloors {
    TcbFloors::shipped().unwrap()
}

#[test]
fn the_shipped_floors_read_and_write_and_have_a_rule_for_each_known_silicon() {
    let shipped = sample();
    assert_eq!(
        TcbFloors::from_json(&shipped.to_json().unwrap()),
        Ok(shipped.clone())
    );
    let cpu = |family, model, stepping| CpuId {
        family,
        model,
        stepping,
    };
    let name = |line, cpu| shipped.floor(line, Some(cpu)).map(|(name, _)| name);
    for (line, cpu, expected) in [
        (ProductLine::Milan, cpu(0x19, 0x01, 1), Some("Milan")),
        (ProductLine::Genoa, cpu(0x19, 0x11, 1), Some("Genoa")),
        (ProductLine::Genoa, cpu(0x19, 0x11, 2), Some("Genoa-X")),
        (
            ProductLine::Genoa,
            cpu(0x19, 0xa0, 2),
            Some("Bergamo and Siena"),
        ),
        (ProductLine::Turin, cpu(0x1a, 0x02, 1), Some("Turin")),
        (ProductLine::Turin, cpu(0x1a, 0x11, 0), None),
        (ProductLine::Genoa, cpu(0x19, 0x11, 3), None),
        (ProductLine::Turin, cpu(0x19, 0x11, 1), None),
    ] {
        assert_eq!(name(line, cpu), expected, "{cpu:?}");
    }
    assert_eq!(shipped.crl_numbers_min.of(ProductLine::Milan), 9);
    assert!(shipped.rules.iter().all(|rule| !rule.sources.is_empty()));
}

#[test]
fn a_report_without_a_processor_meets_every_floor_of_its_line() {
    let (name, floor) = sample().floor(ProductLine::Genoa, None).map_or_else(
        || panic!("no floor"),
        |(name, floor)| (name.to_string(), floor),
    );
    assert_eq!(name, "Genoa");
    // Genoa's microcode, and what all three have in common.
    assert_eq!(floor.tcb.microcode, 86);
    assert_eq!((floor.tcb.bootloader, floor.tcb.snp), (10, 27));
    assert_eq!(floor.mitigation_required, 0x0b);
    let mut floors = sample();
    floors.rules.retain(|rule| rule.line == ProductLine::Turin);
    assert_eq!(floors.floor(ProductLine::Genoa, None), None);
}

#[test]
fn joining_takes_the_higher_of_each_part() {
    let low = Floor::NONE;
    let mut high = Floor::NONE;
    high.tcb = TcbComponents {
        fmc: 1,
        bootloader: 2,
        tee: 3,
        snp: 4,
        microcode: 5,
    };
    high.firmware.build = 6;
    high.mitigation_required = 0b10;
    assert_eq!(low.join(high), high);
    assert_eq!(high.join(low), high);
    let mut other = Floor::NONE;
    other.tcb.tee = 9;
    other.mitigation_required = 0b01;
    let joined = high.join(other);
    assert_eq!((joined.tcb.tee, joined.tcb.snp), (9, 4));
    assert_eq!(joined.mitigation_required, 0b11);
}

#[test]
fn refuses_documents_that_break_their_own_rules() {
    type Change = fn(&mut TcbFloors);
    let too_many = |pointer: &str| PolicyError::TooMany {
        pointer: pointer.to_string(),
    };
    let cases: [(Change, PolicyError); 12] = [
        (|f| f.expires_ms = f.issued_ms, PolicyError::Window),
        (
            |f| f.rules = vec![f.rules[0].clone(); 65],
            too_many("/floors"),
        ),
        (
            |f| f.rules[0].sources = vec!["x".to_string(); 17],
            too_many("/floors/sources"),
        ),
        (
            |f| f.rules[0].sources[0] = "x".repeat(257),
            PolicyError::Name,
        ),
        (|f| f.rules[0].name.clear(), PolicyError::Name),
        (
            |f| f.rules[0].name = "M\u{e4}".to_string(),
            PolicyError::Name,
        ),
        (
            |f| f.rules[1].processors.steppings[1] = 2,
            PolicyError::Processors,
        ),
        (
            |f| f.rules[0].processors.models[1] = 0x10,
            PolicyError::Processors,
        ),
        (
            |f| f.rules[0].processors.models = [2, 1],
            PolicyError::Processors,
        ),
        (
            |f| f.rules[0].processors.steppings = [2, 1],
            PolicyError::Processors,
        ),
        (
            |f| f.rules[0].processors.family = 0x1a,
            PolicyError::Processors,
        ),
        (
            |f| f.rules[0].line = ProductLine::Turin,
            PolicyError::Processors,
        ),
    ];
    for (index, (change, expected)) in cases.into_iter().enumerate() {
        let mut floors = sample();
        change(&mut floors);
        assert_eq!(floors.check(), Err(expected), "case {index}");
        assert!(floors.to_json().is_err());
    }
}

#[test]
fn refuses_each_missing_unknown_and_duplicate_member_with_its_place() {
    let mut floors = sample();
    floors.rules.truncate(1);
    let text = String::from_utf8(floors.to_json().unwrap()).unwrap();
    for name in [
        "version",
        "issued_ms",
        "expires_ms",
        "crl_numbers_min",
        "genoa",
        "turin",
        "floors",
        "name",
        "line",
        "cpuid",
        "family",
        "models",
        "steppings",
        "tcb_floor",
        "fmc",
        "bootloader",
        "tee",
        "snp",
        "microcode",
        "firmware_floor",
        "major",
        "minor",
        "build",
        "mitigation_required",
        "sources",
    ] {
        let member = format!("\"{name}\":");
        assert!(text.contains(&member), "{name}");
        let renamed = text.replacen(&member, "\"surplus\":", 1);
        let error = TcbFloors::from_json(renamed.as_bytes()).unwrap_err();
        assert!(error.describe().contains('/'), "{name}");
        let twice = text.replacen(&member, &format!("{member}0,{member}"), 1);
        assert!(TcbFloors::from_json(twice.as_bytes()).is_err(), "{name}");
    }
    for (from, to, place) in [
        ("[\"00\",\"0f\"]", "[\"00\"]", "/floors/0/cpuid/models"),
        (
            "[\"00\",\"0f\"]",
            "[\"00\",\"0f\",\"0f\"]",
            "/floors/0/cpuid/models",
        ),
        ("\"0f\"", "\"0F\"", "/floors/0/cpuid/models/1"),
        (
            "\"microcode\":222",
            "\"microcode\":256",
            "/floors/0/tcb_floor/microcode",
        ),
        (
            "\"line\":\"milan\"",
            "\"line\":\"venice\"",
            "/floors/0/line",
        ),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from}");
        let error = TcbFloors::from_json(changed.as_bytes()).unwrap_err();
        assert!(
            error.describe().contains(place),
            "{place}: {}",
            error.describe()
        );
    }
}
