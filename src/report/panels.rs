//! One small chart per device, side by side, under a shared legend.

use plotters::element::Text;
use plotters::style::BLACK;
use plotters::style::text_anchor::{HPos, VPos};

use super::canvas::{Area, Drawing, TEXT, shortened, svg, words};
use super::series::{Legend, Style};
use crate::error::Result;

/// Width and height of a panel by the number of panels, and how many stand side by side.
const WIDE: (u32, u32, usize) = (500, 450, 2);
const NARROW: (u32, u32, usize) = (340, 340, 3);
/// Height of the name above a panel, and where in it the name stands.
const NAME: i32 = 34;
const LINE: i32 = 22;
/// Longest name, in characters.
const LONGEST: usize = 44;

/// Draws one panel per name; `draw` gets its position and the room below the name.
///
/// # Errors
/// As [`svg`].
pub(super) fn panels(
    title: &str,
    names: &[String],
    entries: &[(Style, &str)],
    draw: impl Fn(usize, &Area) -> Drawing,
) -> Result<String> {
    let (width, height, most) = if names.len() <= WIDE.2 { WIDE } else { NARROW };
    let columns = names.len().clamp(1, most);
    let rows = names.len().div_ceil(columns).max(1);
    let legend = Legend::new(entries.iter().copied(), width * columns as u32);
    let size = (width * columns as u32, height * rows as u32 + legend.height());
    svg(title, size, |area| {
        legend.draw(area)?;
        let (_, below) = area.split_vertically(legend.height());
        for (index, (name, panel)) in names.iter().zip(below.split_evenly((rows, columns))).enumerate() {
            let middle = (width / 2) as i32;
            let style = words(TEXT + 1.0, BLACK, HPos::Center, VPos::Center);
            panel.draw(&Text::new(shortened(name, LONGEST), (middle, LINE), style))?;
            draw(index, &panel.split_vertically(NAME).1)?;
        }
        Ok(())
    })
}
