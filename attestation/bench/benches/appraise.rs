//! One whole appraisal of genuine evidence, and beside it in the same run the three checks of the `sev` crate.
//!
//! Ours: format of the report, exactly the chain with names, extensions and dates, each signature that is not known by its bytes, the
//! revocation list where there is one, binding of leaf and report, the whole release policy and the firmware floors, a row for each check.
//! `sev`: that root signed itself and the intermediate, that the intermediate signed the leaf, and that the leaf signed the report.

#![forbid(unsafe_code)]
#![expect(clippy::disallowed_methods, reason = "a bench reads the clock itself")]

use std::error::Error;
use std::fmt;
use std::hint::black_box;
use std::time::Duration;
use std::time::Instant;

use chancery_evidence::Certificate;
use chancery_evidence::Crl;
use chancery_evidence::PublicKey;
use chancery_evidence::Report;
use chancery_vectors::Genuine;
use chancery_vectors::read;
use chancery_verify::Amd;
use chancery_verify::Evidence;
use chancery_verify::ReleasePolicy;
use chancery_verify::TcbFloors;
use chancery_verify::appraise;
use ring::signature::ECDSA_P384_SHA384_FIXED;
use ring::signature::RSA_PSS_2048_8192_SHA384;
use ring::signature::UnparsedPublicKey;
use sev::certs::snp::Chain;
use sev::certs::snp::Verifiable;
use sev::firmware::guest::AttestationReport;
use sev::parser::ByteParser;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Samples of each thing that is timed.
const SAMPLES: usize = 501;
/// Samples before the first that counts.
const WARM_UP: usize = 20;
/// The goal of a whole appraisal.
const GOAL: Duration = Duration::from_millis(1);

/// 2026-07-01T00:00:00Z, when Milan's list was current.
const JULY_2026_MS: u64 = 1_782_864_000_000;

const POLICY_TURIN: &[u8] = include_bytes!("../../../policies/turin.json");
const POLICY_GENOA: &[u8] = include_bytes!("../../../policies/genoa.json");
const POLICY_MILAN: &[u8] = include_bytes!("../../../policies/milan.json");
const LIST_MILAN: &str = "crls/milan-2026-06-22.crl.der";

fn main() -> Outcome<()> {
    let cases = [
        Case::example("turin-v5-vcek-02", POLICY_TURIN, Vec::new())?,
        Case::example("siena-v5-vcek-01", POLICY_GENOA, Vec::new())?,
        Case::example("milan-v5-vcek-01-gcp", POLICY_MILAN, read(LIST_MILAN))?,
        // Its firmware is older than the shipped floors ask for.
        Case::fixture("genoa-v5-vcek-01-oak"),
    ];
    for case in &cases {
        let accepted = case.appraise();
        accepted.map_err(|error| format!("{}: {error}", case.id))?;
    }
    println!("medians of {SAMPLES}, with the 10th and 90th percentile, in microseconds");
    for case in &cases {
        case.compare()?;
    }
    Ok(())
}

/// Genuine evidence with rules that accept it.
struct Case {
    id: &'static str,
    evidence: Evidence,
    policy: ReleasePolicy,
    floors: TcbFloors,
    report_data: [u8; 64],
    now_ms: u64,
}

impl Case {
    /// Under the example policy of its line and the shipped floors.
    fn example(id: &'static str, policy: &[u8], crl: Vec<u8>) -> Outcome<Self> {
        let mut case = Self::fixture(id);
        case.evidence.crl = crl;
        case.policy = ReleasePolicy::from_json(policy)?;
        case.floors = TcbFloors::shipped()?;
        case.now_ms = JULY_2026_MS;
        Ok(case)
    }

    /// Under a policy and floors of its own.
    fn fixture(id: &'static str) -> Self {
        let genuine = Genuine::load(id);
        Self {
            id,
            evidence: genuine.evidence,
            policy: genuine.policy,
            floors: genuine.floors,
            report_data: genuine.report_data,
            now_ms: genuine.now_ms,
        }
    }

    fn appraise(&self) -> Outcome<usize> {
        let verdict = appraise(
            &Amd,
            &self.evidence,
            &self.policy,
            &self.floors,
            &self.report_data,
            self.now_ms,
        )?;
        Ok(verdict.rows().len())
    }
}

/// What `sev` reads of the same files.
struct Others {
    chain: Chain,
    report: AttestationReport,
}

impl Others {
    fn parse(evidence: &Evidence) -> Outcome<Self> {
        Ok(Self {
            chain: Chain::from_der(&evidence.ark, &evidence.ask, &evidence.vcek)?,
            report: AttestationReport::from_bytes(&evidence.report)?,
        })
    }

    fn verify(&self) -> Outcome<()> {
        Ok((&self.chain, &self.report).verify()?)
    }
}

/// All signatures below one root as ring verifies them, without anything around them.
struct Primitives<'a> {
    rsa: Vec<(&'a [u8], &'a [u8], &'a [u8])>,
    p384: (&'a [u8], [u8; 672], [u8; 96]),
}

impl<'a> Primitives<'a> {
    fn of(evidence: &'a Evidence) -> Outcome<Self> {
        let root = Certificate::parse(&evidence.ark)?;
        let intermediate = Certificate::parse(&evidence.ask)?;
        let leaf = Certificate::parse(&evidence.vcek)?;
        let report = Report::parse(&evidence.report)?;
        let (PublicKey::Rsa4096(ark), PublicKey::Rsa4096(ask), PublicKey::P384(vcek)) =
            (*root.key(), *intermediate.key(), *leaf.key())
        else {
            return Err("a key of another kind".into());
        };
        let mut rsa = vec![
            (ark, root.signed(), root.signature()),
            (ark, intermediate.signed(), intermediate.signature()),
            (ask, leaf.signed(), leaf.signature()),
        ];
        if !evidence.crl.is_empty() {
            let list = Crl::parse(&evidence.crl)?;
            rsa.push((ark, list.signed(), list.signature()));
        }
        Ok(Self {
            rsa,
            p384: (vcek, *report.signed(), *report.signature()),
        })
    }

    fn verify_rsa(&self) -> Outcome<()> {
        for (key, signed, signature) in &self.rsa {
            UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA384, key)
                .verify(signed, signature)
                .map_err(|_unspecified| "ring refuses a certificate")?;
        }
        Ok(())
    }

    fn verify_p384(&self) -> Outcome<()> {
        let (key, signed, signature) = &self.p384;
        UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, key)
            .verify(signed, signature)
            .map_err(|_unspecified| "ring refuses the report".into())
    }
}

fn parse_ours(evidence: &Evidence) -> Outcome<usize> {
    let report = Report::parse(&evidence.report)?;
    let mut size = report.signed().len();
    for der in [&evidence.ark, &evidence.ask, &evidence.vcek] {
        size += Certificate::parse(der)?.der().len();
    }
    if !evidence.crl.is_empty() {
        size += Crl::parse(&evidence.crl)?.signed().len();
    }
    Ok(size)
}

impl Case {
    /// Times everything in turn, sample by sample, so that a slow moment of the machine meets all alike.
    fn compare(&self) -> Outcome<()> {
        let primitives = Primitives::of(&self.evidence)?;
        let others = Others::parse(&self.evidence)?;
        let mut series: [Series; 7] = Default::default();
        for sample in 0..WARM_UP + SAMPLES {
            let spent = [
                time(|| self.appraise())?,
                time(|| parse_ours(&self.evidence))?,
                time(|| primitives.verify_rsa())?,
                time(|| primitives.verify_p384())?,
                time(|| Others::parse(&self.evidence)?.verify())?,
                time(|| Others::parse(&self.evidence).map(|_| ()))?,
                time(|| others.verify())?,
            ];
            for (series, spent) in series.iter_mut().zip(spent) {
                if sample >= WARM_UP {
                    series.0.push(spent);
                }
            }
        }
        self.print(&mut series)
    }

    fn print(&self, series: &mut [Series; 7]) -> Outcome<()> {
        let rsa = 3 + usize::from(!self.evidence.crl.is_empty());
        println!("\n{}: accepted, {} checks", self.id, self.appraise()?);
        let names = [
            "chancery: whole appraisal".to_owned(),
            "chancery: parsing alone".to_owned(),
            format!("ring: {rsa} RSA-4096-PSS signatures"),
            "ring: 1 ECDSA P-384 signature".to_owned(),
            "sev 8.0.0: parsing and three checks".to_owned(),
            "sev 8.0.0: parsing alone".to_owned(),
            "sev 8.0.0: three checks alone".to_owned(),
        ];
        for (name, series) in names.iter().zip(series.iter_mut()) {
            series.0.sort_unstable();
            println!("  {name:<36} {series}");
        }
        let [ours, .., others, _, _] = &*series;
        let ratio = others.median().as_secs_f64() / ours.median().as_secs_f64();
        println!("  sev takes {ratio:.2} times as long");
        let goal = if ours.median() < GOAL {
            "met"
        } else {
            "MISSED"
        };
        println!("  goal of less than {} us: {goal}", GOAL.as_micros());
        Ok(())
    }
}

fn time<T>(work: impl FnOnce() -> Outcome<T>) -> Outcome<Duration> {
    let start = Instant::now();
    black_box(work()?);
    Ok(start.elapsed())
}

/// Durations, sorted before they are shown.
#[derive(Default)]
struct Series(Vec<Duration>);

impl Series {
    fn percentile(&self, percent: usize) -> Duration {
        let last = self.0.len().saturating_sub(1);
        self.0
            .get(last * percent / 100)
            .copied()
            .unwrap_or_default()
    }

    fn median(&self) -> Duration {
        self.percentile(50)
    }
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [low, median, high] =
            [10, 50, 90].map(|percent| self.percentile(percent).as_secs_f64() * 1e6);
        write!(f, "{median:>8.1}  ({low:.1} to {high:.1})")
    }
}
