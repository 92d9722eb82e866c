//! Do intervals hold as often as they promise? The share promised against the share observed.

use plotters::element::PathElement;
use plotters::style::{Color, RGBColor};

use super::axis::{Axis, Scale};
use super::canvas::{MUTED, chart, pixel, svg};
use super::series::Style;
use crate::error::Result;
use crate::stats;

const SIZE: (u32, u32) = (480, 440);
/// Lines of single devices.
pub(super) const DEVICE: RGBColor = RGBColor(0xB0, 0xB0, 0xB0);

/// Promised and observed shares.
#[derive(Debug, Clone, PartialEq)]
pub struct CalibrationCurve {
    /// What it shows, for readers who cannot see it.
    pub title: String,
    /// Shares promised, 0 to 1, rising.
    pub promised: Vec<f64>,
    /// Shares observed, `[device][promised]`.
    pub observed: Vec<Vec<f64>>,
}

impl CalibrationCurve {
    /// Counts how often central intervals hold, from the probabilities that the predictions gave to values at most as large
    /// as those measured: `[device][measurement]`. A perfect prediction makes them uniform (probability integral transform;
    /// Gneiting, Balabdaoui & Raftery, *Probabilistic forecasts, calibration and sharpness*, JRSS B 69, 2007). Devices
    /// without measurements are left out.
    pub fn of(title: &str, probabilities: &[Vec<f64>]) -> CalibrationCurve {
        let promised: Vec<f64> = (1..20).map(|step| 0.05 * f64::from(step)).chain([0.99]).collect();
        let held = |device: &Vec<f64>, share: f64| {
            // Half of the interval's share lies to either side of the median.
            let inside = device.iter().filter(|one| (*one - 0.5).abs() <= 0.5 * share).count();
            inside as f64 / device.len() as f64
        };
        let devices = probabilities.iter().filter(|device| !device.is_empty());
        CalibrationCurve {
            title: title.into(),
            observed: devices
                .map(|device| promised.iter().map(|&share| held(device, share)).collect())
                .collect(),
            promised,
        }
    }

    /// Mean over devices of the share observed where this share was promised; `None` where it is not on the curve.
    pub fn observed_at(&self, share: f64) -> Option<f64> {
        let at = self
            .promised
            .iter()
            .position(|promised| (promised - share).abs() < 1e-9)?;
        let values: Vec<f64> = self.observed.iter().map(|device| device[at]).collect();
        stats::mean(&values)
    }

    /// Draws it: devices in grey, their mean with markers, and the line of promises kept.
    ///
    /// # Errors
    /// If the backend refuses.
    pub fn svg(&self) -> Result<String> {
        svg(&self.title, SIZE, |area| {
            let axis = |what: &str| Axis::new(what, Scale::Linear, 0.0, 1.0);
            let (x, y) = (axis("share promised"), axis("share observed"));
            let mut chart = chart(area, &x, &y)?;
            chart.draw_series([PathElement::new([(0.0, 0.0), (1.0, 1.0)], MUTED.stroke_width(1))])?;
            for device in &self.observed {
                let points: Vec<(f64, f64)> = self.promised.iter().copied().zip(device.iter().copied()).collect();
                chart.draw_series([PathElement::new(points, DEVICE.stroke_width(1))])?;
            }
            let mean = self
                .promised
                .iter()
                .filter_map(|&share| Some((share, self.observed_at(share)?)));
            let mean: Vec<(i32, i32)> = mean.map(|point| pixel(area, &chart, point)).collect();
            Style::of(0).draw_line(area, &mean)?;
            Style::of(0).draw_markers(area, &mean)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::svg_check::well_formed_and_inside;
    use super::*;

    #[test]
    fn uniform_probabilities_keep_every_promise_and_narrow_ones_hold_more() {
        let uniform: Vec<f64> = (0..1000).map(|index| (f64::from(index) + 0.5) / 1000.0).collect();
        // All in the middle half: an interval of share s then holds twice s, until it holds all.
        let narrow: Vec<f64> = uniform.iter().map(|one| 0.25 + 0.5 * one).collect();
        let curve = CalibrationCurve::of("c", &[uniform, narrow]);
        for (index, share) in curve.promised.iter().enumerate() {
            assert!((curve.observed[0][index] - share).abs() < 0.002, "{share}");
            assert!(
                (curve.observed[1][index] - (2.0 * share).min(1.0)).abs() < 0.003,
                "{share}"
            );
        }
        assert!((curve.observed_at(0.3).unwrap() - 0.45).abs() < 0.003);
        assert_eq!(curve.observed_at(0.123), None);
    }

    #[test]
    fn curves_are_drawn_and_so_is_the_lack_of_them() {
        let two = CalibrationCurve::of("c", &[vec![0.1, 0.5, 0.7], vec![0.5], vec![]]);
        assert_eq!(two.observed.len(), 2);
        let lines = |curve: &CalibrationCurve| {
            let svg = curve.svg().unwrap();
            well_formed_and_inside(&svg);
            svg.matches("#B0B0B0").count()
        };
        assert_eq!(lines(&two), 2);
        assert_eq!(lines(&CalibrationCurve::of("c", &[])), 0);
    }
}
