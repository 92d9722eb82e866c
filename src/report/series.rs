//! How is one method, or one device, told from the next without colour? By marker and dashes as well.

use plotters::element::{Circle, DashedPathElement, PathElement, Polygon, Text};
use plotters::style::text_anchor::{HPos, VPos};
use plotters::style::{BLACK, Color, RGBColor, ShapeStyle, WHITE};

use super::canvas::{Area, Drawing, TEXT, width_of, words};
use super::colour::LINES;

/// Half the size of a marker, in pixels.
const MARKER: i32 = 4;
/// Length of the line in the legend that shows a style, and of the gaps around it.
const SAMPLE: i32 = 34;
const GAP: i32 = 8;
/// Height of a row of the legend.
const ROW: i32 = 18;

/// Look of a series, different from that of the others in colour, in marker and in dashes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    index: usize,
    /// Without it only markers are drawn.
    line: bool,
    /// Without them a thin black line is drawn.
    markers: bool,
}

/// Shapes of markers, around a centre.
#[derive(Debug, Clone, Copy)]
enum Marker {
    Disc,
    Square,
    Triangle,
    Diamond,
    Ring,
    Cross,
    Plus,
}

const MARKERS: [Marker; 7] = [
    Marker::Disc,
    Marker::Square,
    Marker::Triangle,
    Marker::Diamond,
    Marker::Ring,
    Marker::Cross,
    Marker::Plus,
];

/// The first marker that does not hide what lies below.
const FIRST_OPEN: usize = 4;

/// Pixels drawn and pixels left out; no gap is a full line.
const DASHES: [(i32, i32); 4] = [(1, 0), (9, 5), (3, 3), (14, 4)];

impl Style {
    /// The style of the `index`-th series; they repeat after 28, with another line.
    pub(super) fn of(index: usize) -> Style {
        Style {
            index,
            line: true,
            markers: true,
        }
    }

    /// A thin black line for what all others are compared with.
    pub(super) fn plain() -> Style {
        Style {
            index: 0,
            line: true,
            markers: false,
        }
    }

    /// Markers alone, of points that may lie on those of other series: rings, crosses and plus signs can still be told.
    pub(super) fn see_through(index: usize) -> Style {
        Style {
            line: false,
            ..Style::of(FIRST_OPEN + index)
        }
    }

    pub(super) fn colour(self) -> RGBColor {
        LINES[self.index % LINES.len()]
    }

    /// A line through points, without markers.
    pub(super) fn draw_line(self, area: &Area, points: &[(i32, i32)]) -> Drawing {
        if points.len() < 2 {
            return Ok(());
        }
        let stroke = self.colour().stroke_width(2);
        match DASHES[self.index % DASHES.len()] {
            (_, 0) => area.draw(&PathElement::new(points.to_vec(), stroke)),
            (dash, gap) => area.draw(&DashedPathElement::new(points.iter().copied(), dash, gap, stroke)),
        }
    }

    /// Markers at points.
    pub(super) fn draw_markers(self, area: &Area, points: &[(i32, i32)]) -> Drawing {
        points.iter().try_for_each(|&point| self.draw_marker(area, point))
    }

    fn draw_marker(self, area: &Area, at: (i32, i32)) -> Drawing {
        let (fill, stroke) = (self.colour().filled(), self.colour().stroke_width(2));
        let around = |corners: &[(i32, i32)]| corners.iter().map(|(x, y)| (at.0 + x, at.1 + y)).collect::<Vec<_>>();
        let line = |from: (i32, i32), to: (i32, i32)| area.draw(&PathElement::new(around(&[from, to]), stroke));
        match MARKERS[self.index % MARKERS.len()] {
            Marker::Disc => area.draw(&Circle::new(at, MARKER, fill)),
            Marker::Ring => {
                area.draw(&Circle::new(at, MARKER, WHITE.filled()))?;
                area.draw(&Circle::new(at, MARKER, stroke))
            }
            Marker::Square => area.draw(&polygon(around(&[(-4, -4), (4, -4), (4, 4), (-4, 4)]), fill)),
            Marker::Triangle => area.draw(&polygon(around(&[(0, -5), (5, 4), (-5, 4)]), fill)),
            Marker::Diamond => area.draw(&polygon(around(&[(0, -6), (6, 0), (0, 6), (-6, 0)]), fill)),
            Marker::Cross => line((-4, -4), (4, 4)).and_then(|()| line((-4, 4), (4, -4))),
            Marker::Plus => line((-5, 0), (5, 0)).and_then(|()| line((0, -5), (0, 5))),
        }
    }

    fn draw_sample(self, area: &Area, (x, y): (i32, i32)) -> Drawing {
        let ends = [(x, y), (x + SAMPLE, y)];
        if !self.markers {
            return area.draw(&PathElement::new(ends, BLACK.stroke_width(1)));
        }
        if self.line {
            self.draw_line(area, &ends)?;
        }
        self.draw_marker(area, (x + SAMPLE / 2, y))
    }
}

fn polygon(corners: Vec<(i32, i32)>, style: ShapeStyle) -> Polygon<(i32, i32)> {
    Polygon::new(corners, style)
}

/// Names of series with their styles, in rows as wide as the figure.
pub(super) struct Legend<'a> {
    entries: Vec<(Style, &'a str)>,
    width: i32,
}

impl<'a> Legend<'a> {
    pub(super) fn new(entries: impl IntoIterator<Item = (Style, &'a str)>, width: u32) -> Legend<'a> {
        Legend {
            entries: entries.into_iter().collect(),
            width: width as i32,
        }
    }

    /// Height that it takes.
    pub(super) fn height(&self) -> u32 {
        let rows = self.places().last().map_or(0, |(_, row)| row + 1);
        (rows * ROW + if rows > 0 { GAP } else { 0 }) as u32
    }

    /// Left end and row of every entry.
    fn places(&self) -> Vec<(i32, i32)> {
        let (mut x, mut row) = (GAP, 0);
        let mut places = Vec::new();
        for (_, name) in &self.entries {
            let width = SAMPLE + width_of(name, TEXT) + 3 * GAP;
            if x > GAP && x + width > self.width {
                (x, row) = (GAP, row + 1);
            }
            places.push((x, row));
            x += width;
        }
        places
    }

    /// Draws it at the top of `area`.
    pub(super) fn draw(&self, area: &Area) -> Drawing {
        for ((style, name), (x, row)) in self.entries.iter().zip(self.places()) {
            let y = row * ROW + ROW / 2 + GAP / 2;
            style.draw_sample(area, (x, y))?;
            area.draw(&Text::new(
                *name,
                (x + SAMPLE + GAP, y),
                words(TEXT, BLACK, HPos::Left, VPos::Center),
            ))?;
        }
        Ok(())
    }
}
