//! `edgefit data import` of measurements of once-for-all's networks: HELP's folder `ofa` and DyNAS-T's search logs.
//! Small files in their formats, and broken ones.

use std::fs;
use std::path::Path;

use tempfile::{TempDir, tempdir};

use crate::driver::edgefit;
use crate::help_fixture::{Configuration, configuration, configurations, latencies, list, pt, write_help_ofa};

fn read(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).unwrap()
}

/// A cell of a CSV file with this configuration in it.
fn cell(kernels: &str, expansions: &str, depths: &str, resolution: u32) -> String {
    format!(r#""{{""ks"":[{kernels}],""e"":[{expansions}],""d"":[{depths}],""r"":{resolution}}}""#)
}

/// The network number `position` of HELP's fixture, in canonical form: expansions 4, and 3 where no block runs.
fn fixture_cell(kernel: u32, resolution: u32) -> String {
    let kernels = format!("3,3,{kernel}{}", ",3".repeat(17));
    let expansions = format!("4,4,4,3{}", ",4,4,3,3".repeat(4));
    cell(&kernels, &expansions, "3,2,2,2,2", resolution)
}

const IMPORT_HELP: &str = "data import help {HELP} --space mobilenet_v3_w1.2 --out {ofa}";

#[test]
fn networks_of_help_run_at_their_own_resolution() {
    let folder = tempdir().unwrap();
    write_help_ofa(folder.path());
    let run = edgefit(folder.path(), IMPORT_HELP).succeeded();
    assert!(run.stderr.contains("titan_xp_32: called titanxp_32"), "{}", run.stderr);
    let measurements = read(folder.path(), "ofa/measurements.csv");
    let lines: Vec<&str> = measurements.lines().collect();
    assert_eq!(lines.len(), 21);
    // The third network has kernel 3 + 2 * 2 and resolution 128 + 4 * 2; the fourth begins with 3 again.
    assert_eq!(
        lines[3],
        format!("titanxp_32,{},fp32,136x136,3.5,,measured", fixture_cell(7, 136))
    );
    assert_eq!(
        lines[14],
        format!("v100_1,{},fp32,140x140,4.5,,measured", fixture_cell(3, 140))
    );
    let devices = read(folder.path(), "ofa/devices.csv");
    assert!(
        devices.contains("\ntitanxp_32,titanxp,gpu,fp32,pytorch,32,"),
        "{devices}"
    );
    assert!(read(folder.path(), "ofa/dataset.toml").contains("validate_imagenet.py"));
    let run = edgefit(folder.path(), "data validate {ofa}").succeeded();
    assert!(!run.stderr.contains("same measurements twice"), "{}", run.stderr);
}

/// HELP's fixture with these networks in place of its own.
fn with_networks(changed: &[(usize, Configuration)]) -> TempDir {
    let folder = tempdir().unwrap();
    write_help_ofa(folder.path());
    let mut all: Vec<Configuration> = (0..10).map(configuration).collect();
    for (position, one) in changed {
        let Configuration {
            kernels,
            expansions,
            depths,
            resolution,
        } = one;
        all[*position] = Configuration {
            kernels: kernels.clone(),
            expansions: expansions.clone(),
            depths: depths.clone(),
            resolution: *resolution,
        };
    }
    fs::write(
        folder.path().join("HELP/data/ofa/ofa_archs.pt"),
        pt(&configurations(&all)),
    )
    .unwrap();
    folder
}

#[test]
fn one_network_at_two_positions_is_averaged() {
    // As number 2 but for a block that does not run: 3.5 ms and 6.5 ms become 5 ms.
    let mut same = configuration(2);
    same.expansions[3] = 6;
    let folder = with_networks(&[(5, same)]);
    let run = edgefit(folder.path(), IMPORT_HELP).succeeded();
    assert!(run.stderr.contains("1 positions repeat the network"), "{}", run.stderr);
    let measurements = read(folder.path(), "ofa/measurements.csv");
    assert_eq!(measurements.lines().count(), 1 + 2 * 9);
    let line = format!("v100_1,{},fp32,136x136,5,,measured", fixture_cell(7, 136));
    assert!(
        measurements.lines().any(|found| found == line),
        "no {line} in {measurements}"
    );
}

#[test]
fn broken_configurations_are_refused() {
    let bad = |change: &dyn Fn(&mut Configuration), expected: &[&str]| {
        let mut one = configuration(3);
        change(&mut one);
        let folder = with_networks(&[(3, one)]);
        edgefit(folder.path(), IMPORT_HELP).failed(1, &[&["ofa_archs.pt (position 3)"], expected].concat());
        assert!(!folder.path().join("ofa").exists());
    };
    bad(&|one| one.kernels.truncate(19), &["ks", "20", "19"]);
    bad(&|one| one.expansions[7] = 5, &["`e`", "5"]);
    bad(&|one| one.depths[4] = 5, &["`d`", "5"]);
    bad(&|one| one.resolution = 130, &["`r`", "130"]);
    let whole = pt(&configurations(&[configuration(0)]));
    for (content, expected) in [
        (&whole[..whole.len() / 2], "a broken zip file"),
        (&pt(&list(&latencies())), "found a list"),
        (&pt(b"\x80\x02}."), "no entry `arch`"),
        (
            &pt(b"\x80\x02}X\x04\x00\x00\x00arch](}es."),
            "no entry `ks` at position 0",
        ),
        (
            &pt(b"\x80\x02cos\nsystem\nX\x02\x00\x00\x00ls\x85R."),
            "code or objects",
        ),
        (&whole[..0], "a broken zip file"),
    ] {
        let folder = tempdir().unwrap();
        write_help_ofa(folder.path());
        fs::write(folder.path().join("HELP/data/ofa/ofa_archs.pt"), content).unwrap();
        edgefit(folder.path(), IMPORT_HELP).failed(1, &["ofa_archs.pt", expected]);
    }
    let folder = tempdir().unwrap();
    write_help_ofa(folder.path());
    let latency = folder.path().join("HELP/data/ofa/latency");
    fs::copy(latency.join("titan_xp_32.pt"), latency.join("titanxp_32.pt")).unwrap();
    edgefit(folder.path(), IMPORT_HELP).failed(1, &["titanxp_32.pt", "one file for every device"]);
    fs::write(latency.join("titanxp_32.pt"), pt(&list(&latencies()[1..]))).unwrap();
    fs::remove_file(latency.join("titan_xp_32.pt")).unwrap();
    edgefit(folder.path(), IMPORT_HELP).failed(1, &["titanxp_32.pt", "10 latencies", "ofa_archs.pt", "found 9"]);
}

const HEADER: &str = "Sub-network,Date,Model Parameters,Latency (ms),MACs,Top-1 Acc (%)\n";

/// A line of a log about the network of once-for-all with two blocks of kernel 3 and expansion 3 in every stage; `unused` is the
/// kernel of blocks that do not run.
pub(crate) fn logged(unused: u32, counts: &str, accuracy: &str) -> String {
    let kernels = vec![format!("3, 3, {unused}, {unused}"); 5].join(", ");
    let expansions = vec!["3"; 20].join(", ");
    format!(
        "\"{{'wid': None, 'ks': [{kernels}], 'e': [{expansions}], 'd': [2, 2, 2, 2, 2], 'r': [224]}}\",2022-11-01 \
         05:40:09.265694,{counts},{accuracy}\n"
    )
}

fn smallest() -> String {
    let threes = vec!["3"; 20].join(",");
    cell(&threes, &threes, "2,2,2,2,2", 224)
}

pub(crate) fn write_log(folder: &Path, name: &str, lines: &[String]) {
    fs::create_dir_all(folder.join("logs")).unwrap();
    fs::write(folder.join("logs").join(name), format!("{HEADER}{}", lines.concat())).unwrap();
}

const IMPORT_LOGS: &str = "data import dynast {logs} --space mobilenet_v3 --out {acc}";

#[test]
fn search_logs_become_accuracies() {
    let folder = tempdir().unwrap();
    write_log(
        folder.path(),
        "a.csv",
        &[logged(5, "1,0,2", "70.5"), logged(7, ",0,", "70.5")],
    );
    write_log(folder.path(), "b.csv", &[logged(3, ",1.5,", "72")]);
    let run = edgefit(folder.path(), IMPORT_LOGS).succeeded();
    for note in [
        "a.csv: 2 networks that a search evaluated, no random sample",
        "a.csv: 1 rows with other MACs or parameters",
        "b.csv: 1 latencies left out",
        // 72 from 70.5: 1.5 / 72 = 2.08 %.
        "1 networks stand in several rows (2 rows more), 1 of them with different accuracies, up to 2.08 % apart",
    ] {
        assert!(run.stderr.contains(note), "no `{note}` in {}", run.stderr);
    }
    // (70.5 + 70.5 + 72) / 3.
    let expected = format!("imagenet,{},fp32,71,measured", smallest());
    assert_eq!(
        read(folder.path(), "acc/accuracy.csv")
            .lines()
            .skip(1)
            .collect::<Vec<&str>>(),
        [expected]
    );
    let manifest = read(folder.path(), "acc/dataset.toml");
    assert!(
        manifest.contains("a.csv, b.csv") && manifest.contains("no random sample"),
        "{manifest}"
    );
    edgefit(folder.path(), "data validate {acc}").succeeded();
    // One log alone is a dataset of its own, which says whose it is.
    edgefit(
        folder.path(),
        "data import dynast {logs/b.csv} --space mobilenet_v3 --out {b}",
    )
    .succeeded();
    let expected = format!("imagenet,{},fp32,72,measured", smallest());
    assert_eq!(
        read(folder.path(), "b/accuracy.csv")
            .lines()
            .skip(1)
            .collect::<Vec<&str>>(),
        [expected]
    );
    assert!(!read(folder.path(), "b/dataset.toml").contains("a.csv"));
}

#[test]
fn broken_logs_are_refused() {
    let bad = |content: &[u8], expected: &[&str]| {
        let folder = tempdir().unwrap();
        write_log(folder.path(), "a.csv", &[]);
        fs::write(folder.path().join("logs/a.csv"), content).unwrap();
        edgefit(folder.path(), IMPORT_LOGS).failed(1, expected);
        assert!(!folder.path().join("acc").exists());
    };
    let line = logged(3, ",0,", "70.5");
    let with = |from: &str, to: &str| format!("{HEADER}{}", line.replace(from, to)).into_bytes();
    bad(
        &with("'d': [2, 2, 2, 2, 2]", "'d': [2, 2, 2, 2]"),
        &["a.csv:2 (Sub-network)", "`d`"],
    );
    bad(&with("'d': [2, ", "'d': [7, "), &["a.csv:2 (Sub-network)", "7"]);
    bad(&with("[224]", "[226]"), &["a.csv:2 (Sub-network)", "226"]);
    bad(&with("'wid': None", "'wid': 1.2"), &["a.csv:2 (Sub-network)", "`wid`"]);
    bad(&with("70.5", "170.5"), &["a.csv:2 (Top-1 Acc (%))", "found 170.5"]);
    bad(&with("70.5", "0.705"), &["fractions"]);
    bad(&with("70.5", ""), &["a.csv:2 (Top-1 Acc (%))", "an empty cell"]);
    bad(&with("70.5", "nan"), &["a.csv:2 (Top-1 Acc (%))", "found `nan`"]);
    bad(&with(",0,", ",x,"), &["a.csv:2 (Latency (ms))", "found `x`"]);
    bad(&with("\"{", "{"), &["a.csv:2", "values"]);
    bad(&with("'ks'", "'k\u{0}s'"), &["a.csv:2 (Sub-network)"]);
    bad(
        &[HEADER.as_bytes(), b"\xff\xfe,,,,,70\n"].concat(),
        &["a.csv:2 (Sub-network)", "UTF-8"],
    );
    bad(b"a,b\n1,2\n", &["a.csv:1", "no column `Sub-network`"]);
    bad(&[HEADER.as_bytes(), &[b'x'; 2 << 20]].concat(), &["a.csv:2", "bytes"]);
    let folder = tempdir().unwrap();
    fs::create_dir(folder.path().join("logs")).unwrap();
    edgefit(folder.path(), IMPORT_LOGS).failed(1, &["logs", "a file <search>.csv for every search", "none"]);
    edgefit(folder.path(), "data import dynast {logs} --space fbnet --out {acc}").failed(2, &["mobilenet_v3"]);
}
