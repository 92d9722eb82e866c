//! How well does AdaProxy repair any device for any other?

use rayon::prelude::*;

use super::{AdaptationMatrix, ComparisonOptions};
use crate::error::Result;
use crate::proxy::Fleet;
use crate::proxy::adaproxy::Sampling;
use crate::proxy::flow::{FlowOptions, Pairing};
use crate::proxy::linear::LinearModel;

/// Every device as the proxy of every other, adapted with the largest number of samples.
pub(super) fn matrix(fleet: &Fleet, models: &[LinearModel], options: &ComparisonOptions) -> Result<AdaptationMatrix> {
    let samples = options.measurements.iter().copied().max().unwrap_or(1);
    let count = fleet.columns.len();
    let pairs: Vec<[Option<f64>; 2]> = (0..count * count)
        .into_par_iter()
        .map(|place| {
            let (proxy, target) = (place / count, place % count);
            if proxy == target {
                return Ok([None; 2]);
            }
            let pairing = Pairing::new(fleet, &fleet.columns[proxy], &models[proxy], &fleet.columns[target])?;
            pairing.before_and_after(&FlowOptions {
                norm: options.norm,
                sampling: Sampling::exactly(samples),
                always_adapt: true,
                layers: 1,
                seed: options.seed.child("adaptation", target),
            })
        })
        .collect::<Result<_>>()?;
    let side = |which: usize| -> Vec<Vec<Option<f64>>> {
        let rows = pairs.chunks(count.max(1));
        rows.map(|row| row.iter().map(|both| both[which]).collect()).collect()
    };
    Ok(AdaptationMatrix {
        devices: fleet.columns.iter().map(|column| column.id.clone()).collect(),
        samples,
        before: side(0),
        after: side(1),
    })
}
