//! Everything that a predictor says of a design on a device.

use super::{Accuracy, DeviceMetrics, DeviceModel, Estimate, Predictor};
use crate::error::{Error, Result};
use crate::space::{Architecture, Design};
use crate::stats::INTERVAL_SHARE;

/// What a predictor says of a design on a device.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// The architecture at the device's precision.
    pub design: Design,
    /// Accuracy, where the predictor learned it.
    pub accuracy: Option<Accuracy>,
    /// Every metric of the device, each with its 90 % interval.
    pub metrics: DeviceMetrics<Estimate>,
}

impl Predictor {
    /// Predictions of architectures on a device, in their order.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a device of another predictor.
    pub fn predict(&self, device: &DeviceModel, architectures: &[Architecture]) -> Result<Vec<Prediction>> {
        self.check_device(device)?;
        let encoded = self.encode(architectures);
        let accuracies = self.accuracies(architectures, &encoded);
        let accuracies = self.lowered(architectures, accuracies, device.precision);
        let bases = self.bases(&encoded);
        let estimates = device.metrics.zip(&bases).map(|_, (model, basis)| {
            let predictions = model.predict(basis).into_iter();
            predictions
                .map(|one| model.estimate(one, INTERVAL_SHARE))
                .collect::<Vec<Estimate>>()
        });
        let one = |(index, architecture): (usize, &Architecture)| Prediction {
            design: device.design(architecture.clone()),
            accuracy: accuracies.get(index).copied(),
            metrics: estimates.map(|_, estimates| estimates[index]),
        };
        Ok(architectures.iter().enumerate().map(one).collect())
    }

    /// Refuses a device that another predictor made: its weights mean something else.
    pub(crate) fn check_device(&self, device: &DeviceModel) -> Result<()> {
        if device.predictor == self.id {
            return Ok(());
        }
        Err(Error::Invalid {
            what: format!("device `{}`", device.id),
            expected: format!("one adapted with the predictor `{}`", self.id),
            found: format!("one adapted with `{}`", device.predictor),
            hint: "Adapt the device again with this predictor.".into(),
        })
    }
}
