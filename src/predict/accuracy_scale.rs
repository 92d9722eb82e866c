//! The scale that accuracies are learned on.

/// Towers predict `-ln(CEILING - accuracy)`: errors near the top count for more, as they do in a choice between good
/// designs, and networks at chance do not stretch the scale.
const CEILING: f64 = 100.5;

/// Accuracy in percent to the scale of the towers.
pub(super) fn to_scale(accuracy_percent: f64) -> f64 {
    -(CEILING - accuracy_percent).ln()
}

/// By how much [`to_scale`] rises for one percentage point.
pub(super) fn slope(accuracy_percent: f64) -> f64 {
    1.0 / (CEILING - accuracy_percent)
}

/// The inverse of [`to_scale`], kept within 0..=100.
pub(super) fn from_scale(value: f64) -> f64 {
    (CEILING - (-value).exp()).clamp(0.0, 100.0)
}
