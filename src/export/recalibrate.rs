//! Statistics of batch normalisation taken anew, from images.
//!
//! The weights of a supernet's part saw their statistics in other architectures, and so did weights that were changed since. As in
//! the reference implementation of once-for-all (`set_running_statistics`), images are passed through the network in batches,
//! each normalised with its own mean and variance, and what is kept are the means of these over all images. A file has
//! normalisation folded into its convolutions, so this comes before.

use std::path::Path;

use burn::tensor::{Tensor, TensorData};

use super::parameters::{Normalization, Parameters, learns};
use super::reference::{normalize, run_with};
use super::stored::Stored;
use super::tensor_file::TensorFile;
use super::weights::Weights;
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

impl Weights {
    /// The same weights with the statistics of batch normalisation that images have in a network, as training ends with them.
    /// Parts of a supernet need this: theirs are of other architectures.
    ///
    /// # Errors
    /// [`Error::Invalid`] for weights of another network, images of another size than its input, and values that overflow.
    pub fn recalibrated(&self, network: &Network, images: &Images) -> Result<Weights> {
        let network = network.without_dead_nodes();
        let parameters = recalibrated(&network, &self.of(&network)?, images)?;
        let learned = network.nodes().zip(parameters).filter(|(node, _)| learns(node.layer));
        let stored = Stored {
            parameters: learned.map(|(_, parameters)| parameters).collect(),
            unused: self.unused().to_vec(),
            of_supernet: false,
        };
        Ok(Weights::stored(stored))
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

#[cfg(test)]
mod tests {
    use safetensors::{Dtype, tensor::TensorView};

    use super::*;
    use crate::space::{Convolution, InputSize, NetworkBuilder};

    /// A 1x1 convolution of one channel, with normalisation, over two pixels.
    fn network() -> Network {
        let (mut builder, image) = NetworkBuilder::new(1, InputSize { width: 2, height: 1 });
        let map = builder.convolve(image, Convolution::new(1, 1));
        builder.finish(map)
    }

    /// 32 images of pixels 1 and 3 fill a batch: mean 2, variance 1. One of pixels 4 and 10 is a batch of its own: mean 7,
    /// variance 9. With the weight 2 that is 4 and 4, and 14 and 36; the last counts for one image in 33.
    #[test]
    fn statistics_are_means_over_batches_by_hand() {
        let mut values = [1.0, 3.0].repeat(BATCH);
        values.extend([4.0, 10.0]);
        let images = Images {
            shape: [1, 1, 2],
            values,
        };
        let network = network();
        let mut parameters = Weights::seeded(1).of(&network).unwrap();
        parameters[1].weight = vec![2.0];
        let renewed = recalibrated(&network, &parameters, &images).unwrap();
        let found = renewed[1].normalization.as_ref().unwrap();
        let expected = |batch: f32, last: f32| (32.0 * batch + last) / 33.0;
        assert!((found.mean[0] - expected(4.0, 14.0)).abs() < 1e-5, "{found:?}");
        assert!((found.variance[0] - expected(4.0, 36.0)).abs() < 1e-5, "{found:?}");
        let learned = parameters[1].normalization.as_ref().unwrap();
        assert_eq!((&found.scale, &found.shift), (&learned.scale, &learned.shift));
        assert_eq!(renewed[0], parameters[0]);
    }

    #[test]
    fn images_that_do_not_fit_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("images.safetensors");
        let read = |tensors: &[(&str, &[usize])]| {
            let bytes = [0; 4 * 24];
            let view = |shape: &[usize]| {
                let elements: usize = shape.iter().product();
                TensorView::new(Dtype::F32, shape.to_vec(), &bytes[..4 * elements]).unwrap()
            };
            let views = tensors.iter().map(|(name, shape)| (*name, view(shape)));
            std::fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
            Images::read(&path)
        };
        let images = read(&[("images", &[6, 1, 1, 2])]).unwrap();
        assert_eq!(images.count(), 6);
        assert!(Weights::seeded(1).recalibrated(&network(), &images).is_ok());
        let other = read(&[("images", &[2, 3, 2, 2])]).unwrap();
        let error = Weights::seeded(1)
            .recalibrated(&network(), &other)
            .unwrap_err()
            .to_string();
        assert!(error.contains("[1, 1, 2]") && error.contains("[3, 2, 2]"), "{error}");
        for (shape, word) in [(&[3, 2, 2][..], "[3, 2, 2]"), (&[0, 3, 2, 2], "[0, 3, 2, 2]")] {
            let error = read(&[("images", shape)]).unwrap_err().to_string();
            assert!(error.contains("images.safetensors") && error.contains(word), "{error}");
        }
        let error = read(&[("a", &[1, 1, 1, 2]), ("b", &[1, 1, 1, 2])])
            .unwrap_err()
            .to_string();
        assert!(error.contains("one tensor") && error.contains('2'), "{error}");
    }
}
