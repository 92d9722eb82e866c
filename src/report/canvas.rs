//! A drawing that becomes one SVG: its size, its words, its charts.

use std::io;

use plotters::coord::Shift;
use plotters::prelude::{
    BLACK, Cartesian2d, ChartBuilder, ChartContext, DrawingArea, DrawingAreaErrorKind, IntoDrawingArea, IntoFont,
    RGBColor, SVGBackend, TextStyle, WHITE,
};
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axis::Axis;
use crate::error::{Error, Result};

/// Where is drawn.
pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
/// What drawing returns.
pub(super) type Drawing<T = ()> = std::result::Result<T, DrawingAreaErrorKind<io::Error>>;
/// A drawing area with two axes.
pub(super) type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<Axis, Axis>>;

/// Size of ordinary words, in pixels of the SVG.
pub(super) const TEXT: f64 = 12.0;
/// Lines that only help to read off values.
pub(super) const GRID: RGBColor = RGBColor(0xDD, 0xDD, 0xDD);
/// Words and lines of less weight, dark enough for print.
pub(super) const MUTED: RGBColor = RGBColor(0x55, 0x55, 0x55);
/// The backend writes font sizes divided by this.
const FONT_SCALE: f64 = 1.24;

/// Draws an SVG of this size in pixels; `title` is what a screen reader says of it.
///
/// # Errors
/// [`Error::Io`] if the backend refuses.
pub(super) fn svg(title: &str, size: (u32, u32), draw: impl FnOnce(&Area) -> Drawing) -> Result<String> {
    let mut text = String::new();
    let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
    area.fill(&WHITE)
        .and_then(|()| draw(&area))
        .and_then(|()| area.present())
        .map_err(|error| Error::io("draw", title)(io::Error::other(error.to_string())))?;
    drop(area);
    // What the backend spells out although it is SVG's default makes up a third of a large figure.
    let text = text.replace(" opacity=\"1\"", "").replace(" stroke=\"none\"", "");
    let title = super::escape::escaped(title);
    Ok(text.replacen(
        "xmlns=\"http://www.w3.org/2000/svg\">",
        &format!("xmlns=\"http://www.w3.org/2000/svg\" role=\"img\">\n<title>{title}</title>"),
        1,
    ))
}

/// Words of some size, anchored where they stand.
pub(super) fn words(size: f64, colour: RGBColor, horizontal: HPos, vertical: VPos) -> TextStyle<'static> {
    ("sans-serif", size * FONT_SCALE)
        .into_font()
        .color(&colour)
        .pos(Pos::new(horizontal, vertical))
}

/// Width that words take at most, in pixels; fonts differ, so this is on the wide side.
pub(super) fn width_of(text: &str, size: f64) -> i32 {
    (0.6 * size * text.chars().count() as f64).ceil() as i32
}

/// Words cut to a number of characters, without characters that XML cannot hold.
pub(super) fn shortened(text: &str, most: usize) -> String {
    let clean: Vec<char> = text.chars().filter(|one| !one.is_control()).collect();
    if clean.len() <= most {
        clean.into_iter().collect()
    } else {
        clean[..most.saturating_sub(1)].iter().chain(&['…']).collect()
    }
}

/// A chart that fills `area`, with grid and labels drawn.
pub(super) fn chart<'a, 'b>(area: &'a Area<'b>, x: &Axis, y: &Axis) -> Drawing<Chart<'a, 'b>> {
    let widest = y.ticks().iter().map(|&tick| width_of(&y.text(tick), TEXT)).max();
    let mut chart = ChartBuilder::on(area)
        .margin_top(8)
        // Half of the last label stands beyond the end of the axis.
        .margin_right(22)
        .x_label_area_size(40)
        .y_label_area_size(26 + widest.unwrap_or_default())
        .build_cartesian_2d(x.clone(), y.clone())?;
    let label = ("sans-serif", TEXT * FONT_SCALE).into_font().color(&BLACK);
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .bold_line_style(GRID)
        .axis_style(MUTED)
        .label_style(label.clone())
        .axis_desc_style(label)
        .x_label_formatter(&|value| x.text(*value))
        .y_label_formatter(&|value| y.text(*value))
        .x_desc(x.label.as_str())
        .y_desc(y.label.as_str())
        .draw()?;
    Ok(chart)
}

/// Where a point of a chart stands in the area that the chart fills.
pub(super) fn pixel(area: &Area, chart: &Chart, point: (f64, f64)) -> (i32, i32) {
    let (x, y) = chart.backend_coord(&point);
    let (left, top) = area.get_base_pixel();
    (x - left, y - top)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_cannot_break_out() {
        let found = svg("</title><script>alert(1)</script>", (10, 10), |_| Ok(())).unwrap();
        assert!(!found.contains("<script>"), "{found}");
        assert!(found.contains("<title>&lt;/title&gt;"), "{found}");
    }

    #[test]
    fn long_words_are_cut_and_control_characters_dropped() {
        assert_eq!(shortened("raspi4", 8), "raspi4");
        assert_eq!(shortened("titan_rtx_256", 8), "titan_r…");
        assert_eq!(shortened("a\u{1}b\n", 8), "ab");
    }
}
