//! The methods on one target: what each picks for every limit after so many measurements, and what that is worth.

use std::collections::HashMap;
use std::time::Instant;

use nalgebra::DMatrix;
use rand::seq::SliceRandom;

use super::super::measured::Limit;
use super::super::per_device;
use super::super::truth::Truth;
use crate::error::Result;
use crate::metric::Metric;
use crate::optimize::{FEASIBILITY_TOLERANCE, Optimizer, Request, Start};
use crate::predict::{AdaptOptions, Predictor, Probe};
use crate::proxy::Column;
use crate::proxy::adaproxy::adapt;
use crate::proxy::flow::FrontPoint;
use crate::proxy::linear::LinearModel;
use crate::search::{Constraint, Limits, Tradeoff};
use crate::seed::Seed;
use crate::space::Architecture;
use crate::stats;

use super::ComparisonOptions;
use super::results::{ComparedDesign, ComparisonRun, Method, TargetFronts};

/// Everything the methods share about one target.
pub(super) struct Case<'a> {
    pub(super) predictor: &'a Predictor,
    pub(super) options: &'a ComparisonOptions,
    pub(super) truth: &'a Truth,
    pub(super) searched: &'a Searched,
    /// The proxy's latencies at the target's architectures, absent where not measured.
    pub(super) proxy: Vec<Option<f64>>,
    pub(super) model: &'a LinearModel,
    pub(super) limits: Vec<Limit>,
}

/// What the methods know about the architectures, whatever the device.
pub(super) struct Searched {
    pub(super) architectures: Vec<Architecture>,
    /// Accuracies that designs are chosen by, in percent.
    pub(super) accuracies: Vec<f64>,
    /// Latency basis of the predictor, `[rank, architectures]`.
    pub(super) basis: DMatrix<f32>,
    /// Features, `[width, architectures]`.
    pub(super) features: DMatrix<f64>,
}

/// What a method answers: one position in the truth per limit, and the front that it believes in.
pub(super) struct Answer {
    pub(super) picks: Vec<usize>,
    pub(super) front: Vec<usize>,
}

impl Searched {
    /// `before` is what was known of another target, whose architectures are often the same.
    pub(super) fn of(predictor: &Predictor, truth: &Truth, before: Option<Searched>) -> Searched {
        let same = before.filter(|before| before.architectures == truth.architectures);
        same.unwrap_or_else(|| Searched::new(predictor, truth))
    }

    fn new(predictor: &Predictor, truth: &Truth) -> Searched {
        let architectures = truth.architectures.clone();
        let encoded = predictor.encode(&architectures);
        let accuracies = predictor.accuracies(&architectures, &encoded);
        Searched {
            accuracies: accuracies.iter().map(|one| one.percent.mean).collect(),
            basis: predictor.metrics.latency().basis(&encoded),
            features: encoded.features.cast(),
            architectures,
        }
    }
}

impl Case<'_> {
    pub(super) fn run(
        &self,
        optimizer: Option<&Optimizer>,
        proxy: &Column,
        runs: &mut Vec<ComparisonRun>,
        fronts: &mut Vec<TargetFronts>,
    ) -> Result<()> {
        let optimizer = optimizer.filter(|_| {
            let listed = self.predictor.space.enumerable();
            listed.is_some_and(|listed| listed.size() == self.truth.architectures.len())
        });
        let most = self.options.measurements.iter().copied().max().unwrap_or(1);
        for &measurements in &self.options.measurements {
            for repeat in 0..self.options.repeats {
                let seed = self
                    .options
                    .seed
                    .child(&format!("compare/{}", self.truth.device.id), repeat);
                let mut believed = HashMap::new();
                for method in Method::ALL {
                    let started = Instant::now();
                    let Some(answer) = self.answer_by(method, optimizer, measurements, seed)? else {
                        continue;
                    };
                    let seconds = started.elapsed().as_secs_f64();
                    let has_proxy = matches!(method, Method::ProxyFront | Method::AdaProxy);
                    runs.push(ComparisonRun {
                        target: self.truth.device.id.clone(),
                        proxy: has_proxy.then(|| proxy.id.clone()),
                        method,
                        measurements,
                        repeat,
                        seconds,
                        hypervolume_ratio: self.hypervolume_ratio(&answer.picks)?,
                        designs: self.designs(&answer.picks),
                    });
                    believed.insert(method, answer.front);
                }
                if measurements == most && repeat == 0 {
                    let front = |method: Method| self.points(&believed.remove(&method).unwrap_or_default());
                    fronts.push(self.fronts(proxy, measurements, front));
                }
            }
        }
        Ok(())
    }

    /// What a method answers; nothing where it is left out.
    fn answer_by(
        &self,
        method: Method,
        optimizer: Option<&Optimizer>,
        measurements: usize,
        seed: Seed,
    ) -> Result<Option<Answer>> {
        let answer = match (method, optimizer) {
            (Method::PerDevice, _) => self.per_device(measurements, seed),
            (Method::ProxyFront, _) => self.proxy_front(measurements),
            (Method::AdaProxy, _) => self.adaproxy(measurements, seed)?,
            (Method::FewShot, _) => self.few_shot(measurements, seed)?,
            (Method::Verified, _) => self.verified(measurements, seed)?,
            (Method::Amortized, Some(optimizer)) => self.amortized(optimizer, measurements, seed)?,
            (Method::Amortized, None) => return Ok(None),
        };
        Ok(Some(answer))
    }

    fn fronts(
        &self,
        proxy: &Column,
        measurements: usize,
        mut front: impl FnMut(Method) -> Vec<FrontPoint>,
    ) -> TargetFronts {
        TargetFronts {
            target: self.truth.device.id.clone(),
            proxy: proxy.id.clone(),
            measurements,
            truth: self.points(&self.truth.tradeoff().front()),
            proxy_front: front(Method::ProxyFront),
            adapted: front(Method::AdaProxy),
            few_shot: front(Method::FewShot),
        }
    }

    /// The target's own measurements and nothing else.
    fn per_device(&self, measurements: usize, seed: Seed) -> Answer {
        let samples = self.random(measurements, seed);
        let logs: Vec<f64> = samples.iter().map(|&one| self.truth.latencies[one].ln()).collect();
        let found = per_device::regress(&self.searched.features, &samples, &logs);
        let probability = |position: usize, limit: f64| {
            let deviation = found.deviations[position].max(f64::MIN_POSITIVE);
            stats::normal_cdf((limit.ln() - found.means[position]) / deviation)
        };
        self.answer(&found.means, probability)
    }

    /// Members of the proxy's front, measured on the target.
    fn proxy_front(&self, measurements: usize) -> Answer {
        let front = self.front(|position| self.proxy[position]);
        let measured = evenly(&front, measurements);
        Answer {
            picks: self.best_measured(&measured),
            front,
        }
    }

    fn adaproxy(&self, measurements: usize, seed: Seed) -> Result<Answer> {
        let space = self.predictor.space;
        let samples = self.random(measurements.div_ceil(2), seed);
        let architectures: Vec<Architecture> = samples
            .iter()
            .map(|&one| self.truth.architectures[one].clone())
            .collect();
        let values: Vec<f64> = samples.iter().map(|&one| self.truth.latencies[one]).collect();
        let adapted = adapt(self.model, space, &architectures, &values, self.options.norm, seed)?;
        let predicted = adapted.model.predict(space, &self.truth.architectures);
        let front = self.front(|position| Some(predicted[position]));
        let mut measured = evenly(&front, measurements - samples.len());
        measured.extend(samples);
        Ok(Answer {
            picks: self.best_measured(&measured),
            front,
        })
    }

    fn few_shot(&self, measurements: usize, seed: Seed) -> Result<Answer> {
        let device = self.predictor.adapt_with(
            &self.truth.device,
            &self.probes(measurements, seed),
            &AdaptOptions::measured_before(seed),
        )?;
        let model = device.metrics.latency();
        let predictions = model.predict(&self.searched.basis);
        let means: Vec<f64> = predictions.iter().map(|one| f64::from(one.mean)).collect();
        Ok(self.answer(&means, |position, limit| {
            model.probability_below(predictions[position], limit)
        }))
    }

    fn amortized(&self, optimizer: &Optimizer, measurements: usize, seed: Seed) -> Result<Answer> {
        let device = self.predictor.adapt_with(
            &self.truth.device,
            &self.probes(measurements, seed),
            &AdaptOptions::measured_before(seed),
        )?;
        let picks = self.limits.iter().map(|limit| {
            let limits = Limits::new(
                vec![Constraint::new(Metric::Latency, limit.ms)?],
                self.options.confidence,
            )?;
            let request = Request {
                samples: self.options.samples,
                ..Request::within(limits)
            };
            let proposals = optimizer.propose_from(Start::Policy, self.predictor, &device, &request, seed)?;
            self.truth.position(&proposals.best().design.architecture)
        });
        Ok(Answer {
            picks: picks.collect::<Result<_>>()?,
            front: Vec::new(),
        })
    }

    fn probes(&self, count: usize, seed: Seed) -> Vec<Probe> {
        let probed = self.probe_positions(count, seed);
        probed.into_iter().map(|position| self.truth.probe(position)).collect()
    }

    pub(super) fn probe_positions(&self, count: usize, seed: Seed) -> Vec<usize> {
        self.truth.probes(self.predictor, self.options.choice, count, seed)
    }

    fn random(&self, count: usize, seed: Seed) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.truth.architectures.len()).collect();
        order.shuffle(&mut seed.stream("samples"));
        order.truncate(count);
        order
    }

    /// The most accurate within each limit with enough probability; where there is none, the one that holds most surely.
    fn answer(&self, log_latencies: &[f64], probability: impl Fn(usize, f64) -> f64) -> Answer {
        let accuracies = &self.searched.accuracies;
        let pick = |limit: &Limit| {
            let sure: Vec<f64> = (0..accuracies.len())
                .map(|position| probability(position, limit.ms))
                .collect();
            // Where nothing is sure enough, the best of those that hardly are less so than any other, as the optimizer does.
            let surest = sure.iter().copied().fold(0.0, f64::max);
            let enough = if surest >= self.options.confidence {
                self.options.confidence
            } else {
                surest - FEASIBILITY_TOLERANCE
            };
            let fits = (0..sure.len()).filter(|&position| sure[position] >= enough);
            let best = fits.max_by(|&a, &b| accuracies[a].total_cmp(&accuracies[b]));
            best.unwrap_or(0)
        };
        Answer {
            picks: self.limits.iter().map(pick).collect(),
            front: self.front(|position| Some(log_latencies[position])),
        }
    }

    /// The most accurate of the measured ones within each limit, or the fastest of them.
    pub(super) fn best_measured(&self, measured: &[usize]) -> Vec<usize> {
        let (latencies, accuracies) = (&self.truth.latencies, &self.searched.accuracies);
        let fastest = measured
            .iter()
            .copied()
            .min_by(|&a, &b| latencies[a].total_cmp(&latencies[b]));
        let pick = |limit: &Limit| {
            let fits = measured.iter().copied().filter(|&one| latencies[one] <= limit.ms);
            fits.max_by(|&a, &b| accuracies[a].total_cmp(&accuracies[b]))
                .or(fastest)
                .unwrap_or(0)
        };
        self.limits.iter().map(pick).collect()
    }

    /// The front of the known accuracies and some latencies, fastest first.
    pub(super) fn front(&self, latency: impl Fn(usize) -> Option<f64>) -> Vec<usize> {
        let known: Vec<(usize, f64)> = (0..self.truth.architectures.len())
            .filter_map(|position| Some((position, latency(position)?)))
            .collect();
        let accuracies: Vec<f64> = known.iter().map(|one| self.searched.accuracies[one.0]).collect();
        let latencies: Vec<f64> = known.iter().map(|one| one.1).collect();
        let table = Tradeoff::new([(Metric::Accuracy, &accuracies[..]), (Metric::Latency, &latencies)]);
        table.front().into_iter().rev().map(|place| known[place].0).collect()
    }

    /// Where architectures really lie, without those that another of them beats, fastest first.
    fn points(&self, positions: &[usize]) -> Vec<FrontPoint> {
        let kept = self.truth.tradeoff().front_among(positions);
        let point = |position: usize| FrontPoint {
            architecture: self.predictor.space.print(&self.truth.architectures[position]),
            latency_ms: self.truth.latencies[position],
            accuracy_percent: self.truth.accuracies[position],
        };
        kept.into_iter().rev().map(point).collect()
    }

    fn hypervolume_ratio(&self, picks: &[usize]) -> Result<Option<f64>> {
        let [ratio, _] = self.truth.hypervolume_ratios(&self.limits, picks)?;
        Ok(Some(ratio).filter(|ratio| ratio.is_finite()))
    }

    fn designs(&self, picks: &[usize]) -> Vec<ComparedDesign> {
        let design = |(limit, &pick): (&Limit, &usize)| {
            let found = self.truth.found(limit, pick);
            ComparedDesign {
                limit_ms: limit.ms,
                limit_quantile: limit.quantile,
                architecture: self.predictor.space.print(&self.truth.architectures[pick]),
                latency_ms: self.truth.latencies[pick],
                accuracy_percent: self.truth.accuracies[pick],
                regret: found.regret,
                violated: found.violated(),
                overshoot: found.overshoot,
            }
        };
        self.limits.iter().zip(picks).map(design).collect()
    }
}

/// So many of them at even distances, the first and the last among them; all if there are no more.
fn evenly(positions: &[usize], count: usize) -> Vec<usize> {
    match (positions.len(), count) {
        (have, wanted) if have <= wanted => positions.to_vec(),
        (_, 0) => Vec::new(),
        (have, 1) => vec![positions[have / 2]],
        (have, wanted) => (0..wanted)
            .map(|step| positions[step * (have - 1) / (wanted - 1)])
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_of_a_front_are_measured_evenly() {
        assert_eq!(evenly(&[5, 6, 7, 8, 9], 3), [5, 7, 9]);
        assert_eq!(evenly(&[5, 6, 7, 8, 9], 1), [7]);
        assert_eq!(evenly(&[5, 6], 4), [5, 6]);
        assert!(evenly(&[5, 6], 0).is_empty() && evenly(&[], 3).is_empty());
    }
}
