use super::*;
use crate::device::machine::tests::tree;
use crate::device::read_toml;

const XEON: &[(&str, &str)] = &[
    (
        "proc/cpuinfo",
        "vendor_id : GenuineIntel\nmodel name : Intel(R) Xeon(R) Silver 4114 CPU @ 2.20GHz\nflags : sse2 avx2 fma avx512f\n",
    ),
    ("proc/meminfo", "MemTotal: 16777216 kB\n"),
    ("sys/devices/system/cpu/cpu0/online", "1"),
    ("sys/devices/system/cpu/cpu1/online", "1"),
];
const UNNAMED: &[(&str, &str)] = &[(
    "proc/cpuinfo",
    "vendor_id : AuthenticAMD\nmodel name : AMD \"EPYC\" 9999\ncpu MHz : 2596.12\nflags : avx2 fma avx_vnni\n",
)];

fn sheet(files: &[(&str, &str)], threads: Option<usize>) -> MachineSheet {
    MachineSheet::of(&System::at(tree(files).path()), threads).unwrap()
}

fn read_back(sheet: &MachineSheet, precision: Precision) -> Device {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("this.toml");
    std::fs::write(&path, sheet.to_toml(precision)).unwrap();
    read_toml(&path).unwrap()
}

/// 2 cores x 2.2 GHz x 2 units x 16 numbers of 32 bits x 2 operations: 281.6, in three digits 282.
#[test]
fn a_known_processor_takes_from_the_catalogue_what_the_system_does_not_say() {
    let sheet = sheet(XEON, None);
    assert_eq!(sheet.unit, "intel_xeon_silver_4114");
    let device = sheet.device(Precision::Fp32);
    assert_eq!((device.class.as_deref(), device.cores), (Some("server-cpu"), Some(2.0)));
    assert_eq!(
        (device.memory_bandwidth_gb_s, device.tdp_w, device.year),
        (Some(115.2), Some(85.0), Some(2017.0))
    );
    assert_eq!(device.peak_gflops, Some(282.0));
    assert_eq!(read_back(&sheet, Precision::Fp32), device);
    let text = sheet.to_toml(Precision::Fp32);
    assert!(
        text.contains("# memory: 16.0 GiB\n# vectors: 512 bits, multiplication"),
        "{text}"
    );
    assert!(text.contains("tdp-w = 85  # catalogue: as silver_4114"), "{text}");
    assert!(
        text.contains("fp32 = 282  # derived: 2 cores x 2.2 GHz x 64 FLOP/cycle"),
        "{text}"
    );
}

/// One core of 2.6 GHz x 2 units x 8 numbers x 2 operations: 83.2 at fp32, four times that at int8.
#[test]
fn what_is_unknown_is_said_and_what_is_measured_is_marked() {
    let mut sheet = sheet(UNNAMED, Some(1));
    let text = sheet.to_toml(Precision::Int8);
    assert!(
        text.contains("# memory-bandwidth-gb-s is unknown") && text.contains("# year is unknown"),
        "{text}"
    );
    assert!(text.contains("class = \"server-cpu\"  # guessed"), "{text}");
    assert_eq!(sheet.device(Precision::Fp32).peak_gflops, Some(83.2));
    let device = read_back(&sheet, Precision::Int8);
    assert_eq!(
        (device.peak_gflops, device.precision),
        (Some(333.0), Some(Precision::Int8.into()))
    );
    assert_eq!(device, sheet.device(Precision::Int8));
    sheet.set_measured_peak(50.04);
    sheet.set_measured_bandwidth(12.345);
    let device = read_back(&sheet, Precision::Fp32);
    assert_eq!(
        (device.peak_gflops, device.memory_bandwidth_gb_s),
        (Some(50.0), Some(12.3))
    );
    let text = sheet.to_toml(Precision::Fp32);
    assert!(
        text.contains("12.3  # measured: copy") && text.contains("fp32 = 50  # measured"),
        "{text}"
    );
    assert!(
        text.contains("int8 = 200") && text.contains("x the measured fp32"),
        "{text}"
    );
}

#[test]
fn units_are_words() {
    assert_eq!(unit("AMD EPYC"), "amd_epyc");
    assert_eq!(unit("Intel(R) Core(TM) i7-8700K CPU @ 3.70GHz"), "intel_core_i7_8700k");
    assert_eq!(unit("Raspberry Pi 4 Model B"), "raspberry_pi_4_model_b");
    assert_eq!(unit("(R)"), "this_machine");
}

#[test]
fn nothing_known_is_a_datasheet_still() {
    let sheet = sheet(&[], None);
    assert_eq!(sheet.unit, "this_machine");
    let text = sheet.to_toml(Precision::Fp32);
    assert!(text.contains("# class is unknown"), "{text}");
}

/// Whatever runs the tests has a datasheet that reads back.
#[test]
fn this_machine_has_a_datasheet() {
    let sheet = MachineSheet::of(&System::default(), None).unwrap();
    if sheet.peak_gflops.is_empty() {
        eprintln!("passed over: this system does not tell what processor it has");
        return;
    }
    assert_eq!(read_back(&sheet, Precision::Fp32), sheet.device(Precision::Fp32));
}
