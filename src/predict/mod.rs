//! How fast, how frugal and how accurate is an architecture on a device, and how sure is that?
//!
//! [`fit`] learns from a dataset; [`Predictor::adapt`] turns a few measurements on a new device into a [`DeviceModel`].
//! The parts: [`prior`] what is believed of a device before it is measured, a profile of prices and a residual; [`net`] the towers
//! that predict the residuals of the known devices and [`train`] their training; [`adapt`] probes to a device; [`calibrate`]
//! intervals that hold; [`probes`] which architectures to measure; [`accuracy`].

mod ablation;
pub mod accuracy;
mod accuracy_inputs;
mod accuracy_scale;
pub mod adapt;
mod adaptation;
pub mod calibrate;
mod computed;
pub mod datasheet;
mod device_file;
pub mod device_metrics;
pub mod device_model;
mod directions;
mod drop;
mod elsewhere;
#[cfg(test)]
mod example;
mod explained;
pub mod fit;
mod input;
mod layer_sums;
mod measured;
mod metric_prior;
pub mod net;
mod other_precision;
mod plausible;
pub mod power;
mod prediction;
mod price_names;
pub mod prior;
mod probe_file;
pub mod probes;
mod review;
mod shortcoming;
pub mod similarity;
pub(crate) mod sound;
pub mod teacher;
#[cfg(test)]
pub(crate) mod tests;
pub mod train;
mod unusual;

use std::collections::BTreeSet;
use std::sync::OnceLock;

use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

use crate::compute::ComputeDevice;
use crate::device::Device;
use crate::encode::Encoder;
use crate::error::{Error, Result};
use crate::metric::Metric;
use crate::search::{Constraint, Limits};
use crate::seed::Seed;
use crate::space::{Architecture, Design, Domain, Enumerable, Precision, QuantPolicy, SearchSpace};

pub use ablation::Ablation;
pub use accuracy::{Accuracy, AccuracyModel, ScoreKind};
pub use calibrate::Calibration;
pub use device_metrics::DeviceMetrics;
pub use device_model::{Estimate, LogPrediction, MetricModel, Posterior};
pub use elsewhere::{CLASSES_ELSEWHERE, Elsewhere, MeasuredOnce};
pub use explained::{DeadWork, Explained, ExplainedKind, ExplainedMetric};
pub use layer_sums::LayerSums;
pub use measured::Probe;
pub use metric_prior::MetricPrior;
pub use net::Ensemble;
pub(crate) use other_precision::unmeasured;
pub use power::KnownPower;
pub use prediction::Prediction;
pub use price_names::PriceOrigin;
pub use prior::{KnownDevice, Prior};
pub use probe_file::{architecture_list, design_list, measured_table, printed_designs, probe_table, read_probes};
pub use review::ProbeWarning;
pub use shortcoming::Shortcoming;
pub use similarity::DeviceSimilarity;
pub use unusual::UnusualPrice;

use computed::ComputedMetrics;
use drop::LoweredTables;
pub(crate) use drop::TableAccuracies;

/// Largest search space whose architectures are all encoded once and kept.
const MAX_TABLE: usize = 200_000;

/// How to adapt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdaptOptions {
    /// The same measurements and seed give the same device.
    pub seed: Seed,
    /// Whether values that are hardly possible are taken as they are: for measurements that were checked before.
    pub accept_implausible: bool,
}

impl AdaptOptions {
    /// For measurements of a dataset, which are taken as they are.
    pub fn measured_before(seed: Seed) -> AdaptOptions {
        AdaptOptions {
            seed,
            accept_implausible: true,
        }
    }
}

/// How a device came to be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Knowledge {
    /// Its measurements were trained on.
    Known,
    /// Its probes were adapted to.
    Probes,
    /// It was measured at another precision: what follows from that and its specifications.
    Specifications,
    /// Nothing was measured on it: what its datasheet says, or else what the known devices have in common.
    Prior,
}

/// A device, ready for predictions with the predictor that made it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeviceModel {
    /// Device id.
    pub id: String,
    /// Where the knowledge comes from.
    pub knowledge: Knowledge,
    /// Number of probes.
    pub probes: usize,
    /// Identifies the predictor; another one's basis means something else.
    pub predictor: String,
    /// Width and height of the input that its networks run at; that of the predictor where it is not said.
    #[serde(default)]
    pub input: Option<(u32, u32)>,
    /// The precision that its values are of.
    pub precision: QuantPolicy,
    /// Its datasheet.
    pub datasheet: Device,
    /// What was measured on it, in this search space and in others: enough to adapt to it with another predictor.
    pub measured: Vec<MeasuredOnce>,
    /// What is known of each metric that the predictor learned.
    pub metrics: DeviceMetrics<MetricModel>,
}

impl DeviceModel {
    /// The same device without arithmetic for fewer than eight bits, so that designs for it have eight bits everywhere.
    pub fn at_eight_bits(&self) -> DeviceModel {
        let mut rigid = self.clone();
        rigid.datasheet.precisions = vec![Precision::Int8];
        rigid
    }

    /// An architecture as this device runs it.
    pub fn design(&self, architecture: Architecture) -> Design {
        Design::new(architecture, self.precision)
    }
}

/// Architectures after the towers, from which every prediction is a few dot products.
#[derive(Debug, Clone)]
pub struct Encoded {
    /// `[features, architectures]`.
    pub features: DMatrix<f32>,
    /// `[outputs, architectures]`.
    pub outputs: DMatrix<f32>,
    /// Counts of each kind of work, see [`crate::profile`]: `[COUNTS, architectures]`.
    pub counts: DMatrix<f32>,
}

/// Everything learned from a dataset.
pub struct Predictor {
    /// The search space.
    pub space: &'static dyn SearchSpace,
    /// Identifies this predictor in what is derived from it.
    pub id: String,
    /// Features of architectures.
    pub encoder: Encoder,
    /// Towers with one output per known device and metric.
    pub ensemble: Ensemble,
    /// What stands in the place of some outputs: sums over layers.
    pub layer_sums: LayerSums,
    /// What was learned of each metric that the dataset has.
    pub metrics: DeviceMetrics<MetricPrior>,
    /// Power of the devices whose latency and energy are both known.
    pub powers: Vec<KnownPower>,
    /// Accuracy, where the dataset has it.
    pub accuracy: Option<AccuracyModel>,
    /// Where the towers compute.
    pub compute: ComputeDevice,
    pub(crate) table: OnceLock<Table>,
    pub(crate) reference: OnceLock<DMatrix<f64>>,
}

/// Every architecture of a small search space, in order of [`Enumerable::at`].
pub struct Table {
    space: &'static dyn Enumerable,
    /// The architectures.
    pub architectures: Vec<Architecture>,
    /// The basis of every metric, `[COUNTS + rank, architectures]`.
    pub bases: DeviceMetrics<DMatrix<f32>>,
    /// Accuracies at the precision learned at, empty without an accuracy model.
    pub accuracies: Vec<Accuracy>,
    computed: ComputedMetrics,
    lowered: LoweredTables,
}

impl Table {
    /// The position of an architecture in the table.
    pub fn position(&self, architecture: &Architecture) -> usize {
        self.space.index(architecture)
    }
}

impl Predictor {
    /// Runs the towers, by far the longest part of a prediction.
    pub fn encode(&self, architectures: &[Architecture]) -> Encoded {
        let (features, counts) = self.encoder.encode_and_count(self.space, architectures);
        let mut outputs = self.ensemble.predict(&features, &self.compute);
        let lowered_by = (self.space, &self.encoder);
        self.layer_sums
            .replace(lowered_by, architectures, &counts, &mut outputs);
        Encoded {
            features,
            outputs,
            counts,
        }
    }

    /// The basis, which is the same for all metrics, at architectures drawn from the space: `[COUNTS + rank, reference]`.
    pub(crate) fn reference(&self) -> &DMatrix<f64> {
        self.reference.get_or_init(|| {
            let mut rng = Seed(0).stream("reference");
            let drawn: Vec<Architecture> = (0..adapt::REFERENCE).map(|_| self.space.sample(&mut rng)).collect();
            self.metrics.latency().basis(&self.encode(&drawn)).map(f64::from)
        })
    }

    /// The basis of every metric at encoded architectures: `[COUNTS + rank, architectures]`.
    pub fn bases(&self, encoded: &Encoded) -> DeviceMetrics<DMatrix<f32>> {
        self.metrics.map(|_, metric| metric.basis(encoded))
    }

    /// Accuracies at the precision that they were learned at; empty where none were.
    pub fn accuracies(&self, architectures: &[Architecture], encoded: &Encoded) -> Vec<Accuracy> {
        let Some(model) = &self.accuracy else { return Vec::new() };
        model.predict(self.space, architectures, &encoded.features, &self.compute)
    }

    /// Where its accuracies were learned, which is where designs are looked for: what it says of accuracies elsewhere is worth
    /// nothing. The whole space without accuracies, and where the space can be listed.
    pub fn domain(&self) -> &Domain {
        static WHOLE: Domain = Domain::whole();
        match &self.accuracy {
            Some(accuracy) if self.space.enumerable().is_none() => &accuracy.domain,
            Some(_) | None => &WHOLE,
        }
    }

    /// Where designs for a device are looked for: its datasheet may say that it has no arithmetic for fewer than eight bits.
    pub fn domain_on(&self, device: &DeviceModel) -> Domain {
        if self.space.has_bits() && !device.datasheet.computes_below_eight_bits() {
            self.domain().within(&Domain::at_eight_bits(self.space))
        } else {
            self.domain().clone()
        }
    }

    /// The form in which an architecture is looked at for designs: within the domain, in the form of its space.
    pub(crate) fn searched_form(&self, architecture: &Architecture) -> Architecture {
        self.space.searched_form(self.domain().nearest(architecture))
    }

    /// All architectures of the space with basis and accuracy, computed once; `None` where the space is too large.
    pub fn table(&self) -> Option<&Table> {
        let listed = self.space.enumerable().filter(|listed| listed.size() <= MAX_TABLE)?;
        Some(self.table.get_or_init(|| {
            let architectures = listed.architectures();
            let encoded = self.encode(&architectures);
            let accuracies = self.accuracies(&architectures, &encoded);
            Table {
                space: listed,
                bases: self.bases(&encoded),
                accuracies,
                computed: ComputedMetrics::default(),
                lowered: LoweredTables::default(),
                architectures,
            }
        }))
    }

    /// The same predictor with other accuracies: the devices made with the one serve the other.
    pub fn with_accuracy(&self, accuracy: Option<AccuracyModel>) -> Predictor {
        Predictor {
            space: self.space,
            id: self.id.clone(),
            encoder: self.encoder.clone(),
            ensemble: self.ensemble.clone(),
            layer_sums: self.layer_sums.clone(),
            metrics: self.metrics.clone(),
            powers: self.powers.clone(),
            accuracy,
            compute: self.compute.clone(),
            table: OnceLock::new(),
            reference: OnceLock::new(),
        }
    }

    /// What designs are ranked by.
    pub fn score_kind(&self) -> ScoreKind {
        self.accuracy.as_ref().map_or(ScoreKind::default(), AccuracyModel::kind)
    }

    /// Refuses a limit on accuracy where designs are ranked by a proxy score.
    ///
    /// # Errors
    /// [`Error::Invalid`] that says so.
    pub fn check_limits(&self, limits: &Limits) -> Result<()> {
        let limited = limits.constraints().iter().map(Constraint::metric);
        match limited.filter(|metric| *metric == Metric::Accuracy).count() {
            0 => Ok(()),
            _ if self.score_kind() == ScoreKind::Accuracy => Ok(()),
            _ => Err(Error::Invalid {
                what: "limits".into(),
                expected: "none on accuracy: the checkpoint has learned a proxy score, which says nothing about it"
                    .into(),
                found: "a least accuracy".into(),
                hint: "Limit latency, energy or size; the designs returned are those of the best proxy score.".into(),
            }),
        }
    }

    /// Ids of the devices that were trained on.
    pub fn known_devices(&self) -> Vec<String> {
        let known = self.metrics.latency().prior.known.iter();
        known.map(|device| device.id.clone()).collect()
    }

    /// Names of the hardware units that were trained on.
    pub fn known_units(&self) -> BTreeSet<&str> {
        let known = self.metrics.latency().prior.known.iter();
        known.map(|device| device.unit.as_str()).collect()
    }

    /// A device that was trained on.
    pub fn known(&self, id: &str) -> Option<DeviceModel> {
        let known = self.known_device(id)?;
        let mut metrics = DeviceMetrics::new(self.metrics.latency().known(id)?);
        for (metric, prior) in self.metrics.iter() {
            let model = prior.known(id).or_else(|| {
                let similarity = DeviceSimilarity::of(&known.datasheet, &prior.prior);
                self.following_latency(&prior.prior, metrics.latency(), &known.datasheet, &similarity)
            });
            if let Some(model) = model {
                metrics.insert(metric, model);
            }
        }
        Some(DeviceModel {
            id: id.into(),
            knowledge: Knowledge::Known,
            probes: 0,
            predictor: self.id.clone(),
            input: Some(self.input()),
            precision: known.precision,
            datasheet: known.datasheet.clone(),
            measured: Vec::new(),
            metrics,
        })
    }

    /// The datasheet of a device that was trained on.
    pub fn known_datasheet(&self, id: &str) -> Option<&Device> {
        self.known_device(id).map(|known| &known.datasheet)
    }

    /// The datasheets of the devices that were trained on, or added later.
    pub fn known_datasheets(&self) -> Vec<Device> {
        let known = self.metrics.latency().prior.known.iter();
        known.map(|device| device.datasheet.clone()).collect()
    }

    /// The precision that a known device was measured at, where its values are predicted at another one.
    pub fn measured_at(&self, id: &str) -> Option<QuantPolicy> {
        self.known_device(id)?.measured_at
    }

    fn known_device(&self, id: &str) -> Option<&KnownDevice> {
        let known = &self.metrics.latency().prior.known;
        known.iter().find(|device| device.id == id)
    }
}
