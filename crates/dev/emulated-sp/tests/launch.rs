//! The launcher with real processes: a processor, its guest, and what happens when either ends.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::OnceLock;

use chancery_emulated_sp::{Chip, EmulatedProduct, parse_tcb};
use chancery_evidence::{Certificate, Crl, ProductLine, Report, ReportFields, TcbComponents};
use chancery_json::{Limits, Object, Value};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tempfile::TempDir;

const PROCESSOR: &str = env!("CARGO_BIN_EXE_chancery-emulated-sp");
const GUEST: &str = env!("CARGO_BIN_EXE_chancery-emulated-guest");

/// The state of one chip for all tests: its RSA keys take seconds to make.
fn chip_state() -> &'static [u8] {
    static STATE: OnceLock<Vec<u8>> = OnceLock::new();
    STATE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        Chip::open(folder.path(), None, 1_790_000_000_000).unwrap();
        fs::read(folder.path().join("processor.json")).unwrap()
    })
}

/// Copies the guest and appends `more`. Another process does it: a file that is open for writing in this one would be held
/// open, for a moment, by every process that another test starts, and cannot be run until then.
fn copy_program(to: &Path, more: &str) {
    let status = Command::new("/bin/sh")
        .args([
            "-c",
            "cp \"$1\" \"$2\" && printf %s \"$3\" >> \"$2\"",
            "sh",
            GUEST,
        ])
        .arg(to)
        .arg(more)
        .status();
    assert!(status.unwrap().success());
}

/// A folder with a program and a configuration of its own.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        copy_program(&place.path("guest"), "");
        fs::create_dir(place.path("state")).unwrap();
        fs::write(place.path("state/processor.json"), chip_state()).unwrap();
        fs::write(place.path("configuration.json"), b"{}").unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, subcommand: &str) -> Command {
        let mut command = Command::new(PROCESSOR);
        command
            .arg(subcommand)
            .arg("--state")
            .arg(self.path("state"))
            .arg("--runtime")
            .arg(self.path("guest"))
            .arg("--configuration")
            .arg(self.path("configuration.json"));
        command
    }

    fn identity(&self) -> Object {
        let output = self.command("identity").output().unwrap();
        assert!(output.status.success());
        object(&output.stdout)
    }

    /// An operator's command, while the processor runs or not.
    fn platform(&self, words: &[&str]) -> Output {
        let mut command = Command::new(PROCESSOR);
        let command = command.arg("platform").arg(words[0]);
        let command = command.arg("--state").arg(self.path("state"));
        command.args(&words[1..]).output().unwrap()
    }

    /// One that succeeds; the platform as it is then.
    fn operate(&self, words: &[&str]) -> Object {
        let output = self.platform(words);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{words:?}: {told}");
        object(&output.stdout)
    }

    fn launch(&self, then: &str) -> Processor {
        self.launch_with(&[], then)
    }

    fn launch_with(&self, options: &[&str], then: &str) -> Processor {
        let mut child = self
            .command("launch")
            .args(options)
            .args(["--", "--then", then])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Processor { child, lines }
    }

    /// Changes the program while it runs: another file takes its name.
    fn change_program(&self) {
        let staging = self.path("guest.new");
        copy_program(&staging, "x");
        fs::rename(staging, self.path("guest")).unwrap();
    }
}

fn object(text: &[u8]) -> Object {
    match Value::parse(text.trim_ascii(), &Limits::DOCUMENT).unwrap() {
        Value::Object(object) => object,
        _ => Object::new(),
    }
}

fn text(object: &Object, name: &str) -> String {
    object.get(name).and_then(Value::as_str).unwrap().to_owned()
}

fn pid_of(event: &Object) -> Pid {
    let pid = event.get("runtime_pid").and_then(Value::as_u64).unwrap();
    Pid::from_raw(i32::try_from(pid).unwrap()).unwrap()
}

/// A running processor; killed if the test fails before it ends.
struct Processor {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Drop for Processor {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Processor {
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line
    }

    fn event(&mut self, name: &str) -> Object {
        let event = object(self.line().as_bytes());
        assert_eq!(text(&event, "event"), name);
        event
    }

    /// What the guest printed: measurement, host data, whether there are certificates, fingerprint of its sealing key.
    fn guest_says(&mut self) -> Vec<String> {
        let line = self.line();
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        assert_eq!(words[0], "guest");
        words
    }

    /// What the guest gets when it asks again: words of its line.
    fn ask(&mut self, guest: Pid) -> Vec<String> {
        kill_process(guest, Signal::USR1).unwrap();
        self.line().split_whitespace().map(str::to_owned).collect()
    }

    /// A report that fits the certificate beside it, and the revocation list; no bytes if there is none.
    fn evidence(&mut self, guest: Pid) -> (ReportFields, Vec<u8>) {
        let words = self.ask(guest);
        assert_eq!(words[0], "evidence", "{words:?}");
        let bytes = |at: usize| match words[at].as_str() {
            "-" => Vec::new(),
            digits => hex::decode(digits).unwrap(),
        };
        let (report, vcek) = (bytes(1), bytes(2));
        let fields = Report::parse(&report).unwrap().fields().clone();
        let line = fields.version.cpuid().unwrap().line().unwrap();
        let certified = Certificate::parse(&vcek).unwrap().vek(line).unwrap().tcb;
        assert_eq!(fields.reported_tcb, certified.encode(line));
        (fields, bytes(3))
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }

    /// The rest of the output: it ends only when the processor and its guest have both ended.
    fn rest(&mut self) -> String {
        let mut rest = String::new();
        self.lines.read_to_string(&mut rest).unwrap();
        rest
    }
}

fn is_gone(pid: Pid) -> bool {
    test_kill_process(pid).is_err()
}

#[test]
fn a_launched_guest_reports_the_identity_that_was_printed_before() {
    let place = Place::new();
    let identity = place.identity();
    assert_eq!(text(&identity, "mode"), "emulated");
    assert_eq!(
        place.identity(),
        identity,
        "the state folder keeps the chip"
    );
    let mut processor = place.launch("wait");
    let event = processor.event("launched");
    let words = processor.guest_says();
    assert_eq!(text(&event, "measurement"), text(&identity, "measurement"));
    assert_eq!(words[1], text(&identity, "measurement"));
    assert_eq!(words[2], text(&identity, "host_data"));
    assert_eq!(words[3], "true");
    processor.signal(Signal::TERM);
    processor.event("exited");
    assert_eq!(processor.rest(), "");
    assert!(processor.child.wait().unwrap().success());
    assert!(is_gone(pid_of(&event)));
}

#[test]
fn a_guest_ends_when_its_processor_is_killed() {
    let place = Place::new();
    let mut processor = place.launch("stubborn");
    let pid = pid_of(&processor.event("launched"));
    processor.guest_says();
    processor.signal(Signal::KILL);
    assert_eq!(processor.rest(), "");
    assert!(!processor.child.wait().unwrap().success());
    // The guest is an orphan now; whoever adopted it may take a moment to collect it, but it has closed its output.
    assert!(is_gone(pid) || is_zombie(pid));
}

fn is_zombie(pid: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.is_empty() || stat.contains(") Z ") || stat.contains(") X ")
}

#[test]
fn a_killed_guest_is_launched_anew_and_measured_anew() {
    let place = Place::new();
    let mut processor = place.launch("wait");
    let first = processor.event("launched");
    let first_words = processor.guest_says();

    kill_process(pid_of(&first), Signal::KILL).unwrap();
    assert_eq!(text(&processor.event("exited"), "status"), "signal 9");
    let second = processor.event("launched");
    assert_ne!(pid_of(&second), pid_of(&first));
    assert_eq!(processor.guest_says(), first_words, "the same key again");

    place.change_program();
    kill_process(pid_of(&second), Signal::KILL).unwrap();
    processor.event("exited");
    let third = processor.event("launched");
    assert_ne!(text(&third, "measurement"), text(&first, "measurement"));
    let words = processor.guest_says();
    assert_eq!(words[1], text(&third, "measurement"));
    assert_ne!(words[4], first_words[4], "another program, another key");

    processor.signal(Signal::INT);
    processor.event("exited");
    assert!(processor.child.wait().unwrap().success());
    assert!(is_gone(pid_of(&third)));
}

#[test]
fn a_processor_that_watches_its_standard_input_ends_with_it() {
    let place = Place::new();
    let mut child = place
        .command("launch")
        .args(["--watch-stdin", "--", "--then", "wait"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap());
    let mut processor = Processor { child, lines };
    let pid = pid_of(&processor.event("launched"));
    processor.guest_says();
    drop(processor.child.stdin.take());
    processor.event("exited");
    assert!(processor.child.wait().unwrap().success());
    assert!(is_gone(pid));
}

#[test]
fn a_guest_that_fails_is_launched_again_and_a_stop_in_between_is_heard() {
    let place = Place::new();
    let mut processor = place.launch("fail");
    for _ in 0..3 {
        processor.event("launched");
        processor.guest_says();
        assert_eq!(text(&processor.event("exited"), "status"), "exit 3");
    }
    processor.signal(Signal::TERM);
    processor.rest();
    assert!(processor.child.wait().unwrap().success());
}

#[test]
fn a_guest_that_does_not_end_when_asked_is_made_to() {
    let place = Place::new();
    let mut processor = place.launch("stubborn");
    let pid = pid_of(&processor.event("launched"));
    processor.guest_says();
    processor.signal(Signal::TERM);
    assert_eq!(text(&processor.event("exited"), "status"), "signal 9");
    assert!(processor.child.wait().unwrap().success());
    assert!(is_gone(pid));
}

#[test]
fn the_configuration_is_host_data_and_not_measured() {
    let place = Place::new();
    let before = place.identity();
    fs::write(place.path("configuration.json"), b"{ }").unwrap();
    let after = place.identity();
    assert_eq!(text(&before, "measurement"), text(&after, "measurement"));
    assert_ne!(text(&before, "host_data"), text(&after, "host_data"));
    assert_eq!(text(&before, "chip_id"), text(&after, "chip_id"));
}

fn failure(output: &Output) -> String {
    assert!(!output.status.success());
    assert_eq!(output.stdout, b"");
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn a_missing_program_a_refused_policy_and_another_product_are_told() {
    let place = Place::new();
    let policy = |bits: &str| {
        let mut command = place.command("launch");
        failure(&command.args(["--policy", bits]).output().unwrap())
    };
    assert!(policy("0x820000").contains("refuses the guest policy"));
    for (name, size) in [("block", 96), ("auth", 4096)] {
        fs::write(place.path(name), vec![0; size]).unwrap();
    }
    let mut malformed = place.command("launch");
    malformed.arg("--id-block").arg(place.path("block"));
    malformed.arg("--id-auth").arg(place.path("auth"));
    let told = failure(&malformed.output().unwrap());
    assert!(told.contains("ID block is malformed"), "{told}");
    fs::write(place.path("block"), b"").unwrap();
    let told = failure(&malformed.output().unwrap());
    assert!(told.contains("not 96 bytes"), "{told}");
    let mut turin = place.command("identity");
    let told = failure(&turin.args(["--product", "turin"]).output().unwrap());
    assert!(told.contains("another product"));
    fs::remove_file(place.path("guest")).unwrap();
    let told = failure(&place.command("launch").output().unwrap());
    assert!(told.contains("guest"), "{told}");
}

#[test]
fn a_program_whose_standard_input_is_no_socket_has_no_processor() {
    let mut guest = Command::new(GUEST);
    let told = failure(&guest.stdin(Stdio::null()).output().unwrap());
    assert!(told.contains("there is no secure processor"));
}

#[test]
fn two_processes_that_make_one_state_folder_agree() {
    let folder = tempfile::tempdir().unwrap();
    let state: &Path = &folder.path().join("state");
    let open = || Chip::open(state, Some(EmulatedProduct::Genoa), 1_790_000_000_000).unwrap();
    let chips: Vec<Chip> = std::thread::scope(|scope| {
        let threads = [scope.spawn(open), scope.spawn(open)];
        threads.map(|thread| thread.join().unwrap()).into()
    });
    assert_eq!(chips[0].chip_id(), chips[1].chip_id());
    assert_eq!(chips[0].roots(), chips[1].roots());
}

fn genoa(text: &str) -> TcbComponents {
    parse_tcb(text, ProductLine::Genoa).unwrap()
}

/// Current, committed, reported and launch TCB of a Genoa report.
fn tcbs(fields: &ReportFields) -> [TcbComponents; 4] {
    [
        fields.current_tcb,
        fields.committed_tcb,
        fields.reported_tcb,
        fields.launch_tcb,
    ]
    .map(|tcb| tcb.components(ProductLine::Genoa).unwrap())
}

#[test]
fn a_running_guest_sees_its_platform_updated_committed_and_reported_lower() {
    let place = Place::new();
    let mut processor = place.launch_with(&["--level", "genoa-1.55.40"], "wait");
    let guest = pid_of(&processor.event("launched"));
    processor.guest_says();
    let (old, new) = (genoa("10.0.23.84"), genoa("10.0.27.88"));
    let (before, _) = processor.evidence(guest);
    assert_eq!((before.version.number(), tcbs(&before)), (3, [old; 4]));

    let shown = place.operate(&["update", "--level", "genoa-1.55.49"]);
    assert_eq!(text(&shown, "current_tcb"), "10.0.27.88");
    assert_eq!(text(&shown, "reported_tcb"), "10.0.23.84");
    let (provisional, _) = processor.evidence(guest);
    assert_eq!(provisional.version.number(), 5);
    assert_eq!(tcbs(&provisional), [new, old, old, old]);
    assert_eq!(provisional.current_firmware.to_string(), "1.55.49");
    assert_eq!(provisional.committed_firmware.to_string(), "1.55.40");
    assert_eq!(provisional.report_id, before.report_id, "the same launch");

    let rejected = failure(&place.platform(&["set-reported", "--tcb", "10.0.27.88"]));
    assert!(rejected.contains("above the committed"), "{rejected}");
    place.operate(&["commit"]);
    assert_eq!(tcbs(&processor.evidence(guest).0), [new, new, new, old]);
    let rejected = failure(&place.platform(&["update", "--level", "genoa-1.55.40"]));
    assert!(rejected.contains("below what is committed"), "{rejected}");
    place.operate(&["set-reported", "--tcb", "10.0.26.88"]);
    let lowered = [new, new, genoa("10.0.26.88"), old];
    assert_eq!(tcbs(&processor.evidence(guest).0), lowered);
    assert_eq!(
        text(&place.operate(&["show"]), "reported_tcb"),
        "10.0.26.88"
    );

    kill_process(guest, Signal::KILL).unwrap();
    processor.event("exited");
    let guest = pid_of(&processor.event("launched"));
    processor.guest_says();
    let (relaunched, _) = processor.evidence(guest);
    assert_eq!(tcbs(&relaunched), [new, new, genoa("10.0.26.88"), new]);
    assert_ne!(relaunched.report_id, before.report_id);
}

#[test]
fn a_guest_whose_channel_failed_is_lost_until_it_is_launched_again() {
    let place = Place::new();
    let mut processor = place.launch("wait");
    let guest = pid_of(&processor.event("launched"));
    let first = processor.guest_says();
    place.operate(&["throttle"]);
    assert_eq!(processor.ask(guest), ["error", "processor_busy"]);
    place.operate(&["unthrottle"]);
    processor.evidence(guest);

    place.operate(&["fail-channels"]);
    for _ in 0..2 {
        assert_eq!(processor.ask(guest), ["error", "processor_lost"]);
    }
    kill_process(guest, Signal::KILL).unwrap();
    processor.event("exited");
    let guest = pid_of(&processor.event("launched"));
    assert_eq!(processor.guest_says(), first, "the same key again");
    processor.evidence(guest);
}

#[test]
fn an_operator_revokes_the_intermediate_and_chooses_how_certificates_are_written() {
    let place = Place::new();
    let mut processor = place.launch("wait");
    let guest = pid_of(&processor.event("launched"));
    processor.guest_says();
    let (_, list) = processor.evidence(guest);
    let before = Crl::parse(&list).unwrap();
    assert!(!before.revokes(&[2, 0, 2]));
    for words in [
        ["set-certificates", "--form", "pem"],
        ["set-certificates", "--leaf-trailer", "explicit"],
    ] {
        place.operate(&words);
        processor.evidence(guest);
    }
    place.operate(&["set-certificates", "--contents", "without-crl"]);
    let (_, list) = processor.evidence(guest);
    assert_eq!(list, b"");
    place.operate(&["set-certificates", "--contents", "nothing"]);
    assert_eq!(processor.ask(guest)[2..], ["-", "-"]);
    place.operate(&["set-certificates", "--contents", "all"]);
    let shown = place.operate(&["revoke-ask"]);
    assert_eq!(text(&shown, "certificate_form"), "pem");
    assert_eq!(text(&shown, "leaf_trailer"), "explicit");
    let (_, list) = processor.evidence(guest);
    let after = Crl::parse(&list).unwrap();
    assert!(after.revokes(&[2, 0, 2]) && after.number() > before.number());
}

#[test]
fn levels_and_words_that_do_not_fit_the_platform_are_told() {
    let place = Place::new();
    let absent = failure(&place.platform(&["show"]));
    assert!(absent.contains("platform.json"), "{absent}");
    assert_eq!(
        place
            .identity()
            .get("report_version")
            .and_then(Value::as_u64),
        Some(5)
    );
    let mut other = place.command("identity");
    let told = failure(&other.args(["--level", "genoa-1.55.40"]).output().unwrap());
    assert!(told.contains("another firmware level"), "{told}");
    let mut turin = place.command("identity");
    let told = failure(&turin.args(["--level", "turin-1.58.3"]).output().unwrap());
    assert!(told.contains("another product"), "{told}");
    for (words, part) in [
        (["update", "--level", "turin-1.58.3"], "another product"),
        (
            ["update", "--tcb", "1.10.0.27.88"],
            "components of this product",
        ),
        (["update", "--report-version", "4"], "3 and 5"),
        (
            ["update", "--firmware", "1.55.48"],
            "below what is committed",
        ),
        (
            ["set-reported", "--tcb", "10.0.27"],
            "components of this product",
        ),
    ] {
        let told = failure(&place.platform(&words));
        assert!(told.contains(part), "{told}");
    }
    let words = [
        "update",
        "--platform-info",
        "0x65",
        "--mitigation-vector",
        "0x1b",
    ];
    let shown = place.operate(&[&words[..], &["--commit"]].concat());
    assert_eq!(text(&shown, "platform_info"), "0x65");
    assert_eq!(text(&shown, "mitigation_vector"), "0x1b");
    let mut launch = place.command("launch");
    let told = failure(&launch.output().unwrap());
    assert!(
        told.contains("refuses the guest policy"),
        "SMT is on: {told}"
    );
}
