//! Colours of pages and figures on dark screens.

use plotters::style::{BLACK, RGBColor, WHITE};

use super::calibration::DEVICE;
use super::canvas::{GRID, MUTED};
use super::scatter::shades;

/// The ground of pages and figures on dark screens.
pub(super) const DARK_GROUND: RGBColor = RGBColor(0x16, 0x16, 0x16);

/// Colours of figures on white, each with the one that takes its part on [`DARK_GROUND`]. Others serve on both.
pub(super) fn dark_counterparts() -> Vec<(RGBColor, RGBColor)> {
    // What is densest stands out most from the ground.
    let light = [(0x4A, 0x5A, 0x78), (0x8F, 0xA6, 0xD0), (0xF0, 0xF4, 0xFF)]
        .map(|(red, green, blue)| RGBColor(red, green, blue));
    let mut pairs = vec![
        (WHITE, DARK_GROUND),
        (BLACK, RGBColor(0xE6, 0xE6, 0xE6)),
        (MUTED, RGBColor(0xA8, 0xA8, 0xA8)),
        (GRID, RGBColor(0x3A, 0x3A, 0x3A)),
        (DEVICE, RGBColor(0x6A, 0x6A, 0x6A)),
    ];
    pairs.extend(shades().zip(light));
    pairs
}

#[cfg(test)]
mod tests {
    use super::super::colour::{CIVIDIS, LINES, cividis, contrast, text_on};
    use super::*;

    #[test]
    fn what_is_drawn_stands_out_on_dark_screens_too() {
        let pairs = dark_counterparts();
        let on_dark = |colour: RGBColor| {
            let pair = pairs.iter().find(|(light, _)| *light == colour);
            contrast(pair.map_or(colour, |(_, dark)| *dark), DARK_GROUND)
        };
        for colour in LINES.into_iter().chain(shades()) {
            assert!(on_dark(colour) >= 2.0, "{colour:?}: {}", on_dark(colour));
        }
        // Words.
        assert!(on_dark(BLACK) >= 7.0 && on_dark(MUTED) >= 4.5);
        // Words in cells keep their colour with their ground.
        assert!(
            pairs
                .iter()
                .all(|(light, _)| *light != text_on(CIVIDIS[0]) && *light != text_on(CIVIDIS[4]))
        );
        // And so do the grounds.
        let scale = (0..=1000).map(|step| cividis(f64::from(step) / 1000.0));
        let is_replaced = |colour: RGBColor| pairs.iter().any(|(light, _)| *light == colour);
        assert!(!scale.into_iter().any(is_replaced));
        let shades: Vec<f64> = shades().map(on_dark).collect();
        assert!(shades.is_sorted(), "{shades:?}");
    }
}
