//! Which devices agree, and how well: a matrix with its values in the cells.

use plotters::element::{PathElement, Rectangle, Text};
use plotters::style::text_anchor::{HPos, VPos};
use plotters::style::{BLACK, Color, FontTransform, RGBColor, WHITE};

use super::canvas::{Area, Drawing, GRID, MUTED, TEXT, shortened, svg, width_of, words};
use super::colour::{cividis, text_on};
use crate::error::{Error, Result};

/// Room of one cell, in pixels: wide enough for ".97" and "-.31".
const CELL: (i32, i32) = (30, 22);
/// Size of the values.
const VALUE: f64 = 10.5;
/// Longest label, in characters.
const LABEL: usize = 28;
/// Height of the scale below the matrix, with its words.
const SCALE: i32 = 62;
/// Most rows, and most columns: more than can be read, and than a file should make a program draw.
const MOST: usize = 400;
const MARGIN: i32 = 10;

/// A matrix of correlations.
#[derive(Debug, Clone, PartialEq)]
pub struct Heatmap {
    /// What it shows, for readers who cannot see it.
    pub title: String,
    /// Names of the rows, from the top.
    pub rows: Vec<String>,
    /// Names of the columns, from the left.
    pub columns: Vec<String>,
    /// `[rows][columns]`, between -1 and 1; `None` where there is nothing to correlate.
    pub values: Vec<Vec<Option<f64>>>,
    /// Sizes of the groups that neighbouring rows form, from the top; a line is drawn between them.
    pub groups: Vec<usize>,
    /// The smallest value that the scale is to reach; at most the smallest one there is.
    pub least: Option<f64>,
}

/// What the colours and the values in the cells are.
const QUANTITY: &str = "rank correlation (SRCC)";

/// Rounding leaves a correlation a hair beyond 1.
const ROUNDING: f64 = 1e-9;

impl Heatmap {
    /// Rows and columns are the same.
    pub fn square(title: &str, names: &[String], values: Vec<Vec<Option<f64>>>) -> Heatmap {
        Heatmap {
            title: title.into(),
            rows: names.to_vec(),
            columns: names.to_vec(),
            values,
            groups: Vec::new(),
            least: None,
        }
    }

    /// Draws it.
    ///
    /// # Errors
    /// [`Error::Invalid`] without rows or columns, for values that are not `[rows][columns]`, and for a value outside of -1
    /// to 1.
    pub fn svg(&self) -> Result<String> {
        self.check()?;
        let layout = Layout::of(self);
        svg(&self.title, layout.size, |area| {
            self.draw_labels(area, &layout)?;
            self.draw_cells(area, &layout)?;
            self.draw_groups(area, &layout)?;
            draw_scale(area, &layout)
        })
    }

    fn check(&self) -> Result<()> {
        let invalid = |expected: &str, found: String| {
            Err(Error::Invalid {
                what: format!("heatmap \"{}\"", self.title),
                expected: expected.into(),
                found,
                hint: "Correlate at least one device with another.".into(),
            })
        };
        let widths_fit = self.values.iter().all(|row| row.len() == self.columns.len());
        if self.rows.is_empty() || self.columns.is_empty() {
            return invalid("at least one row and one column", "none".into());
        }
        if self.rows.len().max(self.columns.len()) > MOST {
            let found = format!("{} by {}", self.rows.len(), self.columns.len());
            return invalid(&format!("at most {MOST} rows and columns"), found);
        }
        if self.values.len() != self.rows.len() || !widths_fit {
            return invalid("a value or a gap for every row and column", "another number".into());
        }
        let outside = self
            .values
            .iter()
            .flatten()
            .flatten()
            .find(|value| value.is_nan() || value.abs() > 1.0 + ROUNDING);
        match outside {
            Some(value) => invalid("correlations between -1 and 1", value.to_string()),
            None => Ok(()),
        }
    }

    fn draw_labels(&self, area: &Area, layout: &Layout) -> Drawing {
        for (index, name) in self.rows.iter().enumerate() {
            let (x, y) = layout.corner(index, 0);
            let style = words(TEXT, BLACK, HPos::Right, VPos::Center);
            area.draw(&Text::new(shortened(name, LABEL), (x - 6, y + CELL.1 / 2), style))?;
        }
        for (index, name) in self.columns.iter().enumerate() {
            let (x, y) = layout.corner(0, index);
            let style = words(TEXT, BLACK, HPos::Left, VPos::Center).transform(FontTransform::Rotate270);
            area.draw(&Text::new(shortened(name, LABEL), (x + CELL.0 / 2, y - 6), style))?;
        }
        Ok(())
    }

    fn draw_cells(&self, area: &Area, layout: &Layout) -> Drawing {
        for (row, values) in self.values.iter().enumerate() {
            for (column, value) in values.iter().enumerate() {
                let (x, y) = layout.corner(row, column);
                let (ground, text, ink) = match value {
                    Some(value) => {
                        let ground = cividis(layout.share(*value));
                        (ground, cell_text(*value), text_on(ground))
                    }
                    None => (WHITE, "–".to_string(), MUTED),
                };
                let corners = [(x, y), (x + CELL.0, y + CELL.1)];
                area.draw(&Rectangle::new(corners, ground.filled()))?;
                if value.is_none() {
                    area.draw(&Rectangle::new(corners, GRID.stroke_width(1)))?;
                }
                let style = words(VALUE, ink, HPos::Center, VPos::Center);
                area.draw(&Text::new(text, (x + CELL.0 / 2, y + CELL.1 / 2), style))?;
            }
        }
        Ok(())
    }

    fn draw_groups(&self, area: &Area, layout: &Layout) -> Drawing {
        let mut end = 0;
        for size in &self.groups {
            end += size;
            if end >= self.rows.len() {
                break;
            }
            let (left, y) = layout.corner(end, 0);
            let right = layout.corner(end, self.columns.len()).0;
            divide(area, (left, y), (right, y))?;
            if self.columns == self.rows {
                let (x, top) = layout.corner(0, end);
                divide(area, (x, top), (x, layout.corner(self.rows.len(), end).1))?;
            }
        }
        Ok(())
    }
}

/// A white line with a black core, which shows on every colour.
fn divide(area: &Area, from: (i32, i32), to: (i32, i32)) -> Drawing {
    area.draw(&PathElement::new([from, to], WHITE.stroke_width(4)))?;
    area.draw(&PathElement::new([from, to], BLACK.stroke_width(2)))
}

/// Two decimals without the zero before the point, as correlations are usually printed; 1 only for what rounds to it.
fn cell_text(value: f64) -> String {
    let text = format!("{value:.2}");
    match text.as_str() {
        "1.00" => "1".into(),
        "-1.00" => "-1".into(),
        "0.00" | "-0.00" => "0".into(),
        _ => text.replacen("0.", ".", 1),
    }
}

/// Where everything stands.
struct Layout {
    size: (u32, u32),
    /// Upper left corner of the first cell.
    origin: (i32, i32),
    /// Lower left corner of the matrix.
    foot: i32,
    /// The smallest value on the scale.
    least: f64,
}

impl Layout {
    fn of(map: &Heatmap) -> Layout {
        let widest = |names: &[String]| {
            let widths = names.iter().map(|name| width_of(&shortened(name, LABEL), TEXT));
            widths.max().unwrap_or_default()
        };
        let origin = (MARGIN + widest(&map.rows) + 6, MARGIN + widest(&map.columns) + 6);
        let values = map.values.iter().flatten().flatten().copied();
        let least = values.chain(map.least).fold(1.0, f64::min);
        let foot = origin.1 + CELL.1 * map.rows.len() as i32;
        // The words of the scale need some room even below a matrix of one cell.
        let width = (origin.0 + CELL.0 * map.columns.len() as i32).max(260) + MARGIN;
        Layout {
            size: (width as u32, (foot + SCALE + MARGIN) as u32),
            origin,
            foot,
            // Down to a whole tenth, and never a scale without length.
            least: ((least * 10.0).floor() / 10.0).clamp(-1.0, 0.9),
        }
    }

    fn corner(&self, row: usize, column: usize) -> (i32, i32) {
        (
            self.origin.0 + CELL.0 * column as i32,
            self.origin.1 + CELL.1 * row as i32,
        )
    }

    fn share(&self, value: f64) -> f64 {
        (value - self.least) / (1.0 - self.least)
    }
}

fn draw_scale(area: &Area, layout: &Layout) -> Drawing {
    const STEPS: i32 = 50;
    let (left, top) = (MARGIN + 40, layout.foot + 32);
    let style = words(TEXT, BLACK, HPos::Left, VPos::Center);
    area.draw(&Text::new(QUANTITY, (MARGIN, layout.foot + 18), style))?;
    for step in 0..STEPS {
        let colour: RGBColor = cividis(f64::from(step) / f64::from(STEPS - 1));
        let x = left + 3 * step;
        area.draw(&Rectangle::new([(x, top), (x + 3, top + 12)], colour.filled()))?;
    }
    let ends = [
        (cell_text(layout.least), left - 6, HPos::Right),
        ("1".into(), left + 3 * STEPS + 6, HPos::Left),
    ];
    for (text, x, anchor) in ends {
        area.draw(&Text::new(text, (x, top + 6), words(TEXT, BLACK, anchor, VPos::Center)))?;
    }
    let style = words(VALUE, MUTED, HPos::Left, VPos::Center);
    area.draw(&Text::new("– nothing to correlate", (left, top + 26), style))
}

#[cfg(test)]
mod tests {
    use super::super::svg_check::{texts, well_formed_and_inside};
    use super::*;

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|index| format!("device_{index}")).collect()
    }

    #[test]
    fn labels_and_values_are_there_and_gaps_are_no_zeros() {
        let values = vec![
            vec![Some(1.0), Some(0.973), None],
            vec![Some(0.973), Some(1.0), Some(-0.306)],
            vec![None, Some(-0.306), Some(1.0)],
        ];
        let svg = Heatmap::square("agreement", &names(3), values).svg().unwrap();
        well_formed_and_inside(&svg);
        let texts = texts(&svg);
        let count = |text: &str| texts.iter().filter(|one| *one == text).count();
        assert_eq!((count(".97"), count("-.31"), count("–"), count("0")), (2, 2, 2, 0));
        // The scale says what it is of and where it starts and ends: -.31 is rounded down.
        assert_eq!((count("rank correlation (SRCC)"), count("-.40")), (1, 1));
        // Each name stands beside a row and above a column.
        assert!((0..3).all(|index| count(&format!("device_{index}")) == 2), "{texts:?}");
    }

    #[test]
    fn thirty_devices_with_long_names_fit() {
        let names: Vec<String> = (0..30)
            .map(|index| format!("a_device_with_a_name_of_some_length_{index}"))
            .collect();
        let values = vec![vec![Some(0.5); 30]; 30];
        let svg = Heatmap::square("agreement", &names, values).svg().unwrap();
        well_formed_and_inside(&svg);
        assert!(svg.len() < 300_000, "{} bytes", svg.len());
    }

    #[test]
    fn one_device_and_hostile_names() {
        let names = ["<script>alert('x')</script>".to_string()];
        let svg = Heatmap::square("one & only", &names, vec![vec![Some(1.0)]])
            .svg()
            .unwrap();
        well_formed_and_inside(&svg);
        assert!(!svg.contains("<script>"));
    }

    #[test]
    fn empty_ragged_and_impossible_matrices_are_refused() {
        let square = |values| Heatmap::square("m", &names(2), values).svg();
        assert!(Heatmap::square("m", &[], vec![]).svg().is_err());
        assert!(square(vec![vec![Some(1.0), None]]).is_err());
        assert!(square(vec![vec![Some(1.0)], vec![None, None]]).is_err());
        assert!(square(vec![vec![Some(1.5), None], vec![None, None]]).is_err());
        assert!(square(vec![vec![Some(f64::NAN), None], vec![None, None]]).is_err());
        assert!(square(vec![vec![None, None], vec![None, None]]).is_ok());
        let many = Heatmap::square("m", &names(401), vec![vec![None; 401]; 401]);
        assert!(many.svg().unwrap_err().to_string().contains("at most 400"));
    }

    #[test]
    fn cells_are_short() {
        let cases = [
            (0.973, ".97"),
            (1.0, "1"),
            (0.9999, "1"),
            (-0.306, "-.31"),
            (0.0, "0"),
            (-0.001, "0"),
            (-1.0, "-1"),
        ];
        for (value, expected) in cases {
            assert_eq!(cell_text(value), expected);
        }
    }

    #[test]
    fn groups_are_divided_in_both_directions() {
        let values = vec![vec![Some(0.5); 3]; 3];
        let mut map = Heatmap::square("m", &names(3), values);
        let lines = |map: &Heatmap| map.svg().unwrap().matches("<polyline").count();
        assert_eq!(lines(&map), 0);
        map.groups = vec![2, 1];
        // One line across and one down, each with its core.
        assert_eq!(lines(&map), 4);
    }
}
