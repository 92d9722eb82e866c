//! Which designs would each method have given, and which ones are there? Accuracy against latency, one panel per device.

use plotters::element::PathElement;
use plotters::style::{BLACK, Color};

use super::axis::{Axis, Scale};
use super::canvas::{Area, Drawing, chart, pixel};
use super::panels::{Panels, panels};
use super::series::Style;
use crate::error::Result;
use crate::stats;

/// Maximum points drawn of one front; more would hide each other.
const MOST: usize = 60;
/// How far the axis of accuracy reaches down from the best, in distances of the best from the median of the front of reference.
const SHOWN: f64 = 3.0;

/// Fronts laid over each other.
#[derive(Debug, Clone, PartialEq)]
pub struct Fronts {
    /// What it shows, for readers who cannot see it.
    pub title: String,
    /// Name of the front that the others are held against: the true one, or that of what is known.
    pub reference: String,
    /// Names of the other fronts, in the order of [`FrontPanel::found`].
    pub names: Vec<String>,
    /// One per device.
    pub panels: Vec<FrontPanel>,
}

/// The fronts of one device. Points are latency in ms and accuracy in percent.
#[derive(Debug, Clone, PartialEq)]
pub struct FrontPanel {
    /// Name of the device.
    pub name: String,
    /// The front that the others are held against.
    pub truth: Vec<[f64; 2]>,
    /// `[front][point]`.
    pub found: Vec<Vec<[f64; 2]>>,
}

impl Fronts {
    /// Draws it: a legend, then one panel per device with the front of reference as a line and the others as markers.
    ///
    /// # Errors
    /// If the backend refuses.
    pub fn panels(&self) -> Result<Panels> {
        let names: Vec<String> = self.panels.iter().map(|panel| panel.name.clone()).collect();
        let mut entries = vec![(Style::plain(), self.reference.as_str())];
        let named = self.names.iter().enumerate();
        entries.extend(named.map(|(index, name)| (Style::see_through(index), name.as_str())));
        panels(&self.title, &names, &entries, |index, area| {
            self.panels[index].draw(area)
        })
    }
}

impl FrontPanel {
    fn draw(&self, area: &Area) -> Drawing {
        let all = || self.found.iter().flatten().chain(&self.truth);
        let x = Axis::spanning("latency, ms", Scale::Logarithmic, all().map(|point| point[0]));
        let least = self.worth_showing().unwrap_or(f64::NEG_INFINITY);
        let y = Axis::spanning("accuracy, %", Scale::Linear, all().map(|point| point[1].max(least)));
        let mut chart = chart(area, &x, &y)?;
        chart.draw_series([PathElement::new(
            stairs(&self.truth, x.range().1),
            BLACK.stroke_width(1),
        )])?;
        for (index, front) in self.found.iter().enumerate() {
            let points: Vec<(i32, i32)> = thinned(front)
                .map(|point| pixel(area, &chart, (point[0], point[1])))
                .collect();
            Style::see_through(index).draw_markers(area, &points)?;
        }
        Ok(())
    }

    /// The accuracy that the axis starts at: the fastest designs are often so much less accurate than all others that the
    /// axis would show nothing else. Points below stand at its end.
    fn worth_showing(&self) -> Option<f64> {
        let accuracies: Vec<f64> = self.truth.iter().map(|point| point[1]).collect();
        let (best, median) = (stats::quantile(&accuracies, 1.0)?, stats::quantile(&accuracies, 0.5)?);
        (best > median).then_some(best - SHOWN * (best - median))
    }
}

/// What is reached within each latency: constant up to the next point, the last one up to `end`.
fn stairs(front: &[[f64; 2]], end: f64) -> Vec<(f64, f64)> {
    let mut sorted = front.to_vec();
    sorted.sort_by(|a, b| a[0].total_cmp(&b[0]));
    let mut corners: Vec<(f64, f64)> = Vec::new();
    for point in &sorted {
        if let Some(&(_, height)) = corners.last() {
            corners.push((point[0], height));
        }
        corners.push((point[0], point[1]));
    }
    if let Some(&(_, height)) = corners.last() {
        corners.push((end, height));
    }
    corners
}

/// At most [`MOST`] points, evenly taken, with the first and the last.
fn thinned(front: &[[f64; 2]]) -> impl Iterator<Item = &[f64; 2]> {
    let count = front.len().min(MOST);
    let last = front.len().saturating_sub(1);
    (0..count).map(move |index| &front[index * last / count.saturating_sub(1).max(1)])
}

#[cfg(test)]
mod tests {
    use super::super::svg_check::{texts, well_formed_and_inside};
    use super::*;

    #[test]
    fn stairs_keep_their_height_until_the_next_point() {
        let found = stairs(&[[2.0, 60.0], [1.0, 50.0]], 4.0);
        assert_eq!(found, [(1.0, 50.0), (2.0, 50.0), (2.0, 60.0), (4.0, 60.0)]);
        assert_eq!(stairs(&[], 4.0), []);
    }

    #[test]
    fn thinning_keeps_both_ends() {
        let front: Vec<[f64; 2]> = (0..1000).map(|index| [f64::from(index), 0.0]).collect();
        let kept: Vec<f64> = thinned(&front).map(|point| point[0]).collect();
        assert_eq!((kept.len(), kept[0], kept[59]), (60, 0.0, 999.0));
        assert_eq!(thinned(&front[..3]).count(), 3);
        assert_eq!(thinned(&front[..1]).count(), 1);
        assert_eq!(thinned(&[]).count(), 0);
    }

    fn panel(name: &str, found: Vec<Vec<[f64; 2]>>) -> FrontPanel {
        FrontPanel {
            name: name.into(),
            truth: vec![[1.0, 50.0], [2.0, 60.0], [9.0, 71.0]],
            found,
        }
    }

    #[test]
    fn every_front_is_in_the_legend_and_in_the_panels() {
        let fronts = Fronts {
            title: "fronts".into(),
            reference: "true front".into(),
            names: ["proxy", "adapted", "ours & theirs"].map(String::from).to_vec(),
            panels: vec![
                panel("a", vec![vec![[1.5, 50.0]], vec![[2.0, 59.0]], vec![[3.0, 61.0]]]),
                panel("b", vec![vec![], vec![[2.0, 60.0]; 3], vec![]]),
            ],
        };
        let drawn = fronts.panels().unwrap();
        assert_eq!(drawn.svgs.len(), 2);
        let svgs: Vec<String> = drawn.legend.into_iter().chain(drawn.svgs).collect();
        svgs.iter().for_each(|svg| well_formed_and_inside(svg));
        let svg = svgs.concat();
        for text in [
            "true front",
            "proxy",
            "adapted",
            "ours & theirs",
            "a",
            "b",
            "latency, ms",
            "accuracy, %",
        ] {
            assert!(texts(&svg).contains(&text.to_string()), "{text}");
        }
        // Rings: one in the legend, one in panel a, each with a white core.
        assert_eq!(svg.matches("<circle").count(), 4);
    }

    #[test]
    fn devices_without_points_and_no_device_at_all() {
        let mut fronts = Fronts {
            title: "fronts".into(),
            reference: "true front".into(),
            names: vec![],
            panels: vec![FrontPanel {
                name: "empty".into(),
                truth: vec![],
                found: vec![],
            }],
        };
        let drawn = fronts.panels().unwrap().svgs;
        assert_eq!(drawn.len(), 1);
        well_formed_and_inside(&drawn[0]);
        fronts.panels.clear();
        assert!(fronts.panels().unwrap().svgs.is_empty());
    }
}
