//! Burn as this crate configures and drives it, on the multilayer perceptron that `peer.py` runs in PyTorch: 96-256-256-256-3, ReLU,
//! batch 512, AdamW, mean squared error.
//!
//! Prints one line per figure, `backend figure value unit`. Arguments that name a backend limit the run to it.

use std::ops::Range;
use std::time::{Duration, Instant};

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::activation::relu;
use burn::tensor::{Tensor, TensorData};
use clap::ValueEnum;
use edgefit::compute::{Backend, ComputeDevice, by_rows};
use edgefit::predict::net::linear;
use edgefit::seed::Seed;
use edgefit::training::Descent;
use rand::Rng;
use rand::rngs::StdRng;

const INPUTS: usize = 96;
const HIDDEN: usize = 256;
const OUTPUTS: usize = 3;
const TRAINING_BATCH: usize = 512;
const LEARNING_RATE: f64 = 1e-3;
const WEIGHT_DECAY: f64 = 1e-4;
/// Time given to each figure, after a tenth of it for warming up.
const MEASURED: Duration = Duration::from_millis(2000);

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Module, Debug)]
struct Mlp {
    layers: Vec<Linear>,
}

impl Mlp {
    fn new(rng: &mut StdRng, device: &ComputeDevice) -> Mlp {
        let widths = [INPUTS, HIDDEN, HIDDEN, HIDDEN, OUTPUTS];
        Mlp {
            layers: widths
                .windows(2)
                .map(|pair| linear(pair[0], pair[1], 2.0, rng, device))
                .collect(),
        }
    }

    fn forward(&self, inputs: Tensor<2>) -> Tensor<2> {
        let last = self.layers.len() - 1;
        (self.layers.iter().enumerate()).fold(inputs, |values, (position, layer)| {
            let values = layer.forward(values);
            if position < last { relu(values) } else { values }
        })
    }
}

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    for backend in [Backend::Flex, Backend::Ndarray, Backend::Wgpu] {
        let Some(value) = backend.to_possible_value() else {
            continue;
        };
        let name = value.get_name();
        let named = wanted.iter().any(|word| word == name);
        let on_cpu = backend != Backend::Wgpu;
        let any_named = wanted.iter().any(|word| !word.starts_with('-'));
        if !(named || !any_named && on_cpu) {
            continue;
        }
        match backend.device() {
            Ok(device) => measure(name, &device),
            Err(error) => eprintln!("{name}: {error}"),
        }
    }
}

fn measure(name: &str, device: &ComputeDevice) {
    for (figure, gradient_norm) in [("training", f64::INFINITY), ("training-clipped", 1.0)] {
        let device = device.clone().autodiff();
        let mut rng = Seed(1).stream("mlp");
        let mut model = Mlp::new(&mut rng, &device);
        let inputs = random(TRAINING_BATCH * INPUTS, &mut rng);
        let targets = random(TRAINING_BATCH * OUTPUTS, &mut rng);
        let loss = |model: &Mlp, rows: Range<usize>| {
            let error =
                model.forward(tensor(&inputs, INPUTS, &rows, &device)) - tensor(&targets, OUTPUTS, &rows, &device);
            error.clone().mul(error).sum() / (TRAINING_BATCH * OUTPUTS) as f32
        };
        // The learning rate stays the highest as long as this runs.
        let mut descent = Descent::new(LEARNING_RATE, WEIGHT_DECAY, gradient_norm, usize::MAX);
        let mut steps = 0;
        let seconds = time(|| {
            let (stepped, loss_then) = descent.step(steps, model.clone(), TRAINING_BATCH, &device, loss);
            (model, steps) = (stepped, steps + 1);
            std::hint::black_box(loss_then);
        });
        report(name, figure, 1.0 / seconds, "steps/s");
    }
    let mut rng = Seed(1).stream("mlp");
    let model = Mlp::new(&mut rng, device);
    for (figure, batch) in [("inference-1", 1), ("inference-1000", 1000)] {
        let inputs = random(batch * INPUTS, &mut rng);
        let seconds = time(|| {
            std::hint::black_box(by_rows(&inputs, INPUTS, device, |rows| model.forward(rows)));
        });
        report(name, figure, seconds * 1e6, "us");
    }
}

fn random(count: usize, rng: &mut StdRng) -> Vec<f32> {
    (0..count).map(|_| rng.random_range(-1.0..1.0)).collect()
}

/// Some of the rows of `width` values.
fn tensor(values: &[f32], width: usize, rows: &Range<usize>, device: &ComputeDevice) -> Tensor<2> {
    let values = values[rows.start * width..rows.end * width].to_vec();
    Tensor::from_data(TensorData::new(values, [rows.len(), width]), device)
}

/// Seconds per call: the median over 20 stretches of the measured time, so that a stretch disturbed from outside counts
/// no more than any other.
fn time(mut call: impl FnMut()) -> f64 {
    const STRETCHES: u32 = 20;
    let stretch = |call: &mut dyn FnMut(), length: Duration| {
        let (start, mut calls) = (Instant::now(), 0_u32);
        while calls == 0 || start.elapsed() < length {
            call();
            calls += 1;
        }
        start.elapsed().as_secs_f64() / f64::from(calls)
    };
    stretch(&mut call, MEASURED / 10);
    let mut seconds: Vec<f64> = (0..STRETCHES)
        .map(|_| stretch(&mut call, MEASURED / STRETCHES))
        .collect();
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

fn report(backend: &str, figure: &str, value: f64, unit: &str) {
    println!("{backend} {figure} {value:.3} {unit}");
}
