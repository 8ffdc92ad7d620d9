//! Every launch-digest vector, then the same parts spoiled.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::fs;
use std::path::{Path, PathBuf};

use chancery_measurement::{
    Firmware, Hypervisor, IdBlock, IdKeys, KernelHashes, LaunchDigest, LaunchShape,
    MeasurementError, Section, SectionKind, VcpuSignature, launch_digest,
};
use serde_json::Value;

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors/launch-digest")
}

fn read(name: &str) -> Vec<u8> {
    let bytes = fs::read(vectors().join(name)).unwrap();
    if !name.ends_with(".xz") {
        return bytes;
    }
    let mut out = Vec::new();
    lzma_rs::xz_decompress(&mut &bytes[..], &mut out).unwrap();
    out
}

fn cases() -> Value {
    serde_json::from_slice(&read("cases.json")).unwrap()
}

fn number(value: &Value) -> u64 {
    let text = value.as_str().unwrap().strip_prefix("0x").unwrap();
    u64::from_str_radix(text, 16).unwrap()
}

fn hypervisor(case: &Value) -> Hypervisor {
    match case["vmm"].as_str().unwrap() {
        "qemu" => Hypervisor::Qemu,
        "ec2" => Hypervisor::Ec2,
        "gce" => Hypervisor::Gce,
        other => panic!("{other}"),
    }
}

fn digest_of(case: &Value) -> Result<LaunchDigest, MeasurementError> {
    let firmware = Firmware::parse(&read(case["ovmf"].as_str().unwrap()))?;
    let kernel = case["kernel"].as_str().map(|kernel| {
        let initrd = case["initrd"].as_str().map(read);
        KernelHashes::of(&read(kernel), initrd.as_deref(), case["append"].as_str())
    });
    let signature = match case["vcpu_type"].as_str() {
        Some(model) => {
            let signature = VcpuSignature::of_qemu_model(model).unwrap();
            let expected = u32::try_from(number(&case["vcpu_sig"])).unwrap();
            assert_eq!(signature, VcpuSignature::new(expected));
            signature
        }
        None => VcpuSignature::new(0),
    };
    let vcpus = u32::try_from(case["vcpus"].as_u64().unwrap()).unwrap();
    let features = number(&case["guest_features"]);
    let shape = LaunchShape::new(hypervisor(case), vcpus, signature, features)?;
    launch_digest(&firmware, kernel.as_ref(), &shape)
}

#[test]
fn every_published_digest_is_reproduced() {
    let cases = cases();
    let mut reproduced = 0;
    for case in cases["cases"].as_array().unwrap() {
        if case["inputs"].is_object() {
            continue; // the next test
        }
        let id = case["id"].as_str().unwrap();
        match case["expect_digest"].as_str() {
            Some(expected) => assert_eq!(digest_of(case).unwrap().to_string(), expected, "{id}"),
            None => assert_eq!(
                digest_of(case),
                Err(MeasurementError::KernelHashesUnsupported),
                "{id}"
            ),
        }
        reproduced += 1;
    }
    assert_eq!(reproduced, 21);
}

#[test]
fn firmware_metadata_is_read_as_published() {
    for (name, expected) in cases()["firmware"].as_object().unwrap() {
        let firmware = Firmware::parse(&read(name)).unwrap();
        assert_eq!(
            firmware.pages_digest().to_string(),
            expected["ovmf_hash_after_firmware_pages"].as_str().unwrap()
        );
        let hash_table = firmware.hash_table_gpa().filter(|gpa| *gpa != 0);
        match expected["sev_hashes_table_gpa"].as_str() {
            Some(_) => assert_eq!(
                hash_table.map(u64::from),
                Some(number(&expected["sev_hashes_table_gpa"]))
            ),
            None => assert_eq!(hash_table, None),
        }
        assert_eq!(
            firmware.reset_address().map(u64::from),
            Some(number(&expected["sev_es_reset_eip"]))
        );
        let sections: Vec<(u64, u64, SectionKind)> = expected["sections"]
            .as_array()
            .unwrap()
            .iter()
            .map(|s| {
                let kind = u32::try_from(s["type"].as_u64().unwrap()).unwrap();
                let kind = SectionKind::from_code(kind).unwrap();
                (number(&s["gpa"]), number(&s["size"]) / 4096, kind)
            })
            .collect();
        let read: Vec<_> = firmware
            .sections()
            .iter()
            .map(|s| (s.gpa(), s.pages(), s.kind()))
            .collect();
        assert_eq!(read, sections, "{name}");
    }
}

#[test]
fn a_genuine_milan_measurement_is_reproduced_from_its_published_parts() {
    let cases = cases();
    let case = cases["cases"]
        .as_array()
        .unwrap()
        .iter()
        .find(|case| case["id"] == "hw-milan-dstack")
        .unwrap();
    let inputs = &case["inputs"];
    let word = |value: &Value| u32::try_from(value.as_u64().unwrap()).unwrap();
    let hash = |name: &str| -> [u8; 32] {
        hex::decode(inputs[name].as_str().unwrap())
            .unwrap()
            .try_into()
            .unwrap()
    };
    let sections = inputs["ovmf_sections"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| {
            let kind = SectionKind::from_code(word(&s["section_type"])).unwrap();
            Section::new(kind, word(&s["gpa"]), word(&s["size"])).unwrap()
        })
        .collect();
    let pages = hex::decode(inputs["ovmf_hash"].as_str().unwrap()).unwrap();
    let firmware = Firmware::from_parts(
        LaunchDigest::new(pages.try_into().unwrap()),
        sections,
        Some(word(&inputs["sev_hashes_table_gpa"])),
        Some(word(&inputs["sev_es_reset_eip"])),
    )
    .unwrap();
    let kernel = KernelHashes::from_hashes(
        hash("kernel_hash"),
        hash("initrd_hash"),
        inputs["base_cmdline"].as_str(),
    );
    let shape = LaunchShape::new(
        Hypervisor::Qemu,
        word(&inputs["vcpus"]),
        VcpuSignature::of_qemu_model(inputs["vcpu_type"].as_str().unwrap()).unwrap(),
        inputs["guest_features"].as_u64().unwrap(),
    )
    .unwrap();
    assert_eq!(
        launch_digest(&firmware, Some(&kernel), &shape)
            .unwrap()
            .to_string(),
        case["expect_digest"].as_str().unwrap()
    );
}

fn amd_sev() -> Vec<u8> {
    read("ovmf/ovmf_AmdSev_suffix.bin")
}

#[test]
fn refuses_firmware_of_a_bad_size() {
    let image = amd_sev();
    for spoiled in [&image[..0], &image[..4095], &image[1..]] {
        assert_eq!(
            Firmware::parse(spoiled),
            Err(MeasurementError::FirmwareSize)
        );
    }
    let mut long = vec![0; 64 * 1024 * 1024];
    long.extend_from_slice(&image);
    assert_eq!(Firmware::parse(&long), Err(MeasurementError::FirmwareSize));
}

#[test]
fn refuses_firmware_without_a_table_and_with_a_broken_one() {
    let image = amd_sev();
    let mut no_table = image.clone();
    no_table[4096 - 33] ^= 1;
    assert_eq!(
        Firmware::parse(&no_table),
        Err(MeasurementError::FooterMissing)
    );
    let mut table_beyond_image = image.clone();
    table_beyond_image[4096 - 50..4096 - 48].copy_from_slice(&0xffff_u16.to_le_bytes());
    assert_eq!(
        Firmware::parse(&table_beyond_image),
        Err(MeasurementError::FooterMalformed)
    );
    let mut table_shorter_than_its_header = image;
    table_shorter_than_its_header[4096 - 50..4096 - 48].copy_from_slice(&17_u16.to_le_bytes());
    assert_eq!(
        Firmware::parse(&table_shorter_than_its_header),
        Err(MeasurementError::FooterMalformed)
    );
}

fn metadata_start(image: &[u8]) -> usize {
    image
        .windows(4)
        .position(|window| window == b"ASEV")
        .unwrap()
}

#[test]
fn refuses_spoiled_metadata() {
    let image = amd_sev();
    let start = metadata_start(&image);
    let word = |at: usize, value: u32| {
        let mut spoiled = image.clone();
        spoiled[start + at..start + at + 4].copy_from_slice(&value.to_le_bytes());
        Firmware::parse(&spoiled)
    };
    let malformed = Err(MeasurementError::MetadataMalformed);
    assert_eq!(word(0, 0), malformed, "signature");
    assert_eq!(word(4, 1), malformed, "size");
    assert_eq!(word(8, 2), malformed, "version");
    assert_eq!(word(12, 6), malformed, "count");
    assert_eq!(word(12, u32::MAX), malformed, "count");
    assert_eq!(word(16, 0x0080_0001), Err(MeasurementError::SectionRange));
    assert_eq!(word(20, 0), Err(MeasurementError::SectionRange));
    assert_eq!(word(20, 0xffff_f000), Err(MeasurementError::SectionRange));
    assert_eq!(
        word(24, 5),
        Err(MeasurementError::UnknownSection { kind: 5 })
    );
}

#[test]
fn any_changed_byte_of_the_image_changes_the_digest_or_is_refused() {
    let image = amd_sev();
    let original = Firmware::parse(&image).unwrap().pages_digest();
    for at in 0..image.len() {
        let mut spoiled = image.clone();
        spoiled[at] ^= 0x80;
        if let Ok(firmware) = Firmware::parse(&spoiled) {
            assert_ne!(firmware.pages_digest(), original, "byte {at}");
        }
    }
}

#[test]
fn refuses_a_kernel_hash_table_outside_its_section() {
    let section = |gpa| Section::new(SectionKind::KernelHashes, gpa, 0x1000).unwrap();
    let firmware = |table| {
        let pages = LaunchDigest::new([0; 48]);
        Firmware::from_parts(pages, vec![section(0x81_0000)], table, None).unwrap()
    };
    let shape = LaunchShape::new(Hypervisor::Qemu, 1, VcpuSignature::new(0), 1).unwrap();
    let kernel = KernelHashes::of(b"kernel", None, None);
    assert!(launch_digest(&firmware(Some(0x81_0c00)), Some(&kernel), &shape).is_ok());
    assert_eq!(
        launch_digest(&firmware(Some(0x81_1c00)), Some(&kernel), &shape),
        Err(MeasurementError::KernelHashesRange)
    );
    assert_eq!(
        launch_digest(&firmware(None), Some(&kernel), &shape),
        Err(MeasurementError::KernelHashesUnsupported)
    );
}

#[test]
fn refuses_no_processor_too_many_and_a_second_one_without_a_reset_address() {
    let shape = |vcpus| LaunchShape::new(Hypervisor::Qemu, vcpus, VcpuSignature::new(0), 1);
    assert_eq!(shape(0), Err(MeasurementError::VcpuCount));
    assert_eq!(shape(4097), Err(MeasurementError::VcpuCount));
    let pages = LaunchDigest::new([0; 48]);
    let firmware = Firmware::from_parts(pages, Vec::new(), None, None).unwrap();
    assert!(launch_digest(&firmware, None, &shape(1).unwrap()).is_ok());
    assert_eq!(
        launch_digest(&firmware, None, &shape(2).unwrap()),
        Err(MeasurementError::ResetAddressMissing)
    );
}

#[test]
fn id_block_and_key_digests_are_read_as_published() {
    let expected: Value = serde_json::from_slice(&read("id-block/expected.json")).unwrap();
    let bytes = hex::decode(expected["id_block_hex"].as_str().unwrap()).unwrap();
    let bytes: [u8; 96] = bytes.try_into().unwrap();
    let block = IdBlock::parse(&bytes).unwrap();
    assert_eq!(
        block.launch_digest().to_string(),
        expected["launch_digest"].as_str().unwrap()
    );
    assert_eq!(block.policy(), number(&expected["policy"]));
    assert_eq!(block.guest_svn(), 0);
    assert_eq!(block.family_id(), &[0; 16]);
    assert_eq!(block.image_id(), &[0; 16]);
    let auth: [u8; 4096] = read("id-block/test_auth_block.bin").try_into().unwrap();
    let keys = IdKeys::parse(&auth).unwrap();
    assert_eq!(
        hex::encode(keys.id_key_digest()),
        expected["id_key_digest"].as_str().unwrap()
    );
    assert_eq!(
        hex::encode(keys.author_key_digest().unwrap()),
        expected["author_key_digest"].as_str().unwrap()
    );
}

#[test]
fn refuses_spoiled_id_blocks_and_key_structures() {
    let expected: Value = serde_json::from_slice(&read("id-block/expected.json")).unwrap();
    let bytes = hex::decode(expected["id_block_hex"].as_str().unwrap()).unwrap();
    let mut bytes: [u8; 96] = bytes.try_into().unwrap();
    bytes[80] = 2;
    assert_eq!(
        IdBlock::parse(&bytes),
        Err(MeasurementError::IdBlockMalformed)
    );
    let auth: [u8; 4096] = read("id-block/test_auth_block.bin").try_into().unwrap();
    for at in [
        0x000, 0x004, 0x008, 0x03f, 0x240, 0x644, 0x67f, 0x880, 0xc84, 0xfff,
    ] {
        let mut spoiled = auth;
        spoiled[at] ^= 0x40;
        assert_eq!(
            IdKeys::parse(&spoiled),
            Err(MeasurementError::IdAuthMalformed),
            "byte {at:#x}"
        );
    }
}
