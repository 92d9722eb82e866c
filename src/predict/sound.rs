//! Is what was read from a file a model that can be computed with? Shapes, ranges and finiteness are looked at once, here, so
//! that what computes with the model can rely on them.

use nalgebra::{DMatrix, Scalar};
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::accuracy::AccuracyModel;
use super::calibrate::Calibration;
use super::datasheet::TypicalNetwork;
use super::device_model::{MetricModel, Posterior};
use super::prior::{Coordinate, KnownDevice, Prior};
use super::teacher::{self, Teacher};
use super::{DeviceModel, MetricPrior, Predictor};
use crate::metric::Metric;
use crate::profile::{COORDINATES, COUNTS, KINDS};
use crate::space::{Architecture, SearchSpace};

/// Most coordinates of a basis, rows of a root of a covariance, and synthetic devices: far more than training makes, and few
/// enough that a product of two of them is no overflow.
const MOST: usize = 1 << 16;

/// What a model read from a file has to be, and is not.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Flaw {
    /// What is wrong, such as `mean of the latency`.
    pub(crate) what: String,
    /// What it has to be.
    pub(crate) expected: String,
    /// What it is.
    pub(crate) found: String,
}

type Checked = Result<(), Flaw>;

/// Largest magnitude of what is learned, which is in logarithms or percent: products of such numbers over a basis of [`MOST`]
/// coordinates are finite in single precision, and nothing that was ever learned came near it.
const LARGEST: f64 = 1e6;
/// Smallest number to divide by, and largest count or variance.
const TINIEST: f64 = 1e-12;
const WIDEST: f64 = 1e12;
/// Largest logarithm of a price or share.
const MOST_LOG: f64 = 80.0;
/// Architectures that a predictor is tried on.
const TRIED: usize = 8;

fn flaw(what: &str, expected: impl ToString, found: impl ToString) -> Checked {
    Err(Flaw {
        what: what.into(),
        expected: expected.to_string(),
        found: found.to_string(),
    })
}

fn count(what: &str, found: usize, expected: usize) -> Checked {
    if found == expected {
        Ok(())
    } else {
        flaw(what, format!("{expected} entries"), found)
    }
}

fn shape<T: Scalar>(what: &str, matrix: &DMatrix<T>, rows: usize, columns: usize) -> Checked {
    if matrix.shape() == (rows, columns) {
        Ok(())
    } else {
        let (found_rows, found_columns) = matrix.shape();
        flaw(
            what,
            format!("{rows} x {columns} numbers"),
            format!("{found_rows} x {found_columns}"),
        )
    }
}

fn bounded<T: Copy + Into<f64>>(what: &str, values: &[T]) -> Checked {
    match values
        .iter()
        .map(|&value| value.into())
        .find(|value: &f64| value.is_nan() || value.abs() > LARGEST)
    {
        Some(value) => flaw(what, format!("finite numbers up to {LARGEST:e}"), value),
        None => Ok(()),
    }
}

fn within(what: &str, value: f64, low: f64, high: f64) -> Checked {
    if (low..=high).contains(&value) {
        Ok(())
    } else {
        flaw(what, format!("{low} to {high}"), value)
    }
}

/// A standard deviation or variance may be zero, unless `positive`, but not infinite.
fn spread(what: &str, value: f64, positive: bool) -> Checked {
    let least = if positive { TINIEST } else { 0.0 };
    if (least..=WIDEST).contains(&value) {
        return Ok(());
    }
    let expected = if positive { "a positive number" } else { "0 or more" };
    flaw(what, format!("{expected}, up to {WIDEST:e}"), value)
}

impl Calibration {
    fn check(&self, what: &str) -> Checked {
        let quantiles = self.quantiles();
        count(what, quantiles.len(), Calibration::default().quantiles().len())?;
        if let Some(pair) = quantiles.windows(2).find(|pair| pair[0] >= pair[1]) {
            return flaw(what, "rising quantiles", format!("{} before {}", pair[0], pair[1]));
        }
        bounded(what, quantiles)
    }
}

impl Posterior {
    /// For a basis of `rank` coordinates.
    fn check(&self, what: &str, rank: usize) -> Checked {
        let of = |part: &str| format!("{part} of the {what}");
        let size = COORDINATES + rank;
        count(&of("mean"), self.mean().len(), size)?;
        count(&of("prices"), self.prices().len(), COUNTS)?;
        let root = self.root();
        if root.nrows() > MOST {
            return flaw(&of("root"), format!("at most {MOST} rows"), root.nrows());
        }
        shape(&of("root"), root, root.nrows(), size)?;
        bounded(&of("mean"), self.mean().as_slice())?;
        bounded(&of("root"), root.as_slice())?;
        bounded(&of("prices"), self.prices().as_slice())?;
        if let Some(price) = self.prices().iter().take(KINDS).find(|price| **price <= 0.0) {
            return flaw(&of("prices"), "positive numbers", price);
        }
        spread(&of("batch"), self.setting().batch, true)?;
        spread(&of("noise variance"), f64::from(self.noise_variance), false)
    }
}

impl DeviceModel {
    /// Whether it fits the predictor that is to predict with it.
    pub(crate) fn check(&self, predictor: &Predictor) -> Checked {
        for (metric, model) in self.metrics.iter() {
            let Some(learned) = predictor.metrics.get(metric) else {
                return flaw("metrics", "those that the predictor learned", metric.name());
            };
            let MetricModel { posterior, calibration } = model;
            posterior.check(metric.name(), learned.prior.rank())?;
            calibration.check(&format!("calibration of the {}", metric.name()))?;
        }
        Ok(())
    }
}

impl Predictor {
    /// Whether its parts fit each other, and numbers come out.
    pub(crate) fn check(&self) -> Checked {
        self.parts()?;
        self.computes()
    }

    fn parts(&self) -> Checked {
        self.encoder
            .check(self.space)
            .map_err(|(what, expected, found)| Flaw { what, expected, found })?;
        let (features, outputs) = (self.encoder.width(), self.ensemble.config.outputs);
        count("inputs of the towers", self.ensemble.config.inputs, features)?;
        if !self.layer_sums.is_sound(outputs) {
            return flaw("sums over layers", "finite prices of the towers' outputs", "others");
        }
        let rank = self.metrics.latency().prior.rank();
        for (metric, learned) in self.metrics.iter() {
            // Weights over one basis mean the same for all metrics.
            count(
                &format!("coordinates of the {}", metric.name()),
                learned.prior.rank(),
                rank,
            )?;
            learned.check(metric.name(), outputs, features)?;
        }
        let metered = self
            .metrics
            .get(Metric::Energy)
            .map_or(0, |energy| energy.prior.known.len());
        for power in &self.powers {
            if power.device >= metered {
                return flaw("powers", format!("positions among {metered} devices"), power.device);
            }
            bounded("powers", &[power.log_power])?;
            spread("powers", power.spread, false)?;
        }
        match &self.accuracy {
            Some(accuracy) => self.accuracy_parts(accuracy),
            None => Ok(()),
        }
    }

    /// As [`Predictor::parts`], of what accuracies are predicted with.
    fn accuracy_parts(&self, accuracy: &AccuracyModel) -> Checked {
        if !accuracy.domain.fits(self.space) {
            return flaw("domain of the accuracy", "choices of the space's genes", "others");
        }
        let config = &accuracy.ensemble.config;
        accuracy
            .teachers
            .iter()
            .try_for_each(|teacher| teacher.check(self.space))?;
        if let Err(found) = accuracy.paths.check() {
            return flaw(
                "paths of the accuracy",
                "names in order, finite means, positive deviations",
                found,
            );
        }
        let inputs = self.encoder.width() + accuracy.paths.width() + teacher::tasks(&accuracy.teachers);
        count("inputs of the accuracy towers", config.inputs, inputs)?;
        count("outputs of the accuracy towers", config.outputs, 1)?;
        let scale = &accuracy.scale;
        bounded("mean accuracy", &[scale.mean])?;
        spread("deviation of the accuracy", scale.deviation, true)?;
        spread("noise of the accuracy", scale.noise, false)?;
        within("accuracy of guessing", scale.chance_percent, 0.0, 100.0)?;
        scale.calibration.check("calibration of the accuracy")
    }

    /// Whether numbers come out of it: parts that are sound may overflow together.
    fn computes(&self) -> Checked {
        let mut rng = StdRng::seed_from_u64(0);
        let tried: Vec<Architecture> = (0..TRIED).map(|_| self.space.sample(&mut rng)).collect();
        let encoded = self.encode(&tried);
        for (metric, basis) in self.bases(&encoded).iter() {
            // Work is counted, not learned.
            let residual = basis.rows(COUNTS, basis.nrows() - COUNTS).into_owned();
            bounded(&format!("basis of the {}", metric.name()), residual.as_slice())?;
        }
        let accuracies = self.accuracies(&tried, &encoded);
        let percent: Vec<f64> = (accuracies.iter().map(|one| one.percent))
            .flat_map(|percent| [percent.low, percent.mean, percent.high])
            .collect();
        bounded("predicted accuracies", &percent)
    }
}

impl Teacher {
    fn check(&self, space: &dyn SearchSpace) -> Checked {
        let base = space.base().map(SearchSpace::id);
        if self.space.id() != space.id() && Some(self.space.id()) != base {
            let expected = format!("{} or its base", space.id());
            return flaw("search space of a teacher", expected, self.space.id());
        }
        if self.tasks.is_empty() {
            return flaw("tasks of a teacher", "at least one", 0);
        }
        for task in &self.tasks {
            bounded("mean accuracy of a teacher", &[task.mean])?;
            spread("deviation of the accuracy of a teacher", task.deviation, true)?;
        }
        let Some(towers) = &self.towers else {
            return if self.is_exhaustive() {
                Ok(())
            } else {
                flaw("towers of a teacher", "some, or a table of the whole space", "neither")
            };
        };
        let encoder = towers.encoder.check(self.space);
        encoder.map_err(|(what, expected, found)| Flaw {
            what: format!("{what} of a teacher"),
            expected,
            found,
        })?;
        let config = &towers.ensemble.config;
        count(
            "inputs of the towers of a teacher",
            config.inputs,
            towers.encoder.width(),
        )?;
        count("outputs of the towers of a teacher", config.outputs, self.tasks.len())
    }
}

impl MetricPrior {
    fn check(&self, what: &str, outputs: usize, features: usize) -> Checked {
        self.prior.check(what, outputs, features)?;
        self.known_calibration
            .check(&format!("calibration of the {what} of known devices"))?;
        let what = format!("calibrations of the {what}");
        if let Some(pair) = self.calibrations.windows(2).find(|pair| pair[0].0 >= pair[1].0) {
            let found = format!("{} before {}", pair[0].0, pair[1].0);
            return flaw(&what, "rising numbers of probes", found);
        }
        self.calibrations
            .iter()
            .try_for_each(|(_, calibration)| calibration.check(&what))
    }
}

impl Prior {
    fn check(&self, what: &str, outputs: usize, features: usize) -> Checked {
        let of = |part: &str| format!("{part} of the {what}");
        let rank = self.rank();
        if self.coordinates.first() != Some(&Coordinate::Constant) || rank > MOST {
            return flaw(&of("coordinates"), format!("up to {MOST}, the constant first"), rank);
        }
        let TypicalNetwork {
            macs,
            activation_elements,
            launches,
        } = self.typical;
        for value in [macs, activation_elements, launches] {
            spread(&of("typical network"), value, true)?;
        }
        shape(&of("map"), &self.map, rank, outputs + features + 1)?;
        if self.known.is_empty() {
            return flaw(&of("known devices"), "at least one", "none");
        }
        shape(&of("known centres"), &self.known_centres, rank, self.known.len())?;
        for (part, matrix) in [("map", &self.map), ("known centres", &self.known_centres)] {
            bounded(&of(part), matrix.as_slice())?;
        }
        for (position, device) in self.known.iter().enumerate() {
            if self.known[..position].iter().any(|earlier| earlier.id == device.id) {
                return flaw(
                    &of("known devices"),
                    "every device once",
                    format!("`{}` twice", device.id),
                );
            }
            device.check(outputs)?;
        }
        Ok(())
    }
}

impl KnownDevice {
    fn check(&self, outputs: usize) -> Checked {
        let of = |part: &str| format!("{part} of device {}", self.id);
        if let Some(output) = self.output.filter(|&output| output >= outputs) {
            return flaw(&of("output"), format!("a position among {outputs} outputs"), output);
        }
        bounded(&of("level"), &[self.level, self.offset])?;
        spread(&of("scale"), self.scale, true)?;
        spread(&of("noise"), self.noise, false)?;
        within(&of("share of the residual"), self.residual_share, 0.0, 1.0)?;
        for coordinate in self.profile.iter() {
            within(&of("profile"), *coordinate, -MOST_LOG, MOST_LOG)?;
        }
        bounded(&of("covariance"), self.covariance.as_slice())?;
        match self.datasheet.check() {
            Ok(()) => Ok(()),
            Err(error) => flaw(&of("datasheet"), "values that a device can have", error),
        }
    }
}
