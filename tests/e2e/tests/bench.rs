//! The load against real processes.

use chancery_e2e::{Service, run};
use serde_json::Value;

#[test]
fn directories_of_two_sizes_are_measured_in_one_service() {
    let service = Service::new();
    let line =
        "bench --sizes 150,300 --operations 20 --rounds 2 --connections 4 --json --ready-file";
    let mut arguments: Vec<&str> = line.split(' ').collect();
    arguments.push(service.ready_file());
    let finished = run("chancery-dev", &arguments);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let last = finished.stdout.lines().last().unwrap();
    let report: Value = serde_json::from_str(last).unwrap();
    assert_eq!(
        (&report["event"], &report["rounds"]),
        (&"growth".into(), &2.into())
    );
    let directories = report["directories"].as_array().unwrap();
    let users = directories.iter().map(|one| one["users"].as_u64().unwrap());
    assert_eq!(users.collect::<Vec<_>>(), [150, 300]);
    for directory in directories {
        let operations = directory["operations"].as_array().unwrap();
        assert!(operations.len() >= 11, "{directory}");
        for operation in operations {
            for figure in ["cpu_us", "operations_per_s", "p50_ms", "cpu_by_smallest"] {
                let figure = operation[figure].as_f64().unwrap();
                assert!(figure > 0.0, "{operation}");
            }
        }
        assert!(directory["pages"][0]["last_by_first"].as_f64().unwrap() > 0.0);
        assert!(directory["resident_after"].as_u64() > directory["resident_before"].as_u64());
    }
}
