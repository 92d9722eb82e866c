//! Statistics of batch normalisation taken anew, from images.
//!
//! The weights of a supernet's part saw their statistics in other architectures, and so did weights that were changed since. As in
//! the reference implementation of once-for-all (`set_running_statistics`), images are passed through the network in batches,
//! each normalised with its own mean and variance, and what is kept are the means of these over all images. A file has
//! normalisation folded into its convolutions, so this comes before.

use std::path::Path;

use burn::tensor::{Tensor, TensorData};

use super::parameters::{Normalization, Parameters};
use super::reference::{normalize, run_with};
use super::tensor_file::TensorFile;
use crate::compute::Backend;
use crate::error::{Error, Result};
use crate::space::Network;

/// Images that pass through the network at once.
const BATCH: usize = 32;

/// What to do about a file that holds something else.
const HINT: &str = "Give one tensor [images, channels, height, width] of floating-point numbers, prepared as for training and of \
                    the network's input size.";

/// Images as a network sees them, prepared as for training.
#[derive(Debug, Clone)]
pub struct Images {
    /// Channels, height and width.
    shape: [usize; 3],
    /// One image after the other.
    values: Vec<f32>,
}

impl Images {
    /// Reads the only tensor of a file, safetensors or what PyTorch's `torch.save` writes of `{"images": tensor}`: `[images,
    /// channels, height, width]`.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Malformed`] for other tensors, for none, and for numbers that are not finite.
    pub fn read(path: &Path) -> Result<Images> {
        let file = TensorFile::open(path)?.with_hint(HINT);
        let names: Vec<String> = file.names().map(str::to_string).collect();
        let [name] = &names[..] else {
            return Err(file.wrong("", "one tensor", &format!("{}", names.len())));
        };
        let shape = file.shape(name).unwrap_or_default();
        let (&[_, channels, height, width], false) = (shape, shape.contains(&0)) else {
            let found = format!("{shape:?}");
            return Err(file.wrong(name, "the shape [images, channels, height, width]", &found));
        };
        let values = file.values(name)?;
        Ok(Images {
            shape: [channels, height, width],
            values,
        })
    }

    /// Number of images.
    pub fn count(&self) -> usize {
        self.values.len() / self.elements()
    }

    fn elements(&self) -> usize {
        self.shape.iter().product()
    }

    /// The images in batches `[images, channels, height, width]`.
    fn batches(&self) -> Result<impl Iterator<Item = Tensor<4>>> {
        let device = Backend::Flex.device()?;
        let [channels, height, width] = self.shape;
        let batches = self.values.chunks(BATCH * self.elements());
        Ok(batches.map(move |values| {
            let dims = [values.len() / self.elements(), channels, height, width];
            Tensor::from_data(TensorData::new(values.to_vec(), dims), &device)
        }))
    }
}

/// The parameters of a network's nodes with statistics of normalisation from these images.
///
/// # Errors
/// [`Error::Invalid`] for images of another size than the network's input, and where values overflow.
pub(super) fn recalibrated(network: &Network, parameters: &[Parameters], images: &Images) -> Result<Vec<Parameters>> {
    check(network, images)?;
    let mut sums: Vec<Option<Statistics>> = vec![None; parameters.len()];
    for batch in images.batches()? {
        let weight = batch.dims()[0] as f64 / images.count() as f64;
        let own = |node: usize, map: Tensor<4>, learned: &Normalization| {
            let batch = Statistics::of(map.clone());
            let sum = sums[node].get_or_insert_with(|| Statistics::zeros(batch.mean.len()));
            sum.add(&batch, weight);
            normalize(map, &batch.within(learned))
        };
        run_with(network, parameters, batch, own, |_, _, _| {});
    }
    let renewed = parameters.iter().zip(sums).map(|(parameters, sum)| {
        let learned = parameters.normalization.as_ref();
        Parameters {
            normalization: learned.zip(sum).map(|(learned, sum)| sum.within(learned)),
            ..parameters.clone()
        }
    });
    let renewed: Vec<Parameters> = renewed.collect();
    let finite = |normalization: &Normalization| {
        let statistics = || normalization.mean.iter().chain(&normalization.variance);
        statistics().all(|value| value.is_finite())
    };
    if renewed
        .iter()
        .filter_map(|parameters| parameters.normalization.as_ref())
        .all(finite)
    {
        Ok(renewed)
    } else {
        Err(not_finite())
    }
}

/// Refuses images that are not of the network's input size.
fn check(network: &Network, images: &Images) -> Result<()> {
    let input = network.nodes().next().map(|node| node.layer.output);
    let expected = input.map(|input| [input.channels, input.height, input.width].map(|extent| extent as usize));
    if expected == Some(images.shape) {
        return Ok(());
    }
    Err(Error::Invalid {
        what: "images for the statistics of normalisation".into(),
        expected: format!("channels, height and width of {:?}", expected.unwrap_or_default()),
        found: format!("{:?}", images.shape),
        hint: "Prepare them for the input size of the network.".into(),
    })
}

fn not_finite() -> Error {
    Error::Invalid {
        what: "statistics of normalisation".into(),
        expected: "finite numbers".into(),
        found: "values that are none".into(),
        hint: "Check the weights, and that the images are prepared as for training.".into(),
    }
}

/// Means and variances of channels.
#[derive(Debug, Clone)]
struct Statistics {
    mean: Vec<f64>,
    variance: Vec<f64>,
}

impl Statistics {
    /// Those of a map `[batch, channels, height, width]`, over all that is not channels.
    fn of(map: Tensor<4>) -> Statistics {
        let mean = map.clone().mean_dims(&[0, 2, 3]);
        let deviation = map - mean.clone();
        let variance = (deviation.clone() * deviation).mean_dims(&[0, 2, 3]);
        let values = |channels: Tensor<4>| channels.into_data().iter::<f64>().collect();
        Statistics {
            mean: values(mean),
            variance: values(variance),
        }
    }

    /// What was learned, with these statistics.
    fn within(&self, learned: &Normalization) -> Normalization {
        let narrow = |values: &[f64]| values.iter().map(|&value| value as f32).collect();
        Normalization {
            mean: narrow(&self.mean),
            variance: narrow(&self.variance),
            ..learned.clone()
        }
    }

    /// Adds these, times a weight.
    fn add(&mut self, other: &Statistics, weight: f64) {
        let pairs = (self.mean.iter_mut().zip(&other.mean)).chain(self.variance.iter_mut().zip(&other.variance));
        pairs.for_each(|(sum, value)| *sum += weight * value);
    }

    fn zeros(channels: usize) -> Statistics {
        Statistics {
            mean: vec![0.0; channels],
            variance: vec![0.0; channels],
        }
    }
}
