//! Does a design keep the limits, and how surely? Every design is put to the predictor before it is proposed.
//!
//! The probability that all limits hold is the product over the metrics that are predicted: those of the device, and the
//! accuracy where it was not measured. Errors of latency and energy on one device go the same way more often than not (a
//! slow design also draws longer), and then the product is a lower bound. Limits on what is computed from the network hold or
//! do not, with no probability in between.

use std::sync::Arc;

use nalgebra::{DMatrix, DVector};

use super::{Request, needs_accuracy};
use crate::error::Result;
use crate::metric::{Metric, PerMetric, Source};
use crate::predict::{
    Accuracy, AccuracyModel, DeviceMetrics, DeviceModel, Estimate, LogPrediction, MetricModel, Predictor, Table,
    TableAccuracies,
};
use crate::search::{Constraint, Evaluation, Evaluator, Limits, Miss, unknown_metric};
use crate::space::{Architecture, Design};
use crate::stats::INTERVAL_SHARE;

/// A design with what the predictor says about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposal {
    /// The design.
    pub design: Design,
    /// Accuracy with its interval and origin.
    pub accuracy: Accuracy,
    /// The median and interval of every metric of the device that the predictor knows, in the metric's unit.
    pub metrics: DeviceMetrics<Estimate>,
    /// What follows from the network alone, in the metrics' units.
    pub computed: PerMetric<f64>,
    /// Probability that all limits hold.
    pub feasible_probability: f64,
}

impl Proposal {
    /// As [`Request::merit`].
    pub(crate) fn merit(&self, request: &Request) -> [f64; 2] {
        let mut values = self.computed;
        values.insert(Metric::Accuracy, self.accuracy.percent.mean);
        for (metric, estimate) in self.metrics.iter() {
            values.insert(metric, estimate.mean);
        }
        request.merit(&Evaluation {
            values,
            feasible_probability: self.feasible_probability,
        })
    }
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

/// Judges architectures for one device with a predictor, as designs at the precision that the device is known in. It is what
/// searches and the optimizer are compared by.
#[derive(Clone, Copy)]
pub struct PredictorEvaluator<'a> {
    predictor: &'a Predictor,
    accuracy: &'a AccuracyModel,
    device: &'a DeviceModel,
    /// Whether evaluations hold the metrics that are computed, whatever the limits are about.
    computed: bool,
}

/// What the predictor says about one design.
#[derive(Debug, Clone, Copy)]
pub(super) struct Judged {
    pub(super) evaluation: Evaluation,
    accuracy: Accuracy,
    predictions: DeviceMetrics<LogPrediction>,
}

impl<'a> PredictorEvaluator<'a> {
    /// An evaluator for a device that this predictor made.
    ///
    /// # Errors
    /// [`crate::error::Error::Invalid`] for a device of another predictor and for a predictor without accuracies.
    pub fn new(predictor: &'a Predictor, device: &'a DeviceModel) -> Result<Self> {
        let accuracy = needs_accuracy(predictor)?;
        predictor.check_device(device)?;
        Ok(PredictorEvaluator {
            predictor,
            accuracy,
            device,
            computed: false,
        })
    }

    /// An evaluator for one request, which is refused if it is about a metric that is not known of the device or for more than
    /// fits.
    ///
    /// # Errors
    /// As [`PredictorEvaluator::new`], and [`crate::error::Error::Invalid`] for such a request.
    pub fn for_request(predictor: &'a Predictor, device: &'a DeviceModel, request: &Request) -> Result<Self> {
        request.check()?;
        let evaluator = PredictorEvaluator::new(predictor, device)?;
        let unknown = Metric::OF_DEVICE
            .into_iter()
            .find(|&metric| request.concerns(metric) && !device.metrics.contains(metric));
        if let Some(unknown) = unknown {
            return Err(unknown_metric(unknown));
        }
        let weighted = Metric::COMPUTED.iter().any(|&metric| request.weight(metric) > 0.0);
        Ok(if weighted { evaluator.with_computed() } else { evaluator })
    }

    /// The same evaluator, its evaluations with the metrics that are computed from the network: for fronts and objectives that
    /// are about them. Without it they are there where a limit is about them.
    pub fn with_computed(self) -> Self {
        PredictorEvaluator { computed: true, ..self }
    }

    pub(super) fn predictor(&self) -> &'a Predictor {
        self.predictor
    }

    /// The device.
    pub(super) fn device(&self) -> &'a DeviceModel {
        self.device
    }

    /// What is known of a metric of the device.
    pub(super) fn model(&self, metric: Metric) -> Option<&'a MetricModel> {
        self.device.metrics.get(metric)
    }

    /// Expected logarithms of a metric of the device at all architectures of the table.
    pub(super) fn log_means(&self, table: &Table, metric: Metric) -> Option<DVector<f32>> {
        let (basis, posterior) = (table.bases.get(metric)?, &self.model(metric)?.posterior);
        Some(DVector::from_fn(basis.ncols(), |column, _| {
            posterior.log_mean(basis.column(column).as_slice())
        }))
    }

    /// Whether evaluations under these limits hold the metrics that are computed.
    pub(super) fn needs_computed(&self, limits: &Limits) -> bool {
        let computed = |constraint: &Constraint| constraint.metric().source() == Source::Computed;
        self.computed || limits.constraints().iter().any(computed)
    }

    /// What follows from the networks of all architectures of the table.
    pub(super) fn computed_table(&self, table: &Table) -> Arc<[PerMetric<f64>]> {
        self.predictor.computed_of_table(table, self.device.precision)
    }

    /// Accuracies of all architectures of the table at the device's precision.
    pub(super) fn accuracies_of_table(&self, table: &Table) -> Arc<TableAccuracies> {
        self.predictor.accuracies_of_table(table, self.device.precision)
    }

    fn lowered(&self, architectures: &[Architecture], accuracies: Vec<Accuracy>) -> Vec<Accuracy> {
        (self.predictor).lowered(architectures, accuracies, self.device.precision)
    }

    /// What follows from the network of one architecture.
    pub(super) fn computed(&self, architecture: &Architecture) -> PerMetric<f64> {
        self.predictor.computed(&self.device.design(architecture.clone()))
    }

    pub(super) fn judge(&self, architectures: &[Architecture], limits: &Limits) -> Vec<Judged> {
        if let Some(table) = self.predictor.table() {
            let positions: Vec<usize> = architectures.iter().map(|one| table.position(one)).collect();
            return self.judge_positions(table, &positions, limits);
        }
        let encoded = self.predictor.encode(architectures);
        let accuracies = self.lowered(architectures, self.predictor.accuracies(architectures, &encoded));
        let computed = self.needs_computed(limits);
        let computed = architectures
            .iter()
            .map(|one| if computed { self.computed(one) } else { PerMetric::new() });
        self.judge_encoded(&self.predictor.bases(&encoded), accuracies, computed, limits)
    }

    /// Judges architectures that were encoded: at these positions of the bases and accuracies.
    pub(super) fn judge_among(
        &self,
        architectures: &[Architecture],
        positions: &[usize],
        bases: &DeviceMetrics<DMatrix<f32>>,
        accuracies: &[Accuracy],
        limits: &Limits,
    ) -> Vec<Judged> {
        let accuracies = positions.iter().map(|&position| accuracies[position]).collect();
        let needed = self.needs_computed(limits);
        let computed = architectures
            .iter()
            .map(|one| if needed { self.computed(one) } else { PerMetric::new() });
        self.judge_encoded(
            &bases.map(|_, basis| basis.select_columns(positions)),
            self.lowered(architectures, accuracies),
            computed,
            limits,
        )
    }

    /// Judges some architectures of an enumerable space, by their positions.
    pub(super) fn judge_positions(&self, table: &Table, positions: &[usize], limits: &Limits) -> Vec<Judged> {
        let computed = self.needs_computed(limits).then(|| self.computed_table(table));
        let computed = positions.iter().map(|&position| match &computed {
            Some(computed) => computed[position],
            None => PerMetric::new(),
        });
        let accuracies = &self.accuracies_of_table(table).accuracies;
        self.judge_encoded(
            &table.bases.map(|_, basis| basis.select_columns(positions)),
            positions.iter().map(|&position| accuracies[position]).collect(),
            computed,
            limits,
        )
    }

    /// Judges all architectures of an enumerable space, in order.
    pub(super) fn judge_all(&self, table: &Table, limits: &Limits) -> Vec<Judged> {
        let computed = self.needs_computed(limits).then(|| self.computed_table(table));
        let computed = (0..table.architectures.len()).map(|position| match &computed {
            Some(computed) => computed[position],
            None => PerMetric::new(),
        });
        let accuracies = self.accuracies_of_table(table).accuracies.clone();
        self.judge_encoded(&table.bases, accuracies, computed, limits)
    }

    fn judge_encoded(
        &self,
        bases: &DeviceMetrics<DMatrix<f32>>,
        accuracies: Vec<Accuracy>,
        computed: impl Iterator<Item = PerMetric<f64>>,
        limits: &Limits,
    ) -> Vec<Judged> {
        let models = self.device.metrics.zip(bases);
        let predictions = models.map(|_, (model, basis)| model.predict(basis));
        accuracies
            .into_iter()
            .zip(computed)
            .enumerate()
            .map(|(index, (accuracy, computed))| {
                let predictions = predictions.map(|_, of_metric| of_metric[index]);
                self.judged(accuracy, predictions, computed, limits)
            })
            .collect()
    }

    fn judged(
        &self,
        accuracy: Accuracy,
        predictions: DeviceMetrics<LogPrediction>,
        computed: PerMetric<f64>,
        limits: &Limits,
    ) -> Judged {
        let mut values = computed;
        values.insert(Metric::Accuracy, accuracy.percent.mean);
        for (metric, prediction) in predictions.iter() {
            values.insert(metric, f64::from(prediction.mean).exp());
        }
        let mut judged = Judged {
            evaluation: Evaluation {
                values,
                feasible_probability: 1.0,
            },
            accuracy,
            predictions,
        };
        self.rejudge(&mut judged, limits);
        judged
    }

    /// Sets the probability for other limits.
    pub(super) fn rejudge(&self, judged: &mut Judged, limits: &Limits) {
        let probabilities = limits
            .constraints()
            .iter()
            .map(|constraint| self.probability(constraint, judged));
        judged.evaluation.feasible_probability = probabilities.product();
    }

    /// Probability that one limit holds.
    fn probability(&self, constraint: &Constraint, judged: &Judged) -> f64 {
        let (metric, limit) = (constraint.metric(), constraint.limit());
        match metric.source() {
            Source::Task => self.accuracy.probability_at_least(&judged.accuracy, limit),
            Source::Device => match (self.device.metrics.get(metric), judged.predictions.get(metric)) {
                (Some(model), Some(prediction)) => model.probability_below(*prediction, limit),
                (None, _) | (_, None) => 0.0,
            },
            Source::Computed => f64::from(u8::from(constraint.holds(&judged.evaluation))),
        }
    }

    pub(super) fn proposal(&self, architecture: Architecture, judged: &Judged) -> Proposal {
        let models = self.device.metrics.zip(&judged.predictions);
        Proposal {
            accuracy: judged.accuracy,
            metrics: models.map(|_, (model, prediction)| model.estimate(**prediction, INTERVAL_SHARE)),
            computed: self.computed(&architecture),
            design: self.device.design(architecture),
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
