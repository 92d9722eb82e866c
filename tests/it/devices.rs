//! `edgefit devices`, `edgefit pareto` and `edgefit completions`.

use std::fs;
use std::path::Path;

use crate::driver::edgefit;
use crate::trained::trained;

fn devices(arguments: &str) -> Vec<String> {
    let run = edgefit(Path::new("."), &format!("devices {arguments} --format csv")).succeeded();
    let rows = run.stdout.lines().skip(1);
    rows.map(|row| row.split(',').next().unwrap().to_string()).collect()
}

#[test]
fn devices_are_found_by_parts_of_their_names_and_by_class() {
    let all = devices("");
    assert!(all.len() > 30, "{all:?}");
    assert_eq!(devices("pixel3"), ["pixel3"]);
    let pixels = devices("PIXEL");
    assert!(
        pixels.contains(&"pixel2".into()) && pixels.contains(&"pixel3".into()),
        "{pixels:?}"
    );
    let microcontrollers = devices("--class microcontroller");
    assert!(microcontrollers.contains(&"esp32".into()), "{microcontrollers:?}");
    assert!(!microcontrollers.contains(&"pixel3".into()), "{microcontrollers:?}");
    edgefit(Path::new("."), "devices --class gpus").failed(2, &["unknown class `gpus`", "did you mean `gpu`?"]);
    edgefit(Path::new("."), "devices pixle3").failed(2, &["unknown device `pixle3`", "did you mean `pixel3`?"]);
}

#[test]
fn the_sheet_of_one_device_says_where_its_values_come_from() {
    let sheet = edgefit(Path::new("."), "devices pixel3").succeeded().stdout;
    for part in ["mobile-cpu", "80", "29.8", "source", "anandtech"] {
        assert!(sheet.contains(part), "no {part} in {sheet}");
    }
}

#[test]
fn a_front_has_a_design_for_every_limit() {
    let folder = trained();
    let line = "pareto --checkpoint {nb} --device pixel3 --limits-ms 0.001,12,30 --format csv --svg {front.svg}";
    let run = edgefit(folder.path(), line).succeeded();
    let rows: Vec<&str> = run.stdout.lines().collect();
    assert!(rows[0].starts_with("max_latency_ms,feasible,architecture"), "{rows:?}");
    assert_eq!(rows.len(), 4, "{rows:?}");
    for (row, start) in rows[1..].iter().zip(["0.001000,false", "12.000000,", "30.000000,true"]) {
        assert!(row.starts_with(start), "{row}");
    }
    let svg = fs::read_to_string(folder.path().join("front.svg")).unwrap();
    assert!(svg.starts_with("<svg") && svg.contains("limit on latency, ms"), "{svg}");
    edgefit(folder.path(), &line.replace("0.001,12,30", "0.001")).failed(3, &["no design meets any of the limits"]);
    edgefit(folder.path(), &line.replace("--limits-ms 0.001,12,30", "--limits 0")).failed(2, &["number of limits"]);
}

#[test]
fn shells_are_told_every_command() {
    for shell in ["bash", "zsh", "fish"] {
        let script = edgefit(Path::new("."), &format!("completions {shell}"))
            .succeeded()
            .stdout;
        for word in ["edgefit", "design", "pareto", "max-latency-ms"] {
            assert!(script.contains(word), "no {word} for {shell}");
        }
    }
}
