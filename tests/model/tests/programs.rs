//! Random programs of requests: the service and a reference model answer alike and hold the same.
//!
//! A failure prints its seed and the shortest program that fails likewise;
//! `CHANCERY_MODEL_SEED=n cargo test -p chancery-model --test programs` runs that one again.
//! `CHANCERY_FULL=1` runs 100,000 programs.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "helpers of tests fail by panicking, and a run tells what it tried"
)]

use std::panic::{AssertUnwindSafe, catch_unwind};

use chancery_model::program::{Scope, program};
use chancery_model::random::Reach;
use chancery_model::request::{Request, Response, Service};
use chancery_model::run::{Program, Run};
use chancery_model::shrink::shrink;
use chancery_testkit::{InMemory, Sent, World};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

/// Programs that share a deployment: each leaves it empty.
const PROGRAMS_PER_WORLD: u64 = 25;
/// How far the clock goes on before each request.
const STEP_MS: u64 = 250;
/// The newest requests that a failure shows.
const SHOWN_MAX: usize = 12;

/// What of the service is there to be tried.
const SCOPE: Scope = Scope {
    search: true,
    cursors: true,
    root: true,
    bulk: true,
};

/// The service in memory.
struct Served(InMemory);

impl Served {
    fn new() -> Self {
        let mut world = World::found(1);
        world.admit("demo").unwrap();
        world
            .delegate_with(1, |delegation| {
                delegation.limits.suspensions = 1_000_000;
                delegation.limits.deletions = 1_000_000;
                delegation.limits.grants = 1_000_000;
                delegation.limits.emptied_groups = 1_000_000;
            })
            .unwrap();
        world.issue_token(86_400).unwrap();
        Self(InMemory::new(world))
    }
}

impl Service for Served {
    fn base(&self) -> String {
        InMemory::BASE.to_owned()
    }

    fn send(&mut self, request: &Request) -> Response {
        self.0.world().now_ms += STEP_MS;
        let mut headers = HeaderMap::new();
        for (name, value) in &request.headers {
            let value = HeaderValue::from_str(value).unwrap();
            headers.append(HeaderName::from_static(name), value);
        }
        let answer = self.0.answer(&Sent {
            method: Method::from_bytes(request.method.as_bytes()).unwrap(),
            target: &request.target,
            headers,
            body: &request.body,
        });
        let text = |value: &HeaderValue| value.to_str().unwrap().to_owned();
        Response {
            status: answer.status().as_u16(),
            headers: answer
                .headers()
                .iter()
                .map(|(name, value)| (name.to_string(), text(value)))
                .collect(),
            body: answer.into_body(),
        }
    }
}

/// What became of a program.
struct Finished {
    difference: Option<String>,
    trace: Vec<String>,
    answered: (u64, u64),
}

fn run(service: &mut Served, program: &Program) -> Finished {
    let mut run = Run::new(service);
    let result = catch_unwind(AssertUnwindSafe(|| run.all(program)));
    Finished {
        difference: match result {
            Ok(Ok(())) => None,
            Ok(Err(difference)) => Some(difference),
            Err(_) => Some("the service panics".to_owned()),
        },
        trace: run.trace,
        answered: run.answered,
    }
}

/// Fails with the seed, and the shortest program that differs as well.
fn fail(seed: u64, whole: &Program, found: &Finished) -> ! {
    let again = |program: &Program| run(&mut Served::new(), program);
    let alone = again(whole);
    if alone.difference.is_none() {
        let first = seed.saturating_sub((seed - 1) % PROGRAMS_PER_WORLD);
        let shown = newest(&found.trace);
        panic!(
            "seed {seed}, only after the programs of the seeds from {first} on: {}\n{shown}",
            found.difference.as_deref().unwrap_or_default()
        );
    }
    let smallest = shrink(whole, |program| again(program).difference.is_some());
    let finished = again(&smallest);
    panic!(
        "seed {seed}: {}\nafter {} of {} steps:\n{}",
        finished.difference.unwrap_or_default(),
        smallest.len(),
        whole.len(),
        newest(&finished.trace)
    );
}

fn newest(trace: &[String]) -> String {
    let skipped = trace.len().saturating_sub(SHOWN_MAX);
    let shown: Vec<&str> = trace.iter().skip(skipped).map(String::as_str).collect();
    shown.join("\n")
}

#[test]
fn random_programs_leave_what_a_reference_model_says() {
    let reach = Reach::of(2_000, 100_000);
    let (mut steps, mut successes, mut errors) = (0_u64, 0_u64, 0_u64);
    let mut service = Served::new();
    for (number, seed) in (0_u64..).zip(reach.seeds()) {
        if number % PROGRAMS_PER_WORLD == 0 {
            service = Served::new();
        }
        let program = program(seed, SCOPE);
        let finished = run(&mut service, &program);
        if finished.difference.is_some() {
            fail(seed, &program, &finished);
        }
        steps += u64::try_from(program.len()).unwrap();
        successes += finished.answered.0;
        errors += finished.answered.1;
    }
    println!(
        "{} programs, {steps} steps: {successes} successes, {errors} errors",
        reach.cases
    );
    if reach.cases > 100 {
        assert!(
            errors * 10 > successes && successes > errors,
            "{successes} successes, {errors} errors"
        );
    }
}
