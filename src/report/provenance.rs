//! Where the numbers of a report come from: names and values for its end.

use std::path::{Path, PathBuf};

use crate::dataset::{Dataset, Manifest, Origin, Task};
use crate::error::Result;
use crate::evaluate::comparison::ComparisonReport;
use crate::evaluate::optimizer::OptimizerScoring;
use crate::evaluate::predictor::{PredictorScoring, ProbeChoice, Protocol};
use crate::predict::Predictor;

/// Names and values, in the order that they are shown in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Provenance {
    entries: Vec<(String, String)>,
}

impl Provenance {
    /// Checkpoint and datasets, with what these say of their sources.
    ///
    /// # Errors
    /// As [`Manifest::read`].
    pub fn of(predictor: &Predictor, checkpoint: &Path, datasets: &[PathBuf]) -> Result<Provenance> {
        let mut found = Provenance::default()
            .with(
                "Checkpoint",
                format!("{} (predictor {})", checkpoint.display(), predictor.id),
            )
            .with("Search space", predictor.space.id());
        for folder in datasets {
            let sources = Manifest::read(folder)?.sources;
            let names: Vec<&str> = sources.iter().map(|source| source.name.as_str()).collect();
            let from = if names.is_empty() {
                String::new()
            } else {
                format!(" (from {})", names.join(", "))
            };
            found = found.with("Dataset", format!("{}{from}", folder.display()));
        }
        Ok(found)
    }

    /// One entry more.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl ToString) -> Provenance {
        self.entries.push((name.into(), value.to_string()));
        self
    }

    /// What was scored of a predictor.
    #[must_use]
    pub fn with_predictor_scoring(self, dataset: &Dataset, scoring: &PredictorScoring) -> Provenance {
        self.with("Devices", ids(dataset, &scoring.devices))
            .with("Values", origins(dataset, &scoring.devices, None))
            .with(
                "Scored",
                match scoring.protocol {
                    Protocol::Full => "all measurements that are not probes (protocol full)",
                    Protocol::Trimmed => "the middle 80 % by measured value (protocol trimmed)",
                },
            )
            .with("Probes", choice(scoring.choice))
            .with("Repeats", scoring.repeats)
            .with("Seed", scoring.seed.0)
    }

    /// What was scored of an optimizer.
    #[must_use]
    pub fn with_optimizer_scoring(
        self,
        dataset: &Dataset,
        task: Option<&Task>,
        scoring: &OptimizerScoring,
    ) -> Provenance {
        let named = match task {
            Some(task) => self.with("Task", &task.name),
            None => self,
        };
        let besides: Vec<String> = scoring.besides.iter().map(ToString::to_string).collect();
        let limited = if besides.is_empty() {
            named
        } else {
            named.with("Limits beside latency", besides.join(", "))
        };
        limited
            .with("Devices", ids(dataset, &scoring.devices))
            .with("Values", origins(dataset, &scoring.devices, task))
            .with("Probes", choice(scoring.choice))
            .with("Confidence", scoring.confidence)
            .with("Repeats", scoring.repeats)
            .with("Evaluations of a search per limit", scoring.budget)
            .with("Seed", scoring.seed.0)
    }

    /// A comparison that was read from a file.
    pub fn of_comparison(report: &ComparisonReport, file: &Path) -> Provenance {
        Provenance::default()
            .with("Comparison", file.display())
            .with("Search space", &report.space)
            .with("Task", &report.task)
            .with("Confidence", report.confidence)
            .with("Seed of the comparison", report.seed)
            .with(
                "Values",
                "regret, hypervolume and fronts are looked up in the dataset that the comparison was made with; what chose \
                 the designs is predicted",
            )
    }

    /// This program, last.
    #[must_use]
    pub fn with_program(self) -> Provenance {
        self.with("Program", format!("edgefit {}", env!("CARGO_PKG_VERSION")))
    }

    /// The names with their values.
    pub fn entries(&self) -> &[(String, String)] {
        &self.entries
    }
}

fn ids(dataset: &Dataset, devices: &[usize]) -> String {
    let ids: Vec<&str> = devices
        .iter()
        .map(|&device| dataset.devices[device].id.as_str())
        .collect();
    ids.join(", ")
}

/// How many values are measured, simulated and predicted.
fn origins(dataset: &Dataset, devices: &[usize], task: Option<&Task>) -> String {
    let on_device = |device: u32| devices.contains(&(device as usize));
    let rows = dataset.measurements.iter().filter(|row| on_device(row.device));
    let mut parts = vec![counted("latencies and energies", rows.map(|row| row.origin))];
    if let Some(task) = task {
        let rows = dataset.accuracies.iter().filter(|row| row.task == task.index);
        parts.push(counted("accuracies", rows.map(|row| row.origin)));
    }
    parts.push("what is called predicted in figures comes from the checkpoint".into());
    parts.join("; ")
}

fn counted(what: &str, origins: impl Iterator<Item = Origin>) -> String {
    let counts: Vec<String> = Origin::counts(origins)
        .iter()
        .map(|(origin, count)| format!("{count} {}", origin.name()))
        .collect();
    format!("{what}: {}", counts.join(", "))
}

fn choice(choice: ProbeChoice) -> &'static str {
    match choice {
        ProbeChoice::Random => "drawn at random among the device's measurements",
        ProbeChoice::Chosen => "chosen as by `edgefit probes` among the device's measurements",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_by_origin_from_the_most_direct() {
        let origins = [Origin::Predicted, Origin::Measured, Origin::Predicted];
        assert_eq!(
            counted("latencies", origins.into_iter()),
            "latencies: 1 measured, 2 predicted"
        );
    }
}
