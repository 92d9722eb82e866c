//! How far are the simulated rankings from measured ones? A check of the order of magnitude of overheads and roofs, and not a
//! blind one: some figures were set with some of these measurements in view, as `configs/simulator.toml` says.

use std::path::Path;

use super::*;
use crate::dataset::import::by_name;
use crate::device::catalogue;
use crate::progress::Silent;
use crate::seed::Seed;
use crate::space::{InputSize, NasBench201};

/// Architectures compared.
const COUNT: usize = 800;

/// Ranks from 0, ties sharing their mean.
fn ranks(values: &[f64]) -> Vec<f64> {
    let below = |value: f64| values.iter().filter(|other| **other < value).count() as f64;
    let equal = |value: f64| values.iter().filter(|other| **other == value).count() as f64;
    values
        .iter()
        .map(|&value| below(value) + (equal(value) - 1.0) / 2.0)
        .collect()
}

fn spearman(left: &[f64], right: &[f64]) -> f64 {
    let centre = |values: &[f64]| {
        let ranks = ranks(values);
        let mean = ranks.iter().sum::<f64>() / ranks.len() as f64;
        ranks.into_iter().map(|rank| rank - mean).collect::<Vec<_>>()
    };
    let (left, right) = (centre(left), centre(right));
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    dot(&left, &right) / (dot(&left, &left) * dot(&right, &right)).sqrt()
}

/// Latencies without noise of a fixed draw of architectures.
fn simulated(id: &str, architectures: &[Architecture]) -> Vec<f64> {
    let simulator = Simulator::new(&catalogue::find(id).unwrap()).unwrap();
    let input = InputSize { width: 32, height: 32 };
    let latency = |architecture| {
        simulator
            .cost(&simulator.lower(&NasBench201, architecture, input, 100))
            .latency_ms
    };
    architectures.iter().map(latency).collect()
}

#[test]
fn measured_rankings_are_met_roughly() {
    let Some(folder) = std::env::var_os("EDGEFIT_DATA_DIR") else {
        eprintln!("passed over: EDGEFIT_DATA_DIR is not set");
        return;
    };
    let source = by_name("help").unwrap();
    let imported = source.import(&Path::new(&folder).join("HELP"), &NasBench201, &Silent);
    let measured = imported.unwrap().dataset;
    let chosen: Vec<u32> = index::sample(&mut Seed(1).stream("chosen"), measured.architectures.len(), COUNT)
        .into_iter()
        .map(|position| position as u32)
        .collect();
    let architectures: Vec<Architecture> = chosen
        .iter()
        .map(|&position| measured.architectures[position as usize].clone())
        .collect();
    let mut correlations = Vec::new();
    for (position, device) in measured.devices.iter().enumerate() {
        let mut latencies = vec![f64::NAN; measured.architectures.len()];
        for (architecture, latency_ms) in measured
            .values(position, Metric::Latency, crate::dataset::Selection::default())
            .unwrap()
        {
            latencies[architecture as usize] = latency_ms;
        }
        let measured: Vec<f64> = chosen.iter().map(|&position| latencies[position as usize]).collect();
        let simulated = simulated(&device.id, &architectures);
        let correlation = spearman(&simulated, &measured);
        let mut ratios: Vec<f64> = simulated.iter().zip(&measured).map(|(s, m)| s / m).collect();
        ratios.sort_by(f64::total_cmp);
        eprintln!(
            "{:<16} SRCC {correlation:.3}, median ratio {:.2}",
            device.id,
            ratios[COUNT / 2]
        );
        correlations.push(correlation);
    }
    let good = correlations.iter().filter(|correlation| **correlation > 0.7).count();
    assert!(
        good * 10 >= correlations.len() * 8,
        "{good} of {} above 0.7",
        correlations.len()
    );
}

/// What the fleet is for: a device's ranking is not another's. A GPU that waits for launches counts layers, a CPU
/// counts arithmetic, and a larger batch makes the GPU count as well.
#[test]
fn rankings_differ_between_classes() {
    let mut rng = Seed(2).stream("chosen");
    let architectures = draw(&NasBench201, 300, &mut rng).unwrap();
    let between = |a: &str, b: &str| spearman(&simulated(a, &architectures), &simulated(b, &architectures));
    for (a, b) in [
        ("1080ti_1", "raspi4"),
        ("1080ti_1", "pixel3"),
        ("1080ti_1", "1080ti_256"),
        ("raspi4", "edgetpu"),
    ] {
        let correlation = between(a, b);
        assert!((0.2..0.95).contains(&correlation), "{a} and {b}: {correlation}");
    }
    assert!(between("gold_6226", "gold_6240") > 0.95);
}
