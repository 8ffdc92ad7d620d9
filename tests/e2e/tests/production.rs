//! The shipped client against emulated evidence: whatever it is given, it refuses (I1). Each refusal has its control: the development
//! client accepts the very same files.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use chancery_e2e::{Finished, Service, Tap, program, refused, run};
use chancery_platform_snp::parse_certificate_table;
use serde_json::{Value, json};
use tempfile::TempDir;

static SERVICE: LazyLock<Service> = LazyLock::new(Service::lasting);

const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
/// Inside the life of everything that the processor signs now, and of the policy below.
const FIRMWARE: &str = "attestation/vectors/launch-digest/ovmf/ovmf_OvmfX64_suffix.bin";

/// Evidence of the service's own processor in files, and a policy that lists all of it and waives everything that can be waived.
struct Files {
    folder: TempDir,
    at: String,
}

impl Files {
    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn make() -> Self {
        let files = Self {
            folder: TempDir::new().unwrap(),
            at: now(),
        };
        let identity = files.measure_guest();
        let table = parse_certificate_table(&fs::read(files.path("table")).unwrap()).unwrap();
        fs::write(files.path("vek.der"), table.vcek.unwrap()).unwrap();
        fs::write(files.path("crl.der"), table.crl.unwrap()).unwrap();
        let chain = [table.ask.unwrap(), table.ark.unwrap()].concat();
        fs::write(files.path("ca.der"), chain).unwrap();
        let roots = processor().join("emulated-roots.json");
        fs::copy(roots, files.path("emulated-roots.json")).unwrap();
        fs::write(files.path("policy.json"), policy(&identity).to_string()).unwrap();
        files
    }

    /// A report as a guest of the emulated processor gets it.
    fn measure_guest(&self) -> Value {
        fs::write(self.path("configuration"), b"{}").unwrap();
        let state = processor().to_str().unwrap().to_owned();
        let (firmware, data) = (format!("{REPOSITORY}/{FIRMWARE}"), "5a".repeat(64));
        let finished = run(
            "chancery-emulated-sp",
            &[
                "measure-guest",
                "--state",
                &state,
                "--ovmf",
                &firmware,
                "--vcpus",
                "1",
                "--vcpu-type",
                "EPYC-v4",
                "--guest-features",
                "0x1",
                "--configuration",
                &self.path("configuration"),
                "--report-data",
                &data,
                "--report",
                &self.path("report.bin"),
                "--certificates",
                &self.path("table"),
            ],
        );
        assert_eq!(finished.code, Some(0), "{finished:?}");
        finished.json()
    }

    fn appraise(&self, program: &str, more: &[&str]) -> Finished {
        let (report, vek) = (self.path("report.bin"), self.path("vek.der"));
        let policy = self.path("policy.json");
        let mut all = vec![
            "appraise", "--json", "--report", &report, "--vek", &vek, "--policy", &policy, "--at",
            &self.at,
        ];
        all.extend(more);
        run(program, &all)
    }
}

fn processor() -> std::path::PathBuf {
    SERVICE.data().join("emulated-sp")
}

/// This very second, as the clients of these tests count it.
fn now() -> String {
    let output = std::process::Command::new("date")
        .args(["-u", "+%FT%TZ"])
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn policy(identity: &Value) -> Value {
    let example = fs::read(Path::new(REPOSITORY).join("policies/genoa.json")).unwrap();
    let mut policy: Value = serde_json::from_slice(&example).unwrap();
    policy["releases"][0]["measurement"] = identity["measurement"].clone();
    policy["host_data"] = json!([identity["host_data"]]);
    policy["chip_ids"] = json!([identity["chip_id"]]);
    policy["products"] = json!(["milan", "genoa", "turin"]);
    policy["dangerous_allow_milan"] = json!(true);
    policy["dangerous_allow_any_chip"] = json!(true);
    policy["dangerous_allow_provisional_firmware"] = json!(true);
    policy["dangerous_allow_unchecked_revocation"] = json!(true);
    policy["dangerous_allow_unchecked_aliases"] = json!(true);
    policy["dangerous_vmpl_max"] = json!(3);
    policy
}

#[test]
fn the_shipped_appraisal_refuses_emulated_evidence_in_the_chain_whatever_it_is_given() {
    let files = Files::make();
    let (ca, crl) = (files.path("ca.der"), files.path("crl.der"));
    let floors = format!("{REPOSITORY}/attestation/verify/data/tcb-floors.json");
    let deployment = SERVICE.ready().text("deployment_file").to_owned();
    let data = "5a".repeat(64);

    let accepted = files.appraise("chancery-dev", &["--ca", &ca, "--crl", &crl]);
    assert_eq!(accepted.code, Some(0), "the control: {accepted:?}");
    assert_eq!(accepted.json()["mode"], "emulated");

    // Every set of options, with the emulated certificates above the leaf.
    let options: [&[&str]; 4] = [
        &["--crl", &crl],
        &["--floors", &floors],
        &["--report-data", &data],
        &["--deployment", &deployment],
    ];
    for set in 0..1_u32 << options.len() {
        let mut all = vec!["--ca", ca.as_str()];
        for (index, option) in options.iter().enumerate() {
            if set >> index & 1 == 1 {
                all.extend(*option);
            }
        }
        let finished = files.appraise("chancery", &all);
        assert_eq!(finished.code, Some(1), "{all:?}: {finished:?}");
        let report = finished.json();
        assert_eq!(report["verdict"], "refused", "{all:?}");
        assert_eq!(report["stage"], "chain", "{all:?}");
        assert_eq!(report["violations"][0]["check"], "root_pinned", "{all:?}");
    }
    // AMD's genuine certificates above the emulated leaf, and none.
    let amd = |name: &str| {
        fs::read(format!(
            "{REPOSITORY}/attestation/vectors/roots/genoa/{name}.der"
        ))
        .unwrap()
    };
    let genuine = files.path("amd.der");
    fs::write(&genuine, [amd("ask"), amd("ark")].concat()).unwrap();
    for more in [&["--ca", genuine.as_str()][..], &[]] {
        let finished = files.appraise("chancery", more);
        assert_eq!(finished.code, Some(1), "{finished:?}");
        assert_eq!(finished.json()["stage"], "chain", "{finished:?}");
    }
}

#[test]
fn the_shipped_client_refuses_the_emulated_service_whatever_it_is_given() {
    let folder = TempDir::new().unwrap();
    let tap = Tap::tcp(SERVICE.ready().address());
    let address = tap.address().to_string();
    let (base, ready_file) = (
        SERVICE.ready().text("base").to_owned(),
        SERVICE.ready_file(),
    );
    let state = folder.path().join("heads.json");
    let state = state.to_str().unwrap();
    let emulated = SERVICE.ready().text("deployment_file").to_owned();
    let relabelled = SERVICE.pins_with(folder.path(), |pins| pins["mode"] = json!("amd"));

    let options: [&[&str]; 3] = [&["--hardware"], &["--state", state], &[&base]];
    for (pins, check) in [
        (["--deployment", emulated.as_str()], "deployment_mode"),
        (["--ready-file", ready_file], "deployment_mode"),
        // Nothing but the attestation request can have been sent: the statement names the emulation.
        (["--deployment", relabelled.as_str()], "node_statement"),
    ] {
        for set in 0..1_u32 << options.len() {
            let mut all = vec!["verify", "--json", "--address", &address];
            all.extend(pins);
            for (index, option) in options.iter().enumerate() {
                if set >> index & 1 == 1 {
                    all.extend(*option);
                }
            }
            assert_eq!(refused(&run("chancery", &all)), [check], "{all:?}");
        }
    }
    // No variable of the environment brings the emulation back either.
    let mut command = std::process::Command::new(program("chancery"));
    command.args(["verify", "--json", "--deployment", &emulated]);
    for name in [
        "CHANCERY_DEV",
        "CHANCERY_MODE",
        "CHANCERY_EMULATED",
        "CHANCERY_EMULATED_ROOTS",
        "CHANCERY_TEE",
    ] {
        command.env(name, "emulated");
    }
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["violations"][0]["check"], "deployment_mode");
}
