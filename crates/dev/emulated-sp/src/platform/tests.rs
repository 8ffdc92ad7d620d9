use std::fs;

use super::text::tcb_text;
use super::*;
use crate::chip::STATE_FILE;
use crate::product::ReportLayout;

const NOW_MS: u64 = 1_790_000_000_000;

fn named(word: &str) -> PlatformLevel {
    PlatformLevel::from_word(word).unwrap().1
}

/// A Genoa platform at 10.0.23.84, firmware 1.55.40.
fn old() -> PlatformState {
    PlatformState::new(EmulatedProduct::Genoa, named("genoa-1.55.40"), NOW_MS)
}

fn tcb(text: &str) -> TcbComponents {
    parse_tcb(text, EmulatedProduct::Genoa.line()).unwrap()
}

/// Current, committed and reported TCB, current and committed firmware.
fn shown(state: &PlatformState) -> [String; 5] {
    let line = state.product().line();
    [
        tcb_text(state.current().tcb, line),
        tcb_text(state.committed_tcb(), line),
        tcb_text(state.reported_tcb(), line),
        state.current().firmware.to_string(),
        state.committed_firmware().to_string(),
    ]
}

#[test]
fn an_update_is_provisional_until_it_is_committed() {
    let mut state = old();
    let before = [
        "10.0.23.84",
        "10.0.23.84",
        "10.0.23.84",
        "1.55.40",
        "1.55.40",
    ];
    assert_eq!(shown(&state), before);
    state.update(named("genoa-1.55.49")).unwrap();
    assert_eq!(
        shown(&state),
        [
            "10.0.27.88",
            "10.0.23.84",
            "10.0.23.84",
            "1.55.49",
            "1.55.40"
        ]
    );
    state.commit();
    assert_eq!(
        shown(&state),
        [
            "10.0.27.88",
            "10.0.27.88",
            "10.0.27.88",
            "1.55.49",
            "1.55.49"
        ]
    );
    state.commit();
    assert_eq!(state.reported_tcb(), tcb("10.0.27.88"), "no change");
}

#[test]
fn firmware_goes_back_to_what_is_committed_and_no_further() {
    let mut state = old();
    state.update(named("genoa-1.55.49")).unwrap();
    state.update(named("genoa-1.55.43")).unwrap();
    state.update(named("genoa-1.55.40")).unwrap();
    assert_eq!(state, old(), "as if nothing had been");
    state.update(named("genoa-1.55.43")).unwrap();
    state.commit();
    let committed = state.clone();
    let refused = |state: &mut PlatformState, level| {
        let refused = matches!(state.update(level), Err(EmulationError::RollbackRefused));
        refused && *state == committed
    };
    assert!(refused(&mut state, named("genoa-1.55.40")));
    let one_component_lower = PlatformLevel {
        tcb: tcb("10.0.27.83"),
        ..named("genoa-1.55.49")
    };
    assert!(refused(&mut state, one_component_lower));
    let older_build = PlatformLevel {
        firmware: parse_firmware("1.55.42").unwrap(),
        ..named("genoa-1.55.43")
    };
    assert!(refused(&mut state, older_build));
}

#[test]
fn what_is_reported_can_be_lowered_and_is_at_most_what_is_committed() {
    let mut state = old();
    state.update(named("genoa-1.55.49")).unwrap();
    for above in ["10.0.27.88", "10.0.23.85", "11.0.0.0"] {
        assert!(matches!(
            state.set_reported(tcb(above)),
            Err(EmulationError::ReportedTcbRefused)
        ));
    }
    state.commit();
    state.set_reported(tcb("9.0.23.84")).unwrap();
    assert_eq!(
        shown(&state),
        [
            "10.0.27.88",
            "10.0.27.88",
            "9.0.23.84",
            "1.55.49",
            "1.55.49"
        ]
    );
    state.set_reported(tcb("10.0.27.88")).unwrap();
    state.set_reported(tcb("0.0.0.0")).unwrap();
    state.commit();
    assert_eq!(
        state.reported_tcb(),
        tcb("10.0.27.88"),
        "SNP_COMMIT resets it"
    );
}

#[test]
fn a_level_of_another_product_is_refused() {
    let mut state = old();
    assert!(matches!(
        state.update(named("turin-1.58.3")),
        Err(EmulationError::OtherProduct)
    ));
    let with_fmc = TcbComponents {
        fmc: 1,
        ..state.reported_tcb()
    };
    assert!(matches!(
        state.set_reported(with_fmc),
        Err(EmulationError::OtherProduct)
    ));
    assert_eq!(state, old());
}

#[test]
fn reads_what_it_wrote_and_nothing_else() {
    let mut state = old();
    state.update(named("genoa-1.55.49")).unwrap();
    state.revoke_intermediate(NOW_MS);
    state.set_leaf_trailer(TrailerEncoding::Explicit);
    state.set_certificate_form(CertificateForm::Pem);
    state.set_table_contents(TableContents::WithoutCrl);
    state.set_throttled(true);
    state.fail_channels();
    let text = String::from_utf8(state.to_json()).unwrap();
    assert_eq!(PlatformState::parse(text.as_bytes()), Ok(state));
    for (from, to) in [
        ("EMULATED", "AMD"),
        ("\"genoa\"", "\"milan\""),
        ("\"genoa\"", "\"turin\""),
        ("\"report_version\":5", "\"report_version\":4"),
        (
            "\"reported_tcb\":\"10.0.23.84\"",
            "\"reported_tcb\":\"10.0.24.84\"",
        ),
        (
            "\"current_tcb\":\"10.0.27.88\"",
            "\"current_tcb\":\"10.0.22.88\"",
        ),
        ("\"firmware\":\"1.55.49\"", "\"firmware\":\"1.55.39\""),
        ("\"explicit\"", "\"both\""),
        ("\"pem\"", "\"p7b\""),
        ("\"without-crl\"", "\"some\""),
        ("020002", "0200"),
        ("\"throttled\":true", "\"throttled\":1"),
        (",\"channel_failures\":1", ""),
        (
            "\"channel_failures\":1",
            "\"channel_failures\":1,\"more\":0",
        ),
        ("\"0xb\"", "\"11\""),
    ] {
        let spoiled = text.replace(from, to);
        assert_ne!(spoiled, text, "{from}");
        assert!(
            PlatformState::parse(spoiled.as_bytes()).is_err(),
            "{spoiled}"
        );
    }
}

#[test]
fn versions_have_one_spelling() {
    use chancery_evidence::ProductLine;
    for bad in [
        "",
        "1.2.3",
        "1.2.3.4.5",
        "1.2.3.256",
        "01.2.3.4",
        "+1.2.3.4",
        "1.2.3.4.",
    ] {
        assert_eq!(parse_tcb(bad, ProductLine::Genoa), None, "{bad}");
    }
    for bad in ["", "1.2.3.4", "1.2.3.4.5.6"] {
        assert_eq!(parse_tcb(bad, ProductLine::Turin), None, "{bad}");
    }
    let turin = named("turin-1.58.3").tcb;
    assert_eq!(parse_tcb("1.3.2.5.97", ProductLine::Turin), Some(turin));
    assert_eq!(tcb_text(turin, ProductLine::Turin), "1.3.2.5.97");
    for bad in ["1.55", "1.55.49.0", "1.55.x", "1. 55.49"] {
        assert_eq!(parse_firmware(bad), None, "{bad}");
    }
}

/// A folder that looks as if a chip lay in it: changes take their lock on its file.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(STATE_FILE), b"").unwrap();
    folder
}

#[test]
fn the_level_is_chosen_once_and_changed_by_updates_alone() {
    let folder = folder();
    let open = |level| PlatformFolder::open(folder.path(), EmulatedProduct::Genoa, level, NOW_MS);
    assert!(PlatformFolder::existing(folder.path()).is_err());
    let opened = open(Some(named("genoa-1.55.40"))).unwrap();
    assert_eq!(opened.read().unwrap(), old());
    assert_eq!(
        opened.read().unwrap().current().report_layout,
        ReportLayout::V3
    );
    assert!(open(None).is_ok() && open(Some(named("genoa-1.55.40"))).is_ok());
    assert!(matches!(
        open(Some(named("genoa-1.55.49"))),
        Err(EmulationError::OtherLevel)
    ));
    let turin = PlatformFolder::open(folder.path(), EmulatedProduct::Turin, None, NOW_MS);
    assert!(matches!(turin, Err(EmulationError::OtherProduct)));
    let changed = PlatformFolder::existing(folder.path())
        .unwrap()
        .change(|state| state.update(named("genoa-1.55.49")));
    assert_eq!(opened.read().unwrap(), changed.unwrap());
    assert!(open(Some(named("genoa-1.55.49"))).is_ok());
}

#[test]
fn a_change_that_fails_changes_nothing_and_two_at_a_time_both_count() {
    let folder = folder();
    let platform = PlatformFolder::open(folder.path(), EmulatedProduct::Genoa, None, NOW_MS);
    let platform = platform.unwrap();
    let before = platform.read().unwrap();
    let failed = platform.change(|state| {
        state.set_throttled(true);
        state.update(named("genoa-1.55.40"))
    });
    assert!(matches!(failed, Err(EmulationError::RollbackRefused)));
    assert_eq!(platform.read().unwrap(), before);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..5 {
                    let change = platform.change(|state| {
                        state.fail_channels();
                        Ok(())
                    });
                    change.unwrap();
                }
            });
        }
    });
    assert_eq!(platform.read().unwrap().host().channel_failures, 20);
    let left = fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 2, "no staging file is left");
}
