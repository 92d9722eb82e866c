//! Designs over several precisions of one machine.

use std::path::Path;

use serde_json::Value;

use crate::driver::edgefit;

fn rows(arguments: &str) -> Vec<Value> {
    let run = edgefit(
        Path::new("."),
        &format!("design --checkpoint nasbench201 --format json {arguments}"),
    )
    .succeeded();
    serde_json::from_str(&run.stdout).unwrap()
}

#[test]
fn designs_in_a_second_precision_are_predicted_from_specifications() {
    let designs = rows("--device pixel3 --precisions fp32,int8 --max-latency-ms 12 --count 20");
    assert_eq!(designs.len(), 20);
    let accuracy = |row: &Value| row["accuracy"]["mean"].as_f64().unwrap();
    assert!(designs.windows(2).all(|two| accuracy(&two[0]) >= accuracy(&two[1])));
    for row in &designs {
        let expected = match row["quantization"].as_str().unwrap() {
            "fp32" => ("pixel3", "known"),
            "int8" => ("pixel3_int8", "specifications"),
            other => panic!("{other}"),
        };
        assert_eq!(
            (row["device"].as_str().unwrap(), row["knowledge"].as_str().unwrap()),
            expected
        );
        assert_eq!(row["accuracy_origin"] == "simulated", row["quantization"] == "int8");
    }
    // The cell with the most arithmetic is out of reach in fp32 alone.
    let alone = rows("--device pixel3 --max-latency-ms 12 --count 1");
    assert!(accuracy(&designs[0]) >= accuracy(&alone[0]));
    // What specifications say is too unsure to be preferred at the usual confidence.
    let run = edgefit(
        Path::new("."),
        "pareto --checkpoint nasbench201 --device pixel3 --precisions fp32,int8 --limits 4 --confidence 0.5 --format table",
    )
    .succeeded();
    for part in [
        "pixel3_int8",
        "predicted from specifications",
        "accuracies of quantized networks are simulated",
    ] {
        assert!(run.stdout.contains(part), "{}", run.stdout);
    }
}

#[test]
fn what_a_machine_does_not_have_is_refused_by_name() {
    let line = "design --checkpoint nasbench201 --max-latency-ms 10 --device";
    let fails = |arguments: &str, parts: &[&str]| {
        edgefit(Path::new("."), &format!("{line} {arguments}")).failed(2, parts);
    };
    fails(
        "pixel3 --precisions fp32,int4",
        &["precision of device `pixel3`", "fp32, fp16, int8", "found int4"],
    );
    fails(
        "pixel3 --precisions int8-except-last",
        &["int8-except-last on device `pixel3`", "Measure"],
    );
    fails("pixel3,raspi4", &["settings of one machine", "hardware unit raspi4"]);
    fails("pixel3 --precisions int9", &["int9"]);
}
