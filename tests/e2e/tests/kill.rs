//! Show 4: processes are killed in the middle of a load, again and again; the service comes back by itself,
//! every acknowledged user is there once and none is there twice.
//!
//! The ordinary run kills a few times; `CHANCERY_KILL_CYCLES=50` (`tests/kill-nine.sh`) kills fifty times.
//! `CHANCERY_KILL_SEED` chooses what is killed when; the seed of a run is printed with its failure.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking"
)]

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use chancery_e2e::{LONG, Pids, SHORT, Service, back_off, eventually, signal};
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Cycles of the ordinary run.
const CYCLES: usize = 8;
/// Connections of the load.
const WRITERS: usize = 4;
/// Users that must have been acknowledged since the last kill before the next one.
const PROGRESS: usize = 5;

#[expect(
    clippy::disallowed_methods,
    reason = "how long this one test runs is chosen from outside"
)]
fn setting<T: FromStr>(name: &str, default: T) -> T {
    let text = std::env::var(name).ok();
    text.and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// A small generator (SplitMix64): the same seed kills the same processes.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }
}

/// What became of the load.
#[derive(Default)]
struct Load {
    acknowledged: Mutex<Vec<(String, String)>>,
    unknown: Mutex<Vec<String>>,
    count: AtomicUsize,
    over: AtomicBool,
}

impl Load {
    /// Creates users until told to stop. A name is never tried twice: an answer that did not come may
    /// have been an acknowledgement.
    fn write(&self, service: &Service, writer: usize) {
        let mut client = service.client();
        for number in 0_u32.. {
            if self.over.load(Ordering::Acquire) {
                return;
            }
            let name = format!("w{writer}.{number}@demo.example");
            let user = json!({"userName": name}).to_string();
            let answer = client.try_request("POST", "/Users", &[], user.as_bytes());
            match answer {
                Ok(answer) if answer.status == 201 => {
                    let id = answer.json()["id"].as_str().unwrap().to_owned();
                    self.acknowledged.lock().unwrap().push((name, id));
                    self.count.fetch_add(1, Ordering::AcqRel);
                }
                Ok(answer) => {
                    assert_eq!(answer.status, 503, "{name}: {}", answer.text());
                    assert!(answer.header("retry-after").is_some());
                    self.unknown.lock().unwrap().push(name);
                    back_off();
                }
                Err(_broken) => {
                    self.unknown.lock().unwrap().push(name);
                    back_off();
                }
            }
        }
    }
}

/// What a cycle kills.
fn victims(dice: &mut Dice, pids: &Pids) -> (&'static str, Vec<u32>) {
    match dice.roll(5) {
        0 => ("the runtime", vec![pids.runtime]),
        1 => ("the host", vec![pids.host]),
        2 => ("the secure processor", vec![pids.emulated_sp]),
        3 => ("runtime and host", vec![pids.runtime, pids.host]),
        _ => ("host and runtime", vec![pids.host, pids.runtime]),
    }
}

/// Every user, read by pages.
fn all_users(service: &Service) -> Vec<Value> {
    let mut client = service.client();
    let mut users: Vec<Value> = Vec::new();
    loop {
        let page = client.get(&format!("/Users?startIndex={}&count=100", users.len() + 1));
        let page = page.expect(200).json();
        let found = page["Resources"].as_array().unwrap();
        users.extend(found.iter().cloned());
        let total = page["totalResults"].as_u64().unwrap();
        if found.is_empty() || u64::try_from(users.len()).unwrap() >= total {
            assert_eq!(u64::try_from(users.len()).unwrap(), total);
            return users;
        }
    }
}

fn compare(service: &Service, load: &Load, context: &str) {
    let mut there: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for user in all_users(service) {
        let text = |name: &str| user[name].as_str().unwrap().to_owned();
        there.entry(text("userName")).or_default().push(text("id"));
    }
    for (name, ids) in &there {
        assert_eq!(ids.len(), 1, "{context}: {name} is there twice");
    }
    let acknowledged = load.acknowledged.lock().unwrap();
    for (name, id) in acknowledged.iter() {
        assert_eq!(
            there.get(name),
            Some(&vec![id.clone()]),
            "{context}: {name} was acknowledged"
        );
    }
    let unknown = load.unknown.lock().unwrap();
    let late = unknown
        .iter()
        .filter(|name| there.contains_key(*name))
        .count();
    assert_eq!(
        there.len(),
        acknowledged.len() + late,
        "{context}: a user that nobody asked for"
    );
}

#[test]
fn every_acknowledged_user_is_there_once_after_any_kill() {
    let cycles = setting("CHANCERY_KILL_CYCLES", CYCLES);
    let seed = setting("CHANCERY_KILL_SEED", u64::from(std::process::id()));
    let context = format!("CHANCERY_KILL_SEED={seed}");
    let mut dice = Dice(seed);
    let folder = Arc::new(TempDir::with_prefix("chancery-e2e-").unwrap());
    let service = Service::start(&folder, &[]);
    let load = Load::default();
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (service, load) = (&service, &load);
            scope.spawn(move || load.write(service, writer));
        }
        let stop = Stop(&load.over);
        for cycle in 0..cycles {
            let begun = load.count.load(Ordering::Acquire);
            let wanted = begun + PROGRESS + usize::try_from(dice.roll(40)).unwrap();
            eventually(
                &format!("{context}: progress in cycle {cycle}"),
                LONG,
                || (load.count.load(Ordering::Acquire) >= wanted).then_some(()),
            );
            let pids = service.ready().pids();
            let (what, victims) = victims(&mut dice, &pids);
            for pid in victims {
                signal(pid, Signal::KILL);
            }
            eventually(
                &format!("{context}: other processes than {pids:?} after {what}"),
                LONG,
                || (service.ready().pids() != pids).then_some(()),
            );
        }
        let begun = load.count.load(Ordering::Acquire);
        eventually(&format!("{context}: progress at the end"), SHORT, || {
            (load.count.load(Ordering::Acquire) >= begun + PROGRESS).then_some(())
        });
        drop(stop);
    });
    compare(&service, &load, &context);
    report(&context, &load);
    assert!(service.end().success());
    // And the same once more from the store alone.
    let service = Service::start(&folder, &[]);
    compare(&service, &load, &context);
    assert!(service.end().success());
}

#[expect(
    clippy::print_stdout,
    reason = "the long run's result, for whoever started it"
)]
fn report(context: &str, load: &Load) {
    let acknowledged = load.acknowledged.lock().unwrap().len();
    let unknown = load.unknown.lock().unwrap().len();
    println!("{context}: {acknowledged} users acknowledged, {unknown} attempts without an answer");
}

/// Ends the load, also when the test fails.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}
