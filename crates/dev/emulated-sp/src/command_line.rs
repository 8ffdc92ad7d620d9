//! The words of the program.

use std::ffi::OsString;
use std::path::PathBuf;

use chancery_emulated_sp::{
    CertificateForm, EmulatedProduct, KernelRequest, LaunchTerms, PlatformLevel, TableContents,
    TrailerEncoding, parse_firmware,
};
use chancery_evidence::FirmwareVersion;
use chancery_measurement::VcpuSignature;
use clap::{Args, Parser, Subcommand};

#[derive(Parser)]
#[command(
    name = "chancery-emulated-sp",
    about = "An emulated AMD secure processor. It protects nothing."
)]
pub(crate) struct CommandLine {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Print what a report of the program will say, as JSON.
    Identity(ProgramTarget),
    /// Measure the program, run it as a child, and be its secure processor.
    Launch {
        #[command(flatten)]
        target: ProgramTarget,
        /// End, as on SIGTERM, when standard input ends: whoever holds the other end can then not be outlived.
        #[arg(long)]
        watch_stdin: bool,
        /// Arguments of the program, after `--`. They are not measured.
        #[arg(last = true)]
        arguments: Vec<OsString>,
    },
    /// Measure a virtual machine as QEMU launches it and print what its reports will say, as JSON. With --report-data, launch it and
    /// write a report of it.
    MeasureGuest(Box<MachineTarget>),
    /// Show or change the platform under the guests. Running guests meet a change at their next request.
    Platform {
        #[command(subcommand)]
        act: PlatformAct,
    },
}

/// A chip and the terms of a launch on it.
#[derive(Args)]
pub(crate) struct Processor {
    /// Folder with the chip's secrets; made the first time.
    #[arg(long)]
    pub(crate) state: PathBuf,
    /// The product to emulate: genoa (default) or turin. Fixed once the state folder is made.
    #[arg(long, value_parser = parse_product)]
    pub(crate) product: Option<EmulatedProduct>,
    /// The firmware level to begin with, such as genoa-1.55.40 (reports of version 3) or turin-1.58.3. Changed by `platform
    /// update` alone once the state folder is made.
    #[arg(long, value_parser = parse_level)]
    pub(crate) level: Option<(EmulatedProduct, PlatformLevel)>,
    /// Guest policy, such as 0x30000; the strictest one if absent.
    #[arg(long, value_parser = parse_bits)]
    policy: Option<u64>,
    /// ID block, 96 bytes: the launch is refused if it differs.
    #[arg(long, requires = "id_auth")]
    id_block: Option<PathBuf>,
    /// ID authentication, 4096 bytes.
    #[arg(long, requires = "id_block")]
    id_auth: Option<PathBuf>,
}

impl Processor {
    pub(crate) fn terms(&self) -> LaunchTerms {
        LaunchTerms {
            policy: self.policy,
            id_block: self.id_block.clone().zip(self.id_auth.clone()),
        }
    }
}

#[derive(Args)]
pub(crate) struct ProgramTarget {
    #[command(flatten)]
    pub(crate) processor: Processor,
    /// The program.
    #[arg(long)]
    pub(crate) runtime: PathBuf,
    /// Its configuration, whose SHA-256 becomes HOST_DATA.
    #[arg(long)]
    pub(crate) configuration: PathBuf,
}

#[derive(Args)]
pub(crate) struct MachineTarget {
    #[command(flatten)]
    pub(crate) processor: Processor,
    /// The firmware.
    #[arg(long)]
    pub(crate) ovmf: PathBuf,
    /// A kernel that the firmware boots and measures.
    #[arg(long)]
    kernel: Option<PathBuf>,
    /// The kernel's initial filesystem.
    #[arg(long, requires = "kernel")]
    initrd: Option<PathBuf>,
    /// The kernel's command line.
    #[arg(long, requires = "kernel", allow_hyphen_values = true)]
    append: Option<String>,
    /// Number of processors.
    #[arg(long, default_value_t = 1)]
    pub(crate) vcpus: u32,
    /// QEMU's name of the processor model.
    #[arg(long, default_value = "EPYC-v4", value_parser = parse_model)]
    pub(crate) vcpu_type: VcpuSignature,
    /// SEV_FEATURES: 0x1 with QEMU on Linux 6.8 and later.
    #[arg(long, default_value = "0x1", value_parser = parse_bits)]
    pub(crate) guest_features: u64,
    /// The configuration, whose SHA-256 becomes HOST_DATA; zeros without one.
    #[arg(long)]
    pub(crate) configuration: Option<PathBuf>,
    /// Launch the machine and ask for a report over these 64 bytes, in hex.
    #[arg(long, requires = "report", value_parser = parse_report_data)]
    pub(crate) report_data: Option<[u8; 64]>,
    /// Where the report is written.
    #[arg(long, requires = "report_data")]
    pub(crate) report: Option<PathBuf>,
    /// Where the host's certificate table is written.
    #[arg(long, requires = "report")]
    pub(crate) certificates: Option<PathBuf>,
}

impl MachineTarget {
    pub(crate) fn kernel(&self) -> Option<KernelRequest> {
        self.kernel.clone().map(|kernel| KernelRequest {
            kernel,
            initrd: self.initrd.clone(),
            append: self.append.clone(),
        })
    }
}

#[derive(Args)]
pub(crate) struct State {
    /// Folder with the chip's secrets.
    #[arg(long)]
    pub(crate) state: PathBuf,
}

/// Each prints the platform as it is afterwards, as JSON.
#[derive(Subcommand)]
pub(crate) enum PlatformAct {
    /// Print the platform.
    Show(State),
    /// Install firmware (DOWNLOAD_FIRMWARE_EX). It is provisional: what is reported stays until `commit`.
    Update(Update),
    /// Commit the firmware that runs, and report it (SNP_COMMIT). There is no way back.
    Commit(State),
    /// Set the reported TCB, at most the committed one (SNP_CONFIG).
    SetReported {
        #[command(flatten)]
        state: State,
        /// The TCB, such as 10.0.26.88 (boot loader, TEE, SNP, microcode) on Genoa and 1.3.2.4.97 (FMC first) on Turin.
        #[arg(long)]
        tcb: String,
    },
    /// Select which certificates the host keeps and how they are written: in its table, and the trailer field in signatures of
    /// leaves.
    SetCertificates {
        #[command(flatten)]
        state: State,
        /// all, without-crl or nothing.
        #[arg(long, value_parser = parse_contents)]
        contents: Option<TableContents>,
        /// der or pem.
        #[arg(long, value_parser = parse_form)]
        form: Option<CertificateForm>,
        /// explicit, as AMD did until 2024, or omitted, as since.
        #[arg(long, value_parser = parse_trailer)]
        leaf_trailer: Option<TrailerEncoding>,
    },
    /// Put the intermediate certificate on the root's revocation list, for ever.
    RevokeAsk(State),
    /// Break the message channel of every running guest, as when its kernel wipes the message key (VMPCK). Later launches work.
    FailChannels(State),
    /// Let the host put off every guest request.
    Throttle(State),
    /// End that.
    Unthrottle(State),
}

/// What is not named stays as it is.
#[derive(Args)]
pub(crate) struct Update {
    #[command(flatten)]
    pub(crate) state: State,
    /// A level with a name, such as genoa-1.55.49.
    #[arg(long, value_parser = parse_level)]
    pub(crate) level: Option<(EmulatedProduct, PlatformLevel)>,
    /// The TCB, as for `set-reported`.
    #[arg(long)]
    pub(crate) tcb: Option<String>,
    /// The firmware version, such as 1.55.49.
    #[arg(long, value_parser = parse_version)]
    pub(crate) firmware: Option<FirmwareVersion>,
    /// The report version that the firmware writes: 3 or 5.
    #[arg(long)]
    pub(crate) report_version: Option<u32>,
    /// Mitigations that the firmware verified, such as 0x1b.
    #[arg(long, value_parser = parse_bits)]
    pub(crate) mitigation_vector: Option<u64>,
    /// PLATFORM_INFO, such as 0x65 (SMT on).
    #[arg(long, value_parser = parse_bits)]
    pub(crate) platform_info: Option<u64>,
    /// Commit it at once.
    #[arg(long)]
    pub(crate) commit: bool,
}

fn parse_product(word: &str) -> Result<EmulatedProduct, String> {
    EmulatedProduct::from_word(word).ok_or_else(|| "genoa or turin".to_owned())
}

fn parse_level(word: &str) -> Result<(EmulatedProduct, PlatformLevel), String> {
    PlatformLevel::from_word(word).ok_or_else(|| {
        let words: Vec<&str> = PlatformLevel::words().collect();
        format!("one of {}", words.join(", "))
    })
}

fn parse_contents(word: &str) -> Result<TableContents, String> {
    TableContents::from_word(word).ok_or_else(|| "all, without-crl or nothing".to_owned())
}

fn parse_form(word: &str) -> Result<CertificateForm, String> {
    CertificateForm::from_word(word).ok_or_else(|| "der or pem".to_owned())
}

fn parse_trailer(word: &str) -> Result<TrailerEncoding, String> {
    TrailerEncoding::from_word(word).ok_or_else(|| "explicit or omitted".to_owned())
}

fn parse_version(text: &str) -> Result<FirmwareVersion, String> {
    parse_firmware(text).ok_or_else(|| "such as 1.55.49".to_owned())
}

fn parse_model(name: &str) -> Result<VcpuSignature, String> {
    VcpuSignature::of_qemu_model(name).ok_or_else(|| "no model of QEMU's with SNP".to_owned())
}

fn parse_report_data(text: &str) -> Result<[u8; 64], String> {
    let mut bytes = [0; 64];
    hex::decode_to_slice(text, &mut bytes).map_err(|error| error.to_string())?;
    Ok(bytes)
}

fn parse_bits(text: &str) -> Result<u64, String> {
    let digits = text.strip_prefix("0x").ok_or("begins with 0x")?;
    u64::from_str_radix(digits, 16).map_err(|error| error.to_string())
}
