//! I13: one name, one form; look-alikes and invisible characters are refused.

use super::*;
use std::format;
use std::string::ToString;

fn folded(text: &str) -> String {
    FoldedName::identifier(text)
        .unwrap_or_else(|fault| panic!("{text}: {fault}"))
        .into_string()
}

fn fault(text: &str) -> NameFault {
    FoldedName::identifier(text)
        .map(|name| panic!("{name:?}"))
        .unwrap_err()
}

#[test]
fn folds_case_normalisation_width_and_domain() {
    // RFC 7644 section 5: usernames are prepared as RFC 8265 says; NFC and NFD are one user.
    assert_eq!(folded("Ada"), "ada");
    assert_eq!(folded("Jose\u{301}"), folded("JOSÉ"));
    assert_eq!(folded("ＡＤＡ＠ＤＥＭＯ．example"), "ada@demo.example");
    assert_eq!(folded("Ada.B+c@DEMO.Example"), "ada.b+c@demo.example");
    assert_eq!(folded("ada@Bücher.example"), "ada@xn--bcher-kva.example");
    assert_eq!(
        folded("ada@XN--BCHER-KVA.example"),
        "ada@xn--bcher-kva.example"
    );
    assert_eq!(
        folded("ada@bu\u{308}cher。example"),
        "ada@xn--bcher-kva.example"
    );
    assert_eq!(folded("ΣΊΣΥΦΟΣ"), folded("σίσυφος"));
    assert_eq!(folded("Ada Lovelace"), "ada lovelace");
    assert_eq!(folded("CORP\\ada"), "corp\\ada");
    assert_eq!(
        FoldedName::identifier("ada@Demo.Example").unwrap().domain(),
        Some("demo.example")
    );
    assert_eq!(FoldedName::identifier("ada").unwrap().domain(), None);
}

#[test]
fn accepts_names_of_many_scripts() {
    for name in [
        "иван",
        "山田太郎",
        "やまだ太郎",
        "김철수",
        "محمد",
        "דוד",
        "zoë",
        "Łukasz",
        "søren",
        "देव",
    ] {
        assert_eq!(folded(&folded(name)), folded(name), "{name}");
    }
}

#[test]
fn refuses_invisible_and_direction_changing_characters() {
    for bad in [
        "\u{0}",
        "\n",
        "\u{7f}",
        "\u{85}",
        "\u{ad}",
        "\u{200b}",
        "\u{200d}",
        "\u{200e}",
        "\u{202e}",
        "\u{2066}",
        "\u{feff}",
        "\u{3164}",
        "\u{fe0f}",
        "\u{e0041}",
        "\u{2800}",
        "\u{115f}",
    ] {
        for text in [
            format!("a{bad}b"),
            format!("a{bad}@demo.example"),
            format!("a@de{bad}mo.example"),
        ] {
            assert_eq!(fault(&text), NameFault::Invisible, "{text:?}");
        }
    }
}

#[test]
fn refuses_look_alikes() {
    assert_eq!(
        fault("аdmin"),
        NameFault::MixedScripts,
        "Cyrillic а before Latin"
    );
    assert_eq!(fault("pаypal@demo.example"), NameFault::MixedScripts);
    assert_eq!(fault("αdmin"), NameFault::MixedScripts, "Greek alpha");
    assert_eq!(
        fault("сосо"),
        NameFault::LookAlike,
        "all Cyrillic, all like Latin"
    );
    assert_eq!(fault("сосо1@demo.example"), NameFault::LookAlike);
    assert_eq!(
        fault("ada@dеmo.example"),
        NameFault::MixedScripts,
        "Cyrillic е in the domain"
    );
    assert_eq!(fault("ada😀"), NameFault::Character);
    assert_eq!(
        folded("ada™"),
        "adatm",
        "compatibility characters become plain ones"
    );
}

#[test]
fn refuses_what_is_no_address() {
    for text in [
        "a@b@demo.example",
        "\"a b\"@demo.example",
        "a b@demo.example",
        "<a@demo.example",
        "a,b@demo.example",
    ] {
        assert_eq!(fault(text), NameFault::Address, "{text}");
    }
    for text in [
        "a@",
        "a@.",
        "a@demo..example",
        "a@demo.example.",
        "a@-demo.example",
        "a@demo_x.example",
        "a@[10.0.0.1]",
        "a@demo.example>",
        "a@xn--a",
        "a@xn--bcher-kva-.example",
        "a@demo example",
    ] {
        assert_eq!(fault(text), NameFault::Domain, "{text}");
    }
    assert_eq!(
        fault(&format!("a@{}.example", "x".repeat(64))),
        NameFault::Domain
    );
    assert_eq!(fault("@demo.example"), NameFault::Empty);
    assert_eq!(fault(""), NameFault::Empty);
    assert_eq!(fault(" a"), NameFault::Space);
    assert_eq!(fault("a "), NameFault::Space);
    assert_eq!(fault("a  b"), NameFault::Space);
    assert_eq!(fault(&"a".repeat(NAME_BYTES_MAX + 1)), NameFault::TooLong);
    assert_eq!(FoldedName::email("ada"), Err(NameFault::Address));
}

#[test]
fn is_its_own_canonical_form() {
    let alphabet: std::vec::Vec<char> =
        "aAzZ09.-_+@ \u{301}éÉßſﬁＡ１İıςΣжЖαǅ漢かカ한\u{1e9e}\u{212a}\u{2126}"
            .chars()
            .collect();
    let mut state = 7_u64;
    let mut accepted = 0;
    for _ in 0..50_000 {
        let mut text = String::new();
        for _ in 0..6 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            text.push(alphabet[usize::try_from(state >> 33).unwrap() % alphabet.len()]);
        }
        assert_eq!(fold(&fold(&text)), fold(&text), "{text:?}");
        if let Ok(name) = FoldedName::identifier(&text) {
            accepted += 1;
            assert_eq!(
                FoldedName::identifier(name.as_str()),
                Ok(name.clone()),
                "{text:?}"
            );
            assert_eq!(FoldedName::lookup(&text), name);
        }
    }
    assert!(accepted > 500, "{accepted}");
}

#[test]
fn a_refused_name_equals_no_stored_one() {
    for text in ["аdmin", "a@b@c", " a", "a@demo_x.example"] {
        assert!(
            FoldedName::identifier(FoldedName::lookup(text).as_str()).is_err(),
            "{text}"
        );
    }
    assert_eq!(
        NameFault::Domain.to_string(),
        "the part after @ must be a domain name"
    );
}
