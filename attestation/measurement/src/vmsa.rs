//! The initial register state of a processor: VMSA, AMD64 APM volume 2, table B-4, as QEMU with KVM, EC2 and GCE fill it.

use core::fmt;

use crate::chain::PAGE_SIZE;
use crate::launch::Hypervisor;

/// Where the boot processor begins: the x86 reset vector.
const RESET_VECTOR: u32 = 0xffff_fff0;

/// RDX after reset as EC2 and GCE leave it.
const RDX_RESET: u64 = 0x600;

/// The CPUID signature (function 1, EAX) of the processor model that the guest is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VcpuSignature(u32);

impl VcpuSignature {
    /// Takes a signature as CPUID function 1 returns it in EAX.
    #[must_use]
    pub const fn new(eax: u32) -> Self {
        Self(eax)
    }

    /// The signature of a QEMU processor model, such as `EPYC-v4`; `None` for an unknown name.
    ///
    /// The models are QEMU's `builtin_x86_defs`; versions of one model share its signature.
    #[must_use]
    pub fn of_qemu_model(name: &str) -> Option<Self> {
        let signature = match name {
            "EPYC" | "EPYC-v1" | "EPYC-v2" | "EPYC-IBPB" | "EPYC-v3" | "EPYC-v4" => 0x0080_0f12,
            "EPYC-Rome" | "EPYC-Rome-v1" | "EPYC-Rome-v2" | "EPYC-Rome-v3" => 0x0083_0f10,
            "EPYC-Milan" | "EPYC-Milan-v1" | "EPYC-Milan-v2" => 0x00a0_0f11,
            "EPYC-Genoa" | "EPYC-Genoa-v1" => 0x00a1_0f10,
            "EPYC-Turin" => 0x00b0_0f00,
            _ => return None,
        };
        Some(Self(signature))
    }
}

/// The page of one processor's initial registers.
#[derive(Clone)]
pub struct Vmsa {
    page: [u8; PAGE_SIZE],
}

impl fmt::Debug for Vmsa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vmsa").finish_non_exhaustive()
    }
}

/// What differs between hypervisors.
struct Flavour {
    cs_attributes: u16,
    ss_attributes: u16,
    tr_attributes: u16,
    g_pat: u64,
    rdx: u64,
    mxcsr: u32,
    fcw: u16,
}

impl Flavour {
    fn of(hypervisor: Hypervisor, signature: VcpuSignature, entry: u32) -> Self {
        let qemu = Self {
            cs_attributes: 0x9b,
            ss_attributes: 0x93,
            tr_attributes: 0x8b,
            g_pat: 0x0007_0406_0007_0406,
            rdx: u64::from(signature.0),
            mxcsr: 0x1f80,
            fcw: 0x37f,
        };
        match hypervisor {
            Hypervisor::Qemu => qemu,
            Hypervisor::Ec2 => Self {
                cs_attributes: if entry == RESET_VECTOR { 0x9a } else { 0x9b },
                ss_attributes: 0x92,
                tr_attributes: 0x83,
                rdx: RDX_RESET,
                mxcsr: 0,
                fcw: 0,
                ..qemu
            },
            Hypervisor::Gce => Self {
                g_pat: 0x0007_0106,
                rdx: RDX_RESET,
                mxcsr: 0,
                fcw: 0,
                ..qemu
            },
        }
    }
}

impl Vmsa {
    /// The state of the boot processor.
    #[must_use]
    pub fn boot_processor(
        hypervisor: Hypervisor,
        signature: VcpuSignature,
        guest_features: u64,
    ) -> Self {
        Self::at(RESET_VECTOR, hypervisor, signature, guest_features)
    }

    /// The state of a further processor, which begins at `reset_address` (the firmware's SEV-ES reset block).
    #[must_use]
    pub fn application_processor(
        reset_address: u32,
        hypervisor: Hypervisor,
        signature: VcpuSignature,
        guest_features: u64,
    ) -> Self {
        Self::at(reset_address, hypervisor, signature, guest_features)
    }

    fn at(entry: u32, hypervisor: Hypervisor, signature: VcpuSignature, features: u64) -> Self {
        let flavour = Flavour::of(hypervisor, signature, entry);
        let mut vmsa = Self {
            page: [0; PAGE_SIZE],
        };
        let code_base = u64::from(entry & 0xffff_0000);
        vmsa.segment(0x00, 0, 0x93, 0); // ES
        vmsa.segment(0x10, 0xf000, flavour.cs_attributes, code_base);
        vmsa.segment(0x20, 0, flavour.ss_attributes, 0);
        vmsa.segment(0x30, 0, 0x93, 0); // DS
        vmsa.segment(0x40, 0, 0x93, 0); // FS
        vmsa.segment(0x50, 0, 0x93, 0); // GS
        vmsa.segment(0x60, 0, 0, 0); // GDTR
        vmsa.segment(0x70, 0, 0x82, 0); // LDTR
        vmsa.segment(0x80, 0, 0, 0); // IDTR
        vmsa.segment(0x90, 0, flavour.tr_attributes, 0);
        vmsa.quad(0x0d0, 0x1000); // EFER: SVME, which KVM sets
        vmsa.quad(0x148, 0x40); // CR4: MCE, which KVM sets
        vmsa.quad(0x158, 0x10); // CR0
        vmsa.quad(0x160, 0x400); // DR7
        vmsa.quad(0x168, 0xffff_0ff0); // DR6
        vmsa.quad(0x170, 0x2); // RFLAGS
        vmsa.quad(0x178, u64::from(entry & 0xffff)); // RIP
        vmsa.quad(0x268, flavour.g_pat);
        vmsa.quad(0x310, flavour.rdx);
        vmsa.quad(0x3b0, features); // SEV_FEATURES
        vmsa.quad(0x3e8, 0x1); // XCR0
        vmsa.put(0x408, &flavour.mxcsr.to_le_bytes());
        vmsa.put(0x410, &flavour.fcw.to_le_bytes());
        vmsa
    }

    /// The same state with RSI set, for the process-mode layout.
    pub(crate) fn with_rsi(mut self, rsi: u64) -> Self {
        self.quad(0x330, rsi);
        self
    }

    /// The page as it is measured.
    #[must_use]
    pub const fn page(&self) -> &[u8; PAGE_SIZE] {
        &self.page
    }

    /// A real-mode segment with a 64 KiB limit.
    fn segment(&mut self, offset: usize, selector: u16, attributes: u16, base: u64) {
        let [s0, s1] = selector.to_le_bytes();
        let [a0, a1] = attributes.to_le_bytes();
        let [l0, l1, l2, l3] = 0xffff_u32.to_le_bytes();
        let [b0, b1, b2, b3, b4, b5, b6, b7] = base.to_le_bytes();
        self.put(
            offset,
            &[
                s0, s1, a0, a1, l0, l1, l2, l3, b0, b1, b2, b3, b4, b5, b6, b7,
            ],
        );
    }

    fn quad(&mut self, offset: usize, value: u64) {
        self.put(offset, &value.to_le_bytes());
    }

    fn put(&mut self, offset: usize, bytes: &[u8]) {
        for (slot, byte) in self.page.iter_mut().skip(offset).zip(bytes) {
            *slot = *byte;
        }
    }
}
