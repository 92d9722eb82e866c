//! Colours that people who see them differently, and printers without any, can tell apart.

use plotters::style::RGBColor;

/// Anchors of the cividis scale, dark to light: lightness rises evenly, and people with any kind of colour vision see the
/// same scale (Nuñez, Anderton & Renslow, *Optimizing colormaps with consideration for color vision deficiency*, PLoS ONE
/// 13(7), 2018; values as in the R package viridisLite, `cividis(5)`).
pub(super) const CIVIDIS: [RGBColor; 5] = [
    RGBColor(0x00, 0x20, 0x4D),
    RGBColor(0x41, 0x4D, 0x6B),
    RGBColor(0x7C, 0x7B, 0x78),
    RGBColor(0xBC, 0xAF, 0x6F),
    RGBColor(0xFF, 0xEA, 0x46),
];

/// Colours for lines, of Okabe & Ito, *Color Universal Design* (2008), less the yellow, which is lost on white.
pub(super) const LINES: [RGBColor; 7] = [
    RGBColor(0x00, 0x72, 0xB2),
    RGBColor(0xE6, 0x9F, 0x00),
    RGBColor(0x56, 0xB4, 0xE9),
    RGBColor(0xCC, 0x79, 0xA7),
    RGBColor(0xD5, 0x5E, 0x00),
    RGBColor(0x00, 0x9E, 0x73),
    RGBColor(0x00, 0x00, 0x00),
];

/// The colour at `share` of the scale, 0 the darkest and 1 the lightest; what is beyond counts as the end.
pub(super) fn cividis(share: f64) -> RGBColor {
    let last = CIVIDIS.len() - 1;
    let place = share.clamp(0.0, 1.0) * last as f64;
    let below = (place.floor() as usize).min(last - 1);
    mixed(CIVIDIS[below], CIVIDIS[below + 1], place - below as f64)
}

/// `share` of the way from one colour to another.
pub(super) fn mixed(from: RGBColor, to: RGBColor, share: f64) -> RGBColor {
    let between = |a: u8, b: u8| (f64::from(a) + share * (f64::from(b) - f64::from(a))).round() as u8;
    RGBColor(between(from.0, to.0), between(from.1, to.1), between(from.2, to.2))
}

/// Black or white, whichever stands out more on `ground`; a shade off, so that dark screens leave it as it is.
pub(super) fn text_on(ground: RGBColor) -> RGBColor {
    let (black, white) = (RGBColor(1, 1, 1), RGBColor(254, 254, 254));
    if contrast(ground, black) >= contrast(ground, white) {
        black
    } else {
        white
    }
}

/// Contrast ratio, 1 to 21: Web Content Accessibility Guidelines 2.2, "contrast ratio".
pub(super) fn contrast(a: RGBColor, b: RGBColor) -> f64 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

/// Relative luminance, 0 to 1: Web Content Accessibility Guidelines 2.2, "relative luminance".
fn luminance(RGBColor(red, green, blue): RGBColor) -> f64 {
    let linear = |channel: u8| match f64::from(channel) / 255.0 {
        low if low <= 0.04045 => low / 12.92,
        high => ((high + 0.055) / 1.055).powf(2.4),
    };
    0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_grows_lighter_all_along_and_ends_where_it_should() {
        let lights: Vec<f64> = (0..=100)
            .map(|step| luminance(cividis(f64::from(step) / 100.0)))
            .collect();
        assert!(lights.is_sorted_by(|a, b| a < b), "{lights:?}");
        assert_eq!(cividis(-3.0), CIVIDIS[0]);
        assert_eq!(cividis(7.0), CIVIDIS[4]);
        assert_eq!(cividis(0.25), CIVIDIS[1]);
    }

    #[test]
    fn words_stand_out_on_every_colour_of_the_scale() {
        // 4.5 is what the guidelines ask of ordinary text. Black and white have equal contrast, the square root of 21 =
        // 4.58, at the worst grey; a shade less of both takes a little of it.
        for step in 0..=100 {
            let ground = cividis(f64::from(step) / 100.0);
            assert!(contrast(ground, text_on(ground)) >= 4.45, "{ground:?}");
        }
        assert_eq!(text_on(CIVIDIS[0]), RGBColor(254, 254, 254));
        assert_eq!(text_on(CIVIDIS[4]), RGBColor(1, 1, 1));
    }

    #[test]
    fn contrast_is_that_of_the_guidelines() {
        // Worked examples of the guidelines: black on white 21, and #767676 on white 4.54.
        let white = RGBColor(255, 255, 255);
        assert!((contrast(RGBColor(0, 0, 0), white) - 21.0).abs() < 1e-9);
        assert!((contrast(RGBColor(0x76, 0x76, 0x76), white) - 4.54).abs() < 0.005);
    }

    #[test]
    fn lines_are_dark_enough_to_see_on_white() {
        for colour in LINES {
            assert!(contrast(colour, RGBColor(255, 255, 255)) >= 2.0, "{colour:?}");
        }
    }
}
