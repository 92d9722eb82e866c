//! Small worlds in which it is known what a teacher can say.

use super::*;
use crate::compute::Backend;
use crate::dataset::{AccuracyRow, Origin};
use crate::predict::train::TrainingConfig;
use crate::progress::Silent;
use crate::seed::Seed;
use crate::space::{NasBench201, NasBench201Mixed, Precision, QuantPolicy, SearchSpace};

/// Accuracies in percent of cells at one task.
fn dataset(
    space: &'static dyn SearchSpace,
    task: &str,
    precision: QuantPolicy,
    rows: &[(Architecture, f64)],
) -> Dataset {
    let mut dataset = Dataset::new(space);
    dataset.tasks.push(task.into());
    for (position, (architecture, accuracy_percent)) in rows.iter().enumerate() {
        dataset.architectures.push(architecture.clone());
        dataset.accuracies.push(AccuracyRow {
            task: 0,
            architecture: position as u32,
            precision,
            accuracy_percent: *accuracy_percent,
            origin: Origin::Measured,
        });
    }
    dataset
}

/// Between 60 and 80 %, and nothing that can be seen in the cell.
fn at_full_precision(cell: &Architecture) -> f64 {
    let hashed = cell.0.iter().fold(17_u64, |hash, &gene| {
        (hash * 31 + u64::from(gene)) * 2_654_435_761 % 1_000_003
    });
    60.0 + 20.0 * hashed as f64 / 1_000_003.0
}

/// Two points for every 1x1 convolution.
fn at_eight_bits(cell: &Architecture) -> f64 {
    at_full_precision(cell) - 2.0 * cell.0.iter().filter(|&&gene| gene == 2).count() as f64
}

fn scored(dataset: &Dataset, teachers: Vec<Dataset>) -> AccuracyReport {
    let options = FitOptions {
        accuracy: TrainingConfig {
            members: 2,
            hidden: 32,
            epochs: 40,
            batch: 64,
            steps_per_epoch: 40,
            weight_decay: 0.2,
            ..TrainingConfig::default()
        },
        ..FitOptions::default()
    };
    let run = Run {
        device: &Backend::Flex.device().unwrap(),
        seed: Seed(3),
        state: None,
        resume: false,
        progress: &Silent,
    };
    score_accuracies(dataset, teachers, 0.25, &options, &run).unwrap()
}

fn cells(count: usize) -> Vec<Architecture> {
    let mut rng = Seed(1).stream("cells");
    let drawn: BTreeSet<Architecture> = (0..count).map(|_| NasBench201.sample(&mut rng)).collect();
    drawn.into_iter().collect()
}

#[test]
fn what_cannot_be_seen_in_a_cell_comes_from_the_teacher_and_the_drop_is_learned() {
    let cells = cells(600);
    let rows = |accuracy: fn(&Architecture) -> f64| -> Vec<(Architecture, f64)> {
        cells.iter().map(|cell| (cell.clone(), accuracy(cell))).collect()
    };
    let quantized = dataset(&NasBench201, "cifar10", Precision::Int8.into(), &rows(at_eight_bits));
    let teacher = dataset(
        &NasBench201,
        "cifar10",
        Precision::Fp32.into(),
        &rows(at_full_precision),
    );
    let alone = scored(&quantized, Vec::new());
    assert!(alone.drop.is_none() && alone.r_squared < 0.5, "{alone:?}");
    let taught = scored(&quantized, vec![teacher]);
    assert!(taught.spearman > 0.9 && taught.r_squared > 0.8, "{taught:?}");
    assert!((0.75..=1.0).contains(&taught.coverage_90), "{taught:?}");
    assert_eq!(taught.teachers, ["cifar10"]);
    let drop = taught.drop.unwrap();
    // Six edges, a fifth of them 1x1 convolutions.
    assert!((1.8..3.0).contains(&drop.mean), "{drop:?}");
    assert!(drop.r_squared > 0.0 && drop.spearman > 0.4, "{drop:?}");
    assert!(drop.mean_absolute_error < drop.mean_absolute_error_of_mean, "{drop:?}");
}

#[test]
fn held_out_cells_are_unknown_to_teachers_at_whatever_bits() {
    let mut rng = Seed(2).stream("designs");
    let designs: Vec<Architecture> = (0..40).map(|_| NasBench201Mixed.sample(&mut rng)).collect();
    let rows: Vec<(Architecture, f64)> = designs.iter().map(|one| (one.clone(), 50.0)).collect();
    let mixed = dataset(&NasBench201Mixed, "cifar10-150-epochs", Precision::Int8.into(), &rows);
    let other_bits: Vec<(Architecture, f64)> = designs
        .iter()
        .map(|one| {
            let genes = one.0.iter().enumerate();
            let narrow = genes.map(|(place, &gene)| if place < 6 { gene } else { 0 });
            (NasBench201Mixed.canonical(&Architecture(narrow.collect())), 40.0)
        })
        .collect();
    let shorter = dataset(
        &NasBench201Mixed,
        "cifar10-50-epochs",
        Precision::Int8.into(),
        &other_bits,
    );
    let held_out: BTreeSet<u32> = (0..10).collect();
    let known: BTreeSet<u32> = without_policies_of(shorter, &mixed, &held_out)
        .accuracies
        .iter()
        .map(|row| row.architecture)
        .collect();
    assert!(
        (0..10).all(|position| !known.contains(&position)) && known.len() > 15,
        "{known:?}"
    );
    // Cells without bits are no policies.
    let base: Vec<(Architecture, f64)> = designs
        .iter()
        .map(|one| (NasBench201Mixed.without_bits(one), 70.0))
        .collect();
    let base = dataset(&NasBench201, "cifar10", Precision::Fp32.into(), &base);
    assert_eq!(without_policies_of(base, &mixed, &held_out).accuracies.len(), 40);
}

#[test]
fn shares_and_teachers_that_make_no_sense_are_refused() {
    let rows: Vec<(Architecture, f64)> = cells(60).into_iter().map(|cell| (cell, 50.0)).collect();
    let run = Run {
        device: &Backend::Flex.device().unwrap(),
        seed: Seed(3),
        state: None,
        resume: false,
        progress: &Silent,
    };
    let refused = |teachers: Vec<Dataset>, share: f64| {
        let quantized = dataset(&NasBench201, "cifar10", Precision::Int8.into(), &rows);
        let error = score_accuracies(&quantized, teachers, share, &FitOptions::default(), &run)
            .err()
            .unwrap();
        error.to_string()
    };
    assert!(refused(Vec::new(), 1.0).contains("above 0, below 1"));
    let same = dataset(&NasBench201, "cifar10", Precision::Int8.into(), &rows);
    let message = refused(vec![same], 0.2);
    assert!(message.contains("another task or precision"), "{message}");
    let mixed = dataset(&NasBench201Mixed, "cifar10", Precision::Int8.into(), &[]);
    let message = refused(vec![mixed], 0.2);
    assert!(
        message.contains("nasbench201") && message.contains("nasbench201_mixed"),
        "{message}"
    );
}
