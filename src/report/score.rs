//! The keys of what designs are ranked by: `accuracy` and `accuracy_origin`, or `proxy_score` and `proxy_score_origin`.

use serde::Serializer;
use serde::ser::SerializeMap;

use crate::predict::{Accuracy, ScoreKind};

/// Writes both keys of a row that always has them.
pub(super) fn keys<S: Serializer>(accuracy: &Accuracy, serializer: S) -> Result<S::Ok, S::Error> {
    known_or_null(&Some(*accuracy), serializer)
}

/// Writes both keys; null where nothing is known.
pub(super) fn known_or_null<S: Serializer>(accuracy: &Option<Accuracy>, serializer: S) -> Result<S::Ok, S::Error> {
    let key = accuracy.map_or(ScoreKind::default(), |accuracy| accuracy.kind).key();
    let mut map = serializer.serialize_map(Some(2))?;
    map.serialize_entry(key, &accuracy.map(|accuracy| accuracy.percent))?;
    map.serialize_entry(&format!("{key}_origin"), &accuracy.map(|accuracy| accuracy.origin))?;
    map.end()
}

/// Writes the number alone.
pub(super) fn number<S: Serializer>(accuracy: &Accuracy, serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(1))?;
    map.serialize_entry(accuracy.kind.number_key(), &accuracy.percent.mean)?;
    map.end()
}

/// What was subtracted from accuracies for their precisions; `None` where nothing was.
pub fn drop_note(accuracies: impl Iterator<Item = Accuracy>) -> Option<String> {
    let largest = accuracies.map(|accuracy| accuracy.drop).fold(0.0, f64::max);
    (largest > 0.0).then(|| {
        format!(
            "accuracies of quantized networks are simulated: what the checkpoint knows less up to {largest:.2} points, a prior of layer \
             sensitivity that may be off by as much as it says; 16-bit floating point costs nothing there"
        )
    })
}

/// What precisions say of scores that were compared over several of them.
pub fn precisions_note(accuracies: impl Iterator<Item = Accuracy> + Clone) -> String {
    drop_note(accuracies.clone())
        .unwrap_or_else(|| format!("{} are the same at every precision here", kind_of(accuracies).plural()))
}

/// What the values of rows are: of all the same, or none.
pub(crate) fn kind_of(accuracies: impl Iterator<Item = Accuracy>) -> ScoreKind {
    let mut accuracies = accuracies;
    accuracies.next().map_or(ScoreKind::default(), |accuracy| accuracy.kind)
}
