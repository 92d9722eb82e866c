//! How does a figure change with what was spent? One line per method, with intervals.

use plotters::element::PathElement;
use plotters::style::Color;

use super::axis::{Axis, Scale};
use super::canvas::{Area, Chart, Drawing, chart, pixel, svg};
use super::panels::{Panels, panels};
use super::series::{Legend, Style};
use crate::error::Result;
use crate::stats::Interval;

const SIZE: (u32, u32) = (760, 420);
/// Distance between neighbouring methods at the same value, in pixels, so that intervals do not hide each other.
const APART: i32 = 5;

/// Lines over a shared axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Lines {
    /// What it shows, for readers who cannot see it.
    pub title: String,
    /// What was spent.
    pub across: String,
    /// What came of it, with the unit.
    pub up: String,
    /// The axis of what was spent is logarithmic.
    pub logarithmic: bool,
    /// The axis of what came of it starts at zero.
    pub from_zero: bool,
    /// Name of every line, and its points.
    pub lines: Vec<(String, Vec<(f64, Interval)>)>,
}

impl Lines {
    /// Draws it. Points that are not numbers are left out.
    ///
    /// # Errors
    /// If the backend refuses.
    pub fn svg(&self) -> Result<String> {
        let legend = Legend::new(self.entries(), SIZE.0);
        svg(&self.title, (SIZE.0, SIZE.1 + legend.height()), |area| {
            legend.draw(area)?;
            self.draw(&area.split_vertically(legend.height()).1)
        })
    }

    /// Small charts of the same lines, one per device, under one legend.
    ///
    /// # Errors
    /// If the backend refuses.
    pub fn panels(title: &str, of_devices: &[(String, Lines)]) -> Result<Panels> {
        let names: Vec<String> = of_devices.iter().map(|(name, _)| name.clone()).collect();
        let entries: Vec<(Style, &str)> = of_devices
            .first()
            .map_or(Vec::new(), |(_, lines)| lines.entries().collect());
        panels(title, &names, &entries, |index, area| of_devices[index].1.draw(area))
    }

    fn entries(&self) -> impl Iterator<Item = (Style, &str)> {
        let names = self.lines.iter().enumerate();
        names.map(|(index, (name, _))| (Style::of(index), name.as_str()))
    }

    /// Axes and lines.
    fn draw(&self, area: &Area) -> Drawing {
        let scale = if self.logarithmic {
            Scale::Logarithmic
        } else {
            Scale::Linear
        };
        let all = || {
            self.lines
                .iter()
                .flat_map(|(_, points)| points)
                .filter(|point| is_shown(point))
        };
        let x = Axis::spanning(&self.across, scale, all().map(|point| point.0));
        let ends = all().flat_map(|(_, value)| [value.low, value.mean, value.high]);
        let y = Axis::spanning(&self.up, Scale::Linear, ends);
        let y = if self.from_zero { y.reaching(0.0) } else { y };
        let chart = chart(area, &x, &y)?;
        (0..self.lines.len()).try_for_each(|index| self.draw_line(area, &chart, index))
    }

    fn draw_line(&self, area: &Area, chart: &Chart, index: usize) -> Drawing {
        let style = Style::of(index);
        let aside = APART * (2 * index as i32 - (self.lines.len() as i32 - 1)) / 2;
        let at = |x: f64, y: f64| {
            let (x, y) = pixel(area, chart, (x, y));
            (x + aside, y)
        };
        let points: Vec<&(f64, Interval)> = self.lines[index].1.iter().filter(|point| is_shown(point)).collect();
        for (x, value) in &points {
            let ends = [at(*x, value.low), at(*x, value.high)];
            area.draw(&PathElement::new(ends, style.colour().stroke_width(1)))?;
        }
        let means: Vec<(i32, i32)> = points.iter().map(|(x, value)| at(*x, value.mean)).collect();
        style.draw_line(area, &means)?;
        style.draw_markers(area, &means)
    }
}

fn is_shown((x, value): &(f64, Interval)) -> bool {
    [*x, value.mean, value.low, value.high]
        .iter()
        .all(|number| number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::super::svg_check::{texts, well_formed_and_inside};
    use super::*;

    fn point(x: f64, mean: f64) -> (f64, Interval) {
        let (low, high) = (mean - 0.1, mean + 0.2);
        (x, Interval { mean, low, high })
    }

    fn drawn(lines: Vec<(&str, Vec<(f64, Interval)>)>) -> String {
        let lines = Lines {
            title: "regret".into(),
            across: "measurements".into(),
            up: "mean regret, points".into(),
            logarithmic: true,
            from_zero: true,
            lines: lines
                .into_iter()
                .map(|(name, points)| (name.to_string(), points))
                .collect(),
        };
        let svg = lines.svg().unwrap();
        well_formed_and_inside(&svg);
        svg
    }

    #[test]
    fn seven_methods_look_different_without_colour() {
        let points = || vec![point(5.0, 2.0), point(10.0, 1.5), point(50.0, 0.9)];
        let names = [
            "per-device search",
            "proxy front",
            "AdaProxy",
            "few-shot",
            "amortized",
            "random",
            "more & more",
        ];
        let svg = drawn(names.map(|name| (name, points())).to_vec());
        let found = texts(&svg);
        for text in names
            .iter()
            .chain(&["measurements", "mean regret, points", "5", "10", "50"])
        {
            assert!(found.contains(&text.to_string()), "{text}: {found:?}");
        }
        // Discs and rings are circles: each in the legend and at three points, rings with a white core.
        assert_eq!(svg.matches("<circle").count(), 4 + 8);
    }

    #[test]
    fn devices_have_a_panel_each_under_one_legend() {
        let of_device = |points: Vec<(f64, Interval)>| Lines {
            title: "accuracy".into(),
            across: "limit, ms".into(),
            up: "accuracy, %".into(),
            logarithmic: true,
            from_zero: false,
            lines: vec![("with".into(), points.clone()), ("without".into(), points)],
        };
        let devices = [
            ("phone".to_string(), of_device(vec![point(5.0, 2.0), point(9.0, 3.0)])),
            ("none".to_string(), of_device(vec![])),
        ];
        let drawn = Lines::panels("fronts", &devices).unwrap();
        assert_eq!(texts(drawn.legend.as_ref().unwrap()), ["with", "without"]);
        drawn.svgs.iter().for_each(|svg| well_formed_and_inside(svg));
        // The first line's discs: both points, once.
        assert_eq!(
            drawn
                .svgs
                .iter()
                .map(|svg| svg.matches("<circle").count())
                .collect::<Vec<_>>(),
            [2, 0]
        );
        assert!(texts(&drawn.svgs[1]).contains(&"none".to_string()));
        assert!(Lines::panels("fronts", &[]).unwrap().svgs.is_empty());
    }

    #[test]
    fn broken_points_single_points_and_nothing() {
        let broken = (f64::NAN, point(1.0, 1.0).1);
        assert_eq!(
            drawn(vec![("a", vec![broken, point(3.0, f64::INFINITY)])])
                .matches("<circle")
                .count(),
            1
        );
        assert_eq!(drawn(vec![("a", vec![point(3.0, 1.0)])]).matches("<circle").count(), 2);
        drawn(vec![]);
    }
}
