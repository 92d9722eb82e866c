//! One small chart per device, each a drawing of its own, so that a page sets as many side by side as it has room for, under a
//! shared legend.

use plotters::element::Text;
use plotters::style::BLACK;
use plotters::style::text_anchor::{HPos, VPos};

use super::canvas::{Area, Drawing, TEXT, shortened, svg, words};
use super::series::{Legend, Style};
use crate::error::Result;

/// Width and height of a panel by the number of panels.
const WIDE: (u32, u32) = (480, 430);
const NARROW: (u32, u32) = (340, 340);
/// Most panels that are wide.
const FEW: usize = 2;
/// Height of the name above a panel, and where in it the name stands.
const NAME: i32 = 34;
const LINE: i32 = 22;
/// Longest name, in characters.
const LONGEST: usize = 44;

/// Small charts that belong together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Panels {
    /// Which series looks how, as an SVG, where there is more than one.
    pub legend: Option<String>,
    /// The charts, one SVG each.
    pub svgs: Vec<String>,
}

/// The legend, where there are entries, then one panel per name; `draw` gets its position and the room below the name.
///
/// # Errors
/// As [`svg`].
pub(super) fn panels(
    title: &str,
    names: &[String],
    entries: &[(Style, &str)],
    draw: impl Fn(usize, &Area) -> Drawing,
) -> Result<Panels> {
    let size = if names.len() <= FEW { WIDE } else { NARROW };
    let legend = Legend::new(entries.iter().copied(), WIDE.0);
    let panel = |(index, name): (usize, &String)| {
        svg(&format!("{title}: {name}"), size, |area| {
            let style = words(TEXT + 1.0, BLACK, HPos::Center, VPos::Center);
            area.draw(&Text::new(shortened(name, LONGEST), ((size.0 / 2) as i32, LINE), style))?;
            draw(index, &area.split_vertically(NAME).1)
        })
    };
    Ok(Panels {
        legend: if entries.is_empty() {
            None
        } else {
            Some(svg(&format!("Legend: {title}"), (WIDE.0, legend.height()), |area| {
                legend.draw(area)
            })?)
        },
        svgs: names.iter().enumerate().map(panel).collect::<Result<_>>()?,
    })
}
