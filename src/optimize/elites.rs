//! The best designs of every region of (device, limit): what search under the predictor has found so far.
//!
//! A region is a limit on one metric of a drawn device. It keeps the few best designs within its limit, whatever other
//! regions keep, so that no region is forgotten for another (after the archive of Mouret & Clune, *Illuminating search spaces
//! by mapping elites*, 2015). Search is evolution in all regions at once: parents are of one region or of near ones, and every
//! child is put to all of them.

use std::cmp::Ordering;
use std::collections::HashSet;

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rayon::prelude::*;

use super::devices::{DrawnMetric, Recipe};
use super::judged::{Judged, Points};
use crate::metric::Metric;
use crate::predict::Predictor;
use crate::seed::Seed;
use crate::space::Architecture;
use crate::stats;

/// Devices that regions are about, for each metric, and limits of each.
const DEVICES: usize = 64;
const LIMITS: usize = 12;
/// Designs that a region keeps.
const KEPT: usize = 4;
/// Probabilities that the second parent is of the next or the last limit of the same device, and of the same limit of another one.
const NEXT_LIMIT: f64 = 0.25;
const OTHER_DEVICE: f64 = 0.25;

/// All regions with their elites.
pub(super) struct Elites {
    devices: Vec<RegionDevice>,
}

/// A drawn device with its regions.
struct RegionDevice {
    metric: Metric,
    drawn: DrawnMetric,
    /// By rising limit.
    regions: Vec<Region>,
}

struct Region {
    log_limit: f32,
    /// The best first.
    best: Vec<Elite>,
}

#[derive(Clone)]
struct Elite {
    merit: Merit,
    design: Architecture,
}

/// How far above the limit, then the accuracy: within the limit the most accurate is best, else the nearest.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Merit {
    above: f32,
    accuracy: f32,
}

impl Merit {
    fn compare(&self, other: &Merit) -> Ordering {
        self.above
            .total_cmp(&other.above)
            .then(other.accuracy.total_cmp(&self.accuracy))
    }
}

impl Elites {
    /// Regions without designs, their limits at quantiles of the reference architectures.
    pub(super) fn new(predictor: &Predictor, reference: &Points, seed: Seed) -> Elites {
        let drawn = |metric: Metric, index: usize| {
            let mut rng = seed.child(metric.name(), index).stream("region");
            let recipe = Recipe::draw(&predictor.metrics.latency().prior, &mut rng);
            let (prior, reference) = (predictor.metrics.get(metric)?, reference.get(metric)?);
            let drawn = recipe.metric(&prior.prior, reference, &mut rng);
            let upper: Vec<f64> = drawn.bounds(reference).upper.into_iter().map(f64::from).collect();
            let limit = |index: usize| stats::quantile(&upper, index as f64 / LIMITS as f64);
            let regions = (0..LIMITS).filter_map(limit).map(|limit| Region {
                log_limit: limit as f32,
                best: Vec::new(),
            });
            Some(RegionDevice {
                metric,
                regions: regions.collect(),
                drawn,
            })
        };
        let metrics: Vec<Metric> = predictor.metrics.metrics().collect();
        let share = DEVICES.div_ceil(metrics.len());
        let pairs = metrics
            .into_iter()
            .flat_map(|metric| (0..share).map(move |index| (metric, index)));
        Elites {
            devices: pairs.filter_map(|(metric, index)| drawn(metric, index)).collect(),
        }
    }

    /// Puts designs to all regions.
    pub(super) fn offer(&mut self, judged: &Judged) {
        self.devices.par_iter_mut().for_each(|device| {
            let Some(basis) = judged.bases.get(device.metric) else {
                return;
            };
            let upper = device.drawn.bounds(basis).upper;
            for region in &mut device.regions {
                region.offer(judged, &upper);
            }
        });
    }

    /// Children of the elites, in the form that searches look at, none of them `seen`, which they are added to. Fewer than
    /// `count` where hardly anything new is found.
    pub(super) fn children(
        &self,
        predictor: &Predictor,
        count: usize,
        seen: &mut HashSet<Architecture>,
        rng: &mut StdRng,
    ) -> Vec<Architecture> {
        let space = predictor.space;
        let rate = 1.0 / space.choices().len() as f64;
        let mut children = Vec::new();
        // A small space can run out of children, so the attempts are counted.
        for _ in 0..4 * count {
            if children.len() >= count {
                break;
            }
            let Some((mother, father)) = self.parents(rng) else {
                break;
            };
            let child = space.mutate(&space.crossover(mother, father, rng), rate, rng);
            let child = predictor.searched_form(&child);
            if space.output_depends_on_input(&child) && seen.insert(child.clone()) {
                children.push(child);
            }
        }
        children
    }

    /// All elites.
    pub(super) fn designs(&self) -> HashSet<&Architecture> {
        let regions = self.devices.iter().flat_map(|device| &device.regions);
        regions
            .flat_map(|region| region.best.iter().map(|elite| &elite.design))
            .collect()
    }

    /// A random elite of a random region, and one of the same region or of a near one.
    fn parents(&self, rng: &mut StdRng) -> Option<(&Architecture, &Architecture)> {
        let device = self.devices.choose(rng)?;
        let limit = rng.random_range(0..device.regions.len());
        let near: f64 = rng.random();
        let other = if near < NEXT_LIMIT {
            let last = device.regions.len() - 1;
            let next = if rng.random() {
                limit + 1
            } else {
                limit.saturating_sub(1)
            };
            &device.regions[next.min(last)]
        } else if near < NEXT_LIMIT + OTHER_DEVICE {
            self.devices.choose(rng)?.regions.get(limit)?
        } else {
            &device.regions[limit]
        };
        let mother = &device.regions[limit].best.choose(rng)?.design;
        Some((mother, &other.best.choose(rng)?.design))
    }
}

impl Region {
    fn offer(&mut self, judged: &Judged, upper: &[f32]) {
        for (index, (&upper, &accuracy)) in upper.iter().zip(&judged.accuracy).enumerate() {
            let merit = Merit {
                above: (upper - self.log_limit).max(0.0),
                accuracy,
            };
            if self.best.len() == KEPT && self.best.last().is_some_and(|last| last.merit.compare(&merit).is_lt()) {
                continue;
            }
            let design = &judged.designs[index];
            let before = |elite: &Elite| elite.merit.compare(&merit).then_with(|| elite.design.cmp(design));
            let place = self.best.partition_point(|elite| before(elite).is_lt());
            if place >= KEPT || self.best.iter().any(|elite| elite.design == *design) {
                continue;
            }
            let design = design.clone();
            self.best.insert(place, Elite { merit, design });
            self.best.truncate(KEPT);
        }
    }
}

#[cfg(test)]
mod tests {
    use nalgebra::DMatrix;

    use super::*;
    use crate::predict::DeviceMetrics;

    fn offered(region: &mut Region, designs: &[(u8, f32, f32)]) {
        let judged = Judged {
            designs: designs.iter().map(|design| Architecture(vec![design.0])).collect(),
            bases: DeviceMetrics::new(DMatrix::zeros(1, designs.len())),
            accuracy: designs.iter().map(|design| design.1).collect(),
        };
        region.offer(&judged, &designs.iter().map(|design| design.2).collect::<Vec<f32>>());
    }

    fn kept(region: &Region) -> Vec<u8> {
        region.best.iter().map(|elite| elite.design.0[0]).collect()
    }

    #[test]
    fn a_region_keeps_the_most_accurate_within_its_limit_then_the_nearest() {
        let mut region = Region {
            log_limit: 2.0,
            best: Vec::new(),
        };
        // Design, accuracy, bound of its logarithm. The second and fourth exceed the limit by 0.5 and 0.1.
        let designs = [(0, 70.0, 1.0), (1, 90.0, 2.5), (2, 80.0, 2.0), (3, 95.0, 2.1)];
        offered(&mut region, &designs);
        assert_eq!(kept(&region), [2, 0, 3, 1]);
        // Four at most: the farthest goes. One that is there already is not taken twice.
        offered(&mut region, &[(4, 75.0, 0.5), (2, 80.0, 2.0)]);
        assert_eq!(kept(&region), [2, 4, 0, 3]);
        // In whatever order they come.
        let mut other = Region {
            log_limit: 2.0,
            best: Vec::new(),
        };
        offered(&mut other, &[(4, 75.0, 0.5), designs[3], designs[2]]);
        offered(&mut other, &[designs[1], designs[0]]);
        assert_eq!(kept(&other), kept(&region));
    }
}
