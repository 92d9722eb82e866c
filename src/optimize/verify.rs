//! Does a design keep the limits, and how surely? Every design is put to the predictor before it is proposed.
//!
//! The probability that all limits hold is the product over latency and energy. Errors of the two on one device go the same
//! way more often than not (a slow design also draws longer), and then the product is a lower bound. A limit on accuracy
//! is held against the expected accuracy.

use nalgebra::DMatrix;

use super::{Request, needs_accuracy};
use crate::error::{Error, Result};
use crate::metric::Metric;
use crate::predict::{Accuracy, DeviceModel, Estimate, LogPrediction, MetricModel, Predictor};
use crate::search::{Evaluation, Evaluator, Limits, Miss};
use crate::space::Architecture;

/// Share of measurements that the intervals of a proposal hold.
pub const INTERVAL_SHARE: f64 = 0.9;

/// What is built: an architecture and how its numbers are stored.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Design {
    /// The architecture.
    pub architecture: Architecture,
    /// Name of the quantization policy.
    pub quantization: String,
}

/// A design with what the predictor says about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposal {
    /// The design.
    pub design: Design,
    /// Accuracy with its 90 % interval and origin.
    pub accuracy: Accuracy,
    /// Latency in ms with its 90 % interval.
    pub latency: Estimate,
    /// Energy in mJ with its 90 % interval, where the predictor knows it.
    pub energy: Option<Estimate>,
    /// Probability that all limits hold.
    pub feasible_probability: f64,
}

/// The answer to a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Proposals {
    /// Designs that meet the limits surely enough, the best first; never empty.
    Feasible(Vec<Proposal>),
    /// No design was found that does.
    Closest {
        /// The design that comes closest.
        proposal: Box<Proposal>,
        /// The limits that it misses in expectation, and by how much; empty if they hold, only not surely enough.
        misses: Vec<Miss>,
    },
}

impl Proposals {
    /// The best design, or the closest one.
    pub fn best(&self) -> &Proposal {
        match self {
            Proposals::Feasible(proposals) => &proposals[0],
            Proposals::Closest { proposal, .. } => proposal,
        }
    }

    /// Whether the limits are met.
    pub fn feasible(&self) -> bool {
        matches!(self, Proposals::Feasible(_))
    }
}

/// Judges designs for one device with a predictor. It is what searches and the optimizer are compared by.
#[derive(Clone, Copy)]
pub struct PredictorEvaluator<'a> {
    predictor: &'a Predictor,
    device: &'a DeviceModel,
}

/// What the predictor says about one design.
#[derive(Debug, Clone, Copy)]
pub(super) struct Judged {
    pub(super) evaluation: Evaluation,
    accuracy: Accuracy,
    latency: LogPrediction,
    energy: Option<LogPrediction>,
}

impl<'a> PredictorEvaluator<'a> {
    /// An evaluator for a device that this predictor made.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a device of another predictor and for a predictor without accuracies.
    pub fn new(predictor: &'a Predictor, device: &'a DeviceModel) -> Result<Self> {
        needs_accuracy(predictor)?;
        if device.predictor != predictor.id {
            return Err(Error::Invalid {
                what: format!("device `{}`", device.id),
                expected: format!("one adapted with the predictor `{}`", predictor.id),
                found: format!("one adapted with `{}`", device.predictor),
                hint: "Adapt the device again with this predictor.".into(),
            });
        }
        Ok(PredictorEvaluator { predictor, device })
    }

    /// Refuses a request about energy where it is not known.
    pub(super) fn check(&self, request: &Request) -> Result<()> {
        if self.device.metrics.contains(Metric::Energy) || !request.asks_about(Metric::Energy) {
            return Ok(());
        }
        Err(Error::Invalid {
            what: "energy".into(),
            expected: "a predictor that knows the energy, since a limit or weight asks about it".into(),
            found: "one that does not".into(),
            hint: "Train the predictor on a dataset with energy_mj, or ask about latency only.".into(),
        })
    }

    pub(super) fn judge(&self, architectures: &[Architecture], limits: &Limits) -> Vec<Judged> {
        match self.predictor.table() {
            Some(table) => {
                let columns: Vec<usize> = architectures.iter().map(|one| table.position(one)).collect();
                let accuracies = columns.iter().map(|&column| table.accuracies[column]).collect();
                let energy = table
                    .bases
                    .get(Metric::Energy)
                    .map(|energy| energy.select_columns(&columns));
                self.judge_encoded(
                    &table.bases.latency().select_columns(&columns),
                    energy.as_ref(),
                    accuracies,
                    limits,
                )
            }
            None => {
                let encoded = self.predictor.encode(architectures);
                let accuracies = self.predictor.accuracies(architectures, &encoded);
                let energy = self
                    .predictor
                    .metrics
                    .get(Metric::Energy)
                    .map(|prior| prior.basis(&encoded));
                self.judge_encoded(
                    &self.predictor.metrics.latency().basis(&encoded),
                    energy.as_ref(),
                    accuracies,
                    limits,
                )
            }
        }
    }

    /// Judges all architectures of an enumerable space, in order.
    pub(super) fn judge_all(&self, limits: &Limits) -> Option<Vec<Judged>> {
        let table = self.predictor.table()?;
        Some(self.judge_encoded(
            table.bases.latency(),
            table.bases.get(Metric::Energy),
            table.accuracies.clone(),
            limits,
        ))
    }

    fn judge_encoded(
        &self,
        latency: &DMatrix<f32>,
        energy: Option<&DMatrix<f32>>,
        accuracies: Vec<Accuracy>,
        limits: &Limits,
    ) -> Vec<Judged> {
        let latencies = self.device.metrics.latency().predict(latency);
        let energies = match (self.device.metrics.get(Metric::Energy), energy) {
            (Some(model), Some(basis)) => model.predict(basis).into_iter().map(Some).collect(),
            _ => vec![None; latencies.len()],
        };
        accuracies
            .into_iter()
            .zip(latencies)
            .zip(energies)
            .map(|((accuracy, latency), energy)| self.judged(accuracy, latency, energy, limits))
            .collect()
    }

    fn judged(
        &self,
        accuracy: Accuracy,
        latency: LogPrediction,
        energy: Option<LogPrediction>,
        limits: &Limits,
    ) -> Judged {
        let value = |prediction: LogPrediction| f64::from(prediction.mean).exp();
        let expected = [
            Some((Metric::Accuracy, accuracy.percent.mean)),
            Some((Metric::Latency, value(latency))),
            energy.map(|energy| (Metric::Energy, value(energy))),
        ];
        let mut judged = Judged {
            evaluation: Evaluation {
                values: expected.into_iter().flatten().collect(),
                feasible_probability: 1.0,
            },
            accuracy,
            latency,
            energy,
        };
        self.rejudge(&mut judged, limits);
        judged
    }

    /// Sets the probability for other limits.
    pub(super) fn rejudge(&self, judged: &mut Judged, limits: &Limits) {
        let below = |model: Option<&MetricModel>, prediction: Option<LogPrediction>, limit| match (model, prediction) {
            (Some(model), Some(prediction)) => model.probability_below(prediction, limit),
            _ => 0.0,
        };
        let probabilities = limits.constraints().iter().map(|constraint| match constraint.metric() {
            Metric::Accuracy | Metric::Macs | Metric::Parameters | Metric::ModelSize | Metric::PeakMemory => {
                f64::from(u8::from(constraint.holds(&judged.evaluation)))
            }
            Metric::Latency => below(
                Some(self.device.metrics.latency()),
                Some(judged.latency),
                constraint.limit(),
            ),
            Metric::Energy => below(
                self.device.metrics.get(Metric::Energy),
                judged.energy,
                constraint.limit(),
            ),
        });
        judged.evaluation.feasible_probability = probabilities.product();
    }

    pub(super) fn proposal(&self, architecture: Architecture, judged: &Judged) -> Proposal {
        let energy = self.device.metrics.get(Metric::Energy).zip(judged.energy);
        Proposal {
            design: Design {
                architecture,
                quantization: self.device.precision.to_string(),
            },
            accuracy: judged.accuracy,
            latency: self.device.metrics.latency().estimate(judged.latency, INTERVAL_SHARE),
            energy: energy.map(|(model, prediction)| model.estimate(prediction, INTERVAL_SHARE)),
            feasible_probability: judged.evaluation.feasible_probability,
        }
    }
}

impl Evaluator for PredictorEvaluator<'_> {
    fn evaluate(&self, architectures: &[Architecture], limits: &Limits) -> Result<Vec<Evaluation>> {
        let judged = self.judge(architectures, limits);
        Ok(judged.into_iter().map(|judged| judged.evaluation).collect())
    }
}
