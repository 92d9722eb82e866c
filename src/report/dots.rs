//! One figure per device, with its interval, in rows.

use plotters::coord::ranged1d::Ranged;
use plotters::element::{Circle, PathElement, Text};
use plotters::style::text_anchor::{HPos, VPos};
use plotters::style::{BLACK, Color};

use super::axis::{Axis, Scale};
use super::canvas::{Area, Drawing, GRID, MUTED, TEXT, shortened, svg, width_of, words};
use super::colour::LINES;
use crate::error::Result;
use crate::stats::Interval;

const WIDTH: i32 = 760;
const ROW: i32 = 22;
const MARGIN: i32 = 10;
/// Height of the numbers and the name of the axis.
const FOOT: i32 = 46;
/// Room for the values at the right.
const VALUES: i32 = 150;
const LABEL: usize = 30;

/// Rows of values with their intervals.
#[derive(Debug, Clone, PartialEq)]
pub struct Dots {
    /// What it shows, for readers who cannot see it.
    pub title: String,
    /// What the axis shows, with the unit.
    pub quantity: String,
    /// Decimals of the values written beside the rows.
    pub decimals: usize,
    /// The axis is logarithmic, for values that differ by factors.
    pub logarithmic: bool,
    /// Name and value of every row, from the top.
    pub rows: Vec<(String, Interval)>,
}

impl Dots {
    /// Draws it. Rows whose value is not a number are named and left empty.
    ///
    /// # Errors
    /// If the backend refuses.
    pub fn svg(&self) -> Result<String> {
        let names = self
            .rows
            .iter()
            .map(|(name, _)| width_of(&shortened(name, LABEL), TEXT));
        let left = 2 * MARGIN + names.max().unwrap_or_default();
        let foot = MARGIN + ROW * self.rows.len() as i32;
        let ends = self.rows.iter().flat_map(|(_, one)| [one.mean, one.low, one.high]);
        let scale = if self.logarithmic {
            Scale::Logarithmic
        } else {
            Scale::Linear
        };
        let axis = Axis::spanning(&self.quantity, scale, ends);
        let limits = (left, WIDTH - VALUES);
        svg(&self.title, (WIDTH as u32, (foot + FOOT) as u32), |area| {
            draw_axis(area, &axis, limits, foot)?;
            for (index, (name, value)) in self.rows.iter().enumerate() {
                let y = MARGIN + ROW * index as i32 + ROW / 2;
                let style = words(TEXT, BLACK, HPos::Right, VPos::Center);
                area.draw(&Text::new(shortened(name, LABEL), (left - MARGIN, y), style))?;
                self.draw_value(area, &axis, limits, y, value)?;
            }
            Ok(())
        })
    }

    fn draw_value(&self, area: &Area, axis: &Axis, limits: (i32, i32), y: i32, value: &Interval) -> Drawing {
        let text = |text: String, colour| {
            let style = words(TEXT, colour, HPos::Left, VPos::Center);
            area.draw(&Text::new(text, (limits.1 + MARGIN, y), style))
        };
        if !value.mean.is_finite() {
            return text("–".into(), MUTED);
        }
        let at = |value: f64| (axis.map(&value, limits), y);
        let digits = self.decimals;
        area.draw(&PathElement::new(
            [at(value.low), at(value.high)],
            LINES[0].stroke_width(3),
        ))?;
        area.draw(&Circle::new(at(value.mean), 5, LINES[0].filled()))?;
        if value.low < value.high {
            text(
                format!(
                    "{:.digits$} [{:.digits$}, {:.digits$}]",
                    value.mean, value.low, value.high
                ),
                BLACK,
            )
        } else {
            text(format!("{:.digits$}", value.mean), BLACK)
        }
    }
}

fn draw_axis(area: &Area, axis: &Axis, limits: (i32, i32), foot: i32) -> Drawing {
    for tick in axis.ticks() {
        let x = axis.map(tick, limits);
        area.draw(&PathElement::new([(x, MARGIN), (x, foot)], GRID.stroke_width(1)))?;
        let style = words(TEXT, BLACK, HPos::Center, VPos::Top);
        area.draw(&Text::new(axis.text(*tick), (x, foot + 6), style))?;
    }
    area.draw(&PathElement::new(
        [(limits.0, foot), (limits.1, foot)],
        MUTED.stroke_width(1),
    ))?;
    let style = words(TEXT, BLACK, HPos::Center, VPos::Top);
    let middle = (limits.0 + limits.1) / 2;
    area.draw(&Text::new(axis.label.as_str(), (middle, foot + 26), style))
}

#[cfg(test)]
mod tests {
    use super::super::svg_check::{texts, well_formed_and_inside};
    use super::*;

    fn dots(rows: Vec<(&str, f64, f64, f64)>) -> Vec<String> {
        let dots = Dots {
            title: "error by device".into(),
            quantity: "mean absolute percentage error, %".into(),
            decimals: 1,
            logarithmic: true,
            rows: rows
                .into_iter()
                .map(|(name, low, mean, high)| (name.to_string(), Interval { mean, low, high }))
                .collect(),
        };
        let svg = dots.svg().unwrap();
        well_formed_and_inside(&svg);
        texts(&svg)
    }

    #[test]
    fn names_and_values_stand_beside_their_rows() {
        let found = dots(vec![
            ("pixel3", 2.0, 3.25, 4.0),
            ("<script>", 7.0, 7.0, 7.0),
            ("broken", 0.0, f64::NAN, 0.0),
        ]);
        for text in [
            "pixel3",
            "3.2 [2.0, 4.0]",
            "<script>",
            "7.0",
            "–",
            "5",
            "mean absolute percentage error, %",
        ] {
            assert!(found.contains(&text.to_string()), "{text}: {found:?}");
        }
    }

    #[test]
    fn one_row_equal_rows_and_none() {
        dots(vec![("a", 1.0, 1.0, 1.0)]);
        dots(vec![("a", 0.0, 0.0, 0.0), ("b", 0.0, 0.0, 0.0)]);
        dots(vec![]);
    }
}
