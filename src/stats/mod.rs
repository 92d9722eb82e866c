//! How well predictions agree with measurements, and how sure a figure is. Pure functions on slices.
//!
//! Inputs hold no NaN: values are finite or absent from the time they are imported. Paired slices have the same length;
//! the functions panic if they do not, since that is a mistake of the caller and never of the data.

mod correlation;
mod interval;
mod normal;
mod quantile;
mod rank;
mod regression;
mod significant;

pub use correlation::{kendall_interval, spearman_interval};
pub use interval::{Interval, bootstrap_mean, coverage_percent};
pub use normal::{normal_cdf, normal_quantile};
pub use quantile::{quantile, quantile_of_sorted};
pub use rank::{average_ranks, correlation_of_ranks, kendall, spearman};
pub use regression::{mape_percent, mean_absolute_error, r_squared, within_percent};
pub use significant::significant;

/// Share of values that every interval of this crate holds, unless another is asked for.
pub const INTERVAL_SHARE: f64 = 0.9;

/// The arithmetic mean; `None` of nothing.
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}
