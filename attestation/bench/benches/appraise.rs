//! One whole appraisal of genuine evidence, and beside it in the same run the three checks of the `sev` crate.
//!
//! Ours: format of the report, exactly the chain with names, extensions and dates, four or five signatures, the revocation list where
//! there is one, binding of leaf and report, the whole release policy and the firmware floors, with a row for each check.
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
use chancery_evidence::GuestPolicy;
use chancery_evidence::ProductLine;
use chancery_evidence::PublicKey;
use chancery_evidence::Report;
use chancery_evidence::ReportFields;
use chancery_evidence::VekKind;
use chancery_verify::Amd;
use chancery_verify::CrlNumbers;
use chancery_verify::Evidence;
use chancery_verify::Floor;
use chancery_verify::FloorRule;
use chancery_verify::Processors;
use chancery_verify::Release;
use chancery_verify::ReleasePolicy;
use chancery_verify::TcbFloors;
use chancery_verify::amd_chain;
use chancery_verify::appraise;
use ring::signature::ECDSA_P384_SHA384_FIXED;
use ring::signature::RSA_PSS_2048_8192_SHA384;
use ring::signature::UnparsedPublicKey;
use sev::certs::snp::Chain;
use sev::certs::snp::Verifiable;
use sev::firmware::guest::AttestationReport;
use sev::parser::ByteParser;

type Outcome<T> = Result<T, Box<dyn Error>>;

macro_rules! vector {
    ($($path:literal),+) => {
        include_bytes!(concat!("../../vectors/", $($path),+)).as_slice()
    };
}

macro_rules! case {
    ($id:literal, $line:ident, $floors:ident, $crl:expr) => {
        Case::new(
            $id,
            ProductLine::$line,
            vector!("reports/", $id, "/report.bin"),
            vector!("reports/", $id, "/vek.der"),
            Floors::$floors,
            $crl,
        )
    };
}

/// Samples of each thing that is timed.
const SAMPLES: usize = 501;
/// Samples before the first that counts.
const WARM_UP: usize = 20;
/// The goal of a whole appraisal.
const GOAL: Duration = Duration::from_millis(1);

/// 2026-07-01T00:00:00Z, when Milan's list was current.
const JULY_2026_MS: u64 = 1_782_864_000_000;

fn main() -> Outcome<()> {
    let milan_list = vector!("crls/milan-2026-06-22.crl.der");
    let cases = [
        case!("turin-v5-vcek-02", Turin, Shipped, None)?,
        case!("genoa-v5-vcek-01-oak", Genoa, Own, None)?,
        case!("milan-v5-vcek-01-gcp", Milan, Own, Some(milan_list))?,
    ];
    println!("medians of {SAMPLES}, with the 10th and 90th percentile, in microseconds");
    for case in &cases {
        case.compare()?;
    }
    Ok(())
}

/// Which floors a report is held against.
enum Floors {
    /// Those of this version of the program.
    Shipped,
    /// At the report's own level, because its firmware is older than the shipped ones ask for.
    Own,
}

fn own_floors(fields: &ReportFields, line: ProductLine) -> Option<TcbFloors> {
    let vectors = fields.version.mitigation();
    let rule = FloorRule {
        name: "own".to_owned(),
        line,
        processors: Processors::only(fields.version.cpuid()?),
        floor: Floor {
            tcb: fields.reported_tcb.components(line)?,
            firmware: fields.committed_firmware,
            mitigation_required: vectors.map_or(0, |vectors| vectors.launch),
        },
        sources: Vec::new(),
    };
    Some(TcbFloors {
        version: 1,
        issued_ms: 0,
        expires_ms: u64::MAX,
        crl_numbers_min: CrlNumbers::ANY,
        rules: vec![rule],
    })
}

/// Genuine evidence and a policy that names exactly it.
struct Case {
    id: &'static str,
    evidence: Evidence,
    policy: ReleasePolicy,
    floors: TcbFloors,
    report_data: [u8; 64],
    now_ms: u64,
}

impl Case {
    /// The strictest policy that the report meets; what it lacks is opened by `dangerous_` fields and shown.
    fn new(
        id: &'static str,
        line: ProductLine,
        report: &[u8],
        vcek: &[u8],
        floors: Floors,
        crl: Option<&[u8]>,
    ) -> Outcome<Self> {
        let parsed = Report::parse(report)?;
        let fields = parsed.fields();
        let mut policy = ReleasePolicy::baseline(1, 0, u64::MAX);
        policy.releases = vec![Release {
            id: id.to_owned(),
            version: "1".to_owned(),
            measurement: fields.measurement,
        }];
        policy.host_data = vec![fields.host_data];
        policy.chip_ids = vec![fields.chip_id];
        policy.products = vec![line];
        policy.guest_policy.forbidden &= !(fields.policy.bits() & GuestPolicy::SMT);
        policy.platform_info.required &= fields.platform_info.bits();
        policy.dangerous_allow_unchecked_aliases = true;
        policy.dangerous_allow_milan = line == ProductLine::Milan;
        policy.dangerous_allow_unchecked_revocation = crl.is_none();
        let chain = amd_chain(line, VekKind::Vcek);
        let shipped = TcbFloors::shipped()?;
        // A genuine list is older than the shipped floors; the appraisal is then of the list's time.
        let now_ms = match crl {
            Some(_) => JULY_2026_MS,
            None => shipped.issued_ms,
        };
        let floors = match floors {
            Floors::Shipped => shipped,
            Floors::Own => own_floors(fields, line).ok_or("it names no processor")?,
        };
        let case = Self {
            id,
            evidence: Evidence {
                report: report.to_vec(),
                vcek: vcek.to_vec(),
                ask: chain.intermediate.to_vec(),
                ark: chain.root.to_vec(),
                crl: crl.unwrap_or_default().to_vec(),
            },
            policy,
            floors,
            report_data: fields.report_data,
            now_ms,
        };
        case.appraise().map_err(|error| format!("{id}: {error}"))?;
        Ok(case)
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

/// The signatures of one appraisal as ring verifies them, without anything around them.
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
