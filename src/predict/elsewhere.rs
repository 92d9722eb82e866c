//! What was measured of a device in other search spaces: a profile holds in all of them.

use serde::{Deserialize, Serialize};

use super::Probe;
use crate::encode::Physics;
use crate::error::Result;
use crate::metric::{Metric, PerMetric};
use crate::space::{InputSize, QuantPolicy, SearchSpace, by_id};

/// Classes that architectures of datasets of other search spaces are lowered for: the classifier is a small part of a network.
pub const CLASSES_ELSEWHERE: u32 = 10;

/// Values of one architecture as a file keeps them, in whatever search space it was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeasuredOnce {
    /// Id of the search space.
    pub space: String,
    /// The architecture in the notation of its space.
    pub architecture: String,
    /// Width and height of the input, in pixels.
    pub input: (u32, u32),
    /// Classes that the architecture was lowered for.
    pub classes: u32,
    /// The precision that it was measured at.
    pub precision: QuantPolicy,
    /// What was measured, in the units of the metrics, for one batch.
    pub values: PerMetric<f64>,
}

impl MeasuredOnce {
    /// A probe of a space, lowered for `input` and `classes`.
    pub fn new(probe: &Probe, space: &dyn SearchSpace, input: InputSize, classes: u32) -> MeasuredOnce {
        MeasuredOnce {
            space: space.id().into(),
            architecture: space.print(&probe.design.architecture),
            input: (input.width, input.height),
            classes,
            precision: probe.design.policy,
            values: probe.values,
        }
    }
}

/// Work and values of architectures of other search spaces.
#[derive(Debug, Clone, Default)]
pub struct Elsewhere {
    rows: Vec<Row>,
}

#[derive(Debug, Clone)]
struct Row {
    counts: Vec<f64>,
    values: PerMetric<f64>,
}

impl Elsewhere {
    /// What was measured, lowered as it was measured.
    ///
    /// # Errors
    /// [`crate::error::Error::Unknown`] for a search space that does not exist; whatever is wrong with an architecture.
    pub fn of(measured: &[MeasuredOnce]) -> Result<Elsewhere> {
        let row = |one: &MeasuredOnce| {
            let space = by_id(&one.space)?;
            let architecture = space.parse(&one.architecture)?;
            let input = InputSize {
                width: one.input.0,
                height: one.input.1,
            };
            Ok(Row {
                counts: Physics::of(space, &architecture, input, one.classes).work.counts,
                values: one.values,
            })
        };
        Ok(Elsewhere {
            rows: measured.iter().map(row).collect::<Result<Vec<Row>>>()?,
        })
    }

    /// Counts of work and logarithms of the values of a metric.
    pub(super) fn logs(&self, metric: Metric) -> Vec<(&[f64], f64)> {
        let log = |row: &Row| {
            row.values
                .get(metric)
                .copied()
                .filter(|value| *value > 0.0)
                .map(f64::ln)
        };
        let rows = self.rows.iter();
        rows.filter_map(|row| Some((row.counts.as_slice(), log(row)?)))
            .collect()
    }

    /// Whether nothing was measured.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}
