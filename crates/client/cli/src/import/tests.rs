use super::*;
use chancery_keyset::{Keyset, KeysetSeed};

const HEADING: &str = "user_name,external_id,display_name,emails,public_keyset";

fn keyset(byte: u8) -> String {
    let keyset = Keyset::from_seed(KeysetSeed::from_bytes([byte; 64])).unwrap();
    Base64::encode_string(&keyset.public().encode())
}

fn read(text: &str) -> Result<Vec<Member>, CliError> {
    read_members(text.as_bytes(), Path::new("members.csv"))
}

fn faults(text: &str) -> Vec<String> {
    match read(text) {
        Err(CliError::TableInvalid { faults, .. }) => faults,
        other => panic!("{other:?}"),
    }
}

fn json(Member(object): &Member) -> String {
    String::from_utf8(object.to_bytes()).unwrap()
}

#[test]
fn reads_members_in_any_order_of_columns_with_quotes_and_a_byte_order_mark() {
    let key = keyset(1);
    let text = format!(
        "\u{feff}emails,public_keyset,user_name,display_name,external_id\r\n\
         a@demo.example; b@demo.example,{key},ann@demo.example,\"Ann, \"\"A\"\"\",x-1\r\n\
         ,{key},bob,,\r\n"
    );
    let members = read(&text).unwrap();
    assert_eq!(
        json(&members[0]),
        format!(
            r#"{{"user_name":"ann@demo.example","external_id":"x-1","display_name":"Ann, \"A\"","emails":["a@demo.example","b@demo.example"],"public_keyset":"{key}"}}"#
        )
    );
    assert_eq!(
        json(&members[1]),
        format!(
            r#"{{"user_name":"bob","external_id":null,"display_name":null,"emails":[],"public_keyset":"{key}"}}"#
        )
    );
}

#[test]
fn tells_every_fault_with_its_line_and_column() {
    let key = keyset(1);
    let long = "x".repeat(257);
    let text = format!(
        "{HEADING}\n\
         ann,,,a@demo.example,{key}\n\
         ,,,,{key}\n\
         ANN,,,,{key}\n\
         bob,{long},{long},nobody,abc\n\
         eve,,,{key}\n\
         \"two\nlines\",,,,{key}\n\
         last,,,ok@demo.example,{}\n",
        Base64::encode_string(&[0xff; PUBLIC_KEYSET_LENGTH])
    );
    let faults = faults(&text);
    for (place, fault) in [
        "line 3, column user_name: must be 1 to 256 bytes without control characters",
        "line 4, column user_name: stands on line 2 already (letters in any case are the same)",
        "line 5, column external_id: must be at most 256 bytes without control characters",
        "line 5, column display_name: must be at most 256 bytes without control characters",
        "line 5, column emails: must be addresses such as ann@demo.example, separated by ;",
        "line 5, column public_keyset: must be base64 of a public keyset of 1255 bytes, as `keys show` prints it",
        "line 6: 4 columns instead of 5",
        "line 7, column user_name: must be 1 to 256 bytes without control characters",
        "line 9, column public_keyset: is no public keyset whose keys can be used",
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(faults[place], fault);
    }
    assert_eq!(faults.len(), 9);
}

#[test]
fn refuses_tables_with_other_columns_and_without_members() {
    let missing = faults("user_name,external_id,display_name,emails\n");
    assert!(missing[0].contains("column public_keyset is missing"));
    let twice = faults(&format!("{HEADING},user_name\n"));
    assert!(twice[0].contains("user_name stands there twice"));
    let unknown = faults(&format!("{HEADING},pass\u{202e}word\n"));
    assert!(unknown[0].contains("unknown"), "{unknown:?}");
    assert!(!unknown[0].contains('\u{202e}'));
    assert_eq!(
        faults(&format!("{HEADING}\n")),
        ["there is no member in it"]
    );
    let bytes = [HEADING.as_bytes(), b"\nann\xff,,,,\n"].concat();
    let refused = read_members(&bytes, Path::new("m.csv")).unwrap_err();
    assert!(
        refused.to_string().contains("line 2: not UTF-8"),
        "{refused}"
    );
}

#[test]
fn sends_at_most_a_hundred_members_and_few_enough_bytes_at_a_time() {
    let member = |size: usize| Member(Object::new().with("user_name", "x".repeat(size)));
    let small: Vec<Member> = (0..250).map(|_| member(4)).collect();
    let sizes: Vec<usize> = chunks(&small).iter().map(members_of).collect();
    assert_eq!(sizes, [100, 100, 50]);
    let large: Vec<Member> = (0..100).map(|_| member(4000)).collect();
    let chunks_of_large = chunks(&large);
    assert!(chunks_of_large.len() > 1);
    for chunk in &chunks_of_large {
        assert!(chunk.to_bytes().len() <= CHUNK_BYTES_MAX);
    }
    let all: usize = chunks_of_large.iter().map(members_of).sum();
    assert_eq!(all, 100);
    // A whole member of the longest texts fits into a body by itself.
    const { assert!(1255 * 2 + TEXT_BYTES_MAX * (EMAILS_MAX + 3) < CHUNK_BYTES_MAX) };
}

fn members_of(chunk: &Object) -> usize {
    chunk.get("members").unwrap().as_array().unwrap().len()
}

#[test]
fn counts_what_was_imported_and_what_was_there_already() {
    let mut total = Total::default();
    let answer = |imported: u64, skipped: u64| {
        Object::new()
            .with("imported", imported)
            .with("skipped", skipped)
    };
    total.add(&answer(90, 10).with("index", 7_u64)).unwrap();
    // Whoever repeats an import adds no entry.
    total.add(&answer(0, 100)).unwrap();
    let outcome = total.told();
    assert!(outcome.text.starts_with("90 members"), "{}", outcome.text);
    assert!(outcome.text.contains("110 were there already"));
    assert!(outcome.text.ends_with("entry 7 of the tenant's log."));
    assert!(total.add(&Object::new()).is_err());
}

#[test]
fn is_patient_with_a_busy_service_alone() {
    let refused = |status, retry_after_s| CliError::Refused {
        status,
        problem: String::new(),
        retry_after_s,
    };
    assert_eq!(patience(&refused(503, None)), Some(WAIT_S));
    assert_eq!(patience(&refused(429, Some(5))), Some(5));
    assert_eq!(patience(&refused(503, Some(9999))), Some(WAIT_S_MAX));
    assert_eq!(patience(&refused(403, Some(5))), None);
    assert_eq!(patience(&CliError::Entropy), None);
}
