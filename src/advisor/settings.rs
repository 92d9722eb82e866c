//! One answer over several settings of one machine: in which precision, runtime or number of threads is which design the best?

use super::{Advisor, MAX_LIMITS, ParetoPoint, TYPICAL_SAMPLES};
use crate::error::{Error, Result};
use crate::metric::Metric;
use crate::optimize::{Proposals, Request, compare_merits};
use crate::predict::{DeviceModel, unmeasured};
use crate::search::{Constraint, Limits};
use crate::space::{Architecture, QuantPolicy};
use crate::stats;

/// A design in one of several settings.
#[derive(Debug, Clone, PartialEq)]
pub struct SettingProposals {
    /// Position of the setting among those asked about.
    pub setting: usize,
    /// The design, or the closest one.
    pub proposals: Proposals,
}

impl Advisor {
    /// The best designs over several settings of one machine, each by itself and the best first, as many as are asked for; where no
    /// setting has one within the limits, the closest of all. Of equally good ones the setting named first comes first.
    ///
    /// # Errors
    /// As [`Advisor::design`], and [`Error::Invalid`] for no settings and for those of several machines.
    pub fn design_among(&self, settings: &[DeviceModel], request: &Request) -> Result<Vec<SettingProposals>> {
        check(settings)?;
        let queries: Vec<(&DeviceModel, &Request)> = settings.iter().map(|setting| (setting, request)).collect();
        Ok(best_among(self.proposals(&queries)?, request))
    }

    /// The most accurate design over several settings of one machine for each of many limits on latency in ms, beside those of
    /// `request`, in the order of the limits and at the price of one batch.
    ///
    /// # Errors
    /// As [`Advisor::design_among`], and [`Error::Invalid`] for a limit that is not positive.
    pub fn pareto_among(
        &self,
        settings: &[DeviceModel],
        request: &Request,
        limits_ms: &[f64],
    ) -> Result<Vec<ParetoPoint>> {
        check(settings)?;
        let requests = limits_ms
            .iter()
            .map(|&limit_ms| {
                let mut constraints = request.limits.constraints().to_vec();
                constraints.push(Constraint::new(Metric::Latency, limit_ms)?);
                Ok(Request {
                    limits: Limits::new(constraints, request.limits.confidence())?,
                    count: 1,
                    ..request.clone()
                })
            })
            .collect::<Result<Vec<Request>>>()?;
        let queries = requests
            .iter()
            .flat_map(|request| settings.iter().map(move |setting| (setting, request)));
        let mut proposals = self.proposals(&queries.collect::<Vec<_>>())?.into_iter();
        let mut points = Vec::with_capacity(requests.len());
        for (&limit_ms, request) in limits_ms.iter().zip(requests) {
            let of_limit = proposals.by_ref().take(settings.len()).collect();
            for best in best_among(of_limit, &request) {
                points.push(ParetoPoint {
                    limit_ms,
                    limits: request.limits.clone(),
                    setting: best.setting,
                    proposals: best.proposals,
                });
            }
        }
        Ok(points)
    }

    /// `count` limits on latency in ms that tell the designs of several settings apart: evenly spaced in their logarithm, from what one
    /// in twenty random architectures keeps in the fastest setting to what nineteen in twenty keep in the slowest, as predicted.
    ///
    /// # Errors
    /// [`Error::Invalid`] for no settings, for a device of another checkpoint, and for no limits or more than a thousand.
    pub fn typical_limits_among(&self, settings: &[DeviceModel], count: usize) -> Result<Vec<f64>> {
        check(settings)?;
        if !(1..=MAX_LIMITS).contains(&count) {
            return Err(Error::Invalid {
                what: "number of limits".into(),
                expected: format!("1 to {MAX_LIMITS}"),
                found: count.to_string(),
                hint: "10 show how accuracy rises with the limit.".into(),
            });
        }
        let mut rng = self.seed.stream("typical limits");
        let sampled: Vec<Architecture> = (0..TYPICAL_SAMPLES).map(|_| self.space().sample(&mut rng)).collect();
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for setting in settings {
            let predicted = self.predict(setting, &sampled)?;
            let latencies: Vec<f64> = predicted.iter().map(|one| one.metrics.latency().mean).collect();
            let quantile = |share| stats::quantile(&latencies, share).unwrap_or(f64::NAN).ln();
            low = low.min(quantile(0.05));
            high = high.max(quantile(0.95));
        }
        let steps = count.saturating_sub(1).max(1) as f64;
        let at = |step: usize| (low + (high - low) * step as f64 / steps).exp();
        Ok((0..count).map(at).collect())
    }

    /// A device in another precision everywhere that its datasheet has: measured values stay what they are, and what is said of another precision is
    /// predicted from them and from the specifications. `peak_gflops` is its peak there, where the catalogue does not say it.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a precision that the datasheet lacks, naming those that it has; from and to policies that leave layers in
    /// floating point, of which specifications say nothing; where genes say bits; and for a device of another checkpoint.
    pub fn at_precision(
        &self,
        device: &DeviceModel,
        policy: QuantPolicy,
        peak_gflops: Option<f64>,
    ) -> Result<DeviceModel> {
        let (QuantPolicy::Uniform(precision), QuantPolicy::Uniform(_)) = (policy, device.precision) else {
            return Err(unmeasured(device, policy));
        };
        let mut datasheet = device.datasheet.at_precision(precision)?;
        datasheet.peak_gflops = peak_gflops.or(datasheet.peak_gflops);
        self.predictor.at_precision(device, &datasheet, self.seed)
    }
}

/// The best designs of all settings, of whose proposals there is one for each.
fn best_among(proposals: Vec<Proposals>, request: &Request) -> Vec<SettingProposals> {
    let feasible = proposals.iter().any(Proposals::feasible);
    let mut found: Vec<(usize, Proposals)> = Vec::new();
    for (setting, proposals) in proposals.into_iter().enumerate() {
        match proposals {
            Proposals::Feasible(designs) => {
                let each = designs.into_iter();
                found.extend(each.map(|design| (setting, Proposals::Feasible(vec![design]))));
            }
            closest if !feasible => found.push((setting, closest)),
            Proposals::Closest { .. } => (),
        }
    }
    let merit = |proposals: &Proposals| proposals.best().merit(request);
    // Stable: of equally good ones the setting named first stays first.
    found.sort_by(|(_, a), (_, b)| compare_merits(&merit(a), &merit(b)));
    found.truncate(if feasible { request.count.max(1) } else { 1 });
    let settings = found.into_iter();
    settings
        .map(|(setting, proposals)| SettingProposals { setting, proposals })
        .collect()
}

fn check(settings: &[DeviceModel]) -> Result<()> {
    let first = settings.first().ok_or_else(|| Error::Invalid {
        what: "devices of one answer".into(),
        expected: "at least one".into(),
        found: "none".into(),
        hint: "Name a device.".into(),
    })?;
    let Some(other) = settings.iter().find(|one| one.datasheet.unit != first.datasheet.unit) else {
        return Ok(());
    };
    let named = |setting: &DeviceModel| format!("{} of the hardware unit {}", setting.id, setting.datasheet.unit);
    Err(Error::Invalid {
        what: "devices of one answer".into(),
        expected: "settings of one machine, in other precisions, runtimes or numbers of threads".into(),
        found: format!("{} and {}", named(first), named(other)),
        hint: "Ask about one machine at a time. Where these are settings of one, adapt to each with a datasheet that names it: unit = \
               \"my-board\"."
            .into(),
    })
}
