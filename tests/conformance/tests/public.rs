//! The public suites, which others wrote, against the real processes over TLS: each must pass wholly.
//!
//! `tests/conformance/public/run.py` runs them in a virtual environment below the target folder; Python 3
//! and, the first time, its package index are needed.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use chancery_e2e::{Service, program};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Every check that scim2-tester offers for a service with users and groups, by name.
const TESTER_CHECKS: &[&str] = &[
    "access_invalid_resource_type",
    "access_invalid_schema",
    "access_schema_by_id",
    "check_add_attribute",
    "check_remove_attribute",
    "check_replace_attribute",
    "object_creation",
    "object_deletion",
    "object_list_with_attributes",
    "object_query",
    "object_query_with_attributes",
    "object_query_without_id",
    "object_replacement",
    "query_all_resource_types",
    "query_all_schemas",
    "query_resource_type_by_id",
    "random_url",
    "resource_types_endpoint_methods",
    "resource_types_schema_validation",
    "schemas_endpoint_methods",
    "search_with_attributes",
    "service_provider_config_endpoint",
    "service_provider_config_endpoint_methods",
];
/// Fewest checks of scim2-tester: one for each attribute and operation, and the rest.
const TESTER_CHECKS_MIN: usize = 135;
/// Fewest checks of scim-sanity that must pass in each of its runs.
const SANITY_CHECKS_MIN: usize = 28;
/// What scim-sanity skips where a service does not advertise it: resources of an expired draft, not of the RFCs.
const SANITY_SKIPPED: &[&str] = &[
    "Agent CRUD Lifecycle",
    "Agent Rapid Lifecycle",
    "AgenticApplication CRUD Lifecycle",
];
/// Fewest requests of schemathesis in an ordinary and in a full run.
const REQUESTS_MIN: (u64, u64) = (5_000, 20_000);

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("public")
}

/// Beside the profile's folder, so that `cargo clean` takes it away.
fn cache() -> PathBuf {
    let profile = program("chancery-dev");
    profile.ancestors().nth(2).unwrap().join("public-suites")
}

fn service() -> Service {
    let folder = Arc::new(TempDir::with_prefix("chancery-public-").unwrap());
    Service::start(&folder, &["--dangerous-any-domain"])
}

/// Runs a suite against a service; what it says of its checks, and what it printed.
fn suite(service: &Service, name: &str, arguments: &[&str]) -> (Value, String) {
    let output = Command::new("python3")
        .arg(folder().join("run.py"))
        .arg("--cache")
        .arg(cache())
        .args([name, "--ready-file", service.ready_file()])
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{printed}");
    let told = serde_json::from_slice(&output.stdout);
    let told = told.unwrap_or_else(|error| panic!("{error}: {printed}"));
    (told, printed)
}

/// The checks that ended in one of these ways, and those that did not.
fn divided<'a>(told: &'a Value, wanted: &str) -> (Vec<&'a Value>, Vec<&'a Value>) {
    let checks = told["checks"].as_array().unwrap();
    checks.iter().partition(|check| check["status"] == wanted)
}

fn names(checks: &[&Value]) -> BTreeSet<String> {
    let names = checks.iter().map(|check| check["name"].as_str().unwrap());
    names.map(str::to_owned).collect()
}

#[test]
fn scim2_tester_passes_wholly() {
    let service = service();
    let (told, printed) = suite(&service, "tester", &[]);
    let (passed, others) = divided(&told, "SUCCESS");
    assert!(others.is_empty(), "{others:#?}\n{printed}");
    assert_eq!(told["exit"], 0, "{printed}");
    let wanted: BTreeSet<String> = TESTER_CHECKS
        .iter()
        .map(|name| (*name).to_owned())
        .collect();
    assert_eq!(names(&passed), wanted, "not the checks that were known");
    assert!(
        passed.len() >= TESTER_CHECKS_MIN,
        "only {} checks",
        passed.len()
    );
}

#[test]
fn scim_sanity_passes_wholly_as_it_is_and_with_what_it_sends_to_entra() {
    let service = service();
    let (told, printed) = suite(&service, "sanity", &[]);
    let (passed, others) = divided(&told, "PASS");
    let skipped = others.iter().filter(|check| check["status"] == "SKIP");
    let skipped: Vec<&Value> = skipped.copied().collect();
    assert_eq!(others.len(), skipped.len(), "{others:#?}\n{printed}");
    assert_eq!(told["exit"], 0, "{printed}");
    let expected: BTreeSet<String> = SANITY_SKIPPED
        .iter()
        .map(|name| (*name).to_owned())
        .collect();
    assert_eq!(names(&skipped), expected, "{skipped:#?}");
    for profile in ["none", "entra"] {
        let count = passed.iter().filter(|check| check["profile"] == profile);
        assert!(count.count() >= SANITY_CHECKS_MIN, "{printed}");
    }
}

/// Whether the long run is wanted: `CHANCERY_FULL=1`.
#[expect(
    clippy::disallowed_methods,
    reason = "how long a test takes is its caller's choice"
)]
fn is_full() -> bool {
    std::env::var("CHANCERY_FULL").is_ok_and(|value| value == "1")
}

/// Answers by operation and status.
type Answers = BTreeMap<String, BTreeMap<String, u64>>;

#[test]
fn generated_requests_meet_no_fault_and_no_answer_that_is_not_advertised() {
    let full = is_full();
    let service = service();
    let amount: &[&str] = if full {
        &["--full", "--examples", "400", "--seed", "2"]
    } else {
        &["--examples", "12"]
    };
    let (told, printed) = suite(&service, "fuzz", amount);
    assert_eq!(told["failures"], json!([]), "{printed}");
    assert_eq!(told["errors"], json!([]), "{printed}");
    assert_eq!(
        (&told["exit"], &told["complete"]),
        (&json!(0), &json!(true))
    );
    let operations = &told["operations"];
    assert_eq!(operations["tested"], operations["total"], "{operations}");
    let least = if full { REQUESTS_MIN.1 } else { REQUESTS_MIN.0 };
    let generated = told["cases"]["generated"].as_u64().unwrap();
    assert!(generated >= least, "only {generated} requests");

    let answers: Answers = serde_json::from_value(told["answers"].clone()).unwrap();
    let statuses = |operation: &str| {
        let found = answers.get(operation);
        found.unwrap_or_else(|| panic!("{operation} was never tried: {answers:#?}"))
    };
    let fault = |status: &String| status.starts_with('5');
    assert!(
        !answers.values().flat_map(BTreeMap::keys).any(fault),
        "{answers:#?}"
    );
    // Each operation was done, and each refused something: requests that only ever meet a closed door try nothing.
    for (operation, done, refused) in [
        ("GET /Users", "200", "400"),
        ("POST /Users", "201", "400"),
        ("GET /Users/{id}", "200", "404"),
        ("PUT /Users/{id}", "200", "400"),
        ("PATCH /Users/{id}", "200", "400"),
        ("DELETE /Users/{id}", "204", "404"),
        ("GET /Groups", "200", "400"),
        ("POST /Groups", "201", "400"),
        ("GET /Groups/{id}", "200", "404"),
        ("PUT /Groups/{id}", "200", "400"),
        ("PATCH /Groups/{id}", "200", "400"),
        ("DELETE /Groups/{id}", "204", "404"),
        ("POST /.search", "200", "400"),
        ("POST /Users/.search", "200", "400"),
        ("POST /Groups/.search", "200", "400"),
        ("POST /Bulk", "200", "400"),
        ("GET /Schemas", "200", "403"),
        ("GET /Schemas/{id}", "200", "404"),
        ("GET /ResourceTypes/{id}", "200", "404"),
        ("GET /ServiceProviderConfig", "200", "401"),
    ] {
        let seen = statuses(operation);
        assert!(
            seen.contains_key(done),
            "{operation} never {done}: {seen:?}"
        );
        assert!(
            seen.contains_key(refused),
            "{operation} never {refused}: {seen:?}"
        );
    }
}

/// scim2, a client for the command line, which knows of a service only what that advertises.
struct Scim2<'a> {
    service: &'a Service,
}

impl Scim2<'_> {
    /// Runs a command with this input; how it ended, and what it printed.
    fn run(&self, line: &str, input: &str) -> (bool, String) {
        let ready = self.service.ready();
        let mut child = Command::new(cache().join("venv/bin/scim2"))
            .args(words(line))
            .env("SCIM_CLI_URL", ready.text("scim_base"))
            .env(
                "SCIM_CLI_HEADERS",
                format!("Authorization: Bearer {}", ready.text("scim_token")),
            )
            .env("SSL_CERT_FILE", ready.text("ca_file"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(input.as_bytes())
            .unwrap();
        let output = child.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        let printed = if output.status.success() {
            text(&output.stdout)
        } else {
            text(&output.stdout) + &text(&output.stderr)
        };
        (output.status.success(), printed)
    }

    /// What a command that must succeed answers.
    fn answer(&self, line: &str, input: &str) -> Value {
        let (success, printed) = self.run(line, input);
        assert!(success, "{line}: {printed}");
        serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{error}: {printed}"))
    }
}

/// The virtual environment, for a test that starts nothing of `run.py` itself.
fn prepare() {
    let status = Command::new("python3")
        .arg(folder().join("run.py"))
        .arg("--cache")
        .arg(cache())
        .arg("prepare")
        .status();
    assert!(status.unwrap().success(), "the suites cannot be installed");
}

/// A command line's words; what stands between single quotes is one word.
fn words(line: &str) -> Vec<&str> {
    let parts = line.split('\'').enumerate();
    parts
        .flat_map(|(at, part)| match at % 2 {
            0 => part.split_whitespace().collect(),
            _ => vec![part],
        })
        .collect()
}

#[test]
fn scim2_cli_manages_users_and_groups_from_what_is_advertised_alone() {
    prepare();
    let service = service();
    let scim2 = Scim2 { service: &service };
    let (ada, crew) = creations(&scim2);
    changes(&scim2, &ada);
    let filter = r#"userName eq "ada@two.example" and active eq false"#;
    for query in ["query user", "search user", "search", "query"] {
        let found = scim2.answer(&format!("{query} --filter '{filter}'"), "");
        assert_eq!(found["totalResults"], 1, "{query}");
        assert_eq!(found["Resources"][0]["id"], ada.as_str(), "{query}");
    }
    let page = scim2.answer("query user --cursor '' --count 1", "");
    assert_eq!(page["Resources"][0]["id"], ada.as_str());
    many_at_once(&scim2, &crew);
    let (gone, printed) = scim2.run(&format!("delete user {ada}"), "");
    assert!(gone, "{printed}");
    let missing = scim2.answer(&format!("query user --filter '{filter}'"), "");
    assert_eq!(missing["totalResults"], 0);
    let mut client = service.client();
    client.get(&format!("/Users/{ada}")).scim_error(404, None);
    client.get(&format!("/Groups/{crew}")).scim_error(404, None);
}

/// A user, once, and a group; their ids.
fn creations(scim2: &Scim2<'_>) -> (String, String) {
    let created = "create user --user-name ada@one.example --active true --title Countess";
    let created = scim2.answer(created, "");
    let ada = created["id"].as_str().unwrap().to_owned();
    assert_eq!(created["title"], "Countess");
    let (again, printed) = scim2.run("create user --user-name ADA@one.example --active true", "");
    assert!(!again && printed.contains("userName"), "{printed}");
    let group = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
        "displayName": "Crew",
        "members": [{"value": ada}],
    });
    let group = scim2.answer("create", &group.to_string());
    assert_eq!(group["members"][0]["value"], ada.as_str());
    let shown = scim2.answer(&format!("query user {ada}"), "");
    assert_eq!(shown["groups"][0]["display"], "Crew");
    (ada, group["id"].as_str().unwrap().to_owned())
}

/// A PATCH and a PUT.
fn changes(scim2: &Scim2<'_>, ada: &str) {
    let operations = "replace displayName 'Ada Byron' remove title";
    let modified = scim2.answer(&format!("modify user {ada} {operations}"), "");
    assert_eq!(modified["displayName"], "Ada Byron");
    assert_eq!(modified.get("title"), None);
    let replacing = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "id": ada,
        "userName": "ada@two.example",
        "active": false,
    });
    let replaced = scim2.answer("replace", &replacing.to_string());
    assert_eq!(replaced["userName"], "ada@two.example");
    assert_eq!(replaced["active"], false);
    assert_eq!(replaced.get("displayName"), None);
}

/// A bulk request whose first operation names what its second one makes.
fn many_at_once(scim2: &Scim2<'_>, crew: &str) {
    let bulk = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
        "Operations": [
            {"method": "POST", "path": "/Groups", "bulkId": "staff", "data": {
                "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
                "displayName": "Staff",
                "members": [{"value": "bulkId:bob"}],
            }},
            {"method": "POST", "path": "/Users", "bulkId": "bob", "data": {
                "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
                "userName": "bob@one.example",
            }},
            {"method": "DELETE", "path": format!("/Groups/{crew}")},
        ],
    });
    let done = scim2.answer("bulk", &bulk.to_string());
    let statuses: Vec<&Value> = (0..3).map(|at| &done["Operations"][at]["status"]).collect();
    assert_eq!(statuses, ["201", "201", "204"], "{done:#}");
    let staff = scim2.answer(r#"query group --filter 'displayName eq "Staff"'"#, "");
    let bob = scim2.answer(r#"query user --filter 'userName eq "bob@one.example"'"#, "");
    let member = &staff["Resources"][0]["members"][0];
    assert_eq!(member["value"], bob["Resources"][0]["id"]);
}
