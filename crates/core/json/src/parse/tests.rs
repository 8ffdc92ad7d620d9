//! What the parser accepts and refuses.

use super::*;
use std::format;
use std::string::ToString;
use std::vec::Vec;

const LIMITS: Limits = Limits {
    bytes_max: 4096,
    depth_max: 4,
    values_max: 100,
};

fn parse(text: &str) -> Result<Value, Error> {
    Value::parse(text.as_bytes(), &LIMITS)
}

fn refusal(text: &str) -> (ErrorKind, String) {
    let error = parse(text).unwrap_err();
    (error.kind(), error.pointer().to_string())
}

#[test]
fn writes_what_it_reads_in_the_same_order() {
    for text in [
        r#"{"z":1,"a":[true,false,null],"m":{"b":"x","a":-5}}"#,
        r#""\"\\\n\t\u0000é😀""#,
        "18446744073709551615",
        "-9223372036854775808",
        "1.5",
        "0",
        "[]",
        "{}",
    ] {
        assert_eq!(
            String::from_utf8(parse(text).unwrap().to_bytes()).unwrap(),
            text
        );
    }
    assert_eq!(
        parse(r#""\u00e9\ud83d\ude00\/""#).unwrap(),
        Value::from("é😀/")
    );
}

#[test]
fn refuses_duplicate_members_at_any_depth() {
    assert_eq!(
        refusal(r#"{"a":1,"a":1}"#),
        (ErrorKind::DuplicateMember, "/a".into())
    );
    assert_eq!(
        refusal(r#"{"a":[{"b":1,"\u0062":2}]}"#),
        (ErrorKind::DuplicateMember, "/a/0/b".into())
    );
    // Names that differ in case are two members; whoever folds case must look again.
    assert!(parse(r#"{"a":1,"A":2}"#).is_ok());
}

#[test]
fn refuses_duplicate_members_in_wide_objects() {
    for width in [2_usize, 23, 24, 25, 26, 60] {
        for first in 0..width {
            let last = width - 1;
            let names: Vec<String> = (0..width)
                .map(|i| if i == last && first != last { first } else { i })
                .map(|i| format!("\"k{i}\":0"))
                .collect();
            let text = format!("{{{}}}", names.join(","));
            if first == last {
                assert!(parse(&text).is_ok(), "{text}");
            } else {
                assert_eq!(
                    refusal(&text),
                    (ErrorKind::DuplicateMember, format!("/k{first}"))
                );
            }
        }
    }
}

#[test]
fn refuses_what_is_over_a_limit() {
    assert!(parse("[[[[]]]]").is_ok());
    assert_eq!(
        refusal("[[[[[]]]]]"),
        (ErrorKind::TooDeep { depth_max: 4 }, "/0/0/0/0".into())
    );
    assert_eq!(
        refusal(r#"{"a":{"b":{"c":{"d":{}}}}}"#).0,
        ErrorKind::TooDeep { depth_max: 4 }
    );
    let many = |n: usize| format!("[{}]", std::vec!["0"; n].join(","));
    assert!(parse(&many(99)).is_ok());
    assert_eq!(
        refusal(&many(100)),
        (ErrorKind::TooManyValues { values_max: 100 }, "/99".into())
    );
    let long = |n: usize| format!("\"{}\"", "x".repeat(n));
    assert!(parse(&long(4094)).is_ok());
    assert_eq!(
        refusal(&long(4095)).0,
        ErrorKind::TooLarge { bytes_max: 4096 }
    );
}

#[test]
fn holds_every_limit_to_the_ceiling() {
    let generous = Limits {
        bytes_max: 1 << 20,
        depth_max: usize::MAX,
        values_max: 1 << 20,
    };
    let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
    assert!(Value::parse(nested(DEPTH_CEILING).as_bytes(), &generous).is_ok());
    for depth in [DEPTH_CEILING + 1, 200_000] {
        let error = Value::parse(nested(depth).as_bytes(), &generous).unwrap_err();
        assert_eq!(
            error.kind(),
            ErrorKind::TooDeep {
                depth_max: DEPTH_CEILING
            }
        );
    }
}

#[test]
fn refuses_trailing_data_and_bad_encodings() {
    assert_eq!(refusal("{} {}").0, ErrorKind::TrailingData);
    assert_eq!(refusal("1 x").0, ErrorKind::TrailingData);
    assert!(parse(" {} \r\n\t").is_ok());
    let kind = |text: &[u8]| Value::parse(text, &LIMITS).unwrap_err().kind();
    assert_eq!(kind(b"\"\xff\""), ErrorKind::InvalidUtf8);
    assert_eq!(kind(b"\"\xed\xa0\x80\""), ErrorKind::InvalidUtf8);
    assert_eq!(kind(b"\xef\xbb\xbf{}"), ErrorKind::Syntax);
    for lone in [
        r#""\ud800""#,
        r#""\udc00""#,
        r#""\ud800x""#,
        r#""\ud800\u0041""#,
        r#"{"\udfff":1}"#,
    ] {
        assert_eq!(refusal(lone).0, ErrorKind::Syntax, "{lone}");
    }
}

#[test]
fn refuses_what_is_not_json() {
    for text in [
        "{'a':1}",
        "{a:1}",
        "[1,]",
        "{\"a\":1,}",
        "01",
        "+1",
        "1.",
        ".5",
        "NaN",
        "Infinity",
        "1e999",
        "tru",
        "// c\n1",
        "\"\n\"",
        "[1 2]",
        "{\"a\" 1}",
        "{1:2}",
    ] {
        assert!(
            matches!(refusal(text).0, ErrorKind::Syntax | ErrorKind::Truncated),
            "{text}"
        );
    }
    for text in ["", " ", "{", "[", "\"", "{\"a\":", "[1,"] {
        assert_eq!(refusal(text).0, ErrorKind::Truncated, "{text}");
    }
}

#[test]
fn names_place_line_and_column() {
    let error = parse("{\"a\":[0,\n{\"b\":x}]}").unwrap_err();
    assert_eq!(error.pointer(), "/a/1/b");
    assert_eq!(error.describe(), "invalid JSON at /a/1/b, line 2 column 6");
    assert_eq!(error.to_string(), "invalid JSON");
    let long = format!("{{\"{}\":x}}", "é".repeat(200));
    assert_eq!(
        parse(&long).unwrap_err().pointer().len(),
        1 + POINTER_SEGMENT_BYTES_MAX
    );
}

#[test]
fn survives_mutated_texts_and_reads_its_own_output() {
    let seeds: [&str; 4] = [
        r#"{"schemas":["urn:x"],"a":{"b":[1,2.5,-3,"x\u00e9\n"]},"c":null,"d":true}"#,
        r#"[[[["\ud83d\ude00"]]],{"k":{}}]"#,
        r#"{"a":1e5,"b":-0.0,"c":"\\\""}"#,
        "123456789012345678901234567890",
    ];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move |bound: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap() % bound
    };
    let mut accepted = 0;
    for round in 0..20_000 {
        let mut text = seeds[round % seeds.len()].as_bytes().to_vec();
        for _ in 0..=next(3) {
            let at = next(text.len());
            match next(3) {
                0 => text[at] = b"{}[]\",:\\u0d8ef \xff"[next(15)],
                1 => text.truncate(at.max(1)),
                _ => {
                    let copy = text[at..].to_vec();
                    text.extend_from_slice(&copy);
                }
            }
        }
        if let Ok(value) = Value::parse(&text, &LIMITS) {
            accepted += 1;
            let bytes = value.to_bytes();
            let again = Value::parse(
                &bytes,
                &Limits {
                    bytes_max: 1 << 16,
                    ..LIMITS
                },
            )
            .unwrap();
            assert_eq!(again.to_bytes(), bytes);
        }
    }
    assert!(
        accepted > 500,
        "only {accepted} of the mutated texts were valid"
    );
}

#[test]
fn a_description_repeats_no_control_character_of_a_name() {
    let error = crate::Fields::parse(b"{\"a\\u001b[2J\\u0007\":1}", &Limits::DOCUMENT)
        .and_then(crate::Fields::finish)
        .unwrap_err();
    assert_eq!(error.pointer(), "/a\u{1b}[2J\u{7}");
    assert_eq!(error.describe(), "unknown member at /a\u{fffd}[2J\u{fffd}");
}
