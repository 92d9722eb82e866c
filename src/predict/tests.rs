//! What holds for a trained predictor as a whole, on the bundled fleet with one unit left out.

use std::path::Path;

use super::fit::{FitOptions, fit};
use super::train::{Run, TrainingConfig};
use super::*;
use crate::compute::Backend;
use crate::dataset::simulate::Simulator;
use crate::dataset::{Dataset, Selection};
use crate::metric::Metric;
use crate::profile::Priced;
use crate::progress::Silent;
use crate::space::InputSize;
use crate::stats;

const LEFT_OUT: &str = "raspi4";

struct Fleet {
    predictor: Predictor,
    device: Device,
    architectures: Vec<Architecture>,
    latencies: Vec<f64>,
    energies: Vec<f64>,
}

fn bundled() -> Dataset {
    Dataset::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets/nasbench201-fleet")).unwrap()
}

fn fitted(dataset: &Dataset, options: &FitOptions) -> Predictor {
    let run = Run {
        device: &Backend::Flex.device().unwrap(),
        seed: Seed(3),
        state: None,
        resume: false,
        progress: &Silent,
    };
    fit(dataset, options, &run).unwrap()
}

fn fleet() -> &'static Fleet {
    static FLEET: OnceLock<Fleet> = OnceLock::new();
    FLEET.get_or_init(|| {
        let dataset = bundled();
        let left_out = dataset.resolve_devices(&[LEFT_OUT.into()]).unwrap()[0];
        let device = dataset.devices[left_out].clone();
        let known = dataset.devices.iter().filter(|one| one.unit != device.unit);
        let options = FitOptions {
            devices: known.map(|one| one.id.clone()).collect(),
            towers: TrainingConfig {
                members: 1,
                hidden: 32,
                epochs: 10,
                ..TrainingConfig::default()
            },
            accuracy: TrainingConfig {
                members: 1,
                hidden: 16,
                epochs: 3,
                ..TrainingConfig::default()
            },
            forget_accuracies: true,
            ..FitOptions::default()
        };
        let values = |metric| dataset.values(left_out, metric, Selection::default()).unwrap();
        let latencies = values(Metric::Latency);
        let architecture = |row: &(u32, f64)| dataset.architectures[row.0 as usize].clone();
        Fleet {
            architectures: latencies.iter().map(architecture).collect(),
            latencies: latencies.iter().map(|row| row.1).collect(),
            energies: values(Metric::Energy).iter().map(|row| row.1).collect(),
            predictor: fitted(&dataset, &options),
            device,
        }
    })
}

/// A small predictor of the fleet, without accuracies.
pub(crate) fn predictor() -> &'static Predictor {
    &fleet().predictor
}

/// A latency in ms of an architecture on a device.
fn timed(one: &Architecture, device: &Device, latency_ms: f64) -> Probe {
    Probe::new(one.clone(), device, [(Metric::Latency, latency_ms)].into())
}

/// Adapts to the first `latencies` and `energies` rows; the rank correlation and the median error factor of the energies of
/// the rows from the 20th on.
fn energy_scores(latencies: usize, energies: usize) -> (f64, f64) {
    let fleet = fleet();
    let probes: Vec<Probe> = (0..latencies.max(energies))
        .map(|row| Probe {
            design: Design::uniform(fleet.architectures[row].clone(), Precision::Fp32),
            values: [
                (Metric::Latency, row < latencies, fleet.latencies[row]),
                (Metric::Energy, row < energies, fleet.energies[row]),
            ]
            .into_iter()
            .filter(|one| one.1)
            .map(|one| (one.0, one.2))
            .collect(),
        })
        .collect();
    let model = fleet.predictor.adapt(&fleet.device, &probes, Seed(1)).unwrap();
    let encoded = fleet.predictor.encode(&fleet.architectures[20..]);
    let bases = fleet.predictor.bases(&encoded);
    let predicted = (model.metrics.get(Metric::Energy).unwrap()).predict(bases.get(Metric::Energy).unwrap());
    let predicted: Vec<f64> = predicted.iter().map(|one| f64::from(one.mean)).collect();
    let truth: Vec<f64> = fleet.energies[20..].iter().map(|value| value.ln()).collect();
    let errors: Vec<f64> = predicted.iter().zip(&truth).map(|(a, b)| (a - b).abs()).collect();
    (
        stats::spearman(&predicted, &truth).unwrap(),
        stats::quantile(&errors, 0.5).unwrap().exp(),
    )
}

#[test]
fn energy_follows_from_latencies_alone() {
    let (ranks, factor) = energy_scores(10, 0);
    assert!(ranks > 0.9, "{ranks}");
    // The power of like devices says the level to within a small factor.
    assert!(factor < 4.0, "{factor}");
}

#[test]
fn a_few_energies_set_the_level() {
    let (alone, level) = (energy_scores(10, 0), energy_scores(10, 3));
    assert!(level.1 < alone.1 && level.1 < 1.2, "{alone:?} {level:?}");
    assert!(level.0 > 0.9, "{level:?}");
}

#[test]
fn latencies_help_a_few_energies() {
    let (energies, both) = (energy_scores(0, 3), energy_scores(20, 3));
    assert!(both.1 < energies.1, "{energies:?} {both:?}");
}

#[test]
fn a_datasheet_ranks_before_anything_is_measured() {
    let fleet = fleet();
    let bases = fleet.predictor.bases(&fleet.predictor.encode(&fleet.architectures));
    let truth = &fleet.latencies;
    let score = |device: &Device| {
        let model = fleet.predictor.adapt(device, &[], Seed(1)).unwrap();
        let means: Vec<f64> = (model.metrics.latency().predict(bases.latency()).iter())
            .map(|one| f64::from(one.mean))
            .collect();
        let level = stats::quantile(&means, 0.5).unwrap() - stats::quantile(truth, 0.5).unwrap().ln();
        (stats::spearman(&means, truth).unwrap(), level.abs())
    };
    let (with, without) = (score(&fleet.device), score(&Device::named("nobody")));
    assert!(with.0 > 0.9, "{with:?}");
    assert!(with.1 < without.1, "{with:?} {without:?}");
}

/// The 341 cells without a way from the input to the output, see [`SearchSpace::output_depends_on_input`].
#[test]
fn degenerate_networks_guess_and_are_no_probes() {
    let predictor = &fleet().predictor;
    let table = predictor.table().unwrap();
    let degenerate: Vec<usize> = (0..table.architectures.len())
        .filter(|&position| !predictor.space.output_depends_on_input(&table.architectures[position]))
        .collect();
    assert_eq!(degenerate.len(), 341);
    for position in degenerate {
        let accuracy = table.accuracies[position].percent;
        assert!(
            accuracy.mean == 1.0 && accuracy.low > 0.5 && accuracy.high < 1.5,
            "{accuracy:?}"
        );
    }
    let connected = |one: &Architecture| predictor.space.output_depends_on_input(one);
    let chosen = predictor.choose_probes(30, None, Seed(1));
    assert!(chosen.len() == 30 && chosen.iter().all(connected));
    let among: Vec<Architecture> = table.architectures.iter().step_by(9).cloned().collect();
    assert!(
        predictor
            .choose_probes(2000, Some(&among), Seed(1))
            .iter()
            .all(connected)
    );
}

/// Predicted latencies at the fleet's architectures, with nothing measured, as (median, width of the interval in log units).
fn described(device: &Device) -> Vec<(f64, f64)> {
    let fleet = fleet();
    let model = fleet.predictor.adapt(device, &[], Seed(1)).unwrap();
    let bases = fleet.predictor.bases(&fleet.predictor.encode(&fleet.architectures));
    let latency = model.metrics.latency();
    let width = |one: Estimate| (one.high / one.low).ln();
    let predictions = latency.predict(bases.latency()).into_iter();
    let estimates = predictions.map(|one| latency.estimate(one, stats::INTERVAL_SHARE));
    estimates.map(|one| (one.mean, width(one))).collect()
}

#[test]
fn datasheet_answers_are_monotone_where_physics_is() {
    let slower = |change: fn(&mut Device)| {
        let mut changed = fleet().device.clone();
        change(&mut changed);
        let (before, after) = (described(&fleet().device), described(&changed));
        let slower = before.iter().zip(&after).filter(|(before, after)| after.0 > before.0);
        slower.count() as f64 / before.len() as f64
    };
    assert_eq!(slower(|device| device.peak_gflops = Some(4.8)), 1.0);
    assert_eq!(slower(|device| device.peak_gflops = Some(480.0)), 0.0);
    assert_eq!(slower(|device| device.memory_bandwidth_gb_s = Some(0.5)), 1.0);
    assert_eq!(slower(|device| device.batch_size = Some(256.0)), 1.0);
}

#[test]
fn datasheet_answers_are_wide_where_nothing_is_known() {
    let median = |described: &[(f64, f64)], value: fn(&(f64, f64)) -> f64| {
        stats::quantile(&described.iter().map(value).collect::<Vec<f64>>(), 0.5).unwrap()
    };
    let named = described(&Device::named("board"));
    let whole = described(&fleet().device);
    assert!(median(&whole, |one| one.1) < median(&named, |one| one.1));
    let bare = Device {
        class: Some("microcontroller".into()),
        ..Device::named("board")
    };
    // The fleet's two microcontrollers take hundreds of ms.
    assert!(median(&described(&bare), |one| one.0) > 50.0);
}

/// A predictor of two devices of the fleet, trained without a part.
fn without(part: Ablation) -> Predictor {
    let mut dataset = bundled();
    dataset.accuracies.clear();
    let options = FitOptions {
        // Too few to calibrate intervals, which takes long.
        devices: ["jetson_nano".into(), "pixel3".into()].into(),
        without: [part].into(),
        towers: TrainingConfig {
            members: 1,
            hidden: 16,
            epochs: 2,
            ..TrainingConfig::default()
        },
        ..FitOptions::default()
    };
    fitted(&dataset, &options)
}

#[test]
fn physics_alone_predicts_sums_of_work() {
    let predictor = without(Ablation::Residual);
    // A constant is all that is left of the residual.
    assert_eq!(predictor.metrics.latency().prior.rank(), 1);
    let device = predictor.known("jetson_nano").unwrap();
    let model = &device.metrics.latency().posterior;
    let encoded = predictor.encode(&fleet().architectures[..50]);
    let predicted = model.predict(&predictor.metrics.latency().basis(&encoded));
    let priced = Priced::new(&model.profile().0, &model.setting());
    for (one, counts) in predicted.iter().zip(encoded.counts.map(f64::from).column_iter()) {
        let beyond = f64::from(one.mean) - priced.log(counts.as_slice());
        assert!((beyond - model.residual()[0]).abs() < 1e-3, "{beyond}");
    }
}

#[test]
fn without_datasheets_all_devices_are_alike() {
    let predictor = without(Ablation::Datasheet);
    let latencies = |device: &Device| -> Vec<f32> {
        let model = predictor.adapt(device, &[], Seed(1)).unwrap();
        let bases = predictor.bases(&predictor.encode(&fleet().architectures[..20]));
        let predicted = model.metrics.latency().predict(bases.latency());
        predicted.iter().map(|one| one.mean).collect()
    };
    assert_eq!(latencies(&fleet().device), latencies(&Device::named("nobody")));
    // With datasheets they are not.
    let whole = described(&fleet().device);
    assert_ne!(whole, described(&Device::named("nobody")));
}

/// After these latencies: the mean width of the intervals of other cells, in log units, and whether it is said that all
/// the probes are degenerate.
fn width_after(probes: &[(Architecture, f64)]) -> (f64, bool) {
    let Fleet {
        predictor,
        architectures,
        ..
    } = fleet();
    let device = Device::named("board");
    let probe = |(cell, latency): &(Architecture, f64)| timed(cell, &device, *latency);
    let probes: Vec<Probe> = probes.iter().map(probe).collect();
    let options = AdaptOptions::measured_before(Seed(0));
    let model = predictor.adapt_with(&device, &probes, &options).unwrap();
    let predicted = predictor.predict(&model, &architectures[20..60]).unwrap();
    let latencies = predicted.iter().map(|one| one.metrics.latency());
    let widths: Vec<f64> = latencies.map(|one| (one.high / one.low).ln()).collect();
    let warnings = predictor.review(&model, &probes, Seed(0)).unwrap();
    let is_named = (warnings.iter()).any(|one| matches!(one, ProbeWarning::Degenerate { .. }));
    (stats::mean(&widths).unwrap(), is_named)
}

/// Probes of cells that compute nothing tell nothing of those that do.
#[test]
fn probes_that_are_all_degenerate_are_named_and_leave_wide_intervals() {
    let fleet = fleet();
    let space = fleet.predictor.space;
    let cells = fleet.predictor.table().unwrap().architectures.iter();
    let dead = cells.filter(|one| !space.output_depends_on_input(one)).step_by(40);
    let latencies = [5.0, 5.1, 5.3, 4.9, 5.2, 5.0, 4.8, 5.15];
    let degenerate: Vec<(Architecture, f64)> = dead.cloned().zip(latencies).collect();
    let usual = fleet.architectures.iter().cloned().zip(fleet.latencies.iter().copied());
    let usual: Vec<(Architecture, f64)> = usual.take(8).collect();
    assert_eq!(degenerate.len(), 8);
    let (wide, is_named) = width_after(&degenerate);
    let (narrow, other) = width_after(&usual);
    assert!(is_named && !other);
    assert!(wide > 1.5 * narrow, "{wide} {narrow}");
    // One that computes something is enough to be told nothing.
    let mut mixed = degenerate;
    mixed[0] = usual[0].clone();
    assert!(!width_after(&mixed).1);
}

/// Networks of images that are four times as long and wide, of which all devices known ran none, as the simulator has them.
#[test]
fn at_another_input_size_the_same_prices_hold() {
    let Fleet {
        predictor,
        architectures,
        device,
        ..
    } = fleet();
    let input = InputSize::square(128);
    let simulator = Simulator::new(device).unwrap();
    let latency = |one: &Architecture| {
        let network = simulator.lower(predictor.space, one, input, predictor.encoder.classes);
        simulator.cost(&network).latency_ms
    };
    let probes: Vec<Probe> = (architectures[..10].iter())
        .map(|one| timed(one, device, latency(one)))
        .collect();
    let error = |predictor: &Predictor| {
        let options = AdaptOptions::measured_before(Seed(0));
        let model = predictor.adapt_with(device, &probes, &options).unwrap();
        let others = &architectures[10..110];
        let predicted = predictor.predict(&model, others).unwrap();
        let errors: Vec<f64> = (predicted.iter().zip(others))
            .map(|(one, other)| (one.metrics.latency().mean / latency(other)).ln().abs())
            .collect();
        stats::quantile(&errors, 0.5).unwrap()
    };
    let there = predictor.at_input(input);
    assert_eq!((there.input(), predictor.input()), ((128, 128), (32, 32)));
    let (counted_there, counted_here) = (error(&there), error(predictor));
    assert!(
        counted_there < 0.05 && counted_there < 0.5 * counted_here,
        "{counted_there} {counted_here}"
    );
    // Larger images take longer before anything is measured too, and back at the first size all is as before.
    let described = |predictor: &Predictor| {
        let model = predictor.adapt(device, &[], Seed(0)).unwrap();
        predictor.predict(&model, &architectures[..1]).unwrap()[0]
            .metrics
            .latency()
            .mean
    };
    assert!(described(&there) > 2.0 * described(predictor));
    assert_eq!(described(&there.at_input(InputSize::square(32))), described(predictor));
}

/// A device file's own probes and further ones that contradict them.
#[test]
fn further_probes_that_contradict_those_of_the_device_are_refused() {
    let Fleet {
        predictor,
        architectures,
        latencies,
        device,
        ..
    } = fleet();
    let probes: Vec<Probe> = (0..6)
        .map(|row| timed(&architectures[row], device, latencies[row]))
        .collect();
    let options = AdaptOptions::measured_before(Seed(0));
    let model = predictor.adapt_with(device, &probes, &options).unwrap();
    let again = |factor: f64| {
        let further = timed(&architectures[2], device, factor * latencies[2]);
        predictor.adapt_again(&model, &[further], None, &options)
    };
    assert_eq!(again(1.2).unwrap().probes, 7);
    let message = again(2.0).err().map(|error| error.to_string()).unwrap_or_default();
    let cell = predictor.space.print(&architectures[2]);
    assert!(
        message.contains(&cell) && message.contains("factor of 1.5"),
        "{message}"
    );
}
