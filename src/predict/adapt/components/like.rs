//! Around what is known of the same hardware in another setting, or of another metric there.

use super::{Component, FREE_NOISES, LEAST_NOISE, Mixture, Source, root_with_level};
use crate::predict::device_model::Posterior;
use crate::profile::Covariance;

/// Share around the function that another one is like, where there is one, and by how much its log prices differ.
pub(super) const AROUND_LIKE: f64 = 0.5;
const LIKE_DEVIATION: f64 = 0.3;
/// The same between precisions: with ONNX Runtime's int8, 1x1 convolutions were seen to take a quarter of the time that they take at
/// fp32, and elementwise layers five times as long.
const PRECISION_DEVIATION: f64 = 1.5;
/// Standard deviation of the level between settings of the same hardware: a precision of half or twice as many bits.
const SETTING_DEVIATION: f64 = 0.5;

/// A function that the one looked for is like.
#[derive(Clone, Copy)]
pub enum Like<'a> {
    /// Of another metric of the same device: a multiple of it may be the one looked for.
    OtherMetric(&'a Posterior),
    /// Of the same metric in another setting of the same hardware, at the same precision: nearly as high as well.
    OtherSetting(&'a Posterior),
    /// Of the same metric of the same hardware at another precision.
    OtherPrecision(&'a Posterior),
}

impl Mixture<'_> {
    /// Around a function that this one is like.
    pub(in crate::predict::adapt) fn around(&self, like: Like<'_>) -> Vec<Component> {
        let (function, deviation) = match like {
            Like::OtherMetric(function) | Like::OtherSetting(function) => (function, LIKE_DEVIATION),
            Like::OtherPrecision(function) => (function, PRECISION_DEVIATION),
        };
        let (profile, _) = function.profile();
        let covariance = function.covariance() + Covariance::identity() * (deviation * deviation);
        let noise = f64::from(function.noise_variance).sqrt().max(LEAST_NOISE);
        let component = Component {
            log_weight: AROUND_LIKE.ln(),
            mean: profile,
            root: match like {
                Like::OtherMetric(_) => self.root(covariance),
                Like::OtherSetting(_) | Like::OtherPrecision(_) => root_with_level(covariance, SETTING_DEVIATION),
            },
            centre: function.residual(),
            widths: self.widths(1.0, 0.0, self.offset(false)),
            noise,
            source: Source::Normal,
        };
        match like {
            Like::OtherMetric(_) => vec![self.levelled(component)],
            Like::OtherSetting(_) => vec![component],
            // Its noise may be another as well.
            Like::OtherPrecision(_) => (FREE_NOISES.iter())
                .map(|free| Component {
                    log_weight: component.log_weight - (FREE_NOISES.len() as f64).ln(),
                    noise: noise.max(*free),
                    ..component.clone()
                })
                .collect(),
        }
    }
}
