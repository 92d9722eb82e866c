//! How close are predictions to what was measured? One panel per device, both axes logarithmic.

use std::collections::BTreeMap;

use plotters::element::{PathElement, Rectangle};
use plotters::style::{Color, RGBColor};

use super::axis::{Axis, Scale};
use super::canvas::{Area, Drawing, MUTED, chart, pixel};
use super::colour::mixed;
use super::panels::{Panels, panels};
use crate::error::Result;

/// Side of a square of the plot that all points in it share, in pixels: 15,000 points become a few hundred squares.
const SQUARE: i32 = 4;
/// Fewest points in a square for each shade, from the lightest to the darkest.
const STEPS: [usize; 3] = [1, 4, 16];
/// What the shades of squares start from, without reaching it, and where they end.
const LIGHTEST: RGBColor = RGBColor(0xD5, 0xDD, 0xEA);
const DARKEST: RGBColor = RGBColor(0x0A, 0x26, 0x52);
const IDENTITY: RGBColor = RGBColor(0xD5, 0x5E, 0x00);
/// Share by which the thin lines are off.
const OFF: f64 = 0.1;

/// Predicted against measured values.
#[derive(Debug, Clone, PartialEq)]
pub struct Scatter {
    /// What it shows, for readers who cannot see it.
    pub title: String,
    /// What is predicted, with its unit, such as `latency, ms`.
    pub quantity: String,
    /// Name of every panel and its points: measured, predicted.
    pub panels: Vec<(String, Vec<[f64; 2]>)>,
}

impl Scatter {
    /// Draws it, one panel per device. Values that are not positive have no place on a logarithmic axis and are left out.
    ///
    /// # Errors
    /// If the backend refuses.
    pub fn panels(&self) -> Result<Panels> {
        let names: Vec<String> = self.panels.iter().map(|panel| panel.0.clone()).collect();
        panels(&self.title, &names, &[], |index, area| {
            self.draw(area, &self.panels[index].1)
        })
    }

    fn draw(&self, area: &Area, points: &[[f64; 2]]) -> Drawing {
        let axis = |what: &str| {
            let label = format!("{what} {}", self.quantity);
            Axis::spanning(&label, Scale::Logarithmic, points.iter().flatten().copied())
        };
        let mut chart = chart(area, &axis("measured"), &axis("predicted"))?;
        let shown = points
            .iter()
            .filter(|point| point.iter().all(|value| value.is_finite() && *value > 0.0));
        let mut squares: BTreeMap<(i32, i32), usize> = BTreeMap::new();
        for point in shown {
            let (x, y) = pixel(area, &chart, (point[0], point[1]));
            *squares.entry((x.div_euclid(SQUARE), y.div_euclid(SQUARE))).or_default() += 1;
        }
        for ((x, y), count) in squares {
            let corner = (x * SQUARE, y * SQUARE);
            let shape = Rectangle::new([corner, (corner.0 + SQUARE, corner.1 + SQUARE)], shade(count).filled());
            area.draw(&shape)?;
        }
        let (low, high) = axis("").range();
        chart.draw_series([PathElement::new([(low, low), (high, high)], IDENTITY.stroke_width(1))])?;
        let (above, below) = (1.0 + OFF, 1.0 - OFF);
        for ends in [
            [(low, low * above), (high / above, high)],
            [(low / below, low), (high, high * below)],
        ] {
            chart.draw_series([PathElement::new(ends, MUTED.stroke_width(1))])?;
        }
        Ok(())
    }
}

/// The shades of squares, from few points to many.
pub(super) fn shades() -> impl Iterator<Item = RGBColor> {
    STEPS.into_iter().map(shade)
}

fn shade(count: usize) -> RGBColor {
    let step = STEPS.iter().filter(|least| count >= **least).count();
    let share = step as f64 / STEPS.len() as f64;
    mixed(LIGHTEST, DARKEST, share)
}

#[cfg(test)]
mod tests {
    use super::super::svg_check::{texts, well_formed_and_inside};
    use super::*;

    fn scatter(panels: Vec<(String, Vec<[f64; 2]>)>) -> String {
        let scatter = Scatter {
            title: "predicted against measured".into(),
            quantity: "latency, ms".into(),
            panels,
        };
        let svgs = scatter.panels().unwrap().svgs;
        svgs.iter().for_each(|svg| well_formed_and_inside(svg));
        svgs.concat()
    }

    /// Squares of points, without the white grounds.
    fn squares(svg: &str) -> usize {
        svg.matches("<rect ").count() - svg.matches("<svg ").count()
    }

    #[test]
    fn many_points_make_a_small_figure() {
        let points: Vec<[f64; 2]> = (0..15_625)
            .map(|index| {
                let measured = 5.0 * 1.0002_f64.powi(index);
                [measured, measured * (1.0 + 0.05 * f64::from(index % 7 - 3))]
            })
            .collect();
        let svg = scatter(vec![("pixel3".into(), points)]);
        assert!(svg.len() < 150_000, "{} bytes", svg.len());
        assert!(squares(&svg) > 100, "{}", squares(&svg));
        assert!(texts(&svg).contains(&"measured latency, ms".to_string()));
    }

    #[test]
    fn every_device_has_its_panel_and_name() {
        let names = ["a", "b<i>", "c", "d"];
        let panels = names
            .map(|name| (name.to_string(), vec![[1.0, 1.1], [2.0, 1.9]]))
            .to_vec();
        let svg = scatter(panels);
        assert!(names.iter().all(|name| texts(&svg).contains(&name.to_string())));
        // Two points each, far enough apart.
        assert_eq!(squares(&svg), 8);
    }

    #[test]
    fn constants_zeros_and_nothing_are_drawn() {
        assert_eq!(squares(&scatter(vec![("one".into(), vec![[3.0, 3.0]; 50])])), 1);
        assert_eq!(
            squares(&scatter(vec![("zero".into(), vec![[0.0, 1.0], [1.0, f64::NAN]])])),
            0
        );
        assert_eq!(squares(&scatter(vec![("none".into(), vec![])])), 0);
        assert_eq!(scatter(vec![]), "");
    }
}
