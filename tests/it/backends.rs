//! The same seed trains the same predictor on every backend.

use std::sync::Mutex;

use edgefit::compute::{Backend, ComputeDevice};
use edgefit::predict::train::{Run, Split, Table, TrainingConfig, fit};
use edgefit::progress::Progress;
use edgefit::seed::Seed;
use nalgebra::DMatrix;
use rand::Rng;

/// Rounding differs between backends and grows with every step; over 20 steps it stays below this.
const TOLERANCE: f32 = 1e-5;
const INPUTS: usize = 12;
const ARCHITECTURES: usize = 40;

/// The messages of a training.
struct Losses(Mutex<Vec<String>>);

impl Progress for Losses {
    fn message(&self, text: &str) {
        self.0.lock().unwrap().push(text.to_string());
    }
}

/// 32 training architectures in batches of 16, for 10 epochs: 20 steps.
fn trained(device: &ComputeDevice) -> (Vec<String>, DMatrix<f32>) {
    let mut rng = Seed(3).stream("backends");
    let inputs = DMatrix::from_fn(INPUTS, ARCHITECTURES, |_, _| rng.random_range(-1.0..1.0_f32));
    let mut targets = DMatrix::from_fn(2, ARCHITECTURES, |row, column| {
        inputs[(row, column)] - 0.5 * inputs[(row + 1, column)]
    });
    targets[(1, 5)] = f32::NAN;
    let table = Table { inputs, targets };
    let split = Split {
        training: (0..32).collect(),
        validation: (32..ARCHITECTURES).collect(),
    };
    let config = TrainingConfig {
        members: 1,
        hidden: 16,
        features: 4,
        epochs: 10,
        patience: 10,
        batch: 16,
        ..TrainingConfig::default()
    };
    let losses = Losses(Mutex::new(Vec::new()));
    let run = Run {
        device,
        seed: Seed(3),
        state: None,
        resume: false,
        progress: &losses,
    };
    let ensemble = fit("latency", &table, &split, &config, &run).unwrap();
    let predictions = ensemble.predict(&table.inputs, device);
    (losses.0.into_inner().unwrap(), predictions)
}

#[track_caller]
fn assert_same_as_flex(name: &str, device: &ComputeDevice) {
    let (flex_losses, flex) = trained(&Backend::Flex.device().unwrap());
    let (losses, predictions) = trained(device);
    // The progress message is a loss with four digits, so its last digit may round either way.
    let number = |words: &String| words.rsplit(' ').next().unwrap().parse::<f32>().unwrap();
    assert_eq!(losses.len(), 10, "{losses:?}");
    for (one, other) in flex_losses.iter().zip(&losses) {
        assert!(
            (number(one) - number(other)).abs() < 1.5e-4,
            "{name}: {one} and {other}"
        );
    }
    assert!(
        number(&losses[9]) < 0.9 * number(&losses[0]),
        "{name} learns nothing: {losses:?}"
    );
    let furthest = (&flex - &predictions).amax();
    eprintln!("{name}: predictions differ from flex by at most {furthest:e}");
    assert!(furthest < TOLERANCE, "{name}: predictions differ by {furthest:e}");
}

#[test]
fn ndarray_trains_as_flex() {
    assert_same_as_flex("ndarray", &Backend::Ndarray.device().unwrap());
}

/// Burn panics where there is no adapter, and offers no question that would tell beforehand.
#[cfg(feature = "wgpu")]
fn wgpu_device() -> Option<ComputeDevice> {
    use burn::tensor::Tensor;

    let found = std::panic::catch_unwind(|| {
        let device = Backend::Wgpu.device().unwrap();
        let sum = Tensor::<1>::ones([4], &device).sum().into_scalar::<f32>();
        (device, sum)
    });
    match found {
        Ok((device, sum)) => {
            assert_eq!(sum, 4.0);
            Some(device)
        }
        Err(_) => None,
    }
}

#[cfg(feature = "wgpu")]
#[test]
fn wgpu_trains_as_flex() {
    let Some(device) = wgpu_device() else {
        eprintln!("passed over: no wgpu adapter; Mesa's software Vulkan is in mesa-vulkan-drivers");
        return;
    };
    assert_same_as_flex("wgpu", &device);
}

#[cfg(not(feature = "wgpu"))]
#[test]
fn wgpu_needs_its_feature() {
    let message = Backend::Wgpu.device().unwrap_err().to_string();
    assert!(message.contains("--features wgpu"), "{message}");
}
