//! Does a design meet the limits, and if not, by how much does it miss them?

use std::fmt;

use super::Evaluation;
use crate::error::{Error, Result};
use crate::metric::{Direction, Metric, Source};

/// A limit on one metric: the least accuracy, or the maximum of any other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Constraint {
    metric: Metric,
    limit: f64,
}

impl Constraint {
    /// A limit in the metric's unit.
    ///
    /// # Errors
    /// [`Error::Invalid`] unless the limit is finite, positive and no more than the metric can be.
    pub fn new(metric: Metric, limit: f64) -> Result<Self> {
        let most = metric.maximum();
        if limit.is_finite() && limit > 0.0 && limit <= most {
            return Ok(Constraint { metric, limit });
        }
        let range = if most.is_finite() {
            format!(", at most {most}")
        } else {
            String::new()
        };
        Err(Error::Invalid {
            what: format!("{metric} limit"),
            expected: format!("a positive number of {}{range}", metric.unit()),
            found: limit.to_string(),
            hint: "Leave the limit out to ask for none.".into(),
        })
    }

    /// The metric that it limits.
    pub fn metric(&self) -> Metric {
        self.metric
    }

    /// The limit, in the metric's unit.
    pub fn limit(&self) -> f64 {
        self.limit
    }

    fn bound(&self) -> &'static str {
        match self.metric.direction() {
            Direction::Maximize => "at least",
            Direction::Minimize => "at most",
        }
    }

    /// Whether the expected value is within the limit. An unknown one is not.
    pub fn holds(&self, evaluation: &Evaluation) -> bool {
        evaluation
            .value(self.metric)
            .is_some_and(|value| self.metric.holds(value, self.limit))
    }

    /// By which part of the limit the expected value misses it, 0 if it holds.
    fn relative_miss(&self, evaluation: &Evaluation) -> f64 {
        evaluation.value(self.metric).map_or(f64::INFINITY, |value| {
            ((self.metric.cost(value) - self.metric.cost(self.limit)) / self.limit).max(0.0)
        })
    }
}

impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Constraint { metric, limit } = self;
        write!(f, "{metric} of {} {limit} {}", self.bound(), metric.unit())
    }
}

/// A limit that an expected value misses.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Miss {
    /// The limit.
    pub constraint: Constraint,
    /// The expected value, in the metric's unit.
    pub value: f64,
    /// The part of the limit by which it is missed; 0.1 is 10 % too slow, or 10 % less accuracy than asked for.
    pub relative: f64,
}

impl fmt::Display for Miss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Constraint { metric, limit } = self.constraint;
        let (unit, bound) = (metric.unit(), self.constraint.bound());
        let percent = 100.0 * self.relative;
        write!(
            f,
            "{metric} {:.4} {unit}, {bound} {limit} {unit} asked for ({percent:.1} % off)",
            self.value
        )
    }
}

/// Probability that limits hold with, where nothing else is asked for.
pub const DEFAULT_CONFIDENCE: f64 = 0.9;

/// Limits that have to hold together, with at least some probability.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    constraints: Vec<Constraint>,
    confidence: f64,
}

impl Limits {
    /// All `constraints` at once, with a probability of at least `confidence`.
    ///
    /// # Errors
    /// [`Error::Invalid`] unless the confidence is above 0 and at most 1.
    pub fn new(constraints: Vec<Constraint>, confidence: f64) -> Result<Self> {
        if confidence > 0.0 && confidence <= 1.0 {
            return Ok(Limits {
                constraints,
                confidence,
            });
        }
        Err(Error::Invalid {
            what: "confidence".into(),
            expected: "a probability above 0 and at most 1".into(),
            found: confidence.to_string(),
            hint: "0.9 asks for limits that hold in nine cases of ten.".into(),
        })
    }

    /// No limits: everything is feasible.
    pub fn none() -> Self {
        Limits {
            constraints: Vec::new(),
            confidence: DEFAULT_CONFIDENCE,
        }
    }

    /// The limits themselves.
    pub fn constraints(&self) -> &[Constraint] {
        &self.constraints
    }

    /// The probability with which they have to hold.
    pub fn confidence(&self) -> f64 {
        self.confidence
    }

    /// The limits on what is computed from the network, to hold for certain; `None` if there are none.
    pub(crate) fn computed(&self) -> Option<Limits> {
        let computed = |constraint: &Constraint| constraint.metric.source() == Source::Computed;
        let constraints: Vec<Constraint> = self.constraints.iter().copied().filter(computed).collect();
        (!constraints.is_empty()).then_some(Limits {
            constraints,
            confidence: 1.0,
        })
    }

    /// Whether the limits hold surely enough.
    pub fn hold(&self, evaluation: &Evaluation) -> bool {
        self.constraints.is_empty() || evaluation.feasible_probability >= self.confidence
    }

    /// How far a design is from feasible, for putting designs in order: 0 if the limits hold surely enough.
    ///
    /// The relative misses of the expected values tell far from near where the probability has become zero; what the
    /// probability lacks tells near from there where the expected values hold.
    pub fn violation(&self, evaluation: &Evaluation) -> f64 {
        if self.hold(evaluation) {
            return 0.0;
        }
        let misses: f64 = self
            .constraints
            .iter()
            .map(|constraint| constraint.relative_miss(evaluation))
            .sum();
        misses + self.confidence - evaluation.feasible_probability
    }

    /// The limits that the expected values miss, and by how much.
    pub fn misses(&self, evaluation: &Evaluation) -> Vec<Miss> {
        let missed = self
            .constraints
            .iter()
            .filter(|constraint| !constraint.holds(evaluation));
        missed
            .filter_map(|&constraint| {
                Some(Miss {
                    constraint,
                    value: evaluation.value(constraint.metric)?,
                    relative: constraint.relative_miss(evaluation),
                })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::PerMetric;

    fn limits() -> Limits {
        let latency = Constraint::new(Metric::Latency, 10.0).unwrap();
        let accuracy = Constraint::new(Metric::Accuracy, 80.0).unwrap();
        Limits::new(vec![latency, accuracy], 0.9).unwrap()
    }

    fn values(accuracy_percent: f64, latency_ms: f64) -> PerMetric<f64> {
        let values = [(Metric::Accuracy, accuracy_percent), (Metric::Latency, latency_ms)];
        values.into_iter().collect()
    }

    fn evaluation(accuracy_percent: f64, latency_ms: f64, feasible_probability: f64) -> Evaluation {
        Evaluation {
            values: values(accuracy_percent, latency_ms),
            feasible_probability,
        }
    }

    #[test]
    fn misses_are_parts_of_the_limit() {
        // 12 ms of 10 ms is 20 % too slow, 72 % of 80 % is 10 % too low; the probability lacks 0.9 - 0.3.
        let found = evaluation(72.0, 12.0, 0.3);
        let relative: Vec<f64> = limits().misses(&found).iter().map(|miss| miss.relative).collect();
        assert_eq!(relative.len(), 2);
        assert!((relative[0] - 0.2).abs() < 1e-12 && (relative[1] - 0.1).abs() < 1e-12);
        assert!((limits().violation(&found) - 0.9).abs() < 1e-12);
        assert_eq!(
            limits().misses(&found)[0].to_string(),
            "latency 12.0000 ms, at most 10 ms asked for (20.0 % off)"
        );
    }

    #[test]
    fn expected_values_within_limits_are_not_enough() {
        let unsure = evaluation(85.0, 9.9, 0.6);
        assert!(limits().misses(&unsure).is_empty());
        assert!(!limits().hold(&unsure));
        assert!((limits().violation(&unsure) - 0.3).abs() < 1e-12);
        assert_eq!(limits().violation(&evaluation(85.0, 9.0, 0.9)), 0.0);
    }

    #[test]
    fn certain_evaluations_are_feasible_on_the_limit_and_not_beyond() {
        let certain = |accuracy_percent, latency_ms| {
            Evaluation::certain(values(accuracy_percent, latency_ms), &limits()).feasible_probability
        };
        assert_eq!(certain(80.0, 10.0), 1.0);
        assert_eq!(certain(80.0, 10.1), 0.0);
        assert_eq!(certain(79.9, 10.0), 0.0);
    }

    #[test]
    fn without_limits_everything_holds() {
        assert_eq!(Limits::none().violation(&evaluation(0.0, 1e9, 0.0)), 0.0);
    }

    #[test]
    fn refuses_what_is_no_limit() {
        for limit in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let message = Constraint::new(Metric::Latency, limit).unwrap_err().to_string();
            assert!(message.contains("latency limit"), "{message}");
        }
        let message = Constraint::new(Metric::Accuracy, 170.0).unwrap_err().to_string();
        assert!(message.contains("at most 100"), "{message}");
        assert!(Constraint::new(Metric::Accuracy, 100.0).is_ok() && Constraint::new(Metric::Latency, 170.0).is_ok());
        for confidence in [0.0, 1.1, f64::NAN] {
            assert!(Limits::new(Vec::new(), confidence).is_err());
        }
    }
}
