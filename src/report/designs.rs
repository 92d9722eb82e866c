//! Designs as rows: what a program reads as JSON and a spreadsheet as CSV.

use serde::Serialize;

use super::predictions::{PredictionRow, csv_text};
use super::score::{self, kind_of};
use super::{Context, LimitsRow};
use crate::error::Result;
use crate::metric::Metric;
use crate::optimize::{Proposal, Proposals};
use crate::predict::{Accuracy, Estimate, Knowledge};
use crate::search::Limits;
use crate::space::SearchSpace;

/// One proposed design. Its fields are the keys of the JSON that `edgefit design` and `edgefit search` print.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DesignRow {
    /// The device, the checkpoint and the seed.
    #[serde(flatten)]
    pub context: Context,
    /// Where what is said of the device comes from.
    pub knowledge: Knowledge,
    /// The limits.
    pub limits: LimitsRow,
    /// Whether the limits hold surely enough; where they do not, this is the closest design.
    pub feasible: bool,
    /// The architecture, in the notation of its space.
    pub architecture: String,
    /// The quantization policy, such as `int8`.
    pub quantization: String,
    /// Top-1 accuracy in percent, or proxy score, with its interval and where it comes from.
    #[serde(flatten, serialize_with = "score::keys")]
    pub accuracy: Accuracy,
    /// Latency of one batch in ms, with its interval.
    pub latency_ms: Estimate,
    /// Energy of one batch in mJ, with its interval; null where the predictor does not know it.
    pub energy_mj: Option<Estimate>,
    /// Multiply-accumulate operations for one input, in millions.
    pub macs_m: Option<f64>,
    /// Trainable parameters, in millions.
    pub parameters_m: Option<f64>,
    /// Bytes of the weights at the design's precision, in MiB.
    pub size_mib: Option<f64>,
    /// Peak memory of the feature maps at the design's precision, in KiB.
    pub memory_kib: Option<f64>,
    /// Probability that all limits hold.
    pub feasible_probability: f64,
}

impl DesignRow {
    /// The rows of an answer to a request, about architectures of `space` on a device of which so much is known.
    pub fn all(
        proposals: &Proposals,
        limits: &Limits,
        space: &dyn SearchSpace,
        device: (&Context, Knowledge),
    ) -> Vec<Self> {
        let row = |proposal| DesignRow::new(proposal, proposals.feasible(), limits, space, device);
        match proposals {
            Proposals::Feasible(proposals) => proposals.iter().map(row).collect(),
            Proposals::Closest { proposal, .. } => vec![row(proposal)],
        }
    }

    fn new(
        proposal: &Proposal,
        feasible: bool,
        limits: &Limits,
        space: &dyn SearchSpace,
        (context, knowledge): (&Context, Knowledge),
    ) -> Self {
        let computed = |metric| proposal.computed.get(metric).copied();
        DesignRow {
            context: context.clone(),
            knowledge,
            limits: LimitsRow::new(limits),
            feasible,
            architecture: space.print(&proposal.design.architecture),
            quantization: proposal.design.quantization(space),
            accuracy: proposal.accuracy,
            latency_ms: *proposal.metrics.latency(),
            energy_mj: proposal.metrics.get(Metric::Energy).copied(),
            macs_m: computed(Metric::Macs),
            parameters_m: computed(Metric::Parameters),
            size_mib: computed(Metric::ModelSize),
            memory_kib: computed(Metric::PeakMemory),
            feasible_probability: proposal.feasible_probability,
        }
    }

    fn cells(&self) -> Vec<String> {
        let mut cells = vec![
            self.architecture.clone(),
            self.quantization.clone(),
            self.accuracy.origin.name().to_string(),
        ];
        for estimate in [Some(self.accuracy.percent), Some(self.latency_ms), self.energy_mj] {
            let ends = [
                estimate.map(|one| one.mean),
                estimate.map(|one| one.low),
                estimate.map(|one| one.high),
            ];
            cells.extend(ends.map(number));
        }
        cells.push(format!("{:.4}", self.feasible_probability));
        cells.extend([self.macs_m, self.parameters_m, self.size_mib, self.memory_kib].map(number));
        cells
    }

    /// The value of a metric that is computed from the network.
    pub fn computed(&self, metric: Metric) -> Option<f64> {
        match metric {
            Metric::Macs => self.macs_m,
            Metric::Parameters => self.parameters_m,
            Metric::ModelSize => self.size_mib,
            Metric::PeakMemory => self.memory_kib,
            Metric::Accuracy | Metric::Latency | Metric::Energy => None,
        }
    }
}

/// The columns behind those of a prediction.
const FURTHER_COLUMNS: [&str; 5] = [
    "feasible_probability",
    "macs_m",
    "parameters_m",
    "size_mib",
    "memory_kib",
];

fn columns(rows: &[DesignRow]) -> impl Iterator<Item = &'static str> + use<> {
    let kind = kind_of(rows.iter().map(|row| row.accuracy));
    PredictionRow::columns(kind).into_iter().chain(FURTHER_COLUMNS)
}

/// The rows as CSV with a header; what is not known is empty.
///
/// # Errors
/// [`crate::error::Error::Io`] when the text cannot be made.
pub fn designs_csv(rows: &[DesignRow]) -> Result<String> {
    csv_text("designs", columns(rows), rows.iter().map(DesignRow::cells))
}

/// Designs for many limits on latency as CSV: the limit, whether it holds surely enough, and what [`designs_csv`] says.
///
/// # Errors
/// [`crate::error::Error::Io`] when the text cannot be made.
pub fn pareto_csv(limits_ms: &[f64], rows: &[DesignRow]) -> Result<String> {
    let header = ["max_latency_ms", "feasible"].into_iter().chain(columns(rows));
    let cells = limits_ms.iter().zip(rows).map(|(limit_ms, row)| {
        let limit = [number(Some(*limit_ms)), row.feasible.to_string()];
        limit.into_iter().chain(row.cells())
    });
    csv_text("designs", header, cells)
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(String::new, |value| format!("{value:.6}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Origin;
    use crate::predict::{DeviceMetrics, ScoreKind};
    use crate::search::Constraint;
    use crate::space::{Design, NasBench201, Precision};

    fn row() -> DesignRow {
        row_of(ScoreKind::Accuracy)
    }

    fn row_of(kind: ScoreKind) -> DesignRow {
        let estimate = |mean| Estimate {
            mean,
            low: mean - 0.5,
            high: mean + 0.5,
        };
        let text = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|nor_conv_1x1~1|none~2|";
        let proposal = Proposal {
            design: Design::uniform(NasBench201.parse(text).unwrap(), Precision::Int8),
            accuracy: Accuracy {
                percent: estimate(70.0),
                origin: Origin::Predicted,
                error: 0.1,
                drop: 0.0,
                kind,
            },
            metrics: DeviceMetrics::new(estimate(4.0)),
            computed: [(Metric::ModelSize, 0.25), (Metric::Macs, 12.5)].into_iter().collect(),
            feasible_probability: 0.95,
        };
        let limits = Limits::new(vec![Constraint::new(Metric::Latency, 5.0).unwrap()], 0.9).unwrap();
        let context = Context {
            device: "phone".into(),
            checkpoint: "0123".into(),
            seed: 7,
        };
        let rows = DesignRow::all(
            &Proposals::Feasible(vec![proposal]),
            &limits,
            &NasBench201,
            (&context, Knowledge::Probes),
        );
        rows[0].clone()
    }

    #[test]
    fn json_has_the_keys_of_the_contract() {
        let json = serde_json::to_value(row()).unwrap();
        let estimate = |mean: f64| serde_json::json!({"mean": mean, "low": mean - 0.5, "high": mean + 0.5});
        let expected = serde_json::json!({
            "architecture": "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|nor_conv_1x1~1|none~2|",
            "quantization": "int8",
            "device": "phone",
            "knowledge": "probes",
            "checkpoint": "0123",
            "seed": 7,
            "limits": {"max_latency_ms": 5.0, "confidence": 0.9},
            "feasible": true,
            "accuracy": estimate(70.0),
            "accuracy_origin": "predicted",
            "latency_ms": estimate(4.0),
            "energy_mj": null,
            "macs_m": 12.5,
            "parameters_m": null,
            "size_mib": 0.25,
            "memory_kib": null,
            "feasible_probability": 0.95,
        });
        assert_eq!(json, expected);
    }

    #[test]
    fn csv_says_the_same_and_leaves_empty_what_is_not_known() {
        let text = designs_csv(&[row()]).unwrap();
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let header = reader.headers().unwrap().clone();
        let cells = reader.records().next().unwrap().unwrap();
        let cell = |name: &str| &cells[header.iter().position(|one| one == name).unwrap()];
        assert_eq!(cells.len(), header.len());
        assert_eq!((cell("quantization"), cell("accuracy_origin")), ("int8", "predicted"));
        assert_eq!((cell("latency_ms_low"), cell("energy_mj_high")), ("3.500000", ""));
        assert_eq!((cell("size_mib"), cell("memory_kib")), ("0.250000", ""));
    }

    /// Nothing that a program reads calls a proxy score an accuracy.
    #[test]
    fn proxy_scores_are_called_so() {
        let rows = [row_of(ScoreKind::Proxy)];
        let json = serde_json::to_value(&rows).unwrap();
        assert_eq!(json[0]["proxy_score"]["mean"], 70.0);
        assert_eq!(json[0]["proxy_score_origin"], "predicted");
        let texts = [
            json.to_string(),
            designs_csv(&rows).unwrap(),
            pareto_csv(&[5.0], &rows).unwrap(),
        ];
        for text in texts {
            assert!(!text.contains("accuracy") && text.contains("proxy_score"), "{text}");
        }
    }
}
