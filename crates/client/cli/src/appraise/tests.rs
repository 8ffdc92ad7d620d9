use super::*;

use std::path::PathBuf;

use base64ct::{Base64, Encoding as _};
use chancery_json::{Limits, Value};
use clap::Parser as _;

use crate::AmdSource;
use crate::args::{Cli, Command};
use crate::files::tests::Folder;

const TURIN: &str = "turin-v5-vcek-02";
const EMULATED_WORD: &str = "EMULATED: ";
const JULY: &str = "2026-07-01T00:00:00Z";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../..")
}

fn vector(name: &str) -> PathBuf {
    root().join("attestation/vectors").join(name)
}

/// The options of one appraisal, by name.
struct Case {
    options: Vec<(&'static str, String)>,
    folder: Folder,
}

impl Case {
    /// A genuine report with its leaf, under the example policy of a line.
    fn genuine(id: &str, policy: &str) -> Self {
        let file = |name: &str| {
            vector(&format!("reports/{id}/{name}"))
                .display()
                .to_string()
        };
        let policy = root().join("policies").join(policy);
        Self {
            options: vec![
                ("--report", file("report.bin")),
                ("--vek", file("vek.der")),
                ("--policy", policy.display().to_string()),
                ("--at", JULY.to_owned()),
            ],
            folder: Folder::new(),
        }
    }

    /// The accepted Milan report with its revocation list.
    fn milan() -> Self {
        let crl = vector("crls/milan-2026-06-22.crl.der")
            .display()
            .to_string();
        Self::genuine("milan-v5-vcek-01-gcp", "milan.json").with("--crl", &crl)
    }

    fn with(mut self, option: &'static str, value: &str) -> Self {
        self.options.retain(|(name, _)| *name != option);
        self.options.push((option, value.to_owned()));
        self
    }

    fn without(mut self, option: &'static str) -> Self {
        self.options.retain(|(name, _)| *name != option);
        self
    }

    /// With a file of these bytes.
    fn with_file(self, option: &'static str, bytes: &[u8]) -> Self {
        let path = self.folder.path(option);
        std::fs::write(&path, bytes).unwrap();
        self.with(option, &path.display().to_string())
    }

    /// The bytes of an option's file.
    fn bytes(&self, option: &str) -> Vec<u8> {
        let (_, path) = self
            .options
            .iter()
            .find(|(name, _)| *name == option)
            .unwrap();
        std::fs::read(path).unwrap()
    }

    fn run(&self) -> Outcome {
        self.run_with(&AmdSource).unwrap()
    }

    fn run_with<S: AnchorSource>(&self, source: &S) -> Result<Outcome, CliError> {
        let options = self
            .options
            .iter()
            .flat_map(|(name, value)| [*name, value.as_str()]);
        let cli = Cli::try_parse_from(["chancery", "appraise"].into_iter().chain(options)).unwrap();
        match cli.command {
            Command::Appraise(args) => run(&args, source),
            other => panic!("{other:?}"),
        }
    }

    /// The stage, and the names of the checks that failed; none for an accepted report.
    fn refusal(&self) -> Option<(String, Vec<String>)> {
        let outcome = self.run();
        let json = Value::from(outcome.json);
        let names: Vec<String> = items(&json, "violations")
            .iter()
            .map(|row| member(row, "check").as_str().unwrap().to_owned())
            .collect();
        let accepted = member(&json, "verdict").as_str() == Some("accepted");
        assert_eq!(outcome.holds, accepted);
        assert_eq!(names.is_empty(), accepted);
        let word = if accepted {
            "ACCEPTED at "
        } else {
            "REFUSED at "
        };
        assert!(outcome.text.starts_with(word), "{}", outcome.text);
        let stage = member(&json, "stage").as_str().unwrap().to_owned();
        (!accepted).then_some((stage, names))
    }

    fn assert_refused(&self, stage: &str, checks: &[&str]) {
        let (got_stage, got) = self
            .refusal()
            .unwrap_or_else(|| panic!("accepted: {checks:?}"));
        assert_eq!(
            (got_stage.as_str(), got.as_slice()),
            (
                stage,
                &checks.iter().map(|c| (*c).to_owned()).collect::<Vec<_>>()[..]
            )
        );
    }

    /// What the first violation found.
    fn got(&self) -> String {
        let json = Value::from(self.run().json);
        member(&items(&json, "violations")[0], "got")
            .as_str()
            .unwrap()
            .to_owned()
    }
}

fn member<'a>(value: &'a Value, name: &str) -> &'a Value {
    value.as_object().unwrap().get(name).unwrap()
}

fn items<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    member(value, name).as_array().unwrap()
}

fn not_checked(case: &Case) -> Vec<String> {
    let json = Value::from(case.run().json);
    let names = items(&json, "not_checked").iter();
    names
        .map(|name| name.as_str().unwrap().to_owned())
        .collect()
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = Base64::encode_string(der);
    let lines: Vec<&str> = text
        .as_bytes()
        .chunks(64)
        .map(|line| str::from_utf8(line).unwrap())
        .collect();
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    )
}

fn ca(line: &str) -> (Vec<u8>, Vec<u8>) {
    let read = |name: &str| std::fs::read(vector(&format!("roots/{line}/{name}.der"))).unwrap();
    (read("ask"), read("ark"))
}

#[test]
fn the_example_policy_of_each_line_accepts_its_genuine_reports() {
    assert_eq!(Case::genuine(TURIN, "turin.json").refusal(), None);
    assert_eq!(
        Case::genuine("turin-v5-vcek-01-aci", "turin.json").refusal(),
        None
    );
    assert_eq!(
        Case::genuine("siena-v5-vcek-01", "genoa.json").refusal(),
        None
    );
    let milan = Case::milan();
    assert_eq!(milan.refusal(), None);
    // Milan's list is public, so that its revocation is checked.
    let skipped = not_checked(&milan);
    assert!(
        !skipped.iter().any(|name| name.contains("revo")),
        "{skipped:?}"
    );
    assert!(
        not_checked(&Case::genuine(TURIN, "turin.json")).contains(&"revocation_present".to_owned())
    );
}

#[test]
fn example_policies_name_every_danger_and_open_only_what_their_readme_says() {
    let readme = std::fs::read_to_string(root().join("policies/README.md")).unwrap();
    let mut files = 0;
    for entry in std::fs::read_dir(root().join("policies")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        files += 1;
        let text = std::fs::read(&path).unwrap();
        let policy = ReleasePolicy::from_json(&text).unwrap();
        assert_eq!(policy.products.len(), 1);
        let document = Value::parse(&text, &Limits::DOCUMENT).unwrap();
        let open: Vec<&str> = document
            .as_object()
            .unwrap()
            .iter()
            .filter(|(name, value)| name.starts_with("dangerous_") && **value == Value::from(true))
            .map(|(name, _)| name)
            .collect();
        assert_eq!(open.len(), 1, "{open:?}");
        assert!(readme.contains(open[0]), "{open:?}");
        assert!(readme.contains(path.file_name().unwrap().to_str().unwrap()));
    }
    assert_eq!(files, 3);
}

#[test]
fn an_accepted_report_has_exactly_this_json() {
    let outcome = Case::genuine(TURIN, "turin.json").run();
    let text = String::from_utf8(outcome.json.to_bytes()).unwrap();
    let start = r#"{"verdict":"accepted","stage":"policy","violations":[],"not_checked":["#;
    assert!(text.starts_with(start), "{text}");
    let json = Value::from(outcome.json);
    let names: Vec<&str> = json
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(
        names,
        ["verdict", "stage", "violations", "not_checked", "claims"]
    );
    let skipped: Vec<&str> = items(&json, "not_checked")
        .iter()
        .map(|name| name.as_str().unwrap())
        .collect();
    for name in ["report_data", "revocation_present", "intermediate_revoked"] {
        assert!(skipped.contains(&name), "{name}: {skipped:?}");
    }
    let claims = member(&json, "claims");
    assert_eq!(member(claims, "product_line").as_str(), Some("turin"));
    assert!(
        member(claims, "measurement")
            .as_str()
            .unwrap()
            .starts_with("a13039ba")
    );
}

#[test]
fn a_refused_report_says_what_was_expected_and_what_is_there() {
    let outcome = Case::genuine("turin-v5-vcek-01-aci", "turin.json")
        .with("--report-data", &"11".repeat(64))
        .run();
    let json = Value::from(outcome.json);
    let violation = &items(&json, "violations")[0];
    let names: Vec<&str> = violation
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(names, ["check", "expected", "got"]);
    assert_eq!(member(violation, "check").as_str(), Some("report_data"));
    assert_eq!(
        member(violation, "expected").as_str(),
        Some("11".repeat(64).as_str())
    );
    assert_eq!(
        member(violation, "got").as_str(),
        Some("00".repeat(64).as_str())
    );
    assert!(
        outcome.text.contains(", in stage policy: 1 of "),
        "{}",
        outcome.text
    );
    assert!(outcome.text.contains("✗ report data"), "{}", outcome.text);
    assert!(
        outcome
            .text
            .contains(&format!("      required  {}", "11".repeat(64)))
    );
}

#[test]
fn report_data_is_checked_only_when_it_is_given() {
    let case = Case::genuine("turin-v5-vcek-01-aci", "turin.json");
    assert!(not_checked(&case).contains(&"report_data".to_owned()));
    let found = format!(
        "  - report data: none given to compare with; found {}…",
        "0".repeat(95)
    );
    let text = case.run().text;
    assert!(text.lines().any(|line| line == found), "{text}");
    let given = case.with("--report-data", &"00".repeat(64));
    assert_eq!(given.refusal(), None);
    assert!(!not_checked(&given).contains(&"report_data".to_owned()));
    given
        .with("--report-data", &"01".repeat(64))
        .assert_refused("policy", &["report_data"]);
}

#[test]
fn certificates_are_taken_in_der_and_pem_and_in_either_order() {
    let (ask, ark) = ca("milan");
    let milan = Case::milan();
    let (vek, crl) = (milan.bytes("--vek"), milan.bytes("--crl"));
    let milan = milan
        .with_file("--vek", pem("CERTIFICATE", &vek).as_bytes())
        .with_file("--crl", pem("X509 CRL", &crl).as_bytes());
    assert_eq!(milan.refusal(), None);
    let text = format!(
        "# AMD\n{}{}",
        pem("CERTIFICATE", &ask),
        pem("CERTIFICATE", &ark)
    );
    let reversed = format!("{}{}", pem("CERTIFICATE", &ark), pem("CERTIFICATE", &ask));
    let mut milan = milan;
    for bytes in [
        [&ask[..], &ark].concat(),
        [&ark[..], &ask].concat(),
        text.into_bytes(),
        reversed.into_bytes(),
    ] {
        milan = milan.with_file("--ca", &bytes);
        assert_eq!(milan.refusal(), None);
    }
}

#[test]
fn reports_are_taken_in_hexadecimal_too() {
    let case = Case::genuine(TURIN, "turin.json");
    let text = hex::encode(case.bytes("--report"));
    assert_eq!(case.with_file("--report", text.as_bytes()).refusal(), None);
}

#[test]
fn the_policy_of_another_line_refuses_chip_measurement_and_line() {
    let refused = ["chip", "measurement", "product"];
    Case::genuine(TURIN, "genoa.json").assert_refused("policy", &refused);
    Case::genuine("siena-v5-vcek-01", "turin.json").assert_refused("policy", &refused);
    let milan = root().join("policies/turin.json").display().to_string();
    Case::milan()
        .with("--policy", &milan)
        .assert_refused("policy", &refused);
}

#[test]
fn certificates_of_another_line_another_leaf_and_another_time_are_refused() {
    let (ask, ark) = ca("genoa");
    let case = Case::genuine(TURIN, "turin.json").with_file("--ca", &[ask, ark].concat());
    case.assert_refused("chain", &["leaf_profile"]);
    let other = vector("reports/turin-v5-vcek-01-aci/vek.der")
        .display()
        .to_string();
    let case = Case::genuine(TURIN, "turin.json").with("--vek", &other);
    case.assert_refused("bind", &["chip_id"]);
    let early = Case::genuine(TURIN, "turin.json").with("--at", "2026-06-28T08:56:50Z");
    early.assert_refused("chain", &["leaf_validity"]);
    let roots_of_no_one = std::fs::read(vector("test-pki/genoa-ask.der")).unwrap();
    let (_, ark) = ca("turin");
    let forged =
        Case::genuine(TURIN, "turin.json").with_file("--ca", &[roots_of_no_one, ark].concat());
    forged.assert_refused("chain", &["intermediate_profile"]);
}

#[test]
fn every_changed_byte_of_a_report_is_refused() {
    let case = Case::genuine(TURIN, "turin.json");
    let genuine = case.bytes("--report");
    let mut case = case;
    for at in (0..genuine.len()).step_by(7) {
        let mut spoiled = genuine.clone();
        spoiled[at] ^= 1;
        case = case.with_file("--report", &spoiled);
        assert!(case.refusal().is_some(), "byte {at}");
    }
}

#[test]
fn garbage_in_each_file_is_refused_in_its_stage() {
    for garbage in [
        &b""[..],
        b"garbage",
        b"\xff\xfe",
        b"{}",
        &[0x30, 0x82, 0xff, 0xff],
        &[0; 1184],
    ] {
        for (option, stage, checks) in [
            ("--vek", "chain", &["leaf_encoding"][..]),
            ("--ca", "chain", &["root_encoding"]),
            ("--policy", "policy", &["policy_well_formed"]),
            ("--floors", "policy", &["floors_well_formed"]),
        ] {
            let case = Case::milan().with_file(option, garbage);
            case.assert_refused(stage, checks);
        }
        let (stage, checks) = Case::milan()
            .with_file("--report", garbage)
            .refusal()
            .unwrap();
        assert_eq!(stage, "parse");
        let expected = if garbage.len() == 1184 {
            "report_version"
        } else {
            "report_length"
        };
        assert_eq!(checks, [expected]);
        Case::milan()
            .with_file("--crl", garbage)
            .assert_refused("chain", &["revocation_encoding"]);
    }
    let (ask, ark) = ca("milan");
    for several in [ask.clone(), [&ask[..], &ark, &ark].concat()] {
        let case = Case::milan().with_file("--ca", &several);
        case.assert_refused("chain", &["root_encoding"]);
    }
}

#[test]
fn a_missing_file_is_a_refusal_that_names_it() {
    for (option, stage, check) in [
        ("--report", "parse", "report_length"),
        ("--vek", "chain", "leaf_encoding"),
        ("--ca", "chain", "root_encoding"),
        ("--crl", "chain", "revocation_present"),
        ("--floors", "policy", "floors_well_formed"),
        ("--policy", "policy", "policy_well_formed"),
    ] {
        let case = Case::milan();
        let absent = case.folder.path("absent").display().to_string();
        let case = case.with(option, &absent);
        case.assert_refused(stage, &[check]);
        let got = case.got();
        assert!(
            got.starts_with(&format!("cannot read {absent}: No such file")),
            "{got}"
        );
        assert!(case.run().text.contains(&absent));
    }
    // A report that is none comes first, whatever else is wrong.
    let case = Case::milan()
        .with("--policy", "/absent")
        .with_file("--report", b"garbage");
    case.assert_refused("parse", &["report_length", "policy_well_formed"]);
    // All that is missing is told at once, and the first stage of it.
    let case = Case::milan()
        .with("--crl", "/absent")
        .with("--report", "/absent");
    case.assert_refused("parse", &["report_length", "revocation_present"]);
}

#[test]
fn a_list_that_is_named_and_empty_is_no_list() {
    // This policy accepts without a list, but not with an empty one in its place.
    let case = Case::genuine(TURIN, "turin.json");
    assert_eq!(case.refusal(), None);
    let case = case.with("--crl", "/dev/null");
    case.assert_refused("chain", &["revocation_encoding"]);
    case.with_file("--crl", pem("X509 CRL", b"").as_bytes())
        .assert_refused("chain", &["revocation_encoding"]);
}

#[test]
fn each_file_is_read_once() {
    use std::io::Write as _;
    use std::os::fd::AsRawFd as _;

    let case = Case::genuine(TURIN, "turin.json").with_file("--policy", b"garbage");
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(&case.bytes("--report")).unwrap();
    drop(writer);
    let handed_over = format!("/dev/fd/{}", reader.as_raw_fd());
    let outcome = case.with("--report", &handed_over).run();
    let json = Value::from(outcome.json);
    assert_eq!(items(&json, "violations").len(), 1);
    let check = member(&items(&json, "violations")[0], "check");
    assert_eq!(check.as_str(), Some("policy_well_formed"));
    let line = member(member(&json, "claims"), "product_line");
    assert_eq!(line.as_str(), Some("turin"));
    // Nothing was appraised, and the words do not say that only later stages are missing.
    let told = "  - every other check: none was made without these files";
    assert!(outcome.text.ends_with(told), "{}", outcome.text);
}

#[test]
fn an_envelope_of_another_type_is_no_policy_and_no_floors() {
    let key = chancery_dsse::SigningKey::from_seed([7; 32]);
    let case = Case::genuine(TURIN, "turin.json");
    let types = [TCB_FLOORS_TYPE, RELEASE_POLICY_TYPE];
    let [policy, floors] = [case.bytes("--policy"), TcbFloors::shipped_json().to_vec()];
    let sign = |payload_type: &str, payload: &[u8]| {
        Envelope::sign(payload_type, payload, &[&key])
            .unwrap()
            .to_json()
    };
    let case = case.with_file("--policy", &sign(types[0], &policy));
    case.assert_refused("policy", &["policy_well_formed"]);
    assert!(case.got().contains(types[1]), "{}", case.got());
    let case = Case::genuine(TURIN, "turin.json").with_file("--floors", &sign(types[1], &floors));
    case.assert_refused("policy", &["floors_well_formed"]);
}

#[test]
fn a_missing_stale_and_foreign_revocation_list_is_refused() {
    Case::milan()
        .without("--crl")
        .assert_refused("chain", &["revocation_present"]);
    Case::milan()
        .with("--at", "2026-12-01T00:00:00Z")
        .assert_refused("chain", &["revocation_freshness"]);
    let genoa = vector("crls/genoa-2022-10-31.crl.der")
        .display()
        .to_string();
    Case::milan()
        .with("--crl", &genoa)
        .assert_refused("chain", &["revocation_issuer"]);
}

#[test]
fn a_policy_with_an_unknown_missing_or_duplicate_member_is_refused_with_its_path() {
    let text = std::fs::read_to_string(root().join("policies/turin.json")).unwrap();
    for (from, to, told) in [
        (
            "\"version\": 1,",
            "\"version\": 1, \"surplus\": 1,",
            "unknown member at /surplus",
        ),
        (
            "\"rule\": \"unpinned\"",
            "\"rule\": \"unpinned\", \"x\": 1",
            "unknown member at /id_block/x",
        ),
        (
            "\"report_version_min\": 5,",
            "",
            "missing member at /report_version_min",
        ),
        (
            "\"id\": \"example-1\",",
            "",
            "missing member at /releases/0/id",
        ),
        (
            "\"version\": 1,",
            "\"version\": 1, \"version\": 2,",
            "duplicate member at /version",
        ),
        (
            "\"rule\": \"unpinned\"",
            "\"rule\": \"unpinned\", \"rule\": \"pinned\"",
            "duplicate member at /id_block/rule",
        ),
        (
            "\"turin\"",
            "\"venice\"",
            "a value breaks its rule at /products/0",
        ),
    ] {
        assert!(text.contains(from), "{from}");
        let case = Case::genuine(TURIN, "turin.json")
            .with_file("--policy", text.replacen(from, to, 1).as_bytes());
        case.assert_refused("policy", &["policy_well_formed"]);
        assert!(case.got().starts_with(told), "{}", case.got());
    }
}

#[test]
fn signed_policies_and_floors_are_taken_and_their_signatures_are_said_to_be_unchecked() {
    let key = chancery_dsse::SigningKey::from_seed([7; 32]);
    let case = Case::genuine(TURIN, "turin.json");
    let policy = Envelope::sign(RELEASE_POLICY_TYPE, &case.bytes("--policy"), &[&key]);
    let floors = Envelope::sign(TCB_FLOORS_TYPE, TcbFloors::shipped_json(), &[&key]);
    let case = case
        .with("--at", "2027-01-01T00:00:00Z")
        .with_file("--policy", &policy.unwrap().to_json())
        .with_file("--floors", &floors.unwrap().to_json());
    assert_eq!(case.refusal(), None);
    let skipped = not_checked(&case);
    for name in ["policy_signatures", "floors_signatures"] {
        assert!(skipped.contains(&name.to_owned()), "{skipped:?}");
    }
}

#[test]
fn floors_that_are_given_decide_until_they_expire() {
    let text = str::from_utf8(TcbFloors::shipped_json()).unwrap();
    let case = Case::genuine(TURIN, "turin.json").with_file("--floors", text.as_bytes());
    assert_eq!(case.refusal(), None);
    let late = case.with("--at", "2028-01-01T00:00:00Z");
    late.assert_refused("policy", &["floors_expiry"]);
    let case = late.with("--at", JULY);
    let (before, turin) = text.split_once("\"name\": \"Turin\"").unwrap();
    let turin = turin.replacen("\"microcode\": 81", "\"microcode\": 98", 1);
    let higher = format!("{before}\"name\": \"Turin\"{turin}");
    let below = [
        "tcb_reported_floor",
        "tcb_committed_floor",
        "tcb_current_floor",
        "tcb_launch_floor",
    ];
    case.with_file("--floors", higher.as_bytes())
        .assert_refused("policy", &below);
}

/// An anchor that plays a processor and trusts no root.
struct Played;

impl chancery_verify::Anchor for Played {
    const NAME: &'static str = "a played processor";
    const MODE: Mode = Mode::Emulated;
    const REPORT_DATA_NODE: &'static str = "played node";
    const REPORT_DATA_SESSION: &'static str = "played session";
    const COMMON_NAME_INFIX: &'static str = "Played-";

    fn roots(&self) -> &[chancery_verify::RootKey] {
        &[]
    }
}

struct PlayedSource;

impl AnchorSource for PlayedSource {
    type Anchor = Played;

    fn anchor(&self, deployment_file: &Path) -> Result<Played, String> {
        // The deployment file wins over the certificates, and without either there is no place to look.
        match deployment_file.to_str() {
            Some(path) if path.ends_with("--ca") => Ok(Played),
            Some("") => Ok(Played),
            other => Err(format!("no root beside {other:?}")),
        }
    }
}

#[test]
fn another_anchor_believes_no_amd_evidence_and_has_no_chain_built_in() {
    let (ask, ark) = ca("turin");
    let without = Case::genuine(TURIN, "turin.json");
    let outcome = without.run_with(&PlayedSource).unwrap();
    assert!(!outcome.holds);
    assert!(outcome.text.starts_with(EMULATED_WORD), "{}", outcome.text);
    assert!(outcome.text.contains("not built in"), "{}", outcome.text);
    let json = String::from_utf8(outcome.json.to_bytes()).unwrap();
    assert!(
        json.starts_with(r#"{"mode":"emulated","verdict":"refused","stage":"chain""#),
        "{json}"
    );

    let with = without.with_file("--ca", &[ask, ark].concat());
    let outcome = with.run_with(&PlayedSource).unwrap();
    let json = Value::from(outcome.json);
    assert_eq!(
        member(&items(&json, "violations")[0], "check").as_str(),
        Some("root_pinned")
    );
    let elsewhere = with.with("--deployment", "elsewhere/deployment.json");
    let outcome = elsewhere.run_with(&PlayedSource).unwrap();
    assert!(!outcome.holds);
    let json = Value::from(outcome.json);
    assert_eq!(member(&json, "stage").as_str(), Some("chain"));
    let violation = &items(&json, "violations")[0];
    assert_eq!(member(violation, "check").as_str(), Some("root_pinned"));
    let got = member(violation, "got").as_str().unwrap();
    assert!(got.starts_with("no root beside"), "{got}");
}

#[test]
fn what_is_not_reached_is_not_checked() {
    let case = Case::genuine(TURIN, "turin.json").with_file("--vek", b"garbage");
    let skipped = not_checked(&case);
    for check in CheckId::ALL {
        let reached = skipped.iter().all(|name| name != check.name());
        assert!(
            !reached || check.stage() <= Stage::Chain,
            "{}",
            check.name()
        );
    }
    let text = case.run().text;
    assert!(
        text.contains("  - the stages after it: bind, signature, policy"),
        "{text}"
    );
}
