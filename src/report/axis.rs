//! Where does a value stand on an axis, and which values are written beside it?

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

/// How values are spread along an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    /// Equal differences take equal room.
    Linear,
    /// Equal ratios take equal room; for positive values.
    Logarithmic,
}

/// One axis of a chart.
#[derive(Debug, Clone)]
pub(super) struct Axis {
    /// What it shows, with the unit.
    pub(super) label: String,
    scale: Scale,
    low: f64,
    high: f64,
    ticks: Vec<f64>,
}

/// Room left beyond the outermost values, as a share of their distance.
const PADDING: f64 = 0.04;
/// Largest value that an axis reaches to, and one over the smallest of a logarithmic one: files hold 1e308 and 1e-320, whose
/// neighbours are no numbers.
const MOST: f64 = 1e30;
/// Most powers of ten that are written beside an axis.
const POWERS: usize = 10;

impl Axis {
    /// From `low` to `high`, as given; both positive for a logarithmic scale, and `low` the smaller.
    pub(super) fn new(label: &str, scale: Scale, low: f64, high: f64) -> Axis {
        let ticks = match scale {
            Scale::Linear => linear_ticks(low, high),
            Scale::Logarithmic => logarithmic_ticks(low, high),
        };
        Axis {
            label: label.into(),
            scale,
            low,
            high,
            ticks,
        }
    }

    /// Long enough for all values that it can show, with a little room; of none, and of one value, an axis all the same.
    pub(super) fn spanning(label: &str, scale: Scale, values: impl IntoIterator<Item = f64>) -> Axis {
        let shown = |value: &f64| match scale {
            Scale::Linear => value.abs() <= MOST,
            Scale::Logarithmic => (1.0 / MOST..=MOST).contains(value),
        };
        let places: Vec<f64> = values
            .into_iter()
            .filter(shown)
            .map(|value| place(scale, value))
            .collect();
        let low = places.iter().copied().fold(f64::INFINITY, f64::min);
        let high = places.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let (low, high) = if places.is_empty() { (0.0, 1.0) } else { (low, high) };
        let padding = match (high > low, scale) {
            (true, _) => PADDING * (high - low),
            (false, Scale::Logarithmic) => 0.5,
            (false, Scale::Linear) => (0.1 * low.abs()).max(0.5),
        };
        Axis::new(label, scale, back(scale, low - padding), back(scale, high + padding))
    }

    /// The same axis, also long enough for `value`.
    pub(super) fn reaching(self, value: f64) -> Axis {
        let (low, high) = (self.low.min(value), self.high.max(value));
        Axis::new(&self.label, self.scale, low, high)
    }

    /// Values at both ends.
    pub(super) fn range(&self) -> (f64, f64) {
        (self.low, self.high)
    }

    /// Values written beside the axis.
    pub(super) fn ticks(&self) -> &[f64] {
        &self.ticks
    }

    /// A value as it is written beside the axis.
    pub(super) fn text(&self, value: f64) -> String {
        let tolerance = match self.scale {
            Scale::Linear => 1e-3 * (self.high - self.low),
            Scale::Logarithmic => 1e-3 * value.abs(),
        };
        short(value, tolerance)
    }
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    /// The pixel of a value. What is beyond an end of the axis stands at the end, and so does what is no number.
    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let (low, high) = (place(self.scale, self.low), place(self.scale, self.high));
        let share = (place(self.scale, *value) - low) / (high - low);
        let share = if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) };
        limit.0 + (share * f64::from(limit.1 - limit.0)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() {
            Vec::new()
        } else {
            self.ticks.clone()
        }
    }

    fn range(&self) -> Range<f64> {
        self.low..self.high
    }
}

impl ValueFormatter<f64> for Axis {
    fn format(value: &f64) -> String {
        value.to_string()
    }

    fn format_ext(&self, value: &f64) -> String {
        self.text(*value)
    }
}

fn place(scale: Scale, value: f64) -> f64 {
    match scale {
        Scale::Linear => value,
        // Zero and less have no place: they go to the low end.
        Scale::Logarithmic => value.max(f64::MIN_POSITIVE).ln(),
    }
}

fn back(scale: Scale, place: f64) -> f64 {
    match scale {
        Scale::Linear => place,
        Scale::Logarithmic => place.exp(),
    }
}

/// Multiples of 1, 2 or 5 times a power of ten: four to nine of them.
fn linear_ticks(low: f64, high: f64) -> Vec<f64> {
    let rough = (high - low) / 5.0;
    if !(rough.is_finite() && rough > 0.0) {
        return vec![low];
    }
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|step| *step >= rough * 0.999)
        .unwrap_or(power);
    let first = (low / step - 1e-9).ceil() as i64;
    let last = (high / step + 1e-9).floor() as i64;
    (first..=last).map(|index| index as f64 * step).collect()
}

/// Powers of ten, with 2 and 5 times them or finer where there is room.
fn logarithmic_ticks(low: f64, high: f64) -> Vec<f64> {
    let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
    let step = (last.abs_diff(first) as usize).div_ceil(POWERS).max(1);
    let within = |digits: &[f64]| -> Vec<f64> {
        (first..=last)
            .step_by(step)
            .flat_map(|power| digits.iter().map(move |digit| digit * 10_f64.powi(power)))
            .filter(|tick| (low * 0.999..=high * 1.001).contains(tick))
            .collect()
    };
    let choices: [&[f64]; 3] = [&[1.0], &[1.0, 2.0, 5.0], &[1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0]];
    choices
        .into_iter()
        .map(within)
        .find(|ticks| ticks.len() >= 3)
        .unwrap_or_else(|| linear_ticks(low, high))
}

/// A number in as few characters as tell it to within `tolerance`.
fn short(value: f64, tolerance: f64) -> String {
    if value != 0.0 && !(1e-4..1e6).contains(&value.abs()) {
        return format!("{value:.1e}");
    }
    (0..9)
        // Adding zero turns -0 into 0.
        .map(|digits| format!("{:.digits$}", value + 0.0))
        .find(|text| text.parse().is_ok_and(|read: f64| (read - value).abs() <= tolerance))
        .unwrap_or_else(|| value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_numbers_within_the_range() {
        let shown = |axis: Axis| -> Vec<String> { axis.ticks().iter().map(|&tick| axis.text(tick)).collect() };
        assert_eq!(
            shown(Axis::new("", Scale::Linear, 0.0, 1.0)),
            ["0", "0.2", "0.4", "0.6", "0.8", "1"]
        );
        assert_eq!(shown(Axis::new("", Scale::Linear, -3.0, 12.0)), ["0", "5", "10"]);
        assert_eq!(
            shown(Axis::new("", Scale::Logarithmic, 0.5, 2000.0)),
            ["1", "10", "100", "1000"]
        );
        assert_eq!(
            shown(Axis::new("", Scale::Logarithmic, 4.0, 60.0)),
            ["5", "10", "20", "50"]
        );
        assert_eq!(
            shown(Axis::new("", Scale::Logarithmic, 10.0, 11.0)),
            ["10", "10.2", "10.4", "10.6", "10.8", "11"]
        );
    }

    #[test]
    fn nothing_one_value_and_no_positive_value_still_make_an_axis() {
        for scale in [Scale::Linear, Scale::Logarithmic] {
            for values in [vec![], vec![7.0, 7.0], vec![f64::NAN, f64::INFINITY], vec![0.0, -1.0]] {
                let axis = Axis::spanning("", scale, values.clone());
                assert!(
                    axis.low.is_finite() && axis.high.is_finite() && axis.low < axis.high,
                    "{values:?} {axis:?}"
                );
                assert!((0..=100).contains(&axis.map(&7.0, (0, 100))), "{values:?} {axis:?}");
                assert!(!axis.ticks().is_empty(), "{values:?} {axis:?}");
            }
        }
    }

    #[test]
    fn values_that_no_axis_can_reach_are_left_to_its_end() {
        for scale in [Scale::Linear, Scale::Logarithmic] {
            for values in [
                vec![1e308, 1e-320, -1e308],
                vec![f64::MAX, f64::MIN_POSITIVE],
                vec![1e308, 1.0, 5.0],
                vec![1e-29, 1e29],
            ] {
                let axis = Axis::spanning("", scale, values.clone());
                assert!(axis.low < axis.high && axis.high.is_finite(), "{values:?} {axis:?}");
                assert!((1..=12).contains(&axis.ticks().len()), "{values:?} {axis:?}");
                assert!(
                    values
                        .iter()
                        .all(|value| (0..=100).contains(&axis.map(value, (0, 100)))),
                    "{axis:?}"
                );
            }
        }
        assert_eq!(
            Axis::spanning("", Scale::Linear, [1e308, 1.0, 5.0]).map(&1e308, (0, 100)),
            100
        );
    }

    #[test]
    fn what_is_beyond_the_axis_stands_at_its_end() {
        let axis = Axis::new("", Scale::Logarithmic, 1.0, 100.0);
        // 10 is halfway between 1 and 100 in ratio.
        let cases = [
            (10.0, 250),
            (1e9, 300),
            (0.0, 200),
            (-4.0, 200),
            (f64::NAN, 200),
            (f64::INFINITY, 300),
        ];
        for (value, pixel) in cases {
            assert_eq!(axis.map(&value, (200, 300)), pixel, "{value}");
        }
        // Axes of charts count pixels downwards.
        assert_eq!(axis.map(&1.0, (300, 200)), 300);
    }

    #[test]
    fn numbers_are_short() {
        let cases = [
            (0.0, 1e-3, "0"),
            (-0.0, 1e-3, "0"),
            (0.30000000000000004, 1e-3, "0.3"),
            (15000.0, 1.0, "15000"),
            (100.25, 1e-3, "100.25"),
            (0.00002, 1e-9, "2.0e-5"),
            (-2.5, 1e-3, "-2.5"),
        ];
        for (value, tolerance, expected) in cases {
            assert_eq!(short(value, tolerance), expected);
        }
    }
}
